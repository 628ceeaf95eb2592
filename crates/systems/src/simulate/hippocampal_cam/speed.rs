//! How fast the memory runs on one core.

use super::circuit::{Cam, CircuitParameters};
use super::operations::{self, Operation};
use super::workloads::{self, Cell};
use neuropil_core::{Result, Streams};
use std::time::Instant;

/// Network steps of 1 ms per second of processor time, over several rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// The best round.
    pub best: f64,
    /// The median round.
    pub median: f64,
    /// The slowest round.
    pub worst: f64,
}

/// Time that this thread spent on a processor, in seconds; wall time where the system does not tell.
fn thread_seconds(start: Instant) -> f64 {
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|text| text.split(' ').next()?.parse::<f64>().ok())
        .map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns * 1e-9)
}

/// Runs a cell's memory without a pause: every cue written, then recalls by cue and by one bit in turn, 14 ms apart, the
/// spacing of the stress test. No step is skipped as silent at this spacing.
pub fn measure(cell: &Cell, recalls: usize, rounds: usize, p: &CircuitParameters) -> Result<Speed> {
    let mut s = Streams::new(1).stream("speed", 0);
    let mut script = workloads::learns(cell, &mut s);
    for k in 0..recalls {
        script.push(if k % 2 == 0 {
            Operation::by_cue(0, s.below(cell.cues) as u32)
        } else {
            Operation::by_content(0, &[s.below(cell.contents) as u32])
        });
    }
    workloads::schedule(&mut script, 0, Some(14));
    operations::check(&script, cell.cues, cell.contents)?;
    let mut rates = Vec::with_capacity(rounds);
    for _ in 0..rounds.max(1) {
        let mut cam = Cam::new(cell.cues, cell.contents, p)?;
        let clock = Instant::now();
        let start = thread_seconds(clock);
        cam.execute(&script, |_, _| Ok(()))?;
        let seconds = thread_seconds(clock) - start;
        rates.push(cam.network().now() as f64 / seconds.max(1e-9));
    }
    rates.sort_by(f64::total_cmp);
    Ok(Speed { best: rates[rates.len() - 1], median: rates[rates.len() / 2], worst: rates[0] })
}
