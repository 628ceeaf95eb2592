//! How well a segmentation agrees with the truth: overlap, surfaces and lesions.
//!
//! Masks are [depth, height, width] in C order on a [`Grid`]. Empty masks follow the rules of the BraTS challenge: both
//! empty is perfect (Dice 1, distance 0), one empty is as bad as it gets (Dice 0, distance the diagonal of the volume).

mod components;
mod surface;

pub use components::{Connectivity, Lesions, components, dilate, lesions};
pub use surface::{SurfaceDistances, surface_distances};

use neuropil_core::{Error, Result};

/// Shape of a volume and size of its voxels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Grid {
    /// Depth, height and width in voxels.
    pub shape: [usize; 3],
    /// Voxel size in mm along these axes.
    pub voxel_mm: [f64; 3],
}

impl Grid {
    /// A grid of positive sizes.
    pub fn new(shape: [usize; 3], voxel_mm: [f64; 3]) -> Result<Self> {
        if shape.contains(&0) || shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).is_none() {
            return Err(Error::input("a non-empty volume", format!("shape {shape:?}")));
        }
        if !voxel_mm.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err(Error::input("positive voxel sizes", format!("{voxel_mm:?} mm")));
        }
        Ok(Self { shape, voxel_mm })
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// False: a grid has voxels.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Volume of a voxel in mm^3.
    pub fn voxel_volume(&self) -> f64 {
        self.voxel_mm.iter().product()
    }

    /// Length of the diagonal in mm: the distance that stands for "nothing found". For the 240 x 240 x 155 voxels of
    /// BraTS it is the challenge's 373.13 mm.
    pub fn diagonal(&self) -> f64 {
        let side = |a: usize| (self.shape[a] as f64 * self.voxel_mm[a]).powi(2);
        (0..3).map(side).sum::<f64>().sqrt()
    }

    /// Fails unless both masks have the voxels of the grid.
    fn require(&self, predicted: &[bool], truth: &[bool]) -> Result<()> {
        for (name, mask) in [("prediction", predicted), ("truth", truth)] {
            if mask.len() != self.len() {
                return Err(Error::input(
                    format!("{} voxels, shape {:?}", self.len(), self.shape),
                    mask.len().to_string(),
                )
                .at(name));
            }
        }
        Ok(())
    }

    /// Depth, height and width of voxel `i`.
    fn place(&self, i: usize) -> [usize; 3] {
        let [_, h, w] = self.shape;
        [i / (h * w), i / w % h, i % w]
    }

    /// The voxel `by` away from voxel `i`, if it is inside.
    fn neighbour(&self, i: usize, by: [isize; 3]) -> Option<usize> {
        let [_, h, w] = self.shape;
        let at = self.place(i);
        let mut to = [0; 3];
        for a in 0..3 {
            to[a] = at[a].checked_add_signed(by[a]).filter(|v| *v < self.shape[a])?;
        }
        Some((to[0] * h + to[1]) * w + to[2])
    }
}

/// Counts of voxels by what they are and what they were taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Overlap {
    /// In both masks.
    pub both: usize,
    /// Predicted only.
    pub predicted_only: usize,
    /// In the truth only.
    pub truth_only: usize,
    /// In neither.
    pub neither: usize,
}

impl Overlap {
    /// Counts two masks of one length.
    pub fn of(predicted: &[bool], truth: &[bool]) -> Result<Self> {
        if predicted.len() != truth.len() {
            return Err(Error::input(
                format!("a prediction of {} voxels as the truth", truth.len()),
                predicted.len().to_string(),
            ));
        }
        let mut counts = [0; 4];
        for (&p, &t) in predicted.iter().zip(truth) {
            counts[usize::from(p) * 2 + usize::from(t)] += 1;
        }
        let [neither, truth_only, predicted_only, both] = counts;
        Ok(Self { both, predicted_only, truth_only, neither })
    }

    /// 2 |A and B| / (|A| + |B|); 1 if both are empty.
    pub fn dice(&self) -> f64 {
        let sizes = 2 * self.both + self.predicted_only + self.truth_only;
        if sizes == 0 { 1.0 } else { 2.0 * self.both as f64 / sizes as f64 }
    }

    /// Share of the truth that was found; 1 if there is none to find.
    pub fn sensitivity(&self) -> f64 {
        share(self.both, self.truth_only)
    }

    /// Share of the rest that was left alone; 1 if there is no rest.
    pub fn specificity(&self) -> f64 {
        share(self.neither, self.predicted_only)
    }
}

fn share(right: usize, wrong: usize) -> f64 {
    if right + wrong == 0 { 1.0 } else { right as f64 / (right + wrong) as f64 }
}

/// Pairs of neighbours (sharing a face) with different levels, and how many of them skip a level: (changes, skips).
/// Where structures contain one another, a level is skipped only where surfaces touch, or by mistake.
pub fn level_changes(levels: &[u16], grid: &Grid) -> Result<(usize, usize)> {
    grid.require(&vec![false; levels.len()], &vec![false; grid.len()])?;
    let [_, h, w] = grid.shape;
    let (mut changes, mut skips) = (0, 0);
    for (axis, step) in [h * w, w, 1].into_iter().enumerate() {
        for (i, &level) in levels.iter().enumerate() {
            if grid.place(i)[axis] + 1 < grid.shape[axis] {
                let gap = level.abs_diff(levels[i + step]);
                changes += usize::from(gap > 0);
                skips += usize::from(gap > 1);
            }
        }
    }
    Ok((changes, skips))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overlap_and_the_rules_for_empty_masks() -> Result<()> {
        let (t, f) = (true, false);
        let o = Overlap::of(&[t, t, t, f, f], &[t, t, f, t, f])?;
        assert_eq!((o.dice(), o.sensitivity(), o.specificity()), (4.0 / 6.0, 2.0 / 3.0, 0.5));
        assert_eq!(Overlap::of(&[f; 4], &[f; 4])?.dice(), 1.0);
        assert_eq!(Overlap::of(&[t, f], &[f, f])?.dice(), 0.0);
        assert_eq!(Overlap::of(&[f, f], &[f, t])?.dice(), 0.0);
        assert!(Overlap::of(&[f, f], &[f]).is_err());
        // The distance that the challenge gives where one mask is empty.
        let brats = Grid::new([155, 240, 240], [1.0; 3])?;
        assert!((brats.diagonal() - 373.12866).abs() < 1e-5);
        Ok(())
    }

    #[test]
    fn changes_of_level_along_faces() -> Result<()> {
        let grid = Grid::new([1, 2, 4], [1.0; 3])?;
        // 0 1 2 3 over 0 0 2 2: along rows 1, 1, 1 and 0, 2, 0; along columns 0, 1, 0, 1.
        assert_eq!(level_changes(&[0, 1, 2, 3, 0, 0, 2, 2], &grid)?, (6, 1));
        assert!(level_changes(&[0; 7], &grid).is_err());
        Ok(())
    }
}
