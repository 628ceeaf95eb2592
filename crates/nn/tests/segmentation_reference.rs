//! The residual U-Net and the losses of nested regions against PyTorch; `tests/reference/make_segmentation.py` made the
//! numbers.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use neuropil_core::{Result, Store, Streams};
use neuropil_nn::modules::segmentation::{
    Head, Loss, evaluate, free_thresholds, ordinal_loss, segmentation_loss,
};
use neuropil_nn::modules::{UNet, UNetConfig};
use neuropil_nn::pass::values;
use neuropil_nn::{Init, Parameters, Pass};
use std::path::Path;

fn reference() -> Store {
    Store::load(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/segmentation.safetensors"))
        .unwrap()
}

/// Single precision against double through a dozen layers with norms, relative to the largest value.
fn close(name: &str, got: &[f32], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}");
    let size = want.iter().fold(1.0_f64, |m, v| m.max(v.abs()));
    for (i, (g, w)) in got.iter().zip(want).enumerate() {
        assert!((f64::from(*g) - w).abs() < tolerance * size, "{name}[{i}]: {g} {w}");
    }
}

fn network(name: &str, config: UNetConfig) -> Result<()> {
    let store = reference();
    let get = |key: &str| store.require(&format!("{name}/{key}")).unwrap();
    let mut p = Parameters::default();
    let mut stream = Streams::new(0).stream("init", 0);
    let net = UNet::new(&mut p, config, &mut stream)?;
    let x = p.add("x", get("x").shape(), Init::Constant(0.0), &mut stream);
    let entries = p.entries().to_vec();
    for e in &entries {
        let array = get(&e.name);
        assert_eq!(array.shape(), e.shape, "{}", e.name);
        p.values_mut()[e.offset..e.offset + e.len].copy_from_slice(&array.to_f32());
    }
    let pass = Pass::training(&p, None);
    let y = net.forward(&pass, pass.parameter::<5>(x))?;
    close("y", &values(y.clone()), &get("y").to_f64(), 1e-5);
    let g = pass.input::<5>(get("g").to_f32(), y.dims());
    let (_, gradient) = pass.gradient(&(y * g).sum())?;
    for e in &entries {
        let want = get(&format!("d{}", e.name)).to_f64();
        close(&e.name, &gradient[e.offset..e.offset + e.len], &want, 1e-4);
    }
    Ok(())
}

#[test]
fn network_over_three_axes() -> Result<()> {
    let filters = vec![2, 3, 4];
    network("three", UNetConfig { input: 2, filters, output: 2, axes: 3, dropout: 0.0, deep: 3 })
}

#[test]
fn network_over_two_axes() -> Result<()> {
    network("two", UNetConfig { input: 1, filters: vec![2, 3], output: 1, axes: 2, dropout: 0.0, deep: 1 })
}

const LOSSES: [(&str, Loss); 5] = [
    ("mce", Loss::Mce),
    ("nce", Loss::Nce),
    ("dice", Loss::Dice),
    ("mce_dice", Loss::MceDice),
    ("nce_dice", Loss::NceDice),
];

#[test]
fn losses_and_gradients_in_double_precision() {
    let store = reference();
    let targets: Vec<u16> =
        store.require("targets").unwrap().to_indices().unwrap().iter().map(|t| *t as u16).collect();
    for (name, head) in [
        ("multi_level", Head::multi_level(6.0, 0.5, 3)),
        ("softmax", Head::Softmax { levels: 3 }),
        ("sigmoids", Head::Sigmoids { levels: 3 }),
    ] {
        let get = |key: &str| store.require(&format!("{name}/{key}")).unwrap().to_f64();
        for (key, loss) in LOSSES {
            let found = evaluate(&get("z"), &head, &targets, 30, loss);
            // The same formulas in double precision; the weights of PyTorch go through single precision.
            assert!((found.value - get(key)[0]).abs() < 1e-6, "{name} {key}");
            for (g, w) in found.maps.iter().zip(get(&format!("d{key}"))) {
                assert!((g - w).abs() < 1e-6, "{name} {key}: {g} {w}");
            }
        }
    }
}

#[test]
fn operations_carry_gradients_to_the_maps_and_thresholds() -> Result<()> {
    let store = reference();
    let targets: Vec<u16> = store.require("targets")?.to_indices()?.iter().map(|t| *t as u16).collect();
    let z = store.require("multi_level/z")?.to_f32();
    let (kappa, head) = (6.0, Head::multi_level(6.0, 0.5, 3));
    let mut stream = Streams::new(0).stream("init", 0);
    let mut p = Parameters::default();
    let maps = p.add("maps", &[2, 1, 1, 1, 30], Init::Constant(0.0), &mut stream);
    let raw = p.add("raw", &[3], Init::Constant(0.0), &mut stream);
    p.get_mut(maps).copy_from_slice(&z);
    p.get_mut(raw).copy_from_slice(&free_thresholds(&[-0.5, 0.0, 0.5]));
    let pass = Pass::training(&p, None);
    // Twice the loss, so that the gradient of the scalar itself matters.
    let fixed = segmentation_loss(pass.parameter::<5>(maps), &head, &targets, Loss::MceDice)? * 2.0;
    let (value, gradient) = pass.gradient(&fixed)?;
    let want: Vec<f64> = store.require("multi_level/dmce_dice")?.to_f64().iter().map(|v| 2.0 * v).collect();
    close("maps", &gradient[..60], &want, 1e-6);
    let learnt = |p: &Parameters| {
        let pass = Pass::training(p, None);
        let loss = ordinal_loss(
            pass.parameter::<5>(maps),
            pass.parameter::<1>(raw),
            kappa,
            &targets,
            Loss::MceDice,
        )?;
        pass.gradient(&(loss * 2.0))
    };
    let (same, gradient) = learnt(&p)?;
    assert!((value - same).abs() < 1e-5);
    close("maps", &gradient[..60], &want, 1e-6);
    for k in 0..3 {
        let at = |d: f32| {
            let mut moved = p.clone();
            moved.get_mut(raw)[k] += d;
            learnt(&moved).map(|r| f64::from(r.0))
        };
        let difference = (at(1e-2)? - at(-1e-2)?) / 2e-2;
        // Differences of single-precision values at 0.01: rounding 1e-5, curvature 1e-3 of a slope of order 1.
        assert!(
            (f64::from(gradient[60 + k]) - difference).abs() < 5e-3,
            "{k}: {} {difference}",
            gradient[60 + k]
        );
    }
    // A level beyond the head, and maps of another number of channels.
    let bad = |head: &Head, t: &[u16]| {
        let pass = Pass::inference(&p);
        segmentation_loss(pass.parameter::<5>(maps), head, t, Loss::Mce).map_err(|e| e.exit_code()).err()
    };
    assert_eq!(bad(&head, &[4; 60]), Some(3));
    assert_eq!(bad(&head, &[0; 59]), Some(3));
    assert_eq!(bad(&Head::Softmax { levels: 3 }, &[0; 60]), Some(3));
    Ok(())
}
