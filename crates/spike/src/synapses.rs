//! The synapses of one projection: who connects to whom, with which weight and delay.

use crate::ring::DelayRing;
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Which input of the target a synapse addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Receptor {
    /// Receptor 0.
    Excitatory,
    /// Receptor 1.
    Inhibitory,
    /// Any receptor of models with more than two.
    Index(u8),
}

impl Receptor {
    /// The receptor's index.
    pub fn index(self) -> usize {
        match self {
            Self::Excitatory => 0,
            Self::Inhibitory => 1,
            Self::Index(i) => usize::from(i),
        }
    }
}

/// How the pairs of a projection are laid out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) enum Layout {
    /// Source i to target i.
    OneToOne,
    /// Every source to every target, row-major; `skip_self` leaves the diagonal out.
    Dense { skip_self: bool },
    /// Compressed rows by source, targets ascending within a row.
    Sparse { offsets: Vec<usize>, targets: Vec<u32> },
}

/// Weights (f64, in the unit of the target's receptor) and delays (steps) of all synapses of a projection.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Synapses {
    sources: usize,
    targets: usize,
    layout: Layout,
    /// One weight for all synapses, or one per synapse (`sources x targets` for a dense layout).
    weights: Vec<f64>,
    shared: bool,
    /// One delay for all synapses, or one per synapse of a sparse layout.
    delays: Vec<u32>,
    /// Amount per target while a rule works on a sparse layout; all zero between calls.
    #[serde(skip)]
    marked: Vec<f64>,
}

impl Synapses {
    /// Synapses with one weight and one delay. Weights are stored per synapse only if `plastic`.
    pub(crate) fn new(
        sources: usize,
        targets: usize,
        layout: Layout,
        weight: f64,
        delay: u32,
        plastic: bool,
    ) -> Result<Self> {
        if !weight.is_finite() {
            return Err(Error::config("a finite weight", weight.to_string()).at("weight"));
        }
        let count = match &layout {
            Layout::OneToOne => sources.min(targets),
            Layout::Dense { .. } => {
                sources.checked_mul(targets).filter(|&n| n <= 1 << 33).ok_or_else(|| {
                    Error::resources(
                        "at most 2^33 synapses in a dense projection",
                        format!("{sources} x {targets}"),
                    )
                })?
            }
            Layout::Sparse { targets, .. } => targets.len(),
        };
        let mut synapses = Self {
            sources,
            targets,
            layout,
            weights: vec![weight; if plastic { count } else { 1 }],
            shared: !plastic,
            delays: vec![delay],
            marked: Vec::new(),
        };
        if plastic && synapses.skips_self() {
            for i in 0..sources {
                synapses.weights[i * targets + i] = 0.0;
            }
        }
        Ok(synapses)
    }

    /// Sparse synapses from rows with a weight and a delay each.
    pub(crate) fn listed(
        sources: usize,
        targets: usize,
        offsets: Vec<usize>,
        ends: Vec<u32>,
        weights: Vec<f64>,
        delays: Vec<u32>,
    ) -> Self {
        let layout = Layout::Sparse { offsets, targets: ends };
        Self { sources, targets, layout, weights, shared: false, delays, marked: Vec::new() }
    }

    fn skips_self(&self) -> bool {
        matches!(self.layout, Layout::Dense { skip_self: true })
    }

    /// Number of source neurons.
    pub fn sources(&self) -> usize {
        self.sources
    }

    /// Number of target neurons.
    pub fn targets(&self) -> usize {
        self.targets
    }

    /// Longest delay in steps.
    pub fn max_delay(&self) -> u32 {
        self.delays.iter().copied().max().unwrap_or(1)
    }

    /// All synapses as (source, target, weight, delay), by source then target.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, f64, u32)> + '_ {
        (0..self.sources).flat_map(move |s| {
            let (start, len) = match &self.layout {
                Layout::OneToOne => (s, usize::from(s < self.targets)),
                Layout::Dense { .. } => (s * self.targets, self.targets),
                Layout::Sparse { offsets, .. } => (offsets[s], offsets[s + 1] - offsets[s]),
            };
            (start..start + len).enumerate().filter_map(move |(k, synapse)| {
                let target = match &self.layout {
                    Layout::OneToOne => s,
                    Layout::Dense { skip_self } if *skip_self && k == s => return None,
                    Layout::Dense { .. } => k,
                    Layout::Sparse { targets, .. } => targets[synapse] as usize,
                };
                let weight = self.weights[if self.shared { 0 } else { synapse }];
                let delay = self.delays[if self.delays.len() == 1 { 0 } else { synapse }];
                Some((s as u32, target as u32, weight, delay))
            })
        })
    }

    /// The weight matrix, sources x targets row-major, 0 where there is no synapse; parallel synapses are summed.
    pub fn dense(&self) -> Vec<f64> {
        let mut w = vec![0.0; self.sources * self.targets];
        for (s, t, weight, _) in self.iter() {
            w[s as usize * self.targets + t as usize] += weight;
        }
        w
    }

    /// The stored weights: one per synapse where they are plastic or listed, else the one that all share.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Replaces the stored weights, in the order of [`Synapses::weights`].
    pub fn set_weights(&mut self, weights: &[f64]) -> Result<()> {
        if weights.len() != self.weights.len() {
            return Err(Error::input(format!("{} weights", self.weights.len()), weights.len().to_string()));
        }
        if let Some(w) = weights.iter().find(|w| !w.is_finite()) {
            return Err(Error::input("finite weights", w.to_string()));
        }
        self.weights.copy_from_slice(weights);
        if self.skips_self() && !self.shared {
            for i in 0..self.sources {
                self.weights[i * self.targets + i] = 0.0;
            }
        }
        Ok(())
    }

    /// Adds the spikes of `sources` at step `now` to the target's ring.
    pub(crate) fn transmit(&self, sources: &[u32], now: u64, receptor: usize, ring: &mut DelayRing) {
        let delay = u64::from(self.delays[0]);
        match &self.layout {
            Layout::OneToOne => {
                let slot = ring.at(now + delay, receptor);
                for &s in sources {
                    if let Some(x) = slot.get_mut(s as usize) {
                        *x += self.weights[if self.shared { 0 } else { s as usize }];
                    }
                }
            }
            Layout::Dense { skip_self } => {
                let slot = ring.at(now + delay, receptor);
                for &s in sources {
                    let s = s as usize;
                    if self.shared {
                        let w = self.weights[0];
                        if *skip_self {
                            slot[..s].iter_mut().for_each(|x| *x += w);
                            slot[s + 1..].iter_mut().for_each(|x| *x += w);
                        } else {
                            for x in slot.iter_mut() {
                                *x += w;
                            }
                        }
                    } else {
                        // The diagonal of a layout without self-connections holds 0.
                        let row = &self.weights[s * self.targets..(s + 1) * self.targets];
                        slot.iter_mut().zip(row).for_each(|(x, w)| *x += w);
                    }
                }
            }
            Layout::Sparse { offsets, targets } if self.delays.len() == 1 => {
                let slot = ring.at(now + delay, receptor);
                for &s in sources {
                    let row = offsets[s as usize]..offsets[s as usize + 1];
                    if self.shared {
                        for &t in &targets[row] {
                            slot[t as usize] += self.weights[0];
                        }
                    } else {
                        for (&t, w) in targets[row.clone()].iter().zip(&self.weights[row]) {
                            slot[t as usize] += w;
                        }
                    }
                }
            }
            Layout::Sparse { offsets, targets } => {
                for &s in sources {
                    // Synapses with delays of their own come from a list, which gives each its weight as well.
                    let row = offsets[s as usize]..offsets[s as usize + 1];
                    let ends = targets[row.clone()].iter().zip(&self.delays[row.clone()]);
                    for ((&t, &d), w) in ends.zip(&self.weights[row]) {
                        ring.at(now + u64::from(d), receptor)[t as usize] += w;
                    }
                }
            }
        }
    }

    /// Sets `w <- change(w, a, b)` for every synapse from a listed source (with its amount a) to a listed target (with
    /// its amount b). Cost: listed sources times listed targets for dense layouts, the rows of the listed sources for
    /// sparse ones. Targets must not repeat and amounts of 0 may be skipped.
    pub fn adjust(
        &mut self,
        sources: &[(u32, f64)],
        targets: &[(u32, f64)],
        change: impl Fn(f64, f64, f64) -> f64,
    ) {
        if self.shared {
            return;
        }
        match &self.layout {
            Layout::OneToOne => {
                self.marked.resize(self.targets, 0.0);
                mark(&mut self.marked, targets, |b| b);
                for &(s, a) in sources {
                    let b = self.marked.get(s as usize).copied().unwrap_or(0.0);
                    if b != 0.0 {
                        let w = &mut self.weights[s as usize];
                        *w = change(*w, a, b);
                    }
                }
                mark(&mut self.marked, targets, |_| 0.0);
            }
            Layout::Dense { skip_self } => {
                for &(s, a) in sources {
                    let row = &mut self.weights[s as usize * self.targets..(s as usize + 1) * self.targets];
                    for &(t, b) in targets {
                        if !(*skip_self && s == t) {
                            let w = &mut row[t as usize];
                            *w = change(*w, a, b);
                        }
                    }
                }
            }
            Layout::Sparse { offsets, targets: ends } => {
                self.marked.resize(self.targets, 0.0);
                mark(&mut self.marked, targets, |b| b);
                for &(s, a) in sources {
                    let row = offsets[s as usize]..offsets[s as usize + 1];
                    for (&t, w) in ends[row.clone()].iter().zip(&mut self.weights[row]) {
                        let b = self.marked[t as usize];
                        if b != 0.0 {
                            *w = change(*w, a, b);
                        }
                    }
                }
                mark(&mut self.marked, targets, |_| 0.0);
            }
        }
    }
}

fn mark(marked: &mut [f64], targets: &[(u32, f64)], amount: impl Fn(f64) -> f64) {
    for &(t, b) in targets {
        marked[t as usize] = amount(b);
    }
}
