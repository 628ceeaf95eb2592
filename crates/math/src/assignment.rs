//! Matchings between the rows and the columns of a matrix.
//!
//! The assignment is optimal: rows enter one after the other, each along a shortest augmenting path under reduced costs
//! (the Hungarian method with potentials in the form of Jonker and Volgenant 1987), O(rows^2 columns) for rows <= columns.
//! Nothing is drawn at random and equal paths are resolved by the smaller column, so ties always end the same way.

use crate::Matrix;
use neuropil_core::Result;
use serde::{Deserialize, Serialize};

/// A one-to-one matching of min(rows, columns) pairs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// Column of each row; `None` for rows left over.
    pub column_of: Vec<Option<usize>>,
    /// Row of each column; `None` for columns left over.
    pub row_of: Vec<Option<usize>>,
    /// Sum of the matched entries.
    pub total: f64,
}

impl Assignment {
    /// The matched (row, column) pairs, rows ascending.
    pub fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.column_of.iter().enumerate().filter_map(|(i, c)| c.map(|j| (i, j)))
    }
}

/// The matching of smallest total cost. Any shape; the longer side keeps some unmatched. Fails on an empty matrix and on NaN
/// or infinity.
pub fn minimum_cost(cost: &Matrix) -> Result<Assignment> {
    cost.require_finite()?;
    let wide = cost.rows() <= cost.cols();
    let of_short = if wide { shortest_paths(cost) } else { shortest_paths(&cost.transpose()) };
    let (mut column_of, mut row_of) = (vec![None; cost.rows()], vec![None; cost.cols()]);
    for (short, &long) in of_short.iter().enumerate() {
        let (i, j) = if wide { (short, long) } else { (long, short) };
        column_of[i] = Some(j);
        row_of[j] = Some(i);
    }
    let mut found = Assignment { column_of, row_of, total: 0.0 };
    found.total = found.pairs().map(|(i, j)| cost[(i, j)]).sum();
    Ok(found)
}

/// The matching of largest total weight, otherwise as [`minimum_cost`].
pub fn maximum_weight(weights: &Matrix) -> Result<Assignment> {
    let mut found = minimum_cost(&weights.map(|v| -v))?;
    found.total = -found.total;
    Ok(found)
}

/// For every row the column of its largest entry, the first of equals; columns may be taken by several rows. Fails on an
/// empty matrix and on NaN or infinity.
pub fn semi_matching(weights: &Matrix) -> Result<Vec<usize>> {
    weights.require_finite()?;
    Ok(weights
        .row_iter()
        .map(|row| (0..row.len()).fold(0, |best, j| if row[j] > row[best] { j } else { best }))
        .collect())
}

/// The column of each row, rows <= columns.
fn shortest_paths(cost: &Matrix) -> Vec<usize> {
    const FREE: usize = usize::MAX;
    let (n, m) = cost.shape();
    // Column m stands for "no column": the entering row hangs on it.
    let mut row_potential = vec![0.0; n];
    let mut column_potential = vec![0.0; m + 1];
    let mut row_of = vec![FREE; m + 1];
    let mut distance = vec![0.0; m];
    let mut from = vec![m; m];
    let mut done = vec![false; m + 1];
    for entering in 0..n {
        distance.fill(f64::INFINITY);
        done.fill(false);
        row_of[m] = entering;
        let mut here = m;
        // Grow the tree of shortest paths until it reaches a free column.
        while row_of[here] != FREE {
            done[here] = true;
            let row = row_of[here];
            let (mut step, mut next) = (f64::INFINITY, m);
            for (j, &c) in cost.row(row).iter().enumerate() {
                if done[j] {
                    continue;
                }
                let reduced = c - row_potential[row] - column_potential[j];
                if reduced < distance[j] {
                    distance[j] = reduced;
                    from[j] = here;
                }
                if distance[j] < step {
                    step = distance[j];
                    next = j;
                }
            }
            for j in 0..=m {
                if done[j] {
                    row_potential[row_of[j]] += step;
                    column_potential[j] -= step;
                } else {
                    // Column m is done from the first step on.
                    distance[j] -= step;
                }
            }
            here = next;
        }
        while here != m {
            let before = from[here];
            row_of[here] = row_of[before];
            here = before;
        }
        row_of[m] = FREE;
    }
    let mut column_of = vec![0; n];
    for (j, &i) in row_of[..m].iter().enumerate() {
        if i != FREE {
            column_of[i] = j;
        }
    }
    column_of
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::{Stream, Streams};

    /// Smallest total over all ways to give each row a column of its own, rows <= columns.
    fn brute_force(cost: &Matrix, row: usize, used: &mut Vec<bool>) -> f64 {
        if row == cost.rows() {
            return 0.0;
        }
        let mut best = f64::INFINITY;
        for j in 0..cost.cols() {
            if !used[j] {
                used[j] = true;
                best = best.min(cost[(row, j)] + brute_force(cost, row + 1, used));
                used[j] = false;
            }
        }
        best
    }

    fn random(n: usize, m: usize, ties: bool, s: &mut Stream) -> Matrix {
        Matrix::from_fn(n, m, |_, _| if ties { s.below(4) as f64 - 1.0 } else { s.normal() })
    }

    #[test]
    fn equals_brute_force_on_small_sizes_and_on_transposes() -> Result<()> {
        let mut s = Streams::new(1).stream("assignment", 0);
        for case in 0..300 {
            let n = 1 + s.below(5);
            let m = n + s.below(3);
            let cost = random(n, m, case % 2 == 0, &mut s);
            let best = brute_force(&cost, 0, &mut vec![false; m]);
            let found = minimum_cost(&cost)?;
            // Sums of at most 5 numbers of order 1.
            assert!((found.total - best).abs() < 1e-12, "{n} x {m}: {} {best}", found.total);
            assert_eq!(found.pairs().count(), n);
            assert!(found.pairs().all(|(i, j)| found.row_of[j] == Some(i)));
            assert_eq!(found, minimum_cost(&cost)?);
            let turned = minimum_cost(&cost.transpose())?;
            assert!((turned.total - best).abs() < 1e-12 && turned.pairs().count() == n);
            assert!((maximum_weight(&cost.map(|v| -v))?.total + best).abs() < 1e-12);
        }
        Ok(())
    }

    #[test]
    fn permuting_columns_permutes_the_matching() -> Result<()> {
        let mut s = Streams::new(2).stream("assignment", 0);
        let weights = random(40, 40, false, &mut s);
        let found = maximum_weight(&weights)?;
        let order = s.permutation(40);
        let moved = maximum_weight(&weights.select_cols(&order)?)?;
        assert!(moved.pairs().all(|(i, j)| found.column_of[i] == Some(order[j])));
        // Every matching is one of the choices of the semi-matching, so it cannot sum to more.
        let semi: f64 = semi_matching(&weights)?.iter().enumerate().map(|(i, &j)| weights[(i, j)]).sum();
        assert!(found.total <= semi && found.total > 0.5 * semi);
        Ok(())
    }

    #[test]
    fn greedy_is_not_optimal_here() -> Result<()> {
        // Greedy takes 10 and is left with 0.
        let weights = Matrix::new(2, 2, vec![10.0, 9.0, 9.0, 0.0])?;
        assert_eq!(maximum_weight(&weights)?.total, 18.0);
        assert_eq!(semi_matching(&weights)?, [0, 0]);
        assert!(minimum_cost(&Matrix::zeros(0, 3)).is_err());
        assert!(minimum_cost(&Matrix::new(1, 1, vec![f64::NAN])?).is_err());
        assert_eq!(semi_matching(&Matrix::new(1, 3, vec![1.0, 2.0, 2.0])?)?, [1]);
        Ok(())
    }
}
