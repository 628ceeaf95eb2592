//! Losses of nested regions with their gradients, as one operation.

use super::head::{Head, softmax_maps};
use crate::fused::{Fused, Saved, apply1, apply2};
use crate::kernels::{self, Activation, Real, sigmoid};
use burn::tensor::Tensor;
use neuropil_core::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Voxels per task.
const BLOCK: usize = 4096;
/// Largest weight of a voxel in the normalised loss.
const MOST_WEIGHT: f64 = 10.0;
/// Added above and below in the Dice loss.
const SMOOTH: f64 = 1.0;

/// What is minimised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Modified cross-entropy.
    Mce,
    /// The same, voxels weighted by the rarity of their level.
    Nce,
    /// Soft Dice of the regions.
    Dice,
    /// MCE + Dice.
    MceDice,
    /// NCE + Dice.
    NceDice,
}

impl Loss {
    fn voxels(self) -> bool {
        self != Self::Dice
    }

    fn normalised(self) -> bool {
        matches!(self, Self::Nce | Self::NceDice)
    }

    fn regions(self) -> bool {
        matches!(self, Self::Dice | Self::MceDice | Self::NceDice)
    }
}

/// A loss with its gradients.
#[derive(Debug, Clone, PartialEq)]
pub struct Evaluated<T> {
    /// The loss.
    pub value: f64,
    /// Its gradient with respect to the maps.
    pub maps: Vec<T>,
    /// Its gradient with respect to the thresholds of the multi-level activation; empty for the others.
    pub thresholds: Vec<f64>,
}

/// Sums over a block of voxels.
#[derive(Default, Clone)]
struct Sums {
    /// Weighted cross-entropy.
    loss: f64,
    /// Per region: sum of P g, of P and of g.
    regions: Vec<[f64; 3]>,
}

/// Everything that the voxels of a block need.
struct Terms<'a, T> {
    head: &'a Head,
    z: &'a [T],
    targets: &'a [u16],
    area: usize,
    /// Weight of a voxel by its level; zeros without a loss of voxels.
    weights: Vec<T>,
}

/// The loss of maps `z` [n, channels, area] against levels `targets` [n, area], each at most the levels of the head, and
/// its gradients. In double precision for finite differences, in single precision for training.
pub fn evaluate<T: Real>(z: &[T], head: &Head, targets: &[u16], area: usize, loss: Loss) -> Evaluated<T> {
    let (levels, channels, n) = (head.levels(), head.channels(), targets.len() as f64);
    let mut counts = vec![0_usize; levels + 1];
    targets.iter().for_each(|t| counts[usize::from(*t).min(levels)] += 1);
    let weight = |count: usize| {
        let share = (levels as f64 + 1.0) * count as f64 / n;
        let rarity = if loss.normalised() { (1.0 / share).min(MOST_WEIGHT) } else { 1.0 };
        T::of(if loss.voxels() && count > 0 { rarity / n } else { 0.0 })
    };
    let weights = counts.into_iter().map(weight).collect();
    let terms = Terms { head, z, targets, area, weights };
    let blocks: Vec<(usize, Range<usize>)> = (0..targets.len() / area.max(1))
        .flat_map(|s| (0..area.div_ceil(BLOCK)).map(move |b| (s, b * BLOCK..((b + 1) * BLOCK).min(area))))
        .collect();
    let found: Vec<(Vec<T>, Sums)> =
        blocks.par_iter().map(|(s, range)| terms.probabilities(*s, range)).collect();
    let mut total = Sums { loss: 0.0, regions: vec![[0.0; 3]; levels] };
    for (_, sums) in &found {
        total.loss += sums.loss;
        for (t, s) in total.regions.iter_mut().zip(&sums.regions) {
            (0..3).for_each(|k| t[k] += s[k]);
        }
    }
    // dDice/dP_m outside and inside of region m.
    let mut value = total.loss;
    let mut slopes = vec![[T::ZERO; 2]; levels];
    if loss.regions() {
        let share = 1.0 / levels as f64;
        value += 1.0;
        for (slope, [pg, p, g]) in slopes.iter_mut().zip(&total.regions) {
            let (above, below) = (2.0 * pg + SMOOTH, p + g + SMOOTH);
            value -= share * above / below;
            let outside = share * above / (below * below);
            *slope = [T::of(outside), T::of(outside - share * 2.0 / below)];
        }
    }
    let parts: Vec<(Vec<T>, Vec<f64>)> = blocks
        .par_iter()
        .zip(&found)
        .map(|((s, range), (p, _))| terms.gradient(*s, range, p, &slopes))
        .collect();
    let mut maps = vec![T::ZERO; z.len()];
    let mut thresholds = vec![0.0; parts.first().map_or(0, |p| p.1.len())];
    for ((s, range), (gradient, own)) in blocks.iter().zip(&parts) {
        for (c, g) in gradient.chunks_exact(range.len()).enumerate() {
            let from = (s * channels + c) * area + range.start;
            maps[from..from + range.len()].copy_from_slice(g);
        }
        thresholds.iter_mut().zip(own).for_each(|(t, o)| *t += o);
    }
    Evaluated { value, maps, thresholds }
}

impl<T: Real> Terms<'_, T> {
    /// The levels of a block.
    fn levels_of(&self, sample: usize, range: &Range<usize>) -> &[u16] {
        &self.targets[sample * self.area + range.start..sample * self.area + range.end]
    }

    /// Channel `c` of a sample.
    fn map(&self, sample: usize, c: usize) -> &[T] {
        let from = (sample * self.head.channels() + c) * self.area;
        &self.z[from..from + self.area]
    }

    /// Factor and shift that turn the map of a region into its logit.
    fn step(&self, m: usize) -> (usize, T, T) {
        match self.head {
            Head::MultiLevel { kappa, thresholds } => (0, T::of(*kappa), T::of(thresholds[m])),
            _ => (m, T::ONE, T::ZERO),
        }
    }

    /// Probabilities of a block, of the regions or (softmax) of the levels, and its sums.
    fn probabilities(&self, sample: usize, range: &Range<usize>) -> (Vec<T>, Sums) {
        let (levels, len) = (self.head.levels(), range.len());
        let targets = self.levels_of(sample, range);
        let mut sums = Sums { loss: 0.0, regions: vec![[0.0; 3]; levels] };
        if let Head::Softmax { .. } = self.head {
            let maps: Vec<&[T]> = (0..=levels).map(|k| &self.map(sample, k)[range.clone()]).collect();
            let (p, normalisers) = softmax_maps(&maps);
            for (i, target) in targets.iter().enumerate() {
                let y = usize::from(*target);
                sums.loss += (self.weights[y] * (normalisers[i] - maps[y][i])).wide();
                let mut above = T::ZERO;
                for k in (1..=levels).rev() {
                    above += p[k * len + i];
                    let inside = f64::from(u8::from(y >= k));
                    let s = &mut sums.regions[k - 1];
                    s[0] += inside * above.wide();
                    s[1] += above.wide();
                    s[2] += inside;
                }
            }
            return (p, sums);
        }
        let mut p = Vec::with_capacity(levels * len);
        for m in 0..levels {
            let (channel, kappa, t) = self.step(m);
            let logits: Vec<T> =
                self.map(sample, channel)[range.clone()].iter().map(|z| kappa * (*z - t)).collect();
            // e^-|u| gives both the probability and the logarithms, which are never those of a rounded probability.
            let sizes: Vec<T> = logits.iter().map(|u| if *u > T::ZERO { -*u } else { *u }).collect();
            let small = kernels::activate(&sizes, Activation::Exp);
            let above: Vec<T> = small.iter().map(|e| T::ONE + *e).collect();
            let logarithms = kernels::activate(&above, Activation::Ln);
            let s = &mut sums.regions[m];
            for (i, target) in targets.iter().enumerate() {
                let (inside, u) = (usize::from(*target) > m, logits[i]);
                let positive = u > T::ZERO;
                let own = if positive { T::ONE } else { small[i] } / above[i];
                // -ln P inside, -ln (1 - P) outside.
                let wrong = if inside == positive { logarithms[i] } else { logarithms[i] - sizes[i] };
                sums.loss += (self.weights[usize::from(*target)] * wrong).wide();
                let g = f64::from(u8::from(inside));
                s[0] += g * own.wide();
                s[1] += own.wide();
                s[2] += g;
                p.push(own);
            }
        }
        (p, sums)
    }

    /// Gradients of a block, [channels, voxels], and of the thresholds.
    fn gradient(
        &self,
        sample: usize,
        range: &Range<usize>,
        p: &[T],
        slopes: &[[T; 2]],
    ) -> (Vec<T>, Vec<f64>) {
        let (levels, len) = (self.head.levels(), range.len());
        let targets = self.levels_of(sample, range);
        let mut out = vec![T::ZERO; self.head.channels() * len];
        let mut thresholds = Vec::new();
        if let Head::Softmax { .. } = self.head {
            for (i, target) in targets.iter().enumerate() {
                let y = usize::from(*target);
                let slope = |m: usize| slopes[m - 1][usize::from(y >= m)];
                // The mean over levels of what their regions ask for.
                let (mut along, mut above) = (T::ZERO, T::ZERO);
                for m in (1..=levels).rev() {
                    above += p[m * len + i];
                    along += slope(m) * above;
                }
                let mut inner = T::ZERO;
                for k in 0..=levels {
                    if k > 0 {
                        inner += slope(k);
                    }
                    let own = p[k * len + i];
                    let hit = if k == y { T::ONE } else { T::ZERO };
                    out[k * len + i] = self.weights[y] * (own - hit) + own * (inner - along);
                }
            }
            return (out, thresholds);
        }
        for (m, p) in p.chunks_exact(len).enumerate() {
            let (channel, kappa, _) = self.step(m);
            let mut total = 0.0;
            let row = &mut out[channel * len..(channel + 1) * len];
            for ((o, p), target) in row.iter_mut().zip(p).zip(targets) {
                let inside = usize::from(*target) > m;
                let g = if inside { T::ONE } else { T::ZERO };
                let slope = slopes[m][usize::from(inside)];
                let d = kappa * (self.weights[usize::from(*target)] * (*p - g) + *p * (T::ONE - *p) * slope);
                *o += d;
                total += d.wide();
            }
            if matches!(self.head, Head::MultiLevel { .. }) {
                thresholds.push(-total);
            }
        }
        (out, thresholds)
    }
}

/// Ascending thresholds from free numbers: the first as it is, then gaps ln(1 + e^r).
pub fn ordered_thresholds(raw: &[f32]) -> Vec<f64> {
    let mut t = 0.0;
    raw.iter()
        .enumerate()
        .map(|(m, &r)| {
            let r = f64::from(r);
            t += if m == 0 { r } else { r.max(0.0) + (-r.abs()).exp().ln_1p() };
            t
        })
        .collect()
}

/// The free numbers of ascending thresholds: the inverse of [`ordered_thresholds`].
pub fn free_thresholds(thresholds: &[f64]) -> Vec<f32> {
    let gap = |w: &[f64]| (w[1] - w[0]).exp_m1().ln() as f32;
    thresholds.first().map(|t| *t as f32).into_iter().chain(thresholds.windows(2).map(gap)).collect()
}

struct SegmentationOp {
    head: Head,
    targets: Vec<u16>,
    area: usize,
    loss: Loss,
}

impl Fused for SegmentationOp {
    fn shape(&self, _: &[&[usize]]) -> Vec<usize> {
        vec![1]
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let [z, raw] = inputs else {
            let found = evaluate(inputs[0], &self.head, &self.targets, self.area, self.loss);
            return (vec![found.value as f32], found.maps);
        };
        let mut head = self.head.clone();
        if let Head::MultiLevel { thresholds, .. } = &mut head {
            *thresholds = ordered_thresholds(raw);
        }
        let found = evaluate(z, &head, &self.targets, self.area, self.loss);
        // A free number moves its own threshold and all behind it.
        let mut kept = found.maps;
        for (m, r) in raw.iter().enumerate() {
            let moved: f64 = found.thresholds[m..].iter().sum();
            kept.push((moved * if m == 0 { 1.0 } else { sigmoid(f64::from(*r)) }) as f32);
        }
        (vec![found.value as f32], kept)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let mut gradient = s.kept.to_vec();
        kernels::scale(&mut gradient, s.gradient[0]);
        let raw = gradient.split_off(s.inputs[0].len());
        if s.inputs.len() > 1 { vec![gradient, raw] } else { vec![gradient] }
    }
}

fn operation(z: &Tensor<5>, head: &Head, targets: &[u16], loss: Loss) -> Result<SegmentationOp> {
    head.check()?;
    let [n, channels, d, h, w] = z.dims();
    let area = d * h * w;
    if channels != head.channels() || targets.len() != n * area || targets.is_empty() {
        return Err(Error::input(
            format!("maps of {} channels and a level per voxel", head.channels()),
            format!("maps {:?} and {} levels", z.dims(), targets.len()),
        ));
    }
    if let Some(t) = targets.iter().find(|t| usize::from(**t) > head.levels()) {
        return Err(Error::input(format!("levels up to {}", head.levels()), t.to_string()));
    }
    Ok(SegmentationOp { head: head.clone(), targets: targets.to_vec(), area, loss })
}

/// The loss of maps [n, channels, depth, height, width] against levels [n, depth, height, width].
pub fn segmentation_loss(z: Tensor<5>, head: &Head, targets: &[u16], loss: Loss) -> Result<Tensor<1>> {
    let op = operation(&z, head, targets, loss)?;
    Ok(apply1(op, z))
}

/// The same with thresholds that are learnt (an ordinal regression): `raw` \[C\] are the free numbers of
/// [`ordered_thresholds`].
pub fn ordinal_loss(
    z: Tensor<5>,
    raw: Tensor<1>,
    kappa: f64,
    targets: &[u16],
    loss: Loss,
) -> Result<Tensor<1>> {
    // Their values are read from `raw` when the loss is computed.
    let op = operation(&z, &Head::multi_level(kappa, 1.0, raw.dims()[0]), targets, loss)?;
    Ok(apply2(op, z, raw))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heads() -> [Head; 4] {
        [
            Head::multi_level(10.0, 0.5, 3),
            Head::MultiLevel { kappa: 4.0, thresholds: vec![-0.8, 0.3] },
            Head::Softmax { levels: 3 },
            Head::Sigmoids { levels: 2 },
        ]
    }

    const LOSSES: [Loss; 5] = [Loss::Mce, Loss::Nce, Loss::Dice, Loss::MceDice, Loss::NceDice];

    fn case(head: &Head) -> (Vec<f64>, Vec<u16>, usize) {
        let area = 7;
        let z = (0..2 * head.channels() * area).map(|i| 1.2 * (i as f64 * 1.7).sin()).collect();
        let levels = head.levels() as u16 + 1;
        let targets = (0..2 * area as u16).map(|i| if i < 9 { 0 } else { (i * i + 1) % levels }).collect();
        (z, targets, area)
    }

    #[test]
    fn gradients_match_differences() {
        for head in heads() {
            let (z, targets, area) = case(&head);
            for loss in LOSSES {
                let found = evaluate(&z, &head, &targets, area, loss);
                for i in 0..z.len() {
                    let at = |d: f64| {
                        let mut moved = z.clone();
                        moved[i] += d;
                        evaluate(&moved, &head, &targets, area, loss).value
                    };
                    let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                    // Central differences at 1e-5 of a function whose third derivative is below kappa^3: 1e-7.
                    assert!((found.maps[i] - difference).abs() < 1e-6, "{head:?} {loss:?} {i}");
                }
                if let Head::MultiLevel { kappa, thresholds } = &head {
                    for m in 0..thresholds.len() {
                        let at = |d: f64| {
                            let mut moved = thresholds.clone();
                            moved[m] += d;
                            let head = Head::MultiLevel { kappa: *kappa, thresholds: moved };
                            evaluate(&z, &head, &targets, area, loss).value
                        };
                        let difference = (at(1e-5) - at(-1e-5)) / 2e-5;
                        assert!((found.thresholds[m] - difference).abs() < 1e-6, "{head:?} {loss:?} t{m}");
                    }
                }
            }
        }
    }

    #[test]
    fn single_precision_follows_double_over_many_blocks() {
        let area = 2 * BLOCK + 11;
        for head in heads() {
            let z: Vec<f64> = (0..head.channels() * area).map(|i| 3.0 * (i as f64 * 0.37).sin()).collect();
            let narrow: Vec<f32> = z.iter().map(|v| *v as f32).collect();
            let levels = head.levels() + 1;
            let targets: Vec<u16> = (0..area).map(|i| (i / 100 % levels) as u16).collect();
            let (a, b) = (
                evaluate(&z, &head, &targets, area, Loss::NceDice),
                evaluate(&narrow, &head, &targets, area, Loss::NceDice),
            );
            // Logits up to 30 times the rounding of single precision.
            assert!((a.value - b.value).abs() < 1e-5 * a.value, "{head:?} {} {}", a.value, b.value);
            let worst =
                a.maps.iter().zip(&b.maps).map(|(a, b)| (a - f64::from(*b)).abs()).fold(0.0, f64::max);
            let size = a.maps.iter().map(|v| v.abs()).fold(0.0, f64::max);
            assert!(worst < 1e-5 * size, "{head:?} {worst} {size}");
        }
    }

    #[test]
    fn one_level_is_a_sigmoid_with_binary_cross_entropy() {
        let head = Head::multi_level(1.0, 0.5, 1);
        let (z, targets) = ([0.3, -1.2, 2.0_f64], [1, 0, 0]);
        let p = z.map(sigmoid);
        let bce = -(p[0].ln() + (1.0 - p[1]).ln() + (1.0 - p[2]).ln()) / 3.0;
        let same = evaluate(&z, &head, &targets, 3, Loss::Mce);
        assert!((same.value - bce).abs() < 1e-15);
        let sigmoids = evaluate(&z, &Head::Sigmoids { levels: 1 }, &targets, 3, Loss::MceDice);
        assert_eq!(evaluate(&z, &head, &targets, 3, Loss::MceDice).value, sigmoids.value);
    }

    #[test]
    fn modified_cross_entropy_is_the_all_threshold_surrogate() {
        // Rennie and Srebro 2005: sum over thresholds of ln(1 + exp(-s_m kappa (z - t_m))), s_m = 1 where y >= m, else -1.
        let (kappa, t) = (6.0, [-0.7, 0.1, 0.4]);
        let head = Head::MultiLevel { kappa, thresholds: t.to_vec() };
        let (z, targets) = ([-1.0, 0.2, 0.3, 5.0_f64], [0_u16, 3, 1, 2]);
        let surrogate: f64 = z
            .iter()
            .zip(&targets)
            .map(|(z, y)| {
                let side = |m: usize| if usize::from(*y) > m { 1.0 } else { -1.0 };
                (0..3).map(|m| (1.0 + (-side(m) * kappa * (z - t[m])).exp()).ln()).sum::<f64>()
            })
            .sum();
        assert!((evaluate(&z, &head, &targets, 4, Loss::Mce).value - surrogate / 4.0).abs() < 1e-13);
        // And far from a step the logarithm stays finite.
        let far = evaluate(&[500.0_f32], &head, &[0], 1, Loss::Mce);
        assert!((far.value - 3.0 * kappa * 500.0 - kappa * 0.2).abs() < 1e-2, "{}", far.value);
    }

    #[test]
    fn free_numbers_give_ordered_thresholds_and_back() {
        let t = [-0.5, 0.0, 0.5];
        let back = ordered_thresholds(&free_thresholds(&t));
        // Through single precision.
        assert!(t.iter().zip(&back).all(|(a, b)| (a - b).abs() < 1e-6), "{back:?}");
        assert!(ordered_thresholds(&[0.3, -40.0, -40.0]).windows(2).all(|w| w[0] <= w[1]));
    }
}
