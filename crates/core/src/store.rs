//! The file form of all nouns: one safetensors file of named arrays, plus one metadata key `neuropil`.
//!
//! The metadata value is a JSON object `{"kind": ..., "version": 1, "order": [names], "meta": {...}}`. `kind` names
//! the noun, `order` keeps the order of the arrays (safetensors itself sorts by alignment and name), `meta` holds what
//! is not an array. A safetensors file without that key loads as a plain [`Store`] of kind `""`.

use crate::{Array, DType, Error, Result, files};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use serde_json::{Map, Value, json};
use std::path::Path;

/// Largest file that is read into memory.
pub const MAX_FILE_BYTES: u64 = 16 << 30;

/// Named arrays in order, with a kind and JSON metadata.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Store {
    /// Which noun this is; empty for a foreign file.
    pub kind: String,
    /// Everything that is not an array.
    pub meta: Map<String, Value>,
    /// The arrays, names unique.
    pub arrays: Vec<(String, Array)>,
}

impl Store {
    /// An empty store of a kind.
    pub fn new(kind: &str) -> Self {
        Self { kind: kind.into(), ..Self::default() }
    }

    /// Appends an array.
    pub fn push(&mut self, name: impl Into<String>, array: Array) {
        self.arrays.push((name.into(), array));
    }

    /// The array called `name`.
    pub fn get(&self, name: &str) -> Option<&Array> {
        self.arrays.iter().find(|(n, _)| n == name).map(|(_, a)| a)
    }

    /// The array called `name`, or an error that lists what there is.
    pub fn require(&self, name: &str) -> Result<&Array> {
        self.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.arrays.iter().take(12).map(|(n, _)| n.as_str()).collect();
            Error::input(format!("an array `{name}`"), format!("arrays {names:?}"))
        })
    }

    /// Serialised safetensors bytes; the same store always gives the same bytes.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let order: Vec<&str> = self.arrays.iter().map(|(n, _)| n.as_str()).collect();
        let note = json!({"kind": self.kind, "version": 1, "order": order, "meta": self.meta}).to_string();
        let views = self
            .arrays
            .iter()
            .map(|(n, a)| {
                TensorView::new(to_safe(a.dtype()), a.shape().to_vec(), a.bytes())
                    .map(|v| (n.as_str(), v))
                    .map_err(|e| Error::Internal(format!("array `{n}`: {e}")))
            })
            .collect::<Result<Vec<_>>>()?;
        safetensors::serialize(views, Some([("neuropil".to_string(), note)].into()))
            .map_err(|e| Error::Internal(e.to_string()))
    }

    /// Parses safetensors bytes. Sizes, overlaps and trailing bytes are checked before anything is copied.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged = |e: &dyn std::fmt::Display| Error::input("a valid safetensors file", e.to_string());
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(|e| damaged(&e))?;
        let tensors = SafeTensors::deserialize(bytes).map_err(|e| damaged(&e))?;
        let mut store = Self::default();
        let mut order: Vec<String> = Vec::new();
        if let Some(note) = header.metadata().as_ref().and_then(|m| m.get("neuropil")) {
            let note: Value = serde_json::from_str(note).map_err(|e| damaged(&e))?;
            store.kind = note["kind"].as_str().unwrap_or_default().into();
            store.meta = note["meta"].as_object().cloned().unwrap_or_default();
            order = note["order"]
                .as_array()
                .map(|names| names.iter().filter_map(|n| n.as_str().map(String::from)).collect())
                .unwrap_or_default();
        }
        let mut found = tensors.tensors();
        let place = |name: &String| order.iter().position(|o| o == name).unwrap_or(usize::MAX);
        // Foreign files: by offset in the file, which is the order in which they were written.
        found.sort_by_key(|(n, t)| (place(n), t.data().as_ptr() as usize, n.clone()));
        for (name, view) in found {
            let array = Array::new(
                from_safe(view.dtype()).map_err(|e| e.at(&name))?,
                view.shape().to_vec(),
                view.data().to_vec(),
            )?;
            store.arrays.push((name, array));
        }
        Ok(store)
    }

    /// Writes the file atomically.
    pub fn save(&self, path: &Path) -> Result<()> {
        files::write_atomic(path, &self.to_bytes()?)
    }

    /// Reads a file.
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = files::read_limited(path, MAX_FILE_BYTES)?;
        Self::from_bytes(&bytes).map_err(|e| e.at(path.display()))
    }
}

/// A noun with its one file form.
pub trait Noun: Sized {
    /// The `kind` in the file.
    const KIND: &'static str;

    /// The arrays and metadata of the file form.
    fn to_store(&self) -> Result<Store>;

    /// The inverse of [`Noun::to_store`], with every shape and index checked.
    fn from_store(store: &Store) -> Result<Self>;

    /// Saves to a safetensors file, atomically.
    fn save(&self, path: &Path) -> Result<()> {
        self.to_store()?.save(path)
    }

    /// Loads from a safetensors file of this kind.
    fn load(path: &Path) -> Result<Self> {
        let store = Store::load(path)?;
        if store.kind != Self::KIND {
            let got = if store.kind.is_empty() {
                "a plain safetensors file".into()
            } else {
                format!("a {}", store.kind)
            };
            return Err(Error::input(format!("a {}", Self::KIND), got).at(path.display()));
        }
        Self::from_store(&store).map_err(|e| e.at(path.display()))
    }
}

fn to_safe(d: DType) -> Dtype {
    match d {
        DType::Bool => Dtype::BOOL,
        DType::U8 => Dtype::U8,
        DType::I8 => Dtype::I8,
        DType::U16 => Dtype::U16,
        DType::I16 => Dtype::I16,
        DType::U32 => Dtype::U32,
        DType::I32 => Dtype::I32,
        DType::U64 => Dtype::U64,
        DType::I64 => Dtype::I64,
        DType::F16 => Dtype::F16,
        DType::BF16 => Dtype::BF16,
        DType::F32 => Dtype::F32,
        DType::F64 => Dtype::F64,
    }
}

fn from_safe(d: Dtype) -> Result<DType> {
    Ok(match d {
        Dtype::BOOL => DType::Bool,
        Dtype::U8 => DType::U8,
        Dtype::I8 => DType::I8,
        Dtype::U16 => DType::U16,
        Dtype::I16 => DType::I16,
        Dtype::U32 => DType::U32,
        Dtype::I32 => DType::I32,
        Dtype::U64 => DType::U64,
        Dtype::I64 => DType::I64,
        Dtype::F16 => DType::F16,
        Dtype::BF16 => DType::BF16,
        Dtype::F32 => DType::F32,
        Dtype::F64 => DType::F64,
        other => return Err(Error::input("integers or floats of 8 to 64 bits", format!("{other:?}"))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_kind_and_meta_survive() -> Result<()> {
        let mut s = Store::new("demo");
        s.meta.insert("rate".into(), json!(2.5));
        s.push("z", Array::from_f32(&[2], &[1.0, 2.0])?);
        s.push("a", Array::from_u8(&[3], &[1, 2, 3])?);
        let back = Store::from_bytes(&s.to_bytes()?)?;
        assert_eq!(back, s);
        assert_eq!(back.to_bytes()?, s.to_bytes()?);
        Ok(())
    }

    #[test]
    fn truncation_at_every_byte_is_an_error() -> Result<()> {
        let mut s = Store::new("demo");
        s.push("x", Array::from_f64(&[2, 2], &[1.0; 4])?);
        let bytes = s.to_bytes()?;
        assert!((0..bytes.len()).all(|n| Store::from_bytes(&bytes[..n]).is_err()));
        Ok(())
    }
}
