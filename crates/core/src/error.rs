//! The one error type of the workspace.
//!
//! The exit codes of the program (2 configuration, 3 input, 4 resources, 70 internal, 130 interrupted) are a contract
//! that spans all floors, so all floors share one enum instead of wrapping each other's.

use std::fmt;
use std::path::Path;

/// Shorthand for results of this workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was expected, what was there instead, where, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// What a correct value would have been.
    pub expected: String,
    /// What was found.
    pub got: String,
    /// File, role or field in which it was found.
    pub at: Option<String>,
    /// What the reader can do now.
    pub hint: Option<String>,
}

/// Everything that can go wrong, by who has to act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The request or configuration is wrong (exit code 2).
    Config(Box<Mismatch>),
    /// Input data are missing, damaged or unfit (exit code 3).
    Input(Box<Mismatch>),
    /// Memory, disk or network do not suffice (exit code 4).
    Resources(Box<Mismatch>),
    /// The user interrupted; the state is saved (exit code 130).
    Interrupted,
    /// A bug of ours (exit code 70).
    Internal(String),
}

impl Error {
    /// Wrong configuration value.
    pub fn config(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Config(Box::new(Mismatch::new(expected, got)))
    }

    /// Unfit input data.
    pub fn input(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Input(Box::new(Mismatch::new(expected, got)))
    }

    /// Insufficient resources.
    pub fn resources(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self::Resources(Box::new(Mismatch::new(expected, got)))
    }

    /// A file that cannot be read.
    pub fn read(path: &Path, error: &std::io::Error) -> Self {
        Self::input("a readable file", error.to_string()).at(path.display())
    }

    /// A file that cannot be written.
    pub fn write(path: &Path, error: &std::io::Error) -> Self {
        Self::resources("a writable place", error.to_string()).at(path.display())
    }

    /// Adds where it was found: a file, a role, a field, an axis. The first place named is kept and later ones are
    /// put in front, so the innermost stays visible.
    #[must_use]
    pub fn at(mut self, place: impl fmt::Display) -> Self {
        if let Some(m) = self.mismatch_mut() {
            m.at = Some(match m.at.take() {
                Some(inner) => format!("{place}: {inner}"),
                None => place.to_string(),
            });
        }
        self
    }

    /// Adds what the reader can do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        if let Some(m) = self.mismatch_mut() {
            m.hint = Some(hint.into());
        }
        self
    }

    /// The details, where the error has them.
    pub fn mismatch(&self) -> Option<&Mismatch> {
        match self {
            Self::Config(m) | Self::Input(m) | Self::Resources(m) => Some(m),
            Self::Interrupted | Self::Internal(_) => None,
        }
    }

    fn mismatch_mut(&mut self) -> Option<&mut Mismatch> {
        match self {
            Self::Config(m) | Self::Input(m) | Self::Resources(m) => Some(m),
            Self::Interrupted | Self::Internal(_) => None,
        }
    }

    /// The process exit code that this error stands for.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) => 2,
            Self::Input(_) => 3,
            Self::Resources(_) => 4,
            Self::Interrupted => 130,
            Self::Internal(_) => 70,
        }
    }
}

impl Mismatch {
    fn new(expected: impl Into<String>, got: impl Into<String>) -> Self {
        Self { expected: expected.into(), got: got.into(), at: None, hint: None }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(m) | Self::Input(m) | Self::Resources(m) => {
                write!(f, "expected {}, got {}", m.expected, m.got)?;
                m.at.as_ref().map_or(Ok(()), |at| write!(f, " ({at})"))
            }
            Self::Interrupted => write!(f, "interrupted; the state is saved and `--resume` continues it"),
            Self::Internal(text) => write!(f, "internal error: {text}"),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_as_expected_got_where() {
        let e = Error::input("3 columns", "2").at("line 7").at("table.csv").hint("add the missing column");
        assert_eq!(e.to_string(), "expected 3 columns, got 2 (table.csv: line 7)");
        assert_eq!(e.exit_code(), 3);
        assert_eq!(e.mismatch().and_then(|m| m.hint.as_deref()), Some("add the missing column"));
    }
}
