//! What the maps of a network mean: probabilities of nested regions, and levels.

use crate::kernels::{self, Activation, Real, sigmoid};
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// How maps become probabilities of regions.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Head {
    /// One map, one step of the staircase for each region.
    MultiLevel {
        /// Steepness of the steps.
        kappa: f64,
        /// Where the steps are, ascending.
        thresholds: Vec<f64>,
    },
    /// One map for each level and the background.
    Softmax {
        /// Levels C, without the background.
        levels: usize,
    },
    /// One map for each region.
    Sigmoids {
        /// Regions C.
        levels: usize,
    },
}

impl Head {
    /// The multi-level activation with `levels` steps, `spacing` apart and centred: t_m = spacing (m - (C + 1) / 2).
    pub fn multi_level(kappa: f64, spacing: f64, levels: usize) -> Self {
        let middle = 0.5 * (levels as f64 + 1.0);
        let thresholds = (1..=levels).map(|m| spacing * (m as f64 - middle)).collect();
        Self::MultiLevel { kappa, thresholds }
    }

    /// Number of nested regions C.
    pub fn levels(&self) -> usize {
        match self {
            Self::MultiLevel { thresholds, .. } => thresholds.len(),
            Self::Softmax { levels } | Self::Sigmoids { levels } => *levels,
        }
    }

    /// Maps that a network has to give.
    pub fn channels(&self) -> usize {
        match self {
            Self::MultiLevel { .. } => 1,
            Self::Softmax { levels } => levels + 1,
            Self::Sigmoids { levels } => *levels,
        }
    }

    /// Where the maps should start: below the first step by `logit` / kappa, so that every voxel is background and none is
    /// saturated (at 0.5, P_1 is about 0.38); 0 for the others, where all levels are alike.
    pub fn start(&self, logit: f64) -> Vec<f32> {
        match self {
            Self::MultiLevel { kappa, thresholds } => {
                vec![thresholds.first().map_or(0.0, |t| (t - logit / kappa) as f32)]
            }
            _ => vec![0.0; self.channels()],
        }
    }

    /// Probabilities of the regions [levels, area] from the maps [channels, area] of one sample.
    pub fn regions(&self, z: &[f32]) -> Vec<f32> {
        let area = z.len() / self.channels().max(1);
        let mut out = vec![0.0; self.levels() * area];
        match self {
            Self::MultiLevel { kappa, thresholds } => {
                for (map, t) in out.chunks_exact_mut(area.max(1)).zip(thresholds) {
                    let (k, t) = (*kappa as f32, *t as f32);
                    let logits: Vec<f32> = z.iter().map(|z| k * (z - t)).collect();
                    map.copy_from_slice(&kernels::activate(&logits, Activation::Sigmoid));
                }
            }
            Self::Sigmoids { .. } => out = kernels::activate(z, Activation::Sigmoid),
            Self::Softmax { levels } => {
                let maps: Vec<&[f32]> = z.chunks_exact(area.max(1)).collect();
                let (p, _) = softmax_maps(&maps);
                let mut above = vec![0.0; area];
                for m in (1..=*levels).rev() {
                    above.iter_mut().zip(&p[m * area..(m + 1) * area]).for_each(|(a, p)| *a += p);
                    out[(m - 1) * area..m * area].copy_from_slice(&above);
                }
            }
        }
        out
    }

    /// Levels \[area\] from the maps [channels, area] of one sample: the number of regions with P_m > 1/2 (multi-level),
    /// the likeliest level (softmax), the innermost region with P_m > 1/2 (sigmoids, whatever those around it say).
    pub fn decode(&self, z: &[f32]) -> Vec<u16> {
        let area = z.len() / self.channels().max(1);
        match self {
            Self::MultiLevel { .. } => decode_at(&self.regions(z), &vec![0.5; self.levels()]),
            Self::Sigmoids { levels } => (0..area)
                .map(|i| (1..=*levels).rev().find(|m| z[(m - 1) * area + i] > 0.0).unwrap_or(0) as u16)
                .collect(),
            Self::Softmax { levels } => (0..area)
                .map(|i| {
                    (1..=*levels).fold(0, |b, k| if z[k * area + i] > z[b * area + i] { k } else { b }) as u16
                })
                .collect(),
        }
    }

    /// a(z), the sum of the P_m of the multi-level activation (0 to C); `None` for the others.
    pub fn activation(&self, z: f64) -> Option<f64> {
        self.sum_over_steps(|_, p| p, z)
    }

    /// a'(z) = kappa sum of P_m (1 - P_m); `None` for heads other than the multi-level activation.
    pub fn slope(&self, z: f64) -> Option<f64> {
        self.sum_over_steps(|kappa, p| kappa * p * (1.0 - p), z)
    }

    fn sum_over_steps(&self, f: impl Fn(f64, f64) -> f64, z: f64) -> Option<f64> {
        let Self::MultiLevel { kappa, thresholds } = self else { return None };
        Some(thresholds.iter().map(|t| f(*kappa, sigmoid(kappa * (z - t)))).sum())
    }

    /// Fails on a head that means nothing.
    pub fn check(&self) -> Result<()> {
        if self.levels() == 0 || self.levels() > 255 {
            return Err(Error::config("1 to 255 levels", self.levels().to_string()).at("levels"));
        }
        if let Self::MultiLevel { kappa, thresholds } = self {
            if !(*kappa > 0.0 && kappa.is_finite()) {
                return Err(Error::config("a positive steepness", kappa.to_string()).at("kappa"));
            }
            let ascending = thresholds.windows(2).all(|w| w[0] < w[1]);
            if !(ascending && thresholds.iter().all(|t| t.is_finite())) {
                return Err(Error::config("ascending thresholds", format!("{thresholds:?}")).at("thresholds"));
            }
        }
        Ok(())
    }
}

/// Levels from probabilities [levels, area]: the number of regions with P_m above its `thresholds` entry.
pub fn decode_at(regions: &[f32], thresholds: &[f64]) -> Vec<u16> {
    let area = regions.len() / thresholds.len().max(1);
    let mut levels = vec![0_u16; area];
    for (map, u) in regions.chunks_exact(area.max(1)).zip(thresholds) {
        levels.iter_mut().zip(map).for_each(|(l, p)| *l += u16::from(*p > *u as f32));
    }
    levels
}

/// Voxels in region m + 1 but not in region m at P > 1/2, summed over m, of probabilities [levels, area].
pub fn violations(regions: &[f32], levels: usize) -> usize {
    let area = regions.len() / levels.max(1);
    let broken = |m: usize, i: usize| regions[m * area + i] > 0.5 && regions[(m - 1) * area + i] <= 0.5;
    (1..levels).map(|m| (0..area).filter(|i| broken(m, *i)).count()).sum()
}

/// Softmax over maps of one length: probabilities, map after map, and the logarithm of each voxel's normaliser.
pub(super) fn softmax_maps<T: Real>(maps: &[&[T]]) -> (Vec<T>, Vec<T>) {
    let Some((first, rest)) = maps.split_first() else { return (Vec::new(), Vec::new()) };
    let len = first.len();
    let mut most = first.to_vec();
    for map in rest {
        most.iter_mut().zip(*map).for_each(|(m, v)| *m = if *v > *m { *v } else { *m });
    }
    let shifted: Vec<T> = maps.iter().flat_map(|map| map.iter().zip(&most).map(|(v, m)| *v - *m)).collect();
    let mut p = kernels::activate(&shifted, Activation::Exp);
    let mut total = vec![T::ZERO; len];
    for map in p.chunks_exact(len.max(1)) {
        total.iter_mut().zip(map).for_each(|(t, p)| *t += *p);
    }
    for map in p.chunks_exact_mut(len.max(1)) {
        map.iter_mut().zip(&total).for_each(|(p, t)| *p = *p / *t);
    }
    let logarithms = kernels::activate(&total, Activation::Ln);
    most.iter_mut().zip(&logarithms).for_each(|(m, l)| *m += *l);
    (p, most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_staircase() {
        let head = Head::multi_level(10.0, 0.5, 3);
        assert_eq!(head, Head::MultiLevel { kappa: 10.0, thresholds: vec![-0.5, 0.0, 0.5] });
        assert_eq!(
            Head::multi_level(10.0, 0.5, 2),
            Head::MultiLevel { kappa: 10.0, thresholds: vec![-0.25, 0.25] }
        );
        let a = |z: f64| head.activation(z).expect("multi-level");
        assert!(a(-50.0) < 1e-12 && (a(50.0) - 3.0).abs() < 1e-12);
        for z in [-1.3, -0.5, -0.21, 0.0, 0.4, 2.0] {
            assert!((a(-z) - (3.0 - a(z))).abs() < 1e-12, "{z}");
            let slope = head.slope(z).expect("multi-level");
            // Central differences at 1e-5 with a third derivative below kappa^3.
            assert!((slope - (a(z + 1e-5) - a(z - 1e-5)) / 2e-5).abs() < 1e-6, "{z}");
        }
        // Half a unit of the logit below the first step.
        assert_eq!(head.start(0.5), [-0.55]);
        assert!((sigmoid(-0.5_f64) - 0.3775).abs() < 1e-4);
    }

    #[test]
    fn decoding() {
        let head = Head::multi_level(10.0, 0.5, 3);
        let z = [-0.7, -0.4, 0.1, 0.6_f32];
        assert_eq!(head.decode(&z), [0, 1, 2, 3]);
        // The level is a(z) rounded, where a is the sum and not the mean.
        let rounded = z.map(|z| head.activation(f64::from(z)).expect("multi-level").round() as u16);
        assert_eq!(rounded, [0, 1, 2, 3]);
        assert_eq!(violations(&head.regions(&z), 3), 0);
        let soft = Head::Softmax { levels: 2 };
        // Voxel 0: levels 0.2, 1.0, 0.9; voxel 1: 3, 1, 2.
        let z = [0.2, 3.0, 1.0, 1.0, 0.9, 2.0_f32];
        assert_eq!(soft.decode(&z), [1, 0]);
        let p = soft.regions(&z);
        assert!(p[0] > p[2] && (p[0] - 1.0 + 1.0 / (1.0 + 0.8_f32.exp() + 0.7_f32.exp())).abs() < 1e-6);
        let sigmoids = Head::Sigmoids { levels: 2 };
        let z = [-1.0, 1.0, 1.0, -1.0_f32];
        assert_eq!(sigmoids.decode(&z), [2, 1]);
        assert_eq!(violations(&sigmoids.regions(&z), 2), 1);
        assert_eq!(decode_at(&[0.4, 0.6, 0.3, 0.5], &[0.35, 0.4]), [1, 2]);
        assert!(Head::MultiLevel { kappa: 0.0, thresholds: vec![0.0] }.check().is_err());
        assert!(Head::MultiLevel { kappa: 1.0, thresholds: vec![0.5, 0.0] }.check().is_err());
    }
}
