//! From a method to a measured claim: what a published system is, and what running one means.
//!
//! A [`System`] is a configuration with a [`Card`]; [`execute()`] runs it in a run folder, hands it a [`Run`] (random
//! streams, progress, checkpoints, claims, figures) and leaves `report.json`, `report.html` and a manifest behind.

pub mod board;
pub mod card;
pub mod config;
pub mod execute;
pub mod folder;
pub mod inputs;
pub mod interrupt;
pub mod progress;
pub mod resources;
pub mod run;
pub mod system;

pub use card::{Card, DataKind, Role, Wing};
pub use execute::{Outcome, RunOptions, execute, plan};
pub use inputs::Inputs;
pub use progress::Progress;
pub use run::Run;
pub use system::{Entry, Estimate, Profile, System};
