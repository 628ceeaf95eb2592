//! Bootstrap over images: every statistic of every layer sees the same resamples, so differences are paired.

use super::comparison::{Comparison, Matching, Refit, correlations};
use super::samples::Layer;
use neuropil_core::{Error, Result, Streams};
use neuropil_experiment::Run;
use neuropil_math::statistics::{mean, percentile_interval};
use neuropil_math::sums;
use serde::{Deserialize, Serialize};

/// Statistics of one layer on one resample, means of all pairs. Units are matched anew; maps and canonical directions stay
/// as they were fitted, and are measured on the resampled images that are held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Mean correlation of matched units.
    pub matched: f64,
    /// R^2 of the dense map.
    pub dense: f64,
    /// R^2 of the best single unit.
    pub single: f64,
    /// R^2 of the map with few units.
    pub capped: f64,
    /// Mean squared canonical correlation of clusters.
    pub clusters: f64,
    /// The same of random clusters.
    pub random: f64,
}

/// One resample.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Resample {
    /// The statistics.
    pub statistics: Statistics,
    /// Correlation of each unit with its original partner, per pair of populations.
    pub partners: Vec<Vec<f64>>,
}

/// One resample of a layer; `seed` names it.
pub fn resample(layer: &Layer, compared: &[(Comparison, Refit)], streams: Streams, seed: u64) -> Result<Resample> {
    let weights = layer.blocks.resample(&mut streams.stream("bootstrap", seed));
    let c = layer.covariances(&weights)?;
    let of = |(comparison, refit): &(Comparison, Refit)| -> Result<([f64; 6], Vec<f64>)> {
        let (a, b) = (layer.places(comparison.first), layer.places(comparison.second));
        let r = correlations(&c.all, &a, &b)?;
        let partner = |(i, j): (usize, &Option<usize>)| j.map_or(f64::NAN, |j| r[(i, j)]);
        let partners = comparison.matching.bipartite.iter().enumerate().map(partner).collect();
        let [dense, single, capped] = comparison.mapping.again(&c.held_out, &a, &b)?;
        let (clusters, random) = refit.agreements(&c.held_out)?;
        Ok(([Matching::of(&r)?.mean(), dense, single, capped, clusters, random], partners))
    };
    let all: Vec<([f64; 6], Vec<f64>)> =
        sums::map(compared.len(), |k| of(&compared[k])).into_iter().collect::<Result<_>>()?;
    let average = |k: usize| mean(&all.iter().map(|(s, _)| s[k]).collect::<Vec<_>>());
    let statistics = Statistics {
        matched: average(0),
        dense: average(1),
        single: average(2),
        capped: average(3),
        clusters: average(4),
        random: average(5),
    };
    Ok(Resample { statistics, partners: all.into_iter().map(|(_, p)| p).collect() })
}

/// `count` resamples in a stage of its own that an interrupt may cut.
pub fn resample_in_steps(
    run: &mut Run,
    layer: &Layer,
    compared: &[(Comparison, Refit)],
    count: usize,
) -> Result<Vec<Resample>> {
    let streams = run.streams();
    let bar = run.progress(&format!("resamples of {}", layer.name), count as u64);
    run.stage(&format!("resamples of {}", layer.name), |run| {
        let mut done: Vec<Resample> = match run.restore("resamples") {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|e| Error::Internal(e.to_string()))?,
            None => Vec::new(),
        };
        while done.len() < count {
            done.push(resample(layer, compared, streams, done.len() as u64)?);
            bar.set(done.len() as u64);
            run.checkpoint("resamples", || postcard::to_allocvec(&done).unwrap_or_default())?;
        }
        Ok(done)
    })
}

/// The central 95 % of values that are finite; NaN twice where there are none.
pub fn interval(values: &[f64]) -> (f64, f64) {
    let finite: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    percentile_interval(&finite, 0.95).unwrap_or((f64::NAN, f64::NAN))
}
