use crate::sums;
use neuropil_core::{Error, Result};

/// Fails on an empty slice or on the first value that is not finite, naming its index.
pub(super) fn require_finite(values: &[f64]) -> Result<()> {
    if values.is_empty() {
        return Err(Error::input("at least 1 value", "0 values"));
    }
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::input("finite values", format!("{} at index {i}", values[i]))),
    }
}

/// Arithmetic mean; NaN for no values.
pub fn mean(values: &[f64]) -> f64 {
    sums::sum(values) / values.len() as f64
}

/// Variance with divisor n (two passes); NaN for no values.
pub fn variance(values: &[f64]) -> f64 {
    let m = mean(values);
    sums::sum_by(values.len(), |i| (values[i] - m) * (values[i] - m)) / values.len() as f64
}

/// Variance with divisor n - 1; NaN below 2 values.
pub fn sample_variance(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::NAN;
    }
    variance(values) * values.len() as f64 / (values.len() - 1) as f64
}

/// Standard deviation with divisor n - 1.
pub fn sd(values: &[f64]) -> f64 {
    sample_variance(values).sqrt()
}

/// Standard error of the mean.
pub fn sem(values: &[f64]) -> f64 {
    sd(values) / (values.len() as f64).sqrt()
}

/// Mean with its two-sided Student interval at confidence `level` (for example 0.95): (mean, low, high).
pub fn mean_and_interval(values: &[f64], level: f64) -> Result<(f64, f64, f64)> {
    require_finite(values)?;
    let m = mean(values);
    if values.len() < 2 {
        return Ok((m, f64::NAN, f64::NAN));
    }
    let half = super::student_t_quantile(0.5 + level / 2.0, (values.len() - 1) as f64)? * sem(values);
    Ok((m, m - half, m + half))
}

/// (values - mean) / SD with divisor n; fails on constant values.
pub fn z_scores(values: &[f64]) -> Result<Vec<f64>> {
    require_finite(values)?;
    let (m, s) = (mean(values), variance(values).sqrt());
    if s == 0.0 {
        return Err(Error::input("values that vary", "a constant"));
    }
    Ok(values.iter().map(|v| (v - m) / s).collect())
}

/// The order that sorts the values ascending; equal values keep their order.
pub fn argsort(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    order
}

/// The `q`-quantile of ascending values with linear interpolation between order statistics (Hyndman-Fan type 7, the
/// default of NumPy); NaN for no values. `q` is clamped to [0, 1].
pub fn quantile_of_sorted(sorted: &[f64], q: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let position = q.clamp(0.0, 1.0) * last as f64;
    let below = position.floor() as usize;
    let (a, b) = (sorted[below], sorted[(below + 1).min(last)]);
    let t = position - below as f64;
    // NumPy's form: exact at both ends and monotone.
    if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
}

/// Several quantiles (type 7) of unsorted values.
pub fn quantiles(values: &[f64], q: &[f64]) -> Result<Vec<f64>> {
    require_finite(values)?;
    if let Some(bad) = q.iter().find(|q| !(0.0..=1.0).contains(*q)) {
        return Err(Error::input("quantiles in [0, 1]", bad.to_string()));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    Ok(q.iter().map(|&q| quantile_of_sorted(&sorted, q)).collect())
}

/// One quantile (type 7) of unsorted values.
pub fn quantile(values: &[f64], q: f64) -> Result<f64> {
    Ok(quantiles(values, &[q])?[0])
}

/// Median.
pub fn median(values: &[f64]) -> Result<f64> {
    quantile(values, 0.5)
}

/// Ranks 1..=n; tied values share their average rank. NaN sorts last.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let order = argsort(values);
    let mut out = vec![0.0; values.len()];
    let mut i = 0;
    while i < order.len() {
        let mut j = i + 1;
        while j < order.len() && values[order[j]] == values[order[i]] {
            j += 1;
        }
        // Average of ranks i + 1 ..= j.
        let rank = (i + 1 + j) as f64 / 2.0;
        order[i..j].iter().for_each(|&k| out[k] = rank);
        i = j;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_forms() -> Result<()> {
        let v = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        assert_eq!((mean(&v), variance(&v), median(&v)?), (5.0, 4.0, 4.5));
        assert_eq!(sample_variance(&v), 32.0 / 7.0);
        assert_eq!(ranks(&v), [1.0, 3.0, 3.0, 3.0, 5.5, 5.5, 7.0, 8.0]);
        assert_eq!(quantiles(&[3.0, 1.0, 2.0], &[0.0, 0.25, 0.5, 1.0])?, [1.0, 1.5, 2.0, 3.0]);
        assert!(
            quantile(&[], 0.5).is_err()
                && quantile(&[1.0, f64::NAN], 0.5).is_err()
                && quantile(&[1.0], 1.1).is_err()
        );
        assert!(mean(&[]).is_nan() && sample_variance(&[1.0]).is_nan());
        Ok(())
    }

    #[test]
    fn a_large_offset_does_not_cancel() {
        let v: Vec<f64> = (0..1000).map(|i| 1e9 + f64::from(i % 2)).collect();
        assert!((variance(&v) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn interval_of_the_mean() -> Result<()> {
        // t_{0.975, 3} = 3.182446; sem = 1.290994 / 2.
        let (m, low, high) = mean_and_interval(&[1.0, 2.0, 3.0, 4.0], 0.95)?;
        assert_eq!(m, 2.5);
        assert!((high - m - 3.182446305 * 0.645497224).abs() < 1e-6 && (high - m - (m - low)).abs() < 1e-12);
        Ok(())
    }
}
