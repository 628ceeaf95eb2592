//! What the experiments show, as figures.

use neuropil_analysis::mds::Embedding;
use neuropil_analysis::rdm::NoiseCeiling;
use neuropil_core::{Axis, Figure, Mark, Panel, Result};
use neuropil_math::distances::to_square;

/// Name, accuracy and interval of a statistic.
pub(super) type NamedAccuracy = (String, f64, Option<(f64, f64)>);

fn share() -> Axis {
    Axis::new("share of regions recognised", "").limits(0.0, 1.0)
}

fn chance_line(chance: f64) -> Mark {
    Mark::Level { label: "chance".into(), y: chance }
}

/// Accuracy of each statistic as a bar.
pub(super) fn accuracy_bars(statistics: &[NamedAccuracy], chance: f64) -> Figure {
    let end = |f: fn((f64, f64)) -> f64| {
        statistics.iter().map(|(_, v, i)| i.map_or(*v, f)).collect::<Vec<f64>>()
    };
    let bars = Mark::Bars {
        label: String::new(),
        names: statistics.iter().map(|(n, _, _)| n.clone()).collect(),
        values: statistics.iter().map(|(_, v, _)| *v).collect(),
        interval: Some((end(|i| i.0), end(|i| i.1))),
    };
    Figure::new(
        "accuracy",
        "How well each summary identifies regions in a subject left out",
        "Nearest average of the other subjects' vectors; intervals are over resamples of subjects and stimuli. A raw RDM \
         keeps the overall scale of the responses and may recognise regions by that alone.",
        vec![Panel::new("", Axis::default(), share(), vec![bars, chance_line(chance)])],
    )
}

/// Accuracy over the (l, u) triangle, one panel per condition: its title, the accuracy of each cell, and the cells to
/// mark, which over resamples do not differ from the best.
pub(super) fn accuracy_map(
    name: &str,
    conditions: &[(String, Vec<f64>, Vec<usize>)],
    cells: &[(f64, f64)],
    steps: usize,
) -> Figure {
    let side = steps + 1;
    let all = || conditions.iter().flat_map(|(_, v, _)| v).copied();
    let limits = (all().fold(1.0, f64::min), all().fold(0.0, f64::max));
    let every = (steps / 4).max(1);
    let names: Vec<String> = (0..side)
        .map(|k| if k % every == 0 { format!("{:.2}", k as f64 / steps as f64) } else { String::new() })
        .collect();
    let panels = conditions
        .iter()
        .map(|(title, accuracy, marked)| {
            let mut values = vec![f64::NAN; side * side];
            let at = |q: f64| (q * steps as f64).round() as usize;
            for ((l, u), v) in cells.iter().zip(accuracy) {
                values[at(*l) * side + at(*u)] = *v;
            }
            let map = Mark::Matrix {
                rows: side,
                columns: side,
                values,
                row_names: names.clone(),
                column_names: names.clone(),
                label: "accuracy".into(),
                diverging: false,
                limits: (limits.0 < limits.1).then_some(limits),
            };
            let mut marks = vec![map];
            if !marked.is_empty() {
                marks.push(Mark::Points {
                    label: "not significantly different from the best".into(),
                    x: marked.iter().map(|&k| at(cells[k].1) as f64).collect(),
                    y: marked.iter().map(|&k| at(cells[k].0) as f64).collect(),
                    texts: Vec::new(),
                });
            }
            Panel::new(title, Axis::new("upper threshold u", ""), Axis::new("lower threshold l", ""), marks)
        })
        .collect();
    let mut figure = Figure::new(
        name,
        "Which thresholds keep what identifies a region",
        "Accuracy of the geo-topological matrix at every (l, u). The top right corner, (0, 1), is the rank RDM; the \
         diagonal keeps only which pairs are neighbours.",
        panels,
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// True region against assigned region, one panel per statistic.
pub(super) fn confusion(name: &str, statistics: &[(&str, &[f64])], regions: &[String]) -> Figure {
    let n = regions.len();
    let panels = statistics
        .iter()
        .map(|(title, counts)| {
            let share = counts
                .chunks(n.max(1))
                .flat_map(|row| {
                    let total = row.iter().sum::<f64>().max(1.0);
                    row.iter().map(move |v| v / total)
                })
                .collect();
            let matrix = Mark::Matrix {
                rows: n,
                columns: n,
                values: share,
                row_names: regions.to_vec(),
                column_names: regions.to_vec(),
                label: "share".into(),
                diverging: false,
                limits: Some((0.0, 1.0)),
            };
            Panel::new(title, Axis::new("assigned to", ""), Axis::new("region", ""), vec![matrix])
        })
        .collect();
    Figure::new(
        name,
        "Which regions are taken for which",
        "Share of each region's vectors that were nearest to the average of each region in the other subjects.",
        panels,
    )
}

/// Representations in the plane, points of one region in one shade (subject-major rows).
pub(super) fn plane(statistics: &[(&str, Embedding)], regions: &[String]) -> Figure {
    let panels = statistics
        .iter()
        .map(|(title, e)| {
            let marks = regions
                .iter()
                .enumerate()
                .map(|(k, region)| {
                    let own: Vec<usize> = (k..e.points.rows()).step_by(regions.len()).collect();
                    Mark::points(
                        region,
                        own.iter().map(|&i| e.points[(i, 0)]).collect(),
                        own.iter().map(|&i| e.points[(i, 1)]).collect(),
                    )
                })
                .collect();
            let title = format!("{title} (stress {:.2})", e.stress);
            Panel::new(&title, Axis::new("dimension 1", ""), Axis::new("dimension 2", ""), marks)
        })
        .collect();
    Figure::new(
        "regions",
        "Regions of all subjects, arranged by how much their summaries differ",
        "Multidimensional scaling of the distances between the vectors; a point is one region of one subject.",
        panels,
    )
}

/// Rank RDM and topology-sensitive matrix of a few representations: (name, rank, topology), condensed.
pub(super) fn matrices(name: &str, shown: &[(String, Vec<f64>, Vec<f64>)]) -> Result<Figure> {
    let mut panels = Vec::new();
    for which in 0..2 {
        for (region, rank, topology) in shown {
            let square = to_square(if which == 0 { rank } else { topology })?;
            let n = square.rows();
            let mut mark = Mark::matrix(n, n, square.into_data(), "dissimilarity");
            if let Mark::Matrix { limits, .. } = &mut mark {
                *limits = Some((0.0, 1.0));
            }
            let title = format!("{region}, {}", if which == 0 { "ranks" } else { "topology" });
            panels.push(Panel::new(&title, Axis::new("stimulus", ""), Axis::new("stimulus", ""), vec![mark]));
        }
    }
    let mut figure = Figure::new(
        name,
        "What each summary keeps of a representation",
        "Above, rank-normalised dissimilarities; below, the geo-topological matrix at (0.45, 0.55), which tells near \
         from far pairs and little else.",
        panels,
    );
    figure.columns = shown.len().max(1);
    Ok(figure)
}

/// Stimuli in the plane, joined in their order, one panel per representation.
pub(super) fn stimuli(planes: &[(&str, Embedding)]) -> Figure {
    let panels = planes
        .iter()
        .map(|(name, e)| {
            let (x, y) = (e.points.col(0), e.points.col(1));
            let path = Mark::Line { label: String::new(), x: x.clone(), y: y.clone(), interval: None, dashed: true };
            Panel::new(
                name,
                Axis::new("dimension 1", ""),
                Axis::new("dimension 2", ""),
                vec![path, Mark::points("", x, y)],
            )
        })
        .collect();
    let mut figure = Figure::new(
        "stimuli",
        "The stimuli as each region arranges them",
        "Multidimensional scaling of the rank RDMs; the dashed line joins stimuli in their order.",
        panels,
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// Components and loops against the threshold: name and (Betti-0, Betti-1) at ranks 0, 0.01, ..., 1.
pub(super) fn betti(curves: &[(String, Vec<(usize, usize)>)]) -> Figure {
    let line = |which: usize| {
        curves
            .iter()
            .map(|(name, values)| {
                let x = (0..values.len()).map(|k| 0.01 * k as f64).collect();
                let y = values.iter().map(|v| if which == 0 { v.0 as f64 } else { v.1 as f64 }).collect();
                Mark::line(name, x, y)
            })
            .collect::<Vec<_>>()
    };
    let x = || Axis::new("pairs joined up to rank", "");
    Figure::new(
        "betti",
        "Components and loops as more and more pairs are joined",
        "Betti numbers of the complex that joins all pairs up to a rank-normalised dissimilarity. A long-lived loop is a \
         ring in the representation.",
        vec![
            Panel::new("connected components", x(), Axis::new("Betti-0", ""), line(0)),
            Panel::new("loops", x(), Axis::new("Betti-1", ""), line(1)),
        ],
    )
}

/// A region with its (model, correlation) bars and its noise ceiling.
pub(super) type RegionModels = (String, Vec<(String, f64)>, Option<NoiseCeiling>);

/// Models against regions, one panel per region.
pub(super) fn models(regions: &[RegionModels]) -> Figure {
    let panels = regions
        .iter()
        .map(|(region, bars, ceiling)| {
            let mut marks = vec![Mark::Bars {
                label: String::new(),
                names: bars.iter().map(|(n, _)| n.clone()).collect(),
                values: bars.iter().map(|(_, v)| *v).collect(),
                interval: None,
            }];
            if let Some(c) = ceiling {
                marks.push(Mark::Level { label: "noise ceiling, lower".into(), y: c.lower });
                marks.push(Mark::Level { label: "noise ceiling, upper".into(), y: c.upper });
            }
            Panel::new(region, Axis::default(), Axis::new("rank correlation", ""), marks)
        })
        .collect();
    let mut figure = Figure::new(
        "models",
        "How well candidate models explain each region",
        "Spearman correlation of model and measured RDMs, mean of subjects, beside the range that the best model could \
         reach.",
        panels,
    );
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// Accuracy against noise, one curve per statistic: name and (noise, accuracy).
pub(super) fn accuracy_by_noise(
    name: &str,
    title: &str,
    curves: &[(String, Vec<(f64, f64)>)],
    chance: f64,
) -> Figure {
    let mut marks: Vec<Mark> = curves
        .iter()
        .enumerate()
        .map(|(k, (label, points))| Mark::Line {
            label: label.clone(),
            x: points.iter().map(|p| p.0).collect(),
            y: points.iter().map(|p| p.1).collect(),
            interval: None,
            dashed: k % 2 == 1,
        })
        .collect();
    marks.push(chance_line(chance));
    Figure::new(
        name,
        title,
        "Leave-one-subject-out identification; noise is added to the responses before anything is computed.",
        vec![Panel::new("", Axis::new("noise standard deviation", ""), share(), marks)],
    )
}
