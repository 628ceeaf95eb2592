//! Normalisation over the last axis, over groups of channels, over the batch, and by the softmax.

use crate::fused::{Fused, Saved, apply1, apply2, apply3};
use crate::kernels::{self, RowNorm, SlabAffine, SlabNorm, SlabShape};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use std::sync::{Arc, OnceLock};

/// Rows normalised, times a gain, plus an offset if there is a third input.
struct RowNormOp(RowNorm);

impl Fused for RowNormOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::row_norm(inputs[0], inputs[1], inputs.get(2).copied(), self.0), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        kernels::row_norm_backward(s.gradient, s.inputs[0], s.inputs[1], self.0).into()
    }
}

/// Layer norm over the last axis, with gain and offset or without. Rows of zeros stay zeros (plus the offset).
#[derive(Debug, Clone)]
pub struct LayerNorm {
    affine: Option<[ParameterId; 2]>,
    width: usize,
}

impl LayerNorm {
    /// Without gain and offset.
    pub fn plain(width: usize) -> Self {
        Self { affine: None, width }
    }

    /// With gain 1 and offset 0 at the start.
    pub fn affine(p: &mut Parameters, name: &str, width: usize, stream: &mut Stream) -> Self {
        Self { affine: Some(gain_and_offset(p, name, width, stream)), width }
    }

    /// [..., width] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        let op = RowNormOp(RowNorm::Layer);
        match self.affine {
            Some([g, o]) => apply3(op, x, pass.parameter::<1>(g), pass.parameter::<1>(o)),
            None => apply2(op, x, pass.input(vec![1.0; self.width], [self.width])),
        }
    }
}

fn gain_and_offset(p: &mut Parameters, name: &str, n: usize, stream: &mut Stream) -> [ParameterId; 2] {
    let gain = p.add(format!("{name}.weight"), &[n], Init::Constant(1.0), stream);
    [gain, p.add(format!("{name}.bias"), &[n], Init::Constant(0.0), stream)]
}

/// Root-mean-square norm over the last axis (Zhang and Sennrich 2019), with a gain: x / sqrt(mean(x^2) + 1e-6).
#[derive(Debug, Clone)]
pub struct RmsNorm {
    gain: ParameterId,
}

impl RmsNorm {
    /// Gain 1 at the start.
    pub fn new(p: &mut Parameters, name: &str, width: usize, stream: &mut Stream) -> Self {
        Self { gain: p.add(format!("{name}.weight"), &[width], Init::Constant(1.0), stream) }
    }

    /// [..., width] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        apply2(RowNormOp(RowNorm::Rms), x, pass.parameter::<1>(self.gain))
    }
}

/// Slabs normalised by moments of their own, which are then told to `seen`, or by given ones.
struct SlabNormOp {
    shape: SlabShape,
    given: Option<Vec<f32>>,
    seen: Arc<OnceLock<Vec<f32>>>,
    /// Factor of what is below 0.
    leak: f32,
}

impl SlabNormOp {
    fn new(shape: SlabShape, leak: f32) -> Self {
        Self { shape, given: None, seen: Arc::default(), leak }
    }
}

impl Fused for SlabNormOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let [x, gain, offset] = inputs else { return (Vec::new(), Vec::new()) };
        let moments = self
            .given
            .clone()
            .unwrap_or_else(|| self.seen.get_or_init(|| kernels::slab_moments(x, self.shape)).clone());
        let affine = SlabAffine { gain, offset, leak: self.leak };
        (kernels::slab_norm(x, affine, &moments, self.shape), moments)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let affine = SlabAffine { gain: s.inputs[1], offset: s.inputs[2], leak: self.leak };
        let own = self.given.is_none();
        kernels::slab_norm_backward(s.gradient, s.inputs[0], affine, s.kept, self.shape, own).into()
    }
}

/// Group norm (Wu and He 2018): each group of channels of a sample gets mean 0 and variance 1, then a gain and an offset
/// per channel. As many groups as channels is instance norm.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    affine: [ParameterId; 2],
    channels: usize,
    groups: usize,
}

impl GroupNorm {
    /// Gain 1 and offset 0 at the start. Fails unless the channels divide into the groups.
    pub fn new(
        p: &mut Parameters,
        name: &str,
        channels: usize,
        groups: usize,
        stream: &mut Stream,
    ) -> Result<Self> {
        if channels == 0 || groups == 0 || !channels.is_multiple_of(groups) {
            return Err(Error::config(
                "channels that divide into the groups",
                format!("{channels} and {groups}"),
            ));
        }
        Ok(Self { affine: gain_and_offset(p, name, channels, stream), channels, groups })
    }

    /// [n, channels, axes ...] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        self.rectified(pass, x, 1.0)
    }

    /// The same, then a rectifier of slope `leak` below 0, in one pass.
    pub fn rectified<const D: usize>(&self, pass: &Pass, x: Tensor<D>, leak: f32) -> Tensor<D> {
        let area = x.dims()[2..].iter().product();
        let norm = SlabNorm::Group { groups: self.groups };
        let op = SlabNormOp::new(SlabShape { norm, channels: self.channels, area }, leak);
        let [gain, offset] = self.affine;
        apply3(op, x, pass.parameter::<1>(gain), pass.parameter::<1>(offset))
    }
}

/// Batch norm (Ioffe and Szegedy 2015): each channel gets mean 0 and variance 1 over batch and axes, then a gain and an
/// offset. A pass in training uses the moments of its batch and takes a tenth of them (variance unbiased) into running
/// averages; a pass that is only evaluated uses these. The averages are parameters, so they are saved with the weights.
#[derive(Debug, Clone)]
pub struct BatchNorm {
    affine: [ParameterId; 2],
    running: [ParameterId; 2],
    channels: usize,
}

/// Share of a batch in the running averages.
const MOMENTUM: f32 = 0.1;

impl BatchNorm {
    /// Gain 1, offset 0; running mean 0 and variance 1.
    pub fn new(p: &mut Parameters, name: &str, channels: usize, stream: &mut Stream) -> Self {
        let affine = gain_and_offset(p, name, channels, stream);
        let mean = p.add(format!("{name}.running_mean"), &[channels], Init::Constant(0.0), stream);
        let variance = p.add(format!("{name}.running_var"), &[channels], Init::Constant(1.0), stream);
        Self { affine, running: [mean, variance], channels }
    }

    /// [n, channels, axes ...] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        self.rectified(pass, x, 1.0)
    }

    /// The same, then a rectifier of slope `leak` below 0, in one pass.
    pub fn rectified<const D: usize>(&self, pass: &Pass, x: Tensor<D>, leak: f32) -> Tensor<D> {
        let area: usize = x.dims()[2..].iter().product();
        let shape = SlabShape { norm: SlabNorm::Batch, channels: self.channels, area };
        let [mean, variance] = self.running.map(|id| crate::pass::values(pass.parameter::<1>(id)));
        let [gain, offset] = self.affine.map(|id| pass.parameter::<1>(id));
        let mut op = SlabNormOp::new(shape, leak);
        if !pass.is_training() {
            let pairs = mean.iter().zip(&variance);
            op.given = Some(pairs.flat_map(|(m, v)| [*m, 1.0 / (v + 1e-5).sqrt()]).collect());
            return apply3(op, x, gain, offset);
        }
        let (seen, count) = (op.seen.clone(), (x.dims()[0] * area) as f32);
        let y = apply3(op, x, gain, offset);
        let moments = seen.get().map_or(&[][..], Vec::as_slice).chunks_exact(2);
        let unbiased = count / (count - 1.0).max(1.0);
        let blend = |(old, new): (f32, f32)| old + MOMENTUM * (new - old);
        let means = moments.clone().map(|now| now[0]);
        let variances = moments.map(|now| unbiased * (1.0 / (now[1] * now[1]) - 1e-5));
        pass.replace(self.running[0], mean.into_iter().zip(means).map(blend).collect());
        pass.replace(self.running[1], variance.into_iter().zip(variances).map(blend).collect());
        y
    }
}

struct SoftmaxOp {
    width: usize,
    log: bool,
}

impl Fused for SoftmaxOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::softmax_rows(inputs[0], self.width, self.log), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::softmax_rows_backward(s.gradient, s.output, self.width, self.log)]
    }
}

/// Softmax over the last axis.
pub fn softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let width = x.dims()[D - 1];
    apply1(SoftmaxOp { width, log: false }, x)
}

/// Logarithm of the softmax over the last axis.
pub fn log_softmax<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    let width = x.dims()[D - 1];
    apply1(SoftmaxOp { width, log: true }, x)
}
