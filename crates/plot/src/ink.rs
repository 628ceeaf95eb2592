//! SVG text: numbers, escaped strings, elements and path data.

use std::fmt::Write as _;

/// Coordinates beyond this many pixels are clamped; a panel is a few hundred pixels wide, a figure some thousand high.
const FAR: f64 = 100_000.0;

/// An RGB colour.
pub type Rgb = [u8; 3];

/// `#rrggbb`.
pub fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// A coordinate with at most one decimal; what is not finite becomes 0, so that no file ever holds `NaN`.
pub fn number(v: f64) -> String {
    tenths(to_tenths(v))
}

fn to_tenths(v: f64) -> i64 {
    if v.is_finite() { (v.clamp(-FAR, FAR) * 10.0).round() as i64 } else { 0 }
}

fn tenths(t: i64) -> String {
    let (sign, a) = (if t < 0 { "-" } else { "" }, t.unsigned_abs());
    match (a / 10, a % 10) {
        (whole, 0) => format!("{sign}{whole}"),
        (0, part) => format!("{sign}.{part}"),
        (whole, part) => format!("{sign}{whole}.{part}"),
    }
}

/// Text without what XML forbids or a viewer could misread: control characters become spaces, direction overrides
/// and noncharacters vanish, runs of white space collapse.
pub fn clean(text: &str) -> String {
    let kept = text.chars().filter(|&c| {
        !matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
    });
    let spaced: String = kept.map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text made safe for XML content and quoted attributes.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Where a text is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its left end.
    Start,
    /// Its middle.
    Middle,
    /// Its right end.
    End,
}

/// SVG elements in the order of drawing.
#[derive(Debug, Default)]
pub struct Ink(pub String);

impl Ink {
    /// Opens a nested viewport, which clips what lies outside; closed by [`Ink::close_clip`]. Viewports need no ids,
    /// so several figures can stand in one page.
    pub fn open_clip(&mut self, x: f64, y: f64, width: f64, height: f64) {
        let (x, y, w, h) = (number(x), number(y), number(width), number(height));
        let _ = write!(
            self.0,
            "<svg x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" viewBox=\"{x} {y} {w} {h}\" overflow=\"hidden\">"
        );
    }

    /// Closes the viewport.
    pub fn close_clip(&mut self) {
        self.0.push_str("</svg>");
    }

    /// Opens a group moved to (x, y); closed by [`Ink::close_group`].
    pub fn open_group(&mut self, x: f64, y: f64) {
        let _ = write!(self.0, "\n<g transform=\"translate({} {})\">", number(x), number(y));
    }

    /// Closes a group.
    pub fn close_group(&mut self) {
        self.0.push_str("</g>");
    }

    /// A rectangle with further attributes.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, attributes: &str) {
        let (x, y, w, h) = (number(x), number(y), number(width.max(0.0)), number(height.max(0.0)));
        let _ = write!(self.0, "<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" {attributes}/>");
    }

    /// A path with further attributes; nothing when the path is empty.
    pub fn path(&mut self, path: &Path, attributes: &str) {
        if !path.d.is_empty() {
            let _ = write!(self.0, "<path d=\"{}\" {attributes}/>", path.d);
        }
    }

    /// An embedded picture stretched over a rectangle, its pixels kept sharp.
    pub fn image(&mut self, x: f64, y: f64, width: f64, height: f64, uri: &str) {
        let (x, y, w, h) = (number(x), number(y), number(width), number(height));
        let _ = write!(
            self.0,
            "<image x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\" preserveAspectRatio=\"none\" \
             style=\"image-rendering:pixelated\" href=\"{uri}\"/>"
        );
    }

    /// A text; nothing when it is empty.
    pub fn text(&mut self, x: f64, y: f64, anchor: Anchor, text: &str, attributes: &str) {
        let text = clean(text);
        if text.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::End => " text-anchor=\"end\"",
        };
        let (x, y) = (number(x), number(y));
        let space = if attributes.is_empty() { "" } else { " " };
        let _ =
            write!(self.0, "<text x=\"{x}\" y=\"{y}\"{anchor}{space}{attributes}>{}</text>", escape(&text));
    }

    /// A text turned by `angle` degrees around its anchor.
    pub fn turned(&mut self, x: f64, y: f64, angle: f64, anchor: Anchor, text: &str, attributes: &str) {
        let turn =
            format!("transform=\"rotate({} {} {})\" {attributes}", number(angle), number(x), number(y));
        self.text(x, y, anchor, text, turn.trim_end());
    }

    /// A text with a white rim, readable on top of data.
    pub fn halo(&mut self, x: f64, y: f64, anchor: Anchor, text: &str, attributes: &str) {
        let rim = "stroke=\"#fff\" stroke-width=\"2.5\" stroke-linejoin=\"round\" paint-order=\"stroke\"";
        let attributes = format!("{rim} {attributes}");
        self.text(x, y, anchor, text, attributes.trim_end());
    }
}

/// Path data in relative moves of tenths of a pixel, which are short and do not drift.
#[derive(Debug, Default, Clone)]
pub struct Path {
    d: String,
    at: (i64, i64),
    command: char,
}

impl Path {
    /// Starts a new part at (x, y).
    pub fn move_to(&mut self, x: f64, y: f64) {
        let to = (to_tenths(x), to_tenths(y));
        if self.d.is_empty() {
            let _ = write!(self.d, "M{} {}", tenths(to.0), tenths(to.1));
            self.at = to;
            self.command = 'M';
        } else {
            self.step('m', to);
        }
    }

    /// A straight line to (x, y).
    pub fn line_to(&mut self, x: f64, y: f64) {
        self.step('l', (to_tenths(x), to_tenths(y)));
    }

    /// Back to the start of the part. The next call has to be `move_to`.
    pub fn close(&mut self, start_x: f64, start_y: f64) {
        self.d.push('z');
        self.at = (to_tenths(start_x), to_tenths(start_y));
        self.command = 'z';
    }

    /// A dot at (x, y): a line of no length, visible with round ends.
    pub fn dot(&mut self, x: f64, y: f64) {
        self.move_to(x, y);
        self.d.push_str("h0");
        self.command = 'h';
    }

    /// A line from (x, y) straight down by `length`.
    pub fn down(&mut self, x: f64, y: f64, length: f64) {
        self.move_to(x, y);
        let by = to_tenths(length);
        let _ = write!(self.d, "v{}", tenths(by));
        self.at.1 += by;
        self.command = 'v';
    }

    /// A line between two points.
    pub fn segment(&mut self, a: (f64, f64), b: (f64, f64)) {
        self.move_to(a.0, a.1);
        self.line_to(b.0, b.1);
    }

    /// A circle of radius `r` around (x, y).
    pub fn circle(&mut self, x: f64, y: f64, r: f64) {
        self.move_to(x - r, y);
        let (r, d) = (number(r), to_tenths(2.0 * r));
        let (there, back) = (tenths(d), tenths(-d));
        let _ = write!(self.d, "a{r} {r} 0 1 0 {there} 0a{r} {r} 0 1 0 {back} 0z");
        self.command = 'z';
    }

    /// A closed polygon.
    pub fn polygon(&mut self, points: &[(f64, f64)]) {
        if let [first, rest @ ..] = points {
            self.move_to(first.0, first.1);
            for p in rest {
                self.line_to(p.0, p.1);
            }
            self.close(first.0, first.1);
        }
    }

    /// A line through `points`; a single point becomes a dot.
    pub fn polyline(&mut self, points: &[(f64, f64)]) {
        match points {
            [] => {}
            [p] => self.dot(p.0, p.1),
            [first, rest @ ..] => {
                self.move_to(first.0, first.1);
                for p in rest {
                    self.line_to(p.0, p.1);
                }
            }
        }
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.d.len()
    }

    fn step(&mut self, command: char, to: (i64, i64)) {
        let by = (to.0 - self.at.0, to.1 - self.at.1);
        // After a move, further pairs are lines, so the letter is needed only on a change.
        let repeats = command == 'l' && matches!(self.command, 'l' | 'm');
        let (x, y) = (tenths(by.0), tenths(by.1));
        if !repeats {
            self.d.push(command);
        } else if by.0 >= 0 {
            self.d.push(' ');
        }
        self.d.push_str(&x);
        if by.1 >= 0 {
            self.d.push(' ');
        }
        self.d.push_str(&y);
        self.at = to;
        self.command = command;
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_never_nan() {
        assert_eq!(number(f64::NAN), "0");
        assert_eq!(number(f64::INFINITY), "0");
        assert_eq!(number(-0.04), "0");
        assert_eq!(number(-0.5), "-.5");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(1e300), "100000");
    }

    #[test]
    fn paths_are_relative_and_do_not_drift() {
        let mut p = Path::default();
        p.polyline(&[(1.0, 2.0), (1.5, 1.0), (1.26, 1.0)]);
        p.dot(0.0, 0.0);
        // 1.26 is drawn at 1.3, so the way back to 0 is 1.3.
        assert_eq!(p.d, "M1 2l.5-1-.2 0m-1.3-1h0");
    }

    #[test]
    fn hostile_text_is_cleaned_and_escaped() {
        assert_eq!(clean("a\u{0}b\u{202e}c\n\n d\u{ffff}"), "a bc d");
        assert_eq!(escape("<a href=\"x\">'&"), "&lt;a href=&quot;x&quot;&gt;&#39;&amp;");
    }
}
