//! What the experiments show, as figures and CSV.

use super::completion::Outcome;
use super::experiment::PathRun;
use super::flow::{Competition, Start, Trajectory, trace};
use neuropil_core::{Axis, Figure, Mark, Panel};
use std::fmt::Write as _;

/// At most this many points per curve.
const POINTS: usize = 250;

fn thinned(length: usize) -> impl Iterator<Item = usize> {
    (0..length).step_by(length.div_ceil(POINTS).max(1))
}

/// K_a and K_b of the strongest features through the deficit, one panel per start.
pub(super) fn path_strengths(runs: &[(usize, &PathRun)], length: usize, features: usize, depth: usize) -> Figure {
    let panels = runs.iter().map(|(start, run)| {
        let last = run.trained.a.rows() - 1;
        let mut marks = vec![Mark::Band {
            label: "path b gated".into(),
            from: *start as f64,
            to: (start + length).min(last) as f64,
        }];
        let steps: Vec<usize> = thinned(run.trained.a.rows()).collect();
        let sparse: Vec<usize> = steps.iter().copied().step_by(10).collect();
        let x: Vec<f64> = steps.iter().map(|&t| t as f64).collect();
        let (mut dots_x, mut dots_y) = (Vec::new(), Vec::new());
        for m in 0..features.min(run.s.len()) {
            for (name, trained) in [("a", &run.trained.a), ("b", &run.trained.b)] {
                marks.push(Mark::Line {
                    label: format!("K_{name}, s = {:.2}", run.s[m]),
                    x: x.clone(),
                    y: steps.iter().map(|&t| trained[(t, m)]).collect(),
                    interval: None,
                    dashed: name == "b",
                });
            }
            for predicted in run.predicted.iter().flat_map(|p| [&p.a, &p.b]) {
                dots_x.extend(sparse.iter().map(|&t| t as f64));
                dots_y.extend(sparse.iter().map(|&t| predicted[(t, m)]));
            }
        }
        if !dots_x.is_empty() {
            marks.push(Mark::points("equations", dots_x, dots_y));
        }
        Panel::new(&format!("deficit from step {start}"), Axis::new("training", "steps"), Axis::new("strength K", ""), marks)
    });
    let mut figure = Figure::new(
        "path_strengths",
        "An early deficit hands features to the other path",
        &format!(
            "Strengths of the strongest features in two paths of {depth} layers; the shaded span is the deficit of path \
             b, dots are the scalar equations. Early, path a takes the features for good; late, both keep half."
        ),
        panels.collect(),
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// Steps, path, feature, network and equations as CSV.
pub(super) fn strengths_csv(runs: &[(usize, &PathRun)]) -> String {
    let mut out = String::from("deficit_start,step,feature,s,k_a,k_b,k_a_equations,k_b_equations\n");
    for (start, run) in runs {
        for t in thinned(run.trained.a.rows()) {
            for (m, s) in run.s.iter().enumerate() {
                let (a, b) = (run.trained.a[(t, m)], run.trained.b[(t, m)]);
                let _ = write!(out, "{start},{t},{m},{s},{a},{b}");
                let _ = match &run.predicted {
                    Some(p) => writeln!(out, ",{},{}", p.a[(t, m)], p.b[(t, m)]),
                    None => writeln!(out, ",,"),
                };
            }
        }
    }
    out
}

/// Trajectories of one feature of strength 10 in the (K_a, K_b) plane.
pub(super) struct Portrait {
    pub depth: usize,
    early: Trajectory,
    late: Trajectory,
}

impl Portrait {
    const S: f64 = 10.0;

    /// p0 = q0 = 0.005, dt = 0.01; path b held for 5 steps at once, and for 10,000 steps from step 500,000 on.
    pub(super) fn new(depth: usize) -> Self {
        // Deep paths leave 0 after about p0^(2-D) steps; a start that takes longer than the late deficit is raised.
        let p0 = if depth <= 4 { 0.005 } else { 0.005_f64.powf(4.0 / depth as f64) };
        let run = |deficit| trace(Competition::new(depth, Self::S, p0, Start::Small), 0.01, 700_000, deficit, 200);
        Self { depth, early: run(0..5), late: run(500_000..510_000) }
    }

    fn share(t: &Trajectory) -> f64 {
        let (a, b) = (t.a[t.a.len() - 1], t.b[t.b.len() - 1]);
        a / (a + b)
    }

    pub(super) fn early_share(&self) -> f64 {
        Self::share(&self.early)
    }

    pub(super) fn late_share(&self) -> f64 {
        Self::share(&self.late)
    }
}

/// Flow field, the line of solutions and the two trajectories, one panel per depth.
pub(super) fn phase_portraits(portraits: &[Portrait]) -> Figure {
    let s = Portrait::S;
    let panels = portraits.iter().map(|p| {
        let (mut from, mut by) = (Vec::new(), Vec::new());
        let cells = 12;
        for i in 0..cells {
            for j in 0..cells {
                let at = |k: usize| 1.15 * s * (k as f64 + 0.5) / f64::from(cells as u32);
                let (a, b) = (at(i), at(j));
                let (da, db) = Competition::field(p.depth, s, a, b);
                let size = da.hypot(db);
                if size > 0.0 {
                    // Directions only: speeds span orders of magnitude.
                    let arrow = 0.06 * s / size;
                    from.push((a, b));
                    by.push((da * arrow, db * arrow));
                }
            }
        }
        let line = |label: &str, t: &Trajectory| Mark::line(label, t.a.clone(), t.b.clone());
        let ends = |t: &Trajectory| (t.a[t.a.len() - 1], t.b[t.b.len() - 1]);
        let (early, late) = (ends(&p.early), ends(&p.late));
        let marks = vec![
            Mark::Arrows { from, by },
            Mark::Line {
                label: "K_a + K_b = s".into(),
                x: vec![0.0, s],
                y: vec![s, 0.0],
                interval: None,
                dashed: true,
            },
            line("5 steps at once", &p.early),
            line("10,000 steps late", &p.late),
            Mark::points("ends", vec![early.0, late.0], vec![early.1, late.1]),
        ];
        Panel::new(
            &layers(p.depth),
            Axis::new("K_a", "").limits(0.0, 1.15 * s),
            Axis::new("K_b", "").limits(0.0, 1.15 * s),
            marks,
        )
    });
    let mut figure = Figure::new(
        "phase_portrait",
        "Deeper paths are tipped further by the same early deficit",
        "Flow of the two scalar equations for one feature of strength 10. Every trajectory ends on the dashed line of \
         solutions; which one depends on a deficit of 5 steps at the very start, and not on one of 10,000 steps later.",
        panels.collect(),
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// A measured value over the replicates.
pub(super) struct Point {
    /// Switch time, rank, entries, scale or depth.
    pub at: f64,
    pub mean: f64,
    pub low: f64,
    pub high: f64,
}

/// A labelled curve.
pub(super) struct Curve {
    pub label: String,
    pub points: Vec<Point>,
}

impl Curve {
    fn mark(&self) -> Mark {
        let column = |f: fn(&Point) -> f64| self.points.iter().map(f).collect::<Vec<f64>>();
        Mark::Line {
            label: self.label.clone(),
            x: column(|p| p.at),
            y: column(|p| p.mean),
            interval: Some((column(|p| p.low), column(|p| p.high))),
            dashed: false,
        }
    }
}

/// Damage against one varied quantity.
pub(super) struct Sweep {
    pub label: String,
    pub axis: String,
    pub curves: Vec<Curve>,
}

/// "1 layer", "3 layers".
fn layers(depth: usize) -> String {
    format!("{depth} {}", if depth == 1 { "layer" } else { "layers" })
}

/// Final error against switch time for a depth.
pub(super) fn depth_curve(depth: usize, points: Vec<Point>) -> Curve {
    Curve { label: layers(depth), points }
}

/// Error against switch time per depth, and the sweeps.
pub(super) fn damage_curve(curves: &[Curve], sweeps: &[Sweep], judged: &str) -> Figure {
    let mut panels = vec![Panel::new(
        "task switch",
        Axis::new("switch time T_c", "steps"),
        Axis::new("reconstruction error", ""),
        curves.iter().map(Curve::mark).collect(),
    )];
    panels.extend(sweeps.iter().map(|s| {
        let mut x = Axis::new(&s.axis, "");
        x.log = s.axis == "scale";
        Panel::new(&s.label, x, Axis::new("damage", ""), s.curves.iter().map(Curve::mark).collect())
    }));
    Figure::new(
        "damage_curve",
        "The later the task changes, the worse a deep chain completes the second matrix",
        &format!(
            "Mean squared error over {judged}, after the same number of steps on it; the range is that of the replicates. \
             One layer is the convex control."
        ),
        panels,
    )
}

/// Singular values of the end-to-end matrix for the latest switch, one panel per depth.
pub(super) fn singular_values(traces: &[(usize, &Outcome)]) -> Figure {
    let panels = traces.iter().map(|(depth, outcome)| {
        let count = outcome.singular.values.first().map_or(0, Vec::len);
        let mut marks =
            vec![Mark::Band { label: "first task".into(), from: 0.0, to: outcome.switch as f64 }];
        let at: Vec<usize> = thinned(outcome.singular.steps.len()).collect();
        for r in 0..count {
            let x = at.iter().map(|&i| outcome.singular.steps[i] as f64).collect();
            let y = at.iter().map(|&i| outcome.singular.values[i][r]).collect();
            marks.push(Mark::line("", x, y));
        }
        Panel::new(&layers(*depth), Axis::new("training", "steps"), Axis::new("singular value", ""), marks)
    });
    let mut figure = Figure::new(
        "singular_values",
        "Modes grown for the first task stay",
        "Largest singular values of the end-to-end matrix; the shaded span is the first task. Deep chains grow one mode \
         after the other and cannot unlearn, from few entries, those that the second task does not need.",
        panels.collect(),
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// Depth, switch, step and singular values as CSV.
pub(super) fn singular_csv(traces: &[(usize, &Outcome)]) -> String {
    let widest = traces.iter().filter_map(|(_, o)| o.singular.values.first().map(Vec::len)).max().unwrap_or(0);
    let mut out = String::from("depth,switch,step");
    (0..widest).for_each(|r| {
        let _ = write!(out, ",s{r}");
    });
    out.push('\n');
    for (depth, outcome) in traces {
        for (step, values) in outcome.singular.steps.iter().zip(&outcome.singular.values) {
            let _ = write!(out, "{depth},{},{step}", outcome.switch);
            for v in values {
                let _ = write!(out, ",{v}");
            }
            (values.len()..widest).for_each(|_| out.push(','));
            out.push('\n');
        }
    }
    out
}
