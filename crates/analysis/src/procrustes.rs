//! Procrustes alignment: how alike two sets of points are after shift, rotation, reflection and scale.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg, sums};

/// The best alignment of `b` onto `a`.
#[derive(Debug, Clone, PartialEq)]
pub struct Procrustes {
    /// Sum of squared differences after both sets are centred and scaled to unit norm and the second is rotated and
    /// scaled: 0 for the same shape, at most 1. What SciPy calls the disparity.
    pub disparity: f64,
    /// Scale of the second set, the sum of the singular values.
    pub scale: f64,
    /// Rotation R (columns of b x columns of a) with b R close to a.
    pub rotation: Matrix,
}

/// Centres and scales to unit Frobenius norm; fails where all rows are equal.
fn unit(x: &Matrix) -> Result<Matrix> {
    x.require_finite()?;
    let c = x.centred();
    let norm = linalg::frobenius_norm(&c);
    if norm <= 1e-14 * linalg::frobenius_norm(x) {
        return Err(Error::input("points that vary", "all rows equal"));
    }
    Ok(c.map(|v| v / norm))
}

/// Aligns two sets of as many points (rows); the numbers of columns may differ.
pub fn procrustes(a: &Matrix, b: &Matrix) -> Result<Procrustes> {
    if a.rows() != b.rows() {
        return Err(Error::input(format!("{} rows in both sets", a.rows()), b.rows().to_string()));
    }
    let (a, b) = (unit(a)?, unit(b)?);
    let d = linalg::svd(&linalg::matmul_tn(&b, &a)?)?;
    let scale: f64 = d.s.iter().sum();
    Ok(Procrustes {
        disparity: (1.0 - scale * scale).max(0.0),
        scale,
        rotation: linalg::matmul_nt(&d.u, &d.v)?,
    })
}

/// Cosine-like similarity in [0, 1], the nuclear norm of the cross product of the centred, unit-norm sets: sqrt(1 -
/// disparity).
pub fn procrustes_similarity(a: &Matrix, b: &Matrix) -> Result<f64> {
    Ok(procrustes_similarities(&[a, b])?[(0, 1)])
}

/// [`procrustes_similarity`] of all pairs of sets. A set with more columns than rows is reduced to a square factor once,
/// after which a pair costs O(rows^3).
pub fn procrustes_similarities(sets: &[&Matrix]) -> Result<Matrix> {
    let n = sets.len();
    if let Some(other) = sets.iter().find(|x| x.rows() != sets[0].rows()) {
        return Err(Error::input(format!("{} rows in all sets", sets[0].rows()), other.rows().to_string()));
    }
    let factors: Vec<Matrix> =
        sums::map(n, |k| compact(&unit(sets[k])?)).into_iter().collect::<Result<_>>()?;
    let pairs: Vec<(usize, usize)> = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).collect();
    let similar = sums::map(pairs.len(), |k| {
        let (i, j) = pairs[k];
        linalg::nuclear_norm(&linalg::matmul_tn(&factors[j], &factors[i])?)
    });
    let mut out = Matrix::identity(n);
    for ((i, j), s) in pairs.into_iter().zip(similar) {
        let s = s?;
        out[(i, j)] = s;
        out[(j, i)] = s;
    }
    Ok(out)
}

/// A factor with the same Gram matrix and at most as many columns as rows.
fn compact(x: &Matrix) -> Result<Matrix> {
    if x.cols() <= x.rows() {
        return Ok(x.clone());
    }
    // A = Q R of the transpose gives A = R^T Q^T with orthonormal rows Q^T, which the nuclear norm does not see.
    Ok(linalg::qr(&x.transpose())?.r.transpose())
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn shift_rotation_and_scale_do_not_matter() -> Result<()> {
        let mut s = Streams::new(1).stream("procrustes", 0);
        let a = Matrix::from_fn(20, 4, |_, _| s.normal());
        let q = linalg::random_orthogonal(4, &mut s)?;
        let b = linalg::matmul(&a, &q)?.map(|v| 3.0 * v + 7.0);
        let p = procrustes(&a, &b)?;
        assert!(p.disparity < 1e-12);
        let back = linalg::matmul(&b.centred(), &p.rotation)?;
        let error = back.map(|v| v / 3.0).minus(&a.centred())?;
        assert!(linalg::frobenius_norm(&error) < 1e-12);
        let c = Matrix::from_fn(20, 4, |_, _| s.normal());
        let d = procrustes(&a, &c)?.disparity;
        assert!(d > 0.3 && (procrustes_similarity(&a, &c)? - (1.0 - d).sqrt()).abs() < 1e-12);
        // Many more columns than rows.
        let wide = Matrix::from_fn(20, 90, |_, _| s.normal());
        let expected = (1.0 - procrustes(&a, &wide)?.disparity).sqrt();
        assert!((procrustes_similarity(&wide, &a)? - expected).abs() < 1e-12);
        assert!(
            procrustes(&a, &Matrix::zeros(19, 4)).is_err() && procrustes(&a, &Matrix::zeros(20, 4)).is_err()
        );
        Ok(())
    }
}
