//! Bits do not depend on the number of threads, nor on an interruption.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use neuropil_core::{Array, Result, Stimuli, StimulusKind, Streams};
use neuropil_nn::classifier::{Architecture, Classifier, ClassifierConfig, Stage};
use neuropil_nn::kernels::Cell;
use neuropil_nn::modules::{Transformer, TransformerConfig, cross_entropy};
use neuropil_nn::optim::{Rule, Schedule};
use neuropil_nn::pass::values;
use neuropil_nn::{Parameters, Pass, Predictor, PredictorConfig, Series, Training};

fn with_threads<R: Send>(threads: usize, f: impl Fn() -> R + Send + Sync) -> R {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool").install(f)
}

fn same_for_all<R: Send + PartialEq>(f: impl Fn() -> R + Send + Sync) {
    let one = with_threads(1, &f);
    assert!(one == with_threads(2, &f), "2 threads differ from 1");
    assert!(one == with_threads(8, &f), "8 threads differ from 1");
}

fn images(n: usize) -> Stimuli {
    let mut s = Streams::new(5).stream("images", 0);
    let labels: Vec<u32> = (0..n).map(|_| s.below(3) as u32).collect();
    // A bright third of the image names the class.
    let values: Vec<f32> = labels
        .iter()
        .flat_map(|&l| (0..144).map(move |i| if i / 48 == l as usize { 1.0 } else { 0.0 }))
        .map(|v| v + 0.3 * s.normal() as f32)
        .collect();
    Stimuli::new(
        StimulusKind::Images,
        Array::from_f32(&[n, 1, 12, 12], &values).expect("shape"),
        Some(labels),
    )
    .expect("stimuli")
}

fn architectures() -> [Architecture; 2] {
    let stage = |channels, stride| Stage { channels, stride };
    [
        Architecture::Mlp(vec![40, 20]),
        Architecture::Conv { stages: vec![stage(4, 1), stage(8, 2)], hidden: vec![16] },
    ]
}

#[test]
fn classifiers_learn_and_ignore_threads() {
    for architecture in architectures() {
        let config = ClassifierConfig { architecture, epochs: 4, batch: 16, ..ClassifierConfig::default() };
        let data = images(192);
        same_for_all(|| {
            let c = Classifier::fit(&data, &config, Streams::new(1), |_, _, _| Ok(())).expect("trains");
            // Three well separated classes; chance is 1/3.
            assert!(c.accuracy(&data).expect("accuracy") > 0.9);
            let layers = c.record(&data).expect("recordings");
            assert_eq!(layers[0].steps(), 192);
            (c.parameters().values().to_vec(), layers)
        });
    }
}

#[test]
fn predictors_beat_persistence_and_ignore_threads() {
    // A rotation in the plane, with a third feature that is never observed.
    let series: Vec<Series> = (0..6)
        .map(|k| {
            let values = (0..80)
                .flat_map(|t| {
                    let a = 0.5 * t as f32 + k as f32;
                    [a.sin(), a.cos(), 99.0]
                })
                .collect();
            Series { values, mask: [1.0, 1.0, 0.0].repeat(80) }
        })
        .collect();
    for cell in [Cell::Gru, Cell::Lstm] {
        let config = PredictorConfig {
            cell,
            hidden: 12,
            window: 30,
            batch: 8,
            steps: 60,
            rate: 0.02,
            ..Default::default()
        };
        same_for_all(|| {
            let p =
                Predictor::fit(&series, &[], 3, &config, Streams::new(2), |_, _, _| Ok(())).expect("trains");
            let (ours, base) = (
                p.error(&series).expect("error"),
                neuropil_nn::predictor::persistence_error(&series, 3).expect("base"),
            );
            assert!(ours < 0.2 * base, "{ours} {base}");
            p.parameters().values().to_vec()
        });
    }
}

fn transformer() -> (Training, Transformer) {
    let config =
        TransformerConfig { vocabulary: 11, width: 16, heads: 2, layers: 2, context: 24, dropout: 0.1 };
    let mut p = Parameters::default();
    let net = Transformer::new(&mut p, config, &mut Streams::new(3).stream("init", 0)).expect("sizes fit");
    let stream = Streams::new(3).stream("dropout", 0);
    (Training::new(p, Rule::adamw(0.1), Schedule::cosine(1e-2, 5, 40, 0.1), 1.0, stream), net)
}

fn steps(training: &mut Training, net: &Transformer, count: usize) -> Result<Vec<f32>> {
    (0..count)
        .map(|_| {
            let shift = training.step as u32;
            let tokens: Vec<u32> = (0..96).map(|i| (i * i + shift) % 11).collect();
            let targets: Vec<u32> = tokens.iter().map(|t| (t + 1) % 11).collect();
            training.step(|pass| Ok(cross_entropy(net.forward(pass, &tokens, 24), &targets, None)))
        })
        .collect()
}

#[test]
fn transformer_learns_and_ignores_threads() {
    same_for_all(|| {
        let (mut training, net) = transformer();
        let losses = steps(&mut training, &net, 40).expect("trains");
        assert!(losses[0] > 2.3 && losses[39] < 1.5, "{} {}", losses[0], losses[39]);
        (losses, training)
    });
}

#[test]
fn transformer_is_causal_bit_for_bit() {
    let (training, net) = transformer();
    let logits = |tokens: &[u32]| values(net.forward(&Pass::inference(&training.parameters), tokens, 24));
    let tokens: Vec<u32> = (0..24).map(|i| i * 7 % 11).collect();
    let mut changed = tokens.clone();
    changed[15] = (changed[15] + 1) % 11;
    let (a, b) = (logits(&tokens), logits(&changed));
    assert!(a[..15 * 11] == b[..15 * 11] && a[15 * 11..] != b[15 * 11..]);
}

#[test]
fn an_interrupted_run_ends_in_the_same_bits() {
    let (mut whole, net) = transformer();
    steps(&mut whole, &net, 20).expect("trains");
    let (mut first, _) = transformer();
    steps(&mut first, &net, 9).expect("trains");
    let bytes = postcard::to_stdvec(&first).expect("serialises");
    drop(first);
    let mut second: Training = postcard::from_bytes(&bytes).expect("parses");
    steps(&mut second, &net, 11).expect("trains");
    assert!(whole == second);
}

#[test]
fn bad_stimuli_are_refused() {
    let fit = |s: &Stimuli| {
        Classifier::fit(s, &ClassifierConfig::default(), Streams::new(1), |_, _, _| Ok(()))
            .map_err(|e| e.exit_code())
            .err()
    };
    let mut s = images(4);
    s.labels = None;
    assert_eq!(fit(&s), Some(3));
    let nan = Array::from_f32(&[1, 2], &[0.0, f32::NAN]).expect("shape");
    assert_eq!(fit(&Stimuli::new(StimulusKind::Features, nan, Some(vec![0])).expect("stimuli")), Some(3));
}
