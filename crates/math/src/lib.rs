//! Numerics that the floors above share: dense linear algebra, ordered parallel sums, distances, statistics and
//! clustering.
//!
//! Every function gives the same bits for any number of threads: decompositions run on one thread, products are split
//! into panels of a fixed size, and floating-point sums are folded in fixed chunks in order.
//!
//! ```
//! use neuropil_math::{Matrix, linalg};
//!
//! let a = Matrix::new(2, 2, vec![2.0, 0.0, 0.0, 3.0])?;
//! let x = linalg::solve(&a, &Matrix::column(vec![4.0, 9.0]))?;
//! assert_eq!(x.data(), [2.0, 3.0]);
//! # Ok::<(), neuropil_core::Error>(())
//! ```

pub mod assignment;
pub mod clustering;
pub mod distance_transform;
pub mod distances;
pub mod gemm;
pub mod interpolation;
pub mod linalg;
pub mod matrix;
pub mod statistics;
pub mod sums;

pub use matrix::Matrix;
