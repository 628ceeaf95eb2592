//! The user's files: folders of NIfTI or PNG, `.npz` and safetensors become volumes with levels.

use neuropil_core::{Array, Error, Noun, Result, Volume};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{npz, png, safetensors};
use neuropil_data::{Format, Source, read};
use std::path::{Path, PathBuf};

/// Affines that differ by less than this many mm are the same.
const AFFINE_TOLERANCE: f64 = 1e-3;
/// What files of modalities end in.
const ENDINGS: [&str; 3] = [".nii.gz", ".nii", ".png"];

/// Which level each label means.
#[derive(Debug, Clone, PartialEq)]
pub struct LevelMap {
    /// (label, level), levels 0..=C all there.
    pub pairs: Vec<(u16, u16)>,
    /// Names of regions 1..=C.
    pub names: Vec<String>,
}

impl LevelMap {
    /// That of BraTS: edema 2, necrotic and non-enhancing core 1, enhancing tumour 4 (3 in newer releases).
    pub fn brats() -> Self {
        let names = super::experiment::REGIONS.map(String::from).to_vec();
        Self { pairs: vec![(0, 0), (2, 1), (1, 2), (4, 3), (3, 3)], names }
    }

    /// Checks that levels have no gap; label 0 is background unless it says otherwise.
    pub fn new(mut pairs: Vec<(u16, u16)>, names: Option<Vec<String>>) -> Result<Self> {
        if !pairs.iter().any(|p| p.0 == 0) {
            pairs.insert(0, (0, 0));
        }
        let most = pairs.iter().map(|p| p.1).max().unwrap_or(0);
        if !(1..=255).contains(&most) {
            return Err(Error::input("levels from 1 to at most 255", format!("a highest level of {most}")));
        }
        if let Some(gap) = (0..=most).find(|m| !pairs.iter().any(|p| p.1 == *m)) {
            return Err(Error::input(
                format!("a label for every level from 0 to {most}"),
                format!("none for level {gap}"),
            ));
        }
        let names = names.unwrap_or_else(|| (1..=most).map(|m| format!("level >= {m}")).collect());
        if names.len() != usize::from(most) {
            return Err(Error::input(
                format!("{most} names of regions, outermost first"),
                names.len().to_string(),
            ));
        }
        Ok(Self { pairs, names })
    }

    /// Reads `label = level` lines, at the top or under `[levels]`, and optionally `names = [..]`.
    pub fn read(path: &Path) -> Result<Self> {
        let text = read::text(path)?;
        let attempt = || {
            let table: toml::Table = text
                .parse()
                .map_err(|e: toml::de::Error| Error::input("a TOML table", e.message().to_string()))?;
            let names = match table.get("names") {
                None => None,
                Some(toml::Value::Array(a)) => Some(
                    a.iter()
                        .map(|v| v.as_str().map(String::from))
                        .collect::<Option<Vec<_>>>()
                        .ok_or_else(|| Error::input("names of regions as strings", format!("{a:?}")))?,
                ),
                Some(other) => return Err(Error::input("a list of names", other.to_string())),
            };
            let levels = match table.get("levels") {
                Some(toml::Value::Table(t)) => t,
                Some(other) => return Err(Error::input("a table `levels`", other.to_string())),
                None => &table,
            };
            let mut pairs = Vec::new();
            for (key, value) in levels.iter().filter(|(k, _)| *k != "names") {
                let label = key.trim().parse::<u16>().ok();
                let level = value.as_integer().and_then(|v| u16::try_from(v).ok()).filter(|v| *v <= 255);
                match (label, level) {
                    (Some(label), Some(level)) => pairs.push((label, level)),
                    _ => {
                        return Err(Error::input(
                            "lines such as `4 = 3`: label = level",
                            format!("`{key} = {value}`"),
                        ));
                    }
                }
            }
            pairs.sort_unstable();
            Self::new(pairs, names)
        };
        attempt().map_err(|e: Error| e.at(path.display()))
    }

    /// Number of levels above the background.
    pub fn levels(&self) -> usize {
        self.names.len()
    }

    /// Levels of labels; fails on a label that the map does not have.
    pub fn levels_of(&self, labels: &[u16]) -> Result<Vec<u16>> {
        labels
            .iter()
            .map(|l| {
                self.pairs.iter().find(|p| p.0 == *l).map(|p| p.1).ok_or_else(|| {
                    let known: Vec<u16> = self.pairs.iter().map(|p| p.0).collect();
                    Error::input(format!("labels {known:?} of the map of levels"), format!("label {l}"))
                        .hint("`--input levels=levels.toml` gives the level of each label")
                })
            })
            .collect()
    }

    /// Puts the labels that occur most in front, so that answers are written in them.
    pub fn prefer(&mut self, seen: &[u16]) {
        let mut counts = vec![0_usize; self.pairs.len()];
        for l in seen {
            if let Some(k) = self.pairs.iter().position(|p| p.0 == *l) {
                counts[k] += 1;
            }
        }
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.sort_by_key(|k| std::cmp::Reverse(counts[*k]));
        self.pairs = order.into_iter().map(|k| self.pairs[k]).collect();
    }

    /// The label that a level is written as: the first that has it.
    pub fn label_of(&self, level: u16) -> u16 {
        self.pairs.iter().find(|p| p.1 == level).map_or(level, |p| p.0)
    }
}

/// What is read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// Modalities in the order of the channels; empty for those of the first case in alphabetical order.
    pub modalities: Vec<String>,
    /// Names under which labels are looked for.
    pub labels: Vec<String>,
}

/// One case as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Name of the folder or file.
    pub name: String,
    /// Names of the channels.
    pub modalities: Vec<String>,
    /// Channels, geometry and labels as in the file.
    pub volume: Volume,
    /// Where it is.
    pub path: PathBuf,
}

/// All cases under the paths: a folder of case folders, a case folder, or files.
pub fn cases(paths: &[&Path], wanted: &mut Wanted) -> Result<Vec<Read>> {
    let mut found = Vec::new();
    for path in paths {
        let before = found.len();
        if path.is_dir() {
            let entries = entries(path)?;
            if entries.iter().any(|p| is_image(p)) {
                found.push(folder(path, &entries, wanted)?);
            } else {
                for entry in &entries {
                    if entry.is_dir() {
                        let inner = self::entries(entry)?;
                        if inner.iter().any(|p| is_image(p)) {
                            found.push(folder(entry, &inner, wanted)?);
                        }
                    } else if ["npz", "safetensors"]
                        .contains(&neuropil_data::source::extension(&name_of(entry)).as_str())
                    {
                        found.push(file(entry, wanted)?);
                    }
                }
            }
        } else {
            found.push(file(path, wanted)?);
        }
        if found.len() == before {
            return Err(Error::input(
                "folders with one NIfTI file (.nii, .nii.gz) or PNG stack per modality, .npz or safetensors files",
                "none of them",
            )
            .at(path.display()));
        }
    }
    // Files of two folders may have one name.
    for k in 1..found.len() {
        let (before, rest) = found.split_at_mut(k);
        let plain = rest[0].name.clone();
        let mut n = 2;
        while before.iter().any(|c| c.name == rest[0].name) {
            rest[0].name = format!("{plain}_{n}");
            n += 1;
        }
    }
    Ok(found)
}

fn entries(path: &Path) -> Result<Vec<PathBuf>> {
    let listed = std::fs::read_dir(path).map_err(|e| Error::read(path, &e))?;
    let mut all =
        listed.map(|e| e.map(|e| e.path()).map_err(|e| Error::read(path, &e))).collect::<Result<Vec<_>>>()?;
    all.retain(|p| !name_of(p).starts_with('.'));
    all.sort();
    Ok(all)
}

fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned())
}

fn is_png(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("png"))
}

/// A modality's file in a case folder.
fn is_image(path: &Path) -> bool {
    let name = name_of(path).to_ascii_lowercase();
    path.is_file() && ENDINGS.iter().any(|e| name.ends_with(e))
}

/// The modality in a file name (what follows the last `_` or `-`), and the number of a slice.
fn modality(path: &Path) -> (String, Option<u64>) {
    let name = name_of(path);
    let lower = name.to_ascii_lowercase();
    let stem = ENDINGS.iter().find_map(|e| lower.strip_suffix(e)).unwrap_or(&lower);
    let last = |s: &str| s.rsplit(['_', '-']).next().unwrap_or(s).to_string();
    let end = last(stem);
    match (is_png(path), end.parse::<u64>()) {
        (true, Ok(n)) if end.len() < stem.len() => (last(&stem[..stem.len() - end.len() - 1]), Some(n)),
        _ => (end, None),
    }
}

fn require_same(first: (&str, &Volume), other: (&str, &Volume)) -> Result<()> {
    let ((name, a), (other, b)) = (first, other);
    if a.shape[1..] != b.shape[1..] {
        return Err(Error::input(
            format!("shape {:?} as of `{name}`", &a.shape[1..]),
            format!("{:?} of `{other}`", &b.shape[1..]),
        ));
    }
    let far = a.affine.iter().flatten().zip(b.affine.iter().flatten()).map(|(x, y)| (x - y).abs());
    let far = far.fold(0.0, f64::max);
    if far > AFFINE_TOLERANCE || far.is_nan() {
        return Err(Error::input(
            format!("one affine for all modalities, as of `{name}`"),
            format!("one that differs by up to {far:.4} mm in `{other}`"),
        )
        .hint("register and resample the modalities to one grid"));
    }
    Ok(())
}

/// Whole labels from the values of a volume.
fn whole(values: &[f32]) -> Result<Vec<u16>> {
    values
        .iter()
        .map(|&v| {
            if v >= 0.0 && v.fract() == 0.0 && v <= f32::from(u16::MAX) {
                Ok(v as u16)
            } else {
                Err(Error::input("whole labels from 0 to 65535", v.to_string()))
            }
        })
        .collect()
}

/// Channels of named volumes in the wanted order, with labels.
fn assemble(name: String, path: &Path, parts: Vec<(String, Volume)>, wanted: &mut Wanted) -> Result<Read> {
    let attempt = || {
        let is_label = |n: &str| wanted.labels.iter().any(|l| l.eq_ignore_ascii_case(n));
        let (labels, mut images): (Vec<_>, Vec<_>) = parts.into_iter().partition(|(n, _)| is_label(n));
        if labels.len() > 1 {
            let names: Vec<&String> = labels.iter().map(|l| &l.0).collect();
            return Err(Error::input("one volume of labels", format!("{names:?}")));
        }
        images.sort_by(|a, b| a.0.cmp(&b.0));
        if wanted.modalities.is_empty() {
            wanted.modalities = images.iter().map(|i| i.0.clone()).collect();
        }
        let mut channels = Vec::new();
        let mut names = Vec::new();
        let Some(first) = wanted.modalities.first() else {
            return Err(Error::input("at least 1 modality", "labels only"));
        };
        for m in &wanted.modalities {
            let image = images.iter().find(|i| i.0.eq_ignore_ascii_case(m)).ok_or_else(|| {
                let there: Vec<&String> = images.iter().map(|i| &i.0).collect();
                Error::input(format!("modality `{m}`"), format!("modalities {there:?}"))
            })?;
            let leading = images.iter().find(|i| i.0.eq_ignore_ascii_case(first)).unwrap_or(image);
            require_same((&leading.0, &leading.1), (m, &image.1))?;
            channels.extend_from_slice(&image.1.values);
            names.extend(
                (0..image.1.shape[0])
                    .map(|c| if image.1.shape[0] > 1 { format!("{m} {c}") } else { m.clone() }),
            );
        }
        let leading = images.iter().find(|i| i.0.eq_ignore_ascii_case(first));
        let Some((leading_name, leading)) = leading else {
            return Err(Error::input("at least 1 modality", "none"));
        };
        let [_, d, h, w] = leading.shape;
        let mut volume = Volume::new([names.len(), d, h, w], channels, leading.voxel_mm)?;
        volume.affine = leading.affine;
        volume.labels.clone_from(&leading.labels);
        if let Some((label, labels)) = labels.first() {
            require_same((leading_name, leading), (label, labels))?;
            let values = match &labels.labels {
                Some(l) => l.clone(),
                None => whole(&labels.values[..d * h * w]).map_err(|e| e.at(label))?,
            };
            volume.labels = Some(values);
        }
        Ok((names, volume))
    };
    let (modalities, volume) = attempt().map_err(|e: Error| e.at(path.display()))?;
    Ok(Read { name, modalities, volume, path: path.to_path_buf() })
}

/// A folder with one file, or one stack of PNG slices, per modality.
fn folder(path: &Path, entries: &[PathBuf], wanted: &mut Wanted) -> Result<Read> {
    let mut parts: Vec<(String, Volume)> = Vec::new();
    let mut stacks: Vec<(String, Vec<(u64, &PathBuf)>)> = Vec::new();
    for entry in entries.iter().filter(|p| is_image(p)) {
        let (name, slice) = modality(entry);
        if is_png(entry) {
            let slice = (slice.unwrap_or(0), entry);
            match stacks.iter_mut().find(|s| s.0 == name) {
                Some(stack) => stack.1.push(slice),
                None => stacks.push((name, vec![slice])),
            }
        } else {
            if parts.iter().any(|p| p.0 == name) {
                return Err(
                    Error::input(format!("one file of modality `{name}`"), "several").at(path.display())
                );
            }
            parts.push((name, read::volume(entry)?));
        }
    }
    for (name, mut slices) in stacks {
        slices.sort();
        let planes = slices
            .iter()
            .map(|(_, p)| {
                let image =
                    Source::open(p).and_then(|s| png::parse(&s.bytes)).map_err(|e| e.at(p.display()))?;
                match *image.shape() {
                    [1, h, w] => Ok(([h, w], image.to_f32())),
                    [c, ..] => Err(Error::input("grey slices", format!("{c} channels")).at(p.display())),
                    ref other => Err(Error::Internal(format!("an image of shape {other:?}"))),
                }
            })
            .collect::<Result<Vec<_>>>()?;
        let [h, w] = planes[0].0;
        if let Some(k) = planes.iter().position(|p| p.0 != [h, w]) {
            return Err(Error::input(format!("slices of {h} x {w} pixels"), format!("{:?}", planes[k].0))
                .at(slices[k].1.display()));
        }
        let values = planes.iter().flat_map(|p| p.1.iter().copied()).collect();
        parts.push((name, Volume::new([1, planes.len(), h, w], values, [1.0; 3])?));
    }
    assemble(name_of(path), path, parts, wanted)
}

/// One file with all channels.
fn file(path: &Path, wanted: &mut Wanted) -> Result<Read> {
    let source = Source::open(path)?;
    let attempt = || match source.format()? {
        Format::Npz => {
            let mut parts = Vec::new();
            let mut voxel = [1.0; 3];
            for (name, value) in npz::parse(&source.bytes)? {
                let Value::Numbers(array) = value else { continue };
                if name == "voxel_mm" {
                    voxel = array.to_f64().try_into().map_err(|_e| {
                        Error::input("3 voxel sizes", format!("shape {:?}", array.shape())).at("voxel_mm")
                    })?;
                    continue;
                }
                parts.push((name.clone(), stack(&array).map_err(|e| e.at(&name))?));
            }
            for (_, v) in &mut parts {
                *v = Volume::new(v.shape, std::mem::take(&mut v.values), voxel)?;
            }
            Ok(parts)
        }
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            if store.kind != Volume::KIND {
                return Err(Error::input("a volume", format!("a `{}` file", store.kind)));
            }
            Ok(vec![("values".into(), Volume::from_store(&store)?)])
        }
        _ => Ok(vec![("values".into(), read::volume_of(&source)?)]),
    };
    let parts = attempt().map_err(|e: Error| e.at(path.display()))?;
    assemble(source.stem().to_string(), path, parts, wanted)
}

/// An array [h, w], [d, h, w] or [channels, d, h, w] as a volume.
fn stack(array: &Array) -> Result<Volume> {
    let shape = match *array.shape() {
        [h, w] => [1, 1, h, w],
        [d, h, w] => [1, d, h, w],
        [c, d, h, w] => [c, d, h, w],
        ref other => {
            return Err(Error::input(
                "2 to 4 axes ([channels,] [depth,] height, width)",
                format!("shape {other:?}"),
            ));
        }
    };
    Volume::new(shape, array.to_f32(), [1.0; 3])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_files_tell_the_modality() {
        for (name, want) in [
            ("Brats18_2013_2_1_t1ce.nii.gz", ("t1ce", None)),
            ("BraTS-GLI-00000-000-t2w.nii.gz", ("t2w", None)),
            ("FLAIR.nii", ("flair", None)),
            ("cell_dapi_0012.png", ("dapi", Some(12))),
            ("dapi.png", ("dapi", None)),
            ("7.png", ("7", None)),
        ] {
            assert_eq!(modality(Path::new(name)), (want.0.to_string(), want.1), "{name}");
        }
    }

    #[test]
    fn maps_of_levels() -> Result<()> {
        let dir = std::env::temp_dir().join(format!("neuropil-levels-{}", std::process::id()));
        std::fs::create_dir_all(&dir).map_err(|e| Error::write(&dir, &e))?;
        let path = dir.join("levels.toml");
        let read = |text: &str| {
            std::fs::write(&path, text).map_err(|e| Error::write(&path, &e))?;
            LevelMap::read(&path)
        };
        let map = read("names = [\"cell\", \"nucleus\"]\n[levels]\n7 = 1\n3 = 2\n9 = 2\n")?;
        assert_eq!(map.levels_of(&[0, 7, 9, 3])?, [0, 1, 2, 2]);
        assert_eq!((map.levels(), map.label_of(2)), (2, 3));
        assert_eq!(read("1 = 1")?.names, ["level >= 1"]);
        for bad in
            ["1 = 1\n2 = 3", "1 = 0", "x = 1", "1 = -1", "1 = \"a\"", "1 = ", "1 = 1\nnames = [\"a\", \"b\"]"]
        {
            assert_eq!(read(bad).map_err(|e| e.exit_code()), Err(3), "{bad}");
        }
        let mut brats = LevelMap::brats();
        assert_eq!((brats.label_of(3), brats.levels_of(&[5]).map_err(|e| e.exit_code())), (4, Err(3)));
        brats.prefer(&[3, 3, 1]);
        assert_eq!(brats.label_of(3), 3);
        std::fs::remove_dir_all(&dir).map_err(|e| Error::write(&dir, &e))
    }
}
