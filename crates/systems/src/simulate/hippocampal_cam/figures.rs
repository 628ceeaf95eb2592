//! Figures of the memory.

use super::circuit::{POPULATIONS, size_of};
use super::operations::{Kind, Operation};
use super::scripted::{Scripted, Table};
use super::workloads::{Cell, Condition, Scores};
use neuropil_core::{Axis, Figure, Mark, Panel};

/// Raster of all populations with a band for each operation; `table` as of [`super::circuit::Cam::table`].
pub fn raster(
    name: &str,
    title: &str,
    table: &Table,
    operations: &[Operation],
    cues: usize,
    contents: usize,
) -> Figure {
    let shown: Vec<&Operation> = operations.iter().take_while(|o| (o.time as usize) < table.len()).collect();
    let top = (0..POPULATIONS.len()).map(|p| size_of(p, cues, contents) + 1).sum::<usize>() as f64;
    let (mut marks, mut words) = (Vec::new(), Vec::new());
    for (k, o) in shown.iter().enumerate() {
        let until = shown.get(k + 1).map_or(o.time + 10, |n| n.time.min(o.time + 10));
        let label = if k == 0 { "operation" } else { "" };
        marks.push(Mark::Band { label: label.into(), from: o.time as f64 - 0.5, to: until as f64 - 0.5 });
        // Words only where they have room.
        if shown.len() <= 12 {
            let text = match o.kind() {
                Kind::Learn => "learn",
                Kind::RecallByCue => "by cue",
                Kind::RecallByContent => "by content",
            };
            // Two heights, so that neighbours do not touch.
            let y = top + 1.5 + 3.0 * (k % 2) as f64;
            words.push(Mark::Text { x: f64::midpoint(o.time as f64, until as f64), y, text: text.into() });
        }
    }
    marks.extend(words);
    let mut ticks = Vec::new();
    let mut base = 0;
    for (p, population) in POPULATIONS.iter().enumerate() {
        let n = size_of(p, cues, contents);
        let (mut times, mut rows) = (Vec::new(), Vec::new());
        for (t, row) in table.iter().enumerate() {
            for &unit in &row[p] {
                times.push(t as f64);
                rows.push((base + unit as usize) as f64);
            }
        }
        marks.push(Mark::Raster { label: String::new(), times, rows });
        ticks.push((base as f64 + (n as f64 - 1.0) / 2.0, (*population).to_string()));
        base += n + 1;
    }
    let y = Axis { ticks: Some(ticks), ..Axis::new("population", "") };
    Figure::new(
        name,
        title,
        "Input on the lowest rows, output on the highest: cues appear 5 or 6 ms, contents 5 or 6 ms after their operation.",
        vec![Panel::new("", Axis::new("time", "ms"), y, marks)],
    )
}

/// Heat map of cue-to-content weights.
pub fn weight_panel(title: &str, weights: &[f64], cues: usize, contents: usize, w_max: f64) -> Panel {
    let mut map = Mark::matrix(cues, contents, weights.to_vec(), "weight (nA)");
    if let Mark::Matrix { limits, .. } = &mut map {
        *limits = Some((0.0, w_max));
    }
    Panel::new(title, Axis::new("content bit", ""), Axis::new("cue", ""), vec![map])
}

/// Weights of the functional test after its first learn, before and after overwriting.
pub fn weights(r: &Scripted, cues: usize, contents: usize, w_max: f64) -> Figure {
    let panels = [(0, "first learn"), (5, "three memories"), (6, "cue 3 overwritten")]
        .into_iter()
        .filter_map(|(i, title)| Some(weight_panel(title, &r.history.after(i, cues, contents)?, cues, contents, w_max)))
        .collect();
    Figure::new(
        "weights",
        "One presentation writes, and overwrites, a memory",
        "Weights from cue to content neurons in the functional test, set by STDP alone.",
        panels,
    )
}

/// Exact recalls by condition at one cell, beside the baselines where they were measured.
pub fn conditions(scores: &Scores) -> Figure {
    let of = |values: Vec<(String, f64)>| {
        let (names, values) = values.into_iter().unzip();
        vec![Mark::Bars { label: String::new(), names, values, interval: None }]
    };
    let y = || Axis::new("exact recalls", "").limits(0.0, 1.0);
    let memory = Condition::ALL
        .iter()
        .filter_map(|c| Some((c.name().to_string(), scores.memory.get(c)?.fraction())))
        .collect();
    let mut beside = Vec::new();
    let ours = [Condition::StreamByCue, Condition::StreamByBit, Condition::Forgetting];
    for (k, (name, c)) in ["by cue", "one bit", "overwritten"].into_iter().zip(ours).enumerate() {
        if let Some(s) = scores.memory.get(&c) {
            beside.push((format!("{name}: memory"), s.fraction()));
        }
        beside.push((format!("{name}: Willshaw"), scores.willshaw[k].fraction()));
        beside.push((format!("{name}: Hopfield"), scores.hopfield[k].fraction()));
    }
    Figure {
        columns: 1,
        ..Figure::new(
            "recall",
            "Exact where pairings stay apart in time, not where they pile up",
            "Fraction of recalls equal to an exact dictionary's answer, random contents.",
            vec![
                Panel::new("spiking memory by condition", Axis::new("condition", ""), y(), of(memory)),
                Panel::new("beside classical memories", Axis::new("recall", ""), y(), of(beside)),
            ],
        )
    }
}

/// Exact recalls over density for each size.
pub fn grid(cells: &[(Cell, Scores)]) -> Figure {
    let shown = [Condition::StreamByCue, Condition::StreamByBit, Condition::Fragments, Condition::Forgetting];
    let panel = |c: Condition| {
        let mut sizes: Vec<(usize, usize)> = cells.iter().map(|(k, _)| (k.cues, k.contents)).collect();
        sizes.dedup();
        let marks = sizes
            .into_iter()
            .map(|(cues, contents)| {
                let of = cells.iter().filter(|(k, _)| (k.cues, k.contents) == (cues, contents));
                let (x, y) = of
                    .filter_map(|(k, s)| Some((k.density, s.memory.get(&c)?.fraction())))
                    .unzip();
                Mark::line(&format!("{cues} cues, {contents} bits"), x, y)
            })
            .collect();
        Panel::new(c.name(), Axis::new("density", ""), Axis::new("exact recalls", "").limits(0.0, 1.0), marks)
    };
    Figure::new(
        "grid",
        "How far the memory scales",
        "Fraction of recalls equal to a dictionary's answer over density, by number of cues and content bits.",
        shown.into_iter().map(panel).collect(),
    )
}
