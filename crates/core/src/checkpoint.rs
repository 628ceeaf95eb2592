//! The state of an unfinished run.

use crate::{Array, DType, Result, Store};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Named blobs, all in one file that is replaced atomically: a reader sees the whole old state or the whole new one.
///
/// File form: a safetensors file of kind `checkpoint`, one u8 array per entry.
#[derive(Debug, Default)]
pub struct Checkpoint {
    path: PathBuf,
    entries: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// An empty checkpoint to be kept in `folder/state.safetensors`.
    pub fn empty(folder: &Path) -> Self {
        Self { path: folder.join("state.safetensors"), entries: BTreeMap::new() }
    }

    /// Loads what `folder` holds; empty where there is nothing.
    pub fn open(folder: &Path) -> Result<Self> {
        let mut checkpoint = Self::empty(folder);
        if checkpoint.path.exists() {
            for (name, array) in Store::load(&checkpoint.path)?.arrays {
                checkpoint.entries.insert(name, array.bytes().to_vec());
            }
        }
        Ok(checkpoint)
    }

    /// The entry called `name`.
    pub fn get(&self, name: &str) -> Option<&[u8]> {
        self.entries.get(name).map(Vec::as_slice)
    }

    /// Sets an entry in memory; [`Checkpoint::save`] writes it.
    pub fn set(&mut self, name: &str, bytes: Vec<u8>) {
        self.entries.insert(name.into(), bytes);
    }

    /// Names of all entries, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// Removes an entry in memory.
    pub fn remove(&mut self, name: &str) {
        self.entries.remove(name);
    }

    /// Writes all entries, atomically.
    pub fn save(&self) -> Result<()> {
        let mut store = Store::new("checkpoint");
        for (name, bytes) in &self.entries {
            store.push(name, Array::new(DType::U8, vec![bytes.len()], bytes.clone())?);
        }
        store.save(&self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_bytes_and_survives_a_leftover_partial_file() -> Result<()> {
        let dir = tempfile::tempdir().map_err(|e| crate::Error::Internal(e.to_string()))?;
        let mut c = Checkpoint::open(dir.path())?;
        c.set("a", vec![1, 2, 3]);
        c.set("empty", vec![]);
        c.save()?;
        // A killed writer leaves its temporary file; the checkpoint itself stays whole.
        std::fs::write(dir.path().join(".partial-x"), b"garbage")
            .map_err(|e| crate::Error::Internal(e.to_string()))?;
        let back = Checkpoint::open(dir.path())?;
        assert_eq!(
            (back.get("a"), back.get("empty"), back.get("b")),
            (Some(&[1, 2, 3][..]), Some(&[][..]), None)
        );
        Ok(())
    }
}
