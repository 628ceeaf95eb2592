//! Writing files so that a reader sees the old or the new content and never a part.

use crate::{Error, Result};
use std::io::Write as _;
use std::path::Path;

/// Writes `bytes` to `path` through a temporary file in the same folder, synced and renamed. Creates the folder.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<()> {
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let attempt = || -> std::io::Result<()> {
        std::fs::create_dir_all(folder)?;
        let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(folder)?;
        file.write_all(bytes)?;
        file.as_file().sync_data()?;
        file.persist(path).map_err(|e| e.error)?;
        Ok(())
    };
    attempt().map_err(|e| Error::write(path, &e))
}

/// Reads a whole regular file of at most `limit` bytes; the size is checked before anything is allocated.
pub fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, &e))?;
    if meta.is_dir() {
        return Err(Error::input("a file", "a directory").at(path.display()));
    }
    if meta.len() > limit {
        return Err(Error::input(format!("at most {limit} bytes"), format!("{} bytes", meta.len()))
            .at(path.display()));
    }
    std::fs::read(path).map_err(|e| Error::read(path, &e))
}
