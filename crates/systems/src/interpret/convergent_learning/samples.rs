//! Sampled activity of several populations over the same samples.

use neuropil_analysis::covariance::{Covariance, Moments};
use neuropil_core::{Error, Result, Stream};
use neuropil_math::statistics::zero_and_equal_frequency_bins;
use neuropil_math::{Matrix, sums};
use std::ops::Range;

/// Units of one network or animal, at the same samples as those of the others.
#[derive(Debug, Clone, PartialEq)]
pub struct Population {
    /// Network or animal.
    pub name: String,
    /// Names of the units.
    pub units: Vec<String>,
    /// Samples x units.
    values: Vec<f32>,
}

impl Population {
    /// Activity `values` (samples x units, row-major) of named units. Fails on lengths that disagree and on NaN or infinity,
    /// naming sample and unit.
    pub fn new(name: impl Into<String>, units: Vec<String>, values: Vec<f32>) -> Result<Self> {
        let name = name.into();
        if units.is_empty() || values.is_empty() || !values.len().is_multiple_of(units.len()) {
            return Err(Error::input(
                format!("a positive multiple of {} values (samples x units)", units.len()),
                format!("{} values", values.len()),
            )
            .at(name));
        }
        if let Some(k) = values.iter().position(|v| !v.is_finite()) {
            let (sample, unit) = (k / units.len(), &units[k % units.len()]);
            return Err(
                Error::input("finite activity", format!("{} at sample {sample}, unit `{unit}`", values[k])).at(name)
            );
        }
        Ok(Self { name, units, values })
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.values.len() / self.units.len()
    }

    /// Samples x units, row-major.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// The same samples in another order.
    fn reordered(&self, order: &[usize]) -> Self {
        let n = self.units.len();
        let values = order.iter().flat_map(|&s| self.values[s * n..(s + 1) * n].iter().copied()).collect();
        Self { values, ..self.clone() }
    }
}

/// Samples that belong together: all positions of one image, one trial, one span of time. They are fitted on or held out
/// together, and resampled together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks {
    /// Block of each sample, counted from 0.
    pub of_sample: Vec<usize>,
    /// Whether each block is held out.
    pub held_out: Vec<bool>,
}

impl Blocks {
    /// Holds out `fraction` of the blocks, at least one, and leaves at least one. Fails on fewer than 2 blocks.
    pub fn split(of_sample: Vec<usize>, fraction: f64, stream: &mut Stream) -> Result<Self> {
        let count = of_sample.iter().max().map_or(0, |m| m + 1);
        if count < 2 {
            return Err(Error::input(
                "at least 2 blocks of samples (images, trials, spans), one of them to be held out",
                count.to_string(),
            ));
        }
        let out = ((fraction * count as f64).round() as usize).clamp(1, count - 1);
        let mut held_out = vec![false; count];
        stream.choose(count, out).into_iter().for_each(|b| held_out[b] = true);
        Ok(Self { of_sample, held_out })
    }

    /// How often each block is drawn: those that are fitted on and those that are held out, each with replacement.
    pub fn resample(&self, stream: &mut Stream) -> Vec<f64> {
        let mut counts = vec![0.0; self.held_out.len()];
        for part in [false, true] {
            let own: Vec<usize> = (0..counts.len()).filter(|&b| self.held_out[b] == part).collect();
            (0..own.len()).for_each(|_| counts[own[stream.below(own.len())]] += 1.0);
        }
        counts
    }
}

/// Covariances of all live units of a layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Covariances {
    /// Over all samples.
    pub all: Covariance,
    /// Over the samples that are fitted on.
    pub fit: Covariance,
    /// Over the samples that are held out.
    pub held_out: Covariance,
}

/// One layer (or area) of several populations.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// Layer or area.
    pub name: String,
    /// The populations.
    pub populations: Vec<Population>,
    /// Which samples belong together.
    pub blocks: Blocks,
    live: Vec<Vec<usize>>,
    means: Vec<f64>,
}

impl Layer {
    /// A layer; units of which the standard deviation is below `dead_below` where they are fitted or where they are held
    /// out count as dead and are left out. Fails on populations of different numbers of samples and on one without a live
    /// unit.
    pub fn new(
        name: impl Into<String>,
        populations: Vec<Population>,
        blocks: Blocks,
        dead_below: f64,
    ) -> Result<Self> {
        let samples = blocks.of_sample.len();
        if let Some(p) = populations.iter().find(|p| p.samples() != samples) {
            return Err(Error::input(format!("{samples} samples in every population"), p.samples().to_string())
                .at(&p.name));
        }
        let held = blocks.of_sample.iter().filter(|b| blocks.held_out[**b]).count();
        if held < 2 || samples - held < 2 {
            return Err(Error::input(
                "at least 2 samples to fit on and 2 held out",
                format!("{} and {held}", samples - held),
            ));
        }
        let mut live = Vec::with_capacity(populations.len());
        let mut means = Vec::new();
        for p in &populations {
            let found = sums::map(p.units.len(), |u| {
                let of = |held: bool| spread(p, u, &blocks, held);
                let (fit, out) = (of(false), of(true));
                let whole: f64 = fit.0 + out.0;
                (fit.1.min(out.1), whole / samples as f64)
            });
            // A variance without samples is NaN, which no unit survives.
            let own: Vec<usize> = (0..found.len()).filter(|&u| found[u].0 >= dead_below.max(f64::MIN_POSITIVE)).collect();
            if own.is_empty() {
                return Err(Error::input(
                    "at least 1 unit that varies",
                    format!("{} units with a standard deviation below {dead_below}", found.len()),
                )
                .at(&p.name));
            }
            means.extend(own.iter().map(|&u| found[u].1));
            live.push(own);
        }
        Ok(Self { name: name.into(), populations, blocks, live, means })
    }

    /// Numbers of the live units of a population.
    pub fn live(&self, population: usize) -> &[usize] {
        &self.live[population]
    }

    /// Where the live units of a population stand among those of all populations.
    pub fn places(&self, population: usize) -> Vec<usize> {
        let start: usize = self.live[..population].iter().map(Vec::len).sum();
        (start..start + self.live[population].len()).collect()
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.blocks.of_sample.len()
    }

    fn moments(&self, weights: &[f64], held_out: bool) -> Result<Moments> {
        let kept: Vec<usize> = (0..self.samples())
            .filter(|&s| {
                let block = self.blocks.of_sample[s];
                self.blocks.held_out[block] == held_out && weights[block] > 0.0
            })
            .collect();
        let own: Vec<f64> = kept.iter().map(|&s| weights[self.blocks.of_sample[s]]).collect();
        Moments::of(&self.means, kept.len(), Some(&own), |range: Range<usize>, block: &mut Matrix| {
            let mut row = 0;
            for (p, live) in self.populations.iter().zip(&self.live) {
                let n = p.units.len();
                for &u in live {
                    let out = block.row_mut(row);
                    out.iter_mut().zip(&kept[range.clone()]).for_each(|(o, &s)| *o = f64::from(p.values[s * n + u]));
                    row += 1;
                }
            }
        })
    }

    /// Covariances with each block counted `weights` times.
    pub fn covariances(&self, weights: &[f64]) -> Result<Covariances> {
        let (mut fit, held_out) = (self.moments(weights, false)?, self.moments(weights, true)?);
        let covariance = fit.covariance()?;
        fit.merge(&held_out)?;
        Ok(Covariances { all: fit.covariance()?, fit: covariance, held_out: held_out.covariance()? })
    }

    /// Covariances of the samples as they are.
    pub fn plain(&self) -> Result<Covariances> {
        self.covariances(&vec![1.0; self.blocks.held_out.len()])
    }

    /// Bins of the live units of a population for mutual information: 0 on its own, the rest in `bins` of equal frequency.
    pub fn labels(&self, population: usize, bins: usize) -> Result<Vec<Vec<u8>>> {
        let p = &self.populations[population];
        let n = p.units.len();
        let of = |&u: &usize| {
            let values: Vec<f64> = p.values.iter().skip(u).step_by(n).map(|&v| f64::from(v)).collect();
            zero_and_equal_frequency_bins(&values, bins)
        };
        sums::map(self.live[population].len(), |i| of(&self.live[population][i])).into_iter().collect()
    }

    /// Two of the populations with the blocks of the second in a random order: what is left of a match is chance. Live
    /// units stay those of this layer.
    #[must_use]
    pub fn shuffled(&self, first: usize, second: usize, stream: &mut Stream) -> Self {
        let mut members = vec![Vec::new(); self.blocks.held_out.len()];
        self.blocks.of_sample.iter().enumerate().for_each(|(s, &b)| members[b].push(s));
        let order: Vec<usize> =
            stream.permutation(members.len()).into_iter().flat_map(|b| members[b].clone()).collect();
        // Samples of the first population in the order of its blocks, so that whole blocks meet whole blocks.
        let straight = members.concat();
        let of_sample = straight.iter().map(|&s| self.blocks.of_sample[s]).collect();
        let means = |p: usize| self.places(p).into_iter().map(|u| self.means[u]);
        Self {
            name: self.name.clone(),
            populations: vec![
                self.populations[first].reordered(&straight),
                self.populations[second].reordered(&order),
            ],
            blocks: Blocks { of_sample, held_out: self.blocks.held_out.clone() },
            live: vec![self.live[first].clone(), self.live[second].clone()],
            means: means(first).chain(means(second)).collect(),
        }
    }
}

/// Sum and standard deviation of a unit over one part of the samples.
fn spread(p: &Population, unit: usize, blocks: &Blocks, held_out: bool) -> (f64, f64) {
    let n = p.units.len();
    let own = || {
        let part = |s: &usize| blocks.held_out[blocks.of_sample[*s]] == held_out;
        (0..p.samples()).filter(part).map(|s| f64::from(p.values[s * n + unit]))
    };
    let count = own().count() as f64;
    let sum: f64 = own().sum();
    let mean = sum / count;
    (sum, (own().map(|v| (v - mean).powi(2)).sum::<f64>() / count).sqrt())
}
