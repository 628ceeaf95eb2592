//! The training loop: steps, early stopping, and a state that can be saved and continued bit for bit.

use crate::optim::{Optimiser, Rule, Schedule, clip};
use crate::parameters::Parameters;
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Everything that a training run is: weights, optimiser, random streams, data position, step. Serialise it whole.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Training {
    /// The weights.
    pub parameters: Parameters,
    /// The optimiser with its moments.
    pub optimiser: Optimiser,
    /// Learning rate over steps.
    pub schedule: Schedule,
    /// Largest gradient norm; infinite for no clipping.
    pub clip: f64,
    /// Masks of dropout.
    pub dropout: Stream,
    /// Steps done.
    pub step: usize,
}

impl Training {
    /// A fresh run.
    pub fn new(parameters: Parameters, rule: Rule, schedule: Schedule, clip: f64, dropout: Stream) -> Self {
        let optimiser = Optimiser::new(rule, parameters.count());
        Self { parameters, optimiser, schedule, clip, dropout, step: 0 }
    }

    /// One step on the loss that `loss` builds; returns its value. A loss that is not finite is an error that names the
    /// step, and leaves the state as it was.
    pub fn step(&mut self, loss: impl FnOnce(&Pass) -> Result<Tensor<1>>) -> Result<f32> {
        let pass = Pass::training(&self.parameters, Some(self.dropout.clone()));
        let loss = loss(&pass)?;
        let (value, gradient) = pass.gradient(&loss).map_err(|e| e.at(format!("step {}", self.step)))?;
        let replaced = pass.take_replaced();
        if let Some(stream) = pass.into_dropout() {
            self.dropout = stream;
        }
        let value = self.apply(value, gradient)?;
        for (id, values) in replaced {
            self.parameters.get_mut(id).copy_from_slice(&values);
        }
        Ok(value)
    }

    /// One step with a gradient from elsewhere (a hand-written backward pass), in buffer order.
    pub fn apply(&mut self, value: f32, mut gradient: Vec<f32>) -> Result<f32> {
        let length = clip(&mut gradient, self.clip);
        if !(value.is_finite() && length.is_finite()) {
            return Err(Error::input(
                "a finite loss and gradient",
                format!("loss {value}, gradient norm {length}"),
            )
            .at(format!("step {}", self.step))
            .hint("lower the learning rate or check the data"));
        }
        self.optimiser.step(&mut self.parameters, &gradient, self.schedule.at(self.step))?;
        self.step += 1;
        Ok(value)
    }
}

/// Stops when the validation loss has not improved for `patience` looks; keeps the best weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EarlyStopping {
    patience: usize,
    best: Option<(f64, Vec<f32>)>,
    waited: usize,
}

impl EarlyStopping {
    /// Waits `patience` looks without improvement.
    pub fn new(patience: usize) -> Self {
        Self { patience, best: None, waited: 0 }
    }

    /// Takes one validation loss; true when training should end. A NaN never counts as an improvement.
    pub fn look(&mut self, loss: f64, parameters: &Parameters) -> bool {
        if self.best.as_ref().is_none_or(|(b, _)| loss < *b) && loss.is_finite() {
            self.best = Some((loss, parameters.values().to_vec()));
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        self.waited >= self.patience
    }

    /// The best loss so far.
    pub fn best(&self) -> Option<f64> {
        self.best.as_ref().map(|(b, _)| *b)
    }

    /// Puts the best weights back.
    pub fn restore(&self, parameters: &mut Parameters) {
        if let Some((_, v)) = self.best.as_ref().filter(|(_, v)| v.len() == parameters.count()) {
            parameters.values_mut().copy_from_slice(v);
        }
    }
}

/// Epochs of shuffled mini-batches; its serialised form is the data position.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batches {
    order: Vec<u32>,
    cursor: usize,
    size: usize,
    stream: Stream,
    /// Epochs completed.
    pub epoch: usize,
}

impl Batches {
    /// Batches of `size` out of `n` samples.
    pub fn new(n: usize, size: usize, mut stream: Stream) -> Self {
        let mut order: Vec<u32> = (0..n as u32).collect();
        stream.shuffle(&mut order);
        Self { order, cursor: 0, size: size.max(1), stream, epoch: 0 }
    }

    /// The next batch; the last one of an epoch may be smaller.
    pub fn next_batch(&mut self) -> Vec<usize> {
        if self.cursor >= self.order.len() {
            self.stream.shuffle(&mut self.order);
            self.cursor = 0;
            self.epoch += 1;
        }
        let until = (self.cursor + self.size).min(self.order.len());
        let batch = self.order[self.cursor..until].iter().map(|&i| i as usize).collect();
        self.cursor = until;
        batch
    }

    /// Batches per epoch.
    pub fn per_epoch(&self) -> usize {
        self.order.len().div_ceil(self.size)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn an_epoch_shows_every_sample_once() {
        let mut b = Batches::new(10, 4, Streams::new(1).stream("order", 0));
        let mut seen: Vec<usize> = (0..3).flat_map(|_| b.next_batch()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        assert_eq!((b.epoch, b.next_batch().len(), b.epoch), (0, 4, 1));
    }

    #[test]
    fn stopping_keeps_the_best() {
        let mut s = Streams::new(1).stream("x", 0);
        let mut p = Parameters::default();
        p.add("w", &[1], crate::parameters::Init::Constant(1.0), &mut s);
        let mut stop = EarlyStopping::new(2);
        assert!(!stop.look(1.0, &p));
        p.values_mut()[0] = 2.0;
        assert!(!stop.look(f64::NAN, &p) && stop.look(1.5, &p));
        stop.restore(&mut p);
        assert_eq!(p.values(), [1.0]);
    }
}
