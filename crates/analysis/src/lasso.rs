//! Sparse linear regression (LASSO) from covariances: how few predictors explain a target.
//!
//! With G = X^T X / N, q = X^T y / N and s = y^T y / N of centred variables, the objective
//! `1/(2N) |y - X w|^2 + lambda |w|_1` is `s/2 - q w + w G w / 2 + lambda |w|_1`: its cost does not depend on N. Cyclic
//! coordinate descent (Friedman, Hastie and Tibshirani 2010) over an active set, warm starts down the path, and a duality
//! gap as proof that the minimum was reached.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg, sums};
use serde::{Deserialize, Serialize};

/// When a fit is finished.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct LassoOptions {
    /// Largest change of a weight in the last sweep, in the units of the weights.
    pub tolerance: f64,
    /// Largest duality gap as a fraction of the target's variance.
    pub gap: f64,
    /// Sweeps per penalty at most; a fit that needs more is returned with `converged: false`.
    pub sweeps: usize,
}

impl Default for LassoOptions {
    fn default() -> Self {
        Self { tolerance: 1e-6, gap: 1e-6, sweeps: 20_000 }
    }
}

/// The weights of one target at one penalty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LassoFit {
    /// The penalty.
    pub lambda: f64,
    /// One weight per predictor.
    pub weights: Vec<f64>,
    /// Duality gap as a fraction of the target's variance: the objective is at most this far from its minimum. For
    /// lambda = 0, the largest gradient in units of the target's SD.
    pub gap: f64,
    /// Whether both tolerances were met.
    pub converged: bool,
}

impl LassoFit {
    /// Number of weights of which the size exceeds `threshold`.
    pub fn support(&self, threshold: f64) -> usize {
        self.weights.iter().filter(|w| w.abs() > threshold).count()
    }
}

/// The fits of one target for each of `lambdas`, in the order given. `gram` is predictors x predictors, `cross` the
/// covariance of each predictor with the target, `variance` that of the target, all with divisor N. lambda = 0 is the
/// least-squares solution of smallest norm. Fails on shapes that disagree, NaN or infinity, a target without variance and a
/// negative or infinite lambda.
pub fn lasso_path(
    gram: &Matrix,
    cross: &[f64],
    variance: f64,
    lambdas: &[f64],
    options: LassoOptions,
) -> Result<Vec<LassoFit>> {
    let inverse = Inverse::new(gram)?;
    path(gram, &inverse, cross, variance, lambdas, options)
}

/// [`lasso_path`] for many targets with the same predictors, in parallel: `cross` is predictors x targets; one path per
/// target.
pub fn lasso_paths(
    gram: &Matrix,
    cross: &Matrix,
    variances: &[f64],
    lambdas: &[f64],
    options: LassoOptions,
) -> Result<Vec<Vec<LassoFit>>> {
    if cross.cols() != variances.len() {
        return Err(Error::input(
            format!("{} variances, one per target", cross.cols()),
            variances.len().to_string(),
        ));
    }
    let inverse = Inverse::new(gram)?;
    sums::map(cross.cols(), |t| {
        path(gram, &inverse, &cross.col(t), variances[t], lambdas, options)
            .map_err(|e| e.at(format!("target {t}")))
    })
    .into_iter()
    .collect()
}

/// The pseudo-inverse of the Gram matrix, for least squares.
struct Inverse(linalg::SymmetricEigen);

impl Inverse {
    fn new(gram: &Matrix) -> Result<Self> {
        gram.require_finite()?;
        if gram.rows() != gram.cols() {
            return Err(Error::input("a square Gram matrix", format!("{} x {}", gram.rows(), gram.cols())));
        }
        linalg::symmetric_eigen(gram).map(Self)
    }

    /// Directions below 1e-12 of the largest variance are rounding and count as none.
    fn apply(&self, q: &[f64]) -> Result<Vec<f64>> {
        let least = 1e-12 * self.0.values.last().copied().unwrap_or(0.0);
        let mut along = linalg::matvec_t(&self.0.vectors, q)?;
        for (c, &v) in along.iter_mut().zip(&self.0.values) {
            *c = if v > least { *c / v } else { 0.0 };
        }
        linalg::matvec(&self.0.vectors, &along)
    }
}

fn path(
    gram: &Matrix,
    inverse: &Inverse,
    cross: &[f64],
    variance: f64,
    lambdas: &[f64],
    options: LassoOptions,
) -> Result<Vec<LassoFit>> {
    let p = gram.rows();
    if cross.len() != p {
        return Err(Error::input(format!("{p} covariances, one per predictor"), cross.len().to_string()));
    }
    if let Some(i) = cross.iter().position(|v| !v.is_finite()) {
        return Err(Error::input("finite covariances", format!("{} at predictor {i}", cross[i])));
    }
    if !(variance.is_finite() && variance > 0.0) {
        return Err(Error::input("a target with a positive variance", variance.to_string()));
    }
    if let Some(bad) = lambdas.iter().find(|l| !(l.is_finite() && **l >= 0.0)) {
        return Err(Error::config("penalties of at least 0", bad.to_string()));
    }
    let least_squares = inverse.apply(cross)?;
    let mut order: Vec<usize> = (0..lambdas.len()).collect();
    order.sort_by(|&a, &b| lambdas[b].total_cmp(&lambdas[a]));
    let mut fits: Vec<Option<LassoFit>> = vec![None; lambdas.len()];
    let mut state = Descent::new(gram, cross, vec![0.0; p]);
    for k in order {
        let lambda = lambdas[k];
        if lambda == 0.0 {
            let at = Descent::new(gram, cross, least_squares.clone());
            let steepest = at.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs())) / variance.sqrt();
            let converged = steepest <= options.tolerance;
            fits[k] = Some(LassoFit { lambda, weights: at.weights, gap: steepest, converged });
            continue;
        }
        // Near lambda = 0 least squares is a better start than the sparser solution before.
        let dense = Descent::new(gram, cross, least_squares.clone());
        if dense.objective(lambda) < state.objective(lambda) {
            state = dense;
        }
        let (gap, converged) = state.minimise(lambda, variance, options);
        fits[k] = Some(LassoFit { lambda, weights: state.weights.clone(), gap, converged });
    }
    Ok(fits.into_iter().flatten().collect())
}

/// Weights and the negative gradient q - G w of the smooth part, kept up to date.
struct Descent<'a> {
    gram: &'a Matrix,
    cross: &'a [f64],
    weights: Vec<f64>,
    gradient: Vec<f64>,
}

impl<'a> Descent<'a> {
    fn new(gram: &'a Matrix, cross: &'a [f64], weights: Vec<f64>) -> Self {
        let mut this = Self { gram, cross, weights, gradient: Vec::new() };
        this.refresh();
        this
    }

    /// Computes the gradient afresh, so that rounding does not add up over sweeps.
    fn refresh(&mut self) {
        self.gradient = self
            .cross
            .iter()
            .zip(self.gram.row_iter())
            .map(|(q, row)| q - sums::dot(row, &self.weights))
            .collect();
    }

    /// w G w and q w.
    fn forms(&self) -> (f64, f64) {
        let qw = sums::dot(self.cross, &self.weights);
        (qw - sums::dot(&self.gradient, &self.weights), qw)
    }

    /// The objective without the constant s / 2.
    fn objective(&self, lambda: f64) -> f64 {
        let (wgw, qw) = self.forms();
        0.5 * wgw - qw + lambda * self.weights.iter().map(|w| w.abs()).sum::<f64>()
    }

    /// Updates one weight; returns how far it moved.
    fn coordinate(&mut self, j: usize, lambda: f64) -> f64 {
        let row = self.gram.row(j);
        let (own, old) = (row[j], self.weights[j]);
        if own <= 0.0 {
            return 0.0;
        }
        let z = self.gradient[j] + own * old;
        let new = z.signum() * (z.abs() - lambda).max(0.0) / own;
        let moved = new - old;
        if moved != 0.0 {
            self.weights[j] = new;
            self.gradient.iter_mut().zip(row).for_each(|(g, v)| *g -= moved * v);
        }
        moved.abs()
    }

    /// Duality gap (Kim et al. 2007) for the scaled residual as the dual point, as a fraction of the variance.
    fn gap(&self, lambda: f64, variance: f64) -> f64 {
        let (wgw, qw) = self.forms();
        let residual = (variance - 2.0 * qw + wgw).max(0.0);
        let steepest = self.gradient.iter().fold(0.0_f64, |m, g| m.max(g.abs()));
        let scale = if steepest > lambda { lambda / steepest } else { 1.0 };
        let penalty = lambda * self.weights.iter().map(|w| w.abs()).sum::<f64>();
        (0.5 * residual * (1.0 + scale * scale) + penalty - scale * (variance - qw)) / variance
    }

    fn minimise(&mut self, lambda: f64, variance: f64, options: LassoOptions) -> (f64, bool) {
        let all: Vec<usize> = (0..self.weights.len()).collect();
        let mut tolerance = options.tolerance;
        let mut left = options.sweeps.max(1);
        loop {
            let moved = all.iter().fold(0.0_f64, |m, &j| m.max(self.coordinate(j, lambda)));
            left -= 1;
            if moved < tolerance {
                self.refresh();
                let gap = self.gap(lambda, variance);
                if gap <= options.gap {
                    return (gap, true);
                }
                tolerance *= 0.1;
            }
            let active: Vec<usize> = all.iter().copied().filter(|&j| self.weights[j] != 0.0).collect();
            while left > 0 {
                let moved = active.iter().fold(0.0_f64, |m, &j| m.max(self.coordinate(j, lambda)));
                left -= 1;
                if moved < tolerance {
                    break;
                }
            }
            if left == 0 {
                self.refresh();
                return (self.gap(lambda, variance), false);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn problem(n: usize, p: usize) -> Result<(Matrix, Vec<f64>, f64)> {
        let mut s = Streams::new(5).stream("lasso", 0);
        let shared = s.normals(n);
        let x = Matrix::from_fn(n, p, |i, _| 0.7 * shared[i] + s.normal()).centred();
        let y = Matrix::from_fn(n, 1, |i, _| 2.0 * x[(i, 0)] - x[(i, 1)] + 0.5 * s.normal()).centred();
        let scale = 1.0 / n as f64;
        let gram = linalg::gram_of_columns(&x).map(|v| v * scale);
        let cross = linalg::matmul_tn(&x, &y)?.map(|v| v * scale).into_data();
        Ok((gram, cross, sums::dot(y.data(), y.data()) * scale))
    }

    #[test]
    fn the_ends_of_the_path_are_least_squares_and_nothing() -> Result<()> {
        let (gram, cross, variance) = problem(200, 8)?;
        let top = cross.iter().fold(0.0_f64, |m, q| m.max(q.abs()));
        let path = lasso_path(&gram, &cross, variance, &[0.0, top, top * 0.999], LassoOptions::default())?;
        let exact = linalg::cholesky_solve(&gram, &Matrix::column(cross.clone()))?;
        // A well conditioned system of 8 unknowns.
        assert!(path[0].weights.iter().zip(exact.data()).all(|(a, b)| (a - b).abs() < 1e-10));
        assert!(path[1].weights.iter().all(|w| *w == 0.0) && path[1].gap.abs() < 1e-12);
        assert_eq!(path[2].support(0.0), 1);
        assert!(path.iter().all(|f| f.converged));
        Ok(())
    }

    #[test]
    fn the_conditions_of_the_optimum_hold_and_warm_starts_change_nothing() -> Result<()> {
        let (gram, cross, variance) = problem(60, 30)?;
        let lambdas = [1e-4, 0.3, 1e-2, 0.1];
        let options = LassoOptions { tolerance: 1e-9, gap: 1e-10, ..LassoOptions::default() };
        let path = lasso_path(&gram, &cross, variance, &lambdas, options)?;
        for fit in &path {
            assert!(fit.converged && fit.gap <= 1e-10);
            let at = Descent::new(&gram, &cross, fit.weights.clone());
            for (w, g) in fit.weights.iter().zip(&at.gradient) {
                // Steps below 1e-9 leave gradients within a few times that.
                let slack = 1e-7;
                assert!(if *w == 0.0 {
                    g.abs() <= fit.lambda + slack
                } else {
                    (g - fit.lambda * w.signum()).abs() < slack
                });
            }
            let alone = lasso_path(&gram, &cross, variance, &[fit.lambda], options)?;
            assert!(alone[0].weights.iter().zip(&fit.weights).all(|(a, b)| (a - b).abs() < 1e-6));
        }
        Ok(())
    }

    #[test]
    fn many_targets_are_the_single_ones_and_collinear_predictors_end() -> Result<()> {
        let (gram, cross, variance) = problem(100, 6)?;
        // The same predictor twice.
        let twice = |i: usize| if i < 6 { i } else { 0 };
        let gram = Matrix::from_fn(7, 7, |i, j| gram[(twice(i), twice(j))]);
        let cross: Vec<f64> = (0..7).map(|i| cross[twice(i)]).collect();
        let lambdas = [0.0, 0.01, 0.1];
        let one = lasso_path(&gram, &cross, variance, &lambdas, LassoOptions::default())?;
        assert!(one.iter().all(|f| f.converged));
        assert!((one[0].weights[0] - one[0].weights[6]).abs() < 1e-9);
        let both = Matrix::from_fn(7, 2, |i, t| cross[i] * (1.0 - 2.0 * t as f64));
        let many = lasso_paths(&gram, &both, &[variance; 2], &lambdas, LassoOptions::default())?;
        assert_eq!(many[0], one);
        assert!(
            many[1].iter().zip(&one).all(|(a, b)| a.weights.iter().zip(&b.weights).all(|(x, y)| *x == -y))
        );
        Ok(())
    }

    #[test]
    fn unfit_requests_are_refused() -> Result<()> {
        let (gram, cross, variance) = problem(20, 3)?;
        let fit = |g: &Matrix, q: &[f64], v: f64, l: f64| lasso_path(g, q, v, &[l], LassoOptions::default());
        assert_eq!(fit(&gram, &cross, variance, -1.0).map_err(|e| e.exit_code()), Err(2));
        assert!(fit(&gram, &cross[1..], variance, 1.0).is_err() && fit(&gram, &cross, 0.0, 1.0).is_err());
        assert!(fit(&Matrix::zeros(2, 3), &cross, variance, 1.0).is_err());
        assert!(fit(&gram, &[0.0, f64::NAN, 0.0], variance, 1.0).is_err());
        Ok(())
    }
}
