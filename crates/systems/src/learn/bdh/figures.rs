//! Figures of the experiments.

use super::inspect::GraphReport;
use super::model::Sparsity;
use neuropil_core::{Axis, Figure, Mark, Panel};

/// One loss curve: label, points (step, nats).
pub type Curve<'a> = (&'a str, &'a [(usize, f64)]);

/// Validation loss over steps.
pub fn losses(name: &str, title: &str, caption: &str, curves: &[Curve], levels: &[(&str, f64)]) -> Figure {
    let mut marks: Vec<Mark> = curves
        .iter()
        .map(|(label, points)| {
            let (x, y) = points.iter().map(|&(s, l)| (s as f64, l)).unzip();
            Mark::line(label, x, y)
        })
        .collect();
    marks.extend(levels.iter().map(|&(label, y)| Mark::Level { label: label.into(), y }));
    let panel = Panel::new("", Axis::new("optimiser step", ""), Axis::new("validation loss", "nats per byte"), marks);
    Figure::new(name, title, caption, vec![panel])
}

/// Fraction of active neurons per round.
pub fn sparsity(rounds: &[Sparsity]) -> Figure {
    let x: Vec<f64> = (1..=rounds.len()).map(|l| l as f64).collect();
    let line = |label: &str, f: fn(&Sparsity) -> f64| Mark::line(label, x.clone(), rounds.iter().map(f).collect());
    let marks = vec![line("neurons x", |s| s.xs), line("neurons y", |s| s.ys), line("product x y", |s| s.z)];
    let panel = Panel::new("", Axis::new("round", ""), Axis::new("active fraction", "").limits(0.0, 1.0), marks);
    Figure::new(
        "sparsity",
        "Activity is sparse and positive",
        "Fraction of non-zero entries per round on validation text. Random weights give one half for x and y.",
        vec![panel],
    )
}

/// Degrees of the neuron graph, complementary cumulative, on logarithmic axes.
pub fn degrees(report: &GraphReport) -> Figure {
    let curve = |label: &str, degrees: &[f64]| {
        let mut d: Vec<f64> = degrees.iter().copied().filter(|&k| k > 0.0).collect();
        d.sort_unstable_by(f64::total_cmp);
        let n = d.len() as f64;
        let y = (0..d.len()).map(|i| (n - i as f64) / n).collect();
        Mark::points(label, d, y)
    };
    let marks = vec![curve("in", &report.degrees[0]), curve("out", &report.degrees[1])];
    let y = Axis::new("fraction of neurons with at least this degree", "").log();
    let panel = Panel::new("", Axis::new("degree", "edges").log(), y, marks);
    Figure::new(
        "degrees",
        "Degrees of the learned neuron graph",
        "Strongest excitatory entries of G = Dc E as edges from y neurons to x neurons of the next round.",
        vec![panel],
    )
}

/// The strength of one synapse under a text.
pub fn trace(label: &str, text: &[u32], values: &[f64]) -> Figure {
    let ticks = text.iter().enumerate().map(|(i, &t)| (i as f64, printable(t))).collect();
    let x = (0..values.len()).map(|i| i as f64).collect();
    let axis = Axis { ticks: Some(ticks), ..Axis::new("text", "") };
    let panel = Panel::new("", axis, Axis::new("synapse strength", ""), vec![Mark::line(label, x, values.to_vec())]);
    Figure::new(
        "synapse_trace",
        "One synapse while the text is read",
        "Strength of one entry of rho after each byte. The synapse was chosen on other texts.",
        vec![panel],
    )
}

/// A byte as one visible character.
pub fn printable(token: u32) -> String {
    match u8::try_from(token) {
        Ok(b) if b.is_ascii_graphic() => char::from(b).to_string(),
        Ok(b' ' | b'\n') => "\u{b7}".into(),
        _ => "?".into(),
    }
}
