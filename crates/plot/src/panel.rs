//! One panel: its coordinate system, its margins, its drawing.

use crate::axis::{self, Drawn};
use crate::color::{INK, SOFT};
use crate::ink::{Anchor, Ink, Path, clean};
use crate::legend::{self, Entry};
use crate::marks::{self, Colors, Context};
use crate::occupancy::Occupancy;
use crate::scale::{Frame, Range, Scale};
use crate::style::Style;
use crate::text;
use crate::ticks;
use neuropil_core::{Mark, Panel};

/// Size of panel titles.
const TITLE: f64 = 12.5;

/// Room around the plot in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Margins {
    /// Left of the plot.
    pub left: f64,
    /// Right of it.
    pub right: f64,
    /// Above it.
    pub top: f64,
    /// Below it.
    pub bottom: f64,
}

/// Where a panel's legend goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    Nowhere,
    Inside(f64, f64),
    Below,
}

/// A panel with everything measured.
pub struct Prepared<'a> {
    panel: &'a Panel,
    styles: &'a [Style],
    /// Coordinate system; its lengths are the size of the plot.
    pub frame: Frame,
    /// Horizontal axis.
    pub x: Drawn,
    /// Vertical axis.
    pub y: Drawn,
    /// Legend.
    pub entries: Vec<Entry>,
    place: Place,
    colors: Option<(Colors, &'a str)>,
    title: Vec<String>,
    bare: bool,
    empty: bool,
}

/// Width over height that the panel has to keep: pictures always, heat maps unless they are long and narrow.
pub fn aspect(panel: &Panel) -> Option<f64> {
    panel.marks.iter().find_map(|mark| match mark {
        Mark::Image { width, height, .. } if *width > 0 && *height > 0 => {
            Some((*width as f64 / *height as f64).clamp(0.2, 5.0))
        }
        Mark::Matrix { rows, columns, .. } if *rows > 0 && *columns > 0 => {
            let ratio = *columns as f64 / *rows as f64;
            (0.33..=3.0).contains(&ratio).then_some(ratio)
        }
        _ => None,
    })
}

/// Chooses the coordinate system of a plot of at most the given size.
fn frame(panel: &Panel, (width, height): (f64, f64)) -> (Frame, bool) {
    let cells = panel.marks.iter().any(marks::has_cells);
    let (width, height) = match aspect(panel) {
        Some(ratio) => {
            let height = height.max(0.86 * width);
            if width / height > ratio { (height * ratio, height) } else { (width, width / ratio) }
        }
        None => (width, height),
    };
    // Cells without fixed limits sit at -0.5, 0.5, ..., which no logarithm can show.
    let log = |axis: &neuropil_core::Axis| {
        axis.log && (!cells || axis.limits.is_some_and(|(a, b)| a > 0.0 && b > 0.0))
    };
    let mut x = Range::new(log(&panel.x));
    let mut y = Range::new(log(&panel.y));
    for mark in &panel.marks {
        marks::extend(mark, panel, &mut x, &mut y);
    }
    let empty = x.is_empty() && y.is_empty();
    let has = |f: fn(&Mark) -> bool| panel.marks.iter().any(f);
    let scattered = has(|m| {
        matches!(m, Mark::Points { .. } | Mark::Text { .. } | Mark::Graph { .. } | Mark::Arrows { .. })
    });
    let markers = has(|m| matches!(m, Mark::Line { x, .. } if x.len() <= 25));
    let bars = has(|m| matches!(m, Mark::Bars { .. }));
    let graph = has(|m| matches!(m, Mark::Graph { .. }));
    let pad_x = if cells {
        0.0
    } else if scattered {
        0.05
    } else if markers {
        0.03
    } else {
        0.0
    };
    let pad_y = if cells {
        0.0
    } else if graph {
        0.1
    } else {
        0.06
    };
    let (below, above) =
        (if bars && y.low >= 0.0 { 0.0 } else { pad_y }, if bars && y.high <= 0.0 { 0.0 } else { pad_y });
    let (mut x_limits, mut y_limits) =
        (x.limits(panel.x.limits, pad_x, pad_x), y.limits(panel.y.limits, below, above));
    // An axis that ends at the data reads better when it reaches the round number just beyond.
    if pad_x == 0.0 && !cells && !x.log() && panel.x.limits.is_none() {
        x_limits = rounded(x_limits, width);
    }
    let free = panel.x.limits.is_none() && panel.y.limits.is_none() && !panel.x.log && !panel.y.log;
    if graph && free {
        (x_limits, y_limits) =
            (widen(x_limits, y_limits, width / height), widen(y_limits, x_limits, height / width));
    }
    let x = Scale { low: x_limits.0, high: x_limits.1, log: log(&panel.x), length: width, downward: true };
    let y = Scale { low: y_limits.0, high: y_limits.1, log: log(&panel.y), length: height, downward: cells };
    (Frame { x, y }, empty)
}

/// Limits moved outward to a tick if one is within 4 % of the span.
fn rounded((low, high): (f64, f64), length: f64) -> (f64, f64) {
    let step = ticks::nice_step(low, high, (length / 62.0).clamp(2.0, 12.0));
    let (a, b) = ((low / step).floor() * step, (high / step).ceil() * step);
    let near = 0.04 * (high - low);
    (if low - a <= near { a } else { low }, if b - high <= near { b } else { high })
}

/// `own` widened so that a unit has the same length on both axes; `ratio` is the length of this axis over the other.
fn widen(own: (f64, f64), other: (f64, f64), ratio: f64) -> (f64, f64) {
    let wanted = (other.1 - other.0) * ratio;
    let missing = (wanted - (own.1 - own.0)).max(0.0) / 2.0;
    (own.0 - missing, own.1 + missing)
}

impl<'a> Prepared<'a> {
    /// Measures a panel for a plot of at most the given size.
    pub fn new(panel: &'a Panel, styles: &'a [Style], size: (f64, f64)) -> Self {
        let (frame, empty) = frame(panel, size);
        let bare = axis::is_bare(panel);
        let resolve =
            |horizontal| if bare { Drawn::default() } else { axis::resolve(panel, &frame, horizontal) };
        let colors = panel.marks.iter().find_map(|m| match m {
            Mark::Matrix { label, rows, columns, .. } if *rows > 0 && *columns > 0 => {
                Some((Colors::of(m), label.as_str()))
            }
            _ => None,
        });
        let title = text::wrap(&clean(&panel.title), TITLE, frame.width().max(150.0) + 24.0, 2);
        let (x, y) = (resolve(true), resolve(false));
        let entries = legend::entries(panel, styles);
        let mut prepared =
            Self { panel, styles, frame, x, y, entries, place: Place::Nowhere, colors, title, bare, empty };
        prepared.place_legend();
        prepared
    }

    /// Leaves the legend to the figure.
    pub fn drop_legend(&mut self) {
        self.place = Place::Nowhere;
    }

    fn context<'b>(&'b self, style: &'b Style) -> Context<'b> {
        let curves = self.panel.marks.iter().filter(|m| matches!(m, Mark::Line { .. })).count();
        Context { frame: &self.frame, panel: self.panel, style, curves }
    }

    fn place_legend(&mut self) {
        if self.entries.is_empty() {
            return;
        }
        let (w, h) = (self.frame.width(), self.frame.height());
        let mut taken = Occupancy::new(w, h);
        for (mark, style) in self.panel.marks.iter().zip(self.styles) {
            marks::occupy(mark, &self.context(style), &mut taken);
        }
        self.place = match legend::place_inside(&self.entries, &taken, w, h) {
            Some((x, y)) => Place::Inside(x, y),
            None => Place::Below,
        };
    }

    /// Room that the panel needs around its plot.
    pub fn margins(&self) -> Margins {
        let (w, h) = (self.frame.width(), self.frame.height());
        let over = self.x.overhang(w);
        let legend =
            if self.place == Place::Below { legend::flow_height(&self.entries, w) + 4.0 } else { 0.0 };
        let bar = self.colors.as_ref().map_or(0.0, |(c, label)| c.bar_width(h, label));
        let title = if self.title.is_empty() { 8.0 } else { 15.0 * self.title.len() as f64 + 8.0 };
        Margins {
            left: if self.bare { 6.0 } else { self.y.left().max(over.0 + 4.0) },
            right: (over.1 + 4.0).max(10.0).max(bar + 4.0),
            top: title,
            bottom: if self.bare { 6.0 } else { self.x.below() } + legend,
        }
    }

    /// Draws the panel with the upper left corner of its plot at the origin.
    pub fn draw(&self, ink: &mut Ink) {
        let (w, h) = (self.frame.width(), self.frame.height());
        let cells = self.panel.marks.iter().any(marks::has_cells);
        if !self.bare && !cells {
            self.y.draw_grid(ink, w);
        }
        for (mark, style) in self.panel.marks.iter().zip(self.styles) {
            marks::draw(ink, mark, &self.context(style));
        }
        if self.empty {
            let soft = format!("font-size=\"11.5\" font-style=\"italic\" fill=\"{SOFT}\"");
            ink.text(w / 2.0, h / 2.0 + 4.0, Anchor::Middle, "no data", &soft);
        }
        if cells {
            ink.rect(0.0, 0.0, w, h, &format!("fill=\"none\" stroke=\"{SOFT}\" stroke-width=\".8\""));
        } else if !self.bare {
            let mut spines = Path::default();
            spines.polyline(&[(0.0, 0.0), (0.0, h), (w, h)]);
            ink.path(&spines, &format!("fill=\"none\" stroke=\"{SOFT}\" stroke-width=\"1\""));
        }
        if !self.bare {
            self.y.draw_left(ink, h);
            self.x.draw_below(ink, w, h);
        }
        if let Some((colors, label)) = &self.colors {
            marks::draw_bar(ink, colors, label, w, h);
        }
        for (i, line) in self.title.iter().enumerate() {
            let y = -9.0 - 15.0 * (self.title.len() - 1 - i) as f64;
            ink.text(
                0.0,
                y,
                Anchor::Start,
                line,
                &format!("font-size=\"{TITLE}\" font-weight=\"600\" fill=\"{INK}\""),
            );
        }
        match self.place {
            Place::Nowhere => {}
            Place::Inside(x, y) => legend::draw_stacked(ink, &self.entries, x, y),
            Place::Below => {
                let below = if self.bare { 6.0 } else { self.x.below() };
                legend::draw_flow(ink, &self.entries, 0.0, h + below + 6.0, w);
            }
        }
    }
}
