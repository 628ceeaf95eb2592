//! Normalisation and softmax: over rows with a gain per element (layer and RMS norm, softmax), and over slabs, the
//! elements of one channel of one sample, with a gain per channel (group, instance and batch norm). Each pass reads its
//! input once and writes its output once; what the backward pass needs back are the moments.

use super::rows::{dot, squares_about, sum};
use super::{Real, dispatched, written};
use rayon::prelude::*;
use std::mem::MaybeUninit;

/// Rows per task of a row-wise pass.
const ROWS: usize = 64;
/// Elements that make a task worth it.
const WORTH: usize = 1 << 13;
/// Added to variances and mean squares of the row-wise and slab-wise norms; the RMS norm adds 1e-6.
const EPS: f64 = 1e-5;

dispatched! {
    /// `out = (x - mean) inverse gain + offset`.
    fn affine(out: &mut [MaybeUninit<T>], x: &[T], moments: [T; 2], gain: &[T], offset: &[T]) {
        let [mean, inverse] = moments;
        for (((o, &x), &g), &b) in out.iter_mut().zip(x).zip(gain).zip(offset) {
            o.write((x - mean) * inverse * g + b);
        }
    }
}

dispatched! {
    /// `out = (x - mean) inverse gain`.
    fn gained(out: &mut [MaybeUninit<T>], x: &[T], moments: [T; 2], gain: &[T]) {
        let [mean, inverse] = moments;
        for ((o, &x), &g) in out.iter_mut().zip(x).zip(gain) {
            o.write((x - mean) * inverse * g);
        }
    }
}

dispatched! {
    /// With n = (x - mean) inverse: adds dy n to `dgain` and dy to `doffset`; returns the sums of dy gain and dy gain n.
    fn affine_sums(dgain: &mut [T], doffset: &mut [T], dy: &[T], x: &[T], gain: &[T], moments: [T; 2]) -> [T; 2] {
        let [mean, inverse] = moments;
        let (mut plain, mut along) = ([T::ZERO; 16], [T::ZERO; 16]);
        let n = x.len();
        for from in (0..n).step_by(16) {
            let range = from..(from + 16).min(n);
            let lanes = plain.iter_mut().zip(&mut along);
            let sums = dgain[range.clone()].iter_mut().zip(&mut doffset[range.clone()]);
            let given = dy[range.clone()].iter().zip(&x[range.clone()]).zip(&gain[range]);
            for (((p, a), (dg, db)), ((&dy, &x), &g)) in lanes.zip(sums).zip(given) {
                let normal = (x - mean) * inverse;
                *dg += dy * normal;
                *db += dy;
                *p += dy * g;
                *a += dy * g * normal;
            }
        }
        let (mut first, mut second) = (T::ZERO, T::ZERO);
        for (p, a) in plain.into_iter().zip(along) {
            first += p;
            second += a;
        }
        [first, second]
    }
}

dispatched! {
    /// `out = (dy gain - means[0] - n means[1]) inverse`.
    fn affine_input(out: &mut [MaybeUninit<T>], dy: &[T], x: &[T], gain: &[T], moments: [T; 2], means: [T; 2]) {
        let [mean, inverse] = moments;
        for (((o, &dy), &x), &g) in out.iter_mut().zip(dy).zip(x).zip(gain) {
            o.write((dy * g - means[0] - (x - mean) * inverse * means[1]) * inverse);
        }
    }
}

dispatched! {
    /// `out = (x - mean) factor + offset`, times `leak` where that is below 0.
    fn shifted(out: &mut [MaybeUninit<T>], x: &[T], mean: T, factor: T, offset: T, leak: T) {
        for (o, &x) in out.iter_mut().zip(x) {
            let v = (x - mean) * factor + offset;
            o.write(if v > T::ZERO { v } else { v * leak });
        }
    }
}

dispatched! {
    /// Sums of dy and of dy (x - mean), dy being multiplied by `leak` where [`shifted`] did it; in interleaved partial sums.
    fn shifted_sums(dy: &[T], x: &[T], mean: T, factor: T, offset: T, leak: T) -> [T; 2] {
        let (mut plain, mut along) = ([T::ZERO; 16], [T::ZERO; 16]);
        let ((db, dr), (xb, xr)) = (dy.as_chunks::<16>(), x.as_chunks::<16>());
        for (d, x) in db.iter().zip(xb) {
            for (((p, a), &d), &x) in plain.iter_mut().zip(&mut along).zip(d).zip(x) {
                let c = x - mean;
                let d = if c * factor + offset > T::ZERO { d } else { d * leak };
                *p += d;
                *a += d * c;
            }
        }
        let (mut first, mut second) = (T::ZERO, T::ZERO);
        for (p, a) in plain.into_iter().zip(along) {
            first += p;
            second += a;
        }
        for (&d, &x) in dr.iter().zip(xr) {
            let c = x - mean;
            let d = if c * factor + offset > T::ZERO { d } else { d * leak };
            first += d;
            second += d * c;
        }
        [first, second]
    }
}

dispatched! {
    /// `out = (dy gain - means[0] - n means[1]) inverse` with one gain, dy as in [`shifted_sums`].
    fn shifted_input(
        out: &mut [MaybeUninit<T>], dy: &[T], x: &[T], affine: [T; 2], moments: [T; 2], means: [T; 2], leak: T,
    ) {
        let ([gain, offset], [mean, inverse]) = (affine, moments);
        for ((o, &dy), &x) in out.iter_mut().zip(dy).zip(x) {
            let c = x - mean;
            let dy = if c * (inverse * gain) + offset > T::ZERO { dy } else { dy * leak };
            o.write((dy * gain - means[0] - c * inverse * means[1]) * inverse);
        }
    }
}

/// What a row-wise norm does to its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RowNorm {
    /// Mean 0 and variance 1 (Ba et al. 2016), eps 1e-5.
    Layer,
    /// Root mean square 1 (Zhang and Sennrich 2019), eps 1e-6; the mean stays.
    Rms,
}

impl RowNorm {
    /// Mean that is taken off, and reciprocal deviation.
    fn moments<T: Real>(self, x: &[T]) -> [T; 2] {
        let count = T::of(x.len() as f64);
        match self {
            Self::Layer => {
                let mean = sum(x) / count;
                [mean, T::ONE / (squares_about(x, mean) / count + T::of(EPS)).sqrt()]
            }
            Self::Rms => [T::ZERO, T::ONE / (dot(x, x) / count + T::of(1e-6)).sqrt()],
        }
    }
}

/// Normalises the rows of `x` [rows, d]; times `gain` \[d\], plus `offset` \[d\] if there is one.
pub fn row_norm<T: Real>(x: &[T], gain: &[T], offset: Option<&[T]>, norm: RowNorm) -> Vec<T> {
    let d = gain.len();
    assert!(
        offset.is_none_or(|o| o.len() == d) && x.len().is_multiple_of(d.max(1)),
        "rows of another length"
    );
    // SAFETY: a chunk is a number of whole rows, and both functions write as many elements as the shortest of their
    // slices has, which all are rows.
    unsafe {
        written(x.len(), ROWS * d, |chunk, out| {
            let x = &x[chunk * ROWS * d..][..out.len()];
            for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                match offset {
                    Some(offset) => affine(out, x, norm.moments(x), gain, offset),
                    None => gained(out, x, norm.moments(x), gain),
                }
            }
        })
    }
}

/// Gradients of [`row_norm`] with respect to its input, gain and offset (which is the sum of `dy` where there is none).
pub fn row_norm_backward<T: Real>(dy: &[T], x: &[T], gain: &[T], norm: RowNorm) -> [Vec<T>; 3] {
    let d = gain.len();
    assert!(dy.len() == x.len() && x.len().is_multiple_of(d.max(1)), "rows of another length");
    let mut dx = Vec::with_capacity(x.len());
    let count = T::of(d as f64);
    let parts: Vec<[Vec<T>; 2]> = dx.spare_capacity_mut()[..x.len()]
        .par_chunks_mut(ROWS * d.max(1))
        .zip(dy.par_chunks(ROWS * d.max(1)))
        .zip(x.par_chunks(ROWS * d.max(1)))
        .map(|((dx, dy), x)| {
            let (mut dgain, mut doffset) = (vec![T::ZERO; d], vec![T::ZERO; d]);
            for ((dx, dy), x) in dx.chunks_exact_mut(d).zip(dy.chunks_exact(d)).zip(x.chunks_exact(d)) {
                let moments = norm.moments(x);
                let [plain, along] = affine_sums(&mut dgain, &mut doffset, dy, x, gain, moments);
                let plain = if norm == RowNorm::Layer { plain / count } else { T::ZERO };
                affine_input(dx, dy, x, gain, moments, [plain, along / count]);
            }
            [dgain, doffset]
        })
        .collect();
    // SAFETY: the chunks are all of the rows, whole ones, and each row has been written by `affine_input`, whose slices
    // all are rows.
    unsafe { dx.set_len(x.len()) };
    let (mut dgain, mut doffset) = (vec![T::ZERO; d], vec![T::ZERO; d]);
    for [g, o] in &parts {
        super::add_assign(&mut dgain, g);
        super::add_assign(&mut doffset, o);
    }
    [dx, dgain, doffset]
}

/// Which slabs of [n, channels, area] share their moments.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SlabNorm {
    /// Groups of neighbouring channels of a sample (Wu and He 2018); one channel each is instance norm.
    Group {
        /// Groups per sample; divides the channels.
        groups: usize,
    },
    /// One channel of all samples (Ioffe and Szegedy 2015).
    Batch,
}

/// Sizes of a slab-wise norm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlabShape {
    /// Which slabs belong together.
    pub norm: SlabNorm,
    /// Channels.
    pub channels: usize,
    /// Elements of a slab.
    pub area: usize,
}

/// Gain and offset per channel, and the slope of the rectifier behind them below 0: 1 for none, 0 to cut off.
#[derive(Debug, Clone, Copy)]
pub struct SlabAffine<'a, T> {
    /// Gain of every channel.
    pub gain: &'a [T],
    /// Offset of every channel.
    pub offset: &'a [T],
    /// Factor of what is below 0.
    pub leak: T,
}

impl SlabShape {
    fn sets(&self, slabs: usize) -> usize {
        match self.norm {
            SlabNorm::Group { groups } => slabs / self.channels.max(1) * groups,
            SlabNorm::Batch => self.channels,
        }
    }

    fn set(&self, slab: usize) -> usize {
        match self.norm {
            SlabNorm::Group { groups } => slab * groups / self.channels,
            SlabNorm::Batch => slab % self.channels,
        }
    }

    /// One number per slab, added up per set in the order of the slabs.
    fn totals<T: Real>(&self, slabs: usize, of: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let all: Vec<T> =
            (0..slabs).into_par_iter().with_min_len(WORTH.div_ceil(self.area.max(1))).map(&of).collect();
        let mut totals = vec![T::ZERO; self.sets(slabs)];
        all.into_iter().enumerate().for_each(|(s, v)| totals[self.set(s)] += v);
        totals
    }

    fn slabs<T>(&self, x: &[T]) -> usize {
        assert!(
            self.channels > 0 && x.len().is_multiple_of((self.channels * self.area).max(1)),
            "slabs of another size"
        );
        x.len().checked_div(self.area).unwrap_or(0)
    }
}

fn slab<T>(x: &[T], area: usize, s: usize) -> &[T] {
    &x[s * area..(s + 1) * area]
}

/// Mean and reciprocal deviation (biased, eps 1e-5) of every set of slabs: set by set, mean first.
pub fn slab_moments<T: Real>(x: &[T], shape: SlabShape) -> Vec<T> {
    let n = shape.slabs(x);
    let count = T::of((x.len() / shape.sets(n).max(1)).max(1) as f64);
    let means = shape.totals(n, |s| sum(slab(x, shape.area, s)) / count);
    let squares = shape.totals(n, |s| squares_about(slab(x, shape.area, s), means[shape.set(s)]));
    means.iter().zip(squares).flat_map(|(&m, q)| [m, T::ONE / (q / count + T::of(EPS)).sqrt()]).collect()
}

/// Normalises `x` [n, channels, area] by the `moments` of its sets; times a gain and plus an offset per channel, then
/// rectified.
pub fn slab_norm<T: Real>(x: &[T], affine: SlabAffine<T>, moments: &[T], shape: SlabShape) -> Vec<T> {
    shape.slabs(x);
    let SlabAffine { gain, offset, leak } = affine;
    // SAFETY: a chunk is one slab, and `shifted` writes as many elements as the shorter of its slices has, which both
    // are slabs.
    unsafe {
        written(x.len(), shape.area, |s, out| {
            let (set, c) = (shape.set(s), s % shape.channels);
            let (mean, inverse) = (moments[2 * set], moments[2 * set + 1]);
            shifted(out, slab(x, shape.area, s), mean, inverse * gain[c], offset[c], leak);
        })
    }
}

/// Gradients of [`slab_norm`] with respect to input, gain and offset. Without `own` moments (those of a running average)
/// the input's share in them is left out.
pub fn slab_norm_backward<T: Real>(
    dy: &[T],
    x: &[T],
    affine: SlabAffine<T>,
    moments: &[T],
    shape: SlabShape,
    own: bool,
) -> [Vec<T>; 3] {
    let (n, area) = (shape.slabs(x), shape.area);
    let SlabAffine { gain, offset, leak } = affine;
    assert_eq!(dy.len(), x.len(), "a gradient of another size");
    let count = T::of((x.len() / shape.sets(n).max(1)).max(1) as f64);
    let sums: Vec<[T; 2]> = (0..n)
        .into_par_iter()
        .with_min_len(WORTH.div_ceil(area.max(1)))
        .map(|s| {
            let (set, c) = (shape.set(s), s % shape.channels);
            let (mean, inverse) = (moments[2 * set], moments[2 * set + 1]);
            let (dy, x) = (slab(dy, area, s), slab(x, area, s));
            let [plain, along] = shifted_sums(dy, x, mean, inverse * gain[c], offset[c], leak);
            [plain, along * inverse]
        })
        .collect();
    let (mut dgain, mut doffset) = (vec![T::ZERO; shape.channels], vec![T::ZERO; shape.channels]);
    let mut means = vec![[T::ZERO; 2]; shape.sets(n)];
    for (s, [plain, along]) in sums.into_iter().enumerate() {
        let (set, c) = (shape.set(s), s % shape.channels);
        doffset[c] += plain;
        dgain[c] += along;
        if own {
            means[set][0] += gain[c] * plain / count;
            means[set][1] += gain[c] * along / count;
        }
    }
    // SAFETY: as in `slab_norm`.
    let dx = unsafe {
        written(x.len(), area, |s, out| {
            let (set, c) = (shape.set(s), s % shape.channels);
            let moments = [moments[2 * set], moments[2 * set + 1]];
            let own = [gain[c], offset[c]];
            shifted_input(out, slab(dy, area, s), slab(x, area, s), own, moments, means[set], leak);
        })
    };
    [dx, dgain, doffset]
}

dispatched! {
    /// The largest element; NaNs are passed over.
    pub(super) fn largest(x: &[T]) -> T {
        let mut lanes = [T::of(-1e30); 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (l, &v) in lanes.iter_mut().zip(block) { *l = if v > *l { v } else { *l }; }
        }
        let mut max = T::of(-1e30);
        for &v in lanes.iter().chain(rest) { max = if v > max { v } else { max }; }
        max
    }
}

dispatched! {
    /// `x = exp(x - max)`; returns the sum, in interleaved partial sums.
    pub(super) fn exponentials(x: &mut [T], max: T) -> T {
        let mut lanes = [T::ZERO; 16];
        let (blocks, rest) = x.as_chunks_mut::<16>();
        for block in blocks {
            for (l, v) in lanes.iter_mut().zip(block) {
                *v = (*v - max).exp();
                *l += *v;
            }
        }
        let mut total = T::ZERO;
        for l in lanes { total += l; }
        for v in rest {
            *v = (*v - max).exp();
            total += *v;
        }
        total
    }
}

dispatched! {
    /// Sum of exp(x - max), in the order of [`exponentials`].
    fn sum_of_exponentials(x: &[T], max: T) -> T {
        let mut lanes = [T::ZERO; 16];
        let (blocks, rest) = x.as_chunks::<16>();
        for block in blocks {
            for (l, &v) in lanes.iter_mut().zip(block) { *l += (v - max).exp(); }
        }
        let mut total = T::ZERO;
        for l in lanes { total += l; }
        for &v in rest { total += (v - max).exp(); }
        total
    }
}

dispatched! {
    /// `out = y (g - along)`.
    fn softmax_input(out: &mut [MaybeUninit<T>], g: &[T], y: &[T], along: T) {
        for ((o, &g), &y) in out.iter_mut().zip(g).zip(y) { o.write(y * (g - along)); }
    }
}

dispatched! {
    /// `out = g - exp(y) total`.
    fn log_softmax_input(out: &mut [MaybeUninit<T>], g: &[T], y: &[T], total: T) {
        for ((o, &g), &y) in out.iter_mut().zip(g).zip(y) { o.write(g - y.exp() * total); }
    }
}

/// Softmax of every row of `x` [rows, d], or its logarithm.
pub fn softmax_rows<T: Real>(x: &[T], d: usize, log: bool) -> Vec<T> {
    assert!(x.len().is_multiple_of(d.max(1)), "rows of another length");
    // SAFETY: a chunk is a number of whole rows; `shifted` and the copy write as many elements as a row has.
    unsafe {
        written(x.len(), ROWS * d, |chunk, out| {
            let x = &x[chunk * ROWS * d..][..out.len()];
            for (out, x) in out.chunks_exact_mut(d).zip(x.chunks_exact(d)) {
                if log {
                    let max = largest(x);
                    let normaliser = max + sum_of_exponentials(x, max).ln();
                    shifted(out, x, normaliser, T::ONE, T::ZERO, T::ONE);
                } else {
                    softmax_row(out.write_copy_of_slice(x));
                }
            }
        })
    }
}

/// Gradient through [`softmax_rows`], given its output `y`.
pub fn softmax_rows_backward<T: Real>(dy: &[T], y: &[T], d: usize, log: bool) -> Vec<T> {
    assert!(y.len() == dy.len() && y.len().is_multiple_of(d.max(1)), "rows of another length");
    // SAFETY: a chunk is a number of whole rows; both functions write as many elements as a row has.
    unsafe {
        written(y.len(), ROWS * d, |chunk, out| {
            let range = chunk * ROWS * d..chunk * ROWS * d + out.len();
            let given = dy[range.clone()].chunks_exact(d).zip(y[range].chunks_exact(d));
            for (out, (dy, y)) in out.chunks_exact_mut(d).zip(given) {
                if log {
                    log_softmax_input(out, dy, y, sum(dy));
                } else {
                    softmax_input(out, dy, y, dot(dy, y));
                }
            }
        })
    }
}

/// Softmax of one row in place; returns the logarithm of the normaliser (log-sum-exp).
pub fn softmax_row<T: Real>(row: &mut [T]) -> T {
    let max = largest(row);
    let total = exponentials(row, max);
    super::scale(row, T::ONE / total);
    max + total.ln()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    /// Gradients of the inner product of `f` with `w`, by central differences.
    fn check(f: impl Fn(&[f64]) -> Vec<f64>, x: &[f64], w: &[f64], gradient: &[f64]) {
        let value = |x: &[f64]| f(x).iter().zip(w).map(|(a, b)| a * b).sum::<f64>();
        for i in 0..x.len() {
            let (mut above, mut below) = (x.to_vec(), x.to_vec());
            above[i] += 1e-5;
            below[i] -= 1e-5;
            let want = (value(&above) - value(&below)) / 2e-5;
            // Central differences at 1e-5 in f64 leave about 1e-9 times the curvature.
            assert!((gradient[i] - want).abs() < 1e-6 * (1.0 + want.abs()), "{i}: {} {want}", gradient[i]);
        }
    }

    #[test]
    fn gradients_match_differences() {
        let mut s = Streams::new(1).stream("norm", 0);
        let (rows, d) = (3, 19);
        let (x, gain, offset, w) = (s.normals(rows * d), s.normals(d), s.normals(d), s.normals(rows * d));
        for norm in [RowNorm::Layer, RowNorm::Rms] {
            let [dx, dgain, doffset] = row_norm_backward(&w, &x, &gain, norm);
            check(|x| row_norm(x, &gain, Some(&offset), norm), &x, &w, &dx);
            check(|g| row_norm(&x, g, Some(&offset), norm), &gain, &w, &dgain);
            check(|o| row_norm(&x, &gain, Some(o), norm), &offset, &w, &doffset);
        }
        for log in [false, true] {
            let y = softmax_rows(&x, d, log);
            check(|x| softmax_rows(x, d, log), &x, &w, &softmax_rows_backward(&w, &y, d, log));
        }
        let (n, channels, area) = (3, 4, 5);
        let (x, w) = (s.normals(n * channels * area), s.normals(n * channels * area));
        let (gain, offset) = (s.normals(channels), s.normals(channels));
        for norm in [SlabNorm::Group { groups: 2 }, SlabNorm::Group { groups: 4 }, SlabNorm::Batch] {
            for leak in [1.0, 0.0, 0.01] {
                let shape = SlabShape { norm, channels, area };
                let affine = SlabAffine { gain: &gain, offset: &offset, leak };
                let own = |x: &[f64]| slab_norm(x, affine, &slab_moments(x, shape), shape);
                let moments = slab_moments(&x, shape);
                let [dx, dgain, doffset] = slab_norm_backward(&w, &x, affine, &moments, shape, true);
                check(own, &x, &w, &dx);
                check(
                    |gain| slab_norm(&x, SlabAffine { gain, ..affine }, &moments, shape),
                    &gain,
                    &w,
                    &dgain,
                );
                check(
                    |offset| slab_norm(&x, SlabAffine { offset, ..affine }, &moments, shape),
                    &offset,
                    &w,
                    &doffset,
                );
                let [dx, ..] = slab_norm_backward(&w, &x, affine, &moments, shape, false);
                check(|x| slab_norm(x, affine, &moments, shape), &x, &w, &dx);
            }
        }
    }

    #[test]
    fn nothing_is_nothing() {
        assert!(row_norm::<f32>(&[], &[1.0], None, RowNorm::Layer).is_empty());
        assert!(softmax_rows::<f32>(&[], 3, true).is_empty());
        let shape = SlabShape { norm: SlabNorm::Batch, channels: 2, area: 0 };
        let affine = SlabAffine { gain: &[1.0; 2], offset: &[0.0; 2], leak: 1.0 };
        assert!(slab_norm::<f32>(&[], affine, &slab_moments(&[], shape), shape).is_empty());
    }
}
