//! Puts the commit into the program, where there is one.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=../../.git/HEAD");
    println!("cargo::rerun-if-changed=../../.git/refs/heads");
    let commit = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    if let Some(text) =
        commit.ok().filter(|o| o.status.success()).and_then(|o| String::from_utf8(o.stdout).ok())
    {
        println!("cargo::rustc-env=NEUROPIL_COMMIT={}", text.trim());
    }
}
