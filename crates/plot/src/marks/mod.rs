//! Drawing of the marks, a file per family.

mod bars;
mod curve;
mod field;
mod graph;
mod image;
mod matrix;
mod points;
mod raster;

pub use bars::bar;
pub use curve::{line_attributes, line_marker};
pub use matrix::{Colors, draw_bar};

use crate::color::INK;
use crate::ink::{Anchor, Ink, Path, clean};
use crate::occupancy::Occupancy;
use crate::scale::{Frame, Range};
use crate::style::Style;
use crate::text;
use neuropil_core::{Axis, Mark, Panel};

/// Room around the plot that markers, text and line ends may use.
const RIM: f64 = 6.0;

/// Dash patterns of reference levels.
const LEVELS: [&str; 4] = ["5 3", "1.5 2.5", "9 3 1.5 3", "12 4"];
/// Fills of shaded ranges.
const BANDS: [&str; 4] = ["#e4e4e4", "#cddcee", "#f6dfc9", "#d3e8de"];

/// What drawing a mark needs to know beside the mark.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Coordinate system.
    pub frame: &'a Frame,
    /// Axes as asked for: cells spread over their fixed limits.
    pub panel: &'a Panel,
    /// Colour, shape, place.
    pub style: &'a Style,
    /// Curves in the panel share a budget of points.
    pub curves: usize,
}

/// Whether a mark is made of cells: rows count from the top.
pub fn has_cells(mark: &Mark) -> bool {
    matches!(mark, Mark::Matrix { .. } | Mark::Image { .. })
}

/// The ends of `n` cells along an axis: its fixed limits, or half a cell around the indices `0..n`.
pub fn cell_span(axis: &Axis, n: usize) -> (f64, f64) {
    let free = Range::new(axis.log);
    match axis.limits {
        Some(limits) if free.limits(Some(limits), 0.0, 0.0) == limits => limits,
        _ => (-0.5, n as f64 - 0.5),
    }
}

/// Takes the extent of a mark into account.
pub fn extend(mark: &Mark, panel: &Panel, x: &mut Range, y: &mut Range) {
    // With a fixed horizontal axis, only what is visible sets the vertical one.
    let visible = |v: f64| panel.x.limits.is_none_or(|(a, b)| a.min(b) <= v && v <= a.max(b));
    match mark {
        Mark::Line { x: xs, y: ys, interval, .. } => {
            for (i, (&px, &py)) in xs.iter().zip(ys).enumerate() {
                if px.is_finite() && py.is_finite() && visible(px) {
                    x.include(px);
                    y.include(py);
                    if let Some((low, high)) = interval {
                        y.include_all(&low.get(i).copied().into_iter().collect::<Vec<_>>());
                        y.include_all(&high.get(i).copied().into_iter().collect::<Vec<_>>());
                    }
                }
            }
        }
        Mark::Points { x: xs, y: ys, .. } | Mark::Raster { times: xs, rows: ys, .. } => {
            for (&px, &py) in xs.iter().zip(ys) {
                if px.is_finite() && py.is_finite() && visible(px) {
                    x.include(px);
                    y.include(py);
                }
            }
        }
        Mark::Bars { names, values, interval, .. } => {
            let n = names.len().max(values.len());
            if n > 0 {
                x.include(-0.5);
                x.include(n as f64 - 0.5);
            }
            y.include_all(values);
            y.include(0.0);
            if let Some((low, high)) = interval {
                let n = values.len();
                y.include_all(&low[..low.len().min(n)]);
                y.include_all(&high[..high.len().min(n)]);
            }
        }
        Mark::Matrix { rows, columns, .. } => extend_cells(panel, *columns, *rows, x, y),
        Mark::Image { width, height, .. } => extend_cells(panel, *width, *height, x, y),
        Mark::Graph { nodes, .. } => {
            for &(px, py) in nodes {
                if px.is_finite() && py.is_finite() {
                    x.include(px);
                    y.include(py);
                }
            }
        }
        Mark::Arrows { from, by } => {
            for (&(ax, ay), &(dx, dy)) in from.iter().zip(by) {
                if [ax, ay, dx, dy].iter().all(|v| v.is_finite()) {
                    x.include_all(&[ax, ax + dx]);
                    y.include_all(&[ay, ay + dy]);
                }
            }
        }
        Mark::Band { from, to, .. } => x.include_all(&[*from, *to]),
        Mark::Level { y: level, .. } => y.include(*level),
        Mark::Text { x: px, y: py, .. } => {
            if px.is_finite() && py.is_finite() {
                x.include(*px);
                y.include(*py);
            }
        }
    }
}

fn extend_cells(panel: &Panel, columns: usize, rows: usize, x: &mut Range, y: &mut Range) {
    if rows > 0 && columns > 0 {
        let ((a, b), (c, d)) = (cell_span(&panel.x, columns), cell_span(&panel.y, rows));
        x.include_all(&[a, b]);
        y.include_all(&[c, d]);
    }
}

/// The pixel rectangle (x, y, width, height) of a grid of cells.
fn cell_rect(context: &Context, columns: usize, rows: usize) -> Option<(f64, f64, f64, f64)> {
    let ((a, b), (c, d)) = (cell_span(&context.panel.x, columns), cell_span(&context.panel.y, rows));
    let (left, top) = context.frame.at(a, c)?;
    let (right, bottom) = context.frame.at(b, d)?;
    (right > left && bottom > top).then_some((left, top, right - left, bottom - top))
}

/// Takes the pixels of a mark, so that the legend goes elsewhere.
pub fn occupy(mark: &Mark, context: &Context, taken: &mut Occupancy) {
    let frame = context.frame;
    match mark {
        Mark::Line { x, y, interval, .. } => curve::occupy(context, x, y, interval.as_ref(), taken),
        Mark::Points { x, y, .. } | Mark::Raster { times: x, rows: y, .. } => {
            for p in x.iter().zip(y).filter_map(|(&a, &b)| frame.at(a, b)) {
                taken.rect(p.0 - 3.0, p.1 - 3.0, 6.0, 6.0);
            }
        }
        Mark::Bars { values, interval, .. } => bars::occupy(context, values, interval.as_ref(), taken),
        Mark::Matrix { .. } | Mark::Image { .. } => taken.rect(0.0, 0.0, frame.width(), frame.height()),
        Mark::Graph { nodes, edges, .. } => {
            let at = |i: usize| nodes.get(i).and_then(|p| frame.at(p.0, p.1));
            for p in (0..nodes.len()).filter_map(at) {
                taken.rect(p.0 - 5.0, p.1 - 5.0, 10.0, 10.0);
            }
            for &(a, b, _) in edges.iter().take(5000) {
                if let (Some(a), Some(b)) = (at(a), at(b)) {
                    taken.segment(a, b);
                }
            }
        }
        Mark::Arrows { from, by } => {
            for (a, d) in from.iter().zip(by).take(5000) {
                if let (Some(p), Some(q)) = (frame.at(a.0, a.1), frame.at(a.0 + d.0, a.1 + d.1)) {
                    taken.segment(p, q);
                }
            }
        }
        Mark::Band { .. } => {}
        Mark::Level { y, .. } => {
            if let Some(y) = frame.y.at(*y) {
                taken.segment((0.0, y), (frame.width(), y));
            }
        }
        Mark::Text { x, y, text } => {
            if let Some((x, y)) = frame.at(*x, *y) {
                let w = text::width(text, 11.0);
                taken.rect(x - w / 2.0, y - 8.0, w, 16.0);
            }
        }
    }
}

/// Draws a mark, clipped to the plot.
pub fn draw(ink: &mut Ink, mark: &Mark, context: &Context) {
    let frame = context.frame;
    // Markers and texts at the border keep their whole shape; curves and cells end at the axes.
    let rim = match mark {
        Mark::Points { .. } | Mark::Text { .. } | Mark::Graph { .. } | Mark::Bars { .. } => RIM,
        _ => 0.5,
    };
    ink.open_clip(-rim, -rim, frame.width() + 2.0 * rim, frame.height() + 2.0 * rim);
    match mark {
        Mark::Line { x, y, interval, dashed, .. } => {
            curve::draw(ink, context, x, y, interval.as_ref(), *dashed);
        }
        Mark::Points { x, y, texts, .. } => points::draw(ink, context, x, y, texts),
        Mark::Raster { times, rows, .. } => raster::draw(ink, context, times, rows),
        Mark::Bars { values, interval, .. } => bars::draw(ink, context, values, interval.as_ref()),
        Mark::Matrix { rows, columns, values, .. } => {
            matrix::draw(ink, context, (*rows, *columns), values, &Colors::of(mark));
        }
        Mark::Image { width, height, channels, pixels, overlay } => {
            image::draw(ink, context, (*width, *height, *channels), pixels, overlay.as_deref());
        }
        Mark::Graph { nodes, names, groups, edges } => graph::draw(ink, context, nodes, names, groups, edges),
        Mark::Arrows { from, by } => field::draw(ink, context, from, by),
        Mark::Band { from, to, .. } => {
            if let (Some(a), Some(b)) = (frame.x.at(*from), frame.x.at(*to)) {
                let width = (b - a).abs().max(1.0);
                ink.rect(a.min(b), 0.0, width, frame.height(), &band_attributes(context.style.slot.0));
            }
        }
        Mark::Level { y, .. } => {
            if let Some(y) = frame.y.at(*y) {
                let mut path = Path::default();
                path.segment((0.0, y), (frame.width(), y));
                ink.path(&path, &level_attributes(context.style.slot.0));
            }
        }
        Mark::Text { x, y, text } => {
            if let Some((x, y)) = frame.at(*x, *y) {
                let text = text::shorten(&clean(text), 11.0, frame.width());
                let half = text::width(&text, 11.0) / 2.0;
                let x =
                    x.clamp(half.min(frame.width() / 2.0), (frame.width() - half).max(frame.width() / 2.0));
                let y = (y + 4.0).clamp(10.0, (frame.height() - 2.0).max(10.0));
                ink.halo(x, y, Anchor::Middle, &text, &format!("font-size=\"11\" fill=\"{INK}\""));
            }
        }
    }
    ink.close_clip();
}

/// Attributes of a shaded range.
pub fn band_attributes(slot: usize) -> String {
    format!("fill=\"{}\"", BANDS[slot % BANDS.len()])
}

/// Attributes of a reference level.
pub fn level_attributes(slot: usize) -> String {
    format!(
        "fill=\"none\" stroke=\"#444\" stroke-width=\"1.2\" stroke-dasharray=\"{}\"",
        LEVELS[slot % LEVELS.len()]
    )
}
