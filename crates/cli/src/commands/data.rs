//! `neuropil data ...`

use crate::args::DataCommand;
use crate::output;
use neuropil::core::{Error, Result};
use neuropil::data::known;
use serde_json::json;

pub fn data(command: &DataCommand) -> Result<u8> {
    match command {
        DataCommand::Example { system, dir, json } => {
            let entry = super::system(system)?;
            std::fs::create_dir_all(dir).map_err(|e| Error::write(dir, &e))?;
            (entry.example)(dir)?;
            let command = entry.card.example;
            if *json {
                output::json(&json!({"system": entry.card.slug, "dir": dir, "command": command}))?;
            } else {
                output::line(format!(
                    "wrote an example input of {} into {}\ntry: {command}",
                    entry.card.slug,
                    dir.display()
                ))?;
            }
            Ok(0)
        }
        DataCommand::List { json } => list(*json),
        DataCommand::Check { file, json } => {
            let description = neuropil::data::check::check(file)?;
            if *json {
                output::json(&description.to_json()?)?;
            } else {
                output::line(description.to_string().trim_end())?;
            }
            Ok(0)
        }
        DataCommand::Get { name, from, json } => get(name, from.as_deref(), *json),
        DataCommand::Import { file, json } => {
            let found = known::import(file)?;
            let cache = known::cache_folder()?;
            if *json {
                let rows: Vec<_> = found
                    .iter()
                    .map(|i| json!({"set": i.set, "files": i.files, "missing": i.missing, "dir": cache.join(i.set)}))
                    .collect();
                output::json(&rows)?;
            } else {
                for i in &found {
                    output::line(format!("{}: verified and stored {}", i.set, i.files.join(", ")))?;
                    if !i.missing.is_empty() {
                        output::line(format!("  still missing: {}", i.missing.join(", ")))?;
                    }
                }
            }
            Ok(0)
        }
    }
}

fn get(name: &str, address: Option<&str>, as_json: bool) -> Result<u8> {
    let mut last = 0;
    let paths = known::get(name, None, address, &mut |file, done, all| {
        // One line per 16 MB, so that a slow network can be told from a dead one.
        if done / (16 << 20) != last {
            last = done / (16 << 20);
            let of = all.map_or(String::new(), |a| format!(" of {}", a >> 20));
            output::note(format!("{file}: {} MB{of}", done >> 20));
        }
    })?;
    if as_json {
        output::json(&json!({"set": name, "files": paths}))?;
    } else {
        for p in &paths {
            output::line(format!("verified {}", p.display()))?;
        }
    }
    Ok(0)
}

fn list(as_json: bool) -> Result<u8> {
    let embedded = neuropil::data::embedded::entries();
    if as_json {
        let rows: Vec<_> = embedded
            .iter()
            .map(|e| {
                json!({"name": e.name, "kind": e.kind, "what": e.what, "licence": e.licence,
                       "attribution": e.attribution, "bytes": e.bytes.len(), "sha256": e.sha256})
            })
            .collect();
        let sets: Vec<_> = known::SETS
            .iter()
            .map(|s| {
                json!({"name": s.name, "what": s.what, "licence": s.licence, "address": s.address,
                       "checksums_from": s.checksums_from, "verified": s.verified, "present": present(s)})
            })
            .collect();
        output::json(&json!({"embedded": rows, "known": sets}))?;
        return Ok(0);
    }
    let width = embedded.iter().map(|e| e.name.len()).max().unwrap_or(0);
    output::line("embedded in the program")?;
    for e in embedded {
        output::line(format!(
            "  {:width$}  {:>6} kB  {}; {}",
            e.name,
            e.bytes.len().div_ceil(1000),
            e.what,
            e.licence
        ))?;
    }
    output::line("\nknown sets: `neuropil data get NAME` or `neuropil data import FILE`")?;
    for s in known::SETS {
        let state = if present(s) { "present" } else { "not here" };
        let checked = if s.verified { "" } else { "; address not fetched by us yet" };
        output::line(format!("  {:14}  {state}; {}; {}{checked}", s.name, s.what, s.licence))?;
    }
    Ok(0)
}

fn present(set: &known::Known) -> bool {
    known::cache_folder().is_ok_and(|cache| set.is_present(&cache))
}
