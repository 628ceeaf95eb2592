//! The experiments: populations of known correspondence, and trained networks with their nulls.

use super::comparison::{Comparison, Refit};
use super::config::{ConvergentLearning, Task};
use super::networks::{Images, Positions, first_filters, sampled, trained, untrained};
use super::nulls::Nulls;
use super::resampling::{Resample, Statistics, resample_in_steps};
use super::samples::{Blocks, Layer, Population};
use super::synthetic::{Kind, Synthetic};
use super::{claims, figures, outputs, tables};
use neuropil_core::{Bar, Claim, Error, Result};
use neuropil_data::embedded::Split;
use neuropil_experiment::Run;
use neuropil_math::statistics::{mean, median};
use serde::{Deserialize, Serialize};

/// The units of one network in a layer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Members {
    /// Network or animal.
    pub name: String,
    /// Numbers of the live units.
    pub live: Vec<usize>,
    /// Names of the live units.
    pub units: Vec<String>,
    /// Number of all units.
    pub all: usize,
}

/// One layer of all networks.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct LayerResult {
    pub name: String,
    pub members: Vec<Members>,
    pub compared: Vec<(Comparison, Refit)>,
    pub nulls: Option<Nulls>,
    pub resamples: Vec<Resample>,
}

impl LayerResult {
    /// A number of each pair, averaged.
    pub fn over_pairs(&self, f: impl Fn(&Comparison) -> f64) -> f64 {
        mean(&self.compared.iter().map(|(c, _)| f(c)).collect::<Vec<_>>())
    }

    pub fn matched(&self) -> f64 {
        self.over_pairs(|c| c.matching.mean())
    }

    /// Share of matched units, mean of pairs, of which the correlation passes a test.
    pub fn share(&self, test: impl Fn(f64) -> bool) -> f64 {
        self.over_pairs(|c| {
            let r = c.matching.sorted();
            r.iter().filter(|v| test(**v)).count() as f64 / r.len() as f64
        })
    }

    pub fn resampled(&self, f: impl Fn(&Statistics) -> f64) -> Vec<f64> {
        self.resamples.iter().map(|r| f(&r.statistics)).collect()
    }
}

pub(super) fn reproduce(config: &ConvergentLearning, run: &mut Run) -> Result<()> {
    if config.task != Task::Networks {
        synthetic(config, run)?;
    }
    if config.task != Task::Synthetic {
        networks(config, run)?;
    }
    Ok(())
}

/// What became of the units of which the truth is known, in one draw or in all.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Known {
    /// Copies, and how many of them are matched with their original.
    copies: usize,
    recovered: usize,
    /// Matched correlations of copies, sums and strangers.
    pub correlations: [Vec<f64>; 3],
    /// F1 of the support of each sum.
    supports: Vec<f64>,
    /// Per draw: penalty of the operating point, R^2 of the dense, the sparse and the single-unit map, agreement of clusters
    /// and of random clusters.
    numbers: Vec<[f64; 6]>,
}

impl Known {
    fn extend(&mut self, other: Self) {
        self.copies += other.copies;
        self.recovered += other.recovered;
        self.correlations.iter_mut().zip(other.correlations).for_each(|(a, b)| a.extend(b));
        self.supports.extend(other.supports);
        self.numbers.extend(other.numbers);
    }
}

fn synthetic(config: &ConvergentLearning, run: &mut Run) -> Result<()> {
    let recipe = Synthetic { units: config.synthetic_units, samples: config.synthetic_samples };
    let mut known = Known::default();
    for k in 0..config.synthetic_draws {
        let streams = run.streams().replicate(u64::from(k));
        known.extend(run.stage(&format!("synthetic {}", k + 1), |_| {
            let (layer, kinds) = recipe.draw(config.held_out, streams)?;
            let mut stream = streams.stream("synthetic clusters", 0);
            let (found, _) = Comparison::of(&layer, &layer.plain()?, [0, 1], &config.options(), &mut stream)?;
            Ok(judge(&found, &layer, &kinds, config.weight_threshold))
        })?);
    }
    run.claim(
        Claim::new(
            "copies_recovered",
            "The one-to-one matching finds the original of permuted, scaled and noisy copies",
            format!("share of {} copies matched with their original", known.copies),
            known.recovered as f64 / known.copies as f64,
            Bar::AtLeast(0.92),
        )
        .paper("bipartite matching pairs units that encode the same feature"),
    );
    run.claim(Claim::new(
        "strangers_unmatched",
        "Units without a counterpart have no match",
        format!("median correlation of {} matched units of an independent latent", known.correlations[2].len()),
        median(&known.correlations[2])?,
        Bar::AtMost(0.1),
    ));
    let column = |k: usize| known.numbers.iter().map(|n| n[k]).collect::<Vec<f64>>();
    let mut lambdas = column(0);
    lambdas.dedup();
    run.claim(
        Claim::new(
            "sums_explained",
            "The sparse map names the units that a unit is the sum of",
            format!(
                "F1 of the weights above {} at lambda {}, mean of {} sums",
                config.weight_threshold,
                lambdas.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
                known.supports.len()
            ),
            mean(&known.supports),
            Bar::AtLeast(0.7),
        )
        .paper("few-to-one maps predict nearly as well as dense ones"),
    );
    for (k, name) in ["dense_r2", "sparse_r2", "single_r2", "cluster_agreement", "random_cluster_agreement"]
        .iter()
        .enumerate()
    {
        run.metric(&format!("synthetic_{name}"), mean(&column(k + 1)));
    }
    run.figure(figures::known(&known));
    Ok(())
}

fn judge(comparison: &Comparison, layer: &Layer, kinds: &[Kind], threshold: f64) -> Known {
    let (a, b) = (layer.live(0), layer.live(1));
    let (mapping, clusters) = (&comparison.mapping, &comparison.clusters);
    let operating = mapping.operating();
    let numbers = [
        operating.lambda,
        mapping.dense(),
        operating.explained,
        mapping.single,
        clusters.agreement,
        clusters.random_agreement,
    ];
    let mut known = Known { numbers: vec![numbers], ..Known::default() };
    for (t, &unit) in b.iter().enumerate() {
        let matched = comparison.matching.bipartite.iter().position(|j| *j == Some(t));
        let r = matched.map(|i| comparison.matching.bipartite_value[i]);
        match &kinds[unit] {
            Kind::Copy(original) => {
                known.copies += 1;
                known.recovered += usize::from(matched.is_some_and(|i| a[i] == *original));
                known.correlations[0].extend(r);
            }
            Kind::Sum(parts) => {
                let found: Vec<usize> =
                    (0..a.len()).filter(|&i| comparison.mapping.weights[(i, t)].abs() > threshold).collect();
                let both = found.iter().filter(|&&i| parts.contains(&a[i])).count();
                known.supports.push(2.0 * both as f64 / (found.len() + parts.len()) as f64);
                known.correlations[1].extend(r);
            }
            Kind::Stranger => known.correlations[2].extend(r),
        }
    }
    known
}

fn networks(config: &ConvergentLearning, run: &mut Run) -> Result<()> {
    let train = Images::load(config.dataset, Split::Train, config.train_images)?;
    let test = Images::load(config.dataset, Split::Test, config.test_images)?;
    let mut nets = Vec::new();
    for k in 0..config.networks {
        nets.push(trained(config, run, k, &train)?);
    }
    let fresh = untrained(run, config.networks, &train)?;
    let positions = Positions::draw(&fresh, test.len(), config.positions, run.streams());
    let (mut accuracies, mut by_net) = (Vec::new(), Vec::new());
    for (k, net) in nets.iter().enumerate() {
        let (populations, accuracy) = sampled(&format!("net {}", k + 1), net, &test, &positions)?;
        run.metric(&format!("accuracy_net_{}", k + 1), accuracy);
        accuracies.push(accuracy);
        by_net.push(populations);
        run.save(&format!("net{}.safetensors", k + 1), &net.parameters.to_weights()?)?;
    }
    let (before, _) = sampled("untrained", &fresh, &test, &positions)?;
    let mut split = run.stream("held-out images", 0);
    let blocks = Blocks::split(positions.images(), config.held_out, &mut split)?;
    let layers = per_layer(by_net);
    let mut results = Vec::new();
    for (k, populations) in layers.into_iter().enumerate() {
        let layer = Layer::new(format!("conv{}", k + 1), populations, blocks.clone(), config.dead_below)?;
        results.push(analyse(config, run, &layer, Some(&before[k]))?);
    }
    claims::judge(config, run, &results, &accuracies)?;
    tables::of(run, &results);
    let filters: Vec<Vec<Vec<f32>>> = nets.iter().map(first_filters).collect();
    run.figure(figures::overview(&results));
    run.figure(figures::match_curves(&results));
    if let Some(first) = results.first() {
        run.figure(figures::filters(first, &filters, train.shape[0]));
    }
    run.figure(figures::matched_correlations(&results));
    run.figure(figures::explained(&results));
    run.figure(figures::cluster_sizes(&results));
    run.figure(figures::cluster_order(&results));
    outputs::save(run, &results)
}

/// Layer-major instead of network-major.
fn per_layer(by_net: Vec<Vec<Population>>) -> Vec<Vec<Population>> {
    let count = by_net.first().map_or(0, Vec::len);
    let mut layers: Vec<Vec<Population>> = (0..count).map(|_| Vec::new()).collect();
    for populations in by_net {
        layers.iter_mut().zip(populations).for_each(|(l, p)| l.push(p));
    }
    layers
}

/// All pairs of populations of a layer, its nulls and its resamples, in stages.
pub(super) fn analyse(
    config: &ConvergentLearning,
    run: &mut Run,
    layer: &Layer,
    untrained: Option<&Population>,
) -> Result<LayerResult> {
    let count = layer.populations.len();
    let streams = run.streams();
    let place = |e: Error| e.at(&layer.name);
    let compared: Vec<(Comparison, Refit)> = run
        .stage(&format!("pairs of {}", layer.name), |_| {
            let c = layer.plain()?;
            let mut stream = streams.stream(&format!("clusters of {}", layer.name), 0);
            let mut all = Vec::new();
            for first in 0..count {
                for second in first + 1..count {
                    all.push(Comparison::of(layer, &c, [first, second], &config.options(), &mut stream)?);
                }
            }
            Ok(all)
        })
        .map_err(place)?;
    let nulls: Nulls = run
        .stage(&format!("nulls of {}", layer.name), |_| {
            let mut stream = streams.stream(&format!("nulls of {}", layer.name), 0);
            Nulls::of(layer, untrained, config.dead_below, &mut stream)
        })
        .map_err(place)?;
    let resamples = resample_in_steps(run, layer, &compared, config.bootstraps)?;
    let members = layer.populations.iter().enumerate().map(|(k, p)| Members {
        name: p.name.clone(),
        live: layer.live(k).to_vec(),
        units: layer.live(k).iter().map(|&u| p.units[u].clone()).collect(),
        all: p.units.len(),
    });
    Ok(LayerResult { name: layer.name.clone(), members: members.collect(), compared, nulls: Some(nulls), resamples })
}
