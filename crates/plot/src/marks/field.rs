//! Arrows of a vector field.

use super::{Context, graph};
use crate::ink::{Ink, Path, hex};

/// Arrows drawn at most; a larger field is thinned evenly.
const MOST: usize = 3000;

/// Draws an arrow per tail; one of no length is a dot.
pub fn draw(ink: &mut Ink, context: &Context, from: &[(f64, f64)], by: &[(f64, f64)]) {
    let frame = context.frame;
    let n = from.len().min(by.len());
    let mut path = Path::default();
    for (a, d) in from.iter().zip(by).step_by(n.div_ceil(MOST).max(1)) {
        let ends = (frame.at(a.0, a.1), frame.at(a.0 + d.0, a.1 + d.1));
        let (Some(p), Some(q)) = ends else { continue };
        if (q.0 - p.0).hypot(q.1 - p.1) < 0.7 {
            path.dot(p.0, p.1);
        } else {
            path.segment(p, q);
            graph::head(&mut path, p, q, 0.0);
        }
    }
    let color = hex(context.style.color);
    ink.path(
        &path,
        &format!("fill=\"none\" stroke=\"{color}\" stroke-width=\"1.1\" stroke-linecap=\"round\""),
    );
}
