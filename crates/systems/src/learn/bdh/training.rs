//! Training of the network and of its Transformer baseline on the same batches, with a state that resumes bit for bit.

use super::model::{Learner, Parts, Sizes, Sparsity};
use neuropil_core::{Error, Result, Stream, Streams};
use neuropil_nn::kernels::softmax_row;
use neuropil_nn::modules::{Transformer, TransformerConfig, cross_entropy};
use neuropil_nn::optim::{Rule, Schedule};
use neuropil_nn::pass::values;
use neuropil_nn::text::{Corpus, windows};
use neuropil_nn::train::Training;
use neuropil_nn::{Parameters, Pass};
use serde::{Deserialize, Serialize};

/// A language model over token windows.
pub trait Model {
    /// Fresh parameters.
    fn initial(&self, stream: &mut Stream) -> Result<Parameters>;

    /// One optimiser step on `tokens` and `targets` [batch, context]; the mean loss in nats.
    fn step(&mut self, training: &mut Training, tokens: &[u32], targets: &[u32]) -> Result<f64>;

    /// Loss of every token [batch, context] in nats.
    fn losses(&self, parameters: &Parameters, tokens: &[u32], targets: &[u32]) -> Result<Vec<f64>>;
}

/// The Dragon Hatchling as a [`Model`].
pub struct Hatchling {
    sizes: Sizes,
    learner: Learner,
    dropout: f64,
    streams: Streams,
}

impl Hatchling {
    /// For windows of `context` tokens.
    pub fn new(sizes: Sizes, parts: Parts, context: usize, dropout: f64, streams: Streams) -> Self {
        Self { sizes, learner: Learner::new(sizes, parts, context), dropout, streams }
    }

    /// Mean loss in nats and sparsity per round on the given windows.
    pub fn evaluate(&self, parameters: &Parameters, tokens: &[u32], targets: &[u32]) -> (f64, Vec<Sparsity>) {
        let (losses, sparsity) = self.learner.evaluate(parameters.values(), tokens, targets);
        (mean(&losses), sparsity)
    }
}

impl Model for Hatchling {
    fn initial(&self, stream: &mut Stream) -> Result<Parameters> {
        self.sizes.check()?;
        Ok(self.sizes.initial(stream))
    }

    fn step(&mut self, training: &mut Training, tokens: &[u32], targets: &[u32]) -> Result<f64> {
        let dropout = (self.dropout > 0.0).then_some((self.dropout, self.streams, training.step as u64));
        let (loss, gradient) = self.learner.gradient(training.parameters.values(), tokens, targets, dropout);
        training.apply(loss as f32, gradient)?;
        Ok(loss)
    }

    fn losses(&self, parameters: &Parameters, tokens: &[u32], targets: &[u32]) -> Result<Vec<f64>> {
        Ok(self.learner.evaluate(parameters.values(), tokens, targets).0)
    }
}

/// The GPT-2 style baseline as a [`Model`].
pub struct Baseline {
    config: TransformerConfig,
}

impl Baseline {
    /// A pre-norm Transformer; 12 layers width^2 weights without embeddings and norms.
    pub fn new(config: TransformerConfig) -> Self {
        Self { config }
    }

    fn net(&self) -> Result<Transformer> {
        Transformer::new(&mut Parameters::default(), self.config, &mut Streams::new(0).stream("shape only", 0))
    }
}

impl Model for Baseline {
    fn initial(&self, stream: &mut Stream) -> Result<Parameters> {
        let mut p = Parameters::default();
        Transformer::new(&mut p, self.config, stream)?;
        Ok(p)
    }

    fn step(&mut self, training: &mut Training, tokens: &[u32], targets: &[u32]) -> Result<f64> {
        let net = self.net()?;
        let context = self.config.context;
        let loss = training.step(|pass| Ok(cross_entropy(net.forward(pass, tokens, context), targets, None)))?;
        Ok(f64::from(loss))
    }

    fn losses(&self, parameters: &Parameters, tokens: &[u32], targets: &[u32]) -> Result<Vec<f64>> {
        let net = self.net()?;
        let t = self.config.context;
        let mut out = Vec::with_capacity(tokens.len());
        // Eight windows at a time bound the memory.
        for (x, y) in tokens.chunks(8 * t).zip(targets.chunks(8 * t)) {
            let mut logits = values(net.forward(&Pass::inference(parameters), x, t));
            out.extend(logits.chunks_exact_mut(self.config.vocabulary).zip(y).map(|(row, &target)| {
                let z = row[target as usize];
                f64::from(softmax_row(row) - z)
            }));
        }
        Ok(out)
    }
}

/// How to train.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Optimiser steps.
    pub steps: usize,
    /// Windows per step.
    pub batch: usize,
    /// Tokens per window.
    pub context: usize,
    /// Peak learning rate.
    pub rate: f64,
    /// Linear warm-up in steps.
    pub warmup: usize,
    /// Weight decay on all weights.
    pub weight_decay: f64,
    /// Largest gradient norm.
    pub clip: f64,
    /// Looks at the validation loss, evenly spread.
    pub looks: usize,
    /// Validation windows per look.
    pub windows: usize,
}

/// A training run in progress or done; its serialised form is the checkpoint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fit {
    /// Weights, optimiser, step.
    pub training: Training,
    /// Stream of the training windows.
    data: Stream,
    /// Mean training loss between looks: (step, nats).
    pub train: Vec<(usize, f64)>,
    /// Validation loss: (step, nats).
    pub validation: Vec<(usize, f64)>,
    /// Losses since the last look.
    recent: Vec<f64>,
}

impl Fit {
    /// A fresh run.
    pub fn new(model: &dyn Model, plan: &Plan, streams: Streams) -> Result<Self> {
        let parameters = model.initial(&mut streams.stream("initial weights", 0))?;
        Ok(Self::from(parameters, plan, streams))
    }

    /// A run that starts from given parameters.
    pub fn from(parameters: Parameters, plan: &Plan, streams: Streams) -> Self {
        let rule = Rule::AdamW {
            beta1: 0.9,
            beta2: 0.999,
            eps: 1e-8,
            weight_decay: plan.weight_decay,
            decay_all: true,
        };
        let schedule = Schedule::cosine(plan.rate, plan.warmup, plan.steps, 0.1);
        let training = Training::new(parameters, rule, schedule, plan.clip, streams.stream("dropout", 0));
        let data = streams.stream("training windows", 0);
        Self { training, data, train: Vec::new(), validation: Vec::new(), recent: Vec::new() }
    }

    /// Trains until the plan is done. `each` sees the run after every step (to report and to save it).
    pub fn run(
        &mut self,
        model: &mut dyn Model,
        corpus: &Corpus,
        plan: &Plan,
        mut each: impl FnMut(&Self, f64) -> Result<()>,
    ) -> Result<()> {
        let look = plan.steps.div_ceil(plan.looks.max(1)).max(1);
        while self.training.step < plan.steps {
            let (x, y) = corpus.batch(plan.batch, plan.context, &mut self.data);
            let loss = model.step(&mut self.training, &x, &y)?;
            self.recent.push(loss);
            let step = self.training.step;
            if step.is_multiple_of(look) || step == plan.steps {
                self.train.push((step, mean(&self.recent)));
                self.recent.clear();
                let (x, y) = windows(corpus.validation(), plan.context, plan.windows);
                let loss = mean(&model.losses(&self.training.parameters, &x, &y)?);
                if !loss.is_finite() {
                    return Err(Error::input("a finite validation loss", format!("{loss} at step {step}")));
                }
                self.validation.push((step, loss));
            }
            each(self, loss)?;
        }
        Ok(())
    }

    /// The last validation loss in nats.
    pub fn loss(&self) -> f64 {
        self.validation.last().map_or(f64::NAN, |v| v.1)
    }
}

pub(super) fn mean(v: &[f64]) -> f64 {
    v.iter().sum::<f64>() / v.len() as f64
}
