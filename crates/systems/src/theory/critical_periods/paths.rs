//! Two deep linear paths that compete for the features of one table.
//!
//! ```text
//! output = Omega_a x + Omega_b x,  Omega_p = W_pD ... W_p1,  x one-hot items
//! L = 1/2 || Y^T - Omega_a - Omega_b ||_F^2,  Y^T = U S V^T,  K_p = diag(U^T Omega_p V)
//! ```

use super::flow::{Competition, Open, Start};
use neuropil_core::{Error, Result, Stream};
use neuropil_math::linalg::{Svd, matmul, matmul_nt, matmul_tn, random_orthogonal, svd};
use neuropil_math::Matrix;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// What follows every layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// Nothing: the paper's deep linear network.
    Linear,
    /// Hyperbolic tangent.
    Tanh,
    /// Rectifier.
    Relu,
}

/// The temporary deficit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Deficit {
    /// Path b contributes but does not learn.
    GatePath,
    /// One feature is hidden from path a.
    GateMode,
    /// Path b is gated with probability 0.9 in each step.
    ProbGatePath,
}

/// The items x properties table of the binary tree: one property of all 8 items, 2 of the halves, 4 of the quarters,
/// 8 of single items.
pub fn hierarchy() -> Matrix {
    Matrix::from_fn(8, 15, |item, property| {
        // Property 0 covers 8 items, 1-2 cover 4, 3-6 cover 2, 7-14 cover 1: a heap's numbering.
        let level = (property + 1).ilog2() as usize;
        let first = (property + 1 - (1 << level)) * (8 >> level);
        f64::from(u8::from((first..first + (8 >> level)).contains(&item)))
    })
}

/// What happens in one step of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// Both paths learn.
    Open,
    /// Path b contributes as a constant.
    HoldB,
    /// Feature i is projected out of path a.
    HideFromA(usize),
}

impl Gate {
    /// The same gate on the scalar equations of feature `mode`.
    pub fn open(self, mode: usize) -> Open {
        match self {
            Self::HoldB => Open::B_HELD,
            Self::HideFromA(i) if i == mode => Open::A_HIDDEN,
            _ => Open::BOTH,
        }
    }
}

/// The gate of every step for a deficit during `window`.
pub fn gates(deficit: Deficit, mode: usize, window: &Range<usize>, epochs: usize, stream: &mut Stream) -> Vec<Gate> {
    let gate = |t: usize| match deficit {
        _ if !window.contains(&t) => Gate::Open,
        Deficit::GatePath => Gate::HoldB,
        Deficit::GateMode => Gate::HideFromA(mode),
        Deficit::ProbGatePath => {
            if stream.bernoulli(0.9) {
                Gate::HoldB
            } else {
                Gate::Open
            }
        }
    };
    (0..epochs).map(gate).collect()
}

/// A chain of layers without biases.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    /// W_1 ... W_D; W_l is (units of layer l) x (units of layer l - 1).
    pub layers: Vec<Matrix>,
    activation: Activation,
}

impl Path {
    /// A path of given layers.
    pub fn new(layers: Vec<Matrix>, activation: Activation) -> Self {
        Self { layers, activation }
    }

    /// Balanced layers aligned with the features: W_1 = R diag(d) V^T, W_l = R diag(d) R^T, W_D = U diag(d) R^T with
    /// d = k^(1/D), so that the path map is U diag(k) V^T and W_(l+1)^T W_(l+1) = W_l W_l^T on the features.
    pub fn balanced(
        depth: usize,
        features: &Svd,
        k: &[f64],
        r: &Matrix,
        activation: Activation,
    ) -> Result<Self> {
        let d: Vec<f64> = k.iter().map(|k| k.powf(1.0 / depth as f64)).collect();
        let n = features.s.len();
        let scaled = |m: &Matrix| Matrix::from_fn(m.rows(), d.len().min(m.cols()), |i, j| m[(i, j)] * d[j]);
        let head: Vec<usize> = (0..n).collect();
        let aligned = r.select_cols(&head)?;
        let mut layers = Vec::with_capacity(depth);
        for l in 0..depth {
            layers.push(match (l == 0, l + 1 == depth) {
                (true, true) => matmul_nt(&scaled(&features.u), &features.v)?,
                (true, false) => matmul_nt(&scaled(&aligned), &features.v)?,
                (false, false) => matmul_nt(&scaled(r), r)?,
                (false, true) => matmul_nt(&scaled(&features.u), &aligned)?,
            });
        }
        Ok(Self { layers, activation })
    }

    /// The output for the columns of `input`, and the activity after every layer (the input first).
    fn forward(&self, input: Matrix) -> Result<Vec<Matrix>> {
        let mut activity = Vec::with_capacity(self.layers.len() + 1);
        activity.push(input);
        for (l, w) in self.layers.iter().enumerate() {
            let z = matmul(w, &activity[l])?;
            activity.push(match self.activation {
                Activation::Linear => z,
                Activation::Tanh => z.map(f64::tanh),
                Activation::Relu => z.map(|v| v.max(0.0)),
            });
        }
        Ok(activity)
    }

    /// One gradient step; `error` is the target minus the output, properties x items.
    fn learn(&mut self, activity: &[Matrix], error: &Matrix, lr: f64) -> Result<()> {
        let mut delta = error.clone();
        for l in (0..self.layers.len()).rev() {
            let h = &activity[l + 1];
            match self.activation {
                Activation::Linear => {}
                Activation::Tanh => delta = delta.zip(h, |d, h| d * (1.0 - h * h))?,
                Activation::Relu => delta = delta.zip(h, |d, h| if h > 0.0 { d } else { 0.0 })?,
            }
            let gradient = matmul_nt(&delta, &activity[l])?;
            if l > 0 {
                delta = matmul_tn(&self.layers[l], &delta)?;
            }
            for (w, g) in self.layers[l].data_mut().iter_mut().zip(gradient.data()) {
                *w += lr * g;
            }
        }
        Ok(())
    }

    /// Largest |W_(l+1)^T W_(l+1) - W_l W_l^T| between neighbouring layers; gradient flow conserves these matrices.
    pub fn balance(&self) -> Result<Vec<Matrix>> {
        let pairs = self.layers.windows(2);
        pairs.map(|w| matmul_tn(&w[1], &w[1])?.minus(&matmul_nt(&w[0], &w[0])?)).collect()
    }
}

/// Shape, rate and start of the network.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Architecture {
    /// Layers per path, D.
    pub depth: usize,
    /// Hidden units per path.
    pub width: usize,
    /// What follows every layer.
    pub activation: Activation,
    /// Initial strength of every feature, about this.
    pub init_scale: f64,
    /// Learning rate of full-batch gradient descent.
    pub lr: f64,
}

/// The two-path network on one table.
#[derive(Debug, Clone)]
pub struct TwoPaths {
    /// Path a.
    pub a: Path,
    /// Path b.
    pub b: Path,
    /// Singular modes of Y^T (properties x items).
    pub features: Svd,
    /// Initial strengths, descending, the same in both paths.
    pub k: Vec<f64>,
    target: Matrix,
    lr: f64,
}

/// Feature strengths of both paths after every step, and before the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Strengths {
    /// K_a, one row per time, one column per feature.
    pub a: Matrix,
    /// K_b, likewise.
    pub b: Matrix,
}

impl Strengths {
    /// K_a / (K_a + K_b) of a feature at the end.
    pub fn final_share(&self, feature: usize) -> f64 {
        let last = self.a.rows() - 1;
        let (a, b) = (self.a[(last, feature)], self.b[(last, feature)]);
        a / (a + b)
    }
}

impl TwoPaths {
    /// Both paths from the same strengths and the same rotation: independent draws would tip the competition before it
    /// begins. `table` is items x properties.
    ///
    /// # Errors
    /// Input error on an empty, constant-zero or non-finite table; config error where the width is below the number of
    /// features.
    pub fn new(table: &Matrix, arch: &Architecture, stream: &mut Stream) -> Result<Self> {
        if table.data().is_empty() {
            return Err(Error::input("at least one item and one property", format!("{:?}", table.shape())));
        }
        let target = table.transpose();
        let features = svd(&target)?;
        if features.s[0] <= 0.0 {
            return Err(Error::input("a table with a feature to learn", "zeros only"));
        }
        if arch.width < features.s.len() {
            return Err(Error::config(
                format!("at least {} hidden units, one per feature", features.s.len()),
                arch.width.to_string(),
            )
            .at("paths.width"));
        }
        let mut k: Vec<f64> =
            (0..arch.width).map(|_| (1.0 + 0.1 * stream.normal()).max(0.1) * arch.init_scale).collect();
        k.sort_by(|x, y| y.total_cmp(x));
        let r = random_orthogonal(arch.width, stream)?;
        let a = Path::balanced(arch.depth, &features, &k, &r, arch.activation)?;
        Ok(Self { b: a.clone(), a, features, k, target, lr: arch.lr })
    }

    /// One step of full-batch gradient descent; returns the loss before it.
    pub fn step(&mut self, gate: Gate) -> Result<f64> {
        let items = self.target.cols();
        let one = Matrix::identity(items);
        let hidden = if let Gate::HideFromA(i) = gate { Some(i) } else { None };
        let input = match hidden {
            Some(i) => without(&one, &self.features.v.col(i))?.transpose(),
            None => one.clone(),
        };
        let activity_a = self.a.forward(input)?;
        let activity_b = self.b.forward(one)?;
        let (out_a, out_b) = (&activity_a[self.a.layers.len()], &activity_b[self.b.layers.len()]);
        let shown_a = match hidden {
            Some(i) => without(out_a, &self.features.u.col(i))?,
            None => out_a.clone(),
        };
        let error = self.target.minus(&shown_a)?.minus(out_b)?;
        let loss = 0.5 * error.data().iter().map(|e| e * e).sum::<f64>();
        let error_a = match hidden {
            Some(i) => without(&error, &self.features.u.col(i))?,
            None => error.clone(),
        };
        self.a.learn(&activity_a, &error_a, self.lr)?;
        if gate != Gate::HoldB {
            self.b.learn(&activity_b, &error, self.lr)?;
        }
        Ok(loss)
    }

    /// diag(U^T Omega_p V) of both paths; for a path with activations Omega_p is its output for the one-hot items.
    pub fn strengths(&self) -> Result<(Vec<f64>, Vec<f64>)> {
        let read = |path: &Path| -> Result<Vec<f64>> {
            let mut activity = path.forward(Matrix::identity(self.target.cols()))?;
            let out = activity.pop().ok_or_else(|| Error::Internal("a path without layers".into()))?;
            let image = matmul(&out, &self.features.v)?;
            let u = &self.features.u;
            Ok((0..self.features.s.len())
                .map(|m| (0..out.rows()).map(|i| u[(i, m)] * image[(i, m)]).sum())
                .collect())
        };
        Ok((read(&self.a)?, read(&self.b)?))
    }

    /// Trains through the gates and records the strengths; fails with step and strength when the rate diverges.
    pub fn train(&mut self, gates: &[Gate]) -> Result<Strengths> {
        let (a, b) = self.strengths()?;
        let (mut rows_a, mut rows_b) = (vec![a], vec![b]);
        let bound = 100.0 * (1.0 + self.target.data().iter().map(|y| y * y).sum::<f64>());
        for (t, &gate) in gates.iter().enumerate() {
            let loss = self.step(gate)?;
            if loss.is_nan() || loss > bound {
                let top = rows_a[t].iter().chain(&rows_b[t]).fold(0.0_f64, |m, k| m.max(k.abs()));
                return Err(Error::config(
                    "a learning rate that converges",
                    format!("divergence at step {t} with top path strength {top:.3e} at {}", self.lr),
                )
                .at("paths.lr")
                .hint("lower the learning rate"));
            }
            let (a, b) = self.strengths()?;
            rows_a.push(a);
            rows_b.push(b);
        }
        Ok(Strengths { a: Matrix::from_rows(&rows_a)?, b: Matrix::from_rows(&rows_b)? })
    }

    /// The prediction of the scalar equations for the same gates.
    pub fn predict(&self, gates: &[Gate]) -> Result<Strengths> {
        let depth = self.a.layers.len();
        let features = self.features.s.len();
        let mut a = Matrix::zeros(gates.len() + 1, features);
        let mut b = a.clone();
        for m in 0..features {
            let p0 = self.k[m].powf(1.0 / depth as f64);
            let mut c = Competition::new(depth, self.features.s[m], p0, Start::Small);
            (a[(0, m)], b[(0, m)]) = c.strengths();
            for (t, gate) in gates.iter().enumerate() {
                c.step(self.lr, gate.open(m));
                (a[(t + 1, m)], b[(t + 1, m)]) = c.strengths();
            }
        }
        Ok(Strengths { a, b })
    }
}

/// (I - u u^T) M.
fn without(m: &Matrix, u: &[f64]) -> Result<Matrix> {
    let column = Matrix::column(u.to_vec());
    let along = matmul_tn(&column, m)?;
    m.minus(&matmul(&column, &along)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn arch(depth: usize) -> Architecture {
        Architecture { depth, width: 30, activation: Activation::Linear, init_scale: 0.01, lr: 0.01 }
    }

    fn network(depth: usize) -> TwoPaths {
        TwoPaths::new(&hierarchy(), &arch(depth), &mut Streams::new(1).stream("paths", 0)).unwrap()
    }

    #[test]
    fn the_hierarchy_has_its_known_singular_values() {
        // Y Y^T = J_8 + blocks of 4 + blocks of 2 + I: eigenvalues 15, 7, 3 (twice), 1 (four times).
        let s = svd(&hierarchy()).unwrap().s;
        for (s, square) in s.iter().zip([15.0, 7.0, 3.0, 3.0, 1.0, 1.0, 1.0, 1.0]) {
            assert!((s * s - square).abs() < 1e-12);
        }
    }

    #[test]
    fn starts_aligned_and_balanced() {
        for depth in [1, 2, 3, 4] {
            let n = network(depth);
            let (a, b) = n.strengths().unwrap();
            assert_eq!(a, b);
            for (k, want) in a.iter().zip(&n.k) {
                assert!((k - want).abs() < 1e-12, "depth {depth}: {k} {want}");
            }
        }
    }

    #[test]
    fn descent_follows_the_scalar_equations_through_every_deficit() {
        for (deficit, depth) in
            [(Deficit::GatePath, 4), (Deficit::GatePath, 2), (Deficit::GateMode, 3), (Deficit::ProbGatePath, 3)]
        {
            let mut n = network(depth);
            let g = gates(deficit, 1, &(20..220), 600, &mut Streams::new(2).stream("gates", 0));
            let predicted = n.predict(&g).unwrap();
            let trained = n.train(&g).unwrap();
            for (x, y) in [(&trained.a, &predicted.a), (&trained.b, &predicted.b)] {
                let worst = x.data().iter().zip(y.data()).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
                // The same recursion in other coordinates: rounding only, amplified by the growth phase.
                assert!(worst < 1e-8, "{deficit:?} {depth}: {worst}");
            }
        }
    }

    #[test]
    fn gating_stops_learning_and_not_the_contribution() {
        let mut n = network(3);
        for _ in 0..150 {
            n.step(Gate::Open).unwrap();
        }
        let b = n.b.clone();
        let (_, kb) = n.strengths().unwrap();
        for _ in 0..400 {
            n.step(Gate::HoldB).unwrap();
        }
        assert_eq!(n.b, b);
        let (a, _) = n.strengths().unwrap();
        // Path a fills up what path b leaves: K_a -> s - K_b, which a removed path b would not give.
        assert!(kb[0] > 0.5 && (a[0] + kb[0] - n.features.s[0]).abs() < 1e-3, "{} {}", a[0], kb[0]);
    }

    #[test]
    fn strengths_add_up_and_layers_stay_balanced() {
        let mut n = network(3);
        // An unbalanced start, so that the conserved matrices are not trivially zero.
        let mut s = Streams::new(3).stream("noise", 0);
        for w in &mut n.a.layers {
            w.data_mut().iter_mut().for_each(|v| *v += 0.02 * s.normal());
        }
        let before = n.a.balance().unwrap();
        let trained = n.train(&vec![Gate::Open; 2000]).unwrap();
        let after = n.a.balance().unwrap();
        for (x, y) in before.iter().zip(&after) {
            let drift = x.data().iter().zip(y.data()).map(|(x, y)| (x - y).abs()).fold(0.0, f64::max);
            assert!(drift < 1e-3, "{drift}");
        }
        for m in 0..3 {
            let (a, b) = (trained.a[(2000, m)], trained.b[(2000, m)]);
            assert!((a + b - n.features.s[m]).abs() < 1e-3, "feature {m}: {a} + {b}");
        }
    }

    #[test]
    fn gradients_of_every_activation_match_finite_differences() {
        for activation in [Activation::Linear, Activation::Tanh, Activation::Relu] {
            let mut s = Streams::new(4).stream("w", 0);
            let layer = |r: usize, c: usize, s: &mut Stream| Matrix::from_fn(r, c, |_, _| 0.5 * s.normal());
            let path = Path::new(vec![layer(6, 4, &mut s), layer(5, 6, &mut s)], activation);
            let target = layer(5, 4, &mut s);
            let loss = |p: &Path| {
                let out = p.forward(Matrix::identity(4)).unwrap().pop().unwrap();
                0.5 * target.minus(&out).unwrap().data().iter().map(|e| e * e).sum::<f64>()
            };
            let activity = path.forward(Matrix::identity(4)).unwrap();
            let mut moved = path.clone();
            moved.learn(&activity, &target.minus(&activity[2]).unwrap(), 1.0).unwrap();
            for l in 0..2 {
                for i in 0..path.layers[l].data().len() {
                    let step = moved.layers[l].data()[i] - path.layers[l].data()[i];
                    let nudged = |h: f64| {
                        let mut p = path.clone();
                        p.layers[l].data_mut()[i] += h;
                        loss(&p)
                    };
                    // Central differences: 1e-10 truncation, 1e-9 rounding.
                    let slope = (nudged(1e-5) - nudged(-1e-5)) / 2e-5;
                    assert!((step + slope).abs() < 1e-7, "{activation:?} {step} {slope}");
                }
            }
        }
    }

    #[test]
    fn unfit_tables_are_refused() {
        let mut s = Streams::new(1).stream("paths", 0);
        let mut with = |m: Matrix, width| TwoPaths::new(&m, &Architecture { width, ..arch(2) }, &mut s).unwrap_err();
        assert_eq!(with(Matrix::zeros(3, 4), 10).exit_code(), 3);
        assert_eq!(with(Matrix::zeros(0, 4), 10).exit_code(), 3);
        assert_eq!(with(Matrix::from_fn(3, 4, |_, _| f64::NAN), 10).exit_code(), 3);
        assert_eq!(with(hierarchy(), 7).exit_code(), 2);
        let mut n = TwoPaths::new(&hierarchy(), &Architecture { lr: 5.0, ..arch(3) }, &mut s).unwrap();
        let e = n.train(&[Gate::Open; 500]).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("at step"), "{e}");
    }
}
