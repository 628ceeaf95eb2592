//! Means and covariances of many units in one pass over their samples.
//!
//! Sums and cross products are kept in f64 around a fixed shift, so that units with a large mean lose no digits; blocks of
//! samples are added by one matrix product each. What a later step needs (correlations, regressions, canonical
//! correlations of any subset of the units) comes from the covariance alone, whatever the number of samples was.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg, sums};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Samples in one task of [`Moments::of`].
const CHUNK: usize = 2048;
/// Samples that one matrix product takes.
const BLOCK: usize = 256;

/// Sums over weighted samples of units.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    shift: Vec<f64>,
    weight: f64,
    sum: Vec<f64>,
    /// Only the upper triangle is defined.
    products: Matrix,
}

impl Moments {
    /// Nothing yet, around `shift` (one value per unit, best near its mean).
    pub fn new(shift: Vec<f64>) -> Self {
        let n = shift.len();
        Self { shift, weight: 0.0, sum: vec![0.0; n], products: Matrix::zeros(n, n) }
    }

    /// Adds samples, `block` being units x samples; each counts `weights` times where they are given (one per sample, at
    /// least 0). Fails on another number of units or weights and on NaN or infinity.
    pub fn add(&mut self, mut block: Matrix, weights: Option<&[f64]>) -> Result<()> {
        if block.rows() != self.shift.len() {
            return Err(Error::input(format!("{} units", self.shift.len()), block.rows().to_string()));
        }
        block.require_finite()?;
        let samples = block.cols();
        if let Some(w) = weights {
            if w.len() != samples {
                return Err(Error::input(format!("{samples} weights, one per sample"), w.len().to_string()));
            }
            if let Some(bad) = w.iter().find(|w| !(w.is_finite() && **w >= 0.0)) {
                return Err(Error::input("weights of at least 0", bad.to_string()));
            }
        }
        self.weight += weights.map_or(samples as f64, |w| w.iter().sum());
        let roots: Option<Vec<f64>> = weights.map(|w| w.iter().map(|v| v.sqrt()).collect());
        for (i, shift) in self.shift.iter().enumerate() {
            let row = block.row_mut(i);
            row.iter_mut().for_each(|v| *v -= shift);
            self.sum[i] += match weights {
                Some(w) => sums::dot(row, w),
                None => row.iter().sum(),
            };
            if let Some(roots) = &roots {
                row.iter_mut().zip(roots).for_each(|(v, r)| *v *= r);
            }
        }
        linalg::add_upper_gram(&mut self.products, 1.0, &block)
    }

    /// Adds what another one with the same shift has seen.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.shift != other.shift {
            return Err(Error::input("moments around the same shift", "another shift"));
        }
        self.weight += other.weight;
        self.sum.iter_mut().zip(&other.sum).for_each(|(a, b)| *a += b);
        self.products.data_mut().iter_mut().zip(other.products.data()).for_each(|(a, b)| *a += b);
        Ok(())
    }

    /// Moments of `samples` samples, read in parallel and added in order: `fill(range, block)` writes these samples of all
    /// units into `block` (units x range). `weights` as in [`Moments::add`].
    pub fn of(
        shift: &[f64],
        samples: usize,
        weights: Option<&[f64]>,
        fill: impl Fn(Range<usize>, &mut Matrix) + Sync,
    ) -> Result<Self> {
        if let Some(w) = weights.filter(|w| w.len() != samples) {
            return Err(Error::input(format!("{samples} weights, one per sample"), w.len().to_string()));
        }
        let part = |range: Range<usize>| -> Result<Self> {
            let mut moments = Self::new(shift.to_vec());
            let mut from = range.start;
            while from < range.end {
                let to = (from + BLOCK).min(range.end);
                let own = weights.map(|w| &w[from..to]);
                // Resampling leaves out a third of the samples; whole blocks of them need not be read.
                if own.is_none_or(|w| w.iter().any(|v| *v != 0.0)) {
                    let mut block = Matrix::zeros(shift.len(), to - from);
                    fill(from..to, &mut block);
                    moments.add(block, own)?;
                }
                from = to;
            }
            Ok(moments)
        };
        let fold = |a: Result<Self>, b: Result<Self>| {
            let (mut a, b) = (a?, b?);
            a.merge(&b)?;
            Ok(a)
        };
        sums::map_reduce(samples, CHUNK, part, fold)
            .unwrap_or_else(|| Err(Error::input("at least 1 sample", "none")))
    }

    /// Sum of the weights, the number of samples where there were none.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// Means and covariances (divisor: the sum of the weights). Fails without a sample.
    pub fn covariance(&self) -> Result<Covariance> {
        if self.weight.is_nan() || self.weight <= 0.0 {
            return Err(Error::input("at least 1 sample", "none"));
        }
        let n = self.shift.len();
        let centre: Vec<f64> = self.sum.iter().map(|s| s / self.weight).collect();
        let mut matrix = Matrix::zeros(n, n);
        for i in 0..n {
            for j in i..n {
                let v = self.products[(i, j)] / self.weight - centre[i] * centre[j];
                // A variance may come out as a rounding unit below 0.
                let v = if i == j { v.max(0.0) } else { v };
                matrix[(i, j)] = v;
                matrix[(j, i)] = v;
            }
        }
        let mean = self.shift.iter().zip(&centre).map(|(s, c)| s + c).collect();
        Ok(Covariance { mean, matrix })
    }
}

/// Means and covariances of units.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Covariance {
    /// Mean of each unit.
    pub mean: Vec<f64>,
    /// Units x units, symmetric, divisor N.
    pub matrix: Matrix,
}

impl Covariance {
    /// Number of units.
    pub fn units(&self) -> usize {
        self.mean.len()
    }

    /// Standard deviation of each unit, divisor N.
    pub fn sd(&self) -> Vec<f64> {
        self.matrix.diagonal().iter().map(|v| v.sqrt()).collect()
    }

    /// The covariances of the units `rows` with the units `cols`.
    pub fn block(&self, rows: &[usize], cols: &[usize]) -> Result<Matrix> {
        self.matrix.select_rows(rows)?.select_cols(cols)
    }

    /// Correlations of the units `rows` with the units `cols`, within [-1, 1]. Fails on a constant unit, naming it.
    pub fn correlation(&self, rows: &[usize], cols: &[usize]) -> Result<Matrix> {
        let mut out = self.block(rows, cols)?;
        let sd = self.sd();
        if let Some(u) = rows.iter().chain(cols).find(|&&u| sd[u] == 0.0) {
            return Err(Error::input("units that vary", format!("constant unit {u}")));
        }
        for (i, &r) in rows.iter().enumerate() {
            for (v, &c) in out.row_mut(i).iter_mut().zip(cols) {
                *v = (*v / (sd[r] * sd[c])).clamp(-1.0, 1.0);
            }
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;
    use neuropil_math::statistics::pearson;

    fn random(units: usize, samples: usize, offset: f64) -> Matrix {
        let mut s = Streams::new(1).stream("covariance", 0);
        let shared = s.normals(samples);
        Matrix::from_fn(units, samples, |i, t| offset * i as f64 + 0.3 * shared[t] + s.normal())
    }

    fn of(x: &Matrix, shift: &[f64], weights: Option<&[f64]>) -> Result<Covariance> {
        let fill = |r: Range<usize>, b: &mut Matrix| {
            for i in 0..x.rows() {
                b.row_mut(i).copy_from_slice(&x.row(i)[r.clone()]);
            }
        };
        Moments::of(shift, x.cols(), weights, fill)?.covariance()
    }

    #[test]
    fn correlations_are_pearsons_whatever_the_offset() -> Result<()> {
        // An offset of 1e6 would cost 12 digits of the products without the shift.
        for offset in [0.0, 1e6] {
            let x = random(5, 5000, offset);
            let shift: Vec<f64> = x.row_iter().map(|r| r[0]).collect();
            let c = of(&x, &shift, None)?;
            let all = [0, 1, 2, 3, 4];
            let r = c.correlation(&all, &all)?;
            for i in 0..5 {
                for j in 0..5 {
                    // The input itself has an absolute rounding of 1e-10 at offset 1e6.
                    let tolerance = if offset > 0.0 { 1e-9 } else { 1e-12 };
                    assert!((r[(i, j)] - pearson(x.row(i), x.row(j))?).abs() < tolerance);
                }
            }
        }
        Ok(())
    }

    #[test]
    fn weights_are_repeats() -> Result<()> {
        let x = random(3, 40, 1.0);
        let counts: Vec<usize> = (0..40).map(|i| i * 7 % 4).collect();
        let repeated: Vec<usize> = (0..40).flat_map(|t| std::iter::repeat_n(t, counts[t])).collect();
        let weights: Vec<f64> = counts.iter().map(|&c| c as f64).collect();
        let (a, b) = (of(&x, &[0.0; 3], Some(&weights))?, of(&x.select_cols(&repeated)?, &[0.0; 3], None)?);
        let close = |p: &[f64], q: &[f64]| p.iter().zip(q).all(|(u, v)| (u - v).abs() < 1e-12);
        assert!(close(&a.mean, &b.mean) && close(a.matrix.data(), b.matrix.data()));
        Ok(())
    }

    #[test]
    fn bits_do_not_depend_on_threads_and_bad_blocks_are_refused() -> Result<()> {
        let x = random(20, 9000, 1.0);
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| of(&x, &[0.0; 20], None))
        };
        let one = on(1)?;
        assert!(one == on(2)? && one == on(8)?);
        let mut m = Moments::new(vec![0.0; 2]);
        assert!(m.covariance().is_err());
        assert!(m.add(Matrix::zeros(3, 1), None).is_err());
        assert!(m.add(Matrix::zeros(2, 1), Some(&[1.0, 1.0])).is_err());
        assert!(m.add(Matrix::zeros(2, 1), Some(&[-1.0])).is_err());
        assert!(m.add(Matrix::new(2, 1, vec![0.0, f64::NAN])?, None).is_err());
        m.add(Matrix::zeros(2, 3), None)?;
        let c = m.covariance()?;
        assert!(c.correlation(&[0], &[1]).is_err() && c.block(&[2], &[0]).is_err());
        assert!(m.merge(&Moments::new(vec![1.0; 2])).is_err());
        Ok(())
    }
}
