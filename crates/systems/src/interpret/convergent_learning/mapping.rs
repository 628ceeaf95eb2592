//! One population predicted from another by linear maps: dense, sparse, and from the best single unit.

use super::samples::Covariances;
use neuropil_analysis::covariance::Covariance;
use neuropil_analysis::lasso::{LassoOptions, lasso_paths};
use neuropil_core::Result;
use neuropil_math::linalg::matmul;
use neuropil_math::statistics::mean;
use neuropil_math::Matrix;
use serde::{Deserialize, Serialize};

/// Penalties and thresholds.
#[derive(Debug, Clone, PartialEq)]
pub struct MappingOptions {
    /// Penalties, 0 among them.
    pub lambdas: Vec<f64>,
    /// A weight of this size or less counts as none.
    pub threshold: f64,
    /// The operating point is the largest penalty that keeps this share of the dense R^2.
    pub keep: f64,
    /// Most units per target of the map with few units.
    pub most_units: usize,
    /// Penalties per decade from 1 to 0.001 from which that map is taken, beside `lambdas`.
    pub per_decade: usize,
}

/// One penalty of the path: what its maps cost and predict, means of targets.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// The penalty.
    pub lambda: f64,
    /// Weights above the threshold.
    pub units: f64,
    /// Held-out R^2.
    pub explained: f64,
}

/// Maps from the units of one population to those of another. Inputs and targets are standardised on the samples fitted
/// on; R^2 are on held-out samples.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Mapping {
    /// The sweep: one point per penalty asked for.
    pub sweep: Vec<PathPoint>,
    /// The whole path, sweep included, penalties ascending.
    pub path: Vec<PathPoint>,
    /// Number of the operating point in the sweep.
    pub chosen: usize,
    /// Standardised weights at the operating point, predictors x targets.
    pub weights: Matrix,
    /// Held-out R^2 of each target at the operating point.
    pub target_explained: Vec<f64>,
    /// Held-out R^2 of the best single unit, mean of targets.
    pub single: f64,
    /// Held-out R^2 with at most the allowed number of units per target, mean of targets.
    pub capped: f64,
    /// Units that those use, mean of targets.
    pub capped_units: f64,
    /// Fits that did not reach their tolerance.
    pub unfinished: usize,
    /// Variance of each target over the held-out samples.
    variances: Vec<f64>,
    /// The dense, the single-unit and the capped map.
    maps: [LinearMap; 3],
}

/// y = offset + slope x in the units of the data.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct LinearMap {
    /// Predictors x targets.
    slope: Matrix,
    /// One per target.
    offset: Vec<f64>,
}

impl LinearMap {
    /// From weights between units standardised on the samples of `fit`.
    fn new(weights: &Matrix, fit: &Covariance, a: &[usize], b: &[usize]) -> Self {
        let sd = fit.sd();
        let slope = Matrix::from_fn(a.len(), b.len(), |i, t| weights[(i, t)] * sd[b[t]] / sd[a[i]]);
        let offset = (0..b.len())
            .map(|t| fit.mean[b[t]] - a.iter().enumerate().map(|(i, &u)| slope[(i, t)] * fit.mean[u]).sum::<f64>())
            .collect();
        Self { slope, offset }
    }

    /// Mean squared error of each target on the samples of `c` as a fraction of `variances`, taken from 1; NaN where the
    /// variance is 0.
    fn explained(&self, c: &Covariance, a: &[usize], b: &[usize], variances: &[f64]) -> Result<Vec<f64>> {
        let (xx, xy) = (c.block(a, a)?, c.block(a, b)?);
        let predicted = matmul(&xx, &self.slope)?;
        Ok((0..b.len())
            .map(|t| {
                let (mut variance, mut error) = (c.matrix[(b[t], b[t])], c.mean[b[t]] - self.offset[t]);
                for (i, &u) in a.iter().enumerate() {
                    let w = self.slope[(i, t)];
                    variance += w * (predicted[(i, t)] - 2.0 * xy[(i, t)]);
                    error -= w * c.mean[u];
                }
                let squared = variance.max(0.0) + error * error;
                if variances[t] > 0.0 { 1.0 - squared / variances[t] } else { f64::NAN }
            })
            .collect())
    }
}

fn finite_mean(values: &[f64]) -> f64 {
    mean(&values.iter().copied().filter(|v| v.is_finite()).collect::<Vec<_>>())
}

impl Mapping {
    /// Fits all maps from the units `a` to the units `b`.
    pub fn fit(c: &Covariances, a: &[usize], b: &[usize], options: &MappingOptions) -> Result<Self> {
        let (gram, cross) = (c.fit.correlation(a, a)?, c.fit.correlation(a, b)?);
        let targets = b.len();
        let steps = 3 * options.per_decade;
        let between = (0..=steps).map(|k| 10_f64.powf(-(k as f64) / options.per_decade.max(1) as f64));
        let mut lambdas: Vec<f64> = options.lambdas.iter().copied().chain(between).collect();
        lambdas.sort_by(f64::total_cmp);
        lambdas.dedup();
        let paths = lasso_paths(&gram, &cross, &vec![1.0; targets], &lambdas, LassoOptions::default())?;
        let variances: Vec<f64> = b.iter().map(|&t| c.held_out.matrix[(t, t)]).collect();
        let explained = |map: &LinearMap| map.explained(&c.held_out, a, b, &variances);
        let weights = |choose: &dyn Fn(usize) -> Option<usize>| {
            Matrix::from_fn(a.len(), targets, |i, t| choose(t).map_or(0.0, |k| paths[t][k].weights[i]))
        };
        let count = |t: usize, k: usize| paths[t][k].support(options.threshold);
        let mut at_penalty = Vec::with_capacity(lambdas.len());
        let mut path = Vec::with_capacity(lambdas.len());
        for (k, &lambda) in lambdas.iter().enumerate() {
            let r2 = explained(&LinearMap::new(&weights(&|_| Some(k)), &c.fit, a, b))?;
            let units = (0..targets).map(|t| count(t, k)).sum::<usize>() as f64 / targets as f64;
            path.push(PathPoint { lambda, units, explained: finite_mean(&r2) });
            at_penalty.push(r2);
        }
        let sweep: Vec<usize> =
            options.lambdas.iter().filter_map(|l| lambdas.iter().position(|m| m == l)).collect();
        // Penalties ascend, so the first is the densest and the last that keeps enough is the largest.
        let enough = |k: usize| path[k].explained >= options.keep * path[0].explained;
        let operating = (0..lambdas.len()).rev().find(|k| sweep.contains(k) && enough(*k)).unwrap_or(0);
        let chosen = sweep.iter().position(|k| *k == operating).unwrap_or(0);
        // Each target takes the smallest penalty that leaves it few enough units; none does: it is predicted by its mean.
        let allowed: Vec<Option<usize>> = (0..targets)
            .map(|t| (0..lambdas.len()).find(|&k| count(t, k) <= options.most_units))
            .collect();
        let single = Matrix::from_fn(a.len(), targets, |i, t| {
            let best = (0..a.len()).fold(0, |m, j| if cross[(j, t)].abs() > cross[(m, t)].abs() { j } else { m });
            if i == best { cross[(i, t)] } else { 0.0 }
        });
        let maps = [weights(&|_| Some(0)), single, weights(&|t| allowed[t])]
            .map(|w| LinearMap::new(&w, &c.fit, a, b));
        let used: usize = (0..targets).filter_map(|t| allowed[t].map(|k| count(t, k))).sum();
        Ok(Self {
            sweep: sweep.iter().map(|&k| path[k]).collect(),
            path,
            chosen,
            weights: weights(&|_| Some(operating)),
            target_explained: at_penalty.swap_remove(operating),
            single: finite_mean(&explained(&maps[1])?),
            capped: finite_mean(&explained(&maps[2])?),
            capped_units: used as f64 / targets as f64,
            unfinished: paths.iter().flatten().filter(|f| !f.converged).count(),
            variances,
            maps,
        })
    }

    /// Held-out R^2 of the dense map: that of the smallest penalty.
    pub fn dense(&self) -> f64 {
        self.path.first().map_or(f64::NAN, |p| p.explained)
    }

    /// The operating point: the largest penalty of the sweep that keeps enough of the dense R^2.
    pub fn operating(&self) -> PathPoint {
        self.sweep[self.chosen]
    }

    /// Mean R^2 of the dense, the single-unit and the capped map on a resample of the held-out samples, as they were
    /// fitted. Errors are fractions of the variance over all held-out samples: a unit that only a few images drive has
    /// hardly any in a resample without them, and a ratio to that would say nothing.
    pub fn again(&self, held_out: &Covariance, a: &[usize], b: &[usize]) -> Result<[f64; 3]> {
        let mut out = [0.0; 3];
        for (o, map) in out.iter_mut().zip(&self.maps) {
            *o = finite_mean(&map.explained(held_out, a, b, &self.variances)?);
        }
        Ok(out)
    }
}
