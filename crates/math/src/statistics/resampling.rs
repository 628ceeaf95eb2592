use super::descriptive::{mean, quantile_of_sorted, require_finite};
use neuropil_core::{Error, Result, Stream};

/// `n` draws from 0..n with replacement.
pub fn bootstrap_indices(n: usize, stream: &mut Stream) -> Vec<usize> {
    (0..n).map(|_| stream.below(n)).collect()
}

/// Means of `resamples` bootstrap samples.
pub fn bootstrap_means(values: &[f64], resamples: usize, stream: &mut Stream) -> Result<Vec<f64>> {
    require_finite(values)?;
    let n = values.len();
    Ok((0..resamples).map(|_| (0..n).map(|_| values[stream.below(n)]).sum::<f64>() / n as f64).collect())
}

/// The central interval that holds `level` of the values (percentile method): (low, high).
pub fn percentile_interval(values: &[f64], level: f64) -> Result<(f64, f64)> {
    require_finite(values)?;
    if !(level > 0.0 && level < 1.0) {
        return Err(Error::input("a level in (0, 1)", level.to_string()));
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let tail = (1.0 - level) / 2.0;
    Ok((quantile_of_sorted(&sorted, tail), quantile_of_sorted(&sorted, 1.0 - tail)))
}

/// One-sided permutation p-value that the mean of `a` exceeds that of `b`: labels are exchanged `permutations` times;
/// the observed arrangement counts as one of them, so the p-value is never 0.
pub fn permutation_p(a: &[f64], b: &[f64], permutations: usize, stream: &mut Stream) -> Result<f64> {
    require_finite(a)?;
    require_finite(b)?;
    let observed = mean(a) - mean(b);
    let mut pool = [a, b].concat();
    // Equal arrangements must count as ties whatever the order of their sums.
    let slack = 1e-12 * pool.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let extreme = (0..permutations)
        .filter(|_| {
            stream.shuffle(&mut pool);
            mean(&pool[..a.len()]) - mean(&pool[a.len()..]) >= observed - slack
        })
        .count();
    Ok((extreme + 1) as f64 / (permutations + 1) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn bootstrap_spread_is_the_standard_error() -> Result<()> {
        let mut s = Streams::new(2).stream("bootstrap", 0);
        let v = s.normals(200);
        let means = bootstrap_means(&v, 4000, &mut s)?;
        let expected = (super::super::variance(&v) / 200.0).sqrt();
        // The SD of 4000 draws is known to 1 / sqrt(8000) = 1.1 %; four of those.
        assert!((super::super::sd(&means) / expected - 1.0).abs() < 0.045);
        let (low, high) = percentile_interval(&means, 0.95)?;
        assert!(low < mean(&v) && mean(&v) < high);
        Ok(())
    }

    #[test]
    fn permutation_p_is_uniform_under_the_null_and_small_otherwise() -> Result<()> {
        let mut s = Streams::new(3).stream("permutation", 0);
        let below = (0..200)
            .filter(|_| {
                let (a, b) = (s.normals(8), s.normals(8));
                permutation_p(&a, &b, 99, &mut s).is_ok_and(|p| p <= 0.2)
            })
            .count();
        // Binomial(200, 0.2): mean 40, SD 5.7; four of them.
        assert!((17..=63).contains(&below), "{below}");
        assert!(permutation_p(&[5.0, 6.0, 7.0, 8.0, 9.0], &[0.0, 1.0, 2.0, 3.0, 4.0], 999, &mut s)? < 0.02);
        assert_eq!(permutation_p(&[1.0; 3], &[1.0; 3], 99, &mut s)?, 1.0);
        Ok(())
    }
}
