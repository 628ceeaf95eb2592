//! Forward pass and gradient of the input: tiles of outputs as sums of shifted pieces times weights.

// Tiles are indexed by constants so that they are unrolled into registers.
#![allow(clippy::needless_range_loop)]

use super::layout::{Layout, cut, interleave};
use super::{BLOCK, ConvShape, pointwise};
use crate::kernels::matmul::Shared;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// `places` values of a block of channels, starting at `from` of each channel: the sum over channels and taps of a
/// weight times the piece that starts at the offset of the tap.
struct Product<'a> {
    /// Channels one after another, from the first channel that takes part.
    source: &'a [f32],
    /// Floats of a channel.
    channel: usize,
    channels: usize,
    offsets: &'a [usize],
    /// Per channel and tap, one weight per channel of the block.
    weights: &'a [[f32; BLOCK]],
    start: [f32; BLOCK],
    /// Channels of the block that are wanted.
    wanted: usize,
    /// Take max(., 0) of the results.
    rectified: bool,
    from: usize,
    places: usize,
}

impl Product<'_> {
    /// One tile, starting at place `at`. By value, and nothing may point to the sums: they stay in registers.
    #[inline(always)]
    fn tile<S: Simd, const M: usize, const N: usize>(&self, simd: S, at: usize) -> [[S::f32s; N]; M] {
        let width = N * S::F32_LANES;
        let mut sum = [[simd.splat_f32s(0.0); N]; M];
        for m in 0..M {
            for n in 0..N {
                sum[m][n] = simd.splat_f32s(self.start[m]);
            }
        }
        let mut weights = self.weights.iter();
        for c in 0..self.channels {
            let base = &self.source[c * self.channel + self.from + at..];
            for (&offset, w) in self.offsets.iter().zip(&mut weights) {
                let (pieces, _) = S::as_simd_f32s(&base[offset..offset + width]);
                for m in 0..M {
                    let w = simd.splat_f32s(w[m]);
                    for n in 0..N {
                        sum[m][n] = simd.mul_add_e_f32s(w, pieces[n], sum[m][n]);
                    }
                }
            }
        }
        sum
    }

    /// Calls `sink(channel of the block, place, values)` for every piece of the result.
    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        sink: &mut impl FnMut(usize, usize, &[f32]),
    ) {
        let width = N * S::F32_LANES;
        let zero = simd.splat_f32s(0.0);
        let mut at = 0;
        while at < self.places {
            let sum = self.tile::<S, M, N>(simd, at);
            let mut copy = [[simd.splat_f32s(0.0); N]; M];
            for m in 0..M {
                for n in 0..N {
                    copy[m][n] = if self.rectified { simd.max_f32s(sum[m][n], zero) } else { sum[m][n] };
                }
            }
            let n = width.min(self.places - at);
            for (m, values) in copy.iter().enumerate().take(self.wanted) {
                let values: &[f32] = pulp::bytemuck::cast_slice(values);
                sink(m, at, &values[..n]);
            }
            at += width;
        }
    }
}

struct Run<'a, F>(Product<'a>, F);

impl<F: FnMut(usize, usize, &[f32])> WithSimd for Run<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        // As many sums as there are registers for: 24 of 32, or 8 of 16.
        match (self.0.wanted, S::REGISTER_COUNT >= 32) {
            (1, _) => self.0.run::<S, 1, 8>(simd, &mut self.1),
            (_, true) => self.0.run::<S, BLOCK, 3>(simd, &mut self.1),
            _ => self.0.run::<S, BLOCK, 1>(simd, &mut self.1),
        }
    }
}

/// Weights of blocks of channels: [group][block][source channel][tap] -> [f32; BLOCK]; `at(group, block channel, source
/// channel, tap)` is the place of a weight.
fn pack_weights(
    w: &[f32],
    groups: usize,
    [to, from]: [usize; 2],
    taps: &[usize],
    at: impl Fn(usize, usize, usize, usize) -> usize + Sync,
) -> Vec<[f32; BLOCK]> {
    let mut packed = Vec::with_capacity(groups * to.div_ceil(BLOCK) * from * taps.len());
    for group in 0..groups {
        for block in (0..to).step_by(BLOCK) {
            for source in 0..from {
                for &tap in taps {
                    packed.push(std::array::from_fn(|m| {
                        if block + m < to { w[at(group, block + m, source, tap)] } else { 0.0 }
                    }));
                }
            }
        }
    }
    packed
}

/// Convolution: `x` [batch, input, ...], `w` [output, input / groups, kernel ...], `bias` \[output\] or empty -> [batch,
/// output, ...]. The kernel is not flipped (cross-correlation), as everywhere in the field.
pub fn conv(x: &[f32], w: &[f32], bias: &[f32], shape: ConvShape) -> Vec<f32> {
    convolve(x, w, bias, shape, false)
}

/// [`conv`], then max(., 0) while the outputs are still at hand; a NaN becomes 0.
pub fn conv_rectified(x: &[f32], w: &[f32], bias: &[f32], shape: ConvShape) -> Vec<f32> {
    convolve(x, w, bias, shape, true)
}

fn convolve(x: &[f32], w: &[f32], bias: &[f32], shape: ConvShape, rectified: bool) -> Vec<f32> {
    shape.require();
    if shape.is_pointwise() {
        return pointwise::conv(x, w, bias, shape, rectified);
    }
    let l = Layout::new(shape);
    let (own_in, own_out, taps) = (shape.input / shape.groups, shape.output / shape.groups, shape.taps());
    let offsets: Vec<usize> = l.taps.iter().map(|(phase, offset)| phase * l.len + offset).collect();
    let all: Vec<usize> = (0..taps).collect();
    let weights = pack_weights(w, shape.groups, [own_out, own_in], &all, |g, o, c, t| {
        ((g * own_out + o) * own_in + c) * taps + t
    });
    let (per_block, blocks) = (own_in * taps, own_out.div_ceil(BLOCK));
    let (area, image) = (shape.area(), shape.image() / shape.groups);
    let batch = x.len() / shape.image();
    let n = batch * shape.output * area;
    let mut out: Vec<f32> = Vec::with_capacity(n);
    let shared = Shared(out.as_mut_ptr());
    // Places `places` of a block of channels of a sample's group, whose channels begin `planes`.
    let run = |planes: &[f32], unit: usize, block: usize, places: Range<usize>| {
        let (sample, group, first) = (unit / shape.groups, unit % shape.groups, block * BLOCK);
        let wanted = BLOCK.min(own_out - first);
        let block = group * blocks + block;
        let product = Product {
            source: planes,
            channel: l.channel(),
            channels: own_in,
            offsets: &offsets,
            weights: &weights[block * per_block..(block + 1) * per_block],
            start: std::array::from_fn(|m| {
                if m < wanted && !bias.is_empty() { bias[group * own_out + first + m] } else { 0.0 }
            }),
            wanted,
            rectified,
            from: places.start,
            places: places.len(),
        };
        let [_, oh, ow] = l.out;
        let base = (sample * shape.output + group * own_out + first) * area;
        let sink = |m: usize, at: usize, values: &[f32]| {
            l.pieces(places.start + at, values.len(), |z, y, x, part| {
                if y < oh && x < ow {
                    let n = part.len().min(ow - x);
                    let to = base + m * area + (z * oh + y) * ow + x;
                    let from = values[part.start..part.start + n].as_ptr();
                    // SAFETY: `n` places of row (z, y) of an output channel of this block; no other task has this block
                    // of this sample and these places.
                    unsafe { from.copy_to_nonoverlapping(shared.get().add(to), n) };
                }
            });
        };
        Arch::new().dispatch(Run(product, sink));
    };
    let units = batch * shape.groups;
    if l.packs_alone(batch) {
        (0..units).into_par_iter().for_each(|unit| {
            let planes = l.planes(&[&x[unit * image..(unit + 1) * image]], false);
            (0..blocks).for_each(|block| run(&planes, unit, block, 0..l.span));
        });
    } else {
        let planes = l.planes(&[x], true);
        let piece = cut(l.span, units * blocks);
        let pieces = l.span.div_ceil(piece);
        (0..units * blocks * pieces).into_par_iter().for_each(|task| {
            let (unit, block, from) =
                (task / (blocks * pieces), task / pieces % blocks, task % pieces * piece);
            let planes = &planes[unit * own_in * l.channel()..];
            run(planes, unit, block, from..(from + piece).min(l.span));
        });
    }
    // SAFETY: units, blocks and places are all of the output, and each place of it is written by the tile that has it.
    unsafe { out.set_len(n) };
    out
}

/// Gradient of [`conv`] with respect to its input.
pub fn conv_backward_input(dout: &[f32], w: &[f32], shape: ConvShape) -> Vec<f32> {
    shape.require();
    if shape.is_pointwise() {
        return pointwise::backward_input(dout, w, shape);
    }
    let l = Layout::new(shape);
    let (own_in, own_out, taps) = (shape.input / shape.groups, shape.output / shape.groups, shape.taps());
    let area: usize = shape.size.iter().product();
    let blocks = own_in.div_ceil(BLOCK);
    let batch = dout.len() / (shape.output * shape.area());
    let own_gradient = own_out * shape.area();
    let n = batch * shape.image();
    let mut dx: Vec<f32> = Vec::with_capacity(n);
    let shared = Shared(dx.as_mut_ptr());
    // Per phase: the taps that read it, where they find the gradient of the output, and their weights.
    type Phase = (Vec<usize>, Vec<[f32; BLOCK]>);
    let phases: Vec<Phase> = (0..l.phases)
        .map(|phase| {
            let own: Vec<usize> = (0..taps).filter(|&t| l.taps[t].0 == phase).collect();
            let weights = pack_weights(w, shape.groups, [own_in, own_out], &own, |g, c, o, t| {
                ((g * own_out + o) * own_in + c) * taps + t
            });
            (own.iter().map(|&t| l.reach - l.taps[t].1).collect(), weights)
        })
        .collect();
    let [s0, s1, s2] = shape.stride;
    let run = |spread: &[f32], unit: usize, block: usize, places: Range<usize>| {
        let (sample, group, first) = (unit / shape.groups, unit % shape.groups, block * BLOCK);
        let (block, wanted) = (group * blocks + block, BLOCK.min(own_in - first));
        let base = (sample * shape.input + group * own_in + first) * area;
        // Gradients of a block of channels at these places, for every phase of the columns.
        let n = places.len();
        let mut columns = vec![0.0; s2 * BLOCK * n];
        for row_phase in 0..s0 * s1 {
            for px in 0..s2 {
                let (offsets, weights) = &phases[row_phase * s2 + px];
                let per_block = own_out * offsets.len();
                let columns = &mut columns[px * BLOCK * n..(px + 1) * BLOCK * n];
                if offsets.is_empty() {
                    columns.fill(0.0);
                    continue;
                }
                let product = Product {
                    source: spread,
                    channel: l.spread_len(),
                    channels: own_out,
                    offsets,
                    weights: &weights[block * per_block..(block + 1) * per_block],
                    start: [0.0; BLOCK],
                    wanted,
                    rectified: false,
                    from: places.start,
                    places: n,
                };
                let sink = |m: usize, at: usize, values: &[f32]| {
                    columns[m * n + at..m * n + at + values.len()].copy_from_slice(values);
                };
                Arch::new().dispatch(Run(product, sink));
            }
            let (pz, py, width) = (row_phase / s1, row_phase % s1, shape.size[2]);
            l.pieces(places.start, n, |z, y, x, part| {
                let z = (z * s0 + pz).checked_sub(shape.padding[0]).filter(|z| *z < shape.size[0]);
                let y = (y * s1 + py).checked_sub(shape.padding[1]).filter(|y| *y < shape.size[1]);
                let (Some(z), Some(y)) = (z, y) else { return };
                // Place k of the piece in phase px is input column (x + k) s2 + px - padding.
                let from = (x * s2).saturating_sub(shape.padding[2]).min(width);
                let until = ((x + part.len()) * s2).saturating_sub(shape.padding[2]).min(width);
                if from == until {
                    return;
                }
                for m in 0..wanted {
                    let row = base + m * area + (z * shape.size[1] + y) * width;
                    // SAFETY: columns `from..until` of row (z, y) of an input channel of this block; no other task has
                    // this block of this sample and these places. They may hold nothing yet, and are only written.
                    let line = unsafe {
                        let line = shared.get().add(row + from).cast::<MaybeUninit<f32>>();
                        std::slice::from_raw_parts_mut(line, until - from)
                    };
                    interleave(line, from + shape.padding[2] - x * s2, s2, |px| {
                        &columns[(px * BLOCK + m) * n + part.start..(px * BLOCK + m) * n + part.end]
                    });
                }
            });
        }
    };
    // Rows of padding in front are skipped.
    let skip = |a: usize, phase: usize| shape.padding[a].saturating_sub(phase).div_ceil(shape.stride[a]);
    let front = (skip(0, s0 - 1) * l.plane[1] + skip(1, s1 - 1)) * l.plane[2];
    let units = batch * shape.groups;
    if l.packs_alone(batch) {
        (0..units).into_par_iter().for_each(|unit| {
            let spread = l.spread(&[&dout[unit * own_gradient..(unit + 1) * own_gradient]], false);
            (0..blocks).for_each(|block| run(&spread, unit, block, front..l.len));
        });
    } else {
        let spread = l.spread(&[dout], true);
        let piece = cut(l.len - front, units * blocks);
        let pieces = (l.len - front).div_ceil(piece);
        (0..units * blocks * pieces).into_par_iter().for_each(|task| {
            let (unit, block) = (task / (blocks * pieces), task / pieces % blocks);
            let from = front + task % pieces * piece;
            run(&spread[unit * own_out * l.spread_len()..], unit, block, from..(from + piece).min(l.len));
        });
    }
    // SAFETY: the planes have a place for every input, and the task that has it writes it, a zero where no window comes.
    unsafe { dx.set_len(n) };
    dx
}
