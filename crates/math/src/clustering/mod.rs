//! Grouping of samples: k-means and nearest centroids, agglomerative average linkage, spectral clustering.

mod k_means;
mod linkage;
mod spectral;

pub use k_means::{KMeans, KMeansOptions, class_means, k_means, nearest_centroid, smallest};
pub use linkage::{Dendrogram, Merge, average_linkage};
pub use spectral::{
    SpectralEmbedding, bipartite_embedding, laplacian_embedding, normalised_laplacian, spectral_clusters,
};

use neuropil_core::{Error, Result};

/// Agreement of two labellings of the same things: 1 for the same groups under any names, 0 on average for unrelated ones
/// (Hubert and Arabie 1985). 1 where both put everything in one group or everything apart.
pub fn adjusted_rand_index(a: &[usize], b: &[usize]) -> Result<f64> {
    if a.len() != b.len() || a.is_empty() {
        return Err(Error::input(
            "two labellings of the same things",
            format!("{} and {} labels", a.len(), b.len()),
        ));
    }
    let pairs = |n: u64| (n * n.saturating_sub(1) / 2) as f64;
    let counted = |labels: &mut dyn Iterator<Item = (usize, usize)>| {
        let mut counts = std::collections::BTreeMap::new();
        labels.for_each(|l| *counts.entry(l).or_insert(0_u64) += 1);
        counts.values().map(|&n| pairs(n)).sum::<f64>()
    };
    let both = counted(&mut a.iter().copied().zip(b.iter().copied()));
    let first = counted(&mut a.iter().map(|&l| (l, 0)));
    let second = counted(&mut b.iter().map(|&l| (l, 0)));
    let expected = first * second / pairs(a.len() as u64).max(1.0);
    let most = 0.5 * (first + second);
    Ok(if most == expected { 1.0 } else { (both - expected) / (most - expected) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rand_index_of_known_labellings() -> Result<()> {
        assert_eq!(adjusted_rand_index(&[0, 0, 1, 1], &[5, 5, 2, 2])?, 1.0);
        // scikit-learn's documentation gives 0.57 for these.
        assert!((adjusted_rand_index(&[0, 0, 1, 2], &[0, 0, 1, 1])? - 4.0 / 7.0).abs() < 1e-12);
        assert_eq!(adjusted_rand_index(&[0, 0, 0], &[1, 1, 1])?, 1.0);
        assert!(adjusted_rand_index(&[0], &[0, 1]).is_err() && adjusted_rand_index(&[], &[]).is_err());
        Ok(())
    }
}
