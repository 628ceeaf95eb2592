//! Compiles inner loops for the widest vector unit of the machine they run on.
//!
//! The only module of this crate with `unsafe`. Rust never contracts `a * b + c` into a fused operation, so every
//! width gives the same bits.

#![allow(unsafe_code)]

/// A loop to be compiled once per vector width; `run` must be `#[inline(always)]`.
pub(crate) trait Kernel {
    /// What the loop returns.
    type Output;
    /// The loop.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
mod wide {
    use super::Kernel;

    #[target_feature(enable = "avx2")]
    pub(super) fn avx2<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }

    #[target_feature(enable = "avx512f,avx512dq,avx512vl,avx512bw")]
    pub(super) fn avx512<K: Kernel>(kernel: K) -> K::Output {
        kernel.run()
    }
}

/// Runs `kernel` in the widest form that this machine has.
#[inline]
pub(crate) fn widest<K: Kernel>(kernel: K) -> K::Output {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
            && is_x86_feature_detected!("avx512bw")
        {
            // SAFETY: the four features that the callee is compiled for were detected just above.
            return unsafe { wide::avx512(kernel) };
        }
        if is_x86_feature_detected!("avx2") {
            // SAFETY: the feature that the callee is compiled for was detected just above.
            return unsafe { wide::avx2(kernel) };
        }
    }
    kernel.run()
}
