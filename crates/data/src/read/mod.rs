//! A path becomes a noun, whatever fitting format the file has: what every `--input` uses.
//!
//! Each function accepts our own safetensors noun and every other format that can hold the same content; its
//! documentation names them with their conventions. Formats are recognised by magic first and by extension second.
//! `.gz` is transparent. Failures are [`Error::Input`] and name the file.

mod arrays;
mod connectome;
mod documents;
mod recording;
mod spike_trains;
mod stimuli;
mod volume;

pub use arrays::{Matrix, array, arrays, arrays_of, matrix, strings};
pub use connectome::{connectome, connectome_of};
pub use documents::{Document, documents, documents_of, text};
pub use recording::{recording, recording_of};
pub use spike_trains::{spike_trains, spike_trains_of};
pub use stimuli::{stimuli, stimuli_of};
pub use volume::{volume, volume_of};

use crate::formats::npy::Value;
use crate::formats::{Format, csv, json, npz};
use crate::frame::{Column, Frame};
use crate::source::Source;
use neuropil_core::{Array, Error, Noun, Result, Store, Weights};
use std::path::Path;

/// The noun of a source, if it is a safetensors file of that kind.
fn noun<T: Noun>(store: &Store) -> Result<Option<T>> {
    if store.kind == T::KIND { T::from_store(store).map(Some) } else { Ok(None) }
}

/// "Wanted this, the file holds that."
fn unfit(want: &str, format: Format) -> Error {
    Error::input(want, format!("a {} file", format.title()))
}

/// What a safetensors file is, in words.
fn title(store: &Store) -> String {
    if store.kind.is_empty() { "a plain safetensors file".into() } else { format!("a `{}` file", store.kind) }
}

/// A table of named columns. CSV, TSV, blank-separated numbers; JSON lines or a JSON array of objects (one row each);
/// `.npz` of 1-D arrays of one length; all also as `.gz`.
pub fn table(path: &Path) -> Result<Frame> {
    let source = Source::open(path)?;
    table_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`table`], from a file or archive member in memory.
pub fn table_of(source: &Source) -> Result<Frame> {
    match source.format()? {
        Format::Csv | Format::Text => csv::parse(&source.bytes),
        Format::Json => match json::parse(&source.bytes)? {
            serde_json::Value::Array(rows) => frame_of_objects(&rows),
            _ => Err(Error::input("a JSON array of objects", "another JSON value")),
        },
        Format::JsonLines => frame_of_objects(&json::parse_lines(&source.bytes)?),
        Format::Npz => frame_of_arrays(npz::parse(&source.bytes)?),
        other => Err(unfit("a table (CSV, TSV, JSON lines, .npz of columns)", other)),
    }
}

fn frame_of_arrays(values: Vec<(String, Value)>) -> Result<Frame> {
    let mut columns: Vec<(String, Column)> = Vec::new();
    for (name, value) in values {
        let column = match value {
            Value::Numbers(a) if a.shape().len() == 1 => Column::Numbers(a.to_f64()),
            Value::Strings(shape, s) if shape.len() == 1 => Column::Text(s),
            other => {
                return Err(Error::input("1-D arrays", format!("shape {:?} of `{name}`", other.shape())));
            }
        };
        if let Some((first, c)) = columns.first().filter(|(_, c)| c.len() != column.len()) {
            return Err(Error::input(
                format!("columns of {} values as `{first}`", c.len()),
                format!("{} in `{name}`", column.len()),
            ));
        }
        columns.push((name, column));
    }
    if columns.first().is_none_or(|(_, c)| c.is_empty()) {
        return Err(Error::input("at least 1 row", "0 rows"));
    }
    Ok(Frame { columns, has_header: true })
}

fn frame_of_objects(rows: &[serde_json::Value]) -> Result<Frame> {
    use serde_json::Value as Json;
    let mut names: Vec<String> = Vec::new();
    let mut seen = std::collections::HashSet::new();
    for (i, row) in rows.iter().enumerate() {
        let object = row.as_object().ok_or_else(|| {
            Error::input("one JSON object a row", format!("another value in row {}", i + 1))
        })?;
        names.extend(object.keys().filter(|k| seen.insert(k.as_str())).cloned());
    }
    if names.is_empty() {
        return Err(Error::input("at least 1 row", "0 rows"));
    }
    // Sparse rows could make a table far larger than the file.
    if names.len().saturating_mul(rows.len()) > 64 * (rows.len() + seen.len()) + (1 << 22) {
        return Err(Error::input("rows with the same keys", format!("{} different keys", names.len())));
    }
    let cell = |row: &Json, name: &str| match row.get(name) {
        None | Some(Json::Null) => String::new(),
        Some(Json::String(s)) => s.clone(),
        Some(other) => other.to_string(),
    };
    let columns = names
        .iter()
        .map(|n| (n.clone(), Column::from_cells(rows.iter().map(|r| cell(r, n)).collect())))
        .collect();
    Ok(Frame { columns, has_header: true })
}

/// Parameters of a trained network: any safetensors file (ours or foreign), or `.npz`.
pub fn weights(path: &Path) -> Result<Weights> {
    let source = Source::open(path)?;
    let attempt = || match source.format()? {
        Format::Safetensors => {
            let store = crate::formats::safetensors::parse(&source.bytes)?;
            if !(store.kind.is_empty() || store.kind == Weights::KIND) {
                return Err(Error::input("weights", title(&store)));
            }
            Ok(Weights { parameters: store.arrays, meta: store.meta })
        }
        Format::Npz => {
            let parameters = numbers_only(npz::parse(&source.bytes)?);
            Ok(Weights { parameters, ..Weights::default() })
        }
        other => Err(unfit("weights (safetensors or .npz)", other)),
    };
    let weights: Weights = attempt().map_err(|e| e.at(&source.place))?;
    if weights.parameters.is_empty() {
        return Err(Error::input("at least 1 parameter", "none").at(&source.place));
    }
    Ok(weights)
}

fn numbers_only(values: Vec<(String, Value)>) -> Vec<(String, Array)> {
    values
        .into_iter()
        .filter_map(|(n, v)| match v {
            Value::Numbers(a) => Some((n, a)),
            Value::Strings(..) => None,
        })
        .collect()
}
