//! Spectral clustering of graphs (Ng, Jordan and Weiss 2002) and of bipartite graphs through their singular vectors
//! (Dhillon 2001).

use super::{KMeans, KMeansOptions, k_means};
use crate::{Matrix, linalg, sums};
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Nodes as points: rows of the eigenvectors of the smallest eigenvalues of the normalised Laplacian, scaled to length 1.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SpectralEmbedding {
    /// The smallest eigenvalues, ascending; as many of them are 0 as the graph has components.
    pub eigenvalues: Vec<f64>,
    /// Nodes x eigenvalues, rows of length 1 (a node that the eigenvectors do not touch stays at the origin).
    pub points: Matrix,
}

fn non_negative(weights: &Matrix) -> Result<()> {
    weights.require_finite()?;
    match weights.data().iter().position(|v| *v < 0.0) {
        None => Ok(()),
        Some(k) => Err(Error::input(
            "weights of at least 0",
            format!("{} at ({}, {})", weights.data()[k], k / weights.cols(), k % weights.cols()),
        )),
    }
}

fn inverse_roots(degrees: &[f64]) -> Vec<f64> {
    degrees.iter().map(|&d| if d > 0.0 { 1.0 / d.sqrt() } else { 0.0 }).collect()
}

/// The normalised Laplacian I - D^-1/2 A D^-1/2 of a symmetric affinity matrix with entries of at least 0, D the sums of
/// its rows. Rows of nodes without edges are zero, so that each counts as a component of its own.
pub fn normalised_laplacian(affinity: &Matrix) -> Result<Matrix> {
    non_negative(affinity)?;
    let n = affinity.rows();
    if affinity.cols() != n {
        return Err(Error::input("a square affinity matrix", format!("{n} x {}", affinity.cols())));
    }
    let tolerance = 1e-10 * affinity.data().iter().fold(0.0_f64, |m, v| m.max(*v));
    for i in 0..n {
        if let Some(j) = (0..i).find(|&j| (affinity[(i, j)] - affinity[(j, i)]).abs() > tolerance) {
            return Err(Error::input("a symmetric affinity matrix", format!("two values at ({j}, {i})")));
        }
    }
    let degrees: Vec<f64> = affinity.row_iter().map(sums::sum).collect();
    let r = inverse_roots(&degrees);
    Ok(Matrix::from_fn(n, n, |i, j| {
        f64::from(u8::from(i == j && degrees[i] > 0.0)) - r[i] * affinity[(i, j)] * r[j]
    }))
}

/// The spectral embedding of a graph by its `k` smallest eigenvalues; `affinity` as for [`normalised_laplacian`]. Fails
/// unless 1 <= `k` <= nodes.
pub fn laplacian_embedding(affinity: &Matrix, k: usize) -> Result<SpectralEmbedding> {
    let laplacian = normalised_laplacian(affinity)?;
    check_count(k, laplacian.rows())?;
    let eigen = linalg::symmetric_eigen(&laplacian)?;
    let vectors = eigen.vectors.select_cols(&(0..k).collect::<Vec<_>>())?;
    Ok(SpectralEmbedding { eigenvalues: eigen.values[..k].to_vec(), points: unit_rows(vectors) })
}

/// The spectral embedding of a bipartite graph by its `k` smallest eigenvalues. `weights` (left x right, at least 0) are
/// the edges between the left and the right nodes; nodes are counted left first. The same as [`laplacian_embedding`] of
/// the whole graph, from the singular vectors of D1^-1/2 W D2^-1/2 where these are enough. Fails unless 1 <= `k` <= nodes.
pub fn bipartite_embedding(weights: &Matrix, k: usize) -> Result<SpectralEmbedding> {
    non_negative(weights)?;
    let (n1, n2) = weights.shape();
    check_count(k, n1 + n2)?;
    let left: Vec<f64> = weights.row_iter().map(sums::sum).collect();
    let right = linalg::matvec_t(weights, &vec![1.0; n1])?;
    let alone: Vec<usize> =
        (0..n1 + n2).filter(|&i| if i < n1 { left[i] == 0.0 } else { right[i - n1] == 0.0 }).collect();
    if k > alone.len() + n1.min(n2) {
        let affinity = Matrix::from_fn(n1 + n2, n1 + n2, |i, j| match (i < n1, j < n1) {
            (true, false) => weights[(i, j - n1)],
            (false, true) => weights[(j, i - n1)],
            _ => 0.0,
        });
        return laplacian_embedding(&affinity, k);
    }
    let (r1, r2) = (inverse_roots(&left), inverse_roots(&right));
    let svd = linalg::svd(&Matrix::from_fn(n1, n2, |i, j| r1[i] * weights[(i, j)] * r2[j]))?;
    let half = 0.5_f64.sqrt();
    let mut eigenvalues = Vec::with_capacity(k);
    let mut vectors = Matrix::zeros(n1 + n2, k);
    for c in 0..k {
        // Nodes without edges come first: their eigenvalue is exactly 0.
        if let Some(&node) = alone.get(c) {
            eigenvalues.push(0.0);
            vectors[(node, c)] = 1.0;
            continue;
        }
        let s = c - alone.len();
        eigenvalues.push(1.0 - svd.s[s]);
        for i in 0..n1 + n2 {
            vectors[(i, c)] = half * if i < n1 { svd.u[(i, s)] } else { svd.v[(i - n1, s)] };
        }
    }
    Ok(SpectralEmbedding { eigenvalues, points: unit_rows(vectors) })
}

/// k-means of the points of an embedding into as many clusters as it has eigenvalues; 20 starts of at most 300 iterations.
pub fn spectral_clusters(embedding: &SpectralEmbedding, stream: &mut Stream) -> Result<KMeans> {
    let options = KMeansOptions { clusters: embedding.points.cols(), restarts: 20, iterations: 300 };
    k_means(&embedding.points, options, stream)
}

fn check_count(k: usize, nodes: usize) -> Result<()> {
    if (1..=nodes).contains(&k) {
        Ok(())
    } else {
        Err(Error::config(format!("1 to {nodes} clusters, at most one per node"), k.to_string()))
    }
}

fn unit_rows(mut m: Matrix) -> Matrix {
    for i in 0..m.rows() {
        let row = m.row_mut(i);
        let length = sums::dot(row, row).sqrt();
        if length > 1e-12 {
            row.iter_mut().for_each(|v| *v /= length);
        }
    }
    m
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clustering::adjusted_rand_index;
    use neuropil_core::Streams;

    /// Blocks of the given sizes with weights in 0.5 to 1, and the block of each node.
    fn blocks(left: &[usize], right: &[usize], s: &mut Stream) -> (Matrix, Vec<usize>) {
        let of = |sizes: &[usize]| -> Vec<usize> {
            sizes.iter().enumerate().flat_map(|(b, &n)| std::iter::repeat_n(b, n)).collect()
        };
        let (l, r) = (of(left), of(right));
        let w =
            Matrix::from_fn(l.len(), r.len(), |i, j| if l[i] == r[j] { s.uniform_in(0.5, 1.0) } else { 0.0 });
        (w, [l, r].concat())
    }

    #[test]
    fn zero_eigenvalues_count_components_and_blocks_are_found() -> Result<()> {
        let mut s = Streams::new(3).stream("spectral", 0);
        let (w, truth) = blocks(&[4, 3, 5], &[2, 6, 4], &mut s);
        let found = bipartite_embedding(&w, 5)?;
        // Singular values are exact to a few rounding units.
        assert_eq!(
            found.eigenvalues.iter().filter(|v| v.abs() < 1e-12).count(),
            3,
            "{:?}",
            found.eigenvalues
        );
        let labels = spectral_clusters(&bipartite_embedding(&w, 3)?, &mut s)?.labels;
        assert_eq!(adjusted_rand_index(&labels, &truth)?, 1.0);
        Ok(())
    }

    #[test]
    fn both_forms_agree() -> Result<()> {
        let mut s = Streams::new(4).stream("spectral", 0);
        let mut w = Matrix::from_fn(9, 7, |_, _| s.uniform());
        // A left node without edges.
        w.row_mut(2).fill(0.0);
        let affinity = Matrix::from_fn(16, 16, |i, j| match (i < 9, j < 9) {
            (true, false) => w[(i, j - 9)],
            (false, true) => w[(j, i - 9)],
            _ => 0.0,
        });
        for k in [1, 4, 8, 16] {
            let (a, b) = (bipartite_embedding(&w, k)?, laplacian_embedding(&affinity, k)?);
            assert!(a.eigenvalues.iter().zip(&b.eigenvalues).all(|(x, y)| (x - y).abs() < 1e-12));
            // Rotations within the two eigenvalues of 0 change no inner products of points, unless only one of the two is
            // taken; from the ninth on there is another pair of equal eigenvalues.
            if k == 4 || k == 8 {
                let (g, h) = (linalg::gram(&a.points), linalg::gram(&b.points));
                assert!(g.data().iter().zip(h.data()).all(|(x, y)| (x - y).abs() < 1e-9), "{k}");
            }
        }
        Ok(())
    }

    #[test]
    fn unfit_graphs_are_refused() -> Result<()> {
        let w = Matrix::new(2, 2, vec![1.0, -0.1, 0.2, 1.0])?;
        assert!(bipartite_embedding(&w, 1).is_err() && normalised_laplacian(&w).is_err());
        let w = Matrix::new(2, 2, vec![0.0, 0.1, 0.2, 0.0])?;
        assert!(normalised_laplacian(&w).is_err());
        assert!(bipartite_embedding(&w, 0).is_err() && bipartite_embedding(&w, 5).is_err());
        assert!(normalised_laplacian(&Matrix::zeros(2, 3)).is_err());
        Ok(())
    }
}
