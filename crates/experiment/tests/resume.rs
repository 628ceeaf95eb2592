//! An interrupted and resumed run ends in the same bits as an uninterrupted one.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use neuropil_core::{Bar, Claim, Error, Result};
use neuropil_experiment::{
    Card, DataKind, Entry, Estimate, Inputs, Profile, Run, RunOptions, System, Wing, board, execute,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// A random walk: long enough a loop to be interrupted in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Walk {
    /// Steps.
    steps: u64,
    /// Memory to claim, MB.
    mem_mb: f64,
    /// Panic in the method.
    broken: bool,
}

impl Default for Walk {
    fn default() -> Self {
        Self { steps: 50, mem_mb: 1.0, broken: false }
    }
}

impl System for Walk {
    const CARD: Card = Card {
        number: 0,
        slug: "walk",
        wing: Wing::Theory,
        title: "Walk",
        authors: "A",
        year: 1905,
        source: "-",
        summary: "-",
        claim: "-",
        data: DataKind::Simulated,
        tags: &[],
        inputs: &[],
        outputs: &[],
        example: "-",
    };

    fn preset(_: Profile) -> Self {
        Self::default()
    }

    fn check(&self) -> Result<()> {
        if self.steps == 0 {
            return Err(Error::config("at least 1 step", "0").at("steps"));
        }
        Ok(())
    }

    fn estimate(&self) -> Estimate {
        Estimate { wall_s: 0.1, mem_mb: self.mem_mb }
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        assert!(!self.broken, "asked to break");
        let mut ends = Vec::new();
        for k in 0..2_u64 {
            let end = run.stage(&format!("walk {k}"), |run| {
                let fresh = || (run.stream("walk", k), 0_u64, 0.0_f64);
                let (mut stream, mut step, mut x) = match run.restore("walk") {
                    Some(bytes) => {
                        postcard::from_bytes(&bytes).map_err(|e| Error::Internal(e.to_string()))?
                    }
                    None => fresh(),
                };
                while step < self.steps {
                    x += stream.normal();
                    step += 1;
                    run.log("walk", step, &[("x", x)]);
                    run.checkpoint("walk", || {
                        postcard::to_allocvec(&(&stream, step, x)).unwrap_or_default()
                    })?;
                }
                run.artifact(&format!("end-{k}.txt"), x.to_string().as_bytes())?;
                Ok(x)
            })?;
            ends.push(end);
        }
        run.claim(Claim::new("ends", "it ends somewhere", "x", ends[0] + ends[1], Bar::AtMost(1e9)));
        Ok(())
    }

    fn apply(&self, _: &Inputs, _: &mut Run) -> Result<()> {
        Ok(())
    }

    fn example(_: &Path) -> Result<()> {
        Ok(())
    }
}

fn options(out: &Path) -> RunOptions {
    RunOptions { out: out.into(), ..RunOptions::default() }
}

/// The report without what the contract lets differ, and the log.
fn results(folder: &Path) -> (serde_json::Value, String) {
    let text = std::fs::read_to_string(folder.join("report.json")).expect("report");
    let mut report: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    for key in ["manifest", "speed", "wall_s", "cpu_s", "peak_mem_mb"] {
        report.as_object_mut().expect("object").remove(key);
    }
    (report, std::fs::read_to_string(folder.join("metrics.jsonl")).expect("log"))
}

#[test]
fn interrupted_anywhere_ends_in_the_same_bits() {
    let dir = tempfile::tempdir().expect("tempdir");
    let entry = Entry::of::<Walk>();
    let whole = execute(&entry, &options(&dir.path().join("whole"))).expect("runs");
    for n in [0, 1, 7, 50, 51, 52, 90, 101] {
        let out = dir.path().join(n.to_string());
        let stopped = RunOptions { interrupt_after: Some(n), ..options(&out) };
        assert_eq!(execute(&entry, &stopped).expect_err("interrupted"), Error::Interrupted, "{n}");
        let resumed = RunOptions { resume: Some(None), ..options(&out) };
        let outcome = execute(&entry, &resumed).expect("resumes");
        assert_eq!(results(&outcome.folder), results(&whole.folder), "interrupted at {n}");
        assert_eq!(
            std::fs::read_dir(out.join("walk")).expect("folder").count(),
            1,
            "resume made a new folder"
        );
        assert!(!outcome.folder.join("checkpoint").exists());
    }
}

#[test]
fn resume_refuses_what_does_not_fit_and_starts_anew_where_nothing_is() {
    let dir = tempfile::tempdir().expect("tempdir");
    let entry = Entry::of::<Walk>();
    let stopped = RunOptions { interrupt_after: Some(5), ..options(dir.path()) };
    assert!(execute(&entry, &stopped).is_err());
    let (rows, problems) = board::collect(dir.path()).expect("collects");
    assert!(rows.is_empty() && problems.is_empty(), "an unfinished run has no claims");
    let folder = std::fs::read_dir(dir.path().join("walk"))
        .expect("folder")
        .next()
        .expect("one")
        .expect("entry")
        .path();
    let other = RunOptions { set: vec!["steps=3".into()], resume: Some(Some(folder)), ..options(dir.path()) };
    assert_eq!(execute(&entry, &other).expect_err("other settings").exit_code(), 2);
    let anew = RunOptions { set: vec!["steps=3".into()], resume: Some(None), ..options(dir.path()) };
    assert!(execute(&entry, &anew).is_ok());
}

#[test]
fn memory_panics_and_settings_have_their_exit_codes() {
    let dir = tempfile::tempdir().expect("tempdir");
    let entry = Entry::of::<Walk>();
    let with = |set: &str, force| RunOptions { set: vec![set.into()], force, ..options(dir.path()) };
    assert_eq!(execute(&entry, &with("mem_mb=1e12", false)).expect_err("too large").exit_code(), 4);
    assert!(execute(&entry, &with("mem_mb=1e12", true)).is_ok());
    assert_eq!(execute(&entry, &with("broken=true", false)).expect_err("bug").exit_code(), 70);
    assert_eq!(execute(&entry, &with("steps=0", false)).expect_err("setting").exit_code(), 2);
    assert_eq!(execute(&entry, &with("stesp=1", false)).expect_err("setting").exit_code(), 2);
}
