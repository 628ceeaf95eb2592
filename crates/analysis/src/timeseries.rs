//! Derivatives, resampling, smoothing and normalisation of single time series on irregular grids.
//!
//! Every function takes one series (f64) and, where it matters, its strictly increasing times in seconds. NaN and
//! infinity are refused with their position; fill gaps first ([`fill_gaps`], [`hold_gaps`]). The functions whose name
//! or doc says *causal* use no sample after the one they return: changing the future leaves their past bit-identical.

use neuropil_core::{Error, Result};

/// Most samples that one resampled series may have; above it the step is taken for a mistake in units.
pub const MAX_SAMPLES: usize = 50_000_000;

/// Fails on the first value that is not finite.
pub fn require_finite(y: &[f64]) -> Result<()> {
    match y.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(i) => Err(Error::input("finite values", format!("{} at sample {i}", y[i]))),
    }
}

/// Fails unless `t` is finite and strictly increasing, naming the first step that is not.
pub fn require_increasing(t: &[f64]) -> Result<()> {
    if let Some(i) = t.iter().position(|v| !v.is_finite()) {
        return Err(Error::input("finite times", format!("{} s at step {i}", t[i])));
    }
    match t.windows(2).position(|w| w[1] <= w[0]) {
        None => Ok(()),
        Some(i) => Err(Error::input(
            "strictly increasing times",
            format!("{} s after {} s at step {}", t[i + 1], t[i], i + 1),
        )),
    }
}

fn require_same_length(y: &[f64], t: &[f64]) -> Result<()> {
    if y.len() == t.len() {
        Ok(())
    } else {
        Err(Error::input(format!("{} samples, one per time", t.len()), format!("{} samples", y.len())))
    }
}

/// Median of a series (mean of the two middle values for an even count); `None` for an empty one.
pub fn median(y: &[f64]) -> Option<f64> {
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    match n {
        0 => None,
        _ if n % 2 == 1 => Some(sorted[n / 2]),
        _ => Some(f64::midpoint(sorted[n / 2 - 1], sorted[n / 2])),
    }
}

/// Median sampling interval of increasing times, seconds; `None` below two samples.
pub fn median_interval(t: &[f64]) -> Option<f64> {
    median(&t.windows(2).map(|w| w[1] - w[0]).collect::<Vec<_>>())
}

/// Derivative by second-order central differences on an irregular grid, one-sided at both ends.
///
/// With h1 the step before and h2 the step after,
/// `(h1^2 f+ + (h2^2 - h1^2) f0 - h2^2 f-) / (h1 h2 (h1 + h2))`, as `numpy.gradient(y, t)`. Needs two samples.
pub fn gradient(y: &[f64], t: &[f64]) -> Result<Vec<f64>> {
    require_same_length(y, t)?;
    require_finite(y)?;
    require_increasing(t)?;
    let n = y.len();
    if n < 2 {
        return Err(Error::input("at least 2 samples for a derivative", n.to_string()));
    }
    let slope = |i: usize| (y[i + 1] - y[i]) / (t[i + 1] - t[i]);
    let mut out = Vec::with_capacity(n);
    out.push(slope(0));
    for i in 1..n - 1 {
        let (h1, h2) = (t[i] - t[i - 1], t[i + 1] - t[i]);
        let (a, b, c) = (-h2 / (h1 * (h1 + h2)), (h2 - h1) / (h1 * h2), h1 / (h2 * (h1 + h2)));
        out.push(a * y[i - 1] + b * y[i] + c * y[i + 1]);
    }
    out.push(slope(n - 2));
    Ok(out)
}

/// Causal derivative: backward differences, 0 at the first sample.
pub fn gradient_causal(y: &[f64], t: &[f64]) -> Result<Vec<f64>> {
    require_same_length(y, t)?;
    require_finite(y)?;
    require_increasing(t)?;
    let mut out = vec![0.0; y.len()];
    for i in 1..y.len() {
        out[i] = (y[i] - y[i - 1]) / (t[i] - t[i - 1]);
    }
    Ok(out)
}

/// How values between samples are made up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Between {
    /// The straight line to the next sample.
    Linear,
    /// The last sample at or before; causal.
    Hold,
}

/// A change of time grid whose index search is done once and shared by all series of a recording.
///
/// Outside the grid the end values are held, as `numpy.interp` does.
#[derive(Debug, Clone, PartialEq)]
pub struct Interpolation {
    samples: usize,
    // Left neighbour and the weight of the right one.
    points: Vec<(u32, f64)>,
}

impl Interpolation {
    /// From strictly increasing times `from` to non-decreasing times `to`.
    pub fn new(from: &[f64], to: &[f64], between: Between) -> Result<Self> {
        require_increasing(from)?;
        if from.is_empty() || u32::try_from(from.len()).is_err() {
            return Err(Error::input("1 to 2^32 - 1 samples to interpolate", from.len().to_string()));
        }
        let last = from.len() - 1;
        let mut points = Vec::with_capacity(to.len());
        let (mut j, mut before) = (0, f64::NEG_INFINITY);
        for &x in to {
            if !x.is_finite() || x < before {
                return Err(Error::input(
                    "finite, non-decreasing target times",
                    format!("{x} s after {before} s"),
                ));
            }
            before = x;
            while j < last && from[j + 1] <= x {
                j += 1;
            }
            let weight = if between == Between::Hold || j == last || x <= from[j] {
                0.0
            } else {
                (x - from[j]) / (from[j + 1] - from[j])
            };
            points.push((j as u32, weight));
        }
        Ok(Self { samples: from.len(), points })
    }

    /// The series on the new grid; `y` has one finite value per sample of the old grid.
    pub fn apply(&self, y: &[f64]) -> Result<Vec<f64>> {
        if y.len() != self.samples {
            return Err(Error::input(format!("{} samples, one per time", self.samples), y.len().to_string()));
        }
        require_finite(y)?;
        let value = |&(j, w): &(u32, f64)| {
            let left = y[j as usize];
            if w == 0.0 { left } else { left + w * (y[j as usize + 1] - left) }
        };
        Ok(self.points.iter().map(value).collect())
    }
}

/// Bringing a recording to a regular sampling interval.
///
/// Upwards (`dt` below the median interval): interpolation on `t0, t0 + dt, ...` up to the first time at or past the
/// end. Downwards: interpolation to `dt / 6`, then means of blocks of 6, the rest dropped, which attenuates what the
/// new grid cannot carry. The new times pass through the same operator as the data, so a block is stamped with its mean
/// time; a causal plan holds the last sample, and stamps a block with its last time.
#[derive(Debug, Clone, PartialEq)]
pub struct Resampling {
    times: Vec<f64>,
    interpolation: Interpolation,
    block: usize,
}

/// Fine samples per block when sampling down.
pub const BLOCK: usize = 6;

impl Resampling {
    /// Plans the change from increasing times `t` (at least two) to interval `dt`, both in seconds.
    pub fn new(t: &[f64], dt: f64, causal: bool) -> Result<Self> {
        require_increasing(t)?;
        let (Some(&start), Some(&end), Some(median)) = (t.first(), t.last(), median_interval(t)) else {
            return Err(Error::input("at least 2 samples to resample", t.len().to_string()));
        };
        if !(dt.is_finite() && dt > 0.0) {
            return Err(Error::config("a positive sampling interval", format!("{dt} s")));
        }
        let block = if dt < median { 1 } else { BLOCK };
        let step = dt / block as f64;
        let count = ((end + step - start) / step).ceil();
        if count > MAX_SAMPLES as f64 {
            return Err(Error::input(
                format!("at most {MAX_SAMPLES} samples after resampling"),
                format!("{} s at intervals of {step} s", end - start),
            )
            .hint("check the unit of the time vector"));
        }
        let fine: Vec<f64> = (0..count as usize).map(|i| start + i as f64 * step).collect();
        let between = if causal { Between::Hold } else { Between::Linear };
        let interpolation = Interpolation::new(t, &fine, between)?;
        let times = match (block, causal) {
            (1, _) => fine,
            (_, false) => block_means(&fine, block),
            (_, true) => fine.chunks_exact(block).map(|c| c[block - 1]).collect(),
        };
        if times.is_empty() {
            return Err(Error::input(format!("at least {dt} s of recording"), format!("{} s", end - start)));
        }
        Ok(Self { times, interpolation, block })
    }

    /// The new times in seconds.
    pub fn times(&self) -> &[f64] {
        &self.times
    }

    /// One series on the new grid.
    pub fn apply(&self, y: &[f64]) -> Result<Vec<f64>> {
        let fine = self.interpolation.apply(y)?;
        Ok(if self.block == 1 { fine } else { block_means(&fine, self.block) })
    }
}

/// Means of consecutive blocks; an incomplete last block is dropped.
pub fn block_means(y: &[f64], block: usize) -> Vec<f64> {
    y.chunks_exact(block.max(1)).map(|c| c.iter().sum::<f64>() / c.len() as f64).collect()
}

/// Smoothing by a causal half Gaussian: weights `exp(-k^2 / (2 sigma^2))` on the samples k steps back, normalised over
/// those that exist. `sigma` in samples; cut at 6 sigma, where the weight is 2e-8.
pub fn smooth_gaussian_causal(y: &[f64], sigma: f64) -> Result<Vec<f64>> {
    require_finite(y)?;
    require_sigma(sigma)?;
    let reach = ((6.0 * sigma).ceil() as usize).min(y.len());
    let weights: Vec<f64> = (0..=reach).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let mut total = 0.0;
    let sums: Vec<f64> = weights
        .iter()
        .map(|w| {
            total += w;
            total
        })
        .collect();
    Ok((0..y.len())
        .map(|t| {
            let k = reach.min(t);
            let dot: f64 = weights[..=k].iter().zip(y[t - k..=t].iter().rev()).map(|(w, v)| w * v).sum();
            dot / sums[k]
        })
        .collect())
}

/// Two-sided Gaussian smoothing as `scipy.ndimage.gaussian_filter1d`: mirrored ends (`d c b a | a b c d`), radius
/// `floor(truncate sigma + 1/2)`; `sigma` in samples. Not causal.
pub fn smooth_gaussian(y: &[f64], sigma: f64, truncate: f64) -> Result<Vec<f64>> {
    require_finite(y)?;
    require_sigma(sigma)?;
    if !(truncate.is_finite() && truncate > 0.0) {
        return Err(Error::config("a positive cut in sigma", truncate.to_string()));
    }
    let n = y.len() as i64;
    if n == 0 {
        return Ok(Vec::new());
    }
    let radius = (truncate * sigma + 0.5) as i64;
    let weights: Vec<f64> = (0..=radius).map(|k| (-0.5 * (k as f64 / sigma).powi(2)).exp()).collect();
    let total = 2.0 * weights.iter().sum::<f64>() - weights[0];
    let mirrored = |i: i64| {
        let m = i.rem_euclid(2 * n);
        y[(if m < n { m } else { 2 * n - 1 - m }) as usize]
    };
    Ok((0..n)
        .map(|t| {
            let sides: f64 =
                (1..=radius).map(|k| weights[k as usize] * (mirrored(t - k) + mirrored(t + k))).sum();
            (sides + weights[0] * y[t as usize]) / total
        })
        .collect())
}

fn require_sigma(sigma: f64) -> Result<()> {
    if sigma.is_finite() && sigma > 0.0 && sigma <= 1e6 {
        Ok(())
    } else {
        Err(Error::config("a smoothing width in (0, 1e6] samples", sigma.to_string()))
    }
}

/// Causal moving average over the last `window / 2 + 1` samples (fewer at the start); an even window is taken one
/// larger.
pub fn smooth_moving_average(y: &[f64], window: usize) -> Result<Vec<f64>> {
    require_finite(y)?;
    if window == 0 {
        return Err(Error::config("a window of at least 1 sample", "0"));
    }
    let span = (window | 1) / 2 + 1;
    Ok((0..y.len())
        .map(|t| {
            let past = &y[(t + 1).saturating_sub(span)..=t];
            past.iter().sum::<f64>() / past.len() as f64
        })
        .collect())
}

/// Exponential smoothing `s[i] = alpha y[i] + (1 - alpha) s[i-1]`, `s[0] = y[0]`; causal.
pub fn smooth_exponential(y: &[f64], alpha: f64) -> Result<Vec<f64>> {
    require_finite(y)?;
    if !(alpha > 0.0 && alpha <= 1.0) {
        return Err(Error::config("a smoothing factor in (0, 1]", alpha.to_string()));
    }
    let mut state = y.first().copied().unwrap_or(0.0);
    Ok(y.iter()
        .map(|v| {
            state = alpha * v + (1.0 - alpha) * state;
            state
        })
        .collect())
}

/// True where a variance is no more than the rounding of its own computation, so that the series is constant.
fn is_constant(mean: f64, variance: f64, n: usize) -> bool {
    let rounding = n as f64 * f64::EPSILON;
    variance <= rounding * variance + (rounding * mean).powi(2)
}

/// Mean and population standard deviation; the deviation is 1 for a constant series, as scikit-learn's
/// `StandardScaler` has it.
pub fn mean_and_scale(y: &[f64]) -> (f64, f64) {
    let n = y.len().max(1) as f64;
    let mean = y.iter().sum::<f64>() / n;
    let variance = y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
    (mean, if is_constant(mean, variance, y.len()) { 1.0 } else { variance.sqrt() })
}

/// Z-score over the whole series: population standard deviation, 1 where it vanishes. Not causal.
pub fn zscore(y: &[f64]) -> Result<Vec<f64>> {
    require_finite(y)?;
    let (mean, scale) = mean_and_scale(y);
    Ok(y.iter().map(|v| (v - mean) / scale).collect())
}

/// Causal z-score: each sample against mean and sample deviation (count - 1) of the series up to and including it; the
/// deviation is 1 at the first sample and while the series is constant.
pub fn zscore_causal(y: &[f64]) -> Result<Vec<f64>> {
    require_finite(y)?;
    // Welford's recurrence keeps the precision that sums of squares lose.
    let (mut mean, mut squares) = (0.0, 0.0);
    Ok(y.iter()
        .enumerate()
        .map(|(i, &v)| {
            let delta = v - mean;
            mean += delta / (i + 1) as f64;
            squares += delta * (v - mean);
            let constant = i == 0 || is_constant(mean, squares / (i + 1) as f64, i + 1);
            let scale = if constant { 1.0 } else { (squares / i as f64).sqrt() };
            (v - mean) / scale
        })
        .collect())
}

/// Fills NaN by the straight line over time between the finite neighbours, the ends by the nearest finite value;
/// returns how many were filled. Fails if no value is finite. Infinities are refused. Not causal.
pub fn fill_gaps(y: &mut [f64], t: &[f64]) -> Result<usize> {
    require_same_length(y, t)?;
    require_increasing(t)?;
    let known = known_samples(y)?;
    let filled = y.len() - known.len();
    if filled == 0 {
        return Ok(0);
    }
    let (first, last) = (known[0], known[known.len() - 1]);
    let (head, tail) = (y[first], y[last]);
    y[..first].fill(head);
    y[last + 1..].fill(tail);
    for pair in known.windows(2) {
        let (a, b) = (pair[0], pair[1]);
        for i in a + 1..b {
            y[i] = y[a] + (y[b] - y[a]) * ((t[i] - t[a]) / (t[b] - t[a]));
        }
    }
    Ok(filled)
}

/// Fills NaN by the last finite value before it (0 before the first); returns how many were filled. Causal.
pub fn hold_gaps(y: &mut [f64]) -> Result<usize> {
    let filled = y.len() - known_samples(y)?.len();
    let mut last = 0.0;
    for v in y {
        if v.is_nan() {
            *v = last;
        } else {
            last = *v;
        }
    }
    Ok(filled)
}

fn known_samples(y: &[f64]) -> Result<Vec<usize>> {
    if let Some(i) = y.iter().position(|v| v.is_infinite()) {
        return Err(Error::input("finite values or NaN", format!("{} at sample {i}", y[i])));
    }
    let known: Vec<usize> = (0..y.len()).filter(|&i| !y[i].is_nan()).collect();
    if known.is_empty() {
        return Err(Error::input("at least 1 finite sample", format!("{} samples, all NaN", y.len())));
    }
    Ok(known)
}

/// Yeo-Johnson power transform with the exponent of greatest likelihood, then a z-score, as scikit-learn's
/// `PowerTransformer`. Returns the transformed series and the exponent. Not causal.
pub fn power_transform(y: &[f64]) -> Result<(Vec<f64>, f64)> {
    require_finite(y)?;
    let (mean, scale) = mean_and_scale(y);
    if y.is_empty() || (scale == 1.0 && is_constant(mean, mean_square(y, mean), y.len())) {
        return Ok((vec![0.0; y.len()], 1.0));
    }
    let log_jacobian: f64 = y.iter().map(|v| v.signum() * v.abs().ln_1p()).sum();
    let cost = |lambda: f64| {
        let z: Vec<f64> = y.iter().map(|&v| yeo_johnson(v, lambda)).collect();
        let m = z.iter().sum::<f64>() / z.len() as f64;
        0.5 * z.len() as f64 * mean_square(&z, m).ln() - (lambda - 1.0) * log_jacobian
    };
    let lambda = golden_minimum(cost, -5.0, 5.0);
    let z: Vec<f64> = y.iter().map(|&v| yeo_johnson(v, lambda)).collect();
    Ok((zscore(&z)?, lambda))
}

fn mean_square(y: &[f64], about: f64) -> f64 {
    y.iter().map(|v| (v - about).powi(2)).sum::<f64>() / y.len().max(1) as f64
}

fn yeo_johnson(v: f64, lambda: f64) -> f64 {
    // The two logarithmic cases are limits of the powers; `exp_m1` stays exact near them.
    let power =
        |x: f64, p: f64| if p.abs() < f64::EPSILON { x.ln_1p() } else { (p * x.ln_1p()).exp_m1() / p };
    if v >= 0.0 { power(v, lambda) } else { -power(-v, 2.0 - lambda) }
}

/// Minimum of a unimodal function by golden section, to 1e-9 of the bracket's length.
fn golden_minimum(f: impl Fn(f64) -> f64, low: f64, high: f64) -> f64 {
    let ratio = (5.0_f64.sqrt() - 1.0) / 2.0;
    let (mut a, mut b) = (low, high);
    let (mut x1, mut x2) = (b - ratio * (b - a), a + ratio * (b - a));
    let (mut f1, mut f2) = (f(x1), f(x2));
    for _ in 0..44 {
        if f1 < f2 {
            (b, x2, f2) = (x2, x1, f1);
            x1 = b - ratio * (b - a);
            f1 = f(x1);
        } else {
            (a, x1, f1) = (x1, x2, f2);
            x2 = a + ratio * (b - a);
            f2 = f(x2);
        }
    }
    f64::midpoint(a, b)
}

/// Quantile transform to the uniform distribution on [0, 1], as scikit-learn's `QuantileTransformer` with
/// `min(1000, n)` quantiles: ties get the middle of their range. Not causal.
pub fn quantile_transform(y: &[f64]) -> Result<Vec<f64>> {
    require_finite(y)?;
    let n = y.len();
    if n < 2 {
        return Ok(vec![0.0; n]);
    }
    let mut sorted = y.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = n.min(1000);
    let reference = |k: usize| k as f64 / (count - 1) as f64;
    let quantiles: Vec<f64> = (0..count)
        .map(|k| {
            // k (n - 1) / (count - 1) hits a sample exactly where it should; a product with `reference` would not.
            let place = (k * (n - 1)) as f64 / (count - 1) as f64;
            let i = (place as usize).min(n - 2);
            sorted[i] + (place - i as f64) * (sorted[i + 1] - sorted[i])
        })
        .collect();
    let between = |i: usize, v: f64| {
        let (a, b) = (quantiles[i], quantiles[i + 1]);
        reference(i) + (v - a) / (b - a) * (reference(i + 1) - reference(i))
    };
    Ok(y.iter()
        .map(|&v| {
            if v <= quantiles[0] {
                return 0.0;
            }
            if v >= quantiles[count - 1] {
                return 1.0;
            }
            // First and last place of a run of equal quantiles; the mean of both is the middle of the run.
            let below = quantiles.partition_point(|&q| q < v);
            let above = quantiles.partition_point(|&q| q <= v);
            if above > below {
                f64::midpoint(reference(below), reference(above - 1))
            } else {
                between(below - 1, v)
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_it_cannot_use() {
        assert!(gradient(&[1.0, f64::NAN], &[0.0, 1.0]).is_err());
        assert!(gradient(&[1.0], &[0.0]).is_err());
        assert!(gradient(&[1.0, 2.0], &[0.0, 1.0, 2.0]).is_err());
        assert!(gradient(&[1.0, 2.0], &[1.0, 1.0]).is_err());
        assert!(Resampling::new(&[0.0, 1.0], 0.0, false).is_err());
        assert!(Resampling::new(&[0.0, 1e9], 1e-3, false).is_err());
        assert!(Resampling::new(&[0.0], 0.1, false).is_err());
        assert!(smooth_gaussian_causal(&[1.0], 0.0).is_err());
        assert!(smooth_exponential(&[1.0], 1.5).is_err());
        assert!(smooth_moving_average(&[1.0], 0).is_err());
        assert!(fill_gaps(&mut [f64::NAN; 3], &[0.0, 1.0, 2.0]).is_err());
        assert!(fill_gaps(&mut [f64::INFINITY, 1.0], &[0.0, 1.0]).is_err());
        assert!(Interpolation::new(&[], &[0.0], Between::Linear).is_err());
    }

    #[test]
    fn empty_series_stay_empty() -> Result<()> {
        assert!(zscore(&[])?.is_empty() && zscore_causal(&[])?.is_empty());
        assert!(smooth_gaussian(&[], 1.0, 4.0)?.is_empty() && smooth_gaussian_causal(&[], 1.0)?.is_empty());
        Ok(())
    }

    #[test]
    fn holds_the_last_value_over_a_gap() -> Result<()> {
        let mut y = [f64::NAN, 2.0, f64::NAN, f64::NAN, 5.0];
        assert_eq!(hold_gaps(&mut y)?, 3);
        assert_eq!(y, [0.0, 2.0, 2.0, 2.0, 5.0]);
        Ok(())
    }
}
