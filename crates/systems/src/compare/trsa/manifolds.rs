//! Synthetic regions with known topology: each region is a latent manifold, each subject bends and projects it anew.

use super::experiment::Responses;
use neuropil_core::{Error, Result, Stream, Streams};
use neuropil_math::{Matrix, linalg};
use std::f64::consts::TAU;

/// A latent shape in three dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manifold {
    /// A circle: one component, one loop.
    Ring,
    /// Two circles apart: two components, two loops.
    TwoRings,
    /// A segment.
    Line,
    /// Three arms from one point.
    Tree,
    /// Gaussian points without a shape.
    Cloud,
    /// The surface of a torus.
    Torus,
}

impl Manifold {
    /// All of them, the regions of the synthetic experiment.
    pub const ALL: [Self; 6] =
        [Self::Ring, Self::TwoRings, Self::Line, Self::Tree, Self::Cloud, Self::Torus];

    /// Name for tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::TwoRings => "two rings",
            Self::Line => "line",
            Self::Tree => "tree",
            Self::Cloud => "cloud",
            Self::Torus => "torus",
        }
    }

    /// `n` points (n x 3), centred and scaled to mean square radius 1. Point i is stimulus i for every subject.
    pub fn points(self, n: usize, stream: &mut Stream) -> Matrix {
        let share = |i: usize| i as f64 / n as f64;
        let rows: Vec<[f64; 3]> = match self {
            Self::Ring => (0..n).map(|i| TAU * share(i)).map(|t| [t.cos(), t.sin(), 0.0]).collect(),
            Self::TwoRings => (0..n)
                .map(|i| {
                    let side = if 2 * i < n { -1.0 } else { 1.0 };
                    let t = 2.0 * TAU * share(i);
                    [1.5 * side + 0.7 * t.cos(), 0.7 * t.sin(), 0.0]
                })
                .collect(),
            Self::Line => (0..n).map(|i| [2.0 * share(i) - 1.0, 0.0, 0.0]).collect(),
            Self::Tree => (0..n)
                .map(|i| {
                    let arm = (3.0 * share(i)).floor();
                    let along = 3.0 * share(i) - arm;
                    let t = TAU * arm / 3.0;
                    [along * t.cos(), along * t.sin(), 0.3 * along * (arm - 1.0)]
                })
                .collect(),
            Self::Cloud => (0..n).map(|_| [stream.normal(), stream.normal(), stream.normal()]).collect(),
            Self::Torus => {
                // Both angles advance so that the points cover the surface evenly.
                let around = (n as f64 / 6.0).max(1.0);
                (0..n)
                    .map(|i| {
                        let (a, b) = (TAU * (i / 6) as f64 / around, TAU * (i % 6) as f64 / 6.0);
                        let r = 1.0 + 0.4 * b.cos();
                        [r * a.cos(), r * a.sin(), 0.4 * b.sin()]
                    })
                    .collect()
            }
        };
        let x = Matrix::from_fn(n, 3, |i, j| rows[i][j]).centred();
        let radius = linalg::frobenius_norm(&x) / (n as f64).sqrt();
        x.map(|v| v / radius)
    }
}

/// How synthetic responses come about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Population {
    /// Subjects.
    pub subjects: usize,
    /// Stimuli, the points of each manifold.
    pub stimuli: usize,
    /// Units per region.
    pub units: usize,
    /// Strength of the bend x + strength B tanh(C x).
    pub bend: f64,
}

impl Population {
    /// Responses of all subjects and regions (in the order of [`Manifold::ALL`]): points x of the manifold are bent to
    /// x + 0.5 B tanh(C x), B (3 x 8) and C (8 x 3) standard normal and new for every subject and region, and projected
    /// to the units by a standard normal matrix.
    pub fn draw(&self, streams: Streams) -> Result<Responses> {
        if self.stimuli < 12 || self.units < 2 || self.subjects < 3 {
            return Err(Error::config("at least 3 subjects, 12 stimuli and 2 units", format!("{self:?}")));
        }
        let mut cloud = streams.stream("manifold", 0);
        let latent: Vec<Matrix> =
            Manifold::ALL.iter().map(|m| m.points(self.stimuli, &mut cloud)).collect();
        let mut clean = Vec::new();
        for k in 0..self.subjects * latent.len() {
            let x = &latent[k % latent.len()];
            let mut s = streams.stream("response", k as u64);
            let b = Matrix::from_fn(3, 8, |_, _| s.normal());
            let c = Matrix::from_fn(8, 3, |_, _| s.normal());
            let hidden = linalg::matmul_nt(x, &c)?.map(f64::tanh);
            let bent = x.zip(&linalg::matmul_nt(&hidden, &b)?, |x, d| x + self.bend * d)?;
            let projection = Matrix::from_fn(3, self.units, |_, _| s.normal());
            clean.push(linalg::matmul(&bent, &projection)?);
        }
        Ok(Responses {
            regions: Manifold::ALL.iter().map(|m| m.name().into()).collect(),
            subjects: self.subjects,
            spread: vec![1.0; clean.len()],
            clean,
            streams,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_analysis::topology::Persistence;
    use neuropil_math::distances::{Metric, pairwise};

    #[test]
    fn manifolds_have_the_topology_they_are_named_after() -> Result<()> {
        let betti = |m: Manifold, threshold: f64| -> Result<(usize, usize)> {
            let x = m.points(48, &mut Streams::new(1).stream("manifold", 0));
            Ok(Persistence::new(&pairwise(&x, Metric::Euclidean)?)?.betti(threshold))
        };
        assert_eq!(betti(Manifold::Ring, 0.5)?, (1, 1));
        assert_eq!(betti(Manifold::TwoRings, 0.3)?, (2, 2));
        assert_eq!(betti(Manifold::Line, 0.2)?, (1, 0));
        assert_eq!(betti(Manifold::Tree, 0.2)?, (1, 0));
        assert_eq!(betti(Manifold::Torus, 0.75)?.0, 1);
        Ok(())
    }

    #[test]
    fn the_same_subject_differs_between_regions_and_repeats_with_the_seed() -> Result<()> {
        let p = Population { subjects: 3, stimuli: 24, units: 10, bend: 0.5 };
        let (a, b) = (p.draw(Streams::new(1))?, p.draw(Streams::new(1))?);
        assert_eq!(a.clean, b.clean);
        assert_eq!(a.noisy(0.0), a.clean);
        assert_ne!(a.clean[0], a.clean[6]);
        assert!(Population { subjects: 2, ..p }.draw(Streams::new(1)).is_err());
        Ok(())
    }
}
