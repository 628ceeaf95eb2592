//! Representational dissimilarity matrices (Kriegeskorte, Mur and Bandettini 2008).
//!
//! Responses are stimuli x units. An RDM is kept condensed (see [`neuropil_math::distances`]), P = S (S - 1) / 2 values
//! for S stimuli.

mod compare;
mod crossnobis;

pub use compare::{Comparison, NoiseCeiling, compare, noise_ceiling};
pub use crossnobis::{Shrinkage, crossnobis, shrunk_covariance, shrunk_precision};

use neuropil_core::{Error, Result};
use neuropil_math::distances::{self, Metric};
use neuropil_math::{Matrix, statistics};
use serde::{Deserialize, Serialize};

/// How two response patterns differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dissimilarity {
    /// Euclidean distance.
    Euclidean,
    /// Squared Euclidean distance.
    SquaredEuclidean,
    /// 1 - Pearson correlation across units; needs at least 2 units.
    Correlation,
    /// 1 - cosine.
    Cosine,
    /// Sum of absolute differences.
    Cityblock,
    /// Euclidean distance of square roots: for spike counts, whose variance it makes nearly constant.
    SqrtCounts,
}

impl Dissimilarity {
    /// The condensed RDM of responses (stimuli x units). Fails on fewer than 2 stimuli, on NaN or infinity, on a
    /// pattern without a direction (correlation, cosine) and on negative counts (square roots).
    pub fn rdm(self, responses: &Matrix) -> Result<Vec<f64>> {
        let metric = match self {
            Self::Euclidean => Metric::Euclidean,
            Self::SquaredEuclidean => Metric::SquaredEuclidean,
            Self::Correlation => Metric::Correlation,
            Self::Cosine => Metric::Cosine,
            Self::Cityblock => Metric::Cityblock,
            Self::SqrtCounts => {
                responses.require_finite()?;
                if let Some(v) = responses.data().iter().find(|v| **v < 0.0) {
                    return Err(Error::input("counts of at least 0 for square roots", v.to_string()));
                }
                return distances::pairwise(&responses.map(f64::sqrt), Metric::Euclidean);
            }
        };
        distances::pairwise(responses, metric)
    }
}

/// Fails unless `rdm` is a condensed matrix of at least `stimuli` stimuli whose values are finite and not all equal;
/// returns the number of stimuli. Negative values pass: cross-validated distances have them.
pub fn require_rdm(rdm: &[f64], stimuli: usize) -> Result<usize> {
    let n = distances::condensed_size(rdm.len())?;
    if n < stimuli {
        return Err(Error::input(format!("at least {stimuli} stimuli"), n.to_string()));
    }
    if let Some(k) = rdm.iter().position(|v| !v.is_finite()) {
        return Err(Error::input("finite dissimilarities", format!("{} at pair {k}", rdm[k])));
    }
    if rdm.iter().all(|v| *v == rdm[0]) {
        return Err(Error::input(
            "dissimilarities that vary",
            format!("{} for all {} pairs", rdm[0], rdm.len()),
        )
        .hint("a constant RDM has no ranks"));
    }
    Ok(n)
}

/// Fails unless no value is negative.
pub fn require_non_negative(rdm: &[f64]) -> Result<()> {
    match rdm.iter().position(|v| *v < 0.0) {
        None => Ok(()),
        Some(k) => Err(Error::input("dissimilarities of at least 0", format!("{} at pair {k}", rdm[k]))),
    }
}

/// Average ranks, shifted and scaled to [0, 1]. Removes overall scale, without which a region is recognised by its
/// response magnitude alone.
pub fn rank_normalise(rdm: &[f64]) -> Result<Vec<f64>> {
    require_rdm(rdm, 3)?;
    let ranks = statistics::ranks(rdm);
    let (low, high) =
        ranks.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &r| (a.min(r), b.max(r)));
    Ok(ranks.iter().map(|r| (r - low) / (high - low)).collect())
}

/// The mean of several RDMs of one length.
pub fn mean_rdm(rdms: &[Vec<f64>]) -> Result<Vec<f64>> {
    let Some(first) = rdms.first() else { return Err(Error::input("at least 1 RDM", "0")) };
    let mut out = vec![0.0; first.len()];
    for (k, r) in rdms.iter().enumerate() {
        if r.len() != out.len() {
            return Err(Error::input(format!("{} pairs in RDM {k}", out.len()), r.len().to_string()));
        }
        out.iter_mut().zip(r).for_each(|(o, v)| *o += v);
    }
    Ok(out.iter().map(|v| v / rdms.len() as f64).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_end_at_zero_and_one_with_ties_too() -> Result<()> {
        assert_eq!(rank_normalise(&[5.0, 1.0, 9.0])?, [0.5, 0.0, 1.0]);
        assert_eq!(rank_normalise(&[1.0, 1.0, 9.0, 9.0, 9.0, 9.0])?, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert!(rank_normalise(&[2.0; 3]).is_err());
        assert!(rank_normalise(&[1.0, f64::NAN, 2.0]).is_err());
        assert!(rank_normalise(&[1.0, 2.0]).is_err());
        Ok(())
    }

    #[test]
    fn square_roots_of_counts() -> Result<()> {
        let x = Matrix::new(3, 2, vec![0.0, 4.0, 9.0, 4.0, 1.0, 0.0])?;
        let d = Dissimilarity::SqrtCounts.rdm(&x)?;
        for (a, b) in d.iter().zip([3.0, 5.0_f64.sqrt(), 8.0_f64.sqrt()]) {
            assert!((a - b).abs() < 1e-12);
        }
        assert!(Dissimilarity::SqrtCounts.rdm(&x.map(|v| v - 1.0)).is_err());
        Ok(())
    }
}
