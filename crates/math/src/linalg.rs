//! Dense linear algebra on faer.
//!
//! Decompositions run on one thread; products are cut into row panels of a fixed size that threads share. So the bits
//! never depend on the number of threads. All functions fail on empty or mismatched shapes; decompositions also fail
//! on NaN and infinity.

use crate::Matrix;
use crate::gemm::{CleanRegisters, gemm};
use faer::diag::Diag;
use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::svd::ComputeSvdVectors;
use faer::linalg::{cholesky::llt, evd, householder, lu::partial_pivoting as lu, qr, svd as svd_raw};
use faer::prelude::default;
use faer::{Accum, Conj, Mat, MatMut, MatRef, Par};
use neuropil_core::{Error, Result, Stream};
use rayon::prelude::*;

/// Rows of the result that one task computes.
const PANEL: usize = 128;
/// Multiply-adds below which a product stays on one thread.
const SMALL: usize = 1 << 18;

fn check(condition: bool, expected: impl FnOnce() -> String, got: impl FnOnce() -> String) -> Result<()> {
    if condition { Ok(()) } else { Err(Error::input(expected(), got())) }
}

fn square(a: &Matrix) -> Result<usize> {
    check(a.rows() == a.cols(), || "a square matrix".into(), || format!("{} x {}", a.rows(), a.cols()))?;
    a.require_finite()?;
    Ok(a.rows())
}

/// Row panels of `left * right` into row-major `out`, in parallel where it pays.
fn panels<T: faer::traits::ComplexField + Send + Sync + Copy>(
    out: &mut [T],
    cols: usize,
    inner: usize,
    one: T,
    left: MatRef<'_, T>,
    right: MatRef<'_, T>,
) {
    if out.is_empty() {
        return;
    }
    let rows = out.len() / cols;
    let product = |(p, chunk): (usize, &mut [T])| {
        let n = chunk.len() / cols;
        let dst = MatMut::from_row_major_slice_mut(chunk, n, cols);
        gemm(dst, Accum::Replace, left.subrows(p * PANEL, n), right, one);
    };
    if rows.saturating_mul(cols).saturating_mul(inner) <= SMALL {
        out.chunks_mut(PANEL * cols).enumerate().for_each(product);
    } else {
        out.par_chunks_mut(PANEL * cols).enumerate().for_each(product);
    }
}

fn product(left: MatRef<'_, f64>, right: MatRef<'_, f64>) -> Result<Matrix> {
    check(
        left.ncols() == right.nrows(),
        || format!("inner axes of one length, {} columns on the left", left.ncols()),
        || format!("{} rows on the right", right.nrows()),
    )?;
    let mut out = Matrix::zeros(left.nrows(), right.ncols());
    panels(out.data_mut(), right.ncols(), left.ncols(), 1.0, left, right);
    Ok(out)
}

/// A B.
pub fn matmul(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    product(a.as_faer(), b.as_faer())
}

/// A^T B.
pub fn matmul_tn(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    product(a.as_faer().transpose(), b.as_faer())
}

/// A B^T.
pub fn matmul_nt(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    product(a.as_faer(), b.as_faer().transpose())
}

/// A x.
pub fn matvec(a: &Matrix, x: &[f64]) -> Result<Vec<f64>> {
    check(a.cols() == x.len(), || format!("{} values, one per column", a.cols()), || x.len().to_string())?;
    Ok(a.row_iter().map(|r| crate::sums::dot(r, x)).collect())
}

/// A^T x.
pub fn matvec_t(a: &Matrix, x: &[f64]) -> Result<Vec<f64>> {
    check(a.rows() == x.len(), || format!("{} values, one per row", a.rows()), || x.len().to_string())?;
    let mut out = vec![0.0; a.cols()];
    for (row, &w) in a.row_iter().zip(x) {
        out.iter_mut().zip(row).for_each(|(o, v)| *o += w * v);
    }
    Ok(out)
}

/// The Gram matrix A A^T of the rows (rows x rows), exactly symmetric; computes half of it.
pub fn gram(a: &Matrix) -> Matrix {
    let n = a.rows();
    let mut out = Matrix::zeros(n, n);
    symmetric_panels(out.data_mut(), n, 1.0, a.as_faer());
    out
}

/// The Gram matrix A A^T of the rows where only its upper triangle is read, diagonal included; entries below the diagonal
/// are undefined.
pub fn upper_gram(a: &Matrix) -> Matrix {
    let mut out = Matrix::zeros(a.rows(), a.rows());
    // Not by adding to zeros: reading pages that were never written costs more than the product.
    upper_panels(out.data_mut(), Accum::Replace, 1.0, a.as_faer());
    out
}

/// Adds `factor` A A^T to the upper triangle of a rows x rows matrix, diagonal included; entries below the diagonal are
/// undefined afterwards. For sums of Gram matrices of which only one triangle is read.
pub fn add_upper_gram(out: &mut Matrix, factor: f64, a: &Matrix) -> Result<()> {
    let n = a.rows();
    check(
        out.shape() == (n, n),
        || format!("a {n} x {n} matrix to add to"),
        || format!("{} x {}", out.rows(), out.cols()),
    )?;
    upper_panels(out.data_mut(), Accum::Add, factor, a.as_faer());
    Ok(())
}

/// The Gram matrix A^T A of the columns (columns x columns), exactly symmetric.
pub fn gram_of_columns(a: &Matrix) -> Matrix {
    let n = a.cols();
    let mut out = Matrix::zeros(n, n);
    symmetric_panels(out.data_mut(), n, 1.0, a.as_faer().transpose());
    out
}

/// The Gram matrix of the rows of a row-major f32 array (rows x cols), exactly symmetric, row-major rows x rows.
pub fn gram_f32(a: &[f32], rows: usize, cols: usize) -> Result<Vec<f32>> {
    check(
        rows.checked_mul(cols) == Some(a.len()),
        || format!("{rows} x {cols} values"),
        || a.len().to_string(),
    )?;
    let mut out = vec![0.0; rows * rows];
    symmetric_panels(&mut out, rows, 1.0, MatRef::from_row_major_slice(a, rows, cols));
    Ok(out)
}

/// Product of row-major f32 arrays: (m x k) times (k x n).
pub fn matmul_f32(a: &[f32], b: &[f32], m: usize, k: usize, n: usize) -> Result<Vec<f32>> {
    check(
        m.checked_mul(k) == Some(a.len()),
        || format!("{m} x {k} values on the left"),
        || a.len().to_string(),
    )?;
    check(
        k.checked_mul(n) == Some(b.len()),
        || format!("{k} x {n} values on the right"),
        || b.len().to_string(),
    )?;
    let mut out = vec![0.0; m * n];
    panels(&mut out, n, k, 1.0, MatRef::from_row_major_slice(a, m, k), MatRef::from_row_major_slice(b, k, n));
    Ok(out)
}

/// Panels of rows from the diagonal on: `out` (n x n, row-major) gets `factor` A A^T in its upper triangle, added or
/// instead of what it holds. Below the diagonal it is left in an undefined state.
fn upper_panels<T: faer::traits::ComplexField + Send + Sync + Copy>(
    out: &mut [T],
    accumulate: Accum,
    factor: T,
    a: MatRef<'_, T>,
) {
    let n = a.nrows();
    if n == 0 {
        return;
    }
    let transposed = a.transpose();
    let product = |(p, chunk): (usize, &mut [T])| {
        let rows = chunk.len() / n;
        let start = p * PANEL;
        let dst = MatMut::from_row_major_slice_mut(chunk, rows, n).subcols_mut(start, n - start);
        gemm(dst, accumulate, a.subrows(start, rows), transposed.subcols(start, n - start), factor);
    };
    if n.saturating_mul(n).saturating_mul(a.ncols()) <= SMALL {
        out.chunks_mut(PANEL * n).enumerate().for_each(product);
    } else {
        out.par_chunks_mut(PANEL * n).enumerate().for_each(product);
    }
}

/// The product and its mirror image.
fn symmetric_panels<T: faer::traits::ComplexField + Send + Sync + Copy>(
    out: &mut [T],
    n: usize,
    one: T,
    a: MatRef<'_, T>,
) {
    upper_panels(out, Accum::Replace, one, a);
    // Tiles keep both the read and the written lines in cache.
    const TILE: usize = 32;
    for bi in (0..n).step_by(TILE) {
        for bj in (0..=bi).step_by(TILE) {
            for i in bi..(bi + TILE).min(n) {
                for j in bj..(bj + TILE).min(i) {
                    out[i * n + j] = out[j * n + i];
                }
            }
        }
    }
}

/// A singular value decomposition A = U diag(s) V^T, singular values descending.
#[derive(Debug, Clone, PartialEq)]
pub struct Svd {
    /// Left singular vectors in columns: rows x k, or rows x rows for the full form.
    pub u: Matrix,
    /// Singular values, descending; k = min(rows, columns).
    pub s: Vec<f64>,
    /// Right singular vectors in columns: columns x k, or columns x columns for the full form.
    pub v: Matrix,
}

fn svd_of(a: &Matrix, compute: ComputeSvdVectors) -> Result<Svd> {
    a.require_finite()?;
    let (m, n) = a.shape();
    let k = m.min(n);
    let thin = matches!(compute, ComputeSvdVectors::Thin);
    let mut u = Mat::<f64>::zeros(m, if thin { k } else { m });
    let mut v = Mat::<f64>::zeros(n, if thin { k } else { n });
    let mut s = Diag::<f64>::zeros(k);
    let _clean = CleanRegisters;
    let mut memory = MemBuffer::new(svd_raw::svd_scratch::<f64>(m, n, compute, compute, Par::Seq, default()));
    // A column-major copy: the same bits whatever the layout of the input.
    let copy = a.to_faer();
    svd_raw::svd(
        copy.as_ref(),
        s.as_mut(),
        Some(u.as_mut()),
        Some(v.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        default(),
    )
    .map_err(|e| Error::Internal(format!("singular values did not converge: {e:?}")))?;
    let s = (0..k).map(|i| s.column_vector()[i]).collect();
    Ok(Svd { u: Matrix::from_faer(u.as_ref()), s, v: Matrix::from_faer(v.as_ref()) })
}

/// The thin singular value decomposition.
pub fn svd(a: &Matrix) -> Result<Svd> {
    svd_of(a, ComputeSvdVectors::Thin)
}

/// The full singular value decomposition, with complete bases in `u` and `v`.
pub fn svd_full(a: &Matrix) -> Result<Svd> {
    svd_of(a, ComputeSvdVectors::Full)
}

/// Singular values, descending.
pub fn singular_values(a: &Matrix) -> Result<Vec<f64>> {
    a.require_finite()?;
    let (m, n) = a.shape();
    let none = ComputeSvdVectors::No;
    let mut s = Diag::<f64>::zeros(m.min(n));
    let _clean = CleanRegisters;
    let mut memory = MemBuffer::new(svd_raw::svd_scratch::<f64>(m, n, none, none, Par::Seq, default()));
    let copy = a.to_faer();
    svd_raw::svd(copy.as_ref(), s.as_mut(), None, None, Par::Seq, MemStack::new(&mut memory), default())
        .map_err(|e| Error::Internal(format!("singular values did not converge: {e:?}")))?;
    Ok((0..m.min(n)).map(|i| s.column_vector()[i]).collect())
}

/// Eigenvalues and eigenvectors of a symmetric matrix.
#[derive(Debug, Clone, PartialEq)]
pub struct SymmetricEigen {
    /// Eigenvalues, ascending.
    pub values: Vec<f64>,
    /// Orthonormal eigenvectors in columns, in the order of the values.
    pub vectors: Matrix,
}

/// Eigenvalues (ascending) and eigenvectors of a symmetric matrix; only the lower triangle is read.
pub fn symmetric_eigen(a: &Matrix) -> Result<SymmetricEigen> {
    let n = square(a)?;
    let mut u = Mat::<f64>::zeros(n, n);
    let mut s = Diag::<f64>::zeros(n);
    let yes = evd::ComputeEigenvectors::Yes;
    let _clean = CleanRegisters;
    let mut memory = MemBuffer::new(evd::self_adjoint_evd_scratch::<f64>(n, yes, Par::Seq, default()));
    let copy = a.to_faer();
    evd::self_adjoint_evd(
        copy.as_ref(),
        s.as_mut(),
        Some(u.as_mut()),
        Par::Seq,
        MemStack::new(&mut memory),
        default(),
    )
    .map_err(|e| Error::Internal(format!("eigenvalues did not converge: {e:?}")))?;
    let values = (0..n).map(|i| s.column_vector()[i]).collect();
    Ok(SymmetricEigen { values, vectors: Matrix::from_faer(u.as_ref()) })
}

/// A thin QR decomposition A = Q R with k = min(rows, columns).
#[derive(Debug, Clone, PartialEq)]
pub struct Qr {
    /// Orthonormal columns, rows x k.
    pub q: Matrix,
    /// Upper triangular, k x columns. Signs of the diagonal are not fixed.
    pub r: Matrix,
}

/// The thin QR decomposition (Householder).
pub fn qr(a: &Matrix) -> Result<Qr> {
    a.require_finite()?;
    let (m, n) = a.shape();
    let k = m.min(n);
    let mut packed = a.to_faer();
    let _clean = CleanRegisters;
    let block = qr::no_pivoting::factor::recommended_block_size::<f64>(m, n);
    let mut coefficients = Mat::<f64>::zeros(block, k);
    let mut memory =
        MemBuffer::new(qr::no_pivoting::factor::qr_in_place_scratch::<f64>(m, n, block, Par::Seq, default()));
    qr::no_pivoting::factor::qr_in_place(
        packed.as_mut(),
        coefficients.as_mut(),
        Par::Seq,
        MemStack::new(&mut memory),
        default(),
    );
    let r = Matrix::from_fn(k, n, |i, j| if i <= j { packed[(i, j)] } else { 0.0 });
    let basis = Mat::<f64>::from_fn(m, k, |i, j| match i.cmp(&j) {
        std::cmp::Ordering::Less => 0.0,
        std::cmp::Ordering::Equal => 1.0,
        std::cmp::Ordering::Greater => packed[(i, j)],
    });
    let mut q = Mat::<f64>::identity(m, k);
    let mut memory = MemBuffer::new(
        householder::apply_block_householder_sequence_on_the_left_in_place_scratch::<f64>(m, block, k),
    );
    householder::apply_block_householder_sequence_on_the_left_in_place_with_conj(
        basis.as_ref(),
        coefficients.as_ref(),
        Conj::No,
        q.as_mut(),
        Par::Seq,
        MemStack::new(&mut memory),
    );
    Ok(Qr { q: Matrix::from_faer(q.as_ref()), r })
}

/// The lower Cholesky factor L of a symmetric positive definite A = L L^T; only the lower triangle is read.
pub fn cholesky(a: &Matrix) -> Result<Matrix> {
    let n = square(a)?;
    let mut l = a.to_faer();
    let _clean = CleanRegisters;
    let mut memory = MemBuffer::new(llt::factor::cholesky_in_place_scratch::<f64>(n, Par::Seq, default()));
    llt::factor::cholesky_in_place(l.as_mut(), default(), Par::Seq, MemStack::new(&mut memory), default())
        .map_err(|e| Error::input("a positive definite matrix", format!("{e:?}")))?;
    Ok(Matrix::from_fn(n, n, |i, j| if i >= j { l[(i, j)] } else { 0.0 }))
}

/// Solves L X = B for a lower triangular L (forward substitution).
pub fn solve_lower(l: &Matrix, b: &Matrix) -> Result<Matrix> {
    let n = square(l)?;
    check(b.rows() == n, || format!("{n} rows on the right side"), || b.rows().to_string())?;
    let mut x = b.to_faer();
    faer::linalg::triangular_solve::solve_lower_triangular_in_place(l.as_faer(), x.as_mut(), Par::Seq);
    Ok(Matrix::from_faer(x.as_ref()))
}

/// Solves A X = B for a symmetric positive definite A.
pub fn cholesky_solve(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    solve_factored(&cholesky(a)?, b)
}

/// Solves L L^T X = B for the factor L of [`cholesky`].
pub fn solve_factored(l: &Matrix, b: &Matrix) -> Result<Matrix> {
    let n = square(l)?;
    check(b.rows() == n, || format!("{n} rows on the right side"), || b.rows().to_string())?;
    let mut x = b.to_faer();
    faer::linalg::triangular_solve::solve_lower_triangular_in_place(l.as_faer(), x.as_mut(), Par::Seq);
    faer::linalg::triangular_solve::solve_upper_triangular_in_place(
        l.as_faer().transpose(),
        x.as_mut(),
        Par::Seq,
    );
    Ok(Matrix::from_faer(x.as_ref()))
}

/// Solves A X = B for a square A (LU with partial pivoting); fails on an exactly singular matrix.
pub fn solve(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    let n = square(a)?;
    check(b.rows() == n, || format!("{n} rows on the right side"), || b.rows().to_string())?;
    let mut packed = a.to_faer();
    let (mut forward, mut backward) = (vec![0_usize; n], vec![0_usize; n]);
    let _clean = CleanRegisters;
    let mut memory = MemBuffer::new(lu::factor::lu_in_place_scratch::<usize, f64>(n, n, Par::Seq, default()));
    lu::factor::lu_in_place(
        packed.as_mut(),
        &mut forward,
        &mut backward,
        Par::Seq,
        MemStack::new(&mut memory),
        default(),
    );
    if let Some(i) = (0..n).find(|&i| packed[(i, i)] == 0.0 || !packed[(i, i)].is_finite()) {
        return Err(Error::input(
            "a regular matrix",
            format!("a singular one (pivot {i} is {})", packed[(i, i)]),
        ));
    }
    let mut x = Mat::<f64>::from_fn(n, b.cols(), |i, j| b[(forward[i], j)]);
    faer::linalg::triangular_solve::solve_unit_lower_triangular_in_place(
        packed.as_ref(),
        x.as_mut(),
        Par::Seq,
    );
    faer::linalg::triangular_solve::solve_upper_triangular_in_place(packed.as_ref(), x.as_mut(), Par::Seq);
    Ok(Matrix::from_faer(x.as_ref()))
}

/// The inverse of a square matrix.
pub fn inverse(a: &Matrix) -> Result<Matrix> {
    solve(a, &Matrix::identity(a.rows()))
}

/// The Moore-Penrose pseudo-inverse; singular values below `tolerance` times the largest count as 0.
pub fn pseudo_inverse(a: &Matrix, tolerance: f64) -> Result<Matrix> {
    let d = svd(a)?;
    let cut = tolerance * d.s.first().copied().unwrap_or(0.0);
    let scaled =
        Matrix::from_fn(d.v.rows(), d.v.cols(), |i, j| if d.s[j] > cut { d.v[(i, j)] / d.s[j] } else { 0.0 });
    matmul_nt(&scaled, &d.u)
}

/// The least-squares solution of A X = B of smallest norm.
pub fn least_squares(a: &Matrix, b: &Matrix) -> Result<Matrix> {
    check(a.rows() == b.rows(), || format!("{} rows on the right side", a.rows()), || b.rows().to_string())?;
    matmul(&pseudo_inverse(a, 1e-12)?, b)
}

/// Ridge regression weights W (features x targets) that minimise |X W - Y|^2 + lambda |W|^2, without an intercept
/// (centre first). X is samples x features, Y samples x targets. Solves whichever normal equations are smaller.
pub fn ridge(x: &Matrix, y: &Matrix, lambda: f64) -> Result<Matrix> {
    check(x.rows() == y.rows(), || format!("{} rows of targets", x.rows()), || y.rows().to_string())?;
    check(
        lambda >= 0.0 && lambda.is_finite(),
        || "a finite penalty of at least 0".into(),
        || lambda.to_string(),
    )?;
    x.require_finite()?;
    y.require_finite()?;
    let add = |mut g: Matrix| {
        (0..g.rows()).for_each(|i| g[(i, i)] += lambda);
        g
    };
    if x.cols() <= x.rows() {
        cholesky_solve(&add(gram_of_columns(x)), &matmul_tn(x, y)?)
    } else {
        matmul_tn(x, &cholesky_solve(&add(gram(x)), y)?)
    }
}

/// A random orthogonal n x n matrix, uniform over the group (QR of a Gaussian matrix with the signs of R's diagonal).
pub fn random_orthogonal(n: usize, stream: &mut Stream) -> Result<Matrix> {
    let Qr { q, r } = qr(&Matrix::new(n, n, stream.normals(n * n))?)?;
    Ok(Matrix::from_fn(n, n, |i, j| if r[(j, j)] < 0.0 { -q[(i, j)] } else { q[(i, j)] }))
}

/// A random rows x cols matrix with orthonormal columns (rows >= cols) or rows (rows < cols).
pub fn random_semi_orthogonal(rows: usize, cols: usize, stream: &mut Stream) -> Result<Matrix> {
    if rows < cols {
        return Ok(random_semi_orthogonal(cols, rows, stream)?.transpose());
    }
    let Qr { q, r } = qr(&Matrix::new(rows, cols, stream.normals(rows * cols))?)?;
    Ok(Matrix::from_fn(rows, cols, |i, j| if r[(j, j)] < 0.0 { -q[(i, j)] } else { q[(i, j)] }))
}

/// Square root of the sum of squares.
pub fn frobenius_norm(a: &Matrix) -> f64 {
    crate::sums::dot(a.data(), a.data()).sqrt()
}

/// Largest singular value.
pub fn spectral_norm(a: &Matrix) -> Result<f64> {
    Ok(singular_values(a)?.first().copied().unwrap_or(0.0))
}

/// Sum of the singular values.
pub fn nuclear_norm(a: &Matrix) -> Result<f64> {
    Ok(singular_values(a)?.iter().sum())
}

/// Sum of the diagonal.
pub fn trace(a: &Matrix) -> f64 {
    a.diagonal().iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn random(rows: usize, cols: usize, seed: u64) -> Matrix {
        let mut s = Streams::new(seed).stream("linalg", 0);
        Matrix::new(rows, cols, s.normals(rows * cols)).expect("fits")
    }

    fn close(a: &Matrix, b: &Matrix, tolerance: f64) -> bool {
        let scale = frobenius_norm(b).max(1.0);
        a.minus(b).is_ok_and(|d| frobenius_norm(&d) <= tolerance * scale)
    }

    fn scaled_columns(a: &Matrix, s: &[f64]) -> Matrix {
        Matrix::from_fn(a.rows(), s.len(), |i, j| a[(i, j)] * s[j])
    }

    #[test]
    fn products_agree_with_the_definition() -> Result<()> {
        for (m, k, n) in [(1, 1, 1), (3, 5, 2), (130, 17, 129), (257, 33, 3)] {
            let (a, b) = (random(m, k, 1), random(k, n, 2));
            let naive = Matrix::from_fn(m, n, |i, j| (0..k).map(|l| a[(i, l)] * b[(l, j)]).sum());
            // Rounding of k products, far below 1e-12 at these sizes.
            assert!(close(&matmul(&a, &b)?, &naive, 1e-12));
            assert!(close(&matmul_tn(&a.transpose(), &b)?, &naive, 1e-12));
            assert!(close(&matmul_nt(&a, &b.transpose())?, &naive, 1e-12));
            assert!(close(&gram(&a), &matmul_nt(&a, &a)?, 1e-12));
            assert!(close(&gram_of_columns(&a), &matmul_tn(&a, &a)?, 1e-12));
            let g = gram(&a);
            assert_eq!(g, g.transpose());
            let f: Vec<f32> = a.data().iter().map(|&v| v as f32).collect();
            let h: Vec<f32> = b.data().iter().map(|&v| v as f32).collect();
            let single = Matrix::from_f32(m, n, &matmul_f32(&f, &h, m, k, n)?)?;
            assert!(close(&single, &naive, 1e-5), "single precision carries 7 digits");
            let gram32 = Matrix::from_f32(m, m, &gram_f32(&f, m, k)?)?;
            assert!(close(&gram32, &g, 1e-5), "single precision carries 7 digits");
        }
        assert!(matmul(&random(2, 3, 1), &random(2, 3, 1)).is_err());
        Ok(())
    }

    #[test]
    fn decompositions_reassemble() -> Result<()> {
        for (m, n) in [(5, 5), (40, 7), (6, 31), (90, 70)] {
            let a = random(m, n, 3);
            let d = svd(&a)?;
            // Backward stable methods: some tens of rounding units.
            assert!(close(&matmul_nt(&scaled_columns(&d.u, &d.s), &d.v)?, &a, 1e-12));
            assert!(d.s.windows(2).all(|w| w[0] >= w[1]));
            let full = svd_full(&a)?;
            assert_eq!((full.u.shape(), full.v.shape()), ((m, m), (n, n)));
            assert!(close(&gram(&full.u), &Matrix::identity(m), 1e-12));
            assert!(singular_values(&a)?.iter().zip(&d.s).all(|(x, y)| (x - y).abs() < 1e-12 * d.s[0]));
            let f = qr(&a)?;
            assert!(close(&matmul(&f.q, &f.r)?, &a, 1e-12));
            assert!(close(&gram_of_columns(&f.q), &Matrix::identity(m.min(n)), 1e-12));
            let g = gram(&a);
            let e = symmetric_eigen(&g)?;
            assert!(close(&matmul_nt(&scaled_columns(&e.vectors, &e.values), &e.vectors)?, &g, 1e-12));
            assert!(e.values.windows(2).all(|w| w[0] <= w[1]));
        }
        Ok(())
    }

    #[test]
    fn solvers_solve() -> Result<()> {
        let a = random(12, 12, 4);
        let x = random(12, 3, 5);
        // The condition number of a 12 x 12 Gaussian matrix is of order 100.
        assert!(close(&solve(&a, &matmul(&a, &x)?)?, &x, 1e-11));
        assert!(close(&matmul(&inverse(&a)?, &a)?, &Matrix::identity(12), 1e-11));
        let mut spd = gram(&a);
        (0..12).for_each(|i| spd[(i, i)] += 1.0);
        let l = cholesky(&spd)?;
        assert!(close(&gram(&l), &spd, 1e-13));
        assert!(close(&cholesky_solve(&spd, &matmul(&spd, &x)?)?, &x, 1e-11));
        assert!(close(&solve_lower(&l, &matmul(&l, &x)?)?, &x, 1e-11));
        assert!(solve(&Matrix::zeros(3, 3), &Matrix::zeros(3, 1)).is_err());
        assert!(cholesky(&Matrix::from_fn(2, 2, |i, j| if i == j { -1.0 } else { 0.0 })).is_err());
        assert!(svd(&Matrix::new(1, 1, vec![f64::NAN])?).is_err());
        Ok(())
    }

    #[test]
    fn both_forms_of_ridge_agree() -> Result<()> {
        let (x, y) = (random(20, 8, 6), random(20, 2, 7));
        let w = ridge(&x, &y, 0.7)?;
        // The dual form through more features than samples: zero columns change nothing.
        let wide = Matrix::from_fn(20, 30, |i, j| if j < 8 { x[(i, j)] } else { 0.0 });
        let dual = ridge(&wide, &y, 0.7)?;
        assert!(close(&dual.select_rows(&(0..8).collect::<Vec<_>>())?, &w, 1e-11));
        assert!(close(&ridge(&x, &y, 1e-12)?, &least_squares(&x, &y)?, 1e-9));
        Ok(())
    }

    #[test]
    fn random_orthogonal_is_orthogonal_and_has_no_preferred_sign() -> Result<()> {
        let mut s = Streams::new(8).stream("orthogonal", 0);
        let q = random_orthogonal(30, &mut s)?;
        assert!(close(&gram(&q), &Matrix::identity(30), 1e-13));
        let first: f64 = (0..400).map(|_| random_orthogonal(2, &mut s).map_or(9.0, |q| q[(0, 0)])).sum();
        // Uniform on the circle: SD of the sum is sqrt(400 / 2) = 14; four of them.
        assert!(first.abs() < 57.0, "{first}");
        let w = random_semi_orthogonal(3, 10, &mut s)?;
        assert!(close(&gram(&w), &Matrix::identity(3), 1e-13));
        Ok(())
    }

    #[test]
    fn bits_do_not_depend_on_threads() -> Result<()> {
        let (a, b) = (random(300, 200, 9), random(200, 150, 10));
        let on = |threads: usize| -> Result<(Matrix, Matrix, Svd)> {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .map_err(|e| Error::Internal(e.to_string()))?;
            pool.install(|| Ok((matmul(&a, &b)?, gram(&a), svd(&b)?)))
        };
        let one = on(1)?;
        assert_eq!(one, on(2)?);
        assert_eq!(one, on(8)?);
        Ok(())
    }
}
