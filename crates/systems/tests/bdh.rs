//! The Dragon Hatchling: its forms agree, its gradient is right, its bits do not depend on threads.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use neuropil_core::{Store, Stream, Streams};
use neuropil_systems::learn::bdh::graph::{Brain, moving_frame_step};
use neuropil_systems::learn::bdh::model::{Learner, Parts, Sizes};
use neuropil_systems::learn::bdh::state::{Generator, State};
use std::path::Path;

const SIZES: Sizes = Sizes { vocabulary: 19, width: 8, heads: 2, neurons: 24, layers: 3 };

fn stream(purpose: &str) -> Stream {
    Streams::new(31).stream(purpose, 0)
}

/// Weights ten times the initial scale, so that no path through the network is negligible.
fn weights(sizes: Sizes) -> Vec<f64> {
    stream("weights").normals(sizes.parameters()).iter().map(|v| 0.2 * v).collect()
}

fn narrow(v: &[f64]) -> Vec<f32> {
    v.iter().map(|&v| v as f32).collect()
}

fn tokens(n: usize, vocabulary: usize) -> Vec<u32> {
    let mut s = stream("tokens");
    (0..n).map(|_| s.below(vocabulary) as u32).collect()
}

fn worst(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len());
    let scale = a.iter().fold(0.0_f32, |m, v| m.max(v.abs()));
    a.iter().zip(b).map(|(a, b)| f64::from((a - b).abs() / scale)).fold(0.0, f64::max)
}

#[test]
fn gradient_matches_differences_in_double_precision() {
    let all = Parts::ALL;
    for (parts, dropout) in [
        (all, 0.0),
        (all, 0.3),
        (Parts { rope: false, ..all }, 0.0),
        (Parts { gate: false, ..all }, 0.3),
        (Parts { memory: false, ..all }, 0.0),
    ] {
        let (values, x, y) = (weights(SIZES), tokens(33, 19), tokens(34, 19)[1..].to_vec());
        let mask = (dropout > 0.0).then_some((dropout, Streams::new(5), 7));
        let mut learner = Learner::<f64>::new(SIZES, parts, 11);
        let (_, gradient) = learner.gradient(&values, &x, &y, mask);
        let mut s = stream("directions");
        let mut checked = 0;
        while checked < 60 {
            let i = s.below(values.len());
            let mut at = |h: f64| {
                let mut v = values.clone();
                v[i] += h;
                learner.gradient(&v, &x, &y, mask).0
            };
            let (a, b) = ((at(1e-5) - at(-1e-5)) / 2e-5, (at(5e-6) - at(-5e-6)) / 1e-5);
            // A rectifier that switches inside the interval makes the difference itself wrong; two widths show it.
            if (a - b).abs() > 1e-7 {
                continue;
            }
            assert!((gradient[i] - a).abs() < 1e-6 * (1.0 + a.abs()), "{parts:?} {i}: {} {a}", gradient[i]);
            checked += 1;
        }
    }
}

#[test]
fn parallel_chunked_and_recurrent_forms_agree() {
    let sizes = Sizes { vocabulary: 40, width: 32, heads: 4, neurons: 256, layers: 4 };
    let values = narrow(&weights(sizes));
    let text = tokens(200, 40);
    for parts in [Parts::ALL, Parts { rope: false, ..Parts::ALL }, Parts { gate: false, ..Parts::ALL }] {
        let parallel = Learner::<f32>::new(sizes, parts, 200).logits(&values, &text);
        let mut generator = Generator::new(sizes, parts, &values);
        let mut state = State::new(&sizes);
        let recurrent: Vec<f32> = text.iter().flat_map(|&t| generator.step(&mut state, t).to_vec()).collect();
        // The specification's tolerance: single precision, sums in another order.
        assert!(worst(&parallel, &recurrent) < 1e-4, "{}", worst(&parallel, &recurrent));
        for chunk in [1, 7, 64, 200] {
            let mut other = State::new(&sizes);
            let chunked = generator.read(&mut other, &text, chunk);
            assert!(worst(&parallel, &chunked) < 1e-4);
            assert!(worst(&state.rho, &other.rho) < 1e-4 && state.position == other.position);
        }
    }
}

#[test]
fn rho_is_the_sum_of_outer_products() {
    // One round: the layer input is the normalised embedding, so rho can be summed from outside.
    let sizes = Sizes { layers: 1, ..SIZES };
    let (values, text) = (narrow(&weights(sizes)), tokens(20, 19));
    let mut generator = Generator::new(sizes, Parts::ALL, &values);
    let mut state = State::new(&sizes);
    for &t in &text {
        generator.step(&mut state, t);
    }
    let (n, d) = (12, 8);
    let mut want = vec![0.0_f64; 2 * n * d];
    for (t, &token) in text.iter().enumerate() {
        let row: Vec<f64> =
            values[3 * 24 * 8 + token as usize * d..][..d].iter().map(|&v| f64::from(v)).collect();
        let mean = row.iter().sum::<f64>() / d as f64;
        let sd = (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / d as f64 + 1e-5).sqrt();
        let x: Vec<f64> = row.iter().map(|v| (v - mean) / sd).collect();
        for h in 0..2 {
            let e = |c: usize, i: usize| f64::from(values[(h * d + c) * n + i]);
            let xs: Vec<f64> = (0..n).map(|i| (0..d).map(|c| x[c] * e(c, i)).sum::<f64>().max(0.0)).collect();
            for i in 0..n {
                let turns = 65536_f64.powf(-2.0 * (i / 2) as f64 / n as f64) / std::f64::consts::TAU;
                let (s, c) = ((t as f64 * turns).fract() * std::f64::consts::TAU).sin_cos();
                let q = if i % 2 == 0 { xs[i] * c - xs[i + 1] * s } else { xs[i] * c + xs[i - 1] * s };
                for k in 0..d {
                    want[(h * n + i) * d + k] += q * x[k];
                }
            }
        }
    }
    assert!(worst(&narrow(&want), &state.rho) < 1e-5);
}

#[test]
fn causality_holds_bit_for_bit() {
    let (values, text) = (narrow(&weights(SIZES)), tokens(70, 19));
    let learner = Learner::<f32>::new(SIZES, Parts::ALL, 70);
    let before = learner.logits(&values, &text);
    for t in [1, 33, 69] {
        let mut changed = text.clone();
        changed[t] = (changed[t] + 1) % 19;
        let after = learner.logits(&values, &changed);
        assert!(before[..t * 19] == after[..t * 19] && before[t * 19..] != after[t * 19..]);
    }
}

#[test]
fn one_token_reads_nothing() {
    let values = narrow(&weights(SIZES));
    let learner = Learner::<f32>::new(SIZES, Parts::ALL, 1);
    assert!(learner.neurons(&values, &[3]).iter().all(|(_, ys)| ys.iter().all(|v| *v == 0.0)));
    // x = LN(x + LN(0)) = LN(x) leaves the normalised embedding, up to eps.
    let row: Vec<f64> = values[3 * 24 * 8 + 3 * 8..][..8].iter().map(|&v| f64::from(v)).collect();
    let mean = row.iter().sum::<f64>() / 8.0;
    let sd = (row.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / 8.0).sqrt();
    let head = &values[3 * 24 * 8 + 19 * 8..];
    let want: Vec<f32> = (0..19)
        .map(|v| (0..8).map(|c| (row[c] - mean) / sd * f64::from(head[c * 19 + v])).sum::<f64>() as f32)
        .collect();
    // eps = 1e-5 against a variance of about 0.04, once per norm.
    assert!(worst(&want, &learner.logits(&values, &[3])) < 1e-3);
}

#[test]
fn scores_of_constant_activity_depend_on_distance_only() {
    // Constant x through the moving frame: the read after k steps equals that of any other start.
    let x = stream("x").normals(10).iter().map(|v| v.abs()).collect::<Vec<_>>();
    let mut rho = vec![0.0; 10];
    let reads: Vec<f64> = (0..6).map(|_| moving_frame_step(&mut rho, &x, &[1.0])[0]).collect();
    let score = |k: usize| -> f64 {
        (0..5)
            .map(|j| {
                let angle = k as f64 * 65536_f64.powf(-2.0 * j as f64 / 10.0);
                (x[2 * j].powi(2) + x[2 * j + 1].powi(2)) * angle.cos()
            })
            .sum()
    };
    for (t, read) in reads.iter().enumerate() {
        assert!((read - (1..=t).map(score).sum::<f64>()).abs() < 1e-12);
    }
}

#[test]
fn moving_frame_equals_the_rotated_form() {
    let (n, d, t) = (8, 3, 12);
    let mut s = stream("frames");
    let (mut moving, mut fixed) = (vec![0.0; n * d], vec![0.0; n * d]);
    for step in 0..t {
        let (x, v) = (s.normals(n), s.normals(d));
        let q: Vec<f64> = (0..n)
            .map(|i| {
                let (sin, cos) = (step as f64 * 65536_f64.powf(-2.0 * (i / 2) as f64 / n as f64)).sin_cos();
                if i % 2 == 0 { x[i] * cos - x[i + 1] * sin } else { x[i] * cos + x[i - 1] * sin }
            })
            .collect();
        let read: Vec<f64> = (0..d).map(|c| (0..n).map(|i| q[i] * fixed[i * d + c]).sum()).collect();
        for i in 0..n {
            for c in 0..d {
                fixed[i * d + c] += q[i] * v[c];
            }
        }
        let other = moving_frame_step(&mut moving, &x, &v);
        assert!(read.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-10));
    }
}

#[test]
fn graph_form_reproduces_the_tensor_form() {
    let sizes = Sizes { vocabulary: 19, width: 16, heads: 2, neurons: 128, layers: 3 };
    let (values, text) = (narrow(&weights(sizes)), tokens(24, 19));
    let learner = Learner::<f32>::new(sizes, Parts::ALL, 24);
    let (tensor, logits) = (learner.neurons(&values, &text), learner.logits(&values, &text));
    let mut brain = Brain::new(sizes, &values).expect("small");
    for (t, &token) in text.iter().enumerate() {
        let (rounds, out) = brain.step(token);
        for ((xs, ys), (bx, by)) in tensor.iter().zip(&rounds) {
            let of = |v: &[f32]| -> Vec<f32> {
                (0..2).flat_map(|h| v[(h * 24 + t) * 64..][..64].to_vec()).collect()
            };
            // The specification's tolerance for the explicit graph.
            assert!(worst(&narrow(bx), &of(xs)) < 1e-3);
            if t > 0 {
                assert!(worst(&narrow(by), &of(ys)) < 1e-3);
            }
        }
        assert!(worst(&narrow(&out), &logits[t * 19..(t + 1) * 19]) < 1e-3);
    }
    assert!(Brain::new(Sizes { neurons: 1024, ..sizes }, &values).is_err());
}

#[test]
fn threads_do_not_change_bits() {
    let sizes = Sizes { vocabulary: 40, width: 32, heads: 4, neurons: 256, layers: 2 };
    let (values, x, y) =
        (narrow(&weights(sizes)), tokens(12 * 48, 40), tokens(12 * 48 + 1, 40)[1..].to_vec());
    let run = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
        pool.install(|| {
            let mut learner = Learner::<f32>::new(sizes, Parts::ALL, 48);
            let mask = Some((0.1, Streams::new(1), 3));
            let gradient = learner.gradient(&values, &x, &y, mask);
            let read = Generator::new(sizes, Parts::ALL, &values).read(&mut State::new(&sizes), &x, 100);
            (gradient, read, learner.evaluate(&values, &x, &y))
        })
    };
    let one = run(1);
    assert!(one == run(2) && one == run(8));
}

#[test]
fn memory_does_not_grow_with_the_text() {
    let (values, text) = (narrow(&weights(SIZES)), tokens(10_000, 19));
    let mut generator = Generator::new(SIZES, Parts::ALL, &values);
    let mut state = State::new(&SIZES);
    let (len, capacity) = (state.rho.len(), state.rho.capacity());
    for &t in &text {
        assert!(generator.step(&mut state, t).iter().all(|v| v.is_finite()));
    }
    assert_eq!((state.rho.len(), state.rho.capacity(), state.position), (len, capacity, 10_000));
}

/// `tests/reference/make_bdh.py` writes the reference model in JAX (the paper's equations, double precision).
#[test]
fn agrees_with_the_reference_model_in_jax() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/bdh.safetensors");
    let store = Store::load(&path).expect("reference file");
    let get = |name: &str| store.require(name).expect("in the file").to_f64();
    let ids = |name: &str| get(name).iter().map(|&v| v as u32).collect::<Vec<u32>>();
    let sizes = Sizes { vocabulary: 17, width: 12, heads: 2, neurons: 40, layers: 3 };
    let names = ["E", "Ev", "Dc", "embed", "head"];
    let values: Vec<f64> = names.iter().flat_map(|n| get(n)).collect();
    let (x, y) = (ids("tokens"), ids("targets"));
    let mut learner = Learner::<f64>::new(sizes, Parts::ALL, 40);
    let (loss, gradient) = learner.gradient(&values, &x, &y, None);
    assert!((loss - get("loss")[0]).abs() < 1e-10);
    let want: Vec<f64> = names.iter().flat_map(|n| get(&format!("d{n}"))).collect();
    let scale = want.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    // Both in double precision; a score is a sum of some hundred products.
    assert!(gradient.iter().zip(&want).all(|(a, b)| (a - b).abs() < 1e-9 * scale));
    let logits = Learner::<f32>::new(sizes, Parts::ALL, 40).logits(&narrow(&values), &x[..40]);
    assert!(worst(&narrow(&get("logits")), &logits) < 1e-4);
}
