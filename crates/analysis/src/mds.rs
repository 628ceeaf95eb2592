//! Multidimensional scaling: points whose distances approach given dissimilarities.

use neuropil_core::{Error, Result};
use neuropil_math::distances::{self, Metric, pairwise, to_square};
use neuropil_math::{Matrix, linalg, sums};

/// Points with their misfit.
#[derive(Debug, Clone, PartialEq)]
pub struct Embedding {
    /// Coordinates, points x dimensions; column signs are such that the largest entry is positive.
    pub points: Matrix,
    /// Kruskal's stress-1: sqrt(sum of squared errors / sum of squared dissimilarities).
    pub stress: f64,
}

fn check(dissimilarities: &[f64], dimensions: usize) -> Result<usize> {
    let n = distances::condensed_size(dissimilarities.len())?;
    if dimensions == 0 || dimensions >= n {
        return Err(Error::config(
            format!("1 to {} dimensions for {n} points", n - 1),
            dimensions.to_string(),
        ));
    }
    if let Some(k) = dissimilarities.iter().position(|v| !v.is_finite() || *v < 0.0) {
        return Err(Error::input(
            "finite dissimilarities of at least 0",
            format!("{} at pair {k}", dissimilarities[k]),
        ));
    }
    Ok(n)
}

fn stress(dissimilarities: &[f64], points: &Matrix) -> Result<f64> {
    let d = pairwise(points, Metric::Euclidean)?;
    let misfit: f64 = sums::squared_distance(&d, dissimilarities);
    let scale = sums::dot(dissimilarities, dissimilarities);
    Ok(if scale > 0.0 { (misfit / scale).sqrt() } else { 0.0 })
}

fn fix_signs(points: &mut Matrix) {
    for j in 0..points.cols() {
        let largest =
            points.col(j).into_iter().fold(0.0_f64, |m, v| if v.abs() > m.abs() + 1e-12 { v } else { m });
        if largest < 0.0 {
            (0..points.rows()).for_each(|i| points[(i, j)] = -points[(i, j)]);
        }
    }
}

/// Classical scaling (Torgerson 1952): the leading eigenvectors of the doubly centred squared dissimilarities. Exact
/// for Euclidean distances of that many dimensions.
pub fn classical(dissimilarities: &[f64], dimensions: usize) -> Result<Embedding> {
    let n = check(dissimilarities, dimensions)?;
    let squared = to_square(dissimilarities)?.map(|d| d * d);
    let means = squared.col_means();
    let all = means.iter().sum::<f64>() / n as f64;
    let b = Matrix::from_fn(n, n, |i, j| -0.5 * (squared[(i, j)] - means[i] - means[j] + all));
    let e = linalg::symmetric_eigen(&b)?;
    let mut points = Matrix::from_fn(n, dimensions, |i, j| {
        e.vectors[(i, n - 1 - j)] * e.values[n - 1 - j].max(0.0).sqrt()
    });
    fix_signs(&mut points);
    let stress = stress(dissimilarities, &points)?;
    Ok(Embedding { points, stress })
}

/// Metric scaling by majorisation (SMACOF, de Leeuw 1977) from the classical solution; stops when the stress falls by
/// less than `tolerance` (relative) or after `iterations`. The stress never rises.
pub fn smacof(
    dissimilarities: &[f64],
    dimensions: usize,
    iterations: usize,
    tolerance: f64,
) -> Result<Embedding> {
    let n = check(dissimilarities, dimensions)?;
    let mut best = classical(dissimilarities, dimensions)?;
    let target = to_square(dissimilarities)?;
    for _ in 0..iterations {
        let d = to_square(&pairwise(&best.points, Metric::Euclidean)?)?;
        // Guttman transform with unit weights: X <- B(X) X / n.
        let mut b =
            Matrix::from_fn(
                n,
                n,
                |i, j| {
                    if i != j && d[(i, j)] > 0.0 { -target[(i, j)] / d[(i, j)] } else { 0.0 }
                },
            );
        for i in 0..n {
            b[(i, i)] = -b.row(i).iter().sum::<f64>();
        }
        let points = linalg::matmul(&b, &best.points)?.map(|v| v / n as f64);
        let next = stress(dissimilarities, &points)?;
        let done = best.stress - next <= tolerance * best.stress;
        if next <= best.stress {
            best = Embedding { points, stress: next };
        }
        if done {
            break;
        }
    }
    fix_signs(&mut best.points);
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn euclidean_distances_are_recovered() -> Result<()> {
        let mut s = Streams::new(1).stream("mds", 0);
        let x = Matrix::from_fn(15, 3, |_, _| s.normal());
        let d = pairwise(&x, Metric::Euclidean)?;
        let e = classical(&d, 3)?;
        // Square roots of eigenvalues known to 1e-15.
        assert!(e.stress < 1e-7, "{}", e.stress);
        assert!(smacof(&d, 3, 100, 1e-9)?.stress < 1e-7);
        Ok(())
    }

    #[test]
    fn majorisation_lowers_the_stress_of_what_cannot_be_embedded() -> Result<()> {
        let mut s = Streams::new(2).stream("mds", 0);
        let d: Vec<f64> = (0..distances::pair_count(12)).map(|_| s.uniform() + 0.5).collect();
        let (start, end) = (classical(&d, 2)?, smacof(&d, 2, 300, 1e-9)?);
        assert!(end.stress < start.stress);
        // Equal dissimilarities of three points: an equilateral triangle.
        assert!(smacof(&[1.0, 1.0, 1.0], 2, 100, 1e-12)?.stress < 1e-7);
        assert!(classical(&d, 12).is_err() && classical(&[1.0, -1.0, 1.0], 2).is_err());
        Ok(())
    }
}
