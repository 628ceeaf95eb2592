//! Text, whole and in documents.

use super::{frame_of_objects, unfit};
use crate::formats::{Format, archive, csv, json, text as plain};
use crate::frame::Frame;
use crate::source::{Source, extension};
use neuropil_core::{Error, Result};
use std::path::Path;

/// A text with its name and, where known, its class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// File name, id, or number of the row.
    pub id: String,
    /// The text itself.
    pub text: String,
    /// Class or folder.
    pub label: Option<String>,
}

const TEXTS: [&str; 6] = ["text", "content", "document", "sentence", "prompt", "body"];
const LABELS: [&str; 4] = ["label", "class", "category", "toxicity"];
const IDS: [&str; 3] = ["id", "name", "key"];

/// One UTF-8 text: a text file of any extension, or a folder or archive of `.txt` and `.md` files, joined by blank lines
/// in order of their names.
pub fn text(path: &Path) -> Result<String> {
    if path.is_dir() {
        let parts: Vec<String> = documents(path)?.into_iter().map(|d| d.text).collect();
        return Ok(parts.join("\n\n"));
    }
    let source = Source::open(path)?;
    let attempt = || match source.format()? {
        Format::Zip | Format::Tar => {
            let parts: Vec<String> = documents_of(&source)?.into_iter().map(|d| d.text).collect();
            Ok(parts.join("\n\n"))
        }
        Format::Text | Format::Csv | Format::Json | Format::JsonLines | Format::GraphMl => {
            plain::parse(&source.bytes)
        }
        other => Err(unfit("UTF-8 text", other)),
    };
    let text: String = attempt().map_err(|e| e.at(&source.place))?;
    if text.trim().is_empty() {
        return Err(Error::input("some text", "only white space").at(&source.place));
    }
    Ok(text)
}

/// Several texts: a text file with one document a line; JSON lines, a JSON array or CSV with a column `text` (and
/// optional `label`, `id`); a folder or archive of `.txt` and `.md` files, whose sub-folder is the label.
pub fn documents(path: &Path) -> Result<Vec<Document>> {
    let found = if path.is_dir() {
        in_folder(path)?
    } else {
        let source = Source::open(path)?;
        documents_of(&source).map_err(|e| e.at(&source.place))?
    };
    if found.is_empty() {
        return Err(Error::input("at least 1 document", "none").at(path.display()));
    }
    Ok(found)
}

/// As [`documents`], from a file or archive member in memory.
pub fn documents_of(source: &Source) -> Result<Vec<Document>> {
    let format = source.format()?;
    match format {
        Format::Text => Ok(plain::parse(&source.bytes)?
            .lines()
            .filter(|l| !l.trim().is_empty())
            .enumerate()
            .map(|(i, l)| Document { id: i.to_string(), text: l.to_string(), label: None })
            .collect()),
        Format::Csv => from_frame(&csv::parse(&source.bytes)?),
        Format::JsonLines => from_values(&json::parse_lines(&source.bytes)?),
        Format::Json => match json::parse(&source.bytes)? {
            serde_json::Value::Array(values) => from_values(&values),
            _ => Err(Error::input("a JSON array of texts", "another JSON value")),
        },
        Format::Zip | Format::Tar => archive::members(format, &source.bytes)?
            .into_iter()
            .filter(|m| is_text(&m.path))
            .map(|m| {
                let label = m.path.rsplit('/').nth(1).map(String::from);
                let id = m.path.clone();
                let member = m.into_source(&source.place)?;
                Ok(Document {
                    id,
                    text: plain::parse(&member.bytes).map_err(|e| e.at(&member.place))?,
                    label,
                })
            })
            .collect(),
        other => Err(unfit("documents (text, JSON lines, CSV, a folder or archive of .txt)", other)),
    }
}

fn is_text(name: &str) -> bool {
    let name = name.strip_suffix(".gz").unwrap_or(name);
    matches!(extension(name).as_str(), "txt" | "md" | "text")
}

fn from_values(values: &[serde_json::Value]) -> Result<Vec<Document>> {
    let strings: Option<Vec<&str>> = values.iter().map(|v| v.as_str()).collect();
    match strings {
        Some(texts) => Ok(texts
            .into_iter()
            .enumerate()
            .map(|(i, t)| Document { id: i.to_string(), text: t.to_string(), label: None })
            .collect()),
        None => from_frame(&frame_of_objects(values)?),
    }
}

fn from_frame(frame: &Frame) -> Result<Vec<Document>> {
    let texts = frame
        .find(&TEXTS)
        .or(if frame.columns.len() == 1 { frame.columns.first().map(|(_, c)| c) } else { None })
        .ok_or_else(|| Error::input("a column `text`", format!("columns {:?}", frame.names())))?
        .texts();
    let labels = frame.find(&LABELS).map(crate::frame::Column::texts);
    let ids = frame.find(&IDS).map(crate::frame::Column::texts);
    Ok(texts
        .into_iter()
        .enumerate()
        .map(|(i, text)| Document {
            id: ids.as_ref().map_or_else(|| i.to_string(), |v| v[i].clone()),
            text,
            label: labels.as_ref().map(|v| v[i].clone()),
        })
        .collect())
}

fn in_folder(folder: &Path) -> Result<Vec<Document>> {
    let mut found = Vec::new();
    for (path, label) in super::stimuli::files_in(folder, &|name| is_text(name))? {
        let source = Source::open(&path)?;
        let text = plain::parse(&source.bytes).map_err(|e| e.at(&source.place))?;
        found.push(Document { id: source.name, text, label });
    }
    Ok(found)
}
