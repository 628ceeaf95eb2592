//! The scoreboard: one row per claim, as a page. Its texts are in `listing`.

use crate::page::{self, safe};
use crate::{report, value};
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

/// Rows in groups that stand under one heading: same system, data, profile, seeds and run, by number of the system.
pub fn groups(rows: &[BoardRow]) -> Vec<Vec<&BoardRow>> {
    let mut sorted: Vec<&BoardRow> = rows.iter().collect();
    // Stable: claims and runs keep the order in which they came.
    sorted.sort_by(|a, b| (a.number, &a.system).cmp(&(b.number, &b.system)));
    let same = |a: &&BoardRow, b: &&BoardRow| {
        (&a.system, &a.data, &a.profile, &a.seeds, &a.run)
            == (&b.system, &b.data, &b.profile, &b.seeds, &b.run)
    };
    sorted.chunk_by(same).map(<[&BoardRow]>::to_vec).collect()
}

/// Systems, claims, passed.
pub fn counts(rows: &[BoardRow]) -> (usize, usize, usize) {
    let mut systems: Vec<&str> = rows.iter().map(|r| r.system.as_str()).collect();
    systems.sort_unstable();
    systems.dedup();
    (systems.len(), rows.len(), rows.iter().filter(|r| r.passed).count())
}

/// The tally over all rows.
pub fn summary(rows: &[BoardRow]) -> String {
    let (systems, claims, passed) = counts(rows);
    let noun = if systems == 1 { "system" } else { "systems" };
    let mut out = page::tally(passed, claims);
    out += &format!("<ul class=\"facts\"><li>{systems} {noun}</li>");
    for kind in ["real", "real input, simulated step", "simulated"] {
        let n = groups(rows).iter().filter(|g| g[0].data == kind).count();
        if n > 0 {
            out += &format!("<li><span>{kind}</span> {n}</li>");
        }
    }
    out + "</ul>\n"
}

/// The rows as a table, a heading row per group; `anchored` links each heading to its section on the page.
pub fn table(rows: &[BoardRow], anchored: bool) -> String {
    if rows.is_empty() {
        return "<p class=\"muted\">No claims yet.</p>\n".into();
    }
    let mut out = String::from(
        "<div class=\"scroll\"><table class=\"board\">\n<thead><tr><th>Result</th><th>Claim</th><th>Measured</th>\
         <th>Bar</th><th>Paper</th></tr></thead>\n<tbody>\n",
    );
    for group in groups(rows) {
        let r = group[0];
        let name = safe(&r.system);
        let name = if anchored { format!("<a href=\"#{}\">{name}</a>", page::id(&r.system)) } else { name };
        let number =
            if r.number > 0 { format!("<span class=\"rank\">{:02}</span>", r.number) } else { String::new() };
        let facts: Vec<String> = [&r.wing, &r.data, &r.profile, &value::seeds(&r.seeds), &r.run]
            .into_iter()
            .filter(|t| !t.is_empty())
            .map(|t| safe(t))
            .collect();
        out += &format!(
            "<tr class=\"system\"><td colspan=\"5\">{number}<b>{name}</b> {}<small>{}</small></td></tr>\n",
            safe(&r.title),
            facts.join(" · "),
        );
        for row in group {
            let class = if row.passed { "" } else { " class=\"missed\"" };
            let kind = if row.speed { "speed · " } else { "" };
            out += &format!(
                "<tr{class}><td>{}</td><td>{}<small>{kind}{} · {}</small></td>{}<td class=\"bar\">{}</td><td class=\"paper\">{}</td></tr>\n",
                page::verdict(row.passed),
                safe(&row.text),
                safe(&row.metric),
                safe(&row.claim),
                report::measured(row.value, row.interval),
                safe(&value::typographic_bar(&row.bar)),
                row.paper.as_deref().map_or_else(|| "–".into(), safe),
            );
        }
    }
    out + "</tbody>\n</table></div>\n"
}

/// The scoreboard of many runs as one offline HTML page.
pub fn board_page(rows: &[BoardRow]) -> String {
    let body = format!(
        "<header>\n<p class=\"eyebrow\">Neuropil</p>\n<h1>Scoreboard</h1>\n\
         <p class=\"summary\">Every claim of a published system beside the bar it has to meet, from the runs found.</p>\n{}</header>\n{}",
        summary(rows),
        table(rows, false),
    );
    page::shell("Neuropil: scoreboard", &body)
}
