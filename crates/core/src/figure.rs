//! Figures as data: panels of marks on labelled axes. `neuropil-plot` draws them.

use serde::{Deserialize, Serialize};

/// A figure of one or more panels.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Figure {
    /// File stem: lower case, digits and `_`.
    pub name: String,
    /// Headline.
    pub title: String,
    /// What a reader should see, in a sentence or two.
    pub caption: String,
    /// Panels, laid out in rows of `columns`.
    pub panels: Vec<Panel>,
    /// Panels per row; 0 lets the renderer choose.
    pub columns: usize,
}

/// One coordinate system with its marks, drawn in order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Panel {
    /// Panel title; may be empty.
    pub title: String,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
    /// What is drawn.
    pub marks: Vec<Mark>,
}

/// An axis.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Axis {
    /// Quantity, for example `time`.
    pub label: String,
    /// Unit, for example `ms`; empty for a dimensionless quantity.
    pub unit: String,
    /// Logarithmic scale.
    pub log: bool,
    /// Fixed limits; otherwise from the data.
    pub limits: Option<(f64, f64)>,
    /// Fixed tick positions with texts; otherwise chosen.
    pub ticks: Option<Vec<(f64, String)>>,
}

/// Something drawn in a panel. Coordinates are data coordinates. Equal lengths are the caller's duty; the renderer
/// draws the common prefix and skips points that are not finite.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "mark", rename_all = "snake_case")]
pub enum Mark {
    /// A curve, optionally with an interval around it.
    Line {
        /// Legend text; empty for none.
        label: String,
        /// Horizontal positions.
        x: Vec<f64>,
        /// Values.
        y: Vec<f64>,
        /// Lower and upper end of the interval per point.
        interval: Option<(Vec<f64>, Vec<f64>)>,
        /// Dashed instead of solid.
        dashed: bool,
    },
    /// Points.
    Points {
        /// Legend text; empty for none.
        label: String,
        /// Horizontal positions.
        x: Vec<f64>,
        /// Vertical positions.
        y: Vec<f64>,
        /// Text beside each point; empty for none.
        texts: Vec<String>,
    },
    /// Spikes: one tick per event at (time, row).
    Raster {
        /// Legend text; empty for none.
        label: String,
        /// Times.
        times: Vec<f64>,
        /// Row of each event.
        rows: Vec<f64>,
    },
    /// Bars at 0, 1, 2, ... with optional intervals.
    Bars {
        /// Legend text; empty for none.
        label: String,
        /// Name under each bar.
        names: Vec<String>,
        /// Heights.
        values: Vec<f64>,
        /// Lower and upper end per bar.
        interval: Option<(Vec<f64>, Vec<f64>)>,
    },
    /// A matrix as a heat map, row 0 on top.
    Matrix {
        /// Rows.
        rows: usize,
        /// Columns.
        columns: usize,
        /// Row-major values; NaN is drawn as missing.
        values: Vec<f64>,
        /// Names of the rows; empty for none.
        row_names: Vec<String>,
        /// Names of the columns; empty for none.
        column_names: Vec<String>,
        /// Quantity and unit of the colour bar.
        label: String,
        /// Colour scale centred on zero.
        diverging: bool,
        /// Colour limits; otherwise from the data.
        limits: Option<(f64, f64)>,
    },
    /// A picture, 1 (grey) or 3 (RGB) channels, row-major, interleaved; `overlay` labels are outlined.
    Image {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// 1 or 3.
        channels: usize,
        /// Pixels.
        pixels: Vec<u8>,
        /// Optional label per pixel; 0 is background.
        overlay: Option<Vec<u16>>,
    },
    /// A graph drawn at given positions.
    Graph {
        /// Node positions.
        nodes: Vec<(f64, f64)>,
        /// Node names; empty for none.
        names: Vec<String>,
        /// Group of each node, which sets its shade; empty for one group.
        groups: Vec<usize>,
        /// Edges (source, target, weight); the width follows |weight|.
        edges: Vec<(usize, usize, f64)>,
    },
    /// Arrows of a vector field.
    Arrows {
        /// Tails.
        from: Vec<(f64, f64)>,
        /// Displacements.
        by: Vec<(f64, f64)>,
    },
    /// A shaded range of x.
    Band {
        /// Legend text; empty for none.
        label: String,
        /// Left end.
        from: f64,
        /// Right end.
        to: f64,
    },
    /// A horizontal reference line, such as chance or a bar.
    Level {
        /// Legend text; empty for none.
        label: String,
        /// Height.
        y: f64,
    },
    /// A text at a point.
    Text {
        /// Horizontal position.
        x: f64,
        /// Vertical position.
        y: f64,
        /// The text.
        text: String,
    },
}

impl Axis {
    /// A linear axis with quantity and unit.
    pub fn new(label: &str, unit: &str) -> Self {
        Self { label: label.into(), unit: unit.into(), ..Self::default() }
    }

    /// The same on a logarithmic scale.
    #[must_use]
    pub fn log(mut self) -> Self {
        self.log = true;
        self
    }

    /// The same with fixed limits.
    #[must_use]
    pub fn limits(mut self, low: f64, high: f64) -> Self {
        self.limits = Some((low, high));
        self
    }
}

impl Mark {
    /// A solid curve without an interval.
    pub fn line(label: &str, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::Line { label: label.into(), x, y, interval: None, dashed: false }
    }

    /// Points without texts.
    pub fn points(label: &str, x: Vec<f64>, y: Vec<f64>) -> Self {
        Self::Points { label: label.into(), x, y, texts: Vec::new() }
    }

    /// A heat map without names.
    pub fn matrix(rows: usize, columns: usize, values: Vec<f64>, label: &str) -> Self {
        Self::Matrix {
            rows,
            columns,
            values,
            row_names: Vec::new(),
            column_names: Vec::new(),
            label: label.into(),
            diverging: false,
            limits: None,
        }
    }
}

impl Panel {
    /// A panel.
    pub fn new(title: &str, x: Axis, y: Axis, marks: Vec<Mark>) -> Self {
        Self { title: title.into(), x, y, marks }
    }
}

impl Figure {
    /// A figure.
    pub fn new(name: &str, title: &str, caption: &str, panels: Vec<Panel>) -> Self {
        Self { name: name.into(), title: title.into(), caption: caption.into(), panels, columns: 0 }
    }
}
