//! Data with a known truth, made from a random stream instead of a file.

mod nested_phantom;

pub use nested_phantom::NestedPhantom;
