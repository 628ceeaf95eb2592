//! Bars side by side, hatched so that series differ without colour.

use super::Context;
use crate::color;
use crate::ink::{Ink, Path, Rgb, hex};
use crate::occupancy::Occupancy;
use crate::scale::LARGEST;

/// Hatch of the bars: series 0 is plain.
fn hatch(path: &mut Path, (x, y, w, h): (f64, f64, f64, f64), index: usize) {
    let step = 6.0;
    // A diagonal from the lower left, clipped by hand because patterns need ids.
    let mut diagonal = |rising: bool| {
        let mut c = step;
        while c < w + h {
            let (x0, y0) = if c <= h { (0.0, c) } else { (c - h, h) };
            let (x1, y1) = if c <= w { (c, 0.0) } else { (w, c - w) };
            if rising {
                path.segment((x + x0, y + y0), (x + x1, y + y1));
            } else {
                path.segment((x + w - x0, y + y0), (x + w - x1, y + y1));
            }
            c += step;
        }
    };
    match index % 5 {
        1 => diagonal(true),
        2 => {
            let mut at = step / 2.0;
            while at < h {
                path.segment((x, y + at), (x + w, y + at));
                at += step;
            }
        }
        3 => diagonal(false),
        4 => {
            diagonal(true);
            diagonal(false);
        }
        _ => {}
    }
}

/// One bar over a pixel rectangle.
pub fn bar(ink: &mut Ink, rect: (f64, f64, f64, f64), color: Rgb, index: usize) {
    let (x, y, w, h) = rect;
    // A lighter fill leaves contrast to the whiskers and the reference levels on top.
    let fill = hex(color::mix(color, [255, 255, 255], 0.28));
    ink.rect(x, y, w, h, &format!("fill=\"{fill}\" stroke=\"#222\" stroke-width=\".7\""));
    let mut lines = Path::default();
    hatch(&mut lines, rect, index);
    ink.path(&lines, "fill=\"none\" stroke=\"#fff\" stroke-opacity=\".85\" stroke-width=\"1.3\"");
}

/// The pixel rectangle of bar `i`.
fn rect(context: &Context, i: usize, value: f64) -> Option<(f64, f64, f64, f64)> {
    let frame = context.frame;
    let (slot, of) = context.style.slot;
    let width = 0.78 / of.max(1) as f64;
    let left = i as f64 - 0.39 + slot as f64 * width;
    let (x0, x1) = (frame.x.at(left)?, frame.x.at(left + width)?);
    let base = if frame.y.log { frame.y.low.min(frame.y.high) } else { 0.0 };
    let (y0, y1) = (frame.y.at(base)?, frame.y.at(value)?);
    Some((x0.min(x1), y0.min(y1), (x1 - x0).abs(), (y1 - y0).abs()))
}

/// Draws the bars and their intervals.
pub fn draw(ink: &mut Ink, context: &Context, values: &[f64], interval: Option<&(Vec<f64>, Vec<f64>)>) {
    let frame = context.frame;
    let style = context.style;
    let visible = |i: &usize| frame.x.contains(*i as f64);
    // Hundreds of bars are thinner than their outline: they become one path.
    let slender = rect(context, 0, 0.0).is_some_and(|r| r.2 < 3.0);
    let mut thin = Path::default();
    let mut whiskers = Path::default();
    for i in (0..values.len()).filter(visible) {
        let Some(r) = rect(context, i, values[i]) else { continue };
        if slender {
            if thin.len() < 400_000 {
                thin.down(r.0 + r.2 / 2.0, r.1, r.3);
            }
        } else {
            bar(ink, r, style.color, style.index);
        }
        let Some((low, high)) = interval.and_then(|(a, b)| Some((*a.get(i)?, *b.get(i)?))) else { continue };
        if let (Some(a), Some(b)) = (frame.y.at(low), frame.y.at(high))
            && low.abs() <= LARGEST
            && !slender
        {
            let x = r.0 + r.2 / 2.0;
            let cap = (r.2 * 0.25).min(5.0);
            whiskers.segment((x, a), (x, b));
            whiskers.segment((x - cap, a), (x + cap, a));
            whiskers.segment((x - cap, b), (x + cap, b));
        }
    }
    ink.path(&thin, &format!("fill=\"none\" stroke=\"{}\" stroke-width=\"1\"", hex(style.color)));
    ink.path(&whiskers, "fill=\"none\" stroke=\"#fff\" stroke-width=\"3\" stroke-opacity=\".8\"");
    ink.path(&whiskers, "fill=\"none\" stroke=\"#222\" stroke-width=\"1.3\"");
}

/// Takes the pixels of the bars.
pub fn occupy(
    context: &Context,
    values: &[f64],
    interval: Option<&(Vec<f64>, Vec<f64>)>,
    taken: &mut Occupancy,
) {
    for (i, &value) in values.iter().enumerate().take(5000) {
        if let Some(r) = rect(context, i, value) {
            taken.rect(r.0, r.1, r.2, r.3);
            let ends = interval.and_then(|(a, b)| Some((*a.get(i)?, *b.get(i)?)));
            if let Some((Some(a), Some(b))) =
                ends.map(|(a, b)| (context.frame.y.at(a), context.frame.y.at(b)))
            {
                taken.segment((r.0 + r.2 / 2.0, a), (r.0 + r.2 / 2.0, b));
            }
        }
    }
}
