//! Summary statistics of representations, and the identification of regions with each of them.

use neuropil_analysis::cka::centred_kernel;
use neuropil_analysis::geotopology::{EdgeRule, PairWeights, RankSource, Ranked, geodesic_distances};
use neuropil_analysis::identification::RegionGram;
use neuropil_analysis::procrustes::procrustes_similarities;
use neuropil_analysis::rdm::Dissimilarity;
use neuropil_core::{Error, Result, Stream};
use neuropil_math::distances::{self, condensed_size};
use neuropil_math::{Matrix, sums};
use serde::{Deserialize, Serialize};

/// What is kept of a representation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Statistic {
    /// The rank RDM.
    Rank,
    /// The geo-topological matrix at (l, u).
    Rgtm(f64, f64),
    /// The ranked geodesic distances.
    Geodesic(EdgeRule),
    /// The dissimilarities themselves: their overall scale is part of them.
    Raw,
    /// The RDM of correlation distances, unranked.
    RawCorrelation,
    /// Centred, normalised kernels, whose inner product is linear CKA.
    Cka,
    /// Procrustes similarity of the responses.
    Procrustes,
}

/// The topology-sensitive cell that the bars are about.
pub const TOPOLOGY: Statistic = Statistic::Rgtm(0.45, 0.55);
/// The binarised RDM: only which half of the pairs is the closer one.
pub const BINARY: Statistic = Statistic::Rgtm(0.5, 0.5);

impl Statistic {
    /// Those that are a function of the ranks of the dissimilarities alone and are compared in every experiment.
    pub const RANKED: [Self; 7] = [
        Self::Rank,
        Self::Rgtm(0.1, 0.9),
        Self::Rgtm(0.2, 0.6),
        Self::Rgtm(0.0, 0.3),
        Self::Rgtm(0.7, 1.0),
        TOPOLOGY,
        BINARY,
    ];

    /// Geodesic and outside baselines, in the order of the tables.
    pub const OTHERS: [Self; 8] = [
        Self::Geodesic(EdgeRule::Shortest(0.05)),
        Self::Geodesic(EdgeRule::NearestShare(0.05)),
        Self::Geodesic(EdgeRule::Nearest(5)),
        Self::Geodesic(EdgeRule::TwoStep(0.0, 0.3)),
        Self::Cka,
        Self::Procrustes,
        Self::RawCorrelation,
        Self::Raw,
    ];

    /// All of the above.
    pub fn all() -> Vec<Self> {
        [Self::RANKED.as_slice(), Self::OTHERS.as_slice()].concat()
    }

    /// Name for tables and figures.
    pub fn name(self) -> String {
        match self {
            Self::Rank => "rank RDM".into(),
            Self::Rgtm(l, u) if l == u => format!("binarised at {l}"),
            Self::Rgtm(l, u) => {
                format!("{} ({l}, {u})", neuropil_analysis::geotopology::CellKind::of(l, u).name())
            }
            Self::Geodesic(EdgeRule::Shortest(p)) => format!("geodesic, shortest {:.0} %", 100.0 * p),
            Self::Geodesic(EdgeRule::NearestShare(p)) => format!("geodesic, nearest {:.0} %", 100.0 * p),
            Self::Geodesic(EdgeRule::Nearest(k)) => format!("geodesic, {k} nearest"),
            Self::Geodesic(EdgeRule::TwoStep(l, u)) => format!("geodesic of ({l}, {u})"),
            Self::Raw => "raw RDM (scale kept)".into(),
            Self::RawCorrelation => "correlation RDM (unranked)".into(),
            Self::Cka => "linear CKA".into(),
            Self::Procrustes => "Procrustes".into(),
        }
    }
}

/// Representations of the same stimuli, one per (subject, region), subject-major.
#[derive(Debug, Clone)]
pub struct Representations {
    subjects: usize,
    sources: Vec<RankSource>,
    responses: Option<Vec<Matrix>>,
}

impl Representations {
    /// From responses (stimuli x units each, subject-major). Errors name the representation.
    pub fn from_responses(responses: Vec<Matrix>, subjects: usize, dissimilarity: Dissimilarity) -> Result<Self> {
        let rdms = sums::map(responses.len(), |k| {
            dissimilarity.rdm(&responses[k]).map_err(|e| e.at(format!("representation {k}")))
        });
        let rdms = rdms.into_iter().collect::<Result<Vec<_>>>()?;
        Ok(Self { responses: Some(responses), ..Self::from_rdms(rdms, subjects)? })
    }

    /// From condensed RDMs, subject-major. Fails on RDMs of different sizes and on constant ones.
    pub fn from_rdms(rdms: Vec<Vec<f64>>, subjects: usize) -> Result<Self> {
        let Some(pairs) = rdms.first().map(Vec::len) else {
            return Err(Error::input("at least 1 representation", "0"));
        };
        if subjects == 0 || !rdms.len().is_multiple_of(subjects) {
            return Err(Error::input(
                "as many regions for every subject",
                format!("{} representations of {subjects} subjects", rdms.len()),
            ));
        }
        if let Some(k) = rdms.iter().position(|r| r.len() != pairs) {
            return Err(Error::input(
                format!("{pairs} pairs in representation {k}, as in the first"),
                rdms[k].len().to_string(),
            ));
        }
        let sources = rdms
            .into_iter()
            .enumerate()
            .map(|(k, r)| RankSource::new(r).map_err(|e| e.at(format!("representation {k}"))))
            .collect::<Result<_>>()?;
        Ok(Self { subjects, sources, responses: None })
    }

    /// The same with the responses that the RDMs are of.
    #[must_use]
    pub fn with_responses(self, responses: Vec<Matrix>) -> Self {
        Self { responses: Some(responses), ..self }
    }

    /// Number of subjects.
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Number of regions.
    pub fn regions(&self) -> usize {
        self.sources.len() / self.subjects
    }

    /// Number of stimuli.
    pub fn stimuli(&self) -> Result<usize> {
        self.sources.first().map_or(Ok(0), |s| condensed_size(s.rdm().len()))
    }

    /// The RDMs, subject-major.
    pub fn rdms(&self) -> impl ExactSizeIterator<Item = &[f64]> {
        self.sources.iter().map(RankSource::rdm)
    }

    /// The responses, where they are known.
    pub fn responses(&self) -> Option<&[Matrix]> {
        self.responses.as_deref()
    }

    /// The RDMs with the stimuli of each subject in an order of their own, the same in all its regions: nothing that
    /// depends on which stimulus is which can be shared between subjects.
    pub fn shuffled(&self, stream: &mut Stream) -> Result<Self> {
        let n = self.stimuli()?;
        let mut rdms = Vec::with_capacity(self.sources.len());
        for own in self.sources.chunks(self.regions()) {
            let order = stream.permutation(n);
            let moved = |s: &RankSource| {
                distances::for_each_pair(n, |i, j| s.rdm()[distances::pair_index(n, order[i], order[j])])
            };
            rdms.extend(own.iter().map(moved));
        }
        Self::from_rdms(rdms, self.subjects)
    }

    /// Rank-normalised RDMs, of a resample of the stimuli where one is given.
    pub fn ranked(&self, pairs: Option<&PairWeights>) -> Result<Vec<Ranked>> {
        self.sources
            .iter()
            .map(|s| match pairs {
                Some(p) => s.resampled(p),
                None => s.ranked(),
            })
            .collect()
    }

    /// The statistic of every representation as a row. Fails for [`Statistic::Procrustes`], which has no vector, and
    /// where responses are needed but only RDMs are known.
    pub fn vectors(&self, statistic: Statistic) -> Result<Matrix> {
        let rows: Vec<Vec<f64>> = match statistic {
            Statistic::Rank | Statistic::Rgtm(..) => return of_ranks(&self.ranked(None)?, statistic),
            Statistic::Geodesic(rule) => sums::map(self.sources.len(), |k| geodesic(self.sources[k].rdm(), rule))
                .into_iter()
                .collect::<Result<_>>()?,
            Statistic::Raw => self.rdms().map(<[f64]>::to_vec).collect(),
            Statistic::RawCorrelation => self
                .require_responses()?
                .iter()
                .map(|x| Dissimilarity::Correlation.rdm(x))
                .collect::<Result<_>>()?,
            Statistic::Cka => self
                .require_responses()?
                .iter()
                .map(|x| Ok(centred_kernel(x)?.into_data()))
                .collect::<Result<_>>()?,
            Statistic::Procrustes => return Err(Error::Internal("Procrustes has no vector".into())),
        };
        Matrix::from_rows(&rows)
    }

    fn require_responses(&self) -> Result<&[Matrix]> {
        self.responses().ok_or_else(|| Error::input("responses for this statistic", "RDMs only"))
    }

    /// The Gram matrix from which regions are identified.
    pub fn gram(&self, statistic: Statistic) -> Result<RegionGram> {
        if statistic == Statistic::Procrustes {
            let sets: Vec<&Matrix> = self.require_responses()?.iter().collect();
            let gram = procrustes_similarities(&sets)?;
            return RegionGram::from_gram(gram, self.subjects);
        }
        RegionGram::new(&self.vectors(statistic)?, self.subjects, None)
    }
}

/// The rank RDM or an RGTM of every representation as a row, from ranks.
pub fn of_ranks(ranked: &[Ranked], statistic: Statistic) -> Result<Matrix> {
    let rows = ranked
        .iter()
        .map(|r| match statistic {
            Statistic::Rgtm(l, u) => r.rgtm(l, u),
            _ => Ok(r.values().to_vec()),
        })
        .collect::<Result<Vec<_>>>()?;
    Matrix::from_rows(&rows)
}

/// Ranked geodesics; where no edge or every edge is left all are equal, and then they say nothing: zeros.
fn geodesic(rdm: &[f64], rule: EdgeRule) -> Result<Vec<f64>> {
    let lengths = geodesic_distances(rdm, rule)?;
    if lengths.iter().all(|v| *v == lengths[0]) {
        return Ok(vec![0.0; lengths.len()]);
    }
    Ok(Ranked::new(&lengths)?.values().to_vec())
}

/// The Gram matrices of RGTMs at all cells of a grid, from RDMs that were ranked once.
pub fn grid_grams(
    ranked: &[Ranked],
    subjects: usize,
    cells: &[(f64, f64)],
    weights: Option<&[f64]>,
) -> Result<Vec<RegionGram>> {
    sums::map(cells.len(), |c| {
        let (l, u) = cells[c];
        RegionGram::new(&of_ranks(ranked, Statistic::Rgtm(l, u))?, subjects, weights)
    })
    .into_iter()
    .collect()
}

/// Cells in the order in which they are preferred at one accuracy: the widest, which keeps most of the geometry, first.
pub fn widest_first(cells: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..cells.len()).collect();
    let width = |k: usize| cells[k].1 - cells[k].0;
    order.sort_by(|&a, &b| width(b).total_cmp(&width(a)).then(a.cmp(&b)));
    order
}
