//! Identification accuracy of every statistic, with the (l, u) cell chosen on other subjects only.

use super::summary::{Representations, Statistic, grid_grams, widest_first};
use neuropil_analysis::geotopology::{grid, is_degenerate};
use neuropil_analysis::identification::nested_choice;
use neuropil_core::{Result, Streams};
use neuropil_math::Matrix;
use serde::{Deserialize, Serialize};

/// Noise-free responses, and how much noise a level of 1 is.
#[derive(Debug, Clone)]
pub struct Responses {
    /// Names of the regions.
    pub regions: Vec<String>,
    /// Number of subjects.
    pub subjects: usize,
    /// Stimuli x units each, subject-major.
    pub clean: Vec<Matrix>,
    /// Standard deviation of the noise at level 1, per matrix.
    pub spread: Vec<f64>,
    /// Where the noise comes from: the same at every level but for its scale.
    pub streams: Streams,
}

impl Responses {
    /// Responses with Gaussian noise of `level` times the spread.
    pub fn noisy(&self, level: f64) -> Vec<Matrix> {
        let add = |(k, x): (usize, &Matrix)| {
            let mut out = x.clone();
            if level > 0.0 {
                let mut stream = self.streams.stream("response noise", k as u64);
                let sd = level * self.spread[k];
                out.data_mut().iter_mut().for_each(|v| *v += sd * stream.normal());
            }
            out
        };
        self.clean.iter().enumerate().map(add).collect()
    }
}

/// Accuracies on one set of representations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Accuracies {
    /// Of each statistic asked for.
    pub fixed: Vec<f64>,
    /// Separability ratio of each statistic.
    pub separability: Vec<f64>,
    /// With the cell of the grid that is best on the other subjects; NaN with fewer than 4 subjects.
    pub nested: f64,
    /// Of each cell of the grid.
    pub cells: Vec<f64>,
    /// Confusion counts of the rank RDM and of the nested choice (empty where there is none), true region x assigned.
    pub confusion: [Vec<f64>; 2],
    /// Pairwise accuracies of regions with the rank RDM.
    pub pairs: Vec<f64>,
}

/// The non-degenerate cells of a grid with `steps` intervals.
pub fn cells(steps: usize) -> Vec<(f64, f64)> {
    grid(steps).into_iter().filter(|&(l, u)| !is_degenerate(l, u)).collect()
}

/// Measures every statistic and every cell.
pub fn measure(r: &Representations, statistics: &[Statistic], cells: &[(f64, f64)]) -> Result<Accuracies> {
    let (mut fixed, mut separability) = (Vec::new(), Vec::new());
    for &s in statistics {
        let gram = r.gram(s)?;
        fixed.push(gram.identify(None)?.accuracy);
        separability.push(gram.separability_ratio());
    }
    let grams = grid_grams(&r.ranked(None)?, r.subjects(), cells, None)?;
    let nested =
        if r.subjects() >= 4 { Some(nested_choice(&grams, &widest_first(cells), None)?) } else { None };
    let rank = r.gram(Statistic::Rank)?;
    Ok(Accuracies {
        fixed,
        separability,
        nested: nested.as_ref().map_or(f64::NAN, |n| n.identification.accuracy),
        cells: grams.iter().map(|g| Ok(g.identify(None)?.accuracy)).collect::<Result<_>>()?,
        confusion: [
            rank.identify(None)?.confusion().into_data(),
            nested.map_or(Vec::new(), |n| n.identification.confusion().into_data()),
        ],
        pairs: rank.pair_accuracies(),
    })
}
