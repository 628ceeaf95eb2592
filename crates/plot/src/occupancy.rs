//! Which parts of a plot hold data, so that the legend can avoid them.

/// Side of a cell in pixels.
const CELL: f64 = 6.0;

/// A coarse grid over the plot.
#[derive(Debug)]
pub struct Occupancy {
    columns: usize,
    rows: usize,
    taken: Vec<bool>,
}

impl Occupancy {
    /// A free plot of the given size in pixels.
    pub fn new(width: f64, height: f64) -> Self {
        let (columns, rows) = ((width / CELL).ceil() as usize, (height / CELL).ceil() as usize);
        Self { columns, rows, taken: vec![false; columns * rows] }
    }

    /// Takes a point.
    pub fn point(&mut self, (x, y): (f64, f64)) {
        if x >= 0.0 && y >= 0.0 {
            let (i, j) = ((y / CELL) as usize, (x / CELL) as usize);
            if i < self.rows && j < self.columns {
                self.taken[i * self.columns + j] = true;
            }
        }
    }

    /// Takes a straight line.
    pub fn segment(&mut self, a: (f64, f64), b: (f64, f64)) {
        let steps = ((b.0 - a.0).abs().max((b.1 - a.1).abs()) / CELL).ceil().clamp(1.0, 2000.0);
        for k in 0..=steps as usize {
            let t = k as f64 / steps;
            self.point((a.0 + t * (b.0 - a.0), a.1 + t * (b.1 - a.1)));
        }
    }

    /// Takes a rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64) {
        for i in span(y, height, self.rows) {
            for j in span(x, width, self.columns) {
                self.taken[i * self.columns + j] = true;
            }
        }
    }

    /// Whether a rectangle holds nothing.
    pub fn is_free(&self, x: f64, y: f64, width: f64, height: f64) -> bool {
        span(y, height, self.rows)
            .all(|i| span(x, width, self.columns).all(|j| !self.taken[i * self.columns + j]))
    }
}

/// The cells of `n` that a stretch of pixels touches.
fn span(from: f64, length: f64, n: usize) -> std::ops::Range<usize> {
    let first = (from / CELL).floor().max(0.0) as usize;
    let last = ((from + length) / CELL).ceil().max(0.0) as usize;
    first.min(n)..last.min(n)
}
