//! Pairwise distances between the rows of a matrix.
//!
//! Distances are kept condensed, as SciPy's `pdist` has them: the upper triangle row by row, (0,1), (0,2), ...,
//! (n-2,n-1), n (n - 1) / 2 values. Inner products come from one Gram matrix; pairs so close that the Gram form would
//! lose digits are computed from their difference.

use crate::{Matrix, linalg, sums};
use neuropil_core::{Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// A distance between two vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Square root of the sum of squared differences.
    Euclidean,
    /// Sum of squared differences.
    SquaredEuclidean,
    /// 1 - Pearson correlation across the columns.
    Correlation,
    /// 1 - cosine of the angle.
    Cosine,
    /// Sum of absolute differences.
    Cityblock,
    /// Largest absolute difference.
    Chebyshev,
}

/// Below this share of |a|^2 + |b|^2 a squared distance is recomputed from the difference: the Gram form is off by a
/// few rounding units of that sum, so the relative error stays below 1e-11.
const CLOSE: f64 = 1e-4;

/// Number of pairs of n things.
pub fn pair_count(n: usize) -> usize {
    n * n.saturating_sub(1) / 2
}

/// Position of pair (i, j), i != j, in the condensed vector of n things.
pub fn pair_index(n: usize, i: usize, j: usize) -> usize {
    let (i, j) = if i < j { (i, j) } else { (j, i) };
    i * (2 * n - i - 1) / 2 + j - i - 1
}

/// The n for which a condensed vector of this length exists; fails where there is none.
pub fn condensed_size(length: usize) -> Result<usize> {
    let n = usize::midpoint((8.0 * length as f64 + 1.0).sqrt().round() as usize, 1);
    if pair_count(n) == length && n >= 2 {
        Ok(n)
    } else {
        Err(Error::input("n (n - 1) / 2 values of a condensed matrix", format!("{length} values")))
    }
}

/// The symmetric square matrix, zero on the diagonal, of a condensed vector.
pub fn to_square(condensed: &[f64]) -> Result<Matrix> {
    let n = condensed_size(condensed.len())?;
    let mut out = Matrix::zeros(n, n);
    let mut k = 0;
    for i in 0..n {
        for j in i + 1..n {
            out[(i, j)] = condensed[k];
            out[(j, i)] = condensed[k];
            k += 1;
        }
    }
    Ok(out)
}

/// The condensed upper triangle of a square matrix. Fails unless it is symmetric (to 1e-8 of its largest entry) with
/// a zero diagonal (same tolerance), finite and at least 2 x 2.
pub fn from_square(square: &Matrix) -> Result<Vec<f64>> {
    let n = square.rows();
    if square.cols() != n || n < 2 {
        return Err(Error::input("a square matrix of at least 2 x 2", format!("{} x {}", n, square.cols())));
    }
    square.require_finite()?;
    let tolerance = 1e-8 * square.data().iter().fold(0.0_f64, |m, v| m.max(v.abs()));
    let mut out = Vec::with_capacity(pair_count(n));
    for i in 0..n {
        if square[(i, i)].abs() > tolerance {
            return Err(Error::input("a zero diagonal", format!("{} at ({i}, {i})", square[(i, i)])));
        }
        for j in i + 1..n {
            let (a, b) = (square[(i, j)], square[(j, i)]);
            if (a - b).abs() > tolerance {
                return Err(Error::input(
                    "a symmetric matrix",
                    format!("{a} at ({i}, {j}) and {b} at ({j}, {i})"),
                ));
            }
            out.push(a);
        }
    }
    Ok(out)
}

/// One value per pair of 0..n, in condensed order, rows in parallel.
pub fn for_each_pair(n: usize, f: impl Fn(usize, usize) -> f64 + Sync + Send) -> Vec<f64> {
    let mut out = vec![0.0; pair_count(n)];
    let mut rows: Vec<(usize, &mut [f64])> = Vec::with_capacity(n);
    let mut rest = out.as_mut_slice();
    for i in 0..n.saturating_sub(1) {
        let (row, tail) = rest.split_at_mut(n - 1 - i);
        rows.push((i, row));
        rest = tail;
    }
    let fill = |(i, row): (usize, &mut [f64])| {
        for (k, v) in row.iter_mut().enumerate() {
            *v = f(i, i + 1 + k);
        }
    };
    if n < 64 {
        rows.into_iter().for_each(fill);
    } else {
        rows.into_par_iter().for_each(fill);
    }
    out
}

/// Condensed distances between all rows of `x`. Fails on fewer than 2 rows, on NaN or infinity, on a constant row
/// (correlation) or a zero row (cosine).
pub fn pairwise(x: &Matrix, metric: Metric) -> Result<Vec<f64>> {
    x.require_finite()?;
    let n = x.rows();
    if n < 2 {
        return Err(Error::input("at least 2 rows", n.to_string()));
    }
    Ok(match metric {
        // Distances do not see a common shift, and without it the inner products are smaller.
        Metric::SquaredEuclidean => from_gram(&x.centred(), |d| d),
        Metric::Euclidean => from_gram(&x.centred(), f64::sqrt),
        // 1 - cos = |a/|a| - b/|b||^2 / 2.
        Metric::Correlation => from_gram(&unit_rows(x, true)?, |d| 0.5 * d),
        Metric::Cosine => from_gram(&unit_rows(x, false)?, |d| 0.5 * d),
        Metric::Cityblock => {
            for_each_pair(n, |i, j| x.row(i).iter().zip(x.row(j)).map(|(a, b)| (a - b).abs()).sum())
        }
        Metric::Chebyshev => for_each_pair(n, |i, j| {
            x.row(i).iter().zip(x.row(j)).fold(0.0, |m, (a, b)| f64::max(m, (a - b).abs()))
        }),
    })
}

/// Distances between every row of `a` and every row of `b` (rows of a x rows of b).
pub fn cross(a: &Matrix, b: &Matrix, metric: Metric) -> Result<Matrix> {
    a.require_finite()?;
    b.require_finite()?;
    if a.cols() != b.cols() {
        return Err(Error::input(format!("{} columns in both matrices", a.cols()), b.cols().to_string()));
    }
    let squared = |a: &Matrix, b: &Matrix, scale: f64| -> Result<Matrix> {
        let mut g = linalg::matmul_nt(a, b)?;
        let na: Vec<f64> = a.row_iter().map(|r| sums::dot(r, r)).collect();
        let nb: Vec<f64> = b.row_iter().map(|r| sums::dot(r, r)).collect();
        for (i, norm) in na.iter().enumerate() {
            for (j, v) in g.row_mut(i).iter_mut().enumerate() {
                let total = norm + nb[j];
                let d = total - 2.0 * *v;
                *v = scale * if d < CLOSE * total { sums::squared_distance(a.row(i), b.row(j)) } else { d };
            }
        }
        Ok(g)
    };
    Ok(match metric {
        Metric::SquaredEuclidean | Metric::Euclidean => {
            let means = a.col_means();
            let shift = |m: &Matrix| Matrix::from_fn(m.rows(), m.cols(), |i, j| m[(i, j)] - means[j]);
            let d = squared(&shift(a), &shift(b), 1.0)?;
            if metric == Metric::Euclidean { d.map(f64::sqrt) } else { d }
        }
        Metric::Correlation => squared(&unit_rows(a, true)?, &unit_rows(b, true)?, 0.5)?,
        Metric::Cosine => squared(&unit_rows(a, false)?, &unit_rows(b, false)?, 0.5)?,
        Metric::Cityblock => Matrix::from_fn(a.rows(), b.rows(), |i, j| {
            a.row(i).iter().zip(b.row(j)).map(|(p, q)| (p - q).abs()).sum()
        }),
        Metric::Chebyshev => Matrix::from_fn(a.rows(), b.rows(), |i, j| {
            a.row(i).iter().zip(b.row(j)).fold(0.0, |m, (p, q)| f64::max(m, (p - q).abs()))
        }),
    })
}

/// A function of the squared distances of the rows of `x`, through the Gram matrix.
fn from_gram(x: &Matrix, f: impl Fn(f64) -> f64 + Sync + Send) -> Vec<f64> {
    let g = linalg::upper_gram(x);
    let norms = g.diagonal();
    for_each_pair(x.rows(), |i, j| {
        let total = norms[i] + norms[j];
        let d = total - 2.0 * g[(i, j)];
        f(if d < CLOSE * total { sums::squared_distance(x.row(i), x.row(j)) } else { d })
    })
}

/// Rows scaled to length 1, after removing their mean if asked.
fn unit_rows(x: &Matrix, centre: bool) -> Result<Matrix> {
    if centre && x.cols() < 2 {
        return Err(Error::input(
            "at least 2 columns for a correlation distance",
            format!("{} column", x.cols()),
        )
        .hint("use a Euclidean distance for a single unit"));
    }
    let mut out = x.clone();
    let constant = |(i, row): (usize, &mut [f64])| -> Option<usize> {
        let largest = row.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        if centre {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            for v in row.iter_mut() {
                *v -= mean;
            }
        }
        let length = sums::dot(row, row).sqrt();
        // A row that is constant up to rounding has no direction.
        if length <= 1e-14 * largest * (row.len() as f64).sqrt() {
            return Some(i);
        }
        for v in row.iter_mut() {
            *v /= length;
        }
        None
    };
    let without = out.data_mut().par_chunks_mut(x.cols()).enumerate().filter_map(constant).min();
    if let Some(i) = without {
        let (what, got) =
            if centre { ("a row that varies", "a constant") } else { ("a row that is not zero", "zero") };
        return Err(Error::input(what, format!("{got} row {i}")));
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn random(rows: usize, cols: usize, offset: f64) -> Matrix {
        let mut s = Streams::new(5).stream("distances", 0);
        Matrix::from_fn(rows, cols, |_, _| s.normal() + offset)
    }

    #[test]
    fn condensed_and_square_are_inverse() -> Result<()> {
        let v: Vec<f64> = (1..=10).map(f64::from).collect();
        let m = to_square(&v)?;
        assert_eq!(from_square(&m)?, v);
        for i in 0..5 {
            for j in (0..5).filter(|&j| j != i) {
                assert_eq!(v[pair_index(5, i, j)], m[(i, j)]);
            }
        }
        assert!(condensed_size(9).is_err() && condensed_size(0).is_err());
        assert_eq!((condensed_size(1)?, condensed_size(499_500)?), (2, 1000));
        let mut bad = m.clone();
        bad[(1, 0)] = 99.0;
        assert!(from_square(&bad).is_err());
        let mut bad = m;
        bad[(2, 2)] = 1.0;
        assert!(from_square(&bad).is_err());
        Ok(())
    }

    #[test]
    fn a_gram_matrix_gives_the_distances_of_the_definition() -> Result<()> {
        // The offset would cost 10 digits without centring.
        for offset in [0.0, 1e5] {
            let x = random(70, 13, offset);
            let d = pairwise(&x, Metric::SquaredEuclidean)?;
            let e = pairwise(&x, Metric::Euclidean)?;
            let c = cross(&x, &x, Metric::Euclidean)?;
            for i in 0..70 {
                for j in i + 1..70 {
                    let exact = sums::squared_distance(x.row(i), x.row(j));
                    let k = pair_index(70, i, j);
                    // The input itself has lost 11 digits at offset 1e5 but both forms see the same input.
                    assert!((d[k] - exact).abs() <= 1e-10 * exact, "{} {exact}", d[k]);
                    assert!((e[k] - exact.sqrt()).abs() <= 1e-10 * exact.sqrt());
                    assert!((c[(i, j)] - exact.sqrt()).abs() <= 1e-10 * exact.sqrt());
                }
            }
        }
        Ok(())
    }

    #[test]
    fn near_duplicates_keep_their_digits() -> Result<()> {
        let mut x = random(3, 50, 0.0);
        let copy: Vec<f64> = x.row(0).to_vec();
        x.row_mut(1).copy_from_slice(&copy);
        x.row_mut(2).copy_from_slice(&copy);
        x[(2, 7)] += 1e-9;
        let d = pairwise(&x, Metric::Euclidean)?;
        assert_eq!(d[0], 0.0);
        // The rounding of the entry near 1 is 1e-16, so 1e-9 is known to 7 digits.
        assert!((d[1] / 1e-9 - 1.0).abs() < 1e-6);
        assert_eq!(pairwise(&x, Metric::Correlation)?[0], 0.0);
        Ok(())
    }

    #[test]
    fn rows_without_a_direction_are_refused() -> Result<()> {
        let x = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 4.0, 4.0])?;
        assert!(pairwise(&x, Metric::Correlation).is_err());
        assert!(pairwise(&Matrix::new(2, 2, vec![0.0, 0.0, 1.0, 1.0])?, Metric::Cosine).is_err());
        assert!(pairwise(&Matrix::new(2, 1, vec![0.0, 1.0])?, Metric::Correlation).is_err());
        assert!(pairwise(&Matrix::new(1, 2, vec![0.0, 1.0])?, Metric::Euclidean).is_err());
        assert!(cross(&x, &random(2, 4, 0.0), Metric::Cityblock).is_err());
        Ok(())
    }
}
