//! The page of one run.

use crate::page::{self, escape};
use neuropil_core::Report;

/// One offline HTML page of a run: claims with their bars, figures, metrics, tables, notes, artefacts and manifest.
pub fn report_page(report: &Report) -> String {
    let figures: String = report.figure_data.iter().map(crate::svg).collect();
    page::shell(&report.system, &format!("<h1>{}</h1>{figures}", escape(&report.system)))
}
