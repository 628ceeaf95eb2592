//! Hand-written numerical kernels on plain slices: the only place of this crate with `unsafe`.
//!
//! Two rules hold for all of them. Bits never depend on the number of threads: work is cut into chunks whose size
//! follows from the shapes alone, and partial sums are folded in chunk order. Bits never depend on the vector width
//! either: a loop body is compiled for several instruction sets and chosen at run time, but no sum is reassociated and
//! no product is contracted behind its back. (Matrix products go to `gemm`, which picks its kernel by processor type.)
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
mod gate;
mod matmul;
mod recurrent;
mod rows;

pub use attention::{attention, attention_backward, linear_attention, linear_attention_backward};
pub use conv::{ConvShape, conv2d, conv2d_backward};
pub use elementwise::{
    Activation, activate, activate_backward, add_assign, multiply, relu, relu_backward, rotate, rotate_back,
    scale,
};
pub use gate::{
    add_active_rows, add_rows, gate_active, read_then_write, relu_gate, relu_gate_backward, relu_rotate,
    relu_rotate_backward,
};
pub use matmul::{Mat, MatMut, column_sums, matmul, matmul_rows};
pub use recurrent::{Cell, CellShape, recurrent, recurrent_backward};
pub use rows::{
    cross_entropy, cross_entropy_backward, layer_norm, layer_norm_backward, masked_error, softmax_row, sum,
};

use std::iter::Sum;
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
    /// e^x; in single precision a polynomial that vectorises (relative error below 2e-7).
    fn exp(self) -> Self;
    /// Natural logarithm.
    fn ln(self) -> Self;
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
        // Cephes expf: x = n ln 2 + r, |r| <= ln 2 / 2, polynomial in r, exponent added through the bits. Adding and
        // subtracting 1.5 * 2^23 rounds to an integer without a call that would stop vectorisation.
        const MAGIC: f32 = 12_582_912.0;
        let x = if self > 88.0 { 88.0 } else { self };
        let x = if x < -87.0 { -87.0 } else { x };
        let n = (x * std::f32::consts::LOG2_E + MAGIC) - MAGIC;
        let r = x - n * 0.693_359_4 - n * -2.121_944_4e-4;
        let p = 1.987_569_1e-4;
        let p = p * r + 1.398_199_9e-3;
        let p = p * r + 8.333_452e-3;
        let p = p * r + 4.166_579_6e-2;
        let p = p * r + 1.666_666_5e-1;
        let p = p * r + 0.5;
        let p = p * r * r + r + 1.0;
        p * f32::from_bits(((n as i32 + 127) << 23) as u32)
    }
    #[inline(always)]
    fn ln(self) -> Self {
        f32::ln(self)
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
}

/// Compiles a loop for AVX-512, AVX2 and the baseline and picks one at run time.
macro_rules! dispatched {
    ($(#[$meta:meta])* pub fn $name:ident($($arg:ident: $ty:ty),* $(,)?) $(-> $ret:ty)? $body:block) => {
        $(#[$meta])*
        pub fn $name<T: Real>($($arg: $ty),*) $(-> $ret)? {
            #[inline(always)]
            fn body<T: Real>($($arg: $ty),*) $(-> $ret)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512dq,avx512bw,avx512vl,avx2,fma")]
                fn v4<T: Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                #[target_feature(enable = "avx2")]
                fn v3<T: Real>($($arg: $ty),*) $(-> $ret)? { body($($arg),*) }
                if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("fma")
                {
                    // SAFETY: every feature that `v4` enables has just been detected; the body is safe code.
                    return unsafe { v4($($arg),*) };
                }
                if is_x86_feature_detected!("avx2") {
                    // SAFETY: the feature that `v3` enables has just been detected; the body is safe code.
                    return unsafe { v3($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use dispatched;
