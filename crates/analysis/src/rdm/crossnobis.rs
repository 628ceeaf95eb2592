use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, distances, linalg, sums};
use serde::{Deserialize, Serialize};

/// Target towards which a sample covariance is shrunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Shrinkage {
    /// A multiple of the identity (Ledoit and Wolf 2004).
    Identity,
    /// The diagonal of the sample covariance (Schaefer and Strimmer 2005).
    Diagonal,
}

/// The shrunk covariance of residuals (samples x units) with `df` degrees of freedom (samples minus the number of means
/// removed): (1 - lambda) S + lambda T, where lambda is estimated from the data. Returns the covariance and lambda.
pub fn shrunk_covariance(residuals: &Matrix, df: f64, target: Shrinkage) -> Result<(Matrix, f64)> {
    residuals.require_finite()?;
    let (n, p) = residuals.shape();
    if n < 2 || df.is_nan() || df <= 0.0 {
        return Err(Error::input("at least 2 residuals and 1 degree of freedom", format!("{n} and {df}")));
    }
    let products = linalg::gram_of_columns(residuals);
    // Sum over samples of (x_i x_j)^2 for every pair of units.
    let squares = linalg::gram_of_columns(&residuals.map(|v| v * v));
    let count = n as f64;
    let s = products.map(|v| v / count);
    match target {
        Shrinkage::Identity => {
            let m = linalg::trace(&s) / p as f64;
            let d2: f64 = sums::sum_by(p * p, |k| {
                let t = s.data()[k] - if k / p == k % p { m } else { 0.0 };
                t * t
            });
            let b2 = sums::sum_by(p * p, |k| squares.data()[k] / count - s.data()[k] * s.data()[k]) / count;
            let lambda = if d2 > 0.0 { (b2 / d2).clamp(0.0, 1.0) } else { 1.0 };
            let scale = count / df;
            let shrunk = Matrix::from_fn(p, p, |i, j| {
                scale * ((1.0 - lambda) * s[(i, j)] + if i == j { lambda * m } else { 0.0 })
            });
            Ok((shrunk, lambda))
        }
        Shrinkage::Diagonal => {
            let variance = s.diagonal();
            if let Some(i) = variance.iter().position(|v| *v <= 0.0) {
                return Err(Error::input("residuals that vary", format!("zero variance of unit {i}")));
            }
            // Sum of the variances of the correlations over the sum of the squared correlations, off the diagonal.
            let (mut noise, mut signal) = (0.0, 0.0);
            for i in 0..p {
                for j in (0..p).filter(|&j| j != i) {
                    let scale = variance[i] * variance[j];
                    noise += (squares[(i, j)] / count - s[(i, j)] * s[(i, j)]) / scale;
                    signal += s[(i, j)] * s[(i, j)] / scale;
                }
            }
            let lambda = if signal > 0.0 { (noise / (count - 1.0) / signal).clamp(0.0, 1.0) } else { 1.0 };
            let shrunk =
                Matrix::from_fn(p, p, |i, j| products[(i, j)] / df * if i == j { 1.0 } else { 1.0 - lambda });
            Ok((shrunk, lambda))
        }
    }
}

/// The inverse of [`shrunk_covariance`].
pub fn shrunk_precision(residuals: &Matrix, df: f64, target: Shrinkage) -> Result<Matrix> {
    let (covariance, _) = shrunk_covariance(residuals, df, target)?;
    let inverse = linalg::cholesky_solve(&covariance, &Matrix::identity(covariance.rows())).map_err(|e| {
        e.hint("residuals of fewer dimensions than units need shrinkage towards the identity")
    })?;
    // Exactly symmetric.
    Ok(Matrix::from_fn(inverse.rows(), inverse.cols(), |i, j| 0.5 * (inverse[(i, j)] + inverse[(j, i)])))
}

/// The cross-validated squared Mahalanobis distance ("crossnobis"), condensed: for each pair of stimuli the product of
/// the whitened pattern differences of two folds, averaged over all pairs of folds and divided by the number of units.
///
/// `folds` holds one stimuli x units matrix per fold (session, run), all of one shape; `precision` is units x units, or
/// `None` for plain cross-validated squared Euclidean distances. Unbiased: pure noise averages 0, so values may be
/// negative.
pub fn crossnobis(folds: &[Matrix], precision: Option<&Matrix>) -> Result<Vec<f64>> {
    let [first, rest @ ..] = folds else { return Err(Error::input("at least 2 folds", "0")) };
    if rest.is_empty() {
        return Err(Error::input("at least 2 folds", "1"));
    }
    let (stimuli, units) = first.shape();
    if stimuli < 2 {
        return Err(Error::input("at least 2 stimuli", stimuli.to_string()));
    }
    for (k, fold) in folds.iter().enumerate() {
        if fold.shape() != first.shape() {
            return Err(Error::input(
                format!("{stimuli} stimuli x {units} units in fold {k}"),
                format!("{} x {}", fold.rows(), fold.cols()),
            ));
        }
        fold.require_finite().map_err(|e| e.at(format!("fold {k}")))?;
    }
    if let Some(p) = precision.filter(|p| p.shape() != (units, units)) {
        return Err(Error::input(
            format!("a {units} x {units} precision"),
            format!("{} x {}", p.rows(), p.cols()),
        ));
    }
    let whitened = match precision {
        None => None,
        Some(p) => {
            let factor = linalg::cholesky(p)?;
            Some(folds.iter().map(|f| linalg::matmul(&f.centred(), &factor)).collect::<Result<Vec<_>>>()?)
        }
    };
    let folds = whitened.as_deref().unwrap_or(folds);
    // The sum over ordered pairs of different folds of A_f A_g^T. The matrix of ones without its diagonal has the
    // eigenvectors of the mean (eigenvalue F - 1) and of F - 1 contrasts (eigenvalue -1), so the sum is F symmetric
    // products; contrast k of Helmert is the mean of the first k folds minus fold k + 1.
    let f = folds.len();
    let means: Vec<Vec<f64>> = folds.iter().map(Matrix::col_means).collect();
    let mixed = |weights: &[f64]| {
        Matrix::by_rows(stimuli, units, |i, row| {
            let each =
                |f: usize| folds[f].row(i).iter().zip(&means[f]).map(move |(v, m)| weights[f] * (v - m));
            row.iter_mut().zip(each(0)).for_each(|(o, v)| *o = v);
            for f in 1..weights.len() {
                row.iter_mut().zip(each(f)).for_each(|(o, v)| *o += v);
            }
        })
    };
    let mut kernel = linalg::upper_gram(&mixed(&vec![((f - 1) as f64 / f as f64).sqrt(); f]));
    for k in 1..f {
        let size = k as f64;
        let mut weights = vec![1.0 / size; k];
        weights.push(-1.0);
        linalg::add_upper_gram(&mut kernel, -size / (size + 1.0), &mixed(&weights))?;
    }
    let pairs = (f * (f - 1)) as f64;
    let scale = 1.0 / (pairs * units as f64);
    Ok(distances::for_each_pair(stimuli, |i, j| {
        scale * (kernel[(i, i)] + kernel[(j, j)] - 2.0 * kernel[(i, j)])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;
    use neuropil_math::distances::Metric;

    #[test]
    fn identical_folds_give_the_plain_squared_distance() -> Result<()> {
        let mut s = Streams::new(1).stream("crossnobis", 0);
        let x = Matrix::from_fn(9, 5, |_, _| s.normal());
        let d = crossnobis(&[x.clone(), x.clone(), x.clone()], None)?;
        let plain = distances::pairwise(&x, Metric::SquaredEuclidean)?;
        assert!(d.iter().zip(&plain).all(|(a, b)| (a - b / 5.0).abs() < 1e-12));
        Ok(())
    }

    #[test]
    fn pure_noise_averages_zero() -> Result<()> {
        let mut s = Streams::new(2).stream("crossnobis", 0);
        let mut means = Vec::new();
        for _ in 0..200 {
            let folds: Vec<Matrix> = (0..3).map(|_| Matrix::from_fn(8, 20, |_, _| s.normal())).collect();
            means.push(neuropil_math::statistics::mean(&crossnobis(&folds, None)?));
        }
        let (mean, error) = (neuropil_math::statistics::mean(&means), neuropil_math::statistics::sem(&means));
        assert!(mean.abs() < 4.0 * error, "{mean} +- {error}");
        // The same without cross-validation would be 2.
        assert!(mean.abs() < 0.1);
        Ok(())
    }

    #[test]
    fn whitening_makes_the_noise_metric_flat() -> Result<()> {
        let mut s = Streams::new(3).stream("whiten", 0);
        let residuals = Matrix::from_fn(4000, 3, |_, j| s.normal() * [1.0, 2.0, 4.0][j]);
        for target in [Shrinkage::Identity, Shrinkage::Diagonal] {
            let p = shrunk_precision(&residuals, 4000.0, target)?;
            for (j, sd) in [1.0_f64, 2.0, 4.0].iter().enumerate() {
                // A variance from 4000 samples is known to 2.2 %; four of those.
                assert!((p[(j, j)] * sd * sd - 1.0).abs() < 0.1, "{target:?} {}", p[(j, j)]);
            }
        }
        // Fewer samples than units: the sample covariance alone could not be inverted.
        let few = Matrix::from_fn(5, 12, |_, _| s.normal());
        assert!(shrunk_precision(&few, 4.0, Shrinkage::Identity).is_ok());
        Ok(())
    }

    #[test]
    fn mismatches_are_refused() {
        let x = Matrix::zeros(4, 3);
        assert!(crossnobis(std::slice::from_ref(&x), None).is_err());
        assert!(crossnobis(&[x.clone(), Matrix::zeros(4, 2)], None).is_err());
        assert!(crossnobis(&[x.clone(), x.clone()], Some(&Matrix::identity(2))).is_err());
        assert!(crossnobis(&[x.clone(), x.map(|_| f64::NAN)], None).is_err());
    }
}
