//! Parameters of a trained network.

use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde_json::{Map, Value};

/// Ordered name -> array, with what the network needs besides (its sizes, its plain graph where the file has one).
///
/// File form, kind `weights`: one array per parameter under its own name; the metadata is free (`model`, sizes). A
/// foreign safetensors file loads too.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Weights {
    /// Parameters in order, names unique.
    pub parameters: Vec<(String, Array)>,
    /// Sizes and kind of the network.
    pub meta: Map<String, Value>,
}

impl Weights {
    /// The parameter called `name`, or an error that lists what there is.
    pub fn require(&self, name: &str) -> Result<&Array> {
        self.parameters.iter().find(|(n, _)| n == name).map(|(_, a)| a).ok_or_else(|| {
            let names: Vec<&str> = self.parameters.iter().take(12).map(|(n, _)| n.as_str()).collect();
            Error::input(format!("a parameter `{name}`"), format!("parameters {names:?}"))
        })
    }

    /// The parameter called `name` with exactly this shape, as f32.
    pub fn require_f32(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>> {
        let a = self.require(name)?;
        if a.shape() != shape {
            return Err(Error::input(format!("shape {shape:?} for `{name}`"), format!("{:?}", a.shape())));
        }
        Ok(a.to_f32())
    }

    /// Number of scalar parameters.
    pub fn count(&self) -> usize {
        self.parameters.iter().map(|(_, a)| a.len()).sum()
    }
}

impl Noun for Weights {
    const KIND: &'static str = "weights";

    fn to_store(&self) -> Result<Store> {
        Ok(Store { kind: Self::KIND.into(), meta: self.meta.clone(), arrays: self.parameters.clone() })
    }

    fn from_store(store: &Store) -> Result<Self> {
        Ok(Self { parameters: store.arrays.clone(), meta: store.meta.clone() })
    }

    fn load(path: &std::path::Path) -> Result<Self> {
        let store = Store::load(path)?;
        if !(store.kind.is_empty() || store.kind == Self::KIND) {
            return Err(Error::input("weights", format!("a {}", store.kind)).at(path.display()));
        }
        Self::from_store(&store)
    }
}
