//! Streaming correlations, LASSO and CCA against NumPy and scikit-learn (`reference/make_convergence.py`).
#![allow(clippy::expect_used, reason = "a broken reference file must fail the test")]

use neuropil_analysis::cca::{cca, cca_of_covariances};
use neuropil_analysis::covariance::{Covariance, Moments};
use neuropil_analysis::lasso::{LassoOptions, lasso_paths};
use neuropil_core::Result;
use neuropil_math::Matrix;
use std::collections::BTreeMap;

const UNITS: [usize; 6] = [0, 1, 2, 3, 4, 5];
const TARGETS: [usize; 4] = [6, 7, 8, 9];

fn reference() -> BTreeMap<&'static str, Vec<f64>> {
    include_str!("reference/convergence.txt")
        .lines()
        .map(|line| {
            let mut cells = line.split(' ');
            let name = cells.next().expect("name");
            (name, cells.map(|c| c.parse().expect("number")).collect())
        })
        .collect()
}

fn matrices(r: &BTreeMap<&'static str, Vec<f64>>) -> Result<(Matrix, Matrix)> {
    Ok((Matrix::new(120, 6, r["x"].clone())?, Matrix::new(120, 4, r["y"].clone())?))
}

/// The covariance of all ten units, taken in blocks of samples.
fn covariance(r: &BTreeMap<&'static str, Vec<f64>>) -> Result<Covariance> {
    let (x, y) = matrices(r)?;
    let mut moments = Moments::new(vec![0.5; 10]);
    for from in (0..120).step_by(50) {
        let to = (from + 50).min(120);
        let value = |u: usize, t: usize| if u < 6 { x[(t, u)] } else { y[(t, u - 6)] };
        moments.add(Matrix::from_fn(10, to - from, |u, t| value(u, from + t)), None)?;
    }
    moments.covariance()
}

#[test]
fn streamed_correlations_are_numpys() -> Result<()> {
    let r = reference();
    let all: Vec<usize> = (0..10).collect();
    let found = covariance(&r)?.correlation(&all, &all)?;
    // Means of 120 products of order 1.
    assert!(found.data().iter().zip(&r["corrcoef"]).all(|(a, b)| (a - b).abs() < 1e-12));
    Ok(())
}

#[test]
fn lasso_has_the_weights_of_scikit_learn() -> Result<()> {
    let r = reference();
    let c = covariance(&r)?;
    let (gram, cross) = (c.correlation(&UNITS, &UNITS)?, c.correlation(&UNITS, &TARGETS)?);
    let lambdas = [0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1];
    let names = ["lasso.0", "lasso.1e-05", "lasso.0.0001", "lasso.0.001", "lasso.0.01", "lasso.0.1"];
    let paths = lasso_paths(&gram, &cross, &[1.0; 4], &lambdas, LassoOptions::default())?;
    for (k, name) in names.iter().enumerate() {
        let found: Vec<f64> = paths.iter().flat_map(|p| p[k].weights.clone()).collect();
        // The last sweep moves no weight by 1e-6; with correlations up to 0.9 what is left is below ten such steps.
        let worst = found.iter().zip(&r[name]).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(worst < 1e-5, "{name}: {worst:e}");
        assert!(paths.iter().all(|p| p[k].converged && p[k].gap <= 1e-6), "{name}");
    }
    Ok(())
}

#[test]
fn canonical_correlations_are_numpys() -> Result<()> {
    let r = reference();
    let (x, y) = matrices(&r)?;
    let c = covariance(&r)?;
    let of = |a: &[usize], b: &[usize]| c.block(a, b);
    let whitened =
        cca_of_covariances(&of(&UNITS, &UNITS)?, &of(&TARGETS, &TARGETS)?, &of(&UNITS, &TARGETS)?)?;
    for (found, tolerance) in [(cca(&x, &y)?, 1e-12), (whitened, 1e-9)] {
        // The covariance form squares the condition of the units.
        assert!(found.correlations.iter().zip(&r["cca"]).all(|(a, b)| (a - b).abs() < tolerance));
    }
    Ok(())
}
