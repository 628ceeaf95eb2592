//! Matching, linkage, spectral clustering and information against SciPy and scikit-learn (`reference/make_matching.py`).
#![allow(clippy::expect_used, reason = "a broken reference file must fail the test")]

use neuropil_core::{Result, Streams};
use neuropil_math::clustering::{
    adjusted_rand_index, average_linkage, bipartite_embedding, laplacian_embedding, spectral_clusters,
};
use neuropil_math::distances::{Metric, pairwise};
use neuropil_math::statistics::{mutual_information, zero_and_equal_frequency_bins};
use neuropil_math::{Matrix, assignment};
use std::collections::BTreeMap;

fn reference() -> BTreeMap<&'static str, Vec<f64>> {
    include_str!("reference/matching.txt")
        .lines()
        .map(|line| {
            let mut cells = line.split(' ');
            let name = cells.next().expect("name");
            (name, cells.map(|c| c.parse().expect("number")).collect())
        })
        .collect()
}

fn whole(values: &[f64]) -> Vec<usize> {
    values.iter().map(|v| *v as usize).collect()
}

#[test]
fn assignments_have_scipys_totals() -> Result<()> {
    let r = reference();
    for (name, rows, cols) in [("square", 20, 20), ("ties", 20, 20), ("wide", 12, 19), ("tall", 19, 12)] {
        let cost = Matrix::new(rows, cols, r[format!("{name}.cost").as_str()].clone())?;
        let (least, most) = (assignment::minimum_cost(&cost)?, assignment::maximum_weight(&cost)?);
        // Sums of at most 20 numbers of order 1.
        assert!((least.total - r[format!("{name}.least").as_str()][0]).abs() < 1e-9, "{name}");
        assert!((most.total - r[format!("{name}.most").as_str()][0]).abs() < 1e-9, "{name}");
        assert_eq!(least.pairs().count(), rows.min(cols));
    }
    Ok(())
}

#[test]
fn mutual_information_is_that_of_scikit_learn() -> Result<()> {
    let r = reference();
    let (x, y) =
        (zero_and_equal_frequency_bins(&r["mi.x"], 15)?, zero_and_equal_frequency_bins(&r["mi.y"], 15)?);
    // Sums of 256 terms of order 1e-2.
    assert!((mutual_information(&x, &y)? - r["mi.bits"][0]).abs() < 1e-9);
    Ok(())
}

#[test]
fn average_linkage_is_that_of_scipy() -> Result<()> {
    let r = reference();
    let d = pairwise(&Matrix::new(25, 3, r["linkage.points"].clone())?, Metric::Euclidean)?;
    let tree = average_linkage(&d)?;
    for (merge, want) in tree.merges().iter().zip(r["linkage.tree"].chunks_exact(4)) {
        assert_eq!(
            (merge.left, merge.right, merge.size),
            (want[0] as usize, want[1] as usize, want[3] as usize)
        );
        // Means of at most 150 distances of order 1.
        assert!((merge.distance - want[2]).abs() < 1e-12);
    }
    assert_eq!(tree.leaves(), whole(&r["linkage.leaves"]));
    Ok(())
}

#[test]
fn spectral_clusters_are_those_of_scikit_learn() -> Result<()> {
    let r = reference();
    let w = Matrix::new(24, 22, r["spectral.weights"].clone())?;
    let affinity = Matrix::from_fn(46, 46, |i, j| match (i < 24, j < 24) {
        (true, false) => w[(i, j - 24)],
        (false, true) => w[(j, i - 24)],
        _ => 0.0,
    });
    for found in [bipartite_embedding(&w, 6)?, laplacian_embedding(&affinity, 6)?] {
        // Eigenvalues within [0, 2] of matrices of order 1.
        assert!(found.eigenvalues.iter().zip(&r["spectral.eigenvalues"]).all(|(a, b)| (a - b).abs() < 1e-12));
    }
    let mut stream = Streams::new(1).stream("k-means", 0);
    let labels = spectral_clusters(&bipartite_embedding(&w, 3)?, &mut stream)?.labels;
    // Blocks are ten times as dense as what lies between them.
    assert!(adjusted_rand_index(&labels, &whole(&r["spectral.labels"]))? >= 0.95);
    let index = adjusted_rand_index(&[0, 0, 1, 2, 2, 1, 0, 2], &[1, 1, 0, 2, 0, 0, 1, 2])?;
    assert!((index - r["rand.index"][0]).abs() < 1e-12);
    Ok(())
}
