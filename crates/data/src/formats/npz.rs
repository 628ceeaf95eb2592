//! NumPy `.npz`: a zip of `.npy` files.

use crate::formats::npy::{self, Value};
use crate::formats::{Format, archive};
use neuropil_core::{Array, Error, Result, files};
use std::io::{Cursor, Write as _};
use std::path::Path;

/// All members in order of name, without the `.npy` of their names.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Value)>> {
    archive::members(Format::Npz, bytes)?
        .into_iter()
        .map(|m| {
            let name = m.path.strip_suffix(".npy").unwrap_or(&m.path).to_string();
            npy::parse_value(&m.bytes).map_err(|e| e.at(format!("array `{name}`"))).map(|v| (name, v))
        })
        .collect()
}

/// Names of arrays are lower-case words, so they are stored as they are; no times, so the same arrays always give the
/// same bytes.
pub fn encode(values: &[(String, Value)]) -> Result<Vec<u8>> {
    let failed = |e: &dyn std::fmt::Display| Error::Internal(format!("npz: {e}"));
    let options = zip::write::SimpleFileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .last_modified_time(zip::DateTime::default())
        .large_file(values.iter().any(|(_, v)| v.shape().iter().product::<usize>() > 1 << 28));
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, value) in values {
        let bytes = match value {
            Value::Numbers(array) => npy::encode(array)?,
            Value::Strings(_, strings) => npy::encode_strings(strings),
        };
        writer.start_file(format!("{name}.npy"), options).map_err(|e| failed(&e))?;
        writer.write_all(&bytes).map_err(|e| failed(&e))?;
    }
    Ok(writer.finish().map_err(|e| failed(&e))?.into_inner())
}

/// Writes named arrays atomically.
pub fn write(path: &Path, arrays: &[(String, Array)]) -> Result<()> {
    let values: Vec<_> = arrays.iter().map(|(n, a)| (n.clone(), Value::Numbers(a.clone()))).collect();
    files::write_atomic(path, &encode(&values)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_arrays_give_the_same_bytes() -> Result<()> {
        let values = vec![
            ("a".to_string(), Value::Numbers(Array::from_f64(&[2], &[1.0, -2.5])?)),
            ("names".to_string(), Value::Strings(vec![2], vec!["x".into(), "yy".into()])),
        ];
        let bytes = encode(&values)?;
        assert_eq!(bytes, encode(&values)?);
        assert_eq!(parse(&bytes)?, values);
        Ok(())
    }
}
