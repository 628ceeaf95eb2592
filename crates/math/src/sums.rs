//! Sums and maps over many threads with the same bits for any number of them.
//!
//! Work is cut into chunks of a fixed size, each chunk is computed by one thread in order, and the partial results are
//! folded in chunk order. Neither the cut nor the order knows how many threads there are.

use rayon::prelude::*;
use std::ops::Range;

/// Elements per chunk of the plain sums.
pub const CHUNK: usize = 4096;

/// Computes `map` on the ranges 0..chunk, chunk..2 chunk, ... of 0..n in parallel and folds the results in order;
/// `None` for n = 0. A chunk of 0 counts as 1.
pub fn map_reduce<T: Send>(
    n: usize,
    chunk: usize,
    map: impl Fn(Range<usize>) -> T + Sync + Send,
    fold: impl FnMut(T, T) -> T,
) -> Option<T> {
    let chunk = chunk.max(1);
    let parts: Vec<T> =
        (0..n.div_ceil(chunk)).into_par_iter().map(|c| map(c * chunk..((c + 1) * chunk).min(n))).collect();
    parts.into_iter().reduce(fold)
}

/// `f(0), f(1), ..., f(n - 1)`, computed in parallel, returned in order.
pub fn map<T: Send>(n: usize, f: impl Fn(usize) -> T + Sync + Send) -> Vec<T> {
    (0..n).into_par_iter().map(f).collect()
}

/// The sum of `f(i)` over 0..n.
pub fn sum_by(n: usize, f: impl Fn(usize) -> f64 + Sync + Send) -> f64 {
    if n <= CHUNK {
        return (0..n).map(f).sum();
    }
    map_reduce(n, CHUNK, |r| r.map(&f).sum::<f64>(), |a, b| a + b).unwrap_or(0.0)
}

/// The sum of all values.
pub fn sum(values: &[f64]) -> f64 {
    sum_by(values.len(), |i| values[i])
}

/// The inner product of the common prefix of two vectors.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = if a.len() < b.len() { (a, &b[..a.len()]) } else { (&a[..b.len()], b) };
    if a.len() <= CHUNK {
        return dot_in_lanes(a, b);
    }
    map_reduce(a.len(), CHUNK, |r| dot_in_lanes(&a[r.clone()], &b[r]), |x, y| x + y).unwrap_or(0.0)
}

/// Eight partial sums: a fixed order that the compiler can turn into vector code.
fn dot_in_lanes(a: &[f64], b: &[f64]) -> f64 {
    let mut lanes = [0.0; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (x, y) in a8.iter().zip(b8) {
        for l in 0..8 {
            lanes[l] += x[l] * y[l];
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| x * y).sum();
    lanes.iter().sum::<f64>() + rest
}

/// The sum of squared differences of the common prefix of two vectors.
pub fn squared_distance(a: &[f64], b: &[f64]) -> f64 {
    let n = a.len().min(b.len());
    let mut lanes = [0.0; 8];
    let (a8, a_rest) = a[..n].as_chunks::<8>();
    let (b8, b_rest) = b[..n].as_chunks::<8>();
    for (x, y) in a8.iter().zip(b8) {
        for l in 0..8 {
            let d = x[l] - y[l];
            lanes[l] += d * d;
        }
    }
    let rest: f64 = a_rest.iter().zip(b_rest).map(|(x, y)| (x - y) * (x - y)).sum();
    lanes.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_do_not_depend_on_threads() {
        let mut s = neuropil_core::Streams::new(1).stream("sums", 0);
        let (a, b) = (s.normals(50_001), s.normals(50_001));
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| (sum(&a).to_bits(), dot(&a, &b).to_bits()))
        };
        assert_eq!(on(1), on(2));
        assert_eq!(on(1), on(8));
    }

    #[test]
    fn folds_in_order_and_keeps_the_rest() {
        let text = map_reduce(10, 3, |r| format!("{r:?} "), |a, b| a + &b);
        assert_eq!(text.as_deref(), Some("0..3 3..6 6..9 9..10 "));
        assert_eq!(map_reduce(0, 3, |_| 1, |a, b| a + b), None);
        assert_eq!(sum(&vec![1.0; 9000]), 9000.0);
        assert_eq!(dot(&[1.0, 2.0, 3.0], &[4.0, 5.0]), 14.0);
        assert_eq!(squared_distance(&[1.0; 11], &[3.0; 11]), 44.0);
    }
}
