//! One file per command.

mod board;
mod data;
mod list;
mod run;
mod show;
mod tour;

use crate::args::{Arguments, Command};
use neuropil::core::{Error, Result};
use neuropil::experiment::Entry;

/// Runs a command; the number is the exit code.
pub fn dispatch(arguments: Arguments) -> Result<u8> {
    match arguments.command {
        Command::List(a) => list::list(&a),
        Command::Show(a) => show::show(&a),
        Command::Run(a) => run::run(&a),
        Command::Tour(a) => tour::tour(&a),
        Command::Board(a) => board::board(&a),
        Command::Data(a) => data::data(&a),
    }
}

/// The system with this slug or number.
fn system(name: &str) -> Result<Entry> {
    neuropil::systems::find(name).map_err(|near| {
        let error = Error::config("a system of the catalogue", format!("`{name}`"));
        if near.is_empty() {
            error.hint("`neuropil list` shows all systems")
        } else {
            let names: Vec<String> = near.iter().map(|n| format!("`{n}`")).collect();
            error.hint(format!("did you mean {}?", names.join(" or ")))
        }
    })
}

/// Sets the number of threads, once, before anything runs.
fn set_threads(threads: Option<u16>) -> Result<()> {
    if let Some(n) = threads {
        rayon::ThreadPoolBuilder::new()
            .num_threads(n.into())
            .build_global()
            .map_err(|e| Error::resources(format!("{n} threads"), e.to_string()))?;
    }
    Ok(())
}
