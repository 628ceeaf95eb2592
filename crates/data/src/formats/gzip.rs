//! Gzip streams, with a limit on what comes out.

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use neuropil_core::{Error, Result};
use std::io::{Read as _, Write as _};

/// First bytes of every gzip file (deflate is the only method in use).
pub const MAGIC: &[u8] = &[0x1f, 0x8b, 8];

/// Decompresses all members; fails beyond `limit` bytes, on a wrong checksum and on truncation.
pub fn decompress(bytes: &[u8], limit: usize) -> Result<Vec<u8>> {
    read_limited(MultiGzDecoder::new(bytes), limit)
}

/// Compresses with no name and no time, so that the same content always gives the same bytes.
pub fn compress(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut encoder = flate2::GzBuilder::new().mtime(0).write(Vec::new(), Compression::new(6));
    encoder.write_all(bytes).and_then(|()| encoder.finish()).map_err(|e| Error::Internal(e.to_string()))
}

/// Reads a decompressing stream to its end, growing as it goes and never beyond `limit`.
pub(crate) fn read_limited(reader: impl std::io::Read, limit: usize) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut limited = reader.take(limit as u64 + 1);
    limited.read_to_end(&mut out).map_err(|e| Error::input("a whole compressed stream", e.to_string()))?;
    if out.len() > limit {
        return Err(Error::input(format!("at most {limit} bytes after decompression"), "more")
            .hint("if the file is trusted, decompress it first"));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bombs_and_truncation_are_refused() -> Result<()> {
        let bomb = compress(&vec![0; 1 << 20])?;
        assert!(decompress(&bomb, 1 << 10).is_err());
        assert_eq!(decompress(&bomb, 1 << 20)?.len(), 1 << 20);
        let small = compress(b"hello hello hello")?;
        assert!((1..small.len()).all(|n| decompress(&small[..n], 1 << 20).is_err()));
        assert_eq!(compress(b"same")?, compress(b"same")?);
        Ok(())
    }
}
