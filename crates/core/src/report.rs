//! The result of one run.

use crate::{Claim, Figure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Version of the report document.
pub const SCHEMA: u32 = 1;

/// A table of texts, numbers already formatted.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Table {
    /// File stem: lower case, digits and `_`.
    pub name: String,
    /// Headline.
    pub title: String,
    /// Column heads, with units.
    pub columns: Vec<String>,
    /// Rows of cells, one per column.
    pub rows: Vec<Vec<String>>,
}

impl Table {
    /// An empty table.
    pub fn new(name: impl Into<String>, title: impl Into<String>, columns: &[&str]) -> Self {
        let columns = columns.iter().map(ToString::to_string).collect();
        Self { name: name.into(), title: title.into(), columns, rows: Vec::new() }
    }

    /// Appends a row.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl ToString>) {
        self.rows.push(cells.into_iter().map(|c| c.to_string()).collect());
    }
}

/// Claims, metrics, tables, figures and artefacts of one run. Its JSON form is the document of `run --json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// Slug of the system.
    pub system: String,
    /// The card as JSON.
    pub card: Value,
    /// `smoke`, `quick`, `full`, `paper` or `input`.
    pub profile: String,
    /// Kind of data: `real`, `real input, simulated step` or `simulated`.
    pub data: String,
    /// Seed of the run.
    pub seed: u64,
    /// How many replicates of that seed the claims rest on.
    pub replicates: u32,
    /// Numbers with a bar.
    pub claims: Vec<Claim>,
    /// Numbers without a bar; null where not finite.
    pub metrics: Map<String, Value>,
    /// Speed bars, same shape as claims.
    pub speed: Vec<Claim>,
    /// Remarks: assumptions made, stand-ins used, bars that were replaced and why.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Tables.
    #[serde(default)]
    pub tables: Vec<Table>,
    /// Paths of the figures, `figures/NAME.svg`, relative to the run folder.
    pub figures: Vec<String>,
    /// Files that the run wrote, relative to its folder.
    pub artifacts: Vec<String>,
    /// Wall-clock seconds.
    pub wall_s: f64,
    /// Processor seconds of all threads.
    pub cpu_s: f64,
    /// Peak resident memory in MB.
    pub peak_mem_mb: f64,
    /// The manifest, as in `manifest.json`.
    pub manifest: Value,
    /// Figure data, kept out of the JSON document.
    #[serde(skip)]
    pub figure_data: Vec<Figure>,
}

impl Report {
    /// Claims and speed bars that were not met.
    pub fn misses(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter().chain(&self.speed).filter(|c| !c.passed)
    }
}
