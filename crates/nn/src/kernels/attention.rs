//! Causal attention: softmax (Transformer) and strictly causal linear (Dragon Hatchling).

use super::matmul::{Shared, product};
use super::{Mat, MatMut, Real, matmul, norm, rows::dot};
use rayon::prelude::*;

/// Sizes of a softmax attention over `qkv` [batch, steps, 3 width]: queries, keys and values of all heads side by side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AttentionShape {
    /// Tokens.
    pub steps: usize,
    /// Width of all heads together.
    pub width: usize,
    /// Heads; divides the width.
    pub heads: usize,
    /// A token sees itself and those before it only.
    pub causal: bool,
}

/// Rows of scores that are computed at a time: they stay in the cache between the product and the softmax.
const ROWS: usize = 64;

impl AttentionShape {
    /// Panics unless `qkv` has this shape; the number of samples.
    fn batch<T>(&self, qkv: &[T]) -> usize {
        let sample = 3 * self.steps * self.width;
        assert!(
            self.heads > 0
                && self.width.is_multiple_of(self.heads)
                && qkv.len().is_multiple_of(sample.max(1)),
            "not an attention over {} values: {self:?}",
            qkv.len()
        );
        qkv.len() / sample.max(1)
    }

    fn head(&self) -> usize {
        self.width / self.heads
    }

    fn factor<T: Real>(&self) -> T {
        T::of(1.0 / (self.head() as f64).sqrt())
    }

    /// Queries (0), keys (1) or values (2) of head `h` of sample `b`.
    fn part<'a, T: Real>(&self, qkv: &'a [T], b: usize, h: usize, part: usize) -> Mat<'a, T> {
        let from = b * self.steps * 3 * self.width + part * self.width + h * self.head();
        Mat::strided(&qkv[from..], self.steps, self.head(), 3 * self.width)
    }

    /// Blocks of rows: the first row, how many, and how many tokens they see.
    fn blocks(self) -> impl Iterator<Item = (usize, usize, usize)> {
        (0..self.steps).step_by(ROWS).map(move |from| {
            let rows = ROWS.min(self.steps - from);
            (from, rows, if self.causal { from + rows } else { self.steps })
        })
    }

    /// Scores of a block of rows: `scores` [rows, seen] = factor q k^T.
    fn scores<T: Real>(&self, scores: &mut [T], q: Mat<T>, k: Mat<T>, seen: usize) {
        let rows = scores.len() / seen;
        matmul(MatMut::new(scores, rows, seen), q, k.rows(0, seen).t(), false);
        super::scale(scores, self.factor());
    }

    /// Tokens that row `i` of the block sees.
    fn seen(&self, from: usize, i: usize, seen: usize) -> usize {
        if self.causal { from + i + 1 } else { seen }
    }
}

/// Softmax attention. Returns the output [batch, steps, width] and, for the backward pass, the logarithm of the
/// normaliser of every row [batch, heads, steps]; no matrix of probabilities is ever written down.
pub fn attention<T: Real>(qkv: &[T], shape: AttentionShape) -> (Vec<T>, Vec<T>) {
    let (batch, t, d) = (shape.batch(qkv), shape.steps, shape.width);
    let mut out = vec![T::ZERO; batch * t * d];
    let mut normalisers = vec![T::ZERO; batch * shape.heads * t];
    let shared = Shared(out.as_mut_ptr());
    normalisers.par_chunks_mut(t.max(1)).enumerate().for_each(|(task, normalisers)| {
        let (b, h) = (task / shape.heads, task % shape.heads);
        let [q, k, v] = [0, 1, 2].map(|part| shape.part(qkv, b, h, part));
        let mut scratch = vec![T::ZERO; ROWS.min(t) * t];
        for (from, rows, seen) in shape.blocks() {
            let scores = &mut scratch[..rows * seen];
            shape.scores(scores, q.rows(from, rows), k, seen);
            for (i, row) in scores.chunks_exact_mut(seen).enumerate() {
                let (row, hidden) = row.split_at_mut(shape.seen(from, i, seen));
                normalisers[from + i] = super::softmax_row(row);
                hidden.fill(T::ZERO);
            }
            let (p, to) = (Mat::new(scores, rows, seen), (b * t + from) * d + h * shape.head());
            // SAFETY: these rows of this head's columns lie within the output of sample `b`; no other task has this
            // sample and head, and `out` is borrowed mutably for as long as the tasks run.
            unsafe { product(shared.get().add(to), d, p, v.rows(0, seen), false) };
        }
    });
    (out, normalisers)
}

/// Gradient of [`attention`] with respect to `qkv`, given its output and normalisers.
pub fn attention_backward<T: Real>(
    dout: &[T],
    qkv: &[T],
    out: &[T],
    normalisers: &[T],
    shape: AttentionShape,
) -> Vec<T> {
    let (t, d, dh) = (shape.steps, shape.width, shape.head());
    let batch = shape.batch(qkv);
    assert!(dout.len() == batch * t * d && out.len() == dout.len(), "a gradient of another shape");
    let mut dqkv = vec![T::ZERO; qkv.len()];
    let shared = Shared(dqkv.as_mut_ptr());
    normalisers.par_chunks(t.max(1)).enumerate().for_each(|(task, normalisers)| {
        let (b, h) = (task / shape.heads, task % shape.heads);
        let [q, k, v] = [0, 1, 2].map(|part| shape.part(qkv, b, h, part));
        let grad = Mat::strided(&dout[b * t * d + h * dh..], t, dh, d);
        let (mut p_scratch, mut s_scratch) = (vec![T::ZERO; ROWS.min(t) * t], vec![T::ZERO; ROWS.min(t) * t]);
        for (from, rows, seen) in shape.blocks() {
            let (p, ds) = (&mut p_scratch[..rows * seen], &mut s_scratch[..rows * seen]);
            shape.scores(p, q.rows(from, rows), k, seen);
            let dy = grad.rows(from, rows);
            matmul(MatMut::new(ds, rows, seen), dy, v.rows(0, seen).t(), false);
            for (i, (p, ds)) in p.chunks_exact_mut(seen).zip(ds.chunks_exact_mut(seen)).enumerate() {
                let at = (b * t + from + i) * d + h * dh;
                let mean = dot(&dout[at..at + dh], &out[at..at + dh]);
                let (p, hidden) = p.split_at_mut(shape.seen(from, i, seen));
                norm::exponentials(p, normalisers[from + i]);
                hidden.fill(T::ZERO);
                ds[p.len()..].fill(T::ZERO);
                super::elementwise::scaled_difference(&mut ds[..p.len()], p, mean, shape.factor());
            }
            let (p, ds) = (Mat::new(p, rows, seen), Mat::new(ds, rows, seen));
            let into = |part: usize, row: usize| (b * t + row) * 3 * d + part * d + h * dh;
            // SAFETY: rows and columns of this head of sample `b` in the gradient of queries, keys and values; no other
            // task has them, they were zeroed, and `dqkv` is borrowed mutably for as long as the tasks run.
            unsafe {
                product(shared.get().add(into(0, from)), 3 * d, ds, k.rows(0, seen), false);
                product(shared.get().add(into(1, 0)), 3 * d, ds.t(), q.rows(from, rows), true);
                product(shared.get().add(into(2, 0)), 3 * d, p.t(), dy, true);
            }
        }
    });
    dqkv
}

/// Turns pairs (2 j, 2 j + 1) of every head of `x` [batch, steps, heads, head width] by the angle position base^(-2 j /
/// head width) (rotary position code, Su et al. 2021), or back by it.
pub fn rotary<T: Real>(x: &[T], steps: usize, heads: usize, width: usize, base: f64, back: bool) -> Vec<T> {
    assert!(
        width.is_multiple_of(2) && x.len().is_multiple_of((steps * heads * width).max(1)),
        "pairs of every head"
    );
    let mut out = vec![T::ZERO; x.len()];
    let row = (heads * width).max(1);
    out.par_chunks_mut(row).zip(x.par_chunks(row)).with_min_len(8).enumerate().for_each(|(r, (out, x))| {
        let angle = |j: usize| (r % steps) as f64 * base.powf(-2.0 * j as f64 / width as f64);
        let (cos, sin): (Vec<T>, Vec<T>) =
            (0..width / 2).map(|j| (T::of(angle(j).cos()), T::of(angle(j).sin()))).unzip();
        for (out, x) in out.chunks_exact_mut(width).zip(x.chunks_exact(width)) {
            if back {
                super::rotate_back(out, x, &cos, &sin);
            } else {
                super::rotate(out, x, &cos, &sin);
            }
        }
    });
    out
}

/// Rows per block of the score triangle: the upper blocks are never computed.
const BLOCK: usize = 32;

/// Strictly causal linear attention of one head: `out` [t, d] = strict_lower(q q^T) x with q [t, n], x [t, d]. No
/// softmax, no scale, no diagonal. `scores` [t, t] is work space and keeps the masked scores for the backward pass;
/// above the block diagonal it is left untouched.
pub fn linear_attention<T: Real>(out: MatMut<T>, scores: &mut [T], q: Mat<T>, x: Mat<T>, t: usize) {
    fill_scores(scores, q, q, t);
    // The untouched part must read as zero in the product below, so the product is taken block by block, too.
    multiply_lower(out, scores, x, t);
}

/// Masked scores `a_i . b_j` for j < i, by blocks of rows.
fn fill_scores<T: Real>(scores: &mut [T], a: Mat<T>, b: Mat<T>, t: usize) {
    for from in (0..t).step_by(BLOCK) {
        let rows = BLOCK.min(t - from);
        let until = from + rows;
        let block = &mut scores[from * t..];
        matmul(MatMut::strided(block, rows, until, t), a.rows(from, rows), b.rows(0, until).t(), false);
        for i in 0..rows {
            block[i * t + from + i..i * t + until].fill(T::ZERO);
        }
    }
}

/// `out = lower x` for block-lower-triangular `lower`.
fn multiply_lower<T: Real>(out: MatMut<T>, lower: &[T], x: Mat<T>, t: usize) {
    let (data, cols, row) = out.into_parts();
    for from in (0..t).step_by(BLOCK) {
        let rows = BLOCK.min(t - from);
        let until = from + rows;
        matmul(
            MatMut::strided(&mut data[from * row..], rows, cols, row),
            Mat::strided(&lower[from * t..], rows, until, t),
            x.rows(0, until),
            false,
        );
    }
}

/// Gradient of [`linear_attention`] given the gradient `da` [t, d] of its output and the kept `scores`. Writes `dq`
/// [t, n], adds to `dx` [t, d]; `work` [t, t] is scratch.
pub fn linear_attention_backward<T: Real>(
    dq: &mut [T],
    dx: &mut [T],
    work: &mut [T],
    scores: &[T],
    (da, q, x): (Mat<T>, Mat<T>, Mat<T>),
    (t, n, d): (usize, usize, usize),
) {
    // dS_ij = da_i . x_j for j < i. Because keys equal queries, dq = (dS + dS^T) q. dx_j = sum_i>j S_ij da_i.
    fill_scores(work, da, x, t);
    for from in (0..t).step_by(BLOCK) {
        let rows = BLOCK.min(t - from);
        let until = from + rows;
        matmul(
            MatMut::new(&mut dq[from * n..until * n], rows, n),
            Mat::strided(&work[from * t..], rows, until, t),
            q.rows(0, until),
            false,
        );
        // Column block `from` of the triangle, rows from..t, transposed.
        let below = t - from;
        matmul(
            MatMut::new(&mut dq[from * n..until * n], rows, n),
            Mat::strided(&work[from * t + from..], below, rows, t).t(),
            q.rows(from, below),
            true,
        );
        matmul(
            MatMut::new(&mut dx[from * d..until * d], rows, d),
            Mat::strided(&scores[from * t + from..], below, rows, t).t(),
            da.rows(from, below),
            true,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(value: &dyn Fn(&[f64]) -> f64, x: &[f64], gradient: &[f64]) {
        for i in 0..x.len() {
            let (mut a, mut b) = (x.to_vec(), x.to_vec());
            a[i] += 1e-5;
            b[i] -= 1e-5;
            let want = (value(&a) - value(&b)) / 2e-5;
            // Central differences at 1e-5 in f64 leave about 1e-9 times the curvature.
            assert!((gradient[i] - want).abs() < 1e-6 * (1.0 + want.abs()), "{i}: {} {want}", gradient[i]);
        }
    }

    #[test]
    fn softmax_attention_is_its_definition_and_gradient() {
        // More than one block of rows, the last one ragged.
        for (batch, steps, width, heads, causal) in
            [(2, 5, 4, 2, true), (1, 71, 6, 3, true), (2, 67, 4, 1, false)]
        {
            let shape = AttentionShape { steps, width, heads, causal };
            let mut s = neuropil_core::Streams::new(3).stream("attention", 0);
            let (qkv, w) = (s.normals(batch * steps * 3 * width), s.normals(batch * steps * width));
            let (out, normalisers) = attention(&qkv, shape);
            let dh = width / heads;
            let at = |part: usize, b: usize, i: usize, h: usize, c: usize| {
                qkv[((b * steps + i) * 3 + part) * width + h * dh + c]
            };
            for (place, got) in out.iter().enumerate() {
                let (b, i, h, c) =
                    (place / (steps * width), place / width % steps, place % width / dh, place % dh);
                let seen = if causal { i + 1 } else { steps };
                let score = |j: usize| {
                    (0..dh).map(|c| at(0, b, i, h, c) * at(1, b, j, h, c)).sum::<f64>() / (dh as f64).sqrt()
                };
                let total: f64 = (0..seen).map(|j| score(j).exp()).sum();
                let want: f64 = (0..seen).map(|j| score(j).exp() / total * at(2, b, j, h, c)).sum();
                // Rounding of a hundred terms of order 1.
                assert!((got - want).abs() < 1e-12, "{shape:?} {place}: {got} {want}");
            }
            let gradient = attention_backward(&w, &qkv, &out, &normalisers, shape);
            check(&|x| attention(x, shape).0.iter().zip(&w).map(|(a, b)| a * b).sum(), &qkv, &gradient);
        }
    }

    #[test]
    fn rotary_products_depend_on_distance_only() {
        let (steps, heads, width) = (9, 2, 6);
        let mut s = neuropil_core::Streams::new(5).stream("rotary", 0);
        // The same vector at every position.
        let one = s.normals(heads * width);
        let x: Vec<f64> = (0..steps).flat_map(|_| one.clone()).collect();
        let y = rotary(&x, steps, heads, width, 1e4, false);
        let product =
            |i: usize, j: usize| dot(&y[i * heads * width..][..width], &y[j * heads * width..][..width]);
        for i in 0..steps - 3 {
            // Rounding of sines of angles below 10.
            assert!((product(i, i + 3) - product(0, 3)).abs() < 1e-12);
        }
        let same = rotary(&y, steps, heads, width, 1e4, true);
        assert!(x.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-14));
        assert!(product(0, 3) != product(0, 0));
    }

    #[test]
    fn linear_attention_is_its_definition_and_gradient() {
        // More than two blocks, the last one ragged.
        let (t, n, d) = (71, 3, 2);
        let mut s = neuropil_core::Streams::new(4).stream("attention", 0);
        let (q, x, w) = (s.normals(t * n), s.normals(t * d), s.normals(t * d));
        let run = |q: &[f64], x: &[f64]| {
            let (mut out, mut scores) = (vec![0.0; t * d], vec![f64::NAN; t * t]);
            linear_attention(
                MatMut::new(&mut out, t, d),
                &mut scores,
                Mat::new(q, t, n),
                Mat::new(x, t, d),
                t,
            );
            (out, scores)
        };
        let (out, scores) = run(&q, &x);
        for i in 0..t {
            for c in 0..d {
                let score = |j: usize| (0..n).map(|k| q[i * n + k] * q[j * n + k]).sum::<f64>();
                let want: f64 = (0..i).map(|j| score(j) * x[j * d + c]).sum();
                // Rounding of a few hundred products of order 1.
                assert!((out[i * d + c] - want).abs() < 1e-11);
            }
        }
        let (mut dq, mut dx, mut work) = (vec![0.0; t * n], vec![0.0; t * d], vec![f64::NAN; t * t]);
        let views = (Mat::new(&w[..], t, d), Mat::new(&q[..], t, n), Mat::new(&x[..], t, d));
        linear_attention_backward(&mut dq, &mut dx, &mut work, &scores, views, (t, n, d));
        let value = |q: &[f64], x: &[f64]| run(q, x).0.iter().zip(&w).map(|(a, b)| a * b).sum::<f64>();
        check(&|v| value(v, &x), &q, &dq);
        check(&|v| value(&q, v), &x, &dx);
    }
}
