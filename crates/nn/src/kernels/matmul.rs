//! Matrix products over strided views.

use super::Real;
use rayon::prelude::*;

/// A read-only matrix view: element (i, j) is `data[i * row + j * col]`.
#[derive(Clone, Copy)]
pub struct Mat<'a, T> {
    data: &'a [T],
    rows: usize,
    cols: usize,
    row: usize,
    col: usize,
}

/// A writable row-major view with a row stride.
pub struct MatMut<'a, T> {
    data: &'a mut [T],
    rows: usize,
    cols: usize,
    row: usize,
}

fn last(rows: usize, cols: usize, row: usize, col: usize) -> usize {
    if rows == 0 || cols == 0 { 0 } else { (rows - 1) * row + (cols - 1) * col + 1 }
}

impl<'a, T: Real> Mat<'a, T> {
    /// A row-major `rows` x `cols` matrix.
    pub fn new(data: &'a [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows start `row` elements apart.
    pub fn strided(data: &'a [T], rows: usize, cols: usize, row: usize) -> Self {
        assert!(last(rows, cols, row, 1) <= data.len(), "matrix view beyond its data");
        Self { data, rows, cols, row, col: 1 }
    }

    /// The transpose, without a copy.
    #[must_use]
    pub fn t(self) -> Self {
        Self { rows: self.cols, cols: self.rows, row: self.col, col: self.row, ..self }
    }

    /// Rows `from..from + rows`.
    #[must_use]
    pub fn rows(self, from: usize, rows: usize) -> Self {
        assert!(from + rows <= self.rows, "rows beyond the matrix");
        let data = if rows == 0 || self.cols == 0 { &self.data[..0] } else { &self.data[from * self.row..] };
        Self { data, rows, ..self }
    }

    /// Columns `from..from + cols`.
    #[must_use]
    pub fn cols(self, from: usize, cols: usize) -> Self {
        self.t().rows(from, cols).t()
    }
}

impl<'a, T: Real> MatMut<'a, T> {
    /// A row-major `rows` x `cols` matrix.
    pub fn new(data: &'a mut [T], rows: usize, cols: usize) -> Self {
        Self::strided(data, rows, cols, cols)
    }

    /// A matrix whose rows start `row` elements apart.
    pub fn strided(data: &'a mut [T], rows: usize, cols: usize, row: usize) -> Self {
        assert!(row >= cols && last(rows, cols, row, 1) <= data.len(), "matrix view beyond its data");
        Self { data, rows, cols, row }
    }

    /// The data, the number of columns and the row stride.
    pub fn into_parts(self) -> (&'a mut [T], usize, usize) {
        (self.data, self.cols, self.row)
    }
}

/// `out = a b`, or `out += a b` when `accumulate`; on the calling thread.
#[allow(clippy::needless_pass_by_value)] // a mutable view is used up by the product
pub fn matmul<T: Real>(out: MatMut<T>, a: Mat<T>, b: Mat<T>, accumulate: bool) {
    assert_eq!((out.rows, a.cols, out.cols), (a.rows, b.rows, b.cols), "matrix product of unequal shapes");
    // SAFETY: the view was checked to lie within its slice, its rows do not overlap (row >= cols), and it is borrowed
    // mutably, so nothing else refers to it.
    unsafe { product(out.data.as_mut_ptr(), out.row, a, b, accumulate) }
}

/// The product into rows of `b.cols` elements that start `row` apart from `out` on.
///
/// # Safety
/// All these elements must be valid for writing and, if `accumulate`, initialised; nothing else may refer to them during
/// the call.
pub(super) unsafe fn product<T: Real>(out: *mut T, row: usize, a: Mat<T>, b: Mat<T>, accumulate: bool) {
    debug_assert_eq!(a.cols, b.rows);
    if a.rows == 0 || b.cols == 0 {
        return;
    }
    if a.cols == 0 {
        if !accumulate {
            for i in 0..a.rows {
                for j in 0..b.cols {
                    // SAFETY: element (i, j) of the output, which the caller vouches for.
                    unsafe { out.add(i * row + j).write(T::ZERO) };
                }
            }
        }
        return;
    }
    // SAFETY: `a` and `b` were checked to lie within their slices when they were made; the caller vouches for the output.
    unsafe {
        gemm::gemm(
            a.rows,
            b.cols,
            a.cols,
            out,
            1,
            row as isize,
            accumulate,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            if accumulate { T::ONE } else { T::ZERO },
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows and columns of the tiles that tasks compute: follows from the shape alone, so that every number of threads
/// computes the same tiles. A task packs its rows of `a` and its columns of `b` for itself; of the ways to cut the output
/// into about 8 tiles, the one is taken that packs least.
fn tile(m: usize, n: usize, k: usize) -> (usize, usize) {
    if m * n * k < 1 << 18 {
        return (m.max(1), n.max(1));
    }
    let cut = |size: usize, parts: usize| size.div_ceil(parts).next_multiple_of(16);
    let tasks = (m * n).div_ceil(256 * 1024).max(8);
    (0..=tasks.ilog2())
        .map(|e| 1 << e)
        .map(|parts| (cut(m, parts), cut(n, tasks.div_ceil(parts))))
        .min_by_key(|&(rows, cols)| m.div_ceil(rows) * n + n.div_ceil(cols) * m)
        .unwrap_or((m, n))
}

/// A pointer that tasks share, each for elements of its own.
pub(super) struct Shared<T>(pub(super) *mut T);

impl<T> Shared<T> {
    /// The pointer. A method, so that closures borrow the whole.
    pub(super) fn get(&self) -> *mut T {
        self.0
    }
}

// SAFETY: a pointer may be sent anywhere; those who write through it vouch for disjoint elements.
unsafe impl<T: Send> Sync for Shared<T> {}

/// `out = a b` (+ `bias` in every row) (+ `out`) over the rayon pool, rows of `out` behind each other.
///
/// # Safety
/// The `a.rows * b.cols` elements from `out` on must be valid for writing and, if `accumulate`, initialised; nothing else
/// may refer to them during the call.
unsafe fn tiles<T: Real>(out: &Shared<T>, a: Mat<T>, b: Mat<T>, bias: Option<&[T]>, accumulate: bool) {
    let (m, n) = (a.rows, b.cols);
    if m == 0 || n == 0 {
        return;
    }
    let (rows, cols) = tile(m, n, a.cols);
    let across = n.div_ceil(cols);
    (0..m.div_ceil(rows) * across).into_par_iter().for_each(|t| {
        let (i, j) = (t / across * rows, t % across * cols);
        let (rows, cols) = (rows.min(m - i), cols.min(n - j));
        if let Some(bias) = bias {
            for i in i..i + rows {
                let part = &bias[j..j + cols];
                // SAFETY: row `i` of the tile, see below; a bias cannot overlap it.
                unsafe { part.as_ptr().copy_to_nonoverlapping(out.get().add(i * n + j), cols) };
            }
        }
        let accumulate = accumulate || bias.is_some();
        // SAFETY: the tile lies within the output (i + rows <= m, j + cols <= n), tiles do not overlap, and with a bias
        // all of it has just been written; the caller vouches for the rest.
        unsafe { product(out.get().add(i * n + j), n, a.rows(i, rows), b.cols(j, cols), accumulate) }
    });
}

/// `out = a b` (+ `out`) over the rayon pool, `out` row-major and dense.
pub fn matmul_rows<T: Real>(out: &mut [T], a: Mat<T>, b: Mat<T>, accumulate: bool) {
    assert_eq!((out.len(), a.cols), (a.rows * b.cols, b.rows), "matrix product of unequal shapes");
    // SAFETY: `out` has that many elements and is borrowed mutably.
    unsafe { tiles(&Shared(out.as_mut_ptr()), a, b, None, accumulate) }
}

/// `a b` with `bias` (if any) added to every row, over the rayon pool: a new row-major matrix, written once.
pub fn product_rows<T: Real>(a: Mat<T>, b: Mat<T>, bias: Option<&[T]>) -> Vec<T> {
    assert_eq!(a.cols, b.rows, "matrix product of unequal shapes");
    assert!(bias.is_none_or(|v| v.len() == b.cols), "a bias of another length");
    let n = a.rows * b.cols;
    let mut out = Vec::with_capacity(n);
    // SAFETY: the vector has room for `n` elements, of which nothing else knows; the tiles are all of them, and each is
    // written by its product, which begins from the bias or from nothing.
    unsafe {
        tiles(&Shared(out.as_mut_ptr()), a, b, bias, false);
        out.set_len(n);
    }
    out
}

/// Rows per partial sum of [`column_sums`].
const SUM_ROWS: usize = 128;

/// Adds the sum over the rows of `x` [rows, n] to `out` \[n\]: partial sums of 128 rows, folded in order.
pub fn column_sums<T: Real>(out: &mut [T], x: &[T]) {
    let n = out.len().max(1);
    let part = |rows: &[T]| {
        let mut sum = vec![T::ZERO; n];
        rows.chunks_exact(n).for_each(|row| super::add_assign(&mut sum, row));
        sum
    };
    let parts: Vec<Vec<T>> = x.par_chunks(SUM_ROWS * n).map(part).collect();
    for sum in &parts {
        super::add_assign(out, sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn views_and_blocks_agree_with_the_definition() {
        for (m, k, n) in [(37, 19, 23), (1, 1, 1), (5, 0, 3), (300, 70, 41), (33, 90, 500), (700, 33, 17)] {
            check(m, k, n);
        }
    }

    fn check(m: usize, k: usize, n: usize) {
        let a: Vec<f64> = (0..m * k).map(|i| (i % 7) as f64 - 3.0).collect();
        let b: Vec<f64> = (0..n * k).map(|i| (i % 5) as f64 - 2.0).collect();
        let mut out = vec![1.0; m * n];
        matmul_rows(&mut out, Mat::new(&a, m, k), Mat::new(&b, n, k).t(), true);
        let new = product_rows(Mat::new(&a, m, k), Mat::new(&b, n, k).t(), Some(&vec![1.0; n]));
        assert!(out == new);
        for i in 0..m {
            for j in 0..n {
                let want: f64 = 1.0 + (0..k).map(|l| a[i * k + l] * b[j * k + l]).sum::<f64>();
                // Small integers: exact.
                assert_eq!(out[i * n + j], want);
            }
        }
    }

    #[test]
    fn threads_do_not_change_bits() {
        let (m, k, n) = (300, 130, 70);
        let mut s = neuropil_core::Streams::new(1).stream("matmul", 0);
        let (a, b) = (s.normals_f32(m * k), s.normals_f32(k * n));
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            let mut out = vec![0.0_f32; m * n];
            pool.install(|| matmul_rows(&mut out, Mat::new(&a, m, k), Mat::new(&b, k, n), false));
            out
        };
        assert!(run(1) == run(2) && run(1) == run(8));
    }
}
