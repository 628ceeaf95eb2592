//! Pictures with the outlines of labelled regions.

use super::{Context, cell_rect};
use crate::embed;
use crate::ink::{Ink, Path};
use std::collections::BTreeMap;

/// Pixels drawn per side; larger pictures are averaged over blocks.
const MOST: usize = 1024;
/// Bytes of outlines; the rest is left out.
const OUTLINES: usize = 300_000;

/// Colours of outlines, light enough to stand on a dark rim.
const COLORS: [&str; 6] = ["#ffd23f", "#7fd6ff", "#ff8a5c", "#b8f28c", "#f3a6e8", "#ffffff"];

/// Draws the picture; rows that `pixels` does not hold stay empty.
pub fn draw(
    ink: &mut Ink,
    context: &Context,
    (width, height, channels): (usize, usize, usize),
    pixels: &[u8],
    overlay: Option<&[u16]>,
) {
    let depth = if channels == 3 { 3 } else { 1 };
    let Some((x, y, w, h)) = cell_rect(context, width, height) else { return };
    let line = width.saturating_mul(depth);
    let rows = pixels.len().checked_div(line).map_or(0, |n| n.min(height));
    if rows == 0 {
        return;
    }
    let (across, down) = (embed::block(width, MOST), embed::block(height, MOST));
    let (cw, ch) = (width.div_ceil(across), rows.div_ceil(down));
    let uri = if across * down == 1 {
        embed::pixels(width, rows, depth, &pixels[..rows * line])
    } else {
        embed::pixels(cw, ch, depth, &averaged(pixels, (width, rows, depth), (across, down), (cw, ch)))
    };
    let (px, py) = (w / width as f64, h / height as f64);
    ink.image(x, y, w, (py * rows as f64).min(h), &uri);
    if let Some(labels) = overlay {
        outlines(ink, labels, width, (x, y, px, py));
    }
}

fn averaged(
    pixels: &[u8],
    (width, rows, depth): (usize, usize, usize),
    (across, down): (usize, usize),
    (cw, ch): (usize, usize),
) -> Vec<u8> {
    let mut sums = vec![(0u64, 0u64); cw * ch * depth];
    for (i, row) in pixels.chunks(width * depth).take(rows).enumerate() {
        for (k, &v) in row.iter().enumerate() {
            let s = &mut sums[((i / down) * cw + k / depth / across) * depth + k % depth];
            *s = (s.0 + u64::from(v), s.1 + 1);
        }
    }
    sums.into_iter().map(|(s, n)| (s / n.max(1)) as u8).collect()
}

/// Lines between pixels of different labels, in the colour of the larger label, over a dark rim.
fn outlines(ink: &mut Ink, labels: &[u16], width: usize, (x, y, px, py): (f64, f64, f64, f64)) {
    let height = labels.len() / width;
    let at = |i: usize, j: usize| if i < height && j < width { labels[i * width + j] } else { 0 };
    let mut paths: BTreeMap<u16, Path> = BTreeMap::new();
    let mut bytes = 0;
    let mut add = |label: u16, a: (usize, usize), b: (usize, usize)| {
        if bytes < OUTLINES {
            let path = paths.entry(label % COLORS.len() as u16).or_default();
            let before = path.len();
            path.segment(
                (x + a.1 as f64 * px, y + a.0 as f64 * py),
                (x + b.1 as f64 * px, y + b.0 as f64 * py),
            );
            bytes += path.len() - before;
        }
    };
    // Edges along a line of pixels, merged while the same two labels meet.
    let edge = |a: u16, b: u16| if a == b { 0 } else { a.max(b) };
    for i in 0..=height {
        let meet = |j: usize| edge(if i == 0 { 0 } else { at(i - 1, j) }, at(i, j));
        runs(width, meet, |label, a, b| add(label, (i, a), (i, b)));
    }
    for j in 0..=width {
        let meet = |i: usize| edge(if j == 0 { 0 } else { at(i, j - 1) }, at(i, j));
        runs(height, meet, |label, a, b| add(label, (a, j), (b, j)));
    }
    for path in paths.values() {
        ink.path(path, "fill=\"none\" stroke=\"#000\" stroke-opacity=\".65\" stroke-width=\"3\" stroke-linecap=\"square\"");
    }
    for (label, path) in &paths {
        let color = COLORS[usize::from(*label)];
        ink.path(
            path,
            &format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"1.3\" stroke-linecap=\"square\""),
        );
    }
}

fn runs(n: usize, value: impl Fn(usize) -> u16, mut found: impl FnMut(u16, usize, usize)) {
    let mut start = 0;
    while start < n {
        let v = value(start);
        let mut end = start + 1;
        while end < n && value(end) == v {
            end += 1;
        }
        if v > 0 {
            found(v, start, end);
        }
        start = end;
    }
}
