//! The bytes of one input file, with their name, after transparent decompression.

use crate::formats::{Format, gzip};
use neuropil_core::{Error, Result};
use std::io::Read as _;
use std::path::Path;

/// Largest file that is read into memory.
pub const MAX_FILE_BYTES: u64 = 16 << 30;

/// Most bytes that `compressed` bytes may expand to: real data compress by less than 200, bombs by 1000.
pub fn expansion_limit(compressed: usize) -> usize {
    (16 << 20) + compressed.saturating_mul(200)
}

/// A file, or a member of an archive, in memory.
#[derive(Debug, Clone)]
pub struct Source {
    /// File name without folders and without `.gz`.
    pub name: String,
    /// Where it came from, for messages.
    pub place: String,
    /// Content after decompression.
    pub bytes: Vec<u8>,
}

impl Source {
    /// Reads a regular, non-empty file and decompresses it if it is gzip.
    pub fn open(path: &Path) -> Result<Self> {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        Self::from_bytes(&name, path.display().to_string(), read_file(path)?)
    }

    /// A source over bytes that are already in memory; gzip is decompressed.
    pub fn from_bytes(name: &str, place: String, bytes: Vec<u8>) -> Result<Self> {
        let base = name.rsplit(['/', '\\']).next().unwrap_or(name);
        if bytes.is_empty() {
            return Err(Error::input("a file with content", "an empty file").at(&place));
        }
        if !bytes.starts_with(gzip::MAGIC) {
            return Ok(Self { name: base.to_string(), place, bytes });
        }
        let plain = gzip::decompress(&bytes, expansion_limit(bytes.len())).map_err(|e| e.at(&place))?;
        if plain.is_empty() {
            return Err(Error::input("a file with content", "a gzip file of nothing").at(&place));
        }
        let stem = base.rsplit_once('.').map_or(base, |(stem, _)| stem);
        let name = match extension(base).as_str() {
            "tgz" => format!("{stem}.tar"),
            "gz" => stem.to_string(),
            _ => base.to_string(),
        };
        Ok(Self { name, place, bytes: plain })
    }

    /// The format by magic first and by extension second.
    pub fn format(&self) -> Result<Format> {
        Format::sniff(&self.name, &self.bytes).map_err(|e| e.at(&self.place))
    }

    /// Lower-case extension, empty where there is none.
    pub fn extension(&self) -> String {
        extension(&self.name)
    }

    /// The name without its extension.
    pub fn stem(&self) -> &str {
        self.name.rsplit_once('.').map_or(self.name.as_str(), |(stem, _)| stem)
    }
}

/// Lower-case extension of a file name, empty where there is none.
pub fn extension(name: &str) -> String {
    name.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase()).unwrap_or_default()
}

/// The raw bytes of a regular file. Devices and pipes are refused, since their length is not known before they are
/// read.
pub fn read_file(path: &Path) -> Result<Vec<u8>> {
    let fail = |e: &std::io::Error| {
        let error = Error::read(path, e);
        if e.kind() == std::io::ErrorKind::NotFound {
            error.hint("check the spelling of the path")
        } else {
            error
        }
    };
    let meta = std::fs::metadata(path).map_err(|e| fail(&e))?;
    if meta.is_dir() {
        return Err(Error::input("a file", "a directory").at(path.display()));
    }
    if !meta.is_file() {
        return Err(Error::input("a regular file", "a device or pipe").at(path.display()));
    }
    if meta.len() == 0 {
        return Err(Error::input("a file with content", "an empty file").at(path.display()));
    }
    if meta.len() > MAX_FILE_BYTES {
        return Err(Error::input(format!("at most {MAX_FILE_BYTES} bytes"), format!("{} bytes", meta.len()))
            .at(path.display()));
    }
    let mut bytes = Vec::with_capacity(meta.len() as usize);
    // The limit holds even where the file grows meanwhile.
    std::fs::File::open(path)
        .and_then(|f| f.take(MAX_FILE_BYTES).read_to_end(&mut bytes))
        .map_err(|e| fail(&e))?;
    Ok(bytes)
}
