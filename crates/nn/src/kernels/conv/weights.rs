//! Gradient of the weights: inner products of pieces of gradients with shifted pieces of inputs.

// Tiles are indexed by constants so that they are unrolled into registers.
#![allow(clippy::needless_range_loop)]

use super::layout::Layout;
use super::{BLOCK, ConvShape, TASKS, pointwise};
use crate::kernels::matmul::Shared;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;
use std::ops::Range;

/// Vectors of places that are taken from each channel at a time.
const STRETCH: usize = 64;
/// Most samples per partial sum.
const GROUP: usize = 8;

/// The inner products of one block of output channels.
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
        // Of even size: a short rest would cost as much as a whole one.
        let size = steps.div_ceil(steps.div_ceil(STRETCH).max(1)).max(1);
        let mut all: Vec<Vec<Stretch>> = Vec::new();
        let mut room = 0;
        for sample in 0..self.samples {
            for from in (0..steps).step_by(size) {
                let n = size.min(steps - from);
                let at = from * lanes;
                let begin = [sample * self.steps[0] + at, sample * self.steps[1] + self.layout.reach + at];
                let stretch = Stretch { from: begin, steps: n };
                if let Some(last) = all.last_mut().filter(|_| n <= room) {
                    last.push(stretch);
                } else {
                    all.push(vec![stretch]);
                    room = STRETCH;
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
            assert!(
                s.from[0] + farthest + n <= self.planes.len()
                    && s.from[1] + rows_end + n <= self.spread.len()
            );
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

/// Gradient of [`conv`](super::conv) with respect to its weights.
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
            fn own(all: &[f32], len: usize, unit: impl Iterator<Item = usize>) -> Vec<&[f32]> {
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
            let (unit, block, from) =
                (task / (blocks * pieces), task / pieces % blocks, task % pieces * piece);
            let (part, group) = (unit / shape.groups, unit % shape.groups);
            let first = part * cohort * shape.groups + group;
            let planes = &planes[first * own_in * l.channel()..];
            let spread = &spread[(first * own_out + block * BLOCK) * l.spread_len()..];
            let steps = [shape.input * l.channel(), shape.output * l.spread_len()];
            run([planes, spread], steps, unit, block, from..(from + piece).min(taps));
        });
    }
    crate::kernels::fold(dw, count)
}
