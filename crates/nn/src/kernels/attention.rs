//! Causal attention: softmax (Transformer) and strictly causal linear (Dragon Hatchling).

use super::{Mat, MatMut, Real, matmul, rows::dot, softmax_row};
use rayon::prelude::*;

/// Softmax attention with causal mask for `qkv` [batch, t, 3 d] in `heads` heads. Returns the output [batch, t, d] and
/// the probabilities [batch, heads, t, t] that the backward pass needs.
pub fn attention<T: Real>(qkv: &[T], t: usize, d: usize, heads: usize) -> (Vec<T>, Vec<T>) {
    let (batch, dh) = (qkv.len() / (t * 3 * d), d / heads);
    let mut out = vec![T::ZERO; batch * t * d];
    let mut p = vec![T::ZERO; batch * heads * t * t];
    let factor = T::of(1.0 / (dh as f64).sqrt());
    out.par_chunks_mut(t * d).zip(p.par_chunks_mut(heads * t * t)).zip(qkv.par_chunks(t * 3 * d)).for_each(
        |((out, p), qkv)| {
            for (h, p) in p.chunks_exact_mut(t * t).enumerate() {
                let part = |k: usize| Mat::strided(&qkv[k * d + h * dh..], t, dh, 3 * d);
                matmul(MatMut::new(p, t, t), part(0), part(1).t(), false);
                for (i, row) in p.chunks_exact_mut(t).enumerate() {
                    super::scale(&mut row[..=i], factor);
                    softmax_row(&mut row[..=i]);
                    row[i + 1..].fill(T::ZERO);
                }
                matmul(MatMut::strided(&mut out[h * dh..], t, dh, d), Mat::new(p, t, t), part(2), false);
            }
        },
    );
    (out, p)
}

/// Gradient of [`attention`] with respect to `qkv`.
pub fn attention_backward<T: Real>(
    dout: &[T],
    qkv: &[T],
    p: &[T],
    t: usize,
    d: usize,
    heads: usize,
) -> Vec<T> {
    let dh = d / heads;
    let factor = T::of(1.0 / (dh as f64).sqrt());
    let mut dqkv = vec![T::ZERO; qkv.len()];
    dqkv.par_chunks_mut(t * 3 * d)
        .zip(qkv.par_chunks(t * 3 * d))
        .zip(p.par_chunks(heads * t * t))
        .zip(dout.par_chunks(t * d))
        .for_each(|(((dqkv, qkv), p), dout)| {
            let mut ds = vec![T::ZERO; t * t];
            for (h, p) in p.chunks_exact(t * t).enumerate() {
                let part = |k: usize| Mat::strided(&qkv[k * d + h * dh..], t, dh, 3 * d);
                let grad = Mat::strided(&dout[h * dh..], t, dh, d);
                matmul(MatMut::new(&mut ds, t, t), grad, part(2).t(), false);
                for (row, p) in ds.chunks_exact_mut(t).zip(p.chunks_exact(t)) {
                    let mean = dot(row, p);
                    for (v, &p) in row.iter_mut().zip(p) {
                        *v = p * (*v - mean) * factor;
                    }
                }
                let (p, ds) = (Mat::new(p, t, t), Mat::new(&ds, t, t));
                let mut into = |k: usize, a: Mat<T>, b: Mat<T>| {
                    matmul(MatMut::strided(&mut dqkv[k * d + h * dh..], t, dh, 3 * d), a, b, false);
                };
                into(0, ds, part(1));
                into(1, ds.t(), part(0));
                into(2, p.t(), grad);
            }
        });
    dqkv
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
    fn softmax_attention_gradient() {
        let (b, t, d, h) = (2, 5, 4, 2);
        let mut s = neuropil_core::Streams::new(3).stream("attention", 0);
        let (qkv, w) = (s.normals(b * t * 3 * d), s.normals(b * t * d));
        let (_, p) = attention(&qkv, t, d, h);
        let gradient = attention_backward(&w, &qkv, &p, t, d, h);
        check(&|x| attention(x, t, d, h).0.iter().zip(&w).map(|(a, b)| a * b).sum(), &qkv, &gradient);
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
