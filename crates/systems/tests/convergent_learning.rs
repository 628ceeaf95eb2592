//! System 12 through its smoke preset, on populations of known correspondence, and on files: mechanics, invariants, and what
//! is refused.

#![allow(clippy::unwrap_used, reason = "a test may panic, in its shared parts too")]

use neuropil_core::{
    ActivityKind, Array, Error, Noun, Recording, Report, Result, Sampling, Stream, Streams, Trial, Unit,
};
use neuropil_data::formats::npy::{self, Value};
use neuropil_data::formats::npz;
use neuropil_experiment::{Entry, Profile, RunOptions, System as _, execute};
use neuropil_systems::interpret::convergent_learning::ConvergentLearning;
use neuropil_systems::interpret::convergent_learning::comparison::Comparison;
use neuropil_systems::interpret::convergent_learning::resampling::resample;
use neuropil_systems::interpret::convergent_learning::samples::{Blocks, Layer, Population};
use neuropil_systems::interpret::convergent_learning::synthetic::{Kind, Synthetic};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn entry() -> Entry {
    Entry::of::<ConvergentLearning>()
}

fn config() -> ConvergentLearning {
    ConvergentLearning::preset(Profile::Smoke)
}

fn smoke(out: &Path) -> RunOptions {
    RunOptions { profile: Profile::Smoke, out: out.into(), ..RunOptions::default() }
}

/// The report without what may differ between runs.
fn results(report: &Report) -> serde_json::Value {
    let mut value = serde_json::to_value(report).unwrap();
    for key in ["manifest", "speed", "wall_s", "cpu_s", "peak_mem_mb"] {
        value.as_object_mut().unwrap().remove(key);
    }
    value
}

fn on(dir: &Path, files: &[PathBuf], set: &[&str]) -> Result<(Report, PathBuf)> {
    let input = files.iter().map(|f| format!("activity={}", f.display())).collect();
    let set = ["bootstraps=4", "random_clusters=2"].iter().chain(set).map(ToString::to_string).collect();
    let outcome = execute(&entry(), &RunOptions { input, set, ..smoke(&dir.join("runs")) })?;
    Ok((outcome.report, outcome.folder))
}

fn refused(dir: &Path, files: &[PathBuf], set: &[&str], code: u8, text: &str) {
    let error: Error = on(dir, files, set).unwrap_err();
    let shown = format!("{error} {:?}", error.mismatch().and_then(|m| m.hint.clone()));
    assert_eq!(error.exit_code(), code, "{shown}");
    assert!(shown.contains(text), "{shown} lacks `{text}`");
}

fn random(samples: usize, units: usize, stream: &mut Stream) -> Vec<f32> {
    stream.normals_f32(samples * units).into_iter().map(|v| v.max(0.0)).collect()
}

/// Two populations: units of the second are those of the first in reverse order, with gains and a little noise.
fn reversed(samples: usize, units: usize) -> (Vec<f32>, Vec<f32>) {
    let mut s = Streams::new(3).stream("reversed", 0);
    let a = random(samples, units, &mut s);
    let b = a
        .chunks_exact(units)
        .flat_map(|row| row.iter().rev().enumerate().map(|(k, v)| v * (k + 1) as f32).collect::<Vec<_>>())
        .map(|v| v + 0.05 * s.normal() as f32)
        .collect();
    (a, b)
}

fn save(dir: &Path, name: &str, shape: &[usize], values: &[f32]) -> PathBuf {
    let path = dir.join(name);
    npy::write(&path, &Array::from_f32(shape, values).unwrap()).unwrap();
    path
}

/// Cells of a CSV file by column.
fn column(folder: &Path, file: &str, name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder.join(file)).unwrap();
    let mut lines = text.lines();
    let at = lines.next().unwrap().split(',').position(|c| c == name).unwrap();
    lines.map(|l| l.split(',').nth(at).unwrap().to_string()).collect()
}

#[test]
fn the_smoke_run_leaves_claims_figures_tables_and_files() {
    let dir = tempfile::tempdir().unwrap();
    let outcome = execute(&entry(), &smoke(dir.path())).unwrap();
    let ids: Vec<&str> = outcome.report.claims.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(ids, ["copies_recovered", "strangers_unmatched", "sums_explained", "conv1_exceeds_chance"]);
    assert!(outcome.report.claims.iter().all(|c| c.passed), "{:?}", outcome.report.claims);
    for name in ["matches.csv", "clusters.csv", "mapping.npz", "summary.json", "net1.safetensors"] {
        assert!(outcome.folder.join(name).exists(), "{name}");
    }
    for figure in
        ["match_curves", "matched_filters", "matched_correlations", "explained_by_units", "cluster_sizes"]
    {
        assert!(outcome.report.figures.iter().any(|f| f.contains(figure)), "{figure}");
    }
    // A network in disguise is found again in every layer, and chance is near 0.
    for layer in 1..=4 {
        assert_eq!(outcome.report.metrics[&format!("conv{layer}_found_in_itself")], 1.0);
        assert_eq!(outcome.report.metrics[&format!("conv{layer}_lasso_unfinished")], 0.0);
    }
}

#[test]
fn bars_of_the_full_experiment_are_judged_where_asked() {
    let dir = tempfile::tempdir().unwrap();
    let set = ["judge_all=true", "networks=3", "task=\"networks\""].map(String::from).to_vec();
    let report = execute(&entry(), &RunOptions { set, ..smoke(dir.path()) }).unwrap().report;
    let ids: Vec<&str> = report.claims.iter().map(|c| c.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "conv1_exceeds_chance",
            "networks_learned",
            "networks_alike",
            "conv1_over_conv2",
            "conv2_over_conv4",
            "conv1_over_conv4",
            "conv3_tail",
            "conv1_reliable",
            "subspace_not_basis",
            "conv1_few_to_one",
            "conv2_few_to_one",
            "conv1_clusters",
            "conv2_clusters",
            "clusters_balanced",
            "intervals_exclude_zero"
        ]
    );
    let maps = report.tables.iter().find(|t| t.name == "maps").unwrap();
    assert!(maps.rows.iter().any(|r| r[1] == "paper"));
}

#[test]
fn an_interrupted_training_ends_in_the_same_bits() {
    let (whole, cut) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let set = vec!["task=\"networks\"".to_string()];
    let options = |dir: &Path| RunOptions { set: set.clone(), ..smoke(dir) };
    let plain = execute(&entry(), &options(whole.path())).unwrap().report;
    // In the middle of the first network, then among the resamples.
    for after in [3, 14] {
        let stop = RunOptions {
            interrupt_after: Some(after),
            resume: (after > 3).then_some(None),
            ..options(cut.path())
        };
        assert!(matches!(execute(&entry(), &stop), Err(Error::Interrupted)), "{after}");
    }
    let resumed =
        execute(&entry(), &RunOptions { resume: Some(None), ..options(cut.path()) }).unwrap().report;
    assert_eq!(results(&plain), results(&resumed));
}

fn drawn() -> (Layer, Vec<Kind>) {
    Synthetic { units: 20, samples: 4000 }.draw(0.3, Streams::new(5)).unwrap()
}

fn compared(layer: &Layer, pair: [usize; 2]) -> Comparison {
    let mut stream = Streams::new(1).stream("clusters", 0);
    Comparison::of(layer, &layer.plain().unwrap(), pair, &config().options(), &mut stream).unwrap().0
}

/// The second population with its units in this order, each scaled by a gain.
fn changed(layer: &Layer, order: &[usize], gain: impl Fn(usize) -> f32) -> Layer {
    let [first, second] = layer.populations.as_slice() else { panic!("two populations") };
    let n = second.units.len();
    let values = second.values().chunks_exact(n).flat_map(|row| order.iter().map(|&u| gain(u) * row[u]));
    let units = order.iter().map(|&u| second.units[u].clone()).collect();
    let second = Population::new("net2", units, values.collect()).unwrap();
    Layer::new("changed", vec![first.clone(), second], layer.blocks.clone(), 1e-8).unwrap()
}

#[test]
fn permuting_and_scaling_units_permutes_results_and_changes_nothing_else() {
    let (layer, _) = drawn();
    let plain = compared(&layer, [0, 1]);
    let order = Streams::new(9).stream("order", 0).permutation(20);
    // Powers of two, so that f32 activity is scaled exactly.
    let other = compared(&changed(&layer, &order, |u| [0.5, 1.0, 4.0][u % 3]), [0, 1]);
    let back = |j: &Option<usize>| j.map(|j| order[j]);
    assert_eq!(other.matching.bipartite.iter().map(back).collect::<Vec<_>>(), plain.matching.bipartite);
    assert_eq!(other.matching.semi.iter().map(|&j| order[j]).collect::<Vec<_>>(), plain.matching.semi);
    let close = |a: f64, b: f64| (a - b).abs() < 1e-6;
    let values = plain.matching.bipartite_value.iter().zip(&other.matching.bipartite_value);
    // Sums of 4000 products in another order, at most.
    assert!(values.clone().all(|(a, b)| close(*a, *b)));
    let information = |c: &Comparison| c.information.as_ref().unwrap().matching.bipartite_value.clone();
    assert!(information(&plain).iter().zip(information(&other)).all(|(a, b)| close(*a, b)));
    assert!(
        close(plain.mapping.dense(), other.mapping.dense())
            && close(plain.mapping.single, other.mapping.single)
    );
    assert!(close(plain.mapping.operating().explained, other.mapping.operating().explained));
    assert!(close(plain.cca, other.cca));
    for (t, &u) in order.iter().enumerate() {
        assert!((0..20).all(|i| close(other.mapping.weights[(i, t)], plain.mapping.weights[(i, u)])));
    }
}

#[test]
fn matches_are_symmetric_and_no_better_than_semi_matches() {
    let (layer, _) = drawn();
    let (there, back) = (compared(&layer, [0, 1]), compared(&layer, [1, 0]));
    for (i, j) in there.matching.bipartite.iter().enumerate() {
        assert_eq!(back.matching.bipartite[j.unwrap()], Some(i));
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    assert!(there.matching.mean() <= mean(&there.matching.semi_value));
    // Every map is worth no more than the dense one plus what 1200 held-out samples leave open.
    let m = &there.mapping;
    assert!(
        m.single < m.dense() && m.capped < m.dense() + 0.01 && m.operating().explained >= 0.95 * m.dense()
    );
    assert!(m.sweep.windows(2).all(|w| w[0].units >= w[1].units - 0.2), "fewer units at larger penalties");
    assert!(there.clusters.agreement > there.clusters.random_agreement + 0.2);
}

#[test]
fn a_population_against_itself_matches_perfectly() {
    let (layer, _) = drawn();
    let first = layer.populations[0].clone();
    let twice = Layer::new("twice", vec![first.clone(), first], layer.blocks.clone(), 1e-8).unwrap();
    let c = compared(&twice, [0, 1]);
    assert!(c.matching.bipartite.iter().enumerate().all(|(i, j)| *j == Some(i)));
    // Rounding of sums of 4000 products.
    assert!(c.matching.bipartite_value.iter().all(|r| (r - 1.0).abs() < 1e-12));
    assert!(
        (c.mapping.dense() - 1.0).abs() < 1e-9 && (c.cca - 1.0).abs() < 1e-6 && (c.cka - 1.0).abs() < 1e-12
    );
    assert_eq!(c.information.unwrap().agreement, 1.0);
}

#[test]
fn resamples_draw_blocks_and_keep_both_parts() {
    let of_sample: Vec<usize> = (0..60).map(|s| s / 3).collect();
    let mut s = Streams::new(2).stream("blocks", 0);
    let blocks = Blocks::split(of_sample, 0.3, &mut s).unwrap();
    assert_eq!(blocks.held_out.iter().filter(|h| **h).count(), 6);
    for _ in 0..50 {
        let counts = blocks.resample(&mut s);
        let part =
            |held: bool| (0..20).filter(|&b| blocks.held_out[b] == held).map(|b| counts[b]).sum::<f64>();
        assert_eq!((part(false), part(true)), (14.0, 6.0));
    }
    assert!(Blocks::split(vec![0; 9], 0.3, &mut s).is_err());
}

#[test]
fn a_unit_that_few_images_drive_does_not_blow_up_the_intervals() {
    let mut s = Streams::new(8).stream("rare", 0);
    let mut second = random(400, 4, &mut s);
    let first = second.clone();
    // The last unit of the second answers to 6 samples alone.
    for (t, row) in second.chunks_exact_mut(4).enumerate() {
        row[3] = if t % 70 == 0 { 1.0 } else { 1e-4 * s.normal() as f32 };
    }
    let blocks = Blocks { of_sample: (0..400).collect(), held_out: (0..400).map(|t| t % 4 == 2).collect() };
    let names = || (0..4).map(|u| u.to_string()).collect::<Vec<_>>();
    let population = |name: &str, v: &[f32]| Population::new(name, names(), v.to_vec()).unwrap();
    let layer =
        Layer::new("rare", vec![population("a", &first), population("b", &second)], blocks, 1e-8).unwrap();
    let c = layer.plain().unwrap();
    let mut stream = Streams::new(1).stream("clusters", 0);
    let compared = [Comparison::of(&layer, &c, [0, 1], &config().options(), &mut stream).unwrap()];
    for k in 0..40 {
        let r = resample(&layer, &compared, Streams::new(2), k).unwrap().statistics;
        // Three of four targets are copies; the fourth is worth 1 - error / variance with an error of at most a few times
        // the variance.
        assert!(r.dense > -1.0 && r.dense <= 1.0 && r.single > -1.0, "{r:?}");
    }
}

#[test]
fn two_matrices_are_matched_and_the_files_say_so() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = reversed(300, 6);
    let files = [save(dir.path(), "a.npy", &[300, 6], &a), save(dir.path(), "b.npy", &[300, 6], &b)];
    let (report, folder) = on(dir.path(), &files, &[]).unwrap();
    assert_eq!(column(&folder, "matches.csv", "unit_second"), ["5", "4", "3", "2", "1", "0"]);
    let r: Vec<f64> =
        column(&folder, "matches.csv", "r_bipartite").iter().map(|v| v.parse().unwrap()).collect();
    let low: Vec<f64> = column(&folder, "matches.csv", "r_low").iter().map(|v| v.parse().unwrap()).collect();
    let high: Vec<f64> =
        column(&folder, "matches.csv", "r_high").iter().map(|v| v.parse().unwrap()).collect();
    assert!((0..6).all(|i| r[i] > 0.99 && low[i] <= high[i] && low[i] > 0.98));
    let arrays: BTreeMap<String, Value> =
        npz::parse(&std::fs::read(folder.join("mapping.npz")).unwrap()).unwrap().into_iter().collect();
    let numbers = |name: &str| match &arrays[&format!("activity.a.b.{name}")] {
        Value::Numbers(a) => a.to_f64(),
        Value::Strings(..) => panic!("numbers"),
    };
    assert_eq!(numbers("shape"), [6.0, 6.0]);
    assert_eq!(numbers("indptr").len(), 7);
    assert_eq!(*numbers("indptr").last().unwrap() as usize, numbers("data").len());
    assert_eq!(column(&folder, "clusters.csv", "unit").len(), 12);
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(folder.join("summary.json")).unwrap()).unwrap();
    assert!(summary["layers"][0]["pairs"][0]["mean_r_bipartite"].as_f64() > Some(0.99));
    assert!(
        report.notes.iter().any(|n| n.contains("300 samples in 300 blocks, 90 held out")),
        "{:?}",
        report.notes
    );

    // The same with units in rows, as CSV, and as plain safetensors.
    let turn = |v: &[f32]| {
        (0..6).flat_map(|u| (0..300).map(move |s| (s, u))).map(|(s, u)| v[s * 6 + u]).collect::<Vec<_>>()
    };
    let turned =
        [save(dir.path(), "ta.npy", &[6, 300], &turn(&a)), save(dir.path(), "tb.npy", &[6, 300], &turn(&b))];
    let (_, again) = on(dir.path(), &turned, &["axes=units_by_samples"]).unwrap();
    assert_eq!(column(&again, "matches.csv", "r_bipartite"), column(&folder, "matches.csv", "r_bipartite"));
    let csv = |name: &str, v: &[f32]| {
        let rows = v.chunks_exact(6).map(|r| r.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        let path = dir.path().join(name);
        std::fs::write(&path, format!("u0,u1,u2,u3,u4,u5\n{}\n", rows.collect::<Vec<_>>().join("\n")))
            .unwrap();
        path
    };
    let (_, again) = on(dir.path(), &[csv("a.csv", &a), csv("b.csv", &b)], &[]).unwrap();
    assert_eq!(column(&again, "matches.csv", "unit_second"), ["u5", "u4", "u3", "u2", "u1", "u0"]);
}

#[test]
fn several_networks_layers_and_widths_are_compared() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = reversed(200, 5);
    let mut s = Streams::new(4).stream("others", 0);
    let write = |name: &str, layers: &[(&str, usize, Vec<f32>)]| {
        let path = dir.path().join(name);
        let arrays: Vec<_> = layers
            .iter()
            .map(|(n, units, v)| (n.to_string(), Array::from_f32(&[200, *units], v).unwrap()))
            .collect();
        npz::write(&path, &arrays).unwrap();
        path
    };
    let mut deep = |units: usize| random(200, units, &mut s);
    let files = [
        write("x.npz", &[("conv1", 5, a.clone()), ("conv2", 3, deep(3))]),
        write("y.npz", &[("conv1", 5, b.clone()), ("conv2", 4, deep(4))]),
        write("z.npz", &[("conv1", 5, a.clone()), ("conv2", 3, deep(3))]),
    ];
    let (_, folder) = on(dir.path(), &files, &[]).unwrap();
    let layers = column(&folder, "matches.csv", "layer");
    // Three pairs; of conv2 the pairs (3, 4), (3, 3) and (4, 3) list every unit of both sides.
    assert_eq!(layers.iter().filter(|l| *l == "conv1").count(), 15);
    assert_eq!(layers.iter().filter(|l| *l == "conv2").count(), 4 + 3 + 4);
    // One file with two matrices compares these.
    let (_, folder) = on(dir.path(), &[write("one.npz", &[("left", 5, a), ("right", 5, b)])], &[]).unwrap();
    assert_eq!(column(&folder, "matches.csv", "first")[0], "left");
    let odd = write("odd.npz", &[("conv1", 5, random(200, 5, &mut Streams::new(1).stream("odd", 0)))]);
    refused(dir.path(), &[files[0].clone(), odd], &[], 3, "layers");
}

#[test]
fn maps_are_sampled_at_the_same_places() {
    let dir = tempfile::tempdir().unwrap();
    let mut s = Streams::new(6).stream("maps", 0);
    let maps = random(30 * 4, 36, &mut s);
    // The channels in reverse order.
    let reverse: Vec<f32> = maps
        .chunks_exact(4 * 36)
        .flat_map(|i| i.chunks_exact(36).rev().flatten().copied().collect::<Vec<_>>())
        .collect();
    let files = [
        save(dir.path(), "a.npy", &[30, 4, 6, 6], &maps),
        save(dir.path(), "b.npy", &[30, 4, 6, 6], &reverse),
    ];
    let (report, folder) = on(dir.path(), &files, &[]).unwrap();
    assert_eq!(column(&folder, "matches.csv", "unit_second"), ["3", "2", "1", "0"]);
    assert!(column(&folder, "matches.csv", "r_bipartite").iter().all(|r| r == "1.000000"));
    // 16 places an image, resampled by image.
    assert!(
        report.notes.iter().any(|n| n.contains("480 samples in 30 blocks, 9 held out")),
        "{:?}",
        report.notes
    );
    let small = save(dir.path(), "small.npy", &[30, 4, 6, 5], &maps[..30 * 4 * 30]);
    refused(dir.path(), &[files[0].clone(), small], &[], 3, "one size");
}

fn recorded(values: &[f32], units: usize, sampling: Sampling, trials: Vec<Trial>) -> Recording {
    let steps = values.len() / units;
    let turned = (0..units).flat_map(|u| (0..steps).map(move |s| (s, u))).map(|(s, u)| values[s * units + u]);
    let table = (0..units).map(|u| Unit::named(format!("cell {u}"))).collect();
    let mut r = Recording::new(ActivityKind::Rate, sampling, table, turned.collect()).unwrap();
    r.trials = trials;
    r
}

#[test]
fn recordings_are_compared_by_trials_spans_or_ids() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = reversed(240, 5);
    let keep = |name: &str, r: &Recording| {
        let path = dir.path().join(name);
        r.save(&path).unwrap();
        path
    };
    let rate = || Sampling::Rate { hz: 10.0, start_s: 0.0 };
    let trials: Vec<Trial> =
        (0..20).map(|k| Trial { start: 12 * k, stop: 12 * k + 10, label: "go".into() }).collect();
    let both = |sampling: &dyn Fn() -> Sampling, trials: &[Trial]| {
        [
            keep("mouse1.safetensors", &recorded(&a, 5, sampling(), trials.to_vec())),
            keep("mouse2.safetensors", &recorded(&b, 5, sampling(), trials.to_vec())),
        ]
    };
    let (report, folder) = on(dir.path(), &both(&rate, &trials), &[]).unwrap();
    assert!(report.notes.iter().any(|n| n.contains("200 samples in 20 blocks")), "{:?}", report.notes);
    assert_eq!(column(&folder, "matches.csv", "unit_second")[0], "cell 4");
    let (report, _) = on(dir.path(), &both(&rate, &[]), &[]).unwrap();
    assert!(report.notes.iter().any(|n| n.contains("240 samples in 100 blocks")), "{:?}", report.notes);
    let ids = || Sampling::Samples((0..240).map(|s| format!("image {}", s / 8)).collect());
    let (report, _) = on(dir.path(), &both(&ids, &[]), &[]).unwrap();
    assert!(report.notes.iter().any(|n| n.contains("240 samples in 30 blocks")), "{:?}", report.notes);
    // Another order of images.
    let other = || Sampling::Samples((0..240).map(|s| format!("image {}", 29 - s / 8)).collect());
    let [first, _] = both(&ids, &[]);
    let second = keep("other.safetensors", &recorded(&b, 5, other(), Vec::new()));
    refused(dir.path(), &[first, second], &[], 3, "sample 1");
}

#[test]
fn a_split_of_the_users_own_is_kept_and_checked() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = reversed(100, 4);
    let write = |name: &str, v: &[f32], held: &dyn Fn(usize) -> bool| {
        let path = dir.path().join(name);
        let ids: Vec<String> = (0..100).map(|s| format!("img{}", s / 2)).collect();
        let held: Vec<f32> = (0..100).map(|s| f32::from(u8::from(held(s)))).collect();
        let values = vec![
            ("ids".to_string(), Value::Strings(vec![100], ids)),
            ("held_out".to_string(), Value::Numbers(Array::from_f32(&[100], &held).unwrap())),
            ("layer".to_string(), Value::Numbers(Array::from_f32(&[100, 4], v).unwrap())),
        ];
        std::fs::write(&path, npz::encode(&values).unwrap()).unwrap();
        path
    };
    let half = |s: usize| s >= 60;
    let files = [write("a.npz", &a, &half), write("b.npz", &b, &half)];
    let (report, _) = on(dir.path(), &files, &[]).unwrap();
    assert!(
        report.notes.iter().any(|n| n.contains("100 samples in 50 blocks, 20 held out")),
        "{:?}",
        report.notes
    );
    let leak = |s: usize| s >= 61;
    let files = [write("a.npz", &a, &leak), write("b.npz", &b, &leak)];
    refused(dir.path(), &files, &[], 3, "`img30` in both parts");
    let none = |_: usize| false;
    refused(dir.path(), &[write("a.npz", &a, &none), write("b.npz", &b, &none)], &[], 3, "held out");
}

#[test]
fn unfit_inputs_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let (a, b) = reversed(100, 4);
    let first = save(dir.path(), "a.npy", &[100, 4], &a);
    let with = |name: &str, f: &dyn Fn(&mut Vec<f32>)| {
        let mut v = b.clone();
        f(&mut v);
        save(dir.path(), name, &[100, 4], &v)
    };
    let short = save(dir.path(), "short.npy", &[99, 4], &b[..396]);
    refused(dir.path(), &[first.clone(), short], &[], 3, "100 samples as in `a`");
    let nan = with("nan.npy", &|v| v[41] = f32::NAN);
    refused(dir.path(), &[first.clone(), nan], &[], 3, "NaN at sample 10, unit `1`");
    let infinite = with("inf.npy", &|v| v[0] = f32::INFINITY);
    refused(dir.path(), &[first.clone(), infinite], &[], 3, "inf at sample 0");
    let constant = with("constant.npy", &|v| v.fill(2.5));
    refused(dir.path(), &[first.clone(), constant], &[], 3, "unit that varies");
    refused(dir.path(), std::slice::from_ref(&first), &[], 3, "2 populations");
    let empty = save(dir.path(), "empty.npy", &[0, 4], &[]);
    refused(dir.path(), &[first.clone(), empty], &[], 3, "at least 1 sample");
    let cube = save(dir.path(), "five.npy", &[1, 1, 100, 2, 2], &b);
    refused(dir.path(), &[first.clone(), cube], &[], 3, "2 axes");
    let onnx = dir.path().join("net.onnx");
    std::fs::write(&onnx, b"\x08\x07\x12\x07pytorch").unwrap();
    refused(dir.path(), &[first.clone(), onnx], &[], 3, "save the activations");
    let hdf5 = dir.path().join("net.h5");
    std::fs::write(&hdf5, b"\x89HDF\r\n\x1a\n0000").unwrap();
    refused(dir.path(), &[first.clone(), hdf5], &[], 3, "HDF5 and NWB are not read yet");
    let weights = neuropil_core::Weights {
        parameters: vec![("w".into(), Array::from_f32(&[100, 4], &b).unwrap())],
        ..neuropil_core::Weights::default()
    };
    let path = dir.path().join("weights.safetensors");
    weights.save(&path).unwrap();
    refused(dir.path(), &[first.clone(), path], &[], 3, "networks are not run here");

    let second = with("b.npy", &|_| ());
    let both = [first, second];
    refused(dir.path(), &both, &["clusters=4"], 2, "clusters");
    refused(dir.path(), &both, &["lambdas=[0.0, -0.1]"], 2, "lambdas");
    refused(dir.path(), &both, &["lambdas=[0.1]"], 2, "lambdas");
    refused(dir.path(), &both, &["held_out=1.0"], 2, "held_out");
    refused(dir.path(), &both, &["bootstraps=0"], 2, "bootstraps");
    on(dir.path(), &both, &["clusters=3", "bins=0"]).unwrap();
}

#[test]
fn dead_units_and_few_samples_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let (mut a, b) = reversed(30, 5);
    a.iter_mut().skip(2).step_by(5).for_each(|v| *v = 1.0);
    let files = [save(dir.path(), "a.npy", &[30, 5], &a), save(dir.path(), "b.npy", &[30, 5], &b)];
    let (report, folder) = on(dir.path(), &files, &[]).unwrap();
    assert!(report.notes.iter().any(|n| n.contains("1 of the 5 units of `a`")), "{:?}", report.notes);
    assert!(report.notes.iter().any(|n| n.contains("30 samples for 5 units")), "{:?}", report.notes);
    // The dead unit is nobody's partner; the unit it came from is listed without one.
    assert_eq!(column(&folder, "matches.csv", "unit_first"), ["0", "1", "3", "4", ""]);
    assert_eq!(column(&folder, "matches.csv", "unit_second"), ["4", "3", "1", "0", "2"]);
}
