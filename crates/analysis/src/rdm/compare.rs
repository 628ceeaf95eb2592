use neuropil_core::{Error, Result};
use neuropil_math::distances::condensed_size;
use neuropil_math::{statistics, sums};
use serde::{Deserialize, Serialize};

/// How two RDMs are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// Cosine of the angle between the vectors.
    Cosine,
    /// Pearson correlation.
    Pearson,
    /// Spearman rank correlation.
    Spearman,
    /// Kendall's tau-a, the measure for models that predict ties (Nili et al. 2014).
    KendallTauA,
    /// Cosine after whitening: dissimilarities that share a stimulus have correlated errors (Diedrichsen et al. 2021).
    WhitenedCosine,
    /// Pearson correlation after whitening.
    WhitenedPearson,
}

/// How similar two RDMs (condensed, of one length) are under `method`; 1 is the same up to what the method ignores.
pub fn compare(a: &[f64], b: &[f64], method: Comparison) -> Result<f64> {
    if a.len() != b.len() {
        return Err(Error::input(format!("{} pairs in both RDMs", a.len()), b.len().to_string()));
    }
    match method {
        Comparison::Cosine => cosine(a, b),
        Comparison::Pearson => statistics::pearson(a, b),
        Comparison::Spearman => statistics::spearman(a, b),
        Comparison::KendallTauA => statistics::kendall_tau_a(a, b),
        Comparison::WhitenedCosine => whitened_cosine(a, b),
        Comparison::WhitenedPearson => whitened_cosine(&centred(a), &centred(b)),
    }
}

fn centred(v: &[f64]) -> Vec<f64> {
    let mean = statistics::mean(v);
    v.iter().map(|x| x - mean).collect()
}

fn ratio(ab: f64, aa: f64, bb: f64) -> Result<f64> {
    let scale = aa.sqrt() * bb.sqrt();
    if scale.is_finite() && scale > 0.0 {
        Ok((ab / scale).clamp(-1.0, 1.0))
    } else {
        Err(Error::input("finite RDMs that vary", format!("squared lengths {aa} and {bb}")))
    }
}

fn cosine(a: &[f64], b: &[f64]) -> Result<f64> {
    ratio(sums::dot(a, b), sums::dot(a, a), sums::dot(b, b))
}

/// a^T V^-1 b / sqrt(a^T V^-1 a  b^T V^-1 b), where V is the covariance of the dissimilarities of patterns with
/// independent noise: 4 on the diagonal, 1 for two pairs that share a stimulus.
fn whitened_cosine(a: &[f64], b: &[f64]) -> Result<f64> {
    let n = condensed_size(a.len())?;
    let (wa, wb) = (whiten(a, n), whiten(b, n));
    ratio(sums::dot(&wa, b), sums::dot(&wa, a), sums::dot(&wb, b))
}

/// V^-1 y in O(P). With B the P x S incidence of pairs and stimuli, V = 2 I + B B^T and
/// B^T B = (S - 2) I + 1 1^T, so by the matrix inversion lemma V^-1 y = (y - B (2 I + B^T B)^-1 B^T y) / 2, and
/// (S I + 1 1^T)^-1 z = (z - sum(z) / (2 S)) / S.
fn whiten(y: &[f64], n: usize) -> Vec<f64> {
    let mut z = vec![0.0; n];
    let mut k = 0;
    for i in 0..n {
        for j in i + 1..n {
            z[i] += y[k];
            z[j] += y[k];
            k += 1;
        }
    }
    let s = n as f64;
    let shift = z.iter().sum::<f64>() / (2.0 * s);
    for v in &mut z {
        *v = (*v - shift) / s;
    }
    let mut out = Vec::with_capacity(y.len());
    let mut k = 0;
    for i in 0..n {
        for j in i + 1..n {
            out.push(0.5 * (y[k] - z[i] - z[j]));
            k += 1;
        }
    }
    out
}

/// The range in which the similarity of the best possible model to the data lies.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct NoiseCeiling {
    /// Mean similarity of each subject to the mean of the others.
    pub lower: f64,
    /// Mean similarity of each subject to the mean of all, itself included.
    pub upper: f64,
}

/// The noise ceiling of at least 2 subjects' RDMs under `method`. RDMs are first brought to the scale that the method
/// ignores (unit length, z-scores or ranks), so that no subject dominates the mean.
pub fn noise_ceiling(subjects: &[Vec<f64>], method: Comparison) -> Result<NoiseCeiling> {
    if subjects.len() < 2 {
        return Err(Error::input("at least 2 subjects", subjects.len().to_string()));
    }
    let scaled: Vec<Vec<f64>> = subjects.iter().map(|s| normalised(s, method)).collect::<Result<_>>()?;
    let all = super::mean_rdm(&scaled)?;
    let n = subjects.len() as f64;
    let (mut lower, mut upper) = (0.0, 0.0);
    for own in &scaled {
        let others: Vec<f64> = all.iter().zip(own).map(|(m, v)| (m * n - v) / (n - 1.0)).collect();
        lower += compare(own, &others, method)? / n;
        upper += compare(own, &all, method)? / n;
    }
    Ok(NoiseCeiling { lower, upper })
}

fn normalised(v: &[f64], method: Comparison) -> Result<Vec<f64>> {
    super::require_rdm(v, 3)?;
    Ok(match method {
        Comparison::Cosine | Comparison::WhitenedCosine => {
            let length = sums::dot(v, v).sqrt();
            v.iter().map(|x| x / length).collect()
        }
        Comparison::Pearson | Comparison::WhitenedPearson => statistics::z_scores(v)?,
        Comparison::Spearman | Comparison::KendallTauA => statistics::ranks(v),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;
    use neuropil_math::{Matrix, linalg};

    #[test]
    fn linear_time_whitening_solves_the_dense_system() -> Result<()> {
        let n = 7;
        let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
        let v = Matrix::from_fn(pairs.len(), pairs.len(), |a, b| {
            let ((i, j), (k, l)) = (pairs[a], pairs[b]);
            if a == b { 4.0 } else { f64::from(u8::from(i == k || i == l || j == k || j == l)) }
        });
        let y = Streams::new(1).stream("whiten", 0).normals(pairs.len());
        let dense = linalg::solve(&v, &Matrix::column(y.clone()))?;
        assert!(whiten(&y, n).iter().zip(dense.data()).all(|(a, b)| (a - b).abs() < 1e-12));
        Ok(())
    }

    #[test]
    fn ceilings_bracket_and_close_without_noise() -> Result<()> {
        let mut s = Streams::new(2).stream("ceiling", 0);
        let truth: Vec<f64> = (0..45).map(|_| s.uniform()).collect();
        let noisy: Vec<Vec<f64>> =
            (0..6).map(|_| truth.iter().map(|t| t + 0.3 * s.normal()).collect()).collect();
        for method in [
            Comparison::Cosine,
            Comparison::Pearson,
            Comparison::Spearman,
            Comparison::KendallTauA,
            Comparison::WhitenedCosine,
            Comparison::WhitenedPearson,
        ] {
            let c = noise_ceiling(&noisy, method)?;
            assert!(c.lower < c.upper && c.upper < 1.0, "{method:?} {c:?}");
            let clean = noise_ceiling(&vec![truth.clone(); 3], method)?;
            assert!((clean.lower - 1.0).abs() < 1e-12 && (clean.upper - 1.0).abs() < 1e-12);
            assert!((compare(&truth, &truth, method)? - 1.0).abs() < 1e-12);
        }
        assert!(noise_ceiling(&noisy[..1], Comparison::Cosine).is_err());
        assert!(compare(&truth, &truth[1..], Comparison::Cosine).is_err());
        Ok(())
    }
}
