//! A dense matrix of f64 in row-major order.

use faer::{Mat, MatRef};
use neuropil_core::{Array, Error, Result};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::ops::{Index, IndexMut};

/// Rows x columns of f64, row-major. `data().len() == rows() * cols()` always holds.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Matrix {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
}

impl Matrix {
    /// A matrix over row-major values; fails where the sizes disagree.
    pub fn new(rows: usize, cols: usize, data: Vec<f64>) -> Result<Self> {
        if rows.checked_mul(cols) != Some(data.len()) {
            return Err(Error::input(format!("{rows} x {cols} values"), format!("{} values", data.len())));
        }
        Ok(Self { rows, cols, data })
    }

    /// All zeros.
    pub fn zeros(rows: usize, cols: usize) -> Self {
        Self { rows, cols, data: vec![0.0; rows * cols] }
    }

    /// Entry (i, j) is `f(i, j)`.
    pub fn from_fn(rows: usize, cols: usize, mut f: impl FnMut(usize, usize) -> f64) -> Self {
        let mut data = Vec::with_capacity(rows * cols);
        for i in 0..rows {
            data.extend((0..cols).map(|j| f(i, j)));
        }
        Self { rows, cols, data }
    }

    /// A matrix whose rows are written in parallel: `fill` gets the number of the row and the row, zero at first.
    pub fn by_rows(rows: usize, cols: usize, fill: impl Fn(usize, &mut [f64]) + Sync + Send) -> Self {
        let mut out = Self::zeros(rows, cols);
        let write = |(i, row): (usize, &mut [f64])| fill(i, row);
        if rows * cols < 1 << 16 {
            out.data.chunks_mut(cols.max(1)).enumerate().for_each(write);
        } else {
            out.data.par_chunks_mut(cols.max(1)).enumerate().with_min_len(16).for_each(write);
        }
        out
    }

    /// Ones on the diagonal.
    pub fn identity(n: usize) -> Self {
        Self::from_fn(n, n, |i, j| f64::from(u8::from(i == j)))
    }

    /// One column.
    pub fn column(data: Vec<f64>) -> Self {
        Self { rows: data.len(), cols: 1, data }
    }

    /// A matrix of equally long rows.
    pub fn from_rows(rows: &[Vec<f64>]) -> Result<Self> {
        let cols = rows.first().map_or(0, Vec::len);
        if let Some((i, r)) = rows.iter().enumerate().find(|(_, r)| r.len() != cols) {
            return Err(Error::input(format!("{cols} values in row {i}"), r.len().to_string()));
        }
        Ok(Self { rows: rows.len(), cols, data: rows.concat() })
    }

    /// A matrix from single-precision row-major values.
    pub fn from_f32(rows: usize, cols: usize, data: &[f32]) -> Result<Self> {
        Self::new(rows, cols, data.iter().map(|&v| f64::from(v)).collect())
    }

    /// A matrix from a two-dimensional array of any element type.
    pub fn from_array(array: &Array) -> Result<Self> {
        match *array.shape() {
            [rows, cols] => Self::new(rows, cols, array.to_f64()),
            ref shape => Err(Error::input("an array of 2 axes", format!("shape {shape:?}"))),
        }
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Number of columns.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// (rows, columns).
    pub fn shape(&self) -> (usize, usize) {
        (self.rows, self.cols)
    }

    /// All values, row-major.
    pub fn data(&self) -> &[f64] {
        &self.data
    }

    /// All values, row-major, to be changed in place.
    pub fn data_mut(&mut self) -> &mut [f64] {
        &mut self.data
    }

    /// The values, row-major.
    pub fn into_data(self) -> Vec<f64> {
        self.data
    }

    /// Row `i`.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// Row `i`, to be changed in place.
    pub fn row_mut(&mut self, i: usize) -> &mut [f64] {
        &mut self.data[i * self.cols..(i + 1) * self.cols]
    }

    /// A copy of column `j`.
    pub fn col(&self, j: usize) -> Vec<f64> {
        (0..self.rows).map(|i| self.data[i * self.cols + j]).collect()
    }

    /// All rows in order.
    pub fn row_iter(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        (0..self.rows).map(|i| self.row(i))
    }

    /// The diagonal.
    pub fn diagonal(&self) -> Vec<f64> {
        (0..self.rows.min(self.cols)).map(|i| self[(i, i)]).collect()
    }

    /// The transpose.
    #[must_use]
    pub fn transpose(&self) -> Self {
        Self::from_fn(self.cols, self.rows, |i, j| self.data[j * self.cols + i])
    }

    /// The named rows in the given order (repeats allowed); fails on one that does not exist.
    pub fn select_rows(&self, rows: &[usize]) -> Result<Self> {
        let mut data = Vec::with_capacity(rows.len() * self.cols);
        for &i in rows {
            if i >= self.rows {
                return Err(Error::input(format!("a row below {}", self.rows), i.to_string()));
            }
            data.extend_from_slice(self.row(i));
        }
        Ok(Self { rows: rows.len(), cols: self.cols, data })
    }

    /// The named columns in the given order (repeats allowed); fails on one that does not exist.
    pub fn select_cols(&self, cols: &[usize]) -> Result<Self> {
        if let Some(j) = cols.iter().find(|&&j| j >= self.cols) {
            return Err(Error::input(format!("a column below {}", self.cols), j.to_string()));
        }
        Ok(Self::from_fn(self.rows, cols.len(), |i, j| self[(i, cols[j])]))
    }

    /// Every value mapped.
    #[must_use]
    pub fn map(&self, f: impl Fn(f64) -> f64) -> Self {
        Self { rows: self.rows, cols: self.cols, data: self.data.iter().map(|&v| f(v)).collect() }
    }

    /// Values of both matrices combined one by one; fails where the shapes differ.
    pub fn zip(&self, other: &Self, f: impl Fn(f64, f64) -> f64) -> Result<Self> {
        if self.shape() != other.shape() {
            return Err(Error::input(
                format!("{} x {} values", self.rows, self.cols),
                format!("{} x {}", other.rows, other.cols),
            ));
        }
        let data = self.data.iter().zip(&other.data).map(|(&a, &b)| f(a, b)).collect();
        Ok(Self { rows: self.rows, cols: self.cols, data })
    }

    /// The sum of two matrices of one shape.
    pub fn plus(&self, other: &Self) -> Result<Self> {
        self.zip(other, |a, b| a + b)
    }

    /// The difference of two matrices of one shape.
    pub fn minus(&self, other: &Self) -> Result<Self> {
        self.zip(other, |a, b| a - b)
    }

    /// Mean of each column.
    pub fn col_means(&self) -> Vec<f64> {
        let add = |mut sums: Vec<f64>, row: &[f64]| {
            sums.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            sums
        };
        let part =
            |rows: std::ops::Range<usize>| rows.fold(vec![0.0; self.cols], |sums, i| add(sums, self.row(i)));
        let sums = crate::sums::map_reduce(self.rows, 256, part, |a, b| add(a, &b));
        sums.map_or_else(|| vec![0.0; self.cols], |s| s.iter().map(|s| s / self.rows as f64).collect())
    }

    /// The matrix with its column means subtracted.
    #[must_use]
    pub fn centred(&self) -> Self {
        let means = self.col_means();
        Self::by_rows(self.rows, self.cols, |i, row| {
            row.iter_mut().zip(self.row(i)).zip(&means).for_each(|((o, v), m)| *o = v - m);
        })
    }

    /// Fails on an empty matrix or on the first NaN or infinity, naming row and column.
    pub fn require_finite(&self) -> Result<()> {
        if self.data.is_empty() {
            return Err(Error::input(
                "at least 1 row and 1 column",
                format!("{} x {}", self.rows, self.cols),
            ));
        }
        // Whole blocks first: a search that may end at any element is not vectorised.
        let bad = |block: &[f64]| block.iter().fold(false, |b, v| b | !v.is_finite());
        let block = self.data.chunks(1024).position(bad);
        let found = block.and_then(|b| (1024 * b..self.data.len()).find(|&k| !self.data[k].is_finite()));
        match found {
            None => Ok(()),
            Some(k) => Err(Error::input(
                "finite values",
                format!("{} at row {}, column {}", self.data[k], k / self.cols, k % self.cols),
            )),
        }
    }

    /// A view for faer.
    pub fn as_faer(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(&self.data, self.rows, self.cols)
    }

    /// A copy of a faer matrix.
    pub fn from_faer(m: MatRef<'_, f64>) -> Self {
        Self::from_fn(m.nrows(), m.ncols(), |i, j| m[(i, j)])
    }

    /// A copy as an owned faer matrix.
    pub fn to_faer(&self) -> Mat<f64> {
        self.as_faer().to_owned()
    }

    /// A copy as a two-dimensional f64 array.
    pub fn to_array(&self) -> Result<Array> {
        Array::from_f64(&[self.rows, self.cols], &self.data)
    }
}

impl Index<(usize, usize)> for Matrix {
    type Output = f64;
    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        debug_assert!(j < self.cols);
        &self.data[i * self.cols + j]
    }
}

impl IndexMut<(usize, usize)> for Matrix {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        debug_assert!(j < self.cols);
        &mut self.data[i * self.cols + j]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_checked() {
        assert!(Matrix::new(2, 3, vec![0.0; 5]).is_err());
        assert!(Matrix::new(usize::MAX, 2, vec![]).is_err());
        assert!(Matrix::from_rows(&[vec![1.0], vec![1.0, 2.0]]).is_err());
        let m = Matrix::new(2, 3, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0]).expect("fits");
        assert!(m.select_rows(&[2]).is_err() && m.select_cols(&[3]).is_err());
        assert_eq!(m.transpose().data(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(Matrix::from_faer(m.to_faer().as_ref()), m);
        assert_eq!(m.centred().data(), [-1.5, -1.5, -1.5, 1.5, 1.5, 1.5]);
    }

    #[test]
    fn the_first_bad_value_is_named() {
        let m = Matrix::new(1, 2, vec![0.0, f64::NAN]).expect("fits");
        assert_eq!(
            m.require_finite().unwrap_err().to_string(),
            "expected finite values, got NaN at row 0, column 1"
        );
        assert!(Matrix::zeros(0, 4).require_finite().is_err());
    }
}
