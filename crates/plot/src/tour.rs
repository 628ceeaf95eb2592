//! One page for several systems: the scoreboard, then a section for each.

use crate::{BoardRow, board, page, report};
use neuropil_core::Report;

/// The scoreboard of all `reports` on top, then a section per report with its claims and figures, in the given order.
/// `links` holds, for each report, the relative address of its own page; it may be shorter or empty.
pub fn tour_page(reports: &[Report], links: &[String]) -> String {
    let rows: Vec<BoardRow> = reports.iter().flat_map(|r| BoardRow::from_report(r, "")).collect();
    let mut body = String::from(
        "<header>\n<p class=\"eyebrow\">Neuropil</p>\n<h1>Published systems, re-measured</h1>\n\
         <p class=\"summary\">Each row is a number from a paper, measured again by this run beside the bar it has to \
         meet. The kind of data is named with every system.</p>\n",
    );
    body += &board::summary(&rows);
    body += "</header>\n<section>\n<h2>Scoreboard</h2>\n";
    body += &board::table(&rows, true);
    body += "</section>\n";
    for (i, r) in reports.iter().enumerate() {
        body += &format!(
            "<article class=\"part\" id=\"{}\">\n<header>\n{}",
            page::id(&r.system),
            report::header(r, "h2")
        );
        if let Some(link) = links.get(i).and_then(|l| page::relative(l)) {
            body += &format!(
                "<p><a href=\"{link}\">The whole report: metrics, tables, files, manifest</a></p>\n"
            );
        }
        body += "</header>\n";
        body += &report::claims(r);
        if !r.figure_data.is_empty() {
            body += "<section>\n<h2>Figures</h2>\n";
            body += &page::figures(&r.system, &r.figure_data, &[]);
            body += "</section>\n";
        }
        body += &report::notes(r);
        body += "</article>\n";
    }
    page::shell("Neuropil: published systems, re-measured", &body)
}
