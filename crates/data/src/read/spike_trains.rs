//! Spike trains.

use super::{noun, table_of, title, unfit};
use crate::formats::npy::Value;
use crate::formats::{Format, npy, npz, safetensors};
use crate::frame::{Column, Frame};
use crate::source::Source;
use neuropil_core::{Error, Result, SpikeTrains};
use std::collections::HashMap;
use std::path::Path;

/// Names of a time column, with their factor to milliseconds.
const TIMES: [(&str, f64); 10] = [
    ("time_ms", 1.0),
    ("times_ms", 1.0),
    ("t_ms", 1.0),
    ("time_s", 1e3),
    ("times_s", 1e3),
    ("t_s", 1e3),
    ("time_us", 1e-3),
    ("time", 1.0),
    ("times", 1.0),
    ("t", 1.0),
];
const UNITS: [&str; 6] = ["unit", "units", "neuron", "cell", "channel", "i"];

/// Spike events.
///
/// - safetensors of kind `spike_trains`;
/// - CSV with one row a spike: a time (`time_ms`, `time_s`, `time_us`; plain `time` or `t` is in ms) and a unit (`unit`,
///   `neuron`, `cell`, `channel`; names or numbers). Without a unit column, or one column of numbers without a header,
///   there is one unit;
/// - `.npz` of the same columns; `duration_ms` (one number) and `names` (strings) where known;
/// - `.npy` of times in ms of one unit.
///
/// Without a duration the recording ends 1 ms after the last whole millisecond with a spike. Numbered units are named
/// by their number and reach from 0 to the largest.
pub fn spike_trains(path: &Path) -> Result<SpikeTrains> {
    let source = Source::open(path)?;
    spike_trains_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`spike_trains`], from a file or archive member in memory.
pub fn spike_trains_of(source: &Source) -> Result<SpikeTrains> {
    match source.format()? {
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            noun(&store)?.ok_or_else(|| Error::input("spike trains", title(&store)))
        }
        Format::Csv | Format::Text => {
            let mut frame = table_of(source)?;
            if !frame.has_header && frame.columns.len() <= 2 {
                for ((name, _), known) in frame.columns.iter_mut().zip(["time_ms", "unit"]) {
                    *name = known.into();
                }
            }
            from_columns(&frame, None, None)
        }
        Format::Npy => {
            let times = npy::parse(&source.bytes)?;
            if times.shape().len() != 1 {
                return Err(Error::input("times with 1 axis", format!("shape {:?}", times.shape())));
            }
            let columns = vec![("time_ms".into(), Column::Numbers(times.to_f64()))];
            from_columns(&Frame { columns, has_header: true }, None, None)
        }
        Format::Npz => {
            let mut duration = None;
            let mut names = None;
            let mut columns = Vec::new();
            for (name, value) in npz::parse(&source.bytes)? {
                match value {
                    Value::Numbers(a) if name == "duration_ms" && a.len() == 1 => {
                        duration = Some(a.to_f64()[0]);
                    }
                    Value::Strings(_, s) if name == "names" => names = Some(s),
                    Value::Numbers(a) if a.shape().len() == 1 => {
                        columns.push((name, Column::Numbers(a.to_f64())));
                    }
                    Value::Strings(shape, s) if shape.len() == 1 => columns.push((name, Column::Text(s))),
                    _ => {}
                }
            }
            from_columns(&Frame { columns, has_header: true }, names, duration)
        }
        other => Err(unfit("spike trains (safetensors, CSV, .npz, .npy)", other)),
    }
}

fn from_columns(frame: &Frame, names: Option<Vec<String>>, duration_ms: Option<f64>) -> Result<SpikeTrains> {
    let known: Vec<&str> = TIMES.iter().map(|(n, _)| *n).collect();
    let at = frame.position(&known).ok_or_else(|| {
        Error::input(
            "a column of times (`time_ms`, `time_s`, `time_us`)",
            format!("columns {:?}", frame.names()),
        )
    })?;
    let (title, column) = &frame.columns[at];
    let factor = TIMES.iter().find(|(n, _)| title.trim().eq_ignore_ascii_case(n)).map_or(1.0, |(_, f)| *f);
    let times =
        column.numbers().ok_or_else(|| Error::input(format!("numbers in column `{title}`"), "text"))?;
    let units = frame.find(&UNITS);
    if units.is_none() && frame.columns.len() > 1 {
        return Err(Error::input("a column `unit` beside the times", format!("columns {:?}", frame.names())));
    }
    if let Some(u) = units.filter(|u| u.len() != times.len()) {
        return Err(Error::input(format!("{} units, one per time", times.len()), u.len().to_string()));
    }
    let (numbers, names) = match units {
        None => (vec![0; times.len()], names.unwrap_or_else(|| vec!["0".into()])),
        Some(Column::Numbers(u)) => numbered(u, names)?,
        Some(Column::Text(u)) => named(u, names)?,
    };
    let mut events = Vec::with_capacity(times.len());
    for (i, (&t, u)) in times.iter().zip(numbers).enumerate() {
        let ms = t * factor;
        if !(ms.is_finite() && ms >= 0.0) {
            return Err(Error::input("finite, non-negative times", format!("{t} in row {}", i + 1)));
        }
        events.push((ms, u));
    }
    let last = events.iter().map(|e| e.0).fold(0.0, f64::max);
    let duration_ms = duration_ms.unwrap_or(last.floor() + 1.0);
    SpikeTrains::with_names(events, names, duration_ms)
}

fn numbered(units: &[f64], names: Option<Vec<String>>) -> Result<(Vec<u32>, Vec<String>)> {
    let numbers = units
        .iter()
        .enumerate()
        .map(|(i, &u)| {
            if u >= 0.0 && u.fract() == 0.0 && u < 1e9 {
                Ok(u as u32)
            } else {
                Err(Error::input("unit numbers below 1e9", format!("{u} in row {}", i + 1)))
            }
        })
        .collect::<Result<Vec<u32>>>()?;
    let count = numbers.iter().max().map_or(1, |&m| m as usize + 1);
    // One stray number must not make a table of a billion names.
    if count > numbers.len().saturating_mul(1000) + 65_536 {
        return Err(Error::input("unit numbers near the number of spikes", format!("unit {}", count - 1))
            .hint("give units as text to name them instead"));
    }
    Ok((numbers, names.unwrap_or_else(|| (0..count).map(|u| u.to_string()).collect())))
}

fn named(units: &[String], names: Option<Vec<String>>) -> Result<(Vec<u32>, Vec<String>)> {
    let fixed = names.is_some();
    let mut names = names.unwrap_or_default();
    let mut index: HashMap<String, u32> = names.iter().cloned().zip(0..).collect();
    let mut numbers = Vec::with_capacity(units.len());
    for u in units {
        let next = names.len() as u32;
        let number = match index.get(u) {
            Some(&n) => n,
            None if fixed => return Err(Error::input("units that occur in `names`", format!("`{u}`"))),
            None => {
                names.push(u.clone());
                index.insert(u.clone(), next);
                next
            }
        };
        numbers.push(number);
    }
    Ok((numbers, names))
}
