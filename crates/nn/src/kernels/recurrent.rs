//! GRU and LSTM over whole sequences, with back-propagation through time.
//!
//! GRU: r, z = sigmoid(x Wx + bx + h Wh + bh), n = tanh(x Wxn + bxn + r (h Whn + bhn)), h' = (1 - z) n + z h.
//! LSTM: i, f, o = sigmoid, g = tanh of (x Wx + bx + h Wh + bh), c' = f c + i g, h' = o tanh(c'). Gate order r z n and
//! i f g o, as in PyTorch.

use super::{Mat, MatMut, Real, column_sums, dispatched, elementwise, matmul};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Kind of recurrent cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cell {
    /// Gated recurrent unit (Cho et al. 2014).
    Gru,
    /// Long short-term memory (Hochreiter and Schmidhuber 1997).
    Lstm,
}

impl Cell {
    /// Gates per unit.
    pub fn gates(self) -> usize {
        match self {
            Self::Gru => 3,
            Self::Lstm => 4,
        }
    }

    /// Values kept per unit and step for the backward pass.
    fn kept(self) -> usize {
        // GRU: r, z, n and h Whn + bhn. LSTM: i, f, g, o and c.
        match self {
            Self::Gru => 4,
            Self::Lstm => 5,
        }
    }
}

/// Sizes of a recurrent layer over [batch, steps, input].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CellShape {
    /// Kind.
    pub cell: Cell,
    /// Sequence length.
    pub steps: usize,
    /// Features per step.
    pub input: usize,
    /// Units.
    pub hidden: usize,
}

/// Sequences per task.
const GROUP: usize = 8;

/// Weights: input [input, gates h], recurrent [h, gates h], and the two biases [gates h].
pub type CellWeights<'a, T> = [&'a [T]; 4];

/// Runs the layer from a zero state. Returns the hidden states [batch, steps, h] and what the backward pass needs.
pub fn recurrent<T: Real>(x: &[T], [wx, wh, bx, bh]: CellWeights<T>, s: CellShape) -> (Vec<T>, Vec<T>) {
    let (h, g, kept) = (s.hidden, s.cell.gates() * s.hidden, s.cell.kept() * s.hidden);
    let batch = x.len() / (s.steps * s.input);
    let mut out = vec![T::ZERO; batch * s.steps * h];
    let mut keep = vec![T::ZERO; batch * s.steps * kept];
    out.par_chunks_mut(GROUP * s.steps * h)
        .zip(keep.par_chunks_mut(GROUP * s.steps * kept))
        .zip(x.par_chunks(GROUP * s.steps * s.input))
        .for_each(|((out, keep), x)| {
            let rows = out.len() / (s.steps * h);
            let mut from_input = vec![T::ZERO; rows * s.steps * g];
            let all = rows * s.steps;
            matmul(
                MatMut::new(&mut from_input, all, g),
                Mat::new(x, all, s.input),
                Mat::new(wx, s.input, g),
                false,
            );
            let mut from_state = vec![T::ZERO; rows * g];
            let (mut state, mut memory) = (vec![T::ZERO; rows * h], vec![T::ZERO; rows * h]);
            for t in 0..s.steps {
                matmul(
                    MatMut::new(&mut from_state, rows, g),
                    Mat::new(&state, rows, h),
                    Mat::new(wh, h, g),
                    false,
                );
                for r in 0..rows {
                    let at = r * s.steps + t;
                    step(
                        s.cell,
                        (&from_input[at * g..][..g], bx),
                        (&from_state[r * g..][..g], bh),
                        (&mut state[r * h..][..h], &mut memory[r * h..][..h]),
                        &mut keep[at * kept..][..kept],
                    );
                    out[at * h..][..h].copy_from_slice(&state[r * h..][..h]);
                }
            }
        });
    (out, keep)
}

dispatched! {
    /// One step of one sequence.
    fn step(cell: Cell, input: (&[T], &[T]), from_state: (&[T], &[T]), own: (&mut [T], &mut [T]), keep: &mut [T]) {
        use elementwise::sigmoid;
        let ((input, bx), (from_state, bh), (state, memory)) = (input, from_state, own);
        let h = state.len();
        for j in 0..h {
            let (x, s) =
                (|k: usize| input[k * h + j] + bx[k * h + j], |k: usize| from_state[k * h + j] + bh[k * h + j]);
            match cell {
                Cell::Gru => {
                    let (r, z, u) = (sigmoid(x(0) + s(0)), sigmoid(x(1) + s(1)), s(2));
                    let n = (x(2) + r * u).tanh();
                    state[j] = (T::ONE - z) * n + z * state[j];
                    for (k, v) in [r, z, n, u].into_iter().enumerate() {
                        keep[k * h + j] = v;
                    }
                }
                Cell::Lstm => {
                    let (i, f, g, o) =
                        (sigmoid(x(0) + s(0)), sigmoid(x(1) + s(1)), (x(2) + s(2)).tanh(), sigmoid(x(3) + s(3)));
                    memory[j] = f * memory[j] + i * g;
                    state[j] = o * memory[j].tanh();
                    for (k, v) in [i, f, g, o, memory[j]].into_iter().enumerate() {
                        keep[k * h + j] = v;
                    }
                }
            }
        }
    }
}

/// Gradients of [`recurrent`]: x, input weights, recurrent weights, input bias, recurrent bias.
pub fn recurrent_backward<T: Real>(
    dout: &[T],
    x: &[T],
    out: &[T],
    keep: &[T],
    [wx, wh, _, _]: CellWeights<T>,
    s: CellShape,
) -> [Vec<T>; 5] {
    let (h, g, kept) = (s.hidden, s.cell.gates() * s.hidden, s.cell.kept() * s.hidden);
    let mut dx = vec![T::ZERO; x.len()];
    let sequence = s.steps * h;
    let parts: Vec<[Vec<T>; 4]> = dx
        .par_chunks_mut(GROUP * s.steps * s.input)
        .zip(x.par_chunks(GROUP * s.steps * s.input))
        .zip(out.par_chunks(GROUP * sequence))
        .zip(keep.par_chunks(GROUP * s.steps * kept))
        .zip(dout.par_chunks(GROUP * sequence))
        .map(|((((dx, x), out), keep), dout)| {
            let rows = out.len() / sequence;
            let all = rows * s.steps;
            // Gradients before the non-linearities: from the input side and from the state side (they differ only in
            // the candidate of the GRU, whose state term is gated by r).
            let (mut di, mut ds) = (vec![T::ZERO; all * g], vec![T::ZERO; all * g]);
            let mut previous = vec![T::ZERO; all * h];
            let mut at_step = vec![T::ZERO; rows * g];
            let (mut dh, mut dc) = (vec![T::ZERO; rows * h], vec![T::ZERO; rows * h]);
            for t in (0..s.steps).rev() {
                for r in 0..rows {
                    let at = r * s.steps + t;
                    if t > 0 {
                        previous[at * h..][..h].copy_from_slice(&out[(at - 1) * h..][..h]);
                    }
                    super::add_assign(&mut dh[r * h..][..h], &dout[at * h..][..h]);
                    let before = (t > 0).then(|| &keep[(at - 1) * kept..][..kept]);
                    step_backward(
                        s.cell,
                        (&keep[at * kept..][..kept], before),
                        &previous[at * h..][..h],
                        (&mut dh[r * h..][..h], &mut dc[r * h..][..h]),
                        (&mut di[at * g..][..g], &mut ds[at * g..][..g]),
                    );
                    at_step[r * g..][..g].copy_from_slice(&ds[at * g..][..g]);
                }
                matmul(
                    MatMut::new(&mut dh, rows, h),
                    Mat::new(&at_step, rows, g),
                    Mat::new(wh, h, g).t(),
                    true,
                );
            }
            let gradient = Mat::new(&di[..], all, g);
            matmul(MatMut::new(dx, all, s.input), gradient, Mat::new(wx, s.input, g).t(), false);
            let (mut dwx, mut dwh) = (vec![T::ZERO; wx.len()], vec![T::ZERO; wh.len()]);
            matmul(MatMut::new(&mut dwx, s.input, g), Mat::new(x, all, s.input).t(), gradient, false);
            matmul(
                MatMut::new(&mut dwh, h, g),
                Mat::new(&previous, all, h).t(),
                Mat::new(&ds, all, g),
                false,
            );
            let (mut dbx, mut dbh) = (vec![T::ZERO; g], vec![T::ZERO; g]);
            column_sums(&mut dbx, &di);
            column_sums(&mut dbh, &ds);
            [dwx, dwh, dbx, dbh]
        })
        .collect();
    let mut sums = [vec![T::ZERO; wx.len()], vec![T::ZERO; wh.len()], vec![T::ZERO; g], vec![T::ZERO; g]];
    for part in &parts {
        for (sum, p) in sums.iter_mut().zip(part) {
            super::add_assign(sum, p);
        }
    }
    let [dwx, dwh, dbx, dbh] = sums;
    [dx, dwx, dwh, dbx, dbh]
}

dispatched! {
    /// One step back: `dh` and `dc` hold the gradients of the new state on entry and the direct part for the old one on exit.
    fn step_backward(cell: Cell, kept: (&[T], Option<&[T]>), previous: &[T], own: (&mut [T], &mut [T]), out: (&mut [T], &mut [T])) {
        let ((keep, before), (dh, dc), (di, ds)) = (kept, own, out);
        let h = dh.len();
        let slope = |y: T| y * (T::ONE - y);
        for j in 0..h {
            let k = |i: usize| keep[i * h + j];
            match cell {
                Cell::Gru => {
                    let (r, z, n, u) = (k(0), k(1), k(2), k(3));
                    let d = dh[j];
                    let dn = d * (T::ONE - z) * (T::ONE - n * n);
                    let gates = [dn * u * slope(r), d * (previous[j] - n) * slope(z), dn];
                    for (i, v) in gates.into_iter().enumerate() {
                        di[i * h + j] = v;
                        ds[i * h + j] = v;
                    }
                    ds[2 * h + j] = dn * r;
                    dh[j] = d * z;
                }
                Cell::Lstm => {
                    let (i, f, g, o, c) = (k(0), k(1), k(2), k(3), k(4));
                    let tc = c.tanh();
                    let d = dc[j] + dh[j] * o * (T::ONE - tc * tc);
                    let old = before.map_or(T::ZERO, |b| b[4 * h + j]);
                    let gates =
                        [d * g * slope(i), d * old * slope(f), d * i * (T::ONE - g * g), dh[j] * tc * slope(o)];
                    for (q, v) in gates.into_iter().enumerate() {
                        di[q * h + j] = v;
                        ds[q * h + j] = v;
                    }
                    dc[j] = d * f;
                    dh[j] = T::ZERO;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_differences() {
        for cell in [Cell::Gru, Cell::Lstm] {
            let s = CellShape { cell, steps: 4, input: 2, hidden: 3 };
            let g = cell.gates() * 3;
            let mut r = neuropil_core::Streams::new(6).stream("recurrent", 0);
            // Nine sequences: more than one group.
            let (x, w) = (r.normals(9 * 4 * 2), r.normals(9 * 4 * 3));
            let p = [r.normals(2 * g), r.normals(3 * g), r.normals(g), r.normals(g)];
            let value = |x: &[f64], p: &[Vec<f64>; 4]| -> f64 {
                recurrent(x, p.each_ref().map(|v| &v[..]), s).0.iter().zip(&w).map(|(a, b)| a * b).sum()
            };
            let views = p.each_ref().map(|v| &v[..]);
            let (out, keep) = recurrent(&x, views, s);
            let [dx, rest @ ..] = recurrent_backward(&w, &x, &out, &keep, views, s);
            let close = |got: f64, a: f64, b: f64| {
                let want = (a - b) / 2e-5;
                // Central differences at 1e-5 in f64 leave about 1e-9.
                assert!((got - want).abs() < 1e-6 * (1.0 + want.abs()), "{cell:?}: {got} {want}");
            };
            for i in 0..x.len() {
                let (mut a, mut b) = (x.clone(), x.clone());
                a[i] += 1e-5;
                b[i] -= 1e-5;
                close(dx[i], value(&a, &p), value(&b, &p));
            }
            for q in 0..4 {
                for i in 0..p[q].len() {
                    let (mut a, mut b) = (p.clone(), p.clone());
                    a[q][i] += 1e-5;
                    b[q][i] -= 1e-5;
                    close(rest[q][i], value(&x, &a), value(&x, &b));
                }
            }
        }
    }
}
