//! The use of the collection: predicting the next step of labelled neurons, with one model for all laboratories or one
//! for each, with and without the connectome.

use super::pipeline::Worm;
use neuropil_analysis::communities::Graph;
use neuropil_analysis::linear_models::{Ar1, Ar1Sums, Masked, persistence_error};
use neuropil_core::{Result, Streams};
use neuropil_data::worm_names::NEURON_COUNT;
use neuropil_nn::Series;
use rayon::prelude::*;

/// One recording on the 302 slots: slots x steps, zero where no labelled neuron is, with its mask. Unlabelled neurons
/// are left out, so nothing that is not data enters a loss.
pub struct Slots {
    /// Data set.
    pub source: String,
    /// Slots x steps, row-major.
    pub activity: Vec<f64>,
    /// Which slots are data.
    pub present: Vec<bool>,
}

impl Slots {
    /// The normalised traces of steps `from..to` of a worm.
    pub fn of(worm: &Worm, from: usize, to: usize) -> Self {
        let steps = worm.steps();
        let (from, to) = (from.min(steps), to.min(steps));
        let mut activity = vec![0.0; NEURON_COUNT * (to - from)];
        for (row, trace) in worm.rows.iter().zip(worm.resampled.data.chunks_exact(steps)) {
            if let Some(slot) = row.slot.filter(|_| row.labelled) {
                let out = &mut activity[slot * (to - from)..(slot + 1) * (to - from)];
                out.iter_mut().zip(&trace[from..to]).for_each(|(o, v)| *o = f64::from(*v));
            }
        }
        Self { source: worm.source.clone(), activity, present: worm.labelled_mask() }
    }

    /// All steps of a worm.
    pub fn whole(worm: &Worm) -> Self {
        Self::of(worm, 0, worm.steps())
    }

    fn masked(&self) -> Result<Masked<'_>> {
        Masked::new(&self.activity, &self.present)
    }

    /// The same as a series for a recurrent network.
    pub fn series(&self) -> Series {
        let steps = self.activity.len() / NEURON_COUNT;
        let mut values = vec![0.0; self.activity.len()];
        let mut mask = vec![0.0; self.activity.len()];
        for (slot, row) in self.activity.chunks_exact(steps).enumerate().filter(|(s, _)| self.present[*s]) {
            for (t, v) in row.iter().enumerate() {
                values[t * NEURON_COUNT + slot] = *v as f32;
                mask[t * NEURON_COUNT + slot] = 1.0;
            }
        }
        Series { values, mask }
    }
}

/// Mean squared error over all next steps of all labelled neurons, recordings pooled.
fn pooled(parts: impl Iterator<Item = Result<(f64, usize)>>) -> Result<f64> {
    let (mut total, mut count) = (0.0, 0);
    for part in parts {
        let (mean, n) = part?;
        total += mean * n as f64;
        count += n;
    }
    Ok(total / count.max(1) as f64)
}

/// Error of persistence.
pub fn persistence(test: &[Slots]) -> Result<f64> {
    pooled(test.iter().map(|s| Ok(persistence_error(&s.masked()?))))
}

/// Error of a fitted autoregression.
pub fn error(model: &Ar1, test: &[Slots]) -> Result<f64> {
    let parts: Vec<Result<(f64, usize)>> =
        test.par_iter().map(|s| model.squared_error(&s.masked()?)).collect();
    pooled(parts.into_iter())
}

/// The sums of an autoregression over recordings of at least two steps.
pub fn sums(train: &[&Slots]) -> Result<Ar1Sums> {
    let masked = train.iter().map(|s| s.masked()).collect::<Result<Vec<_>>>()?;
    Ar1Sums::new(&masked)
}

/// Adds every neuron's own past to a mask of edges (target x source).
pub fn with_self(edges: &[bool]) -> Vec<bool> {
    let mut mask = edges.to_vec();
    (0..NEURON_COUNT).for_each(|i| mask[i * NEURON_COUNT + i] = true);
    mask
}

/// A mask with the same number of sources and targets of every neuron and random partners.
pub fn shuffled(edges: &[bool], streams: Streams, k: usize) -> Result<Vec<bool>> {
    let n = NEURON_COUNT;
    let list = (0..n * n).filter(|&e| edges[e]).map(|e| (e % n, e / n, 1.0));
    let graph = Graph::new(n, true, list)?;
    let (rewired, _) = graph.rewired(10, &mut streams.stream("shuffled wiring", k as u64));
    let mut mask = vec![false; n * n];
    for &(source, target, _) in rewired.edges() {
        mask[target as usize * n + source as usize] = true;
    }
    Ok(mask)
}

/// How well the size of the weights tells planted edges from other pairs that were seen together (area under the ROC
/// curve, self-coupling left out).
pub fn recovered_wiring(model: &Ar1, edges: &[bool]) -> Result<f64> {
    let n = NEURON_COUNT;
    let pairs: Vec<usize> = (0..n * n).filter(|&e| e / n != e % n && model.weights()[e] != 0.0).collect();
    let scores: Vec<f64> = pairs.iter().map(|&e| model.weights()[e].abs()).collect();
    let planted: Vec<bool> = pairs.iter().map(|&e| edges[e]).collect();
    neuropil_math::statistics::auroc(&scores, &planted)
}

/// Next-step error relative to persistence when the first half of each recording trains and the second half tests.
pub fn temporal_split(worms: &[Worm], alpha: f64) -> Result<f64> {
    let halves = |second: bool| -> Vec<Slots> {
        worms
            .iter()
            .filter(|w| w.steps() >= 8)
            .map(|w| if second { Slots::of(w, w.steps() / 2, w.steps()) } else { Slots::of(w, 0, w.steps() / 2) })
            .collect()
    };
    let (train, test) = (halves(false), halves(true));
    if train.is_empty() {
        return Ok(f64::NAN);
    }
    let model = sums(&train.iter().collect::<Vec<_>>())?.fit(alpha, None)?;
    Ok(error(&model, &test)? / persistence(&test)?)
}
