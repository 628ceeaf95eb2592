//! The plain matrix product on one thread.
#![allow(unsafe_code)]

use faer::{Accum, MatMut, MatRef, Par};

/// `dst = factor left right`, or `dst += factor left right`, on this thread.
pub fn gemm<T: faer::traits::ComplexField>(
    dst: MatMut<'_, T>,
    accumulate: Accum,
    left: MatRef<'_, T>,
    right: MatRef<'_, T>,
    factor: T,
) {
    let _clean = CleanRegisters;
    faer::linalg::matmul::matmul(dst, accumulate, left, right, factor, Par::Seq);
}

/// Clears the upper halves of the vector registers when dropped. faer's product kernels leave them in use, after which
/// every scalar instruction that is not encoded for AVX, such as those of the C library's tanh, exp and sin, waits for
/// them: loops over such functions took 2.3 times as long.
#[derive(Debug)]
pub(crate) struct CleanRegisters;

impl Drop for CleanRegisters {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if is_x86_feature_detected!("avx") {
            // SAFETY: AVX has just been detected, and nothing is kept in vector registers across a drop.
            unsafe { core::arch::x86_64::_mm256_zeroupper() }
        }
    }
}
