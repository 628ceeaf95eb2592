//! The flow of singular values and vectors that gradient flow on balanced layers follows (Arora et al. 2019).
//!
//! ```text
//! W = U diag(s) V^T,  G = dL/dW
//! ds_r/dt = -D s_r^(2-2/D) u_r^T G v_r
//! dU/dt = -U (F o [U^T G V S + S V^T G^T U]) - (I - U U^T) G V S^(1-2/D)
//! dV/dt = -V (F o [S U^T G V + V^T G^T U S]) - (I - V V^T) G^T U S^(1-2/D)
//! F_rq = 1 / (s_q^(2/D) - s_r^(2/D)),  F_rr = 0
//! ```
//!
//! The factor s^(2-2/D) is why depth makes large modes grow first and small ones wait: what a pretraining task has grown
//! is cheap to keep, and what it has not grown is late.

use super::completion::Observed;
use neuropil_core::Result;
use neuropil_math::linalg::{Svd, matmul, matmul_nt, matmul_tn, svd};
use neuropil_math::Matrix;

/// Singular values and vectors of the end-to-end matrix, integrated by Euler steps.
#[derive(Debug, Clone)]
pub struct SvdFlow {
    depth: f64,
    state: Svd,
}

impl SvdFlow {
    /// The flow of a balanced chain of `depth` layers whose product is `w`. Its singular values must be distinct and
    /// positive.
    pub fn new(w: &Matrix, depth: usize) -> Result<Self> {
        Ok(Self { depth: depth as f64, state: svd(w)? })
    }

    /// Singular values, in the order of the start.
    pub fn values(&self) -> &[f64] {
        &self.state.s
    }

    /// One Euler step of length `dt` on the loss 1/(2m) sum (W - M)^2 over the observed entries.
    pub fn step(&mut self, task: &Observed, dt: f64) -> Result<()> {
        let Svd { u, s, v } = &self.state;
        let r = s.len();
        let gradient = task.gradient(&matmul_nt(&scale(u, s), v)?)?;
        let gv = matmul(&gradient, v)?;
        let gu = matmul_tn(&gradient, u)?;
        // C = U^T G V.
        let c = matmul_tn(u, &gv)?;
        let power: Vec<f64> = s.iter().map(|s| s.powf(2.0 / self.depth)).collect();
        let f = |i: usize, j: usize| if i == j { 0.0 } else { 1.0 / (power[j] - power[i]) };
        let turn_u = Matrix::from_fn(r, r, |i, j| f(i, j) * (c[(i, j)] * s[j] + s[i] * c[(j, i)]));
        let turn_v = Matrix::from_fn(r, r, |i, j| f(i, j) * (s[i] * c[(i, j)] + c[(j, i)] * s[j]));
        let outer: Vec<f64> = s.iter().map(|s| s.powf(1.0 - 2.0 / self.depth)).collect();
        let du = moved(u, &turn_u, &gv, &c, &outer, dt)?;
        let dv = moved(v, &turn_v, &gu, &c.transpose(), &outer, dt)?;
        let grown = |i: usize| s[i] - dt * self.depth * s[i].powf(2.0 - 2.0 / self.depth) * c[(i, i)];
        let s = (0..r).map(|i| grown(i).max(0.0)).collect();
        self.state = Svd { u: du, s, v: dv };
        Ok(())
    }
}

/// Columns times the entries of `d`.
fn scale(m: &Matrix, d: &[f64]) -> Matrix {
    Matrix::from_fn(m.rows(), m.cols(), |i, j| m[(i, j)] * d[j])
}

/// One Euler step of an orthonormal basis, brought back to orthonormality to second order (Newton's polar iteration).
fn moved(basis: &Matrix, turn: &Matrix, image: &Matrix, within: &Matrix, outer: &[f64], dt: f64) -> Result<Matrix> {
    let inside = matmul(basis, turn)?;
    // (I - U U^T) G V = G V - U (U^T G V).
    let outside = scale(&image.minus(&matmul(basis, within)?)?, outer);
    let next = basis.zip(&inside.plus(&outside)?, |b, d| b - dt * d)?;
    let gram = matmul_tn(&next, &next)?;
    let correction = Matrix::from_fn(gram.rows(), gram.cols(), |i, j| {
        if i == j { 1.5 - 0.5 * gram[(i, j)] } else { -0.5 * gram[(i, j)] }
    });
    matmul(&next, &correction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::theory::critical_periods::completion::{DeepMatrix, Descent, random_low_rank};
    use neuropil_core::Streams;
    use neuropil_math::linalg::{random_orthogonal, singular_values};

    #[test]
    fn predicts_the_singular_values_of_descent() {
        let n = 12;
        for depth in [2, 3] {
            let mut stream = Streams::new(7).stream("flow", depth as u64);
            let truth = random_low_rank(n, n, 2, &mut stream).unwrap();
            let seen = stream.choose(n * n, 90).into_iter().map(|p| p as u32).collect();
            let seen = Observed::new(&truth, seen).unwrap();
            // Balanced layers R_l diag(d) R_(l+1)^T with distinct singular values.
            let turns: Vec<Matrix> = (0..=depth).map(|_| random_orthogonal(n, &mut stream).unwrap()).collect();
            let d: Vec<f64> = (0..n).map(|i| (0.3 * 0.85_f64.powi(i as i32)).powf(1.0 / depth as f64)).collect();
            let layers: Vec<Matrix> =
                (0..depth).map(|l| matmul_nt(&scale(&turns[l], &d), &turns[l + 1]).unwrap()).collect();
            let mut descent = Descent::new(DeepMatrix::from_layers(&layers).unwrap());
            let mut flow = SvdFlow::new(&descent.model.product().unwrap(), depth).unwrap();
            let lr = 0.05;
            for step in 1..=6000 {
                descent.step(&seen, lr);
                flow.step(&seen, f64::from(lr)).unwrap();
                if step % 1000 == 0 {
                    let gd = singular_values(&descent.model.product().unwrap()).unwrap();
                    let mut ode = flow.values().to_vec();
                    ode.sort_by(|a, b| b.total_cmp(a));
                    for (a, b) in gd.iter().zip(&ode) {
                        assert!((a - b).abs() < 0.02 * a.max(0.05 * gd[0]), "depth {depth} step {step}: {gd:?} {ode:?}");
                    }
                }
            }
            assert!(descent.model.error_at(&seen).unwrap() < 0.05, "the comparison must reach past the plateau");
        }
    }
}
