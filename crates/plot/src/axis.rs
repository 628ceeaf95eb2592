//! Ticks and labels of a panel's two axes, resolved to pixels.

use crate::color::{GRID, INK, SOFT};
use crate::ink::{Anchor, Ink, Path, clean};
use crate::marks::cell_span;
use crate::scale::{Frame, Scale};
use crate::text;
use crate::ticks::{self, Ticks};
use neuropil_core::{Axis, Mark, Panel};

/// Size of tick texts.
const TICK: f64 = 10.5;
/// Size of axis labels.
const LABEL: f64 = 11.5;
/// Sine and cosine of the angle of turned names, 40 degrees.
const TURN: (f64, f64) = (0.643, 0.766);

/// A tick at a pixel, its text in lines.
#[derive(Debug, Clone, PartialEq)]
struct Tick {
    at: f64,
    lines: Vec<String>,
}

/// One axis ready to draw.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Drawn {
    ticks: Vec<Tick>,
    minor: Vec<f64>,
    /// Quantity with its unit.
    pub label: String,
    turned: bool,
    numeric: bool,
}

/// The pixel and name of each of `n` cells spread over `span`.
fn named(scale: &Scale, span: (f64, f64), names: &[String], n: usize) -> Vec<(f64, String)> {
    let (Some(a), Some(b)) = (scale.at(span.0), scale.at(span.1)) else { return Vec::new() };
    let at = |i: usize| a + (b - a) * (i as f64 + 0.5) / n as f64;
    let inside = |px: f64| (-0.5..=scale.length + 0.5).contains(&px);
    names.iter().take(n).enumerate().map(|(i, t)| (at(i), clean(t))).filter(|t| inside(t.0)).collect()
}

/// The names along an axis, if the marks bring some.
fn names(panel: &Panel, scale: &Scale, horizontal: bool) -> Option<Vec<(f64, String)>> {
    panel.marks.iter().find_map(|mark| match mark {
        Mark::Matrix { rows, row_names, .. } if !horizontal && !row_names.is_empty() && *rows > 0 => {
            Some(named(scale, cell_span(&panel.y, *rows), row_names, *rows))
        }
        Mark::Matrix { columns, column_names, .. }
            if horizontal && !column_names.is_empty() && *columns > 0 =>
        {
            Some(named(scale, cell_span(&panel.x, *columns), column_names, *columns))
        }
        Mark::Bars { names, values, .. } if horizontal && !names.is_empty() => {
            let n = names.len().max(values.len());
            Some(named(scale, (-0.5, n as f64 - 0.5), names, n))
        }
        _ => None,
    })
}

/// Whether the axis counts cells or bars, so that only whole numbers make sense.
fn counts(panel: &Panel, axis: &Axis, horizontal: bool) -> bool {
    axis.limits.is_none()
        && panel.marks.iter().any(|m| match m {
            Mark::Matrix { .. } | Mark::Image { .. } => true,
            Mark::Bars { .. } => horizontal,
            Mark::Raster { .. } => !horizontal,
            _ => false,
        })
}

/// Pictures and graphs have no axes unless the panel asks for them.
pub fn is_bare(panel: &Panel) -> bool {
    let asked = |a: &Axis| !a.label.is_empty() || a.ticks.is_some();
    let plain = |m: &Mark| matches!(m, Mark::Image { .. } | Mark::Graph { .. } | Mark::Text { .. });
    !panel.marks.is_empty() && panel.marks.iter().all(plain) && !asked(&panel.x) && !asked(&panel.y)
}

/// Resolves one axis.
pub fn resolve(panel: &Panel, frame: &Frame, horizontal: bool) -> Drawn {
    let (axis, scale) = if horizontal { (&panel.x, &frame.x) } else { (&panel.y, &frame.y) };
    let mut drawn = Drawn::default();
    let mut factor = String::new();
    let texts: Vec<(f64, String)> = if let Some(fixed) = &axis.ticks {
        let inside = fixed.iter().filter(|t| scale.contains(t.0));
        inside.filter_map(|(v, t)| Some((scale.at(*v)?, clean(t)))).take(500).collect()
    } else if let Some(names) = names(panel, scale, horizontal) {
        names
    } else {
        let apart = if horizontal { 62.0 } else { 38.0 };
        let ticks: Ticks = if counts(panel, axis, horizontal) && !scale.log {
            ticks::whole(scale, apart)
        } else {
            ticks::automatic(scale, apart)
        };
        factor = ticks.factor;
        drawn.minor = ticks.minor.iter().filter_map(|v| scale.at(*v)).collect();
        drawn.numeric = true;
        ticks.major.into_iter().filter_map(|(v, t)| Some((scale.at(v)?, t))).collect()
    };
    drawn.label = label(axis, &factor);
    if horizontal {
        place_across(&mut drawn, texts, scale.length);
    } else {
        place_down(&mut drawn, texts);
    }
    drawn
}

/// `time (ms)`, with the common factor of the ticks before the unit.
fn label(axis: &Axis, factor: &str) -> String {
    let (name, unit) = (clean(&axis.label), clean(&axis.unit));
    let unit = [factor, &unit].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
    match (name.is_empty(), unit.is_empty()) {
        (_, true) => name,
        (true, false) => unit,
        (false, false) => format!("{name} ({unit})"),
    }
}

/// Smallest distance between neighbours.
fn pitch(texts: &[(f64, String)]) -> f64 {
    let mut at: Vec<f64> = texts.iter().map(|t| t.0).collect();
    at.sort_by(f64::total_cmp);
    at.windows(2).map(|w| w[1] - w[0]).fold(f64::INFINITY, f64::min)
}

/// Every k-th text, so that neighbours are at least `room` pixels apart.
fn sparse(texts: Vec<(f64, String)>, room: f64) -> Vec<(f64, String)> {
    let every = (room / pitch(&texts).max(0.01)).ceil().clamp(1.0, 1e6) as usize;
    texts.into_iter().step_by(every).collect()
}

/// Texts below a horizontal axis: in one line, in several, or turned.
fn place_across(drawn: &mut Drawn, texts: Vec<(f64, String)>, length: f64) {
    let room = pitch(&texts).min(length) - 6.0;
    let widest = texts.iter().map(|t| text::width(&t.1, TICK)).fold(0.0, f64::max);
    let line = |(at, t): (f64, String)| Tick { at, lines: vec![t] };
    if widest <= room {
        drawn.ticks = texts.into_iter().map(line).collect();
    } else if drawn.numeric {
        drawn.ticks = sparse(texts, widest + 8.0).into_iter().map(line).collect();
    } else if room >= 34.0 && texts.iter().all(|t| fits(&t.1, room)) {
        let wrapped = |(at, t): (f64, String)| Tick { at, lines: text::wrap(&t, TICK, room, 3) };
        drawn.ticks = texts.into_iter().map(wrapped).collect();
    } else {
        drawn.turned = true;
        let short = |(at, t): (f64, String)| Tick { at, lines: vec![text::shorten(&t, TICK, 130.0)] };
        drawn.ticks = sparse(texts, 12.0).into_iter().map(short).collect();
    }
}

fn fits(name: &str, room: f64) -> bool {
    name.split_whitespace().all(|w| text::width(w, TICK) <= room)
        && text::wrap(name, TICK, room, 3).last().is_none_or(|l| !l.ends_with('…') || name.ends_with('…'))
}

/// Texts left of a vertical axis.
fn place_down(drawn: &mut Drawn, texts: Vec<(f64, String)>) {
    let short = |(at, t): (f64, String)| Tick { at, lines: vec![text::shorten(&t, TICK, 130.0)] };
    drawn.ticks = sparse(texts, 11.0).into_iter().map(short).collect();
}

impl Drawn {
    /// Room left of the plot for a vertical axis.
    pub fn left(&self) -> f64 {
        let widest =
            self.ticks.iter().flat_map(|t| &t.lines).map(|t| text::width(t, TICK)).fold(0.0, f64::max);
        8.0 + widest + if self.label.is_empty() { 0.0 } else { 19.0 }
    }

    /// Room below the plot for a horizontal axis.
    pub fn below(&self) -> f64 {
        self.tick_depth() + if self.label.is_empty() { 0.0 } else { 18.0 }
    }

    fn tick_depth(&self) -> f64 {
        let widest =
            self.ticks.iter().flat_map(|t| &t.lines).map(|t| text::width(t, TICK)).fold(0.0, f64::max);
        let lines = self.ticks.iter().map(|t| t.lines.len()).max().unwrap_or(0);
        match (lines, self.turned) {
            (0, _) => 4.0,
            (_, true) => 10.0 + TURN.0 * widest + 8.0,
            (n, false) => 6.0 + 12.5 * n as f64,
        }
    }

    /// How far texts of a horizontal axis reach beyond the left and the right end of the plot.
    pub fn overhang(&self, length: f64) -> (f64, f64) {
        let reach = |t: &Tick| {
            let w = t.lines.iter().map(|l| text::width(l, TICK)).fold(0.0, f64::max);
            if self.turned { (TURN.1 * w - t.at, 0.0) } else { (w / 2.0 - t.at, t.at + w / 2.0 - length) }
        };
        self.ticks.iter().map(reach).fold((0.0, 0.0), |a, b| (a.0.max(b.0), a.1.max(b.1)))
    }

    /// Grid lines of a vertical axis.
    pub fn draw_grid(&self, ink: &mut Ink, width: f64) {
        let mut path = Path::default();
        for t in &self.ticks {
            path.segment((0.0, t.at), (width, t.at));
        }
        ink.path(&path, &format!("fill=\"none\" stroke=\"{GRID}\" stroke-width=\"1\""));
    }

    /// Draws a vertical axis left of the plot.
    pub fn draw_left(&self, ink: &mut Ink, height: f64) {
        let mut path = Path::default();
        for t in &self.ticks {
            path.segment((-4.0, t.at), (0.0, t.at));
            for line in &t.lines {
                ink.text(
                    -7.0,
                    t.at + 3.7,
                    Anchor::End,
                    line,
                    &format!("font-size=\"{TICK}\" fill=\"{INK}\""),
                );
            }
        }
        for m in &self.minor {
            path.segment((-2.5, *m), (0.0, *m));
        }
        ink.path(&path, &format!("fill=\"none\" stroke=\"{SOFT}\" stroke-width=\"1\""));
        let label = text::shorten(&self.label, LABEL, height + 40.0);
        let at = 8.0 - self.left();
        ink.turned(
            at + 2.0,
            height / 2.0,
            -90.0,
            Anchor::Middle,
            &label,
            &format!("font-size=\"{LABEL}\" fill=\"{INK}\""),
        );
    }

    /// Draws a horizontal axis below the plot.
    pub fn draw_below(&self, ink: &mut Ink, width: f64, height: f64) {
        let mut path = Path::default();
        let attributes = format!("font-size=\"{TICK}\" fill=\"{INK}\"");
        for t in &self.ticks {
            path.segment((t.at, height), (t.at, height + 4.0));
            for (i, line) in t.lines.iter().enumerate() {
                if self.turned {
                    ink.turned(t.at + 3.0, height + 13.0, -40.0, Anchor::End, line, &attributes);
                } else {
                    ink.text(t.at, height + 15.0 + 12.5 * i as f64, Anchor::Middle, line, &attributes);
                }
            }
        }
        for m in &self.minor {
            path.segment((*m, height), (*m, height + 2.5));
        }
        ink.path(&path, &format!("fill=\"none\" stroke=\"{SOFT}\" stroke-width=\"1\""));
        let label = text::shorten(&self.label, LABEL, width + 60.0);
        let y = height + self.tick_depth() + 13.0;
        ink.text(width / 2.0, y, Anchor::Middle, &label, &format!("font-size=\"{LABEL}\" fill=\"{INK}\""));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_carries_its_unit_and_factor() {
        assert_eq!(label(&Axis::new("time", "ms"), ""), "time (ms)");
        assert_eq!(label(&Axis::new("time", "ms"), "×10⁶"), "time (×10⁶ ms)");
        assert_eq!(label(&Axis::new("error", ""), ""), "error");
        assert_eq!(label(&Axis::default(), ""), "");
    }

    #[test]
    fn names_that_do_not_fit_are_turned_and_thinned() {
        let mut drawn = Drawn::default();
        let texts = (0..100).map(|i| (2.0 * f64::from(i), format!("a rather long name {i}"))).collect();
        place_across(&mut drawn, texts, 200.0);
        assert!(drawn.turned && drawn.ticks.len() <= 17, "{}", drawn.ticks.len());
        assert!(drawn.overhang(200.0).0 > 0.0);
    }
}
