//! The user's files, by role.

use crate::{Card, Role};
use neuropil_core::{Error, Result};
use std::path::{Path, PathBuf};

/// Paths given with `--input`, assigned to the roles of a card.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inputs {
    assigned: Vec<(&'static str, PathBuf)>,
}

impl Inputs {
    /// Assigns `[ROLE=]PATH` arguments: named ones first, bare ones fill the remaining roles in order; a role that may
    /// be given more than once takes all that is left. Every path must exist.
    pub fn assign(card: &Card, arguments: &[String]) -> Result<Self> {
        let mut assigned: Vec<(&'static str, PathBuf)> = Vec::new();
        let mut bare = Vec::new();
        for argument in arguments {
            let named = argument
                .split_once('=')
                .and_then(|(name, path)| card.inputs.iter().find(|r| r.name == name).map(|r| (r, path)));
            match named {
                Some((role, path)) => {
                    if !role.many && assigned.iter().any(|(n, _)| *n == role.name) {
                        return Err(Error::config(format!("`{}` once", role.name), "it twice").at("--input"));
                    }
                    assigned.push((role.name, path.into()));
                }
                None => bare.push(PathBuf::from(argument)),
            }
        }
        let mut roles: Vec<&Role> =
            card.inputs.iter().filter(|r| !assigned.iter().any(|(n, _)| *n == r.name)).collect();
        // Optional roles do not take bare paths away from required ones.
        roles.sort_by_key(|r| !r.required);
        let mut roles = roles.into_iter().peekable();
        for path in bare {
            let Some(role) = roles.peek() else {
                let names: Vec<&str> = card.inputs.iter().map(|r| r.name).collect();
                return Err(Error::config(
                    format!("files for the roles {names:?}"),
                    format!("one more: {}", path.display()),
                )
                .at("--input")
                .hint(format!("`neuropil show {}` explains each role", card.slug)));
            };
            assigned.push((role.name, path));
            if !role.many {
                roles.next();
            }
        }
        for role in card.inputs.iter().filter(|r| r.required) {
            if !assigned.iter().any(|(n, _)| *n == role.name) {
                return Err(Error::config(format!("an input `{}` ({})", role.name, role.formats), "none")
                    .at("--input")
                    .hint(format!("`neuropil data example {} DIR` writes a small valid input", card.slug)));
            }
        }
        for (name, path) in &assigned {
            std::fs::metadata(path).map_err(|e| Error::read(path, &e).at(name))?;
        }
        Ok(Self { assigned })
    }

    /// The first path of a role.
    pub fn get(&self, role: &str) -> Option<&Path> {
        self.assigned.iter().find(|(n, _)| *n == role).map(|(_, p)| p.as_path())
    }

    /// All paths of a role, in the order given.
    pub fn all(&self, role: &str) -> Vec<&Path> {
        self.assigned.iter().filter(|(n, _)| *n == role).map(|(_, p)| p.as_path()).collect()
    }

    /// The path of a role, or an error.
    pub fn require(&self, role: &str) -> Result<&Path> {
        self.get(role).ok_or_else(|| Error::config(format!("an input `{role}`"), "none").at("--input"))
    }

    /// All (role, path) pairs.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.assigned.iter().map(|(n, p)| (*n, p.as_path()))
    }
}

/// Candidates close to a mistyped word, best first (edit distance at most a third of its length, or a shared start).
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut scored: Vec<(usize, &str)> = candidates
        .map(|c| (edit_distance(word, c), c))
        .filter(|(d, c)| *d <= (word.len() / 3).max(2) || (word.len() >= 3 && c.contains(word)))
        .collect();
    scored.sort_unstable();
    scored.into_iter().map(|(_, c)| c).take(3).collect()
}

fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, ca) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, cb) in b.iter().enumerate() {
            let next = (diagonal + usize::from(ca != *cb)).min(row[j] + 1).min(row[j + 1] + 1);
            diagonal = row[j + 1];
            row[j + 1] = next;
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearest_names() {
        let names = ["hippocampal-cam", "bdh", "trsa", "critical-periods"];
        assert_eq!(nearest("tsra", names.into_iter()), ["trsa"]);
        assert_eq!(nearest("hippocampal-cma", names.into_iter()), ["hippocampal-cam"]);
        assert_eq!(nearest("critical", names.into_iter()), ["critical-periods"]);
        assert!(nearest("zzzzzz", names.into_iter()).is_empty());
    }
}
