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
        _ => Err(Error::Internal("not wired yet".into())),
    }
}
