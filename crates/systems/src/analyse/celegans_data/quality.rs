//! Figures and numbers by which a reader judges a collection: who was seen, for how long, how well.

use super::pipeline::Worm;
use super::raw::RawWorm;
use neuropil_analysis::timeseries::median;
use neuropil_core::{Axis, Figure, Mark, Panel};
use neuropil_data::worm_names::{NEURON_COUNT, NEURONS};

/// Signal to noise of every neuron with at least 8 samples and some variation: standard deviation of the trace over the
/// noise estimated from second differences (their median absolute size over 0.6745 sqrt 6), which a slow signal hardly
/// touches.
pub fn signal_to_noise(raw: &[RawWorm]) -> Vec<f64> {
    let mut out = Vec::new();
    for w in raw {
        for i in 0..w.names.len() {
            let y: Vec<f64> = w.trace(i).iter().copied().filter(|v| v.is_finite()).collect();
            if y.len() < 8 {
                continue;
            }
            let mean = y.iter().sum::<f64>() / y.len() as f64;
            let sd = (y.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / y.len() as f64).sqrt();
            let bends: Vec<f64> = y.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).abs()).collect();
            let noise = median(&bends).unwrap_or(0.0) / (0.6745 * 6.0_f64.sqrt());
            if noise > 0.0 {
                out.push(sd / noise);
            }
        }
    }
    out
}

/// Coverage of the 302 slots, labels per worm, sampling before and after, one worm's traces, signal to noise.
pub fn figures(worms: &[Worm], snr: &[f64]) -> Vec<Figure> {
    let mut out = vec![coverage(worms), labels(worms), sampling(worms)];
    // The worm with most labelled neurons, the first of equals.
    if let Some(w) = worms.iter().rev().max_by_key(|w| w.named()) {
        out.push(raster(w));
    }
    if !snr.is_empty() {
        out.push(histogram_figure(
            "snr",
            "Signal to noise of all recorded neurons",
            "Standard deviation of each trace over its noise, estimated from second differences before any processing.",
            snr,
            "signal to noise",
            "",
        ));
    }
    out
}

fn coverage(worms: &[Worm]) -> Figure {
    let mut values = Vec::with_capacity(worms.len() * NEURON_COUNT);
    let mut seen = vec![0.0; NEURON_COUNT];
    for w in worms {
        let (labelled, unknown) = (w.labelled_mask(), w.unknown_mask());
        for k in 0..NEURON_COUNT {
            values.push(if labelled[k] { 1.0 } else if unknown[k] { 0.5 } else { 0.0 });
            seen[k] += f64::from(u8::from(labelled[k]));
        }
    }
    let mut matrix = Mark::matrix(worms.len(), NEURON_COUNT, values, "1 labelled, 0.5 unknown in a free slot, 0 missing");
    if let Mark::Matrix { limits, .. } = &mut matrix {
        *limits = Some((0.0, 1.0));
    }
    let slots = (0..NEURON_COUNT).map(|k| k as f64).collect();
    let mut x = Axis::new("slot", "");
    x.ticks = Some((0..NEURON_COUNT).step_by(30).map(|k| (k as f64, NEURONS[k].name.to_string())).collect());
    let panels = vec![
        Panel::new("Which neurons each worm has", x.clone(), Axis::new("worm", ""), vec![matrix]),
        Panel::new("Worms per neuron", x, Axis::new("worms with this neuron", ""), vec![Mark::line("", slots, seen)]),
    ];
    let mut figure = Figure::new(
        "coverage",
        "Coverage of the 302 neurons",
        "Rows are worms, columns the 302 slots in byte order of their names. Missing neurons are masked, never zeros that a model would learn from.",
        panels,
    );
    figure.columns = 1;
    figure
}

fn labels(worms: &[Worm]) -> Figure {
    let line = |f: fn(&Worm) -> usize| worms.iter().map(|w| f(w) as f64).collect::<Vec<_>>();
    let x: Vec<f64> = (0..worms.len()).map(|i| i as f64).collect();
    let named = line(Worm::named);
    let counts = histogram(&named, 12);
    let panels = vec![
        Panel::new(
            "Neurons of each worm",
            Axis::new("worm", ""),
            Axis::new("neurons", ""),
            vec![
                Mark::points("labelled", x.clone(), named),
                Mark::points("without a certain name", x, line(Worm::unknown)),
            ],
        ),
        Panel::new("Labelled neurons", Axis::new("labelled neurons", ""), Axis::new("worms", ""), vec![counts]),
    ];
    Figure::new("labels", "Labelled and unknown neurons", "How many neurons of each worm have a certain name.", panels)
}

fn sampling(worms: &[Worm]) -> Figure {
    let x: Vec<f64> = (0..worms.len()).map(|i| i as f64).collect();
    let before = worms.iter().map(|w| w.original_dt).collect();
    let after = worms.iter().map(Worm::dt).collect();
    let length = worms.iter().map(|w| w.resampled.times_s.last().copied().unwrap_or(0.0)).collect();
    let panels = vec![
        Panel::new(
            "Sampling interval",
            Axis::new("worm", ""),
            Axis::new("median interval", "s"),
            vec![Mark::points("in the file", x.clone(), before), Mark::points("in the store", x.clone(), after)],
        ),
        Panel::new("Duration", Axis::new("worm", ""), Axis::new("duration", "s").log(), vec![Mark::points("", x, length)]),
    ];
    Figure::new("sampling", "Sampling before and after", "Every worm ends on the same interval.", panels)
}

fn raster(w: &Worm) -> Figure {
    let steps = w.steps();
    // At most 400 columns: a longer recording is shown by every k-th sample.
    let every = steps.div_ceil(400).max(1);
    let columns = steps.div_ceil(every);
    let values: Vec<f64> = w
        .resampled
        .data
        .chunks_exact(steps)
        .flat_map(|row| row.iter().step_by(every).map(|v| f64::from(*v)))
        .collect();
    let mut matrix = Mark::matrix(w.rows.len(), columns, values, "normalised fluorescence");
    if let Mark::Matrix { diverging, limits, .. } = &mut matrix {
        *diverging = true;
        *limits = Some((-3.0, 3.0));
    }
    let mut x = Axis::new("time", "s");
    let seconds = |c: usize| w.resampled.times_s[(c * every).min(steps - 1)];
    x.ticks = Some((0..columns).step_by((columns / 6).max(1)).map(|c| (c as f64, format!("{:.0}", seconds(c)))).collect());
    let title = format!("{} ({} {})", w.id, w.source, w.original_id);
    Figure::new(
        "traces",
        "One worm",
        "Normalised traces; labelled neurons in order of slots on top, neurons without a certain name below.",
        vec![Panel::new(&title, x, Axis::new("neuron", ""), vec![matrix])],
    )
}

/// A histogram of `bins` equal bins.
pub fn histogram(values: &[f64], bins: usize) -> Mark {
    let low = values.iter().copied().fold(f64::INFINITY, f64::min);
    let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let width = if high > low { (high - low) / bins as f64 } else { 1.0 };
    let mut counts = vec![0.0; bins];
    for v in values {
        counts[(((v - low) / width) as usize).min(bins - 1)] += 1.0;
    }
    let names = (0..bins).map(|b| format!("{:.0}", low + (b as f64 + 0.5) * width)).collect();
    Mark::Bars { label: String::new(), names, values: counts, interval: None }
}

fn histogram_figure(name: &str, title: &str, caption: &str, values: &[f64], label: &str, unit: &str) -> Figure {
    let panel = Panel::new("", Axis::new(label, unit), Axis::new("neurons", ""), vec![histogram(values, 20)]);
    Figure::new(name, title, caption, vec![panel])
}
