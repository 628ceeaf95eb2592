//! Centred kernel alignment of representations (Kornblith et al. 2019), linear kernel.

use neuropil_core::{Error, Result};
use neuropil_math::{Matrix, linalg, sums};

/// The centred Gram matrix of responses (stimuli x units), scaled to unit Frobenius norm. The inner product of two of
/// them is their linear CKA. Fails where all stimuli give one response.
pub fn centred_kernel(responses: &Matrix) -> Result<Matrix> {
    responses.require_finite()?;
    let kernel = linalg::gram(&responses.centred());
    let norm = linalg::frobenius_norm(&kernel);
    let scale = sums::dot(responses.data(), responses.data());
    if norm <= 1e-14 * scale {
        return Err(Error::input("responses that vary across stimuli", "one response for all"));
    }
    Ok(kernel.map(|v| v / norm))
}

/// Linear CKA of two response matrices over the same stimuli: 1 for the same geometry up to rotation and scale.
pub fn linear_cka(a: &Matrix, b: &Matrix) -> Result<f64> {
    if a.rows() != b.rows() {
        return Err(Error::input(format!("{} stimuli in both", a.rows()), b.rows().to_string()));
    }
    Ok(sums::dot(centred_kernel(a)?.data(), centred_kernel(b)?.data()))
}

/// Linear CKA from covariances: `xx` and `yy` within the sets, `xy` (units of the first x units of the second) between them.
pub fn linear_cka_of_covariances(xx: &Matrix, yy: &Matrix, xy: &Matrix) -> Result<f64> {
    let (n1, n2) = xy.shape();
    if xx.shape() != (n1, n1) || yy.shape() != (n2, n2) {
        return Err(Error::input(
            format!("{n1} x {n1} and {n2} x {n2} covariances within the sets"),
            format!("{} x {} and {} x {}", xx.rows(), xx.cols(), yy.rows(), yy.cols()),
        ));
    }
    let size = linalg::frobenius_norm(xx) * linalg::frobenius_norm(yy);
    if size.is_nan() || size <= 0.0 {
        return Err(Error::input("units that vary", "constant units"));
    }
    Ok(linalg::frobenius_norm(xy).powi(2) / size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn equals_the_feature_form_and_ignores_rotation() -> Result<()> {
        let mut s = Streams::new(1).stream("cka", 0);
        let a = Matrix::from_fn(30, 5, |_, _| s.normal());
        let b = Matrix::from_fn(30, 8, |_, _| s.normal());
        let (ac, bc) = (a.centred(), b.centred());
        let square = |m: &Matrix| linalg::frobenius_norm(m).powi(2);
        let features = square(&linalg::matmul_tn(&bc, &ac)?)
            / (square(&linalg::gram_of_columns(&ac)) * square(&linalg::gram_of_columns(&bc))).sqrt();
        assert!((linear_cka(&a, &b)? - features).abs() < 1e-12);
        let (aa, bb) = (linalg::gram_of_columns(&ac), linalg::gram_of_columns(&bc));
        let ab = linalg::matmul_tn(&ac, &bc)?;
        assert!((linear_cka_of_covariances(&aa, &bb, &ab)? - features).abs() < 1e-12);
        assert!(linear_cka_of_covariances(&bb, &aa, &ab).is_err());
        let q = linalg::random_orthogonal(5, &mut s)?;
        assert!((linear_cka(&a, &linalg::matmul(&a, &q)?.map(|v| 2.0 * v - 1.0))? - 1.0).abs() < 1e-12);
        assert!(
            linear_cka(&a, &Matrix::zeros(29, 2)).is_err() && linear_cka(&a, &Matrix::zeros(30, 2)).is_err()
        );
        Ok(())
    }
}
