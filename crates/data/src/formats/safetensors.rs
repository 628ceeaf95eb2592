//! Safetensors, through [`neuropil_core::Store`], with the metadata of foreign files kept.

use neuropil_core::{Error, Result, Store, files};
use std::path::Path;

/// True if the length prefix fits the file and a JSON header follows.
pub fn has_magic(bytes: &[u8]) -> bool {
    let Some((length, rest)) = bytes.split_first_chunk::<8>() else { return false };
    u64::from_le_bytes(*length) <= rest.len() as u64 && rest.first() == Some(&b'{')
}

/// Parses a safetensors file. In a file that is not a noun of ours, the text metadata become `meta` as strings.
pub fn parse(bytes: &[u8]) -> Result<Store> {
    let mut store = Store::from_bytes(bytes)?;
    if store.kind.is_empty() {
        let (_, header) = safetensors::SafeTensors::read_metadata(bytes)
            .map_err(|e| Error::input("a valid safetensors file", e.to_string()))?;
        if let Some(meta) = header.metadata() {
            // The map is unordered; names decide.
            let sorted: std::collections::BTreeMap<_, _> = meta.iter().collect();
            store.meta = sorted.into_iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        }
    }
    Ok(store)
}

/// Writes a store atomically.
pub fn write(path: &Path, store: &Store) -> Result<()> {
    files::write_atomic(path, &store.to_bytes()?)
}
