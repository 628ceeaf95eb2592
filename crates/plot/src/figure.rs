//! A figure as one SVG document.

use crate::color::{INK, SOFT};
use crate::ink::{Anchor, Ink, clean, escape, number};
use crate::legend;
use crate::panel::{Margins, Prepared, aspect};
use crate::style;
use crate::text;
use neuropil_core::{Figure, Panel};
use std::fmt::Write as _;

/// Panels drawn at most.
const PANELS: usize = 48;
/// Marks of a panel drawn at most.
const MARKS: usize = 1000;
/// Room around the figure and between panels.
const EDGE: f64 = 10.0;
const GAP: f64 = 16.0;
/// No font is embedded; the widths in `text` are those of the first three.
const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// The figure as one SVG file with its title and caption: same figure, same bytes.
///
/// Values that are not finite (or beyond 1e300) are skipped and leave a gap in curves; on a logarithmic axis so are
/// values that are not positive. Curves are thinned to about 2,000 points that keep every peak; spikes and points that
/// fall on the same pixel are drawn once; heat maps and pictures are embedded PNG files. An empty panel says so. Cells of a
/// [`Matrix`](neuropil_core::Mark::Matrix) spread over the axis limits where these are fixed, with the first row at the
/// first limit on top; otherwise cell (i, j) is centred on y = i, x = j.
pub fn svg(figure: &Figure) -> String {
    draw(figure, true).text
}

/// A drawn figure.
pub struct Drawing {
    /// SVG text.
    pub text: String,
    /// Width in pixels.
    pub width: f64,
}

/// Without title and caption, for pages that set these as text.
pub fn inline(figure: &Figure) -> Drawing {
    draw(figure, false)
}

fn columns(figure: &Figure, n: usize) -> usize {
    let automatic = match n {
        0 | 1 => 1,
        2 | 4 => 2,
        3 | 5 | 6 | 9 => 3,
        _ => 4,
    };
    if figure.columns == 0 { automatic } else { figure.columns.min(n.max(1)).min(12) }
}

/// Size of a plot in pixels for a number of panels per row.
fn plot_size(columns: usize) -> (f64, f64) {
    match columns {
        0 | 1 => (420.0, 260.0),
        2 => (330.0, 220.0),
        3 => (240.0, 175.0),
        4 => (180.0, 135.0),
        5 | 6 => (130.0, 105.0),
        _ => (90.0, 80.0),
    }
}

/// In small multiples equal axis labels are written once, at the left and at the bottom.
fn share_labels(panels: &mut [Prepared], columns: usize) {
    if panels.len() <= 3 || columns < 2 {
        return;
    }
    let n = panels.len();
    for i in 0..n {
        let left = i - i % columns;
        if i != left && panels[i].y.label == panels[left].y.label {
            panels[i].y.label.clear();
        }
    }
    for i in 0..n {
        if i + columns < n && panels[i].x.label == panels[i + columns].x.label {
            panels[i].x.label.clear();
        }
    }
}

fn draw(figure: &Figure, titled: bool) -> Drawing {
    let cut = |p: &Panel| p.marks.len() > MARKS;
    let shortened: Vec<Panel>;
    let panels: &[Panel] = if figure.panels.len() > PANELS || figure.panels.iter().any(cut) {
        let keep = |p: &Panel| Panel { marks: p.marks.iter().take(MARKS).cloned().collect(), ..p.clone() };
        shortened = figure.panels.iter().take(PANELS).map(keep).collect();
        &shortened
    } else {
        &figure.panels
    };
    let columns = columns(figure, panels.len());
    let styles = style::assign(panels);
    let size =
        if panels.len() == 1 && aspect(&panels[0]).is_some() { (340.0, 260.0) } else { plot_size(columns) };
    let mut prepared: Vec<Prepared> =
        panels.iter().zip(&styles).map(|(p, s)| Prepared::new(p, s, size)).collect();
    share_labels(&mut prepared, columns);
    let mut keyed = prepared.iter().filter(|p| !p.entries.is_empty());
    let first = keyed.next().map(|p| p.entries.clone()).unwrap_or_default();
    let shared = keyed.clone().count() > 0 && keyed.all(|p| p.entries == first);
    if shared {
        prepared.iter_mut().for_each(Prepared::drop_legend);
    }

    let margins: Vec<Margins> = prepared.iter().map(Prepared::margins).collect();
    let rows = prepared.len().div_ceil(columns);
    let in_column = |c: usize| (0..prepared.len()).filter(move |i| i % columns == c);
    let in_row = |r: usize| (0..prepared.len()).filter(move |i| i / columns == r);
    let largest = |items: &mut dyn Iterator<Item = f64>| items.fold(0.0, f64::max);
    let across: Vec<[f64; 3]> = (0..columns)
        .map(|c| {
            [
                largest(&mut in_column(c).map(|i| margins[i].left)),
                largest(&mut in_column(c).map(|i| prepared[i].frame.width())),
                largest(&mut in_column(c).map(|i| margins[i].right)),
            ]
        })
        .collect();
    let down: Vec<[f64; 3]> = (0..rows)
        .map(|r| {
            [
                largest(&mut in_row(r).map(|i| margins[i].top)),
                largest(&mut in_row(r).map(|i| prepared[i].frame.height())),
                largest(&mut in_row(r).map(|i| margins[i].bottom)),
            ]
        })
        .collect();
    let sum = |v: &[[f64; 3]]| v.iter().flatten().sum::<f64>() + GAP * v.len().saturating_sub(1) as f64;
    let width = (sum(&across) + 2.0 * EDGE).max(300.0).ceil();

    let mut ink = Ink::default();
    let mut y = EDGE;
    if titled {
        y = lines(&mut ink, &figure.title, (15.0, 3, "font-weight=\"600\""), y, width);
    }
    let mut top = y;
    for (r, row) in down.iter().enumerate() {
        let mut left = EDGE;
        for (c, i) in in_row(r).enumerate() {
            let p = &prepared[i];
            // A plot smaller than its cell is centred in it.
            let dx = (across[c][1] - p.frame.width()) / 2.0;
            let dy = (row[1] - p.frame.height()) / 2.0;
            ink.open_group((left + across[c][0] + dx).round(), (top + row[0] + dy).round());
            p.draw(&mut ink);
            ink.close_group();
            left += across[c].iter().sum::<f64>() + GAP;
        }
        top += row.iter().sum::<f64>() + GAP;
    }
    y = if rows > 0 { top - GAP + 4.0 } else { top };
    if shared {
        let room = width - 2.0 * EDGE;
        legend::draw_flow(&mut ink, &first, EDGE + 6.0, y + 2.0, room);
        y += legend::flow_height(&first, room) + 4.0;
    }
    if prepared.is_empty() {
        let soft = format!("font-size=\"12\" font-style=\"italic\" fill=\"{SOFT}\"");
        ink.text(width / 2.0, y + 30.0, Anchor::Middle, "no panels", &soft);
        y += 50.0;
    }
    if titled {
        y = lines(&mut ink, &figure.caption, (11.5, 8, ""), y + 4.0, width);
    }
    if let Some(note) = shortened_note(figure) {
        y = lines(&mut ink, &note, (11.0, 2, "font-style=\"italic\""), y + 2.0, width);
    }
    let height = (y + EDGE).ceil();
    let (w, h) = (number(width), number(height));
    let mut text = String::with_capacity(ink.0.len() + 400);
    let _ = write!(
        text,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{w}\" height=\"{h}\" viewBox=\"0 0 {w} {h}\" role=\"img\" \
         font-family=\"{FONT}\"><title>{}</title><desc>{}</desc><rect width=\"{w}\" height=\"{h}\" fill=\"#fff\"/>{}\n</svg>\n",
        escape(&clean(&figure.title)),
        escape(&clean(&figure.caption)),
        ink.0
    );
    Drawing { text, width }
}

fn shortened_note(figure: &Figure) -> Option<String> {
    let panels = figure.panels.len().saturating_sub(PANELS);
    let marks: usize = figure.panels.iter().take(PANELS).map(|p| p.marks.len().saturating_sub(MARKS)).sum();
    match (panels, marks) {
        (0, 0) => None,
        (0, m) => Some(format!("{m} more marks are not drawn")),
        (p, 0) => Some(format!("{p} more panels are not drawn")),
        (p, m) => Some(format!("{p} more panels and {m} more marks are not drawn")),
    }
}

/// Wrapped text from `y` on; returns where the next thing starts.
fn lines(ink: &mut Ink, content: &str, (size, most, style): (f64, usize, &str), y: f64, width: f64) -> f64 {
    let lines = text::wrap(&clean(content), size, width - 2.0 * EDGE, most);
    let color = if size > 12.0 { INK } else { SOFT };
    let attributes = format!("font-size=\"{size}\" fill=\"{color}\" {style}");
    for (i, line) in lines.iter().enumerate() {
        ink.text(EDGE, y + size + 1.35 * size * i as f64, Anchor::Start, line, attributes.trim_end());
    }
    if lines.is_empty() { y } else { y + 1.35 * size * lines.len() as f64 + 6.0 }
}
