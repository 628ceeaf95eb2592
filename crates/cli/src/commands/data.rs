//! `neuropil data ...`

use crate::args::DataCommand;
use crate::output;
use neuropil::core::{Error, Result};
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
        DataCommand::Get { .. } | DataCommand::Import { .. } => Err(Error::Internal("not wired yet".into())),
    }
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
        output::json(&json!({"embedded": rows}))?;
        return Ok(0);
    }
    let width = embedded.iter().map(|e| e.name.len()).max().unwrap_or(0);
    output::line("embedded in the program")?;
    for e in embedded {
        output::line(format!("  {:width$}  {:>6} kB  {}; {}", e.name, e.bytes.len().div_ceil(1000), e.what, e.licence))?;
    }
    Ok(0)
}
