//! The user's files: responses, RDMs and recordings become representations of named subjects and regions.

use neuropil_analysis::rdm::{Dissimilarity, require_non_negative, require_rdm};
use neuropil_core::{Array, Error, Noun, Recording, Result, Sampling};
use neuropil_data::{Format, Source, formats::safetensors, read};
use neuropil_math::Matrix;
use neuropil_math::distances::{condensed_size, from_square};
use std::path::Path;

/// Most values of all condensed RDMs together (1.6 GB).
const MAX_VALUES: usize = 200_000_000;

/// What is known of one region of one subject.
#[derive(Debug, Clone)]
pub enum Content {
    /// Stimuli x units.
    Responses(Matrix),
    /// A condensed RDM.
    Rdm(Vec<f64>),
}

/// One region of one subject.
#[derive(Debug, Clone)]
pub struct Item {
    /// Subject, where the file says so.
    pub subject: Option<String>,
    /// Region.
    pub region: String,
    /// What is known.
    pub content: Content,
    /// Names of the stimuli, where the file has them.
    pub labels: Option<Vec<String>>,
}

impl Item {
    fn new(subject: Option<String>, region: String, content: Content) -> Self {
        Self { subject, region, content, labels: None }
    }

    /// Number of stimuli.
    pub fn stimuli(&self) -> Result<usize> {
        match &self.content {
            Content::Responses(x) => Ok(x.rows()),
            Content::Rdm(r) => condensed_size(r.len()),
        }
    }

    /// The condensed RDM; fails on fewer than 4 stimuli, on NaN and where all pairs are equal.
    pub fn rdm(&self, dissimilarity: Dissimilarity) -> Result<Vec<f64>> {
        let rdm = match &self.content {
            Content::Rdm(r) => {
                require_non_negative(r)?;
                r.clone()
            }
            Content::Responses(x) => {
                if dissimilarity == Dissimilarity::Correlation && x.cols() < 2 {
                    return Err(Error::input("at least 2 units for correlation distances", "1 unit")
                        .hint("`--set dissimilarity=euclidean` takes single units"));
                }
                dissimilarity.rdm(x)?
            }
        };
        require_rdm(&rdm, 4)?;
        Ok(rdm)
    }

    /// Subject and region for messages.
    pub fn place(&self) -> String {
        match &self.subject {
            Some(s) => format!("subject `{s}`, region `{}`", self.region),
            None => format!("region `{}`", self.region),
        }
    }
}

/// All arrays of a file; a table may have a first column of text, which names its rows and is left out.
fn arrays(source: &Source) -> Result<Vec<(String, Array)>> {
    read::arrays_of(source).or_else(|error| {
        if !matches!(source.format(), Ok(Format::Csv | Format::Text)) {
            return Err(error);
        }
        let Ok(mut frame) = read::table_of(source) else { return Err(error) };
        if frame.columns.len() < 2 || frame.columns[0].1.numbers().is_some() {
            return Err(error);
        }
        frame.columns.remove(0);
        let values = frame.matrix().map_err(|_| error)?;
        let array = Array::from_f64(&[frame.rows(), frame.columns.len()], &values)?;
        Ok(vec![(source.stem().to_string(), array)])
    })
}

/// Blocks of the last `axes` axes of an array.
fn blocks(array: &Array, axes: usize) -> Vec<Vec<f64>> {
    let size: usize = array.shape().iter().rev().take(axes).product();
    array.to_f64().chunks_exact(size.max(1)).map(<[f64]>::to_vec).collect()
}

/// Subject and region from a name such as `subject/region`, or `subject_region` for a file of one region.
fn split_name(name: &str, stem: &str, alone: bool) -> (Option<String>, String) {
    let cut = if alone { stem.rsplit_once('_') } else { name.split_once('/') };
    match cut {
        Some((subject, region)) if !subject.is_empty() && !region.is_empty() => {
            (Some(subject.to_string()), region.to_string())
        }
        _ if alone => (None, stem.to_string()),
        _ => (Some(stem.to_string()), name.to_string()),
    }
}

fn numbered(shape: &[usize], regions: usize, k: usize, stem: &str) -> (Option<String>, String) {
    let subject = if shape.len() == 4 { format!("subject {}", k / regions + 1) } else { stem.to_string() };
    (Some(subject), format!("region {}", k % regions + 1))
}

fn require_values(array: &Array, name: &str) -> Result<()> {
    if array.is_empty() {
        return Err(Error::input("a non-empty array", format!("shape {:?}", array.shape())).at(name));
    }
    Ok(())
}

/// Responses of one file; see the card for the layouts.
pub fn responses(path: &Path, max_stimuli: usize) -> Result<Vec<Item>> {
    let source = Source::open(path)?;
    let attempt = || {
        if source.format()? == Format::Safetensors {
            let store = safetensors::parse(&source.bytes)?;
            if store.kind == Recording::KIND {
                return recording(&Recording::from_store(&store)?, source.stem(), max_stimuli);
            }
            if !store.kind.is_empty() {
                return Err(Error::input("a recording or plain arrays", format!("`{}`", store.kind))
                    .hint("spikes are to be binned into a recording first"));
            }
        }
        if source.format()? == Format::Nifti {
            return Err(Error::input("`masks` beside a NIfTI series", "none")
                .hint("`--input masks=V1.nii`: voxels above 0 are a region, or each label of the volume is one"));
        }
        let found = arrays(&source)?;
        let alone = found.len() == 1;
        let mut items = Vec::new();
        for (name, array) in &found {
            require_values(array, name)?;
            match *array.shape() {
                [stimuli, units] => {
                    let (subject, region) = split_name(name, source.stem(), alone);
                    let x = Matrix::new(stimuli, units, array.to_f64())?;
                    items.push(Item::new(subject, region, Content::Responses(x)));
                }
                [regions, stimuli, units] | [_, regions, stimuli, units] => {
                    for (k, block) in blocks(array, 2).into_iter().enumerate() {
                        let (subject, region) = numbered(array.shape(), regions, k, source.stem());
                        let x = Matrix::new(stimuli, units, block)?;
                        items.push(Item::new(subject, region, Content::Responses(x)));
                    }
                }
                ref shape => {
                    return Err(Error::input(
                        "responses with 2 axes (stimuli, units), 3 (regions, ..) or 4 (subjects, regions, ..)",
                        format!("shape {shape:?}"),
                    )
                    .at(name));
                }
            }
        }
        Ok(items)
    };
    attempt().map_err(|e: Error| e.at(path.display()))
}

/// RDMs of one file: squares or condensed vectors.
pub fn rdms(path: &Path) -> Result<Vec<Item>> {
    let source = Source::open(path)?;
    let attempt = || {
        let found = arrays(&source)?;
        let alone = found.len() == 1;
        let mut items = Vec::new();
        let square = |n: usize, values: Vec<f64>| from_square(&Matrix::new(n, n, values)?);
        for (name, array) in &found {
            require_values(array, name)?;
            let shape = array.shape();
            let named = |rdm: Vec<f64>| {
                let (subject, region) = split_name(name, source.stem(), alone);
                Item::new(subject, region, Content::Rdm(rdm))
            };
            match *shape {
                [_] | [1, _] | [_, 1] => items.push(named(array.to_f64())),
                [a, b] if a == b => items.push(named(square(a, array.to_f64())?)),
                [_, .., a, b] if a == b && shape.len() <= 4 => {
                    for (k, block) in blocks(array, 2).into_iter().enumerate() {
                        let (subject, region) = numbered(shape, shape[shape.len() - 3], k, source.stem());
                        let rdm = square(a, block).map_err(|e| e.at(&region))?;
                        items.push(Item::new(subject, region, Content::Rdm(rdm)));
                    }
                }
                [regions, _] | [_, regions, _] => {
                    for (k, block) in blocks(array, 1).into_iter().enumerate() {
                        // Three axes of vectors have subjects first, as four axes of squares have.
                        let axes = if shape.len() == 3 { [1; 4].as_slice() } else { shape };
                        let (subject, region) = numbered(axes, regions, k, source.stem());
                        items.push(Item::new(subject, region, Content::Rdm(block)));
                    }
                }
                _ => {
                    return Err(Error::input(
                        "square RDMs or vectors of n (n - 1) / 2 pairs, with axes for regions and subjects in front",
                        format!("shape {shape:?}"),
                    )
                    .at(name));
                }
            }
        }
        for item in &items {
            item.stimuli().map_err(|e| e.at(item.place()))?;
        }
        Ok(items)
    };
    attempt().map_err(|e: Error| e.at(path.display()))
}

/// A region of a volume: its name and its voxels, indices in C order over depth, height, width.
pub type Mask = (String, Vec<usize>);

/// The regions of a mask volume: its voxels above 0, or one region per value where there are several values. Also the
/// shape (depth, height, width).
pub fn masks(path: &Path) -> Result<([usize; 3], Vec<Mask>)> {
    let volume = read::volume(path)?;
    let [_, d, h, w] = volume.shape;
    let values: Vec<f32> = match &volume.labels {
        Some(l) => l.iter().map(|&v| f32::from(v)).collect(),
        None => volume.values[..d * h * w].to_vec(),
    };
    let stem = Source::open(path)?.stem().to_string();
    let mut kinds: Vec<f32> = values.iter().copied().filter(|v| *v > 0.0).collect();
    kinds.sort_by(f32::total_cmp);
    kinds.dedup();
    let of = |keep: &dyn Fn(f32) -> bool| (0..values.len()).filter(|&i| keep(values[i])).collect::<Vec<_>>();
    let regions = match kinds.as_slice() {
        [] => return Err(Error::input("a voxel above 0", "an empty mask").at(path.display())),
        [_] => vec![(stem, of(&|v| v > 0.0))],
        several if several.len() <= 1000 && several.iter().all(|v| v.fract() == 0.0) => {
            several.iter().map(|&k| (format!("{stem} {k}"), of(&|v| v == k))).collect()
        }
        _ => return Err(Error::input("a mask or whole labels", "fractional values").at(path.display())),
    };
    Ok(([d, h, w], regions))
}

/// The masked voxels of a series of volumes (one per stimulus) as responses, one item per region; the file is the
/// subject.
pub fn masked(path: &Path, shape: [usize; 3], regions: &[Mask]) -> Result<Vec<Item>> {
    let source = Source::open(path)?;
    let volume = read::volume(path)?;
    let [stimuli, d, h, w] = volume.shape;
    if [d, h, w] != shape {
        return Err(Error::input(format!("volumes of shape {shape:?} as the masks"), format!("{:?}", [d, h, w]))
            .at(path.display()));
    }
    regions
        .iter()
        .map(|(name, voxels)| {
            let x = Matrix::from_fn(stimuli, voxels.len(), |i, j| {
                f64::from(volume.values[i * d * h * w + voxels[j]])
            });
            Ok(Item::new(Some(source.stem().to_string()), name.clone(), Content::Responses(x)))
        })
        .collect()
}

/// The areas of a recording as regions. Stimuli are its named samples, or the conditions of the trials of a time series
/// (mean over their steps), or its steps, averaged over equal spans where there are more than `max_stimuli`.
fn recording(r: &Recording, stem: &str, max_stimuli: usize) -> Result<Vec<Item>> {
    r.require_finite()?;
    let named: Vec<(String, (usize, usize))> = match &r.sampling {
        Sampling::Samples(ids) => {
            // Evenly chosen where there are too many; the average of unrelated samples would be no stimulus.
            let n = ids.len().min(max_stimuli);
            (0..n).map(|i| i * ids.len() / n).map(|k| (ids[k].clone(), (k, k + 1))).collect()
        }
        _ => r.trials.iter().filter(|t| t.stop > t.start).map(|t| (t.label.clone(), (t.start, t.stop))).collect(),
    };
    let mut conditions: Vec<(String, Vec<(usize, usize)>)> = Vec::new();
    for (name, span) in named {
        match conditions.iter_mut().find(|(label, _)| *label == name) {
            Some((_, spans)) => spans.push(span),
            None => conditions.push((name, vec![span])),
        }
    }
    let mut labels = None;
    let spans: Vec<Vec<(usize, usize)>> = if conditions.is_empty() {
        let n = r.steps().min(max_stimuli);
        (0..n).map(|i| vec![(i * r.steps() / n, (i + 1) * r.steps() / n)]).collect()
    } else {
        let (names, spans) = conditions.into_iter().unzip();
        labels = Some(names);
        spans
    };
    let mut areas: Vec<String> = Vec::new();
    let area = |u: usize| r.units[u].area.clone().unwrap_or_else(|| "all units".into());
    for u in 0..r.unit_count() {
        if !areas.contains(&area(u)) {
            areas.push(area(u));
        }
    }
    areas
        .into_iter()
        .map(|name| {
            let units: Vec<usize> = (0..r.unit_count()).filter(|&u| area(u) == name).collect();
            let x = Matrix::from_fn(spans.len(), units.len(), |i, j| {
                let row = r.row(units[j]);
                let steps: usize = spans[i].iter().map(|(a, b)| b - a).sum();
                let sum: f64 = spans[i].iter().flat_map(|&(a, b)| &row[a..b]).map(|&v| f64::from(v)).sum();
                sum / steps.max(1) as f64
            });
            Ok(Item { labels: labels.clone(), ..Item::new(Some(stem.into()), name, Content::Responses(x)) })
        })
        .collect()
}

/// Items arranged as subjects x regions.
#[derive(Debug, Clone)]
pub struct Arranged {
    /// Subjects, in order of appearance.
    pub subjects: Vec<String>,
    /// Regions, in order of appearance.
    pub regions: Vec<String>,
    /// Subject-major.
    pub items: Vec<Item>,
    /// What was assumed, in a sentence.
    pub assumed: String,
}

/// Arranges items: as subjects x regions where every subject has the same regions, at least 2; otherwise all as regions
/// of one subject. Fails where the stimuli differ in number or name, and on too many values.
pub fn arrange(items: Vec<Item>) -> Result<Arranged> {
    let Some(first) = items.first() else { return Err(Error::input("at least 1 region", "none")) };
    let stimuli = first.stimuli()?;
    if stimuli < 4 {
        return Err(Error::input("at least 4 stimuli", stimuli.to_string()).at(first.place()));
    }
    if items.len().saturating_mul(stimuli * stimuli / 2) > MAX_VALUES {
        return Err(Error::resources(
            format!("at most {MAX_VALUES} dissimilarities"),
            format!("{} regions of {stimuli} stimuli", items.len()),
        )
        .hint("average or select stimuli"));
    }
    for item in &items {
        if item.stimuli()? != stimuli {
            return Err(Error::input(
                format!("{stimuli} stimuli as in {}", first.place()),
                item.stimuli()?.to_string(),
            )
            .at(item.place()));
        }
        if let (Some(a), Some(b)) = (&first.labels, &item.labels)
            && let Some(k) = (0..a.len().min(b.len())).find(|&k| a[k] != b[k])
        {
            return Err(Error::input(format!("`{}` as stimulus {}", a[k], k + 1), format!("`{}`", b[k]))
                .at(item.place())
                .hint("every subject needs the same stimuli in the same order"));
        }
    }
    let mut subjects: Vec<String> = Vec::new();
    let mut regions: Vec<String> = Vec::new();
    for item in &items {
        let subject = item.subject.clone().unwrap_or_default();
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
        if !regions.contains(&item.region) {
            regions.push(item.region.clone());
        }
    }
    let at = |s: &str, r: &str| {
        let same = |i: &Item| i.subject.as_deref().unwrap_or_default() == s && i.region == r;
        let mut found = items.iter().filter(|i| same(i));
        match (found.next(), found.next()) {
            (Some(item), None) => Some(item.clone()),
            _ => None,
        }
    };
    let table: Option<Vec<Item>> =
        subjects.iter().flat_map(|s| regions.iter().map(move |r| (s, r))).map(|(s, r)| at(s, r)).collect();
    if let Some(sorted) = table
        && regions.len() >= 2
        && sorted.len() == items.len()
    {
        let assumed =
            format!("{} subject{} ({}) with {} regions each", subjects.len(), if subjects.len() == 1 { "" } else { "s" }, named(&subjects), regions.len());
        return Ok(Arranged { subjects, regions, items: sorted, assumed });
    }
    let name = |i: &Item| match &i.subject {
        Some(s) if subjects.len() > 1 => format!("{s}/{}", i.region),
        _ => i.region.clone(),
    };
    let regions: Vec<String> = items.iter().map(name).collect();
    let assumed = format!(
        "one subject with {} regions ({}), because the names do not form a table of subjects x regions",
        regions.len(),
        named(&regions)
    );
    Ok(Arranged { subjects: vec!["subject".into()], regions, items, assumed })
}

fn named(names: &[String]) -> String {
    let shown: Vec<String> = names.iter().take(6).map(|n| format!("`{n}`")).collect();
    if names.len() > 6 { format!("{}, ...", shown.join(", ")) } else { shown.join(", ") }
}
