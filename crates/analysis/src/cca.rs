//! Canonical correlation analysis (Hotelling 1936): the pairs of directions, one in each of two sets of units, along which
//! the sets agree best.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg, sums};
use serde::{Deserialize, Serialize};

/// Directions with less than this fraction of the largest singular value are rounding.
const RANK: f64 = 1e-10;

/// Canonical correlations, descending, with their directions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cca {
    /// Correlations within [0, 1], as many as the smaller rank of the two sets.
    pub correlations: Vec<f64>,
    /// Weights of the first set (units x correlations); the variates X a have variance 1.
    pub a: Matrix,
    /// Weights of the second set.
    pub b: Matrix,
}

/// CCA of two sets of units over the same samples (samples x units each), by QR and singular value decompositions (Bjorck
/// and Golub 1973); units that are combinations of others do no harm. Fails on different numbers of samples, NaN or
/// infinity, and a set that does not vary.
pub fn cca(x: &Matrix, y: &Matrix) -> Result<Cca> {
    if x.rows() != y.rows() {
        return Err(Error::input(format!("{} samples in both sets", x.rows()), y.rows().to_string()));
    }
    let (qx, wx) = basis(x)?;
    let (qy, wy) = basis(y)?;
    let svd = linalg::svd(&linalg::matmul_tn(&qx, &qy)?)?;
    let scale = (x.rows() as f64).sqrt();
    Ok(Cca {
        correlations: clamped(&svd.s),
        a: linalg::matmul(&wx, &svd.u)?.map(|v| v * scale),
        b: linalg::matmul(&wy, &svd.v)?.map(|v| v * scale),
    })
}

/// An orthonormal basis Q = X W of the centred columns, and W.
fn basis(x: &Matrix) -> Result<(Matrix, Matrix)> {
    x.require_finite()?;
    let centred = x.centred();
    let size = x.data().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let qr = linalg::qr(&centred)?;
    let svd = linalg::svd(&qr.r)?;
    let rank = rank(&svd.s, 1e-13 * size * (x.rows() as f64).sqrt())?;
    let kept: Vec<usize> = (0..rank).collect();
    let q = linalg::matmul(&qr.q, &svd.u.select_cols(&kept)?)?;
    let v = svd.v.select_cols(&kept)?;
    Ok((q, Matrix::from_fn(v.rows(), rank, |i, j| v[(i, j)] / svd.s[j])))
}

fn rank(singular_values: &[f64], floor: f64) -> Result<usize> {
    let most = singular_values.first().copied().unwrap_or(0.0);
    let rank = singular_values.iter().take_while(|s| **s > (RANK * most).max(floor)).count();
    if rank == 0 { Err(Error::input("units that vary", "constant units only")) } else { Ok(rank) }
}

fn clamped(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.clamp(0.0, 1.0)).collect()
}

/// CCA from covariances: `xx` and `yy` within the sets, `xy` (units of the first x units of the second) between them. Good
/// to about half the digits that [`cca`] has, for any number of samples. Fails as [`cca`] does.
pub fn cca_of_covariances(xx: &Matrix, yy: &Matrix, xy: &Matrix) -> Result<Cca> {
    check(xx, yy, xy)?;
    let (wx, wy) = (whitening(xx)?, whitening(yy)?);
    let svd = linalg::svd(&linalg::matmul(&linalg::matmul_tn(&wx, xy)?, &wy)?)?;
    Ok(Cca {
        correlations: clamped(&svd.s),
        a: linalg::matmul(&wx, &svd.u)?,
        b: linalg::matmul(&wy, &svd.v)?,
    })
}

fn check(xx: &Matrix, yy: &Matrix, xy: &Matrix) -> Result<()> {
    let (n1, n2) = xy.shape();
    for (m, n) in [(xx, n1), (yy, n2)] {
        m.require_finite()?;
        if m.shape() != (n, n) {
            return Err(Error::input(
                format!("{n} x {n} covariances beside {n1} x {n2} between the sets"),
                format!("{} x {}", m.rows(), m.cols()),
            ));
        }
    }
    xy.require_finite()
}

/// W with W^T S W = 1 over the directions that vary.
fn whitening(s: &Matrix) -> Result<Matrix> {
    let eigen = linalg::symmetric_eigen(s)?;
    let most = eigen.values.last().copied().unwrap_or(0.0);
    // Of a covariance only half the digits of the smallest directions are left.
    let kept: Vec<usize> =
        (0..s.rows()).rev().filter(|&k| eigen.values[k] > 1e-12 * most && eigen.values[k] > 0.0).collect();
    if kept.is_empty() {
        return Err(Error::input("units that vary", "constant units only"));
    }
    Ok(Matrix::from_fn(s.rows(), kept.len(), |i, k| {
        eigen.vectors[(i, kept[k])] / eigen.values[kept[k]].sqrt()
    }))
}

impl Cca {
    /// Correlations of the variates on other samples, given by their covariances: what the agreement is worth where it was
    /// not fitted. 0 for a variate that does not vary there.
    pub fn held_out(&self, xx: &Matrix, yy: &Matrix, xy: &Matrix) -> Result<Vec<f64>> {
        check(xx, yy, xy)?;
        let (xa, yb, xb) =
            (linalg::matmul(xx, &self.a)?, linalg::matmul(yy, &self.b)?, linalg::matmul(xy, &self.b)?);
        Ok((0..self.correlations.len())
            .map(|k| {
                let (a, b) = (self.a.col(k), self.b.col(k));
                let size = (sums::dot(&a, &xa.col(k)) * sums::dot(&b, &yb.col(k))).sqrt();
                if size > 0.0 { (sums::dot(&a, &xb.col(k)) / size).clamp(-1.0, 1.0) } else { 0.0 }
            })
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::{Stream, Streams};

    fn sets(n: usize, s: &mut Stream) -> (Matrix, Matrix) {
        let shared = Matrix::from_fn(n, 2, |_, _| s.normal());
        let x = Matrix::from_fn(n, 4, |i, j| shared[(i, j % 2)] + 0.5 * s.normal() + 3.0);
        let y = Matrix::from_fn(n, 3, |i, j| shared[(i, j % 2)] - 0.5 * shared[(i, 0)] + 0.4 * s.normal());
        (x, y)
    }

    fn covariances(x: &Matrix, y: &Matrix) -> Result<[Matrix; 3]> {
        let (x, y, n) = (x.centred(), y.centred(), x.rows() as f64);
        let of = |a: &Matrix, b: &Matrix| Ok(linalg::matmul_tn(a, b)?.map(|v| v / n));
        Ok([of(&x, &x)?, of(&y, &y)?, of(&x, &y)?])
    }

    #[test]
    fn variates_have_variance_one_and_the_correlations_stated() -> Result<()> {
        let mut s = Streams::new(6).stream("cca", 0);
        let (x, y) = sets(300, &mut s);
        let found = cca(&x, &y)?;
        assert_eq!(found.correlations.len(), 3);
        let [xx, yy, xy] = covariances(&x, &y)?;
        let within = linalg::matmul_tn(&found.a, &linalg::matmul(&xx, &found.a)?)?;
        let between = linalg::matmul_tn(&found.a, &linalg::matmul(&xy, &found.b)?)?;
        for i in 0..3 {
            for j in 0..3 {
                let one = f64::from(u8::from(i == j));
                // Well conditioned sets: rounding only.
                assert!((within[(i, j)] - one).abs() < 1e-11);
                assert!((between[(i, j)] - one * found.correlations[i]).abs() < 1e-11);
            }
        }
        let again = cca_of_covariances(&xx, &yy, &xy)?;
        let held = found.held_out(&xx, &yy, &xy)?;
        for ((a, h), r) in again.correlations.iter().zip(&held).zip(&found.correlations) {
            assert!((a - r).abs() < 1e-9 && (h - r).abs() < 1e-11);
        }
        Ok(())
    }

    #[test]
    fn invertible_maps_and_repeated_units_change_nothing() -> Result<()> {
        let mut s = Streams::new(7).stream("cca", 0);
        let (x, y) = sets(100, &mut s);
        let found = cca(&x, &y)?.correlations;
        let mixed = linalg::matmul(&x, &Matrix::from_fn(4, 4, |_, _| s.normal()))?;
        let repeated = Matrix::from_fn(100, 6, |i, j| x[(i, j % 4)] * (1.0 + j as f64));
        for other in [mixed, repeated] {
            let again = cca(&other, &y)?.correlations;
            assert!(again.len() == 3 && again.iter().zip(&found).all(|(a, b)| (a - b).abs() < 1e-9));
        }
        Ok(())
    }

    #[test]
    fn what_is_fitted_to_noise_is_worth_nothing_elsewhere() -> Result<()> {
        let mut s = Streams::new(8).stream("cca", 0);
        let mut noise = |n: usize| Matrix::from_fn(n, 10, |_, _| s.normal());
        let found = cca(&noise(40), &noise(40))?;
        let [xx, yy, xy] = covariances(&noise(2000), &noise(2000))?;
        let held = found.held_out(&xx, &yy, &xy)?;
        assert!(found.correlations[0] > 0.6);
        // SD 1 / sqrt(2000) = 0.022; five of them.
        assert!(held.iter().all(|r| r.abs() < 0.12), "{held:?}");
        Ok(())
    }

    #[test]
    fn unfit_sets_are_refused() -> Result<()> {
        let x = Matrix::from_fn(5, 2, |i, j| (i * (j + 1)) as f64);
        assert!(cca(&x, &Matrix::zeros(4, 1)).is_err() && cca(&x, &Matrix::zeros(5, 1)).is_err());
        assert!(cca(&x, &Matrix::new(5, 1, vec![f64::NAN; 5])?).is_err());
        assert!(cca_of_covariances(&x, &x, &x).is_err());
        assert!(
            cca_of_covariances(&Matrix::zeros(1, 1), &Matrix::zeros(1, 1), &Matrix::zeros(1, 1)).is_err()
        );
        Ok(())
    }
}
