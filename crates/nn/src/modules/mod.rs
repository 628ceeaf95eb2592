//! Layers: plain structs that hold parameter handles and sizes. `forward` takes the [`Pass`](crate::Pass) first.

mod basic;
mod conv;
mod norm;
mod pool;
mod recurrent;
pub mod segmentation;
mod transformer;
mod unet;

pub use basic::{Embedding, Linear, Mlp, act, cross_entropy, masked_mean_squared_error, mean};
pub use conv::{Conv, ConvNet, Stage as ConvStage};
pub use norm::{BatchNorm, GroupNorm, LayerNorm, RmsNorm, log_softmax, softmax};
pub use pool::{average_pool, max_pool};
pub use recurrent::Recurrent;
pub use transformer::{Block, Transformer, TransformerConfig, attention, rotary};
pub use unet::{UNet, UNetConfig, concatenate, upsample};
