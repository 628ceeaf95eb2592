//! Nested segmentation on files: layouts, geometry, weights given back, and what is refused.
#![allow(missing_docs, clippy::expect_used)]

use neuropil_core::{Array, Noun, Report, Result, Streams, Volume};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{nifti, npz, png};
use neuropil_data::generated::NestedPhantom;
use neuropil_data::read;
use neuropil_experiment::{Entry, Profile, RunOptions, System, execute};
use neuropil_systems::segment::nested_glioma::NestedGlioma;
use std::path::{Path, PathBuf};

/// A run on files: the report and its folder. Networks are as small as they get.
fn run(dir: &Path, input: &[String], set: &[&str]) -> Result<(Report, PathBuf)> {
    let small = ["filters=[3, 4]", "steps=6", "look_every=3"];
    let options = RunOptions {
        out: dir.join("runs"),
        input: input.to_vec(),
        set: small.iter().chain(set).map(ToString::to_string).collect(),
        ..RunOptions::default()
    };
    let done = execute(&Entry::of::<NestedGlioma>(), &options)?;
    Ok((done.report, done.folder))
}

fn refused(dir: &Path, input: &[String], words: &str) {
    refused_with(dir, input, &[], words, 3);
}

fn refused_with(dir: &Path, input: &[String], set: &[&str], words: &str, code: u8) {
    let error = run(dir, input, set).expect_err(words);
    assert_eq!(error.exit_code(), code, "{error}");
    assert!(error.to_string().contains(words), "`{error}` lacks `{words}`");
}

fn arg(role: &str, path: &Path) -> String {
    format!("{role}={}", path.display())
}

fn phantom(k: u64) -> Volume {
    NestedPhantom::new(8).draw(&mut Streams::new(7).stream("phantom", k)).expect("draws")
}

/// A case folder with two modalities and labels as in BraTS, changed by `edit` before it is written.
fn case(dir: &Path, k: u64, edit: impl Fn(&str, &mut Volume)) -> PathBuf {
    let folder = dir.join("cases").join(format!("case{k}"));
    std::fs::create_dir_all(&folder).expect("creates");
    let whole = phantom(k);
    for (c, name) in ["t1", "flair"].iter().enumerate() {
        let mut v = Volume::new([1, 8, 8, 8], whole.values[c * 512..(c + 1) * 512].to_vec(), [1.0, 2.0, 1.5])
            .expect("fits");
        v.affine[0][3] = -40.0;
        edit(name, &mut v);
        nifti::write(&folder.join(format!("X_{k}_{name}.nii.gz")), &v).expect("writes");
    }
    let labels = whole.labels.expect("labels");
    let values = labels.iter().map(|l| [0.0, 2.0, 1.0, 4.0][usize::from(*l)]).collect();
    let mut v = Volume::new([1, 8, 8, 8], values, [1.0, 2.0, 1.5]).expect("fits");
    v.affine[0][3] = -40.0;
    edit("seg", &mut v);
    nifti::write(&folder.join(format!("X_{k}_seg.nii")), &v).expect("writes");
    folder
}

fn three(dir: &Path) -> String {
    (0..3).for_each(|k| {
        case(dir, k, |_, _| {});
    });
    arg("train", &dir.join("cases"))
}

fn artifact(report: &Report, end: &str) -> String {
    report.artifacts.iter().find(|a| a.ends_with(end)).cloned().expect(end)
}

#[test]
fn answers_have_the_geometry_and_labels_of_the_input_and_weights_can_be_given_back() {
    let dir = tempfile::tempdir().expect("tempdir");
    let train = three(dir.path());
    let new = case(&dir.path().join("new"), 5, |_, _| {});
    std::fs::remove_file(new.join("X_5_seg.nii")).expect("removes");
    let predict = arg("predict", &dir.path().join("new").join("cases"));
    let (report, folder) = run(dir.path(), &[train, predict.clone()], &[]).expect("runs");
    let labels = read::volume(&folder.join("case5_labels.nii.gz")).expect("reads");
    let input = read::volume(&new.join("X_5_t1.nii.gz")).expect("reads");
    assert_eq!((labels.affine, labels.voxel_mm, labels.shape), (input.affine, input.voxel_mm, input.shape));
    assert!(labels.values.iter().all(|v| [0.0, 1.0, 2.0, 4.0].contains(v)));
    let a = read::volume(&folder.join("case5_activation.nii.gz")).expect("reads");
    // The label is the level a(z) rounds to, in the labels of the input.
    for (l, a) in labels.values.iter().zip(&a.values) {
        assert!((0.0..=3.0).contains(a));
        if (a.fract() - 0.5).abs() > 0.1 {
            assert_eq!(*l, [0.0, 2.0, 1.0, 4.0][a.round() as usize], "{a}");
        }
    }
    let csv = std::fs::read_to_string(folder.join("cases.csv")).expect("reads");
    // One case held out and one new, three regions each, and the head.
    assert_eq!(csv.lines().count(), 7);
    assert!(report.metrics.contains_key("dice_region_3") && report.metrics["violations"] == 0.0);
    for end in ["case5_overlay.png", "weights.safetensors", "cases.csv"] {
        artifact(&report, end);
    }
    let weights = arg("weights", &folder.join("weights.safetensors"));
    let (_, again) = run(dir.path(), &[weights.clone(), predict.clone()], &["filters=[5]"]).expect("runs");
    let same = |name: &str| std::fs::read(folder.join(name)).ok() == std::fs::read(again.join(name)).ok();
    assert!(same("case5_labels.nii.gz") && same("case5_activation.nii.gz"));
    // Learning goes on from them.
    run(dir.path(), &[weights, arg("train", &dir.path().join("cases"))], &["retrain=true"]).expect("runs");
}

#[test]
fn large_volumes_are_answered_window_by_window() {
    let dir = tempfile::tempdir().expect("tempdir");
    let train = three(dir.path());
    let (report, _) = run(dir.path(), &[train], &["patch=4", "overlap=0.5"]).expect("runs");
    assert!(report.metrics["dice_region_1"].as_f64().is_some());
}

#[test]
fn arrays_nouns_and_slices_are_read() {
    let dir = tempfile::tempdir().expect("tempdir");
    let folder = dir.path().join("arrays");
    std::fs::create_dir_all(&folder).expect("creates");
    for k in 0..2 {
        let v = phantom(k);
        let values = [
            ("image".to_string(), Value::Numbers(Array::from_f32(&[4, 8, 8, 8], &v.values).expect("fits"))),
            (
                "labels".into(),
                Value::Numbers(
                    Array::from_u16(&[8, 8, 8], v.labels.as_ref().expect("labels")).expect("fits"),
                ),
            ),
            ("voxel_mm".into(), Value::Numbers(Array::from_f64(&[3], &[1.0, 1.0, 2.0]).expect("fits"))),
        ];
        std::fs::write(folder.join(format!("c{k}.npz")), npz::encode(&values).expect("encodes"))
            .expect("writes");
    }
    let map = dir.path().join("map.toml");
    std::fs::write(&map, "1 = 1\n2 = 2\n3 = 3\n").expect("writes");
    let (report, folder) = run(dir.path(), &[arg("train", &folder), arg("levels", &map)], &[]).expect("runs");
    let found = read::volume(&folder.join(artifact(&report, "_labels.nii.gz"))).expect("reads");
    assert_eq!(found.voxel_mm, [1.0, 1.0, 2.0]);
    // Our own noun, two regions of it.
    let noun = dir.path().join("v.safetensors");
    phantom(3).save(&noun).expect("saves");
    std::fs::write(&map, "names = [\"cell\", \"nucleus\"]\n[levels]\n1 = 1\n2 = 2\n3 = 2\n").expect("writes");
    let (report, _) = run(dir.path(), &[arg("train", &noun), arg("levels", &map)], &[]).expect("runs");
    assert!(report.metrics.contains_key("dice_region_2") && !report.metrics.contains_key("dice_region_3"));
    assert!(report.notes.iter().any(|n| n.contains("cell, nucleus")), "{:?}", report.notes);
    // Slices: one PNG a modality, a network over two axes.
    for k in 0..2 {
        let folder = dir.path().join("slices").join(format!("s{k}"));
        std::fs::create_dir_all(&folder).expect("creates");
        let v = phantom(k);
        let middle = 4 * 64..5 * 64;
        let gray: Vec<u8> = v.values[middle.clone()].iter().map(|v| (100.0 + 40.0 * v) as u8).collect();
        let labels: Vec<u8> = v.labels.expect("labels")[middle].iter().map(|l| u8::from(*l > 0)).collect();
        for (name, pixels) in [("dapi", gray), ("mask", labels)] {
            let image = Array::from_u8(&[1, 8, 8], &pixels).expect("fits");
            std::fs::write(folder.join(format!("{name}.png")), png::encode(&image).expect("encodes"))
                .expect("writes");
        }
    }
    std::fs::write(&map, "1 = 1\n").expect("writes");
    let slices = arg("train", &dir.path().join("slices"));
    let (report, _) = run(dir.path(), &[slices, arg("levels", &map)], &[]).expect("runs");
    assert!(report.metrics.contains_key("dice_region_1"));
}

#[test]
fn unfit_cases_are_refused() {
    type Edit = fn(&str, &mut Volume);
    let edits: [(Edit, &str); 8] = [
        (
            |name, v| {
                if name == "flair" {
                    *v = Volume::new([1, 8, 8, 6], vec![1.0; 384], v.voxel_mm).expect("fits");
                }
            },
            "shape [8, 8, 6]",
        ),
        (
            |name, v| {
                if name == "t1" {
                    v.affine[1][3] += 0.5;
                }
            },
            "one affine",
        ),
        (
            |name, v| {
                if name == "seg" {
                    v.affine[2][2] *= -1.0;
                }
            },
            "one affine",
        ),
        (
            |name, v| {
                if name == "seg" {
                    v.values[7] = 9.0;
                }
            },
            "label 9",
        ),
        (
            |name, v| {
                if name == "seg" {
                    v.values[7] = 0.5;
                }
            },
            "whole labels",
        ),
        (
            |name, v| {
                if name == "flair" {
                    v.values.fill(0.0);
                }
            },
            "zeros only",
        ),
        (
            |name, v| {
                if name == "t1" {
                    v.values[3] = f32::NAN;
                }
            },
            "finite voxels",
        ),
        (
            |name, v| {
                if name == "t1" {
                    v.values[3] = f32::INFINITY;
                }
            },
            "finite voxels",
        ),
    ];
    for (edit, words) in edits {
        let dir = tempfile::tempdir().expect("tempdir");
        let folder = case(dir.path(), 1, edit);
        refused(dir.path(), &[arg("train", &folder)], words);
    }
}

#[test]
fn unfit_sets_maps_and_sizes_are_refused() {
    let dir = tempfile::tempdir().expect("tempdir");
    let train = three(dir.path());
    let map = dir.path().join("map.toml");
    for (text, words) in [
        ("1 = 1\n2 = 3\n4 = 3\n", "none for level 2"),
        ("1 = 1\n", "label 2"),
        ("1 = 1\n2 = 1\n4 = 1\n7 = 2\n", "level 2"),
        ("1 = one\n", "TOML"),
        ("edema = 1\n", "label = level"),
    ] {
        std::fs::write(&map, text).expect("writes");
        refused(dir.path(), &[train.clone(), arg("levels", &map)], words);
    }
    // Four halvings of 8 voxels are too many.
    let deep = ["filters=[2, 2, 2, 2, 2]", "size=16"];
    refused_with(dir.path(), std::slice::from_ref(&train), &deep, "at least 16 voxels", 3);
    // A modality that one case lacks, labels that one case lacks, nothing at all.
    std::fs::remove_file(dir.path().join("cases/case2/X_2_t1.nii.gz")).expect("removes");
    refused(dir.path(), std::slice::from_ref(&train), "modality `t1`");
    std::fs::remove_dir_all(dir.path().join("cases/case2")).expect("removes");
    std::fs::remove_file(dir.path().join("cases/case1/X_1_seg.nii")).expect("removes");
    refused(dir.path(), std::slice::from_ref(&train), "labels in every case");
    let empty = dir.path().join("empty");
    std::fs::create_dir_all(&empty).expect("creates");
    refused(dir.path(), &[arg("train", &empty)], "none of them");
    refused_with(dir.path(), &[arg("predict", &dir.path().join("cases/case0"))], &[], "neither", 2);
    refused(dir.path(), &[arg("weights", &map), train.clone()], "weights");
}

#[test]
fn configurations_that_mean_nothing_are_refused_by_field() {
    for (set, field) in [
        ("methods=[]", "methods"),
        ("methods=[\"softmax\", \"softmax\"]", "methods"),
        ("size=25", "size"),
        ("train_sizes=[0]", "train_sizes"),
        ("filters=[]", "filters"),
        ("dropout=1.0", "dropout"),
        ("kappa=0.0", "kappa"),
        ("spacing=-1.0", "spacing"),
        ("rate=0.0", "rate"),
        ("batch=0", "batch"),
        ("patch=1", "patch"),
        ("overlap=1.0", "overlap"),
        ("hold_out=1.0", "hold_out"),
        ("steps=0", "steps"),
        ("noise=-1.0", "noise"),
    ] {
        let dir = tempfile::tempdir().expect("tempdir");
        let options = RunOptions {
            out: dir.path().to_path_buf(),
            profile: Profile::Smoke,
            set: vec![set.into()],
            ..RunOptions::default()
        };
        let error = execute(&Entry::of::<NestedGlioma>(), &options).expect_err(set);
        assert!(error.exit_code() == 2 && error.to_string().contains(field), "{set}: {error}");
    }
}

#[test]
fn every_method_learns_phantoms_and_only_sigmoids_may_break_the_nesting() {
    let dir = tempfile::tempdir().expect("tempdir");
    let set = [
        "methods=[\"multi_level\", \"softmax\", \"sigmoids\", \"ordinal\"]",
        "size=16",
        "train_sizes=[4]",
        "filters=[4, 8]",
        "steps=120",
        "rate=0.005",
        "variants=true",
        "rim=true",
    ];
    let options = RunOptions {
        out: dir.path().to_path_buf(),
        profile: Profile::Smoke,
        set: set.map(String::from).to_vec(),
        ..RunOptions::default()
    };
    let report = execute(&Entry::of::<NestedGlioma>(), &options).expect("runs").report;
    for method in ["multi_level", "softmax", "sigmoids", "ordinal"] {
        // All background would have 0.
        let dice = report.metrics[&format!("dice_wt_{method}")].as_f64();
        assert!(dice > Some(0.7), "{method} {dice:?}");
    }
    for method in ["multi_level", "softmax", "ordinal"] {
        assert_eq!(report.metrics[&format!("violations_{method}")], 0.0, "{method}");
    }
    for variant in ["rim__softmax", "rim__multi_level", "learnt_thresholds", "nce_alone", "kappa_20"] {
        assert!(
            report.metrics.contains_key(&format!("variant_{variant}_et")),
            "{variant} {:?}",
            report.metrics
        );
    }
    for figure in ["slices", "learning", "dice", "staircase"] {
        assert!(report.figure_data.iter().any(|f| f.name == figure), "{figure}");
    }
    for field in ["difference_tc", "difference_et_early_stopped", "difference_learning", "jump_rate_truth"] {
        assert!(report.metrics.contains_key(field), "{field}");
    }
}

#[test]
fn test_cases_are_never_trained_on_and_the_network_starts_alike() {
    use neuropil_systems::segment::nested_glioma::segmenter::{Method, Segmenter};
    let config = NestedGlioma::preset(Profile::Smoke);
    let streams = Streams::new(1);
    let sets: Vec<_> = (0..2).map(|k| config.phantoms(streams, k, false).expect("draws")).collect();
    assert!(sets[0].test == sets[1].test && sets[0].training != sets[1].training);
    for case in sets[0].test.iter().chain(&sets[0].validation) {
        assert!(sets.iter().all(|s| s.training.iter().all(|t| t.values != case.values)));
    }
    // The same plan but for the head; the same weights up to the heads.
    let new = |m| Segmenter::new(config.plan(m), &mut streams.stream("weights", 0)).expect("builds");
    let (nested, softmax) = (new(Method::MultiLevel), new(Method::Softmax));
    let body = |s: &Segmenter| {
        let p = s.parameters();
        let end = p.entries().iter().find(|e| e.name.starts_with("head")).expect("a head").offset;
        p.values()[..end].to_vec()
    };
    assert_eq!(body(&nested), body(&softmax));
}
