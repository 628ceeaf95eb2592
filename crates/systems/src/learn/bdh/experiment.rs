//! The quick and the full experiment.

use super::figures;
use super::floors::{Lstm, Trigram};
use super::inspect::{
    ConceptScan, GraphReport, Labelled, concept_synapses, final_synapses, graph_report, wiring,
};
use super::model::{Learner, Parts, Sizes};
use super::state::{Generator, State};
use super::training::{Baseline, Fit, Hatchling, Model, Plan, mean};
use super::Bdh;
use neuropil_core::{Axis, Bar, Claim, Error, Figure, Mark, Panel, Result, Stream, Streams, Table};
use neuropil_data::embedded;
use neuropil_experiment::{Profile, Run};
use neuropil_nn::Parameters;
use neuropil_nn::modules::TransformerConfig;
use neuropil_nn::text::{Corpus, recall};
use serde::{Deserialize, Serialize};

/// A finished training run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Trained {
    pub parameters: Parameters,
    pub train: Vec<(usize, f64)>,
    pub validation: Vec<(usize, f64)>,
}

impl Trained {
    pub fn loss(&self) -> f64 {
        self.validation.last().map_or(f64::NAN, |v| v.1)
    }
}

/// Trains in a stage of its own; interrupted, it goes on from the last step that was saved.
pub(super) fn fit(
    run: &mut Run,
    name: &str,
    model: &mut dyn Model,
    corpus: &Corpus,
    plan: &Plan,
    (start, streams): (Option<Parameters>, Streams),
) -> Result<Trained> {
    run.stage(name, |run| {
        let mut fit = match run.restore("fit") {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|e| Error::Internal(format!("checkpoint: {e}")))?,
            None => match start {
                Some(parameters) => Fit::from(parameters, plan, streams),
                None => Fit::new(model, plan, streams)?,
            },
        };
        let bar = run.progress(name, plan.steps as u64);
        fit.run(model, corpus, plan, |fit, loss| {
            bar.inc(1);
            let step = fit.training.step;
            if step.is_multiple_of(20) {
                run.log(name, step as u64, &[("train_nats", loss)]);
            }
            if let Some(&(at, loss)) = fit.validation.last().filter(|v| v.0 == step) {
                run.log(name, at as u64, &[("validation_nats", loss)]);
            }
            // A state that cannot be written is empty and restarts the stage.
            run.checkpoint("fit", || postcard::to_stdvec(fit).unwrap_or_default())
        })?;
        let Fit { training, train, validation, .. } = fit;
        Ok(Trained { parameters: training.parameters, train, validation })
    })
}

/// The Transformer of the same number of weights: 12 layers d^2 = 3 n D, with the width and context given.
pub(super) fn equal_transformer(sizes: Sizes, context: usize, dropout: f64) -> TransformerConfig {
    let layers = (3 * sizes.neurons * sizes.width).div_ceil(12 * sizes.width * sizes.width).max(1);
    let heads = (1..=sizes.heads).rev().find(|h| sizes.width.is_multiple_of(*h)).unwrap_or(1);
    TransformerConfig { vocabulary: sizes.vocabulary, width: sizes.width, heads, layers, context, dropout }
}

/// Largest difference of logits between parallel, chunked and recurrent form, relative to the largest logit.
fn form_difference(sizes: Sizes, values: &[f32], text: &[u32]) -> f64 {
    let parallel = Learner::<f32>::new(sizes, Parts::ALL, text.len()).logits(values, text);
    let mut generator = Generator::new(sizes, Parts::ALL, values);
    let chunked = generator.read(&mut State::new(&sizes), text, 50);
    let mut state = State::new(&sizes);
    let recurrent: Vec<f32> = text.iter().flat_map(|&t| generator.step(&mut state, t).to_vec()).collect();
    let scale = parallel.iter().fold(f32::MIN_POSITIVE, |m, v| m.max(v.abs()));
    let worst = |other: &[f32]| parallel.iter().zip(other).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    f64::from(worst(&chunked).max(worst(&recurrent)) / scale)
}

fn shakespeare(config: &Bdh) -> Result<Corpus> {
    Corpus::from_bytes(embedded::shakespeare()?.as_bytes(), config.validation, config.context)
}

/// Model XS on real text: loss, agreement of the forms, need of the memory; recall strings without a bar.
pub fn quick(config: &Bdh, run: &mut Run) -> Result<()> {
    let (sizes, plan, streams) = (config.sizes(), config.plan(), run.streams());
    let corpus = shakespeare(config)?;
    let mut model = Hatchling::new(sizes, config.parts(), config.context, config.dropout, streams);
    let trained = fit(run, "train", &mut model, &corpus, &plan, (None, streams))?;
    let values = trained.parameters.values();
    let (x, y) = corpus.validation_windows(config.context, plan.windows);
    let (loss, sparsity) = model.evaluate(&trained.parameters, &x, &y);
    let without = Hatchling::new(sizes, Parts { memory: false, ..config.parts() }, config.context, 0.0, streams);
    let (blind, _) = without.evaluate(&trained.parameters, &x, &y);
    let text = &corpus.validation()[..corpus.validation().len().min(200)];
    let difference = form_difference(sizes, values, text);
    let trigram = Trigram::new(corpus.train(), 256).loss(corpus.validation());

    run.claim(
        Claim::new(
            "validation-loss",
            "A small network learns real text: half of the uniform loss of ln 256",
            "validation loss, nats per byte",
            loss,
            Bar::AtMost(2.77),
        )
        .paper("trains like a Transformer of equal size (no loss given)"),
    );
    run.claim(
        Claim::new(
            "forms-agree",
            "Parallel, chunked and recurrent form give the same logits",
            "largest difference over largest logit",
            difference,
            Bar::AtMost(1e-4),
        )
        .paper("the forms are equal"),
    );
    run.claim(
        Claim::new(
            "memory-used",
            "The network needs its Hebbian synapses: loss rises with rho = 0",
            "rise of the validation loss, nats per byte",
            blind - loss,
            Bar::AtLeast(0.1),
        )
        .paper("working memory rests on Hebbian synapses during inference"),
    );
    run.metric("loss_without_memory_nats", blind);
    run.metric("trigram_loss_nats", trigram);
    let mut table = Table::new("sparsity", "Active fractions per round", &["round", "x", "y", "x y"]);
    for (l, s) in sparsity.iter().enumerate() {
        run.metric(&format!("active_y_round_{}", l + 1), s.ys);
        table.row([(l + 1).to_string(), format!("{:.3}", s.xs), format!("{:.3}", s.ys), format!("{:.3}", s.z)]);
    }
    run.table(table);
    run.figure(figures::losses(
        "loss",
        "Validation loss on seven plays",
        "Model XS; the levels are a trigram model and the same network without its memory.",
        &[("BDH", &trained.validation)],
        &[("Kneser-Ney trigram", trigram), ("rho = 0", blind)],
    ));
    run.figure(figures::sparsity(&sparsity));
    recall_strings(config, run)?;
    run.save("checkpoint.safetensors", &sizes.save(&trained.parameters)?)
}

/// Lines of random recall strings, several to a window.
fn recall_text(lines: usize, stream: &mut Stream) -> Vec<u8> {
    (0..lines)
        .flat_map(|_| {
            let pairs = 2 + stream.below(11);
            let mut line = recall(pairs, stream).line;
            line.push(b'\n');
            line
        })
        .collect()
}

/// Trains on key-value strings and reports the accuracy of the answer against the number of pairs; no bar.
fn recall_strings(config: &Bdh, run: &mut Run) -> Result<()> {
    let (sizes, streams) = (config.sizes(), run.streams().replicate(1));
    let text = recall_text(20_000, &mut streams.stream("recall text", 0));
    let corpus = Corpus::from_bytes(&text, config.validation, config.context)?;
    let plan = Plan { looks: 4, ..config.plan() };
    let mut model = Hatchling::new(sizes, config.parts(), config.context, 0.0, streams);
    let trained = fit(run, "recall", &mut model, &corpus, &plan, (None, streams))?;
    let mut generator = Generator::new(sizes, config.parts(), trained.parameters.values());
    let mut stream = streams.stream("recall questions", 0);
    let mut accuracy = Vec::new();
    for pairs in 2..=12 {
        let questions = 50;
        let right = (0..questions)
            .filter(|_| {
                let q = recall(pairs, &mut stream);
                let mut state = State::new(&sizes);
                let mut guess = 0;
                for &b in &q.line[..q.answer] {
                    let logits = generator.step(&mut state, u32::from(b));
                    guess = (0..logits.len()).fold(0, |m, i| if logits[i] > logits[m] { i } else { m });
                }
                guess == usize::from(q.line[q.answer])
            })
            .count();
        accuracy.push((pairs as f64, right as f64 / questions as f64));
    }
    for &(pairs, a) in &accuracy {
        run.metric(&format!("recall_accuracy_{pairs:02}_pairs"), a);
    }
    let (x, y) = accuracy.into_iter().unzip();
    let panel = Panel::new(
        "",
        Axis::new("pairs in the line", ""),
        Axis::new("answers correct", "").limits(0.0, 1.0),
        vec![Mark::line("BDH", x, y), Mark::Level { label: "chance".into(), y: 1.0 / 26.0 }],
    );
    run.figure(Figure::new(
        "recall",
        "Key-value recall from Hebbian memory",
        "A network trained on lines `k=V;...?k=V`: fraction of correct answers against the number of pairs.",
        vec![panel],
    ));
    Ok(())
}

/// The rate of the best short pilot (10 % of the steps).
fn pilot(
    run: &mut Run,
    name: &str,
    build: &dyn Fn() -> Box<dyn Model>,
    corpus: &Corpus,
    (config, streams): (&Bdh, Streams),
) -> Result<f64> {
    let mut best = (f64::INFINITY, config.rate);
    for &rate in &config.rates {
        let steps = (config.steps / 10).max(1);
        let plan = Plan { steps, rate, warmup: config.warmup.min(steps / 4), looks: 1, ..config.plan() };
        let stage = format!("pilot {name} {rate}");
        let loss = fit(run, &stage, &mut *build(), corpus, &plan, (None, streams))?.loss();
        run.metric(&format!("pilot_{name}_{rate}_nats"), loss);
        if loss < best.0 {
            best = (loss, rate);
        }
    }
    run.metric(&format!("rate_{name}"), best.1);
    Ok(best.1)
}

/// Model S against its Transformer, translation, the neuron graph, concept synapses, scaling.
pub fn full(config: &Bdh, run: &mut Run) -> Result<()> {
    let (sizes, parts, streams) = (config.sizes(), config.parts(), run.streams());
    let corpus = shakespeare(config)?;
    let transformer = equal_transformer(sizes, config.context, config.dropout);
    let bdh = |sizes: Sizes, context: usize, streams: Streams| -> Box<dyn Model> {
        Box::new(Hatchling::new(sizes, parts, context, config.dropout, streams))
    };
    let rate = pilot(run, "bdh", &|| bdh(sizes, config.context, streams), &corpus, (config, streams))?;
    let base_rate =
        pilot(run, "transformer", &|| Box::new(Baseline::new(transformer)), &corpus, (config, streams))?;
    let plan = |rate| Plan { rate, ..config.plan() };
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for k in 0..config.seeds {
        let seed = streams.replicate(u64::from(k));
        let model = &mut *bdh(sizes, config.context, seed);
        ours.push(fit(run, &format!("bdh seed {k}"), model, &corpus, &plan(rate), (None, seed))?);
        let model = &mut Baseline::new(transformer);
        let trained = fit(run, &format!("transformer seed {k}"), model, &corpus, &plan(base_rate), (None, seed))?;
        theirs.push(trained);
    }
    let last = |v: &[Trained]| v.iter().map(Trained::loss).collect::<Vec<f64>>();
    let (a, b) = (last(&ours), last(&theirs));
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let ends = differences.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |m, v| (m.0.min(*v), m.1.max(*v)));
    run.claim(
        Claim::new(
            "as-good-as-transformer",
            "As good as a Transformer of equal size, each at its best of three learning rates",
            "validation loss minus the Transformer's, nats per byte (mean of seeds)",
            mean(&differences),
            Bar::AtMost(0.05),
        )
        .paper("rivals GPT-2 architecture Transformers of equal size")
        .interval(ends.0, ends.1),
    );
    run.metric("loss_bdh_nats", mean(&a));
    run.metric("loss_transformer_nats", mean(&b));
    run.note(format!(
        "dropout {} for both networks: about two passes over the text leave nothing to regularise; of the learning rates \
         {:?} the pilots chose {rate} for BDH and {base_rate} for the Transformer",
        config.dropout, config.rates
    ));

    let Some(first) = ours.first() else { return Err(Error::Internal("no seed was trained".into())) };
    let model = Hatchling::new(sizes, parts, config.context, 0.0, streams);
    let (x, y) = corpus.validation_windows(config.context, config.plan().windows);
    let (loss, sparsity) = model.evaluate(&first.parameters, &x, &y);
    let without = Hatchling::new(sizes, Parts { memory: false, ..parts }, config.context, 0.0, streams);
    let (blind, _) = without.evaluate(&first.parameters, &x, &y);
    run.metric("loss_without_memory_nats", blind);
    run.metric("memory_gain_nats", blind - loss);
    run.claim(
        Claim::new(
            "sparse-y",
            "Neurons y of the last round are sparse",
            "fraction of non-zero entries",
            sparsity.last().map_or(f64::NAN, |s| s.ys),
            Bar::AtMost(0.25),
        )
        .paper("about 5 %"),
    );
    if let Some(s) = sparsity.last().filter(|s| s.ys > 0.25) {
        let (_, start) = model.evaluate(&sizes.initial(&mut streams.stream("initial weights", 0)), &x, &y);
        let untrained = start.last().map_or(f64::NAN, |s| s.ys);
        run.note(format!(
            "sparse-y: measured before the gate, {:.0} % of y are active after {} steps and {:.0} % at the start; the \
             paper's y = relu(..) x is gated by x, and of those {:.1} % are active here.",
            100.0 * s.ys, config.steps, 100.0 * untrained, 100.0 * s.z
        ));
    }
    let mut table = Table::new("sparsity", "Active fractions per round", &["round", "x", "y", "x y"]);
    for (l, s) in sparsity.iter().enumerate() {
        table.row([(l + 1).to_string(), format!("{:.3}", s.xs), format!("{:.3}", s.ys), format!("{:.3}", s.z)]);
    }
    run.table(table);
    run.figure(figures::sparsity(&sparsity));
    let trigram = Trigram::new(corpus.train(), 256).loss(corpus.validation());
    run.metric("trigram_loss_nats", trigram);
    let mut lstm = Lstm { vocabulary: 256, hidden: 2 * config.width, context: config.context };
    let lstm = fit(run, "lstm", &mut lstm, &corpus, &plan(2e-3), (None, streams))?;
    run.metric("loss_lstm_nats", lstm.loss());
    run.figure(figures::losses(
        "loss",
        "Validation loss against baselines",
        "The same bytes, windows, batch and steps; learning rates chosen by a pilot.",
        &[
            ("BDH", &first.validation),
            ("Transformer", &theirs[0].validation),
            ("2-layer LSTM", &lstm.validation),
        ],
        &[("Kneser-Ney trigram", trigram)],
    ));
    neuron_graph(config, run, &first.parameters)?;
    concepts(config, run, &first.parameters)?;
    scaling(config, run, &corpus, (rate, base_rate), (mean(&a), mean(&b)))?;
    translation(config, run, (rate, base_rate))?;
    run.save("checkpoint.safetensors", &sizes.save(&first.parameters)?)
}

/// Modularity and degrees of the learned graph, against its initial state and its rewirings.
fn neuron_graph(config: &Bdh, run: &mut Run, trained: &Parameters) -> Result<()> {
    let (sizes, streams) = (config.sizes(), run.streams());
    let (after, before): (GraphReport, GraphReport) = run.stage("neuron graph", |_| {
        let initial = sizes.initial(&mut streams.stream("initial weights", 0));
        let graph = |p: &Parameters| wiring(&sizes, p.values(), config.edges_per_neuron);
        Ok((graph_report(&graph(trained)?, 19, streams)?, graph_report(&graph(&initial)?, 0, streams)?))
    })?;
    for (id, text, null) in [
        ("modularity-over-initial", "Training makes the neuron graph modular", before.modularity),
        ("modularity-over-rewired", "Modularity is more than the degrees imply", after.rewired),
    ] {
        let metric = "modularity Q minus that of the comparison";
        let claim = Claim::new(id, text, metric, after.modularity - null, Bar::AtLeast(0.05));
        run.claim(claim.paper("high Newman modularity"));
    }
    if after.modularity - before.modularity < 0.05 {
        run.note(format!(
            "modularity-over-initial: the strongest entries of a product of two random matrices of rank {} already form \
             communities (Q {:.2} at the start, {:.2} after training, {:.2} rewired), so this size leaves training little \
             to add.",
            config.width, before.modularity, after.modularity, after.rewired
        ));
    }
    run.metric("modularity", after.modularity);
    run.metric("modularity_initial", before.modularity);
    run.metric("modularity_rewired", after.rewired);
    run.metric("communities", after.communities as f64);
    for (name, tail) in ["in", "out"].iter().zip(after.tails) {
        if let Some([alpha, x_min, ratio, p]) = tail {
            run.metric(&format!("degree_{name}_power_law_alpha"), alpha);
            run.metric(&format!("degree_{name}_power_law_x_min"), x_min);
            run.metric(&format!("degree_{name}_power_law_over_log_normal_z"), ratio);
            run.metric(&format!("degree_{name}_power_law_over_log_normal_p"), p);
        }
    }
    run.figure(figures::degrees(&after));
    Ok(())
}

/// The five concepts of the plays.
const CONCEPTS: [&str; 5] = ["king", "love", "night", "sir", "blood"];

/// Where `word` stands alone, lower case or capitalised; and where it occurs in any spelling.
fn occurrences(text: &str, word: &str) -> (Vec<usize>, Vec<usize>) {
    let lower = text.to_ascii_lowercase();
    let letter = |i: Option<usize>| i.and_then(|i| text.as_bytes().get(i)).is_some_and(u8::is_ascii_alphabetic);
    let all: Vec<usize> = lower.match_indices(word).map(|(i, _)| i).collect();
    let alone = all
        .iter()
        .copied()
        .filter(|&i| {
            let capitals = text.as_bytes()[i + 1].is_ascii_uppercase();
            !capitals && !letter(i.checked_sub(1)) && !letter(Some(i + word.len()))
        })
        .collect();
    (alone, all)
}

/// Windows with the word near their end, and for each the nearest window of the same text without it.
pub(super) fn matched_windows(text: &str, word: &str, length: usize, stream: &mut Stream) -> Vec<[Vec<u32>; 2]> {
    let (alone, all) = occurrences(text, word);
    let bytes = text.as_bytes();
    let clean = |from: usize| {
        let i = all.partition_point(|&p| p + word.len() <= from);
        all.get(i).is_none_or(|&p| p >= from + length)
    };
    let ids = |from: usize| bytes[from..from + length].iter().map(|&b| u32::from(b)).collect::<Vec<u32>>();
    let mut taken: Vec<usize> = Vec::new();
    let free = |taken: &[usize], from: usize| taken.iter().all(|&t| t.abs_diff(from) >= length);
    let mut out = Vec::new();
    for at in alone {
        let after = 8 + stream.below(40);
        let Some(from) = (at + word.len() + after).checked_sub(length).filter(|f| f + length <= bytes.len()) else {
            continue;
        };
        if !free(&taken, from) {
            continue;
        }
        // Step outwards until a window is free of the word; the play and the place in it stay the same.
        let other = (1..60)
            .flat_map(|k| [from.checked_add(k * length / 2), from.checked_sub(k * length / 2)])
            .flatten()
            .find(|&f| f.abs_diff(from) >= length && f + length <= bytes.len() && clean(f) && free(&taken, f));
        if let Some(other) = other {
            taken.extend([from, other]);
            out.push([ids(from), ids(other)]);
        }
    }
    out
}

/// Pairs of windows per concept, half to choose on and half to test on.
const PAIRS: usize = 120;

/// Which synapse stands for a word, chosen and tested on different windows.
fn concepts(config: &Bdh, run: &mut Run, trained: &Parameters) -> Result<()> {
    let (sizes, streams) = (config.sizes(), run.streams());
    let text = embedded::shakespeare()?;
    let mut found = 0;
    let head = ["concept", "synapse (round, head, neuron, coordinate)", "AUROC chosen on", "AUROC held out", "p"];
    let mut table = Table::new("concepts", "Best synapse of each concept", &head);
    for (k, word) in (0..).zip(CONCEPTS) {
        let scan: ConceptScan = run.stage(&format!("concept {word}"), |_| {
            let mut stream = streams.stream("concept windows", k);
            let mut pairs = matched_windows(&text, word, 128, &mut stream);
            stream.shuffle(&mut pairs);
            pairs.truncate(PAIRS);
            let generator = Generator::new(sizes, config.parts(), trained.values());
            let set = |pairs: &[[Vec<u32>; 2]]| {
                let texts: Vec<Vec<u32>> = pairs.iter().flatten().cloned().collect();
                let present = (0..texts.len()).map(|i| i % 2 == 0).collect();
                Labelled { rho: final_synapses(&generator, &texts), present }
            };
            let (a, b) = pairs.split_at(pairs.len() / 2);
            concept_synapses(&sizes, &set(a), &set(b), (config.shuffles, 5), &mut streams.stream("shuffles", k))
        })?;
        let Some(b) = scan.best.first() else { continue };
        found += u32::from(b.held_out >= 0.75 && scan.p < 0.01);
        run.metric(&format!("concept_{word}_held_out_auroc"), b.held_out);
        run.metric(&format!("concept_{word}_p"), scan.p);
        table.row([
            word.to_string(),
            format!("{}, {}, {}, {}", b.layer + 1, b.head + 1, b.neuron, b.coordinate),
            format!("{:.3}", b.chosen_on),
            format!("{:.3}", b.held_out),
            format!("{:.4}", scan.p),
        ]);
        if k == 0 {
            let excerpt = "My lord, the night is cold. The king is dead, long live the king! Let us go in.";
            let tokens: Vec<u32> = excerpt.bytes().map(u32::from).collect();
            let (values, name) = synapse_trace(config, trained, b, &tokens);
            run.figure(figures::trace(&name, &tokens, &values));
        }
    }
    run.table(table);
    run.claim(
        Claim::new(
            "concept-synapses",
            "Single synapses stand for concepts: held-out AUROC of at least 0.75, and better than the best of all under shuffled labels (p < 0.01)",
            "concepts out of 5",
            f64::from(found),
            Bar::AtLeast(3.0),
        )
        .paper("individual synapses strengthen for a concept"),
    );
    Ok(())
}

/// Strength of one synapse after each token, and its name.
pub(super) fn synapse_trace(
    config: &Bdh,
    trained: &Parameters,
    b: &super::inspect::Synapse,
    tokens: &[u32],
) -> (Vec<f64>, String) {
    let sizes = config.sizes();
    let mut generator = Generator::new(sizes, config.parts(), trained.values());
    let mut state = State::new(&sizes);
    let values = tokens
        .iter()
        .map(|&t| {
            generator.step(&mut state, t);
            f64::from(state.synapses(&sizes, b.layer, b.head)[b.neuron * sizes.width + b.coordinate])
        })
        .collect();
    let name = format!("round {}, head {}, neuron {}, coordinate {}", b.layer + 1, b.head + 1, b.neuron, b.coordinate);
    (values, name)
}

/// A smaller pair beside the main one: loss against parameters; no bar.
fn scaling(
    config: &Bdh,
    run: &mut Run,
    corpus: &Corpus,
    (rate, base_rate): (f64, f64),
    (ours, theirs): (f64, f64),
) -> Result<()> {
    let (big, streams) = (config.sizes(), run.streams());
    let small = Sizes { width: big.width / 2, neurons: big.neurons / 2, layers: (big.layers - 1).max(1), ..big };
    let plan = |rate| Plan { rate, looks: 4, ..config.plan() };
    let mut model = Hatchling::new(small, config.parts(), config.context, config.dropout, streams);
    let bdh = fit(run, "small bdh", &mut model, corpus, &plan(rate), (None, streams))?.loss();
    let mut model = Baseline::new(equal_transformer(small, config.context, config.dropout));
    let transformer = fit(run, "small transformer", &mut model, corpus, &plan(base_rate), (None, streams))?.loss();
    run.metric("small_loss_bdh_nats", bdh);
    run.metric("small_loss_transformer_nats", transformer);
    let x: Vec<f64> = [small, big].iter().map(|s| (3 * s.neurons * s.width) as f64).collect();
    let marks =
        vec![Mark::line("BDH", x.clone(), vec![bdh, ours]), Mark::line("Transformer", x, vec![transformer, theirs])];
    let axis = Axis::new("weights without embeddings", "").log();
    let panel = Panel::new("", axis, Axis::new("validation loss", "nats per byte"), marks);
    run.figure(Figure::new("scaling", "Loss against size", "Two sizes, the same steps and data.", vec![panel]));
    Ok(())
}

/// English verse, tab, Spanish verse: loss on the Spanish half of held-out verses.
fn translation(config: &Bdh, run: &mut Run, (rate, base_rate): (f64, f64)) -> Result<()> {
    let paper = run.profile() == Some(Profile::Paper);
    let sizes = if paper { config.sizes() } else { Sizes { width: 32, heads: 4, neurons: 512, layers: 3, vocabulary: 256 } };
    let context = 2 * config.context.min(256);
    let lines: Vec<String> =
        embedded::verses()?.into_iter().map(|v| format!("{}\t{}\n", v.english, v.spanish)).collect();
    let split = lines.len() - lines.len() / 10;
    let held_out = translation_windows(&lines[split..], context, 256);
    let plan = |rate| Plan { steps: config.translation_steps, context, rate, looks: 4, windows: 64, ..config.plan() };
    let streams = run.streams().replicate(1);
    // Split by verse; the last verses before the split only show progress.
    let corpus = Corpus::from_bytes(lines[..split].concat().as_bytes(), 0.02, context)?;
    let mut ours = Hatchling::new(sizes, config.parts(), context, config.dropout, streams);
    let trained = fit(run, "translation bdh", &mut ours, &corpus, &plan(rate), (None, streams))?;
    let a = masked_loss(&ours, &trained.parameters, &held_out)?;
    let mut theirs = Baseline::new(equal_transformer(sizes, context, config.dropout));
    let trained = fit(run, "translation transformer", &mut theirs, &corpus, &plan(base_rate), (None, streams))?;
    let b = masked_loss(&theirs, &trained.parameters, &held_out)?;
    run.claim(
        Claim::new(
            "translation",
            "As good as a Transformer of equal size at translating held-out verses",
            "loss on the Spanish half minus the Transformer's, nats per byte",
            a - b,
            Bar::AtMost(0.05),
        )
        .paper("rivals Transformers of equal size on translation"),
    );
    run.metric("translation_loss_bdh_nats", a);
    run.metric("translation_loss_transformer_nats", b);
    Ok(())
}

/// Inputs, targets and which targets count.
type Masked = (Vec<u32>, Vec<u32>, Vec<bool>);

/// One window per verse that fits, filled up with the verses after it; only its Spanish bytes count.
fn translation_windows(lines: &[String], context: usize, limit: usize) -> Masked {
    let (mut x, mut y, mut mask) = (Vec::new(), Vec::new(), Vec::new());
    let mut count = 0;
    for i in 0..lines.len() {
        let text: Vec<u8> = lines[i..].iter().take(8).flat_map(|l| l.bytes()).take(context + 1).collect();
        if count == limit || lines[i].len() > context + 1 || text.len() <= context {
            continue;
        }
        let tab = lines[i].find('\t').unwrap_or(0);
        x.extend(text[..context].iter().map(|&b| u32::from(b)));
        y.extend(text[1..].iter().map(|&b| u32::from(b)));
        mask.extend((1..=context).map(|k| k > tab && k < lines[i].len()));
        count += 1;
    }
    (x, y, mask)
}

fn masked_loss(model: &dyn Model, parameters: &Parameters, (x, y, mask): &Masked) -> Result<f64> {
    let losses = model.losses(parameters, x, y)?;
    let counted: Vec<f64> = losses.iter().zip(mask).filter(|(_, m)| **m).map(|(l, _)| *l).collect();
    if counted.is_empty() {
        return Err(Error::input("held-out verses that fit the context", "none"));
    }
    Ok(mean(&counted))
}
