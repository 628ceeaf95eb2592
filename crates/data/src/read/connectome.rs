//! Connectomes.

use super::{noun, table_of, title, unfit};
use crate::formats::graphml::{self, KindTable};
use crate::formats::npy::Value;
use crate::formats::{Format, npy, npz, safetensors};
use crate::frame::{Column, Frame, number};
use crate::source::Source;
use neuropil_core::connectome::Edge;
use neuropil_core::{Array, Connectome, Error, Result, Unit};
use std::collections::HashMap;
use std::path::Path;

const SOURCES: [&str; 7] = ["source", "pre", "from", "src", "presynaptic", "pre_id", "i"];
const TARGETS: [&str; 8] = ["target", "post", "to", "dst", "tar", "postsynaptic", "post_id", "j"];
const WEIGHTS: [&str; 7] = ["weight", "w", "synapses", "count", "n", "strength", "value"];
const KINDS: [&str; 4] = ["kind", "type", "synapse", "connection_type"];

/// A directed weighted graph; weight 0 or an empty cell means no edge in a matrix.
///
/// - safetensors of kind `connectome`;
/// - GraphML;
/// - CSV edge list: columns `source` (`pre`, `from`) and `target` (`post`, `to`), optional `weight` (else 1),
///   `delay_ms` and `kind`; units are named by the cells, in order of appearance;
/// - CSV matrix: rows are sources, columns are targets; a header names the units, a first column of text repeats them;
/// - `.npy` square matrix;
/// - `.npz`: square matrix `adjacency`, `weights` or the only matrix, with optional `names`; or columns as in an edge
///   list; or a sparse matrix as `scipy.sparse.save_npz` writes it.
pub fn connectome(path: &Path) -> Result<Connectome> {
    let source = Source::open(path)?;
    connectome_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`connectome`], from a file or archive member in memory.
pub fn connectome_of(source: &Source) -> Result<Connectome> {
    match source.format()? {
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            if let Some(c) = noun(&store)? {
                return Ok(c);
            }
            if !store.kind.is_empty() {
                return Err(Error::input("a connectome", title(&store)));
            }
            from_arrays(store.arrays.into_iter().map(|(n, a)| (n, Value::Numbers(a))).collect())
        }
        Format::GraphMl => graphml::parse(&source.bytes),
        Format::Csv | Format::Text => from_table(table_of(source)?),
        Format::Npy => from_arrays(vec![("adjacency".into(), Value::Numbers(npy::parse(&source.bytes)?))]),
        Format::Npz => from_arrays(npz::parse(&source.bytes)?),
        other => Err(unfit("a connectome (safetensors, GraphML, CSV, .npz, .npy)", other)),
    }
}

fn from_table(mut frame: Frame) -> Result<Connectome> {
    if frame.find(&SOURCES).is_some() && frame.find(&TARGETS).is_some() {
        return from_edge_list(&frame);
    }
    let n = frame.rows();
    if let Some(c) = numbered_matrix(&frame)? {
        return Ok(c);
    }
    let named =
        frame.columns.len() == n + 1 && (frame.has_header || matches!(frame.columns[0].1, Column::Text(_)));
    let row_names = named.then(|| frame.columns.remove(0).1.texts());
    if frame.columns.len() != n {
        return Err(Error::input(
            "columns `source` and `target`, or a square matrix",
            format!("{n} rows and columns {:?}", frame.names().into_iter().take(8).collect::<Vec<_>>()),
        ));
    }
    let names: Vec<String> = match (&row_names, frame.has_header) {
        // Names may themselves be numbers, which do not look like a header; the corner is then empty.
        (Some(rows), true) => {
            let columns: Vec<String> = frame.names().into_iter().map(String::from).collect();
            let same = |a: &String, b: &String| {
                a == b || matches!((number(a), number(b)), (Some(x), Some(y)) if x == y)
            };
            if let Some((r, c)) = rows.iter().zip(&columns).find(|(r, c)| !same(r, c)) {
                return Err(Error::input(
                    format!("row names equal to the column names (`{c}`)"),
                    format!("`{r}`"),
                ));
            }
            columns
        }
        (Some(rows), false) => rows.clone(),
        (None, _) => frame.names().into_iter().map(String::from).collect(),
    };
    from_matrix(&frame.matrix()?, names)
}

/// A matrix whose units are named by numbers: an empty corner, and the same numbers along both edges. Its header does
/// not look like one.
fn numbered_matrix(frame: &Frame) -> Result<Option<Connectome>> {
    let n = frame.rows();
    if frame.has_header || n < 2 || frame.columns.len() != n {
        return Ok(None);
    }
    let Ok(m) = frame.matrix() else { return Ok(None) };
    if !m[0].is_nan() || (1..n).any(|i| m[i] != m[i * n]) {
        return Ok(None);
    }
    let names = (1..n).map(|i| m[i].to_string()).collect();
    let weights: Vec<f64> = (1..n).flat_map(|r| m[r * n + 1..(r + 1) * n].to_vec()).collect();
    from_matrix(&weights, names).map(Some)
}

fn from_matrix(weights: &[f64], names: Vec<String>) -> Result<Connectome> {
    let n = names.len();
    if n == 0 {
        return Err(Error::input("at least 1 unit", "an empty matrix"));
    }
    let mut edges = Vec::new();
    for (i, &w) in weights.iter().enumerate().filter(|(_, w)| **w != 0.0 && !w.is_nan()) {
        edges.push(Edge {
            source: (i / n) as u32,
            target: (i % n) as u32,
            weight: w as f32,
            delay_ms: 0.0,
            kind: 0,
        });
    }
    Connectome::new(names.into_iter().map(Unit::named).collect(), vec!["synapse".into()], edges)
}

fn from_edge_list(frame: &Frame) -> Result<Connectome> {
    let ends = |names: &[&str]| frame.find(names).map(Column::texts).unwrap_or_default();
    let optional = |names: &[&str]| match frame.find(names) {
        None => Ok(None),
        Some(c) => c
            .numbers()
            .map(Some)
            .ok_or_else(|| Error::input(format!("numbers in column `{}`", names[0]), "text")),
    };
    let weights = optional(&WEIGHTS)?;
    let delays = optional(&["delay_ms", "delay"])?;
    let kinds = frame.find(&KINDS).map(Column::texts);
    let (sources, targets) = (ends(&SOURCES), ends(&TARGETS));
    let mut index: HashMap<&str, u32> = HashMap::new();
    let mut units = Vec::new();
    let mut table = KindTable::default();
    let mut edges = Vec::with_capacity(sources.len());
    for (i, (s, t)) in sources.iter().zip(&targets).enumerate() {
        if [s, t].iter().any(|name| name.is_empty() || *name == "NaN") {
            return Err(Error::input("a unit at both ends", format!("an empty cell in row {}", i + 1)));
        }
        let mut ends = [0_u32; 2];
        for (end, name) in ends.iter_mut().zip([s.as_str(), t.as_str()]) {
            *end = *index.entry(name).or_insert_with(|| {
                units.push(Unit::named(name));
                units.len() as u32 - 1
            });
        }
        let weight = weights.map_or(1.0, |w| w[i]) as f32;
        let delay_ms = delays.map_or(0.0, |d| d[i]) as f32;
        if !(weight.is_finite() && delay_ms.is_finite() && delay_ms >= 0.0) {
            return Err(Error::input(
                "finite weights and non-negative delays",
                format!("weight {weight}, delay {delay_ms} ms in row {}", i + 1),
            ));
        }
        let kind = table.number(kinds.as_ref().map_or("", |k| k[i].as_str()))?;
        edges.push(Edge { source: ends[0], target: ends[1], weight, delay_ms, kind });
    }
    Connectome::new(units, table.names, edges)
}

fn from_arrays(values: Vec<(String, Value)>) -> Result<Connectome> {
    let numbers = |name: &str| {
        values.iter().find_map(|(n, v)| match v {
            Value::Numbers(a) if n == name => Some(a),
            _ => None,
        })
    };
    let names = values.iter().find_map(|(n, v)| match v {
        Value::Strings(_, s) if matches!(n.as_str(), "names" | "units" | "nodes") => Some(s.clone()),
        _ => None,
    });
    if let (Some(indices), Some(shape)) = (numbers("indices").or_else(|| numbers("col")), numbers("shape")) {
        return from_sparse(&values, indices, shape, names);
    }
    if values.iter().any(|(n, _)| SOURCES.contains(&n.as_str()))
        && values.iter().any(|(n, _)| TARGETS.contains(&n.as_str()))
    {
        return from_edge_list(&super::frame_of_arrays(values)?);
    }
    let matrices: Vec<&Array> = values
        .iter()
        .filter_map(|(_, v)| match v {
            Value::Numbers(a) if a.shape().len() == 2 => Some(a),
            _ => None,
        })
        .collect();
    let matrix = match (numbers("adjacency").or_else(|| numbers("weights")), matrices.as_slice()) {
        (Some(a), _) => a,
        (None, [only]) => only,
        _ => return Err(Error::input("a square matrix `adjacency`", format!("{} matrices", matrices.len()))),
    };
    let &[n, m] = matrix.shape() else {
        return Err(Error::input("a square matrix", format!("shape {:?}", matrix.shape())));
    };
    if n != m {
        return Err(Error::input("a square matrix", format!("shape [{n}, {m}]")));
    }
    from_matrix(&matrix.to_f64(), unit_names(names, n)?)
}

fn unit_names(names: Option<Vec<String>>, n: usize) -> Result<Vec<String>> {
    match names {
        Some(names) if names.len() != n => {
            Err(Error::input(format!("{n} names, one per unit"), names.len().to_string()))
        }
        Some(names) => Ok(names),
        None => Ok((0..n).map(|i| i.to_string()).collect()),
    }
}

/// `scipy.sparse.save_npz`: csr (`indices`, `indptr`, `data`) or coo (`row`, `col`, `data`).
fn from_sparse(
    values: &[(String, Value)],
    indices: &Array,
    shape: &Array,
    names: Option<Vec<String>>,
) -> Result<Connectome> {
    let find = |name: &str| {
        values.iter().find_map(|(n, v)| match v {
            Value::Numbers(a) if n == name => Some(a),
            _ => None,
        })
    };
    let is_csc =
        values.iter().any(|(n, v)| n == "format" && matches!(v, Value::Strings(_, s) if s == &["csc"]));
    if is_csc {
        return Err(
            Error::input("a sparse matrix in csr or coo form", "csc").hint("convert it with `.tocsr()`")
        );
    }
    let [n, m] = shape.to_indices()?.as_slice().try_into().unwrap_or([0, 1]);
    let columns = indices.to_indices()?;
    let data = find("data").ok_or_else(|| Error::input("an array `data`", "none"))?.to_f64();
    // A sparse matrix may claim more units than its file could name.
    if n != m || n > 1 << 26 {
        return Err(Error::input("a square matrix", format!("shape {:?}", shape.to_f64())));
    }
    let rows: Vec<usize> = match (find("indptr"), find("row")) {
        (Some(offsets), _) => {
            let offsets = offsets.to_indices()?;
            let fits = offsets.len() == n + 1
                && offsets.first() == Some(&0)
                && offsets.last() == Some(&columns.len());
            if !fits || offsets.windows(2).any(|w| w[0] > w[1]) {
                return Err(Error::input("row offsets from 0 to the number of entries", "others"));
            }
            offsets.windows(2).enumerate().flat_map(|(r, w)| std::iter::repeat_n(r, w[1] - w[0])).collect()
        }
        (None, Some(rows)) => rows.to_indices()?,
        (None, None) => return Err(Error::input("an array `indptr` or `row`", "neither")),
    };
    if rows.len() != columns.len() || data.len() != columns.len() {
        return Err(Error::input(
            "as many rows, columns and values",
            format!("{}, {} and {}", rows.len(), columns.len(), data.len()),
        ));
    }
    let end = |v: usize| u32::try_from(v).unwrap_or(u32::MAX);
    let edges = rows.iter().zip(&columns).zip(&data).filter(|(_, w)| **w != 0.0).map(|((&r, &c), &w)| Edge {
        source: end(r),
        target: end(c),
        weight: w as f32,
        delay_ms: 0.0,
        kind: 0,
    });
    let units = unit_names(names, n)?.into_iter().map(Unit::named).collect();
    Connectome::new(units, vec!["synapse".into()], edges.collect())
}
