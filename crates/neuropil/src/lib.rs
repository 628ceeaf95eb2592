#![doc = include_str!("../../../README.md")]
//!
//! # This crate
//!
//! This crate re-exports the floors; take a floor alone (`neuropil-spike`, `neuropil-analysis`, `neuropil-data`, ...)
//! when a program needs just one part.

pub use neuropil_analysis as analysis;
pub use neuropil_core as core;
pub use neuropil_data as data;
pub use neuropil_math as math;
pub use neuropil_plot as plot;
pub use neuropil_spike as spike;

#[cfg(feature = "nn")]
pub use neuropil_nn as nn;

#[cfg(feature = "systems")]
pub use neuropil_experiment as experiment;
#[cfg(feature = "systems")]
pub use neuropil_systems as systems;
