//! Estimators without gradients: from recordings and graphs to numbers.

pub mod communities;
pub mod linear_models;
pub mod power_law;
pub mod timeseries;
