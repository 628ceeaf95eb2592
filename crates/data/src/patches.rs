//! Cutting volumes into patches for a network and putting its answers together.
//!
//! Volumes are [channels, depth, height, width] in C order; what lies outside of them is zero.

use neuropil_core::{Error, Result, Stream};

/// Place of the first voxel of a patch; negative where the patch begins before the volume.
pub type Corner = [isize; 3];

/// A patch of `size` of a volume of `channels` and `shape` with its first voxel at `corner`.
pub fn cut<T: Copy + Default>(
    values: &[T],
    channels: usize,
    shape: [usize; 3],
    corner: Corner,
    size: [usize; 3],
) -> Vec<T> {
    let (area, patch) = (shape.iter().product::<usize>(), size.iter().product::<usize>());
    let mut out = vec![T::default(); channels * patch];
    rows(shape, corner, size, |from, to, n| {
        for c in 0..channels {
            if let Some(row) = values.get(c * area + from..c * area + from + n) {
                out[c * patch + to..c * patch + to + n].copy_from_slice(row);
            }
        }
    });
    out
}

/// The parts of a patch that lie in the volume, row by row: f(place in the volume, place in the patch, voxels).
fn rows(shape: [usize; 3], corner: Corner, size: [usize; 3], mut f: impl FnMut(usize, usize, usize)) {
    // First and last place of the patch that is in the volume along an axis.
    let inside = |a: usize| {
        let first = (-corner[a]).max(0);
        let last = (shape[a] as isize - corner[a]).min(size[a] as isize);
        (first as usize, last.max(first) as usize)
    };
    let ([z, y, x], at) = ([0, 1, 2].map(inside), |a: usize, p: usize| (corner[a] + p as isize) as usize);
    if x.1 == x.0 {
        return;
    }
    for pz in z.0..z.1 {
        for py in y.0..y.1 {
            let from = (at(0, pz) * shape[1] + at(1, py)) * shape[2] + at(2, x.0);
            f(from, (pz * size[1] + py) * size[2] + x.0, x.1 - x.0);
        }
    }
}

/// Where patches of a labelled volume are taken: half of them anywhere, half around a voxel of a structure, and of those
/// one third around one of the innermost structure.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchSampler {
    shape: [usize; 3],
    size: [usize; 3],
    foreground: Vec<u32>,
    innermost: Vec<u32>,
}

impl PatchSampler {
    /// A sampler for a volume with these labels (levels, 0 for background) and patches of `size`. `innermost` is the
    /// largest level.
    pub fn new(labels: &[u16], shape: [usize; 3], size: [usize; 3], innermost: u16) -> Result<Self> {
        if labels.len() != shape.iter().product::<usize>() || labels.len() > u32::MAX as usize {
            return Err(Error::input(
                format!("labels of shape {shape:?}"),
                format!("{} voxels", labels.len()),
            ));
        }
        if size.contains(&0) {
            return Err(Error::config("patches of positive size", format!("{size:?}")));
        }
        let of = |keep: &dyn Fn(u16) -> bool| {
            (0..labels.len() as u32).filter(|&i| keep(labels[i as usize])).collect()
        };
        Ok(Self { shape, size, foreground: of(&|l| l >= 1), innermost: of(&|l| l >= innermost.max(1)) })
    }

    /// The corner of the next patch, which lies inside the volume along every axis that is long enough, and in its
    /// middle along the others.
    pub fn corner(&self, stream: &mut Stream) -> Corner {
        let around = if stream.bernoulli(0.5) {
            let inner = stream.bernoulli(1.0 / 3.0) && !self.innermost.is_empty();
            let chosen = if inner { &self.innermost } else { &self.foreground };
            if chosen.is_empty() { None } else { Some(chosen[stream.below(chosen.len())] as usize) }
        } else {
            None
        };
        let [_, h, w] = self.shape;
        let centre = around.map(|i| [i / (h * w), i / w % h, i % w]);
        std::array::from_fn(|a| {
            let room = self.shape[a] as isize - self.size[a] as isize;
            if room <= 0 {
                return centred(room);
            }
            match centre {
                Some(c) => (c[a] as isize - self.size[a] as isize / 2).clamp(0, room),
                None => stream.below(room as usize + 1) as isize,
            }
        })
    }
}

/// The corner along an axis on which the patch is longer by `-room`.
fn centred(room: isize) -> isize {
    -((-room) / 2)
}

/// Corners of the windows that cover a volume, neighbours sharing at least `overlap` of a window along each axis.
pub fn windows(shape: [usize; 3], size: [usize; 3], overlap: f64) -> Result<Vec<Corner>> {
    if size.contains(&0) || shape.contains(&0) || !(0.0..1.0).contains(&overlap) {
        return Err(Error::config(
            "positive sizes and an overlap below 1",
            format!("shape {shape:?}, windows {size:?}, overlap {overlap}"),
        ));
    }
    let along = |a: usize| -> Vec<isize> {
        let room = shape[a] as isize - size[a] as isize;
        if room <= 0 {
            return vec![centred(room)];
        }
        let step = ((size[a] as f64 * (1.0 - overlap)).floor() as usize).max(1);
        let n = (room as usize).div_ceil(step);
        (0..=n).map(|k| (room as usize * k / n) as isize).collect()
    };
    let [z, y, x] = [along(0), along(1), along(2)];
    Ok(z.iter()
        .flat_map(|&z| {
            y.iter().flat_map({
                let x = &x;
                move |&y| x.iter().map(move |&x| [z, y, x])
            })
        })
        .collect())
}

/// Applies `predict` to windows of a volume and blends what they say by a Gaussian of one eighth of a window around
/// their centres: [channels, shape] -> [outputs, shape]. `predict` takes a window [channels, size] and returns
/// [outputs, size]. One window covers a volume that is not larger than it.
pub fn sliding_window(
    values: &[f32],
    (channels, outputs): (usize, usize),
    shape: [usize; 3],
    size: [usize; 3],
    overlap: f64,
    mut predict: impl FnMut(Vec<f32>) -> Result<Vec<f32>>,
) -> Result<Vec<f32>> {
    let (area, patch) = (shape.iter().product::<usize>(), size.iter().product::<usize>());
    if values.len() != channels * area {
        return Err(Error::input(
            format!("{channels} channels of shape {shape:?}"),
            format!("{} values", values.len()),
        ));
    }
    let corners = windows(shape, size, overlap)?;
    let weight = gaussian(size);
    let mut blended = vec![0.0_f32; outputs * area];
    let mut total = vec![0.0_f32; area];
    for corner in corners {
        let answer = predict(cut(values, channels, shape, corner, size))?;
        if answer.len() != outputs * patch {
            return Err(Error::Internal(format!("{} values for {outputs} maps of {size:?}", answer.len())));
        }
        rows(shape, corner, size, |to, from, n| {
            let weight = &weight[from..from + n];
            total[to..to + n].iter_mut().zip(weight).for_each(|(t, w)| *t += w);
            for c in 0..outputs {
                let out = &mut blended[c * area + to..c * area + to + n];
                let answer = &answer[c * patch + from..c * patch + from + n];
                out.iter_mut().zip(answer).zip(weight).for_each(|((o, a), w)| *o += a * w);
            }
        });
    }
    blended.chunks_exact_mut(area).for_each(|map| map.iter_mut().zip(&total).for_each(|(v, t)| *v /= t));
    Ok(blended)
}

/// Weights of the voxels of a window, 1 in its middle; never so small that a voxel at a corner loses its precision.
fn gaussian(size: [usize; 3]) -> Vec<f32> {
    let along = size.map(|n| {
        let (middle, sd) = (0.5 * (n as f64 - 1.0), (n as f64 / 8.0).max(0.5));
        (0..n).map(|i| (-0.5 * ((i as f64 - middle) / sd).powi(2)).exp()).collect::<Vec<f64>>()
    });
    let mut out = Vec::with_capacity(size.iter().product());
    for z in &along[0] {
        for y in &along[1] {
            out.extend(along[2].iter().map(|x| (z * y * x).max(1e-6) as f32));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn patches_are_cut_and_padded() {
        let values: Vec<u16> = (0..2 * 3 * 4).collect();
        assert_eq!(cut(&values, 1, [2, 3, 4], [1, 1, 2], [1, 2, 2]), [18, 19, 22, 23]);
        assert_eq!(cut(&values, 2, [1, 3, 4], [0, 2, -1], [1, 2, 3]), [0, 8, 9, 0, 0, 0, 0, 20, 21, 0, 0, 0]);
        assert_eq!(cut(&values, 1, [2, 3, 4], [5, 5, 5], [1, 1, 2]), [0, 0]);
    }

    #[test]
    fn half_of_the_patches_hold_a_structure() -> Result<()> {
        let shape = [4, 40, 40];
        let mut labels = vec![0_u16; 6400];
        labels[6399] = 3;
        labels[0] = 1;
        let sampler = PatchSampler::new(&labels, shape, [6, 5, 5], 3)?;
        let mut stream = Streams::new(2).stream("patches", 0);
        let (mut any, mut inner) = (0, 0);
        for _ in 0..3000 {
            let corner = sampler.corner(&mut stream);
            assert_eq!(corner[0], -1);
            let patch = cut(&labels, 1, shape, corner, [6, 5, 5]);
            any += usize::from(patch.contains(&3) || patch.contains(&1));
            inner += usize::from(patch.contains(&3));
        }
        // Half around either voxel (chance adds 2 / 36^2); of those a third and half of the rest around the inner one.
        // Four standard errors of 3000 draws are 0.037.
        assert!((any as f64 / 3000.0 - 0.5).abs() < 0.037, "{any}");
        assert!((inner as f64 / any as f64 - 2.0 / 3.0).abs() < 0.05, "{inner} of {any}");
        Ok(())
    }

    #[test]
    fn windows_cover_everything_and_blend_to_what_they_agree_on() -> Result<()> {
        for (shape, size) in [([7, 9, 20], [4, 9, 8]), ([1, 3, 5], [1, 4, 4]), ([16, 16, 16], [16, 16, 16])] {
            let n: usize = shape.iter().product();
            let values: Vec<f32> = (0..n).map(|v| (v as f32 * 0.37).sin()).collect();
            let mut count = 0;
            let out = sliding_window(&values, (1, 2), shape, size, 0.5, |x| {
                count += 1;
                Ok([x.clone(), x.iter().map(|v| 1.0 - v).collect()].concat())
            })?;
            assert_eq!(count, windows(shape, size, 0.5)?.len());
            for i in 0..n {
                // Weighted means of equal values, in single precision.
                assert!((out[i] - values[i]).abs() < 1e-5 && (out[n + i] - 1.0 + values[i]).abs() < 1e-5);
            }
        }
        assert_eq!(windows([16, 16, 16], [16, 16, 16], 0.5)?, [[0, 0, 0]]);
        assert!(windows([4, 4, 4], [2, 2, 0], 0.5).is_err() && windows([4, 4, 4], [2, 2, 2], 1.0).is_err());
        Ok(())
    }
}
