//! Linear layers, embeddings, activations and losses.

use crate::fused::{Fused, Saved, apply1, apply2, apply3};
use crate::kernels::{self, Activation, Mat};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::Stream;

/// y = x W + b with W [input, output].
#[derive(Debug, Clone)]
pub struct Linear {
    weight: ParameterId,
    bias: Option<ParameterId>,
    /// Features in.
    pub input: usize,
    /// Features out.
    pub output: usize,
}

struct LinearOp {
    input: usize,
    output: usize,
}

impl Fused for LinearOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        let mut shape = inputs[0].to_vec();
        if let Some(last) = shape.last_mut() {
            *last = self.output;
        }
        shape
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let rows = inputs[0].len() / self.input;
        let (x, w) = (Mat::new(inputs[0], rows, self.input), Mat::new(inputs[1], self.input, self.output));
        (kernels::product_rows(x, w, inputs.get(2).copied()), Vec::new())
    }

    fn backward(&self, s: Saved, needed: &[bool]) -> Vec<Vec<f32>> {
        let rows = s.inputs[0].len() / self.input;
        let (x, w) =
            (Mat::new(s.inputs[0], rows, self.input), Mat::new(s.inputs[1], self.input, self.output));
        let dy = Mat::new(s.gradient, rows, self.output);
        let dx = if needed[0] { kernels::product_rows(dy, w.t(), None) } else { Vec::new() };
        let mut out = vec![dx, kernels::product_rows(x.t(), dy, None)];
        if s.inputs.len() > 2 {
            let mut db = vec![0.0; self.output];
            kernels::column_sums(&mut db, s.gradient);
            out.push(db);
        }
        out
    }
}

impl Linear {
    /// A layer with uniform +-1/sqrt(input) weights and biases.
    pub fn new(p: &mut Parameters, name: &str, input: usize, output: usize, stream: &mut Stream) -> Self {
        Self::with(p, name, [input, output], Init::fan_in(input), Some(Init::fan_in(input)), stream)
    }

    /// A layer with chosen start values; no bias where its start is `None`.
    pub fn with(
        p: &mut Parameters,
        name: &str,
        [input, output]: [usize; 2],
        init: Init,
        bias: Option<Init>,
        stream: &mut Stream,
    ) -> Self {
        let weight = p.add(format!("{name}.weight"), &[input, output], init, stream);
        let bias = bias.map(|b| p.add(format!("{name}.bias"), &[output], b, stream));
        Self { weight, bias, input, output }
    }

    /// [..., input] -> [..., output].
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        let op = LinearOp { input: self.input, output: self.output };
        let w = pass.parameter::<2>(self.weight);
        match self.bias {
            Some(b) => apply3(op, x, w, pass.parameter::<1>(b)),
            None => apply2(op, x, w),
        }
    }
}

struct ActivationOp(Activation);

impl Fused for ActivationOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::activate(inputs[0], self.0), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::activate_backward(s.gradient, s.inputs[0], self.0)]
    }
}

/// Applies an activation.
pub fn act<const D: usize>(x: Tensor<D>, kind: Activation) -> Tensor<D> {
    apply1(ActivationOp(kind), x)
}

struct MeanOp;

impl Fused for MeanOp {
    fn shape(&self, _: &[&[usize]]) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (vec![kernels::total(inputs[0]) as f32 / inputs[0].len() as f32], Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let n = s.inputs[0].len();
        vec![kernels::filled(n, s.gradient[0] / n as f32)]
    }
}

/// Mean of all elements; unlike the tensor library's, its bits do not depend on the threads for large tensors either.
pub fn mean<const D: usize>(x: Tensor<D>) -> Tensor<1> {
    apply1(MeanOp, x)
}

/// Table [classes, width] looked up by index.
#[derive(Debug, Clone)]
pub struct Embedding {
    weight: ParameterId,
    width: usize,
}

struct EmbeddingOp {
    indices: Vec<u32>,
    shape: Vec<usize>,
}

impl Fused for EmbeddingOp {
    fn shape(&self, _: &[&[usize]]) -> Vec<usize> {
        self.shape.clone()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let d = self.shape[2];
        let row = |&i: &u32| inputs[0][i as usize * d..(i as usize + 1) * d].iter().copied();
        (self.indices.iter().flat_map(row).collect(), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let d = self.shape[2];
        let mut g = vec![0.0; s.inputs[0].len()];
        for (&i, row) in self.indices.iter().zip(s.gradient.chunks_exact(d)) {
            kernels::add_assign(&mut g[i as usize * d..(i as usize + 1) * d], row);
        }
        vec![g]
    }
}

impl Embedding {
    /// A table with normal entries of standard deviation `sd`.
    pub fn new(
        p: &mut Parameters,
        name: &str,
        [classes, width]: [usize; 2],
        sd: f64,
        stream: &mut Stream,
    ) -> Self {
        Self { weight: p.add(format!("{name}.weight"), &[classes, width], Init::Normal(sd), stream), width }
    }

    /// Indices [batch, steps], each below the number of classes -> [batch, steps, width].
    pub fn forward(&self, pass: &Pass, indices: &[u32], steps: usize) -> Tensor<3> {
        let shape = vec![indices.len() / steps.max(1), steps, self.width];
        apply1(EmbeddingOp { indices: indices.to_vec(), shape }, pass.parameter::<2>(self.weight))
    }
}

/// Linear layers with an activation between them.
#[derive(Debug, Clone)]
pub struct Mlp {
    layers: Vec<Linear>,
    activation: Activation,
}

impl Mlp {
    /// Layers of the given widths, input first. He initialisation, biases 0.
    pub fn new(
        p: &mut Parameters,
        name: &str,
        widths: &[usize],
        activation: Activation,
        stream: &mut Stream,
    ) -> Self {
        let layers = widths
            .windows(2)
            .enumerate()
            .map(|(i, w)| {
                Linear::with(
                    p,
                    &format!("{name}.{i}"),
                    [w[0], w[1]],
                    Init::he(w[0]),
                    Some(Init::Constant(0.0)),
                    stream,
                )
            })
            .collect();
        Self { layers, activation }
    }

    /// [n, input] -> [n, output]. Hooks `layer1`, `layer2`, ... see the activated hidden layers, `output` the last one.
    pub fn forward(&self, pass: &Pass, mut x: Tensor<2>) -> Tensor<2> {
        for (i, layer) in self.layers.iter().enumerate() {
            x = layer.forward(pass, x);
            x = if i + 1 < self.layers.len() {
                pass.hook(&format!("layer{}", i + 1), act(x, self.activation))
            } else {
                pass.hook("output", x)
            };
        }
        x
    }
}

struct CrossEntropyOp {
    targets: Vec<u32>,
    weights: Option<Vec<f32>>,
    classes: usize,
}

impl Fused for CrossEntropyOp {
    fn shape(&self, _: &[&[usize]]) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let mut p = inputs[0].to_vec();
        let loss = kernels::cross_entropy(&mut p, &self.targets, self.weights.as_deref(), self.classes);
        (vec![loss as f32], p)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let mut g = s.kept.to_vec();
        let weights = self.weights.as_deref();
        kernels::cross_entropy_backward(&mut g, &self.targets, weights, self.classes, s.gradient[0]);
        vec![g]
    }
}

/// Mean cross-entropy in nats of logits [n, classes] against `targets` \[n\], weighted where `weights` \[n\] are given.
pub fn cross_entropy(logits: Tensor<2>, targets: &[u32], weights: Option<&[f32]>) -> Tensor<1> {
    let classes = logits.dims()[1];
    apply1(
        CrossEntropyOp { targets: targets.to_vec(), weights: weights.map(<[f32]>::to_vec), classes },
        logits,
    )
}

struct ErrorOp {
    target: Vec<f32>,
    mask: Vec<f32>,
}

impl Fused for ErrorOp {
    fn shape(&self, _: &[&[usize]]) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let (loss, gradient) = kernels::masked_error(inputs[0], &self.target, &self.mask);
        (vec![loss as f32], gradient)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let mut g = s.kept.to_vec();
        kernels::scale(&mut g, s.gradient[0]);
        vec![g]
    }
}

/// Mean of mask * (prediction - target)^2 over the mask; `target` and `mask` have the size of the prediction.
pub fn masked_mean_squared_error<const D: usize>(
    prediction: Tensor<D>,
    target: &[f32],
    mask: &[f32],
) -> Tensor<1> {
    apply1(ErrorOp { target: target.to_vec(), mask: mask.to_vec() }, prediction)
}
