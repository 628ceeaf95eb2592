//! How wide a text is, without a font: the advance widths of Helvetica, which Arial and Liberation Sans share.

/// Advance widths of the characters `' '..='~'` in thousandths of the size.
const WIDTHS: [u16; 95] = [
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556,
    556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278,
    500, 667, 556, 833, 722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469,
    556, 333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500,
    278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584,
];

/// Room for viewers whose sans-serif is a little wider.
const SLACK: f64 = 1.06;

/// Width in pixels of `text` at `size` pixels.
pub fn width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size * SLACK
}

fn advance(c: char) -> f64 {
    match c {
        ' '..='~' => f64::from(WIDTHS[c as usize - 32]) / 1000.0,
        '\u{300}'..='\u{36f}' => 0.0,
        '⁰'..='₟' | '¹' | '²' | '³' | '·' => 0.36,
        '−' | '×' | '±' => 0.584,
        '\u{1100}'..='\u{115f}'
        | '\u{2e80}'..='\u{a4cf}'
        | '\u{ac00}'..='\u{d7a3}'
        | '\u{f900}'..='\u{faff}'
        | '\u{fe30}'..='\u{fe4f}'
        | '\u{ff00}'..='\u{ff60}'
        | '…'
        | '\u{1f300}'..='\u{1faff}' => 1.0,
        _ => 0.62,
    }
}

/// `text`, or as much of it as fits into `room` pixels with an ellipsis.
pub fn shorten(text: &str, size: f64, room: f64) -> String {
    if width(text, size) <= room {
        return text.to_string();
    }
    let dots = width("…", size);
    let mut used = 0.0;
    let mut out = String::new();
    for c in text.chars() {
        used += advance(c) * size * SLACK;
        if used + dots > room {
            break;
        }
        out.push(c);
    }
    format!("{}…", out.trim_end())
}

/// `text` in lines of at most `room` pixels and at most `lines` of them; a word that is too long is shortened, and
/// what does not fit ends in an ellipsis.
pub fn wrap(text: &str, size: f64, room: f64, lines: usize) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let word = shorten(word, size, room);
        let full = out.len() >= lines;
        match out.last_mut() {
            Some(last) if width(&format!("{last} {word}"), size) <= room => {
                last.push(' ');
                last.push_str(&word);
            }
            Some(last) if full => {
                let dotted = format!("{last}…");
                let fits = width(&dotted, size) <= room;
                *last = if fits { dotted } else { shorten(&format!("{last} {word}"), size, room) };
                break;
            }
            _ => out.push(word),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_wrapped_and_cut_to_the_room() {
        let text = "the quick brown fox jumps over the lazy dog";
        let lines = wrap(text, 12.0, 100.0, 2);
        assert_eq!(lines.len(), 2);
        assert!(lines.iter().all(|l| width(l, 12.0) <= 100.0), "{lines:?}");
        assert!(lines[1].ends_with('…'));
        assert_eq!(wrap(text, 12.0, 1000.0, 2), [text]);
        assert_eq!(wrap(&"x".repeat(10_000), 12.0, 50.0, 9).len(), 1);
        assert!(wrap("", 12.0, 100.0, 2).is_empty());
    }

    #[test]
    fn digits_have_the_width_of_the_font() {
        assert!((width("00", 10.0) - 2.0 * 5.56 * SLACK).abs() < 1e-9);
    }
}
