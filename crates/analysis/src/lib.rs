//! Estimators without gradients: from recordings and graphs to numbers.

pub mod bootstrap;
pub mod cca;
pub mod cka;
pub mod communities;
pub mod covariance;
pub mod geodesics;
pub mod geotopology;
pub mod identification;
pub mod lasso;
pub mod linear_models;
pub mod mds;
pub mod power_law;
pub mod procrustes;
pub mod rdm;
pub mod segmentation;
pub mod timeseries;
pub mod topology;
