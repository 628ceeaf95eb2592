//! Paired bootstrap over subjects and stimuli: every statistic sees the same resamples, so differences are paired.

use neuropil_core::{Error, Result, Stream};
use neuropil_math::statistics;

/// One resample: how often each subject and each stimulus was drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resample {
    /// Draws of each subject; they add up to the number of subjects.
    pub subjects: Vec<usize>,
    /// Draws of each stimulus; they add up to the number of stimuli.
    pub stimuli: Vec<usize>,
}

impl Resample {
    /// Every subject and stimulus once.
    pub fn identity(subjects: usize, stimuli: usize) -> Self {
        Self { subjects: vec![1; subjects], stimuli: vec![1; stimuli] }
    }

    /// Draws subjects and stimuli with replacement; drawn again while fewer than 3 different subjects or 4 different
    /// stimuli come up, on which nothing could be identified. Fails where there are not that many at all.
    pub fn draw(subjects: usize, stimuli: usize, stream: &mut Stream) -> Result<Self> {
        if subjects < 3 || stimuli < 4 {
            return Err(Error::input(
                "at least 3 subjects and 4 stimuli",
                format!("{subjects} and {stimuli}"),
            ));
        }
        Ok(Self { subjects: counts(subjects, 3, stream), stimuli: counts(stimuli, 4, stream) })
    }

    /// `resamples` draws.
    pub fn sequence(
        subjects: usize,
        stimuli: usize,
        resamples: usize,
        stream: &mut Stream,
    ) -> Result<Vec<Self>> {
        (0..resamples).map(|_| Self::draw(subjects, stimuli, stream)).collect()
    }
}

fn counts(n: usize, different: usize, stream: &mut Stream) -> Vec<usize> {
    loop {
        let mut counts = vec![0; n];
        for i in statistics::bootstrap_indices(n, stream) {
            counts[i] += 1;
        }
        if counts.iter().filter(|&&c| c > 0).count() >= different {
            return counts;
        }
    }
}

/// The difference of two statistics over the same resamples.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairedDifference {
    /// Mean of a - b.
    pub mean: f64,
    /// Standard deviation over the resamples, the bootstrap estimate of the standard error.
    pub sd: f64,
    /// Two-sided p of mean / sd under Student's t.
    pub p: f64,
}

/// Compares two statistics from paired resamples with `df` degrees of freedom (the paper's: the smaller of the numbers
/// of subjects and stimuli, minus 1).
pub fn paired_difference(a: &[f64], b: &[f64], df: f64) -> Result<PairedDifference> {
    if a.len() != b.len() || a.len() < 2 {
        return Err(Error::input(
            "two series over the same resamples, at least 2",
            format!("{} and {}", a.len(), b.len()),
        ));
    }
    let differences: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
    let (mean, sd) = (statistics::mean(&differences), statistics::sd(&differences));
    let p = if mean == 0.0 {
        1.0
    } else if sd == 0.0 {
        0.0
    } else {
        statistics::student_t_two_sided_p(mean / sd, df)?
    };
    Ok(PairedDifference { mean, sd, p })
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn draws_add_up_and_are_repeatable() -> Result<()> {
        let draw = || Resample::sequence(5, 9, 50, &mut Streams::new(1).stream("bootstrap", 0));
        let all = draw()?;
        assert_eq!(all, draw()?);
        for r in &all {
            assert_eq!((r.subjects.iter().sum::<usize>(), r.stimuli.iter().sum::<usize>()), (5, 9));
            assert!(r.subjects.iter().filter(|&&c| c > 0).count() >= 3);
        }
        assert!(Resample::draw(2, 9, &mut Streams::new(1).stream("bootstrap", 0)).is_err());
        Ok(())
    }

    #[test]
    fn a_paired_difference_is_tighter_than_two_separate_ones() -> Result<()> {
        let mut s = Streams::new(2).stream("paired", 0);
        let shared = s.normals(500);
        let a: Vec<f64> = shared.iter().map(|v| 0.3 + v + 0.05 * s.normal()).collect();
        let b: Vec<f64> = shared.iter().map(|v| v + 0.05 * s.normal()).collect();
        let d = paired_difference(&a, &b, 10.0)?;
        assert!((d.mean - 0.3).abs() < 0.02 && d.sd < 0.1 && d.p < 0.01);
        assert_eq!(paired_difference(&a, &a, 10.0)?.p, 1.0);
        assert!(paired_difference(&a, &b[1..], 10.0).is_err());
        Ok(())
    }
}
