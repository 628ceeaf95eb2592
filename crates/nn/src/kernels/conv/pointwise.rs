//! Convolutions with a kernel of one place: plain matrix products, one per sample and piece of its places.

use super::ConvShape;
use crate::kernels::matmul::{Shared, product};
use crate::kernels::{Mat, MatMut, fold, matmul, relu};
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Partial sums of the gradient of the weights.
const PARTS: usize = 8;
/// Places of a piece, if a sample has more.
const PIECE: usize = 1 << 12;

impl ConvShape {
    pub(super) fn is_pointwise(&self) -> bool {
        self.groups == 1 && self.kernel == [1; 3] && self.stride == [1; 3] && self.padding == [0; 3]
    }

    /// Every piece of the places of every sample.
    fn pieces(&self, batch: usize) -> Vec<(usize, Range<usize>)> {
        let area = self.area();
        let pieces =
            |sample| (0..area).step_by(PIECE).map(move |from| (sample, from..(from + PIECE).min(area)));
        (0..batch).flat_map(pieces).collect()
    }
}

/// Places `places` of all channels of a sample.
fn view<'a>(
    x: &'a [f32],
    channels: usize,
    area: usize,
    sample: usize,
    places: &Range<usize>,
) -> Mat<'a, f32> {
    Mat::strided(&x[sample * channels * area + places.start..], channels, places.len(), area)
}

/// `left x` (+ bias) for the channels of every place of `x` [batch, left.cols, area]: [batch, rows, area].
fn mix(
    x: &[f32],
    left: Mat<f32>,
    [to, from]: [usize; 2],
    bias: &[f32],
    shape: ConvShape,
    rectified: bool,
) -> Vec<f32> {
    let area = shape.area();
    let n = x.len() / from * to;
    let mut out: Vec<f32> = Vec::with_capacity(n);
    let shared = Shared(out.as_mut_ptr());
    shape.pieces(x.len() / (from * area)).into_par_iter().for_each(|(sample, places)| {
        let first = sample * to * area + places.start;
        for (o, bias) in bias.iter().enumerate() {
            // SAFETY: these places of channel `o` of this sample, which no other task has.
            unsafe {
                let line = shared.get().add(first + o * area).cast::<MaybeUninit<f32>>();
                std::slice::from_raw_parts_mut(line, places.len()).fill(MaybeUninit::new(*bias));
            }
        }
        // SAFETY: the same places of all channels; with a bias they have just been written.
        unsafe {
            let right = view(x, from, area, sample, &places);
            product(shared.get().add(first), area, left, right, !bias.is_empty());
        }
        if rectified {
            for o in 0..to {
                // SAFETY: as before; all of them have just been written.
                relu(unsafe {
                    std::slice::from_raw_parts_mut(shared.get().add(first + o * area), places.len())
                });
            }
        }
    });
    // SAFETY: the pieces are all places of all samples, and their products write all channels.
    unsafe { out.set_len(n) };
    out
}

pub(super) fn conv(x: &[f32], w: &[f32], bias: &[f32], s: ConvShape, rectified: bool) -> Vec<f32> {
    mix(x, Mat::new(w, s.output, s.input), [s.output, s.input], bias, s, rectified)
}

pub(super) fn backward_input(dout: &[f32], w: &[f32], s: ConvShape) -> Vec<f32> {
    mix(dout, Mat::new(w, s.output, s.input).t(), [s.input, s.output], &[], s, false)
}

pub(super) fn backward_weights(dout: &[f32], x: &[f32], s: ConvShape) -> Vec<f32> {
    let (area, count) = (s.area(), s.weights());
    let pieces = s.pieces(x.len() / s.image());
    let per_part = pieces.len().div_ceil(PARTS).max(1);
    let mut parts = vec![0.0; pieces.len().div_ceil(per_part).max(1) * count];
    parts.par_chunks_mut(count).zip(pieces.par_chunks(per_part)).for_each(|(dw, pieces)| {
        for (i, (sample, places)) in pieces.iter().enumerate() {
            let dy = view(dout, s.output, area, *sample, places);
            let x = view(x, s.input, area, *sample, places);
            matmul(MatMut::new(dw, s.output, s.input), dy, x.t(), i > 0);
        }
    });
    fold(parts, count)
}
