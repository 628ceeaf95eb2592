//! Running the Dragon Hatchling: the experiment's mechanics, resume, the user's files, and what is refused.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]
#![allow(missing_docs)]

use neuropil_core::{Array, Error, Noun, Weights, files};
use neuropil_data::formats::npy;
use neuropil_experiment::{Outcome, Profile, RunOptions, execute};
use neuropil_systems::find;
use std::path::{Path, PathBuf};

fn options(out: &Path) -> RunOptions {
    RunOptions { profile: Profile::Smoke, out: out.to_path_buf(), ..RunOptions::default() }
}

fn run(out: &Path, input: &[String], set: &[&str]) -> Result<Outcome, Error> {
    let set = set.iter().map(ToString::to_string).collect();
    execute(&find("bdh").expect("registered"), &RunOptions { input: input.to_vec(), set, ..options(out) })
}

fn code(result: Result<Outcome, Error>) -> u8 {
    let e = result.expect_err("must be refused");
    assert!(e.mismatch().is_some(), "{e}");
    e.exit_code()
}

fn example(dir: &Path) -> PathBuf {
    (find("bdh").expect("registered").example)(dir).expect("writes");
    dir.to_path_buf()
}

fn role(role: &str, path: &Path) -> String {
    format!("{role}={}", path.display())
}

#[test]
fn smoke_runs_and_an_interrupted_run_ends_in_the_same_report() {
    let (a, b) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let whole = run(a.path(), &[], &[]).expect("runs").report;
    assert_eq!(whole.claims.len(), 3);
    assert!(whole.claims.iter().any(|c| c.id == "forms-agree" && c.passed), "{:?}", whole.claims);
    let entry = find("bdh").expect("registered");
    let stopped = execute(&entry, &RunOptions { interrupt_after: Some(7), ..options(b.path()) });
    assert!(matches!(stopped, Err(Error::Interrupted)));
    let rest =
        execute(&entry, &RunOptions { resume: Some(None), ..options(b.path()) }).expect("resumes").report;
    assert_eq!((&whole.claims, &whole.metrics), (&rest.claims, &rest.metrics));
}

#[test]
fn the_user_trains_continues_generates_inspects_and_merges() {
    let dir = tempfile::tempdir().unwrap();
    let data = example(&dir.path().join("data"));
    let out = dir.path().join("runs");
    let text = role("text", &data.join("text.txt"));
    let trained = run(&out, std::slice::from_ref(&text), &[]).expect("trains");
    for name in ["checkpoint.safetensors", "loss.csv", "sparsity.csv", "sample.txt", "state.npz"] {
        assert!(trained.folder.join(name).is_file(), "{name}");
    }
    let checkpoint = role("checkpoint", &trained.folder.join("checkpoint.safetensors"));
    // Sizes come from the checkpoint, not from the configuration.
    let again =
        run(&out, &[text.clone(), checkpoint.clone()], &["width=8", "baseline=false"]).expect("goes on");
    let second = role("checkpoint", &again.folder.join("checkpoint.safetensors"));

    let made = run(&out, std::slice::from_ref(&checkpoint), &["task=generate", "prompt=ROMEO", "length=30"])
        .expect("generates");
    assert_eq!(std::fs::read(made.folder.join("sample.txt")).unwrap().len(), 35);

    let lists = ["positive", "negative"].map(|r| role(r, &data.join(format!("{r}.jsonl"))));
    let input = [checkpoint.clone(), text.clone(), lists[0].clone(), lists[1].clone()];
    let read = run(&out, &input, &["task=inspect"]).expect("inspects");
    for name in ["neurons.graphml", "neurons.csv", "sparsity.csv", "synapses.csv"] {
        assert!(read.folder.join(name).is_file(), "{name}");
    }
    let merged = run(&out, &[checkpoint, second, text], &["task=merge"]).expect("merges");
    assert_eq!(merged.report.metrics["neurons"], 128.0);
    let weights = Weights::load(&merged.folder.join("checkpoint.safetensors")).expect("loads");
    assert_eq!(weights.require("E").unwrap().shape(), [8, 16, 16]);
}

#[test]
fn bad_inputs_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("runs");
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        files::write_atomic(&path, bytes).unwrap();
        path
    };
    let text = |name: &str, bytes: &[u8]| [role("text", &file(name, bytes))];
    // Shorter than the context plus one; empty; empty validation split; missing; directory without texts.
    assert_eq!(code(run(&out, &text("short.txt", b"only a few"), &[])), 3);
    assert_eq!(code(run(&out, &text("empty.txt", b""), &[])), 3);
    assert_eq!(code(run(&out, &text("long.txt", &[b'a'; 2000]), &["validation=0"])), 3);
    assert_eq!(code(run(&out, &[role("text", &dir.path().join("none.txt"))], &[])), 3);
    std::fs::create_dir(dir.path().join("void")).unwrap();
    assert_eq!(code(run(&out, &[role("text", &dir.path().join("void"))], &[])), 3);
    // Token id at or beyond V; a matrix in place of ids; a truncated file.
    let ids = npy::encode(&Array::from_u16(&[500], &[300; 500]).unwrap()).unwrap();
    assert_eq!(code(run(&out, &text("ids.npy", &ids), &[])), 3);
    assert!(run(&out, &text("ids.npy", &ids), &["vocabulary=301", "steps=2", "baseline=false"]).is_ok());
    let matrix = npy::encode(&Array::from_u16(&[50, 10], &[3; 500]).unwrap()).unwrap();
    assert_eq!(code(run(&out, &text("matrix.npy", &matrix), &[])), 3);
    assert_eq!(code(run(&out, &text("cut.npy", &ids[..200]), &[])), 3);
    // n not divisible by 2 H, and other configuration errors.
    let text = text("long.txt", &[b'a'; 2000]);
    assert_eq!(code(run(&out, &text, &["neurons=68"])), 2);
    assert_eq!(code(run(&out, &text, &["dropout=1"])), 2);
    assert_eq!(code(run(&out, &text, &["rate=-1"])), 2);
    // A loss that leaves the numbers names its step.
    let e = run(&out, &text, &["rate=1e30", "clip=1e30", "weight_decay=1e9"]).expect_err("diverges");
    assert!(e.exit_code() == 3 && e.to_string().contains("step"), "{e}");
    // A checkpoint whose arrays disagree, lacks one, or holds NaN.
    let array = |shape: &[usize], v: f32| Array::from_f32(shape, &vec![v; shape.iter().product()]).unwrap();
    let mut weights = Weights {
        parameters: vec![
            ("E".into(), array(&[2, 4, 6], 0.1)),
            ("Ev".into(), array(&[2, 4, 6], 0.1)),
            ("Dc".into(), array(&[12, 4], 0.1)),
            ("embed".into(), array(&[256, 4], 0.1)),
            ("head".into(), array(&[4, 256], 0.1)),
        ],
        ..Weights::default()
    };
    let mut with = |k: usize, a: Array| {
        let old = std::mem::replace(&mut weights.parameters[k].1, a);
        let path = dir.path().join(format!("weights{k}.safetensors"));
        weights.save(&path).unwrap();
        weights.parameters[k].1 = old;
        run(&out, &[role("checkpoint", &path)], &["task=generate", "length=3"])
    };
    assert!(with(0, array(&[2, 4, 6], 0.1)).is_ok());
    assert_eq!(code(with(2, array(&[4, 12], 0.1))), 3);
    assert_eq!(code(with(0, array(&[2, 4, 5], 0.1))), 3);
    assert_eq!(code(with(4, array(&[4, 256], f32::NAN))), 3);
    assert_eq!(code(run(&out, &text, &["task=generate"])), 2);
}
