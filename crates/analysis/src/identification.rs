//! Which region (or layer) of which subject is this? Leave-one-subject-out nearest-centroid identification.
//!
//! Everything is read from the Gram matrix of the vectors, one per (subject, region), subject-major: row s R + r. A new
//! summary statistic costs one Gram matrix; no centroid is ever formed.

use neuropil_core::{Error, Result};
use neuropil_math::clustering::smallest;
use neuropil_math::{Matrix, linalg};

/// The Gram matrix of subjects x regions vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct RegionGram {
    subjects: usize,
    regions: usize,
    gram: Matrix,
}

/// The outcome of an identification.
#[derive(Debug, Clone, PartialEq)]
pub struct Identification {
    /// Share of (subject, region) vectors assigned to their own region.
    pub accuracy: f64,
    /// Assigned region of each (subject, region), subject-major. Subjects with weight 0 are assigned too.
    pub assigned: Vec<usize>,
    regions: usize,
}

impl Identification {
    fn new(assigned: Vec<usize>, weights: &[usize], regions: usize) -> Self {
        let mut right = 0;
        for (k, &a) in assigned.iter().enumerate() {
            right += weights[k / regions] * usize::from(a == k % regions);
        }
        let total = weights.iter().sum::<usize>() * regions;
        Self { accuracy: right as f64 / total.max(1) as f64, assigned, regions }
    }

    /// Counts, true region x assigned region.
    pub fn confusion(&self) -> Matrix {
        let mut counts = Matrix::zeros(self.regions, self.regions);
        for (k, &a) in self.assigned.iter().enumerate() {
            counts[(k % self.regions, a)] += 1.0;
        }
        counts
    }

    /// For each region, the share of subjects in which it was recognised.
    pub fn per_region(&self) -> Vec<f64> {
        let c = self.confusion();
        (0..self.regions).map(|r| c[(r, r)] / c.row(r).iter().sum::<f64>().max(1.0)).collect()
    }
}

impl RegionGram {
    /// From vectors in rows, subject-major. `weights` counts how often each column occurs (a resample of pairs); `None`
    /// for once each. At least 3 subjects, so that a centroid is a mean, and 2 regions.
    pub fn new(vectors: &Matrix, subjects: usize, weights: Option<&[f64]>) -> Result<Self> {
        vectors.require_finite()?;
        if subjects < 3 || !vectors.rows().is_multiple_of(subjects) {
            return Err(Error::input(
                "at least 3 subjects with as many regions each",
                format!("{} vectors of {subjects} subjects", vectors.rows()),
            ));
        }
        let gram = match weights {
            None => linalg::gram(vectors),
            Some(w) => {
                if w.len() != vectors.cols() {
                    return Err(Error::input(
                        format!("{} column weights", vectors.cols()),
                        w.len().to_string(),
                    ));
                }
                let roots: Vec<f64> = w.iter().map(|v| v.sqrt()).collect();
                let mut scaled = vectors.clone();
                for i in 0..scaled.rows() {
                    scaled.row_mut(i).iter_mut().zip(&roots).for_each(|(v, r)| *v *= r);
                }
                linalg::gram(&scaled)
            }
        };
        Self::from_gram(gram, subjects)
    }

    /// From a Gram matrix (or any symmetric matrix of inner products, such as CKA) of (subject, region), subject-major.
    pub fn from_gram(gram: Matrix, subjects: usize) -> Result<Self> {
        gram.require_finite()?;
        let n = gram.rows();
        if gram.cols() != n || subjects < 3 || !n.is_multiple_of(subjects) {
            return Err(Error::input(
                "a square matrix over at least 3 subjects with as many regions each",
                format!("{} x {} for {subjects} subjects", n, gram.cols()),
            ));
        }
        let regions = n / subjects;
        if regions < 2 {
            return Err(Error::input("at least 2 regions", regions.to_string()));
        }
        Ok(Self { subjects, regions, gram })
    }

    /// Number of subjects.
    pub fn subjects(&self) -> usize {
        self.subjects
    }

    /// Number of regions.
    pub fn regions(&self) -> usize {
        self.regions
    }

    /// The Gram matrix.
    pub fn gram(&self) -> &Matrix {
        &self.gram
    }

    /// Squared distance of each vector of subject `held` to the centroid of each region over subjects with a positive
    /// weight, `held` left out (regions x regions: vector, centroid). `weights` must leave some subject over.
    fn distances(&self, held: usize, weights: &[usize]) -> Matrix {
        let r = self.regions;
        let train: Vec<usize> = (0..self.subjects).filter(|&s| s != held && weights[s] > 0).collect();
        let total = train.iter().map(|&s| weights[s]).sum::<usize>() as f64;
        // |v - c|^2 = v.v - 2 v.c + c.c; v.v is the same for all centroids and is kept for the distance itself.
        let mut norms = vec![0.0; r];
        for (region, norm) in norms.iter_mut().enumerate() {
            for &s in &train {
                let row = self.gram.row(s * r + region);
                let along: f64 = train.iter().map(|&t| weights[t] as f64 * row[t * r + region]).sum();
                *norm += weights[s] as f64 * along;
            }
            *norm /= total * total;
        }
        Matrix::from_fn(r, r, |own, region| {
            let row = self.gram.row(held * r + own);
            let along: f64 = train.iter().map(|&t| weights[t] as f64 * row[t * r + region]).sum();
            row[held * r + own] - 2.0 * along / total + norms[region]
        })
    }

    /// Leave-one-subject-out identification. `weights` counts how often each subject occurs in a resample (all copies
    /// of the held-out subject are left out, or a copy would give it away); `None` for once each.
    pub fn identify(&self, weights: Option<&[usize]>) -> Result<Identification> {
        let ones = vec![1; self.subjects];
        let weights = weights.unwrap_or(&ones);
        self.require_weights(weights)?;
        let assigned = (0..self.subjects)
            .flat_map(|s| self.distances(s, weights).row_iter().map(smallest).collect::<Vec<_>>())
            .collect();
        Ok(Identification::new(assigned, weights, self.regions))
    }

    fn require_weights(&self, weights: &[usize]) -> Result<()> {
        if weights.len() != self.subjects || weights.iter().filter(|&&w| w > 0).count() < 2 {
            return Err(Error::input(
                format!("{} subject counts with at least 2 subjects drawn", self.subjects),
                format!("{weights:?}"),
            ));
        }
        Ok(())
    }

    /// For each pair of regions (a < b, condensed order), the share of vectors of the two that lie nearer to their own
    /// centroid than to the other's.
    pub fn pair_accuracies(&self) -> Vec<f64> {
        let ones = vec![1; self.subjects];
        let all: Vec<Matrix> = (0..self.subjects).map(|s| self.distances(s, &ones)).collect();
        let mut out = Vec::new();
        for a in 0..self.regions {
            for b in a + 1..self.regions {
                let right = all
                    .iter()
                    .map(|d| usize::from(d[(a, a)] < d[(a, b)]) + usize::from(d[(b, b)] < d[(b, a)]))
                    .sum::<usize>();
                out.push(right as f64 / (2 * self.subjects) as f64);
            }
        }
        out
    }

    /// Mean distance to the same region of other subjects over the mean distance to the other regions of other
    /// subjects: below 1 where regions separate.
    pub fn separability_ratio(&self) -> f64 {
        let r = self.regions;
        let (mut same, mut other, mut n_same, mut n_other) = (0.0, 0.0, 0_usize, 0_usize);
        for i in 0..self.gram.rows() {
            for j in (0..self.gram.rows()).filter(|j| j / r != i / r) {
                let d = (self.gram[(i, i)] + self.gram[(j, j)] - 2.0 * self.gram[(i, j)]).max(0.0).sqrt();
                if i % r == j % r {
                    same += d;
                    n_same += 1;
                } else {
                    other += d;
                    n_other += 1;
                }
            }
        }
        (same / n_same as f64) / (other / n_other as f64)
    }
}

/// The outcome of choosing a statistic on the training subjects only.
#[derive(Debug, Clone, PartialEq)]
pub struct Nested {
    /// Identification with, for each held-out subject, the statistic chosen on the others.
    pub identification: Identification,
    /// The statistic chosen for each held-out subject.
    pub chosen: Vec<usize>,
}

/// For each subject, picks the candidate with the best leave-one-out accuracy among the *other* subjects and identifies
/// the held-out subject with it. `preference` orders candidates of one accuracy: the earlier is taken. Choosing on all
/// subjects would be optimistic.
pub fn nested_choice(
    candidates: &[RegionGram],
    preference: &[usize],
    weights: Option<&[usize]>,
) -> Result<Nested> {
    let Some(first) = candidates.first() else { return Err(Error::input("at least 1 candidate", "0")) };
    let (subjects, regions) = (first.subjects, first.regions);
    if subjects < 4 {
        return Err(Error::input("at least 4 subjects to choose on all but one", subjects.to_string()));
    }
    if candidates.iter().any(|c| (c.subjects, c.regions) != (subjects, regions))
        || preference.len() != candidates.len()
    {
        return Err(Error::input(
            "candidates over one set of subjects and regions, each with a place",
            "a mixture",
        ));
    }
    let ones = vec![1; subjects];
    let weights = weights.unwrap_or(&ones);
    first.require_weights(weights)?;
    let held: Vec<(usize, Vec<usize>)> = neuropil_math::sums::map(subjects, |s| {
        let mut train = weights.to_vec();
        train[s] = 0;
        let usable = train.iter().filter(|&&w| w > 0).count() >= 2;
        let mut best: Option<(f64, usize)> = None;
        for &k in preference {
            if k >= candidates.len() {
                continue;
            }
            let mut right = 0;
            if usable {
                for t in (0..subjects).filter(|&t| train[t] > 0) {
                    let d = candidates[k].distances(t, &train);
                    right += train[t] * (0..regions).filter(|&r| smallest(d.row(r)) == r).count();
                }
            }
            if best.is_none_or(|(b, _)| right as f64 > b) {
                best = Some((right as f64, k));
            }
        }
        let k = best.map_or(0, |(_, k)| k);
        (k, candidates[k].distances(s, &train).row_iter().map(smallest).collect())
    });
    let chosen = held.iter().map(|(k, _)| *k).collect();
    let assigned = held.into_iter().flat_map(|(_, a)| a).collect();
    Ok(Nested { identification: Identification::new(assigned, weights, regions), chosen })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;
    use neuropil_math::clustering::{class_means, nearest_centroid};

    fn vectors(subjects: usize, regions: usize, noise: f64, seed: u64) -> Matrix {
        let mut s = Streams::new(seed).stream("regions", 0);
        let means = Matrix::from_fn(regions, 30, |_, _| s.normal());
        Matrix::from_fn(subjects * regions, 30, |i, j| means[(i % regions, j)] + noise * s.normal())
    }

    #[test]
    fn the_gram_form_equals_explicit_centroids() -> Result<()> {
        let (subjects, regions) = (7, 4);
        let x = vectors(subjects, regions, 3.0, 1);
        let fast = RegionGram::new(&x, subjects, None)?.identify(None)?;
        let mut slow = Vec::new();
        for s in 0..subjects {
            let train: Vec<usize> = (0..subjects * regions).filter(|i| i / regions != s).collect();
            let labels: Vec<usize> = train.iter().map(|i| i % regions).collect();
            let centroids = class_means(&x.select_rows(&train)?, &labels, regions)?;
            let own: Vec<usize> = (s * regions..(s + 1) * regions).collect();
            slow.extend(nearest_centroid(&x.select_rows(&own)?, &centroids)?);
        }
        assert_eq!(fast.assigned, slow);
        assert!(fast.accuracy > 0.25 && fast.accuracy < 1.0);
        assert_eq!(fast.confusion().data().iter().sum::<f64>(), 28.0);
        Ok(())
    }

    #[test]
    fn a_resample_equals_the_repeated_data() -> Result<()> {
        let (subjects, regions) = (5, 3);
        let x = vectors(subjects, regions, 3.0, 2);
        let columns: Vec<f64> = (0..30).map(|j| f64::from(j % 3)).collect();
        let expanded: Vec<usize> = (0..30).flat_map(|j| std::iter::repeat_n(j, j % 3)).collect();
        let a = RegionGram::new(&x, subjects, Some(&columns))?;
        let b = RegionGram::new(&x.select_cols(&expanded)?, subjects, None)?;
        assert!(a.gram().minus(b.gram())?.data().iter().all(|d| d.abs() < 1e-10));
        // Subject weights: identity is the plain accuracy; a subject drawn twice counts twice.
        let plain = a.identify(None)?;
        assert_eq!(a.identify(Some(&[1; 5]))?, plain);
        assert!(a.identify(Some(&[5, 0, 0, 0, 0])).is_err());
        Ok(())
    }

    #[test]
    fn the_nested_choice_does_not_see_the_held_out_subject() -> Result<()> {
        let (subjects, regions) = (6, 3);
        let good = RegionGram::new(&vectors(subjects, regions, 0.5, 3), subjects, None)?;
        let bad = RegionGram::new(&vectors(subjects, regions, 50.0, 4), subjects, None)?;
        let n = nested_choice(&[bad.clone(), good.clone()], &[0, 1], None)?;
        assert_eq!((n.chosen, n.identification.accuracy), (vec![1; 6], 1.0));
        // Equal candidates: the preferred one.
        assert_eq!(nested_choice(&[good.clone(), good.clone()], &[1, 0], None)?.chosen, [1; 6]);
        assert!(good.separability_ratio() < 0.5 && bad.separability_ratio() > 0.9);
        assert!(good.pair_accuracies().iter().all(|&a| a == 1.0));
        assert!(nested_choice(&[], &[], None).is_err());
        assert!(RegionGram::new(&vectors(2, 3, 1.0, 1), 2, None).is_err());
        Ok(())
    }
}
