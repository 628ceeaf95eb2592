//! The corpus of the fuzz targets in the normal tests: `ok_*` is read, `bad_*` is refused, nothing panics, whatever is
//! cut off or flipped. `tests/reference/make_corpus.py` wrote the files.
#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_core::{Connectome, Error, Noun as _, Recording, Result, SpikeTrains, Stimuli, Volume, Weights};
use neuropil_data::{Format, Source, check, formats, read};
use std::path::{Path, PathBuf};

fn files(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(target);
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).expect("a corpus").map(|e| e.expect("an entry").path()).collect();
    paths.sort();
    paths.into_iter().map(|p| (p.clone(), std::fs::read(p).expect("reads"))).collect()
}

/// What the fuzz target does, with its verdict.
fn parse(target: &str, bytes: &[u8]) -> Result<()> {
    match target {
        "idx" => formats::idx::parse(bytes).map(drop),
        "npy" => formats::npy::parse_value(bytes).map(drop),
        "npz" => formats::npz::parse(bytes).map(drop),
        "nifti" => formats::nifti::parse(bytes).map(drop),
        "png" => formats::png::parse(bytes).map(drop),
        "wav" => formats::wav::parse(bytes).map(drop),
        "csv" => formats::csv::parse(bytes).map(drop),
        "json" => {
            formats::json::parse(bytes).map(drop).or_else(|_| formats::json::parse_lines(bytes).map(drop))
        }
        "graphml" => formats::graphml::parse(bytes).map(drop),
        "safetensors" => {
            let store = formats::safetensors::parse(bytes)?;
            let _ = Recording::from_store(&store);
            let _ = SpikeTrains::from_store(&store);
            let _ = Connectome::from_store(&store);
            let _ = Stimuli::from_store(&store);
            let _ = Volume::from_store(&store);
            let _ = Weights::from_store(&store);
            Ok(())
        }
        "archive" => formats::archive::members(Format::Zip, bytes)
            .or_else(|_| formats::archive::members(Format::Tar, bytes))
            .map(drop)
            .or_else(|_| formats::gzip::decompress(bytes, 1 << 20).map(drop)),
        other => Err(Error::Internal(other.into())),
    }
}

/// Everything that the high-level readers do with these bytes under this name.
fn read_all(name: &str, bytes: &[u8]) {
    let Ok(source) = Source::from_bytes(name, name.into(), bytes.to_vec()) else { return };
    let _ = read::arrays_of(&source);
    let _ = read::table_of(&source);
    let _ = read::recording_of(&source);
    let _ = read::spike_trains_of(&source);
    let _ = read::connectome_of(&source);
    let _ = read::stimuli_of(&source);
    let _ = read::volume_of(&source);
    let _ = read::documents_of(&source);
    let _ = check::describe(&source);
}

const TARGETS: [&str; 11] =
    ["idx", "npy", "npz", "nifti", "png", "wav", "csv", "json", "graphml", "safetensors", "archive"];

#[test]
fn valid_files_are_read_and_hostile_ones_refused() {
    for target in TARGETS {
        for (path, bytes) in files(target) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let verdict = parse(target, &bytes);
            match name.split('_').next() {
                Some("ok") => assert!(verdict.is_ok(), "{target}/{name}: {verdict:?}"),
                Some("bad") => {
                    let e = verdict.expect_err(&name);
                    assert_eq!(e.exit_code(), 3, "{target}/{name}: {e}");
                }
                // Either is fine, as long as it ends.
                _ => {}
            }
            read_all(&name, &bytes);
        }
    }
}

#[test]
fn nothing_panics_whatever_is_cut_off_or_flipped() {
    for target in TARGETS {
        for (path, bytes) in files(target).into_iter().filter(|(_, b)| b.len() <= 2500) {
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let valid = name.starts_with("ok_");
            for n in 0..bytes.len() {
                let verdict = parse(target, &bytes[..n]);
                // Binary formats know their length: every cut of a valid file is an error.
                let knows = matches!(target, "idx" | "npy" | "nifti" | "png" | "safetensors" | "npz");
                assert!(
                    !(valid && knows && verdict.is_ok()),
                    "{target}/{name} cut to {n} bytes was accepted"
                );
            }
            let mut damaged = bytes.clone();
            for i in 0..bytes.len() {
                for mask in [0x01, 0x80, 0xff] {
                    damaged[i] = bytes[i] ^ mask;
                    let _ = parse(target, &damaged);
                }
                // The high-level readers once per byte.
                if bytes.len() <= 700 {
                    read_all(&name, &damaged);
                    read_all(&name, &bytes[..i]);
                }
                damaged[i] = bytes[i];
            }
        }
    }
}
