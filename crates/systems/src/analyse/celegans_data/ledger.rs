//! What was left out or changed, item by item: nothing is dropped silently.

use neuropil_core::Table;
use neuropil_data::{Column, Frame};
use serde::{Deserialize, Serialize};

/// One line: something was skipped, masked, filled or summed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Data set or connectome.
    pub source: String,
    /// File, worm, neuron or edge group.
    pub item: String,
    /// What happened.
    pub action: String,
    /// Why.
    pub reason: String,
    /// How many things (samples, neurons, edges) it concerns.
    pub count: usize,
    /// Their total weight, where they have one.
    pub weight: f64,
}

/// All lines in the order in which they happened.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Ledger {
    /// The lines.
    pub entries: Vec<Entry>,
}

impl Ledger {
    /// Adds a line about `count` things.
    pub fn add(&mut self, source: &str, item: &str, action: &str, reason: impl Into<String>, count: usize) {
        self.add_weight(source, item, action, reason, count, 0.0);
    }

    /// Adds a line about `count` things of a total weight.
    pub fn add_weight(
        &mut self,
        source: &str,
        item: &str,
        action: &str,
        reason: impl Into<String>,
        count: usize,
        weight: f64,
    ) {
        self.entries.push(Entry {
            source: source.into(),
            item: item.into(),
            action: action.into(),
            reason: reason.into(),
            count,
            weight,
        });
    }

    /// Appends another ledger.
    pub fn extend(&mut self, other: Self) {
        self.entries.extend(other.entries);
    }

    /// Number of lines with this action.
    pub fn count(&self, action: &str) -> usize {
        self.entries.iter().filter(|e| e.action == action).count()
    }

    /// All lines as a table for `ledger.csv`.
    pub fn frame(&self) -> Frame {
        let text = |f: fn(&Entry) -> &str| Column::Text(self.entries.iter().map(|e| f(e).to_string()).collect());
        let number = |f: fn(&Entry) -> f64| Column::Numbers(self.entries.iter().map(f).collect());
        let columns = vec![
            ("source".into(), text(|e| &e.source)),
            ("item".into(), text(|e| &e.item)),
            ("action".into(), text(|e| &e.action)),
            ("reason".into(), text(|e| &e.reason)),
            ("count".into(), number(|e| e.count as f64)),
            ("weight".into(), number(|e| e.weight)),
        ];
        Frame { columns, has_header: true }
    }

    /// Lines summed by source, action and reason, for the report.
    pub fn summary(&self, name: &str, title: &str) -> Table {
        let mut sums: std::collections::BTreeMap<(&str, &str, &str), (usize, usize, f64)> =
            std::collections::BTreeMap::default();
        for e in &self.entries {
            // Reasons carry details after a colon; the summary keeps the kind.
            let reason = e.reason.split(':').next().unwrap_or_default();
            let sum = sums.entry((&e.source, &e.action, reason)).or_default();
            *sum = (sum.0 + 1, sum.1 + e.count, sum.2 + e.weight);
        }
        let mut table = Table::new(name, title, &["source", "action", "reason", "lines", "things", "weight"]);
        for ((source, action, reason), (lines, things, weight)) in sums {
            let weight = if weight == 0.0 { String::new() } else { weight.to_string() };
            table.row([source.to_string(), action.into(), reason.into(), lines.to_string(), things.to_string(), weight]);
        }
        table
    }
}
