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
    if out.rows == 0 || out.cols == 0 {
        return;
    }
    let alpha = if accumulate { T::ONE } else { T::ZERO };
    if a.cols == 0 {
        if !accumulate {
            for i in 0..out.rows {
                out.data[i * out.row..i * out.row + out.cols].fill(T::ZERO);
            }
        }
        return;
    }
    // SAFETY: all three views were checked to lie within their slices, rows of `out` do not overlap (row >= cols), and
    // `out` is borrowed mutably, so it aliases neither input.
    unsafe {
        gemm::gemm(
            out.rows,
            out.cols,
            a.cols,
            out.data.as_mut_ptr(),
            1,
            out.row as isize,
            accumulate,
            a.data.as_ptr(),
            a.col as isize,
            a.row as isize,
            b.data.as_ptr(),
            b.col as isize,
            b.row as isize,
            alpha,
            T::ONE,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// Rows per task: follows from the shape alone, so that every number of threads computes the same blocks.
fn block_rows(m: usize, n: usize, k: usize) -> usize {
    if m * n * k < 1 << 18 { m.max(1) } else { m.div_ceil(8).next_multiple_of(16).clamp(16, 256) }
}

/// `out = a b` (+ `out`) over the rayon pool, `out` row-major and dense.
pub fn matmul_rows<T: Real>(out: &mut [T], a: Mat<T>, b: Mat<T>, accumulate: bool) {
    in_blocks(out, a, b, |_| (), accumulate);
}

/// `out = a b` with `bias` added to every row, over the rayon pool, `out` row-major and dense.
pub fn matmul_rows_plus<T: Real>(out: &mut [T], a: Mat<T>, b: Mat<T>, bias: &[T]) {
    in_blocks(
        out,
        a,
        b,
        |chunk| chunk.chunks_exact_mut(bias.len()).for_each(|row| row.copy_from_slice(bias)),
        true,
    );
}

fn in_blocks<T: Real>(
    out: &mut [T],
    a: Mat<T>,
    b: Mat<T>,
    prepare: impl Fn(&mut [T]) + Sync,
    accumulate: bool,
) {
    let n = b.cols;
    assert_eq!(out.len(), a.rows * n, "output of another size");
    if n == 0 {
        return;
    }
    let block = block_rows(a.rows, n, a.cols);
    out.par_chunks_mut(block * n).enumerate().for_each(|(i, chunk)| {
        let rows = chunk.len() / n;
        prepare(chunk);
        matmul(MatMut::new(chunk, rows, n), a.rows(i * block, rows), b, accumulate);
    });
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
        let (m, k, n) = (37, 19, 23);
        let a: Vec<f64> = (0..m * k).map(|i| (i % 7) as f64 - 3.0).collect();
        let b: Vec<f64> = (0..n * k).map(|i| (i % 5) as f64 - 2.0).collect();
        let mut out = vec![1.0; m * n];
        matmul_rows(&mut out, Mat::new(&a, m, k), Mat::new(&b, n, k).t(), true);
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
