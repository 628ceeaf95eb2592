//! Plain arrays.

use super::{numbers_only, table_of, unfit};
use crate::formats::npy::{self, Value};
use crate::formats::{Format, idx, nifti, npz, png, safetensors, wav};
use crate::source::Source;
use neuropil_core::{Array, Error, Result};
use std::path::Path;

/// Named arrays: safetensors (any), `.npz`, and every format of a single array, which is named after the file.
/// Strings in `.npz` are left out; see [`strings`].
pub fn arrays(path: &Path) -> Result<Vec<(String, Array)>> {
    let source = Source::open(path)?;
    arrays_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`arrays`], from a file or archive member in memory.
pub fn arrays_of(source: &Source) -> Result<Vec<(String, Array)>> {
    let one = |array: Array| vec![(source.stem().to_string(), array)];
    let found = match source.format()? {
        Format::Safetensors => safetensors::parse(&source.bytes)?.arrays,
        Format::Npz => numbers_only(npz::parse(&source.bytes)?),
        Format::Npy => one(npy::parse(&source.bytes)?),
        Format::Idx => one(idx::parse(&source.bytes)?),
        Format::Png => one(png::parse(&source.bytes)?),
        Format::Nifti => {
            let v = nifti::parse(&source.bytes)?.volume;
            one(Array::from_f32(&v.shape, &v.values)?)
        }
        Format::Wav => {
            let sound = wav::parse(&source.bytes)?;
            let n = sound.channels[0].len();
            one(Array::from_f32(&[sound.channels.len(), n], &sound.channels.concat())?)
        }
        Format::Csv | Format::Text => {
            let frame = table_of(source)?;
            one(Array::from_f64(&[frame.rows(), frame.columns.len()], &frame.matrix()?)?)
        }
        Format::Json => one(nested(&crate::formats::json::parse(&source.bytes)?)?),
        other => return Err(unfit("arrays (safetensors, .npz, .npy, IDX, NIfTI, CSV, PNG, WAV)", other)),
    };
    if found.is_empty() {
        return Err(Error::input("at least 1 array", "none"));
    }
    Ok(found)
}

/// One array. Every format of [`arrays`]; fails where a file holds several, listing their names.
pub fn array(path: &Path) -> Result<Array> {
    let mut found = arrays(path)?;
    if found.len() > 1 {
        let names: Vec<&str> = found.iter().take(12).map(|(n, _)| n.as_str()).collect();
        return Err(Error::input("one array", format!("{} arrays: {names:?}", found.len()))
            .at(path.display())
            .hint("save the one array to a file of its own"));
    }
    Ok(found.remove(0).1)
}

/// A matrix of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Matrix {
    /// Number of rows.
    pub rows: usize,
    /// Number of columns.
    pub columns: usize,
    /// Values in row-major order; NaN where a cell is missing.
    pub values: Vec<f64>,
    /// Column names, where the file has a header.
    pub names: Option<Vec<String>>,
}

/// A matrix of numbers. Every format of [`array()`] with 2 axes; NaN stays NaN.
pub fn matrix(path: &Path) -> Result<Matrix> {
    let source = Source::open(path)?;
    let attempt = || {
        if matches!(source.format()?, Format::Csv | Format::Text) {
            let frame = table_of(&source)?;
            let names = frame.has_header.then(|| frame.names().into_iter().map(String::from).collect());
            return Ok(Matrix {
                rows: frame.rows(),
                columns: frame.columns.len(),
                values: frame.matrix()?,
                names,
            });
        }
        let mut found = arrays_of(&source)?;
        let array = found.remove(0).1;
        match (array.shape(), found.len()) {
            (&[rows, columns], 0) => Ok(Matrix { rows, columns, values: array.to_f64(), names: None }),
            (shape, 0) => Err(Error::input("a matrix (2 axes)", format!("shape {shape:?}"))),
            (_, more) => Err(Error::input("one matrix", format!("{} arrays", more + 1))),
        }
    };
    attempt().map_err(|e: Error| e.at(&source.place))
}

/// The lists of strings in an `.npz`, by name.
pub fn strings(path: &Path) -> Result<Vec<(String, Vec<String>)>> {
    let source = Source::open(path)?;
    let values = match source.format()? {
        Format::Npz => npz::parse(&source.bytes).map_err(|e| e.at(&source.place))?,
        _ => Vec::new(),
    };
    let texts = values.into_iter().filter_map(|(n, v)| match v {
        Value::Strings(_, s) => Some((n, s)),
        Value::Numbers(_) => None,
    });
    Ok(texts.collect())
}

/// Nested JSON lists of numbers and nulls (NaN) as an f64 array.
fn nested(value: &serde_json::Value) -> Result<Array> {
    use serde_json::Value as Json;
    fn fill(value: &Json, shape: &[usize], out: &mut Vec<f64>) -> Result<()> {
        match (value, shape) {
            (Json::Array(items), [length, rest @ ..]) if items.len() == *length => {
                items.iter().try_for_each(|v| fill(v, rest, out))
            }
            (Json::Number(n), []) => {
                out.push(n.as_f64().unwrap_or(f64::NAN));
                Ok(())
            }
            (Json::Null, []) => {
                out.push(f64::NAN);
                Ok(())
            }
            _ => Err(Error::input("nested lists of numbers of equal lengths", "lists that differ")),
        }
    }
    let mut shape = Vec::new();
    let mut level = value;
    while let Json::Array(items) = level {
        shape.push(items.len());
        let Some(first) = items.first() else { break };
        level = first;
    }
    if shape.is_empty() {
        return Err(Error::input("nested lists of numbers", "another JSON value"));
    }
    let mut out = Vec::new();
    fill(value, &shape, &mut out)?;
    Array::from_f64(&shape, &out)
}
