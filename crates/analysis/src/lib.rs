//! Estimators without gradients: from recordings and graphs to numbers.

pub mod communities;
pub mod power_law;
