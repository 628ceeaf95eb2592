//! Normalisation over the last axis, over groups of channels, by the root mean square, and by the softmax.

use crate::fused::{Fused, Saved, apply1, apply2, apply3};
use crate::kernels;
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use rayon::prelude::*;

/// Rows that one task takes.
const ROWS: usize = 64;

/// Layer norm over the last axis, with gain and offset or without. Rows of zeros stay zeros (plus the offset).
#[derive(Debug, Clone)]
pub struct LayerNorm {
    affine: Option<[ParameterId; 2]>,
    width: usize,
}

struct LayerNormOp {
    width: usize,
}

impl Fused for LayerNormOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let d = self.width;
        let rows = inputs[0].len() / d;
        let mut y = vec![0.0; rows * d];
        // The backward pass needs the reciprocal deviations and, behind them, the normalised rows if they were changed.
        let mut kept = vec![0.0; rows + if inputs.len() > 1 { rows * d } else { 0 }];
        let (inverse, normal) = kept.split_at_mut(rows);
        let x = inputs[0].par_chunks(ROWS * d);
        if let [_, gain, offset] = inputs {
            y.par_chunks_mut(ROWS * d)
                .zip(normal.par_chunks_mut(ROWS * d))
                .zip(inverse.par_chunks_mut(ROWS))
                .zip(x)
                .for_each(|(((y, normal), inverse), x)| {
                    kernels::layer_norm(normal, inverse, x, d);
                    for (y, n) in y.chunks_exact_mut(d).zip(normal.chunks_exact(d)) {
                        for (((y, n), g), o) in y.iter_mut().zip(n).zip(*gain).zip(*offset) {
                            *y = n * g + o;
                        }
                    }
                });
        } else {
            y.par_chunks_mut(ROWS * d)
                .zip(inverse.par_chunks_mut(ROWS))
                .zip(x)
                .for_each(|((y, inverse), x)| kernels::layer_norm(y, inverse, x, d));
        }
        (y, kept)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let d = self.width;
        let rows = s.gradient.len() / d;
        let mut dx = vec![0.0; rows * d];
        let (inverse, normal) = s.kept.split_at(rows);
        let [_, gain, _] = s.inputs else {
            dx.par_chunks_mut(ROWS * d)
                .zip(s.gradient.par_chunks(ROWS * d))
                .zip(s.output.par_chunks(ROWS * d))
                .zip(inverse.par_chunks(ROWS))
                .for_each(|(((dx, dy), y), inverse)| kernels::layer_norm_backward(dx, dy, y, inverse, d));
            return vec![dx];
        };
        let parts: Vec<(Vec<f32>, Vec<f32>)> = dx
            .par_chunks_mut(ROWS * d)
            .zip(s.gradient.par_chunks(ROWS * d))
            .zip(normal.par_chunks(ROWS * d))
            .zip(inverse.par_chunks(ROWS))
            .map(|(((dx, dy), y), inverse)| {
                let (mut scaled, mut dgain, mut doffset) = (dy.to_vec(), vec![0.0; d], vec![0.0; d]);
                for (row, y) in scaled.chunks_exact_mut(d).zip(y.chunks_exact(d)) {
                    for ((((v, y), gain), dg), o) in
                        row.iter_mut().zip(y).zip(*gain).zip(&mut dgain).zip(&mut doffset)
                    {
                        *dg += *v * y;
                        *o += *v;
                        *v *= gain;
                    }
                }
                kernels::layer_norm_backward(dx, &scaled, y, inverse, d);
                (dgain, doffset)
            })
            .collect();
        let (mut dgain, mut doffset) = (vec![0.0; d], vec![0.0; d]);
        for (g, o) in &parts {
            kernels::add_assign(&mut dgain, g);
            kernels::add_assign(&mut doffset, o);
        }
        vec![dx, dgain, doffset]
    }
}

impl LayerNorm {
    /// Without gain and offset.
    pub fn plain(width: usize) -> Self {
        Self { affine: None, width }
    }

    /// With gain 1 and offset 0 at the start.
    pub fn affine(p: &mut Parameters, name: &str, width: usize, stream: &mut Stream) -> Self {
        let gain = p.add(format!("{name}.weight"), &[width], Init::Constant(1.0), stream);
        let offset = p.add(format!("{name}.bias"), &[width], Init::Constant(0.0), stream);
        Self { affine: Some([gain, offset]), width }
    }

    /// [..., width] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        let op = LayerNormOp { width: self.width };
        match self.affine {
            Some([g, o]) => apply3(op, x, pass.parameter::<1>(g), pass.parameter::<1>(o)),
            None => apply1(op, x),
        }
    }
}

/// Group norm (Wu and He 2018): each group of channels of a sample gets mean 0 and variance 1, then a gain and an offset
/// per channel. As many groups as channels is instance norm.
#[derive(Debug, Clone)]
pub struct GroupNorm {
    gain: ParameterId,
    offset: ParameterId,
    channels: usize,
    groups: usize,
}

struct GroupNormOp {
    channels: usize,
    groups: usize,
    /// Elements of a channel.
    area: usize,
}

impl GroupNormOp {
    /// Elements of a group.
    fn row(&self) -> usize {
        self.channels / self.groups * self.area
    }
}

/// Channels of a row, of which the first belongs to the group of the row's number.
fn channels_of(row: usize, groups: usize, channels: usize) -> std::ops::Range<usize> {
    let own = channels / groups;
    let first = row % groups * own;
    first..first + own
}

impl Fused for GroupNormOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let [x, gain, offset] = inputs else { return (Vec::new(), Vec::new()) };
        let row = self.row();
        let rows = x.len() / row.max(1);
        let area = self.area;
        let mut y = vec![0.0; x.len()];
        let mut kept = vec![0.0; rows + x.len()];
        let (inverse, normal) = kept.split_at_mut(rows);
        y.par_chunks_mut(row)
            .zip(normal.par_chunks_mut(row))
            .zip(inverse.par_chunks_mut(1))
            .zip(x.par_chunks(row))
            .enumerate()
            .for_each(|(r, (((y, normal), inverse), x))| {
                kernels::layer_norm(normal, inverse, x, row);
                let channels = channels_of(r, self.groups, self.channels);
                for (c, (y, n)) in channels.zip(y.chunks_exact_mut(area).zip(normal.chunks_exact(area))) {
                    for (y, n) in y.iter_mut().zip(n) {
                        *y = n * gain[c] + offset[c];
                    }
                }
            });
        (y, kept)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let gain = s.inputs[1];
        let row = self.row();
        let rows = s.gradient.len() / row.max(1);
        let area = self.area;
        let (inverse, normal) = s.kept.split_at(rows);
        let mut dx = vec![0.0; s.gradient.len()];
        let parts: Vec<Vec<(f32, f32)>> = dx
            .par_chunks_mut(row)
            .zip(s.gradient.par_chunks(row))
            .zip(normal.par_chunks(row))
            .zip(inverse.par_chunks(1))
            .enumerate()
            .map(|(r, (((dx, dy), normal), inverse))| {
                let mut scaled = dy.to_vec();
                let channels = channels_of(r, self.groups, self.channels);
                let lines = scaled.chunks_exact_mut(area).zip(normal.chunks_exact(area));
                let sums = channels
                    .zip(lines)
                    .map(|(c, (line, normal))| {
                        let sums = (kernels::dot(line, normal), kernels::sum(line));
                        kernels::scale(line, gain[c]);
                        sums
                    })
                    .collect();
                kernels::layer_norm_backward(dx, &scaled, normal, inverse, row);
                sums
            })
            .collect();
        let (mut dgain, mut doffset) = (vec![0.0; self.channels], vec![0.0; self.channels]);
        for (r, sums) in parts.iter().enumerate() {
            for (c, (g, o)) in channels_of(r, self.groups, self.channels).zip(sums) {
                dgain[c] += g;
                doffset[c] += o;
            }
        }
        vec![dx, dgain, doffset]
    }
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
        let gain = p.add(format!("{name}.weight"), &[channels], Init::Constant(1.0), stream);
        let offset = p.add(format!("{name}.bias"), &[channels], Init::Constant(0.0), stream);
        Ok(Self { gain, offset, channels, groups })
    }

    /// [n, channels, axes ...] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        let area = x.dims()[2..].iter().product();
        let op = GroupNormOp { channels: self.channels, groups: self.groups, area };
        apply3(op, x, pass.parameter::<1>(self.gain), pass.parameter::<1>(self.offset))
    }
}

/// Root-mean-square norm over the last axis (Zhang and Sennrich 2019), with a gain: x / sqrt(mean(x^2) + 1e-6).
#[derive(Debug, Clone)]
pub struct RmsNorm {
    gain: ParameterId,
    width: usize,
}

struct RmsNormOp(usize);

fn inverse_rms(x: &[f32]) -> f32 {
    1.0 / (kernels::dot(x, x) / x.len() as f32 + 1e-6).sqrt()
}

impl Fused for RmsNormOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let [x, gain] = inputs else { return (Vec::new(), Vec::new()) };
        let mut y = vec![0.0; x.len()];
        y.par_chunks_mut(self.0).zip(x.par_chunks(self.0)).with_min_len(ROWS).for_each(|(y, x)| {
            let inverse = inverse_rms(x);
            for ((y, x), g) in y.iter_mut().zip(x).zip(*gain) {
                *y = x * inverse * g;
            }
        });
        (y, Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let (x, gain, d) = (s.inputs[0], s.inputs[1], self.0);
        let mut dx = vec![0.0; x.len()];
        let parts: Vec<Vec<f32>> = dx
            .par_chunks_mut(ROWS * d)
            .zip(x.par_chunks(ROWS * d))
            .zip(s.gradient.par_chunks(ROWS * d))
            .map(|((dx, x), dy)| {
                let (mut dgain, mut normal, mut scaled) = (vec![0.0; d], vec![0.0; d], vec![0.0; d]);
                for ((dx, x), dy) in dx.chunks_exact_mut(d).zip(x.chunks_exact(d)).zip(dy.chunks_exact(d)) {
                    let inverse = inverse_rms(x);
                    for i in 0..d {
                        normal[i] = x[i] * inverse;
                        dgain[i] += dy[i] * normal[i];
                        scaled[i] = dy[i] * gain[i];
                    }
                    let along = kernels::dot(&scaled, &normal) / d as f32;
                    kernels::centred_backward(dx, &scaled, &normal, (0.0, along), inverse);
                }
                dgain
            })
            .collect();
        let mut dgain = vec![0.0; d];
        parts.iter().for_each(|p| kernels::add_assign(&mut dgain, p));
        vec![dx, dgain]
    }
}

impl RmsNorm {
    /// Gain 1 at the start.
    pub fn new(p: &mut Parameters, name: &str, width: usize, stream: &mut Stream) -> Self {
        Self { gain: p.add(format!("{name}.weight"), &[width], Init::Constant(1.0), stream), width }
    }

    /// [..., width] -> the same shape.
    pub fn forward<const D: usize>(&self, pass: &Pass, x: Tensor<D>) -> Tensor<D> {
        apply2(RmsNormOp(self.width), x, pass.parameter::<1>(self.gain))
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
        let x = inputs[0];
        let mut y = x.to_vec();
        y.par_chunks_mut(self.width).zip(x.par_chunks(self.width)).with_min_len(ROWS).for_each(|(y, x)| {
            let normaliser = kernels::softmax_row(y);
            if self.log {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = x - normaliser);
            }
        });
        (y, Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let mut dx =
            if self.log { kernels::activate(s.output, kernels::Activation::Exp) } else { s.output.to_vec() };
        let d = self.width;
        dx.par_chunks_mut(d).zip(s.gradient.par_chunks(d)).with_min_len(ROWS).for_each(|(p, g)| {
            if self.log {
                let total = kernels::sum(g);
                p.iter_mut().zip(g).for_each(|(p, g)| *p = g - *p * total);
            } else {
                let along = kernels::dot(p, g);
                p.iter_mut().zip(g).for_each(|(p, g)| *p *= g - along);
            }
        });
        vec![dx]
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
