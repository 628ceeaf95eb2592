//! The layer table of the architecture, held to the code.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use cargo_metadata::{DependencyKind, MetadataCommand};

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

#[test]
fn crates_use_only_the_floors_below() {
    let metadata =
        MetadataCommand::new().no_deps().other_options(vec!["--offline".into()]).exec().expect("metadata");
    assert_eq!(metadata.packages.len(), FLOORS.len(), "a crate is missing from the table of floors");
    for package in &metadata.packages {
        let (_, own, extra) =
            FLOORS.iter().find(|f| f.0 == package.name.as_str()).expect("crate in the table");
        for dependency in package.dependencies.iter().filter(|d| d.kind != DependencyKind::Development) {
            if let Some(theirs) = floor(&dependency.name) {
                assert!(
                    theirs < *own || extra.contains(&dependency.name.as_str()),
                    "{} (floor {own}) must not use {} (floor {theirs})",
                    package.name,
                    dependency.name
                );
            }
        }
    }
}

#[test]
fn readers_and_analysis_stand_without_the_tensor_library() {
    for name in ["neuropil-analysis", "neuropil-spike", "neuropil-data", "neuropil-plot"] {
        let out = std::process::Command::new(env!("CARGO"))
            .args([
                "tree",
                "--package",
                name,
                "--edges",
                "normal",
                "--prefix",
                "none",
                "--offline",
                "--locked",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("cargo tree");
        let tree = String::from_utf8_lossy(&out.stdout);
        assert!(
            out.status.success() && tree.contains("neuropil-core"),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
        let burn: Vec<&str> = tree.lines().filter(|l| l.starts_with("burn")).collect();
        assert!(burn.is_empty(), "{name} pulls in {burn:?}");
    }
}
