//! Text.

use super::unpacked;
use crate::formats::text;
use neuropil_core::{Error, Result};

/// Seven plays of Shakespeare (867,560 characters, 66 distinct), speaker names in capitals before each speech.
pub fn shakespeare() -> Result<String> {
    text::parse(&unpacked("text/shakespeare_7plays.txt.gz")?)
}

/// One verse in two languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verse {
    /// Book, chapter and verse.
    pub reference: String,
    /// World English Bible.
    pub english: String,
    /// Reina-Valera 1909.
    pub spanish: String,
}

/// 10,095 aligned verses in English and Spanish (Psalms, Proverbs, eleven books of the New Testament).
pub fn verses() -> Result<Vec<Verse>> {
    let text = text::parse(&unpacked("text/parallel_en_es_web_rv1909.tsv.gz")?)?;
    text.lines()
        .map(|line| {
            let mut cells = line.split('\t').map(String::from);
            match (cells.next(), cells.next(), cells.next()) {
                (Some(reference), Some(english), Some(spanish)) => Ok(Verse { reference, english, spanish }),
                _ => Err(Error::Internal(format!("a verse without three cells: {line}"))),
            }
        })
        .collect()
}
