//! The Dragon Hatchling (BDH): a language model as a Hebbian graph of sparse positive neurons.
//!
//! Kosowski, Uznanski, Chorowski, Stamirowska, Bartoszkiewicz (2025), "The Dragon Hatchling: the missing link between the
//! Transformer and models of the brain", arXiv 2509.26507.
//!
//! For a small language model on your own text whose activity is sparse and positive, whose working memory is an explicit
//! matrix of synapse strengths that can be read out, plotted and probed, and which runs in constant memory per token.
//!
//! For tokens t = 0, 1, ... with x = LN(embed\[token\]) in R^D, repeat L times with the same weights, for every head:
//!
//! ```text
//! xs = relu(x E)                      neurons x, sparse and positive, N per head
//! q  = rope(xs)                       keys = queries; pair i turns by t 65536^(-2i/N)
//! a  = sum over s < t of (q_t . q_s) x_s   linear attention: no softmax, no scale, no diagonal
//!    = rho^T q_t,  then  rho += q_t x_t^T  the same as Hebbian synapses, read before written
//! ys = relu(LN(a) Ev)                 neurons y
//! z  = dropout(xs * ys)               gate
//! y  = LN(all heads' z Dc)
//! x  = LN(x + y)
//! ```
//!
//! and logits = x R. LN has neither gain nor offset. Training: AdamW on everything; here with warm-up, cosine and gradient
//! clipping. [`model`] is the parallel form with its backward pass, [`state`] the recurrent and chunked forms, [`graph`] the
//! explicit n x n graph, [`inspect`] the neuron graph and concept synapses, [`training`] the loop and the Transformer
//! baseline. Simplified: single precision instead of bf16; the ablations "softmax attention" and "untied layers" are left
//! out.

mod experiment;
mod figures;
pub mod floors;
pub mod graph;
pub mod inspect;
pub mod model;
pub mod state;
pub mod training;
mod user;

use model::{Parts, Sizes};
use neuropil_core::{Error, Result};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;
use training::Plan;

/// What to do with the user's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Train on `text`, from `checkpoint` if one is given.
    Train,
    /// Continue `prompt` with `checkpoint`.
    Generate,
    /// Read `checkpoint`: neuron graph; sparsity on `text`; the synapse that tells `positive` from `negative` texts.
    Inspect,
    /// Join two `checkpoint`s head by head, without training; losses on every `text`.
    Merge,
}

/// Configuration of the Dragon Hatchling.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Bdh {
    /// What to do with the user's files: train, generate, inspect or merge.
    pub task: Task,
    /// Token classes V: 256 for bytes; more only for `.npy` files of token ids.
    pub vocabulary: usize,
    /// Width D of the low-rank messages.
    pub width: usize,
    /// Heads H.
    pub heads: usize,
    /// Neurons n in all heads; a multiple of 2 H.
    pub neurons: usize,
    /// Rounds L over the same weights.
    pub layers: usize,
    /// Rotary positions; false is an ablation.
    pub rope: bool,
    /// The gate z = x y; false (z = y) is an ablation.
    pub gate: bool,
    /// The Hebbian memory; false (rho = 0) is an ablation.
    pub memory: bool,
    /// Tokens per training window T.
    pub context: usize,
    /// Windows per step.
    pub batch: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Peak learning rate of AdamW.
    pub rate: f64,
    /// Learning rates among which a short pilot chooses, for the network and for the Transformer (full experiment).
    pub rates: Vec<f64>,
    /// Steps of linear warm-up; a cosine then takes the rate to 10 %.
    pub warmup: usize,
    /// Weight decay on everything.
    pub weight_decay: f64,
    /// Largest gradient norm.
    pub clip: f64,
    /// Dropout on the gated activity, and in the Transformer.
    pub dropout: f64,
    /// Fraction at the end of the text that is held out for validation.
    pub validation: f64,
    /// Replicates of the seed (full experiment).
    pub seeds: u32,
    /// Optimiser steps of the translation experiment (full experiment).
    pub translation_steps: usize,
    /// Strongest entries of G = Dc E kept per neuron as edges of its graph.
    pub edges_per_neuron: usize,
    /// Shuffles of the concept labels for the max-statistic null.
    pub shuffles: usize,
    /// Train the Transformer of equal size beside it (task train).
    pub baseline: bool,
    /// Text to continue (tasks train and generate).
    pub prompt: String,
    /// Tokens to generate.
    pub length: usize,
    /// Sampling temperature; 0 takes the likeliest token.
    pub temperature: f64,
    /// Sample among this many likeliest tokens; 0 for all.
    pub top_k: usize,
}

impl Default for Bdh {
    fn default() -> Self {
        Self {
            task: Task::Train,
            vocabulary: 256,
            width: 32,
            heads: 4,
            neurons: 512,
            layers: 3,
            rope: true,
            gate: true,
            memory: true,
            context: 64,
            batch: 16,
            steps: 400,
            rate: 2e-3,
            rates: vec![5e-4, 1e-3, 2e-3],
            warmup: 50,
            weight_decay: 0.1,
            clip: 1.0,
            dropout: 0.0,
            validation: 0.1,
            seeds: 1,
            translation_steps: 0,
            edges_per_neuron: 8,
            shuffles: 1000,
            baseline: true,
            prompt: "KING".into(),
            length: 400,
            temperature: 1.0,
            top_k: 3,
        }
    }
}

impl Bdh {
    pub(self) fn sizes(&self) -> Sizes {
        Sizes {
            vocabulary: self.vocabulary,
            width: self.width,
            heads: self.heads,
            neurons: self.neurons,
            layers: self.layers,
        }
    }

    pub(self) fn parts(&self) -> Parts {
        Parts { rope: self.rope, gate: self.gate, memory: self.memory }
    }

    pub(self) fn plan(&self) -> Plan {
        Plan {
            steps: self.steps,
            batch: self.batch,
            context: self.context,
            rate: self.rate,
            warmup: self.warmup.min(self.steps / 4),
            weight_decay: self.weight_decay,
            clip: self.clip,
            looks: 16,
            windows: 32_768 / self.context.max(1),
        }
    }

    /// Floating-point operations of training one token of this network.
    pub(self) fn flops_per_token(&self) -> f64 {
        let (n, d, t) = (self.neurons as f64, self.width as f64, self.context as f64);
        3.0 * self.layers as f64 * (6.0 * n * d + t * n + t * self.heads as f64 * d)
    }
}

impl System for Bdh {
    const CARD: Card = Card {
        number: 31,
        slug: "bdh",
        wing: Wing::Learn,
        title: "The Dragon Hatchling: the missing link between the Transformer and models of the brain",
        authors: "Adrian Kosowski, Przemyslaw Uznanski, Jan Chorowski, Zuzanna Stamirowska, Michal Bartoszkiewicz",
        year: 2025,
        source: "arXiv 2509.26507",
        summary: "A language model of sparse positive neurons whose working memory is a readable matrix of Hebbian synapses",
        claim: "As good as a Transformer of equal size on the same text, with sparse activity and a Hebbian memory that it needs",
        data: DataKind::Real,
        tags: &["language model", "hebbian", "fast weights", "linear attention", "sparse", "interpretable", "modularity"],
        inputs: &[
            Role {
                name: "text",
                formats: ".txt (UTF-8 or any bytes), a folder of .txt, .jsonl with `text`, .npy of token ids",
                required: false,
                many: true,
                help: "Text to train on (train), to measure sparsity on (inspect) or to score (merge)",
            },
            Role {
                name: "checkpoint",
                formats: "safetensors with E, Ev, Dc, embed, head",
                required: false,
                many: true,
                help: "A trained network: start of train, subject of generate and inspect, the two parents of merge",
            },
            Role {
                name: "positive",
                formats: ".txt with one text a line, .jsonl, .csv, folder",
                required: false,
                many: false,
                help: "Texts with the concept (inspect)",
            },
            Role {
                name: "negative",
                formats: ".txt with one text a line, .jsonl, .csv, folder",
                required: false,
                many: false,
                help: "Texts without the concept (inspect)",
            },
        ],
        outputs: &[
            "checkpoint.safetensors",
            "loss.csv",
            "sparsity.csv",
            "sample.txt",
            "state.npz",
            "neurons.graphml",
            "synapses.csv",
        ],
        example: "neuropil run bdh --input text.txt --set steps=200",
    };

    fn preset(profile: Profile) -> Self {
        let quick = Self::default();
        match profile {
            Profile::Smoke => Self {
                width: 16,
                neurons: 64,
                layers: 2,
                context: 32,
                batch: 4,
                steps: 12,
                warmup: 2,
                shuffles: 20,
                length: 40,
                ..quick
            },
            Profile::Quick => quick,
            Profile::Full => Self {
                width: 64,
                neurons: 1024,
                layers: 4,
                context: 128,
                batch: 8,
                steps: 1600,
                rate: 1e-3,
                seeds: 2,
                translation_steps: 488,
                ..quick
            },
            Profile::Paper => Self {
                width: 256,
                neurons: 32_768,
                layers: 6,
                context: 512,
                batch: 32,
                steps: 3000,
                rate: 1e-3,
                dropout: 0.1,
                translation_steps: 3000,
                ..quick
            },
        }
    }

    fn check(&self) -> Result<()> {
        self.sizes().check()?;
        let positive: [(&str, usize); 4] =
            [("context", self.context), ("batch", self.batch), ("steps", self.steps), ("edges_per_neuron", self.edges_per_neuron)];
        if let Some((field, _)) = positive.iter().find(|(_, v)| *v == 0) {
            return Err(Error::config("a positive number", "0").at(*field));
        }
        let fractions: [(&str, f64); 2] = [("dropout", self.dropout), ("validation", self.validation)];
        if let Some((field, v)) = fractions.iter().find(|(_, v)| !(0.0..1.0).contains(v)) {
            return Err(Error::config("a fraction below 1", v.to_string()).at(*field));
        }
        let rates = self.rates.iter().map(|&r| ("rates", r));
        for (field, v) in [("rate", self.rate), ("clip", self.clip)].into_iter().chain(rates) {
            if v.is_nan() || v <= 0.0 {
                return Err(Error::config("a positive number", v.to_string()).at(field));
            }
        }
        if self.rates.is_empty() || self.seeds == 0 {
            return Err(Error::config("at least one rate and one seed", "none").at("rates"));
        }
        for (field, v) in [("temperature", self.temperature), ("weight_decay", self.weight_decay)] {
            if v.is_nan() || v < 0.0 {
                return Err(Error::config("0 or more", v.to_string()).at(field));
            }
        }
        Ok(())
    }

    fn estimate(&self) -> Estimate {
        // 2 cores sustain about 120 Gflop/s in these products; attention scores and passes over activity cost as much
        // again. The full experiment trains 2 seeds, 3 pilots, the Transformers and the translation pair.
        let runs = if self.translation_steps > 0 { f64::from(self.seeds) + 3.0 } else { 2.2 };
        let tokens = (self.steps * self.batch * self.context) as f64;
        let wall_s = 2.0 + runs * tokens * self.flops_per_token() / 0.7e11;
        let sizes = self.sizes();
        // Parameters, moments and gradients of one group of sequences; their activity; the scan of concepts.
        let parameters = sizes.parameters() as f64 * 4.0;
        let (n, t) = (self.neurons as f64, self.context as f64);
        let activity = self.layers as f64 * (4.0 * t * n + self.heads as f64 * t * t) * 4.0;
        let group = self.batch.min(8) as f64;
        let concepts = if self.translation_steps > 0 { 240.0 * self.layers as f64 * n * self.width as f64 * 4.0 } else { 0.0 };
        Estimate { wall_s, mem_mb: 60.0 + (parameters * (6.0 + group) + activity * group + concepts) / 1e6 }
    }

    fn replicates(&self) -> u32 {
        self.seeds
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        match run.profile() {
            Some(Profile::Full | Profile::Paper) => experiment::full(self, run),
            _ => experiment::quick(self, run),
        }
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        match self.task {
            Task::Train => user::train(self, inputs, run),
            Task::Generate => user::generate(self, inputs, run),
            Task::Inspect => user::inspect(self, inputs, run),
            Task::Merge => user::merge(self, inputs, run),
        }
    }

    fn example(dir: &Path) -> Result<()> {
        user::example(dir)
    }
}
