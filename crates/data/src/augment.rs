//! Random variants of a labelled volume: mirrored, turned, stretched, with another contrast.

use neuropil_core::Stream;
use neuropil_math::sums;

/// Which variants are drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Augmentation {
    /// Mirrors each axis of the plane, and the depth of a volume, with probability 1/2.
    pub flips: bool,
    /// Largest turn in degrees about each axis (about the depth only, for a single slice); 0 for none.
    pub rotation: f64,
    /// Range of the common factor of size; 1 to 1 for none.
    pub scale: (f64, f64),
    /// Range of the exponent of each channel's intensities, scaled to [0, 1] and back; 1 to 1 for none.
    pub gamma: (f64, f64),
}

impl Augmentation {
    /// No variants.
    pub const NONE: Self = Self { flips: false, rotation: 0.0, scale: (1.0, 1.0), gamma: (1.0, 1.0) };
    /// Those of Hu et al. 2018 (and Isensee et al. 2017) without the elastic deformation.
    pub const PUBLISHED: Self = Self { flips: true, rotation: 15.0, scale: (0.85, 1.25), gamma: (0.7, 1.5) };
    /// Mirrored volumes only.
    pub const FLIPS: Self = Self { flips: true, ..Self::NONE };

    /// Changes values [channels, shape] and labels \[shape\] together. Intensities are interpolated linearly and labels
    /// taken from the nearest voxel; outside is 0.
    pub fn apply(
        &self,
        values: &mut Vec<f32>,
        labels: &mut Vec<u16>,
        shape: [usize; 3],
        stream: &mut Stream,
    ) {
        if self.rotation > 0.0 || self.scale != (1.0, 1.0) {
            self.turn(values, labels, shape, stream);
        }
        if self.flips {
            for axis in 0..3 {
                if shape[axis] > 1 && stream.bernoulli(0.5) {
                    flip(values, shape, axis);
                    flip(labels, shape, axis);
                }
            }
        }
        if self.gamma != (1.0, 1.0) {
            let area = shape.iter().product::<usize>().max(1);
            for channel in values.chunks_exact_mut(area) {
                // As often below 1 as above.
                let (low, high) = self.gamma;
                let exponent = if stream.bernoulli(0.5) {
                    stream.uniform_in(low.min(1.0), 1.0)
                } else {
                    stream.uniform_in(1.0, high.max(1.0))
                };
                gamma(channel, exponent as f32);
            }
        }
    }

    fn turn(&self, values: &mut Vec<f32>, labels: &mut Vec<u16>, shape: [usize; 3], stream: &mut Stream) {
        let mut angles: [f64; 3] =
            std::array::from_fn(|_| stream.uniform_in(-self.rotation, self.rotation).to_radians());
        if shape[0] == 1 {
            angles[1] = 0.0;
            angles[2] = 0.0;
        }
        let factor = stream.uniform_in(self.scale.0, self.scale.1);
        let map = inverse(angles, factor, shape[0] > 1);
        let [d, h, w] = shape;
        let middle = shape.map(|n| 0.5 * (n as f64 - 1.0));
        let area = d * h * w;
        let channels = values.len() / area.max(1);
        let (source, source_labels) = (&*values, &*labels);
        // Where each voxel comes from is worked out once for all channels; rows are independent.
        let rows: Vec<(Vec<f32>, Vec<u16>)> = sums::map(d * h, |row| {
            let (mut out, mut own) = (vec![0.0; channels * w], vec![0; w]);
            let (z, y) = ((row / h) as f64 - middle[0], (row % h) as f64 - middle[1]);
            for x in 0..w {
                let at = [z, y, x as f64 - middle[2]];
                let from: [f64; 3] =
                    std::array::from_fn(|a| (0..3).map(|b| map[a][b] * at[b]).sum::<f64>() + middle[a]);
                if let Some(i) = nearest(from, shape) {
                    own[x] = source_labels[i];
                }
                for (i, weight) in corners(from, shape) {
                    for c in 0..channels {
                        out[c * w + x] += weight * source[c * area + i];
                    }
                }
            }
            (out, own)
        });
        let mut turned = vec![0.0; values.len()];
        for (row, (out, own)) in rows.iter().enumerate() {
            for c in 0..channels {
                turned[c * area + row * w..][..w].copy_from_slice(&out[c * w..][..w]);
            }
            labels[row * w..][..w].copy_from_slice(own);
        }
        *values = turned;
    }
}

/// The map from places of the new volume to places of the old one, both from the middle.
fn inverse([about_z, about_y, about_x]: [f64; 3], factor: f64, deep: bool) -> [[f64; 3]; 3] {
    let plane = |a: usize, b: usize, angle: f64| {
        let mut m = [[0.0; 3]; 3];
        (0..3).for_each(|k| m[k][k] = 1.0);
        (m[a][a], m[a][b], m[b][a], m[b][b]) = (angle.cos(), -angle.sin(), angle.sin(), angle.cos());
        m
    };
    let times = |p: [[f64; 3]; 3], q: [[f64; 3]; 3]| -> [[f64; 3]; 3] {
        std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| p[i][k] * q[k][j]).sum()))
    };
    let turn = times(plane(1, 2, about_z), times(plane(0, 2, about_y), plane(0, 1, about_x)));
    let mut map = turn.map(|row| row.map(|v| v / factor));
    if !deep {
        map[0][0] = 1.0;
    }
    map
}

fn nearest(at: [f64; 3], shape: [usize; 3]) -> Option<usize> {
    let mut index = 0;
    for a in 0..3 {
        let p = at[a].round();
        if !(0.0..shape[a] as f64).contains(&p) {
            return None;
        }
        index = index * shape[a] + p as usize;
    }
    Some(index)
}

/// The up to eight voxels around a place with their weights.
fn corners(at: [f64; 3], shape: [usize; 3]) -> impl Iterator<Item = (usize, f32)> {
    let low = at.map(f64::floor);
    (0..8_usize).filter_map(move |k| {
        let (mut index, mut weight) = (0, 1.0);
        for a in 0..3 {
            let up = (k >> (2 - a)) & 1;
            let fraction = at[a] - low[a];
            let p = low[a] + up as f64;
            weight *= if up == 1 { fraction } else { 1.0 - fraction };
            if weight == 0.0 || !(0.0..shape[a] as f64).contains(&p) {
                return None;
            }
            index = index * shape[a] + p as usize;
        }
        Some((index, weight as f32))
    })
}

/// Mirrors one axis of every block of `shape`.
fn flip<T>(values: &mut [T], shape: [usize; 3], axis: usize) {
    let inner: usize = shape[axis + 1..].iter().product();
    let n = shape[axis];
    for block in values.chunks_exact_mut((n * inner).max(1)) {
        for i in 0..n / 2 {
            let (first, second) = block.split_at_mut((n - 1 - i) * inner);
            first[i * inner..(i + 1) * inner].swap_with_slice(&mut second[..inner]);
        }
    }
}

fn gamma(channel: &mut [f32], exponent: f32) {
    let low = channel.iter().copied().fold(f32::INFINITY, f32::min);
    let range = channel.iter().copied().fold(f32::NEG_INFINITY, f32::max) - low;
    if range > 0.0 && range.is_finite() {
        channel.iter_mut().for_each(|v| *v = ((*v - low) / range).powf(exponent) * range + low);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn mirrored_twice_is_the_same() {
        let shape = [2, 3, 5];
        let first: Vec<u16> = (0..60).collect();
        for axis in 0..3 {
            let mut v = first.clone();
            flip(&mut v, shape, axis);
            assert_ne!(v, first);
            flip(&mut v, shape, axis);
            assert_eq!(v, first);
        }
    }

    #[test]
    fn a_quarter_turn_moves_voxels() {
        // About the depth: (y, x) of the new slice is taken from (-x, y).
        let map = inverse([std::f64::consts::FRAC_PI_2, 0.0, 0.0], 1.0, false);
        for (got, want) in map.iter().flatten().zip([1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0, 1.0, 0.0]) {
            assert!((got - want).abs() < 1e-15);
        }
        // Twice the size: halves of places.
        assert_eq!(inverse([0.0; 3], 2.0, true)[2], [0.0, 0.0, 0.5]);
    }

    #[test]
    fn values_and_labels_stay_together() {
        let shape = [12, 12, 12];
        let mut stream = Streams::new(4).stream("augment", 0);
        let ball = |i: usize| {
            let at = [i / 144, i / 12 % 12, i % 12].map(|v| v as f64 - 5.5);
            u16::from(at.iter().zip([1.0, 1.3, 0.8]).map(|(v, s)| v * v * s).sum::<f64>() < 12.0)
        };
        for _ in 0..8 {
            let mut labels: Vec<u16> = (0..1728).map(ball).collect();
            let mut values: Vec<f32> = labels.iter().map(|&l| f32::from(l)).collect();
            Augmentation::PUBLISHED.apply(&mut values, &mut labels, shape, &mut stream);
            // Interpolated values lie on the side of their label but for voxels at the surface.
            let wrong = values.iter().zip(&labels).filter(|(v, l)| (**v > 0.5) != (**l == 1)).count();
            assert!(labels.contains(&1) && wrong < 60, "{wrong}");
        }
        let mut values = vec![0.0, 0.5, 1.0];
        gamma(&mut values, 2.0);
        assert_eq!(values, [0.0, 0.25, 1.0]);
    }
}
