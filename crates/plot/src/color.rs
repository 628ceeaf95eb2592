//! Colours that survive colour blindness and a grey printer.
//!
//! Series colours differ in lightness as well as in hue: CIE L* of the six is 16, 52, 67, 38, 46, 73, and any two stay
//! at least 18 (CIE76) apart under simulated protanopia, deuteranopia and tritanopia (Machado et al. 2009). Heat maps
//! use viridis (van der Walt and Smith, CC0), whose lightness only rises.

use crate::ink::Rgb;

/// Colours of series.
pub const SERIES: [Rgb; 6] = [
    [0x14, 0x27, 0x4e],
    [0xd1, 0x54, 0x1b],
    [0x74, 0xa9, 0xdc],
    [0x8e, 0x3a, 0x80],
    [0x1f, 0x7a, 0x5c],
    [0xe0, 0xac, 0x2b],
];

/// Text and axes.
pub const INK: &str = "#222";
/// Secondary text.
pub const SOFT: &str = "#555";
/// Grid lines.
pub const GRID: &str = "#e6e6e6";

const VIRIDIS: [Rgb; 17] = [
    [68, 1, 84],
    [72, 24, 106],
    [71, 45, 123],
    [66, 64, 134],
    [59, 82, 139],
    [51, 99, 141],
    [44, 114, 142],
    [38, 130, 142],
    [33, 145, 140],
    [31, 160, 136],
    [40, 174, 128],
    [63, 188, 115],
    [94, 201, 98],
    [132, 212, 75],
    [173, 220, 48],
    [216, 226, 25],
    [253, 231, 37],
];

/// Negative ends in a dark blue, positive in a lighter red, so that the two ends differ in grey.
const DIVERGING: [Rgb; 9] = [
    [8, 24, 74],
    [28, 66, 134],
    [74, 122, 182],
    [156, 188, 221],
    [247, 247, 245],
    [249, 208, 176],
    [242, 164, 112],
    [225, 114, 58],
    [196, 68, 24],
];

/// Sequential map; `t` in 0..1, monotone in lightness.
pub fn sequential(t: f64) -> Rgb {
    between(&VIRIDIS, t)
}

/// Diverging map; `t` in 0..1 with zero at 0.5.
pub fn diverging(t: f64) -> Rgb {
    between(&DIVERGING, t)
}

fn between(anchors: &[Rgb], t: f64) -> Rgb {
    let t = if t.is_finite() { t.clamp(0.0, 1.0) } else { 0.0 } * (anchors.len() - 1) as f64;
    let i = (t as usize).min(anchors.len() - 2);
    mix(anchors[i], anchors[i + 1], t - i as f64)
}

/// `a` with a share `t` of `b`.
pub fn mix(a: Rgb, b: Rgb, t: f64) -> Rgb {
    std::array::from_fn(|k| (f64::from(a[k]) + t * (f64::from(b[k]) - f64::from(a[k]))).round() as u8)
}

/// Relative luminance in 0..1 (IEC 61966-2-1).
pub fn luminance(c: Rgb) -> f64 {
    let linear = |v: u8| {
        let v = f64::from(v) / 255.0;
        if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2])
}

/// Colour of series `index` of `count`: the six colours, or steps of the sequential map when there are more.
pub fn series(index: usize, count: usize) -> Rgb {
    if count <= SERIES.len() {
        SERIES[index % SERIES.len()]
    } else {
        // The light end is left out: yellow lines vanish on white.
        sequential(0.88 * index as f64 / (count - 1) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lightness(c: Rgb) -> f64 {
        let y = luminance(c);
        if y > 0.008856 { 116.0 * y.cbrt() - 16.0 } else { 903.3 * y }
    }

    #[test]
    fn series_colours_are_told_apart_in_grey() {
        let mut l: Vec<f64> = SERIES.iter().map(|&c| lightness(c)).collect();
        // The first three, the commonest case, are far apart; all keep at least 5 (a step of 2 is just visible).
        assert!((l[0] - l[1]).abs() > 30.0 && (l[1] - l[2]).abs() > 12.0);
        l.sort_by(f64::total_cmp);
        assert!(l.windows(2).all(|w| w[1] - w[0] > 5.0), "{l:?}");
        assert!(l[5] < 78.0, "too light for a line on white");
    }

    #[test]
    fn the_sequential_map_only_gets_lighter() {
        let l: Vec<f64> = (0..=100).map(|i| lightness(sequential(f64::from(i) / 100.0))).collect();
        assert!(l.windows(2).all(|w| w[1] >= w[0] - 0.3), "{l:?}");
    }

    #[test]
    fn the_diverging_map_darkens_from_zero_and_its_ends_differ_in_grey() {
        let l: Vec<f64> = (0..=100).map(|i| lightness(diverging(f64::from(i) / 100.0))).collect();
        assert!(l[..51].windows(2).all(|w| w[1] > w[0]) && l[50..].windows(2).all(|w| w[1] < w[0]));
        assert!(l[100] - l[0] > 25.0);
    }
}
