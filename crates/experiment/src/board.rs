//! The scoreboard: every claim found in the run folders.

use neuropil_core::{Error, Manifest, Report, Result, files};
use neuropil_plot::BoardRow;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// All claims under `root`, and what could not be read. The newest run of each (system, profile, settings, seed)
/// counts; seeds are then merged into one row: the median value, the range as interval, passed if every seed passed.
pub fn collect(root: &Path) -> Result<(Vec<BoardRow>, Vec<Error>)> {
    let mut problems = Vec::new();
    let mut newest: BTreeMap<(String, String, u64), (u64, Vec<BoardRow>)> = BTreeMap::new();
    for folder in run_folders(root)? {
        match read(&folder) {
            Ok((report, manifest)) => {
                let mut profile = report.profile.clone();
                if !manifest.overrides.is_empty() {
                    profile = format!("{profile} ({})", manifest.overrides.join(", "));
                }
                let mut rows = BoardRow::from_report(&report, &folder.display().to_string());
                for row in &mut rows {
                    row.profile.clone_from(&profile);
                }
                let key = (report.system.clone(), profile, report.seed);
                // Folder names start with the time, so a later folder of the same second also wins.
                let started = manifest.started_unix_s;
                if newest.get(&key).is_none_or(|(t, _)| *t <= started) {
                    newest.insert(key, (started, rows));
                }
            }
            Err(e) => problems.push(e),
        }
    }
    Ok((merge(newest.into_values().flat_map(|(_, rows)| rows)), problems))
}

/// Merges rows that differ only in the seed, in the order of wing, number, profile and first appearance.
pub fn merge(rows: impl Iterator<Item = BoardRow>) -> Vec<BoardRow> {
    let mut groups: Vec<(BoardRow, Vec<BoardRow>)> = Vec::new();
    for row in rows {
        let same = |g: &&mut (BoardRow, Vec<BoardRow>)| {
            (&g.0.system, &g.0.profile, &g.0.claim) == (&row.system, &row.profile, &row.claim)
        };
        match groups.iter_mut().find(same) {
            Some(group) => group.1.push(row),
            None => groups.push((row.clone(), vec![row])),
        }
    }
    let mut merged: Vec<BoardRow> = groups
        .into_iter()
        .map(|(first, members)| {
            if members.len() == 1 {
                return first;
            }
            let mut values: Vec<f64> = members.iter().filter_map(|m| m.value).collect();
            values.sort_by(f64::total_cmp);
            let complete = values.len() == members.len();
            let middle = values.len() / 2;
            let median = if values.len().is_multiple_of(2) && middle > 0 {
                f64::midpoint(values[middle - 1], values[middle])
            } else {
                values.get(middle).copied().unwrap_or(f64::NAN)
            };
            let mut seeds: Vec<u64> = members.iter().flat_map(|m| m.seeds.clone()).collect();
            seeds.sort_unstable();
            BoardRow {
                value: complete.then_some(median),
                interval: complete.then(|| [values[0], values[values.len() - 1]]),
                passed: members.iter().all(|m| m.passed),
                seeds,
                ..first
            }
        })
        .collect();
    let wing = |r: &BoardRow| crate::Wing::ALL.iter().position(|w| w.name() == r.wing);
    merged.sort_by(|a, b| (wing(a), a.number, &a.profile).cmp(&(wing(b), b.number, &b.profile)));
    merged
}

/// Reads rows written by `board --json`.
pub fn read_rows(path: &Path) -> Result<Vec<BoardRow>> {
    let bytes = files::read_limited(path, 64 << 20)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::input("a scoreboard file", e.to_string()).at(path.display()))
}

fn run_folders(root: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for system in sorted_folders(root).map_err(|e| Error::read(root, &e))? {
        // A folder that cannot be listed holds no run of ours.
        found.extend(
            sorted_folders(&system)
                .unwrap_or_default()
                .into_iter()
                .filter(|f| f.join("report.json").is_file()),
        );
    }
    Ok(found)
}

fn sorted_folders(path: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut folders: Vec<PathBuf> =
        std::fs::read_dir(path)?.filter_map(|e| e.ok().map(|e| e.path())).filter(|p| p.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

fn read(folder: &Path) -> Result<(Report, Manifest)> {
    let path = folder.join("report.json");
    let bytes = files::read_limited(&path, 256 << 20)?;
    let broken = |e: serde_json::Error| Error::input("a run report", e.to_string()).at(path.display());
    let report: Report = serde_json::from_slice(&bytes).map_err(broken)?;
    let manifest: Manifest = serde_json::from_value(report.manifest.clone()).map_err(broken)?;
    Ok((report, manifest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_merge_into_median_and_range() {
        let row = |seed: u64, value: f64, passed: bool| BoardRow {
            system: "x".into(),
            claim: "c".into(),
            value: Some(value),
            passed,
            seeds: vec![seed],
            ..BoardRow::default()
        };
        let merged = merge([row(2, 5.0, true), row(1, 1.0, true), row(3, 2.0, false)].into_iter());
        assert_eq!(merged.len(), 1);
        assert_eq!(
            (merged[0].value, merged[0].interval, merged[0].passed),
            (Some(2.0), Some([1.0, 5.0]), false)
        );
        assert_eq!(merged[0].seeds, [1, 2, 3]);
    }
}
