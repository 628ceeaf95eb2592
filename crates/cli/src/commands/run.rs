//! `neuropil run SYSTEM...`

use super::show::duration;
use crate::args::{RunArgs, version};
use crate::output;
use neuropil::core::{Claim, Error, Report, Result};
use neuropil::experiment::{Entry, Outcome, RunOptions, board, execute, plan};
use neuropil::plot::BoardRow;
use serde_json::json;
use std::path::Path;

pub fn run(args: &RunArgs) -> Result<u8> {
    let entries = if args.all {
        neuropil::systems::catalogue()
    } else {
        args.systems.iter().map(|s| super::system(s)).collect::<Result<Vec<Entry>>>()?
    };
    if entries.len() > 1 && !args.input.is_empty() {
        return Err(Error::config("one system with `--input`", format!("{}", entries.len())).at("run"));
    }
    super::set_threads(args.common.threads)?;
    let (first, last) = args.seeds.unwrap_or((args.seed, args.seed));
    let mut worst = 0;
    let mut misses = Vec::new();
    let mut rows = Vec::new();
    for seed in first..=last {
        for entry in &entries {
            let options = options(args, seed);
            if args.dry_run {
                dry_run(entry, &options, args.common.json)?;
                continue;
            }
            match one(entry, &options, args.common.json) {
                Ok(outcome) => {
                    rows.extend(BoardRow::from_report(
                        &outcome.report,
                        &outcome.folder.display().to_string(),
                    ));
                    let missed: Vec<&str> = outcome.report.misses().map(|c| c.id.as_str()).collect();
                    if !missed.is_empty() {
                        worst = worst.max(1);
                        misses.push(format!("{} (seed {seed}): {}", entry.card.slug, missed.join(", ")));
                    }
                    if args.common.open {
                        open(&outcome.folder.join("report.html"));
                    }
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // One system that fails does not take the others with it.
                Err(e) if entries.len() > 1 || first != last => {
                    output::error(&e.clone().at(entry.card.slug));
                    worst = worst.max(e.exit_code());
                }
                Err(e) => return Err(e),
            }
        }
    }
    if first != last && !args.dry_run {
        summary(rows, args.common.json)?;
    }
    if !misses.is_empty() {
        output::note(format!("bars not met: {}", misses.join("; ")));
    }
    Ok(worst)
}

fn options(args: &RunArgs, seed: u64) -> RunOptions {
    RunOptions {
        profile: args.profile.profile(),
        seed,
        config: args.config.clone(),
        set: args.set.clone(),
        input: args.input.clone(),
        out: args.common.out.clone(),
        resume: args.resume.clone(),
        force: args.force,
        device: args.device.clone(),
        interrupt_after: args.interrupt_after,
        version: version(),
    }
}

fn dry_run(entry: &Entry, options: &RunOptions, json: bool) -> Result<()> {
    let (toml, estimate) = plan(entry, options)?;
    if json {
        return output::json(&json!({"system": entry.card.slug, "config": toml, "estimate": estimate}));
    }
    output::line(format!(
        "# {} {}: about {}, {:.0} MB\n{}",
        entry.card.slug,
        options.profile.name(),
        duration(estimate.wall_s),
        estimate.mem_mb,
        toml.trim_end()
    ))
}

/// Runs one system and prints its result.
pub fn one(entry: &Entry, options: &RunOptions, json: bool) -> Result<Outcome> {
    let (_, estimate) = plan(entry, options)?;
    if estimate.wall_s > 60.0 {
        let (time, memory) = (duration(estimate.wall_s), estimate.mem_mb);
        output::note(format!(
            "{}: about {time} on 2 cores, {memory:.0} MB; Ctrl-C saves the state",
            entry.card.slug
        ));
    }
    let outcome = execute(entry, options)?;
    if json {
        output::json(&outcome.report)?;
    } else {
        print(&outcome.report, &outcome.folder)?;
    }
    Ok(outcome)
}

fn print(r: &Report, folder: &Path) -> Result<()> {
    output::line(format!(
        "{} · {} · seed {} · data: {} · {:.1} s, {:.0} MB",
        r.system, r.profile, r.seed, r.data, r.wall_s, r.peak_mem_mb
    ))?;
    let width = r.claims.iter().chain(&r.speed).map(|c| c.id.len()).max().unwrap_or(0);
    for c in r.claims.iter().chain(&r.speed) {
        output::line(claim_line(c, width))?;
    }
    for (name, value) in r.metrics.iter().take(12) {
        output::line(format!("       {name} = {}", value.as_f64().map_or("not finite".into(), number)))?;
    }
    if r.metrics.len() > 12 {
        output::line(format!("       ... {} more in the report", r.metrics.len() - 12))?;
    }
    for n in &r.notes {
        output::line(format!("  note {n}"))?;
    }
    output::line(format!("  report {}\n", folder.join("report.html").display()))
}

fn claim_line(c: &Claim, width: usize) -> String {
    let mark = match (c.passed, output::colour()) {
        (true, false) => "ok  ",
        (false, false) => "MISS",
        (true, true) => "\x1b[32mok  \x1b[0m",
        (false, true) => "\x1b[1;31mMISS\x1b[0m",
    };
    let value = c.value.map_or("not finite".into(), number);
    let paper = c.paper.as_ref().map_or(String::new(), |p| format!("   paper: {p}"));
    format!("  {mark} {:width$}  {value:>9} {:14} {}{paper}", c.id, c.bar_text(), c.metric)
}

/// Four significant digits.
fn number(v: f64) -> String {
    if v == v.trunc() && v.abs() < 1e7 {
        format!("{v}")
    } else if v.abs() >= 1e-3 && v.abs() < 1e5 {
        let digits = (3 - v.abs().log10().floor() as i32).clamp(0, 6) as usize;
        format!("{v:.digits$}")
    } else {
        format!("{v:.3e}")
    }
}

fn summary(rows: Vec<BoardRow>, json: bool) -> Result<()> {
    let rows = board::merge(rows.into_iter());
    if json {
        return output::json(&json!({"schema": 1, "summary": rows}));
    }
    output::line(neuropil::plot::board_terminal(&rows, output::width(), output::colour()).trim_end())
}

/// Opens a file with the desktop's own program.
pub fn open(path: &Path) {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    if let Err(e) = std::process::Command::new(program).arg(path).spawn() {
        output::note(format!("could not open {}: {e}", path.display()));
    }
}
