//! Optimisers over the flat parameter buffer, learning-rate schedules, gradient clipping.

use crate::kernels;
use crate::parameters::Parameters;
use neuropil_core::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Elements per task; fixed, so that threads change nothing.
const CHUNK: usize = 1 << 15;

/// The L2 norm, partial sums in fixed chunks folded in order in double precision.
pub fn norm(gradient: &[f32]) -> f64 {
    let parts: Vec<f64> = gradient.par_chunks(CHUNK).map(kernels::squares).collect();
    parts.iter().sum::<f64>().sqrt()
}

/// Scales the gradient down to norm `limit` where it is longer; returns the norm before.
pub fn clip(gradient: &mut [f32], limit: f64) -> f64 {
    let length = norm(gradient);
    if length > limit {
        let factor = (limit / length) as f32;
        gradient.par_chunks_mut(CHUNK).for_each(|c| kernels::scale(c, factor));
    }
    length
}

/// Learning rate over steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// Peak rate.
    pub rate: f64,
    /// Steps of linear warm-up.
    pub warmup: usize,
    /// Steps in all; the rate follows half a cosine from the peak down to `floor` times the peak at the end.
    pub total: usize,
    /// Final fraction of the peak; 1 keeps the rate.
    pub floor: f64,
}

impl Schedule {
    /// The same rate throughout.
    pub fn constant(rate: f64) -> Self {
        Self { rate, warmup: 0, total: 0, floor: 1.0 }
    }

    /// Warm-up, then a cosine to `floor` times the peak.
    pub fn cosine(rate: f64, warmup: usize, total: usize, floor: f64) -> Self {
        Self { rate, warmup, total, floor }
    }

    /// The rate of step `step`, counted from 0.
    pub fn at(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.rate * (step + 1) as f64 / self.warmup as f64;
        }
        let span = self.total.saturating_sub(self.warmup).max(1);
        let x = ((step - self.warmup) as f64 / span as f64).min(1.0);
        self.rate * (self.floor + (1.0 - self.floor) * 0.5 * (1.0 + (std::f64::consts::PI * x).cos()))
    }
}

/// What an optimiser does.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Rule {
    /// Gradient descent with momentum (0 for none).
    Sgd {
        /// Momentum.
        momentum: f64,
    },
    /// Adam with decoupled weight decay (Loshchilov and Hutter 2019).
    AdamW {
        /// Decay of the first moment.
        beta1: f64,
        /// Decay of the second moment.
        beta2: f64,
        /// Added to the root of the second moment.
        eps: f64,
        /// Decay per unit of learning rate.
        weight_decay: f64,
        /// Decay vectors (biases, gains), too.
        decay_all: bool,
    },
}

impl Rule {
    /// AdamW with betas 0.9 and 0.999.
    pub fn adamw(weight_decay: f64) -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay, decay_all: false }
    }
}

/// A rule with its moments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Optimiser {
    rule: Rule,
    first: Vec<f32>,
    second: Vec<f32>,
    steps: u64,
}

impl Optimiser {
    /// A fresh optimiser for `count` scalars.
    pub fn new(rule: Rule, count: usize) -> Self {
        let second = if matches!(rule, Rule::AdamW { .. }) { count } else { 0 };
        Self { rule, first: vec![0.0; count], second: vec![0.0; second], steps: 0 }
    }

    /// Updates the parameters with a gradient in buffer order at this learning rate.
    pub fn step(&mut self, parameters: &mut Parameters, gradient: &[f32], rate: f64) -> Result<()> {
        let n = parameters.count();
        if gradient.len() != n || self.first.len() != n {
            return Err(Error::Internal(format!(
                "gradient of {} scalars for {n} parameters",
                gradient.len()
            )));
        }
        self.steps += 1;
        let entries = parameters.entries().to_vec();
        for e in entries {
            let range = e.offset..e.offset + e.len;
            let values = &mut parameters.values_mut()[range.clone()];
            let (first, gradient) = (&mut self.first[range.clone()], &gradient[range.clone()]);
            match self.rule {
                Rule::Sgd { momentum } => {
                    values
                        .par_chunks_mut(CHUNK)
                        .zip(first.par_chunks_mut(CHUNK))
                        .zip(gradient.par_chunks(CHUNK))
                        .for_each(|((v, m), g)| kernels::momentum(v, m, g, momentum as f32, rate as f32));
                }
                Rule::AdamW { beta1, beta2, eps, weight_decay, decay_all } => {
                    let t = self.steps.min(1 << 30) as i32;
                    let decay = if e.decay || decay_all { rate * weight_decay } else { 0.0 };
                    let constants = kernels::AdamConstants {
                        beta: [beta1 as f32, beta2 as f32],
                        eps: eps as f32,
                        keep: (1.0 - decay) as f32,
                        rate: (rate / (1.0 - beta1.powi(t))) as f32,
                        correction: (1.0 / (1.0 - beta2.powi(t)).sqrt()) as f32,
                    };
                    values
                        .par_chunks_mut(CHUNK)
                        .zip(first.par_chunks_mut(CHUNK))
                        .zip(self.second[range].par_chunks_mut(CHUNK))
                        .zip(gradient.par_chunks(CHUNK))
                        .for_each(|(((v, m), s), g)| kernels::adam(v, [m, s], g, constants));
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parameters::Init;
    use neuropil_core::Streams;

    #[test]
    fn schedule_has_its_corners() {
        let s = Schedule::cosine(1.0, 10, 110, 0.1);
        assert!((s.at(0) - 0.1).abs() < 1e-12 && (s.at(9) - 1.0).abs() < 1e-12);
        assert!(
            (s.at(60) - 0.55).abs() < 1e-12
                && (s.at(110) - 0.1).abs() < 1e-12
                && (s.at(999) - 0.1).abs() < 1e-12
        );
    }

    #[test]
    fn first_adamw_step_is_the_signed_rate() -> Result<()> {
        let mut s = Streams::new(1).stream("x", 0);
        let mut p = Parameters::default();
        p.add("w", &[1, 3], Init::Constant(1.0), &mut s);
        let mut o = Optimiser::new(Rule::adamw(0.1), 3);
        o.step(&mut p, &[2.0, -5.0, 0.0], 0.01)?;
        // Bias-corrected moments make the first step rate * sign; decay takes rate * 0.1 of the weight.
        for (v, want) in p.values().iter().zip([0.989, 1.009, 0.999]) {
            assert!((v - want).abs() < 1e-6, "{v} {want}");
        }
        Ok(())
    }

    #[test]
    fn clipping_keeps_the_direction() {
        let mut g = [3.0, 4.0];
        assert_eq!(clip(&mut g, 1.0), 5.0);
        assert!((g[0] - 0.6).abs() < 1e-7 && (g[1] - 0.8).abs() < 1e-7);
    }
}
