//! Two-dimensional convolutions and a small convolutional network.

use super::{Linear, act};
use crate::fused::{Fused, Saved, apply3};
use crate::kernels::{self, Activation, ConvShape};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// A convolution with square kernel.
#[derive(Debug, Clone)]
pub struct Conv2d {
    weight: ParameterId,
    bias: ParameterId,
    shape: ConvShape,
}

impl Fused for ConvShape {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        let (h, w) = self.out();
        vec![inputs[0][0], self.output, h, w]
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::conv2d(inputs[0], inputs[1], inputs[2], *self), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        kernels::conv2d_backward(s.gradient, s.inputs[0], s.inputs[1], *self).into()
    }
}

impl Conv2d {
    /// A layer for inputs of exactly this shape; He initialisation, biases 0.
    pub fn new(p: &mut Parameters, name: &str, shape: ConvShape, stream: &mut Stream) -> Self {
        let dims = [shape.output, shape.input, shape.kernel, shape.kernel];
        let weight = p.add(format!("{name}.weight"), &dims, Init::he(dims[1] * dims[2] * dims[3]), stream);
        let bias = p.add(format!("{name}.bias"), &[shape.output], Init::Constant(0.0), stream);
        Self { weight, bias, shape }
    }

    /// [n, input, height, width] -> [n, output, oh, ow].
    pub fn forward(&self, pass: &Pass, x: Tensor<4>) -> Tensor<4> {
        apply3(self.shape, x, pass.parameter::<4>(self.weight), pass.parameter::<1>(self.bias))
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
    stages: Vec<Conv2d>,
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
            if size.0 == 0 || size.1 == 0 || size.2 == 0 || stage.channels == 0 || stage.stride == 0 {
                return Err(Error::config(
                    "positive image sizes, channels and strides",
                    format!("{size:?}, {stage:?}"),
                ));
            }
            let shape = ConvShape {
                input: size.0,
                output: stage.channels,
                height: size.1,
                width: size.2,
                kernel: 3,
                stride: stage.stride,
                padding: 1,
            };
            let out = shape.out();
            size = (stage.channels, out.0, out.1);
            convs.push(Conv2d::new(p, &format!("conv{}", i + 1), shape, stream));
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
            x = pass.hook(&format!("conv{}", i + 1), act(stage.forward(pass, x), Activation::Relu));
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
