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

#![allow(
    clippy::format_push_string,
    clippy::format_collect,
    reason = "a page has a few hundred pieces; reading the markup matters more than an allocation"
)]

mod axis;
mod board;
mod color;
mod embed;
mod figure;
mod ink;
mod legend;
mod listing;
mod marks;
mod occupancy;
mod page;
mod panel;
mod report;
mod scale;
mod style;
mod text;
mod ticks;
mod tour;
mod value;

pub use board::{BoardRow, board_page};
pub use figure::svg;
pub use listing::{board_markdown, board_terminal};
pub use report::report_page;
pub use tour::tour_page;
