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
    let metadata = MetadataCommand::new()
        .other_options(vec!["--offline".into(), "--locked".into()])
        .exec()
        .expect("metadata");
    let resolve = metadata.resolve.expect("resolved");
    for name in ["neuropil-analysis", "neuropil-spike", "neuropil-data", "neuropil-plot"] {
        let start = metadata.packages.iter().find(|p| p.name.as_str() == name).expect("crate").id.clone();
        let (mut queue, mut seen) = (vec![start], std::collections::BTreeSet::new());
        while let Some(id) = queue.pop() {
            let node = resolve.nodes.iter().find(|n| n.id == id).expect("node");
            for d in node.deps.iter().filter(|d| d.dep_kinds.iter().any(|k| k.kind == DependencyKind::Normal))
            {
                if seen.insert(d.pkg.clone()) {
                    queue.push(d.pkg.clone());
                }
            }
        }
        let burn: Vec<String> = seen.iter().map(ToString::to_string).filter(|p| p.contains("burn")).collect();
        assert!(burn.is_empty(), "{name} pulls in {burn:?}");
    }
}
