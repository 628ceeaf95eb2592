//! The README's table is what the committed scoreboard gives.

#![allow(clippy::expect_used, clippy::unwrap_used, reason = "a failed step fails the test")]

use std::path::Path;
use std::process::Command;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

#[test]
fn the_table_is_generated() {
    let readme = std::fs::read_to_string(root().join("README.md")).expect("README");
    let (_, rest) = readme.split_once("--markdown` -->\n").expect("start of the table");
    let (table, _) = rest.split_once("<!-- /board -->").expect("end of the table");
    let out = Command::new(env!("CARGO_BIN_EXE_neuropil"))
        .current_dir(root())
        .args(["board", "--from", "docs/board.json", "--markdown"])
        .output()
        .expect("runs");
    assert!(out.status.success());
    assert_eq!(table.trim(), String::from_utf8_lossy(&out.stdout).trim(), "generate the table anew");
}

#[test]
fn every_system_of_the_catalogue_is_on_the_board() {
    let board = std::fs::read_to_string(root().join("docs/board.json")).expect("board");
    for entry in neuropil::systems::catalogue() {
        assert!(board.contains(&format!("\"{}\"", entry.card.slug)), "{} has no row", entry.card.slug);
    }
}
