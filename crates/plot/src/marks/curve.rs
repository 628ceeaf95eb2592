//! Curves with intervals, thinned to what a screen can show.

use super::Context;
use crate::ink::{Ink, Path, Rgb, hex};
use crate::occupancy::Occupancy;
use crate::style::{Marker, Role, Style};

/// Points of one curve after thinning.
const MOST: usize = 2000;
/// Points of all curves of a panel.
const BUDGET: usize = 40_000;
/// Curves with at most this many points show each of them.
const FEW: usize = 25;

type Point = (f64, f64);

/// The marker of a curve with `n` points: every curve but the first carries some, so that curves differ without colour;
/// short curves show their points.
pub fn line_marker(style: &Style, n: usize) -> Option<Marker> {
    (style.role == Role::Series && (n <= FEW || style.index > 0)).then(|| Marker::of(style.index))
}

/// Attributes of a curve.
pub fn line_attributes(color: Rgb, dashed: bool, width: f64) -> String {
    let dash = if dashed { " stroke-dasharray=\"6 4\"" } else { "" };
    format!(
        "fill=\"none\" stroke=\"{}\" stroke-width=\"{width}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"{dash}",
        hex(color)
    )
}

/// Runs of points that can be drawn.
fn runs(context: &Context, x: &[f64], y: &[f64]) -> Vec<Vec<Point>> {
    let mut out: Vec<Vec<Point>> = vec![Vec::new()];
    for (&px, &py) in x.iter().zip(y) {
        match context.frame.at(px, py) {
            Some(p) => {
                if let Some(run) = out.last_mut() {
                    run.push(p);
                }
            }
            None if out.last().is_some_and(|r| !r.is_empty()) => out.push(Vec::new()),
            None => {}
        }
    }
    out.retain(|r| !r.is_empty());
    let total: usize = out.iter().map(Vec::len).sum();
    let most = MOST.min(BUDGET / context.curves.max(1)).max(60);
    if total > most {
        let cell = (4.0 * context.frame.width() / most as f64).max(0.5);
        out = out.iter().map(|run| thin(run, cell, most)).collect();
    }
    out.truncate(most);
    out
}

/// Fewer points that look the same: first, lowest, highest and last per column of `cell` pixels when x never steps
/// back, otherwise points at least a pixel apart.
fn thin(run: &[Point], cell: f64, most: usize) -> Vec<Point> {
    let mut out: Vec<Point> = Vec::new();
    if run.windows(2).all(|w| w[1].0 >= w[0].0) {
        for column in run.chunk_by(|a, b| (a.0 / cell).floor() == (b.0 / cell).floor()) {
            let by_y = |a: &usize, b: &usize| column[*a].1.total_cmp(&column[*b].1);
            let last = column.len() - 1;
            let low = (0..=last).min_by(by_y).unwrap_or(0);
            let high = (0..=last).max_by(by_y).unwrap_or(last);
            let mut keep = [0, low, high, last];
            keep.sort_unstable();
            for (k, &i) in keep.iter().enumerate() {
                if k == 0 || i != keep[k - 1] {
                    out.push(column[i]);
                }
            }
        }
        return out;
    }
    for &p in run {
        if out.last().is_none_or(|q| (p.0 - q.0).hypot(p.1 - q.1) >= 1.0) {
            out.push(p);
        }
    }
    let stride = out.len().div_ceil(4 * most).max(1);
    out.into_iter().step_by(stride).collect()
}

/// Pixels of the interval per point: x, upper end, lower end.
fn intervals(context: &Context, x: &[f64], ends: &(Vec<f64>, Vec<f64>)) -> Vec<Vec<(f64, f64, f64)>> {
    let frame = context.frame;
    let mut out = vec![Vec::new()];
    for ((&px, &a), &b) in x.iter().zip(&ends.0).zip(&ends.1) {
        match (frame.at(px, a), frame.at(px, b)) {
            (Some(p), Some(q)) => {
                if let Some(run) = out.last_mut() {
                    run.push((p.0, p.1.min(q.1), p.1.max(q.1)));
                }
            }
            _ => out.push(Vec::new()),
        }
    }
    out.retain(|r| r.len() > 1);
    let total: usize = out.iter().map(Vec::len).sum();
    let most = MOST.min(BUDGET / context.curves.max(1)).max(60) / 2;
    if total > most {
        let cell = (frame.width() / most as f64).max(0.5);
        for run in &mut out {
            let columns = run.chunk_by(|a, b| (a.0 / cell).floor() == (b.0 / cell).floor());
            *run = columns
                .map(|c| {
                    let top = c.iter().map(|p| p.1).fold(f64::INFINITY, f64::min);
                    let bottom = c.iter().map(|p| p.2).fold(f64::NEG_INFINITY, f64::max);
                    (c[0].0, top, bottom)
                })
                .collect();
        }
    }
    out.truncate(most);
    out
}

/// Draws the interval, the curve and its markers.
pub fn draw(
    ink: &mut Ink,
    context: &Context,
    x: &[f64],
    y: &[f64],
    interval: Option<&(Vec<f64>, Vec<f64>)>,
    dashed: bool,
) {
    let style = context.style;
    let bundle = style.role == Role::Bundle;
    if let Some(ends) = interval {
        let mut area = Path::default();
        for run in intervals(context, x, ends) {
            let there = run.iter().map(|p| (p.0, p.1));
            let back = run.iter().rev().map(|p| (p.0, p.2));
            area.polygon(&there.chain(back).collect::<Vec<_>>());
        }
        let opacity = if bundle { ".06" } else { ".2" };
        ink.path(&area, &format!("fill=\"{}\" fill-opacity=\"{opacity}\"", hex(style.color)));
    }
    let runs = runs(context, x, y);
    let mut path = Path::default();
    for run in &runs {
        path.polyline(run);
    }
    let (width, faint) = match style.role {
        Role::Bundle => (0.8, " stroke-opacity=\".35\""),
        Role::Reference => (1.2, ""),
        Role::Series if runs.iter().map(Vec::len).sum::<usize>() > 600 => (1.2, ""),
        Role::Series => (1.8, ""),
    };
    ink.path(&path, &format!("{}{faint}", line_attributes(style.color, dashed, width)));
    let n = x.len().min(y.len());
    if let Some(marker) = line_marker(style, n) {
        let points: Vec<Point> = runs.into_iter().flatten().collect();
        let mut shapes = Path::default();
        for p in marked(&points, n <= FEW, style.index) {
            marker.draw(&mut shapes, p.0, p.1, 3.2);
        }
        ink.path(&shapes, &marker.attributes(style.color));
    }
}

/// The points that carry a marker: all, or six spread over the curve and shifted per series.
fn marked(points: &[Point], all: bool, index: usize) -> Vec<Point> {
    if all || points.len() <= 6 {
        return points.to_vec();
    }
    let shift = 0.2 + 0.6 * ((index * 3) % 5) as f64 / 5.0;
    let last = points.len() - 1;
    (0..6).map(|k| points[((f64::from(k) + shift) / 6.0 * last as f64).round() as usize]).collect()
}

/// Takes the pixels of the curve and its interval.
pub fn occupy(
    context: &Context,
    x: &[f64],
    y: &[f64],
    interval: Option<&(Vec<f64>, Vec<f64>)>,
    taken: &mut Occupancy,
) {
    for run in runs(context, x, y) {
        for w in run.windows(2) {
            taken.segment(w[0], w[1]);
        }
        if let [only] = run[..] {
            taken.point(only);
        }
    }
    if let Some(ends) = interval {
        for p in intervals(context, x, ends).into_iter().flatten() {
            taken.segment((p.0, p.1), (p.0, p.2));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thinning_keeps_the_peaks() {
        let run: Vec<Point> = (0..100_000)
            .map(|i| (f64::from(i) / 250.0, if i == 54_321 { 999.0 } else { f64::from(i % 7) }))
            .collect();
        let thinned = thin(&run, 0.8, 2000);
        assert!(thinned.len() <= 2010, "{}", thinned.len());
        assert!(thinned.iter().any(|p| p.1 == 999.0));
        assert_eq!((thinned[0], thinned[thinned.len() - 1]), (run[0], run[run.len() - 1]));
    }

    #[test]
    fn a_closed_orbit_is_thinned_by_distance() {
        let run: Vec<Point> =
            (0..100_000).map(|i| f64::from(i) / 1e4).map(|t| (50.0 * t.cos(), 50.0 * t.sin())).collect();
        let thinned = thin(&run, 0.8, 2000);
        assert!((200..1000).contains(&thinned.len()), "{}", thinned.len());
    }
}
