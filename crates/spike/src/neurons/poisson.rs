//! Independent Poisson sources.

use super::Neuron;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Independent Poisson processes, one rate per neuron.
///
/// The superposition of the processes is drawn event by event (exponential gaps of the total rate, then a neuron in
/// proportion to its rate), so the cost follows the number of spikes and not the number of neurons and steps. Two
/// events of a neuron within one step make one spike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PoissonSource {
    /// Running sum of the rates in Hz; the last is the total.
    cumulative: Vec<f64>,
    uniform: bool,
    dt_ms: f64,
    stream: Stream,
    /// Time in ms and neuron of the next event; `None` if all rates are 0.
    next: Option<(f64, u32)>,
}

impl PoissonSource {
    /// Sources with rates in Hz; fails on a rate that is negative or not finite.
    pub fn new(rates_hz: &[f64], stream: Stream) -> Result<Self> {
        let mut total = 0.0;
        let mut cumulative = Vec::with_capacity(rates_hz.len());
        for (i, &r) in rates_hz.iter().enumerate() {
            if !(r.is_finite() && r >= 0.0) {
                return Err(
                    Error::config("rates of at least 0 Hz", format!("{r} Hz of neuron {i}")).at("rates_hz")
                );
            }
            total += r;
            cumulative.push(total);
        }
        let uniform = rates_hz.windows(2).all(|w| w[0] == w[1]);
        let mut source = Self { cumulative, uniform, dt_ms: 1.0, stream, next: None };
        source.next = source.draw(0.0);
        Ok(source)
    }

    fn draw(&mut self, after_ms: f64) -> Option<(f64, u32)> {
        let total = *self.cumulative.last()?;
        if total <= 0.0 {
            return None;
        }
        let time = after_ms + 1000.0 * self.stream.exponential() / total;
        let unit = if self.uniform {
            self.stream.below(self.cumulative.len())
        } else {
            let u = self.stream.uniform() * total;
            self.cumulative.partition_point(|&c| c <= u).min(self.cumulative.len() - 1)
        };
        Some((time, unit as u32))
    }
}

impl Neuron for PoissonSource {
    fn len(&self) -> usize {
        self.cumulative.len()
    }

    fn receptors(&self) -> usize {
        0
    }

    fn prepare(&mut self, dt_ms: f64) -> Result<()> {
        self.dt_ms = dt_ms;
        Ok(())
    }

    fn step(&mut self, now: u64, _input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        let end = (now + 1) as f64 * self.dt_ms;
        let first = spikes.len();
        while let Some((time, unit)) = self.next {
            if time >= end {
                break;
            }
            spikes.push(unit);
            self.next = self.draw(time);
        }
        spikes[first..].sort_unstable();
        spikes.dedup();
        false
    }

    fn next_event(&self, now: u64) -> Option<u64> {
        // The last bit of the division must not skip the step that `step` would find the event in.
        self.next.map(|(time, _)| ((time / self.dt_ms * (1.0 - 1e-15)) as u64).max(now))
    }

    fn reset(&mut self) {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn counts_follow_the_rates() -> Result<()> {
        let mut s = PoissonSource::new(&[0.0, 20.0, 60.0], Streams::new(3).stream("poisson", 0))?;
        s.prepare(0.1)?;
        let mut counts = [0_u32; 3];
        for t in 0..1_000_000 {
            let mut spikes = Vec::new();
            s.step(t, None, &mut spikes);
            for u in spikes {
                counts[u as usize] += 1;
            }
        }
        // 100 s: means 2000 and 6000 less 0.1 % and 0.3 % of coincidences; four standard deviations.
        assert_eq!(counts[0], 0);
        assert!((f64::from(counts[1]) - 1998.0).abs() < 4.0 * 45.0, "{counts:?}");
        assert!((f64::from(counts[2]) - 5982.0).abs() < 4.0 * 78.0, "{counts:?}");
        assert!(PoissonSource::new(&[-1.0], Streams::new(3).stream("poisson", 0)).is_err());
        Ok(())
    }
}
