//! The layer table of the architecture, held to the code.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use serde_json::Value;
use std::process::Command;

/// (crate, floor, what of the workspace it may use besides lower floors)
const FLOORS: &[(&str, u32, &[&str])] = &[
    ("neuropil-core", 0, &[]),
    ("neuropil-math", 0, &["neuropil-core"]),
    ("neuropil-plot", 1, &[]),
    ("neuropil-data", 1, &[]),
    ("neuropil-spike", 1, &[]),
    ("neuropil-analysis", 1, &[]),
    ("neuropil-nn", 2, &[]),
    ("neuropil-experiment", 3, &[]),
    ("neuropil-systems", 4, &[]),
    ("neuropil", 5, &[]),
    ("neuropil-cli", 6, &[]),
];

fn floor(name: &str) -> Option<u32> {
    FLOORS.iter().find(|f| f.0 == name).map(|f| f.1)
}

/// What `cargo` prints.
fn cargo(args: &[&str]) -> String {
    let out = Command::new(env!("CARGO"))
        .args(args)
        .args(["--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo runs");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).expect("text")
}

#[test]
fn crates_use_only_the_floors_below() {
    let metadata: Value =
        serde_json::from_str(&cargo(&["metadata", "--format-version", "1", "--no-deps"])).expect("metadata");
    let list = |v: &Value, key: &str| v[key].as_array().expect("a list").clone();
    let packages = list(&metadata, "packages");
    assert_eq!(packages.len(), FLOORS.len(), "a crate is missing from the table of floors");
    for package in &packages {
        let name = package["name"].as_str().expect("a name");
        let (_, own, extra) = FLOORS.iter().find(|f| f.0 == name).expect("crate in the table");
        for dependency in list(package, "dependencies").iter().filter(|d| d["kind"] != "dev") {
            let used = dependency["name"].as_str().expect("a name");
            if let Some(theirs) = floor(used) {
                assert!(
                    theirs < *own || extra.contains(&used),
                    "{name} (floor {own}) must not use {used} (floor {theirs})"
                );
            }
        }
    }
}

#[test]
fn readers_and_analysis_stand_without_the_tensor_library() {
    for name in ["neuropil-analysis", "neuropil-spike", "neuropil-data", "neuropil-plot"] {
        let tree = cargo(&["tree", "--package", name, "--edges", "normal", "--prefix", "none"]);
        assert!(tree.contains("neuropil-core"), "{tree}");
        let burn: Vec<&str> = tree.lines().filter(|l| l.starts_with("burn")).collect();
        assert!(burn.is_empty(), "{name} pulls in {burn:?}");
    }
}
