//! The command line that scripts rely on, through the real binary.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use serde_json::Value;
use std::path::Path;
use std::process::Command;

fn neuropil(dir: &Path, args: &[&str]) -> (i32, String, String) {
    let out =
        Command::new(env!("CARGO_BIN_EXE_neuropil")).current_dir(dir).args(args).output().expect("runs");
    let text = |b: &[u8]| String::from_utf8_lossy(b).into_owned();
    (out.status.code().expect("code"), text(&out.stdout), text(&out.stderr))
}

fn temp() -> tempfile::TempDir {
    tempfile::tempdir().expect("tempdir")
}

/// What the contract lets differ between two runs of the same thing.
fn essence(line: &str) -> Value {
    let mut v: Value = serde_json::from_str(line).expect("one JSON document a line");
    for key in ["manifest", "speed", "wall_s", "cpu_s", "peak_mem_mb"] {
        v.as_object_mut().expect("object").remove(key).expect(key);
    }
    v
}

#[test]
fn list_is_an_array_with_the_keys_of_the_contract() {
    let dir = temp();
    let (code, out, _) = neuropil(dir.path(), &["list", "--json"]);
    assert_eq!(code, 0);
    let rows: Value = serde_json::from_str(&out).expect("JSON");
    for row in rows.as_array().expect("array") {
        for key in
            ["number", "slug", "title", "wing", "summary", "claim", "data", "tags", "inputs", "outputs"]
        {
            assert!(!row[key].is_null(), "{key}");
        }
    }
    assert!(rows.as_array().is_some_and(|r| !r.is_empty()));
    assert_eq!(neuropil(dir.path(), &["list", "--wing", "nowhere"]).0, 2);
}

#[test]
fn every_system_smokes_with_the_same_bits_for_any_threads_and_shows_its_card() {
    for entry in neuropil::systems::catalogue() {
        let dir = temp();
        let slug = entry.card.slug;
        let run = |threads: &str| {
            let (code, out, err) = neuropil(
                dir.path(),
                &["run", slug, "--smoke", "--json", "--threads", threads, "--out", threads],
            );
            assert!(code <= 1, "{slug}: {code} {err}");
            essence(out.trim())
        };
        let one = run("1");
        assert_eq!(one, run("2"), "{slug} depends on the number of threads");
        assert!(one["claims"].as_array().is_some_and(|c| !c.is_empty()), "{slug} makes no claim");
        for claim in one["claims"].as_array().expect("claims") {
            assert!(
                claim["passed"].is_boolean() && !claim["bar"].is_null() && claim["op"].is_string(),
                "{slug}"
            );
        }
        assert!(!one["figures"].as_array().expect("figures").is_empty(), "{slug} draws no figure");
        let (code, out, _) = neuropil(dir.path(), &["show", slug]);
        assert!(code == 0 && out.contains(entry.card.title), "{slug}");
        let (code, out, _) = neuropil(dir.path(), &["show", slug, "--config"]);
        std::fs::write(dir.path().join("c.toml"), &out).expect("writes");
        assert_eq!(code, 0, "{slug}");
        assert_eq!(neuropil(dir.path(), &["run", slug, "--config", "c.toml", "--dry-run"]).0, 0, "{slug}");
    }
}

#[test]
fn every_example_is_a_valid_input_and_every_wrong_file_is_code_3() {
    for entry in neuropil::systems::catalogue() {
        let dir = temp();
        let slug = entry.card.slug;
        assert_eq!(neuropil(dir.path(), &["data", "example", slug, "example"]).0, 0, "{slug}");
        // The example command of the card, run where the example was written.
        let words: Vec<&str> = entry.card.example.split_whitespace().skip(1).collect();
        let (code, _, err) = neuropil(&dir.path().join("example"), &words);
        assert!(code <= 1, "{slug}: `{}` gives {code}: {err}", entry.card.example);
        std::fs::write(dir.path().join("empty.csv"), "").expect("writes");
        std::fs::write(dir.path().join("noise.npy"), b"\x93NUMPY\x01\x00\xff\xff{'descr'").expect("writes");
        std::fs::write(dir.path().join("noise.safetensors"), [7_u8; 999]).expect("writes");
        std::fs::create_dir(dir.path().join("folder")).expect("creates");
        for bad in ["missing.csv", "empty.csv", "noise.npy", "noise.safetensors", "folder"] {
            let (code, _, err) = neuropil(dir.path(), &["run", slug, "--input", bad]);
            assert!(code == 3 && err.contains("error: expected"), "{slug} with {bad}: {code} {err}");
        }
    }
}

#[test]
fn usage_errors_are_code_2_with_a_hint() {
    let dir = temp();
    let slug = neuropil::systems::catalogue()[0].card.slug;
    let mistyped = format!("{slug}x");
    let (code, _, err) = neuropil(dir.path(), &["run", &mistyped]);
    assert!(code == 2 && err.contains(slug), "{err}");
    assert_eq!(neuropil(dir.path(), &["run", slug, "--set", "no_such_field=1"]).0, 2);
    assert_eq!(neuropil(dir.path(), &["run", slug, "--seeds", "3..1"]).0, 2);
    assert_eq!(neuropil(dir.path(), &["run", slug, "--config", "missing.toml"]).0, 2);
    assert_eq!(neuropil(dir.path(), &["no-such-command"]).0, 2);
    assert!(!dir.path().join("runs").exists(), "a refused run leaves nothing behind");
}

#[test]
fn seeds_give_a_document_each_and_a_summary_and_the_board_collects_them() {
    let dir = temp();
    let slug = neuropil::systems::catalogue()[0].card.slug;
    let (code, out, _) = neuropil(dir.path(), &["run", slug, "--smoke", "--seeds", "1..2", "--json"]);
    assert!(code <= 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3);
    let summary: Value = serde_json::from_str(lines[2]).expect("JSON");
    assert_eq!(summary["summary"][0]["seeds"], serde_json::json!([1, 2]));
    for form in ["--json", "--html", "--markdown"] {
        let (code, out, _) = neuropil(dir.path(), &["board", form]);
        assert!(code == 0 && out.contains(slug), "{form}");
    }
    assert_eq!(neuropil(dir.path(), &["board", "--runs", "nowhere"]).0, 3);
}

#[test]
fn an_interrupt_saves_and_resume_ends_in_the_same_bits() {
    for entry in neuropil::systems::catalogue() {
        let dir = temp();
        let slug = entry.card.slug;
        let whole = neuropil(dir.path(), &["run", slug, "--smoke", "--json", "--out", "whole"]);
        let (code, _, err) =
            neuropil(dir.path(), &["run", slug, "--smoke", "--interrupt-after", "1", "--out", "cut"]);
        if code <= 1 {
            continue; // too short to be interrupted
        }
        assert_eq!(code, 130, "{slug}: {err}");
        let resumed = neuropil(dir.path(), &["run", slug, "--smoke", "--json", "--resume", "--out", "cut"]);
        assert_eq!(essence(whole.1.trim()), essence(resumed.1.trim()), "{slug}");
    }
}
