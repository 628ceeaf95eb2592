//! Interpolation of sampled functions.

use neuropil_core::{Error, Result};

/// Linear interpolation of (x, y) at the positions `at`; `x` must be strictly increasing. Outside the range the end
/// values are held.
pub fn linear(x: &[f64], y: &[f64], at: &[f64]) -> Result<Vec<f64>> {
    if x.is_empty() || x.len() != y.len() {
        return Err(Error::input(
            format!("{} values, one per position, at least 1", x.len()),
            y.len().to_string(),
        ));
    }
    if let Some(i) = x.windows(2).position(|w| w[1].partial_cmp(&w[0]) != Some(std::cmp::Ordering::Greater)) {
        return Err(Error::input(
            "strictly increasing positions",
            format!("{} after {} at {}", x[i + 1], x[i], i + 1),
        ));
    }
    if let Some(v) = at.iter().find(|v| v.is_nan()) {
        return Err(Error::input("positions that are numbers", v.to_string()));
    }
    Ok(at
        .iter()
        .map(|&p| {
            let k = x.partition_point(|&v| v <= p);
            if k == 0 {
                y[0]
            } else if k == x.len() {
                y[k - 1]
            } else {
                y[k - 1] + (y[k] - y[k - 1]) * ((p - x[k - 1]) / (x[k] - x[k - 1]))
            }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_and_beyond_the_nodes() -> Result<()> {
        let (x, y) = ([0.0, 1.0, 3.0], [0.0, 2.0, -2.0]);
        assert_eq!(
            linear(&x, &y, &[-1.0, 0.0, 0.5, 1.0, 2.0, 3.0, 9.0])?,
            [0.0, 0.0, 1.0, 2.0, 0.0, -2.0, -2.0]
        );
        assert!(linear(&[0.0, 0.0], &[1.0, 2.0], &[0.0]).is_err());
        assert!(linear(&x, &y, &[f64::NAN]).is_err());
        Ok(())
    }
}
