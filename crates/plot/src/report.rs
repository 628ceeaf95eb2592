//! The page of one run.

use crate::page::{self, escape, safe};
use crate::value;
use neuropil_core::{Claim, Report};
use serde_json::Value;

/// One offline HTML page of a run: claims with their bars, figures, metrics, tables, notes, artefacts and manifest.
/// It holds no script and loads nothing. Figures come from `figure_data`; those that are only named become links to
/// `figures/NAME.svg`.
pub fn report_page(report: &Report) -> String {
    let title = title(report);
    let mut body = format!("<header>\n{}</header>\n", header(report, "h1"));
    body += &claims(report);
    if !report.figure_data.is_empty() || !report.figures.is_empty() {
        body += "<section>\n<h2>Figures</h2>\n";
        body += &page::figures("figure", &report.figure_data, &report.figures);
        body += "</section>\n";
    }
    body += &metrics(report);
    body += &tables(report);
    body += &notes(report);
    let files: Vec<String> = report
        .artifacts
        .iter()
        .map(|a| {
            page::relative(a).map_or_else(|| safe(a), |link| format!("<a href=\"{link}\">{}</a>", safe(a)))
        })
        .collect();
    body += &page::list("Files", "files", &files);
    if !report.manifest.is_null() {
        let text = serde_json::to_string_pretty(&report.manifest).unwrap_or_default();
        body += &format!(
            "<details>\n<summary>Manifest</summary>\n<pre>{}</pre>\n</details>\n",
            escape(&printable(&text))
        );
    }
    page::shell(&format!("{title}: {} run", report.profile), &body)
}

/// Text that keeps its lines but no other control characters.
fn printable(text: &str) -> String {
    text.chars().filter(|c| *c == '\n' || !c.is_control()).collect()
}

fn card_text(report: &Report, key: &str) -> String {
    match report.card.get(key) {
        Some(Value::String(s)) => s.clone(),
        Some(Value::Number(n)) => n.to_string(),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(", "),
        _ => String::new(),
    }
}

/// Title of the published work, or the slug.
pub fn title(report: &Report) -> String {
    let title = card_text(report, "title");
    if title.is_empty() { report.system.clone() } else { title }
}

/// The top of a report: what was re-measured, on which data, and how it went.
pub fn header(report: &Report, heading: &str) -> String {
    let (number, wing) = (card_text(report, "number"), card_text(report, "wing"));
    let eyebrow: Vec<String> =
        [number, report.system.clone(), wing].into_iter().filter(|t| !t.is_empty()).collect();
    let mut out = format!("<p class=\"eyebrow\">{}</p>\n", safe(&eyebrow.join(" · ")));
    out += &format!("<{heading}>{}</{heading}>\n", safe(&title(report)));
    let (authors, year, source) =
        (card_text(report, "authors"), card_text(report, "year"), card_text(report, "source"));
    let year = if year.is_empty() { year } else { format!("({year})") };
    let byline: Vec<String> =
        [safe(&authors), safe(&year), page::source(&source)].into_iter().filter(|t| !t.is_empty()).collect();
    if !byline.is_empty() {
        out += &format!("<p class=\"byline\">{}</p>\n", byline.join(" "));
    }
    for (key, class) in [("summary", "summary"), ("claim", "claim")] {
        let text = card_text(report, key);
        if !text.is_empty() {
            let lead = if key == "claim" { "The paper's claim: " } else { "" };
            out += &format!("<p class=\"{class}\">{lead}{}</p>\n", safe(&text));
        }
    }
    let all = report.claims.iter().chain(&report.speed);
    out += &page::tally(all.clone().filter(|c| c.passed).count(), all.count());
    let replicates = if report.replicates > 1 { report.replicates.to_string() } else { String::new() };
    let memory = if report.peak_mem_mb > 0.0 {
        format!("{} MB", value::typographic(report.peak_mem_mb.round()))
    } else {
        String::new()
    };
    let facts = [
        page::fact("data", &report.data),
        page::fact("profile", &report.profile),
        page::fact("seed", &report.seed.to_string()),
        page::fact("replicates", &replicates),
        page::fact("time", &page::duration(report.wall_s)),
        page::fact("processor time", &page::duration(report.cpu_s)),
        page::fact("peak memory", &memory),
    ];
    out + &format!("<ul class=\"facts\">{}</ul>\n", facts.concat())
}

/// Claims and speed bars as a table; nothing when there are none.
pub fn claims(report: &Report) -> String {
    if report.claims.is_empty() && report.speed.is_empty() {
        return String::new();
    }
    let rows: String = report.claims.iter().map(|c| claim_row(c, false)).collect();
    let speed: String = report.speed.iter().map(|c| claim_row(c, true)).collect();
    format!(
        "<section>\n<h2>Claims</h2>\n<div class=\"scroll\"><table>\n<thead><tr><th>Result</th><th>Claim</th>\
         <th>Measured</th><th>Bar</th><th>Paper</th></tr></thead>\n<tbody>\n{rows}{speed}</tbody>\n</table></div>\n</section>\n"
    )
}

/// The cells of one claim.
fn claim_row(claim: &Claim, speed: bool) -> String {
    let class = if claim.passed { "" } else { " class=\"missed\"" };
    let kind = if speed { "speed · " } else { "" };
    format!(
        "<tr{class}><td>{}</td><td>{}<small>{kind}{} · {}</small></td>{}<td class=\"bar\">{}</td><td class=\"paper\">{}</td></tr>\n",
        page::verdict(claim.passed),
        safe(&claim.text),
        safe(&claim.metric),
        safe(&claim.id),
        measured(claim.value, claim.interval),
        safe(&value::typographic_bar(&claim.bar_text())),
        claim.paper.as_deref().map_or_else(|| "–".into(), safe),
    )
}

/// The cell of a measured value.
pub fn measured(value: Option<f64>, interval: Option<[f64; 2]>) -> String {
    let value = value.map_or_else(|| "not finite".into(), value::typographic);
    let interval = interval.map_or_else(String::new, |[a, b]| {
        format!("<small>[{}, {}]</small>", value::typographic(a), value::typographic(b))
    });
    format!("<td class=\"measured\"><b>{value}</b>{interval}</td>")
}

fn metrics(report: &Report) -> String {
    if report.metrics.is_empty() {
        return String::new();
    }
    let items: String = report
        .metrics
        .iter()
        .map(|(name, v)| {
            let text = match v {
                Value::Null => "not finite".into(),
                Value::Number(n) => n.as_f64().map_or_else(|| n.to_string(), value::typographic),
                Value::String(s) => s.clone(),
                other => other.to_string(),
            };
            format!("<li><span>{}</span><b>{}</b></li>\n", safe(name), safe(&text))
        })
        .collect();
    format!("<section>\n<h2>Metrics</h2>\n<ul class=\"metrics\">\n{items}</ul>\n</section>\n")
}

fn tables(report: &Report) -> String {
    if report.tables.is_empty() {
        return String::new();
    }
    let tables: String = report.tables.iter().map(page::table).collect();
    format!("<section>\n<h2>Tables</h2>\n<div class=\"tables\">\n{tables}</div>\n</section>\n")
}

/// The remarks of a run.
pub fn notes(report: &Report) -> String {
    let items: Vec<String> = report.notes.iter().map(|n| safe(n)).collect();
    page::list("Notes", "notes", &items)
}
