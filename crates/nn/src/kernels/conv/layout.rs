//! The planes of a padded input, one per phase of the stride, and the places of outputs in them.

use super::{ConvShape, MAX_LANES, TASKS};
use rayon::prelude::*;
use std::mem::MaybeUninit;
use std::ops::Range;

/// Floats behind the last plane that a tile may read.
const SLACK: usize = 256;

/// Where things are in the planes.
pub(super) struct Layout {
    pub(super) shape: ConvShape,
    pub(super) out: [usize; 3],
    /// Sizes of a plane.
    pub(super) plane: [usize; 3],
    /// Floats of a plane.
    pub(super) len: usize,
    /// Planes of a channel.
    pub(super) phases: usize,
    /// Per tap: its phase and its offset inside the plane.
    pub(super) taps: Vec<(usize, usize)>,
    /// Places from the first output to behind the last one.
    pub(super) span: usize,
    /// Largest offset inside a plane.
    pub(super) reach: usize,
}

impl Layout {
    pub(super) fn new(shape: ConvShape) -> Self {
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

    pub(super) fn channel(&self) -> usize {
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
    pub(super) fn pieces(&self, at: usize, n: usize, mut f: impl FnMut(usize, usize, usize, Range<usize>)) {
        let mut k = 0;
        while k < n {
            let (row, x) = ((at + k) / self.plane[2], (at + k) % self.plane[2]);
            let end = (k + self.plane[2] - x).min(n);
            f(row / self.plane[1], row % self.plane[1], x, k..end);
            k = end;
        }
    }

    /// Channels of inputs as planes, slice after slice: [channels, phases, plane] and slack.
    pub(super) fn planes(&self, x: &[&[f32]], parallel: bool) -> Vec<f32> {
        let area = self.shape.size.iter().product::<usize>();
        channels(x, area, self.channel(), parallel, |to, from| self.pack(from, to))
    }

    /// Floats of one channel of [`Layout::spread`]: whole vectors that begin before the last output end in zeros.
    pub(super) fn spread_len(&self) -> usize {
        self.reach + self.len + MAX_LANES
    }

    /// Gradients of the outputs at the places of the outputs, `reach` zeros in front: [channels, reach + plane] and slack.
    pub(super) fn spread(&self, dout: &[&[f32]], parallel: bool) -> Vec<f32> {
        channels(dout, self.shape.area(), self.spread_len(), parallel, |to, from| {
            for (row, line) in from.chunks_exact(self.out[2]).enumerate() {
                let (z, y) = (row / self.out[1], row % self.out[1]);
                let at = self.reach + (z * self.plane[1] + y) * self.plane[2];
                to[at..at + line.len()].copy_from_slice(line);
            }
        })
    }

    /// True if samples and groups are tasks enough: then each packs its own channels, which stay in its cache.
    pub(super) fn packs_alone(&self, batch: usize) -> bool {
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

/// Writes `line` from elements of the phases in turn: element i is number (i + skip) / phases of phase (i + skip) mod
/// `phases`.
pub(super) fn interleave<'a>(
    line: &mut [MaybeUninit<f32>],
    skip: usize,
    phases: usize,
    phase: impl Fn(usize) -> &'a [f32],
) {
    match phases {
        1 => {
            line.write_copy_of_slice(&phase(0)[skip..skip + line.len()]);
        }
        2 => {
            let (a, b) = (&phase(skip % 2)[skip / 2..], &phase((skip + 1) % 2)[skip.div_ceil(2)..]);
            let (pairs, last) = line.as_chunks_mut::<2>();
            let n = pairs.len();
            for ((pair, a), b) in pairs.iter_mut().zip(&a[..n]).zip(&b[..n]) {
                *pair = [MaybeUninit::new(*a), MaybeUninit::new(*b)];
            }
            if let [last] = last {
                last.write(a[n]);
            }
        }
        _ => {
            for (i, to) in line.iter_mut().enumerate() {
                to.write(phase((i + skip) % phases)[(i + skip) / phases]);
            }
        }
    }
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
pub(super) fn cut(n: usize, tasks: usize) -> usize {
    n.div_ceil(TASKS.div_ceil(tasks.max(1))).next_multiple_of(8 * MAX_LANES).max(1)
}
