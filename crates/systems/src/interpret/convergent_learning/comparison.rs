//! Two populations compared: which units match, which are sparse mixtures, which groups span the same subspace.

use super::samples::{Covariances, Layer};
use neuropil_analysis::cca::{Cca, cca_of_covariances};
use neuropil_analysis::cka::linear_cka_of_covariances;
use neuropil_analysis::covariance::Covariance;
use neuropil_core::{Error, Result, Stream};
use neuropil_math::assignment::{maximum_weight, semi_matching};
use neuropil_math::clustering::{Dendrogram, average_linkage, bipartite_embedding, spectral_clusters};
use neuropil_math::distances::{Metric, pairwise};
use neuropil_math::statistics::{mean, mutual_information_matrix};
use neuropil_math::Matrix;
use serde::{Deserialize, Serialize};

pub use super::mapping::Mapping;
use super::mapping::MappingOptions;

/// How to compare.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Penalties and thresholds of the sparse maps.
    pub mapping: MappingOptions,
    /// Clusters; 0 takes `cluster_fraction` of the units of the first population.
    pub clusters: usize,
    /// See `clusters`.
    pub cluster_fraction: f64,
    /// Draws of random clusters of the same sizes.
    pub random_clusters: usize,
    /// Bins of values other than 0 for the mutual information; 0 leaves it out.
    pub bins: usize,
}

/// Correlations of the units `a` with the units `b`; 0 where a unit is constant, as a rare one may be in a resample.
pub fn correlations(c: &Covariance, a: &[usize], b: &[usize]) -> Result<Matrix> {
    let sd = c.sd();
    let mut out = c.block(a, b)?;
    for (i, &u) in a.iter().enumerate() {
        for (v, &w) in out.row_mut(i).iter_mut().zip(b) {
            let scale = sd[u] * sd[w];
            *v = if scale > 0.0 { (*v / scale).clamp(-1.0, 1.0) } else { 0.0 };
        }
    }
    Ok(out)
}

/// Matching of units by some similarity, for each unit of the first population.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Matching {
    /// The most similar unit of the second population, which several may share.
    pub semi: Vec<usize>,
    /// The partner in the one-to-one matching of largest total similarity; `None` for units left over.
    pub bipartite: Vec<Option<usize>>,
    /// Similarity to the semi-matched unit.
    pub semi_value: Vec<f64>,
    /// Similarity to the partner; NaN without one.
    pub bipartite_value: Vec<f64>,
}

impl Matching {
    /// Both matchings of a similarity matrix (units of the first population x units of the second).
    pub fn of(similarity: &Matrix) -> Result<Self> {
        let semi = semi_matching(similarity)?;
        let bipartite = maximum_weight(similarity)?.column_of;
        Ok(Self {
            semi_value: semi.iter().enumerate().map(|(i, &j)| similarity[(i, j)]).collect(),
            bipartite_value: bipartite
                .iter()
                .enumerate()
                .map(|(i, j)| j.map_or(f64::NAN, |j| similarity[(i, j)]))
                .collect(),
            semi,
            bipartite,
        })
    }

    /// Similarities of the matched pairs, descending.
    pub fn sorted(&self) -> Vec<f64> {
        descending(self.bipartite_value.iter().copied().filter(|v| v.is_finite()))
    }

    /// Similarities of the semi-matched pairs, descending.
    pub fn sorted_semi(&self) -> Vec<f64> {
        descending(self.semi_value.iter().copied())
    }

    /// Mean similarity of the matched pairs.
    pub fn mean(&self) -> f64 {
        mean(&self.sorted())
    }
}

fn descending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    sorted
}

/// Matching by mutual information beside that by correlation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ByInformation {
    /// The matchings, in bits.
    pub matching: Matching,
    /// Share of units with the partner that correlation gives them.
    pub agreement: f64,
    /// Mean correlation of the pairs that mutual information matches.
    pub correlation: f64,
}

/// A group of units of both populations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cluster {
    /// Units of the first population (counted among the live ones).
    pub first: Vec<usize>,
    /// Units of the second.
    pub second: Vec<usize>,
    /// Mean |r| of pairs across the populations; NaN without any.
    pub between: f64,
    /// Mean |r| of pairs within a population; NaN without any.
    pub within: f64,
    /// Mean squared canonical correlation of the two member sets on held-out samples; NaN where one is empty.
    pub agreement: f64,
}

/// Member sets with their canonical directions.
type Fitted = (Vec<usize>, Vec<usize>, Cca);

/// Spectral clusters of the bipartite graph of positive correlations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Clusters {
    /// Cluster of each unit, first population first.
    pub labels: Vec<usize>,
    /// The clusters.
    pub clusters: Vec<Cluster>,
    /// Mean agreement over clusters with members from both.
    pub agreement: f64,
    /// The same for random clusters of the same sizes.
    pub random_agreement: f64,
    /// The tree over the spectral embedding, units of the first population first.
    pub tree: Dendrogram,
}

impl Clusters {
    /// |n1 - n2| / (n1 + n2) of each cluster.
    pub fn imbalance(&self) -> Vec<f64> {
        self.clusters
            .iter()
            .map(|c| {
                let (a, b) = (c.first.len() as f64, c.second.len() as f64);
                (a - b).abs() / (a + b).max(1.0)
            })
            .collect()
    }
}

/// Everything about one pair of populations in one layer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// Number of the first population.
    pub first: usize,
    /// Number of the second.
    pub second: usize,
    /// Correlations of the live units over all samples, first x second.
    pub correlation: Matrix,
    /// One-to-one.
    pub matching: Matching,
    /// One-to-one by mutual information.
    pub information: Option<ByInformation>,
    /// One-to-many: the second population predicted from the first.
    pub mapping: Mapping,
    /// Many-to-many.
    pub clusters: Clusters,
    /// Linear CKA of the two.
    pub cka: f64,
    /// Mean held-out canonical correlation of the two.
    pub cca: f64,
}

/// What a bootstrap needs again: canonical directions as they were fitted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refit {
    clusters: Vec<Fitted>,
    random: Vec<Vec<Fitted>>,
}

impl Comparison {
    /// Compares two populations of a layer. `c` are its covariances.
    pub fn of(
        layer: &Layer,
        c: &Covariances,
        [first, second]: [usize; 2],
        options: &Options,
        stream: &mut Stream,
    ) -> Result<(Self, Refit)> {
        let (a, b) = (layer.places(first), layer.places(second));
        let correlation = correlations(&c.all, &a, &b)?;
        let matching = Matching::of(&correlation)?;
        let information = if options.bins == 0 {
            None
        } else {
            let (x, y) = (layer.labels(first, options.bins)?, layer.labels(second, options.bins)?);
            Some(by_information(&mutual_information_matrix(&x, &y)?, &correlation, &matching)?)
        };
        let mapping = Mapping::fit(c, &a, &b, &options.mapping)?;
        let (clusters, refit) = cluster(c, &a, &b, &correlation, options, stream)?;
        let part = |c: &Covariance| Ok([c.block(&a, &a)?, c.block(&b, &b)?, c.block(&a, &b)?]);
        let [xx, yy, xy] = part(&c.all)?;
        let cka = linear_cka_of_covariances(&xx, &yy, &xy)?;
        let cca = agreement(&fitted(&c.fit, &a, &b)?, &c.held_out, false)?;
        let found = Self { first, second, correlation, matching, information, mapping, clusters, cka, cca };
        Ok((found, refit))
    }
}

fn by_information(information: &Matrix, correlation: &Matrix, plain: &Matching) -> Result<ByInformation> {
    let matching = Matching::of(information)?;
    let matched: Vec<(usize, usize)> =
        matching.bipartite.iter().enumerate().filter_map(|(i, j)| j.map(|j| (i, j))).collect();
    let same = matched.iter().filter(|(i, j)| plain.bipartite[*i] == Some(*j)).count();
    let r: Vec<f64> = matched.iter().map(|&(i, j)| correlation[(i, j)]).collect();
    Ok(ByInformation { agreement: same as f64 / matched.len() as f64, correlation: mean(&r), matching })
}

/// Number of clusters for two populations of `n1` and `n2` live units. Fails where the configured number is not below both.
fn cluster_count(options: &Options, n1: usize, n2: usize) -> Result<usize> {
    let most = n1.min(n2);
    match options.clusters {
        0 => Ok(((options.cluster_fraction * n1 as f64).round() as usize).clamp(1, most)),
        k if k < most => Ok(k),
        k => Err(Error::config(format!("fewer clusters than the {most} live units of a population"), k.to_string())
            .at("clusters")),
    }
}

fn cluster(
    c: &Covariances,
    a: &[usize],
    b: &[usize],
    correlation: &Matrix,
    options: &Options,
    stream: &mut Stream,
) -> Result<(Clusters, Refit)> {
    let k = cluster_count(options, a.len(), b.len())?;
    let embedding = bipartite_embedding(&correlation.map(|v| v.max(0.0)), k)?;
    let labels = spectral_clusters(&embedding, stream)?.labels;
    let tree = average_linkage(&pairwise(&embedding.points, Metric::Euclidean)?)?;
    let members = |labels: &[usize]| -> Vec<(Vec<usize>, Vec<usize>)> {
        let of = |label: usize, from: usize, n: usize| (0..n).filter(|&i| labels[from + i] == label).collect();
        (0..k).map(|l| (of(l, 0, a.len()), of(l, a.len(), b.len()))).collect()
    };
    let fit_all = |sets: &[(Vec<usize>, Vec<usize>)]| -> Result<Vec<Fitted>> {
        sets.iter()
            .filter(|(p, q)| !p.is_empty() && !q.is_empty())
            .map(|(p, q)| fitted(&c.fit, &at(a, p), &at(b, q)))
            .collect()
    };
    let sets: Vec<(Vec<usize>, Vec<usize>)> =
        members(&labels).into_iter().filter(|(p, q)| !(p.is_empty() && q.is_empty())).collect();
    let clusters = sets
        .iter()
        .map(|(p, q)| {
            let (x, y) = (at(a, p), at(b, q));
            let agreement = if p.is_empty() || q.is_empty() {
                f64::NAN
            } else {
                agreement(&fitted(&c.fit, &x, &y)?, &c.held_out, true)?
            };
            let size = |m: &Matrix| mean(&m.data().iter().map(|v| v.abs()).collect::<Vec<_>>());
            let between = size(&correlations(&c.all, &x, &y)?);
            let pairs = |u: &[usize]| -> Result<Vec<f64>> {
                let r = correlations(&c.all, u, u)?;
                Ok((0..u.len()).flat_map(|i| (0..i).map(move |j| (i, j))).map(|p| r[p].abs()).collect())
            };
            let within = mean(&[pairs(&x)?, pairs(&y)?].concat());
            Ok(Cluster { first: p.clone(), second: q.clone(), between, within, agreement })
        })
        .collect::<Result<Vec<_>>>()?;
    let mut random = Vec::with_capacity(options.random_clusters);
    for _ in 0..options.random_clusters {
        let (mut left, mut right) = (labels[..a.len()].to_vec(), labels[a.len()..].to_vec());
        stream.shuffle(&mut left);
        stream.shuffle(&mut right);
        random.push(fit_all(&members(&[left, right].concat()))?);
    }
    let refit = Refit { clusters: fit_all(&sets)?, random };
    let (agreement, random_agreement) = refit.agreements(&c.held_out)?;
    Ok((Clusters { labels, clusters, agreement, random_agreement, tree }, refit))
}

fn at(places: &[usize], members: &[usize]) -> Vec<usize> {
    members.iter().map(|&m| places[m]).collect()
}

fn fitted(c: &Covariance, a: &[usize], b: &[usize]) -> Result<Fitted> {
    let found = cca_of_covariances(&c.block(a, a)?, &c.block(b, b)?, &c.block(a, b)?)?;
    Ok((a.to_vec(), b.to_vec(), found))
}

/// Mean (squared) canonical correlation on other samples.
fn agreement((a, b, found): &Fitted, c: &Covariance, squared: bool) -> Result<f64> {
    let r = found.held_out(&c.block(a, a)?, &c.block(b, b)?, &c.block(a, b)?)?;
    Ok(mean(&r.iter().map(|v| if squared { v * v } else { *v }).collect::<Vec<_>>()))
}

impl Refit {
    /// Mean agreement of the clusters and of random ones on these covariances; NaN without a cluster of both populations.
    pub fn agreements(&self, held_out: &Covariance) -> Result<(f64, f64)> {
        let of = |sets: &[Fitted]| -> Result<f64> {
            Ok(mean(&sets.iter().map(|s| agreement(s, held_out, true)).collect::<Result<Vec<_>>>()?))
        };
        let random = self.random.iter().map(|s| of(s)).collect::<Result<Vec<_>>>()?;
        Ok((of(&self.clusters)?, mean(&random)))
    }
}
