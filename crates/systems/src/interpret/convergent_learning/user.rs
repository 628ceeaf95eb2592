//! The method on a user's own activations.

use super::config::ConvergentLearning;
use super::experiment::{LayerResult, analyse};
use super::files::read_all;
use super::synthetic::Synthetic;
use super::{figures, outputs, tables};
use neuropil_core::{Array, Error, Result, Streams};
use neuropil_data::formats::npy;
use neuropil_experiment::{Inputs, Run};
use std::path::Path;

/// Most units of all populations of a layer together; their covariances take 8 bytes a pair, several times.
const MAX_UNITS: usize = 12_000;
/// Multiply-adds of all resamples together, a few minutes; fewer resamples are drawn where there would be more.
const MAX_RESAMPLING: f64 = 2e13;
/// Counts of all joint histograms of a layer; mutual information is left out where there would be more.
const MAX_COUNTS: f64 = 2e11;

pub(super) fn apply(config: &ConvergentLearning, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let read = read_all(&inputs.all("activity"), config, run.streams())?;
    run.note(format!("Read as {}.", read.understood));
    let mut config = config.clone();
    let mut results: Vec<LayerResult> = Vec::new();
    for layer in &read.layers {
        let live: Vec<usize> = (0..layer.populations.len()).map(|k| layer.live(k).len()).collect();
        let all: usize = live.iter().sum();
        if all > MAX_UNITS {
            return Err(Error::resources(format!("at most {MAX_UNITS} units in a layer"), all.to_string())
                .at(&layer.name)
                .hint("give fewer populations or units at a time"));
        }
        for (p, &n) in layer.populations.iter().zip(&live) {
            if n < p.units.len() {
                run.note(format!(
                    "{} of the {} units of `{}` in {} hardly vary and are left out.",
                    p.units.len() - n,
                    p.units.len(),
                    p.name,
                    layer.name
                ));
            }
            if p.samples() < 10 * n {
                run.note(format!(
                    "`{}` in {} has {} samples for {n} units: with fewer than 10 samples a unit, correlations and R^2 of \
                     matched units are inflated.",
                    p.name,
                    layer.name,
                    p.samples()
                ));
            }
        }
        let samples = layer.samples() as f64;
        let most = (MAX_RESAMPLING / (samples * (all * all) as f64)).max(2.0) as usize;
        if most < config.bootstraps {
            run.note(format!("{} has so many units that {most} resamples are drawn instead of {}.", layer.name, config.bootstraps));
            config.bootstraps = most;
        }
        if config.bins > 0 && samples * (all * all) as f64 / 2.0 > MAX_COUNTS {
            run.note(format!("Mutual information is left out in {}: too many units and samples.", layer.name));
            config.bins = 0;
        }
        results.push(analyse(&config, run, layer, None)?);
    }
    tables::of(run, &results);
    if results.len() > 1 {
        run.figure(figures::overview(&results));
    }
    run.figure(figures::match_curves(&results));
    run.figure(figures::matched_correlations(&results));
    run.figure(figures::explained(&results));
    run.figure(figures::cluster_sizes(&results));
    run.figure(figures::cluster_order(&results));
    outputs::save(run, &results)
}

/// `net1.npy` and `net2.npy`, samples x units, of which 40 % of the units are copies and 40 % sums.
pub(super) fn example(dir: &Path) -> Result<()> {
    let (layer, _) = Synthetic { units: 24, samples: 1500 }.draw(0.3, Streams::new(12))?;
    for p in &layer.populations {
        let array = Array::from_f32(&[p.samples(), p.units.len()], p.values())?;
        npy::write(&dir.join(format!("{}.npy", p.name)), &array)?;
    }
    Ok(())
}
