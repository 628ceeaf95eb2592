//! Round tick positions and their texts.

use crate::scale::Scale;

/// Ticks of one axis.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ticks {
    /// Position in data coordinates and text.
    pub major: Vec<(f64, String)>,
    /// Positions without a text, on logarithmic axes.
    pub minor: Vec<f64>,
    /// Common factor of all texts, for example `×10⁶`; empty for none.
    pub factor: String,
}

/// Ticks about `apart` pixels from each other.
pub fn automatic(scale: &Scale, apart: f64) -> Ticks {
    let (low, high) = (scale.low.min(scale.high), scale.low.max(scale.high));
    let wanted = (scale.length / apart).clamp(2.0, 12.0);
    if scale.log { logarithmic(low, high, wanted) } else { linear(low, high, wanted) }
}

/// Whole numbers only, for rows and columns.
pub fn whole(scale: &Scale, apart: f64) -> Ticks {
    let (low, high) = (scale.low.min(scale.high), scale.low.max(scale.high));
    let wanted = (scale.length / apart).clamp(2.0, 12.0);
    with_step(low, high, nice_step(low, high, wanted).max(1.0))
}

fn linear(low: f64, high: f64, wanted: f64) -> Ticks {
    with_step(low, high, nice_step(low, high, wanted))
}

/// The step, 1, 2 or 5 times a power of ten, that gives the number of ticks nearest to the wanted one.
pub fn nice_step(low: f64, high: f64, wanted: f64) -> f64 {
    let raw = (high - low) / wanted;
    let power = 10f64.powf(raw.log10().floor());
    let miss = |step: f64| {
        let count = ((high / step + 1e-6).floor() - (low / step - 1e-6).ceil() + 1.0).max(0.1);
        (count / wanted).ln().abs()
    };
    let steps = [0.5, 1.0, 2.0, 5.0, 10.0].map(|m| m * power);
    steps.into_iter().min_by(|a, b| miss(*a).total_cmp(&miss(*b))).unwrap_or(raw)
}

fn with_step(low: f64, high: f64, step: f64) -> Ticks {
    let (first, last) = ((low / step - 1e-6).ceil(), (high / step + 1e-6).floor());
    if !(first.is_finite() && last.is_finite() && last - first <= 50.0) {
        return Ticks::default();
    }
    let largest = low.abs().max(high.abs());
    let exponent = if (1e-3..1e5).contains(&largest) { 0 } else { largest.log10().floor() as i32 };
    let unit = 10f64.powi(exponent);
    let decimals = (-((step / unit) * (1.0 + 1e-9)).log10().floor()).clamp(0.0, 12.0) as usize;
    let count = (last - first) as i64;
    let text = |v: f64| minus(&format!("{:.decimals$}", v / unit));
    Ticks {
        major: (0..=count).map(|k| (first + k as f64) * step).map(|v| (v, text(v))).collect(),
        minor: Vec::new(),
        factor: if exponent == 0 { String::new() } else { format!("×10{}", superscript(exponent)) },
    }
}

fn logarithmic(low: f64, high: f64, wanted: f64) -> Ticks {
    let (a, b) = (low.log10(), high.log10());
    let (first, last) = ((a - 1e-9).ceil() as i32, (b + 1e-9).floor() as i32);
    let decades = last - first + 1;
    if decades < 2 && b - a < 0.7 {
        // Less than one power of ten: a linear grid reads better.
        let mut ticks = linear(low, high, wanted);
        ticks.major.retain(|t| t.0 > 0.0);
        return ticks;
    }
    let multiples: &[f64] = if b - a < 1.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = (f64::from(decades.max(1)) / (1.4 * wanted)).ceil().max(1.0) as i32;
    let mut ticks = Ticks::default();
    let start = first - 1;
    for e in start..=last {
        for m in 1..10 {
            let v = f64::from(m) * 10f64.powi(e);
            if v < low * (1.0 - 1e-9) || v > high * (1.0 + 1e-9) {
                continue;
            }
            if multiples.contains(&f64::from(m)) && (m > 1 || (e - first) % stride == 0) {
                ticks.major.push((v, power_text(m, e)));
            } else if stride == 1 && decades <= 8 {
                ticks.minor.push(v);
            }
        }
    }
    ticks
}

fn power_text(m: i32, e: i32) -> String {
    match (m, e) {
        (_, 0..=4) => format!("{}", i64::from(m) * 10i64.pow(e as u32)),
        (_, -3..0) => format!("{:.*}", (-e) as usize, f64::from(m) * 10f64.powi(e)),
        (1, _) => format!("10{}", superscript(e)),
        _ => format!("{m}×10{}", superscript(e)),
    }
}

fn superscript(e: i32) -> String {
    superscript_text(&e.to_string())
}

/// The digits of a whole number raised.
pub fn superscript_text(e: &str) -> String {
    let digit = |c: char| match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        _ => '⁹',
    };
    e.chars().map(digit).collect()
}

/// A typographic minus, and no negative zero.
pub fn minus(text: &str) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|c| c == '0' || c == '.') => rest.to_string(),
        Some(rest) => format!("−{rest}"),
        None => text.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(low: f64, high: f64, log: bool) -> (Vec<String>, String) {
        let t = automatic(&Scale { low, high, log, length: 300.0, downward: true }, 60.0);
        (t.major.into_iter().map(|m| m.1).collect(), t.factor)
    }

    #[test]
    fn linear_ticks_are_round() {
        assert_eq!(texts(0.0, 1.0, false).0, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]);
        assert_eq!(texts(-12.0, 37.0, false).0, ["−10", "0", "10", "20", "30"]);
        assert_eq!(
            texts(0.0, 5e6, false),
            (["0", "1", "2", "3", "4", "5"].map(String::from).to_vec(), "×10⁶".into())
        );
        assert_eq!(texts(0.0, 2e-7, false).1, "×10⁻⁷");
        assert_eq!(texts(99999.0, 99999.3, false).0, ["99999.0", "99999.1", "99999.2", "99999.3"]);
    }

    #[test]
    fn log_ticks_are_powers_or_their_1_2_5_multiples() {
        assert_eq!(texts(0.01, 1000.0, true).0, ["0.01", "0.1", "1", "10", "100", "1000"]);
        assert_eq!(texts(1.0, 20.0, true).0, ["1", "2", "5", "10", "20"]);
        assert_eq!(texts(1e-9, 1e-6, true).0, ["10⁻⁹", "10⁻⁸", "10⁻⁷", "10⁻⁶"]);
        assert_eq!(texts(3.0, 4.0, true).0, ["3.0", "3.2", "3.4", "3.6", "3.8", "4.0"]);
    }

    #[test]
    fn there_are_always_a_few_ticks() {
        for (low, high) in [(0.0, 1e300), (-1e300, 1e300), (1e-280, 2e-280), (1e9, 1e9 + 1.0), (0.1, 0.3)] {
            let n = texts(low, high, false).0.len();
            assert!((2..=15).contains(&n), "{low} {high}: {n}");
        }
        for (low, high) in [(1e-300, 1e300), (2.0, 2.5), (0.9, 11.0), (1.0, 3.1), (9.0, 14.0)] {
            let n = texts(low, high, true).0.len();
            assert!((2..=15).contains(&n), "{low} {high}: {n}");
        }
    }
}
