//! Which colour, marker and place each mark gets, so that a label looks the same in every panel of a figure.

use crate::color;
use crate::ink::{Path, Rgb};
use neuropil_core::{Mark, Panel};

/// More unlabelled curves than this in a panel are drawn as a thin bundle.
const BUNDLE: usize = 3;

/// How a mark is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Style {
    /// Colour.
    pub color: Rgb,
    /// Marker shape, also the hatch of bars.
    pub index: usize,
    /// Place among the marks of its kind in the panel and their number: bars stand side by side.
    pub slot: (usize, usize),
    /// What the mark is for.
    pub role: Role,
}

/// What a mark is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// One of the data series.
    Series,
    /// An unlabelled dashed curve, such as an identity line.
    Reference,
    /// One of many unlabelled curves.
    Bundle,
}

/// Shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// Filled circle.
    Circle,
    /// Filled square.
    Square,
    /// Filled triangle, point up.
    Triangle,
    /// Filled diamond.
    Diamond,
    /// Filled triangle, point down.
    Down,
    /// Diagonal cross.
    Cross,
    /// Upright cross.
    Plus,
    /// Star of three strokes.
    Star,
}

impl Marker {
    /// The shape of series `index`.
    pub fn of(index: usize) -> Self {
        use Marker::{Circle, Cross, Diamond, Down, Plus, Square, Star, Triangle};
        [Circle, Square, Triangle, Diamond, Down, Cross, Plus, Star][index % 8]
    }

    /// Whether the shape is made of strokes.
    pub fn is_open(self) -> bool {
        matches!(self, Self::Cross | Self::Plus | Self::Star)
    }

    /// Adds the shape of radius `r` at (x, y).
    pub fn draw(self, path: &mut Path, x: f64, y: f64, r: f64) {
        match self {
            Self::Circle => path.circle(x, y, r),
            Self::Square => {
                let a = r * 0.9;
                path.polygon(&[(x - a, y - a), (x + a, y - a), (x + a, y + a), (x - a, y + a)]);
            }
            Self::Triangle => {
                path.polygon(&[(x, y - 1.2 * r), (x + 1.1 * r, y + 0.8 * r), (x - 1.1 * r, y + 0.8 * r)]);
            }
            Self::Down => {
                path.polygon(&[(x, y + 1.2 * r), (x + 1.1 * r, y - 0.8 * r), (x - 1.1 * r, y - 0.8 * r)]);
            }
            Self::Diamond => {
                let a = r * 1.3;
                path.polygon(&[(x, y - a), (x + a, y), (x, y + a), (x - a, y)]);
            }
            Self::Cross => {
                path.segment((x - r, y - r), (x + r, y + r));
                path.segment((x - r, y + r), (x + r, y - r));
            }
            Self::Plus => {
                let a = r * 1.2;
                path.segment((x - a, y), (x + a, y));
                path.segment((x, y - a), (x, y + a));
            }
            Self::Star => {
                path.segment((x, y - 1.2 * r), (x, y + 1.2 * r));
                path.segment((x - r, y - 0.6 * r), (x + r, y + 0.6 * r));
                path.segment((x - r, y + 0.6 * r), (x + r, y - 0.6 * r));
            }
        }
    }

    /// Attributes that fit the shape.
    pub fn attributes(self, color: Rgb) -> String {
        let color = crate::ink::hex(color);
        if self.is_open() {
            format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"1.6\"")
        } else {
            format!("fill=\"{color}\" stroke=\"#fff\" stroke-width=\".7\"")
        }
    }
}

/// Legend text of a mark; empty for none.
pub fn label(mark: &Mark) -> &str {
    match mark {
        Mark::Line { label, .. }
        | Mark::Points { label, .. }
        | Mark::Raster { label, .. }
        | Mark::Bars { label, .. }
        | Mark::Band { label, .. }
        | Mark::Level { label, .. } => label,
        _ => "",
    }
}

fn is_series(mark: &Mark) -> bool {
    matches!(mark, Mark::Line { .. } | Mark::Points { .. } | Mark::Raster { .. } | Mark::Bars { .. })
}

fn labels<'a>(panels: impl Iterator<Item = &'a Panel>) -> Vec<&'a str> {
    let mut seen: Vec<&str> = Vec::new();
    for mark in panels.flat_map(|p| &p.marks).filter(|m| is_series(m)) {
        let l = label(mark);
        if !l.is_empty() && seen.len() < 200 && !seen.contains(&l) {
            seen.push(l);
        }
    }
    seen
}

/// A style per panel and mark. Labels keep their colour over the whole figure when it has few of them.
pub fn assign(panels: &[Panel]) -> Vec<Vec<Style>> {
    let all = labels(panels.iter());
    let shared = (all.len() <= color::SERIES.len()).then_some(all);
    panels
        .iter()
        .map(|panel| {
            let own = labels(std::iter::once(panel));
            assign_panel(panel, shared.as_ref().unwrap_or(&own), &own)
        })
        .collect()
}

fn assign_panel(panel: &Panel, names: &[&str], own: &[&str]) -> Vec<Style> {
    let plain = |m: &Mark| matches!(m, Mark::Line { label, dashed: false, .. } if label.is_empty());
    let bundle = panel.marks.iter().filter(|m| plain(m)).count() > BUNDLE;
    let reference = |m: &Mark| matches!(m, Mark::Line { label, dashed: true, .. } if label.is_empty());
    let mut next = own.iter().filter_map(|l| names.iter().position(|n| n == l)).max().map_or(0, |i| i + 1);
    let series: Vec<Option<(usize, Role)>> = panel
        .marks
        .iter()
        .map(|m| {
            if !is_series(m) {
                return None;
            }
            if let Some(i) = names.iter().position(|n| *n == label(m)) {
                return Some((i, Role::Series));
            }
            if reference(m) {
                return Some((0, Role::Reference));
            }
            if bundle && plain(m) {
                return Some((0, Role::Bundle));
            }
            next += 1;
            Some((next - 1, Role::Series))
        })
        .collect();
    let count = next.max(names.len()).max(1);
    let kind = |m: &Mark| std::mem::discriminant(m);
    panel
        .marks
        .iter()
        .enumerate()
        .map(|(i, m)| {
            let same = |marks: &[Mark]| marks.iter().filter(|o| kind(o) == kind(m)).count();
            // Only bars, bands and levels need their place, and a panel holds few of them.
            let slot = if matches!(m, Mark::Bars { .. } | Mark::Band { .. } | Mark::Level { .. }) {
                (same(&panel.marks[..i]), same(&panel.marks))
            } else {
                (0, 1)
            };
            let (index, role) = series[i].unwrap_or((0, Role::Series));
            let color = match role {
                Role::Series => color::series(index, count),
                Role::Reference => [0x66, 0x66, 0x66],
                Role::Bundle => color::SERIES[0],
            };
            Style { color, index, slot, role }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Axis;

    fn line(label: &str) -> Mark {
        Mark::line(label, vec![0.0, 1.0], vec![0.0, 1.0])
    }

    #[test]
    fn a_label_keeps_its_colour_in_every_panel() {
        let panel = |marks| Panel::new("", Axis::default(), Axis::default(), marks);
        let styles = assign(&[panel(vec![line("a"), line("b")]), panel(vec![line("b"), line("")])]);
        assert_eq!(styles[0][1].color, styles[1][0].color);
        assert_ne!(styles[1][0].color, styles[1][1].color);
    }

    #[test]
    fn many_unlabelled_curves_are_a_bundle() {
        let marks = vec![line(""), line(""), line(""), line(""), line("mean")];
        let styles = assign(&[Panel::new("", Axis::default(), Axis::default(), marks)]);
        assert!(styles[0][..4].iter().all(|s| s.role == Role::Bundle));
        assert_eq!(styles[0][4].role, Role::Series);
    }
}
