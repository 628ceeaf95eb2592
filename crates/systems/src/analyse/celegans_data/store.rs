//! The homogeneous store: one safetensors file per data set, an index, and the paper's dense form as npz.

use super::pipeline::{Row, Traces, Worm};
use neuropil_core::{Array, Error, Result, Store};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{gzip, npz};
use neuropil_data::worm_names::{NEURON_COUNT, NEURONS};
use neuropil_data::{Column, Frame};
use serde_json::json;
use std::fmt::Write as _;

/// Kind of the safetensors file.
pub const KIND: &str = "worm_dataset";

/// Worms as one store.
///
/// Per worm `<id>/...`: `times_s` f64 \[steps\]; `data`, `residual`, `smooth`, `smooth_residual` f32 [neurons, steps];
/// `slots` i32 \[neurons\], -1 in the block of unknowns; the same five under `<id>/original/` where kept. Metadata
/// `worms`: for each its id, source, original id, citation, original median interval, and per neuron name as written,
/// place in the file, and whether it is labelled.
pub fn to_store(worms: &[&Worm]) -> Result<Store> {
    let mut store = Store::new(KIND);
    let mut notes = Vec::new();
    for w in worms {
        let slots: Vec<i32> = w.rows.iter().map(|r| r.slot.map_or(-1, |s| s as i32)).collect();
        store.push(format!("{}/slots", w.id), Array::from_i32(&[slots.len()], &slots)?);
        push_traces(&mut store, &w.id, w.rows.len(), &w.resampled)?;
        if let Some(original) = &w.original {
            push_traces(&mut store, &format!("{}/original", w.id), w.rows.len(), original)?;
        }
        let written: Vec<&str> = w.rows.iter().map(|r| r.written.as_str()).collect();
        let places: Vec<usize> = w.rows.iter().map(|r| r.place).collect();
        let labelled: Vec<bool> = w.rows.iter().map(|r| r.labelled).collect();
        notes.push(json!({
            "id": w.id, "source": w.source, "original_id": w.original_id, "citation": w.citation,
            "original_dt": w.original_dt, "written": written, "places": places, "labelled": labelled,
        }));
    }
    store.meta.insert("worms".into(), json!(notes));
    Ok(store)
}

fn push_traces(store: &mut Store, prefix: &str, neurons: usize, t: &Traces) -> Result<()> {
    let steps = t.times_s.len();
    store.push(format!("{prefix}/times_s"), Array::from_f64(&[steps], &t.times_s)?);
    for (name, values) in
        [("data", &t.data), ("residual", &t.residual), ("smooth", &t.smooth), ("smooth_residual", &t.smooth_residual)]
    {
        store.push(format!("{prefix}/{name}"), Array::from_f32(&[neurons, steps], values)?);
    }
    Ok(())
}

/// The inverse of [`to_store`], with every length and slot checked.
pub fn from_store(store: &Store) -> Result<Vec<Worm>> {
    if store.kind != KIND {
        return Err(Error::input(format!("a `{KIND}` file"), format!("a `{}` file", store.kind)));
    }
    let notes = store.meta.get("worms").and_then(|v| v.as_array()).ok_or_else(|| Error::input("metadata `worms`", "none"))?;
    // Linear search for each array of hundreds of worms would be quadratic.
    let index: std::collections::HashMap<&str, &Array> = store.arrays.iter().map(|(n, a)| (n.as_str(), a)).collect();
    notes.iter().map(|note| worm_of(note, &index)).collect()
}

fn worm_of(note: &serde_json::Value, index: &std::collections::HashMap<&str, &Array>) -> Result<Worm> {
    let damaged = |what: &str| Error::input(format!("metadata `{what}` of a worm"), "none");
    let text = |key: &str| note[key].as_str().map(String::from).ok_or_else(|| damaged(key));
    let list = |key: &str| note[key].as_array().ok_or_else(|| damaged(key));
    let id = text("id")?;
    let find = |name: &str| {
        let name = format!("{id}/{name}");
        index.get(name.as_str()).copied().ok_or_else(|| Error::input(format!("an array `{name}`"), "none"))
    };
    let slots = find("slots")?.to_f64();
    let (written, places, labelled) = (list("written")?, list("places")?, list("labelled")?);
    let n = slots.len();
    if [written.len(), places.len(), labelled.len()] != [n; 3] {
        return Err(Error::input(format!("{n} neurons in the metadata of `{id}`"), format!("{} names", written.len())));
    }
    let rows = (0..n)
        .map(|i| {
            let slot = match slots[i] {
                -1.0 => None,
                s if s >= 0.0 && s < NEURON_COUNT as f64 => Some(s as usize),
                s => return Err(Error::input(format!("slots below {NEURON_COUNT}"), s.to_string())),
            };
            Ok(Row {
                written: written[i].as_str().ok_or_else(|| damaged("written"))?.into(),
                place: places[i].as_u64().ok_or_else(|| damaged("places"))? as usize,
                slot,
                labelled: labelled[i].as_bool().ok_or_else(|| damaged("labelled"))?,
            })
        })
        .collect::<Result<Vec<_>>>()?;
    let traces = |prefix: &str| -> Result<Traces> {
        let times = find(&format!("{prefix}times_s"))?;
        let get = |name: &str| -> Result<Vec<f32>> {
            let a = find(&format!("{prefix}{name}"))?;
            if a.len() != n * times.len() {
                return Err(Error::input(format!("{n} x {} values in `{id}/{prefix}{name}`", times.len()), format!("{:?}", a.shape())));
            }
            Ok(a.to_f32())
        };
        Ok(Traces {
            times_s: times.to_f64(),
            data: get("data")?,
            residual: get("residual")?,
            smooth: get("smooth")?,
            smooth_residual: get("smooth_residual")?,
        })
    };
    let original = if find("original/times_s").is_ok() { Some(traces("original/")?) } else { None };
    Ok(Worm {
        source: text("source")?,
        original_id: text("original_id")?,
        citation: text("citation")?,
        original_dt: note["original_dt"].as_f64().ok_or_else(|| damaged("original_dt"))?,
        original,
        resampled: traces("")?,
        rows,
        id,
    })
}

/// One row per worm: where it came from, how much of it is known, and its sampling before and after.
pub fn index(worms: &[&Worm]) -> Frame {
    let text = |f: fn(&Worm) -> String| Column::Text(worms.iter().map(|w| f(w)).collect());
    let number = |f: fn(&Worm) -> f64| Column::Numbers(worms.iter().map(|w| f(w)).collect());
    let columns = vec![
        ("worm".into(), text(|w| w.id.clone())),
        ("source_dataset".into(), text(|w| w.source.clone())),
        ("original_worm".into(), text(|w| w.original_id.clone())),
        ("num_neurons".into(), number(|w| w.rows.len() as f64)),
        ("num_named".into(), number(|w| w.named() as f64)),
        ("num_unknown".into(), number(|w| w.unknown() as f64)),
        ("steps".into(), number(|w| w.steps() as f64)),
        ("duration_s".into(), number(|w| w.resampled.times_s.last().copied().unwrap_or(0.0))),
        ("original_dt_s".into(), number(|w| w.original_dt)),
        ("dt_s".into(), number(Worm::dt)),
        ("file".into(), text(|w| format!("store/{}.safetensors", file_stem(&w.source)))),
        ("citation".into(), text(|w| w.citation.clone())),
    ];
    Frame { columns, has_header: true }
}

/// A data set's name as a file name.
pub fn file_stem(source: &str) -> String {
    let kept: String = source.chars().map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' }).collect();
    if kept.is_empty() { "unnamed".into() } else { kept }
}

/// Distinct data sets in order of appearance.
pub fn sources(worms: &[Worm]) -> Vec<&str> {
    let mut out: Vec<&str> = Vec::new();
    for w in worms {
        if !out.contains(&w.source.as_str()) {
            out.push(&w.source);
        }
    }
    out
}

/// The paper's dense form: per worm `<id>_data` f32 [steps, 302] with zeros where no neuron is, `<id>_times_s` f64,
/// boolean `<id>_labelled` and `<id>_unknown` \[302\], and once `neurons`, the 302 names.
pub fn dense_npz(worms: &[&Worm]) -> Result<Vec<u8>> {
    let names = NEURONS.iter().map(|n| n.name.to_string()).collect();
    let mut values = vec![("neurons".to_string(), Value::Strings(vec![NEURON_COUNT], names))];
    for w in worms {
        let data = Array::from_f32(&[w.steps(), NEURON_COUNT], &w.dense(&w.resampled.data))?;
        values.push((format!("{}_data", w.id), Value::Numbers(data)));
        values.push((format!("{}_times_s", w.id), Value::Numbers(Array::from_f64(&[w.steps()], &w.resampled.times_s)?)));
        for (name, mask) in [("labelled", w.labelled_mask()), ("unknown", w.unknown_mask())] {
            let bytes = mask.iter().map(|&m| u8::from(m)).collect();
            let array = Array::new(neuropil_core::DType::Bool, vec![NEURON_COUNT], bytes)?;
            values.push((format!("{}_{name}", w.id), Value::Numbers(array)));
        }
    }
    npz::encode(&values)
}

/// The long table, gzip-compressed CSV: one row per neuron of a worm with `source_dataset`, `worm`, `neuron`, `slot`,
/// `is_labeled`, `dt`, and the time series as lists of numbers between blanks.
pub fn long_table(worms: &[&Worm]) -> Result<Vec<u8>> {
    let mut text = String::from("source_dataset,worm,neuron,slot,is_labeled,dt,calcium_data\n");
    let quoted = |s: &str| format!("\"{}\"", s.replace('"', "\"\""));
    for w in worms {
        for (row, trace) in w.rows.iter().zip(w.resampled.data.chunks_exact(w.steps())) {
            let name = match row.slot.filter(|_| row.labelled) {
                Some(s) => NEURONS[s].name.to_string(),
                None => format!("unknown {}", row.place),
            };
            let slot = row.slot.map_or(String::new(), |s| s.to_string());
            let _ = write!(text, "{},{},{},{slot},{},{},", quoted(&w.source), w.id, quoted(&name), row.labelled, w.dt());
            for (i, v) in trace.iter().enumerate() {
                let _ = write!(text, "{}{v}", if i == 0 { "" } else { " " });
            }
            text.push('\n');
        }
    }
    gzip::compress(text.as_bytes())
}

/// The worms of one data set.
pub fn of_source<'a>(worms: &'a [Worm], source: &str) -> Vec<&'a Worm> {
    worms.iter().filter(|w| w.source == source).collect()
}
