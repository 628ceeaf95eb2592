//! k-means and nearest centroids.

use crate::distances::{Metric, cross};
use crate::{Matrix, sums};
use neuropil_core::{Error, Result, Stream};

/// How to run k-means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KMeansOptions {
    /// Number of clusters.
    pub clusters: usize,
    /// Independent starts; the one with the smallest inertia is kept.
    pub restarts: usize,
    /// Lloyd iterations at most.
    pub iterations: usize,
}

/// A clustering of samples.
#[derive(Debug, Clone, PartialEq)]
pub struct KMeans {
    /// Centroids, clusters x features.
    pub centroids: Matrix,
    /// Cluster of each sample.
    pub labels: Vec<usize>,
    /// Sum of squared distances to the own centroid.
    pub inertia: f64,
}

/// k-means of the rows of `x` (samples x features): k-means++ starts (Arthur and Vassilvitskii 2007), Lloyd
/// iterations until no label changes. An emptied cluster takes the sample farthest from its centroid.
pub fn k_means(x: &Matrix, options: KMeansOptions, stream: &mut Stream) -> Result<KMeans> {
    x.require_finite()?;
    let k = options.clusters;
    if k == 0 || k > x.rows() {
        return Err(Error::config(
            format!("1 to {} clusters, at most one per sample", x.rows()),
            k.to_string(),
        ));
    }
    let mut best: Option<KMeans> = None;
    for _ in 0..options.restarts.max(1) {
        let found = lloyd(x, seeds(x, k, stream)?, options.iterations.max(1))?;
        if best.as_ref().is_none_or(|b| found.inertia < b.inertia) {
            best = Some(found);
        }
    }
    best.ok_or_else(|| Error::Internal("k-means made no start".into()))
}

/// k-means++: each next centroid is a sample drawn with probability proportional to its squared distance.
fn seeds(x: &Matrix, k: usize, stream: &mut Stream) -> Result<Matrix> {
    let n = x.rows();
    let mut chosen = vec![stream.below(n)];
    let mut nearest = vec![f64::INFINITY; n];
    while chosen.len() < k {
        let last = x.row(chosen[chosen.len() - 1]);
        for (i, d) in nearest.iter_mut().enumerate() {
            *d = d.min(sums::squared_distance(x.row(i), last));
        }
        let total = sums::sum(&nearest);
        let next = if total > 0.0 {
            let mut left = stream.uniform() * total;
            nearest
                .iter()
                .position(|d| {
                    left -= d;
                    left < 0.0
                })
                .unwrap_or(n - 1)
        } else {
            stream.below(n)
        };
        chosen.push(next);
    }
    x.select_rows(&chosen)
}

fn lloyd(x: &Matrix, mut centroids: Matrix, iterations: usize) -> Result<KMeans> {
    let (n, k, features) = (x.rows(), centroids.rows(), x.cols());
    let mut labels = vec![usize::MAX; n];
    let mut inertia = f64::INFINITY;
    for _ in 0..iterations {
        let d = cross(x, &centroids, Metric::SquaredEuclidean)?;
        let next: Vec<usize> = d.row_iter().map(smallest).collect();
        inertia = next.iter().enumerate().map(|(i, &c)| d[(i, c)].max(0.0)).sum();
        if next == labels {
            break;
        }
        labels = next;
        let mut counts = vec![0_usize; k];
        let mut sums = Matrix::zeros(k, features);
        for (i, &c) in labels.iter().enumerate() {
            counts[c] += 1;
            sums.row_mut(c).iter_mut().zip(x.row(i)).for_each(|(s, v)| *s += v);
        }
        let mut taken = vec![false; n];
        for (c, &count) in counts.iter().enumerate() {
            if count > 0 {
                sums.row_mut(c).iter_mut().for_each(|v| *v /= count as f64);
                continue;
            }
            let far = (0..n)
                .filter(|&i| !taken[i])
                .max_by(|&a, &b| d[(a, labels[a])].total_cmp(&d[(b, labels[b])]).then(b.cmp(&a)))
                .unwrap_or(0);
            taken[far] = true;
            sums.row_mut(c).copy_from_slice(x.row(far));
        }
        centroids = sums;
    }
    Ok(KMeans { centroids, labels, inertia })
}

/// Index of the smallest value, the first of equals; 0 for none.
pub fn smallest(values: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in values.iter().enumerate() {
        if *v < values[best] {
            best = i;
        }
    }
    best
}

/// Mean row of each class 0..classes; fails on a class without a sample.
pub fn class_means(x: &Matrix, labels: &[usize], classes: usize) -> Result<Matrix> {
    if labels.len() != x.rows() {
        return Err(Error::input(format!("{} labels, one per row", x.rows()), labels.len().to_string()));
    }
    let mut sums = Matrix::zeros(classes, x.cols());
    let mut counts = vec![0_usize; classes];
    for (row, &c) in x.row_iter().zip(labels) {
        if c >= classes {
            return Err(Error::input(format!("labels below {classes}"), c.to_string()));
        }
        counts[c] += 1;
        sums.row_mut(c).iter_mut().zip(row).for_each(|(s, v)| *s += v);
    }
    for (c, &count) in counts.iter().enumerate() {
        if count == 0 {
            return Err(Error::input(format!("a sample of class {c}"), "none"));
        }
        sums.row_mut(c).iter_mut().for_each(|v| *v /= count as f64);
    }
    Ok(sums)
}

/// The nearest centroid (Euclidean, the first of equals) of each row of `x`.
pub fn nearest_centroid(x: &Matrix, centroids: &Matrix) -> Result<Vec<usize>> {
    Ok(cross(x, centroids, Metric::SquaredEuclidean)?.row_iter().map(smallest).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn separated_clouds_are_found() -> Result<()> {
        let mut s = Streams::new(6).stream("clouds", 0);
        let x =
            Matrix::from_fn(90, 2, |i, j| s.normal() * 0.1 + [[0.0, 0.0], [5.0, 0.0], [0.0, 5.0]][i % 3][j]);
        let fit = k_means(&x, KMeansOptions { clusters: 3, restarts: 4, iterations: 50 }, &mut s)?;
        let same = |i: usize, j: usize| fit.labels[i] == fit.labels[j];
        assert!((0..90).all(|i| same(i, i % 3) && !same(i, (i + 1) % 3)));
        // 90 samples x 2 features, SD 0.1: the expected inertia is 0.01 (180 - 6).
        assert!((fit.inertia - 1.74).abs() < 0.8, "{}", fit.inertia);
        assert_eq!(nearest_centroid(&x, &fit.centroids)?, fit.labels);
        let truth: Vec<usize> = (0..90).map(|i| i % 3).collect();
        assert_eq!(nearest_centroid(&x, &class_means(&x, &truth, 3)?)?, truth);
        Ok(())
    }

    #[test]
    fn duplicates_and_bad_requests() -> Result<()> {
        let mut s = Streams::new(7).stream("duplicates", 0);
        let x = Matrix::new(4, 1, vec![1.0; 4])?;
        let options = KMeansOptions { clusters: 3, restarts: 1, iterations: 10 };
        assert_eq!(k_means(&x, options, &mut s)?.inertia, 0.0);
        assert!(k_means(&x, KMeansOptions { clusters: 5, ..options }, &mut s).is_err());
        assert!(k_means(&x, KMeansOptions { clusters: 0, ..options }, &mut s).is_err());
        assert!(class_means(&x, &[0, 0, 0, 2], 3).is_err());
        Ok(())
    }
}
