//! A recording as a laboratory wrote it, and what must hold before it can be used.

use neuropil_analysis::timeseries::{median_interval, require_increasing};
use neuropil_core::{Error, Result};
use neuropil_data::worm_names::{Reading, read_name};

/// Sampling intervals outside of this range (seconds) are a mistake in units.
pub const PLAUSIBLE_INTERVAL_S: (f64, f64) = (1e-3, 60.0);

/// One worm: traces of neurons over time, NaN where missing.
#[derive(Debug, Clone, PartialEq)]
pub struct RawWorm {
    /// Data set it belongs to.
    pub source: String,
    /// Name in the data set.
    pub worm: String,
    /// Citation of the data set.
    pub citation: String,
    /// One time per sample, seconds, strictly increasing.
    pub times_s: Vec<f64>,
    /// One name per neuron as written; empty where none was given.
    pub names: Vec<String>,
    /// Neurons x samples, row-major; NaN is missing.
    pub traces: Vec<f64>,
}

/// A matrix with its axes not yet known to be right.
pub struct Matrix {
    /// Samples x neurons, row-major.
    pub values: Vec<f64>,
    /// Rows (samples).
    pub samples: usize,
    /// Columns (neurons).
    pub neurons: usize,
}

impl Matrix {
    /// A matrix read as rows x columns; `transposed` says that rows are neurons.
    pub fn new(values: Vec<f64>, rows: usize, columns: usize, transposed: bool) -> Self {
        if !transposed {
            return Self { values, samples: rows, neurons: columns };
        }
        let turned = (0..columns).flat_map(|c| (0..rows).map(move |r| (r, c))).map(|(r, c)| values[r * columns + c]);
        Self { values: turned.collect(), samples: columns, neurons: rows }
    }
}

impl RawWorm {
    /// Checks the axes against each other and the times; every error says what to change.
    ///
    /// `names` may be empty where a file has none (all neurons are unknown then).
    pub fn checked(
        source: &str,
        worm: &str,
        citation: &str,
        times_s: Vec<f64>,
        names: Option<Vec<String>>,
        matrix: &Matrix,
    ) -> Result<Self> {
        let (t, n) = (matrix.samples, matrix.neurons);
        let turn = "the matrix looks transposed; set `transposed = true` in the manifest if its rows are neurons";
        if t != times_s.len() {
            let error = Error::input(format!("{} samples, one per time", times_s.len()), format!("{t} samples of {n} neurons"));
            return Err(if n == times_s.len() { error.hint(turn) } else { error });
        }
        let named = names.is_some();
        let names = names.unwrap_or_else(|| vec![String::new(); n]);
        if names.len() != n {
            let error = Error::input(format!("{} neurons, one per name", names.len()), format!("{n} neurons in {t} samples"));
            return Err(if names.len() == t { error.hint(turn) } else { error });
        }
        let labelled = names.iter().filter(|n| matches!(read_name(n), Reading::Slot(_))).count();
        // A short recording of many neurons is fine as long as names say which axis the neurons are on.
        if t < n && labelled == 0 && (n > 302 || !named) && t > 0 {
            return Err(Error::input("more samples than neurons, or neurons with known names", format!("{t} samples of {n} neurons"))
                .hint(turn));
        }
        require_increasing(&times_s)?;
        if let Some(dt) = median_interval(&times_s).filter(|dt| *dt < PLAUSIBLE_INTERVAL_S.0 || *dt > PLAUSIBLE_INTERVAL_S.1) {
            return Err(Error::input(
                format!("a sampling interval of {} to {} s", PLAUSIBLE_INTERVAL_S.0, PLAUSIBLE_INTERVAL_S.1),
                format!("a median of {dt} s"),
            )
            .hint("set `time_unit` in the manifest (\"s\", \"ms\" or \"min\")"));
        }
        let traces = (0..n).flat_map(|j| (0..t).map(move |i| (i, j))).map(|(i, j)| matrix.values[i * n + j]).collect();
        let (source, worm, citation) = (source.into(), worm.into(), citation.into());
        Ok(Self { source, worm, citation, times_s, names, traces })
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.times_s.len()
    }

    /// The trace of one neuron.
    pub fn trace(&self, neuron: usize) -> &[f64] {
        &self.traces[neuron * self.samples()..(neuron + 1) * self.samples()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn worm(t: usize, n: usize, times: Vec<f64>, names: Option<Vec<&str>>) -> Result<RawWorm> {
        let names = names.map(|n| n.into_iter().map(String::from).collect());
        RawWorm::checked("lab", "w", "", times, names, &Matrix::new(vec![0.5; t * n], t, n, false))
    }

    fn hint(r: Result<RawWorm>) -> String {
        let e = r.expect_err("unfit");
        assert_eq!(e.exit_code(), 3);
        e.mismatch().and_then(|m| m.hint.clone()).unwrap_or_default()
    }

    #[test]
    fn every_misfit_is_named() {
        let seconds = |n: usize| (0..n).map(|i| i as f64 * 0.5).collect::<Vec<_>>();
        assert!(worm(4, 2, seconds(4), Some(vec!["AVAL", "AVAR"])).is_ok());
        assert!(hint(worm(2, 4, seconds(4), Some(vec!["AVAL", "AVAR"]))).contains("transposed"));
        assert!(hint(worm(4, 2, seconds(4), Some(vec!["a", "b", "c", "d"]))).contains("transposed"));
        assert!(hint(worm(3, 9, seconds(3), None)).contains("transposed"));
        assert!(worm(4, 2, vec![0.0, 1.0, 1.0, 2.0], None).is_err());
        assert!(worm(4, 2, vec![0.0, 1.0, f64::NAN, 2.0], None).is_err());
        assert!(worm(4, 2, seconds(3), None).is_err());
        assert!(hint(worm(4, 2, seconds(4).iter().map(|t| t * 1000.0).collect(), None)).contains("time_unit"));
        assert!(hint(worm(4, 2, seconds(4).iter().map(|t| t * 1e-4).collect(), None)).contains("time_unit"));
    }

    #[test]
    fn a_transposed_matrix_is_turned() {
        let m = Matrix::new(vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 2, 3, true);
        assert_eq!((m.samples, m.neurons, m.values), (3, 2, vec![1.0, 4.0, 2.0, 5.0, 3.0, 6.0]));
    }
}
