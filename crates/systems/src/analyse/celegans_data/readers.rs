//! Readers of laboratory files: a folder with a small manifest, or single files.

use super::ledger::Ledger;
use super::raw::{Matrix, RawWorm};
use neuropil_core::{Error, Recording, Result};
use neuropil_data::formats::{Format, json, npy, npz};
use neuropil_data::worm_names::first_candidate;
use neuropil_data::{Frame, Source, read};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use std::path::{Path, PathBuf};

/// Name of the manifest in a folder of recordings.
pub const MANIFEST: &str = "manifest.toml";

/// How a file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// CSV, one column per neuron and one of times.
    CsvWide,
    /// CSV, one row per neuron and time: columns `neuron`, `time`, `value`, optional `worm` and `neuron_index`.
    CsvLong,
    /// NumPy arrays of traces (time x neurons), times and names.
    Npz,
    /// JSON object (or array of objects) with traces, times and names; null is missing.
    Json,
    /// A recording of any format that all systems read.
    Recording,
}

/// Unit of the time vector.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeUnit {
    /// Seconds.
    #[default]
    S,
    /// Milliseconds.
    Ms,
    /// Minutes.
    Min,
}

/// What a folder of recordings is, in `manifest.toml`. Every key may be left out.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Manifest {
    /// Name of the data set; the folder's name if left out.
    pub source: String,
    /// Citation, kept with every worm.
    pub citation: String,
    /// Layout; found out per file if left out.
    pub format: Option<Layout>,
    /// Field or array of the traces.
    pub traces: Option<String>,
    /// Field or array of the names.
    pub names: Option<String>,
    /// Field, array or column of the times.
    pub times: Option<String>,
    /// Samples per second, instead of a time vector.
    pub rate_hz: Option<f64>,
    /// Unit of the time vector: `s`, `ms` or `min`.
    pub time_unit: TimeUnit,
    /// The matrix has one row per neuron instead of one per time.
    pub transposed: bool,
}

const TRACES: [&str; 6] = ["traces", "activity", "data", "calcium", "calcium_data", "deltaFOverF_bc"];
const NAMES: [&str; 6] = ["names", "neurons", "neuron_names", "NeuronNames", "IDs", "units"];
const TIMES: [&str; 8] = ["times", "time", "time_s", "times_s", "t", "seconds", "timeVectorSeconds", "tv"];

/// All recordings under the paths: a folder with its manifest, a folder of such folders, or files. Files are taken in
/// byte order of their names.
pub fn read_all(paths: &[&Path], ledger: &mut Ledger) -> Result<Vec<RawWorm>> {
    let mut jobs: Vec<(PathBuf, Manifest)> = Vec::new();
    for path in paths {
        if path.is_dir() {
            folder(path, &mut jobs, ledger, 0)?;
        } else {
            jobs.push((path.to_path_buf(), Manifest { source: stem(path), ..Manifest::default() }));
        }
    }
    if jobs.is_empty() {
        let got = paths.iter().map(|p| p.display().to_string()).collect::<Vec<_>>().join(", ");
        return Err(Error::input("at least 1 recording (CSV, npz, JSON, safetensors)", format!("none in {got}")));
    }
    let read: Vec<Vec<RawWorm>> = jobs.par_iter().map(|(path, m)| read_file(path, m)).collect::<Result<_>>()?;
    Ok(read.into_iter().flatten().collect())
}

fn folder(path: &Path, jobs: &mut Vec<(PathBuf, Manifest)>, ledger: &mut Ledger, depth: usize) -> Result<()> {
    let mut inside: Vec<PathBuf> = std::fs::read_dir(path)
        .and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect())
        .map_err(|e| Error::read(path, &e))?;
    inside.sort_by(|a, b| a.as_os_str().as_encoded_bytes().cmp(b.as_os_str().as_encoded_bytes()));
    let manifest = manifest(path)?;
    for file in inside {
        let name = file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        if name == MANIFEST || name.starts_with('.') {
            continue;
        }
        if file.is_dir() {
            if depth >= 3 {
                ledger.add(&manifest.source, &name, "skipped folder", "more than 3 folders deep", 1);
            } else {
                folder(&file, jobs, ledger, depth + 1)?;
            }
        } else if is_recording(&name) {
            jobs.push((file, manifest.clone()));
        } else {
            ledger.add(&manifest.source, &name, "skipped file", "not a format of recordings", 1);
        }
    }
    Ok(())
}

fn is_recording(name: &str) -> bool {
    let plain = name.strip_suffix(".gz").unwrap_or(name).to_ascii_lowercase();
    [".csv", ".tsv", ".npz", ".json", ".safetensors", ".npy"].iter().any(|e| plain.ends_with(e))
}

fn manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join(MANIFEST);
    let mut manifest = if path.exists() {
        let source = Source::open(&path)?;
        let text = neuropil_data::formats::text::parse(&source.bytes).map_err(|e| e.at(path.display()))?;
        toml::from_str(&text).map_err(|e| Error::input("a valid manifest", e.message().to_string()).at(path.display()))?
    } else {
        Manifest::default()
    };
    if manifest.rate_hz.is_some_and(|hz| !(hz.is_finite() && hz > 0.0)) {
        return Err(Error::input("a positive `rate_hz`", format!("{:?}", manifest.rate_hz)).at(path.display()));
    }
    if manifest.source.is_empty() {
        manifest.source = stem(folder);
    }
    Ok(manifest)
}

fn stem(path: &Path) -> String {
    let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    if path.is_dir() { name } else { name.split('.').next().unwrap_or_default().to_string() }
}

/// The worms of one file.
pub fn read_file(path: &Path, manifest: &Manifest) -> Result<Vec<RawWorm>> {
    let attempt = || {
        let source = Source::open(path)?;
        let layout = match manifest.format {
            Some(layout) => layout,
            None => match source.format()? {
                Format::Npz => Layout::Npz,
                Format::Json => Layout::Json,
                Format::Safetensors | Format::Npy => Layout::Recording,
                Format::Csv | Format::Text => {
                    let frame = neuropil_data::formats::csv::parse(&source.bytes)?;
                    let long = frame.find(&["neuron"]).is_some() && frame.find(&["value"]).is_some();
                    if long { Layout::CsvLong } else { Layout::CsvWide }
                }
                other => {
                    let got = format!("a {} file", other.title());
                    return Err(Error::input("a recording (CSV, npz, JSON, safetensors)", got));
                }
            },
        };
        let worm = stem(path);
        match layout {
            Layout::CsvWide => wide(&neuropil_data::formats::csv::parse(&source.bytes)?, &worm, manifest).map(|w| vec![w]),
            Layout::CsvLong => long(&neuropil_data::formats::csv::parse(&source.bytes)?, &worm, manifest),
            Layout::Npz => arrays(&npz::parse(&source.bytes)?, &worm, manifest).map(|w| vec![w]),
            Layout::Json => objects(&json::parse(&source.bytes)?, &worm, manifest),
            Layout::Recording => recording(&read::recording(path)?, &worm, manifest).map(|w| vec![w]),
        }
    };
    attempt().map_err(|e| {
        let place = path.display().to_string();
        let named = e.mismatch().and_then(|m| m.at.as_deref()).is_some_and(|at| at.contains(&place));
        if named { e } else { e.at(place) }
    })
}

impl Manifest {
    fn seconds(&self, mut times: Vec<f64>) -> Vec<f64> {
        let factor = match self.time_unit {
            TimeUnit::S => return times,
            TimeUnit::Ms => 1e-3,
            TimeUnit::Min => 60.0,
        };
        for t in &mut times {
            *t *= factor;
        }
        times
    }

    fn regular(&self, samples: usize) -> Result<Vec<f64>> {
        let hz = self.rate_hz.ok_or_else(|| {
            Error::input("times of the samples", "none")
                .hint(format!("name them one of {TIMES:?}, or set `times` or `rate_hz` in the manifest"))
        })?;
        Ok((0..samples).map(|i| i as f64 / hz).collect())
    }

    fn build(&self, worm: &str, times: Option<Vec<f64>>, names: Option<Vec<String>>, matrix: &Matrix) -> Result<RawWorm> {
        let times = match times {
            Some(t) => self.seconds(t),
            None => self.regular(matrix.samples)?,
        };
        RawWorm::checked(&self.source, worm, &self.citation, times, names, matrix)
    }
}

/// The field of the manifest, else the first usual name that is there.
fn pick<'a, T>(wanted: Option<&str>, usual: &[&str], find: impl Fn(&str) -> Option<&'a T>) -> Option<&'a T> {
    match wanted {
        Some(name) => find(name),
        None => usual.iter().find_map(|n| find(n)),
    }
}

fn missing(what: &str, wanted: Option<&str>, usual: &[&str], have: &[String]) -> Error {
    let expected = wanted.map_or(format!("{what} under one of {usual:?}"), |w| format!("{what} `{w}`"));
    Error::input(expected, format!("{have:?}")).hint(format!("set `{what}` in the manifest"))
}

fn wide(frame: &Frame, worm: &str, m: &Manifest) -> Result<RawWorm> {
    let at = match &m.times {
        Some(t) => Some(frame.position(&[t]).ok_or_else(|| {
            let have: Vec<String> = frame.names().iter().take(8).map(ToString::to_string).collect();
            missing("times", Some(t), &TIMES, &have)
        })?),
        None => frame.position(&TIMES),
    };
    let mut columns = Vec::new();
    for (i, (name, column)) in frame.columns.iter().enumerate().filter(|(i, _)| Some(*i) != at) {
        columns.push(column.numbers().ok_or_else(|| {
            let texts = column.texts();
            let cell = texts.iter().find(|t| neuropil_data::frame::number(t).is_none()).cloned().unwrap_or_default();
            Error::input("numbers", format!("`{}`", cell.chars().take(40).collect::<String>())).at(format!("column {} `{name}`", i + 1))
        })?);
    }
    if columns.is_empty() {
        return Err(Error::input("at least 1 column of a neuron", "none"));
    }
    let times = match at {
        Some(i) => Some(frame.columns[i].1.numbers().map(<[f64]>::to_vec).ok_or_else(|| Error::input("numbers in the column of times", "text"))?),
        None => None,
    };
    let header = frame.has_header.then(|| {
        frame.columns.iter().enumerate().filter(|(i, _)| Some(*i) != at).map(|(_, (n, _))| n.clone()).collect()
    });
    let (rows, width) = (frame.rows(), columns.len());
    let values = (0..rows).flat_map(|r| columns.iter().map(move |c| c[r])).collect();
    m.build(worm, times, header, &Matrix::new(values, rows, width, m.transposed))
}

fn long(frame: &Frame, stem: &str, m: &Manifest) -> Result<Vec<RawWorm>> {
    let column = |usual: &[&str]| {
        frame.find(usual).ok_or_else(|| {
            Error::input(format!("a column `{}`", usual[0]), format!("columns {:?}", frame.names()))
        })
    };
    let numbers = |usual: &[&str]| frame.require_numbers(usual);
    let names = column(&["neuron", "name"])?.texts();
    let times = numbers(&m.times.as_deref().map_or(TIMES.to_vec(), |t| vec![t]))?;
    let values = numbers(&m.traces.as_deref().map_or(vec!["value", "activity", "trace"], |t| vec![t]))?;
    let worms = frame.find(&["worm"]).map_or(vec![stem.to_string(); frame.rows()], neuropil_data::Column::texts);
    // Neurons of equal names can only be told apart by a number.
    let index = frame.find(&["neuron_index"]).map(neuropil_data::Column::texts);
    let mut order: Vec<&str> = Vec::new();
    let mut rows_of: std::collections::HashMap<&str, Vec<usize>> = std::collections::HashMap::new();
    for (r, w) in worms.iter().enumerate() {
        rows_of
            .entry(w)
            .or_insert_with(|| {
                order.push(w);
                Vec::new()
            })
            .push(r);
    }
    let mut out = Vec::with_capacity(order.len());
    for worm in order {
        let rows = &rows_of[worm];
        let mut grid: Vec<f64> = rows.iter().map(|&r| times[r]).collect();
        if let Some(t) = grid.iter().find(|t| !t.is_finite()) {
            return Err(Error::input("finite times", t.to_string()).at(format!("worm `{worm}`")));
        }
        grid.sort_by(f64::total_cmp);
        grid.dedup();
        let mut place: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
        let mut seen: Vec<String> = Vec::new();
        let keys: Vec<usize> = rows
            .iter()
            .map(|&r| {
                let key = index.as_ref().map_or(names[r].as_str(), |i| i[r].as_str());
                *place.entry(key).or_insert_with(|| {
                    seen.push(names[r].clone());
                    seen.len() - 1
                })
            })
            .collect();
        let n = seen.len();
        if n.saturating_mul(grid.len()) > 64 * rows.len() + (1 << 22) {
            return Err(Error::input("samples of all neurons at common times", format!("{n} neurons at {} times in {} rows", grid.len(), rows.len())));
        }
        let mut matrix = vec![f64::NAN; n * grid.len()];
        let mut taken = vec![false; n * grid.len()];
        for (&r, &k) in rows.iter().zip(&keys) {
            let t = grid.partition_point(|g| *g < times[r]);
            if std::mem::replace(&mut taken[t * n + k], true) {
                return Err(Error::input("one value per neuron and time", format!("a second one of `{}` at {}", names[r], times[r]))
                    .at(format!("worm `{worm}`"))
                    .hint("a column `neuron_index` keeps neurons of the same name apart"));
            }
            matrix[t * n + k] = values[r];
        }
        let samples = grid.len();
        let built = m.build(worm, Some(grid), Some(seen), &Matrix::new(matrix, samples, n, false));
        out.push(built.map_err(|e| e.at(format!("worm `{worm}`")))?);
    }
    Ok(out)
}

fn arrays(values: &[(String, npy::Value)], worm: &str, m: &Manifest) -> Result<RawWorm> {
    let have: Vec<String> = values.iter().map(|(n, v)| format!("{n} {:?}", v.shape())).collect();
    let find = |name: &str| values.iter().find(|(n, _)| n == name).map(|(_, v)| v);
    let matrix = match pick(m.traces.as_deref(), &TRACES, find) {
        Some(npy::Value::Numbers(a)) if a.shape().len() == 2 => a,
        Some(v) => return Err(Error::input("a matrix of traces", format!("shape {:?}", v.shape()))),
        None => return Err(missing("traces", m.traces.as_deref(), &TRACES, &have)),
    };
    let times = match pick(m.times.as_deref(), &TIMES, find) {
        Some(npy::Value::Numbers(a)) => Some(a.to_f64()),
        Some(npy::Value::Strings(..)) => return Err(Error::input("numbers for times", "strings")),
        None if m.times.is_some() => return Err(missing("times", m.times.as_deref(), &TIMES, &have)),
        None => None,
    };
    let names = match pick(m.names.as_deref(), &NAMES, find) {
        // Candidates per neuron: the first that is not blank.
        Some(npy::Value::Strings(shape, s)) if shape.len() == 2 && shape[1] > 0 => {
            Some(s.chunks_exact(shape[1]).map(|c| first_candidate(c.iter().map(String::as_str)).to_string()).collect())
        }
        Some(npy::Value::Strings(_, s)) => Some(s.clone()),
        Some(npy::Value::Numbers(a)) => Some(a.to_f64().iter().map(ToString::to_string).collect()),
        None if m.names.is_some() => return Err(missing("names", m.names.as_deref(), &NAMES, &have)),
        None => None,
    };
    let (rows, columns) = (matrix.shape()[0], matrix.shape()[1]);
    m.build(worm, times, names, &Matrix::new(matrix.to_f64(), rows, columns, m.transposed))
}

fn objects(value: &Json, worm: &str, m: &Manifest) -> Result<Vec<RawWorm>> {
    let list = match value {
        Json::Array(list) => list.as_slice(),
        Json::Object(o) => match o.get("worms") {
            Some(Json::Array(list)) => list.as_slice(),
            _ => return object(value, worm, m).map(|w| vec![w]),
        },
        _ => return Err(Error::input("a JSON object or array of objects", "another JSON value")),
    };
    let named = |i: usize, v: &Json| v.get("worm").and_then(Json::as_str).map_or(format!("{worm}_{i}"), String::from);
    list.iter()
        .enumerate()
        .map(|(i, v)| object(v, &named(i, v), m).map_err(|e| e.at(format!("worm {i}"))))
        .collect()
}

fn object(value: &Json, worm: &str, m: &Manifest) -> Result<RawWorm> {
    let have: Vec<String> = value.as_object().map(|o| o.keys().cloned().collect()).unwrap_or_default();
    let traces = pick(m.traces.as_deref(), &TRACES, |n| value.get(n))
        .and_then(Json::as_array)
        .ok_or_else(|| missing("traces", m.traces.as_deref(), &TRACES, &have))?;
    let number = |v: &Json| match v {
        Json::Null => Some(f64::NAN),
        v => v.as_f64(),
    };
    let width = traces.first().and_then(Json::as_array).map_or(0, Vec::len);
    let mut matrix = Vec::with_capacity(traces.len().saturating_mul(width));
    for (r, row) in traces.iter().enumerate() {
        let row = row.as_array().filter(|row| row.len() == width).ok_or_else(|| {
            let got = row.as_array().map_or("no list".into(), |r| format!("{} values", r.len()));
            Error::input(format!("{width} values in every row of traces"), got).at(format!("row {r}"))
        })?;
        for v in row {
            matrix.push(number(v).ok_or_else(|| Error::input("numbers or null in traces", v.to_string()).at(format!("row {r}")))?);
        }
    }
    let list = |v: &Json| v.as_array().map(|a| a.iter().map(number).collect::<Option<Vec<f64>>>());
    let times = match pick(m.times.as_deref(), &TIMES, |n| value.get(n)) {
        Some(v) => Some(list(v).flatten().ok_or_else(|| Error::input("a list of numbers for times", "another JSON value"))?),
        None if m.times.is_some() => return Err(missing("times", m.times.as_deref(), &TIMES, &have)),
        None => None,
    };
    let name = |v: &Json| match v {
        Json::String(s) => s.clone(),
        Json::Array(candidates) => first_candidate(candidates.iter().filter_map(Json::as_str)).to_string(),
        Json::Null => String::new(),
        other => other.to_string(),
    };
    let names = match pick(m.names.as_deref(), &NAMES, |n| value.get(n)) {
        Some(Json::Array(a)) => Some(a.iter().map(name).collect()),
        Some(_) => return Err(Error::input("a list of names", "another JSON value")),
        None if m.names.is_some() => return Err(missing("names", m.names.as_deref(), &NAMES, &have)),
        None => None,
    };
    m.build(worm, times, names, &Matrix::new(matrix, traces.len(), width, m.transposed))
}

fn recording(r: &Recording, worm: &str, m: &Manifest) -> Result<RawWorm> {
    let (n, t) = (r.unit_count(), r.steps());
    let values = r.activity().iter().map(|v| f64::from(*v)).collect();
    let names = r.units.iter().map(|u| u.name.clone()).collect();
    // A recording has one row per unit by definition.
    m.build(worm, r.times_s(), Some(names), &Matrix::new(values, n, t, true))
}
