//! Connected components and loops of a cloud of points: the persistent homology of the Vietoris-Rips filtration of an
//! RDM in dimensions 0 and 1, over the integers modulo 2 (Edelsbrunner, Letscher and Zomorodian 2002).

use crate::rdm::require_rdm;
use neuropil_core::{Error, Result};
use neuropil_math::distances::{condensed_size, pair_index};
use neuropil_math::statistics::argsort;

/// Largest number of points: the triangles of 128 points are 341,376.
pub const MAX_POINTS: usize = 128;

/// When components merge and when loops appear and fill.
#[derive(Debug, Clone, PartialEq)]
pub struct Persistence {
    points: usize,
    /// Threshold at which each component but the last joins another, ascending.
    pub merges: Vec<f64>,
    /// (birth, death) of each loop that lives for a positive length, in order of death.
    pub loops: Vec<(f64, f64)>,
}

impl Persistence {
    /// The persistence of a condensed RDM of at most [`MAX_POINTS`] points.
    pub fn new(rdm: &[f64]) -> Result<Self> {
        let n = require_rdm(rdm, 3)?;
        if n > MAX_POINTS {
            return Err(Error::input(format!("at most {MAX_POINTS} points for loops"), n.to_string())
                .hint("average or subsample the stimuli first"));
        }
        let order = argsort(rdm);
        // Position of each edge in the filtration.
        let mut rank = vec![0_u32; rdm.len()];
        for (r, &e) in order.iter().enumerate() {
            rank[e] = r as u32;
        }
        let ends = edge_ends(n);
        let mut forest = UnionFind::new(n);
        let merges: Vec<f64> =
            order.iter().filter(|&&e| forest.join(ends[e].0, ends[e].1)).map(|&e| rdm[e]).collect();
        let loops = reduce_triangles(n, &rank)
            .into_iter()
            .map(|(birth, death)| (rdm[order[birth]], rdm[order[death]]))
            .filter(|(birth, death)| birth < death)
            .collect();
        Ok(Self { points: n, merges, loops })
    }

    /// (Betti-0, Betti-1) of the complex that joins all pairs with a dissimilarity of at most `threshold`.
    pub fn betti(&self, threshold: f64) -> (usize, usize) {
        let components = self.points - self.merges.iter().filter(|&&m| m <= threshold).count();
        let loops = self.loops.iter().filter(|(b, d)| *b <= threshold && threshold < *d).count();
        (components, loops)
    }
}

/// Number of connected components of the graph that joins pairs with a dissimilarity of at most `threshold`.
pub fn components(rdm: &[f64], threshold: f64) -> Result<usize> {
    let n = condensed_size(rdm.len())?;
    let mut forest = UnionFind::new(n);
    let ends = edge_ends(n);
    let merged = ends.iter().zip(rdm).filter(|((i, j), d)| **d <= threshold && forest.join(*i, *j)).count();
    Ok(n - merged)
}

fn edge_ends(n: usize) -> Vec<(usize, usize)> {
    (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect()
}

struct UnionFind {
    parent: Vec<usize>,
}

impl UnionFind {
    fn new(n: usize) -> Self {
        Self { parent: (0..n).collect() }
    }

    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }

    /// True if the two were not joined before.
    fn join(&mut self, i: usize, j: usize) -> bool {
        let (a, b) = (self.root(i), self.root(j));
        self.parent[a.max(b)] = a.min(b);
        a != b
    }
}

/// Pairs (birth edge, death edge) in filtration order: reduces the boundaries of the triangles column by column.
fn reduce_triangles(n: usize, rank: &[u32]) -> Vec<(usize, usize)> {
    let mut triangles = Vec::with_capacity(n * (n - 1) * (n - 2) / 6);
    for i in 0..n {
        for j in i + 1..n {
            let a = rank[pair_index(n, i, j)];
            for k in j + 1..n {
                let mut edges = [a, rank[pair_index(n, i, k)], rank[pair_index(n, j, k)]];
                edges.sort_unstable();
                triangles.push(edges);
            }
        }
    }
    // A triangle enters with its longest edge.
    triangles.sort_unstable_by_key(|t| (t[2], t[1], t[0]));
    // Every loop dies before the end: there are as many as edges outside a spanning tree.
    let total = rank.len() + 1 - n;
    let mut columns: Vec<Vec<u32>> = vec![Vec::new(); rank.len()];
    let mut pairs = Vec::with_capacity(total);
    for t in triangles {
        if pairs.len() == total {
            break;
        }
        let mut column = t.to_vec();
        while let Some(&low) = column.last() {
            let other = &columns[low as usize];
            if other.is_empty() {
                break;
            }
            column = symmetric_difference(&column, other);
        }
        if let Some(&low) = column.last() {
            pairs.push((low as usize, t[2] as usize));
            columns[low as usize] = column;
        }
    }
    pairs
}

/// Sum modulo 2 of two ascending lists.
fn symmetric_difference(a: &[u32], b: &[u32]) -> Vec<u32> {
    let mut out = Vec::with_capacity(a.len() + b.len());
    let (mut i, mut j) = (0, 0);
    while i < a.len() && j < b.len() {
        match a[i].cmp(&b[j]) {
            std::cmp::Ordering::Less => {
                out.push(a[i]);
                i += 1;
            }
            std::cmp::Ordering::Greater => {
                out.push(b[j]);
                j += 1;
            }
            std::cmp::Ordering::Equal => {
                i += 1;
                j += 1;
            }
        }
    }
    out.extend_from_slice(&a[i..]);
    out.extend_from_slice(&b[j..]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_math::Matrix;
    use neuropil_math::distances::{Metric, pairwise};
    use std::f64::consts::TAU;

    fn cloud(points: &[[f64; 2]]) -> Result<Persistence> {
        let m = Matrix::from_fn(points.len(), 2, |i, j| points[i][j]);
        Persistence::new(&pairwise(&m, Metric::Euclidean)?)
    }

    fn circle(n: usize, x: f64) -> Vec<[f64; 2]> {
        (0..n).map(|i| i as f64 / n as f64 * TAU).map(|t| [x + t.cos(), t.sin()]).collect()
    }

    #[test]
    fn betti_numbers_of_known_shapes() -> Result<()> {
        assert_eq!(cloud(&circle(24, 0.0))?.betti(0.6), (1, 1));
        assert_eq!(cloud(&[circle(20, 0.0), circle(20, 10.0)].concat())?.betti(0.6), (2, 2));
        // x = sin t, y = sin t cos t crosses itself once.
        let eight: Vec<[f64; 2]> =
            (0..50).map(|i| f64::from(i) / 50.0 * TAU).map(|t| [t.sin(), t.sin() * t.cos()]).collect();
        assert_eq!(cloud(&eight)?.betti(0.25), (1, 2));
        let line: Vec<[f64; 2]> = (0..20).map(|i| [f64::from(i), 0.0]).collect();
        assert_eq!(cloud(&line)?.betti(1.5), (1, 0));
        assert_eq!(cloud(&circle(24, 0.0))?.betti(0.01), (24, 0));
        assert_eq!(cloud(&circle(24, 0.0))?.betti(3.0), (1, 0), "the disc is filled at the end");
        Ok(())
    }

    #[test]
    fn components_agree_with_merges() -> Result<()> {
        let points = [circle(10, 0.0), circle(10, 4.0)].concat();
        let m = Matrix::from_fn(20, 2, |i, j| points[i][j]);
        let d = pairwise(&m, Metric::Euclidean)?;
        let p = Persistence::new(&d)?;
        for t in [0.0, 0.5, 0.62, 1.0, 1.99, 2.01, 9.0] {
            assert_eq!(components(&d, t)?, p.betti(t).0);
        }
        assert!(Persistence::new(&[f64::NAN; 3]).is_err());
        let large: Vec<f64> = (0..neuropil_math::distances::pair_count(200)).map(|i| i as f64).collect();
        assert!(Persistence::new(&large).is_err());
        Ok(())
    }
}
