//! A user's files: activation matrices and recordings become layers of populations over the same samples.

use super::config::{Axes, ConvergentLearning};
use super::samples::{Blocks, Layer, Population};
use neuropil_core::{Array, Error, Noun, Recording, Result, Sampling, Streams, Weights};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{npz, safetensors};
use neuropil_data::{Format, Source, read};
use std::collections::HashMap;
use std::path::Path;

/// Spans of a recording in time that are held out or resampled as one.
const SPANS: usize = 100;

/// One matrix of activity.
#[derive(Debug, Clone, PartialEq)]
struct Table {
    /// Array, area, or nothing where the file has only one.
    name: String,
    units: Vec<String>,
    /// Samples x units.
    values: Vec<f32>,
    /// What tells samples apart.
    samples: Samples,
}

/// What is known of the samples.
#[derive(Debug, Clone, PartialEq, Default)]
struct Samples {
    count: usize,
    /// Id of each sample, such as its image; samples of one id belong together.
    ids: Option<Vec<String>>,
    /// Span of each sample in time.
    spans: Option<Vec<usize>>,
    /// Samples that the user holds out.
    held_out: Option<Vec<bool>>,
    /// Places that were sampled in maps of this height and width.
    map: Option<[usize; 2]>,
}

/// One file.
struct Contents {
    stem: String,
    place: String,
    tables: Vec<Table>,
}

/// What was read.
pub struct Read {
    /// The layers, in order of the first file.
    pub layers: Vec<Layer>,
    /// How it was understood.
    pub understood: String,
}

/// Reads all files; see the card for the layouts.
pub fn read_all(paths: &[&Path], config: &ConvergentLearning, streams: Streams) -> Result<Read> {
    let files = paths
        .iter()
        .map(|p| contents(p, config, streams).map_err(|e| e.at(p.display())))
        .collect::<Result<Vec<Contents>>>()?;
    let layers = arrange(files)?;
    let mut out = Vec::new();
    let mut understood = Vec::new();
    for (name, populations) in layers {
        let blocks = blocks(&populations, config, streams)?;
        let held = blocks.held_out.iter().filter(|h| **h).count();
        let names: Vec<String> =
            populations.iter().map(|(_, n, t)| format!("`{n}` ({} units)", t.units.len())).collect();
        understood.push(format!(
            "{}: {} with {} samples in {} blocks, {held} held out",
            if name.is_empty() { "activity" } else { &name },
            names.join(", "),
            blocks.of_sample.len(),
            blocks.held_out.len(),
        ));
        let populations = populations
            .into_iter()
            .map(|(place, name, t)| Population::new(name, t.units, t.values).map_err(|e| e.at(place)))
            .collect::<Result<Vec<_>>>()?;
        let name = if name.is_empty() { "activity".to_string() } else { name };
        out.push(Layer::new(name, populations, blocks, config.dead_below)?);
    }
    Ok(Read { layers: out, understood: understood.join("; ") })
}

fn contents(path: &Path, config: &ConvergentLearning, streams: Streams) -> Result<Contents> {
    let networks = "networks are not run here: save the activations of a layer as .npy, .npz or safetensors, samples x units";
    let source = Source::open(path)?;
    if source.extension() == "onnx" {
        return Err(Error::input("activations", "an ONNX network").hint(networks));
    }
    let format = source.format()?;
    let tables = match format {
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            if store.kind == Recording::KIND {
                recording(&Recording::from_store(&store)?)?
            } else if store.kind.is_empty() {
                let values = store.arrays.into_iter().map(|(n, a)| (n, Value::Numbers(a))).collect();
                arrays(values, config, streams)?
            } else {
                let hint = if store.kind == Weights::KIND { networks } else { "bin spikes into a recording first" };
                return Err(Error::input("activations or a recording", format!("`{}`", store.kind)).hint(hint));
            }
        }
        Format::Npz => {
            let values = npz::parse(&source.bytes)?;
            if values.iter().any(|(n, _)| n == "activity") {
                recording(&read::recording_of(&source)?)?
            } else {
                arrays(values, config, streams)?
            }
        }
        Format::Npy => {
            let found = read::arrays_of(&source)?;
            arrays(found.into_iter().map(|(n, a)| (n, Value::Numbers(a))).collect(), config, streams)?
        }
        Format::Csv | Format::Text => recording(&read::recording_of(&source)?)?,
        other => {
            return Err(Error::input(
                "activations (.npy, .npz, safetensors, CSV)",
                format!("a {} file", other.title()),
            ));
        }
    };
    if tables.is_empty() {
        return Err(Error::input("at least 1 matrix of activity", "none"));
    }
    Ok(Contents { stem: source.stem().to_string(), place: path.display().to_string(), tables })
}

/// Areas of a recording as tables.
fn recording(r: &Recording) -> Result<Vec<Table>> {
    r.require_finite()?;
    let held_out = r
        .series
        .iter()
        .find(|(n, _)| n == "held_out")
        .map(|(_, v)| v.iter().map(|v| *v != 0.0).collect::<Vec<bool>>());
    let (mut kept, mut samples) = ((0..r.steps()).collect::<Vec<usize>>(), Samples::default());
    match &r.sampling {
        Sampling::Samples(ids) => samples.ids = Some(ids.clone()),
        _ if r.trials.is_empty() => {
            let n = SPANS.min(r.steps());
            samples.spans = Some(kept.iter().map(|s| s * n / r.steps()).collect());
        }
        _ => {
            let trial = |s: usize| r.trials.iter().position(|t| (t.start..t.stop).contains(&s));
            let of: Vec<Option<usize>> = kept.iter().map(|&s| trial(s)).collect();
            kept.retain(|&s| of[s].is_some());
            let mut names: Vec<usize> = of.iter().flatten().copied().collect();
            names.sort_unstable();
            names.dedup();
            samples.spans =
                Some(kept.iter().filter_map(|&s| names.binary_search(&of[s]?).ok()).collect());
        }
    }
    if kept.is_empty() {
        return Err(Error::input("samples within trials", "empty trials only"));
    }
    samples.count = kept.len();
    samples.held_out = held_out.map(|h| kept.iter().map(|&s| h[s]).collect());
    let area = |u: usize| r.units[u].area.clone().unwrap_or_default();
    let mut areas: Vec<String> = Vec::new();
    (0..r.unit_count()).for_each(|u| {
        if !areas.contains(&area(u)) {
            areas.push(area(u));
        }
    });
    Ok(areas
        .into_iter()
        .map(|name| {
            let own: Vec<usize> = (0..r.unit_count()).filter(|&u| area(u) == name).collect();
            let values = kept.iter().flat_map(|&s| own.iter().map(move |&u| r.row(u)[s])).collect();
            let units = own.iter().map(|&u| r.units[u].name.clone()).collect();
            Table { name, units, values, samples: samples.clone() }
        })
        .collect())
}

/// Matrices (2 axes), token sequences (images, positions, units) and maps (images, channels, height, width) as tables.
fn arrays(values: Vec<(String, Value)>, config: &ConvergentLearning, streams: Streams) -> Result<Vec<Table>> {
    let mut ids = None;
    let mut held_out = None;
    let mut found = Vec::new();
    for (name, value) in values {
        match value {
            Value::Strings(_, s) if name == "ids" => ids = Some(s),
            Value::Numbers(a) if name == "ids" && a.shape().len() == 1 => {
                ids = Some(a.to_f64().iter().map(ToString::to_string).collect());
            }
            Value::Numbers(a) if name == "held_out" && a.shape().len() == 1 => {
                held_out = Some(a.to_f64().iter().map(|v| *v != 0.0).collect::<Vec<bool>>());
            }
            Value::Numbers(a) => found.push((name, a)),
            Value::Strings(..) => {}
        }
    }
    found
        .iter()
        .map(|(name, a)| table(name, a, ids.as_ref(), held_out.as_ref(), config, streams).map_err(|e| e.at(name)))
        .collect()
}

fn table(
    name: &str,
    array: &Array,
    ids: Option<&Vec<String>>,
    held_out: Option<&Vec<bool>>,
    config: &ConvergentLearning,
    streams: Streams,
) -> Result<Table> {
    if array.is_empty() {
        return Err(Error::input("at least 1 sample and 1 unit", format!("shape {:?}", array.shape())));
    }
    let all = array.to_f32();
    let mut samples = Samples::default();
    // Values, units, and the image of each sample.
    let (values, units, images): (Vec<f32>, usize, Vec<usize>) = match *array.shape() {
        [rows, columns] => match config.axes {
            Axes::SamplesByUnits => (all, columns, (0..rows).collect()),
            Axes::UnitsBySamples => {
                let turned = (0..columns).flat_map(|s| (0..rows).map(move |u| (u, s)));
                (turned.map(|(u, s)| all[u * columns + s]).collect(), rows, (0..columns).collect())
            }
        },
        [images, positions, units] => {
            (all, units, (0..images * positions).map(|s| s / positions).collect())
        }
        [images, channels, h, w] => {
            samples.map = Some([h, w]);
            let per_image = config.positions.min(h * w);
            // The same places in every network.
            let mut stream = streams.stream("positions", (h * w) as u64);
            let mut values = Vec::with_capacity(images * per_image * channels);
            for i in 0..images {
                for p in stream.choose(h * w, per_image) {
                    values.extend((0..channels).map(|c| all[(i * channels + c) * h * w + p]));
                }
            }
            (values, channels, (0..images * per_image).map(|s| s / per_image).collect())
        }
        ref shape => {
            return Err(Error::input(
                "2 axes (samples, units), 3 (images, positions, units) or 4 (images, channels, height, width)",
                format!("shape {shape:?}"),
            ));
        }
    };
    let count = images.last().map_or(0, |i| i + 1);
    let fits = |what: &str, n: usize| {
        if n == count { Ok(()) } else { Err(Error::input(format!("{count} values in `{what}`"), n.to_string())) }
    };
    if let Some(ids) = ids {
        fits("ids", ids.len())?;
    }
    if let Some(h) = held_out {
        fits("held_out", h.len())?;
        samples.held_out = Some(images.iter().map(|&i| h[i]).collect());
    }
    samples.count = images.len();
    let id = |i: usize| ids.map_or_else(|| i.to_string(), |ids| ids[i].clone());
    samples.ids = Some(images.into_iter().map(id).collect());
    let units = (0..units).map(|u| u.to_string()).collect();
    Ok(Table { name: name.to_string(), units, values, samples })
}

/// File, population, table.
type Placed = (String, String, Table);

/// Tables as layers of populations: by name where every file has the same names, otherwise all as one layer.
fn arrange(mut files: Vec<Contents>) -> Result<Vec<(String, Vec<Placed>)>> {
    if files.len() == 1 {
        let file = files.remove(0);
        if file.tables.len() < 2 {
            return Err(Error::input("at least 2 populations", "1")
                .at(file.place)
                .hint("give two or more files, or one with several matrices or areas"));
        }
        let placed = |t: Table| (file.place.clone(), t.name.clone(), t);
        return Ok(vec![(String::new(), file.tables.into_iter().map(placed).collect())]);
    }
    // Files of one name in different folders are told apart by their number.
    let stems: Vec<String> = files.iter().map(|f| f.stem.clone()).collect();
    let name = |k: usize| {
        let twice = stems.iter().filter(|s| **s == stems[k]).count() > 1;
        if twice { format!("{} {}", stems[k], k + 1) } else { stems[k].clone() }
    };
    if files.iter().all(|f| f.tables.len() == 1) {
        let placed = |(k, mut f): (usize, Contents)| (f.place, name(k), f.tables.remove(0));
        return Ok(vec![(String::new(), files.into_iter().enumerate().map(placed).collect())]);
    }
    let names = |f: &Contents| f.tables.iter().map(|t| t.name.clone()).collect::<Vec<_>>();
    let wanted = names(&files[0]);
    let mut layers: Vec<(String, Vec<Placed>)> = wanted.iter().map(|n| (n.clone(), Vec::new())).collect();
    for (k, file) in files.into_iter().enumerate() {
        let own = names(&file);
        if own.len() != wanted.len() || wanted.iter().any(|w| !own.contains(w)) {
            return Err(Error::input(format!("the layers {wanted:?} in every file"), format!("{own:?}")).at(file.place));
        }
        for t in file.tables {
            if let Some((_, placed)) = layers.iter_mut().find(|(n, _)| *n == t.name) {
                placed.push((file.place.clone(), name(k), t));
            }
        }
    }
    Ok(layers)
}

/// Checks that all populations have the same samples, and groups these into blocks.
fn blocks(populations: &[Placed], config: &ConvergentLearning, streams: Streams) -> Result<Blocks> {
    let Some((_, first_name, first)) = populations.first() else { return Err(Error::input("a population", "none")) };
    let first = &first.samples;
    for (place, _, t) in populations {
        let s = &t.samples;
        if s.map != first.map {
            return Err(Error::input(
                format!("maps of {:?} as in `{first_name}`", first.map.unwrap_or_default()),
                format!("{:?}", s.map.unwrap_or_default()),
            )
            .at(place)
            .hint("positions can only be paired in maps of one size"));
        }
        if s.count != first.count {
            return Err(Error::input(format!("{} samples as in `{first_name}`", first.count), s.count.to_string())
                .at(place)
                .hint("rows of plain matrices are samples; `--set axes=units_by_samples` where rows are units"));
        }
        if let (Some(a), Some(b)) = (&first.ids, &s.ids)
            && let Some(k) = (0..a.len()).find(|&k| a[k] != b[k])
        {
            return Err(Error::input(format!("sample {} to be `{}` as in `{first_name}`", k + 1, a[k]), format!("`{}`", b[k]))
                .at(place)
                .hint("every population needs the same samples in the same order"));
        }
        if s.held_out.is_some() && first.held_out.is_some() && s.held_out != first.held_out {
            return Err(Error::input("the same `held_out` in every file", "another split").at(place));
        }
    }
    let of_sample: Vec<usize> = match (&first.ids, &first.spans) {
        (Some(ids), _) => {
            let mut numbers: HashMap<&str, usize> = HashMap::new();
            let number = |id| {
                let next = numbers.len();
                *numbers.entry(id).or_insert(next)
            };
            ids.iter().map(String::as_str).map(number).collect()
        }
        (None, Some(spans)) => spans.clone(),
        (None, None) => (0..first.count).collect(),
    };
    let Some(held) = populations.iter().find_map(|(_, _, t)| t.samples.held_out.as_ref()) else {
        return Blocks::split(of_sample, config.held_out, &mut streams.stream("held-out samples", 0));
    };
    let count = of_sample.iter().max().map_or(0, |m| m + 1);
    let mut side: Vec<Option<bool>> = vec![None; count];
    for (s, (&b, &h)) in of_sample.iter().zip(held).enumerate() {
        if *side[b].get_or_insert(h) != h {
            let what = first.ids.as_ref().map_or_else(|| format!("block {b}"), |ids| format!("`{}`", ids[s]));
            return Err(Error::input("each image either fitted on or held out", format!("{what} in both parts"))
                .at("held_out"));
        }
    }
    let held_out: Vec<bool> = side.into_iter().map(|s| s == Some(true)).collect();
    if held_out.iter().all(|h| *h) || !held_out.iter().any(|h| *h) {
        return Err(Error::input("images to fit on and images held out", "only one of the two").at("held_out"));
    }
    Ok(Blocks { of_sample, held_out })
}
