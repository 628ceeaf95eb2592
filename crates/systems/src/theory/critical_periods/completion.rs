//! Matrix completion by gradient descent on a deep linear chain, with a task that changes under way.
//!
//! ```text
//! W = W_1 W_2 ... W_D,   loss = 1/(2m) sum over observed (i, j) of (W_ij - M_ij)^2
//! ```
//!
//! With E the residual over m at the observed entries, P_l = W_1 ... W_l and T_D = E, T_(l-1) = T_l W_l^T, the gradient
//! of layer l is P_(l-1)^T T_l: every prefix and suffix product is formed once per step, 3 (D - 1) products in all.

use faer::{Accum, MatMut, MatRef};
use neuropil_math::gemm::gemm;
use neuropil_core::{Error, Result, Stream};
use neuropil_math::{Matrix, linalg};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the layers are drawn; every choice makes the end-to-end matrix about `scale` large.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Init {
    /// Entries ~ N(0, (scale^(1/D) / sqrt(n))^2).
    Gaussian,
    /// Random orthogonal layers times (scale sqrt(n))^(1/D).
    Orthogonal,
    /// Identity layers times scale^(1/D).
    Identity,
}

/// A partly observed matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    rows: usize,
    cols: usize,
    /// Row-major positions, ascending.
    positions: Vec<u32>,
    values: Vec<f32>,
}

impl Observed {
    /// The entries of `matrix` at the given row-major positions.
    ///
    /// # Errors
    /// Input error where a position is out of range or no entry is observed.
    pub fn new(matrix: &Matrix, mut positions: Vec<u32>) -> Result<Self> {
        positions.sort_unstable();
        positions.dedup();
        let data = matrix.data();
        if positions.is_empty() {
            return Err(Error::input("at least one observed entry", "none"));
        }
        if let Some(&p) = positions.last().filter(|&&p| p as usize >= data.len()) {
            return Err(Error::input(format!("positions below {}", data.len()), p.to_string()));
        }
        let values = positions.iter().map(|&p| data[p as usize] as f32).collect();
        Ok(Self { rows: matrix.rows(), cols: matrix.cols(), positions, values })
    }

    /// Number of observed entries, m.
    pub fn count(&self) -> usize {
        self.positions.len()
    }

    /// Row-major positions, ascending.
    pub fn positions(&self) -> &[u32] {
        &self.positions
    }

    /// Gradient of 1/(2m) sum (W - M)^2 with respect to W.
    pub fn gradient(&self, w: &Matrix) -> Result<Matrix> {
        let mut g = Matrix::zeros(self.rows, self.cols);
        if w.shape() != g.shape() {
            return Err(Error::input(format!("a matrix of {:?}", g.shape()), format!("{:?}", w.shape())));
        }
        for (&p, &v) in self.positions.iter().zip(&self.values) {
            let p = p as usize;
            g.data_mut()[p] = (w.data()[p] - f64::from(v)) / self.count() as f64;
        }
        Ok(g)
    }

    /// Mean of the squared values.
    pub fn energy(&self) -> f64 {
        self.values.iter().map(|&v| f64::from(v) * f64::from(v)).sum::<f64>() / self.count() as f64
    }
}

/// The chain W_1 ... W_D, in single precision.
#[derive(Debug, Clone, PartialEq)]
pub struct DeepMatrix {
    rows: usize,
    cols: usize,
    /// Width of every hidden layer.
    inner: usize,
    /// Row-major.
    layers: Vec<Vec<f32>>,
}

impl DeepMatrix {
    /// A rows x cols chain of `depth` layers with min(rows, cols) hidden units.
    ///
    /// # Errors
    /// Config error for depth 0; input error for an empty matrix.
    pub fn new(
        rows: usize,
        cols: usize,
        depth: usize,
        init: Init,
        scale: f64,
        stream: &mut Stream,
    ) -> Result<Self> {
        if depth == 0 {
            return Err(Error::config("a depth of at least 1", "0").at("depth"));
        }
        if rows == 0 || cols == 0 {
            return Err(Error::input("at least one row and one column", format!("{rows} x {cols}")));
        }
        let inner = rows.min(cols);
        let root = 1.0 / depth as f64;
        let mut layers = Vec::with_capacity(depth);
        for l in 0..depth {
            let (r, c) = shape(rows, cols, inner, depth, l);
            layers.push(match init {
                Init::Gaussian => {
                    let sd = scale.powf(root) / (inner as f64).sqrt();
                    stream.normals(r * c).into_iter().map(|z| (sd * z) as f32).collect()
                }
                Init::Orthogonal => {
                    let size = (scale * (inner as f64).sqrt()).powf(root);
                    let q = linalg::random_semi_orthogonal(r, c, stream)?;
                    q.data().iter().map(|v| (size * v) as f32).collect()
                }
                Init::Identity => {
                    let size = scale.powf(root) as f32;
                    (0..r * c).map(|p| if p / c == p % c { size } else { 0.0 }).collect()
                }
            });
        }
        Ok(Self { rows, cols, inner, layers })
    }

    /// A chain of given layers, each of the right shape.
    pub fn from_layers(layers: &[Matrix]) -> Result<Self> {
        let (Some(first), Some(last)) = (layers.first(), layers.last()) else {
            return Err(Error::config("a depth of at least 1", "0").at("depth"));
        };
        let (rows, cols) = (first.rows(), last.cols());
        let inner = if layers.len() == 1 { rows.min(cols) } else { first.cols() };
        for (l, w) in layers.iter().enumerate() {
            let want = shape(rows, cols, inner, layers.len(), l);
            if w.shape() != want {
                return Err(Error::input(format!("layer {l} of shape {want:?}"), format!("{:?}", w.shape())));
            }
        }
        let layers = layers.iter().map(|w| w.data().iter().map(|&v| v as f32).collect()).collect();
        Ok(Self { rows, cols, inner, layers })
    }

    /// Number of layers, D.
    pub fn depth(&self) -> usize {
        self.layers.len()
    }

    fn layer(&self, l: usize) -> MatRef<'_, f32> {
        let (r, c) = shape(self.rows, self.cols, self.inner, self.depth(), l);
        MatRef::from_row_major_slice(&self.layers[l], r, c)
    }

    /// The end-to-end matrix.
    pub fn product(&self) -> Result<Matrix> {
        let mut space = Workspace::new(self);
        space.forward(self);
        Matrix::from_f32(self.rows, self.cols, space.end_to_end(self))
    }

    /// Mean over all entries of (W - truth)^2.
    pub fn error(&self, truth: &Matrix) -> Result<f64> {
        let w = self.product()?;
        let d = w.minus(truth)?;
        Ok(d.data().iter().map(|e| e * e).sum::<f64>() / d.data().len() as f64)
    }

    /// Mean of (W - value)^2 over the observed entries.
    pub fn error_at(&self, observed: &Observed) -> Result<f64> {
        let w = self.product()?;
        let pairs = observed.positions.iter().zip(&observed.values);
        let sum: f64 = pairs.map(|(&p, &v)| (w.data()[p as usize] - f64::from(v)).powi(2)).sum();
        Ok(sum / observed.count() as f64)
    }
}

/// Shape of layer l (0-based) of a chain.
fn shape(rows: usize, cols: usize, inner: usize, depth: usize, l: usize) -> (usize, usize) {
    (if l == 0 { rows } else { inner }, if l + 1 == depth { cols } else { inner })
}

/// Buffers of one training run.
struct Workspace {
    /// P_2 ... P_D; P_1 is the first layer itself.
    prefixes: Vec<Vec<f32>>,
    /// T_l and T_(l-1), alternating; the first holds E.
    residual: Vec<f32>,
    back: [Vec<f32>; 2],
}

impl Workspace {
    fn new(m: &DeepMatrix) -> Self {
        let depth = m.depth();
        let size = |l: usize| m.rows * if l + 1 == depth { m.cols } else { m.inner };
        let prefixes = (1..depth).map(|l| vec![0.0; size(l)]).collect();
        let back = if depth > 1 { m.rows * m.inner } else { 0 };
        Self { prefixes, residual: vec![0.0; m.rows * m.cols], back: [vec![0.0; back], vec![0.0; back]] }
    }

    fn forward(&mut self, m: &DeepMatrix) {
        for l in 1..m.depth() {
            let (done, rest) = self.prefixes.split_at_mut(l - 1);
            let left = done.last().unwrap_or(&m.layers[0]);
            let right = m.layer(l);
            let left = MatRef::from_row_major_slice(left, m.rows, right.nrows());
            let out = MatMut::from_row_major_slice_mut(&mut rest[0], m.rows, right.ncols());
            // One thread: whole runs go in parallel, and the bits must not depend on how many.
            gemm(out, Accum::Replace, left, right, 1.0);
        }
    }

    fn end_to_end<'a>(&'a self, m: &'a DeepMatrix) -> &'a [f32] {
        self.prefixes.last().unwrap_or(&m.layers[0])
    }
}

/// Gradient descent on one observed matrix.
pub struct Descent {
    /// The chain.
    pub model: DeepMatrix,
    space: Workspace,
}

impl Descent {
    /// Starts from a chain.
    pub fn new(model: DeepMatrix) -> Self {
        Self { space: Workspace::new(&model), model }
    }

    /// One full-batch step; returns the loss before it. `task` has the shape of the chain.
    pub fn step(&mut self, task: &Observed, lr: f32) -> f64 {
        let (m, space) = (&mut self.model, &mut self.space);
        space.forward(m);
        let depth = m.depth();
        let share = 1.0 / task.count() as f32;
        let mut loss = 0.0;
        if depth == 1 {
            // The gradient of an unobserved entry is zero: it stays what it was, to the last bit.
            for (&p, &v) in task.positions.iter().zip(&task.values) {
                let w = &mut m.layers[0][p as usize];
                let r = *w - v;
                loss += f64::from(r) * f64::from(r);
                *w -= lr * share * r;
            }
            return 0.5 * loss / task.count() as f64;
        }
        let out = space.prefixes.last().unwrap_or(&m.layers[0]);
        for (&p, &v) in task.positions.iter().zip(&task.values) {
            let r = out[p as usize] - v;
            loss += f64::from(r) * f64::from(r);
            space.residual[p as usize] = share * r;
        }
        for l in (0..depth).rev() {
            let (rows, inner) = (m.rows, m.inner);
            let (r, c) = shape(rows, m.cols, inner, depth, l);
            let [even, odd] = &mut space.back;
            let (above, below) = if l % 2 == 0 { (even, odd) } else { (odd, even) };
            let t = if l + 1 == depth { &space.residual } else { &*above };
            let t = MatRef::from_row_major_slice(t, rows, c);
            if l > 0 {
                let down = MatMut::from_row_major_slice_mut(below, rows, r);
                gemm(down, Accum::Replace, t, m.layer(l).transpose(), 1.0);
            }
            if l == 0 {
                for (w, g) in m.layers[0].iter_mut().zip(&space.back[0]) {
                    *w -= lr * g;
                }
            } else {
                let (first, rest) = m.layers.split_at_mut(1);
                let prefix = if l == 1 { &first[0] } else { &space.prefixes[l - 2] };
                let prefix = MatRef::from_row_major_slice(prefix, rows, r).transpose();
                let w = MatMut::from_row_major_slice_mut(&mut rest[l - 1], r, c);
                gemm(w, Accum::Add, prefix, t, -lr);
            }
        }
        0.5 * loss / task.count() as f64
    }

    /// Forgets the residual of the last task: positions that the next one does not observe must be zero.
    fn change_task(&mut self) {
        self.space.residual.fill(0.0);
    }
}

/// Two tasks in turn.
#[derive(Debug, Clone)]
pub struct Tasks {
    /// What is learned until the switch.
    pub first: Observed,
    /// What is learned after it.
    pub second: Observed,
    /// What the end is judged by.
    pub judge: Judge,
}

/// What the reconstruction error is measured on.
#[derive(Debug, Clone)]
pub enum Judge {
    /// All entries of the true second matrix.
    Truth(Matrix),
    /// Entries that were observed and kept from training.
    HeldOut(Observed),
}

/// Length and rate of training.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// Steps on the first task, ascending; one run per entry.
    pub switches: Vec<usize>,
    /// Steps on the second task, the same for every switch.
    pub after: usize,
    /// Learning rate.
    pub lr: f64,
    /// Singular values are recorded every so many steps.
    pub track_every: usize,
    /// How many singular values are recorded.
    pub tracked: usize,
}

/// Singular values of the end-to-end matrix over the steps.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Singular {
    /// Step since the very start.
    pub steps: Vec<usize>,
    /// The largest singular values at each of these steps.
    pub values: Vec<Vec<f64>>,
}

/// One run: first task until the switch, then the second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Steps on the first task, `T_c`.
    pub switch: usize,
    /// Reconstruction error at the end.
    pub error: f64,
    /// Mean squared error on the observed entries of the second task at the end.
    pub train: f64,
    /// Singular values over the whole run.
    pub singular: Singular,
}

impl Outcome {
    /// The same in other units of the matrix.
    #[must_use]
    pub fn scaled(mut self, factor: f64) -> Self {
        self.error *= factor * factor;
        self.train *= factor * factor;
        self.singular.values.iter_mut().flatten().for_each(|s| *s *= factor);
        self
    }
}

/// Called now and then with the number of steps done since the last call; an error stops the run.
pub type Pulse<'a> = &'a (dyn Fn(u64) -> Result<()> + Sync);

/// Runs all switch times from one chain. The steps on the first task are shared: it is trained once and branched at
/// every switch, which gives the bits of separate runs.
///
/// # Errors
/// Config error with step and top singular value where the loss diverges; whatever `pulse` returns, which is called
/// with the number of steps done since, every 256 steps and from several threads.
pub fn run_switches(start: DeepMatrix, tasks: &Tasks, course: &Course, pulse: Pulse<'_>) -> Result<Vec<Outcome>> {
    let mut trunk = Descent::new(start);
    let mut traced = Singular::default();
    let mut branches = Vec::with_capacity(course.switches.len());
    let mut at = 0;
    for &switch in &course.switches {
        train(&mut trunk, &tasks.first, at..switch, course, &mut traced, pulse)?;
        at = switch;
        branches.push((switch, trunk.model.clone(), traced.clone()));
    }
    branches
        .into_par_iter()
        .map(|(switch, model, mut singular)| {
            let mut descent = Descent::new(model);
            let span = switch..switch + course.after;
            train(&mut descent, &tasks.second, span, course, &mut singular, pulse)?;
            record(&descent.model, switch + course.after, course, &mut singular)?;
            let error = match &tasks.judge {
                Judge::Truth(truth) => descent.model.error(truth)?,
                Judge::HeldOut(entries) => descent.model.error_at(entries)?,
            };
            Ok(Outcome { switch, error, train: descent.model.error_at(&tasks.second)?, singular })
        })
        .collect()
}

fn record(model: &DeepMatrix, step: usize, course: &Course, into: &mut Singular) -> Result<()> {
    let mut s = linalg::singular_values(&model.product()?)?;
    s.truncate(course.tracked);
    into.steps.push(step);
    into.values.push(s);
    Ok(())
}

fn train(
    descent: &mut Descent,
    task: &Observed,
    span: std::ops::Range<usize>,
    course: &Course,
    singular: &mut Singular,
    pulse: Pulse<'_>,
) -> Result<()> {
    // A hundred times the loss of predicting zero, or of where the run stands: no descent goes there.
    let mut bound = 50.0 * task.energy();
    descent.change_task();
    for step in span.clone() {
        if step % course.track_every == 0 {
            record(&descent.model, step, course, singular)?;
        }
        if step % 256 == 0 {
            pulse(256)?;
        }
        let loss = descent.step(task, course.lr as f32);
        if step == span.start {
            bound = bound.max(100.0 * loss);
        }
        if loss.is_nan() || loss > bound {
            let top = descent.model.product().and_then(|w| linalg::spectral_norm(&w));
            let top = top.map_or("beyond single precision".into(), |s| format!("{s:.3e}"));
            return Err(Error::config(
                "a learning rate that converges",
                format!("divergence at step {step} with top singular value {top} at {}", course.lr),
            )
            .at("completion.lr")
            .hint("lower the learning rate, or rescale the matrix to entries of about 1"));
        }
    }
    Ok(())
}

/// A random rows x cols matrix of rank r, scaled to unit root-mean-square entries.
pub fn random_low_rank(rows: usize, cols: usize, rank: usize, stream: &mut Stream) -> Result<Matrix> {
    let u = Matrix::new(rows, rank, stream.normals(rows * rank))?;
    let v = Matrix::new(cols, rank, stream.normals(cols * rank))?;
    let m = linalg::matmul_nt(&u, &v)?;
    let scale = ((rows * cols) as f64).sqrt() / linalg::frobenius_norm(&m);
    Ok(m.map(|x| x * scale))
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn problem(n: usize, m: usize) -> (Matrix, Observed) {
        let mut s = Streams::new(1).stream("problem", 0);
        let truth = random_low_rank(n, n, 2, &mut s).unwrap();
        let seen = s.choose(n * n, m).into_iter().map(|p| p as u32).collect();
        let observed = Observed::new(&truth, seen).unwrap();
        (truth, observed)
    }

    #[test]
    fn low_rank_matrices_have_unit_entries_and_their_rank() {
        let m = random_low_rank(30, 20, 3, &mut Streams::new(2).stream("m", 0)).unwrap();
        let s = linalg::singular_values(&m).unwrap();
        assert!((linalg::frobenius_norm(&m).powi(2) / 600.0 - 1.0).abs() < 1e-12);
        assert!(s[2] > 1.0 && s[3] < 1e-10);
    }

    #[test]
    fn one_layer_never_touches_unobserved_entries() {
        let (truth, seen) = problem(12, 60);
        let start = DeepMatrix::new(12, 12, 1, Init::Gaussian, 0.1, &mut Streams::new(3).stream("w", 0)).unwrap();
        let mut d = Descent::new(start.clone());
        for _ in 0..2000 {
            d.step(&seen, 20.0);
        }
        let hidden: Vec<usize> = (0..144).filter(|p| seen.positions.binary_search(&(*p as u32)).is_err()).collect();
        assert_eq!(hidden.len(), 84);
        assert!(hidden.iter().all(|&p| d.model.layers[0][p] == start.layers[0][p]));
        // The observed part is learned, so the error is what the unobserved entries leave.
        let left: f64 =
            hidden.iter().map(|&p| (f64::from(start.layers[0][p]) - truth.data()[p]).powi(2)).sum::<f64>() / 144.0;
        assert!((d.model.error(&truth).unwrap() - left).abs() < 1e-6 && d.model.error_at(&seen).unwrap() < 1e-8);
    }

    #[test]
    fn every_layer_descends_its_gradient() {
        let mut s = Streams::new(4).stream("w", 0);
        let (truth, _) = problem(5, 10);
        let wide = Matrix::from_fn(5, 7, |i, j| truth[(i, j % 5)] + 0.1 * j as f64);
        let seen = Observed::new(&wide, (0..35).filter(|p| p % 3 != 1).collect()).unwrap();
        for depth in 1..=4 {
            let model = DeepMatrix::new(5, 7, depth, Init::Gaussian, 0.5, &mut s).unwrap();
            let mut moved = Descent::new(model.clone());
            let lr = 1e-3;
            moved.step(&seen, lr);
            let loss = |m: &DeepMatrix| 0.5 * m.error_at(&seen).unwrap();
            for l in 0..depth {
                for i in (0..model.layers[l].len()).step_by(3) {
                    let mut nudged = model.clone();
                    nudged.layers[l][i] += 1e-2;
                    let up = loss(&nudged);
                    nudged.layers[l][i] -= 2e-2;
                    let slope = (up - loss(&nudged)) / 2e-2;
                    let step = f64::from(model.layers[l][i] - moved.model.layers[l][i]) / f64::from(lr);
                    // Single precision: rounding of weights (1e-7 / 1e-3) and of the difference quotient.
                    assert!((slope - step).abs() < 2e-3, "depth {depth} layer {l}: {slope} {step}");
                }
            }
        }
    }

    #[test]
    fn branches_equal_separate_runs() {
        let (truth, seen) = problem(16, 120);
        let mut s = Streams::new(5).stream("w", 0);
        let other = Observed::new(&truth.map(|v| -v), seen.positions.iter().map(|p| p / 2 * 2).collect()).unwrap();
        let start = DeepMatrix::new(16, 16, 3, Init::Gaussian, 0.01, &mut s).unwrap();
        let tasks = Tasks { first: other, second: seen, judge: Judge::Truth(truth) };
        let course = |switches: &[usize]| Course {
            switches: switches.to_vec(),
            after: 150,
            lr: 0.2,
            track_every: 50,
            tracked: 4,
        };
        let bar = |_| Ok(());
        let all = run_switches(start.clone(), &tasks, &course(&[0, 70, 200]), &bar).unwrap();
        for (k, t) in [0, 70, 200].into_iter().enumerate() {
            assert_eq!(run_switches(start.clone(), &tasks, &course(&[t]), &bar).unwrap()[0], all[k]);
        }
    }

    #[test]
    fn divergence_names_step_and_singular_value() {
        let (truth, seen) = problem(10, 60);
        let mut s = Streams::new(6).stream("w", 0);
        let start = DeepMatrix::new(10, 10, 2, Init::Orthogonal, 0.1, &mut s).unwrap();
        let tasks = Tasks { first: seen.clone(), second: seen, judge: Judge::Truth(truth) };
        let course = Course { switches: vec![0], after: 4000, lr: 60.0, track_every: 1000, tracked: 3 };
        let e = run_switches(start, &tasks, &course, &|_| Ok(())).unwrap_err();
        assert!(e.exit_code() == 2 && e.to_string().contains("top singular value"), "{e}");
        assert!(DeepMatrix::new(3, 3, 0, Init::Identity, 0.1, &mut s).unwrap_err().to_string().contains("depth"));
    }
}
