//! Volumes with structures that contain one another, as a glioma in a multi-modal MRI does.
//!
//! Level 1 is a bumpy ellipsoid (edema), level 2 a smaller one inside of it (core), level 3 one inside of that (enhancing
//! tumour). Four channels show each level at a mean of their own, some of them alike for two levels, under a smooth bias
//! field, voxel noise and a gain for each case.

use neuropil_core::{Error, Result, Stream, Volume};
use std::f64::consts::PI;

/// Mean of each channel (rows) at levels 0 to 3. Levels 2 and 3 overlap in some channels on purpose.
const MEANS: [[f64; 4]; 4] =
    [[0.0, 1.0, 0.6, 1.0], [0.0, 0.3, 0.9, 1.1], [0.0, 0.2, -0.3, 0.9], [0.0, 0.8, 0.5, 0.4]];
/// Radius of each level in radii of the whole.
const RADII: [f64; 3] = [1.0, 0.68, 0.42];
/// Weight of the harmonics that modulate a surface.
const BUMPS: f64 = 0.15;
/// Standard deviation of the bias field, averaged over the volume.
const BIAS: f64 = 0.2;
/// Width of the blur of the noise, in voxels.
const BLUR: f64 = 0.5;

/// A generator of volumes [4, size, size, size] with labels 0 to 3 and voxels of 1 mm.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NestedPhantom {
    /// Voxels along each side, at least 8.
    pub size: usize,
    /// Standard deviation of the voxel noise before it is blurred; 0.6 in the published size.
    pub noise: f64,
    /// Level 3 is a shell around level 2 instead of its inside, which breaks the order of the levels: a ray outwards
    /// meets 2, 3, 1, 0.
    pub rim: bool,
}

/// One closed surface around a centre.
struct Surface {
    centre: [f64; 3],
    /// Rows are the axes.
    rotation: [[f64; 3]; 3],
    /// Half axes in voxels.
    half: [f64; 3],
    /// Weights of the real spherical harmonics of degrees 1 to 3.
    bumps: [f64; 15],
}

/// Real spherical harmonics of degrees 1, 2 and 3 at a unit vector, orthonormal over the sphere.
fn harmonics([x, y, z]: [f64; 3]) -> [f64; 15] {
    let one = (3.0 / (4.0 * PI)).sqrt();
    let two = (15.0 / (4.0 * PI)).sqrt();
    let three = |k: f64| (k / (32.0 * PI)).sqrt();
    [
        one * y,
        one * z,
        one * x,
        two * x * y,
        two * y * z,
        (5.0 / (16.0 * PI)).sqrt() * (3.0 * z * z - 1.0),
        two * x * z,
        0.5 * two * (x * x - y * y),
        three(35.0) * y * (3.0 * x * x - y * y),
        (105.0 / (4.0 * PI)).sqrt() * x * y * z,
        three(21.0) * y * (5.0 * z * z - 1.0),
        (7.0 / (16.0 * PI)).sqrt() * z * (5.0 * z * z - 3.0),
        three(21.0) * x * (5.0 * z * z - 1.0),
        0.5 * (105.0 / (4.0 * PI)).sqrt() * z * (x * x - y * y),
        three(35.0) * x * (x * x - 3.0 * y * y),
    ]
}

/// A rotation drawn uniformly: a random unit quaternion.
fn rotation(stream: &mut Stream) -> [[f64; 3]; 3] {
    let q: [f64; 4] = std::array::from_fn(|_| stream.normal());
    let n = q.iter().map(|v| v * v).sum::<f64>().sqrt().max(1e-12);
    let [a, b, c, d] = q.map(|v| v / n);
    [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ]
}

impl Surface {
    fn draw(size: f64, centre: [f64; 3], radius: f64, stream: &mut Stream) -> Self {
        let half = std::array::from_fn(|_| radius * stream.uniform_in(0.8, 1.25));
        let rotation = rotation(stream);
        let centre = centre.map(|c| c + size / 60.0 * stream.normal());
        let mut bumps = [0.0; 15];
        for k in stream.choose(bumps.len(), 3) {
            bumps[k] = BUMPS * stream.normal();
        }
        Self { centre, rotation, half, bumps }
    }

    fn contains(&self, at: [f64; 3]) -> bool {
        let d: [f64; 3] = std::array::from_fn(|k| at[k] - self.centre[k]);
        let distance = d.iter().map(|v| v * v).sum::<f64>().sqrt();
        if distance == 0.0 {
            return true;
        }
        let turned = self.rotation.map(|row| row.iter().zip(&d).map(|(r, v)| r * v).sum::<f64>());
        let size: f64 = turned.iter().zip(&self.half).map(|(t, h)| (t / h) * (t / h)).sum();
        let y = harmonics(turned.map(|v| v / distance));
        let bump: f64 = y.iter().zip(&self.bumps).map(|(y, w)| y * w).sum();
        size.sqrt() <= (1.0 + bump).max(0.2)
    }
}

/// A smooth field: one patch of a cubic B-spline with 4 x 4 x 4 random coefficients.
fn bias_field(size: usize, stream: &mut Stream) -> Vec<f64> {
    // The squares of the four basis functions sum to 151/315 on average, along each of three axes.
    let sd = BIAS / (151.0_f64 / 315.0).powf(1.5);
    let coefficients: Vec<f64> = (0..64).map(|_| sd * stream.normal()).collect();
    let basis: Vec<[f64; 4]> = (0..size)
        .map(|i| {
            let u = (i as f64 + 0.5) / size as f64;
            let (u2, u3) = (u * u, u * u * u);
            [
                (1.0 - u).powi(3) / 6.0,
                (3.0 * u3 - 6.0 * u2 + 4.0) / 6.0,
                (-3.0 * u3 + 3.0 * u2 + 3.0 * u + 1.0) / 6.0,
                u3 / 6.0,
            ]
        })
        .collect();
    let mut field = Vec::with_capacity(size.pow(3));
    for bz in &basis {
        let plane: [f64; 16] =
            std::array::from_fn(|k| (0..4).map(|z| bz[z] * coefficients[z * 16 + k]).sum());
        for by in &basis {
            let line: [f64; 4] = std::array::from_fn(|k| (0..4).map(|y| by[y] * plane[y * 4 + k]).sum());
            field.extend(basis.iter().map(|bx| (0..4).map(|x| bx[x] * line[x]).sum::<f64>()));
        }
    }
    field
}

/// White noise blurred by a Gaussian of [`BLUR`] voxels along each axis, mirrored at the ends.
fn noise(size: usize, sd: f64, stream: &mut Stream) -> Vec<f64> {
    let raw: Vec<f64> = (0..3).map(|k| (-0.5 * (f64::from(k) / BLUR).powi(2)).exp()).collect();
    let total = raw[0] + 2.0 * (raw[1] + raw[2]);
    let kernel: Vec<f64> = raw.iter().map(|v| v / total).collect();
    let mut values: Vec<f64> = (0..size.pow(3)).map(|_| sd * stream.normal()).collect();
    let mirrored = |i: isize| {
        let n = size as isize;
        let i = if i < 0 { -i - 1 } else { i };
        (if i >= n { 2 * n - i - 1 } else { i }) as usize
    };
    for step in [size * size, size, 1] {
        let before = values.clone();
        for (i, v) in values.iter_mut().enumerate() {
            let at = i / step % size;
            let first = i - at * step;
            *v = (-2..=2_isize)
                .map(|k| kernel[k.unsigned_abs()] * before[first + mirrored(at as isize + k) * step])
                .sum();
        }
    }
    values
}

impl NestedPhantom {
    /// The published phantom of this size.
    pub fn new(size: usize) -> Self {
        Self { size, noise: 0.6, rim: false }
    }

    /// One case. Fails on fewer than 8 or more than 512 voxels a side and on a noise that is not finite.
    pub fn draw(&self, stream: &mut Stream) -> Result<Volume> {
        let s = self.size;
        if !((8..=512).contains(&s) && self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(Error::config(
                "8 to 512 voxels a side and a noise of at least 0",
                format!("{self:?}"),
            ));
        }
        let size = s as f64;
        let centre: [f64; 3] = std::array::from_fn(|_| stream.uniform_in(size / 3.0, 2.0 * size / 3.0));
        let radius = stream.uniform_in(0.22, 0.32) * size;
        let surfaces = RADII.map(|r| Surface::draw(size, centre, r * radius, stream));
        let mut labels = Vec::with_capacity(s.pow(3));
        for z in 0..s {
            for y in 0..s {
                for x in 0..s {
                    let at = [z, y, x].map(|v| v as f64 + 0.5);
                    // A level ends where the one around it ends.
                    labels.push(surfaces.iter().take_while(|surface| surface.contains(at)).count() as u16);
                }
            }
        }
        if self.rim {
            for l in &mut labels {
                *l = [0, 1, 3, 2][usize::from(*l)];
            }
        }
        let gain = stream.uniform_in(0.8, 1.2);
        let mut values = Vec::with_capacity(4 * s.pow(3));
        for means in MEANS {
            let (bias, noise) = (bias_field(s, stream), noise(s, self.noise, stream));
            let voxel = |((l, b), n): ((&u16, f64), f64)| (gain * (means[usize::from(*l)] + b) + n) as f32;
            values.extend(labels.iter().zip(bias).zip(noise).map(voxel));
        }
        let mut volume = Volume::new([4, s, s, s], values, [1.0; 3])?;
        volume.labels = Some(labels);
        Ok(volume)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn harmonics_are_orthonormal() {
        // Gauss-Legendre over z with 8 nodes is exact to degree 15, the trapezoid rule over the longitude to 15 waves.
        let nodes = [
            (0.1834346424956498, 0.362683783378362),
            (0.525532409916329, 0.3137066458778873),
            (0.7966664774136267, 0.2223810344533745),
            (0.9602898564975363, 0.1012285362903763),
        ];
        let mut products = [[0.0; 15]; 15];
        for (node, weight) in nodes.iter().flat_map(|(n, w)| [(*n, *w), (-*n, *w)]) {
            for k in 0..16 {
                let angle = 2.0 * PI * f64::from(k) / 16.0;
                let r = (1.0_f64 - node * node).sqrt();
                let y = harmonics([r * angle.cos(), r * angle.sin(), node]);
                for i in 0..15 {
                    for j in 0..15 {
                        products[i][j] += weight * 2.0 * PI / 16.0 * y[i] * y[j];
                    }
                }
            }
        }
        for (i, row) in products.iter().enumerate() {
            for (j, p) in row.iter().enumerate() {
                assert!((p - f64::from(u8::from(i == j))).abs() < 1e-12, "{i} {j} {p}");
            }
        }
    }

    #[test]
    fn levels_are_nested_and_everywhere() -> Result<()> {
        let streams = Streams::new(5);
        for k in 0..12 {
            let v = NestedPhantom::new(24).draw(&mut streams.stream("phantom", k))?;
            let labels = v.labels.clone().unwrap_or_default();
            let share = |m: u16| labels.iter().filter(|l| **l >= m).count() as f64 / labels.len() as f64;
            // A ball of radius 0.22 to 0.32 sides is 4 to 14 % of the cube; axis ratios and bumps widen that.
            assert!((0.015..0.35).contains(&share(1)), "{}", share(1));
            assert!(share(2) < share(1) && share(3) < share(2) && share(3) > 0.0, "{k}");
            assert!(v.values.iter().all(|x| x.is_finite()));
        }
        Ok(())
    }

    #[test]
    fn field_and_noise_have_their_size() {
        let streams = Streams::new(8);
        let sd = |n: u64, f: &dyn Fn(&mut Stream) -> Vec<f64>| {
            let all: Vec<f64> = (0..n).flat_map(|k| f(&mut streams.stream("field", k))).collect();
            (all.iter().map(|v| v * v).sum::<f64>() / all.len() as f64).sqrt()
        };
        // 300 fields, each of about 3 independent values (it is smooth): 2.4 %, taken three times.
        let field = sd(300, &|s| bias_field(8, s));
        assert!((field - 0.2).abs() < 0.0145, "{field}");
        // The blur leaves 0.6414 of the variance along each axis, 0.809 in the first and last of 24 voxels.
        let kept = 0.6 * ((22.0 * 0.64136 + 2.0 * 0.8089) / 24.0_f64).powf(1.5);
        let blurred = sd(10, &|s| noise(24, 0.6, s));
        assert!((blurred - kept).abs() < 0.01 * kept, "{blurred} {kept}");
    }

    #[test]
    fn a_rim_goes_around_the_core() -> Result<()> {
        let streams = Streams::new(5);
        let plain = NestedPhantom::new(16).draw(&mut streams.stream("phantom", 1))?;
        let rim =
            NestedPhantom { rim: true, ..NestedPhantom::new(16) }.draw(&mut streams.stream("phantom", 1))?;
        let swap = |l: &u16| [0, 1, 3, 2][usize::from(*l)];
        let swapped: Option<Vec<u16>> = plain.labels.map(|l| l.iter().map(swap).collect());
        assert_eq!(swapped, rim.labels);
        assert!(NestedPhantom::new(4).draw(&mut streams.stream("phantom", 1)).is_err());
        Ok(())
    }
}
