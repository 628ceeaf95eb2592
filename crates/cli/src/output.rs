//! Results to stdout, everything else to stderr.

use neuropil::core::{Error, Result};
use std::io::{IsTerminal as _, Write as _};

/// A line of results. A reader that went away (`| head`) ends the program quietly.
pub fn line(text: impl AsRef<str>) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match writeln!(out, "{}", text.as_ref()).and_then(|()| out.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::BrokenPipe => std::process::exit(0),
        Err(e) => Err(Error::resources("a writable standard output", e.to_string())),
    }
}

/// A JSON document on one line of stdout.
pub fn json(value: &impl serde::Serialize) -> Result<()> {
    line(serde_json::to_string(value).map_err(|e| Error::Internal(e.to_string()))?)
}

/// A remark on stderr.
pub fn note(text: impl AsRef<str>) {
    eprintln!("{}", text.as_ref());
}

/// An error and its hint on stderr.
pub fn error(e: &Error) {
    eprintln!("error: {e}");
    if let Some(hint) = e.mismatch().and_then(|m| m.hint.as_ref()) {
        eprintln!("hint: {hint}");
    }
    if let Error::Internal(_) = e {
        eprintln!("hint: this is a bug of ours; please report it with the command you ran");
    }
}

/// Whether stdout may carry colours.
pub fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
}

/// Width of the terminal, or a fixed one where there is none.
pub fn width() -> usize {
    std::env::var("COLUMNS")
        .ok()
        .and_then(|c| c.parse().ok())
        .filter(|w| (40..=400).contains(w))
        .unwrap_or(110)
}
