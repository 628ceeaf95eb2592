//! Spiking networks: neurons, synapses with delays, plasticity, sources, encoders and recorders.
//!
//! A [`Network`] advances in steps of `dt`. Inside a step the order is fixed and part of the contract:
//!
//! 1. every population, in the order of creation, takes the input due now from its [delay ring](ring) and advances;
//! 2. every projection, in the order of creation, applies its plasticity rule for the spikes of this step and then
//!    transmits those spikes with the new weights, to arrive `delay` steps later (at least 1).
//!
//! Only spikes touch synapses. A population whose state is an exact fixed point and that receives nothing is skipped,
//! and a network that rests as a whole jumps to the next source event, so silence costs nothing and changes no bit.
//! The whole state is plain data with `serde`: saved in mid-run and loaded again it continues with the same bits.
//!
//! State and weights are `f64`: traces, pair loops and closed forms are compared at 1e-12, and a spike is a threshold
//! decision that a rounded weight could flip.
//!
//! A new neuron is one file in [`neurons`] and a line in its list; a new plasticity rule likewise in [`plasticity`].
//!
//! ```
//! use neuropil_spike::{Connector, IfCurrExp, IfCurrExpParameters, Network, Projection, SpikeList};
//!
//! let mut network = Network::new(1.0)?;
//! let input = network.add("input", SpikeList::new(1, vec![(0, 0)])?)?;
//! let cell = network.add("cell", IfCurrExp::uniform(1, IfCurrExpParameters::default())?)?;
//! network.connect(input, cell, &Connector::AllToAll, &Projection::excitatory(6.0, 1))?;
//! network.record(cell);
//! network.run(5);
//! assert_eq!(network.spike_trains(&[cell])?.times_ms(), [1.0]);
//! # Ok::<(), neuropil_core::Error>(())
//! ```

pub mod connect;
pub mod encode;
mod kernels;
pub mod network;
pub mod neurons;
pub mod plasticity;
pub mod record;
pub mod ring;
pub mod synapses;

pub use connect::Connector;
pub use network::{Network, PopulationId, Projection, ProjectionId};
pub use neurons::{
    IfCurrExp, IfCurrExpParameters, LifDelta, LifExp, LifParameters, Neuron, Neurons, PerfectIf,
    PerfectIfParameters, PoissonSource, SpikeList,
};
pub use plasticity::{PairLoop, PairStdp, Plasticity, Rule, StdpParameters};
pub use record::{StateRecorder, WeightRecorder};
pub use ring::DelayRing;
pub use synapses::{Receptor, Synapses};
