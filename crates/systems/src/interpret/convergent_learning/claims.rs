//! The bars of the experiment on trained networks.

use super::config::{ConvergentLearning, Dataset};
use super::experiment::LayerResult;
use super::resampling::interval;
use neuropil_core::{Bar, Claim, Error, Result};
use neuropil_experiment::Run;
use neuropil_math::statistics::{mean, median};

/// A difference with its paired interval over resamples.
struct Paired {
    value: f64,
    interval: (f64, f64),
}

impl Paired {
    fn new(value: f64, a: &[f64], b: &[f64]) -> Self {
        let differences: Vec<f64> = a.iter().zip(b).map(|(x, y)| x - y).collect();
        Self { value, interval: interval(&differences) }
    }
}

pub(super) fn judge(config: &ConvergentLearning, run: &mut Run, layers: &[LayerResult], accuracies: &[f64]) -> Result<()> {
    let [conv1, conv2, conv3, conv4] = layers else {
        return Err(Error::Internal(format!("{} layers", layers.len())));
    };
    let chance = mean(&conv1.nulls.as_ref().map_or(Vec::new(), |n| n.shuffled.clone()));
    let matched = conv1.resampled(|s| s.matched);
    let over: Vec<f64> = matched.iter().map(|m| m - chance).collect();
    let (low, high) = interval(&over);
    run.claim(
        Claim::new(
            "conv1_exceeds_chance",
            "Units of the first convolution have counterparts in a network trained from another start",
            format!("mean correlation of matched conv1 units minus that with shuffled images, mean of {} pairs", conv1.compared.len()),
            conv1.matched() - chance,
            Bar::AtLeast(0.3),
        )
        .paper("most conv1 units have a strong match in every network")
        .interval(low, high),
    );
    untrained_note(run, conv1);
    if !config.judge_all {
        return Ok(());
    }
    let margins = config.margins();
    let least = accuracies.iter().copied().fold(f64::INFINITY, f64::min);
    let most = accuracies.iter().copied().fold(0.0, f64::max);
    run.claim(Claim::new(
        "networks_learned",
        "Every network has learned the task",
        format!("smallest accuracy of {} networks on {} images held out", accuracies.len(), config.test_images),
        least,
        Bar::AtLeast(margins.accuracy),
    ));
    run.claim(
        Claim::new(
            "networks_alike",
            "The networks are equally good",
            "largest difference of two accuracies",
            most - least,
            Bar::AtMost(0.02),
        )
        .paper("58.65 to 58.84 % top-1 on ImageNet"),
    );
    let versus = |a: &LayerResult, b: &LayerResult| {
        Paired::new(a.matched() - b.matched(), &a.resampled(|s| s.matched), &b.resampled(|s| s.matched))
    };
    let mut paired = Vec::new();
    for (id, a, b, bar) in [
        ("conv1_over_conv2", conv1, conv2, 0.0),
        ("conv2_over_conv4", conv2, conv4, 0.0),
        ("conv1_over_conv4", conv1, conv4, margins.order),
    ] {
        let d = versus(a, b);
        run.claim(
            Claim::new(
                id,
                format!("Units of {} have better counterparts than those of {}", a.name, b.name),
                format!("difference of the mean correlations of matched units, mean of {} pairs", a.compared.len()),
                d.value,
                Bar::AtLeast(bar),
            )
            .paper("match quality falls from conv1 to the middle layers")
            .interval(d.interval.0, d.interval.1),
        );
        paired.push((id.to_string(), d));
    }
    run.claim(
        Claim::new(
            "conv3_tail",
            "Some units have no counterpart",
            "share of conv3 units with a matched correlation below 0.5, mean of pairs",
            conv3.share(|r| r < 0.5),
            Bar::AtLeast(margins.share),
        )
        .paper("a tail of units with poor matches"),
    );
    run.claim(
        Claim::new(
            "conv1_reliable",
            "Some units are learned by every network",
            "share of conv1 units with a matched correlation above 0.8, mean of pairs",
            conv1.share(|r| r > 0.8),
            Bar::AtLeast(margins.share),
        )
        .paper("some features are learned reliably in all networks"),
    );
    let basis: Vec<(String, Paired)> = layers
        .iter()
        .map(|l| {
            let value = l.over_pairs(|c| c.mapping.dense() - c.mapping.single);
            let d = Paired::new(value, &l.resampled(|s| s.dense), &l.resampled(|s| s.single));
            (format!("basis in {}", l.name), d)
        })
        .collect();
    if let Some((_, d)) = basis.iter().min_by(|p, q| p.1.value.total_cmp(&q.1.value)) {
        run.claim(
            Claim::new(
                "subspace_not_basis",
                "Subspaces are shared more than single units are, in every convolution",
                "held-out R^2 of the dense map minus that of the best single unit, smallest of 4 layers",
                d.value,
                Bar::AtLeast(margins.basis),
            )
            .paper("few-to-one maps predict far better than one-to-one")
            .interval(d.interval.0, d.interval.1),
        );
    }
    paired.extend(basis);
    for (l, bar) in [(conv1, 0.9), (conv2, 0.8)] {
        let ratios: Vec<f64> = l.resamples.iter().map(|r| r.statistics.capped / r.statistics.dense).collect();
        let (low, high) = interval(&ratios);
        run.claim(
            Claim::new(
                format!("{}_few_to_one", l.name),
                format!("Few units of one network predict a unit of another nearly as well as all, in {}", l.name),
                format!("held-out R^2 with at most {} units over that of the dense map", config.most_units),
                l.over_pairs(|c| c.mapping.capped) / l.over_pairs(|c| c.mapping.dense()),
                Bar::AtLeast(bar),
            )
            .paper("4.7 of 96 units predict a conv1 unit with nearly no loss")
            .interval(low, high),
        );
    }
    for l in [conv1, conv2] {
        let value = l.over_pairs(|c| c.clusters.agreement - c.clusters.random_agreement);
        let d = Paired::new(value, &l.resampled(|s| s.clusters), &l.resampled(|s| s.random));
        run.claim(
            Claim::new(
                format!("{}_clusters", l.name),
                format!("Spectral clusters of {} span shared subspaces", l.name),
                "mean squared canonical correlation on held-out images minus that of random clusters of the same sizes",
                d.value,
                Bar::AtLeast(margins.subspace),
            )
            .paper("groups of units span similar subspaces")
            .interval(d.interval.0, d.interval.1),
        );
        paired.push((format!("clusters in {}", l.name), d));
    }
    let imbalance: Vec<f64> =
        layers.iter().flat_map(|l| &l.compared).flat_map(|(c, _)| c.clusters.imbalance()).collect();
    run.claim(
        Claim::new(
            "clusters_balanced",
            "Clusters hold similar numbers of units of both networks",
            format!("median of |n1 - n2| / (n1 + n2) over {} clusters of all layers and pairs", imbalance.len()),
            median(&imbalance)?,
            Bar::AtMost(0.5),
        )
        .paper("clusters contain similar numbers of units of both networks"),
    );
    let open: Vec<String> =
        paired.iter().filter(|(_, d)| d.interval.0.is_nan() || d.interval.0 <= 0.0).map(|(name, _)| name.clone()).collect();
    run.claim(Claim::new(
        "intervals_exclude_zero",
        "Every difference above is larger than what other images would make of it",
        format!("paired differences whose 95 % interval over {} resamples of images includes 0, of {}", config.bootstraps, paired.len()),
        open.len() as f64,
        Bar::Exactly(0.0),
    ));
    if !open.is_empty() {
        run.note(format!("Paired intervals that include 0 or are negative: {}.", open.join(", ")));
    }
    if least < margins.accuracy {
        let steps = config.epochs * config.train_images.div_ceil(config.batch);
        run.note(format!(
            "The networks reach {:.1} to {:.1} % in {steps} steps; networks that are not trained to the end may share less.",
            100.0 * least,
            100.0 * most
        ));
    }
    if conv1.matched() < conv2.matched()
        && let Some(nulls) = &conv1.nulls
    {
        run.note(format!(
            "Units of conv1 do not match better than those of conv2 here: digits have few kinds of strokes, and the 5x5 \
             filters stay near their random start (a trained network matches them by {:.3}, an untrained one by {:.3}). \
             From conv2 on matches fall with depth ({:.3}, {:.3}, {:.3}), as in the paper.",
            conv1.matched(),
            mean(&nulls.untrained),
            conv2.matched(),
            conv3.matched(),
            conv4.matched()
        ));
    }
    if config.dataset == Dataset::Mnist {
        run.note(
            "The paper compares networks trained on ImageNet; these learned the embedded 12,000 images of MNIST, for \
             which the bars have narrower margins. Blank borders drive many units alike, so correlations are \
             higher than on photographs.",
        );
    }
    Ok(())
}

fn untrained_note(run: &mut Run, conv1: &LayerResult) {
    let Some(nulls) = &conv1.nulls else { return };
    let (trained, fresh) = (conv1.matched(), mean(&nulls.untrained));
    run.metric("conv1_untrained_match", fresh);
    run.note(if fresh >= trained {
        format!(
            "An untrained network matches conv1 of a trained one as well ({fresh:.3}) as another trained network does \
             ({trained:.3}): here the match says more about the images than about learning."
        )
    } else {
        format!(
            "With a network before training, matched conv1 units correlate by {fresh:.3}, with another trained one by \
             {trained:.3}; what the two share comes from the images alone."
        )
    });
}
