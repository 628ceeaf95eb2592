//! Exact Euclidean distance transform of a mask on a grid with voxel sizes.
//!
//! The squared distance to the nearest marked voxel separates over the axes: along each line it is the lower envelope
//! of parabolas (P. Felzenszwalb, D. Huttenlocher, Theory of Computing 8, 2012), found in linear time.

use neuropil_core::{Error, Result};
use rayon::prelude::*;

/// Squared distance of every voxel to the nearest marked one, in squared units of `spacing`; infinite everywhere if none
/// is marked. `mask` is [depth, height, width] in C order, `spacing` the distance of neighbours along each of these axes.
pub fn squared_distance(mask: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Result<Vec<f64>> {
    let count = shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    if count != Some(mask.len()) {
        return Err(Error::input(format!("a mask of shape {shape:?}"), format!("{} voxels", mask.len())));
    }
    if let Some(s) = spacing.iter().find(|s| !(s.is_finite() && **s > 0.0)) {
        return Err(Error::input("positive distances of neighbours", s.to_string()));
    }
    let mut squared: Vec<f64> = mask.iter().map(|&m| if m { 0.0 } else { f64::INFINITY }).collect();
    if squared.is_empty() {
        return Ok(squared);
    }
    let [_, h, w] = shape;
    // Along the width lines are contiguous, along the height they lie in one plane.
    squared.par_chunks_mut(w).for_each_init(Envelope::default, |e, line| e.run(line, 1, w, spacing[2]));
    squared.par_chunks_mut(h * w).for_each_init(Envelope::default, |e, plane| {
        (0..w).for_each(|x| e.run(&mut plane[x..], w, h, spacing[1]));
    });
    if shape[0] > 1 {
        // Lines along the depth are gathered, so that threads write apart.
        let area = h * w;
        let lines: Vec<Vec<f64>> = (0..area)
            .into_par_iter()
            .map_init(Envelope::default, |e, p| {
                let mut line: Vec<f64> = (0..shape[0]).map(|z| squared[z * area + p]).collect();
                e.run(&mut line, 1, shape[0], spacing[0]);
                line
            })
            .collect();
        squared.par_chunks_mut(area).enumerate().for_each(|(z, plane)| {
            plane.iter_mut().zip(&lines).for_each(|(v, line)| *v = line[z]);
        });
    }
    Ok(squared)
}

/// Distance of every voxel to the nearest marked one; see [`squared_distance`].
pub fn distance(mask: &[bool], shape: [usize; 3], spacing: [f64; 3]) -> Result<Vec<f64>> {
    let mut d = squared_distance(mask, shape, spacing)?;
    d.par_iter_mut().for_each(|v| *v = v.sqrt());
    Ok(d)
}

/// The lower envelope of the parabolas f(q) + s^2 (p - q)^2 of one line.
#[derive(Default)]
struct Envelope {
    /// Apexes of the parabolas of the envelope and their heights.
    apexes: Vec<(usize, f64)>,
    /// Where each takes over from the one before.
    starts: Vec<f64>,
}

impl Envelope {
    /// Replaces the `n` values at 0, step, 2 step, ... by their envelope.
    fn run(&mut self, values: &mut [f64], step: usize, n: usize, spacing: f64) {
        self.apexes.clear();
        self.starts.clear();
        let s2 = spacing * spacing;
        for q in 0..n {
            let f = values[q * step];
            if f == f64::INFINITY {
                continue;
            }
            let mut start = f64::NEG_INFINITY;
            while let (Some(&(r, g)), Some(&taken)) = (self.apexes.last(), self.starts.last()) {
                let (a, b) = (q as f64, r as f64);
                start = ((f - g) / s2 + a * a - b * b) / (2.0 * (a - b));
                if start > taken {
                    break;
                }
                self.apexes.pop();
                self.starts.pop();
                start = f64::NEG_INFINITY;
            }
            self.apexes.push((q, f));
            self.starts.push(start);
        }
        if self.apexes.is_empty() {
            return;
        }
        let mut k = 0;
        for p in 0..n {
            while self.starts.get(k + 1).is_some_and(|s| *s < p as f64) {
                k += 1;
            }
            let (q, f) = self.apexes[k];
            let d = (p as f64 - q as f64) * spacing;
            values[p * step] = f + d * d;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn equals_the_search_over_all_marked_voxels() -> Result<()> {
        let mut stream = Streams::new(3).stream("mask", 0);
        for (shape, spacing, density) in [
            ([7, 5, 9], [1.0, 1.0, 1.0], 0.05),
            ([4, 6, 5], [2.5, 0.7, 1.3], 0.1),
            ([1, 8, 3], [1.0, 3.0, 0.5], 0.2),
            ([6, 1, 1], [0.4, 1.0, 1.0], 0.5),
        ] {
            let [d, h, w] = shape;
            let mut mask: Vec<bool> = (0..d * h * w).map(|_| stream.bernoulli(density)).collect();
            mask[0] = true;
            let got = squared_distance(&mask, shape, spacing)?;
            let place = |i: usize| [i / (h * w), i / w % h, i % w];
            for (i, g) in got.iter().enumerate() {
                let far = |j: usize| {
                    let (a, b) = (place(i), place(j));
                    (0..3).map(|k| ((a[k] as f64 - b[k] as f64) * spacing[k]).powi(2)).sum::<f64>()
                };
                let want = (0..mask.len()).filter(|&j| mask[j]).map(far).fold(f64::INFINITY, f64::min);
                // The same three squares, added in another order.
                assert!((g - want).abs() < 1e-12 * (1.0 + want), "{shape:?} {i}: {g} {want}");
            }
        }
        Ok(())
    }

    #[test]
    fn nothing_marked_is_infinitely_far_and_sizes_are_checked() {
        let far = squared_distance(&[false; 8], [2, 2, 2], [1.0; 3]).expect("fits");
        assert!(far.iter().all(|v| *v == f64::INFINITY));
        assert!(squared_distance(&[true; 8], [2, 2, 3], [1.0; 3]).is_err());
        assert!(squared_distance(&[true; 8], [2, 2, 2], [1.0, 0.0, 1.0]).is_err());
        assert!(squared_distance(&[], [0, 2, 2], [1.0; 3]).expect("empty").is_empty());
    }
}
