//! The method on a user's own recordings and connectomes.

use super::connectome::homogenise;
use super::ledger::Ledger;
use super::pipeline::Worm;
use super::{CelegansData, connectome, experiment, quality, readers, store};
use neuropil_core::{Error, Result, Table};
use neuropil_data::formats::csv;
use neuropil_data::read;
use neuropil_experiment::{Inputs, Run};

/// Homogenises what is given; at least one recording or connectome.
pub fn apply(config: &CelegansData, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let (recordings, connectomes) = (inputs.all("recordings"), inputs.all("connectome"));
    if recordings.is_empty() && connectomes.is_empty() {
        return Err(Error::config("an input `recordings` or `connectome`", "none").at("--input"));
    }
    let mut ledger = Ledger::default();
    if !recordings.is_empty() {
        activity(config, &recordings, run, &mut ledger)?;
    }
    let mut table = Table::new(
        "connectomes",
        "Connectomes on the 302 slots",
        &["source", "kind", "total", "kept", "in the ledger", "edges", "asymmetric pairs", "asymmetry (%)"],
    );
    for path in connectomes {
        let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default();
        let source = read::connectome(path)?;
        let h = homogenise(stem, &source, config.symmetrise).map_err(|e| e.at(path.display()))?;
        for t in &h.totals {
            table.row([
                stem.to_string(),
                t.kind.clone(),
                t.source.to_string(),
                t.kept.to_string(),
                t.dropped.to_string(),
                t.edges.to_string(),
                t.asymmetric_pairs.to_string(),
                format!("{:.2}", 100.0 * t.asymmetry),
            ]);
            if t.asymmetric_pairs > 0 {
                run.note(format!(
                    "{stem}: {} gap junctions differ between directions (by {:.1} % of their weight) and were made symmetric by `{:?}`; see `symmetrise`",
                    t.asymmetric_pairs,
                    100.0 * t.asymmetry,
                    config.symmetrise
                ));
            }
        }
        run.metric(&format!("connectome_imbalance_{stem}"), h.imbalance());
        run.save(&format!("connectomes/{}.safetensors", store::file_stem(stem)), &h.connectome)?;
        for (file, bytes) in connectome::files(&h, config.normalise_rows)? {
            run.artifact(&file, &bytes)?;
        }
        ledger.extend(h.ledger);
    }
    if !table.rows.is_empty() {
        run.table(table);
    }
    notes(run, &ledger);
    run.artifact("ledger.csv", &csv::encode(&ledger.frame())?)?;
    run.table(ledger.summary("ledger", "What was left out or changed, by source and reason"));
    Ok(())
}

fn activity(
    config: &CelegansData,
    paths: &[&std::path::Path],
    run: &mut Run,
    ledger: &mut Ledger,
) -> Result<()> {
    let raw = readers::read_all(paths, ledger)?;
    let worms = config.pipeline.run(&raw, run.streams(), ledger)?;
    if worms.is_empty() {
        let skipped = ledger.entries.iter().find(|e| e.action == "skipped worm");
        let why = skipped.map_or("no recording".into(), |e| format!("`{}`: {}", e.item, e.reason));
        let near = ledger.entries.iter().find_map(|e| e.reason.split_once("did you mean ").map(|(_, n)| (e, n)));
        let error = Error::input("at least 1 worm with a known neuron", format!("{} worms, none usable ({why})", raw.len()));
        let error = error.at(paths[0].display());
        return Err(match near {
            Some((e, near)) => error.hint(format!("{}: did you mean {near}", e.item)),
            None => error.hint("name neurons as in the 302-neuron table (AVAL, VB2, ...)"),
        });
    }
    experiment::write_store(config, run, &worms)?;
    for w in &worms {
        run.save(&format!("recordings/{}.safetensors", w.id), &w.recording()?)?;
    }
    let snr = quality::signal_to_noise(&raw);
    for figure in quality::figures(&worms, &snr) {
        run.figure(figure);
    }
    let mut table = Table::new(
        "worms",
        "Worms",
        &["worm", "data set", "original name", "neurons", "labelled", "unknown", "dt before (s)", "dt (s)", "steps"],
    );
    for w in &worms {
        table.row([
            w.id.clone(),
            w.source.clone(),
            w.original_id.clone(),
            w.rows.len().to_string(),
            w.named().to_string(),
            w.unknown().to_string(),
            format!("{:.4}", w.original_dt),
            format!("{:.4}", w.dt()),
            w.steps().to_string(),
        ]);
    }
    run.table(table);
    let mut seen: Vec<usize> =
        worms.iter().flat_map(|w| w.rows.iter().filter(|r| r.labelled).filter_map(|r| r.slot)).collect();
    seen.sort_unstable();
    seen.dedup();
    run.metric("worms", worms.len() as f64);
    run.metric("worms_skipped", (raw.len() - worms.len()) as f64);
    run.metric("distinct_labelled_neurons", seen.len() as f64);
    run.metric("labelled_neurons", worms.iter().map(Worm::named).sum::<usize>() as f64);
    run.metric("unknown_neurons", worms.iter().map(Worm::unknown).sum::<usize>() as f64);
    run.metric("median_signal_to_noise", neuropil_analysis::timeseries::median(&snr).unwrap_or(f64::NAN));
    Ok(())
}

/// What a user must hear of without opening the ledger.
fn notes(run: &mut Run, ledger: &Ledger) {
    let say = |run: &mut Run, what: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            let shown = lines.iter().take(5).cloned().collect::<Vec<_>>().join("; ");
            let more = lines.len().saturating_sub(5);
            let tail = if more > 0 { format!("; and {more} more in ledger.csv") } else { String::new() };
            run.note(format!("{what}: {shown}{tail}"));
        }
    };
    let items = |f: &dyn Fn(&super::ledger::Entry) -> bool| -> Vec<String> {
        ledger.entries.iter().filter(|e| f(e)).map(|e| format!("{} {} ({})", e.source, e.item, e.reason)).collect()
    };
    say(run, "worms skipped", items(&|e| e.action == "skipped worm"));
    say(run, "neurons without a finite sample, masked", items(&|e| e.action == "masked neuron"));
    say(run, "duplicated names, first kept", items(&|e| e.action == "dropped neuron"));
    say(run, "names close to a known one", items(&|e| e.reason.contains("did you mean")));
    say(run, "neurons of males only, left unlabelled", items(&|e| e.reason.contains("males only")));
    say(run, "ambiguous names, left unlabelled", items(&|e| e.reason.contains("ambiguous")));
}
