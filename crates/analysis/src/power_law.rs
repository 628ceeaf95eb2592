//! Power-law tails (Clauset, Shalizi and Newman 2009) and their comparison with a log-normal (Vuong 1989).
//!
//! For values x >= x_min:
//!
//! ```text
//! continuous  p(x) = (alpha - 1) / x_min (x / x_min)^-alpha
//! discrete    p(x) = x^-alpha / zeta(alpha, x_min)
//! ```
//!
//! alpha by maximum likelihood, x_min as the value whose tail has the smallest Kolmogorov-Smirnov distance to its fit.
//! The log-normal is truncated at the same x_min; its discrete form is the mass of [x - 1/2, x + 1/2].
//! A heavy tail is a comparison, not a verdict: read the likelihood ratio, not alpha alone.

use neuropil_core::{Error, Result};

/// Whether the values are counts or measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values {
    /// Positive integers, such as degrees.
    Discrete,
    /// Positive reals.
    Continuous,
}

/// A fitted tail.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLaw {
    /// Exponent alpha.
    pub alpha: f64,
    /// Its standard error, from the curvature of the likelihood.
    pub sigma: f64,
    /// Start of the tail.
    pub x_min: f64,
    /// Kolmogorov-Smirnov distance of the tail to the fit.
    pub distance: f64,
    /// Number of values in the tail.
    pub tail: usize,
    values: Values,
}

/// A log-normal fitted to the values from `x_min` on.
#[derive(Debug, Clone, PartialEq)]
pub struct LogNormal {
    /// Mean of ln x before truncation.
    pub mu: f64,
    /// Standard deviation of ln x before truncation.
    pub sigma: f64,
    /// Start of the tail.
    pub x_min: f64,
    values: Values,
}

/// Vuong's test of two non-nested models on the same tail.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Log-likelihood of the power law minus that of the log-normal: positive favours the power law.
    pub log_ratio: f64,
    /// The ratio in standard errors of its sum.
    pub normalised: f64,
    /// Two-sided p of no difference; large means that the data do not decide.
    pub p: f64,
}

/// Fits alpha for the given `x_min`, or for the best one where it is `None`. Values below `x_min` are left out, zeros
/// too. At most 1,000 candidates of `x_min` are tried, evenly spaced among the distinct values.
///
/// # Errors
/// Input error on a non-finite or negative value, a fractional value among discrete ones, or fewer than two distinct
/// values in every tail.
pub fn fit(data: &[f64], values: Values, x_min: Option<f64>) -> Result<PowerLaw> {
    let tail = Sorted::new(data, values)?;
    if let Some(x) = x_min {
        if !(x.is_finite() && x > 0.0) {
            return Err(Error::config("a positive `x_min`", x.to_string()).at("x_min"));
        }
        let start = tail.distinct.partition_point(|&v| v < x);
        // The user's x_min itself starts the tail, also where no value equals it.
        return tail.fit(start, x).ok_or_else(|| too_few(&format!("from {x} on")));
    }
    const CANDIDATES: usize = 1000;
    let last = tail.distinct.len().saturating_sub(1);
    let tried = last.min(CANDIDATES);
    let mut best: Option<PowerLaw> = None;
    for k in 0..tried {
        let start = k * last / tried;
        if let Some(f) = tail.fit(start, tail.distinct[start])
            && best.as_ref().is_none_or(|b| f.distance < b.distance)
        {
            best = Some(f);
        }
    }
    best.ok_or_else(|| too_few("above zero"))
}

/// Fits the truncated log-normal to the same tail by maximum likelihood.
pub fn fit_log_normal(data: &[f64], power_law: &PowerLaw) -> Result<LogNormal> {
    let sorted = Sorted::new(data, power_law.values)?;
    let start = sorted.distinct.partition_point(|&v| v < power_law.x_min);
    let (x, c) = (&sorted.distinct[start..], &sorted.counts[start..]);
    if x.len() < 2 {
        return Err(too_few(&format!("from {} on", power_law.x_min)));
    }
    let n: f64 = c.iter().sum();
    let mean = x.iter().zip(c).map(|(x, c)| c * x.ln()).sum::<f64>() / n;
    let sd = (x.iter().zip(c).map(|(x, c)| c * (x.ln() - mean).powi(2)).sum::<f64>() / n).sqrt();
    let model = |p: [f64; 2]| LogNormal {
        mu: p[0],
        sigma: p[1].exp(),
        x_min: power_law.x_min,
        values: power_law.values,
    };
    let cost = |p: [f64; 2]| {
        let m = model(p);
        let norm = m.ln_norm();
        -x.iter().zip(c).map(|(&x, c)| c * (m.ln_mass(x) - norm)).sum::<f64>() / n
    };
    // A power-law tail drives mu to minus infinity, where the two models meet; the search stops at the flat end.
    let (mut best, mut best_cost) = ([mean, sd.ln()], f64::INFINITY);
    for start in [[mean, sd.ln()], [mean - 2.0 * sd, sd.ln() + 0.5], [mean - 10.0 * sd, sd.ln() + 1.5]] {
        let (p, f) = simplex(&cost, start);
        if f < best_cost {
            (best, best_cost) = (p, f);
        }
    }
    Ok(model(best))
}

/// Vuong's likelihood-ratio test of the power law against the log-normal on the power law's tail.
pub fn compare(data: &[f64], power_law: &PowerLaw, log_normal: &LogNormal) -> Result<Comparison> {
    let sorted = Sorted::new(data, power_law.values)?;
    let start = sorted.distinct.partition_point(|&v| v < power_law.x_min);
    let (x, c) = (&sorted.distinct[start..], &sorted.counts[start..]);
    let n: f64 = c.iter().sum();
    let ln_norm = log_normal.ln_norm();
    let normalisation = power_law.ln_norm();
    let d: Vec<f64> = x
        .iter()
        .map(|&x| (-power_law.alpha * x.ln() - normalisation) - (log_normal.ln_mass(x) - ln_norm))
        .collect();
    let log_ratio: f64 = d.iter().zip(c).map(|(d, c)| c * d).sum();
    let mean = log_ratio / n;
    let sd = (d.iter().zip(c).map(|(d, c)| c * (d - mean).powi(2)).sum::<f64>() / n).sqrt();
    let normalised = log_ratio / (sd * n.sqrt());
    Ok(Comparison { log_ratio, normalised, p: erfc(normalised.abs() / std::f64::consts::SQRT_2) })
}

fn too_few(place: &str) -> Error {
    Error::input("at least two distinct values", format!("fewer {place}"))
}

impl PowerLaw {
    /// ln of the normalisation: of x^-alpha summed or integrated from `x_min` on.
    fn ln_norm(&self) -> f64 {
        match self.values {
            Values::Discrete => hurwitz(self.alpha, self.x_min).ln(),
            Values::Continuous => (1.0 - self.alpha) * self.x_min.ln() - (self.alpha - 1.0).ln(),
        }
    }

    /// Probability of a value above x, given x >= `x_min` (for counts, x an integer).
    pub fn survival(&self, x: f64) -> f64 {
        match self.values {
            Values::Discrete => hurwitz(self.alpha, x.floor() + 1.0) / hurwitz(self.alpha, self.x_min),
            Values::Continuous => (x / self.x_min).powf(1.0 - self.alpha),
        }
    }
}

impl LogNormal {
    fn ln_mass(&self, x: f64) -> f64 {
        let z = |x: f64| (x.ln() - self.mu) / self.sigma;
        match self.values {
            Values::Continuous => {
                -0.5 * z(x).powi(2) - x.ln() - self.sigma.ln() - 0.5 * std::f64::consts::TAU.ln()
            }
            Values::Discrete => ln_between(z(x - 0.5), z(x + 0.5)),
        }
    }

    fn ln_norm(&self) -> f64 {
        let from = if self.values == Values::Discrete { self.x_min - 0.5 } else { self.x_min };
        ln_survival((from.ln() - self.mu) / self.sigma)
    }
}

/// Distinct positive values with their counts and the sums over each tail.
struct Sorted {
    values: Values,
    distinct: Vec<f64>,
    counts: Vec<f64>,
    /// Number of values, and sum of ln x, from each distinct value on.
    above: Vec<f64>,
    ln_above: Vec<f64>,
}

impl Sorted {
    fn new(data: &[f64], values: Values) -> Result<Self> {
        for (i, &x) in data.iter().enumerate() {
            if !(x.is_finite() && x >= 0.0) {
                return Err(Error::input("finite non-negative values", format!("{x} at element {i}")));
            }
            if values == Values::Discrete && x.fract() != 0.0 {
                return Err(Error::input("integers", format!("{x} at element {i}"))
                    .hint("fit measurements as continuous values"));
            }
        }
        let mut x: Vec<f64> = data.iter().copied().filter(|&x| x > 0.0).collect();
        x.sort_by(f64::total_cmp);
        let (mut distinct, mut counts): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
        for v in x {
            if distinct.last() == Some(&v) {
                if let Some(c) = counts.last_mut() {
                    *c += 1.0;
                }
            } else {
                distinct.push(v);
                counts.push(1.0);
            }
        }
        let (mut above, mut ln_above) = (vec![0.0; distinct.len() + 1], vec![0.0; distinct.len() + 1]);
        for i in (0..distinct.len()).rev() {
            above[i] = above[i + 1] + counts[i];
            ln_above[i] = ln_above[i + 1] + counts[i] * distinct[i].ln();
        }
        Ok(Self { values, distinct, counts, above, ln_above })
    }

    /// The fit of the tail from the distinct value number `start` on; `None` where it has fewer than two.
    fn fit(&self, start: usize, x_min: f64) -> Option<PowerLaw> {
        if self.distinct.len() < start + 2 {
            return None;
        }
        let (n, ln_sum) = (self.above[start], self.ln_above[start]);
        let (alpha, sigma) = match self.values {
            Values::Continuous => {
                let alpha = 1.0 + n / (ln_sum - n * x_min.ln());
                (alpha, (alpha - 1.0) / n.sqrt())
            }
            Values::Discrete => {
                let cost = |a: f64| hurwitz(a, x_min).ln() + a * ln_sum / n;
                let alpha = golden(&cost, 1.0 + 1e-6, 40.0);
                let h = 1e-3 * (alpha - 1.0);
                let curvature = (cost(alpha + h) - 2.0 * cost(alpha) + cost(alpha - h)) / (h * h);
                (alpha, 1.0 / (n * curvature).sqrt())
            }
        };
        let fit = PowerLaw { alpha, sigma, x_min, distance: 0.0, tail: n as usize, values: self.values };
        Some(PowerLaw { distance: self.distance(start, &fit), ..fit })
    }

    /// Kolmogorov-Smirnov distance: over the data for measurements, over all integers for counts, as in the authors'
    /// programs.
    fn distance(&self, start: usize, fit: &PowerLaw) -> f64 {
        let n = self.above[start];
        let mut largest: f64 = 0.0;
        match self.values {
            Values::Continuous => {
                for i in start..self.distinct.len() {
                    // Equal values are one step of the empirical distribution, met once from below.
                    let below = (n - self.above[i]) / n;
                    largest = largest.max((1.0 - fit.survival(self.distinct[i]) - below).abs());
                }
            }
            Values::Discrete => {
                let norm = hurwitz(fit.alpha, fit.x_min);
                for i in start..self.distinct.len() {
                    let x = self.distinct[i];
                    // Between two data values the fit rises alone, so the integer before x counts too.
                    let before = 1.0 - hurwitz(fit.alpha, x) / norm;
                    let upto = 1.0 - hurwitz(fit.alpha, x + 1.0) / norm;
                    largest = largest.max((before - (n - self.above[i]) / n).abs());
                    largest = largest.max((upto - (n - self.above[i + 1]) / n).abs());
                }
            }
        }
        largest
    }
}

/// Hurwitz zeta sum_{k>=0} (k + q)^-s for s > 1, q > 0: 12 terms, then Euler-Maclaurin to the tenth derivative.
fn hurwitz(s: f64, q: f64) -> f64 {
    // B_2j / (2j)! for j = 1..5.
    const BERNOULLI: [f64; 5] =
        [1.0 / 12.0, -1.0 / 720.0, 1.0 / 30240.0, -1.0 / 1_209_600.0, 1.0 / 47_900_160.0];
    const TERMS: i32 = 12;
    let mut sum: f64 = (0..TERMS).map(|k| (q + f64::from(k)).powf(-s)).sum();
    let a = q + f64::from(TERMS);
    let head = a.powf(-s);
    sum += a * head / (s - 1.0) + 0.5 * head;
    let mut factor = s * head / a;
    for (j, b) in BERNOULLI.iter().enumerate() {
        sum += b * factor;
        let j = 2.0 * j as f64;
        factor *= (s + j + 1.0) * (s + j + 2.0) / (a * a);
    }
    sum
}

/// exp(x^2) erfc(x) for x >= 2 by continued fraction.
fn scaled_erfc(x: f64) -> f64 {
    let mut tail = x;
    for k in (1..=80).rev() {
        tail = x + 0.5 * f64::from(k) / tail;
    }
    1.0 / (tail * std::f64::consts::PI.sqrt())
}

/// Complementary error function.
fn erfc(x: f64) -> f64 {
    if x >= 2.0 {
        return (-x * x).exp() * scaled_erfc(x);
    }
    if x < 0.0 {
        return 2.0 - erfc(-x);
    }
    // erf by its series of positive terms.
    let (mut term, mut sum, mut k) = (x, x, 0.0);
    while term > 1e-17 * sum {
        k += 1.0;
        term *= 2.0 * x * x / (2.0 * k + 1.0);
        sum += term;
    }
    1.0 - 2.0 / std::f64::consts::PI.sqrt() * (-x * x).exp() * sum
}

/// ln P(Z > z) of the standard normal, also where P underflows.
fn ln_survival(z: f64) -> f64 {
    let x = z / std::f64::consts::SQRT_2;
    if x >= 2.0 { -x * x + (0.5 * scaled_erfc(x)).ln() } else { (0.5 * erfc(x)).ln() }
}

/// ln P(a < Z < b) of the standard normal.
fn ln_between(a: f64, b: f64) -> f64 {
    if a + b < 0.0 {
        return ln_between(-b, -a);
    }
    let (upper, lower) = (ln_survival(a), ln_survival(b));
    upper + (-(lower - upper).exp_m1()).ln()
}

/// Minimum of a unimodal function by golden sections, to 1e-9 relative.
fn golden(cost: &dyn Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let ratio = 0.5 * (5.0_f64.sqrt() - 1.0);
    let (mut a, mut b) = (high - ratio * (high - low), low + ratio * (high - low));
    let (mut fa, mut fb) = (cost(a), cost(b));
    while high - low > 1e-9 * high {
        if fa < fb {
            (high, b, fb) = (b, a, fa);
            a = high - ratio * (high - low);
            fa = cost(a);
        } else {
            (low, a, fa) = (a, b, fb);
            b = low + ratio * (high - low);
            fb = cost(b);
        }
    }
    0.5 * (low + high)
}

/// Minimum of a function of two variables by the downhill simplex (Nelder and Mead 1965), with its value.
fn simplex(cost: &dyn Fn([f64; 2]) -> f64, start: [f64; 2]) -> ([f64; 2], f64) {
    let finite = |p| {
        let f = cost(p);
        if f.is_finite() { f } else { f64::MAX }
    };
    let points = [start, [start[0] + 0.5, start[1]], [start[0], start[1] + 0.5]];
    let mut s = points.map(|p| (p, finite(p)));
    for _ in 0..2000 {
        s.sort_by(|a, b| a.1.total_cmp(&b.1));
        if s[2].1 - s[0].1 <= 1e-13 * (1.0 + s[0].1.abs()) {
            break;
        }
        let middle = [0, 1].map(|k| 0.5 * (s[0].0[k] + s[1].0[k]));
        let along = |t: f64| [0, 1].map(|k| middle[k] + t * (s[2].0[k] - middle[k]));
        let probe = |t: f64| (along(t), finite(along(t)));
        let reflected = probe(-1.0);
        if reflected.1 < s[0].1 {
            let expanded = probe(-2.0);
            s[2] = if expanded.1 < reflected.1 { expanded } else { reflected };
        } else if reflected.1 < s[1].1 {
            s[2] = reflected;
        } else {
            let contracted = probe(if reflected.1 < s[2].1 { -0.5 } else { 0.5 });
            if contracted.1 < s[2].1.min(reflected.1) {
                s[2] = contracted;
            } else {
                for i in 1..3 {
                    let p = [0, 1].map(|k| 0.5 * (s[0].0[k] + s[i].0[k]));
                    s[i] = (p, finite(p));
                }
            }
        }
    }
    s.sort_by(|a, b| a.1.total_cmp(&b.1));
    s[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn special_functions_have_their_known_values() {
        // zeta(2) = pi^2/6, zeta(3, 2) = zeta(3) - 1; erfc and the normal tail from tables (Abramowitz and Stegun).
        assert!((hurwitz(2.0, 1.0) - std::f64::consts::PI.powi(2) / 6.0).abs() < 1e-14);
        assert!((hurwitz(3.0, 2.0) - 0.202_056_903_159_594_3).abs() < 1e-14);
        assert!((hurwitz(1.05, 1.0) - 20.580_844_302_036_99).abs() < 1e-11);
        assert!((erfc(0.5) - 0.479_500_122_186_953_5).abs() < 1e-14);
        assert!((erfc(3.0) / 2.209_049_699_858_544e-5 - 1.0).abs() < 1e-13);
        assert!((ln_survival(40.0) + 804.608_442_013_753_9).abs() < 1e-9);
        assert!((ln_between(-1.0, 1.0).exp() - 0.682_689_492_137_085_9).abs() < 1e-14);
    }

    #[test]
    fn recovers_a_known_exponent_and_start() {
        let mut s = Streams::new(5).stream("pareto", 0);
        // Uniform body below 3, Pareto tail of exponent 2.5 above.
        let x: Vec<f64> = (0..6000)
            .map(|k| if k % 3 == 0 { 3.0 * s.uniform() } else { 3.0 * (1.0 - s.uniform()).powf(-1.0 / 1.5) })
            .collect();
        let f = fit(&x, Values::Continuous, None).unwrap();
        // The distance chooses among equally good starts, so x_min is known to lie in the tail and no closer.
        assert!((f.alpha - 2.5).abs() < 4.0 * f.sigma && (2.8..9.0).contains(&f.x_min), "{f:?}");
        let c = compare(&x, &f, &fit_log_normal(&x, &f).unwrap()).unwrap();
        assert!(c.normalised > -2.0, "a log-normal must not win on a true power law: {c:?}");
    }

    #[test]
    fn a_log_normal_is_told_from_a_power_law() {
        let mut s = Streams::new(6).stream("log-normal", 0);
        let x: Vec<f64> = (0..4000).map(|_| (1.0 + 0.6 * s.normal()).exp()).collect();
        let f = fit(&x, Values::Continuous, Some(1.0)).unwrap();
        let l = fit_log_normal(&x, &f).unwrap();
        // Four standard errors of the mean and scale of the untruncated sample, doubled for the truncation.
        assert!((l.mu - 1.0).abs() < 0.08 && (l.sigma - 0.6).abs() < 0.06, "{l:?}");
        let c = compare(&x, &f, &l).unwrap();
        assert!(c.log_ratio < 0.0 && c.p < 1e-6, "{c:?}");
    }

    #[test]
    fn unfit_values_are_refused() {
        assert!(fit(&[], Values::Discrete, None).is_err());
        assert!(fit(&[2.0; 9], Values::Discrete, None).is_err());
        assert!(fit(&[1.5, 2.0, 3.0], Values::Discrete, None).is_err());
        assert!(fit(&[1.0, f64::NAN], Values::Continuous, None).is_err());
        assert!(fit(&[1.0, -1.0], Values::Continuous, None).is_err());
        assert!(fit(&[1.0, 2.0, 3.0], Values::Continuous, Some(0.0)).is_err());
        assert!(fit(&[1.0, 2.0, 3.0], Values::Continuous, Some(9.0)).is_err());
    }
}
