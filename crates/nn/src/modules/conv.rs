//! Two-dimensional convolutions and a small convolutional network.

use super::{Linear, act};
use crate::fused::{Fused, Saved, apply3};
use crate::kernels::{self, Activation, ConvShape};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// A convolution over one, two or three axes.
#[derive(Debug, Clone)]
pub struct Conv {
    weight: ParameterId,
    bias: ParameterId,
    shape: ConvShape,
}

impl Fused for ConvShape {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        let out = self.out();
        let axes = inputs[0].len() - 2;
        [&[inputs[0][0], self.output], &out[3 - axes..]].concat()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::conv(inputs[0], inputs[1], inputs[2], *self), Vec::new())
    }

    fn backward(&self, s: Saved, needed: &[bool]) -> Vec<Vec<f32>> {
        let wanted = |k: usize, f: &dyn Fn() -> Vec<f32>| if needed[k] { f() } else { Vec::new() };
        vec![
            wanted(0, &|| kernels::conv_backward_input(s.gradient, s.inputs[1], *self)),
            wanted(1, &|| kernels::conv_backward_weights(s.gradient, s.inputs[0], *self)),
            wanted(2, &|| kernels::conv_backward_bias(s.gradient, *self)),
        ]
    }
}

/// A convolution, then max(., 0), as one operation.
struct Rectified(ConvShape);

impl Fused for Rectified {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        self.0.shape(inputs)
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::conv_rectified(inputs[0], inputs[1], inputs[2], self.0), Vec::new())
    }

    fn backward(&self, s: Saved, needed: &[bool]) -> Vec<Vec<f32>> {
        // The output is positive exactly where its input is.
        let gradient = kernels::activate_backward(s.gradient, s.output, Activation::Relu);
        self.0.backward(Saved { gradient: &gradient, ..s }, needed)
    }
}

impl Conv {
    /// A layer for inputs of exactly this shape over `axes` axes; He initialisation, biases 0. Fails where the shape is
    /// not that of a convolution.
    pub fn new(
        p: &mut Parameters,
        name: &str,
        shape: ConvShape,
        axes: usize,
        stream: &mut Stream,
    ) -> Result<Self> {
        if !shape.is_valid() || !(1..=3).contains(&axes) || shape.size[..3 - axes].iter().any(|n| *n != 1) {
            return Err(Error::config(
                "positive sizes, a kernel that fits, 1 to 3 axes",
                format!("{axes} axes, {shape:?}"),
            ));
        }
        let own = shape.input / shape.groups;
        let dims = [&[shape.output, own], &shape.kernel[3 - axes..]].concat();
        let fan_in = shape.weights() / shape.output;
        let weight = p.add(format!("{name}.weight"), &dims, Init::he(fan_in), stream);
        let bias = p.add(format!("{name}.bias"), &[shape.output], Init::Constant(0.0), stream);
        Ok(Self { weight, bias, shape })
    }

    /// The weights, [output, input / groups, kernel ...].
    pub fn weight<const D: usize>(&self, pass: &Pass) -> Tensor<D> {
        pass.parameter(self.weight)
    }

    /// The bias, \[output\].
    pub fn bias(&self, pass: &Pass) -> Tensor<1> {
        pass.parameter(self.bias)
    }

    /// [n, input, axes ...] -> [n, output, axes ...].
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        apply3(self.shape, x, self.weight::<D>(pass), self.bias(pass))
    }

    /// The same, then rectified: one pass and one tensor less than an activation behind it.
    pub fn rectified<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        apply3(Rectified(self.shape), x, self.weight::<D>(pass), self.bias(pass))
    }
}

/// One convolutional stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stage {
    /// Output channels.
    pub channels: usize,
    /// Step between windows.
    pub stride: usize,
}

/// Convolutions 3x3 (rectified), then fully connected layers.
#[derive(Debug, Clone)]
pub struct ConvNet {
    stages: Vec<Conv>,
    hidden: Vec<Linear>,
    output: Linear,
}

impl ConvNet {
    /// A network for images [channels, height, width]: `stages`, rectified layers of `hidden` units, `classes` logits.
    pub fn new(
        p: &mut Parameters,
        [channels, height, width]: [usize; 3],
        stages: &[Stage],
        hidden: &[usize],
        classes: usize,
        stream: &mut Stream,
    ) -> Result<Self> {
        let mut size = (channels, height, width);
        let mut convs = Vec::new();
        for (i, stage) in stages.iter().enumerate() {
            let channels = [size.0, stage.channels];
            let shape = ConvShape::square(channels, [size.1, size.2], 3, stage.stride, 1);
            convs.push(Conv::new(p, &format!("conv{}", i + 1), shape, 2, stream)?);
            let [_, h, w] = shape.out();
            size = (stage.channels, h, w);
        }
        let mut width = size.0 * size.1 * size.2;
        let mut layers = Vec::new();
        for (i, &n) in hidden.iter().enumerate() {
            let name = format!("fc{}", i + 1);
            layers.push(Linear::with(
                p,
                &name,
                [width, n],
                Init::he(width),
                Some(Init::Constant(0.0)),
                stream,
            ));
            width = n;
        }
        let output = Linear::with(
            p,
            "output",
            [width, classes],
            Init::fan_in(width),
            Some(Init::Constant(0.0)),
            stream,
        );
        Ok(Self { stages: convs, hidden: layers, output })
    }

    /// [n, channels, height, width] -> logits [n, classes]. Hooks `conv1`, ..., `fc1`, ..., `output`.
    pub fn forward(&self, pass: &Pass, mut x: Tensor<4>) -> Tensor<2> {
        for (i, stage) in self.stages.iter().enumerate() {
            x = pass.hook(&format!("conv{}", i + 1), stage.rectified(pass, x));
        }
        let n = x.dims()[0];
        let features = x.dims()[1..].iter().product::<usize>();
        let mut x: Tensor<2> = x.reshape([n, features]);
        for (i, layer) in self.hidden.iter().enumerate() {
            x = pass.hook(&format!("fc{}", i + 1), act(layer.forward(pass, x), Activation::Relu));
        }
        pass.hook("output", self.output.forward(pass, x))
    }
}
