//! Delay rings: input waiting for the step in which it arrives.

use serde::{Deserialize, Serialize};

/// Summed input of a population per receptor for the next `slots` steps.
///
/// Layout: slot, then receptor, then neuron, so that the input of one step is contiguous. A slot remembers whether
/// anything was written to it; untouched slots are neither read nor cleared.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DelayRing {
    neurons: usize,
    receptors: usize,
    dirty: Vec<bool>,
    data: Vec<f64>,
    pending: usize,
}

impl DelayRing {
    /// An empty ring for delays up to `max_delay` steps.
    pub fn new(neurons: usize, receptors: usize, max_delay: usize) -> Self {
        let slots = max_delay + 1;
        Self {
            neurons,
            receptors,
            dirty: vec![false; slots],
            data: vec![0.0; slots * receptors * neurons],
            pending: 0,
        }
    }

    /// Longest delay in steps that fits.
    pub fn max_delay(&self) -> usize {
        self.dirty.len() - 1
    }

    /// Makes room for delays up to `max_delay`, keeping what is waiting at time `now`.
    pub fn grow(&mut self, max_delay: usize, now: u64) {
        if max_delay <= self.max_delay() {
            return;
        }
        let mut larger = Self::new(self.neurons, self.receptors, max_delay);
        for ahead in 0..self.dirty.len() as u64 {
            let from = self.slot(now + ahead);
            if self.dirty[from] {
                let to = larger.slot(now + ahead);
                let width = self.receptors * self.neurons;
                larger.data[to * width..(to + 1) * width]
                    .copy_from_slice(&self.data[from * width..(from + 1) * width]);
                larger.dirty[to] = true;
                larger.pending += 1;
            }
        }
        *self = larger;
    }

    #[inline]
    fn slot(&self, step: u64) -> usize {
        (step % self.dirty.len() as u64) as usize
    }

    /// True if input waits for `step`.
    #[inline]
    pub fn has(&self, step: u64) -> bool {
        self.pending > 0 && self.dirty[self.slot(step)]
    }

    /// True if no input waits at all.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.pending == 0
    }

    /// The input due at `step`, receptor after receptor, each with one value per neuron.
    #[inline]
    pub fn due(&self, step: u64) -> &[f64] {
        let width = self.receptors * self.neurons;
        let slot = self.slot(step);
        &self.data[slot * width..(slot + 1) * width]
    }

    /// Empties the slot of `step`.
    #[inline]
    pub fn clear(&mut self, step: u64) {
        let slot = self.slot(step);
        if self.dirty[slot] {
            let width = self.receptors * self.neurons;
            self.data[slot * width..(slot + 1) * width].fill(0.0);
            self.dirty[slot] = false;
            self.pending -= 1;
        }
    }

    /// The sums of one receptor at `step`, to be added to; the caller keeps `step` within the longest delay.
    #[inline]
    pub fn at(&mut self, step: u64, receptor: usize) -> &mut [f64] {
        let slot = self.slot(step);
        if !self.dirty[slot] {
            self.dirty[slot] = true;
            self.pending += 1;
        }
        let start = (slot * self.receptors + receptor) * self.neurons;
        &mut self.data[start..start + self.neurons]
    }

    /// Drops everything that waits.
    pub fn reset(&mut self) {
        self.data.fill(0.0);
        self.dirty.fill(false);
        self.pending = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_arrives_at_its_step_and_survives_growth() {
        let mut r = DelayRing::new(2, 2, 3);
        r.at(3, 0)[1] += 2.0;
        r.at(2, 1)[0] += 1.0;
        assert!(!r.has(0) && r.has(2) && r.has(3));
        r.grow(9, 1);
        assert_eq!(r.due(3), [0.0, 2.0, 0.0, 0.0]);
        assert_eq!(r.due(2), [0.0, 0.0, 1.0, 0.0]);
        r.clear(2);
        r.clear(3);
        assert!(r.is_empty() && r.due(3).iter().all(|&v| v == 0.0));
    }
}
