//! Our operations against the tensor library's own: values and gradients over random shapes.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use burn::tensor::ops::{AvgPoolOptions, MaxPoolOptions};
use burn::tensor::{Tensor, activation, module};
use neuropil_core::{Stream, Streams};
use neuropil_nn::kernels::{Activation, ConvShape, PoolShape};
use neuropil_nn::modules::{
    BatchNorm, Conv, GroupNorm, LayerNorm, RmsNorm, act, attention, average_pool, cross_entropy, log_softmax,
    max_pool, rotary, softmax,
};
use neuropil_nn::pass::values;
use neuropil_nn::{Init, Parameters, Pass};

/// Values of `f` and the gradient of its inner product with fixed numbers, in the order of the parameters. `x` is the
/// last parameter.
fn evaluate<const D: usize>(
    p: &Parameters,
    x: neuropil_nn::ParameterId,
    f: impl Fn(&Pass, Tensor<D>) -> Tensor<D>,
) -> (Vec<f32>, Vec<f32>) {
    let pass = Pass::training(p, None);
    let y = f(&pass, pass.parameter::<D>(x));
    let n: usize = y.dims().iter().product();
    let g: Vec<f32> = (0..n).map(|i| ((i * 37 % 101) as f32 - 50.0) / 50.0).collect();
    let g = pass.input::<D>(g, y.dims());
    let (_, gradient) = pass.gradient(&(y.clone() * g).sum()).expect("gradient");
    (values(y), gradient)
}

fn same<const D: usize>(
    name: &str,
    p: &Parameters,
    x: neuropil_nn::ParameterId,
    ours: impl Fn(&Pass, Tensor<D>) -> Tensor<D>,
    theirs: impl Fn(&Pass, Tensor<D>) -> Tensor<D>,
) {
    let (a, b) = (evaluate(p, x, ours), evaluate(p, x, theirs));
    for (what, a, b) in [("value", &a.0, &b.0), ("gradient", &a.1, &b.1)] {
        assert_eq!(a.len(), b.len(), "{name} {what}");
        let scale = b.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        for (i, (a, b)) in a.iter().zip(b).enumerate() {
            // Single precision on both sides, sums of up to a thousand products.
            assert!((a - b).abs() < 2e-5 * scale, "{name} {what}[{i}]: {a} {b}");
        }
    }
}

fn below(s: &mut Stream, low: usize, high: usize) -> usize {
    low + s.below(high - low + 1)
}

#[test]
fn pointwise_functions_and_rows() {
    let mut s = Streams::new(1).stream("shapes", 0);
    for _ in 0..40 {
        let shape = [below(&mut s, 1, 3), below(&mut s, 1, 70), below(&mut s, 1, 50)];
        let mut p = Parameters::default();
        let norm = LayerNorm::affine(&mut p, "norm", shape[2], &mut s);
        let rms = RmsNorm::new(&mut p, "rms", shape[2], &mut s);
        let x = p.add("x", &shape, Init::Normal(1.5), &mut s);
        for (kind, theirs) in [
            (Activation::Relu, activation::relu as fn(Tensor<3>) -> Tensor<3>),
            (Activation::LeakyRelu, |v| activation::leaky_relu(v, 0.01)),
            (Activation::GeluErf, activation::gelu),
            (Activation::Gelu, activation::gelu_approximate),
            (Activation::Silu, activation::silu),
            (Activation::Tanh, activation::tanh),
            (Activation::Sigmoid, activation::sigmoid),
            (Activation::Exp, Tensor::exp),
            (Activation::Erf, Tensor::erf),
        ] {
            same(&format!("{kind:?} {shape:?}"), &p, x, |_, v| act(v, kind), |_, v| theirs(v));
        }
        let positive = |v: Tensor<3>| v.powf_scalar(2.0) + 0.1;
        same("ln", &p, x, |_, v| act(positive(v), Activation::Ln), |_, v| positive(v).log());
        same(
            &format!("softmax {shape:?}"),
            &p,
            x,
            |_, v: Tensor<3>| softmax(v),
            |_, v| activation::softmax(v, 2),
        );
        same(
            &format!("log softmax {shape:?}"),
            &p,
            x,
            |_, v: Tensor<3>| log_softmax(v),
            |_, v| activation::log_softmax(v, 2),
        );
        // Gains are 1 and offsets 0, so only the gradient of x is the same as without them.
        let x_only = |(value, gradient): (Vec<f32>, Vec<f32>)| {
            let own = gradient.len() - shape.iter().product::<usize>();
            (value, gradient[own..].to_vec())
        };
        let close = |name: &str, a: (Vec<f32>, Vec<f32>), b: (Vec<f32>, Vec<f32>)| {
            let (a, b) = (x_only(a), x_only(b));
            for (a, b) in a.0.iter().zip(&b.0).chain(a.1.iter().zip(&b.1)) {
                assert!((a - b).abs() < 2e-4 * (1.0 + b.abs()), "{name} {shape:?}: {a} {b}");
            }
        };
        if shape[2] > 2 {
            let layer = |v: Tensor<3>| {
                let centred = v.clone() - v.mean_dim(2);
                centred.clone() / (centred.powf_scalar(2.0).mean_dim(2) + 1e-5).sqrt()
            };
            close(
                "layer norm",
                evaluate(&p, x, |pass, v: Tensor<3>| norm.forward(pass, v)),
                evaluate(&p, x, |_, v| layer(v)),
            );
        }
        let root = |v: Tensor<3>| v.clone() / (v.powf_scalar(2.0).mean_dim(2) + 1e-6).sqrt();
        close(
            "rms norm",
            evaluate(&p, x, |pass, v: Tensor<3>| rms.forward(pass, v)),
            evaluate(&p, x, |_, v| root(v)),
        );
    }
}

#[test]
fn convolutions() {
    let mut s = Streams::new(2).stream("shapes", 0);
    for _ in 0..40 {
        // One group: with several, and inputs behind the last window, the weight gradient of burn 0.22.1 differs from
        // differences of its own forward pass. The unit tests hold groups to the definition.
        let groups = 1;
        let channels = [groups * below(&mut s, 1, 5), groups * below(&mut s, 1, 9)];
        let (k, stride, padding) = (below(&mut s, 1, 3), below(&mut s, 1, 2), below(&mut s, 0, 2));
        let (h, w, d) = (below(&mut s, 3, 9), below(&mut s, 3, 20), below(&mut s, 3, 5));
        let n = below(&mut s, 1, 3);
        let grouped = |shape: ConvShape| ConvShape { groups, ..shape };

        let mut p = Parameters::default();
        let shape = grouped(ConvShape::line(channels, w, k, stride, padding));
        let conv = Conv::new(&mut p, "c", shape, 1, &mut s).unwrap();
        let x = p.add("x", &[n, channels[0], w], Init::Normal(1.0), &mut s);
        let options = burn::tensor::ops::ConvOptions::new([stride], [padding], [1], groups);
        let theirs = |pass: &Pass, v| {
            module::conv1d(v, conv.weight::<3>(pass), Some(conv.bias(pass)), options.clone())
        };
        same(&format!("{shape:?}"), &p, x, |pass, v| conv.forward(pass, v), theirs);

        let mut p = Parameters::default();
        let shape = grouped(ConvShape::square(channels, [h, w], k, stride, padding));
        let conv = Conv::new(&mut p, "c", shape, 2, &mut s).unwrap();
        let x = p.add("x", &[n, channels[0], h, w], Init::Normal(1.0), &mut s);
        let options = burn::tensor::ops::ConvOptions::new([stride; 2], [padding; 2], [1; 2], groups);
        let theirs = |pass: &Pass, v| {
            module::conv2d(v, conv.weight::<4>(pass), Some(conv.bias(pass)), options.clone())
        };
        same(&format!("{shape:?}"), &p, x, |pass, v| conv.forward(pass, v), theirs);
        let rectified = |pass: &Pass, v| activation::relu(theirs(pass, v));
        same(&format!("rectified {shape:?}"), &p, x, |pass, v| conv.rectified(pass, v), rectified);

        let mut p = Parameters::default();
        let shape = grouped(ConvShape::cubic(channels, [d, h, w], k, stride, padding));
        let conv = Conv::new(&mut p, "c", shape, 3, &mut s).unwrap();
        let x = p.add("x", &[n, channels[0], d, h, w], Init::Normal(1.0), &mut s);
        let options = burn::tensor::ops::ConvOptions::new([stride; 3], [padding; 3], [1; 3], groups);
        let theirs = |pass: &Pass, v| {
            module::conv3d(v, conv.weight::<5>(pass), Some(conv.bias(pass)), options.clone())
        };
        same(&format!("{shape:?}"), &p, x, |pass, v| conv.forward(pass, v), theirs);
    }
}

#[test]
fn group_norm() {
    let mut s = Streams::new(3).stream("shapes", 0);
    for _ in 0..20 {
        let [n, c, h, w] =
            [below(&mut s, 1, 3), 2 * below(&mut s, 1, 4), below(&mut s, 4, 9), below(&mut s, 4, 9)];
        let mut p = Parameters::default();
        let norm = GroupNorm::new(&mut p, "norm", c, 2, &mut s).unwrap();
        let y = p.add("y", &[n, c, h, w], Init::Normal(2.0), &mut s);
        let theirs = |_: &Pass, v: Tensor<4>| {
            let rows: Tensor<3> = v.reshape([n, 2, c / 2 * h * w]);
            let centred = rows.clone() - rows.mean_dim(2);
            let normal = centred.clone() / (centred.powf_scalar(2.0).mean_dim(2) + 1e-5).sqrt();
            normal.reshape([n, c, h, w])
        };
        let (a, b) = (evaluate(&p, y, |pass, v: Tensor<4>| norm.forward(pass, v)), evaluate(&p, y, theirs));
        let own = a.1.len() - n * c * h * w;
        for (a, b) in a.0.iter().zip(&b.0).chain(a.1[own..].iter().zip(&b.1[own..])) {
            assert!((a - b).abs() < 2e-4 * (1.0 + b.abs()), "group norm: {a} {b}");
        }
        assert!(GroupNorm::new(&mut p, "no", 5, 2, &mut s).is_err());
    }
}

#[test]
fn batch_norm() {
    let mut s = Streams::new(4).stream("shapes", 0);
    for _ in 0..20 {
        let [n, c, h, w] =
            [below(&mut s, 2, 5), below(&mut s, 1, 4), below(&mut s, 1, 9), below(&mut s, 2, 9)];
        let mut p = Parameters::default();
        let norm = BatchNorm::new(&mut p, "norm", c, &mut s);
        let y = p.add("y", &[n, c, h, w], Init::Normal(2.0), &mut s);
        let theirs = |_: &Pass, v: Tensor<4>| {
            let rows: Tensor<2> = v.swap_dims(0, 1).reshape([c, n * h * w]);
            let centred = rows.clone() - rows.mean_dim(1);
            let normal = centred.clone() / (centred.powf_scalar(2.0).mean_dim(1) + 1e-5).sqrt();
            normal.reshape([c, n, h, w]).swap_dims(0, 1)
        };
        let (a, b) = (evaluate(&p, y, |pass, v: Tensor<4>| norm.forward(pass, v)), evaluate(&p, y, theirs));
        let own = a.1.len() - n * c * h * w;
        for (a, b) in a.0.iter().zip(&b.0).chain(a.1[own..].iter().zip(&b.1[own..])) {
            assert!((a - b).abs() < 5e-4 * (1.0 + b.abs()), "batch norm: {a} {b}");
        }
    }
}

#[test]
fn batch_norm_follows_the_data_and_then_uses_its_averages() {
    let mut s = Streams::new(5).stream("data", 0);
    let mut p = Parameters::default();
    let norm = BatchNorm::new(&mut p, "norm", 2, &mut s);
    let schedule = neuropil_nn::optim::Schedule::constant(0.0);
    let rule = neuropil_nn::optim::Rule::adamw(0.0);
    let mut training = neuropil_nn::Training::new(p, rule, schedule, 1e9, s.clone());
    for _ in 0..80 {
        // Channel 0 has mean 3 and deviation 2, channel 1 mean -1 and deviation 0.5.
        let x: Vec<f32> =
            (0..64).flat_map(|_| [3.0 + 2.0 * s.normal() as f32, -1.0 + 0.5 * s.normal() as f32]).collect();
        training
            .step(|pass| Ok(norm.forward(pass, pass.input(x, [64, 2, 1])).powf_scalar(2.0).mean()))
            .unwrap();
    }
    let pass = Pass::inference(&training.parameters);
    let y = values(norm.forward(&pass, pass.input(vec![3.0, -1.0, 5.0, -1.5], [2, 2, 1])));
    // Averages of about ten batches of 64: standard error 4 % of a deviation.
    for (got, want) in y.iter().zip([0.0, 0.0, 1.0, -1.0]) {
        assert!((got - want).abs() < 0.2, "{y:?}");
    }
}

#[test]
fn attention_and_rotary() {
    let mut s = Streams::new(6).stream("shapes", 0);
    for round in 0..24 {
        let (b, heads, dh) = (below(&mut s, 1, 3), below(&mut s, 1, 3), 2 * below(&mut s, 1, 4));
        let (t, causal) = (if round == 0 { 1 } else { below(&mut s, 1, 90) }, round % 2 == 0);
        let mut p = Parameters::default();
        let x = p.add("x", &[b, t, 3 * heads * dh], Init::Normal(1.0), &mut s);
        let theirs = |pass: &Pass, v: Tensor<3>| {
            let part = |k: usize| {
                v.clone()
                    .slice([0..b, 0..t, k * heads * dh..(k + 1) * heads * dh])
                    .reshape([b, t, heads, dh])
                    .swap_dims(1, 2)
            };
            let scores = part(0).matmul(part(1).swap_dims(2, 3)) / (dh as f64).sqrt();
            let hidden = |place: usize| if causal && place % t > place / t % t { -1e30 } else { 0.0 };
            let mask = (0..b * heads * t * t).map(hidden).collect();
            let weights = activation::softmax(scores + pass.input(mask, [b, heads, t, t]), 3);
            weights.matmul(part(2)).swap_dims(1, 2).reshape([b, t, heads * dh])
        };
        same("attention", &p, x, |_, v| attention(v, heads, causal), theirs);

        let mut p = Parameters::default();
        let x = p.add("x", &[b, t, heads, dh], Init::Normal(1.0), &mut s);
        let theirs = |pass: &Pass, v: Tensor<4>| {
            let pairs: Tensor<5> = v.reshape([b, t, heads, dh / 2, 2]);
            let (even, odd) = (
                pairs.clone().slice([0..b, 0..t, 0..heads, 0..dh / 2, 0..1]),
                pairs.slice([0..b, 0..t, 0..heads, 0..dh / 2, 1..2]),
            );
            let table = |f: fn(f64) -> f64| {
                let angle =
                    |k: usize| (k / (dh / 2)) as f64 * 100_f64.powf(-2.0 * (k % (dh / 2)) as f64 / dh as f64);
                pass.input::<5>((0..t * dh / 2).map(|k| f(angle(k)) as f32).collect(), [1, t, 1, dh / 2, 1])
            };
            let (cos, sin) = (table(f64::cos), table(f64::sin));
            let turned = vec![even.clone() * cos.clone() - odd.clone() * sin.clone(), odd * cos + even * sin];
            Tensor::cat(turned, 4).reshape([b, t, heads, dh])
        };
        same("rotary", &p, x, |_, v| rotary(v, 100.0), theirs);
    }
}

#[test]
fn pooling() {
    let mut s = Streams::new(7).stream("shapes", 0);
    for _ in 0..30 {
        let (n, c, h, w) =
            (below(&mut s, 1, 3), below(&mut s, 1, 4), below(&mut s, 3, 9), below(&mut s, 3, 20));
        let (k, stride) = (below(&mut s, 1, 3), below(&mut s, 1, 3));
        let mut p = Parameters::default();
        let x = p.add("x", &[n, c, h, w], Init::Normal(1.0), &mut s);
        let shape =
            PoolShape { size: [1, h, w], kernel: [1, k, k], stride: [1, stride, stride], padding: [0; 3] };
        same(
            "max pool",
            &p,
            x,
            |_, v: Tensor<4>| max_pool(v, shape),
            |_, v| {
                module::max_pool2d(v, MaxPoolOptions { stride: [stride; 2], ..MaxPoolOptions::new([k; 2]) })
            },
        );
        same(
            "average pool",
            &p,
            x,
            |_, v: Tensor<4>| average_pool(v, shape),
            |_, v| {
                module::avg_pool2d(v, AvgPoolOptions { stride: [stride; 2], ..AvgPoolOptions::new([k; 2]) })
            },
        );
    }
}

#[test]
fn cross_entropy_of_logits() {
    let mut s = Streams::new(8).stream("shapes", 0);
    for _ in 0..20 {
        let (n, classes) = (below(&mut s, 1, 200), below(&mut s, 1, 40));
        let mut p = Parameters::default();
        let x = p.add("x", &[n, classes], Init::Normal(2.0), &mut s);
        let targets: Vec<u32> = (0..n).map(|_| s.below(classes) as u32).collect();
        let theirs = |pass: &Pass, v: Tensor<2>| {
            let chosen = (0..n * classes)
                .map(|i| if i % classes == targets[i / classes] as usize { -1.0 / n as f32 } else { 0.0 })
                .collect();
            (activation::log_softmax(v, 1) * pass.input(chosen, [n, classes])).sum()
        };
        let run = |f: &dyn Fn(&Pass, Tensor<2>) -> Tensor<1>| {
            let pass = Pass::training(&p, None);
            pass.gradient(&f(&pass, pass.parameter::<2>(x))).expect("gradient")
        };
        let (a, b) = (run(&|_, v| cross_entropy(v, &targets, None)), run(&theirs));
        assert!((a.0 - b.0).abs() < 1e-5 * (1.0 + b.0.abs()));
        // Single precision on both sides.
        assert!(a.1.iter().zip(&b.1).all(|(a, b)| (a - b).abs() < 1e-6));
    }
}
