//! What a homogenised collection must fulfil, measured against generated truth.

use super::lab::{Generated, STEP_S, at};
use super::ledger::Ledger;
use super::pipeline::{Pipeline, Worm};
use super::raw::RawWorm;
use neuropil_core::{Result, Streams};
use serde::{Deserialize, Serialize};

/// Labels and masks of a data set against the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Labels {
    /// Neurons whose file says who they are and that have data.
    pub labelled: usize,
    /// Those that are in their slot.
    pub correct: usize,
    /// Neurons that got a slot of their own without being that neuron.
    pub wrong: usize,
    /// Worms whose numbers of labelled, unknown or masked slots differ from the truth.
    pub miscounted: usize,
    /// Worms that are missing.
    pub lost: usize,
}

/// Compares worms with what was generated.
pub fn labels(worms: &[Worm], generated: &[Generated]) -> Labels {
    let mut out = Labels::default();
    for g in generated {
        let truth = &g.truth;
        let Some(w) = worms.iter().find(|w| w.original_id == g.raw.worm && w.source == g.raw.source) else {
            out.lost += 1;
            continue;
        };
        let expected: Vec<usize> =
            (0..truth.slots.len()).filter(|&i| truth.slots[i].is_some() && !truth.masked[i]).collect();
        let has = |i: usize| w.rows.iter().any(|r| r.place == i && r.labelled && r.slot == truth.slots[i]);
        out.labelled += expected.len();
        out.correct += expected.iter().filter(|&&i| has(i)).count();
        out.wrong += w.rows.iter().filter(|r| r.labelled && r.slot != truth.slots[r.place]).count();
        let unknown = (0..truth.slots.len())
            .filter(|&i| truth.slots[i].is_none() && !truth.masked[i] && !truth.repeated[i])
            .count();
        let ones = |mask: Vec<bool>| mask.into_iter().filter(|m| *m).count();
        let in_slots = w.rows.iter().filter(|r| !r.labelled && r.slot.is_some()).count();
        let counts = [w.named(), ones(w.labelled_mask()), w.unknown(), ones(w.unknown_mask())];
        out.miscounted += usize::from(counts != [expected.len(), expected.len(), unknown, in_slots]);
    }
    out
}

/// Pearson correlation of each labelled neuron's resampled trace with the noise-free truth at the same times.
pub fn fidelity(worms: &[Worm], generated: &[Generated]) -> Vec<f64> {
    let mut out = Vec::new();
    for g in generated {
        let Some(w) = worms.iter().find(|w| w.original_id == g.raw.worm) else { continue };
        let steps = g.truth.clean.len() / g.truth.slots.len();
        let start = g.raw.times_s[0];
        // Beyond the end the file holds its last sample, the truth goes on.
        let inside = w.resampled.times_s.partition_point(|t| start + t <= (steps - 1) as f64 * STEP_S);
        for (row, trace) in w.rows.iter().zip(w.resampled.data.chunks_exact(w.steps())).filter(|(r, _)| r.labelled) {
            let clean = &g.truth.clean[row.place * steps..(row.place + 1) * steps];
            let truth: Vec<f64> = w.resampled.times_s[..inside].iter().map(|t| at(clean, start + t)).collect();
            let got: Vec<f64> = trace[..inside].iter().map(|v| f64::from(*v)).collect();
            out.push(correlation(&got, &truth));
        }
    }
    out
}

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    neuropil_math::statistics::pearson(a, b).unwrap_or(0.0)
}

/// Largest change of any output at or before the last unchanged sample when every later sample changes; infinite if
/// the two results differ in shape. `(worst, compared values)`.
pub fn look_ahead(pipeline: &Pipeline, raw: &RawWorm, streams: Streams) -> Result<(f64, usize)> {
    let (n, samples) = (raw.names.len(), raw.samples());
    let cut = samples * 2 / 3;
    let mut changed = raw.clone();
    for row in changed.traces.chunks_exact_mut(samples) {
        for v in &mut row[cut..] {
            *v = 7.0 - 3.0 * *v;
        }
    }
    let run = |r: &RawWorm| pipeline.run(std::slice::from_ref(r), streams, &mut Ledger::default());
    let (a, b) = (run(raw)?, run(&changed)?);
    let (Some(a), Some(b)) = (a.first(), b.first()) else { return Ok((0.0, 0)) };
    if n == 0 || a.rows != b.rows || a.resampled.times_s != b.resampled.times_s {
        return Ok((f64::INFINITY, 0));
    }
    let first_changed = raw.times_s[cut] - raw.times_s[0];
    let mut worst = 0.0_f64;
    let mut compared = 0;
    let grids = [(Some(&a.resampled), Some(&b.resampled)), (a.original.as_ref(), b.original.as_ref())];
    for (x, y) in grids.into_iter().filter_map(|(x, y)| Some((x?, y?))) {
        let steps = x.times_s.len();
        let until = x.times_s.partition_point(|t| *t < first_changed);
        let pairs = [
            (&x.data, &y.data),
            (&x.residual, &y.residual),
            (&x.smooth, &y.smooth),
            (&x.smooth_residual, &y.smooth_residual),
        ];
        for (p, q) in pairs.into_iter().flat_map(|(p, q)| p.chunks_exact(steps).zip(q.chunks_exact(steps))) {
            for (u, v) in p[..until].iter().zip(&q[..until]) {
                worst = worst.max(f64::from((u - v).abs()));
                compared += 1;
            }
        }
    }
    Ok((worst, compared))
}
