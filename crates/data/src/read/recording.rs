//! Recordings.

use super::{noun, table_of, title, unfit};
use crate::formats::npy::{self, Value};
use crate::formats::{Format, npz, safetensors, wav};
use crate::frame::{Column, Frame};
use crate::source::Source;
use neuropil_core::{ActivityKind, Array, Error, Noun as _, Recording, Result, Sampling, Trial, Unit};
use std::path::Path;

/// Column names that mean time, with their factor to seconds.
const TIMES: [(&str, f64); 9] = [
    ("time_s", 1.0),
    ("t_s", 1.0),
    ("seconds", 1.0),
    ("time_ms", 1e-3),
    ("t_ms", 1e-3),
    ("time", 1.0),
    ("t", 1.0),
    ("timestamp", 1.0),
    ("times_s", 1.0),
];

/// Activity of units.
///
/// - safetensors of kind `recording`;
/// - `.npy`: matrix [units, steps];
/// - `.npz`: matrix `activity` (or the only matrix) [units, steps]; optional `names` (strings), `rate_hz` (one number),
///   `times_s` \[steps\]; every other 1-D array of `steps` numbers becomes a series;
/// - CSV, wide: one row a step and one column a unit, the header names the units; optional column `time_s` (or `time`,
///   `t`, `time_ms`), text column `trial`, `condition` or `label` (runs of one value become trials), text column `id`,
///   `sample` or without name (sample ids);
/// - CSV, long: exactly the columns time, `unit` (or `neuron`, `cell`, `channel`) and `value` (or `activity`);
/// - WAV: channels as units.
///
/// Steps are samples where the file has no time; the kind is then `activation`, else `rate`. NaN stays NaN: estimators
/// refuse it with the place.
pub fn recording(path: &Path) -> Result<Recording> {
    let source = Source::open(path)?;
    recording_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`recording`], from a file or archive member in memory.
pub fn recording_of(source: &Source) -> Result<Recording> {
    match source.format()? {
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            if let Some(r) = noun(&store)? {
                return Ok(r);
            }
            if !store.kind.is_empty() {
                let error = Error::input("a recording", title(&store));
                let spikes = store.kind == neuropil_core::SpikeTrains::KIND;
                return Err(if spikes { error.hint("bin the spikes first") } else { error });
            }
            from_arrays(&store.arrays.into_iter().map(|(n, a)| (n, Value::Numbers(a))).collect::<Vec<_>>())
        }
        Format::Npy => from_arrays(&[("activity".into(), npy::parse_value(&source.bytes)?)]),
        Format::Npz => from_arrays(&npz::parse(&source.bytes)?),
        Format::Csv | Format::Text => from_table(table_of(source)?),
        Format::Wav => {
            let sound = wav::parse(&source.bytes)?;
            let units = (0..sound.channels.len()).map(|c| Unit::named(format!("channel {c}"))).collect();
            let sampling = Sampling::Rate { hz: sound.rate_hz, start_s: 0.0 };
            Recording::new(ActivityKind::Activation, sampling, units, sound.channels.concat())
        }
        other => Err(unfit("a recording (safetensors, .npz, .npy, CSV, WAV)", other)),
    }
}

fn sample_ids(steps: usize) -> Sampling {
    Sampling::Samples((0..steps).map(|i| i.to_string()).collect())
}

/// Regular times become a rate.
fn sampling_of(times: Vec<f64>) -> Result<Sampling> {
    if let Some(i) = times.iter().position(|t| !t.is_finite()) {
        return Err(Error::input("finite times", format!("{} in step {i}", times[i])));
    }
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else {
        return Ok(Sampling::Times(times));
    };
    if times.len() < 2 {
        return Ok(Sampling::Times(times));
    }
    let step = (last - first) / (times.len() - 1) as f64;
    // Written times are rounded: a step that strays by less than a hundredth is regular.
    let regular = step > 0.0
        && times.iter().enumerate().all(|(i, t)| (t - (first + i as f64 * step)).abs() <= 0.01 * step)
        && times.windows(2).all(|w| w[1] > w[0]);
    Ok(if regular { Sampling::Rate { hz: 1.0 / step, start_s: first } } else { Sampling::Times(times) })
}

fn from_arrays(values: &[(String, Value)]) -> Result<Recording> {
    let numbers = |name: &str| {
        values.iter().find_map(|(n, v)| match v {
            Value::Numbers(a) if n == name => Some(a),
            _ => None,
        })
    };
    let matrices: Vec<&Array> = values
        .iter()
        .filter_map(|(_, v)| match v {
            Value::Numbers(a) if a.shape().len() == 2 => Some(a),
            _ => None,
        })
        .collect();
    let activity = match (numbers("activity"), matrices.as_slice()) {
        (Some(a), _) => a,
        (None, [only]) => only,
        (None, _) => {
            let names: Vec<&str> = values.iter().take(12).map(|(n, _)| n.as_str()).collect();
            return Err(Error::input(
                "a matrix `activity` [units, steps]",
                format!("{} matrices in {names:?}", matrices.len()),
            ));
        }
    };
    let (units, steps) = match *activity.shape() {
        [steps] => (1, steps),
        [units, steps] => (units, steps),
        ref shape => {
            return Err(Error::input("activity with 2 axes (units, steps)", format!("shape {shape:?}")));
        }
    };
    if units == 0 || steps == 0 {
        return Err(Error::input("at least 1 unit and 1 step", format!("shape {:?}", activity.shape())));
    }
    let names = values.iter().find_map(|(n, v)| match v {
        Value::Strings(_, s)
            if matches!(n.as_str(), "names" | "units" | "unit_names" | "neurons" | "channels") =>
        {
            Some(s)
        }
        _ => None,
    });
    if let Some(names) = names.filter(|n| n.len() != units) {
        return Err(Error::input(format!("{units} names, one per unit"), names.len().to_string()));
    }
    let units = match names {
        Some(names) => names.iter().map(Unit::named).collect(),
        None => (0..units).map(|u| Unit::named(u.to_string())).collect(),
    };
    let rate = ["rate_hz", "fs", "sampling_rate"].iter().find_map(|n| numbers(n)).map(Array::to_f64);
    let times =
        ["times_s", "time_s", "time", "times", "t"].iter().find_map(|n| numbers(n)).map(Array::to_f64);
    let (sampling, kind) = match (rate.as_deref(), times) {
        (Some([hz]), _) => (Sampling::Rate { hz: *hz, start_s: 0.0 }, ActivityKind::Rate),
        (Some(other), _) => {
            return Err(Error::input("one number `rate_hz`", format!("{} numbers", other.len())));
        }
        (None, Some(times)) => (sampling_of(times)?, ActivityKind::Rate),
        (None, None) => (sample_ids(steps), ActivityKind::Activation),
    };
    let mut recording = Recording::new(kind, sampling, units, activity.to_f32())?;
    for (name, value) in values {
        let reserved = matches!(name.as_str(), "activity" | "times_s" | "time_s" | "time" | "times" | "t");
        if let Value::Numbers(a) = value
            && !reserved
            && a.shape() == [steps]
        {
            recording.series.push((name.clone(), a.to_f32()));
        }
    }
    Ok(recording)
}

fn from_table(mut frame: Frame) -> Result<Recording> {
    let mut times = None;
    for (name, factor) in TIMES {
        if let Some(at) = frame.position(&[name]) {
            let (_, column) = frame.columns.remove(at);
            let seconds: Vec<f64> = column
                .numbers()
                .ok_or_else(|| Error::input(format!("numbers in column `{name}`"), "text"))?
                .iter()
                .map(|t| t * factor)
                .collect();
            times = Some(seconds);
            break;
        }
    }
    if let (Some(times), Some(unit), Some(value), 2) = (
        &times,
        frame.position(&["unit", "neuron", "cell", "channel", "name"]),
        frame.position(&["value", "activity", "dff", "rate"]),
        frame.columns.len(),
    ) {
        return from_long(times, &frame.columns[unit].1.texts(), &frame.columns[value].1);
    }
    let mut take_text = |names: &[&str]| {
        frame
            .position(names)
            .filter(|&i| names.contains(&"") || matches!(frame.columns[i].1, Column::Text(_)))
            .map(|i| frame.columns.remove(i).1.texts())
    };
    let trials = take_text(&["trial", "condition", "label"]);
    let ids = take_text(&["id", "sample"]).or_else(|| take_text(&[""]));
    if frame.columns.is_empty() {
        return Err(Error::input("at least 1 column of activity", "none"));
    }
    let steps = frame.rows();
    let mut names = std::collections::HashSet::new();
    if let Some(twice) = frame.names().into_iter().find(|n| !names.insert(*n)) {
        return Err(Error::input("distinct column names", format!("`{twice}` twice")));
    }
    let units = frame.names().into_iter().map(Unit::named).collect();
    let mut activity = Vec::with_capacity(steps * frame.columns.len());
    for (name, column) in &frame.columns {
        let values = column.numbers().ok_or_else(|| {
            let cell =
                column.texts().into_iter().find(|t| crate::frame::number(t).is_none()).unwrap_or_default();
            Error::input("numbers in every column of activity", format!("`{cell}` in column `{name}`"))
        })?;
        activity.extend(values.iter().map(|v| *v as f32));
    }
    let (sampling, kind) = match (times, ids) {
        (Some(times), _) => (sampling_of(times)?, ActivityKind::Rate),
        (None, Some(ids)) => (Sampling::Samples(ids), ActivityKind::Activation),
        (None, None) => (sample_ids(steps), ActivityKind::Activation),
    };
    let mut recording = Recording::new(kind, sampling, units, activity)?;
    if let Some(labels) = trials {
        let mut start = 0;
        for run in labels.chunk_by(|a, b| a == b) {
            recording.trials.push(Trial { start, stop: start + run.len(), label: run[0].clone() });
            start += run.len();
        }
    }
    Ok(recording)
}

/// One row per (time, unit): every unit must have a value at every time.
fn from_long(times: &[f64], units: &[String], values: &Column) -> Result<Recording> {
    let values = values.numbers().ok_or_else(|| Error::input("numbers in the column of values", "text"))?;
    if let Some(i) = times.iter().position(|t| !t.is_finite()) {
        return Err(Error::input("finite times", format!("{} in row {}", times[i], i + 1)));
    }
    let mut grid = times.to_vec();
    grid.sort_by(f64::total_cmp);
    grid.dedup();
    let mut index = std::collections::HashMap::new();
    let mut names: Vec<&String> = Vec::new();
    for u in units {
        index.entry(u).or_insert_with(|| {
            names.push(u);
            names.len() - 1
        });
    }
    if grid.len().checked_mul(names.len()) != Some(values.len()) {
        return Err(Error::input(
            format!(
                "{} rows ({} times x {} units)",
                grid.len().saturating_mul(names.len()),
                grid.len(),
                names.len()
            ),
            format!("{} rows", values.len()),
        ));
    }
    let mut activity = vec![None; values.len()];
    for ((t, u), v) in times.iter().zip(units).zip(values) {
        let step = grid.partition_point(|g| g < t);
        let cell = &mut activity[index[u] * grid.len() + step];
        if cell.replace(*v as f32).is_some() {
            return Err(Error::input("one value per time and unit", format!("two for `{u}` at {t} s")));
        }
    }
    // As many cells as rows and none twice: all are filled.
    let activity = activity.into_iter().map(|v| v.unwrap_or(f32::NAN)).collect();
    let units = names.into_iter().map(Unit::named).collect();
    Recording::new(ActivityKind::Rate, sampling_of(grid)?, units, activity)
}
