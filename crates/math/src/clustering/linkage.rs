//! Agglomerative clustering with average linkage.

use crate::distances::condensed_size;
use neuropil_core::{Error, Result};
use serde::{Deserialize, Serialize};

/// Two clusters that become one. Clusters 0..n are the things themselves; merge k makes cluster n + k.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Merge {
    /// The cluster with the smaller number.
    pub left: usize,
    /// The other cluster.
    pub right: usize,
    /// Mean distance between members of the two.
    pub distance: f64,
    /// Members of the new cluster.
    pub size: usize,
}

/// The n - 1 merges of n things, distances ascending, as SciPy's `linkage` has them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Dendrogram {
    things: usize,
    merges: Vec<Merge>,
}

impl Dendrogram {
    /// Number of things.
    pub fn things(&self) -> usize {
        self.things
    }

    /// The merges in order.
    pub fn merges(&self) -> &[Merge] {
        &self.merges
    }

    /// The things from left to right under the tree: neighbours are similar.
    pub fn leaves(&self) -> Vec<usize> {
        let mut out = Vec::with_capacity(self.things);
        let mut open = vec![self.things + self.merges.len() - 1];
        while let Some(node) = open.pop() {
            match node.checked_sub(self.things) {
                None => out.push(node),
                Some(k) => open.extend([self.merges[k].right, self.merges[k].left]),
            }
        }
        out
    }

    /// Cluster of each thing when the tree is cut into `clusters`, numbered in order of their first member. Fails unless
    /// 1 <= `clusters` <= n.
    pub fn cut(&self, clusters: usize) -> Result<Vec<usize>> {
        let n = self.things;
        if !(1..=n).contains(&clusters) {
            return Err(Error::config(format!("1 to {n} clusters"), clusters.to_string()));
        }
        let mut parent: Vec<usize> = (0..2 * n).collect();
        for (k, merge) in self.merges[..n - clusters].iter().enumerate() {
            parent[merge.left] = n + k;
            parent[merge.right] = n + k;
        }
        let mut names: Vec<usize> = Vec::new();
        let label = |i: usize| {
            let mut root = i;
            while parent[root] != root {
                root = parent[root];
            }
            names.iter().position(|&r| r == root).unwrap_or_else(|| {
                names.push(root);
                names.len() - 1
            })
        };
        Ok((0..n).map(label).collect())
    }
}

/// Average linkage (UPGMA) of condensed distances (see [`crate::distances`]): the two clusters whose members are nearest on
/// average become one, until one is left. By chains of nearest neighbours, O(n^2). Fails on a vector that is no condensed
/// matrix and on NaN, infinity or negative distances.
pub fn average_linkage(condensed: &[f64]) -> Result<Dendrogram> {
    let n = condensed_size(condensed.len())?;
    if let Some(bad) = condensed.iter().find(|d| !(d.is_finite() && **d >= 0.0)) {
        return Err(Error::input("finite distances of at least 0", bad.to_string()));
    }
    let mut distance = condensed.to_vec();
    let at = |i: usize, j: usize| crate::distances::pair_index(n, i, j);
    let mut size = vec![1_usize; n];
    let mut chain: Vec<usize> = Vec::with_capacity(n);
    // (one cluster's place, the place that both then have, distance); places are those of a member.
    let mut found: Vec<(usize, usize, f64)> = Vec::with_capacity(n - 1);
    while found.len() + 1 < n {
        if chain.is_empty() {
            chain.extend((0..n).find(|&i| size[i] > 0));
        }
        let (x, y, least) = loop {
            let x = chain[chain.len() - 1];
            // On a tie the place before stays the nearest, or the chain would never end.
            let before = chain.len().checked_sub(2).map(|k| chain[k]);
            let (mut y, mut least) = before.map_or((x, f64::INFINITY), |b| (b, distance[at(x, b)]));
            for i in (0..n).filter(|&i| i != x && size[i] > 0) {
                if distance[at(x, i)] < least {
                    least = distance[at(x, i)];
                    y = i;
                }
            }
            if before == Some(y) {
                break (x, y, least);
            }
            chain.push(y);
        };
        chain.truncate(chain.len() - 2);
        let (gone, kept) = (x.min(y), x.max(y));
        let (a, b) = (size[gone] as f64, size[kept] as f64);
        size[kept] += size[gone];
        size[gone] = 0;
        for i in (0..n).filter(|&i| i != kept && size[i] > 0) {
            distance[at(i, kept)] = (a * distance[at(i, gone)] + b * distance[at(i, kept)]) / (a + b);
        }
        found.push((gone, kept, least));
    }
    found.sort_by(|p, q| p.2.total_cmp(&q.2));
    Ok(Dendrogram { things: n, merges: numbered(n, &found) })
}

/// Merges of places as merges of numbered clusters.
fn numbered(n: usize, found: &[(usize, usize, f64)]) -> Vec<Merge> {
    let mut parent: Vec<usize> = (0..2 * n).collect();
    let mut size = vec![1_usize; 2 * n];
    let root = |parent: &mut Vec<usize>, mut i: usize| {
        while parent[i] != i {
            parent[i] = parent[parent[i]];
            i = parent[i];
        }
        i
    };
    let mut merges = Vec::with_capacity(found.len());
    for (k, &(a, b, distance)) in found.iter().enumerate() {
        let (a, b) = (root(&mut parent, a), root(&mut parent, b));
        let new = n + k;
        size[new] = size[a] + size[b];
        parent[a] = new;
        parent[b] = new;
        merges.push(Merge { left: a.min(b), right: a.max(b), distance, size: size[new] });
    }
    merges
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distances::for_each_pair;

    #[test]
    fn points_on_a_line() -> Result<()> {
        // 0, 1, 5, 7: {0, 1} at 1, {5, 7} at 2, all at the mean of 5, 7, 4, 6.
        let x = [0.0_f64, 1.0, 5.0, 7.0];
        let tree = average_linkage(&for_each_pair(4, |i, j| (x[i] - x[j]).abs()))?;
        let flat: Vec<(usize, usize, f64, usize)> =
            tree.merges().iter().map(|m| (m.left, m.right, m.distance, m.size)).collect();
        assert_eq!(flat, [(0, 1, 1.0, 2), (2, 3, 2.0, 2), (4, 5, 5.5, 4)]);
        assert_eq!(tree.leaves(), [0, 1, 2, 3]);
        assert_eq!(tree.cut(2)?, [0, 0, 1, 1]);
        assert_eq!((tree.cut(3)?, tree.cut(4)?), (vec![0, 0, 1, 2], vec![0, 1, 2, 3]));
        assert!(tree.cut(0).is_err() && tree.cut(5).is_err());
        Ok(())
    }

    #[test]
    fn ties_end_and_bad_vectors_are_refused() -> Result<()> {
        let tree = average_linkage(&vec![1.0; 45])?;
        assert!(tree.merges().len() == 9 && tree.merges().iter().all(|m| m.distance == 1.0));
        let mut leaves = tree.leaves();
        leaves.sort_unstable();
        assert_eq!(leaves, (0..10).collect::<Vec<_>>());
        assert!(average_linkage(&[1.0, 2.0]).is_err() && average_linkage(&[]).is_err());
        assert!(average_linkage(&[f64::NAN]).is_err() && average_linkage(&[-1.0]).is_err());
        Ok(())
    }
}
