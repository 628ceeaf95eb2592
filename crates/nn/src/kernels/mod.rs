//! Hand-written numerical kernels on plain slices: the only place of this crate with `unsafe`.
//!
//! Two rules hold for all of them. Bits never depend on the number of threads: work is cut into chunks whose size
//! follows from the shapes alone, and partial sums are folded in chunk order. Bits never depend on the vector width
//! either: a loop body is compiled for several instruction sets and chosen at run time, but no sum is reassociated and
//! no product is contracted behind its back. (Matrix products and convolutions pick their tiles by processor type.)
//!
//! Kernels are generic over [`Real`] so that finite differences can check them in double precision; the modules above
//! use them in single precision only.
#![allow(unsafe_code)]
// Bodies must be inlined into each instruction-set version of a loop, or they would be compiled for the baseline.
#![allow(clippy::inline_always)]
// `Real` is arithmetic: ignoring a result is no likelier than ignoring a sum.
#![allow(clippy::return_self_not_must_use)]

mod attention;
mod conv;
mod elementwise;
mod functions;
mod gate;
mod matmul;
mod norm;
mod pool;
mod recurrent;
mod rows;
mod step;
mod upsample;

pub use attention::{
    AttentionShape, attention, attention_backward, linear_attention, linear_attention_backward, rotary,
};
pub use conv::{
    ConvShape, conv, conv_backward_bias, conv_backward_input, conv_backward_weights, conv_rectified,
};
pub use elementwise::{
    Activation, activate, activate_backward, add_assign, multiply, relu, relu_backward, rotate, rotate_back,
    scale,
};
pub use gate::{
    add_active_rows, add_rows, gate_active, read_then_write, relu_gate, relu_gate_backward, relu_rotate,
    relu_rotate_backward,
};
pub use matmul::{Mat, MatMut, column_sums, matmul, matmul_rows, product_rows};
pub use norm::{
    RowNorm, SlabAffine, SlabNorm, SlabShape, row_norm, row_norm_backward, slab_moments, slab_norm,
    slab_norm_backward, softmax_row, softmax_rows, softmax_rows_backward,
};
pub use pool::{PoolShape, average_pool, average_pool_backward, max_pool, max_pool_backward};
pub use recurrent::{Cell, CellShape, recurrent, recurrent_backward};
pub use rows::{
    cross_entropy, cross_entropy_backward, dot, layer_norm, layer_norm_backward, masked_error, sum,
};
pub use upsample::{upsample, upsample_backward};

pub(crate) use elementwise::sigmoid;
pub(crate) use step::{AdamConstants, adam, momentum, squares};

use rayon::prelude::*;
use std::iter::Sum;
use std::mem::MaybeUninit;
use std::ops::{Add, AddAssign, Div, Mul, MulAssign, Neg, Sub, SubAssign};

/// Single or double precision.
pub trait Real:
    Copy
    + Send
    + Sync
    + Default
    + PartialOrd
    + Sum
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
    + AddAssign
    + SubAssign
    + MulAssign
    + 'static
{
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The nearest value.
    fn of(v: f64) -> Self;
    /// As f64, exactly.
    fn wide(self) -> f64;
    /// Square root.
    fn sqrt(self) -> Self;
    /// e^x. In single precision this and the next three are polynomials that vectorise; their
    /// errors are stated in `functions.rs`.
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Error function.
    fn erf(self) -> Self;
}

impl Real for f32 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    #[inline(always)]
    fn of(v: f64) -> Self {
        v as f32
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        f64::from(self)
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f32::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        functions::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        functions::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        functions::tanh(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        functions::erf(self)
    }
}

impl Real for f64 {
    const ZERO: Self = 0.0;
    const ONE: Self = 1.0;
    #[inline(always)]
    fn of(v: f64) -> Self {
        v
    }
    #[inline(always)]
    fn wide(self) -> f64 {
        self
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        f64::sqrt(self)
    }
    #[inline(always)]
    fn exp(self) -> Self {
        f64::exp(self)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f64::ln(self)
    }
    #[inline(always)]
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    #[inline(always)]
    fn erf(self) -> Self {
        neuropil_math::statistics::erf(self)
    }
}

/// Compiles a loop for AVX-512, AVX2 and the baseline and picks one at run time.
macro_rules! dispatched {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name<T: Real>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<T: Real>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn v4<T: Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn v3<T: Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
                {
                    // SAFETY: every feature that `v4` enables has just been detected; the body is safe code.
                    return unsafe { v4($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                    // SAFETY: both features that `v3` enables have just been detected; the body is safe code.
                    return unsafe { v3($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use dispatched;

/// A vector of `n` values that `write` puts in, chunk by chunk over all threads; it is given the number of the chunk and
/// must write all of it. Not zeroed first, which would cost as much as a pointwise function.
///
/// # Safety
/// `write` must initialise every element of every chunk.
unsafe fn written<T: Real>(
    n: usize,
    chunk: usize,
    write: impl Fn(usize, &mut [MaybeUninit<T>]) + Sync,
) -> Vec<T> {
    let mut out = Vec::with_capacity(n);
    out.spare_capacity_mut()[..n].par_chunks_mut(chunk.max(1)).enumerate().for_each(|(i, c)| write(i, c));
    // SAFETY: the chunks are all of 0..n, and the caller vouches for every element of them.
    unsafe { out.set_len(n) };
    out
}

/// Elements per task of a copy.
const COPY: usize = 1 << 16;

/// All parts behind each other, copied over all threads.
pub fn concatenate<T: Real>(parts: &[&[T]]) -> Vec<T> {
    let n = parts.iter().map(|p| p.len()).sum();
    let mut out = Vec::with_capacity(n);
    let mut rest = &mut out.spare_capacity_mut()[..n];
    let mut tasks = Vec::new();
    for part in parts {
        let (place, behind) = rest.split_at_mut(part.len());
        rest = behind;
        tasks.extend(place.chunks_mut(COPY).zip(part.chunks(COPY)));
    }
    tasks.into_par_iter().for_each(|(to, from)| {
        to.write_copy_of_slice(from);
    });
    // SAFETY: the places of the parts are all of 0..n, and each has been written from a part of its length.
    unsafe { out.set_len(n) };
    out
}

/// `n` times `value`, written over all threads.
pub fn filled<T: Real>(n: usize, value: T) -> Vec<T> {
    // SAFETY: `fill` writes every element.
    unsafe {
        written(n, COPY, |_, out| {
            out.fill(MaybeUninit::new(value));
        })
    }
}

/// The sum over all threads: partial sums of fixed size, folded in order in double precision.
pub fn total<T: Real>(x: &[T]) -> f64 {
    let parts: Vec<f64> = x.par_chunks(COPY >> 2).map(|x| sum(x).wide()).collect();
    parts.iter().sum()
}

/// The sum of the parts, each `n` long, in order.
fn fold<T: Real>(mut parts: Vec<T>, n: usize) -> Vec<T> {
    let own = n.min(parts.len());
    let (first, rest) = parts.split_at_mut(own);
    let rest = &*rest;
    first.par_chunks_mut(COPY >> 4).enumerate().for_each(|(i, first)| {
        for part in rest.chunks_exact(n.max(1)) {
            add_assign(first, &part[i * (COPY >> 4)..][..first.len()]);
        }
    });
    parts.truncate(n);
    parts
}
