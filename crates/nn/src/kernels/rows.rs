//! Kernels along the rows of a matrix: layer norm, softmax cross-entropy, errors.

use super::{Real, dispatched, softmax_row};
use rayon::prelude::*;

/// Rows per task; small enough for two threads, large enough to be worth a task.
const ROWS: usize = 64;

dispatched! {
    /// The sum in 16 interleaved partial sums, folded in order: vectorises, and has the same bits everywhere.
    pub fn sum(x: &[T]) -> T {
        let mut lanes = [T::ZERO; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (l, &v) in lanes.iter_mut().zip(block) { *l += v; }
        }
        let mut total = T::ZERO;
        for l in lanes { total += l; }
        for &v in rest { total += v; }
        total
    }
}

dispatched! {
    /// Sum of (x - mean)^2, in the order of [`sum`].
    pub fn squares_about(x: &[T], mean: T) -> T {
        let mut lanes = [T::ZERO; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (l, &v) in lanes.iter_mut().zip(block) { *l += (v - mean) * (v - mean); }
        }
        let mut total = T::ZERO;
        for l in lanes { total += l; }
        for &v in rest { total += (v - mean) * (v - mean); }
        total
    }
}

dispatched! {
    /// Dot product in the order of [`sum`].
    pub fn dot(x: &[T], y: &[T]) -> T {
        let n = x.len().min(y.len());
        let mut lanes = [T::ZERO; 16];
        let ((xb, xr), (yb, yr)) = (x[..n].as_chunks::<16>(), y[..n].as_chunks::<16>());
        for (a, b) in xb.iter().zip(yb) {
            for ((l, &u), &v) in lanes.iter_mut().zip(a).zip(b) { *l += u * v; }
        }
        let mut total = T::ZERO;
        for l in lanes { total += l; }
        for (&u, &v) in xr.iter().zip(yr) { total += u * v; }
        total
    }
}

dispatched! {
    /// `out = (x - mean) * factor`.
    pub fn centred(out: &mut [T], x: &[T], mean: T, factor: T) {
        for (o, &v) in out.iter_mut().zip(x) { *o = (v - mean) * factor; }
    }
}

dispatched! {
    /// `out += (g - mean_g - y * mean_gy) * factor`: the backward pass of normalisation, y being its output.
    pub fn centred_backward(out: &mut [T], g: &[T], y: &[T], means: (T, T), factor: T) {
        for ((o, &g), &y) in out.iter_mut().zip(g).zip(y) { *o += (g - means.0 - y * means.1) * factor; }
    }
}

/// Normalises each row of `x` [rows, d] to mean 0 and variance 1 (biased, eps 1e-5) into `out`; returns nothing but the
/// reciprocal deviations in `inverse` \[rows\]. A row of equal values becomes zeros.
pub fn layer_norm<T: Real>(out: &mut [T], inverse: &mut [T], x: &[T], d: usize) {
    let count = T::of(d as f64);
    for ((out, inverse), x) in out.chunks_exact_mut(d).zip(inverse).zip(x.chunks_exact(d)) {
        let mean = sum(x) / count;
        *inverse = T::ONE / (squares_about(x, mean) / count + T::of(1e-5)).sqrt();
        centred(out, x, mean, *inverse);
    }
}

/// Adds to `dx` the gradient through [`layer_norm`], given its output `y`, its `inverse` and the gradient `dy`.
pub fn layer_norm_backward<T: Real>(dx: &mut [T], dy: &[T], y: &[T], inverse: &[T], d: usize) {
    let count = T::of(d as f64);
    for (((dx, dy), y), &inverse) in
        dx.chunks_exact_mut(d).zip(dy.chunks_exact(d)).zip(y.chunks_exact(d)).zip(inverse)
    {
        centred_backward(dx, dy, y, (sum(dy) / count, dot(dy, y) / count), inverse);
    }
}

/// Weighted mean cross-entropy of `logits` [rows, classes] in nats; `logits` become probabilities. A weight of 0 leaves
/// a row out; the divisor is the sum of the weights. The sum over rows is taken in order in double precision.
pub fn cross_entropy<T: Real>(
    logits: &mut [T],
    targets: &[u32],
    weights: Option<&[T]>,
    classes: usize,
) -> f64 {
    let losses: Vec<f64> = logits
        .par_chunks_mut(classes * ROWS)
        .zip(targets.par_chunks(ROWS))
        .flat_map_iter(|(chunk, targets)| {
            chunk
                .chunks_exact_mut(classes)
                .zip(targets)
                .map(|(row, &t)| {
                    let z = row.get(t as usize).copied().unwrap_or(T::ZERO);
                    (softmax_row(row) - z).wide()
                })
                .collect::<Vec<_>>()
        })
        .collect();
    let weight = |i: usize| weights.map_or(1.0, |w| w[i].wide());
    let total: f64 = (0..losses.len()).map(weight).sum();
    if total <= 0.0 {
        0.0
    } else {
        losses.iter().enumerate().map(|(i, l)| l * weight(i)).sum::<f64>() / total
    }
}

/// Turns the probabilities of [`cross_entropy`] into the gradient of `scale` times the loss, in place.
pub fn cross_entropy_backward<T: Real>(
    probabilities: &mut [T],
    targets: &[u32],
    weights: Option<&[T]>,
    classes: usize,
    scale: T,
) {
    let total = weights.map_or(targets.len() as f64, |w| w.iter().map(|v| v.wide()).sum());
    let factor = if total <= 0.0 { T::ZERO } else { scale / T::of(total) };
    probabilities.par_chunks_mut(classes * ROWS).enumerate().for_each(|(c, chunk)| {
        for (i, row) in chunk.chunks_exact_mut(classes).enumerate() {
            let r = c * ROWS + i;
            if let Some(v) = row.get_mut(targets[r] as usize) {
                *v -= T::ONE;
            }
            super::scale(row, weights.map_or(factor, |w| factor * w[r]));
        }
    });
}

/// Mean of mask * (prediction - target)^2 over the mask, and its gradient; summed in order in double precision.
pub fn masked_error<T: Real>(prediction: &[T], target: &[T], mask: &[T]) -> (f64, Vec<T>) {
    let mut count = 0.0;
    let mut total = 0.0;
    for ((&p, &t), &m) in prediction.iter().zip(target).zip(mask) {
        let d = (p - t).wide();
        total += m.wide() * d * d;
        count += m.wide();
    }
    if count <= 0.0 {
        return (0.0, vec![T::ZERO; prediction.len()]);
    }
    let factor = T::of(2.0 / count);
    let gradient =
        prediction.iter().zip(target).zip(mask).map(|((&p, &t), &m)| factor * m * (p - t)).collect();
    (total / count, gradient)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn norm_of_a_constant_row_is_zero() {
        let (mut y, mut inverse) = ([1.0_f32; 8], [0.0_f32; 2]);
        layer_norm(&mut y, &mut inverse, &[0.0, 0.0, 0.0, 0.0, 3.0, 3.0, 3.0, 3.0], 4);
        assert_eq!(y, [0.0; 8]);
    }

    #[test]
    fn gradients_match_differences() {
        let mut s = neuropil_core::Streams::new(2).stream("rows", 0);
        let (x, w) = (s.normals(12), s.normals(12));
        let norm = |x: &[f64]| {
            let (mut y, mut inverse) = (vec![0.0; 12], vec![0.0; 2]);
            layer_norm(&mut y, &mut inverse, x, 6);
            (y, inverse)
        };
        let value = |x: &[f64]| norm(x).0.iter().zip(&w).map(|(a, b)| a * b).sum::<f64>();
        let (y, inverse) = norm(&x);
        let mut dx = vec![0.0; 12];
        layer_norm_backward(&mut dx, &w, &y, &inverse, 6);
        let loss = |x: &[f64]| cross_entropy(&mut x.to_vec(), &[1, 3], Some(&[1.0, 0.5]), 6);
        let mut dp = x.clone();
        cross_entropy(&mut dp, &[1, 3], Some(&[1.0, 0.5]), 6);
        cross_entropy_backward(&mut dp, &[1, 3], Some(&[1.0, 0.5]), 6, 1.0);
        let (_, de) = masked_error(&x, &w, &[1.0; 12]);
        for i in 0..12 {
            let difference = |f: &dyn Fn(&[f64]) -> f64| {
                let (mut a, mut b) = (x.clone(), x.clone());
                a[i] += 1e-5;
                b[i] -= 1e-5;
                (f(&a) - f(&b)) / 2e-5
            };
            // Central differences at 1e-5 in f64 leave about 1e-9.
            assert!((dx[i] - difference(&value)).abs() < 1e-7);
            assert!((dp[i] - difference(&loss)).abs() < 1e-7);
            assert!((de[i] - difference(&|x: &[f64]| masked_error(x, &w, &[1.0; 12]).0)).abs() < 1e-7);
        }
    }
}
