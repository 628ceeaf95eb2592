//! Connected components, and how well each lesion of its own was found.

use super::{Grid, Overlap, surface_distances};
use neuropil_core::{Error, Result};

/// Which voxels touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Connectivity {
    /// Those that share a face (6 in space).
    Faces,
    /// Also those that share an edge (18).
    Edges,
    /// Also those that share a corner (26).
    Corners,
}

impl Connectivity {
    fn steps(self) -> Vec<[isize; 3]> {
        let most = match self {
            Self::Faces => 1,
            Self::Edges => 2,
            Self::Corners => 3,
        };
        let around = -1..=1_isize;
        let mut steps = Vec::new();
        for z in around.clone() {
            for y in around.clone() {
                for x in around.clone() {
                    if (1..=most).contains(&(z.abs() + y.abs() + x.abs())) {
                        steps.push([z, y, x]);
                    }
                }
            }
        }
        steps
    }
}

/// The component of each voxel, 1, 2, ... in the order of their first voxels and 0 outside, and their number.
pub fn components(mask: &[bool], grid: &Grid, connectivity: Connectivity) -> Result<(Vec<u32>, usize)> {
    grid.require(mask, mask)?;
    let steps = connectivity.steps();
    let mut labels = vec![0_u32; mask.len()];
    let mut count = 0_u32;
    let mut open = Vec::new();
    for seed in 0..mask.len() {
        if !mask[seed] || labels[seed] > 0 {
            continue;
        }
        count += 1;
        labels[seed] = count;
        open.push(seed);
        while let Some(i) = open.pop() {
            for j in steps.iter().filter_map(|&by| grid.neighbour(i, by)) {
                if mask[j] && labels[j] == 0 {
                    labels[j] = count;
                    open.push(j);
                }
            }
        }
    }
    Ok((labels, count as usize))
}

/// The mask grown by `times` voxels.
pub fn dilate(mask: &[bool], grid: &Grid, connectivity: Connectivity, times: usize) -> Result<Vec<bool>> {
    grid.require(mask, mask)?;
    let steps = connectivity.steps();
    let mut grown = mask.to_vec();
    let mut edge: Vec<usize> = (0..mask.len()).filter(|&i| mask[i]).collect();
    for _ in 0..times {
        let mut next = Vec::new();
        for i in edge {
            for j in steps.iter().filter_map(|&by| grid.neighbour(i, by)) {
                if !grown[j] {
                    grown[j] = true;
                    next.push(j);
                }
            }
        }
        edge = next;
    }
    Ok(grown)
}

/// How the lesions of a volume were found (the lesion-wise rules of BraTS 2023).
#[derive(Debug, Clone, PartialEq)]
pub struct Lesions {
    /// Dice of each lesion of the truth with all predicted components that touch it; 0 for one that was missed.
    pub dice: Vec<f64>,
    /// HD95 of each in mm; the diagonal of the volume for one that was missed.
    pub hd95: Vec<f64>,
    /// Predicted components that touch no lesion.
    pub false_positives: usize,
    diagonal: f64,
}

impl Lesions {
    /// Mean Dice over lesions and false positives, which count 0; 1 if there are neither.
    pub fn mean_dice(&self) -> f64 {
        let n = self.dice.len() + self.false_positives;
        if n == 0 { 1.0 } else { self.dice.iter().sum::<f64>() / n as f64 }
    }

    /// Mean HD95 in mm, false positives counted with the diagonal; 0 if there are neither.
    pub fn mean_hd95(&self) -> f64 {
        let n = self.dice.len() + self.false_positives;
        let wrong = self.false_positives as f64 * self.diagonal;
        if n == 0 { 0.0 } else { (self.hd95.iter().sum::<f64>() + wrong) / n as f64 }
    }
}

/// Lesion-wise agreement. Lesions are the parts of the truth that touch after growing by `dilation` voxels (3 in BraTS,
/// 26 neighbours to a component, 18 to a step of growth); lesions and predicted components of at most `smallest` mm^3
/// (50 in BraTS) do not count.
pub fn lesions(
    predicted: &[bool],
    truth: &[bool],
    grid: &Grid,
    dilation: usize,
    smallest: f64,
) -> Result<Lesions> {
    grid.require(predicted, truth)?;
    if !(smallest >= 0.0 && smallest.is_finite()) {
        return Err(Error::input("a smallest volume of at least 0 mm^3", smallest.to_string()));
    }
    let grown = dilate(truth, grid, Connectivity::Edges, dilation)?;
    let (regions, count) = components(&grown, grid, Connectivity::Corners)?;
    let (parts, part_count) = components(predicted, grid, Connectivity::Corners)?;
    let large = |voxels: usize| voxels as f64 * grid.voxel_volume() > smallest;
    let mut touched = vec![false; part_count + 1];
    let mut found =
        Lesions { dice: Vec::new(), hd95: Vec::new(), false_positives: 0, diagonal: grid.diagonal() };
    for lesion in 1..=count as u32 {
        let own: Vec<bool> = regions.iter().zip(truth).map(|(r, t)| *r == lesion && *t).collect();
        let mut near = vec![false; part_count + 1];
        for (r, p) in regions.iter().zip(&parts) {
            if *r == lesion && *p > 0 {
                near[*p as usize] = true;
                touched[*p as usize] = true;
            }
        }
        if !large(own.iter().filter(|v| **v).count()) {
            continue;
        }
        let answer: Vec<bool> = parts.iter().map(|p| near[*p as usize]).collect();
        found.dice.push(Overlap::of(&answer, &own)?.dice());
        found.hd95.push(surface_distances(&answer, &own, grid)?.hd95());
    }
    let mut sizes = vec![0; part_count + 1];
    parts.iter().for_each(|p| sizes[*p as usize] += 1);
    found.false_positives = (1..=part_count).filter(|&p| !touched[p] && large(sizes[p])).count();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mask(grid: &Grid, places: &[[usize; 3]]) -> Vec<bool> {
        (0..grid.len()).map(|i| places.contains(&grid.place(i))).collect()
    }

    #[test]
    fn touching_depends_on_the_connectivity() -> Result<()> {
        let grid = Grid::new([3, 3, 3], [1.0; 3])?;
        let m = mask(&grid, &[[0, 0, 0], [0, 1, 1], [1, 2, 2], [0, 0, 2]]);
        for (c, want) in [(Connectivity::Faces, 4), (Connectivity::Edges, 2), (Connectivity::Corners, 1)] {
            assert_eq!(components(&m, &grid, c)?.1, want, "{c:?}");
        }
        let far = mask(&grid, &[[0, 0, 0], [1, 1, 1]]);
        assert_eq!(components(&far, &grid, Connectivity::Edges)?.1, 2);
        assert_eq!(components(&far, &grid, Connectivity::Corners)?.0[13], 1);
        assert_eq!(dilate(&far, &grid, Connectivity::Faces, 1)?.iter().filter(|v| **v).count(), 4 + 7);
        Ok(())
    }

    #[test]
    fn lesions_found_missed_and_invented() -> Result<()> {
        let grid = Grid::new([1, 3, 20], [1.0; 3])?;
        let line = |a: usize, b: usize| (a..b).map(|x| [0, 1, x]).collect::<Vec<_>>();
        let truth = mask(&grid, &[line(0, 4), line(12, 16)].concat());
        let answer = mask(&grid, &[line(0, 2), line(8, 10)].concat());
        let found = lesions(&answer, &truth, &grid, 0, 0.0)?;
        assert_eq!(found.dice, [2.0 * 2.0 / 6.0, 0.0]);
        assert_eq!((found.false_positives, found.hd95[1]), (1, grid.diagonal()));
        assert!((found.mean_dice() - 2.0 / 9.0).abs() < 1e-15);
        // Grown by 4 both are one lesion, which the second component touches, too.
        let joined = lesions(&answer, &truth, &grid, 4, 0.0)?;
        assert_eq!((joined.dice.len(), joined.false_positives), (1, 0));
        // Nothing counts that is too small.
        assert_eq!(lesions(&answer, &truth, &grid, 0, 50.0)?.mean_dice(), 1.0);
        Ok(())
    }
}
