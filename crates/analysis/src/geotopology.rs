//! Geo-topological summaries of an RDM (Lin and Kriegeskorte 2024).
//!
//! Let w be the rank-normalised dissimilarities and a, b their quantiles at l <= u. The representational geo-topological
//! matrix (RGTM) is 0 below a, 1 above b and rises linearly between: small, noise-dominated distances collapse to 0 and
//! large ones, which hold the geometry of far-apart points, to 1. (0, 1) is the rank RDM; l = u keeps only which pairs
//! are neighbours. The representational geodesic distance matrix (RGDM) ranks shortest paths along neighbours.

use crate::geodesics::shortest_paths;
use crate::rdm::require_rdm;
use neuropil_core::{Error, Result};
use neuropil_math::distances::{condensed_size, pair_count, to_square};
use neuropil_math::{Matrix, statistics};
use serde::{Deserialize, Serialize};

/// Which pairs a resample of the stimuli keeps, and how often: a pair of stimuli drawn c_i and c_j times occurs
/// c_i c_j times; pairs of two copies of one stimulus are dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct PairWeights {
    stimuli: Vec<usize>,
    kept: Vec<usize>,
    weights: Vec<f64>,
    slots: Vec<usize>,
}

impl PairWeights {
    /// The pairs among stimuli drawn `counts[i]` times. Fails unless at least 3 different stimuli were drawn.
    pub fn new(counts: &[usize]) -> Result<Self> {
        let stimuli: Vec<usize> = (0..counts.len()).filter(|&i| counts[i] > 0).collect();
        if stimuli.len() < 3 {
            return Err(Error::input(
                "at least 3 different stimuli in a resample",
                stimuli.len().to_string(),
            ));
        }
        let pairs = pair_count(counts.len());
        let (mut kept, mut weights, mut slots) = (Vec::new(), Vec::new(), vec![usize::MAX; pairs]);
        let mut k = 0;
        for i in 0..counts.len() {
            for j in i + 1..counts.len() {
                let times = counts[i] * counts[j];
                if times > 0 {
                    slots[k] = kept.len();
                    kept.push(k);
                    weights.push(times as f64);
                }
                k += 1;
            }
        }
        Ok(Self { stimuli, kept, weights, slots })
    }

    /// Every pair once.
    pub fn all(stimuli: usize) -> Result<Self> {
        Self::new(&vec![1; stimuli])
    }

    /// Indices of the pairs kept, in the full condensed vector.
    pub fn kept(&self) -> &[usize] {
        &self.kept
    }

    /// How often each kept pair occurs.
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// The different stimuli drawn, ascending.
    pub fn stimuli(&self) -> &[usize] {
        &self.stimuli
    }

    fn require_pairs(&self, pairs: usize) -> Result<()> {
        if self.slots.len() == pairs {
            Ok(())
        } else {
            Err(Error::input(format!("{} pairs, as in the resample", self.slots.len()), pairs.to_string()))
        }
    }

    /// The values of the kept pairs.
    pub fn gather(&self, rdm: &[f64]) -> Result<Vec<f64>> {
        self.require_pairs(rdm.len())?;
        Ok(self.kept.iter().map(|&k| rdm[k]).collect())
    }
}

/// An RDM sorted once, from which the ranks of any resample of its stimuli follow in O(P).
#[derive(Debug, Clone, PartialEq)]
pub struct RankSource {
    rdm: Vec<f64>,
    order: Vec<usize>,
}

impl RankSource {
    /// Sorts a condensed RDM. Fails on NaN, infinity, fewer than 3 stimuli and constant values.
    pub fn new(rdm: Vec<f64>) -> Result<Self> {
        require_rdm(&rdm, 3)?;
        let order = statistics::argsort(&rdm);
        Ok(Self { rdm, order })
    }

    /// The dissimilarities.
    pub fn rdm(&self) -> &[f64] {
        &self.rdm
    }

    /// Rank-normalised dissimilarities of all pairs.
    pub fn ranked(&self) -> Result<Ranked> {
        self.resampled(&PairWeights::all(condensed_size(self.rdm.len())?)?)
    }

    /// Rank-normalised dissimilarities of a resample, exactly those of the RDM in which every pair is repeated as
    /// often as it was drawn. Fails where they are constant.
    pub fn resampled(&self, pairs: &PairWeights) -> Result<Ranked> {
        pairs.require_pairs(self.rdm.len())?;
        let mut values = vec![0.0; pairs.kept.len()];
        let (mut sorted, mut ends) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        let mut below = 0.0;
        let mut i = 0;
        while i < self.order.len() {
            let value = self.rdm[self.order[i]];
            let mut j = i;
            let mut weight = 0.0;
            while j < self.order.len() && self.rdm[self.order[j]] == value {
                let slot = pairs.slots[self.order[j]];
                if slot != usize::MAX {
                    weight += pairs.weights[slot];
                }
                j += 1;
            }
            if weight > 0.0 {
                // Ranks below + 1 ..= below + weight, averaged.
                let rank = below + f64::midpoint(weight, 1.0);
                for &k in &self.order[i..j] {
                    let slot = pairs.slots[k];
                    if slot != usize::MAX {
                        values[slot] = rank;
                    }
                }
                below += weight;
                sorted.push(rank);
                ends.push(below);
            }
            i = j;
        }
        let (low, high) = (sorted[0], sorted[sorted.len() - 1]);
        if low == high {
            return Err(Error::input("dissimilarities that vary", "a constant RDM"));
        }
        let scale = |v: &mut f64| *v = (*v - low) / (high - low);
        values.iter_mut().for_each(scale);
        sorted.iter_mut().for_each(scale);
        Ok(Ranked { values, sorted, ends })
    }
}

/// Rank-normalised dissimilarities in [0, 1] with what their quantiles need.
#[derive(Debug, Clone, PartialEq)]
pub struct Ranked {
    values: Vec<f64>,
    /// Distinct values, ascending.
    sorted: Vec<f64>,
    /// Number of pairs up to and including each distinct value.
    ends: Vec<f64>,
}

impl Ranked {
    /// Ranks and scales a condensed RDM.
    pub fn new(rdm: &[f64]) -> Result<Self> {
        RankSource::new(rdm.to_vec())?.ranked()
    }

    /// The rank RDM, in [0, 1].
    pub fn values(&self) -> &[f64] {
        &self.values
    }

    /// The q-quantile over all (repeated) pairs with linear interpolation.
    pub fn quantile(&self, q: f64) -> f64 {
        let pairs = self.ends[self.ends.len() - 1];
        let position = q.clamp(0.0, 1.0) * (pairs - 1.0);
        let below = position.floor();
        let at =
            |index: f64| self.sorted[self.ends.partition_point(|&e| e <= index).min(self.sorted.len() - 1)];
        let (a, b) = (at(below), at((below + 1.0).min(pairs - 1.0)));
        let t = position - below;
        if t < 0.5 { a + (b - a) * t } else { b - (b - a) * (1.0 - t) }
    }

    /// The RGTM at (l, u), each value in [0, 1]. Where both quantiles are one value it is a step: 0 below, 1 from that
    /// value on.
    pub fn rgtm(&self, l: f64, u: f64) -> Result<Vec<f64>> {
        check_thresholds(l, u)?;
        let (a, b) = (self.quantile(l), self.quantile(u));
        Ok(if b > a {
            let scale = 1.0 / (b - a);
            self.values.iter().map(|w| ((w - a) * scale).clamp(0.0, 1.0)).collect()
        } else {
            self.values.iter().map(|w| f64::from(u8::from(*w >= a))).collect()
        })
    }
}

fn check_thresholds(l: f64, u: f64) -> Result<()> {
    if (0.0..=1.0).contains(&l) && (0.0..=1.0).contains(&u) && l <= u {
        Ok(())
    } else {
        Err(Error::config("thresholds 0 <= l <= u <= 1", format!("l = {l}, u = {u}")))
    }
}

/// The RGTM at (l, u) of a condensed RDM.
pub fn rgtm(rdm: &[f64], l: f64, u: f64) -> Result<Vec<f64>> {
    Ranked::new(rdm)?.rgtm(l, u)
}

/// The smooth alternative 1 / (1 + exp(-alpha (w - beta))) over the rank RDM; the paper's values are alpha = 10 and
/// beta = 0.5.
pub fn sigmoid(rdm: &[f64], alpha: f64, beta: f64) -> Result<Vec<f64>> {
    if !alpha.is_finite() || !beta.is_finite() || alpha <= 0.0 {
        return Err(Error::config(
            "a positive slope and a finite centre",
            format!("alpha = {alpha}, beta = {beta}"),
        ));
    }
    Ok(Ranked::new(rdm)?.values.iter().map(|w| 1.0 / (1.0 + (-alpha * (w - beta)).exp())).collect())
}

/// Which edges of the complete graph on the stimuli are kept before geodesics are measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EdgeRule {
    /// The share p of the shortest edges (the paper's p is 0.05).
    Shortest(f64),
    /// Edges to the int(p S) nearest neighbours of either end.
    NearestShare(f64),
    /// Edges to the k nearest neighbours of either end.
    Nearest(usize),
    /// Edges whose RGTM value at (l, u) is below 1, with that value as length.
    TwoStep(f64, f64),
}

/// The RGDM: rank-normalised lengths of the shortest paths over the kept edges. Stimuli that no path joins share the
/// top rank. Fails where all geodesics are equal (for example no edge kept).
pub fn rgdm(rdm: &[f64], rule: EdgeRule) -> Result<Vec<f64>> {
    Ok(Ranked::new(&geodesic_distances(rdm, rule)?)?.values)
}

/// Lengths of the shortest paths over the kept edges of the rank-normalised RDM, condensed; for pairs that no path
/// joins 1.5 times the longest finite one.
pub fn geodesic_distances(rdm: &[f64], rule: EdgeRule) -> Result<Vec<f64>> {
    let n = require_rdm(rdm, 3)?;
    let ranked = Ranked::new(rdm)?;
    let share = |p: f64| {
        if (0.0..=1.0).contains(&p) { Ok(p) } else { Err(Error::config("a share in [0, 1]", p.to_string())) }
    };
    let lengths = match rule {
        EdgeRule::Shortest(p) => {
            let longest = ranked.quantile(share(p)?);
            to_square(&ranked.values)?.map(|w| if w <= longest { w } else { f64::INFINITY })
        }
        EdgeRule::NearestShare(p) => {
            nearest_edges(&to_square(&ranked.values)?, (share(p)? * n as f64) as usize)
        }
        EdgeRule::Nearest(k) => nearest_edges(&to_square(&ranked.values)?, k),
        EdgeRule::TwoStep(l, u) => {
            to_square(&ranked.rgtm(l, u)?)?.map(|g| if g < 1.0 { g } else { f64::INFINITY })
        }
    };
    let paths = shortest_paths(&lengths)?;
    let mut out = Vec::with_capacity(rdm.len());
    for i in 0..n {
        out.extend_from_slice(&paths.row(i)[i + 1..]);
    }
    let longest = out.iter().filter(|v| v.is_finite()).fold(0.0_f64, |m, &v| m.max(v));
    // Any finite value above the longest gives the same ranks; 1 stands in where no two stimuli are joined.
    let beyond = if longest > 0.0 { 1.5 * longest } else { 1.0 };
    Ok(out.into_iter().map(|v| if v.is_finite() { v } else { beyond }).collect())
}

/// Keeps (i, j) if either is among the other's k nearest; equal lengths count in order of index.
fn nearest_edges(w: &Matrix, k: usize) -> Matrix {
    let n = w.rows();
    let mut keep = vec![false; n * n];
    for i in 0..n {
        let order = statistics::argsort(w.row(i));
        for j in order.into_iter().filter(|&j| j != i).take(k) {
            keep[i * n + j] = true;
            keep[j * n + i] = true;
        }
    }
    Matrix::from_fn(n, n, |i, j| if keep[i * n + j] { w[(i, j)] } else { f64::INFINITY })
}

/// What a cell of the (l, u) triangle keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// Mean threshold at most 0.2: small distances.
    Local,
    /// Mean threshold at least 0.8: large distances.
    Global,
    /// u - l at least 0.8: nearly the whole geometry.
    Geometry,
    /// 0.4 <= l and u <= 0.6: which points are neighbours.
    Topology,
    /// Anything else.
    Intermediate,
}

impl CellKind {
    /// The kind of cell (l, u), tested in the order of the variants.
    pub fn of(l: f64, u: f64) -> Self {
        // Grid points such as 0.05 * 8 are not exact.
        const SLACK: f64 = 1e-9;
        if l + u <= 0.4 + SLACK {
            Self::Local
        } else if l + u >= 1.6 - SLACK {
            Self::Global
        } else if u - l >= 0.8 - SLACK {
            Self::Geometry
        } else if l >= 0.4 - SLACK && u <= 0.6 + SLACK {
            Self::Topology
        } else {
            Self::Intermediate
        }
    }

    /// Name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local extractor",
            Self::Global => "global extractor",
            Self::Geometry => "geometry sensitive",
            Self::Topology => "topology sensitive",
            Self::Intermediate => "intermediate",
        }
    }
}

/// All cells l <= u on a grid with `steps` intervals: (steps + 1) (steps + 2) / 2 of them, 231 for 20.
pub fn grid(steps: usize) -> Vec<(f64, f64)> {
    let at = |k: usize| k as f64 / steps.max(1) as f64;
    (0..=steps).flat_map(|i| (i..=steps).map(move |j| (at(i), at(j)))).collect()
}

/// True for the corners of the triangle in which next to no pair is told apart: l + u below 0.1 or above 1.9.
pub fn is_degenerate(l: f64, u: f64) -> bool {
    let sum = l + u;
    !(0.1 - 1e-9..=1.9 + 1e-9).contains(&sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;
    use neuropil_math::statistics::quantile;

    fn random_rdm(stimuli: usize, levels: usize, seed: u64) -> Vec<f64> {
        let mut s = Streams::new(seed).stream("rgtm", 0);
        (0..pair_count(stimuli)).map(|_| (s.below(levels) + 1) as f64).collect()
    }

    #[test]
    fn the_whole_range_is_the_rank_rdm() -> Result<()> {
        for levels in [4, 100_000] {
            let d = random_rdm(12, levels, 1);
            let w = crate::rdm::rank_normalise(&d)?;
            assert_eq!(rgtm(&d, 0.0, 1.0)?, w);
            // Any strictly increasing transform gives the same matrix.
            let cubed: Vec<f64> = d.iter().map(|v| (0.001 * v).exp() * 7.0 + 3.0).collect();
            assert_eq!(rgtm(&d, 0.3, 0.6)?, rgtm(&cubed, 0.3, 0.6)?);
            for (l, u) in grid(10) {
                let g = rgtm(&d, l, u)?;
                assert!(g.iter().all(|v| (0.0..=1.0).contains(v)));
                // Monotone in the dissimilarity.
                for (a, b) in d.iter().zip(&g).zip(d.iter().zip(&g).skip(1)) {
                    assert!((a.0 - b.0) * (a.1 - b.1) >= 0.0);
                }
            }
        }
        assert!(rgtm(&random_rdm(5, 9, 1), 0.6, 0.4).is_err());
        assert!(rgtm(&random_rdm(5, 9, 1), -0.1, 0.4).is_err());
        Ok(())
    }

    #[test]
    fn a_resample_equals_the_repeated_rdm() -> Result<()> {
        let mut s = Streams::new(2).stream("resample", 0);
        for levels in [5, 100_000] {
            let d = random_rdm(10, levels, 3);
            let source = RankSource::new(d.clone())?;
            for _ in 0..20 {
                let counts: Vec<usize> = (0..10).map(|_| s.below(4)).collect();
                let Ok(pairs) = PairWeights::new(&counts) else { continue };
                let repeated: Vec<f64> = pairs
                    .kept()
                    .iter()
                    .zip(pairs.weights())
                    .flat_map(|(&k, &m)| std::iter::repeat_n(d[k], m as usize))
                    .collect();
                let ranks = statistics::ranks(&repeated);
                let (low, high) = ranks.iter().fold((f64::MAX, 0.0_f64), |(a, b), &r| (a.min(r), b.max(r)));
                let expected: Vec<f64> = ranks.iter().map(|r| (r - low) / (high - low)).collect();
                let ranked = source.resampled(&pairs)?;
                let got: Vec<f64> = ranked
                    .values()
                    .iter()
                    .zip(pairs.weights())
                    .flat_map(|(&v, &m)| std::iter::repeat_n(v, m as usize))
                    .collect();
                // The same integers and halves in both.
                assert_eq!(got, expected);
                for q in [0.0, 0.1, 0.35, 0.5, 0.77, 1.0] {
                    assert!((ranked.quantile(q) - quantile(&expected, q)?).abs() < 1e-14);
                }
            }
            assert_eq!(source.ranked()?.values(), crate::rdm::rank_normalise(&d)?);
        }
        assert!(PairWeights::new(&[5, 0, 5]).is_err());
        Ok(())
    }

    #[test]
    fn equal_thresholds_are_a_step_closed_above() -> Result<()> {
        let d = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
        assert_eq!(rgtm(&d, 0.4, 0.4)?, [0.0, 0.0, 1.0, 1.0, 1.0, 1.0]);
        assert_eq!(rgtm(&d, 1.0, 1.0)?, [0.0, 0.0, 0.0, 0.0, 0.0, 1.0]);
        let soft = sigmoid(&d, 10.0, 0.5)?;
        assert!(
            (soft[0] - 1.0 / (1.0 + 5.0_f64.exp())).abs() < 1e-15 && soft.windows(2).all(|w| w[0] < w[1])
        );
        Ok(())
    }

    #[test]
    fn names_and_numbers_of_cells() {
        assert_eq!(grid(20).len(), 231);
        for ((l, u), kind) in [
            ((0.0, 0.3), CellKind::Local),
            ((0.7, 1.0), CellKind::Global),
            ((0.1, 0.9), CellKind::Geometry),
            ((0.45, 0.55), CellKind::Topology),
            ((0.5, 0.5), CellKind::Topology),
            ((0.2, 0.6), CellKind::Intermediate),
            ((0.0, 1.0), CellKind::Geometry),
        ] {
            assert_eq!(CellKind::of(l, u), kind, "{l} {u}");
        }
        assert!(is_degenerate(0.0, 0.0) && is_degenerate(1.0, 1.0) && is_degenerate(0.0, 0.05));
        assert!(!is_degenerate(0.0, 0.1) && !is_degenerate(0.0, 1.0));
    }

    #[test]
    fn geodesics_are_at_most_the_edges_and_grow_along_a_ring() -> Result<()> {
        let n = 16;
        // Chords of a circle with uneven gaps: equal shortest edges would all have rank 0 and length 0.
        let angle = |i: usize| std::f64::consts::TAU * (i as f64 + 0.1 * (i as f64 * 1.7).sin()) / n as f64;
        let mut d = Vec::new();
        for i in 0..n {
            d.extend((i + 1..n).map(|j| (0.5 * (angle(j) - angle(i))).sin().abs()));
        }
        let ranked = Ranked::new(&d)?;
        let all = geodesic_distances(&d, EdgeRule::Shortest(1.0))?;
        assert!(all.iter().zip(ranked.values()).all(|(g, w)| g <= w));
        for rule in [
            EdgeRule::Shortest(0.2),
            EdgeRule::NearestShare(0.2),
            EdgeRule::Nearest(3),
            EdgeRule::TwoStep(0.0, 0.3),
        ] {
            let g = to_square(&geodesic_distances(&d, rule)?)?;
            // Further around is never closer, up to the far side.
            assert!((1..n / 2 - 1).all(|k| g[(0, k)] <= g[(0, k + 1)]), "{rule:?}");
            assert!(rgdm(&d, rule)?.iter().all(|v| (0.0..=1.0).contains(v)));
        }
        Ok(())
    }

    #[test]
    fn stimuli_that_no_path_joins_share_the_top_rank() -> Result<()> {
        // Two far clusters of three points.
        let x = [0.0, 1.0, 2.5, 100.0, 101.0, 102.5];
        let mut d = Vec::new();
        for i in 0..6 {
            d.extend((i + 1..6).map(|j| f64::abs(x[i] - x[j])));
        }
        let g = to_square(&rgdm(&d, EdgeRule::Shortest(0.4))?)?;
        for i in 0..3 {
            assert!((3..6).all(|j| g[(i, j)] == 1.0));
            assert!((0..3).all(|j| g[(i, j)] < 1.0));
        }
        assert!(rgdm(&d, EdgeRule::Nearest(0)).is_err(), "no edge leaves nothing to rank");
        assert!(rgdm(&d, EdgeRule::Shortest(1.5)).is_err());
        Ok(())
    }
}
