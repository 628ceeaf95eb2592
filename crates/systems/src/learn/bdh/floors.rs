//! Sanity floors: a byte trigram with Kneser-Ney smoothing, and a two-layer LSTM.

use super::training::Model;
use neuropil_core::{Result, Stream, Streams};
use neuropil_nn::kernels::{Cell, softmax_row};
use neuropil_nn::modules::{Embedding, Linear, Recurrent, cross_entropy};
use neuropil_nn::pass::values;
use neuropil_nn::train::Training;
use neuropil_nn::{Init, Parameters, Pass};

/// Interpolated Kneser-Ney trigram over small vocabularies, discount 0.75 (Kneser and Ney 1995).
pub struct Trigram {
    vocabulary: usize,
    /// Counts of (a, b, c), and contexts (a, b): total, distinct continuations.
    three: Vec<u32>,
    context: Vec<(u32, u32)>,
    /// Continuation counts of (b, c): distinct a before; of contexts b: total, distinct; of c.
    two: Vec<u32>,
    middle: Vec<(u32, u32)>,
    one: Vec<u32>,
    pairs: u32,
}

impl Trigram {
    /// Counts `text`; token ids below `vocabulary` (V^3 counters, so at most 256).
    pub fn new(text: &[u32], vocabulary: usize) -> Self {
        let v = vocabulary.min(256);
        let mut t = Self {
            vocabulary: v,
            three: vec![0; v * v * v],
            context: vec![(0, 0); v * v],
            two: vec![0; v * v],
            middle: vec![(0, 0); v],
            one: vec![0; v],
            pairs: 0,
        };
        let mut seen = vec![false; v * v];
        for w in text.windows(3).filter(|w| w.iter().all(|&c| (c as usize) < v)) {
            let (a, b, c) = (w[0] as usize, w[1] as usize, w[2] as usize);
            let count = &mut t.three[(a * v + b) * v + c];
            *count += 1;
            t.context[a * v + b].0 += 1;
            if *count == 1 {
                t.context[a * v + b].1 += 1;
                t.two[b * v + c] += 1;
                t.middle[b].0 += 1;
                if t.two[b * v + c] == 1 {
                    t.middle[b].1 += 1;
                }
            }
            if !std::mem::replace(&mut seen[b * v + c], true) {
                t.one[c] += 1;
                t.pairs += 1;
            }
        }
        t
    }

    /// Probability of `c` after `a`, `b`.
    pub fn probability(&self, a: u32, b: u32, c: u32) -> f64 {
        const DISCOUNT: f64 = 0.75;
        let v = self.vocabulary;
        let (a, b, c) = (a as usize, b as usize, c as usize);
        // A thousandth of uniform keeps symbols that were never seen possible.
        let uniform = 1.0 / v as f64;
        let one = 0.999 * f64::from(self.one[c]) / f64::from(self.pairs.max(1)) + 0.001 * uniform;
        let mix = |count: u32, (total, distinct): (u32, u32), lower: f64| {
            if total == 0 {
                lower
            } else {
                let n = f64::from(total);
                (f64::from(count) - DISCOUNT).max(0.0) / n + DISCOUNT * f64::from(distinct) / n * lower
            }
        };
        let two = mix(self.two[b * v + c], self.middle[b], one);
        mix(self.three[(a * v + b) * v + c], self.context[a * v + b], two)
    }

    /// Mean loss in nats over a text.
    pub fn loss(&self, text: &[u32]) -> f64 {
        let total: f64 = text.windows(3).map(|w| -self.probability(w[0], w[1], w[2]).ln()).sum();
        total / text.len().saturating_sub(2).max(1) as f64
    }
}

/// Two LSTM layers between an embedding and a readout.
pub struct Lstm {
    /// Token classes.
    pub vocabulary: usize,
    /// Units of each layer.
    pub hidden: usize,
    /// Tokens per window.
    pub context: usize,
}

struct Net {
    embedding: Embedding,
    layers: [Recurrent; 2],
    head: Linear,
}

impl Lstm {
    fn build(&self, p: &mut Parameters, s: &mut Stream) -> Net {
        let (v, h) = (self.vocabulary, self.hidden);
        Net {
            embedding: Embedding::new(p, "embed", [v, h], 0.1, s),
            layers: ["lstm1", "lstm2"].map(|name| Recurrent::new(p, name, Cell::Lstm, [h, h], s)),
            head: Linear::with(p, "head", [h, v], Init::fan_in(h), None, s),
        }
    }

    fn forward(&self, pass: &Pass, tokens: &[u32]) -> neuropil_nn::Matrix {
        let net = self.build(&mut Parameters::default(), &mut Streams::new(0).stream("shape only", 0));
        let x = net.embedding.forward(pass, tokens, self.context);
        let h = net.layers[1].forward(pass, net.layers[0].forward(pass, x));
        net.head.forward(pass, h.reshape([tokens.len(), self.hidden]))
    }
}

impl Model for Lstm {
    fn initial(&self, stream: &mut Stream) -> Result<Parameters> {
        let mut p = Parameters::default();
        self.build(&mut p, stream);
        Ok(p)
    }

    fn step(&mut self, training: &mut Training, tokens: &[u32], targets: &[u32]) -> Result<f64> {
        Ok(f64::from(training.step(|pass| Ok(cross_entropy(self.forward(pass, tokens), targets, None)))?))
    }

    fn losses(&self, parameters: &Parameters, tokens: &[u32], targets: &[u32]) -> Result<Vec<f64>> {
        let mut out = Vec::with_capacity(tokens.len());
        for (x, y) in tokens.chunks(8 * self.context).zip(targets.chunks(8 * self.context)) {
            let mut logits = values(self.forward(&Pass::inference(parameters), x));
            out.extend(logits.chunks_exact_mut(self.vocabulary).zip(y).map(|(row, &target)| {
                let z = row[target as usize];
                f64::from(softmax_row(row) - z)
            }));
        }
        Ok(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trigram_probabilities_sum_to_one_and_learn_a_cycle() {
        let text: Vec<u32> = (0..300).map(|i| i % 5).collect();
        let t = Trigram::new(&text, 7);
        for (a, b) in [(0, 1), (3, 4), (6, 6), (2, 0)] {
            let total: f64 = (0..7).map(|c| t.probability(a, b, c)).sum();
            assert!((total - 1.0).abs() < 1e-9, "{a} {b}: {total}");
        }
        assert!(t.loss(&text) < 0.1);
    }
}
