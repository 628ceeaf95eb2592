//! Trainable networks on the tensor library `burn`, with kernels of our own where they pay.
//!
//! Weights live in one flat buffer ([`Parameters`]); a [`Pass`] lends them to the layers of [`modules`] as tensors and
//! collects gradients, dropout masks and hooked activations; [`train`] and [`optim`] are plain loops over the buffer.
//! Every heavy operation is a [`fused`] one over [`kernels`], so bits never depend on the number of threads, and random
//! numbers come only from `neuropil_core` streams.
//!
//! ```
//! use neuropil_core::Streams;
//! use neuropil_nn::{Parameters, Pass, kernels::Activation, modules::{Mlp, cross_entropy}, pass::values};
//!
//! let mut init = Streams::new(1).stream("init", 0);
//! let mut parameters = Parameters::default();
//! let net = Mlp::new(&mut parameters, "net", &[2, 8, 3], Activation::Relu, &mut init);
//! let pass = Pass::training(&parameters, None);
//! let logits = net.forward(&pass, pass.input(vec![0.5, -1.0], [1, 2]));
//! let (loss, gradient) = pass.gradient(&cross_entropy(logits, &[2], None))?;
//! assert!(loss > 0.0 && gradient.len() == 2 * 8 + 8 + 8 * 3 + 3);
//! # Ok::<(), neuropil_core::Error>(())
//! ```

pub mod classifier;
pub mod fused;
pub mod kernels;
pub mod modules;
pub mod optim;
pub mod parameters;
pub mod pass;
pub mod predictor;
pub mod text;
pub mod train;

pub use classifier::{Architecture, Classifier, ClassifierConfig};
pub use parameters::{Init, ParameterId, Parameters};
pub use pass::Pass;
pub use predictor::{Predictor, PredictorConfig, Series};
pub use train::Training;

/// A tensor of 2 axes, for crates that do not name the tensor library.
pub type Matrix = burn::tensor::Tensor<2>;
