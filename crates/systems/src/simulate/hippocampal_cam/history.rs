//! Plastic weights over time.

use super::circuit::PlasticWeights;

/// Largest number of weights kept of each projection (f32, 256 MB).
const LARGEST: usize = 1 << 26;

/// Plastic weights after each operation, in nA.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    cue_to_content: Vec<f32>,
    content_to_cue: Vec<f32>,
    too_large: bool,
}

impl History {
    /// A history of `operations` samples; it stays empty if they would be too many.
    pub fn new(operations: usize, cues: usize, contents: usize) -> Self {
        let fits = operations.saturating_mul(cues).saturating_mul(contents) <= LARGEST;
        Self { too_large: !fits, ..Self::default() }
    }

    /// False if the samples would have been too many.
    pub fn is_complete(&self) -> bool {
        !self.too_large
    }

    /// Appends a sample.
    pub fn push(&mut self, weights: &PlasticWeights) {
        if !self.too_large {
            self.cue_to_content.extend(weights.cue_to_content.iter().map(|&w| w as f32));
            self.content_to_cue.extend(weights.content_to_cue.iter().map(|&w| w as f32));
        }
    }

    /// All samples from cue to content: operations x cues x contents.
    pub fn cue_to_content(&self) -> &[f32] {
        &self.cue_to_content
    }

    /// All samples from content to cue: operations x contents x cues.
    pub fn content_to_cue(&self) -> &[f32] {
        &self.content_to_cue
    }

    /// The sample from cue to content after operation `k`, cues x contents.
    pub fn after(&self, k: usize, cues: usize, contents: usize) -> Option<Vec<f64>> {
        let size = cues * contents;
        let sample = self.cue_to_content.get(k * size..(k + 1) * size)?;
        Some(sample.iter().map(|&w| f64::from(w)).collect())
    }
}
