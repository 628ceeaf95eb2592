//! Times of kernels and training steps, as JSON: name, milliseconds of each repetition, and by how many MB the row raised
//! the largest memory of the process (only the first or the only row says how much it needs).
//!
//! `bench_kernels [REPEATS [NAME]]`; `benches/peers/kernels.py` runs it beside its peers.
#![allow(clippy::print_stdout, clippy::expect_used)]

use burn::tensor::Tensor;
use neuropil_core::{Result, Streams};
use neuropil_nn::kernels::{self, Activation, ConvShape, Mat};
use neuropil_nn::modules::{
    BatchNorm, Conv, Linear, Mlp, Transformer, TransformerConfig, act, cross_entropy, mean,
};
use neuropil_nn::optim::{Optimiser, Rule, Schedule};
use neuropil_nn::{Init, Parameters, Pass, Training};
use std::time::Instant;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Largest memory of this process so far in MB, where the system tells.
fn peak_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<f64>().ok()).map_or(0.0, |kb| kb / 1024.0)
}

fn time(name: &str, repeats: usize, mut f: impl FnMut() -> Result<()>) -> Result<()> {
    if std::env::args().nth(2).is_some_and(|only| !name.contains(&only)) {
        return Ok(());
    }
    let before = peak_mb();
    let mut all = Vec::new();
    for i in 0..repeats + 3 {
        let start = Instant::now();
        f()?;
        if i >= 3 {
            all.push(start.elapsed().as_secs_f64() * 1e3);
        }
    }
    println!(r#"{{"name":"{name}","ms":{all:?},"mb":{:.1}}}"#, peak_mb() - before);
    Ok(())
}

/// A tensor that steps may share, as the peers' do.
fn lend<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
    Pass::training(&Parameters::default(), None).input(values, shape)
}

fn training(parameters: Parameters) -> Training {
    Training::new(
        parameters,
        Rule::adamw(0.0),
        Schedule::constant(1e-3),
        1e9,
        Streams::new(1).stream("dropout", 0),
    )
}

fn main() -> Result<()> {
    let repeats = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(10);
    let mut s = Streams::new(1).stream("bench", 0);
    for n in [512, 1024, 2048] {
        let (a, b) = (s.normals_f32(n * n), s.normals_f32(n * n));
        time(&format!("matmul {n}"), repeats, || {
            let mut out = vec![0.0; n * n];
            kernels::matmul_rows(&mut out, Mat::new(&a, n, n), Mat::new(&b, n, n), false);
            std::hint::black_box(out);
            Ok(())
        })?;
    }
    let long = vec![1.0; 1 << 22];
    time("copy 4M", repeats, || {
        std::hint::black_box(kernels::concatenate(&[&long]));
        Ok(())
    })?;
    let x = s.normals_f32(1 << 22);
    time("softmax 4M", repeats, || {
        std::hint::black_box(kernels::softmax_rows(&x, 1024, false));
        Ok(())
    })?;
    let (gain, offset) = (s.normals_f32(1024), s.normals_f32(1024));
    time("layer norm 4M", repeats, || {
        std::hint::black_box(kernels::row_norm(&x, &gain, Some(&offset), kernels::RowNorm::Layer));
        Ok(())
    })?;
    for (name, kind) in
        [("tanh 4M", Activation::Tanh), ("gelu 4M", Activation::GeluErf), ("exp 4M", Activation::Exp)]
    {
        time(name, repeats, || {
            std::hint::black_box(kernels::activate(&x, kind));
            Ok(())
        })?;
    }

    let mut p = Parameters::default();
    let mlp = Mlp::new(&mut p, "mlp", &[784, 512, 512, 10], Activation::Relu, &mut s);
    let labels: Vec<u32> = (0..128).map(|_| s.below(10) as u32).collect();
    let images = s.normals_f32(128 * 784);
    let mut t = training(p);
    time("mlp step", repeats, || {
        t.step(|pass| {
            Ok(cross_entropy(mlp.forward(pass, pass.input(images.clone(), [128, 784])), &labels, None))
        })?;
        Ok(())
    })?;

    let mut p = Parameters::default();
    let conv = |p: &mut Parameters, name: &str, channels, size, stride, s: &mut _| {
        Conv::new(p, name, ConvShape::square(channels, [size; 2], 3, stride, 1), 2, s)
    };
    let layers = [
        conv(&mut p, "c1", [1, 32], 28, 1, &mut s)?,
        conv(&mut p, "c2", [32, 64], 28, 2, &mut s)?,
        conv(&mut p, "c3", [64, 64], 14, 1, &mut s)?,
    ];
    let head = Linear::new(&mut p, "head", 64 * 196, 10, &mut s);
    let images = s.normals_f32(64 * 784);
    let mut t = training(p);
    let forward = |pass: &Pass| -> Tensor<1> {
        let mut x: Tensor<4> = pass.input(images.clone(), [64, 1, 28, 28]);
        for layer in &layers {
            x = layer.rectified(pass, x);
        }
        cross_entropy(head.forward(pass, x.reshape([64, 64 * 196])), &labels[..64], None)
    };
    time("cnn step", repeats, || t.step(|pass| Ok(forward(pass))).map(|_| ()))?;

    let mut p = Parameters::default();
    let layers = [conv(&mut p, "r1", [64, 64], 32, 1, &mut s)?, conv(&mut p, "r2", [64, 64], 32, 1, &mut s)?];
    let norms = [BatchNorm::new(&mut p, "n1", 64, &mut s), BatchNorm::new(&mut p, "n2", 64, &mut s)];
    let images: Tensor<4> = lend(s.normals_f32(32 * 64 * 1024), [32, 64, 32, 32]);
    let mut t = training(p);
    let residual = |pass: &Pass| -> Tensor<1> {
        let x = images.clone();
        let y = norms[0].rectified(pass, layers[0].forward(pass, x.clone()), 0.0);
        mean(act(norms[1].forward(pass, layers[1].forward(pass, y)) + x, Activation::Relu))
    };
    time("resnet block step", repeats, || t.step(|pass| Ok(residual(pass))).map(|_| ()))?;

    let mut p = Parameters::default();
    let shape = ConvShape::cubic([16, 16], [32; 3], 3, 1, 1);
    let blocks = [Conv::new(&mut p, "a", shape, 3, &mut s)?, Conv::new(&mut p, "b", shape, 3, &mut s)?];
    let volume: Tensor<5> = lend(s.normals_f32(16 << 15), [1, 16, 32, 32, 32]);
    time("u-net block", repeats, || {
        let pass = Pass::training(&p, None);
        let mut x = volume.clone();
        for b in &blocks {
            x = b.rectified(&pass, x);
        }
        std::hint::black_box(pass.gradient(&mean(x))?);
        Ok(())
    })?;

    let mut p = Parameters::default();
    let depthwise = ConvShape { groups: 128, ..ConvShape::square([128, 128], [28; 2], 3, 1, 1) };
    let pair = [
        Conv::new(&mut p, "depthwise", depthwise, 2, &mut s)?,
        Conv::new(&mut p, "pointwise", ConvShape::square([128, 128], [28; 2], 1, 1, 0), 2, &mut s)?,
    ];
    let images: Tensor<4> = lend(s.normals_f32(32 * 128 * 784), [32, 128, 28, 28]);
    time("separable block", repeats, || {
        let pass = Pass::training(&p, None);
        let mut x = images.clone();
        for c in &pair {
            x = c.rectified(&pass, x);
        }
        std::hint::black_box(pass.gradient(&mean(x))?);
        Ok(())
    })?;

    let mut p = Parameters::default();
    let config =
        TransformerConfig { vocabulary: 256, width: 256, heads: 4, layers: 4, context: 128, dropout: 0.0 };
    let net = Transformer::new(&mut p, config, &mut s)?;
    let text: Vec<u32> = (0..=8 * 128).map(|_| s.below(256) as u32).collect();
    let mut t = training(p);
    time("transformer step", repeats, || {
        t.step(|pass| {
            let logits = net.forward(pass, &text[..1024], 128);
            Ok(cross_entropy(logits, &text[1..], None))
        })?;
        Ok(())
    })?;

    let mut p = Parameters::default();
    p.add("w", &[10_000, 1000], Init::Normal(1.0), &mut s);
    let gradient = s.normals_f32(10_000_000);
    let mut adam = Optimiser::new(Rule::adamw(0.01), p.count());
    time("adamw 10M", repeats, || adam.step(&mut p, &gradient, 1e-3))
}
