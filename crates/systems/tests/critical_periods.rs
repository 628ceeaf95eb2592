//! System 43 through its smoke preset and on files: mechanics, not claims.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its shared parts too")]

use neuropil_core::{Array, Error};
use neuropil_data::formats::npy;
use neuropil_experiment::{Entry, Profile, RunOptions, execute};
use neuropil_systems::theory::critical_periods::CriticalPeriods;
use std::path::{Path, PathBuf};

fn entry() -> Entry {
    Entry::of::<CriticalPeriods>()
}

fn smoke(out: &Path) -> RunOptions {
    RunOptions { profile: Profile::Smoke, out: out.into(), ..RunOptions::default() }
}

fn on(out: &Path, input: &[&Path], set: &[&str]) -> RunOptions {
    let names = ["matrix", "pretrain"];
    let input = input.iter().zip(names).map(|(p, role)| format!("{role}={}", p.display())).collect();
    RunOptions { input, set: set.iter().map(ToString::to_string).collect(), ..smoke(out) }
}

/// The report without what may differ between runs.
fn results(folder: &Path) -> serde_json::Value {
    let text = std::fs::read_to_string(folder.join("report.json")).unwrap();
    let mut report: serde_json::Value = serde_json::from_str(&text).unwrap();
    for key in ["manifest", "speed", "wall_s", "cpu_s", "peak_mem_mb"] {
        report.as_object_mut().unwrap().remove(key);
    }
    report
}

#[test]
fn smoke_run_leaves_claims_figures_and_tables() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = execute(&entry(), &smoke(dir.path())).unwrap();
    let ids: Vec<&str> = outcome.report.claims.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["early_gate", "late_gate", "equations", "damage_depth_2", "damage_depth_1"]);
    assert!(outcome.report.claims.iter().all(|c| c.value.is_some()));
    let equations = outcome.report.claims.iter().find(|c| c.id == "equations").unwrap();
    assert!(equations.value.unwrap() < 1e-9, "the network must follow its equations at any size");
    for file in [
        "figures/path_strengths.svg",
        "figures/phase_portrait.svg",
        "figures/damage_curve.svg",
        "figures/singular_values.svg",
        "tables/final_errors.csv",
        "path_strengths.csv",
        "singular_values.csv",
    ] {
        assert!(outcome.folder.join(file).exists(), "{file}");
    }
}

#[test]
fn threads_and_interruptions_change_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let whole = results(&execute(&entry(), &smoke(&dir.path().join("whole"))).unwrap().folder);
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let out = dir.path().join(format!("threads {threads}"));
        let outcome = pool.install(|| execute(&entry(), &smoke(&out))).unwrap();
        assert_eq!(results(&outcome.folder), whole, "{threads} threads");
    }
    for n in [0, 1, 3] {
        let out = dir.path().join(format!("stopped {n}"));
        let stopped = RunOptions { interrupt_after: Some(n), ..smoke(&out) };
        assert_eq!(execute(&entry(), &stopped).unwrap_err(), Error::Interrupted, "{n}");
        let resumed = RunOptions { resume: Some(None), ..smoke(&out) };
        assert_eq!(results(&execute(&entry(), &resumed).unwrap().folder), whole, "stopped at {n}");
    }
}

fn example(dir: &Path) -> [PathBuf; 3] {
    (entry().example)(dir).unwrap();
    ["matrix.csv", "pretrain.csv", "table.csv"].map(|f| dir.join(f))
}

#[test]
fn the_example_runs_in_all_three_ways() {
    let dir = tempfile::tempdir().unwrap();
    let [matrix, pretrain, table] = example(dir.path());
    let out = dir.path().join("runs");
    let two = execute(&entry(), &on(&out, &[&matrix, &pretrain], &[])).unwrap();
    for key in ["error_depth_1_switch_0", "error_depth_2_switch_200"] {
        assert!(two.report.metrics[key].as_f64().unwrap() > 0.0, "{key}");
    }
    assert!(two.folder.join("figures/damage_curve.svg").exists());
    let one = execute(&entry(), &on(&out, &[&matrix], &["completion.visible_fraction=0.3"])).unwrap();
    assert!(one.report.notes.iter().any(|n| n.contains("30 %")), "{:?}", one.report.notes);
    let paths = execute(&entry(), &on(&out, &[&table], &["paths.epochs=400"])).unwrap();
    assert!(paths.report.metrics["share_start_0"].as_f64().unwrap() > 0.6);
    assert!(paths.folder.join("path_strengths.csv").exists());
}

#[test]
fn a_complete_matrix_from_npy_is_the_same_as_from_csv() {
    let dir = tempfile::tempdir().unwrap();
    let values: Vec<f64> =
        (0..120).map(|i| if i % 3 == 0 { f64::NAN } else { f64::from(i % 7) - 2.5 }).collect();
    let (a, b) = (dir.path().join("m.npy"), dir.path().join("m.csv"));
    npy::write(&a, &Array::from_f64(&[10, 12], &values).unwrap()).unwrap();
    let rows: Vec<String> = values
        .chunks(12)
        .map(|r| {
            r.iter()
                .map(|v| if v.is_nan() { String::new() } else { v.to_string() })
                .collect::<Vec<_>>()
                .join(",")
        })
        .collect();
    std::fs::write(&b, rows.join("\n")).unwrap();
    let run = |p: &Path| execute(&entry(), &on(&dir.path().join("runs"), &[p], &[])).unwrap().report.metrics;
    assert_eq!(run(&a), run(&b));
}

#[test]
fn bad_inputs_are_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let [matrix, pretrain, table] = example(dir.path());
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    };
    let small = write("small.csv", "1,2,nan\n3,4,5\n");
    let empty = write("empty.csv", "");
    let missing = write("missing.csv", "nan,nan\nnan,nan\n");
    let infinite = write("infinite.csv", "1,2\ninf,nan\n");
    let words = write("words.csv", "a,b\nc,d\ne,f\n");
    let zeros = write("zeros.csv", "0,0\n0,nan\n");
    let lonely = write("lonely.csv", "3,nan\nnan,nan\n");
    let out = dir.path().join("runs");
    let fails = |input: &[&Path], set: &[&str], code: u8, text: &str| {
        let e = execute(&entry(), &on(&out, input, set)).unwrap_err();
        assert!(e.exit_code() == code && e.to_string().contains(text), "{input:?} {set:?}: {e}");
    };
    fails(&[&matrix, &small], &[], 3, "30 rows x 24 columns");
    fails(&[&empty], &[], 3, "");
    fails(&[&missing], &[], 3, "all 4 missing");
    fails(&[&matrix, &missing], &[], 3, "");
    fails(&[&infinite], &[], 3, "row 1, column 0");
    fails(&[&words], &[], 3, "");
    fails(&[&zeros], &[], 3, "zeros only");
    fails(&[&lonely], &[], 3, "at least 2 known entries");
    fails(&[dir.path()], &[], 3, "");
    fails(&[&dir.path().join("nowhere.csv")], &[], 3, "");
    fails(&[&matrix], &["task=paths"], 3, "missing entries");
    fails(&[&table, &pretrain], &["task=paths"], 2, "pretrain");
    fails(&[&table], &["paths.width=3"], 2, "hidden units");
    fails(&[&table], &["paths.deficit=gate_mode", "paths.mode=80"], 2, "feature below");
    fails(&[&matrix], &["completion.depths=[0]"], 2, "completion.depths");
    fails(&[&matrix], &["completion.lr=500"], 2, "top singular value");
    fails(&[&table], &["paths.lr=9"], 2, "at step");
    fails(&[&matrix], &["completion.lr=-1"], 2, "completion.lr");
    fails(&[&matrix], &["completion.switches=[5,5]"], 2, "completion.switches");
    fails(&[&matrix], &["paths.deficit=sleep"], 2, "gate_path");
}

#[test]
fn too_few_entries_are_called_not_identifiable() {
    let dir = tempfile::tempdir().unwrap();
    let [matrix, ..] = example(dir.path());
    let notes = |rank: &str| {
        execute(&entry(), &on(&dir.path().join("runs"), &[&matrix], &[rank])).unwrap().report.notes.join("\n")
    };
    assert!(notes("completion.rank=9").contains("Not identifiable"));
    assert!(!notes("completion.rank=2").contains("Not identifiable"));
}
