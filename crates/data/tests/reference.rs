//! Values against NumPy, nibabel, SciPy, Pillow and safetensors; `tests/reference/make_corpus.py` made files and numbers.
#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_data::{formats, read};
use serde_json::Value;
use std::path::Path;

#[test]
fn every_reader_agrees_with_the_reference_implementation() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let text = std::fs::read_to_string(root.join("reference/expected.json")).expect("reads");
    let Value::Object(expected) = serde_json::from_str(&text).expect("JSON") else { panic!("an object") };
    assert!(expected.len() > 45, "{}", expected.len());
    let numbers = |v: &Value| -> Vec<f64> {
        v.as_array().expect("a list").iter().map(|x| x.as_f64().expect("a number")).collect()
    };
    for (name, want) in &expected {
        let array = read::array(&root.join("corpus").join(name)).expect(name);
        let shape: Vec<f64> = array.shape().iter().map(|&d| d as f64).collect();
        assert_eq!(shape, numbers(&want["shape"]), "{name}");
        // Volumes and sounds are kept in single precision; everything else is exact.
        let tolerance = if name.starts_with("nifti") || name.starts_with("wav") { 2e-7 } else { 0.0 };
        for (got, want) in array.to_f64().iter().zip(numbers(&want["values"])) {
            assert!((got - want).abs() <= tolerance * want.abs().max(1e-3), "{name}: {got} for {want}");
        }
        if let Some(affine) = want.get("affine") {
            let bytes = std::fs::read(root.join("corpus").join(name)).expect("reads");
            let nifti = formats::nifti::parse(&bytes).expect(name);
            for (got, want) in nifti.volume.affine.iter().flatten().zip(numbers(affine)) {
                // The header holds single precision, and nibabel derives the rotation in double.
                assert!((got - want).abs() <= 1e-5 * want.abs().max(1.0), "{name}: affine {got} for {want}");
            }
            if let Some(seconds) = want.get("repetition_s") {
                assert_eq!(nifti.repetition_s, seconds.as_f64());
            }
        }
    }
}

#[test]
fn arrays_are_written_as_numpy_writes_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus/npy");
    for name in
        ["ok_f4.npy", "ok_f8.npy", "ok_u1.npy", "ok_u2.npy", "ok_b1.npy", "ok_scalar.npy", "ok_empty.npy"]
    {
        let bytes = std::fs::read(folder.join(name)).expect("reads");
        let array = formats::npy::parse(&bytes).expect(name);
        assert_eq!(formats::npy::encode(&array).expect("encodes"), bytes, "{name}");
    }
}
