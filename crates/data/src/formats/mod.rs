//! One module per file format: bytes to values and back. Nothing here touches the disk except through
//! [`neuropil_core::files::write_atomic`].

pub mod archive;
pub mod csv;
pub mod graphml;
pub mod gzip;
pub mod idx;
pub mod json;
pub mod nifti;
pub mod npy;
pub mod npz;
pub mod png;
pub mod safetensors;
pub mod text;
pub mod wav;

use crate::source::extension;
use neuropil_core::{Error, Result};
use serde::Serialize;

/// The formats that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// A safetensors file: a noun of ours, or any named arrays.
    Safetensors,
    /// One NumPy array.
    Npy,
    /// Named NumPy arrays.
    Npz,
    /// A zip archive of other files.
    Zip,
    /// A tar archive of other files.
    Tar,
    /// One array of the MNIST kind.
    Idx,
    /// NIfTI-1 or NIfTI-2 in one file.
    Nifti,
    /// A PNG image.
    Png,
    /// A WAV sound.
    Wav,
    /// A graph.
    GraphMl,
    /// One JSON value.
    Json,
    /// One JSON value a line.
    JsonLines,
    /// Comma-, semicolon- or tab-separated cells.
    Csv,
    /// UTF-8 text.
    Text,
    /// A folder of other files.
    Folder,
}

impl Format {
    /// The format by magic first and by extension second. What is recognised and not read gives an error that says
    /// what to do.
    pub fn sniff(name: &str, bytes: &[u8]) -> Result<Self> {
        if let Some(format) = by_magic(name, bytes) {
            return Ok(format);
        }
        if let Some((what, hint)) = unsupported(name, bytes) {
            return Err(Error::input("a supported format", what).hint(hint));
        }
        Ok(match extension(name).as_str() {
            "safetensors" => Self::Safetensors,
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "zip" => Self::Zip,
            "tar" => Self::Tar,
            "nii" => Self::Nifti,
            "png" => Self::Png,
            "wav" => Self::Wav,
            "graphml" | "xml" => Self::GraphMl,
            "json" => Self::Json,
            "jsonl" | "ndjson" => Self::JsonLines,
            "csv" | "tsv" => Self::Csv,
            e if e.contains("idx") || name.contains("-ubyte") => Self::Idx,
            "txt" | "md" | "text" => Self::Text,
            _ if text::looks_like(bytes) => match bytes.iter().find(|b| !b.is_ascii_whitespace()) {
                Some(b'{' | b'[') => Self::Json,
                _ => Self::Text,
            },
            _ => {
                return Err(Error::input("a supported format", "unrecognised binary content")
                    .hint("supported: safetensors, npy, npz, IDX, NIfTI, PNG, WAV, CSV, TSV, text, JSON, JSONL, GraphML, zip and tar of these, all also as .gz"));
            }
        })
    }

    /// The name used in messages.
    pub fn title(self) -> &'static str {
        match self {
            Self::Safetensors => "safetensors",
            Self::Npy => "NumPy .npy",
            Self::Npz => "NumPy .npz",
            Self::Zip => "zip archive",
            Self::Tar => "tar archive",
            Self::Idx => "IDX",
            Self::Nifti => "NIfTI",
            Self::Png => "PNG image",
            Self::Wav => "WAV sound",
            Self::GraphMl => "GraphML",
            Self::Json => "JSON",
            Self::JsonLines => "JSON lines",
            Self::Csv => "CSV",
            Self::Text => "text",
            Self::Folder => "folder",
        }
    }
}

fn by_magic(name: &str, bytes: &[u8]) -> Option<Format> {
    if bytes.starts_with(npy::MAGIC) {
        return Some(Format::Npy);
    }
    if bytes.starts_with(png::MAGIC) {
        return Some(Format::Png);
    }
    if bytes.starts_with(b"RIFF") && bytes.get(8..12) == Some(b"WAVE") {
        return Some(Format::Wav);
    }
    if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
        return Some(if extension(name) == "npz" { Format::Npz } else { Format::Zip });
    }
    if nifti::has_magic(bytes) {
        return Some(Format::Nifti);
    }
    if bytes.get(257..262) == Some(b"ustar") {
        return Some(Format::Tar);
    }
    if safetensors::has_magic(bytes) {
        return Some(Format::Safetensors);
    }
    if idx::has_magic(bytes) {
        return Some(Format::Idx);
    }
    let head = &bytes[..bytes.len().min(4096)];
    let is_xml =
        head.iter().find(|b| !b.is_ascii_whitespace() && !b"\xef\xbb\xbf".contains(b)) == Some(&b'<');
    (is_xml && head.windows(8).any(|w| w == b"<graphml")).then_some(Format::GraphMl)
}

/// Formats that are known and not read, with what to do instead.
fn unsupported(name: &str, bytes: &[u8]) -> Option<(&'static str, &'static str)> {
    let pickle =
        "pickle can run code and is never read; save the arrays with `numpy.savez` or as safetensors";
    if bytes.starts_with(b"\x89HDF\r\n\x1a\n") {
        return Some(("an HDF5 file", "HDF5 and NWB are not read yet; export the arrays with `numpy.savez`"));
    }
    if bytes.starts_with(b"MATLAB 5.0") {
        return Some((
            "a MATLAB file",
            "load it with `scipy.io.loadmat` and save the arrays with `numpy.savez`",
        ));
    }
    if bytes.starts_with(b"PAR1") {
        return Some(("a Parquet file", "convert it to CSV"));
    }
    if bytes.starts_with(b"\xff\xd8\xff") {
        return Some(("a JPEG image", "convert it to PNG"));
    }
    if bytes.starts_with(b"GGUF") {
        return Some(("a GGUF file", "convert it to safetensors"));
    }
    if matches!(extension(name).as_str(), "pkl" | "pickle" | "pt" | "pth" | "joblib") {
        return Some(("a pickle", pickle));
    }
    if bytes.starts_with(&[0x80])
        && bytes.get(1).is_some_and(|v| (2..=5).contains(v))
        && bytes.ends_with(b".")
    {
        return Some(("a pickle", pickle));
    }
    None
}
