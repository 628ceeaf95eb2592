//! What is written is read back, for any content.
#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_core::connectome::Edge;
use neuropil_core::{Array, Connectome, DType, Unit, Volume};
use neuropil_data::formats::{csv, graphml, gzip, idx, nifti, npy, npz, png, wav};
use neuropil_data::frame::{Column, Frame};
use proptest::prelude::*;

const DTYPES: [DType; 12] = [
    DType::Bool,
    DType::U8,
    DType::I8,
    DType::U16,
    DType::I16,
    DType::U32,
    DType::I32,
    DType::U64,
    DType::I64,
    DType::F16,
    DType::F32,
    DType::F64,
];

fn any_array() -> impl Strategy<Value = Array> {
    (prop::sample::select(&DTYPES[..]), prop::collection::vec(0_usize..5, 0..4)).prop_flat_map(
        |(dtype, shape)| {
            let n = shape.iter().product::<usize>() * dtype.size();
            prop::collection::vec(any::<u8>(), n)
                .prop_map(move |b| Array::new(dtype, shape.clone(), b).expect("fits"))
        },
    )
}

/// Names as files have them: no control characters, no white space at the ends (which the readers trim).
fn name() -> impl Strategy<Value = String> {
    let any_of = |more: &str| {
        let letters = ('a'..='z').chain('A'..='Z');
        prop::sample::select(letters.chain(more.chars()).collect::<Vec<char>>())
    };
    let middle = prop::collection::vec(any_of("0123456789 ,;é<>&\"'_-"), 0..=8);
    (any_of("é<>&\"'_;"), middle, any_of("_"))
        .prop_map(|(first, middle, last)| std::iter::once(first).chain(middle).chain([last]).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn npy_and_npz_keep_every_bit(a in any_array(), b in any_array()) {
        prop_assert_eq!(&npy::parse(&npy::encode(&a).expect("encodes")).expect("parses"), &a);
        let values = vec![("a".to_string(), npy::Value::Numbers(a)), ("b".to_string(), npy::Value::Numbers(b))];
        let bytes = npz::encode(&values).expect("encodes");
        prop_assert_eq!(npz::parse(&bytes).expect("parses"), values);
    }

    #[test]
    fn idx_keeps_every_bit(a in any_array()) {
        if let Ok(bytes) = idx::encode(&a) {
            prop_assert_eq!(idx::parse(&bytes).expect("parses"), a);
        }
    }

    #[test]
    fn gzip_keeps_every_bit(b in prop::collection::vec(any::<u8>(), 0..500)) {
        prop_assert_eq!(gzip::decompress(&gzip::compress(&b).expect("compresses"), 500).expect("expands"), b);
    }

    #[test]
    fn csv_keeps_numbers_and_names(
        names in prop::collection::btree_set(name(), 1..5).prop_map(Vec::from_iter).prop_shuffle(),
        values in prop::collection::vec(prop::num::f64::NORMAL | prop::num::f64::ZERO, 1..6),
    ) {
        let columns = names.into_iter().map(|n| (n, Column::Numbers(values.clone()))).collect();
        let frame = Frame { columns, has_header: true };
        prop_assert_eq!(csv::parse(&csv::encode(&frame).expect("encodes")).expect("parses"), frame);
    }

    #[test]
    fn graphml_keeps_units_and_edges(
        names in prop::collection::vec(name(), 1..5),
        edges in prop::collection::vec((0_u32..5, 0_u32..5, -1e6_f32..1e6, 0.0_f32..10.0), 0..8),
    ) {
        let n = names.len() as u32;
        let mut edges: Vec<Edge> = edges
            .into_iter()
            .map(|(s, t, weight, delay_ms)| Edge { source: s % n, target: t % n, weight, delay_ms, kind: 0 })
            .collect();
        edges.sort_by_key(|e| (e.source, e.target));
        let kinds = if edges.is_empty() { vec![] } else { vec!["chemical".to_string()] };
        let c = Connectome::new(names.into_iter().map(Unit::named).collect(), kinds, edges).expect("fits");
        prop_assert_eq!(graphml::parse(graphml::encode(&c).as_bytes()).expect("parses"), c);
    }

    #[test]
    fn nifti_keeps_values_and_geometry(
        shape in prop::array::uniform4(1_usize..4),
        // Multiples of 1/8 are exact in the single precision of the header.
        voxel in prop::array::uniform3(1_u8..40),
        origin in prop::array::uniform3(-500_i16..500),
    ) {
        let n: usize = shape.iter().product();
        let values = (0..n).map(|i| i as f32 * 0.37 - 5.0).collect();
        let mut v = Volume::new(shape, values, voxel.map(|v| f64::from(v) / 8.0)).expect("fits");
        for (row, o) in v.affine.iter_mut().zip(origin) {
            row[3] = f64::from(o);
        }
        prop_assert_eq!(nifti::parse(&nifti::encode(&v).expect("encodes")).expect("parses").volume, v);
    }

    #[test]
    fn png_and_wav_keep_every_value(
        shape in (prop::sample::select(&[1_usize, 3][..]), 1_usize..6, 1_usize..6),
        seed in any::<u8>(),
        samples in prop::collection::vec(-1.0_f32..1.0, 1..20),
    ) {
        let n = shape.0 * shape.1 * shape.2;
        let pixels: Vec<u8> = (0..n).map(|i| (i as u8).wrapping_mul(31).wrapping_add(seed)).collect();
        let image = Array::from_u8(&[shape.0, shape.1, shape.2], &pixels).expect("fits");
        prop_assert_eq!(png::parse(&png::encode(&image).expect("encodes")).expect("parses"), image);
        let sound = wav::Sound { rate_hz: 16000.0, channels: vec![samples] };
        prop_assert_eq!(wav::parse(&wav::encode(&sound).expect("encodes")).expect("parses"), sound);
    }
}
