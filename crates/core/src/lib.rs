//! The nouns that every part of Neuropil shares.
//!
//! Producers (simulators, trainers) make [`Recording`]s, [`SpikeTrains`] and [`Connectome`]s; readers (analysis,
//! interpretation, comparison) take them, whoever made them. This crate holds no numerics and reads no foreign file
//! format: each noun has one documented safetensors form (see [`store`]) and nothing else.
//!
//! ```
//! use neuropil_core::{Streams, SpikeTrains};
//!
//! let mut noise = Streams::new(1).stream("noise", 0);
//! let times: Vec<(f64, u32)> = (0..20).map(|k| (k as f64 + noise.uniform(), k % 4)).collect();
//! let trains = SpikeTrains::new(times, 4, 20.0)?;
//! assert_eq!(trains.bin(5.0)?.steps(), 4);
//! # Ok::<(), neuropil_core::Error>(())
//! ```

pub mod array;
pub mod checkpoint;
pub mod claim;
pub mod connectome;
pub mod error;
pub mod figure;
pub mod files;
pub mod manifest;
pub mod random;
pub mod recording;
pub mod report;
pub mod spike_trains;
pub mod stimuli;
pub mod store;
pub mod volume;
pub mod weights;

pub use array::{Array, DType};
pub use checkpoint::Checkpoint;
pub use claim::{Bar, Claim};
pub use connectome::Connectome;
pub use error::{Error, Result};
pub use figure::{Axis, Figure, Mark, Panel};
pub use manifest::Manifest;
pub use random::{Stream, Streams};
pub use recording::{ActivityKind, Recording, Sampling, Trial, Unit};
pub use report::{Report, Table};
pub use spike_trains::SpikeTrains;
pub use stimuli::{Stimuli, StimulusKind};
pub use store::{Noun, Store};
pub use volume::Volume;
pub use weights::Weights;
