//! The method on the user's own text and checkpoints.

use super::Bdh;
use super::experiment::{equal_transformer, fit, synapse_trace};
use super::figures;
use super::inspect::{ConceptScan, Labelled, concept_synapses, final_synapses, graph_report, wiring};
use super::model::{Parts, Sizes, Sparsity};
use super::state::{Generator, State};
use super::training::{Baseline, Hatchling};
use neuropil_core::{Array, Error, Result, Table, Weights, files};
use neuropil_data::formats::{Format, graphml, npy, npz};
use neuropil_data::{embedded, read, source::Source};
use neuropil_experiment::{Inputs, Run};
use neuropil_nn::Parameters;
use neuropil_nn::text::{Corpus, windows};
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Token ids of a file: `.npy` of ids; JSON lines, JSON or CSV by their texts; a folder of texts; any other file by its
/// bytes.
fn tokens(path: &Path, vocabulary: usize) -> Result<Vec<u32>> {
    let extension = path.extension().map(|e| e.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let bytes = match extension.as_str() {
        "npy" => {
            let array = read::array(path)?;
            if array.shape().len() != 1 {
                return Err(Error::input("1 axis of token ids", format!("shape {:?}", array.shape())).at(path.display()));
            }
            let ids = array.to_indices().map_err(|e| e.at(path.display()))?;
            if let Some(i) = ids.iter().position(|&t| t >= vocabulary) {
                return Err(Error::input(format!("token ids below {vocabulary}"), format!("{} at token {i}", ids[i]))
                    .at(path.display())
                    .hint("`--set vocabulary=N` sets the number of token classes"));
            }
            return Ok(ids.into_iter().map(|t| t as u32).collect());
        }
        "jsonl" | "json" | "csv" => joined(path)?,
        _ if path.is_dir() => joined(path)?,
        _ => raw(Source::open(path)?)?,
    };
    let largest = bytes.iter().copied().max().map_or(0, usize::from);
    if largest >= vocabulary {
        return Err(Error::input(format!("bytes below {vocabulary}"), largest.to_string()).at(path.display()));
    }
    Ok(bytes.into_iter().map(u32::from).collect())
}

/// Text, or bytes of no format that is known: an image or a damaged checkpoint is not a corpus.
fn raw(source: Source) -> Result<Vec<u8>> {
    match source.format() {
        Ok(Format::Text) => Ok(source.bytes),
        Err(_) if matches!(source.extension().as_str(), "" | "bin" | "raw" | "dat") => Ok(source.bytes),
        Err(e) => Err(e.at(source.place)),
        Ok(other) => Err(Error::input("text, or raw bytes of no other format", other.title().to_string())
            .at(source.place)
            .hint("token ids come as .npy, texts as .txt, .jsonl or a folder; a checkpoint goes into `checkpoint=`")),
    }
}

fn joined(path: &Path) -> Result<Vec<u8>> {
    let texts: Vec<String> = read::documents(path)?.into_iter().map(|d| d.text).collect();
    Ok(texts.join("\n").into_bytes())
}

/// A checkpoint with the names of the paper; those of the reference code are translated.
fn checkpoint(path: &Path, fallback_layers: usize) -> Result<(Sizes, Parameters)> {
    let mut weights = read::weights(path)?;
    for (name, _) in &mut weights.parameters {
        let known = [("encoder", "E"), ("encoder_v", "Ev"), ("decoder", "Dc"), ("embed.weight", "embed"), ("lm_head", "head")];
        if let Some((_, ours)) = known.iter().find(|(theirs, _)| theirs == name) {
            *name = (*ours).to_string();
        }
    }
    let load = |w: &Weights| {
        let sizes = Sizes::of_weights(w, fallback_layers)?;
        Ok((sizes, sizes.load(w)?))
    };
    load(&weights).map_err(|e: Error| e.at(path.display()))
}

/// The configuration with the sizes of a checkpoint.
fn resized(config: &Bdh, sizes: Sizes) -> Bdh {
    Bdh {
        vocabulary: sizes.vocabulary,
        width: sizes.width,
        heads: sizes.heads,
        neurons: sizes.neurons,
        layers: sizes.layers,
        prompt: config.prompt.clone(),
        rates: config.rates.clone(),
        ..*config
    }
}

fn csv(header: &str, rows: impl Iterator<Item = String>) -> Vec<u8> {
    let mut out = format!("{header}\n");
    for row in rows {
        let _ = writeln!(out, "{row}");
    }
    out.into_bytes()
}

fn sparsity_csv(rounds: &[Sparsity]) -> Vec<u8> {
    let rows = rounds.iter().zip(1..).map(|(s, l)| format!("{l},{},{},{}", s.xs, s.ys, s.z));
    csv("round,active_x,active_y,active_xy", rows)
}

/// Train on the user's text, with the Transformer beside it; then sample.
pub fn train(config: &Bdh, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let paths = inputs.all("text");
    if paths.is_empty() {
        return Err(Error::config("an input `text`", "none").at("--input"));
    }
    let start = inputs.get("checkpoint").map(|p| checkpoint(p, config.layers)).transpose()?;
    let config = &start.as_ref().map_or_else(|| resized(config, config.sizes()), |(s, _)| resized(config, *s));
    let mut ids = Vec::new();
    for path in &paths {
        ids.extend(tokens(path, config.vocabulary)?);
    }
    let place = paths[0].display();
    let corpus = Corpus::from_tokens(ids, config.vocabulary, config.validation, config.context).map_err(|e| e.at(place))?;
    let (sizes, plan, streams) = (config.sizes(), config.plan(), run.streams());
    let mut model = Hatchling::new(sizes, config.parts(), config.context, config.dropout, streams);
    let trained = fit(run, "train", &mut model, &corpus, &plan, (start.map(|(_, p)| p), streams))?;
    let mut curves = vec![("BDH", &trained.validation[..])];
    let transformer;
    if config.baseline {
        let mut model = Baseline::new(equal_transformer(sizes, config.context, config.dropout));
        transformer = fit(run, "transformer", &mut model, &corpus, &plan, (None, streams))?;
        run.metric("loss_transformer_nats", transformer.loss());
        curves.push(("Transformer of equal size", &transformer.validation));
    }
    run.metric("loss_nats", trained.loss());
    run.metric("uniform_loss_nats", (sizes.vocabulary as f64).ln());
    run.figure(figures::losses("loss", "Validation loss", "On the end of the text, which was not trained on.", &curves, &[]));
    let rows = trained.train.iter().zip(&trained.validation).map(|((s, t), (_, v))| format!("{s},{t},{v}"));
    run.artifact("loss.csv", &csv("step,train_nats,validation_nats", rows))?;
    let (x, y) = corpus.validation_windows(config.context, plan.windows);
    let (_, sparsity) = model.evaluate(&trained.parameters, &x, &y);
    run.artifact("sparsity.csv", &sparsity_csv(&sparsity))?;
    run.figure(figures::sparsity(&sparsity));
    run.save("checkpoint.safetensors", &sizes.save(&trained.parameters)?)?;
    sample(config, run, &trained.parameters)
}

/// Continues the prompt: `sample.txt` (or `sample.npy` for token ids beyond bytes) and the memory after it, `state.npz`.
fn sample(config: &Bdh, run: &mut Run, parameters: &Parameters) -> Result<()> {
    let sizes = config.sizes();
    let prompt: Vec<u32> = config.prompt.bytes().map(u32::from).collect();
    let mut generator = Generator::new(sizes, config.parts(), parameters.values());
    let mut state = State::new(&sizes);
    let mut stream = run.stream("sampling", 0);
    let settings = (config.temperature, config.top_k);
    let bar = run.progress("generate", config.length as u64);
    let new = generator.generate(&mut state, &prompt, config.length, settings, &mut stream, |_, _| {
        bar.inc(1);
        run.stop_if_asked()
    })?;
    let all: Vec<u32> = prompt.into_iter().chain(new).collect();
    if sizes.vocabulary <= 256 {
        let bytes: Vec<u8> = all.iter().map(|&t| t as u8).collect();
        run.artifact("sample.txt", &bytes)?;
    } else {
        run.artifact("sample.npy", &npy::encode(&Array::from_u32(&[all.len()], &all)?)?)?;
    }
    npz::write(&run.path().join("state.npz"), &state.to_store(&sizes)?.arrays)?;
    run.list_artifact("state.npz");
    run.metric("tokens_read", state.position as f64);
    Ok(())
}

/// Continue a prompt with a checkpoint.
pub fn generate(config: &Bdh, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let (sizes, parameters) = checkpoint(inputs.require("checkpoint")?, config.layers)?;
    let config = resized(config, sizes);
    let excerpt: Vec<u32> = config.prompt.bytes().map(u32::from).collect();
    if let Some(t) = excerpt.iter().find(|t| **t as usize >= sizes.vocabulary) {
        return Err(Error::input(format!("token ids below {}", sizes.vocabulary), t.to_string()).at("prompt"));
    }
    sample(&config, run, &parameters)
}

/// Read a checkpoint: neuron graph; sparsity on text; concept synapses.
pub fn inspect(config: &Bdh, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let (sizes, parameters) = checkpoint(inputs.require("checkpoint")?, config.layers)?;
    let config = &resized(config, sizes);
    let lists = match (inputs.get("positive"), inputs.get("negative")) {
        (Some(p), Some(n)) => Some([p, n]),
        (None, None) => None,
        _ => return Err(Error::config("both `positive` and `negative`", "one of them").at("--input")),
    };
    let graph = wiring(&sizes, parameters.values(), config.edges_per_neuron)?;
    graphml::write(&run.path().join("neurons.graphml"), &graph)?;
    run.list_artifact("neurons.graphml");
    let edges = graph.edges().iter().map(|e| format!("{},{},{}", e.source, e.target, e.weight));
    run.artifact("neurons.csv", &csv("source,target,weight", edges))?;
    let report = graph_report(&graph, 19, run.streams())?;
    run.metric("modularity", report.modularity);
    run.metric("modularity_rewired", report.rewired);
    run.metric("communities", report.communities as f64);
    for (name, tail) in ["in", "out"].iter().zip(report.tails) {
        if let Some([alpha, x_min, ratio, p]) = tail {
            run.metric(&format!("degree_{name}_power_law_alpha"), alpha);
            run.metric(&format!("degree_{name}_power_law_x_min"), x_min);
            run.metric(&format!("degree_{name}_power_law_over_log_normal_z"), ratio);
            run.metric(&format!("degree_{name}_power_law_over_log_normal_p"), p);
        }
    }
    run.figure(figures::degrees(&report));
    if let Some(path) = inputs.get("text") {
        let ids = tokens(path, sizes.vocabulary)?;
        let context = config.context.min(ids.len().saturating_sub(1));
        if context == 0 {
            return Err(Error::input("at least 2 tokens", ids.len().to_string()).at(path.display()));
        }
        let model = Hatchling::new(sizes, config.parts(), context, 0.0, run.streams());
        let (x, y) = windows(&ids, context, config.plan().windows);
        let (loss, sparsity) = model.evaluate(&parameters, &x, &y);
        run.metric("loss_nats", loss);
        run.artifact("sparsity.csv", &sparsity_csv(&sparsity))?;
        run.figure(figures::sparsity(&sparsity));
    }
    lists.map_or(Ok(()), |lists| concept(config, lists, run, &parameters))
}

/// Texts of a list as tokens, at most 512 bytes each (their ends, where the memory is read).
fn list(path: &Path, vocabulary: usize) -> Result<Vec<Vec<u32>>> {
    let mut out = Vec::new();
    for d in read::documents(path)? {
        let ids: Vec<u32> = d.text.trim_end().bytes().map(u32::from).collect();
        if let Some(t) = ids.iter().find(|t| **t as usize >= vocabulary) {
            return Err(Error::input(format!("token ids below {vocabulary}"), t.to_string()).at(path.display()));
        }
        out.push(ids[ids.len().saturating_sub(512)..].to_vec());
    }
    Ok(out)
}

fn concept(config: &Bdh, paths: [&Path; 2], run: &mut Run, parameters: &Parameters) -> Result<()> {
    let sizes = config.sizes();
    let lists = [list(paths[0], sizes.vocabulary)?, list(paths[1], sizes.vocabulary)?];
    for (texts, path) in lists.iter().zip(paths) {
        if texts.len() < 8 {
            return Err(Error::input("at least 8 texts", texts.len().to_string()).at(path.display()));
        }
    }
    let generator = Generator::new(sizes, config.parts(), parameters.values());
    // Every second text of each list is held out.
    let set = |parity: usize| {
        let pick = |k: usize| lists[k].iter().skip(parity).step_by(2).cloned();
        let texts: Vec<Vec<u32>> = pick(0).chain(pick(1)).collect();
        let with = pick(0).count();
        let present = (0..texts.len()).map(|i| i < with).collect();
        Labelled { rho: final_synapses(&generator, &texts), present }
    };
    let mut stream = run.stream("shuffles", 0);
    let scan: ConceptScan = concept_synapses(&sizes, &set(0), &set(1), (config.shuffles, 20), &mut stream)?;
    let example = |k: usize| {
        let bytes: Vec<u8> = lists[k].get(1).into_iter().flatten().map(|&t| t as u8).collect();
        String::from_utf8_lossy(&bytes).replace('"', "'").replace('\n', " ")
    };
    let rows = scan.best.iter().zip(1..).map(|(b, rank)| {
        let p = if rank == 1 { scan.p.to_string() } else { String::new() };
        format!(
            "{rank},{},{},{},{},{},{},{},{p},\"{}\",\"{}\"",
            b.layer + 1,
            b.head + 1,
            b.neuron,
            b.coordinate,
            if b.rises { "rises" } else { "falls" },
            b.chosen_on,
            b.held_out,
            example(0),
            example(1)
        )
    });
    let header = "rank,round,head,neuron,coordinate,direction,auroc_chosen_on,auroc_held_out,p,example_with,example_without";
    run.artifact("synapses.csv", &csv(header, rows))?;
    if let (Some(b), Some(text)) = (scan.best.first(), lists[0].get(1)) {
        run.metric("best_synapse_held_out_auroc", b.held_out);
        run.metric("best_synapse_p", scan.p);
        let (values, name) = synapse_trace(config, parameters, b, &text[..text.len().min(100)]);
        run.figure(figures::trace(&name, &text[..text.len().min(100)], &values));
    }
    Ok(())
}

/// Joins two networks head by head (each keeps its rotary code), averaging embedding and readout; no training.
pub fn join(a: (Sizes, &Parameters), b: (Sizes, &Parameters)) -> Result<(Sizes, Parameters)> {
    let same = |s: Sizes| (s.vocabulary, s.width, s.per_head(), s.layers);
    if same(a.0) != same(b.0) {
        return Err(Error::input(
            format!("two networks of the same V, D, N and L: {:?}", same(a.0)),
            format!("{:?}", same(b.0)),
        ));
    }
    let sizes = Sizes { heads: a.0.heads + b.0.heads, neurons: a.0.neurons + b.0.neurons, ..a.0 };
    let (p, q) = (a.0.split(a.1.values()), b.0.split(b.1.values()));
    let mean = |x: &[f32], y: &[f32]| x.iter().zip(y).map(|(x, y)| 0.5 * (x + y)).collect::<Vec<f32>>();
    let values = [p.e, q.e, p.ev, q.ev, p.dc, q.dc].concat();
    let values = [values, mean(p.embed, q.embed), mean(p.head, q.head)].concat();
    let mut joined = sizes.initial(&mut neuropil_core::Streams::new(0).stream("shape only", 0));
    joined.values_mut().copy_from_slice(&values);
    Ok((sizes, joined))
}

/// Merge two checkpoints and score all three networks on every text.
pub fn merge(config: &Bdh, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let paths = inputs.all("checkpoint");
    let [first, second] = paths[..] else {
        return Err(Error::config("two inputs `checkpoint`", paths.len().to_string()).at("--input"));
    };
    let (a, b) = (checkpoint(first, config.layers)?, checkpoint(second, config.layers)?);
    let merged = join((a.0, &a.1), (b.0, &b.1)).map_err(|e| e.at(second.display()))?;
    run.save("checkpoint.safetensors", &merged.0.save(&merged.1)?)?;
    run.metric("neurons", merged.0.neurons as f64);
    let mut table = Table::new("merge", "Loss in nats per token", &["text", "first", "second", "merged"]);
    for (k, path) in inputs.all("text").into_iter().enumerate() {
        let ids = tokens(path, merged.0.vocabulary)?;
        let context = config.context.min(ids.len().saturating_sub(1));
        if context == 0 {
            return Err(Error::input("at least 2 tokens", ids.len().to_string()).at(path.display()));
        }
        let (x, y) = windows(&ids, context, config.plan().windows);
        let loss = |(sizes, p): &(Sizes, Parameters)| {
            Hatchling::new(*sizes, Parts::ALL, context, 0.0, run.streams()).evaluate(p, &x, &y).0
        };
        let losses = [loss(&a), loss(&b), loss(&merged)];
        for (name, v) in ["first", "second", "merged"].iter().zip(losses) {
            run.metric(&format!("text_{}_loss_{name}_nats", k + 1), v);
        }
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        table.row([name].into_iter().chain(losses.iter().map(|v| format!("{v:.4}"))));
    }
    run.table(table);
    Ok(())
}

/// A scene for `text`, and lists of windows with and without a word.
pub fn example(dir: &Path) -> Result<()> {
    let text = embedded::shakespeare()?;
    let cut: String = text.chars().take(60_000).collect();
    files::write_atomic(&dir.join("text.txt"), cut.as_bytes())?;
    let mut stream = neuropil_core::Streams::new(1).stream("example", 0);
    let pairs = super::experiment::matched_windows(&text, "king", 128, &mut stream);
    for (k, name) in ["positive.jsonl", "negative.jsonl"].iter().enumerate() {
        let mut lines = String::new();
        for pair in pairs.iter().take(40) {
            let bytes: Vec<u8> = pair[k].iter().map(|&t| t as u8).collect();
            let _ = writeln!(lines, "{}", json!({"text": String::from_utf8_lossy(&bytes)}));
        }
        files::write_atomic(&dir.join(name), lines.as_bytes())?;
    }
    Ok(())
}
