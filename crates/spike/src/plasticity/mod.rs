//! Plasticity rules, each in its own file.
//!
//! A rule is one file with a type that implements [`Rule`] and one line in the list below.

mod pair_loop;
mod pair_stdp;

pub use pair_loop::PairLoop;
pub use pair_stdp::PairStdp;

use crate::synapses::Synapses;
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A rule that changes the synapses of one projection.
pub trait Rule {
    /// Fits the rule to a projection, once, when it is connected.
    fn prepare(&mut self, sources: usize, targets: usize, dt_ms: f64) -> Result<()>;

    /// Applies the rule for step `now`, before the presynaptic spikes of the step are transmitted. The network calls it
    /// in every step in which a neuron of either side spikes or the rule is [pending](Rule::is_pending).
    fn update(&mut self, now: u64, pre: &[u32], post: &[u32], synapses: &mut Synapses);

    /// True if the next step changes something even without spikes.
    fn is_pending(&self) -> bool;

    /// Forgets the spike history; the weights stay.
    fn reset(&mut self);
}

macro_rules! rules {
    ($($rule:ident),+ $(,)?) => {
        /// Any plasticity rule.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[allow(missing_docs)]
        #[expect(clippy::large_enum_variant, reason = "one value per projection")]
        pub enum Plasticity {
            $($rule($rule)),+
        }

        $(impl From<$rule> for Plasticity {
            fn from(rule: $rule) -> Self {
                Self::$rule(rule)
            }
        })+

        impl Rule for Plasticity {
            fn prepare(&mut self, sources: usize, targets: usize, dt_ms: f64) -> Result<()> {
                match self { $(Self::$rule(r) => r.prepare(sources, targets, dt_ms)),+ }
            }
            fn update(&mut self, now: u64, pre: &[u32], post: &[u32], synapses: &mut Synapses) {
                match self { $(Self::$rule(r) => r.update(now, pre, post, synapses)),+ }
            }
            #[inline]
            fn is_pending(&self) -> bool {
                match self { $(Self::$rule(r) => r.is_pending()),+ }
            }
            fn reset(&mut self) {
                match self { $(Self::$rule(r) => r.reset()),+ }
            }
        }
    };
}

rules!(PairStdp, PairLoop);

/// Parameters of pair-based STDP.
///
/// All pairs count. A postsynaptic spike reaches the synapse `dendritic_delay` steps after it happens; with
/// `D = (t_post + dendritic_delay) - t_pre` a pair adds `a_plus exp(-D / tau_plus)` for D > 0 and subtracts
/// `a_minus exp(-|D| / tau_minus)` for D <= 0. Weights stay in `[w_min, w_max]`.
///
/// Order inside a step: potentiation for the postsynaptic spikes that reach the synapse now, clip; depression for the
/// presynaptic spikes of this step against all postsynaptic spikes that have reached it, clip; then the presynaptic
/// spikes are transmitted with the new weight.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StdpParameters {
    /// Largest potentiation of a pair, in the unit of the weight.
    pub a_plus: f64,
    /// Largest depression of a pair.
    pub a_minus: f64,
    /// Time constant of potentiation in ms.
    pub tau_plus_ms: f64,
    /// Time constant of depression in ms.
    pub tau_minus_ms: f64,
    /// Smallest weight.
    pub w_min: f64,
    /// Largest weight.
    pub w_max: f64,
    /// Steps that a postsynaptic spike needs to reach the synapse.
    pub dendritic_delay: u32,
}

impl Default for StdpParameters {
    /// The plastic projections of the hippocampal content-addressable memory (Casanueva-Morato et al. 2024).
    fn default() -> Self {
        Self {
            a_plus: 6.0,
            a_minus: 6.0,
            tau_plus_ms: 3.0,
            tau_minus_ms: 3.0,
            w_min: 0.0,
            w_max: 6.0,
            dendritic_delay: 1,
        }
    }
}

impl StdpParameters {
    fn check(&self) -> Result<()> {
        for (value, field) in [(self.a_plus, "a_plus"), (self.a_minus, "a_minus")] {
            if !(value.is_finite() && value >= 0.0) {
                return Err(Error::config("an amplitude of at least 0", value.to_string()).at(field));
            }
        }
        for (value, field) in [(self.tau_plus_ms, "tau_plus_ms"), (self.tau_minus_ms, "tau_minus_ms")] {
            if !(value.is_finite() && value > 0.0) {
                return Err(Error::config("a positive time constant", format!("{value} ms")).at(field));
            }
        }
        if !(self.w_min.is_finite() && self.w_max.is_finite() && self.w_min <= self.w_max) {
            return Err(Error::config("finite w_min <= w_max", format!("{} and {}", self.w_min, self.w_max))
                .at("w_max"));
        }
        Ok(())
    }
}
