//! Pair STDP from traces, touching only synapses between neurons that spiked lately.

use super::{Rule, StdpParameters};
use crate::synapses::Synapses;
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

/// Traces below this fraction of a spike's contribution are dropped: 83 ms at tau = 3 ms. A dropped pair would have
/// moved the weight by less than 1e-12 of the amplitude.
const FLOOR: f64 = 1e-12;

/// A sum of exponentials per neuron, decayed lazily from a table, with the list of neurons whose trace is alive.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Traces {
    /// `exp(-k dt / tau)` until it falls below the floor.
    decay: Vec<f64>,
    /// Value at the step of the neuron's last spike.
    value: Vec<f64>,
    last: Vec<u64>,
    alive: Vec<u32>,
    is_alive: Vec<bool>,
}

impl Traces {
    fn new(n: usize, dt_ms: f64, tau_ms: f64) -> Self {
        let steps = ((-FLOOR.ln()) * tau_ms / dt_ms).ceil().min(1e7) as usize;
        Self {
            decay: (0..=steps).map(|k| (-(k as f64) * dt_ms / tau_ms).exp()).collect(),
            value: vec![0.0; n],
            last: vec![0; n],
            alive: Vec::new(),
            is_alive: vec![false; n],
        }
    }

    /// Fills `out` with (neuron, scale x trace) of all live traces at step `now` and drops dead ones.
    fn collect(&mut self, now: u64, scale: f64, out: &mut Vec<(u32, f64)>) {
        out.clear();
        let Self { decay, value, last, alive, is_alive } = self;
        alive.retain(|&i| {
            let age = now - last[i as usize];
            if let Some(d) = decay.get(age as usize) {
                out.push((i, scale * (value[i as usize] * d)));
                true
            } else {
                is_alive[i as usize] = false;
                false
            }
        });
    }

    fn spike(&mut self, neurons: &[u32], now: u64) {
        for &i in neurons {
            let k = i as usize;
            let carried = if self.is_alive[k] {
                self.decay.get((now - self.last[k]) as usize).map_or(0.0, |d| self.value[k] * d)
            } else {
                self.is_alive[k] = true;
                self.alive.push(i);
                0.0
            };
            self.value[k] = carried + 1.0;
            self.last[k] = now;
        }
    }

    fn reset(&mut self) {
        self.value.fill(0.0);
        self.last.fill(0);
        self.alive.clear();
        self.is_alive.fill(false);
    }
}

/// Pair STDP ([`StdpParameters`]) from one trace per neuron.
///
/// Contributions of one sign are summed before the clip, which equals clipping after each pair. Potentiation visits
/// (targets that spike) x (sources with a live trace), depression (sources that spike) x (targets with a live trace);
/// steps without spikes cost nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PairStdp {
    parameters: StdpParameters,
    pre: Traces,
    post: Traces,
    /// Postsynaptic spikes on their way: (step in which they reach the synapse, targets).
    travelling: Vec<(u64, Vec<u32>)>,
    #[serde(skip)]
    sources: Vec<(u32, f64)>,
    #[serde(skip)]
    targets: Vec<(u32, f64)>,
}

impl PairStdp {
    /// The rule; fails on a negative amplitude, a time constant that is not positive, or w_min > w_max.
    pub fn new(parameters: StdpParameters) -> Result<Self> {
        parameters.check()?;
        let empty = || Traces::new(0, 1.0, 1.0);
        Ok(Self {
            parameters,
            pre: empty(),
            post: empty(),
            travelling: Vec::new(),
            sources: Vec::new(),
            targets: Vec::new(),
        })
    }

    /// The parameters.
    pub fn parameters(&self) -> &StdpParameters {
        &self.parameters
    }
}

impl Rule for PairStdp {
    fn prepare(&mut self, sources: usize, targets: usize, dt_ms: f64) -> Result<()> {
        self.pre = Traces::new(sources, dt_ms, self.parameters.tau_plus_ms);
        self.post = Traces::new(targets, dt_ms, self.parameters.tau_minus_ms);
        Ok(())
    }

    fn update(&mut self, now: u64, pre: &[u32], post: &[u32], synapses: &mut Synapses) {
        let p = self.parameters;
        if !post.is_empty() {
            self.travelling.push((now + u64::from(p.dendritic_delay), post.to_vec()));
        }
        if self.travelling.first().is_some_and(|f| f.0 == now) {
            let (_, arrived) = self.travelling.remove(0);
            self.pre.collect(now, p.a_plus, &mut self.sources);
            self.targets.clear();
            self.targets.extend(arrived.iter().map(|&j| (j, 1.0)));
            synapses.adjust(&self.sources, &self.targets, |w, up, _| {
                let w = w + up;
                if w < p.w_max { w } else { p.w_max }
            });
            self.post.spike(&arrived, now);
        }
        if !pre.is_empty() {
            self.post.collect(now, p.a_minus, &mut self.targets);
            self.sources.clear();
            self.sources.extend(pre.iter().map(|&i| (i, 1.0)));
            synapses.adjust(&self.sources, &self.targets, |w, _, down| {
                let w = w - down;
                if w > p.w_min { w } else { p.w_min }
            });
            self.pre.spike(pre, now);
        }
    }

    fn is_pending(&self) -> bool {
        !self.travelling.is_empty()
    }

    fn reset(&mut self) {
        self.pre.reset();
        self.post.reset();
        self.travelling.clear();
    }
}
