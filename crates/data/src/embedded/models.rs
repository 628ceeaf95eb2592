//! Small trained networks.

use super::{store, unpacked};
use crate::formats::{json, text};
use neuropil_core::{Error, Result, Weights};
use serde_json::Value;

fn weights(name: &str) -> Result<Weights> {
    let s = store(name)?;
    Ok(Weights { parameters: s.arrays, meta: s.meta })
}

/// EfficientNet-Lite0 trained on ImageNet, batch norm folded, int8 weights with one scale per output channel
/// (`w = q * scale[out]`). The metadata tell input, padding, activation and blocks.
pub fn efficientnet_lite0() -> Result<Weights> {
    weights("models/efficientnet_lite0_int8.safetensors.gz")
}

/// textgenrnn: embedding 100, two LSTM layers of 128 (CuDNN layout, gates i f c o), attention, 465 characters, float16.
pub fn textgenrnn() -> Result<Weights> {
    weights("models/textgenrnn_f16.safetensors.gz")
}

/// The characters of [`textgenrnn`]: entry `i` is character number `i`; number 0 is padding (empty).
pub fn textgenrnn_vocabulary() -> Result<Vec<String>> {
    let Value::Object(map) = json::parse(&unpacked("models/textgenrnn_vocab.json.gz")?)? else {
        return Err(Error::Internal("the vocabulary is not an object".into()));
    };
    let size = map.values().filter_map(Value::as_u64).max().unwrap_or(0).min(4096) as usize + 1;
    let mut characters = vec![String::new(); size];
    for (character, number) in map {
        if let Some(place) = number.as_u64().and_then(|n| characters.get_mut(n as usize)) {
            *place = character;
        }
    }
    Ok(characters)
}

/// The linear toxicity scorer: mean over five support vector machines with Platt scaling, on normalised tf-idf.
#[derive(Debug, Clone)]
pub struct Toxicity {
    /// `coef` [5, 15442], `idf` \[15442\], `intercept` \[5\], `platt_ab` [5, 2].
    pub weights: Weights,
    /// The word of each column; contains slurs.
    pub vocabulary: Vec<String>,
}

/// The toxicity scorer and its vocabulary.
pub fn toxicity() -> Result<Toxicity> {
    let vocabulary =
        text::parse(&unpacked("toxicity/profanity_vocab.txt.gz")?)?.lines().map(String::from).collect();
    Ok(Toxicity { weights: weights("toxicity/profanity_linear.safetensors.gz")?, vocabulary })
}
