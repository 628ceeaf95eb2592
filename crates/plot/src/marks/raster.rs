//! Spikes: one tick per event, all in one path.

use super::{Context, points};
use crate::ink::{Ink, Path, hex};
use std::collections::BTreeSet;

/// Up to this many ticks are a path; more become a picture.
const TICKS: usize = 10_000;

/// Draws the events. Ticks that fall on the same half pixel are drawn once.
pub fn draw(ink: &mut Ink, context: &Context, times: &[f64], rows: &[f64]) {
    let frame = context.frame;
    let pitch = frame.y.pixels_per_unit();
    let tall = if pitch.is_finite() { (0.8 * pitch).clamp(1.0, 14.0) } else { 4.0 };
    let ticks: BTreeSet<(i64, i64)> = times
        .iter()
        .zip(rows)
        .filter_map(|(&t, &r)| frame.at(t, r))
        .filter(|p| {
            (-1.0..=frame.width() + 1.0).contains(&p.0) && (-tall..=frame.height() + tall).contains(&p.1)
        })
        .map(|p| (((p.1 - tall / 2.0) * 2.0).round() as i64, (p.0 * 2.0).round() as i64))
        .collect();
    if ticks.len() <= TICKS {
        let mut path = Path::default();
        for &(y, x) in &ticks {
            path.down(x as f64 / 2.0, y as f64 / 2.0, tall);
        }
        let width = if ticks.len() > 3000 { 0.8 } else { 1.2 };
        let color = hex(context.style.color);
        ink.path(&path, &format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"{width}\""));
    } else {
        let height = ((tall * 2.0).round() as i64).max(1);
        let marks: Vec<_> = ticks.into_iter().map(|(y, x)| (x, y, height)).collect();
        points::stamp(ink, frame, &marks, context.style.color);
    }
}
