//! Heat maps as embedded pictures, and their colour bar.

use super::{Context, cell_rect};
use crate::color::{self, INK};
use crate::embed;
use crate::ink::{Anchor, Ink, Path, Rgb};
use crate::scale::{Range, Scale};
use crate::text;
use crate::ticks::{self, Ticks};
use neuropil_core::Mark;

/// Cells drawn per side; larger matrices are averaged over blocks.
const MOST: usize = 512;
/// Colour steps.
const STEPS: usize = 100;

/// Colour scale of a heat map.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Colors {
    low: f64,
    high: f64,
    diverging: bool,
    missing: bool,
}

impl Colors {
    /// The scale of a matrix: its limits, or those of the data; centred on zero when diverging.
    pub fn of(mark: &Mark) -> Self {
        let Mark::Matrix { values, diverging, limits, rows, columns, .. } = mark else {
            return Self { low: 0.0, high: 1.0, diverging: false, missing: false };
        };
        let mut range = Range::new(false);
        range.include_all(values);
        let missing = values.iter().any(|v| v.is_nan()) || values.len() < rows.saturating_mul(*columns);
        let (a, b) = range.limits(*limits, 0.0, 0.0);
        let (low, high) = (a.min(b), a.max(b));
        let reach = low.abs().max(high.abs());
        let (low, high) = if *diverging { (-reach, reach) } else { (low, high) };
        Self { low, high, diverging: *diverging, missing }
    }

    fn step(&self, v: f64) -> usize {
        let t = ((v - self.low) / (self.high - self.low)).clamp(0.0, 1.0);
        ((t * STEPS as f64) as usize).min(STEPS - 1)
    }

    fn palette(&self) -> Vec<Rgb> {
        let at = |i: usize| (i as f64 + 0.5) / STEPS as f64;
        let color = if self.diverging { color::diverging } else { color::sequential };
        (0..STEPS).map(|i| color(at(i))).chain([[255, 255, 255]]).collect()
    }

    fn scale(&self, length: f64) -> Scale {
        Scale { low: self.low, high: self.high, log: false, length, downward: false }
    }

    fn ticks(&self, length: f64) -> Ticks {
        ticks::automatic(&self.scale(length), 42.0)
    }

    /// Width of the colour bar with its texts.
    pub fn bar_width(&self, length: f64, label: &str) -> f64 {
        let texts = self.ticks(length).major.iter().map(|t| text::width(&t.1, 10.5)).fold(0.0, f64::max);
        12.0 + 11.0 + 7.0 + texts + if label.is_empty() { 2.0 } else { 18.0 }
    }
}

/// Means over blocks of cells; NaN where a block has no finite value.
fn averaged((rows, columns): (usize, usize), values: &[f64]) -> (usize, usize, Vec<f64>) {
    let (down, across) = (embed::block(rows, MOST), embed::block(columns, MOST));
    let (r, c) = (rows.div_ceil(down), columns.div_ceil(across));
    let mut sums = vec![(0.0, 0.0); r * c];
    for (i, row) in values.chunks(columns).take(rows).enumerate() {
        for (j, &v) in row.iter().enumerate() {
            if v.is_finite() {
                let s = &mut sums[i / down * c + j / across];
                *s = (s.0 + v, s.1 + 1.0);
            } else if v.is_infinite() && down * across == 1 {
                sums[i * c + j] = (v, 1.0);
            }
        }
    }
    (r, c, sums.into_iter().map(|(s, n)| if n > 0.0 { s / n } else { f64::NAN }).collect())
}

/// Draws the cells; missing ones show a hatched ground. Few and large cells carry their value.
pub fn draw(ink: &mut Ink, context: &Context, size: (usize, usize), values: &[f64], colors: &Colors) {
    let (rows, columns) = size;
    let Some((x, y, w, h)) = cell_rect(context, columns, rows).filter(|_| rows > 0 && columns > 0) else {
        return;
    };
    let (r, c, cells) = averaged(size, values);
    if cells.iter().any(|v| v.is_nan()) {
        ink.rect(x, y, w, h, "fill=\"#fff\"");
        hatched(ink, (x, y, w, h));
    }
    let indices: Vec<u8> =
        cells.iter().map(|&v| if v.is_nan() { STEPS } else { colors.step(v) } as u8).collect();
    ink.image(x, y, w, h, &embed::indexed(c, r, &colors.palette(), true, &indices));
    let (cell_w, cell_h) = (w / columns as f64, h / rows as f64);
    if cell_w >= 30.0 && cell_h >= 16.0 && rows * columns <= 144 {
        numbers(ink, (x, y, cell_w, cell_h), columns, values, colors);
    } else if colors.diverging && cell_w >= 6.0 && cell_h >= 6.0 {
        signs(ink, (x, y, cell_w, cell_h), columns, values, colors);
    }
}

fn hatched(ink: &mut Ink, (x, y, w, h): (f64, f64, f64, f64)) {
    let mut path = Path::default();
    let mut c = 4.0;
    while c < w + h {
        let (x0, y0) = if c <= h { (0.0, c) } else { (c - h, h) };
        let (x1, y1) = if c <= w { (c, 0.0) } else { (w, c - w) };
        path.segment((x + x0, y + y0), (x + x1, y + y1));
        c += 4.0;
    }
    ink.path(&path, "fill=\"none\" stroke=\"#888\" stroke-width=\".8\"");
}

fn numbers(
    ink: &mut Ink,
    (x, y, w, h): (f64, f64, f64, f64),
    columns: usize,
    values: &[f64],
    colors: &Colors,
) {
    let palette = colors.palette();
    for (k, &v) in values.iter().enumerate().filter(|(_, v)| v.is_finite()) {
        let (i, j) = (k / columns, k % columns);
        let text = short(v);
        if text::width(&text, 10.5) < w - 4.0 {
            let ground = palette[colors.step(v)];
            let ink_color = if color::luminance(ground) > 0.22 { "#111" } else { "#fff" };
            let (cx, cy) = (x + (j as f64 + 0.5) * w, y + (i as f64 + 0.5) * h + 3.7);
            ink.text(cx, cy, Anchor::Middle, &text, &format!("font-size=\"10.5\" fill=\"{ink_color}\""));
        }
    }
}

fn short(v: f64) -> String {
    let size = v.abs();
    let text = if size < 1e5 && (v.fract() == 0.0 || size >= 100.0) {
        format!("{v:.0}")
    } else if (0.005..100.0).contains(&size) {
        format!("{v:.2}")
    } else {
        format!("{v:.0e}")
    };
    ticks::minus(&text)
}

/// A minus in clearly negative cells, which grey alone cannot tell from positive ones.
fn signs(ink: &mut Ink, (x, y, w, h): (f64, f64, f64, f64), columns: usize, values: &[f64], colors: &Colors) {
    let (mut on_dark, mut on_light) = (Path::default(), Path::default());
    let palette = colors.palette();
    for (k, &v) in values.iter().enumerate().filter(|(_, v)| **v < 0.15 * colors.low) {
        let (i, j) = (k / columns, k % columns);
        let (cx, cy) = (x + (j as f64 + 0.5) * w, y + (i as f64 + 0.5) * h);
        let half = (w * 0.22).min(3.0);
        let dark = color::luminance(palette[colors.step(v)]) < 0.3;
        let path = if dark { &mut on_dark } else { &mut on_light };
        path.segment((cx - half, cy), (cx + half, cy));
    }
    ink.path(&on_dark, "fill=\"none\" stroke=\"#fff\" stroke-opacity=\".8\"");
    ink.path(&on_light, "fill=\"none\" stroke=\"#222\" stroke-opacity=\".7\"");
}

/// Draws the colour bar right of a plot of the given size.
pub fn draw_bar(ink: &mut Ink, colors: &Colors, label: &str, width: f64, height: f64) {
    let x = width + 12.0;
    let steps: Vec<u8> = (0..STEPS as u8).rev().collect();
    let bar = if colors.missing { (height - 20.0).max(20.0) } else { height };
    ink.image(x, 0.0, 11.0, bar, &embed::indexed(1, STEPS, &colors.palette(), true, &steps));
    ink.rect(x, 0.0, 11.0, bar, &format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\".7\""));
    let ticks = colors.ticks(bar);
    let scale = colors.scale(bar);
    let mut marks = Path::default();
    let mut widest: f64 = 0.0;
    for (v, t) in &ticks.major {
        if let Some(y) = scale.at(*v) {
            marks.segment((x + 11.0, y), (x + 14.0, y));
            ink.text(x + 17.0, y + 3.7, Anchor::Start, t, &format!("font-size=\"10.5\" fill=\"{INK}\""));
            widest = widest.max(text::width(t, 10.5));
        }
    }
    ink.path(&marks, &format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\".8\""));
    if colors.missing {
        hatched(ink, (x, bar + 8.0, 11.0, 11.0));
        ink.rect(x, bar + 8.0, 11.0, 11.0, &format!("fill=\"none\" stroke=\"{INK}\" stroke-width=\".7\""));
        ink.text(x + 17.0, bar + 17.5, Anchor::Start, "none", &format!("font-size=\"10.5\" fill=\"{INK}\""));
        widest = widest.max(text::width("none", 10.5));
    }
    let label =
        if ticks.factor.is_empty() { label.to_string() } else { format!("{label} ({})", ticks.factor) };
    let label = text::shorten(label.trim(), 11.5, height + 30.0);
    let attributes = format!("font-size=\"11.5\" fill=\"{INK}\"");
    ink.turned(x + 17.0 + widest + 13.0, height / 2.0, -90.0, Anchor::Middle, &label, &attributes);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diverging_scale_is_centred_and_a_constant_has_room() {
        let mut m = Mark::matrix(1, 3, vec![-1.0, f64::NAN, 3.0], "");
        if let Mark::Matrix { diverging, .. } = &mut m {
            *diverging = true;
        }
        let c = Colors::of(&m);
        assert_eq!((c.low, c.high, c.missing), (-3.0, 3.0, true));
        let c = Colors::of(&Mark::matrix(1, 2, vec![2.0, 2.0], ""));
        assert!(c.low < 2.0 && c.high > 2.0);
    }

    #[test]
    fn blocks_average_what_is_finite() {
        let n = 1024;
        let mut v = vec![1.0; n * n];
        v[0] = f64::NAN;
        v[1] = 4.0;
        let (r, c, cells) = averaged((n, n), &v);
        assert_eq!((r, c, cells[0], cells[1]), (512, 512, 2.0, 1.0));
        let (_, _, cells) = averaged((2, 2), &[1.0, f64::NAN, 3.0]);
        assert!(cells[1].is_nan() && cells[3].is_nan() && cells[2] == 3.0);
    }
}
