//! Scattered points, with texts placed where they cover little.

use super::Context;
use crate::color::INK;
use crate::embed;
use crate::ink::{Anchor, Ink, Path, clean, hex};
use crate::scale::Frame;
use crate::style::Marker;
use crate::text;
use std::collections::BTreeSet;

/// Up to this many points carry their marker shape.
const SHAPED: usize = 1500;
/// Up to this many are dots; more become a picture.
const DOTS: usize = 10_000;
/// Texts drawn at most.
const TEXTS: usize = 150;

/// Draws the points and their texts.
pub fn draw(ink: &mut Ink, context: &Context, x: &[f64], y: &[f64], texts: &[String]) {
    let (frame, style) = (context.frame, context.style);
    let at: Vec<Option<(f64, f64)>> = x.iter().zip(y).map(|(&a, &b)| frame.at(a, b)).collect();
    let seen: Vec<(f64, f64)> = at.iter().flatten().copied().collect();
    if seen.len() <= SHAPED {
        let marker = Marker::of(style.index);
        let radius = if seen.len() <= 60 { 3.8 } else { 3.0 };
        let mut path = Path::default();
        for p in &seen {
            marker.draw(&mut path, p.0, p.1, radius);
        }
        let mut attributes = format!("{} fill-opacity=\".85\"", marker.attributes(style.color));
        if seen.len() > 100 {
            // White rims would bleach a crowd.
            attributes = attributes.replace("stroke-width=\".7\"", "stroke-width=\".3\"");
        }
        ink.path(&path, &attributes);
    } else {
        dots(ink, frame, &seen, style.color, 2.4);
    }
    if !texts.is_empty() {
        labels(ink, frame, &at, texts);
    }
}

/// Many equal dots, each pixel once: a path, or a picture when even that is long.
pub fn dots(ink: &mut Ink, frame: &Frame, points: &[(f64, f64)], color: [u8; 3], size: f64) {
    let inside = |p: &&(f64, f64)| {
        (-1.0..=frame.width() + 1.0).contains(&p.0) && (-1.0..=frame.height() + 1.0).contains(&p.1)
    };
    let pixels: BTreeSet<(i64, i64)> = points
        .iter()
        .filter(inside)
        .map(|p| ((p.1 * 2.0).round() as i64, (p.0 * 2.0).round() as i64))
        .collect();
    if pixels.len() <= DOTS {
        let mut path = Path::default();
        for &(y, x) in &pixels {
            path.dot(x as f64 / 2.0, y as f64 / 2.0);
        }
        let color = hex(color);
        ink.path(
            &path,
            &format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"{size}\" stroke-linecap=\"round\" stroke-opacity=\".7\""),
        );
    } else {
        let marks: Vec<_> = pixels.into_iter().map(|(y, x)| (x, y, 2)).collect();
        stamp(ink, frame, &marks, color);
    }
}

/// A transparent picture at two pixels per unit in which each (x, y, height) is filled, two pixels wide.
pub fn stamp(ink: &mut Ink, frame: &Frame, marks: &[(i64, i64, i64)], color: [u8; 3]) {
    let (w, h) = ((2.0 * frame.width()).ceil() as i64, (2.0 * frame.height()).ceil() as i64);
    let mut pixels = vec![1u8; (w * h) as usize];
    for &(x, y, height) in marks {
        for py in y.max(0)..(y + height).min(h) {
            for px in x.max(0)..(x + 2).min(w) {
                pixels[(py * w + px) as usize] = 0;
            }
        }
    }
    let uri = embed::indexed(w as usize, h as usize, &[color, [255, 255, 255]], true, &pixels);
    ink.image(0.0, 0.0, w as f64 / 2.0, h as f64 / 2.0, &uri);
}

/// Texts right, left, above or below their point, wherever they cover the fewest points and texts.
pub fn labels(ink: &mut Ink, frame: &Frame, at: &[Option<(f64, f64)>], texts: &[String]) {
    let points: Vec<(f64, f64)> = at.iter().flatten().copied().take(2000).collect();
    let mut placed: Vec<(f64, f64, f64, f64)> = Vec::new();
    let shown =
        at.iter().zip(texts).filter_map(|(p, t)| p.map(|p| (p, clean(t)))).filter(|(_, t)| !t.is_empty());
    for ((x, y), label) in shown.take(TEXTS) {
        let label = text::shorten(&label, 10.0, 120.0);
        let (w, h) = (text::width(&label, 10.0), 10.0);
        let places = [
            (x + 6.0, y - h / 2.0),
            (x - 6.0 - w, y - h / 2.0),
            (x - w / 2.0, y - 6.0 - h),
            (x - w / 2.0, y + 6.0),
            (x + 4.0, y - 4.0 - h),
            (x - 4.0 - w, y + 4.0),
        ];
        let cost = |&(a, b): &(f64, f64)| {
            let outside = a < -4.0 || b < -4.0 || a + w > frame.width() + 4.0 || b + h > frame.height() + 4.0;
            let covered = placed
                .iter()
                .filter(|r| a < r.0 + r.2 && r.0 < a + w && b < r.1 + r.3 && r.1 < b + h)
                .count();
            let hit = points
                .iter()
                .filter(|p| a - 2.0 < p.0 && p.0 < a + w + 2.0 && b - 2.0 < p.1 && p.1 < b + h + 2.0)
                .count();
            usize::from(outside) * 50 + covered * 10 + hit
        };
        let best = places.iter().min_by_key(|p| cost(p)).copied().unwrap_or(places[0]);
        // In a crowd a text that would cover another one says nothing.
        if placed.len() > 30 && cost(&best) >= 10 {
            continue;
        }
        placed.push((best.0, best.1, w, h));
        ink.halo(best.0, best.1 + 8.5, Anchor::Start, &label, &format!("font-size=\"10\" fill=\"{INK}\""));
    }
}
