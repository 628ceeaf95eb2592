//! A residual U-Net over two or three axes (F. Isensee et al. 2017, the network of Hu et al. 2018).
//!
//! Context pathway: per level a 3 x 3 x 3 convolution, of stride 2 but for the first level, and a pre-activated residual
//! block (instance norm, leaky rectifier, convolution, dropout, and again). Localisation pathway, upwards: nearest
//! upsampling, a convolution to the filters of the level, the context beside it, a convolution and one of size 1 that
//! halves the channels; each of these is followed by instance norm and leaky rectifier. Convolutions of size 1 read the
//! last levels of the localisation pathway; their maps are upsampled and summed (deep supervision).

use super::GroupNorm;
use crate::fused::{Fused, Saved, apply1, apply2, apply3};
use crate::kernels::{self, ConvShape};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Sizes of a [`UNet`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UNetConfig {
    /// Input channels.
    pub input: usize,
    /// Filters of each level, finest first; as many levels.
    pub filters: Vec<usize>,
    /// Output channels.
    pub output: usize,
    /// 3 for volumes, 2 for slices (depth 1).
    pub axes: usize,
    /// Probability with which a residual block drops a value.
    pub dropout: f64,
    /// Levels of the localisation pathway that are read, finest first; more than there are counts as all.
    pub deep: usize,
}

impl UNetConfig {
    /// Fails on sizes that make no network.
    pub fn check(&self) -> Result<()> {
        let named = |field: &str, want: &str, got: String| Err(Error::config(want, got).at(field));
        if self.input == 0 || self.output == 0 {
            return named("channels", "at least 1 in and out", format!("{} and {}", self.input, self.output));
        }
        if !(1..=8).contains(&self.filters.len()) || self.filters.iter().any(|f| !(1..=4096).contains(f)) {
            return named("filters", "1 to 8 levels of 1 to 4096 filters", format!("{:?}", self.filters));
        }
        if !(2..=3).contains(&self.axes) {
            return named("axes", "2 or 3", self.axes.to_string());
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return named("dropout", "a probability below 1", self.dropout.to_string());
        }
        if self.deep == 0 {
            return named("deep", "at least 1 level to read", "0".into());
        }
        Ok(())
    }

    /// What every axis (but the depth of slices) must be a multiple of.
    pub fn factor(&self) -> usize {
        1 << (self.filters.len() - 1)
    }

    /// Side of a cube along each axis, in voxels: `n` along those that are convolved.
    fn own(&self, n: usize, otherwise: usize) -> [usize; 3] {
        if self.axes == 3 { [n; 3] } else { [otherwise, n, n] }
    }
}

/// A convolution whose input may have any size.
#[derive(Debug, Clone)]
struct Convolution {
    weight: ParameterId,
    bias: ParameterId,
    channels: [usize; 2],
    kernel: [usize; 3],
    stride: [usize; 3],
}

impl Convolution {
    fn new(
        p: &mut Parameters,
        name: &str,
        channels: [usize; 2],
        kernel: [usize; 3],
        stride: [usize; 3],
        stream: &mut Stream,
    ) -> Self {
        let [input, output] = channels;
        let fan_in = input * kernel.iter().product::<usize>();
        let shape = [&[output, input], kernel.as_slice()].concat();
        let weight = p.add(format!("{name}.weight"), &shape, Init::he(fan_in), stream);
        let bias = p.add(format!("{name}.bias"), &[output], Init::Constant(0.0), stream);
        Self { weight, bias, channels, kernel, stride }
    }

    fn forward(&self, pass: &Pass, x: Tensor<5>) -> Tensor<5> {
        let [_, _, d, h, w] = x.dims();
        let shape = ConvShape {
            kernel: self.kernel,
            stride: self.stride,
            padding: self.kernel.map(|k| k / 2),
            ..ConvShape::cubic(self.channels, [d, h, w], 1, 1, 0)
        };
        apply3(shape, x, pass.parameter::<5>(self.weight), pass.parameter::<1>(self.bias))
    }
}

/// Slope of the rectifiers below 0.
const LEAK: f32 = 0.01;

/// Instance norm and leaky rectifier.
fn normalised(norm: &GroupNorm, pass: &Pass, x: Tensor<5>) -> Tensor<5> {
    norm.rectified(pass, x, LEAK)
}

/// A convolution, instance norm, leaky rectifier.
#[derive(Debug, Clone)]
struct Unit {
    conv: Convolution,
    norm: GroupNorm,
}

impl Unit {
    fn forward(&self, pass: &Pass, x: Tensor<5>) -> Tensor<5> {
        normalised(&self.norm, pass, self.conv.forward(pass, x))
    }
}

#[derive(Debug, Clone)]
struct Context {
    entry: Convolution,
    norms: [GroupNorm; 2],
    convs: [Convolution; 2],
}

#[derive(Debug, Clone)]
struct Localisation {
    up: Unit,
    mix: Unit,
    halve: Unit,
}

/// The network.
#[derive(Debug, Clone)]
pub struct UNet {
    /// Its sizes.
    pub config: UNetConfig,
    context: Vec<Context>,
    /// Finest first.
    localisation: Vec<Localisation>,
    /// Finest first.
    heads: Vec<Convolution>,
}

impl UNet {
    /// A network with He initialisation, gains 1, offsets and biases 0.
    pub fn new(p: &mut Parameters, config: UNetConfig, stream: &mut Stream) -> Result<Self> {
        config.check()?;
        let (one, three, two) = ([1; 3], config.own(3, 1), config.own(2, 1));
        let filters = config.filters.clone();
        let mut context = Vec::new();
        for (l, &f) in filters.iter().enumerate() {
            let name = format!("context{}", l + 1);
            let (input, stride) = if l == 0 { (config.input, one) } else { (filters[l - 1], two) };
            let entry = Convolution::new(p, &format!("{name}.entry"), [input, f], three, stride, stream);
            let mut block = |k: usize| -> Result<(GroupNorm, Convolution)> {
                let norm = GroupNorm::new(p, &format!("{name}.norm{k}"), f, f, stream)?;
                Ok((norm, Convolution::new(p, &format!("{name}.conv{k}"), [f, f], three, one, stream)))
            };
            let ((n1, c1), (n2, c2)) = (block(1)?, block(2)?);
            context.push(Context { entry, norms: [n1, n2], convs: [c1, c2] });
        }
        let mut localisation = Vec::new();
        for l in 0..filters.len() - 1 {
            let f = filters[l];
            let mut unit = |part: &str, channels: [usize; 2], kernel| -> Result<Unit> {
                let name = format!("localisation{}.{part}", l + 1);
                let conv = Convolution::new(p, &name, channels, kernel, one, stream);
                let norm = GroupNorm::new(p, &format!("{name}.norm"), channels[1], channels[1], stream)?;
                Ok(Unit { conv, norm })
            };
            let up = unit("up", [filters[l + 1], f], three)?;
            let mix = unit("mix", [2 * f, 2 * f], three)?;
            localisation.push(Localisation { up, mix, halve: unit("halve", [2 * f, f], one)? });
        }
        // A network of one level is read at its context.
        let read = config.deep.min(localisation.len()).max(1);
        let heads = (0..read)
            .map(|l| {
                Convolution::new(p, &format!("head{}", l + 1), [filters[l], config.output], one, one, stream)
            })
            .collect();
        Ok(Self { config, context, localisation, heads })
    }

    /// Lets the output start near `bias`, one value per channel: weights of the heads are multiplied by `gain`.
    pub fn start(&self, p: &mut Parameters, gain: f32, bias: &[f32]) {
        for (l, head) in self.heads.iter().enumerate() {
            p.get_mut(head.weight).iter_mut().for_each(|w| *w *= gain);
            // The maps are summed, so that one of them carries the bias.
            p.get_mut(head.bias).iter_mut().zip(bias).for_each(|(b, v)| *b = if l == 0 { *v } else { 0.0 });
        }
    }

    /// [n, input, depth, height, width] -> [n, output, depth, height, width]. Every axis must be a multiple of
    /// [`UNetConfig::factor`], the depth of slices 1. Hooks `context1`, ..., `localisation1`, ..., `output`.
    pub fn forward(&self, pass: &Pass, x: Tensor<5>) -> Result<Tensor<5>> {
        let [n, c, d, h, w] = x.dims();
        let factor = self.config.factor();
        let fits = if self.config.axes == 3 { d.is_multiple_of(factor) } else { d == 1 };
        if c != self.config.input
            || !fits
            || [h, w].iter().any(|s| !s.is_multiple_of(factor))
            || n * d * h * w == 0
        {
            let deep =
                if self.config.axes == 3 { format!("multiples of {factor}") } else { "one slice".into() };
            return Err(Error::input(
                format!("{} channels, {deep}, height and width multiples of {factor}", self.config.input),
                format!("shape {:?}", x.dims()),
            ));
        }
        let mut x = x;
        let mut contexts = Vec::new();
        for (l, level) in self.context.iter().enumerate() {
            let entry = level.entry.forward(pass, x);
            let y = level.convs[0].forward(pass, normalised(&level.norms[0], pass, entry.clone()));
            let y = pass.dropout(y, self.config.dropout);
            let y = level.convs[1].forward(pass, normalised(&level.norms[1], pass, y));
            x = pass.hook(&format!("context{}", l + 1), entry + y);
            contexts.push(x.clone());
        }
        contexts.pop();
        let factors = self.config.own(2, 1);
        let mut output: Option<Tensor<5>> = None;
        let mut read = |l: usize, x: &Tensor<5>| {
            let Some(head) = self.heads.get(l) else { return };
            let map = head.forward(pass, x.clone());
            output = Some(match output.take() {
                Some(coarse) => upsample(coarse, factors) + map,
                None => map,
            });
        };
        if self.localisation.is_empty() {
            read(0, &x);
        }
        for (l, level) in self.localisation.iter().enumerate().rev() {
            let up = level.up.forward(pass, upsample(x, factors));
            let Some(skip) = contexts.pop() else { break };
            x = level.halve.forward(pass, level.mix.forward(pass, concatenate(skip, up)));
            x = pass.hook(&format!("localisation{}", l + 1), x);
            read(l, &x);
        }
        let output = output.ok_or_else(|| Error::Internal("a network without a head".into()))?;
        Ok(pass.hook("output", output))
    }
}

struct UpsampleOp {
    factor: [usize; 3],
    size: [usize; 3],
}

impl Fused for UpsampleOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        let mut shape = inputs[0].to_vec();
        shape[2..].iter_mut().zip(self.factor).for_each(|(s, f)| *s *= f);
        shape
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::upsample(inputs[0], self.size, self.factor), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::upsample_backward(s.gradient, self.size, self.factor)]
    }
}

/// Repeats every voxel of [n, channels, depth, height, width] `factor` times along the last three axes.
pub fn upsample(x: Tensor<5>, factor: [usize; 3]) -> Tensor<5> {
    let [_, _, d, h, w] = x.dims();
    apply1(UpsampleOp { factor, size: [d, h, w] }, x)
}

struct ConcatenateOp {
    /// Elements of a sample of either input.
    sizes: [usize; 2],
}

impl Fused for ConcatenateOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        let mut shape = inputs[0].to_vec();
        shape[1] += inputs[1][1];
        shape
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let [a, b] = self.sizes;
        let mut joined = Vec::with_capacity(inputs[0].len() + inputs[1].len());
        for (a, b) in inputs[0].chunks_exact(a).zip(inputs[1].chunks_exact(b)) {
            joined.extend_from_slice(a);
            joined.extend_from_slice(b);
        }
        (joined, Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let [a, b] = self.sizes;
        let samples = s.gradient.len() / (a + b);
        let (mut da, mut db) = (Vec::with_capacity(samples * a), Vec::with_capacity(samples * b));
        for g in s.gradient.chunks_exact(a + b) {
            da.extend_from_slice(&g[..a]);
            db.extend_from_slice(&g[a..]);
        }
        vec![da, db]
    }
}

/// Joins the channels of two maps [n, channels, axes ...] that agree in all other axes.
pub fn concatenate<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    let size = |x: &Tensor<D>| x.dims()[1..].iter().product::<usize>().max(1);
    apply2(ConcatenateOp { sizes: [size(&a), size(&b)] }, a, b)
}
