//! Placeholder.

pub mod worm_names;
