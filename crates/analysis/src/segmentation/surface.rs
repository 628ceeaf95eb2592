//! Distances between the surfaces of two masks.

use super::Grid;
use neuropil_core::Result;
use neuropil_math::distance_transform::distance;
use neuropil_math::statistics::{mean, quantile_of_sorted};

/// Distances in mm from every surface voxel of one mask to the nearest of the other, both ways, ascending.
#[derive(Debug, Clone, PartialEq)]
pub struct SurfaceDistances {
    /// From the surface of the prediction.
    pub from_prediction: Vec<f64>,
    /// From the surface of the truth.
    pub from_truth: Vec<f64>,
    /// Given for all distances if exactly one mask is empty.
    diagonal: f64,
}

/// A surface voxel is one of the mask with a face to a voxel outside of it or to the end of the volume.
fn surface(mask: &[bool], grid: &Grid) -> Vec<bool> {
    const FACES: [[isize; 3]; 6] = [[-1, 0, 0], [1, 0, 0], [0, -1, 0], [0, 1, 0], [0, 0, -1], [0, 0, 1]];
    let open = |i: usize| FACES.iter().any(|&by| grid.neighbour(i, by).is_none_or(|j| !mask[j]));
    (0..mask.len()).map(|i| mask[i] && open(i)).collect()
}

/// The distances between the surfaces of two masks of the grid.
pub fn surface_distances(predicted: &[bool], truth: &[bool], grid: &Grid) -> Result<SurfaceDistances> {
    grid.require(predicted, truth)?;
    let (a, b) = (surface(predicted, grid), surface(truth, grid));
    let from = |own: &[bool], other: &[bool]| -> Result<Vec<f64>> {
        if !(own.contains(&true) && other.contains(&true)) {
            return Ok(Vec::new());
        }
        let far = distance(other, grid.shape, grid.voxel_mm)?;
        let mut found: Vec<f64> = far.into_iter().zip(own).filter(|(_, own)| **own).map(|(d, _)| d).collect();
        found.sort_by(f64::total_cmp);
        Ok(found)
    };
    let one_empty = a.contains(&true) != b.contains(&true);
    Ok(SurfaceDistances {
        from_prediction: from(&a, &b)?,
        from_truth: from(&b, &a)?,
        diagonal: if one_empty { grid.diagonal() } else { 0.0 },
    })
}

impl SurfaceDistances {
    /// The `q`-quantile of all distances of both ways together; `q` = 0.95 is HD95, 1 the Hausdorff distance.
    pub fn quantile(&self, q: f64) -> f64 {
        let mut all = [self.from_prediction.as_slice(), &self.from_truth].concat();
        if all.is_empty() {
            return self.diagonal;
        }
        all.sort_by(f64::total_cmp);
        quantile_of_sorted(&all, q)
    }

    /// The 95th percentile of the distances, in mm.
    pub fn hd95(&self) -> f64 {
        self.quantile(0.95)
    }

    /// The average symmetric surface distance: the mean of all distances of both ways together, in mm.
    pub fn mean(&self) -> f64 {
        if self.from_prediction.is_empty() {
            return self.diagonal;
        }
        mean(&[self.from_prediction.as_slice(), &self.from_truth].concat())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shifted_boxes() -> Result<()> {
        // Two boxes of 3 x 3 x 3, one 2 voxels further along the width, voxels 1 x 1 x 2 mm.
        let grid = Grid::new([5, 5, 9], [1.0, 1.0, 2.0])?;
        let cube = |at: usize| -> Vec<bool> {
            (0..grid.len())
                .map(|i| {
                    let [z, y, x] = grid.place(i);
                    (1..4).contains(&z) && (1..4).contains(&y) && (at..at + 3).contains(&x)
                })
                .collect()
        };
        let d = surface_distances(&cube(1), &cube(3), &grid)?;
        assert_eq!(d.from_prediction.len(), 26);
        assert_eq!((d.quantile(1.0), d.from_prediction[0]), (4.0, 0.0));
        let same = surface_distances(&cube(1), &cube(1), &grid)?;
        assert_eq!((same.hd95(), same.mean()), (0.0, 0.0));
        Ok(())
    }

    #[test]
    fn empty_masks() -> Result<()> {
        let grid = Grid::new([1, 3, 4], [1.0; 3])?;
        let (none, mut some) = (vec![false; 12], vec![false; 12]);
        some[5] = true;
        assert_eq!(surface_distances(&none, &none, &grid)?.hd95(), 0.0);
        assert_eq!(surface_distances(&none, &some, &grid)?.hd95(), grid.diagonal());
        assert_eq!(surface_distances(&some, &none, &grid)?.mean(), grid.diagonal());
        assert!(surface_distances(&none[1..], &some, &grid).is_err());
        Ok(())
    }
}
