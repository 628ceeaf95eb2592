//! The method on a user's own matrix: completion where entries are missing, competing paths where none is.

use super::completion::{Course, DeepMatrix, Judge, Observed, Outcome, Tasks, run_switches};
use super::config::{CriticalPeriods, Task};
use super::experiment::{Episode, PathRun, mean, pulse_of, range, summary};
use super::figures;
use super::paths::hierarchy;
use neuropil_core::{Error, Result, Streams, Table, files};
use neuropil_data::read;
use neuropil_experiment::{Inputs, Run};
use neuropil_math::{Matrix, linalg};
use rayon::prelude::*;
use std::fmt::Write as _;
use std::path::Path;

/// Most entries of a user's matrix: a chain of three layers then takes seconds per step.
const MAX_ENTRIES: usize = 4_000_000;

pub(super) fn apply(config: &CriticalPeriods, inputs: &Inputs, run: &mut Run) -> Result<()> {
    let path = inputs.require("matrix")?;
    let matrix = load(path)?;
    let missing = matrix.data().iter().filter(|v| v.is_nan()).count();
    if missing == matrix.data().len() {
        return Err(Error::input("at least one known entry", format!("all {missing} missing")).at(path.display()));
    }
    let pretrain = inputs.get("pretrain");
    let completes = match config.task {
        Task::Completion => true,
        Task::Paths => false,
        Task::All => missing > 0 || pretrain.is_some(),
    };
    if completes {
        let first = pretrain.map(|p| load_like(p, &matrix)).transpose()?;
        return complete(config, &matrix, first.as_ref(), run).map_err(|e| e.at(path.display()));
    }
    if pretrain.is_some() {
        return Err(Error::config("no `pretrain` for two paths", "one")
            .at("--input")
            .hint("`--set task=completion` completes the matrix after learning the other"));
    }
    if missing > 0 {
        let at = matrix.data().iter().position(|v| v.is_nan()).unwrap_or(0);
        let (row, column) = (at / matrix.cols(), at % matrix.cols());
        return Err(Error::input("a complete table of items x properties", format!("{missing} missing entries"))
            .at(format!("row {row}, column {column}"))
            .at(path.display())
            .hint("`--set task=completion` completes a matrix with missing entries"));
    }
    compete(config, &matrix, run).map_err(|e| e.at(path.display()))
}

/// A matrix with NaN for missing entries and nothing infinite. A first column of text (names of the rows) is left out.
fn load(path: &Path) -> Result<Matrix> {
    let read = read::matrix(path).map(|m| (m.rows, m.columns, m.values));
    let (rows, cols, values) = read.or_else(|error| {
        let Ok(mut frame) = read::table(path) else { return Err(error) };
        if frame.columns.len() < 2 || frame.columns[0].1.numbers().is_some() {
            return Err(error);
        }
        frame.columns.remove(0);
        let values = frame.matrix().map_err(|_| error)?;
        Ok((frame.rows(), frame.columns.len(), values))
    })?;
    if values.is_empty() {
        return Err(Error::input("at least one row and one column", format!("{rows} x {cols}")).at(path.display()));
    }
    if values.len() > MAX_ENTRIES {
        return Err(Error::input(format!("at most {MAX_ENTRIES} entries"), format!("{rows} x {cols}"))
            .at(path.display())
            .hint("every step multiplies whole matrices; take a sample of rows and columns"));
    }
    if let Some(p) = values.iter().position(|v| v.is_infinite()) {
        return Err(Error::input("finite values, or NaN for missing", values[p].to_string())
            .at(format!("row {}, column {}", p / cols, p % cols))
            .at(path.display()));
    }
    Matrix::new(rows, cols, values)
}

/// The first task, of the shape of the second.
fn load_like(path: &Path, second: &Matrix) -> Result<Matrix> {
    let first = load(path)?;
    if first.shape() != second.shape() {
        let (r, c) = second.shape();
        return Err(Error::input(
            format!("{r} rows x {c} columns as in `matrix`"),
            format!("{} rows x {} columns", first.rows(), first.cols()),
        )
        .at(path.display()));
    }
    if first.data().iter().all(|v| v.is_nan()) {
        return Err(Error::input("at least one known entry", "none").at(path.display()));
    }
    Ok(first)
}

/// Two paths compete for the features of an items x properties table.
fn compete(config: &CriticalPeriods, table: &Matrix, run: &mut Run) -> Result<()> {
    let p = &config.paths;
    let top = linalg::spectral_norm(table)?;
    if top <= 0.0 {
        return Err(Error::input("a table with a feature to learn", "zeros only"));
    }
    // Steps and deficits keep their meaning when the strongest feature is that of the published table.
    let scale = linalg::spectral_norm(&hierarchy())? / top;
    run.note(format!(
        "The table is multiplied by {scale:.6} for training, which gives its strongest feature the strength of the \
         published table; strengths are reported in units of the table"
    ));
    let scaled = table.map(|v| v * scale);
    let streams = run.streams();
    let bar = run.progress("two paths", p.starts.len() as u64);
    let mut all: Vec<(usize, Vec<PathRun>)> = Vec::new();
    for &start in &p.starts {
        let episode = Episode::of(p, start);
        let runs = run.stage(&format!("paths {start}"), |_| {
            (0..u64::from(config.replicates))
                .into_par_iter()
                .map(|k| episode.run(&scaled, streams.replicate(k)))
                .collect::<Result<Vec<_>>>()
        })?;
        all.push((start, runs.iter().map(|r| r.scaled(1.0 / scale)).collect()));
        bar.inc(1);
    }
    let mut shares = Table::new(
        "path_shares",
        "Who keeps the features",
        &["deficit from", "feature", "strength", "K_a", "K_b", "K_a / (K_a + K_b)"],
    );
    for (start, runs) in &all {
        let last = runs[0].trained.a.rows() - 1;
        for (m, s) in runs[0].s.iter().enumerate() {
            let over = |f: &dyn Fn(&PathRun) -> f64| mean(&runs.iter().map(f).collect::<Vec<_>>());
            shares.row([
                start.to_string(),
                m.to_string(),
                format!("{s:.4}"),
                format!("{:.4}", over(&|r| r.trained.a[(last, m)])),
                format!("{:.4}", over(&|r| r.trained.b[(last, m)])),
                format!("{:.4}", over(&|r| r.trained.final_share(m))),
            ]);
        }
        let share = mean(&runs.iter().map(|r| r.share(p.features)).collect::<Vec<_>>());
        run.metric(&format!("share_start_{start}"), share);
        let gap = runs.iter().map(|r| r.gap(p.features)).fold(f64::NAN, f64::max);
        run.metric(&format!("network_minus_equations_start_{start}"), gap);
    }
    run.table(shares);
    let first: Vec<(usize, &PathRun)> = all.iter().map(|(start, runs)| (*start, &runs[0])).collect();
    run.figure(figures::path_strengths(&first, p.length, p.features, p.depth));
    run.artifact("path_strengths.csv", figures::strengths_csv(&first).as_bytes())
}

/// The known entries of one replicate, divided: kept from training, and the two tasks.
struct Split {
    tasks: Tasks,
    held_out: Observed,
}

fn split(
    config: &CriticalPeriods,
    second: &Matrix,
    first: Option<&Matrix>,
    streams: Streams,
) -> Result<Split> {
    let c = &config.completion;
    let known = |m: &Matrix| -> Vec<u32> {
        (0..m.data().len() as u32).filter(|&p| !m.data()[p as usize].is_nan()).collect()
    };
    let mut order = known(second);
    streams.stream("user/hold_out", 0).shuffle(&mut order);
    let kept = ((c.hold_out * order.len() as f64).round() as usize).clamp(1, order.len().max(2) - 1);
    if order.len() < 2 {
        return Err(Error::input("at least 2 known entries, one to learn and one to judge by", order.len().to_string()));
    }
    let training = order.split_off(kept);
    let held_out = Observed::new(second, order)?;
    let first = if let Some(m) = first {
        // A position that judges the end must not be learned in the first task either.
        let usable: Vec<u32> =
            known(m).into_iter().filter(|p| held_out.positions().binary_search(p).is_err()).collect();
        Observed::new(m, usable).map_err(|e| e.at("pretrain"))?
    } else {
        let visible = ((c.visible_fraction * training.len() as f64).round() as usize).max(1);
        Observed::new(second, training[..visible.min(training.len())].to_vec())?
    };
    let second = Observed::new(second, training)?;
    Ok(Split { tasks: Tasks { first, second, judge: Judge::HeldOut(held_out.clone()) }, held_out })
}

/// Deep chains complete a matrix after a first task of every length.
fn complete(config: &CriticalPeriods, second: &Matrix, first: Option<&Matrix>, run: &mut Run) -> Result<()> {
    let c = &config.completion;
    let (rows, cols) = second.shape();
    let known: Vec<f64> = second.data().iter().copied().filter(|v| !v.is_nan()).collect();
    let rms = (known.iter().map(|v| v * v).sum::<f64>() / known.len() as f64).sqrt();
    if rms <= 0.0 {
        return Err(Error::input("a matrix with an entry other than zero", "zeros only"));
    }
    let unit = |m: &Matrix| m.map(|v| v / rms);
    let (second, first) = (unit(second), first.map(unit));
    // Time to learn a mode grows with sqrt(rows x columns); the rate grows with it to keep the number of steps.
    let lr = c.lr * ((rows * cols) as f64).sqrt() / c.size as f64;
    let training = known.len() - ((c.hold_out * known.len() as f64).round() as usize).max(1).min(known.len() - 1);
    let freedom = c.rank * (rows + cols).saturating_sub(c.rank);
    run.note(format!(
        "{rows} x {cols} with {} known entries, {} of them kept from training; divided by their root mean square \
         {rms:.6} for training, rate {lr:.4}; errors are reported in squared units of the matrix",
        known.len(),
        known.len() - training
    ));
    if training < freedom {
        run.note(format!(
            "Not identifiable: {training} training entries are fewer than the {freedom} degrees of freedom of a rank-{} \
             matrix; errors then say little about the deficit",
            c.rank
        ));
    }
    if first.is_none() {
        run.note(format!(
            "First task: {:.0} % of the training entries of the same matrix (`completion.visible_fraction`)",
            100.0 * c.visible_fraction
        ));
    }
    let course = Course {
        switches: c.switches.clone(),
        after: c.after,
        lr,
        track_every: c.track_every,
        tracked: rows.min(cols).min(12),
    };
    let streams = run.streams();
    let mut table = Table::new(
        "final_errors",
        "Mean squared error on the entries kept from training",
        &["depth", "T_c", "error", "low", "high", "error / error of predicting zero", "train error"],
    );
    let (mut curves, mut traced): (Vec<_>, Vec<(usize, Outcome)>) = (Vec::new(), Vec::new());
    for &depth in &c.depths {
        let steps = c.switches.last().copied().unwrap_or(0) + c.switches.len() * c.after;
        let bar = run.progress(&format!("depth {depth}"), u64::from(config.replicates) * steps as u64);
        let pulse = pulse_of(&bar);
        let results = run.stage(&format!("depth {depth}"), |_| {
            (0..u64::from(config.replicates))
                .into_par_iter()
                .map(|k| {
                    let streams = streams.replicate(k);
                    let s = split(config, &second, first.as_ref(), streams)?;
                    let mut stream = streams.stream("completion/init", depth as u64);
                    let start = DeepMatrix::new(rows, cols, depth, c.init, c.init_scale, &mut stream)?;
                    Ok((run_switches(start, &s.tasks, &course, &pulse)?, s.held_out.energy()))
                })
                .collect::<Result<Vec<(Vec<Outcome>, f64)>>>()
        })?;
        let mut points = Vec::new();
        for (i, &switch) in c.switches.iter().enumerate() {
            let errors: Vec<f64> = results.iter().map(|(o, _)| o[i].error * rms * rms).collect();
            let relative: Vec<f64> = results.iter().map(|(o, e)| o[i].error / e).collect();
            let train = mean(&results.iter().map(|(o, _)| o[i].train).collect::<Vec<_>>());
            let (low, high) = range(&errors);
            table.row([
                depth.to_string(),
                switch.to_string(),
                format!("{:.6}", mean(&errors)),
                format!("{low:.6}"),
                format!("{high:.6}"),
                format!("{:.4}", mean(&relative)),
                format!("{:.3e}", train * rms * rms),
            ]);
            run.metric(&format!("error_depth_{depth}_switch_{switch}"), mean(&errors));
            if train > 0.1 {
                run.note(format!(
                    "Depth {depth}, switch {switch}: the training entries are not learned yet (error {:.0} % of \
                     predicting zero); raise `completion.after` or `completion.lr` before reading damage into it",
                    100.0 * train
                ));
            }
            points.push(summary(switch as f64, &errors));
        }
        curves.push(figures::depth_curve(depth, points));
        let (outcomes, _) = results.into_iter().next().unwrap_or_default();
        traced.extend(outcomes.into_iter().next_back().map(|o| (depth, o.scaled(rms))));
    }
    run.table(table);
    run.figure(figures::damage_curve(&curves, &[], &format!("the kept entries of the {rows} x {cols} matrix")));
    let traces: Vec<(usize, &Outcome)> = traced.iter().map(|(d, o)| (*d, o)).collect();
    run.figure(figures::singular_values(&traces));
    run.artifact("singular_values.csv", figures::singular_csv(&traces).as_bytes())
}

/// `matrix.csv` with missing entries, `pretrain.csv` of the same shape, and `table.csv` without missing entries.
pub(super) fn example(dir: &Path) -> Result<()> {
    let streams = Streams::new(43);
    let csv = |name: &str, rank: usize| -> Result<()> {
        let mut stream = streams.stream("example", rank as u64);
        let m = super::completion::random_low_rank(30, 24, rank, &mut stream)?;
        let mut text = String::new();
        for row in m.row_iter() {
            for (j, v) in row.iter().enumerate() {
                let cell = if stream.bernoulli(0.4) { "nan".to_string() } else { format!("{v:.4}") };
                let _ = write!(text, "{}{cell}", if j > 0 { "," } else { "" });
            }
            text.push('\n');
        }
        files::write_atomic(&dir.join(name), text.as_bytes())
    };
    csv("matrix.csv", 2)?;
    csv("pretrain.csv", 4)?;
    let items = ["canary", "robin", "salmon", "sunfish", "rose", "daisy", "pine", "oak"];
    let mut text = String::from("item");
    (0..15).for_each(|p| {
        let _ = write!(text, ",property {p}");
    });
    text.push('\n');
    for (name, row) in items.iter().zip(hierarchy().row_iter()) {
        text.push_str(name);
        for v in row {
            let _ = write!(text, ",{v}");
        }
        text.push('\n');
    }
    files::write_atomic(&dir.join("table.csv"), text.as_bytes())
}
