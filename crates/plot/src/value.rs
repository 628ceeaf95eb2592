//! Numbers and bars as text: typographic for pages, plain for terminals and Markdown.

use crate::ticks::minus;

/// About four significant digits in plain characters: `0.9731`, `123456`, `-1.2e-7`.
pub fn plain(v: f64) -> String {
    if !v.is_finite() {
        return "not finite".into();
    }
    let size = v.abs();
    if v == 0.0 {
        "0".into()
    } else if !(1e-4..1e7).contains(&size) {
        let text = format!("{v:.3e}");
        match text.split_once('e') {
            Some((m, e)) => format!("{}e{e}", trim_zeros(m)),
            None => text,
        }
    } else if v.fract() == 0.0 {
        format!("{v:.0}")
    } else {
        let decimals = (3.0 - size.log10().floor()).clamp(0.0, 8.0) as usize;
        trim_zeros(&format!("{v:.decimals$}")).to_string()
    }
}

/// The same with a true minus and thin spaces between thousands.
pub fn typographic(v: f64) -> String {
    let text = plain(v);
    match text.split_once('e') {
        Some((m, e)) if v.is_finite() => format!("{}·10{}", minus(m), crate::ticks::superscript_text(e)),
        _ => minus(&group(&text)),
    }
}

fn trim_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// Thin spaces between groups of three digits in whole numbers from five digits on.
fn group(text: &str) -> String {
    let (sign, digits) = text.strip_prefix('-').map_or(("", text), |d| ("-", d));
    if digits.len() < 5 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return text.to_string();
    }
    let mut out = String::from(sign);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push('\u{202f}');
        }
        out.push(c);
    }
    out
}

/// A measured value with its interval.
pub fn measured(value: Option<f64>, interval: Option<[f64; 2]>, number: fn(f64) -> String) -> String {
    let value = value.map_or_else(|| "not finite".to_string(), number);
    match interval {
        Some([a, b]) => format!("{value} [{}, {}]", number(a), number(b)),
        None => value,
    }
}

/// A bar such as `>= 1000000.0` with its numbers shortened.
pub fn bar(text: &str, number: fn(f64) -> String) -> String {
    let mut out = String::new();
    let mut token = String::new();
    let flush = |token: &mut String, out: &mut String| {
        match token.parse::<f64>() {
            Ok(v) if v.is_finite() => out.push_str(&number(v)),
            _ => out.push_str(token),
        }
        token.clear();
    };
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+') {
            token.push(c);
        } else {
            flush(&mut token, &mut out);
            out.push(c);
        }
    }
    flush(&mut token, &mut out);
    out
}

/// A bar with mathematical signs.
pub fn typographic_bar(text: &str) -> String {
    bar(text, typographic).replace(">=", "≥").replace("<=", "≤").replace("==", "=")
}

/// `seed 1`, `seeds 1-3`, `seeds 1, 4, 9`.
pub fn seeds(seeds: &[u64]) -> String {
    match seeds {
        [] => String::new(),
        [one] => format!("seed {one}"),
        [first, .., last] => {
            let consecutive = seeds.windows(2).all(|w| w[0].checked_add(1) == Some(w[1]));
            if consecutive {
                format!("seeds {first}-{last}")
            } else {
                let list: Vec<String> = seeds.iter().map(ToString::to_string).collect();
                format!("seeds {}", list.join(", "))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_four_digits() {
        let cases = [
            (0.0, "0", "0"),
            (0.97312, "0.9731", "0.9731"),
            (12345678.0, "1.235e7", "1.235·10⁷"),
            (-0.5, "-0.5", "−0.5"),
            (1e-7, "1e-7", "1·10⁻⁷"),
            (123456.0, "123456", "123\u{202f}456"),
            (1234.0, "1234", "1234"),
            (f64::NAN, "not finite", "not finite"),
        ];
        for (v, a, b) in cases {
            assert_eq!((plain(v).as_str(), typographic(v).as_str()), (a, b));
        }
    }

    #[test]
    fn bars_and_seeds_read_well() {
        assert_eq!(bar(">= 1000000.0", plain), ">= 1000000");
        assert_eq!(typographic_bar("in [-0.45, 0.55]"), "in [−0.45, 0.55]");
        assert_eq!(typographic_bar("<= 12345.0"), "≤ 12\u{202f}345");
        assert_eq!(bar(">= inf nan", plain), ">= inf nan");
        assert_eq!((seeds(&[1, 2, 3]).as_str(), seeds(&[4]).as_str()), ("seeds 1-3", "seed 4"));
        assert_eq!(seeds(&[1, 4]), "seeds 1, 4");
    }
}
