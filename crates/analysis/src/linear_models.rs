//! Linear predictors with closed forms: ridge regression, first-order autoregression with an edge mask, persistence.
//!
//! All sums run in the order of the samples, targets are independent of each other, so results are the same for any
//! number of threads.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg};
use rayon::prelude::*;

/// Ridge regression `y = x W + b` with an unpenalised intercept, minimising
/// `sum |y - x W - b|^2 + alpha |W|^2` (as scikit-learn's `Ridge`).
#[derive(Debug, Clone, PartialEq)]
pub struct Ridge {
    features: usize,
    targets: usize,
    weights: Vec<f64>,
    intercept: Vec<f64>,
}

impl Ridge {
    /// Fits from `x` (samples x features) and `y` (samples x targets), both row-major.
    ///
    /// Solves the normal equations of the smaller side: features, or samples where there are fewer of them.
    pub fn fit(x: &[f64], y: &[f64], features: usize, targets: usize, alpha: f64) -> Result<Self> {
        require_penalty(alpha)?;
        let n = rows("x", x, features)?;
        if rows("y", y, targets)? != n {
            return Err(Error::input(
                format!("{n} rows in y, one per row of x"),
                (y.len() / targets).to_string(),
            ));
        }
        let (x_mean, y_mean) = (column_means(x, features), column_means(y, targets));
        let center = |v: &[f64], m: &[f64]| -> Vec<f64> {
            v.chunks_exact(m.len()).flat_map(|r| r.iter().zip(m).map(|(a, b)| a - b)).collect()
        };
        let (xc, yc) = (center(x, &x_mean), center(y, &y_mean));
        let weights = if features <= n {
            let xt = transpose(&xc, n, features);
            let mut gram = gram_of_rows(&xt, features, n);
            (0..features).for_each(|i| gram[i * features + i] += alpha);
            let yt = transpose(&yc, n, targets);
            let mut w = vec![0.0; features * targets];
            for (i, row) in w.chunks_exact_mut(targets).enumerate() {
                let xi = &xt[i * n..(i + 1) * n];
                for (j, v) in row.iter_mut().enumerate() {
                    *v = dot(xi, &yt[j * n..(j + 1) * n]);
                }
            }
            solve_positive(gram, features, &mut w, targets)?;
            w
        } else {
            let mut gram = gram_of_rows(&xc, n, features);
            (0..n).for_each(|i| gram[i * n + i] += alpha);
            let mut dual = yc;
            solve_positive(gram, n, &mut dual, targets)?;
            let mut w = vec![0.0; features * targets];
            for s in 0..n {
                for (i, row) in w.chunks_exact_mut(targets).enumerate() {
                    let xi = xc[s * features + i];
                    row.iter_mut().zip(&dual[s * targets..]).for_each(|(v, d)| *v += xi * d);
                }
            }
            w
        };
        let mut intercept = y_mean;
        for (row, m) in weights.chunks_exact(targets).zip(&x_mean) {
            intercept.iter_mut().zip(row).for_each(|(b, w)| *b -= m * w);
        }
        Ok(Self { features, targets, weights, intercept })
    }

    /// Weights, features x targets, row-major.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One intercept per target.
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// Predictions (samples x targets) for `x` (samples x features).
    pub fn predict(&self, x: &[f64]) -> Result<Vec<f64>> {
        let n = rows("x", x, self.features)?;
        let mut out = Vec::with_capacity(n * self.targets);
        for sample in x.chunks_exact(self.features) {
            let mut y = self.intercept.clone();
            for (v, row) in sample.iter().zip(self.weights.chunks_exact(self.targets)) {
                y.iter_mut().zip(row).for_each(|(o, w)| *o += v * w);
            }
            out.extend(y);
        }
        Ok(out)
    }
}

/// One recording on a common axis of units, of which only some were seen.
#[derive(Debug, Clone, Copy)]
pub struct Masked<'a> {
    activity: &'a [f64],
    present: &'a [bool],
    steps: usize,
}

impl<'a> Masked<'a> {
    /// Activity (units x steps, row-major) and which units are data; rows of the others are never read.
    pub fn new(activity: &'a [f64], present: &'a [bool]) -> Result<Self> {
        let units = present.len();
        if units == 0 || activity.is_empty() || !activity.len().is_multiple_of(units) {
            return Err(Error::input(
                format!("a positive multiple of {units} values (one row per unit)"),
                format!("{} values", activity.len()),
            ));
        }
        let steps = activity.len() / units;
        for (u, row) in activity.chunks_exact(steps).enumerate() {
            if let Some(s) = row.iter().position(|v| present[u] && !v.is_finite()) {
                return Err(Error::input("finite activity", format!("{} at unit {u}, step {s}", row[s])));
            }
        }
        Ok(Self { activity, present, steps })
    }

    /// Number of units of the axis.
    pub fn units(&self) -> usize {
        self.present.len()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Which units are data.
    pub fn present(&self) -> &[bool] {
        self.present
    }

    /// The activity of one unit.
    pub fn row(&self, unit: usize) -> &[f64] {
        &self.activity[unit * self.steps..(unit + 1) * self.steps]
    }

    /// Numbers of the units that are data, ascending.
    pub fn seen(&self) -> Vec<usize> {
        (0..self.units()).filter(|&u| self.present[u]).collect()
    }
}

/// Lagged sums of one recording over its seen units.
struct LagSums {
    seen: Vec<usize>,
    count: f64,
    // Sum of x(t), of x(t+1), of x(t) x(t)' and of x(t) x(t+1)' over t = 0..steps-1.
    now: Vec<f64>,
    next: Vec<f64>,
    gram: Vec<f64>,
    lagged: Vec<f64>,
}

impl LagSums {
    fn of(segment: &Masked) -> Self {
        let seen = segment.seen();
        let (p, n) = (seen.len(), segment.steps.saturating_sub(1));
        let now: Vec<&[f64]> = seen.iter().map(|&u| &segment.row(u)[..n]).collect();
        let next: Vec<&[f64]> = seen.iter().map(|&u| &segment.row(u)[segment.steps - n..]).collect();
        let mut gram = vec![0.0; p * p];
        let mut lagged = vec![0.0; p * p];
        for i in 0..p {
            for k in 0..=i {
                gram[i * p + k] = dot(now[i], now[k]);
                gram[k * p + i] = gram[i * p + k];
            }
            for k in 0..p {
                lagged[i * p + k] = dot(now[i], next[k]);
            }
        }
        let sums = |rows: &[&[f64]]| rows.iter().map(|r| r.iter().sum()).collect();
        Self { count: n as f64, now: sums(&now), next: sums(&next), gram, lagged, seen }
    }
}

/// First-order autoregression `x_j(t+1) = b_j + sum_i W_ji x_i(t)`: one ridge regression per target unit on the
/// sources that an edge mask allows.
///
/// A target is fitted on the recordings that saw it; a source that a recording did not see counts as its mean there
/// (zero after a z-score). A target that no recording saw is left at persistence (weight 1 on itself).
#[derive(Debug, Clone, PartialEq)]
pub struct Ar1 {
    units: usize,
    weights: Vec<f64>,
    intercept: Vec<f64>,
}

impl Ar1 {
    /// Fits on `segments` that share one axis of units. `alpha` is the ridge penalty; `mask` (target x source,
    /// row-major) allows edges, `None` allows all. Include the diagonal for self-coupling.
    pub fn fit(segments: &[Masked], alpha: f64, mask: Option<&[bool]>) -> Result<Self> {
        Ar1Sums::new(segments)?.fit(alpha, mask)
    }

    /// Weights, target x source, row-major.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// One intercept per target.
    pub fn intercept(&self) -> &[f64] {
        &self.intercept
    }

    /// Mean squared error of the next step over the seen units of `segment`, and how many values it is over.
    pub fn squared_error(&self, segment: &Masked) -> Result<(f64, usize)> {
        if segment.units() != self.units {
            return Err(Error::input(format!("{} units", self.units), segment.units().to_string()));
        }
        let (seen, n) = (segment.seen(), segment.steps.saturating_sub(1));
        let mut total = 0.0;
        let mut guess = vec![0.0; n];
        for &j in &seen {
            guess.fill(self.intercept[j]);
            for &i in &seen {
                let w = self.weights[j * self.units + i];
                if w != 0.0 {
                    guess.iter_mut().zip(segment.row(i)).for_each(|(g, v)| *g += w * v);
                }
            }
            total += guess.iter().zip(&segment.row(j)[1..]).map(|(g, v)| (g - v).powi(2)).sum::<f64>();
        }
        Ok(mean_of(total, seen.len() * n))
    }
}

/// The sums that an [`Ar1`] needs, made once and fitted under several masks.
pub struct Ar1Sums {
    units: usize,
    segments: Vec<LagSums>,
}

impl Ar1Sums {
    /// Sums over `segments` that share one axis of units.
    pub fn new(segments: &[Masked]) -> Result<Self> {
        let units = segments.first().map_or(0, Masked::units);
        if units == 0 {
            return Err(Error::input("at least 1 recording with at least 1 unit", "none"));
        }
        if let Some(s) = segments.iter().find(|s| s.units() != units) {
            return Err(Error::input(format!("{units} units in every recording"), s.units().to_string()));
        }
        if segments.iter().all(|s| s.steps < 2) {
            return Err(Error::input("a recording of at least 2 steps", "none"));
        }
        let segments = segments.par_iter().filter(|s| s.steps >= 2).map(LagSums::of).collect();
        Ok(Self { units, segments })
    }

    /// See [`Ar1::fit`].
    pub fn fit(&self, alpha: f64, mask: Option<&[bool]>) -> Result<Ar1> {
        require_penalty(alpha)?;
        let n = self.units;
        if let Some(m) = mask.filter(|m| m.len() != n * n) {
            return Err(Error::input(
                format!("a mask of {} values (target x source)", n * n),
                m.len().to_string(),
            ));
        }
        let rows: Vec<(Vec<f64>, f64)> =
            (0..n).into_par_iter().map(|j| self.fit_target(j, alpha, mask)).collect::<Result<_>>()?;
        let intercept = rows.iter().map(|(_, b)| *b).collect();
        Ok(Ar1 { units: n, weights: rows.into_iter().flat_map(|(w, _)| w).collect(), intercept })
    }

    fn fit_target(&self, target: usize, alpha: f64, mask: Option<&[bool]>) -> Result<(Vec<f64>, f64)> {
        let n = self.units;
        let mut weights = vec![0.0; n];
        let with_target: Vec<(&LagSums, usize)> = self
            .segments
            .iter()
            .filter_map(|s| s.seen.binary_search(&target).ok().map(|place| (s, place)))
            .collect();
        let count: f64 = with_target.iter().map(|(s, _)| s.count).sum();
        if count == 0.0 {
            weights[target] = 1.0;
            return Ok((weights, 0.0));
        }
        // Regressors: allowed sources that were seen together with the target at least once.
        let mut used = vec![false; n];
        for &u in with_target.iter().flat_map(|(s, _)| &s.seen) {
            used[u] = true;
        }
        let sources: Vec<usize> =
            (0..n).filter(|&i| used[i] && mask.is_none_or(|m| m[target * n + i])).collect();
        let p = sources.len();
        let mut place = vec![usize::MAX; n];
        sources.iter().enumerate().for_each(|(k, &i)| place[i] = k);
        let (mut gram, mut rhs, mut mean) = (vec![0.0; p * p], vec![0.0; p], vec![0.0; p]);
        let mut target_mean = 0.0;
        for (s, j) in with_target {
            let width = s.seen.len();
            let local: Vec<(usize, usize)> = s
                .seen
                .iter()
                .enumerate()
                .map(|(k, &u)| (k, place[u]))
                .filter(|&(_, g)| g != usize::MAX)
                .collect();
            target_mean += s.next[j];
            for &(k, g) in &local {
                mean[g] += s.now[k];
                rhs[g] += s.lagged[k * width + j];
                let (from, to) = (&s.gram[k * width..(k + 1) * width], &mut gram[g * p..(g + 1) * p]);
                for &(l, h) in &local {
                    to[h] += from[l];
                }
            }
        }
        for m in &mut mean {
            *m /= count;
        }
        target_mean /= count;
        for i in 0..p {
            rhs[i] -= count * mean[i] * target_mean;
            for k in 0..p {
                gram[i * p + k] -= count * mean[i] * mean[k];
            }
            gram[i * p + i] += alpha;
        }
        solve_positive(gram, p, &mut rhs, 1)?;
        let mut intercept = target_mean;
        for ((&i, w), m) in sources.iter().zip(&rhs).zip(&mean) {
            weights[i] = *w;
            intercept -= w * m;
        }
        Ok((weights, intercept))
    }
}

/// Mean squared error of "the next step equals this one" over the seen units, and how many values it is over.
pub fn persistence_error(segment: &Masked) -> (f64, usize) {
    let (seen, n) = (segment.seen(), segment.steps.saturating_sub(1));
    let total =
        seen.iter().map(|&u| segment.row(u).windows(2).map(|w| (w[1] - w[0]).powi(2)).sum::<f64>()).sum();
    mean_of(total, seen.len() * n)
}

fn mean_of(total: f64, count: usize) -> (f64, usize) {
    (if count == 0 { 0.0 } else { total / count as f64 }, count)
}

fn require_penalty(alpha: f64) -> Result<()> {
    if alpha.is_finite() && alpha >= 0.0 {
        Ok(())
    } else {
        Err(Error::config("a finite, non-negative ridge penalty", alpha.to_string()))
    }
}

fn rows(name: &str, values: &[f64], width: usize) -> Result<usize> {
    if width == 0 || values.is_empty() || !values.len().is_multiple_of(width) {
        return Err(Error::input(
            format!("a positive multiple of {width} values in {name}"),
            format!("{} values", values.len()),
        ));
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(values.len() / width),
        Some(i) => Err(Error::input(
            format!("finite values in {name}"),
            format!("{} at row {}, column {}", values[i], i / width, i % width),
        )),
    }
}

fn column_means(values: &[f64], width: usize) -> Vec<f64> {
    let mut mean = vec![0.0; width];
    for row in values.chunks_exact(width) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
    }
    let n = (values.len() / width) as f64;
    for m in &mut mean {
        *m /= n;
    }
    mean
}

fn transpose(values: &[f64], rows: usize, columns: usize) -> Vec<f64> {
    let mut out = vec![0.0; values.len()];
    for (r, row) in values.chunks_exact(columns).enumerate() {
        row.iter().enumerate().for_each(|(c, v)| out[c * rows + r] = *v);
    }
    out
}

fn gram_of_rows(values: &[f64], rows: usize, width: usize) -> Vec<f64> {
    let mut gram = vec![0.0; rows * rows];
    for i in 0..rows {
        for k in 0..=i {
            let v = dot(&values[i * width..(i + 1) * width], &values[k * width..(k + 1) * width]);
            gram[i * rows + k] = v;
            gram[k * rows + i] = v;
        }
    }
    gram
}

/// Dot product in eight fixed lanes, so that it vectorises and still has one order of summation.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (head_a, tail_a) = a.as_chunks::<8>();
    let (head_b, tail_b) = b.as_chunks::<8>();
    for (x, y) in head_a.iter().zip(head_b) {
        for l in 0..8 {
            lanes[l] += x[l] * y[l];
        }
    }
    let tail: f64 = tail_a.iter().zip(tail_b).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + tail
}

/// Solves `a x = b` in place for symmetric positive definite `a` (n x n) and `b` (n x columns).
fn solve_positive(a: Vec<f64>, n: usize, b: &mut [f64], columns: usize) -> Result<()> {
    if n == 0 {
        return Ok(());
    }
    // A factor of a singular system can pass with a rounded pivot; its smallest pivot tells.
    let singular = || {
        Error::input("linearly independent regressors", "a singular system")
            .hint("use a larger ridge penalty")
    };
    let a = Matrix::new(n, n, a)?;
    let l = linalg::cholesky(&a).map_err(|_| singular())?;
    if (0..n).any(|i| l.row(i)[i].powi(2) <= 1e-14 * a.row(i)[i]) {
        return Err(singular());
    }
    let x = linalg::solve_factored(&l, &Matrix::new(n, columns, b.to_vec())?)?;
    b.copy_from_slice(x.data());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primal_and_dual_forms_agree() -> Result<()> {
        // 3 samples of 4 features use the dual form; two copies of each sample with twice the penalty use the primal.
        let x = [1.0, 2.0, 0.5, -1.0, 0.3, -0.7, 2.0, 1.1, -1.0, 0.4, 0.9, 0.2];
        let y = [1.0, -2.0, 0.5];
        let dual = Ridge::fit(&x, &y, 4, 1, 0.5)?;
        let primal = Ridge::fit(&x.repeat(2), &y.repeat(2), 4, 1, 1.0)?;
        assert!(dual.weights().iter().zip(primal.weights()).all(|(a, b)| (a - b).abs() < 1e-12));
        assert!((dual.predict(&x)?[1] - primal.predict(&x)?[1]).abs() < 1e-12);
        Ok(())
    }

    #[test]
    fn unseen_units_are_never_read() -> Result<()> {
        let mut x: Vec<f64> = (0..60).map(|i| (i as f64 * 0.37).sin()).collect();
        let present = [true, false, true];
        let a = Ar1::fit(&[Masked::new(&x, &present)?], 0.1, None)?;
        x[20..40].fill(f64::NAN);
        let segment = Masked::new(&x, &present)?;
        assert_eq!(a, Ar1::fit(&[segment], 0.1, None)?);
        assert!(a.squared_error(&segment)?.0.is_finite() && persistence_error(&segment).1 == 38);
        assert_eq!(a.weights()[3..6], [0.0, 1.0, 0.0]);
        Ok(())
    }

    #[test]
    fn refuses_what_disagrees() {
        assert!(Ridge::fit(&[1.0, f64::NAN], &[1.0, 2.0], 1, 1, 1.0).is_err());
        assert!(Ridge::fit(&[1.0, 2.0], &[1.0], 1, 1, 1.0).is_err());
        assert!(Ridge::fit(&[1.0, 1.0], &[1.0, 2.0], 1, 1, 0.0).is_err());
        assert!(Masked::new(&[1.0; 5], &[true, true]).is_err());
        assert!(Ar1::fit(&[], 1.0, None).is_err());
    }
}
