//! Pair STDP as a loop over all pairs: the definition, kept as the reference of the fast form.

use super::{Rule, StdpParameters};
use crate::synapses::Synapses;
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

/// Pair STDP by its definition ([`StdpParameters`]): keeps every spike and visits every pair. The cost grows with the
/// length of the run; [`PairStdp`](super::PairStdp) computes the same from traces.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairLoop {
    parameters: StdpParameters,
    dt_ms: f64,
    /// Spike steps of every source.
    pre: Vec<Vec<u64>>,
    /// Steps in which spikes of every target reach the synapses.
    post: Vec<Vec<u64>>,
    latest: u64,
}

impl PairLoop {
    /// The rule; fails on a negative amplitude, a time constant that is not positive, or w_min > w_max.
    pub fn new(parameters: StdpParameters) -> Result<Self> {
        parameters.check()?;
        Ok(Self { parameters, dt_ms: 1.0, pre: Vec::new(), post: Vec::new(), latest: 0 })
    }
}

impl Rule for PairLoop {
    fn prepare(&mut self, sources: usize, targets: usize, dt_ms: f64) -> Result<()> {
        self.dt_ms = dt_ms;
        self.pre = vec![Vec::new(); sources];
        self.post = vec![Vec::new(); targets];
        Ok(())
    }

    fn update(&mut self, now: u64, pre: &[u32], post: &[u32], synapses: &mut Synapses) {
        let p = self.parameters;
        for &j in post {
            self.post[j as usize].push(now + u64::from(p.dendritic_delay));
        }
        let reaching = |times: &[u64]| times.iter().filter(|&&t| t == now).count();
        let visible: Vec<(u32, f64)> = (0..self.post.len() as u32).map(|j| (j, f64::from(j) + 1.0)).collect();
        let arriving: Vec<(u32, f64)> =
            visible.iter().copied().filter(|&(j, _)| reaching(&self.post[j as usize]) > 0).collect();
        let sources: Vec<(u32, f64)> = (0..self.pre.len() as u32).map(|i| (i, f64::from(i))).collect();
        // The amounts carry the indices, so that the change can look up both histories.
        synapses.adjust(&sources, &arriving, |mut w, i, _| {
            for &t in &self.pre[i as usize] {
                let d = (now - t) as f64 * self.dt_ms;
                w = (w + p.a_plus * (-d / p.tau_plus_ms).exp()).min(p.w_max);
            }
            w
        });
        let spiking: Vec<(u32, f64)> = pre.iter().map(|&i| (i, f64::from(i))).collect();
        synapses.adjust(&spiking, &visible, |mut w, _, j| {
            for &t in self.post[j as usize - 1].iter().filter(|&&t| t <= now) {
                let d = (now - t) as f64 * self.dt_ms;
                w = (w - p.a_minus * (-d / p.tau_minus_ms).exp()).max(p.w_min);
            }
            w
        });
        for &i in pre {
            self.pre[i as usize].push(now);
        }
        self.latest = now;
    }

    fn is_pending(&self) -> bool {
        self.post.iter().any(|times| times.last().is_some_and(|&t| t > self.latest))
    }

    fn reset(&mut self) {
        self.pre.iter_mut().chain(&mut self.post).for_each(Vec::clear);
    }
}
