//! Figures: slices with outlines, Dice of every case, learning curves, the staircase.

use super::cases::Case;
use super::experiment::{Look, Outcome, REGIONS};
use super::measures::Score;
use super::segmenter::{Method, Plan};
use neuropil_core::{Array, Axis, Figure, Mark, Panel, Result};
use neuropil_math::statistics::mean;
use neuropil_nn::modules::segmentation::Head;

/// A slice through a volume: depth, height or width is fixed.
#[derive(Debug, Clone, Copy)]
pub(super) enum Plane {
    Axial(usize),
    Coronal(usize),
    Sagittal(usize),
}

impl Plane {
    /// Rows, columns and the voxel of a row and column.
    fn map(self, [d, h, w]: [usize; 3]) -> (usize, usize, impl Fn(usize, usize) -> usize) {
        let (rows, columns) = match self {
            Self::Axial(_) => (h, w),
            Self::Coronal(_) => (d, w),
            Self::Sagittal(_) => (d, h),
        };
        let voxel = move |r: usize, c: usize| {
            let (z, y, x) = match self {
                Self::Axial(z) => (z, r, c),
                // The head is up.
                Self::Coronal(y) => (d - 1 - r, y, c),
                Self::Sagittal(x) => (d - 1 - r, c, x),
            };
            (z * h + y) * w + x
        };
        (rows, columns, voxel)
    }

    fn name(self) -> String {
        match self {
            Self::Axial(z) => format!("axial {}", z + 1),
            Self::Coronal(y) => format!("coronal {}", y + 1),
            Self::Sagittal(x) => format!("sagittal {}", x + 1),
        }
    }
}

/// The three planes through the middle of what is labelled, or of the volume; one plane for a single slice.
pub(super) fn planes(levels: &[u16], [d, h, w]: [usize; 3]) -> Vec<Plane> {
    let most = levels.iter().copied().max().unwrap_or(0);
    let mut middle = [d / 2, h / 2, w / 2];
    let inside: Vec<usize> = (0..levels.len()).filter(|&i| most > 0 && levels[i] == most).collect();
    if !inside.is_empty() {
        let sum = |f: &dyn Fn(usize) -> usize| inside.iter().map(|&i| f(i)).sum::<usize>() / inside.len();
        middle = [sum(&|i| i / (h * w)), sum(&|i| i / w % h), sum(&|i| i % w)];
    }
    let [z, y, x] = middle;
    if d == 1 { vec![Plane::Axial(0)] } else { vec![Plane::Axial(z), Plane::Coronal(y), Plane::Sagittal(x)] }
}

/// Grey values of a channel in a plane, from its 1st to its 99th percentile.
fn grey(case: &Case, channel: usize, plane: Plane) -> (usize, usize, Vec<u8>) {
    let n = case.grid.len();
    let values = &case.values[channel * n..(channel + 1) * n];
    let mut sorted = values.to_vec();
    sorted.sort_by(f32::total_cmp);
    let (low, high) = (sorted[n / 100], sorted[n - 1 - n / 100]);
    let (rows, columns, voxel) = plane.map(case.grid.shape);
    let shade = |v: f32| (255.0 * ((v - low) / (high - low).max(1e-12)).clamp(0.0, 1.0)) as u8;
    let pixels =
        (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c))).map(|(r, c)| shade(values[voxel(r, c)]));
    (rows, columns, pixels.collect())
}

/// One row of three slices for the truth and for every answer, on channel `channel`.
pub(super) fn slices(name: &str, case: &Case, channel: usize, answers: &[(&str, &[u16])]) -> Figure {
    let guide =
        if case.levels.is_empty() { answers.first().map_or(&[] as &[u16], |a| a.1) } else { &case.levels };
    let planes = planes(guide, case.grid.shape);
    let mut rows: Vec<(&str, Option<&[u16]>)> = vec![("image", None)];
    if !case.levels.is_empty() {
        rows.push(("truth", Some(&case.levels)));
    }
    rows.extend(answers.iter().map(|(n, l)| (*n, Some(*l))));
    let mut panels = Vec::new();
    for &plane in &planes {
        for (title, levels) in &rows {
            let (height, width, pixels) = grey(case, channel, plane);
            let (_, _, voxel) = plane.map(case.grid.shape);
            let overlay = levels
                .map(|l| (0..height * width).map(|p| l[voxel(p / width, p % width)]).collect::<Vec<u16>>());
            let mark = Mark::Image { width, height, channels: 1, pixels, overlay };
            let title = format!("{title}, {}", plane.name());
            panels.push(Panel::new(&title, Axis::default(), Axis::default(), vec![mark]));
        }
    }
    let mut figure = Figure::new(
        name,
        "Nested structures in one case",
        &format!(
            "{}, channel {}, slices through the middle of the innermost structure. Outlines: levels 1 to 3 from the \
             outside in.",
            case.name,
            channel + 1
        ),
        panels,
    );
    figure.columns = rows.len();
    figure
}

/// Colours of levels 1, 2, 3, ... in pictures.
const TINTS: [[u8; 3]; 6] =
    [[255, 210, 63], [127, 214, 255], [255, 90, 70], [184, 242, 140], [243, 166, 232], [255, 255, 255]];
/// Smallest side of a slice in a picture, in pixels.
const SIDE: usize = 256;

/// A picture [3, height, width] of the slices side by side, above without and below with tinted levels.
pub(super) fn overlay(case: &Case, channel: usize, levels: &[u16]) -> Result<Array> {
    let guide = if levels.iter().any(|l| *l > 0) { levels } else { &case.levels };
    let slices: Vec<_> = planes(guide, case.grid.shape)
        .into_iter()
        .map(|plane| {
            let (rows, columns, grey) = grey(case, channel, plane);
            let (_, _, voxel) = plane.map(case.grid.shape);
            let own: Vec<u16> =
                (0..rows * columns).map(|p| levels[voxel(p / columns, p % columns)]).collect();
            (rows, columns, grey, own)
        })
        .collect();
    let longest = slices.iter().map(|s| s.0.max(s.1)).max().unwrap_or(1);
    let zoom = (SIDE / longest).max(1);
    let row = slices.iter().map(|s| s.0).max().unwrap_or(1) * zoom;
    let width: usize = slices.iter().map(|s| s.1 * zoom).sum();
    let mut planes_of_color = vec![0_u8; 3 * 2 * row * width];
    let mut from = 0;
    for (rows, columns, grey, own) in &slices {
        for y in 0..rows * zoom {
            for x in 0..columns * zoom {
                let p = (y / zoom) * columns + x / zoom;
                let tint = match own[p] {
                    0 => [grey[p]; 3],
                    l => TINTS[(usize::from(l) - 1) % TINTS.len()],
                };
                for (c, tint) in tint.into_iter().enumerate() {
                    let tinted = grey[p].midpoint(tint);
                    let at = |line: usize| (c * 2 * row + line) * width + from + x;
                    planes_of_color[at(y)] = grey[p];
                    planes_of_color[at(row + y)] = tinted;
                }
            }
        }
        from += columns * zoom;
    }
    Array::from_u8(&[3, 2 * row, width], &planes_of_color)
}

/// Loss and, where cases were held out, their Dice during a training.
pub(super) fn loss(looks: &[Look], regions: &[String], held_out: bool) -> Figure {
    let x: Vec<f64> = looks.iter().map(|l| l.step as f64).collect();
    let curve = Mark::line("", x.clone(), looks.iter().map(|l| l.loss).collect());
    let mut panels = vec![Panel::new("training", Axis::new("step", ""), Axis::new("loss", ""), vec![curve])];
    if held_out {
        let line = |(m, name): (usize, &String)| {
            Mark::line(name, x.clone(), looks.iter().map(|l| l.dice[m]).collect())
        };
        let marks = regions.iter().enumerate().map(line).collect();
        panels.push(Panel::new(
            "cases held out",
            Axis::new("step", ""),
            Axis::new("Dice", "").limits(0.0, 1.0),
            marks,
        ));
    }
    Figure::new(
        "learning",
        "Learning",
        "Mean loss between looks, and mean Dice of the cases held out.",
        panels,
    )
}

/// Dice of every case with a known truth, one panel per region.
pub(super) fn case_dice(scores: &[Score], regions: &[String]) -> Figure {
    let panels = regions
        .iter()
        .enumerate()
        .map(|(m, region)| {
            let values: Vec<f64> = scores.iter().map(|s| s.regions[m].dice).collect();
            let names = scores.iter().map(|s| s.name.clone()).collect();
            let bars = Mark::Bars { label: String::new(), names, values: values.clone(), interval: None };
            let level = Mark::Level { label: "mean".into(), y: mean(&values) };
            Panel::new(region, Axis::default(), Axis::new("Dice", "").limits(0.0, 1.0), vec![bars, level])
        })
        .collect();
    let mut figure =
        Figure::new("dice", "Agreement with the truth", "Dice of every case with labels.", panels);
    figure.columns = 3.min(figure.panels.len());
    figure
}

/// Validation Dice during training, one panel per region.
pub(super) fn learning(outcomes: &[Outcome], methods: &[Method]) -> Figure {
    let mut sizes: Vec<usize> = outcomes.iter().map(|o| o.train_size).collect();
    sizes.sort_unstable();
    sizes.dedup();
    let mut panels = Vec::new();
    for (m, region) in REGIONS.iter().enumerate() {
        let mut marks = Vec::new();
        for (k, &size) in sizes.iter().enumerate() {
            for &method in methods {
                let own: Vec<&Outcome> =
                    outcomes.iter().filter(|o| o.method == method && o.train_size == size).collect();
                let Some(first) = own.first() else { continue };
                let at = |i: usize| own.iter().map(|o| o.looks[i].dice[m]).collect::<Vec<_>>();
                let n = first.looks.len();
                let ends = |f: fn(f64, f64) -> f64, start: f64| {
                    (0..n).map(|i| at(i).into_iter().fold(start, f)).collect::<Vec<_>>()
                };
                let label = if sizes.len() > 1 {
                    format!("{}, {size} cases", method.name())
                } else {
                    method.name().into()
                };
                marks.push(Mark::Line {
                    label,
                    x: first.looks.iter().map(|l| l.step as f64).collect(),
                    y: (0..n).map(|i| mean(&at(i))).collect(),
                    interval: (sizes.len() == 1)
                        .then(|| (ends(f64::min, f64::INFINITY), ends(f64::max, f64::NEG_INFINITY))),
                    dashed: k + 1 < sizes.len(),
                });
            }
        }
        panels.push(Panel::new(region, Axis::new("step", ""), Axis::new("Dice", "").limits(0.0, 1.0), marks));
    }
    let mut figure = Figure::new(
        "learning",
        "Learning, on validation cases",
        "Mean Dice of the validation cases during training, mean (and range) over seeds.",
        panels,
    );
    figure.columns = 3;
    figure
}

/// Dice of every test case after the last step, mean over trainings, per region and method.
pub(super) fn dice(outcomes: &[Outcome], methods: &[Method]) -> Figure {
    let mut panels = Vec::new();
    for (m, region) in REGIONS.iter().enumerate() {
        let mut bars = (Vec::new(), Vec::new());
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for (k, &method) in methods.iter().enumerate() {
            let own: Vec<&Outcome> = outcomes.iter().filter(|o| o.method == method).collect();
            let cases = own.first().map_or(0, |o| o.last.len());
            let values: Vec<f64> = (0..cases)
                .map(|c| mean(&own.iter().map(|o| o.last[c].regions[m].dice).collect::<Vec<_>>()))
                .collect();
            bars.0.push(method.name().to_string());
            bars.1.push(mean(&values));
            // The same case is at the same place beside the middle of every bar.
            x.extend((0..cases).map(|c| k as f64 + 0.5 * ((c as f64 + 0.5) / cases as f64 - 0.5)));
            y.extend(values);
        }
        let marks = vec![
            Mark::Bars { label: String::new(), names: bars.0, values: bars.1, interval: None },
            Mark::points("", x, y),
        ];
        panels.push(Panel::new(region, Axis::default(), Axis::new("Dice", "").limits(0.0, 1.0), marks));
    }
    let mut figure = Figure::new(
        "dice",
        "Agreement with the truth",
        "Dice on the test cases after the last step: mean over trainings of every case (points, in the same order for \
         each method) and mean over cases (bars).",
        panels,
    );
    figure.columns = 3;
    figure
}

/// The multi-level activation and its parts.
pub(super) fn staircase(plan: &Plan) -> Result<Figure> {
    let head = Head::multi_level(plan.kappa, plan.spacing, plan.levels);
    head.check()?;
    let reach = 0.5 * plan.spacing * (plan.levels as f64 + 2.0);
    let z: Vec<f64> = (0..=400).map(|k| reach * (f64::from(k) / 200.0 - 1.0)).collect();
    let a = z.iter().map(|z| head.activation(*z).unwrap_or(f64::NAN)).collect();
    let mut marks = vec![Mark::line("a(z)", z.clone(), a)];
    if let Head::MultiLevel { kappa, thresholds } = &head {
        for (m, t) in thresholds.iter().enumerate() {
            let p = z.iter().map(|z| 1.0 / (1.0 + (-kappa * (z - t)).exp())).collect();
            let label = format!("P_{}", m + 1);
            marks.push(Mark::Line { label, x: z.clone(), y: p, interval: None, dashed: true });
        }
    }
    Ok(Figure::new(
        "staircase",
        "One map encodes all levels",
        &format!(
            "The multi-level activation with kappa = {} and steps {} apart: a plateau for each level, and a probability for \
             each region.",
            plan.kappa, plan.spacing
        ),
        vec![Panel::new("", Axis::new("output of the network z", ""), Axis::new("level", ""), marks)],
    ))
}
