//! Stimuli.

use super::{noun, table_of, title, unfit};
use crate::formats::npy::Value;
use crate::formats::{Format, archive, idx, npy, npz, png, safetensors, wav};
use crate::frame::Column;
use crate::source::{Source, extension};
use neuropil_core::{Array, DType, Error, Result, Stimuli, StimulusKind};
use std::path::{Path, PathBuf};

/// What units were shown.
///
/// - safetensors of kind `stimuli`;
/// - a folder, zip or tar.gz of PNG images of one size, or of WAV sounds of one length and rate; sub-folders name the
///   classes. The same with an IDX pair inside;
/// - IDX images; labels are taken from the file beside it whose name has `labels-idx1` for `images-idx3`;
/// - `.npy`: [n, channels, h, w] or [n, h, w] images, [n, features];
/// - `.npz`: the same as `images`, `x`, `data`, `values` or `features`, with optional `labels` or `y`;
/// - one PNG or one WAV;
/// - CSV: one row a stimulus, numeric columns are features, a column `label` or `class` names the class.
pub fn stimuli(path: &Path) -> Result<Stimuli> {
    if path.is_dir() {
        return in_folder(path);
    }
    let source = Source::open(path)?;
    let mut stimuli = stimuli_of(&source).map_err(|e| e.at(&source.place))?;
    if stimuli.labels.is_none() && source.format()? == Format::Idx {
        attach_idx_labels(path, &mut stimuli)?;
    }
    Ok(stimuli)
}

/// As [`stimuli`], from a file or archive member in memory.
pub fn stimuli_of(source: &Source) -> Result<Stimuli> {
    let format = source.format()?;
    match format {
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            if let Some(s) = noun(&store)? {
                return Ok(s);
            }
            if !store.kind.is_empty() {
                return Err(Error::input("stimuli", title(&store)));
            }
            from_arrays(store.arrays.into_iter().map(|(n, a)| (n, Value::Numbers(a))).collect())
        }
        Format::Idx => from_array(idx::parse(&source.bytes)?),
        Format::Npy => from_array(npy::parse(&source.bytes)?),
        Format::Npz => from_arrays(npz::parse(&source.bytes)?),
        Format::Png | Format::Wav => gather(vec![(source.clone(), None)]),
        Format::Csv | Format::Text => from_table(source),
        Format::Zip | Format::Tar => {
            let mut parts = Vec::new();
            let mut pair = Vec::new();
            for m in archive::members(format, &source.bytes)? {
                let label = m.path.rsplit('/').nth(1).map(String::from);
                if is_stimulus(&m.path) {
                    parts.push((m.into_source(&source.place)?, label));
                } else if m.path.contains("idx") {
                    pair.push(m.into_source(&source.place)?);
                }
            }
            if parts.is_empty() { from_idx_members(&pair) } else { gather(parts) }
        }
        other => Err(unfit("stimuli (images, sounds, arrays, CSV)", other)),
    }
}

fn is_stimulus(name: &str) -> bool {
    matches!(extension(name).as_str(), "png" | "wav")
}

/// An array without labels; its axes decide what it is.
fn from_array(array: Array) -> Result<Stimuli> {
    let shape = array.shape().to_vec();
    if array.is_empty() {
        return Err(Error::input("at least 1 stimulus", format!("shape {shape:?}")));
    }
    match shape.as_slice() {
        [_, _, _, _] => Stimuli::new(StimulusKind::Images, array, None),
        &[n, h, w] => {
            let array = Array::new(array.dtype(), vec![n, 1, h, w], array.bytes().to_vec())?;
            Stimuli::new(StimulusKind::Images, array, None)
        }
        [_, _] => Stimuli::new(StimulusKind::Features, array, None),
        _ => Err(Error::input(
            "2 axes (n, features), 3 (n, h, w) or 4 (n, channels, h, w)",
            format!("shape {shape:?}"),
        )),
    }
}

fn from_arrays(mut values: Vec<(String, Value)>) -> Result<Stimuli> {
    let names: Vec<String> = values.iter().map(|(n, _)| n.clone()).collect();
    let mut take = |known: &[&str]| {
        known.iter().find_map(|k| values.iter().position(|(n, _)| n == k)).map(|i| values.remove(i).1)
    };
    let labels = take(&["labels", "label", "y", "targets"]);
    let main = take(&["images", "values", "x", "data", "features", "stimuli", "frames"]);
    let main = match (main, values.len()) {
        (Some(v), _) => v,
        (None, 1) => values.remove(0).1,
        (None, _) => {
            return Err(Error::input(
                "an array `images`, `x`, `data` or `features`",
                format!("arrays {names:?}"),
            ));
        }
    };
    let Value::Numbers(main) = main else { return Err(Error::input("numbers", "strings")) };
    let mut stimuli = from_array(main)?;
    match labels {
        None => {}
        Some(Value::Numbers(l)) => set_numbers(&mut stimuli, &l)?,
        Some(Value::Strings(_, l)) => set_classes(&mut stimuli, &l)?,
    }
    Ok(stimuli)
}

fn check_count(stimuli: &Stimuli, labels: usize) -> Result<()> {
    if labels != stimuli.len() {
        return Err(Error::input(
            format!("{} labels, one per stimulus", stimuli.len()),
            format!("{labels} labels"),
        ));
    }
    Ok(())
}

fn set_numbers(stimuli: &mut Stimuli, labels: &Array) -> Result<()> {
    check_count(stimuli, labels.len())?;
    let labels = labels.to_indices().map_err(|e| e.at("labels"))?;
    let labels = labels.into_iter().map(|l| u32::try_from(l).unwrap_or(u32::MAX)).collect();
    stimuli.labels = Some(labels);
    Ok(())
}

/// Classes in sorted order become labels 0, 1, ...
fn set_classes(stimuli: &mut Stimuli, names: &[String]) -> Result<()> {
    check_count(stimuli, names.len())?;
    let classes: std::collections::BTreeSet<&String> = names.iter().collect();
    let classes: Vec<String> = classes.into_iter().cloned().collect();
    stimuli.labels = Some(names.iter().map(|n| classes.partition_point(|c| c < n) as u32).collect());
    stimuli.classes = classes;
    Ok(())
}

fn from_table(source: &Source) -> Result<Stimuli> {
    let mut frame = table_of(source)?;
    let label = frame.position(&["label", "class", "target"]).map(|i| frame.columns.remove(i).1);
    if frame.columns.is_empty() {
        return Err(Error::input("at least 1 column of features", "none"));
    }
    let values = Array::from_f64(&[frame.rows(), frame.columns.len()], &frame.matrix()?)?;
    let mut stimuli = Stimuli::new(StimulusKind::Features, values, None)?;
    match label {
        None => {}
        Some(Column::Numbers(l)) => set_numbers(&mut stimuli, &Array::from_f64(&[l.len()], &l)?)?,
        Some(Column::Text(l)) => set_classes(&mut stimuli, &l)?,
    }
    Ok(stimuli)
}

/// Images of one size or sounds of one length; labels where every part has one.
fn gather(parts: Vec<(Source, Option<String>)>) -> Result<Stimuli> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut first: Option<(Vec<usize>, DType, Option<f64>, String)> = None;
    let mut labels = Vec::new();
    let count = parts.len();
    for (source, label) in parts {
        let (array, rate) = match source.format()? {
            Format::Png => (png::parse(&source.bytes).map_err(|e| e.at(&source.place))?, None),
            Format::Wav => {
                let sound = wav::parse(&source.bytes).map_err(|e| e.at(&source.place))?;
                if sound.channels.len() != 1 {
                    return Err(Error::input("1 channel", sound.channels.len().to_string()).at(&source.place));
                }
                (Array::from_f32(&[sound.channels[0].len()], &sound.channels[0])?, Some(sound.rate_hz))
            }
            other => return Err(unfit("a PNG image or WAV sound", other).at(&source.place)),
        };
        let this = (array.shape().to_vec(), array.dtype(), rate, source.place.clone());
        match &first {
            None => first = Some(this),
            Some(f) if (&f.0, f.1, f.2) != (&this.0, this.1, this.2) => {
                return Err(Error::input(
                    format!("{:?} {:?} as in {}", f.0, f.1, f.3),
                    format!("{:?} {:?}", this.0, this.1),
                )
                .at(this.3)
                .hint("all images need one size, all sounds one length and rate"));
            }
            Some(_) => {}
        }
        bytes.extend_from_slice(array.bytes());
        labels.push(label);
    }
    let (shape, dtype, rate, _) =
        first.ok_or_else(|| Error::input("at least 1 PNG image or WAV sound", "none"))?;
    let kind = if rate.is_some() { StimulusKind::Sounds } else { StimulusKind::Images };
    let values = Array::new(dtype, [vec![count], shape].concat(), bytes)?;
    let mut stimuli = Stimuli::new(kind, values, None)?;
    stimuli.rate_hz = rate;
    let labels: Option<Vec<String>> = labels.into_iter().collect();
    if let Some(labels) = labels.filter(|l| l.iter().any(|x| x != &l[0])) {
        set_classes(&mut stimuli, &labels)?;
    }
    Ok(stimuli)
}

/// Files of a folder and of its direct sub-folders that `fits` accepts, with the sub-folder's name, sorted.
pub(super) fn files_in(folder: &Path, fits: &dyn Fn(&str) -> bool) -> Result<Vec<(PathBuf, Option<String>)>> {
    fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
        let fail = |e: &std::io::Error| Error::read(folder, e);
        let list = std::fs::read_dir(folder).map_err(|e| fail(&e))?;
        let mut paths =
            list.map(|e| e.map(|e| e.path())).collect::<std::io::Result<Vec<_>>>().map_err(|e| fail(&e))?;
        paths.sort();
        Ok(paths)
    }
    let name = |p: &Path| p.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
    let mut found = Vec::new();
    for path in entries(folder)? {
        let this = name(&path);
        if this.starts_with('.') {
            continue;
        }
        if path.is_dir() {
            for file in entries(&path)?.into_iter().filter(|p| p.is_file() && fits(&name(p))) {
                found.push((file, Some(this.clone())));
            }
        } else if fits(&this) {
            found.push((path, None));
        }
    }
    Ok(found)
}

fn in_folder(folder: &Path) -> Result<Stimuli> {
    let files = files_in(folder, &is_stimulus)?;
    let attempt = || {
        if files.is_empty() {
            let idx = files_in(folder, &|n| n.contains("idx"))?;
            let sources = idx.iter().map(|(p, _)| Source::open(p)).collect::<Result<Vec<_>>>()?;
            return from_idx_members(&sources);
        }
        let parts =
            files.iter().map(|(p, l)| Ok((Source::open(p)?, l.clone()))).collect::<Result<Vec<_>>>()?;
        gather(parts)
    };
    attempt().map_err(|e: Error| e.at(folder.display()))
}

/// One IDX file of images and at most one of labels.
fn from_idx_members(sources: &[Source]) -> Result<Stimuli> {
    let mut images = Vec::new();
    let mut labels = Vec::new();
    for s in sources {
        let array = idx::parse(&s.bytes).map_err(|e| e.at(&s.place))?;
        if array.shape().len() == 1 { labels.push(array) } else { images.push(array) }
    }
    if images.len() > 1 || labels.len() > 1 {
        return Err(Error::input("one set of images", format!("{} IDX files of images", images.len()))
            .hint("give the training and the test file one at a time"));
    }
    let images =
        images.pop().ok_or_else(|| Error::input("at least 1 PNG image, WAV sound or IDX file", "none"))?;
    let mut stimuli = from_array(images)?;
    if let Some(l) = labels.pop() {
        set_numbers(&mut stimuli, &l)?;
    }
    Ok(stimuli)
}

fn attach_idx_labels(path: &Path, stimuli: &mut Stimuli) -> Result<()> {
    let Some(name) = path.file_name().and_then(|n| n.to_str()).filter(|n| n.contains("images")) else {
        return Ok(());
    };
    let twin = name.replace("images", "labels").replace("idx3", "idx1");
    let plain = twin.strip_suffix(".gz").unwrap_or(&twin).to_string();
    for candidate in [twin.clone(), format!("{plain}.gz"), plain] {
        let candidate = path.with_file_name(candidate);
        if candidate.is_file() {
            let labels = Source::open(&candidate)?;
            let attach = |s: &mut Stimuli| set_numbers(s, &idx::parse(&labels.bytes)?);
            return attach(stimuli).map_err(|e| e.at(&labels.place));
        }
    }
    Ok(())
}
