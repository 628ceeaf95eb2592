//! What a match is worth: chance, the statistics of the input alone, and the most that can be had.

use super::comparison::{Matching, correlations};
use super::samples::{Layer, Population};
use neuropil_core::{Result, Stream};
use serde::{Deserialize, Serialize};

/// Correlations of matched units, descending, under three conditions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Nulls {
    /// The images of the second network in a random order.
    pub shuffled: Vec<f64>,
    /// The second network before training; empty without one.
    pub untrained: Vec<f64>,
    /// Share of its units that the first network finds again in itself after a hidden permutation and positive gains.
    pub itself: f64,
}

/// The two matchings of two populations.
pub fn matched(layer: &Layer, first: usize, second: usize) -> Result<Matching> {
    let c = layer.plain()?;
    Matching::of(&correlations(&c.all, &layer.places(first), &layer.places(second))?)
}

impl Nulls {
    /// Of the populations 0 and 1 of a layer; `untrained` is a population of the same samples.
    pub fn of(layer: &Layer, untrained: Option<&Population>, dead_below: f64, stream: &mut Stream) -> Result<Self> {
        let shuffled = matched(&layer.shuffled(0, 1, stream), 0, 1)?.sorted();
        let beside = |other: Population| {
            let populations = vec![layer.populations[0].clone(), other];
            Layer::new(layer.name.clone(), populations, layer.blocks.clone(), dead_below)
        };
        let untrained = match untrained {
            // An untrained unit may be silent on all images, a whole layer hardly.
            Some(p) => matched(&beside(p.clone())?, 0, 1)?.sorted(),
            None => Vec::new(),
        };
        let (disguised, order) = disguise(&layer.populations[0], stream)?;
        let pair = beside(disguised)?;
        let found = matched(&pair, 0, 1)?;
        let right = found.bipartite.iter().enumerate().filter(|(i, j)| {
            let (own, other) = (pair.live(0)[*i], j.map(|j| pair.live(1)[j]));
            other.is_some_and(|j| order[j] == own)
        });
        Ok(Self { shuffled, untrained, itself: right.count() as f64 / found.bipartite.len() as f64 })
    }
}

/// The same units in a random order, each with a positive gain of its own; also which unit each is.
fn disguise(p: &Population, stream: &mut Stream) -> Result<(Population, Vec<usize>)> {
    let n = p.units.len();
    let order = stream.permutation(n);
    let gains: Vec<f32> = (0..n).map(|_| stream.uniform_in(0.5, 2.0) as f32).collect();
    let values = p.values().chunks_exact(n).flat_map(|row| order.iter().zip(&gains).map(|(&u, g)| row[u] * g)).collect();
    let units = order.iter().map(|&u| p.units[u].clone()).collect();
    Ok((Population::new(p.name.clone(), units, values)?, order))
}
