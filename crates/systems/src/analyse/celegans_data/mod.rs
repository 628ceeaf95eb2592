//! **Homogenized C. elegans neural activity and connectivity data.** Simeon, Kashyap, Kording, Boyden (2024),
//! arXiv 2411.12091.
//!
//! For those who model the worm: whole-brain calcium recordings of different laboratories and connectomes of different
//! studies, all on one axis of 302 neurons, one sampling interval and one normalisation, in one store.
//!
//! For each worm, in this order (`pipeline`):
//!
//! ```text
//! 1 check axes, names and times; skip what is empty or has no named neuron     (every skip is a line in the ledger)
//! 2 first occurrence of each name; name -> slot 0..301 in byte order           ([`neuropil_data::worm_names`])
//! 3 fill gaps, z-score each neuron (population SD), or causally against its past
//! 4 seconds from the first sample; dt = median of the differences
//! 5 residual: central differences on the irregular grid
//! 6 smooth both: causal half Gaussian, sigma in samples
//! 7 resample all to dt* = 1/3 s: linear upwards; to dt*/6 and means of 6 downwards
//! 8 (T, 302) with masks; unknown neurons in a block of their own or in free slots
//! ```
//!
//! Connectomes (`connectome`): names read likewise, cells without a slot dropped with their weight in the ledger,
//! parallel edges summed, gap junctions made symmetric with a report of how much they were not.
//!
//! What differs from the published code: names lose only zeros that pad a number, single precision instead of half for
//! traces and double for times (half is off by 0.5 s after 17 minutes), a block is stamped with its mean time instead of
//! its first, the Gaussian stops at 6 sigma, unknown neurons are placed by a seed, and `causal = true` lets no step
//! look ahead (gaps and new samples hold the last value, derivatives look back).
//! Laboratories are simulated (`lab`): calcium recordings of the paper's sources cannot be shipped. Connectomes are
//! real.

pub mod apply;
pub mod checks;
pub mod connectome;
pub mod experiment;
pub mod lab;
pub mod ledger;
pub mod models;
pub mod pipeline;
pub mod quality;
pub mod raw;
pub mod readers;
pub mod store;

use connectome::Symmetrise;
use neuropil_core::{Error, Result, Streams};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use pipeline::Pipeline;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Card of the system.
pub const CARD: Card = Card {
    number: 13,
    slug: "celegans-data",
    wing: Wing::Analyse,
    title: "Homogenized C. elegans neural activity and connectivity data",
    authors: "Quilee Simeon, Anshul Kashyap, Konrad P. Kording, Edward S. Boyden",
    year: 2024,
    source: "arXiv 2411.12091",
    summary: "Puts calcium recordings of any laboratory and connectomes of any study on one axis of 302 neurons, one sampling interval and one normalisation",
    claim: "Recordings of 11 laboratories and connectomes of several studies fit one format without loss of labels, and a model trained on all of them predicts held-out worms better than one trained on a single laboratory",
    data: DataKind::RealInput,
    tags: &["C. elegans", "calcium imaging", "connectome", "resampling", "data set", "whole brain"],
    inputs: &[
        Role {
            name: "recordings",
            formats: "a folder with manifest.toml, or CSV (wide or long), npz, JSON, safetensors, all also .gz",
            required: false,
            many: true,
            help: "traces (time x neurons) with neuron names and times in seconds or a rate",
        },
        Role {
            name: "connectome",
            formats: "CSV edge list or matrix, GraphML, npz, safetensors",
            required: false,
            many: true,
            help: "directed weighted edges between named cells, kind `electrical` or `chemical`",
        },
    ],
    outputs: &[
        "index.csv",
        "ledger.csv",
        "store/*.safetensors",
        "store/*.npz",
        "long.csv.gz",
        "recordings/*.safetensors",
        "connectomes/*.{graphml,csv,npz}",
    ],
    example: "neuropil run celegans-data --input recordings",
};

/// Configuration of the system.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CelegansData {
    /// Simulated laboratories, 1 to 11.
    pub labs: usize,
    /// Worms of each laboratory.
    pub worms: usize,
    /// Shortest recording in seconds.
    pub shortest_s: f64,
    /// Longest recording in seconds.
    pub longest_s: f64,
    /// Every how many-th worm of a laboratory is held out from training; 0 trains no models.
    pub hold_out_every: usize,
    /// Trainings of each recurrent network, with different seeds.
    pub trainings: u32,
    /// Hidden units of the recurrent network.
    pub hidden: usize,
    /// Optimiser steps of the recurrent network.
    pub steps: usize,
    /// Ridge penalty of the autoregressions.
    pub alpha: f64,
    /// Shuffled connectomes that the real one is compared with.
    pub shuffles: usize,
    /// What becomes of the two directions of a gap junction: `max` or `sum`.
    pub symmetrise: Symmetrise,
    /// Divide each row of the connectome matrices by the larger of its sum and 1.
    pub normalise_rows: bool,
    /// Write the dense (T, 302) form as npz, too.
    pub dense: bool,
    /// Write the long table, too.
    pub long: bool,
    /// Keep the simulated laboratories' files in the run folder.
    pub keep_files: bool,
    /// The steps that every recording passes.
    pub pipeline: Pipeline,
}

impl Default for CelegansData {
    fn default() -> Self {
        Self {
            labs: 5,
            worms: 4,
            shortest_s: 10.0,
            longest_s: 1200.0,
            hold_out_every: 0,
            trainings: 3,
            hidden: 64,
            steps: 400,
            alpha: 30.0,
            shuffles: 10,
            symmetrise: Symmetrise::Max,
            normalise_rows: false,
            dense: true,
            long: true,
            keep_files: true,
            pipeline: Pipeline::default(),
        }
    }
}

impl System for CelegansData {
    const CARD: Card = CARD;

    fn preset(profile: Profile) -> Self {
        let quick = Self::default();
        match profile {
            Profile::Smoke => Self { worms: 1, longest_s: 20.0, shortest_s: 20.0, ..quick },
            Profile::Quick => quick,
            Profile::Full | Profile::Paper => Self {
                labs: 11,
                worms: if profile == Profile::Full { 20 } else { 80 },
                shortest_s: 60.0,
                longest_s: if profile == Profile::Full { 400.0 } else { 1200.0 },
                hold_out_every: 4,
                dense: false,
                long: false,
                keep_files: false,
                pipeline: Pipeline { keep_original: false, ..Pipeline::default() },
                ..quick
            },
        }
    }

    fn check(&self) -> Result<()> {
        let within = |name: &str, v: usize, low: usize, high: usize| {
            if (low..=high).contains(&v) {
                Ok(())
            } else {
                Err(Error::config(format!("{low} to {high}"), v.to_string()).at(name))
            }
        };
        within("labs", self.labs, 1, 11)?;
        within("worms", self.worms, 1, 1000)?;
        within("hidden", self.hidden, 1, 4096)?;
        within("steps", self.steps, 1, 1_000_000)?;
        within("shuffles", self.shuffles, 1, 1000)?;
        within("trainings", self.trainings as usize, 1, 100)?;
        if self.hold_out_every > 0 {
            within("hold_out_every", self.hold_out_every, 2, self.worms)?;
        }
        if !(self.shortest_s >= 5.0 && self.longest_s >= self.shortest_s && self.longest_s <= 7200.0) {
            let got = format!("{} to {} s", self.shortest_s, self.longest_s);
            return Err(Error::config("5 s <= shortest_s <= longest_s <= 7200 s", got).at("shortest_s"));
        }
        if !(self.alpha.is_finite() && self.alpha > 0.0) {
            return Err(Error::config("a positive ridge penalty", self.alpha.to_string()).at("alpha"));
        }
        self.pipeline.check().map_err(|e| e.at("pipeline"))
    }

    fn estimate(&self) -> Estimate {
        // Means over the logarithmic spread of durations.
        let ratio = (self.longest_s / self.shortest_s).ln();
        let mean_s = if ratio > 0.0 { (self.longest_s - self.shortest_s) / ratio } else { self.shortest_s };
        let worms = (self.labs * self.worms) as f64;
        let recorded_s = worms * mean_s;
        let trained = if self.hold_out_every > 0 {
            f64::from(self.trainings) * (self.labs + 1) as f64 * self.steps as f64 * 0.05 + 60.0
        } else {
            0.0
        };
        let kept = if self.pipeline.keep_original { 2.0 } else { 1.0 };
        Estimate {
            wall_s: 3.0 + recorded_s * 1.5e-3 + trained,
            mem_mb: 300.0 + recorded_s * (3.0 * 120.0 * 16.0 * kept + 302.0 * 3.0 * 16.0) / 1e6,
        }
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        experiment::reproduce(self, run)
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        apply::apply(self, inputs, run)
    }

    fn example(dir: &Path) -> Result<()> {
        let streams = Streams::new(1);
        let planted = lab::Planted::new(streams)?;
        let laboratory = lab::Lab { neurons: (40, 50), ..lab::laboratories(1, (60.0, 60.0)).remove(0) };
        let worms = (0..2).map(|k| laboratory.record(&planted, k, 2, streams)).collect::<Result<Vec<_>>>()?;
        laboratory.write(&dir.join("recordings"), &worms.iter().map(|g| &g.raw).collect::<Vec<_>>())
    }
}
