//! The configuration and its presets.

use super::comparison::Options;
use super::mapping::MappingOptions;
use neuropil_core::{Error, Result};
use neuropil_experiment::{Estimate, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Both.
    All,
    /// Populations of which the correspondence is known.
    Synthetic,
    /// Trained networks.
    Networks,
}

/// What the networks are taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dataset {
    /// The embedded 12,000 and 3,000 images of MNIST.
    Mnist,
    /// CIFAR-10, which has to be fetched or imported first.
    #[serde(rename = "cifar-10")]
    Cifar10,
}

/// How plain matrices of a user are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Axes {
    /// One row a sample, one column a unit.
    SamplesByUnits,
    /// One row a unit, one column a sample.
    UnitsBySamples,
}

/// Configuration of the comparison of representations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ConvergentLearning {
    /// `all`, `synthetic` or `networks`.
    pub task: Task,
    /// `mnist` (embedded) or `cifar-10` (to be fetched first with `neuropil data get cifar-10`).
    pub dataset: Dataset,
    /// Networks to train; all their pairs are compared.
    pub networks: usize,
    /// Images to train on, at most.
    pub train_images: usize,
    /// Passes over them.
    pub epochs: usize,
    /// Images per step.
    pub batch: usize,
    /// Peak learning rate of Adam; a cosine takes it to 1 %.
    pub rate: f64,
    /// Images on which activations are compared, at most; none was trained on.
    pub test_images: usize,
    /// Random positions per image and convolution; on a user's 4-D arrays, too.
    pub positions: usize,
    /// Fraction of the images that maps and canonical directions are measured on and not fitted on.
    pub held_out: f64,
    /// Penalties of the sparse maps, in units of standardised activity; 0 must be among them.
    pub lambdas: Vec<f64>,
    /// A weight of this size or less counts as none.
    pub weight_threshold: f64,
    /// The operating point is the largest penalty that keeps this share of the dense R^2.
    pub keep: f64,
    /// Most units per target of the map with few units that is compared with the dense one.
    pub most_units: usize,
    /// Penalties per decade from 1 to 0.001 from which that map is taken, and the curves of R^2 are drawn; the operating
    /// point comes from `lambdas` alone.
    pub path_per_decade: usize,
    /// Clusters per pair; 0 takes `cluster_fraction` of the units of the first network.
    pub clusters: usize,
    /// See `clusters`.
    pub cluster_fraction: f64,
    /// Draws of random clusters of the same sizes.
    pub random_clusters: usize,
    /// Bins of equal frequency for values other than 0 in the mutual information; 0 leaves it out.
    pub bins: usize,
    /// Resamples of images for the intervals.
    pub bootstraps: usize,
    /// Units with a smaller standard deviation are dead and left out, in units of the data.
    pub dead_below: f64,
    /// Independent draws of the synthetic populations.
    pub synthetic_draws: u32,
    /// Units of each synthetic population.
    pub synthetic_units: usize,
    /// Samples of the synthetic populations.
    pub synthetic_samples: usize,
    /// Judge the bars that need all pairs of well trained networks; without, only that conv1 exceeds chance.
    pub judge_all: bool,
    /// Layout of a user's plain matrices, `samples_by_units` or `units_by_samples`; recordings bring their own.
    pub axes: Axes,
}

impl Default for ConvergentLearning {
    fn default() -> Self {
        Self::of(Profile::Quick)
    }
}

/// Bars that depend on the set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Margins {
    /// Least accuracy of every network.
    pub accuracy: f64,
    /// conv1 - conv4.
    pub order: f64,
    /// Share of units.
    pub share: f64,
    /// Dense R^2 minus that of the best single unit.
    pub basis: f64,
    /// Clusters minus random clusters.
    pub subspace: f64,
}

impl ConvergentLearning {
    pub(super) fn of(profile: Profile) -> Self {
        let quick = Self {
            task: Task::All,
            dataset: Dataset::Mnist,
            networks: 2,
            train_images: 6000,
            epochs: 1,
            batch: 128,
            rate: 1e-3,
            test_images: 1000,
            positions: 16,
            held_out: 0.3,
            lambdas: vec![0.0, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1],
            weight_threshold: 1e-3,
            keep: 0.95,
            most_units: 12,
            path_per_decade: 8,
            clusters: 0,
            cluster_fraction: 0.4,
            random_clusters: 10,
            bins: 15,
            bootstraps: 50,
            dead_below: 1e-8,
            synthetic_draws: 3,
            synthetic_units: 64,
            synthetic_samples: 20_000,
            judge_all: false,
            axes: Axes::SamplesByUnits,
        };
        match profile {
            Profile::Smoke => Self {
                train_images: 256,
                batch: 64,
                test_images: 96,
                random_clusters: 2,
                bootstraps: 5,
                synthetic_draws: 1,
                synthetic_units: 16,
                synthetic_samples: 2000,
                ..quick
            },
            Profile::Quick => quick,
            Profile::Full => Self {
                networks: 4,
                train_images: 12_000,
                epochs: 15,
                test_images: 3000,
                bootstraps: 200,
                judge_all: true,
                ..quick
            },
            Profile::Paper => Self {
                dataset: Dataset::Cifar10,
                networks: 4,
                train_images: 50_000,
                epochs: 30,
                test_images: 10_000,
                bootstraps: 1000,
                judge_all: true,
                ..quick
            },
        }
    }

    /// What a comparison needs.
    pub fn options(&self) -> Options {
        Options {
            mapping: MappingOptions {
                lambdas: self.lambdas.clone(),
                threshold: self.weight_threshold,
                keep: self.keep,
                most_units: self.most_units,
                per_decade: self.path_per_decade,
            },
            clusters: self.clusters,
            cluster_fraction: self.cluster_fraction,
            random_clusters: self.random_clusters,
            bins: self.bins,
        }
    }

    /// The bars for the set in use.
    pub fn margins(&self) -> Margins {
        match self.dataset {
            Dataset::Mnist => Margins { accuracy: 0.97, order: 0.03, share: 0.05, basis: 0.03, subspace: 0.05 },
            Dataset::Cifar10 => Margins { accuracy: 0.55, order: 0.05, share: 0.1, basis: 0.05, subspace: 0.1 },
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let range = |field: &str, value: usize, low: usize, high: usize| {
            if (low..=high).contains(&value) {
                Ok(())
            } else {
                Err(Error::config(format!("{low} to {high}"), value.to_string()).at(field))
            }
        };
        let fraction = |field: &str, value: f64| {
            if value > 0.0 && value < 1.0 {
                Ok(())
            } else {
                Err(Error::config("a fraction between 0 and 1", value.to_string()).at(field))
            }
        };
        let at_least_0 = |field: &str, value: f64| {
            if value.is_finite() && value >= 0.0 {
                Ok(())
            } else {
                Err(Error::config("a number of at least 0", value.to_string()).at(field))
            }
        };
        range("networks", self.networks, 2, 64)?;
        range("train_images", self.train_images, 16, 1_000_000)?;
        range("epochs", self.epochs, 1, 1000)?;
        range("batch", self.batch, 1, 4096)?;
        range("test_images", self.test_images, 16, 1_000_000)?;
        range("positions", self.positions, 1, 1024)?;
        range("most_units", self.most_units, 1, 100_000)?;
        range("path_per_decade", self.path_per_decade, 1, 1000)?;
        range("clusters", self.clusters, 0, 100_000)?;
        range("random_clusters", self.random_clusters, 1, 1000)?;
        range("bins", self.bins, 0, 255)?;
        range("bootstraps", self.bootstraps, 2, 100_000)?;
        range("synthetic_draws", self.synthetic_draws as usize, 1, 1000)?;
        range("synthetic_units", self.synthetic_units, 8, 1000)?;
        range("synthetic_samples", self.synthetic_samples, 100, 1_000_000)?;
        fraction("held_out", self.held_out)?;
        fraction("keep", self.keep)?;
        fraction("cluster_fraction", self.cluster_fraction)?;
        at_least_0("weight_threshold", self.weight_threshold)?;
        at_least_0("dead_below", self.dead_below)?;
        if !(self.rate.is_finite() && self.rate > 0.0) {
            return Err(Error::config("a positive rate", self.rate.to_string()).at("rate"));
        }
        self.lambdas.iter().try_for_each(|&l| at_least_0("lambdas", l))?;
        if !self.lambdas.contains(&0.0) {
            return Err(Error::config("0 among the penalties", format!("{:?}", self.lambdas)).at("lambdas"));
        }
        let twice = (1..self.lambdas.len()).find(|&k| self.lambdas[..k].contains(&self.lambdas[k]));
        match twice {
            Some(k) => Err(Error::config("each penalty once", format!("{} twice", self.lambdas[k])).at("lambdas")),
            None => Ok(()),
        }
    }

    pub(super) fn expected(&self) -> Estimate {
        let draws = f64::from(self.synthetic_draws);
        let synthetic = draws * 2.5e-5 * (self.synthetic_samples * self.synthetic_units) as f64 / 64.0;
        let (trained, shown) = ((self.train_images * self.epochs) as f64, self.test_images as f64);
        // Measured on 2 cores: 0.8 ms an image to train on, 0.4 ms to show.
        let networks = self.networks as f64 * (0.8e-3 * trained + 0.4e-3 * shown);
        let units = 64.0 * self.networks as f64;
        let samples = shown * self.positions as f64;
        let resamples = 4.0 * self.bootstraps as f64 * samples * units * units * 1.5e-11;
        let pairs = (self.networks * (self.networks - 1) / 2) as f64;
        let information = pairs * samples * 1.3e4 * 1.0e-9;
        let run = |wanted: bool, s: f64| if wanted { s } else { 0.0 };
        let wall_s = 1.0
            + run(self.task != Task::Networks, synthetic)
            + run(self.task != Task::Synthetic, networks + resamples + information);
        Estimate { wall_s, mem_mb: 150.0 + samples * 4.0 * units * 4.0 * 2.0 / 1e6 + 3.2e-3 * self.train_images as f64 }
    }
}
