use super::descriptive::{mean, ranks, require_finite, sample_variance};
use neuropil_core::{Error, Result};
use statrs::distribution::{Beta, ContinuousCDF, Normal, StudentsT};

/// The error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x.
pub fn erf(x: f64) -> f64 {
    statrs::function::erf::erf(x)
}

/// Probability that a standard normal lies below `z`.
pub fn normal_cdf(z: f64) -> f64 {
    Normal::standard().cdf(z)
}

/// The standard normal quantile of `p` in (0, 1); infinite at the ends, NaN beyond.
pub fn normal_quantile(p: f64) -> f64 {
    if p.is_nan() || !(0.0..=1.0).contains(&p) { f64::NAN } else { Normal::standard().inverse_cdf(p) }
}

fn student(df: f64) -> Result<StudentsT> {
    StudentsT::new(0.0, 1.0, df).map_err(|_| Error::input("positive degrees of freedom", df.to_string()))
}

/// Two-sided p-value of Student's t; an infinite t gives 0.
pub fn student_t_two_sided_p(t: f64, df: f64) -> Result<f64> {
    let d = student(df)?;
    if t.is_nan() {
        return Err(Error::input("a t value", "NaN"));
    }
    Ok((2.0 * d.cdf(-t.abs())).clamp(0.0, 1.0))
}

/// Quantile of Student's t at `p` in (0, 1).
pub fn student_t_quantile(p: f64, df: f64) -> Result<f64> {
    let d = student(df)?;
    if !(p > 0.0 && p < 1.0) {
        return Err(Error::input("a probability in (0, 1)", p.to_string()));
    }
    Ok(d.inverse_cdf(p))
}

/// (t, two-sided p) of the mean against `expected`. Constant values give t = 0 or infinity.
pub fn one_sample_t(values: &[f64], expected: f64) -> Result<(f64, f64)> {
    require_finite(values)?;
    if values.len() < 2 {
        return Err(Error::input("at least 2 values", values.len().to_string()));
    }
    let n = values.len() as f64;
    let difference = mean(values) - expected;
    let error = (sample_variance(values) / n).sqrt();
    let t = if difference == 0.0 { 0.0 } else { difference / error };
    Ok((t, student_t_two_sided_p(t, n - 1.0)?))
}

/// (t, two-sided p) of paired differences a - b.
pub fn paired_t(a: &[f64], b: &[f64]) -> Result<(f64, f64)> {
    if a.len() != b.len() {
        return Err(Error::input(format!("{} values in the second series", a.len()), b.len().to_string()));
    }
    one_sample_t(&a.iter().zip(b).map(|(x, y)| x - y).collect::<Vec<_>>(), 0.0)
}

/// (t, two-sided p) of two independent samples with unequal variances (Welch).
pub fn welch_t(a: &[f64], b: &[f64]) -> Result<(f64, f64)> {
    require_finite(a)?;
    require_finite(b)?;
    if a.len() < 2 || b.len() < 2 {
        return Err(Error::input("at least 2 values a sample", format!("{} and {}", a.len(), b.len())));
    }
    let (na, nb) = (a.len() as f64, b.len() as f64);
    let (va, vb) = (sample_variance(a) / na, sample_variance(b) / nb);
    let difference = mean(a) - mean(b);
    if va + vb == 0.0 {
        return Ok(if difference == 0.0 { (0.0, 1.0) } else { (difference.signum() * f64::INFINITY, 0.0) });
    }
    let t = difference / (va + vb).sqrt();
    let df = (va + vb).powi(2) / (va * va / (na - 1.0) + vb * vb / (nb - 1.0));
    Ok((t, student_t_two_sided_p(t, df)?))
}

/// Area under the ROC curve: probability that a positive scores above a negative, ties counting half.
pub fn auroc(scores: &[f64], positive: &[bool]) -> Result<f64> {
    require_finite(scores)?;
    if scores.len() != positive.len() {
        return Err(Error::input(
            format!("{} labels, one per score", scores.len()),
            positive.len().to_string(),
        ));
    }
    let p = positive.iter().filter(|&&l| l).count();
    let n = positive.len() - p;
    if p == 0 || n == 0 {
        return Err(Error::input("both classes present", format!("{p} positives and {n} negatives")));
    }
    let rank_sum: f64 = ranks(scores).iter().zip(positive).filter(|(_, l)| **l).map(|(r, _)| r).sum();
    Ok((rank_sum - (p * (p + 1)) as f64 / 2.0) / (p as f64 * n as f64))
}

/// p-values times their number, at most 1.
pub fn bonferroni(p: &[f64]) -> Vec<f64> {
    p.iter().map(|v| (v * p.len() as f64).min(1.0)).collect()
}

/// Adjusted p-values that control the false discovery rate (Benjamini and Hochberg 1995).
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = super::argsort(p);
    let mut out = vec![0.0; p.len()];
    let mut least = 1.0_f64;
    for (k, &i) in order.iter().enumerate().rev() {
        least = least.min(p[i] * p.len() as f64 / (k + 1) as f64);
        out[i] = least;
    }
    out
}

/// Two-sided interval of a proportion at confidence `level` (Clopper and Pearson 1934): (low, high).
pub fn binomial_interval(successes: usize, trials: usize, level: f64) -> Result<(f64, f64)> {
    if trials == 0 || successes > trials || !(level > 0.0 && level < 1.0) {
        return Err(Error::input(
            "successes <= trials, at least 1 trial, a level in (0, 1)",
            format!("{successes} of {trials}, level {level}"),
        ));
    }
    let tail = (1.0 - level) / 2.0;
    let (k, n) = (successes as f64, trials as f64);
    let quantile = |a: f64, b: f64, p: f64| {
        Beta::new(a, b).map(|d| d.inverse_cdf(p)).map_err(|e| Error::Internal(e.to_string()))
    };
    let low = if successes == 0 { 0.0 } else { quantile(k, n - k + 1.0, tail)? };
    let high = if successes == trials { 1.0 } else { quantile(k + 1.0, n - k, 1.0 - tail)? };
    Ok((low, high))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tabulated_values() -> Result<()> {
        assert!((normal_cdf(1.959963985) - 0.975).abs() < 1e-9);
        assert!((normal_quantile(0.975) - 1.959963985).abs() < 1e-8);
        // t_{0.975} with 10 degrees of freedom.
        assert!((student_t_quantile(0.975, 10.0)? - 2.228138852).abs() < 1e-7);
        assert!((student_t_two_sided_p(2.228138852, 10.0)? - 0.05).abs() < 1e-9);
        assert_eq!(student_t_two_sided_p(f64::INFINITY, 3.0)?, 0.0);
        // Clopper-Pearson for 8 of 10.
        let (low, high) = binomial_interval(8, 10, 0.95)?;
        assert!((low - 0.4439).abs() < 1e-4 && (high - 0.9748).abs() < 1e-4, "{low} {high}");
        assert!(student_t_two_sided_p(1.0, 0.0).is_err());
        Ok(())
    }

    #[test]
    fn t_tests_by_hand() -> Result<()> {
        // Differences 1, 2, 3: mean 2, SD 1, t = 2 sqrt(3).
        let (t, p) = paired_t(&[2.0, 4.0, 6.0], &[1.0, 2.0, 3.0])?;
        assert!((t - 2.0 * 3.0_f64.sqrt()).abs() < 1e-12 && (p - 0.0741799).abs() < 1e-6);
        assert_eq!(one_sample_t(&[1.0, 1.0], 1.0)?, (0.0, 1.0));
        assert_eq!(one_sample_t(&[1.0, 1.0], 0.0)?, (f64::INFINITY, 0.0));
        assert!(welch_t(&[1.0, 2.0, 3.0], &[1.0, 2.0, 3.0])?.1 > 0.999);
        Ok(())
    }

    #[test]
    fn ranking_and_corrections() -> Result<()> {
        assert_eq!(auroc(&[0.1, 0.4, 0.35, 0.8], &[false, false, true, true])?, 0.75);
        assert_eq!(auroc(&[1.0; 4], &[true, false, true, false])?, 0.5);
        assert!(auroc(&[1.0, 2.0], &[true, true]).is_err());
        assert_eq!(bonferroni(&[0.01, 0.5]), [0.02, 1.0]);
        let q = benjamini_hochberg(&[0.01, 0.04, 0.03, 0.005]);
        for (a, b) in q.iter().zip([0.02, 0.04, 0.04, 0.02]) {
            assert!((a - b).abs() < 1e-15);
        }
        Ok(())
    }
}
