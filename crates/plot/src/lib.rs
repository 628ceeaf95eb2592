//! Draws figures, reports and scoreboards.
//!
//! | call | gives |
//! |---|---|
//! | [`svg`] | one SVG file of a [`Figure`](neuropil_core::Figure), with its title and caption |
//! | [`report_page`] | one offline HTML page of a [`Report`](neuropil_core::Report) |
//! | [`board_page`] | the scoreboard of many runs as an HTML page |
//! | [`tour_page`] | the scoreboard, then a section per system |
//! | [`board_markdown`], [`board_terminal`] | the scoreboard as text |
//!
//! Every result is a pure function of its input: same figure, same bytes. No font, script or file is loaded from
//! outside, so a page can be mailed.

mod board;
mod figure;
mod page;
mod report;
mod tour;

pub use board::{BoardRow, board_markdown, board_page, board_terminal};
pub use figure::svg;
pub use report::report_page;
pub use tour::tour_page;
