//! Next-step prediction of multivariate series by a recurrent layer, scored only where a mask says so.

use crate::kernels::Cell;
use crate::modules::{Linear, Recurrent, masked_mean_squared_error};
use crate::optim::{Rule, Schedule};
use crate::parameters::Parameters;
use crate::pass::{Pass, values};
use crate::train::{Batches, EarlyStopping, Training};
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Streams};
use serde::{Deserialize, Serialize};

/// One series: `values` and `mask` [steps, features]; the mask is 1 where a value was observed and 0 elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// Row-major [steps, features]; what the mask hides may hold anything finite.
    pub values: Vec<f32>,
    /// Row-major [steps, features], 0 or 1.
    pub mask: Vec<f32>,
}

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PredictorConfig {
    /// GRU or LSTM.
    pub cell: Cell,
    /// Units.
    pub hidden: usize,
    /// Steps per training window.
    pub window: usize,
    /// Windows per optimiser step.
    pub batch: usize,
    /// Optimiser steps.
    pub steps: usize,
    /// Peak learning rate of AdamW; a cosine takes it to 10 %.
    pub rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl Default for PredictorConfig {
    fn default() -> Self {
        Self {
            cell: Cell::Gru,
            hidden: 64,
            window: 100,
            batch: 16,
            steps: 400,
            rate: 3e-3,
            weight_decay: 1e-4,
        }
    }
}

/// A trained predictor: x_{t+1} = x_t + W h_t + b, so that an untrained one is persistence.
pub struct Predictor {
    layer: Recurrent,
    readout: Linear,
    parameters: Parameters,
    features: usize,
}

impl Series {
    fn steps(&self, features: usize) -> Result<usize> {
        if features == 0
            || self.values.len() != self.mask.len()
            || !self.values.len().is_multiple_of(features)
        {
            return Err(Error::input(
                format!("values and mask of the same multiple of {features} features"),
                format!("{} values, {} mask entries", self.values.len(), self.mask.len()),
            ));
        }
        if let Some(i) = self.values.iter().chain(&self.mask).position(|v| !v.is_finite()) {
            return Err(Error::input(
                "finite values",
                format!("one that is not at step {}", i % self.values.len() / features),
            ));
        }
        Ok(self.values.len() / features)
    }

    /// Values with everything unobserved set to 0, steps `from..from + n`.
    fn part(&self, from: usize, n: usize, features: usize) -> impl Iterator<Item = f32> {
        let range = from * features..(from + n) * features;
        self.values[range.clone()].iter().zip(&self.mask[range]).map(|(v, m)| v * m)
    }
}

impl Predictor {
    /// Trains on windows drawn from all series (those shorter than a window plus one are used whole only if they fill
    /// one, otherwise left out). A target counts where it and the value before it were observed. With `validation`, the
    /// weights that did best on it are kept, looking 10 times in all. `progress(step, steps, loss)` may end the run.
    pub fn fit(
        series: &[Series],
        validation: &[Series],
        features: usize,
        config: &PredictorConfig,
        streams: Streams,
        mut progress: impl FnMut(usize, usize, f32) -> Result<()>,
    ) -> Result<Self> {
        if config.hidden == 0
            || config.window == 0
            || config.batch == 0
            || config.rate.is_nan()
            || config.rate <= 0.0
        {
            return Err(Error::config("positive hidden, window, batch and rate", format!("{config:?}")));
        }
        let n = config.window;
        let mut windows = Vec::new();
        for (i, s) in series.iter().enumerate() {
            let steps = s.steps(features).map_err(|e| e.at(format!("series {i}")))?;
            // Half-overlapping windows, the last one flush with the end.
            if steps > n {
                windows.extend((0..steps - n).step_by((n / 2).max(1)).map(|from| (i, from)));
                windows.push((i, steps - n - 1));
            }
        }
        if windows.is_empty() {
            return Err(
                Error::input(format!("at least one series longer than {n} steps"), "none").at("series")
            );
        }
        let mut init = streams.stream("predictor initialisation", 0);
        let mut parameters = Parameters::default();
        let layer = Recurrent::new(&mut parameters, "rnn", config.cell, [features, config.hidden], &mut init);
        let zero = crate::parameters::Init::Constant(0.0);
        let readout =
            Linear::with(&mut parameters, "readout", [config.hidden, features], zero, Some(zero), &mut init);
        let mut this = Self { layer, readout, parameters: Parameters::default(), features };
        let schedule = Schedule::cosine(config.rate, (config.steps / 20).max(1), config.steps, 0.1);
        let dropout = streams.stream("predictor dropout", 0);
        let mut training =
            Training::new(parameters, Rule::adamw(config.weight_decay), schedule, 1.0, dropout);
        let mut batches = Batches::new(windows.len(), config.batch, streams.stream("predictor order", 0));
        let mut best = EarlyStopping::new(usize::MAX);
        for step in 0..config.steps {
            let chosen: Vec<(usize, usize)> = batches.next_batch().into_iter().map(|w| windows[w]).collect();
            let loss = training.step(|pass| {
                let (mut x, mut target, mut mask) = (Vec::new(), Vec::new(), Vec::new());
                for &(i, from) in &chosen {
                    let s = &series[i];
                    x.extend(s.part(from, n, features));
                    target.extend(s.part(from + 1, n, features));
                    let (a, b) = (&s.mask[from * features..], &s.mask[(from + 1) * features..]);
                    mask.extend(a.iter().zip(b).take(n * features).map(|(a, b)| a * b));
                }
                let prediction = this.forward(pass, x, chosen.len(), n);
                Ok(masked_mean_squared_error(prediction, &target, &mask))
            })?;
            if !validation.is_empty()
                && ((step + 1).is_multiple_of((config.steps / 10).max(1)) || step + 1 == config.steps)
            {
                this.parameters = training.parameters.clone();
                best.look(this.error(validation)?, &training.parameters);
            }
            progress(step + 1, config.steps, loss)?;
        }
        this.parameters = training.parameters;
        best.restore(&mut this.parameters);
        Ok(this)
    }

    fn forward(&self, pass: &Pass, x: Vec<f32>, batch: usize, steps: usize) -> Tensor<3> {
        let x = pass.input(x, [batch, steps, self.features]);
        let h = pass.hook("hidden", self.layer.forward(pass, x.clone()));
        x + self.readout.forward(pass, h)
    }

    /// Predictions [steps, features]: row t is the forecast of step t + 1 from steps 0..=t.
    pub fn predict(&self, series: &Series) -> Result<Vec<f32>> {
        let steps = series.steps(self.features)?;
        let x = series.part(0, steps, self.features).collect();
        Ok(values(self.forward(&Pass::inference(&self.parameters), x, 1, steps)))
    }

    /// Mean squared error over all targets that count (observed, and observed the step before), all series pooled.
    pub fn error(&self, series: &[Series]) -> Result<f64> {
        pooled_error(series, self.features, |s| self.predict(s))
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}

/// The error of persistence (the next value equals the last one) over the same targets.
pub fn persistence_error(series: &[Series], features: usize) -> Result<f64> {
    pooled_error(series, features, |s| Ok(s.values.clone()))
}

fn pooled_error(
    series: &[Series],
    features: usize,
    predict: impl Fn(&Series) -> Result<Vec<f32>>,
) -> Result<f64> {
    let (mut total, mut count) = (0.0, 0.0);
    for (i, s) in series.iter().enumerate() {
        let steps = s.steps(features).map_err(|e| e.at(format!("series {i}")))?;
        let prediction = predict(s)?;
        let ahead = s.values.iter().zip(&s.mask).skip(features);
        for (((p, m), (v, n)), _) in prediction.iter().zip(&s.mask).zip(ahead).zip(0..steps * features) {
            let m = f64::from(m * n);
            total += m * f64::from(p - v).powi(2);
            count += m;
        }
    }
    if count > 0.0 {
        Ok(total / count)
    } else {
        Err(Error::input("at least one observed pair of steps", "none").at("mask"))
    }
}
