//! Steps of the optimisers over flat buffers, one pass each.

use super::{Real, dispatched};

/// Numbers of a step of Adam with decoupled weight decay.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AdamConstants<T> {
    /// Decays of the moments.
    pub(crate) beta: [T; 2],
    pub(crate) eps: T,
    /// What weight decay leaves of a value.
    pub(crate) keep: T,
    /// Learning rate over the correction of the first moment.
    pub(crate) rate: T,
    /// Reciprocal root of the correction of the second moment.
    pub(crate) correction: T,
}

dispatched! {
    /// One step of Adam.
    pub(crate) fn adam(values: &mut [T], moments: [&mut [T]; 2], gradient: &[T], c: AdamConstants<T>) {
        let [first, second] = moments;
        for (((v, m), s), &g) in values.iter_mut().zip(first).zip(second).zip(gradient) {
            *m = c.beta[0] * *m + (T::ONE - c.beta[0]) * g;
            *s = c.beta[1] * *s + (T::ONE - c.beta[1]) * g * g;
            *v = *v * c.keep - c.rate * *m / (s.sqrt() * c.correction + c.eps);
        }
    }
}

dispatched! {
    /// One step of gradient descent with momentum.
    pub(crate) fn momentum(values: &mut [T], first: &mut [T], gradient: &[T], momentum: T, rate: T) {
        for ((v, m), &g) in values.iter_mut().zip(first).zip(gradient) {
            *m = momentum * *m + g;
            *v -= rate * *m;
        }
    }
}

dispatched! {
    /// Sum of squares in double precision, in interleaved partial sums folded in order.
    pub(crate) fn squares(x: &[T]) -> f64 {
        let mut lanes = [0.0_f64; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (l, v) in lanes.iter_mut().zip(block) { *l += v.wide() * v.wide(); }
        }
        lanes.iter().sum::<f64>() + rest.iter().map(|v| v.wide() * v.wide()).sum::<f64>()
    }
}
