//! Topological RSA on files: layouts, recordings of other systems, and what is refused.
#![allow(missing_docs, clippy::expect_used)]

use neuropil_core::{ActivityKind, Array, Noun, Recording, Report, Result, Sampling, Trial, Unit};
use neuropil_data::formats::npy;
use neuropil_experiment::{Entry, Profile, RunOptions, execute};
use neuropil_systems::compare::trsa::Trsa;
use std::path::{Path, PathBuf};

fn run(dir: &Path, input: &[String], set: &[&str]) -> Result<Report> {
    let options = RunOptions {
        out: dir.join("runs"),
        input: input.to_vec(),
        set: ["bootstraps=10", "grid_steps=5"].iter().chain(set).map(ToString::to_string).collect(),
        ..RunOptions::default()
    };
    Ok(execute(&Entry::of::<Trsa>(), &options)?.report)
}

fn file(dir: &Path, name: &str, text: &str) -> PathBuf {
    let path = dir.join(name);
    std::fs::write(&path, text).expect("writes");
    path
}

fn arg(role: &str, path: &Path) -> String {
    format!("{role}={}", path.display())
}

/// Points on a circle (region `ring`) and a line (region `line`), with a seed for each subject.
fn table(region: &str, subject: usize) -> String {
    let row = |i: u32| {
        let t = f64::from(i) / 8.0 * std::f64::consts::TAU;
        let wobble = 0.05 * (f64::from(i + 1) * (subject + 1) as f64).sin();
        let (x, y) = if region == "ring" { (t.cos(), t.sin()) } else { (t, 0.1 * f64::from(i * i)) };
        format!("{},{},{}", x + wobble, y - wobble, x + y)
    };
    (0..8).map(row).collect::<Vec<_>>().join("\n")
}

#[test]
fn tables_named_after_subject_and_region_are_identified() {
    let dir = tempfile::tempdir().expect("tempdir");
    let mut input = Vec::new();
    for s in 0..4 {
        for region in ["ring", "line"] {
            input.push(arg("responses", &file(dir.path(), &format!("s{s}_{region}.csv"), &table(region, s))));
        }
    }
    let report = run(dir.path(), &input, &[]).expect("runs");
    assert_eq!(report.metrics["subjects"], 4.0);
    assert_eq!(report.metrics["accuracy_rank_rdm"], 1.0);
    assert_eq!(report.metrics["accuracy_nested"], 1.0);
    assert!(report.artifacts.iter().any(|a| a == "statistics.npz"));
    // Three subjects: identified, but nothing is chosen on the others.
    let report = run(dir.path(), &input[..6], &[]).expect("runs");
    assert!(
        report.metrics.contains_key("accuracy_rank_rdm") && !report.metrics.contains_key("accuracy_nested")
    );
    // One subject: regions are compared, and the note says why.
    let report = run(dir.path(), &input[..2], &[]).expect("runs");
    assert!(!report.metrics.contains_key("accuracy_rank_rdm"));
    assert!(report.notes.iter().any(|n| n.contains("at least 3 subjects")), "{:?}", report.notes);
}

#[test]
fn squares_vectors_and_stacks_of_rdms_are_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let d =
        |i: usize, j: usize, k: usize| ((i.abs_diff(j).pow(2) * (k + 2)) % 11) as f64 + i.abs_diff(j) as f64;
    let square = |k: usize| (0..6).flat_map(move |i| (0..6).map(move |j| d(i, j, k))).collect::<Vec<f64>>();
    let vector =
        |k: usize| (0..6).flat_map(move |i| (i + 1..6).map(move |j| d(i, j, k))).collect::<Vec<f64>>();
    let save = |name: &str, shape: &[usize], values: Vec<f64>| {
        let path = dir.path().join(name);
        npy::write(&path, &Array::from_f64(shape, &values).expect("shape")).expect("writes");
        arg("rdms", &path)
    };
    let squares = save("squares.npy", &[3, 2, 6, 6], (0..6).flat_map(square).collect());
    let vectors = save("vectors.npy", &[3, 2, 15], (0..6).flat_map(vector).collect());
    let a = run(dir.path(), &[squares], &[]).expect("runs");
    let b = run(dir.path(), &[vectors], &[]).expect("runs");
    assert_eq!(a.metrics, b.metrics);
    assert_eq!((a.metrics["subjects"].clone(), a.metrics["regions"].clone()), (3.0.into(), 2.0.into()));
}

fn recording(shift: f32, labels: Option<[&str; 4]>) -> Recording {
    let units = ["V1", "V1", "V2", "V2"]
        .iter()
        .enumerate()
        .map(|(k, a)| Unit { area: Some((*a).into()), ..Unit::named(k.to_string()) })
        .collect();
    let activity =
        (0..4_u8).flat_map(|u| (0..20_u8).map(move |t| (f32::from(t * (u + 1)) * 0.7 + shift).sin()));
    let sampling = Sampling::Rate { hz: 10.0, start_s: 0.0 };
    let mut r = Recording::new(ActivityKind::Rate, sampling, units, activity.collect()).expect("fits");
    if let Some(labels) = labels {
        r.trials = labels
            .iter()
            .enumerate()
            .map(|(k, l)| Trial { start: 5 * k, stop: 5 * k + 5, label: (*l).into() })
            .collect();
    }
    r
}

#[test]
fn recordings_give_areas_as_regions_and_trials_or_spans_as_stimuli() {
    let dir = tempfile::tempdir().expect("tempdir");
    let save = |name: &str, r: &Recording| {
        let path = dir.path().join(name);
        r.save(&path).expect("saves");
        arg("responses", &path)
    };
    let labels = Some(["a", "b", "c", "d"]);
    let files: Vec<String> = (0..4_u8)
        .map(|s| save(&format!("mouse{s}.safetensors"), &recording(f32::from(s) * 0.05, labels)))
        .collect();
    let report = run(dir.path(), &files, &[]).expect("runs");
    assert_eq!(
        (report.metrics["subjects"].clone(), report.metrics["stimuli"].clone()),
        (4.0.into(), 4.0.into())
    );
    assert!(report.metrics.contains_key("accuracy_nested"));
    // Without trials the steps are the stimuli, averaged over spans where there are too many.
    let plain = save("plain.safetensors", &recording(0.0, None));
    let steps = run(dir.path(), std::slice::from_ref(&plain), &[]).expect("runs");
    assert_eq!(steps.metrics["stimuli"], 20.0);
    let spans = run(dir.path(), &[plain], &["max_stimuli=7"]).expect("runs");
    assert_eq!(spans.metrics["stimuli"], 7.0);
    // Another order of conditions is refused.
    let other = save("other.safetensors", &recording(0.0, Some(["a", "c", "b", "d"])));
    let error = run(dir.path(), &[files[0].clone(), other], &[]).expect_err("order");
    assert!(error.exit_code() == 3 && error.to_string().contains("stimulus 2"), "{error}");
}

#[test]
fn recordings_saved_by_the_memory_of_the_hippocampus_are_read() {
    use neuropil_systems::simulate::hippocampal_cam::HippocampalCam;
    let dir = tempfile::tempdir().expect("tempdir");
    let options =
        RunOptions { out: dir.path().join("cam"), profile: Profile::Smoke, ..RunOptions::default() };
    let done = execute(&Entry::of::<HippocampalCam>(), &options).expect("runs");
    let saved: Vec<String> = done
        .report
        .artifacts
        .iter()
        .filter(|a| a.starts_with("activity"))
        .map(|a| arg("responses", &done.folder.join(a)))
        .collect();
    assert!(!saved.is_empty());
    let report = run(dir.path(), &saved[..1], &[]).expect("runs");
    assert!(report.notes.iter().any(|n| n.starts_with("Read as")), "{:?}", report.notes);
    // Every operation is a stimulus, although the trials have three labels.
    assert!(report.metrics["stimuli"].as_f64() >= Some(9.0), "{:?}", report.metrics);
    assert!(!report.figure_data.is_empty());
}

#[test]
fn unfit_inputs_are_refused_with_their_place() {
    let dir = tempfile::tempdir().expect("tempdir");
    let csv = |name: &str, text: &str| file(dir.path(), name, text);
    let square = |f: &dyn Fn(usize, usize) -> f64| -> String {
        (0..5).map(|i| (0..5).map(|j| f(i, j).to_string()).collect::<Vec<_>>().join(",") + "\n").collect()
    };
    let far = |i: usize, j: usize| i.abs_diff(j) as f64;
    let good = square(&far);
    let cases = [
        (
            "rdms",
            "asymmetric.csv",
            square(&|i, j| far(i, j) + if i == 0 && j == 3 { 1.0 } else { 0.0 }),
            "symmetric",
        ),
        ("rdms", "negative.csv", square(&|i, j| -far(i, j)), "at least 0"),
        ("rdms", "diagonal.csv", square(&|i, j| far(i, j) + 1.0), "diagonal"),
        ("rdms", "constant.csv", square(&|i, j| f64::from(u8::from(i != j))), "vary"),
        ("rdms", "nan.csv", good.replace('4', "nan"), "finite"),
        ("responses", "few.csv", "1,2\n3,4\n5,7\n".into(), "4 stimuli"),
        ("responses", "nan2.csv", "1,2\n3,nan\n5,7\n4,4\n".into(), "finite"),
        ("responses", "same.csv", "1,2\n1,2\n1,2\n1,2\n".into(), "differ between stimuli"),
    ];
    for (role, name, text, expected) in cases {
        let error = run(dir.path(), &[arg(role, &csv(name, &text))], &[]).expect_err(name);
        assert!(error.exit_code() == 3 && error.to_string().contains(expected), "{name}: {error}");
    }
    let one = arg("responses", &csv("one.csv", "1\n2\n4\n8\n9\n"));
    let error =
        run(dir.path(), std::slice::from_ref(&one), &["dissimilarity=\"correlation\""]).expect_err("1 unit");
    assert!(error.exit_code() == 3 && error.to_string().contains("2 units"), "{error}");
    run(dir.path(), std::slice::from_ref(&one), &[]).expect("one unit has Euclidean distances");
    let more = arg("responses", &csv("more.csv", "1\n2\n4\n8\n9\n7\n"));
    let error = run(dir.path(), &[one.clone(), more], &[]).expect_err("stimuli differ");
    assert!(error.exit_code() == 3 && error.to_string().contains("5 stimuli"), "{error}");
    let model = arg("models", &csv("model.csv", &square(&|i, j| far(i, j))));
    run(dir.path(), &[one.clone(), model], &[]).expect("a model of 5 stimuli");
    let error = run(dir.path(), &[one], &["grid_steps=0"]).expect_err("config");
    assert_eq!(error.exit_code(), 2);
    let error = run(dir.path(), &[arg("models", &csv("alone.csv", &good))], &[]).expect_err("no responses");
    assert_eq!(error.exit_code(), 2);
}

#[test]
fn layers_of_networks_are_regions() {
    let dir = tempfile::tempdir().expect("tempdir");
    let set = [
        "sources=[\"digits\"]",
        "subjects=4",
        "stimuli=30",
        "train_images=600",
        "noise=[0.0]",
        "bootstraps=10",
    ];
    let options = RunOptions {
        out: dir.path().to_path_buf(),
        profile: Profile::Smoke,
        set: set.map(String::from).to_vec(),
        ..RunOptions::default()
    };
    let report = execute(&Entry::of::<Trsa>(), &options).expect("runs").report;
    // Ten classes: a network that learned nothing has 0.1.
    assert!(report.metrics["digits_network_accuracy"].as_f64() > Some(0.6), "{:?}", report.metrics);
    // Layers differ in the size of their responses, which a raw RDM takes for the region.
    assert!(report.metrics["digits_raw_rdm"].as_f64() > Some(0.8), "{:?}", report.metrics);
    let table = report.tables.iter().find(|t| t.name == "digits_paired").expect("paired differences");
    assert_eq!(table.rows.len(), 3);
}
