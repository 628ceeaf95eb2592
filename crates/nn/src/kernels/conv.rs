//! Convolutions over one, two or three axes without unfolding.
//!
//! The padded input of a sample is stored as planes, one per phase of the stride, in which the tap (kz, ky, kx) of the
//! kernel reads the input of output q at q plus a fixed offset. So a tile of outputs that lie one after another is a sum
//! of shifted pieces of planes times weights, which is a matrix product whose right side is never written down: the only
//! copy is the padding. Between the rows of outputs lie as many places as the padding takes; they are computed and
//! dropped. Gradients with respect to the input are the same product with the roles of the channels exchanged, one per
//! phase; those with respect to the weights are inner products of shifted pieces. A kernel of one place is a plain
//! product, see `pointwise.rs`. (Unfolding blocks of places for a library's product was slower throughout.)

// Tiles are indexed by constants so that they are unrolled into registers.
#![allow(clippy::needless_range_loop)]

use super::matmul::Shared;
use super::pointwise;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Sizes of a convolution of [batch, input, depth, height, width]; a convolution over fewer axes has sizes of 1 in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Channels are convolved in this many separate groups.
    pub groups: usize,
    /// Input depth, height and width.
    pub size: [usize; 3],
    /// Kernel depth, height and width.
    pub kernel: [usize; 3],
    /// Step between windows along each axis.
    pub stride: [usize; 3],
    /// Zeros on each side of each axis.
    pub padding: [usize; 3],
    /// Step between the taps of the kernel along each axis.
    pub dilation: [usize; 3],
}

impl ConvShape {
    /// Over three axes, one kernel size, stride and padding for all; dilation 1, one group.
    pub fn cubic(
        channels: [usize; 2],
        size: [usize; 3],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        Self {
            input: channels[0],
            output: channels[1],
            groups: 1,
            size,
            kernel: [kernel; 3],
            stride: [stride; 3],
            padding: [padding; 3],
            dilation: [1; 3],
        }
    }

    /// The same over two axes.
    pub fn square(
        channels: [usize; 2],
        [h, w]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        let own = |first, rest| [first, rest, rest];
        Self {
            kernel: own(1, kernel),
            stride: own(1, stride),
            padding: own(0, padding),
            ..Self::cubic(channels, [1, h, w], kernel, stride, padding)
        }
    }

    /// The same over one axis.
    pub fn line(channels: [usize; 2], width: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [1, 1, kernel],
            stride: [1, 1, stride],
            padding: [0, 0, padding],
            ..Self::cubic(channels, [1, 1, width], kernel, stride, padding)
        }
    }

    /// Output depth, height and width; 0 where the kernel does not fit.
    pub fn out(&self) -> [usize; 3] {
        std::array::from_fn(|a| {
            let reach = (self.kernel[a].max(1) - 1) * self.dilation[a] + 1;
            (self.size[a] + 2 * self.padding[a] + 1).saturating_sub(reach).div_ceil(self.stride[a].max(1))
        })
    }

    /// Number of weights, [output, input / groups, kernel depth, height, width].
    pub fn weights(&self) -> usize {
        self.output * (self.input / self.groups.max(1)) * self.taps()
    }

    pub(super) fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    pub(super) fn image(&self) -> usize {
        self.input * self.size.iter().product::<usize>()
    }

    pub(super) fn area(&self) -> usize {
        self.out().iter().product()
    }

    /// True if every size is positive, channels divide into the groups and the kernel fits.
    pub fn is_valid(&self) -> bool {
        let positive = |v: &[usize; 3]| v.iter().all(|n| *n > 0);
        positive(&self.size)
            && positive(&self.kernel)
            && positive(&self.stride)
            && positive(&self.dilation)
            && positive(&self.out())
            && self.groups > 0
            && self.input > 0
            && self.output > 0
            && self.input.is_multiple_of(self.groups)
            && self.output.is_multiple_of(self.groups)
    }

    fn require(&self) {
        assert!(self.is_valid(), "not a convolution: {self:?}");
    }
}

/// Output channels of a tile.
const BLOCK: usize = 8;
/// Most floats of a vector register.
const MAX_LANES: usize = 16;
/// Floats behind the last plane that a tile may read.
const SLACK: usize = 256;
/// Vectors of places that the gradient of the weights takes from each channel at a time.
const STRETCH: usize = 64;
/// Most samples per partial sum of the gradient of the weights.
const GROUP: usize = 8;
/// Tasks that are enough for any number of threads that the work is worth.
const TASKS: usize = 16;

/// Where things are in the planes.
struct Layout {
    shape: ConvShape,
    out: [usize; 3],
    /// Sizes of a plane.
    plane: [usize; 3],
    /// Floats of a plane.
    len: usize,
    /// Planes of a channel.
    phases: usize,
    /// Per tap: its phase and its offset inside the plane.
    taps: Vec<(usize, usize)>,
    /// Places from the first output to behind the last one.
    span: usize,
    /// Largest offset inside a plane.
    reach: usize,
}

impl Layout {
    fn new(shape: ConvShape) -> Self {
        shape.require();
        let out = shape.out();
        let plane: [usize; 3] = std::array::from_fn(|a| {
            let s = shape.stride[a];
            let last = (out[a] - 1) * s + (shape.kernel[a] - 1) * shape.dilation[a];
            // The backward pass fills every input, those behind the last window as well.
            (last + 1).max(shape.size[a] + shape.padding[a]).div_ceil(s)
        });
        let [s0, s1, s2] = shape.stride;
        let mut taps = Vec::with_capacity(shape.taps());
        for kz in (0..shape.kernel[0]).map(|k| k * shape.dilation[0]) {
            for ky in (0..shape.kernel[1]).map(|k| k * shape.dilation[1]) {
                for kx in (0..shape.kernel[2]).map(|k| k * shape.dilation[2]) {
                    let phase = ((kz % s0) * s1 + ky % s1) * s2 + kx % s2;
                    taps.push((phase, ((kz / s0) * plane[1] + ky / s1) * plane[2] + kx / s2));
                }
            }
        }
        Self {
            out,
            len: plane.iter().product(),
            phases: s0 * s1 * s2,
            span: ((out[0] - 1) * plane[1] + out[1] - 1) * plane[2] + out[2],
            reach: taps.iter().map(|t| t.1).max().unwrap_or(0),
            plane,
            taps,
            shape,
        }
    }

    fn channel(&self) -> usize {
        self.phases * self.len
    }

    /// Planes of one channel of the input. They have a place for every input.
    fn pack(&self, x: &[f32], planes: &mut [f32]) {
        let (s, p, w) = (self.shape.stride, self.shape.padding, self.shape.size[2]);
        for (row, line) in x.chunks_exact(w).enumerate() {
            let (z, y) = (row / self.shape.size[1] + p[0], row % self.shape.size[1] + p[1]);
            let phase = (z % s[0] * s[1] + y % s[1]) * s[2];
            let place = (z / s[0] * self.plane[1] + y / s[1]) * self.plane[2];
            if s[2] == 1 {
                let at = phase * self.len + place + p[2];
                planes[at..at + w].copy_from_slice(line);
                continue;
            }
            if s[2] == 2 && p[2].is_multiple_of(2) {
                let (even, odd) = planes[phase * self.len..].split_at_mut(self.len);
                let (even, odd) = (&mut even[place + p[2] / 2..], &mut odd[place + p[2] / 2..]);
                deinterleave(line, even, odd);
                continue;
            }
            if s[2] == 2 {
                // The first column lies in the second phase, the next in the first, one place on.
                let (even, odd) = planes[phase * self.len..].split_at_mut(self.len);
                let (even, odd) = (&mut even[place + p[2] / 2 + 1..], &mut odd[place + p[2] / 2..]);
                deinterleave(line, odd, even);
                continue;
            }
            for px in 0..s[2] {
                // Column x of the input is place (x + p) / s of phase (x + p) mod s.
                let first = (px + s[2] - p[2] % s[2]) % s[2];
                let at = (phase + px) * self.len + place + (first + p[2]) / s[2];
                if let Some(line) = line.get(first..) {
                    planes[at..].iter_mut().zip(line.iter().step_by(s[2])).for_each(|(o, v)| *o = *v);
                }
            }
        }
    }

    /// Cuts the places `at..at + n` where rows of the plane end: f(depth, height, column, part of 0..n).
    fn pieces(&self, at: usize, n: usize, mut f: impl FnMut(usize, usize, usize, Range<usize>)) {
        let mut k = 0;
        while k < n {
            let (row, x) = ((at + k) / self.plane[2], (at + k) % self.plane[2]);
            let end = (k + self.plane[2] - x).min(n);
            f(row / self.plane[1], row % self.plane[1], x, k..end);
            k = end;
        }
    }

    /// Channels of inputs as planes, slice after slice: [channels, phases, plane] and slack.
    fn planes(&self, x: &[&[f32]], parallel: bool) -> Vec<f32> {
        let area = self.shape.size.iter().product::<usize>();
        channels(x, area, self.channel(), parallel, |to, from| self.pack(from, to))
    }

    /// Floats of one channel of [`Layout::spread`]: whole vectors that begin before the last output end in zeros.
    fn spread_len(&self) -> usize {
        self.reach + self.len + MAX_LANES
    }

    /// Gradients of the outputs at the places of the outputs, `reach` zeros in front: [channels, reach + plane] and slack.
    fn spread(&self, dout: &[&[f32]], parallel: bool) -> Vec<f32> {
        channels(dout, self.shape.area(), self.spread_len(), parallel, |to, from| {
            for (row, line) in from.chunks_exact(self.out[2]).enumerate() {
                let (z, y) = (row / self.out[1], row % self.out[1]);
                let at = self.reach + (z * self.plane[1] + y) * self.plane[2];
                to[at..at + line.len()].copy_from_slice(line);
            }
        })
    }

    /// True if samples and groups are tasks enough: then each packs its own channels, which stay in its cache.
    fn packs_alone(&self, batch: usize) -> bool {
        batch * self.shape.groups >= TASKS / 2
    }
}

/// Zeros into which `f(to, from)` puts every channel of the slices, and slack.
fn channels(
    slices: &[&[f32]],
    from_len: usize,
    to_len: usize,
    parallel: bool,
    f: impl Fn(&mut [f32], &[f32]) + Sync,
) -> Vec<f32> {
    let n: usize = slices.iter().map(|s| s.len() / from_len).sum();
    let mut out = vec![0.0; n * to_len + SLACK];
    let mut rest = &mut out[..n * to_len];
    for from in slices {
        let (to, behind) = rest.split_at_mut(from.len() / from_len * to_len);
        rest = behind;
        if parallel {
            to.par_chunks_mut(to_len)
                .zip(from.par_chunks_exact(from_len))
                .with_min_len(4)
                .for_each(|(to, from)| f(to, from));
        } else {
            to.chunks_exact_mut(to_len).zip(from.chunks_exact(from_len)).for_each(|(to, from)| f(to, from));
        }
    }
    out
}

/// Every other element of `line` from the first on to `first`, the others to `second`.
fn deinterleave(line: &[f32], first: &mut [f32], second: &mut [f32]) {
    let (pairs, last) = line.as_chunks::<2>();
    for ((pair, a), b) in pairs.iter().zip(&mut *first).zip(second) {
        [*a, *b] = *pair;
    }
    if let ([last], Some(to)) = (last, first.get_mut(pairs.len())) {
        *to = *last;
    }
}

/// Cuts `n` places into pieces so that `tasks` of them make [`TASKS`]; a piece is whole tiles.
fn cut(n: usize, tasks: usize) -> usize {
    n.div_ceil(TASKS.div_ceil(tasks.max(1))).next_multiple_of(8 * MAX_LANES).max(1)
}

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
        let mut at = 0;
        while at < self.places {
            let sum = self.tile::<S, M, N>(simd, at);
            let mut copy = [[simd.splat_f32s(0.0); N]; M];
            for m in 0..M {
                for n in 0..N {
                    copy[m][n] = sum[m][n];
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
    shape.require();
    if shape.is_pointwise() {
        return pointwise::conv(x, w, bias, shape);
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
            let (unit, block, from) = (task / (blocks * pieces), task / pieces % blocks, task % pieces * piece);
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
    // Inputs between the windows keep a gradient of 0; with a stride of 1 there are none.
    let n = batch * shape.image();
    let mut dx: Vec<f32> = if shape.stride == [1; 3] { Vec::with_capacity(n) } else { vec![0.0; n] };
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
        let block = group * blocks + block;
        let base = (sample * shape.input + group * own_in + first) * area;
        for (phase, (offsets, weights)) in phases.iter().enumerate().filter(|(_, p)| !p.0.is_empty()) {
            let (pz, py, px) = (phase / (s1 * s2), phase / s2 % s1, phase % s2);
            // Rows of padding in front are skipped.
            let skip = |a: usize, p: usize| shape.padding[a].saturating_sub(p).div_ceil(shape.stride[a]);
            let from = ((skip(0, pz) * l.plane[1] + skip(1, py)) * l.plane[2]).max(places.start);
            if from >= places.end {
                continue;
            }
            let per_block = own_out * offsets.len();
            let product = Product {
                source: spread,
                channel: l.spread_len(),
                channels: own_out,
                offsets,
                weights: &weights[block * per_block..(block + 1) * per_block],
                start: [0.0; BLOCK],
                wanted: BLOCK.min(own_in - first),
                from,
                places: places.end - from,
            };
            let sink = |m: usize, at: usize, values: &[f32]| {
                l.pieces(from + at, values.len(), |z, y, x, part| {
                    let z = (z * s0 + pz).checked_sub(shape.padding[0]).filter(|z| *z < shape.size[0]);
                    let y = (y * s1 + py).checked_sub(shape.padding[1]).filter(|y| *y < shape.size[1]);
                    let (Some(z), Some(y)) = (z, y) else { return };
                    let (row, width) = (base + m * area + (z * shape.size[1] + y) * shape.size[2], shape.size[2]);
                    // Column c of the plane is input column c s2 + px - padding.
                    let low = skip(2, px).max(x);
                    let inside = (width + shape.padding[2]).saturating_sub(px).div_ceil(s2);
                    let high = inside.min(x + part.len());
                    if low < high {
                        let values = &values[part.start + low - x..part.start + high - x];
                        let to = low * s2 + px - shape.padding[2];
                        assert!(to + (values.len() - 1) * s2 < width, "a column of the row");
                        // SAFETY: columns of row (z, y) of an input channel of this block, within the row as just
                        // asserted; no other task has this block of this sample and these places.
                        unsafe {
                            let to = shared.get().add(row + to);
                            if s2 == 1 {
                                values.as_ptr().copy_to_nonoverlapping(to, values.len());
                            } else {
                                values.iter().enumerate().for_each(|(k, v)| to.add(k * s2).write(*v));
                            }
                        }
                    }
                });
            };
            Arch::new().dispatch(Run(product, sink));
        }
    };
    let units = batch * shape.groups;
    if l.packs_alone(batch) {
        (0..units).into_par_iter().for_each(|unit| {
            let spread = l.spread(&[&dout[unit * own_gradient..(unit + 1) * own_gradient]], false);
            (0..blocks).for_each(|block| run(&spread, unit, block, 0..l.len));
        });
    } else {
        let spread = l.spread(&[dout], true);
        let piece = cut(l.len, units * blocks);
        let pieces = l.len.div_ceil(piece);
        (0..units * blocks * pieces).into_par_iter().for_each(|task| {
            let (unit, block, from) = (task / (blocks * pieces), task / pieces % blocks, task % pieces * piece);
            run(&spread[unit * own_out * l.spread_len()..], unit, block, from..(from + piece).min(l.len));
        });
    }
    // SAFETY: with a stride of 1, the plane has a place for every input, and the tile that has it writes it.
    unsafe { dx.set_len(n) };
    dx
}

/// Inner products of pieces of gradients with shifted pieces of inputs.
struct Correlation<'a> {
    layout: &'a Layout,
    /// From the first input channel of the group in the first sample on, and floats from sample to sample.
    planes: &'a [f32],
    /// The same from the first output channel of the block on.
    spread: &'a [f32],
    steps: [usize; 2],
    samples: usize,
    /// Output channels.
    rows: usize,
    /// Taps of the kernel.
    taps: Range<usize>,
    /// Weights of these output channels, [rows][input / groups][taps].
    dw: &'a Shared<f32>,
    /// The first of them.
    first: usize,
}

/// A stretch of places of one sample.
#[derive(Clone, Copy)]
struct Stretch {
    /// Where it begins in the planes and in the gradients.
    from: [usize; 2],
    /// Vectors.
    steps: usize,
}

impl Correlation<'_> {
    /// Adds the products of the stretches to `sum`, for gradients and inputs at these offsets from the beginning of each.
    /// By value, so that the sums stay in registers.
    ///
    /// # Safety
    /// Every stretch, at every offset, lies within the gradients and the planes.
    #[inline(always)]
    unsafe fn products<S: Simd, const M: usize, const N: usize>(
        &self,
        simd: S,
        stretches: &[Stretch],
        (rows, columns): ([usize; M], [usize; N]),
        sum: &[[S::f32s; N]; M],
    ) -> [[S::f32s; N]; M] {
        let mut out = *sum;
        for s in stretches {
            // SAFETY: the caller vouches for all of them.
            let (dy, x) = unsafe {
                (
                    rows.map(|r| self.spread.as_ptr().add(s.from[1] + r).cast::<S::f32s>()),
                    columns.map(|c| self.planes.as_ptr().add(s.from[0] + c).cast::<S::f32s>()),
                )
            };
            for k in 0..s.steps {
                // SAFETY: as above; the vectors need not be aligned.
                let x: [S::f32s; N] = std::array::from_fn(|n| unsafe { x[n].add(k).read_unaligned() });
                for m in 0..M {
                    // SAFETY: as above.
                    let d = unsafe { dy[m].add(k).read_unaligned() };
                    for n in 0..N {
                        out[m][n] = simd.mul_add_e_f32s(d, x[n], out[m][n]);
                    }
                }
            }
        }
        out
    }

    /// Stretches of about [`STRETCH`] vectors together: they stay in the first cache while all taps pass over them.
    fn stretches(&self, lanes: usize) -> Vec<Vec<Stretch>> {
        // Places between the rows of outputs have a gradient of zero, those behind the last as well.
        let steps = self.layout.span.div_ceil(lanes);
        let mut all: Vec<Vec<Stretch>> = Vec::new();
        let mut room = 0;
        for sample in 0..self.samples {
            for from in (0..steps).step_by(STRETCH) {
                let n = STRETCH.min(steps - from);
                let at = from * lanes;
                let begin = [sample * self.steps[0] + at, sample * self.steps[1] + self.layout.reach + at];
                let stretch = Stretch { from: begin, steps: n };
                match all.last_mut().filter(|_| n <= room) {
                    Some(last) => last.push(stretch),
                    None => {
                        all.push(vec![stretch]);
                        room = STRETCH;
                    }
                }
                room -= n;
            }
        }
        all
    }

    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(&self, simd: S) {
        let l = self.layout;
        let (own_in, taps) = (l.shape.input / l.shape.groups, l.taps.len());
        // One column per input channel and tap: its offset in the planes, and its weight.
        let columns: Vec<(usize, usize)> = (0..own_in)
            .flat_map(|c| self.taps.clone().map(move |t| (c, t)))
            .map(|(c, t)| (c * l.channel() + l.taps[t].0 * l.len + l.taps[t].1, c * taps + t))
            .collect();
        let stretches = self.stretches(S::F32_LANES);
        // Offsets are largest in the last column and the last row.
        let farthest = columns.iter().map(|c| c.0).max().unwrap_or(0);
        let rows_end = (self.rows - 1) * l.spread_len();
        for s in stretches.iter().flatten() {
            let n = s.steps * S::F32_LANES;
            assert!(s.from[0] + farthest + n <= self.planes.len() && s.from[1] + rows_end + n <= self.spread.len());
        }
        let mut sums = vec![[[simd.splat_f32s(0.0); N]; M]; columns.len().div_ceil(N)];
        for o in (0..self.rows).step_by(M) {
            sums.fill([[simd.splat_f32s(0.0); N]; M]);
            // Rows and columns beyond the last stand in for themselves and are dropped.
            let rows: [usize; M] = std::array::from_fn(|m| (o + m).min(self.rows - 1) * l.spread_len());
            for stretch in &stretches {
                for (tile, sum) in sums.iter_mut().enumerate() {
                    let columns: [usize; N] =
                        std::array::from_fn(|n| columns[(tile * N + n).min(columns.len() - 1)].0);
                    // SAFETY: just asserted for the farthest row and column.
                    *sum = unsafe { self.products(simd, stretch, (rows, columns), sum) };
                }
            }
            for (tile, sum) in sums.iter().enumerate() {
                for (m, sum) in sum.iter().enumerate().take(self.rows - o) {
                    for (sum, column) in sum.iter().zip(&columns[tile * N..]) {
                        let to = self.first + (o + m) * own_in * taps + column.1;
                        // SAFETY: a weight of an output channel of this block, of which no other task has this tap.
                        unsafe { self.dw.get().add(to).write(simd.reduce_sum_f32s(*sum)) };
                    }
                }
            }
        }
    }
}

impl WithSimd for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match (self.rows, S::REGISTER_COUNT >= 32) {
            (1, true) => self.run::<S, 1, 9>(simd),
            (_, true) => self.run::<S, 4, 6>(simd),
            _ => self.run::<S, 2, 4>(simd),
        }
    }
}

/// Gradient of [`conv`] with respect to its weights.
pub fn conv_backward_weights(dout: &[f32], x: &[f32], shape: ConvShape) -> Vec<f32> {
    shape.require();
    if shape.is_pointwise() {
        return pointwise::backward_weights(dout, x, shape);
    }
    let l = Layout::new(shape);
    let (own_in, own_out, taps) = (shape.input / shape.groups, shape.output / shape.groups, shape.taps());
    let (image, area) = (shape.image() / shape.groups, shape.area());
    let batch = x.len() / shape.image();
    let (blocks, count) = (own_out.div_ceil(BLOCK), shape.weights());
    // A partial sum per cohort of samples, so that the order of additions does not depend on the number of threads.
    let cohort = batch.div_ceil(TASKS / 2).clamp(1, GROUP);
    let parts = batch.div_ceil(cohort).max(1);
    let mut dw = vec![0.0; parts * count];
    let shared = Shared(dw.as_mut_ptr());
    let run = |[planes, spread]: [&[f32]; 2], steps, unit: usize, block: usize, taps: Range<usize>| {
        let (part, group) = (unit / shape.groups, unit % shape.groups);
        Arch::new().dispatch(Correlation {
            layout: &l,
            planes,
            spread,
            steps,
            samples: cohort.min(batch - part * cohort),
            rows: BLOCK.min(own_out - block * BLOCK),
            taps,
            dw: &shared,
            first: part * count + (group * own_out + block * BLOCK) * own_in * l.taps.len(),
        });
    };
    let units = batch.div_ceil(cohort) * shape.groups;
    if units >= TASKS / 2 {
        (0..units).into_par_iter().for_each(|unit| {
            let (part, group) = (unit / shape.groups, unit % shape.groups);
            let samples = part * cohort..((part + 1) * cohort).min(batch);
            fn own<'a>(all: &'a [f32], len: usize, unit: impl Iterator<Item = usize>) -> Vec<&'a [f32]> {
                unit.map(|u| &all[u * len..(u + 1) * len]).collect()
            }
            let units = || samples.clone().map(|sample| sample * shape.groups + group);
            let planes = l.planes(&own(x, image, units()), false);
            let spread = l.spread(&own(dout, own_out * area, units()), false);
            let steps = [own_in * l.channel(), own_out * l.spread_len()];
            for block in 0..blocks {
                run([&planes, &spread[block * BLOCK * l.spread_len()..]], steps, unit, block, 0..taps);
            }
        });
    } else {
        let (planes, spread) = (l.planes(&[x], true), l.spread(&[dout], true));
        let piece = taps.div_ceil((TASKS / 2).div_ceil((units * blocks).max(1))).max(1);
        let pieces = taps.div_ceil(piece);
        (0..units * blocks * pieces).into_par_iter().for_each(|task| {
            let (unit, block, from) = (task / (blocks * pieces), task / pieces % blocks, task % pieces * piece);
            let (part, group) = (unit / shape.groups, unit % shape.groups);
            let first = part * cohort * shape.groups + group;
            let planes = &planes[first * own_in * l.channel()..];
            let spread = &spread[(first * own_out + block * BLOCK) * l.spread_len()..];
            let steps = [shape.input * l.channel(), shape.output * l.spread_len()];
            run([planes, spread], steps, unit, block, from..(from + piece).min(taps));
        });
    }
    super::fold(dw, count)
}

/// Gradient of [`conv`] with respect to its bias: the sum over samples and places.
pub fn conv_backward_bias(dout: &[f32], shape: ConvShape) -> Vec<f32> {
    let area = shape.area();
    let sums: Vec<f32> = dout.par_chunks_exact(area).with_min_len(16).map(super::sum).collect();
    let mut db = vec![0.0; shape.output];
    for sample in sums.chunks_exact(shape.output) {
        super::add_assign(&mut db, sample);
    }
    db
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::{Stream, Streams};

    /// The definition, in double precision: output, and the gradients of its inner product with `g`.
    fn definition(x: &[f32], w: &[f32], b: &[f32], g: &[f32], s: ConvShape) -> [Vec<f64>; 4] {
        let batch = x.len() / s.image();
        let ([d, h, wi], [od, oh, ow], [kd, kh, kw]) = (s.size, s.out(), s.kernel);
        let (own_in, own_out) = (s.input / s.groups, s.output / s.groups);
        let mut y = vec![0.0; batch * s.output * s.area()];
        let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; s.output]);
        let mut at = 0;
        for n in 0..batch {
            for o in 0..s.output {
                for oz in 0..od {
                    for oy in 0..oh {
                        for ox in 0..ow {
                            y[at] = f64::from(b[o]);
                            db[o] += f64::from(g[at]);
                            for c in 0..own_in {
                                for kz in 0..kd {
                                    for ky in 0..kh {
                                        for kx in 0..kw {
                                            let place = |a: usize, o: usize, k: usize, n: usize| {
                                                (o * s.stride[a] + k * s.dilation[a])
                                                    .checked_sub(s.padding[a])
                                                    .filter(|p| *p < n)
                                            };
                                            let (Some(z), Some(yy), Some(xx)) = (
                                                place(0, oz, kz, d),
                                                place(1, oy, ky, h),
                                                place(2, ox, kx, wi),
                                            ) else {
                                                continue;
                                            };
                                            let channel = o / own_out * own_in + c;
                                            let i = (((n * s.input + channel) * d + z) * h + yy) * wi + xx;
                                            let k = (((o * own_in + c) * kd + kz) * kh + ky) * kw + kx;
                                            y[at] += f64::from(x[i]) * f64::from(w[k]);
                                            dx[i] += f64::from(g[at]) * f64::from(w[k]);
                                            dw[k] += f64::from(g[at]) * f64::from(x[i]);
                                        }
                                    }
                                }
                            }
                            at += 1;
                        }
                    }
                }
            }
        }
        [y, dx, dw, db]
    }

    fn check(s: ConvShape, batch: usize, stream: &mut Stream) {
        let (x, w) = (stream.normals_f32(batch * s.image()), stream.normals_f32(s.weights()));
        let (b, g) = (stream.normals_f32(s.output), stream.normals_f32(batch * s.output * s.area()));
        let want = definition(&x, &w, &b, &g, s);
        let got = [
            conv(&x, &w, &b, s),
            conv_backward_input(&g, &w, s),
            conv_backward_weights(&g, &x, s),
            conv_backward_bias(&g, s),
        ];
        for (name, (got, want)) in ["y", "dx", "dw", "db"].iter().zip(got.iter().zip(&want)) {
            assert_eq!(got.len(), want.len(), "{name} {s:?}");
            for (i, (g, w)) in got.iter().zip(want).enumerate() {
                // Sums of at most a few thousand products of order 1 in single precision.
                assert!((f64::from(*g) - w).abs() < 1e-4 * (1.0 + w.abs()), "{name}[{i}]: {g} {w}, {s:?}");
            }
        }
    }

    #[test]
    fn random_shapes_follow_the_definition() {
        let mut s = Streams::new(7).stream("conv shapes", 0);
        let mut tried = 0;
        while tried < 300 {
            let axes = 1 + s.below(3);
            let groups = [1, 1, 2, 3][s.below(4)];
            let mut any = |low: usize, high: usize, rest: usize| -> [usize; 3] {
                std::array::from_fn(|a| if a + axes < 3 { rest } else { low + s.below(high - low + 1) })
            };
            let (size, kernel) = (any(1, [40, 11, 6][axes - 1], 1), any(1, 4, 1));
            let (stride, padding, dilation) = (any(1, 3, 1), any(0, 3, 0), any(1, 2, 1));
            let channels = [(1 + s.below(7)) * groups, (1 + s.below(11)) * groups];
            let [input, output] = channels;
            let shape = ConvShape { input, output, groups, size, kernel, stride, padding, dilation };
            if shape.is_valid() {
                check(shape, s.below(6), &mut s);
                tried += 1;
            }
        }
    }

    #[test]
    fn usual_shapes_follow_the_definition() {
        let mut s = Streams::new(8).stream("conv shapes", 0);
        check(ConvShape::square([16, 24], [28, 28], 3, 1, 1), 5, &mut s);
        check(ConvShape::square([16, 40], [13, 11], 3, 1, 1), 3, &mut s);
        check(ConvShape::square([40, 64], [29, 28], 3, 2, 1), 17, &mut s);
        check(ConvShape { dilation: [1, 3, 2], ..ConvShape::square([24, 33], [16, 15], 3, 1, 2) }, 9, &mut s);
        check(ConvShape::square([130, 64], [9, 9], 1, 1, 0), 11, &mut s);
        check(ConvShape::square([70, 32], [9, 9], 1, 2, 0), 2, &mut s);
        check(ConvShape::cubic([16, 32], [7, 8, 9], 3, 2, 1), 2, &mut s);
        check(ConvShape::square([3, 8], [28, 28], 5, 1, 2), 20, &mut s);
        check(ConvShape::square([16, 24], [28, 28], 3, 2, 1), 2, &mut s);
        check(ConvShape::square([24, 24], [15, 17], 1, 1, 0), 2, &mut s);
        check(ConvShape { groups: 12, ..ConvShape::square([12, 12], [20, 20], 3, 1, 1) }, 2, &mut s);
        check(ConvShape::cubic([3, 16], [9, 8, 7], 3, 1, 1), 1, &mut s);
        check(ConvShape::line([4, 9], 100, 5, 2, 2), 3, &mut s);
        assert!(!ConvShape::square([1, 1], [2, 2], 5, 1, 1).is_valid());
    }

    #[test]
    fn threads_do_not_change_bits() {
        threads_do_not_change_bits_of(ConvShape::square([5, 9], [13, 12], 3, 1, 1), 9);
        threads_do_not_change_bits_of(ConvShape::square([20, 40], [13, 12], 3, 1, 1), 20);
        threads_do_not_change_bits_of(ConvShape::cubic([3, 9], [13, 12, 7], 3, 1, 1), 1);
    }

    fn threads_do_not_change_bits_of(shape: ConvShape, batch: usize) {
        let mut s = Streams::new(9).stream("conv", 0);
        let (x, w) = (s.normals_f32(batch * shape.image()), s.normals_f32(shape.weights()));
        let g = s.normals_f32(batch * shape.output * shape.area());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                [
                    conv(&x, &w, &[], shape),
                    conv_backward_input(&g, &w, shape),
                    conv_backward_weights(&g, &x, shape),
                    conv_backward_bias(&g, shape),
                ]
            })
        };
        assert!(run(1) == run(2) && run(1) == run(5));
    }
}
