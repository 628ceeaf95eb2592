//! Graphs at given positions.

use super::{Context, points};
use crate::color;
use crate::ink::{Ink, Path, hex};
use crate::style::Marker;

/// Edges drawn at most, the strongest first.
const EDGES: usize = 4000;
/// Up to this many edges carry an arrow head.
const HEADS: usize = 250;

/// Draws edges, then nodes, then names. Edges of negative weight are dashed; groups differ in colour and shape.
pub fn draw(
    ink: &mut Ink,
    context: &Context,
    nodes: &[(f64, f64)],
    names: &[String],
    groups: &[usize],
    edges: &[(usize, usize, f64)],
) {
    let at: Vec<Option<(f64, f64)>> = nodes.iter().map(|p| context.frame.at(p.0, p.1)).collect();
    let radius = match nodes.len() {
        0..=40 => 6.0,
        41..=150 => 4.5,
        151..=600 => 3.0,
        _ => 1.8,
    };
    draw_edges(ink, &at, edges, radius);
    let count = groups.iter().max().map_or(1, |g| g.saturating_add(1)).min(1000);
    for group in 0..count {
        let own = |i: usize| groups.get(i).copied().unwrap_or(0).min(999) == group;
        let own: Vec<(f64, f64)> =
            at.iter().enumerate().filter(|(i, _)| own(*i)).filter_map(|(_, p)| *p).collect();
        let color = color::series(group, count);
        if own.len() > 3000 {
            points::dots(ink, context.frame, &own, color, 2.0 * radius);
            continue;
        }
        // Filled shapes only, so that nodes hide the ends of their edges.
        let marker = Marker::of(group % 5);
        let mut path = Path::default();
        for p in &own {
            marker.draw(&mut path, p.0, p.1, radius);
        }
        ink.path(&path, &format!("fill=\"{}\" stroke=\"#fff\" stroke-width=\"1\"", hex(color)));
    }
    if !names.is_empty() {
        points::labels(ink, context.frame, &at, names);
    }
}

/// Both ends in pixels and the weight.
type Edge = ((f64, f64), (f64, f64), f64);

fn draw_edges(ink: &mut Ink, at: &[Option<(f64, f64)>], edges: &[(usize, usize, f64)], radius: f64) {
    let place = |i: usize| at.get(i).copied().flatten();
    let mut seen: Vec<Edge> = edges
        .iter()
        .filter(|e| e.2.is_finite() && e.2 != 0.0)
        .filter_map(|e| Some((place(e.0)?, place(e.1)?, e.2)))
        .collect();
    if seen.len() > EDGES {
        seen.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
        seen.truncate(EDGES);
    }
    let strongest = seen.iter().map(|e| e.2.abs()).fold(0.0, f64::max);
    let heads = seen.len() <= HEADS;
    let opacity = if seen.len() > 400 { ".35" } else { ".65" };
    // Five widths and two signs: ten paths at most, whatever the number of edges.
    for level in 0..5 {
        for negative in [false, true] {
            let mut path = Path::default();
            for &(a, b, w) in &seen {
                let own = ((w.abs() / strongest * 5.0) as usize).min(4);
                if own != level || (w < 0.0) != negative {
                    continue;
                }
                if a == b {
                    path.circle(a.0, a.1 - radius * 1.6, radius * 1.2);
                    continue;
                }
                path.segment(a, b);
                if heads {
                    head(&mut path, a, b, radius + 1.5);
                }
            }
            let width = 0.6 + 0.65 * level as f64;
            let dash = if negative { " stroke-dasharray=\"3 2.5\"" } else { "" };
            let attributes = format!(
                "fill=\"none\" stroke=\"#666\" stroke-width=\"{width}\" stroke-opacity=\"{opacity}\"{dash}"
            );
            ink.path(&path, &attributes);
        }
    }
}

/// An open arrow head on the way from `a` to `b`, `gap` pixels before `b`.
pub fn head(path: &mut Path, a: (f64, f64), b: (f64, f64), gap: f64) {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let length = dx.hypot(dy);
    if length < gap + 2.0 {
        return;
    }
    let (ux, uy) = (dx / length, dy / length);
    let tip = (b.0 - ux * gap, b.1 - uy * gap);
    let size = 5.0_f64.min(0.45 * length);
    for side in [-0.5, 0.5] {
        path.segment(tip, (tip.0 - size * (ux + side * uy), tip.1 - size * (uy - side * ux)));
    }
}
