//! A source that spikes at given steps.

use super::Neuron;
use neuropil_core::{Error, Result, SpikeTrains};
use serde::{Deserialize, Serialize};

/// Spikes at listed steps. More can be appended while the network runs, which is how a closed loop drives it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpikeList {
    units: usize,
    events: Vec<(u64, u32)>,
    next: usize,
}

impl SpikeList {
    /// A source of `units` neurons that spike at (step, neuron); the events are sorted and repeats dropped.
    pub fn new(units: usize, mut events: Vec<(u64, u32)>) -> Result<Self> {
        if let Some(e) = events.iter().find(|e| e.1 as usize >= units) {
            return Err(Error::input(format!("units below {units}"), e.1.to_string()).at("spike source"));
        }
        events.sort_unstable();
        events.dedup();
        Ok(Self { units, events, next: 0 })
    }

    /// A source that replays spike trains; a spike falls into the step that contains its time.
    pub fn from_trains(trains: &SpikeTrains, dt_ms: f64) -> Result<Self> {
        Self::new(trains.unit_count(), trains.events().map(|(t, u)| ((t / dt_ms) as u64, u)).collect())
    }

    /// Appends spikes of `units` at `step`; fails if `step` lies before the last event that was given.
    pub fn push(&mut self, step: u64, units: &[u32]) -> Result<()> {
        if self.events.last().is_some_and(|e| e.0 > step) {
            return Err(Error::input("steps in ascending order", step.to_string()).at("spike source"));
        }
        if let Some(u) = units.iter().find(|&&u| u as usize >= self.units) {
            return Err(Error::input(format!("units below {}", self.units), u.to_string()).at("spike source"));
        }
        // What was emitted is history; a source that is fed forever must not grow forever.
        if self.next > 1024 {
            self.events.drain(..self.next);
            self.next = 0;
        }
        let start = self.events.partition_point(|e| e.0 < step).max(self.next);
        self.events.extend(units.iter().map(|&u| (step, u)));
        self.events[start..].sort_unstable();
        let mut kept = start;
        for i in start..self.events.len() {
            if kept == start || self.events[kept - 1] != self.events[i] {
                self.events[kept] = self.events[i];
                kept += 1;
            }
        }
        self.events.truncate(kept);
        Ok(())
    }
}

impl Neuron for SpikeList {
    fn len(&self) -> usize {
        self.units
    }

    fn receptors(&self) -> usize {
        0
    }

    fn prepare(&mut self, _dt_ms: f64) -> Result<()> {
        Ok(())
    }

    fn step(&mut self, now: u64, _input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
        while let Some(&(step, unit)) = self.events.get(self.next) {
            if step > now {
                break;
            }
            if step == now {
                spikes.push(unit);
            }
            self.next += 1;
        }
        false
    }

    fn next_event(&self, now: u64) -> Option<u64> {
        self.events.get(self.next).map(|e| e.0.max(now))
    }

    /// Forgets the spikes that are still to come.
    fn reset(&mut self) {
        self.events.clear();
        self.next = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emits_each_event_once_at_its_step() -> Result<()> {
        let mut s = SpikeList::new(3, vec![(2, 1), (0, 2), (2, 0), (2, 1)])?;
        s.push(4, &[2, 0, 2])?;
        let mut seen = Vec::new();
        for t in 0..6 {
            let mut now = Vec::new();
            s.step(t, None, &mut now);
            seen.push(now);
        }
        assert_eq!(seen, [vec![2], vec![], vec![0, 1], vec![], vec![0, 2], vec![]]);
        assert!(s.push(3, &[0]).is_err() && s.push(9, &[3]).is_err());
        assert!(SpikeList::new(1, vec![(0, 1)]).is_err());
        Ok(())
    }
}
