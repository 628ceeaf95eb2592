//! Paired bootstrap over subjects and stimuli.

use super::SIGNIFICANT;
use super::summary::{Representations, Statistic, grid_grams, of_ranks, widest_first};
use neuropil_analysis::bootstrap::{Resample, paired_difference};
use neuropil_analysis::geotopology::PairWeights;
use neuropil_analysis::identification::{RegionGram, nested_choice};
use neuropil_core::{Result, Stream};
use neuropil_experiment::{Progress, Run};
use neuropil_math::statistics;
use serde::{Deserialize, Serialize};

/// Resamples per saved step.
const STEP: usize = 10;

/// Accuracies over the same resamples.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Resampled {
    /// Per statistic, one accuracy per resample.
    pub fixed: Vec<Vec<f64>>,
    /// With the cell chosen on other subjects; empty where no cells were given.
    pub nested: Vec<f64>,
    /// Per cell, one accuracy per resample.
    pub cells: Vec<Vec<f64>>,
}

impl Resampled {
    /// Appends further resamples of the same statistics.
    pub fn extend(&mut self, more: Self) {
        if self.is_empty() {
            *self = more;
            return;
        }
        self.fixed.iter_mut().zip(more.fixed).for_each(|(a, b)| a.extend(b));
        self.cells.iter_mut().zip(more.cells).for_each(|(a, b)| a.extend(b));
        self.nested.extend(more.nested);
    }

    /// Number of resamples.
    pub fn len(&self) -> usize {
        self.fixed.first().map_or(self.nested.len(), Vec::len)
    }

    /// True before the first resample.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The cells that do not differ significantly from the best of `accuracies` (one per cell) over the resamples, with
    /// `df` degrees of freedom. None where no cells were resampled.
    pub fn like_the_best(&self, accuracies: &[f64], df: f64) -> Result<Vec<usize>> {
        let best = (0..self.cells.len()).fold(0, |b, k| if accuracies[k] > accuracies[b] { k } else { b });
        let mut out = Vec::new();
        for k in 0..self.cells.len() {
            if paired_difference(&self.cells[k], &self.cells[best], df)?.p > SIGNIFICANT {
                out.push(k);
            }
        }
        Ok(out)
    }

    /// Central 95 % of a statistic.
    pub fn interval(&self, statistic: usize) -> Option<(f64, f64)> {
        let values = self.fixed.get(statistic)?;
        statistics::percentile_interval(values, 0.95).ok()
    }
}

/// Degrees of freedom of a paired difference, the paper's: the smaller of the numbers of subjects and stimuli, minus 1.
pub fn degrees_of_freedom(subjects: usize, stimuli: usize) -> f64 {
    subjects.min(stimuli) as f64 - 1.0
}

/// Draws `count` resamples of subjects and stimuli and measures the rank RDM or RGTMs named by `statistics` on each,
/// and the nested choice among `cells` where there are any. Pairs of two copies of one stimulus are dropped. All
/// statistics see the same resamples. Done in steps that are saved: `purpose` names their stages and their random
/// stream, `bar` counts resamples.
pub fn resample_in_steps(
    run: &mut Run,
    (purpose, bar): (&str, &Progress),
    r: &Representations,
    statistics: &[Statistic],
    cells: &[(f64, f64)],
    count: usize,
) -> Result<Resampled> {
    let mut all = Resampled::default();
    for start in (0..count).step_by(STEP) {
        let mut stream = run.stream(purpose, start as u64);
        let n = STEP.min(count - start);
        let stage = format!("{purpose}/{start}");
        all.extend(run.stage(&stage, |_| resample(r, statistics, cells, n, &mut stream))?);
        bar.inc(n as u64);
    }
    Ok(all)
}

/// One step: `count` resamples.
fn resample(
    r: &Representations,
    statistics: &[Statistic],
    cells: &[(f64, f64)],
    count: usize,
    stream: &mut Stream,
) -> Result<Resampled> {
    let stimuli = r.stimuli()?;
    let order = widest_first(cells);
    let mut out = Resampled {
        fixed: vec![Vec::new(); statistics.len()],
        cells: vec![Vec::new(); cells.len()],
        nested: Vec::new(),
    };
    for draw in Resample::sequence(r.subjects(), stimuli, count, stream)? {
        let pairs = PairWeights::new(&draw.stimuli)?;
        // Rarely all pairs of a draw tie in some region; such a draw says nothing about any statistic.
        let Ok(ranked) = r.ranked(Some(&pairs)) else { continue };
        for (values, &s) in out.fixed.iter_mut().zip(statistics) {
            let gram = RegionGram::new(&of_ranks(&ranked, s)?, r.subjects(), Some(pairs.weights()))?;
            values.push(gram.identify(Some(&draw.subjects))?.accuracy);
        }
        if !cells.is_empty() {
            let grams = grid_grams(&ranked, r.subjects(), cells, Some(pairs.weights()))?;
            for (values, gram) in out.cells.iter_mut().zip(&grams) {
                values.push(gram.identify(Some(&draw.subjects))?.accuracy);
            }
            out.nested.push(nested_choice(&grams, &order, Some(&draw.subjects))?.identification.accuracy);
        }
    }
    Ok(out)
}
