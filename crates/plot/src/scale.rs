//! From data coordinates to pixels.

/// Values beyond this size are treated as not finite: sums and spans of them would overflow.
pub const LARGEST: f64 = 1e300;

/// A finite value that can be drawn, on a logarithmic scale a positive one.
pub fn drawable(v: f64, log: bool) -> bool {
    v.abs() <= LARGEST && (!log || v >= 1.0 / LARGEST)
}

/// The smallest and largest drawable value seen.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Range {
    /// Smallest.
    pub low: f64,
    /// Largest.
    pub high: f64,
    log: bool,
}

impl Range {
    /// Nothing seen yet.
    pub fn new(log: bool) -> Self {
        Self { low: f64::INFINITY, high: f64::NEG_INFINITY, log }
    }

    /// Whether the axis is logarithmic.
    pub fn log(&self) -> bool {
        self.log
    }

    /// Takes `v` into account if it can be drawn.
    pub fn include(&mut self, v: f64) {
        if drawable(v, self.log) {
            self.low = self.low.min(v);
            self.high = self.high.max(v);
        }
    }

    /// Takes all of `values` into account.
    pub fn include_all(&mut self, values: &[f64]) {
        for &v in values {
            self.include(v);
        }
    }

    /// Whether nothing was seen.
    pub fn is_empty(&self) -> bool {
        self.low > self.high
    }

    /// Axis limits: `fixed` if they are usable, otherwise the range with the given fractions added below and above. An
    /// empty range and a single value get limits around them.
    pub fn limits(&self, fixed: Option<(f64, f64)>, below: f64, above: f64) -> (f64, f64) {
        if let Some((a, b)) = fixed
            && drawable(a, self.log)
            && drawable(b, self.log)
            && !same(a, b)
        {
            return (a, b);
        }
        let (low, high) = self.around(below, above);
        let floor = if self.log { 1.0 / LARGEST } else { -LARGEST };
        (low.max(floor), high.min(LARGEST))
    }

    /// The range with room around it.
    fn around(&self, below: f64, above: f64) -> (f64, f64) {
        match (self.is_empty(), self.log) {
            (true, true) => (1.0, 10.0),
            (true, false) => (0.0, 1.0),
            (false, true) if same(self.low, self.high) => (self.low / 3.0, self.high * 3.0),
            (false, false) if same(self.low, self.high) => {
                let v = f64::midpoint(self.low, self.high);
                let room = if v.abs() < 1e-290 { 1.0 } else { v.abs() * 0.1 };
                (v - room, v + room)
            }
            (false, true) => {
                let (a, b) = (self.low.log10(), self.high.log10());
                let span = b - a;
                (10f64.powf(a - span * below), 10f64.powf(b + span * above))
            }
            (false, false) => {
                let span = self.high - self.low;
                (self.low - span * below, self.high + span * above)
            }
        }
    }
}

/// Whether two limits are too close to span an axis.
fn same(a: f64, b: f64) -> bool {
    (b - a).abs() <= 1e-12 * a.abs().max(b.abs()) || (b - a).abs() < 1e-290
}

/// A linear or logarithmic axis of `length` pixels.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// Value at the start: left, or the bottom (the top when `downward`).
    pub low: f64,
    /// Value at the end.
    pub high: f64,
    /// Logarithmic.
    pub log: bool,
    /// Pixels.
    pub length: f64,
    /// Pixels grow with the value: horizontal axes and image rows. Otherwise they shrink, as on a vertical axis.
    pub downward: bool,
}

impl Scale {
    /// Pixel of `v`; none when `v` cannot be drawn. Far outside the axis the pixel is clamped.
    pub fn at(&self, v: f64) -> Option<f64> {
        if !drawable(v, self.log) {
            return None;
        }
        let t = if self.log {
            (v.log10() - self.low.log10()) / (self.high.log10() - self.low.log10())
        } else {
            (v - self.low) / (self.high - self.low)
        };
        let t = t.clamp(-3.0, 4.0);
        Some(self.length * if self.downward { t } else { 1.0 - t })
    }

    /// Whether `v` lies within the limits.
    pub fn contains(&self, v: f64) -> bool {
        let (a, b) = (self.low.min(self.high), self.low.max(self.high));
        drawable(v, self.log) && a <= v && v <= b
    }

    /// Pixels per unit of a linear axis.
    pub fn pixels_per_unit(&self) -> f64 {
        self.length / (self.high - self.low).abs()
    }
}

/// The coordinate system of a panel, its pixels counted from the upper left corner of the plot.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frame {
    /// Horizontal.
    pub x: Scale,
    /// Vertical.
    pub y: Scale,
}

impl Frame {
    /// Pixel of a point; none when it cannot be drawn.
    pub fn at(&self, x: f64, y: f64) -> Option<(f64, f64)> {
        Some((self.x.at(x)?, self.y.at(y)?))
    }

    /// Width in pixels.
    pub fn width(&self) -> f64 {
        self.x.length
    }

    /// Height in pixels.
    pub fn height(&self) -> f64 {
        self.y.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(values: &[f64], log: bool) -> Range {
        let mut r = Range::new(log);
        r.include_all(values);
        r
    }

    #[test]
    fn limits_are_finite_and_apart_for_any_data() {
        let hostile = [
            vec![],
            vec![f64::NAN, f64::INFINITY],
            vec![0.0],
            vec![5.0, 5.0],
            vec![-1e308, 1e308],
            vec![-1e300, 1e300],
            vec![1e-308, 2e-308],
            vec![-3.0, 7.0],
            vec![1e9, 1e9 + 1e-6],
        ];
        for values in hostile {
            for log in [false, true] {
                let (a, b) = range(&values, log).limits(None, 0.05, 0.05);
                assert!(a.is_finite() && b.is_finite() && a < b, "{values:?} {log}: {a} {b}");
                let s = Scale { low: a, high: b, log, length: 100.0, downward: true };
                assert!(s.at(a).unwrap().abs() < 1e-6 && (s.at(b).unwrap() - 100.0).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn unusable_fixed_limits_fall_back_to_the_data() {
        let r = range(&[1.0, 2.0], true);
        assert_eq!(r.limits(Some((0.0, 1.0)), 0.0, 0.0), (1.0, 2.0));
        assert_eq!(range(&[1.0, 2.0], false).limits(Some((f64::NAN, 1.0)), 0.0, 0.0), (1.0, 2.0));
        assert_eq!(range(&[1.0, 2.0], false).limits(Some((9.0, 3.0)), 0.0, 0.0), (9.0, 3.0));
    }

    #[test]
    fn a_decade_has_equal_length_on_a_log_axis() {
        let s = Scale { low: 1.0, high: 100.0, log: true, length: 200.0, downward: false };
        assert!((s.at(10.0).unwrap() - 100.0).abs() < 1e-9);
        assert_eq!(s.at(0.0), None);
        assert_eq!(s.at(-1.0), None);
    }
}
