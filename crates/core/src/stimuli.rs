//! What the units were shown.

use crate::recording::field;
use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// How the axes of the stimulus array are to be read; the first axis counts stimuli.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StimulusKind {
    /// [n, channels, height, width].
    Images,
    /// [n, frames, height, width].
    Movies,
    /// [n, samples].
    Sounds,
    /// [n, tokens].
    Tokens,
    /// [n, steps, features].
    Sequences,
    /// [n, features].
    Features,
}

impl StimulusKind {
    /// Number of axes, the first included.
    pub fn axes(self) -> usize {
        match self {
            Self::Images | Self::Movies => 4,
            Self::Sequences => 3,
            Self::Sounds | Self::Tokens | Self::Features => 2,
        }
    }
}

/// Stimuli with optional class labels.
///
/// File form, kind `stimuli`: array `values`, optional `labels` u32 \[n\]; metadata `stimulus_kind`, `rate_hz`,
/// `classes`.
#[derive(Debug, Clone, PartialEq)]
pub struct Stimuli {
    /// How to read the axes.
    pub kind: StimulusKind,
    /// The values; axis 0 counts stimuli.
    pub values: Array,
    /// Class of each stimulus, where known.
    pub labels: Option<Vec<u32>>,
    /// Class names; empty where unknown.
    pub classes: Vec<String>,
    /// Frames or samples per second, where time is an axis.
    pub rate_hz: Option<f64>,
}

impl Stimuli {
    /// Checks that axes and labels fit.
    pub fn new(kind: StimulusKind, values: Array, labels: Option<Vec<u32>>) -> Result<Self> {
        if values.shape().len() != kind.axes() {
            return Err(Error::input(
                format!("{} axes for {kind:?}", kind.axes()),
                format!("shape {:?}", values.shape()),
            ));
        }
        if let Some(l) = labels.as_ref().filter(|l| l.len() != values.shape()[0]) {
            return Err(Error::input(
                format!("{} labels, one per stimulus", values.shape()[0]),
                format!("{} labels", l.len()),
            ));
        }
        Ok(Self { kind, values, labels, classes: Vec::new(), rate_hz: None })
    }

    /// Number of stimuli.
    pub fn len(&self) -> usize {
        self.values.shape()[0]
    }

    /// These stimuli in this order, with their labels. Fails on a number that is not there.
    pub fn select(&self, chosen: &[usize]) -> Result<Self> {
        if let Some(i) = chosen.iter().find(|i| **i >= self.len()) {
            return Err(Error::input(format!("a stimulus below {}", self.len()), i.to_string()));
        }
        let bytes = self.values.bytes();
        let size = bytes.len() / self.len().max(1);
        let picked = chosen.iter().flat_map(|&i| &bytes[i * size..(i + 1) * size]).copied().collect();
        let shape = std::iter::once(chosen.len()).chain(self.values.shape()[1..].iter().copied()).collect();
        Ok(Self {
            values: Array::new(self.values.dtype(), shape, picked)?,
            labels: self.labels.as_ref().map(|l| chosen.iter().map(|&i| l[i]).collect()),
            kind: self.kind,
            classes: self.classes.clone(),
            rate_hz: self.rate_hz,
        })
    }

    /// True without any stimulus.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Noun for Stimuli {
    const KIND: &'static str = "stimuli";

    fn to_store(&self) -> Result<Store> {
        let mut store = Store::new(Self::KIND);
        store.push("values", self.values.clone());
        if let Some(l) = &self.labels {
            store.push("labels", Array::from_u32(&[l.len()], l)?);
        }
        store.meta.insert("stimulus_kind".into(), json!(self.kind));
        store.meta.insert("classes".into(), json!(self.classes));
        store.meta.insert("rate_hz".into(), json!(self.rate_hz));
        Ok(store)
    }

    fn from_store(store: &Store) -> Result<Self> {
        let labels = match store.get("labels") {
            Some(l) => {
                Some(l.to_indices()?.into_iter().map(|v| u32::try_from(v).unwrap_or(u32::MAX)).collect())
            }
            None => None,
        };
        let mut s = Self::new(field(store, "stimulus_kind")?, store.require("values")?.clone(), labels)?;
        s.classes = field(store, "classes")?;
        s.rate_hz = field(store, "rate_hz")?;
        Ok(s)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chosen_stimuli_keep_their_labels() -> Result<()> {
        let values = Array::from_f32(&[3, 2], &[0.0, 1.0, 2.0, 3.0, 4.0, 5.0])?;
        let s = Stimuli::new(StimulusKind::Features, values, Some(vec![7, 8, 9]))?;
        let t = s.select(&[2, 0, 2])?;
        assert_eq!(t.values.to_f32(), [4.0, 5.0, 0.0, 1.0, 4.0, 5.0]);
        assert_eq!((t.labels, t.values.shape()), (Some(vec![9, 7, 9]), [3, 2].as_slice()));
        assert!(s.select(&[3]).is_err() && s.select(&[])?.is_empty());
        Ok(())
    }
}
