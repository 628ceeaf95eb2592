//! Placeholder.
pub mod graph;
pub mod model;
pub mod state;
pub mod training;
