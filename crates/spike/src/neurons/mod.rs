//! Neuron models and spike sources, each a struct of arrays in its own file.
//!
//! A model is one file with a type that implements [`Neuron`] and one line in the list below; the engine does not
//! change.

mod if_curr_exp;
mod lif;
mod lif_delta;
mod lif_exp;
mod perfect_if;
mod poisson;
mod spike_list;

pub use if_curr_exp::{IfCurrExp, IfCurrExpParameters};
pub use lif::LifParameters;
pub use lif_delta::LifDelta;
pub use lif_exp::LifExp;
pub use perfect_if::{PerfectIf, PerfectIfParameters};
pub use poisson::PoissonSource;
pub use spike_list::SpikeList;

use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// A population of one model.
pub trait Neuron {
    /// Number of neurons.
    fn len(&self) -> usize;

    /// True for an empty population.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of receptors that input can address; 0 for a source.
    fn receptors(&self) -> usize {
        2
    }

    /// Sets the step size in ms, once, when the population joins a network.
    fn prepare(&mut self, dt_ms: f64) -> Result<()>;

    /// Advances to step `now`. `input` holds receptor after receptor one value per neuron, or `None` if nothing
    /// arrives. Appends the spiking neurons in ascending order. Returns false if the state is an exact fixed point:
    /// further steps without input would change no bit.
    fn step(&mut self, now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool;

    /// The next step at or after `now` in which the population spikes of itself; only sources have one.
    fn next_event(&self, now: u64) -> Option<u64> {
        let _ = now;
        None
    }

    /// Back to the initial state; the position of random streams is kept.
    fn reset(&mut self);

    /// Membrane potentials in mV, where the model has them.
    fn potentials_mv(&self) -> Option<&[f64]> {
        None
    }
}

macro_rules! models {
    ($($model:ident),+ $(,)?) => {
        /// A population of any model.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
        #[allow(missing_docs)]
        pub enum Neurons {
            $($model($model)),+
        }

        $(impl From<$model> for Neurons {
            fn from(model: $model) -> Self {
                Self::$model(model)
            }
        })+

        impl Neuron for Neurons {
            fn len(&self) -> usize {
                match self { $(Self::$model(m) => m.len()),+ }
            }
            fn receptors(&self) -> usize {
                match self { $(Self::$model(m) => m.receptors()),+ }
            }
            fn prepare(&mut self, dt_ms: f64) -> Result<()> {
                match self { $(Self::$model(m) => m.prepare(dt_ms)),+ }
            }
            #[inline]
            fn step(&mut self, now: u64, input: Option<&[f64]>, spikes: &mut Vec<u32>) -> bool {
                match self { $(Self::$model(m) => m.step(now, input, spikes)),+ }
            }
            fn next_event(&self, now: u64) -> Option<u64> {
                match self { $(Self::$model(m) => m.next_event(now)),+ }
            }
            fn reset(&mut self) {
                match self { $(Self::$model(m) => m.reset()),+ }
            }
            fn potentials_mv(&self) -> Option<&[f64]> {
                match self { $(Self::$model(m) => m.potentials_mv()),+ }
            }
        }
    };
}

models!(IfCurrExp, LifDelta, LifExp, PerfectIf, SpikeList, PoissonSource);

/// Synaptic currents below this magnitude (nA) become exactly 0. Far below the last bit of any potential they could
/// move, it only ends the infinite tail of the decay so that a silent neuron comes to rest.
pub(crate) const CURRENT_FLOOR: f64 = 1e-30;

/// One set of parameters for all neurons, or one per neuron.
pub(crate) fn check_count<P>(parameters: &[P], n: usize) -> Result<()> {
    if parameters.len() == 1 || parameters.len() == n {
        Ok(())
    } else {
        Err(Error::config(format!("1 or {n} sets of parameters"), parameters.len().to_string()))
    }
}

/// A finite value above `above` or an error that names the field.
pub(crate) fn check_above(value: f64, above: f64, field: &str) -> Result<()> {
    if value.is_finite() && value > above {
        Ok(())
    } else {
        Err(Error::config(format!("a finite value above {above}"), value.to_string()).at(field))
    }
}

/// A finite value or an error that names the field.
pub(crate) fn check_finite(value: f64, field: &str) -> Result<()> {
    if value.is_finite() { Ok(()) } else { Err(Error::config("a finite value", value.to_string()).at(field)) }
}

/// Refractory time in whole steps, rounded up (1e-9 of a step forgives the representation of decimal fractions).
pub(crate) fn refractory_steps(tau_ms: f64, dt_ms: f64) -> Result<u64> {
    if !(tau_ms.is_finite() && tau_ms >= 0.0 && tau_ms / dt_ms < 1e9) {
        return Err(
            Error::config("a refractory time of 0 to 1e9 steps", format!("{tau_ms} ms")).at("tau_refrac_ms")
        );
    }
    Ok((tau_ms / dt_ms - 1e-9).ceil().max(0.0) as u64)
}
