//! All-pairs shortest paths (Floyd 1962, Warshall 1962), in tiles that stay in cache.

use neuropil_core::{Error, Result};
use neuropil_math::Matrix;
use rayon::prelude::*;

/// Nodes per tile side: three tiles of f64 fit a second-level cache.
const TILE: usize = 64;

/// Lengths of the shortest paths between all nodes of a graph with non-negative edge lengths (n x n; infinite where
/// there is no edge; the diagonal counts as 0). Unreachable pairs stay infinite. O(n^3); the same bits for any number
/// of threads, because the tiles and their order are fixed.
pub fn shortest_paths(lengths: &Matrix) -> Result<Matrix> {
    let n = lengths.rows();
    if n == 0 || lengths.cols() != n {
        return Err(Error::input("a square matrix of edge lengths", format!("{} x {}", n, lengths.cols())));
    }
    if let Some(k) = lengths.data().iter().position(|v| v.is_nan() || *v < 0.0) {
        return Err(Error::input(
            "edge lengths of at least 0",
            format!("{} at ({}, {})", lengths.data()[k], k / n, k % n),
        ));
    }
    // Padded to whole tiles with unreachable nodes.
    let tiles = n.div_ceil(TILE);
    let size = tiles * TILE;
    let mut d = vec![f64::INFINITY; size * size];
    for i in 0..n {
        d[i * size..i * size + n].copy_from_slice(lengths.row(i));
        d[i * size + i] = 0.0;
    }
    for k in 0..tiles {
        let at = k * TILE;
        // The pivot's row of tiles: first the pivot tile itself, then the rest of its rows through it.
        let band = &mut d[at * size..(at + TILE) * size];
        for p in 0..TILE {
            relax_band(band, size, at + p, p);
        }
        let band = band.to_vec();
        // Every other row band: its tile in the pivot's columns in place, then all its columns through the pivot.
        d.par_chunks_mut(TILE * size).enumerate().filter(|(b, _)| *b != k).for_each(|(_, rows)| {
            for row in rows.chunks_mut(size) {
                for p in 0..TILE {
                    let through = row[at + p];
                    if through < f64::INFINITY {
                        let pivot = &band[p * size..(p + 1) * size];
                        for (v, w) in row.iter_mut().zip(pivot) {
                            *v = v.min(through + w);
                        }
                    }
                }
            }
        });
    }
    Ok(Matrix::from_fn(n, n, |i, j| d[i * size + j]))
}

/// One step of the plain algorithm within a band of rows whose row `p` is node `node`.
fn relax_band(band: &mut [f64], size: usize, node: usize, p: usize) {
    let pivot = band[p * size..(p + 1) * size].to_vec();
    for row in band.chunks_mut(size) {
        let through = row[node];
        if through < f64::INFINITY {
            for (v, w) in row.iter_mut().zip(&pivot) {
                *v = v.min(through + w);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn plain(lengths: &Matrix) -> Matrix {
        let n = lengths.rows();
        let mut d = lengths.clone();
        (0..n).for_each(|i| d[(i, i)] = 0.0);
        for k in 0..n {
            for i in 0..n {
                for j in 0..n {
                    d[(i, j)] = d[(i, j)].min(d[(i, k)] + d[(k, j)]);
                }
            }
        }
        d
    }

    #[test]
    fn tiles_give_the_plain_result() -> Result<()> {
        let mut s = Streams::new(1).stream("paths", 0);
        for n in [1, 2, 63, 64, 65, 150] {
            let mut m =
                Matrix::from_fn(n, n, |_, _| if s.bernoulli(0.1) { s.uniform() } else { f64::INFINITY });
            for i in 0..n {
                for j in 0..i {
                    m[(i, j)] = m[(j, i)];
                }
            }
            let (a, b) = (shortest_paths(&m)?, plain(&m));
            // The same path may be summed in another order.
            assert!(a.data().iter().zip(b.data()).all(|(x, y)| x == y || (x - y).abs() < 1e-14), "{n}");
        }
        Ok(())
    }

    #[test]
    fn opposite_points_of_a_ring_are_half_the_ring_apart() -> Result<()> {
        let n = 48;
        let ring =
            Matrix::from_fn(
                n,
                n,
                |i, j| if (i + 1) % n == j || (j + 1) % n == i { 1.0 } else { f64::INFINITY },
            );
        let d = shortest_paths(&ring)?;
        assert!((0..n).all(|i| d[(i, (i + n / 2) % n)] == (n / 2) as f64 && d[(i, i)] == 0.0));
        assert!(shortest_paths(&Matrix::new(2, 2, vec![0.0, -1.0, -1.0, 0.0])?).is_err());
        assert!(shortest_paths(&Matrix::zeros(2, 3)).is_err());
        Ok(())
    }
}
