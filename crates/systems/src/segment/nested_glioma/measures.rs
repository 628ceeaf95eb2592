//! How good an answer is, per case and region, and the thresholds that make it best.

use super::cases::Case;
use neuropil_analysis::segmentation::{Overlap, level_changes, surface_distances};
use neuropil_core::Result;
use neuropil_nn::modules::segmentation::{Head, decode_at, violations};
use serde::{Deserialize, Serialize};

/// Agreement in one region of one case.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RegionScore {
    /// Dice.
    pub dice: f64,
    /// Share of the region that was found.
    pub sensitivity: f64,
    /// Share of the rest that was left alone.
    pub specificity: f64,
    /// 95th percentile of the surface distances in mm.
    pub hd95: f64,
    /// Average symmetric surface distance in mm.
    pub surface: f64,
    /// Volume of the answer in ml.
    pub volume: f64,
    /// Volume of the truth in ml.
    pub truth: f64,
}

/// Agreement in one case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The case.
    pub name: String,
    /// Regions 1 to C, outermost first.
    pub regions: Vec<RegionScore>,
    /// Pairs of neighbours with different levels in the answer, and those of them that skip a level.
    pub changes: (usize, usize),
    /// Voxels in a region but not in the one around it.
    pub violations: usize,
    /// Voxels of the truth that are not background.
    pub tumour: usize,
}

/// What a head says of the maps of a case: levels, and how often its regions are not nested.
pub fn answer(head: &Head, maps: &[f32]) -> (Vec<u16>, usize) {
    (head.decode(maps), violations(&head.regions(maps), head.levels()))
}

impl Score {
    /// Compares levels with the truth of a case.
    pub fn of(case: &Case, levels: &[u16], count: usize, violations: usize) -> Result<Self> {
        let ml = case.grid.voxel_volume() / 1000.0;
        let regions = (1..=count as u16)
            .map(|m| {
                let (own, truth) = (Case::region(levels, m), Case::region(&case.levels, m));
                let overlap = Overlap::of(&own, &truth)?;
                let distances = surface_distances(&own, &truth, &case.grid)?;
                Ok(RegionScore {
                    dice: overlap.dice(),
                    sensitivity: overlap.sensitivity(),
                    specificity: overlap.specificity(),
                    hd95: distances.hd95(),
                    surface: distances.mean(),
                    volume: (overlap.both + overlap.predicted_only) as f64 * ml,
                    truth: (overlap.both + overlap.truth_only) as f64 * ml,
                })
            })
            .collect::<Result<Vec<_>>>()
            .map_err(|e| e.at(&case.name))?;
        Ok(Self {
            name: case.name.clone(),
            regions,
            changes: level_changes(levels, &case.grid)?,
            violations,
            tumour: case.levels.iter().filter(|l| **l > 0).count(),
        })
    }
}

/// Dice of each region.
pub fn dice(levels: &[u16], truth: &[u16], count: usize) -> Result<Vec<f64>> {
    (1..=count as u16)
        .map(|m| Ok(Overlap::of(&Case::region(levels, m), &Case::region(truth, m))?.dice()))
        .collect()
}

/// Candidates for the thresholds of probabilities.
const CANDIDATES: [f64; 9] = [0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7];

/// Ascending thresholds u_m in 0.3 to 0.7 with the best mean Dice of the regions P_m > u_m over these cases. `regions`
/// holds the probabilities [levels, voxels] of each case.
pub fn tune(regions: &[Vec<f32>], cases: &[Case], levels: usize) -> Result<Vec<f64>> {
    // Mean Dice of region m at each candidate.
    let mut gain = vec![[0.0; CANDIDATES.len()]; levels];
    for (p, case) in regions.iter().zip(cases) {
        for (k, &u) in CANDIDATES.iter().enumerate() {
            for (m, row) in gain.iter_mut().enumerate() {
                let map = &p[m * case.grid.len()..(m + 1) * case.grid.len()];
                let own: Vec<bool> = map.iter().map(|p| *p > u as f32).collect();
                row[k] += Overlap::of(&own, &Case::region(&case.levels, m as u16 + 1))?.dice();
            }
        }
    }
    // The best ascending sequence that ends at each candidate.
    let mut best: Vec<(f64, Vec<usize>)> = vec![(0.0, Vec::new()); CANDIDATES.len()];
    for row in &gain {
        best = (0..CANDIDATES.len())
            .map(|k| {
                let before = (0..=k).fold(0, |b, j| if best[j].0 > best[b].0 { j } else { b });
                let (value, mut path) = best[before].clone();
                path.push(k);
                (value + row[k], path)
            })
            .collect();
    }
    let top = (0..best.len()).fold(0, |b, k| if best[k].0 > best[b].0 { k } else { b });
    Ok(best[top].1.iter().map(|k| CANDIDATES[*k]).collect())
}

/// Dice of each region at these thresholds.
pub fn dice_at(regions: &[f32], thresholds: &[f64], case: &Case) -> Result<Vec<f64>> {
    dice(&decode_at(regions, thresholds), &case.levels, thresholds.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_analysis::segmentation::Grid;

    #[test]
    fn thresholds_are_tuned_and_stay_ordered() -> Result<()> {
        let case = Case {
            name: "x".into(),
            values: vec![0.0; 4],
            levels: vec![0, 1, 2, 2],
            channels: 1,
            grid: Grid::new([1, 1, 4], [1.0; 3])?,
        };
        // Region 1 is best above 0.6, region 2 best between 0.3 and 0.35: both cannot be had with ascending thresholds.
        let p = vec![0.58, 0.62, 0.9, 0.9, 0.1, 0.3, 0.35, 0.36];
        let u = tune(std::slice::from_ref(&p), std::slice::from_ref(&case), 2)?;
        assert!(u[0] <= u[1], "{u:?}");
        let found: f64 = dice_at(&p, &u, &case)?.iter().sum();
        let plain: f64 = dice_at(&p, &[0.5, 0.5], &case)?.iter().sum();
        assert!(found > plain, "{found} {plain} {u:?}");
        Ok(())
    }
}
