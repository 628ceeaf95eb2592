//! Convolutions over one, two or three axes without unfolding.
//!
//! The padded input of a sample is stored as planes, one per phase of the stride, in which the tap (kz, ky, kx) of the
//! kernel reads the input of output q at q plus a fixed offset. So a tile of outputs that lie one after another is a sum of
//! shifted pieces of planes times weights, which is a matrix product whose right side is never written down: the only
//! copy is the padding. Between the rows of outputs lie as many places as the padding takes; they are computed and
//! dropped. Gradients with respect to the input are the same product with the roles of the channels exchanged, one per
//! phase; those with respect to the weights are inner products of shifted pieces.

// Tiles are indexed by constants so that they are unrolled into registers.
#![allow(clippy::needless_range_loop)]

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

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

    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    fn image(&self) -> usize {
        self.input * self.size.iter().product::<usize>()
    }

    fn area(&self) -> usize {
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
/// Vectors of places that the weight gradient takes from each channel at a time.
const STRETCH: usize = 48;
/// Samples per partial sum of the weight gradient.
const GROUP: usize = 4;

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
    fn pieces(&self, at: usize, n: usize, mut f: impl FnMut(usize, usize, usize, std::ops::Range<usize>)) {
        let mut k = 0;
        while k < n {
            let (row, x) = ((at + k) / self.plane[2], (at + k) % self.plane[2]);
            let end = (k + self.plane[2] - x).min(n);
            f(row / self.plane[1], row % self.plane[1], x, k..end);
            k = end;
        }
    }

    /// All samples as planes, [batch, input, phases, plane] and slack.
    fn planes(&self, x: &[f32]) -> Vec<f32> {
        let area = self.shape.size.iter().product::<usize>();
        let mut planes = vec![0.0; x.len() / area * self.channel() + SLACK];
        let used = planes.len() - SLACK;
        planes[..used]
            .par_chunks_mut(self.channel())
            .zip(x.par_chunks_exact(area))
            .with_min_len(4)
            .for_each(|(planes, x)| self.pack(x, planes));
        planes
    }

    /// Floats of one channel of [`Layout::spread`]: whole vectors that begin before the last output end in zeros.
    fn spread_len(&self) -> usize {
        self.reach + self.len + MAX_LANES
    }

    /// Gradients of the outputs at the places of the outputs, `reach` zeros in front: [batch, output, reach + plane] and
    /// slack.
    fn spread(&self, dout: &[f32]) -> Vec<f32> {
        let area = self.shape.area();
        let mut spread = vec![0.0; dout.len() / area * self.spread_len() + SLACK];
        let used = spread.len() - SLACK;
        spread[..used]
            .par_chunks_mut(self.spread_len())
            .zip(dout.par_chunks_exact(area))
            .with_min_len(4)
            .for_each(|(to, from)| {
                for (row, line) in from.chunks_exact(self.out[2]).enumerate() {
                    let (z, y) = (row / self.out[1], row % self.out[1]);
                    let at = self.reach + (z * self.plane[1] + y) * self.plane[2];
                    to[at..at + line.len()].copy_from_slice(line);
                }
            });
        spread
    }
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

/// Splits [batch, channels, area] into blocks of channels that do not cross groups: (sample, group, first channel in the
/// group, values).
fn blocks(
    values: &mut [f32],
    channels: usize,
    groups: usize,
    area: usize,
) -> Vec<(usize, usize, usize, &mut [f32])> {
    let own = channels / groups;
    let mut out = Vec::new();
    for (i, part) in values.chunks_exact_mut(own * area).enumerate() {
        for (b, block) in part.chunks_mut(BLOCK * area).enumerate() {
            out.push((i / groups, i % groups, b * BLOCK, block));
        }
    }
    out
}

/// Convolution: `x` [batch, input, ...], `w` [output, input / groups, kernel ...], `bias` \[output\] or empty -> [batch,
/// output, ...]. The kernel is not flipped (cross-correlation), as everywhere in the field.
pub fn conv(x: &[f32], w: &[f32], bias: &[f32], shape: ConvShape) -> Vec<f32> {
    let l = Layout::new(shape);
    let (own_in, own_out, taps) = (shape.input / shape.groups, shape.output / shape.groups, shape.taps());
    let planes = l.planes(x);
    let offsets: Vec<usize> = l.taps.iter().map(|(phase, offset)| phase * l.len + offset).collect();
    let all: Vec<usize> = (0..taps).collect();
    let weights = pack_weights(w, shape.groups, [own_out, own_in], &all, |g, o, c, t| {
        ((g * own_out + o) * own_in + c) * taps + t
    });
    let per_block = own_in * taps;
    let area = shape.area();
    let mut out = vec![0.0; x.len() / shape.image() * shape.output * area];
    blocks(&mut out, shape.output, shape.groups, area).into_par_iter().for_each(
        |(sample, group, first, out)| {
            let block = group * own_out.div_ceil(BLOCK) + first / BLOCK;
            let wanted = out.len() / area;
            let product = Product {
                source: &planes[(sample * shape.input + group * own_in) * l.channel()..],
                channel: l.channel(),
                channels: own_in,
                offsets: &offsets,
                weights: &weights[block * per_block..(block + 1) * per_block],
                start: std::array::from_fn(|m| {
                    if m < wanted && !bias.is_empty() { bias[group * own_out + first + m] } else { 0.0 }
                }),
                wanted,
                from: 0,
                places: l.span,
            };
            let [_, oh, ow] = l.out;
            let sink = |m: usize, at: usize, values: &[f32]| {
                let out = &mut out[m * area..(m + 1) * area];
                l.pieces(at, values.len(), |z, y, x, part| {
                    if y < oh && x < ow {
                        let n = part.len().min(ow - x);
                        let to = (z * oh + y) * ow + x;
                        out[to..to + n].copy_from_slice(&values[part.start..part.start + n]);
                    }
                });
            };
            Arch::new().dispatch(Run(product, sink));
        },
    );
    out
}

/// Gradient of [`conv`] with respect to its input.
pub fn conv_backward_input(dout: &[f32], w: &[f32], shape: ConvShape) -> Vec<f32> {
    let l = Layout::new(shape);
    let (own_in, own_out, taps) = (shape.input / shape.groups, shape.output / shape.groups, shape.taps());
    let spread = l.spread(dout);
    let area: usize = shape.size.iter().product();
    let mut dx = vec![0.0; dout.len() / (shape.output * shape.area()) * shape.image()];
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
    blocks(&mut dx, shape.input, shape.groups, area).into_par_iter().for_each(
        |(sample, group, first, dx)| {
            let block = group * own_in.div_ceil(BLOCK) + first / BLOCK;
            for (phase, (offsets, weights)) in phases.iter().enumerate().filter(|(_, p)| !p.0.is_empty()) {
                let (pz, py, px) = (phase / (s1 * s2), phase / s2 % s1, phase % s2);
                // Rows of padding in front are skipped.
                let skip = |a: usize, p: usize| shape.padding[a].saturating_sub(p).div_ceil(shape.stride[a]);
                let from = (skip(0, pz) * l.plane[1] + skip(1, py)) * l.plane[2];
                if from >= l.len {
                    continue;
                }
                let per_block = own_out * offsets.len();
                let product = Product {
                    source: &spread[(sample * shape.output + group * own_out) * l.spread_len()..],
                    channel: l.spread_len(),
                    channels: own_out,
                    offsets,
                    weights: &weights[block * per_block..(block + 1) * per_block],
                    start: [0.0; BLOCK],
                    wanted: dx.len() / area,
                    from,
                    places: l.len - from,
                };
                let sink = |m: usize, at: usize, values: &[f32]| {
                    let dx = &mut dx[m * area..(m + 1) * area];
                    l.pieces(from + at, values.len(), |z, y, x, part| {
                        let z = (z * s0 + pz).checked_sub(shape.padding[0]).filter(|z| *z < shape.size[0]);
                        let y = (y * s1 + py).checked_sub(shape.padding[1]).filter(|y| *y < shape.size[1]);
                        let (Some(z), Some(y)) = (z, y) else { return };
                        let line = &mut dx[(z * shape.size[1] + y) * shape.size[2]..][..shape.size[2]];
                        // Column c of the plane is input column c s2 + px - padding.
                        let low = skip(2, px).max(x);
                        let inside = (line.len() + shape.padding[2]).saturating_sub(px).div_ceil(s2);
                        let high = inside.min(x + part.len());
                        if low < high {
                            let values = &values[part.start + low - x..part.start + high - x];
                            let to = low * s2 + px - shape.padding[2];
                            if s2 == 1 {
                                line[to..to + values.len()].copy_from_slice(values);
                            } else {
                                line[to..].iter_mut().step_by(s2).zip(values).for_each(|(o, v)| *o = *v);
                            }
                        }
                    });
                };
                Arch::new().dispatch(Run(product, sink));
            }
        },
    );
    dx
}

/// Inner products of pieces of gradients with shifted pieces of inputs.
struct Correlation<'a> {
    layout: &'a Layout,
    planes: &'a [f32],
    spread: &'a [f32],
    samples: std::ops::Range<usize>,
    /// First input and output channel of the group.
    base: [usize; 2],
    /// First output channel in the group, and how many.
    rows: std::ops::Range<usize>,
    /// Weights of these output channels, [rows][input / groups][taps].
    dw: &'a mut [f32],
}

impl Correlation<'_> {
    /// Adds the products of one sample, one tap and vectors `steps` of the places to `sum`. By value, so that the sums stay
    /// in registers.
    #[inline(always)]
    fn products<S: Simd, const M: usize, const N: usize>(
        simd: S,
        dy: [&[S::f32s]; M],
        x: [&[S::f32s]; N],
        sum: &[[S::f32s; N]; M],
    ) -> [[S::f32s; N]; M] {
        let steps = dy.iter().chain(&x).map(|v| v.len()).min().unwrap_or(0);
        let mut out = *sum;
        for k in 0..steps {
            // SAFETY: no piece is shorter than `steps`.
            let x: [S::f32s; N] = std::array::from_fn(|n| unsafe { *x[n].get_unchecked(k) });
            for m in 0..M {
                // SAFETY: as above.
                let d = unsafe { *dy[m].get_unchecked(k) };
                for n in 0..N {
                    out[m][n] = simd.mul_add_e_f32s(d, x[n], out[m][n]);
                }
            }
        }
        out
    }

    #[inline(always)]
    fn run<S: Simd, const M: usize, const N: usize>(&mut self, simd: S) {
        let l = self.layout;
        let s = l.shape;
        let (own_in, taps, rows) = (s.input / s.groups, l.taps.len(), self.rows.len());
        // Places between the rows of outputs have a gradient of zero, those behind the last as well.
        let steps = l.span.div_ceil(S::F32_LANES);
        let mut sums = vec![[[simd.splat_f32s(0.0); N]; M]; taps];
        for o in (0..rows).step_by(M) {
            for c in (0..own_in).step_by(N) {
                sums.fill([[simd.splat_f32s(0.0); N]; M]);
                for sample in self.samples.clone() {
                    // A stretch of all channels of the tile stays in the first cache while the taps pass over it.
                    for from in (0..steps).step_by(STRETCH) {
                        let n_steps = STRETCH.min(steps - from);
                        let at = from * S::F32_LANES;
                        // Channels beyond the last stand in for themselves and are dropped.
                        let dy: [&[S::f32s]; M] = std::array::from_fn(|m| {
                            let channel = self.base[1] + self.rows.start + (o + m).min(rows - 1);
                            let from = (sample * s.output + channel) * l.spread_len() + l.reach + at;
                            &S::as_simd_f32s(&self.spread[from..]).0[..n_steps]
                        });
                        for ((phase, offset), sum) in l.taps.iter().zip(&mut sums) {
                            let x: [&[S::f32s]; N] = std::array::from_fn(|n| {
                                let channel = self.base[0] + (c + n).min(own_in - 1);
                                let from =
                                    (sample * s.input + channel) * l.channel() + phase * l.len + offset + at;
                                &S::as_simd_f32s(&self.planes[from..]).0[..n_steps]
                            });
                            *sum = Self::products::<S, M, N>(simd, dy, x, sum);
                        }
                    }
                }
                for (t, sum) in sums.iter().enumerate() {
                    for (m, sum) in sum.iter().enumerate().take(rows - o) {
                        for (n, sum) in sum.iter().enumerate().take(own_in - c) {
                            self.dw[((o + m) * own_in + c + n) * taps + t] = simd.reduce_sum_f32s(*sum);
                        }
                    }
                }
            }
        }
    }
}

impl WithSimd for Correlation<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        match (self.rows.len(), S::REGISTER_COUNT >= 32) {
            (1, _) => self.run::<S, 1, 1>(simd),
            (_, true) => self.run::<S, 4, 6>(simd),
            _ => self.run::<S, 2, 4>(simd),
        }
    }
}

/// Gradient of [`conv`] with respect to its weights.
pub fn conv_backward_weights(dout: &[f32], x: &[f32], shape: ConvShape) -> Vec<f32> {
    let l = Layout::new(shape);
    let (own_in, own_out) = (shape.input / shape.groups, shape.output / shape.groups);
    let (planes, spread) = (l.planes(x), l.spread(dout));
    let batch = x.len() / shape.image();
    let per_row = own_in * shape.taps();
    // A partial sum per group of samples, so that the order of additions does not depend on the number of threads.
    let mut parts = vec![0.0; batch.div_ceil(GROUP).max(1) * shape.weights()];
    blocks(&mut parts, shape.output, shape.groups, per_row).into_par_iter().for_each(
        |(part, group, first, dw)| {
            Arch::new().dispatch(Correlation {
                layout: &l,
                planes: &planes,
                spread: &spread,
                samples: part * GROUP..((part + 1) * GROUP).min(batch),
                base: [group * own_in, group * own_out],
                rows: first..first + dw.len() / per_row,
                dw,
            });
        },
    );
    let (first, rest) = parts.split_at_mut(shape.weights());
    for part in rest.chunks_exact(shape.weights()) {
        super::add_assign(first, part);
    }
    parts.truncate(shape.weights());
    parts
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
        check(ConvShape::square([16, 24], [28, 28], 3, 2, 1), 2, &mut s);
        check(ConvShape::square([24, 24], [15, 17], 1, 1, 0), 2, &mut s);
        check(ConvShape { groups: 12, ..ConvShape::square([12, 12], [20, 20], 3, 1, 1) }, 2, &mut s);
        check(ConvShape::cubic([3, 16], [9, 8, 7], 3, 1, 1), 1, &mut s);
        check(ConvShape::line([4, 9], 100, 5, 2, 2), 3, &mut s);
        assert!(!ConvShape::square([1, 1], [2, 2], 5, 1, 1).is_valid());
    }

    #[test]
    fn threads_do_not_change_bits() {
        let shape = ConvShape::square([5, 9], [13, 12], 3, 1, 1);
        let mut s = Streams::new(9).stream("conv", 0);
        let (x, w) = (s.normals_f32(9 * shape.image()), s.normals_f32(shape.weights()));
        let g = s.normals_f32(9 * shape.output * shape.area());
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
