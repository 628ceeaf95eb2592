//! What is inside a file: `neuropil data check`.

use crate::formats::npy::Value;
use crate::formats::{
    Format, archive, csv, graphml, idx, json, nifti, npy, npz, png, safetensors, text, wav,
};
use crate::frame::{Column, Frame};
use crate::read;
use crate::source::Source;
use neuropil_core::{
    Array, Connectome, Error, Noun, Recording, Result, SpikeTrains, Stimuli, Volume, Weights,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

/// Most arrays, columns or members that are listed one by one.
const LISTED: usize = 400;

/// One array, column, or list of strings.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Name in the file.
    pub name: String,
    /// Element type, such as `f32`, or `text`.
    pub dtype: String,
    /// Axis lengths, slowest first.
    pub shape: Vec<usize>,
    /// Smallest finite value.
    pub min: Option<f64>,
    /// Largest finite value.
    pub max: Option<f64>,
    /// Mean of the finite values.
    pub mean: Option<f64>,
    /// Number of NaN, or of missing cells.
    pub nan: usize,
    /// Number of infinities.
    pub infinite: usize,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// The file.
    pub path: String,
    /// Bytes after decompression.
    pub bytes: usize,
    /// Format, such as `npz`.
    pub format: Format,
    /// The noun of ours that the file is, such as `recording`.
    pub noun: Option<String>,
    /// Sizes, units, rates and other facts, in order.
    pub facts: Vec<(String, String)>,
    /// Arrays, columns or members.
    pub parts: Vec<Part>,
    /// Parts beyond the first 400, which are not listed.
    pub unlisted: usize,
    /// Nouns that `--input` can make of this file.
    pub readable_as: Vec<String>,
    /// What an estimator would stumble over.
    pub problems: Vec<String>,
}

/// Describes any supported file, or a folder of images, sounds or texts; fails where it cannot be read at all.
pub fn check(path: &Path) -> Result<Description> {
    if path.is_dir() {
        return folder(path);
    }
    describe(&Source::open(path)?)
}

/// As [`check`], from a file in memory.
pub fn describe(source: &Source) -> Result<Description> {
    let format = source.format()?;
    let mut d = Description {
        path: source.place.clone(),
        bytes: source.bytes.len(),
        format,
        noun: None,
        facts: Vec::new(),
        parts: Vec::new(),
        unlisted: 0,
        readable_as: Vec::new(),
        problems: Vec::new(),
    };
    fill(&mut d, source, format).map_err(|e| e.at(&source.place))?;
    d.readable_as = readable(source, format);
    for p in &d.parts {
        if p.nan > 0 {
            d.problems.push(format!("`{}` has {} NaN or missing values", p.name, p.nan));
        }
        if p.infinite > 0 {
            d.problems.push(format!("`{}` has {} infinite values", p.name, p.infinite));
        }
        if p.shape.contains(&0) {
            d.problems.push(format!("`{}` is empty", p.name));
        }
    }
    d.unlisted = d.parts.len().saturating_sub(LISTED);
    d.parts.truncate(LISTED);
    Ok(d)
}

fn fill(d: &mut Description, source: &Source, format: Format) -> Result<()> {
    let bytes = &source.bytes;
    match format {
        Format::Safetensors => {
            let store = safetensors::parse(bytes)?;
            d.parts = store.arrays.iter().map(|(n, a)| part(n, a)).collect();
            if store.kind.is_empty() {
                for (key, value) in &store.meta {
                    d.fact(key, value.as_str().map_or_else(|| value.to_string(), String::from));
                }
            } else {
                d.noun = Some(store.kind.clone());
                if let Err(e) = noun_facts(d, &store) {
                    d.problems.push(format!("not a valid `{}`: {e}", store.kind));
                }
            }
        }
        Format::Npy => d.parts = vec![value_part(source.stem(), &npy::parse_value(bytes)?)],
        Format::Npz => d.parts = npz::parse(bytes)?.iter().map(|(n, v)| value_part(n, v)).collect(),
        Format::Idx => d.parts = vec![part(source.stem(), &idx::parse(bytes)?)],
        Format::Png => {
            let image = png::parse(bytes)?;
            d.fact(
                "pixels",
                format!("{} x {}, {} channels", image.shape()[2], image.shape()[1], image.shape()[0]),
            );
            d.parts = vec![part(source.stem(), &image)];
        }
        Format::Wav => {
            let sound = wav::parse(bytes)?;
            let n = sound.channels[0].len();
            d.fact("rate", format!("{} Hz", sound.rate_hz));
            d.fact("duration", format!("{:.3} s", n as f64 / sound.rate_hz));
            d.parts = vec![part(
                source.stem(),
                &Array::from_f32(&[sound.channels.len(), n], &sound.channels.concat())?,
            )];
        }
        Format::Nifti => {
            let n = nifti::parse(bytes)?;
            d.fact("version", format!("NIfTI-{}", n.version));
            d.fact("data type", n.datatype.to_string());
            d.fact("axes (i, j, k, ...)", format!("{:?}", n.dims));
            if let Some(tr) = n.repetition_s {
                d.fact("time between volumes", format!("{tr} s"));
            }
            volume_facts(d, &n.volume);
            d.parts = vec![part("values", &Array::from_f32(&n.volume.shape, &n.volume.values)?)];
        }
        Format::GraphMl => connectome_facts(d, &graphml::parse(bytes)?),
        Format::Csv => frame_facts(d, &csv::parse(bytes)?),
        Format::Json | Format::JsonLines => json_facts(d, source, format)?,
        Format::Text => {
            let text = text::parse(bytes)?;
            let characters: std::collections::BTreeSet<char> = text.chars().collect();
            d.fact("characters", text.chars().count().to_string());
            d.fact("distinct characters", characters.len().to_string());
            d.fact("lines", text.lines().count().to_string());
            if let Ok(frame) = csv::parse(bytes)
                && frame.columns.iter().all(|(_, c)| c.numbers().is_some())
            {
                frame_facts(d, &frame);
            }
        }
        Format::Zip | Format::Tar => {
            let members = archive::members(format, bytes)?;
            d.fact("files", members.len().to_string());
            let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
            for m in &members {
                *kinds.entry(crate::source::extension(&m.path)).or_default() += 1;
            }
            let kinds: Vec<String> = kinds
                .iter()
                .map(|(e, n)| if e.is_empty() { format!("{n} without") } else { format!("{n} .{e}") })
                .collect();
            d.fact("extensions", kinds.join(", "));
            d.parts = members
                .iter()
                .map(|m| Part { dtype: "file".into(), shape: vec![m.bytes.len()], ..Part::named(&m.path) })
                .collect();
            // A file inside may be empty; that is no problem of the archive.
            d.parts.retain(|p| p.shape != [0]);
        }
        Format::Folder => return Err(Error::Internal("a folder is not one file".into())),
    }
    Ok(())
}

fn noun_facts(d: &mut Description, store: &neuropil_core::Store) -> Result<()> {
    match store.kind.as_str() {
        Recording::KIND => {
            let r = Recording::from_store(store)?;
            recording_facts(d, &r);
        }
        SpikeTrains::KIND => {
            let s = SpikeTrains::from_store(store)?;
            d.fact("units", s.unit_count().to_string());
            d.fact("spikes", s.len().to_string());
            d.fact("duration", format!("{} ms", s.duration_ms()));
            let hz = s.len() as f64 / s.unit_count().max(1) as f64 / s.duration_ms() * 1000.0;
            d.fact("mean rate", format!("{hz:.3} Hz"));
        }
        Connectome::KIND => connectome_facts(d, &Connectome::from_store(store)?),
        Stimuli::KIND => stimuli_facts(d, &Stimuli::from_store(store)?),
        Volume::KIND => volume_facts(d, &Volume::from_store(store)?),
        Weights::KIND => {
            let w = Weights::from_store(store)?;
            d.fact("parameters", w.count().to_string());
        }
        other => d.problems.push(format!("`{other}` is not a noun of this version")),
    }
    Ok(())
}

fn recording_facts(d: &mut Description, r: &Recording) {
    use neuropil_core::Sampling;
    d.fact("units", r.unit_count().to_string());
    d.fact("steps", r.steps().to_string());
    d.fact("kind", format!("{:?}", r.kind));
    d.fact(
        "sampling",
        match &r.sampling {
            Sampling::Rate { hz, .. } => format!("{hz} Hz, {:.3} s", r.steps() as f64 / hz),
            Sampling::Times(_) => "irregular times".into(),
            Sampling::Samples(_) => "samples".into(),
        },
    );
    if !r.trials.is_empty() {
        d.fact("trials", r.trials.len().to_string());
    }
    let constant = (0..r.unit_count()).filter(|&u| r.row(u).windows(2).all(|w| w[0] == w[1])).count();
    if constant > 0 && r.steps() > 1 {
        d.problems.push(format!("{constant} of {} units never change", r.unit_count()));
    }
}

fn connectome_facts(d: &mut Description, c: &Connectome) {
    let n = c.unit_count();
    d.fact("units", n.to_string());
    d.fact("edges", c.edges().len().to_string());
    d.fact("kinds", c.kinds.join(", "));
    d.fact("density", format!("{:.5}", c.edges().len() as f64 / (n as f64 * n as f64).max(1.0)));
    d.fact("self connections", c.edges().iter().filter(|e| e.source == e.target).count().to_string());
    let mut touched = vec![false; n];
    for e in c.edges() {
        touched[e.source as usize] = true;
        touched[e.target as usize] = true;
    }
    let alone = touched.iter().filter(|t| !**t).count();
    if alone > 0 {
        d.problems.push(format!("{alone} of {n} units have no edge"));
    }
    let mut names: Vec<&str> = c.units.iter().map(|u| u.name.as_str()).collect();
    names.sort_unstable();
    if let Some([name, _]) = names.array_windows().find(|[a, b]| a == b) {
        d.problems.push(format!("the unit name `{name}` occurs twice"));
    }
}

fn stimuli_facts(d: &mut Description, s: &Stimuli) {
    d.fact("stimuli", s.len().to_string());
    d.fact("kind", format!("{:?}", s.kind));
    if let Some(hz) = s.rate_hz {
        d.fact("rate", format!("{hz} Hz"));
    }
    if let Some(labels) = &s.labels {
        let mut counts: BTreeMap<u32, usize> = BTreeMap::new();
        for l in labels {
            *counts.entry(*l).or_default() += 1;
        }
        let (low, high) = (counts.values().min().unwrap_or(&0), counts.values().max().unwrap_or(&0));
        d.fact("classes", format!("{}, {low} to {high} stimuli each", counts.len()));
    }
}

fn volume_facts(d: &mut Description, v: &Volume) {
    let [c, depth, height, width] = v.shape;
    d.fact("voxels", format!("{width} x {height} x {depth}, {c} channels"));
    let [vd, vh, vw] = v.voxel_mm;
    d.fact("voxel size", format!("{vw} x {vh} x {vd} mm"));
    for row in &v.affine[..3] {
        d.fact("affine", format!("{row:?}"));
    }
}

fn frame_facts(d: &mut Description, frame: &Frame) {
    d.fact("rows", frame.rows().to_string());
    d.fact("columns", frame.columns.len().to_string());
    d.fact("header", if frame.has_header { "yes" } else { "no" });
    for (name, column) in &frame.columns {
        let mut p = Part { shape: vec![column.len()], ..Part::named(name) };
        match column {
            Column::Numbers(v) => {
                p.dtype = "number".into();
                p.measure(v.iter().copied());
            }
            Column::Text(v) => {
                p.dtype = "text".into();
                p.nan = v.iter().filter(|c| c.is_empty()).count();
            }
        }
        d.parts.push(p);
    }
}

fn json_facts(d: &mut Description, source: &Source, format: Format) -> Result<()> {
    if format == Format::JsonLines {
        d.fact("lines", json::parse_lines(&source.bytes)?.len().to_string());
    } else {
        let shape = match json::parse(&source.bytes)? {
            serde_json::Value::Array(v) => format!("a list of {}", v.len()),
            serde_json::Value::Object(m) => {
                let keys: Vec<&str> = m.keys().take(12).map(String::as_str).collect();
                format!("an object of {} keys: {}", m.len(), keys.join(", "))
            }
            _ => "one value".into(),
        };
        d.fact("content", shape);
    }
    if let Ok(frame) = read::table_of(source) {
        frame_facts(d, &frame);
    }
    Ok(())
}

/// Nouns that the readers accept; each is tried, so the list is what `--input` will do.
fn readable(source: &Source, format: Format) -> Vec<String> {
    let mut out = Vec::new();
    let mut add = |name: &str, ok: bool| {
        if ok {
            out.push(name.to_string());
        }
    };
    add("array", read::arrays_of(source).is_ok_and(|a| a.len() == 1));
    add(
        "table",
        matches!(format, Format::Csv | Format::Json | Format::JsonLines | Format::Npz)
            && read::table_of(source).is_ok(),
    );
    add("recording", read::recording_of(source).is_ok());
    add("spike_trains", read::spike_trains_of(source).is_ok());
    add("connectome", read::connectome_of(source).is_ok());
    add("stimuli", read::stimuli_of(source).is_ok());
    add("volume", read::volume_of(source).is_ok());
    add("weights", matches!(format, Format::Safetensors | Format::Npz));
    add("documents", read::documents_of(source).is_ok_and(|d| !d.is_empty()));
    out
}

fn folder(path: &Path) -> Result<Description> {
    let mut d = Description {
        path: path.display().to_string(),
        bytes: 0,
        format: Format::Folder,
        noun: None,
        facts: Vec::new(),
        parts: Vec::new(),
        unlisted: 0,
        readable_as: Vec::new(),
        problems: Vec::new(),
    };
    match (read::stimuli(path), read::documents(path)) {
        (Ok(s), _) => {
            d.bytes = s.values.bytes().len();
            stimuli_facts(&mut d, &s);
            d.parts = vec![part("values", &s.values)];
            d.readable_as = vec!["stimuli".into()];
        }
        (_, Ok(documents)) => {
            d.bytes = documents.iter().map(|t| t.text.len()).sum();
            d.fact("documents", documents.len().to_string());
            d.readable_as = vec!["documents".into(), "text".into()];
        }
        (Err(stimuli), Err(_)) => {
            return Err(stimuli.hint("a folder holds PNG images, WAV sounds, an IDX pair or .txt files"));
        }
    }
    Ok(d)
}

impl Part {
    fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            dtype: String::new(),
            shape: Vec::new(),
            min: None,
            max: None,
            mean: None,
            nan: 0,
            infinite: 0,
        }
    }

    fn measure(&mut self, values: impl Iterator<Item = f64>) {
        let (mut low, mut high, mut sum, mut finite) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0_usize);
        for v in values {
            if v.is_nan() {
                self.nan += 1;
            } else if v.is_infinite() {
                self.infinite += 1;
            } else {
                (low, high, sum, finite) = (low.min(v), high.max(v), sum + v, finite + 1);
            }
        }
        if finite > 0 {
            (self.min, self.max) = (Some(low), Some(high));
            self.mean = Some(sum / finite as f64).filter(|m| m.is_finite());
        }
    }
}

fn part(name: &str, array: &Array) -> Part {
    let dtype = format!("{:?}", array.dtype()).to_lowercase();
    let mut part = Part { dtype, shape: array.shape().to_vec(), ..Part::named(name) };
    part.measure(array.to_f64().into_iter());
    part
}

fn value_part(name: &str, value: &Value) -> Part {
    match value {
        Value::Numbers(a) => part(name, a),
        Value::Strings(shape, _) => Part { dtype: "text".into(), shape: shape.clone(), ..Part::named(name) },
    }
}

impl Description {
    fn fact(&mut self, name: &str, value: impl Into<String>) {
        self.facts.push((name.into(), value.into()));
    }

    /// The description as JSON.
    pub fn to_json(&self) -> Result<serde_json::Value> {
        serde_json::to_value(self).map_err(|e| Error::Internal(e.to_string()))
    }
}

impl fmt::Display for Description {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.path)?;
        let noun = self.noun.as_ref().map(|n| format!(", a {n}")).unwrap_or_default();
        writeln!(f, "  {}{noun}, {} bytes", self.format.title(), self.bytes)?;
        for (name, value) in &self.facts {
            writeln!(f, "  {name}: {value}")?;
        }
        for p in &self.parts {
            write!(f, "  {:<28} {:<7} {:?}", p.name, p.dtype, p.shape)?;
            if let (Some(low), Some(high), Some(mean)) = (p.min, p.max, p.mean) {
                write!(f, "  {low:.6} .. {high:.6}, mean {mean:.6}")?;
            }
            writeln!(f)?;
        }
        if self.unlisted > 0 {
            writeln!(f, "  and {} more", self.unlisted)?;
        }
        for p in &self.problems {
            writeln!(f, "  problem: {p}")?;
        }
        let uses =
            if self.readable_as.is_empty() { "nothing".to_string() } else { self.readable_as.join(", ") };
        writeln!(f, "  can be read as: {uses}")
    }
}
