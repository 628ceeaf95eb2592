//! Synthetic laboratories: a worm's network with planted wiring, seen through calcium indicators, name styles and file
//! formats that differ, with the truth kept beside.
//!
//! ```text
//! x(t+dt) = x + dt / tau (-x + tanh(W x + sum_j G_ij (x_j - x_i) + I))     tau = 2 s, dt = 0.05 s
//! f(t+dt) = f + dt / 3 s (x - f)                                           calcium indicator
//! F = (0.2 + f) exp(-t / 1500 s) + noise, SD 0.1 of the trace's own SD     bleaching and shot noise
//! ```
//!
//! W are chemical synapses with the sign of the transmitter, G gap junctions, both after Cook et al. 2019; I is an
//! Ornstein-Uhlenbeck current of each neuron plus pulses into sensory neurons.

use super::connectome::{Symmetrise, homogenise};
use super::raw::RawWorm;
use super::readers::{Layout, MANIFEST, Manifest, TimeUnit};
use neuropil_core::{ActivityKind, Array, Error, Noun as _, Recording, Result, Sampling, Stream, Streams, Unit, files};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{csv, npz};
use neuropil_data::worm_names::{CellClass, NEURON_COUNT, NEURONS, Reading, read_name};
use neuropil_data::{Column, Frame};
use rayon::prelude::*;
use serde_json::json;
use std::path::Path;

/// Step of the simulation in seconds.
pub const STEP_S: f64 = 0.05;
const TAU_S: f64 = 2.0;
const TAU_INDICATOR_S: f64 = 3.0;
const BLEACHING_S: f64 = 1500.0;
const NOISE: f64 = 0.1;

/// How a laboratory writes names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Canonical, some names twice, no name for unlabelled neurons.
    Duplicated,
    /// Numbers padded (`VB02`), plain numbers for unlabelled neurons.
    Padded,
    /// Lower case, no name for unlabelled neurons.
    Lower,
    /// Question marks, classes without side, two candidates for unlabelled neurons.
    Uncertain,
    /// Canonical, plain numbers for unlabelled neurons.
    Numbered,
}

/// One laboratory.
#[derive(Debug, Clone, PartialEq)]
pub struct Lab {
    /// Name of its data set.
    pub name: String,
    /// Samples per second, with 2 % jitter.
    pub rate_hz: f64,
    /// Shortest and longest recording, seconds.
    pub duration_s: (f64, f64),
    /// Fewest and most recorded neurons.
    pub neurons: (usize, usize),
    /// Smallest and largest labelled fraction.
    pub labelled: (f64, f64),
    /// How names are written.
    pub style: Style,
    /// File format.
    pub layout: Layout,
    /// Whether samples and one whole neuron are missing.
    pub gaps: bool,
}

/// The first `count` (at most 11) of the built-in laboratories, with recordings of `duration_s`.
pub fn laboratories(count: usize, duration_s: (f64, f64)) -> Vec<Lab> {
    let table = [
        (4.0, (120, 180), (0.3, 0.7), Style::Duplicated, Layout::CsvWide, false),
        (1.0, (60, 120), (0.5, 0.9), Style::Padded, Layout::CsvLong, false),
        (5.0, (80, 140), (0.6, 1.0), Style::Lower, Layout::Npz, false),
        (2.0, (40, 100), (0.4, 0.8), Style::Uncertain, Layout::Json, true),
        (0.5, (100, 160), (0.7, 1.0), Style::Numbered, Layout::Recording, false),
        (3.0, (60, 110), (0.3, 0.6), Style::Padded, Layout::Npz, true),
        (1.5, (90, 150), (0.5, 0.8), Style::Duplicated, Layout::Json, false),
        (2.5, (40, 80), (0.8, 1.0), Style::Lower, Layout::CsvWide, true),
        (3.5, (100, 180), (0.4, 0.7), Style::Numbered, Layout::Recording, false),
        (0.8, (70, 130), (0.6, 0.9), Style::Uncertain, Layout::CsvWide, false),
        (4.5, (50, 120), (0.5, 1.0), Style::Padded, Layout::Recording, false),
    ];
    table
        .into_iter()
        .take(count)
        .enumerate()
        .map(|(i, (rate_hz, neurons, labelled, style, layout, gaps))| Lab {
            name: format!("lab{i:02}"),
            rate_hz,
            duration_s,
            neurons,
            labelled,
            style,
            layout,
            gaps,
        })
        .collect()
}

/// The planted network.
pub struct Planted {
    // Per target: (source, weight) of chemical synapses and of gap junctions.
    chemical: Vec<Vec<(usize, f64)>>,
    gaps: Vec<Vec<(usize, f64)>>,
    /// Target x source: true where either kind of synapse exists.
    pub edges: Vec<bool>,
}

impl Planted {
    /// The wiring of Cook et al. 2019: strengths go with the root of the number of sections, each target's chemical
    /// weights add up to 1.6 in magnitude and its gap junctions to 0.8; GABA and a fifth of the glutamatergic synapses
    /// inhibit.
    pub fn new(streams: Streams) -> Result<Self> {
        let source = neuropil_data::embedded::celegans("cook2019")?;
        let wiring = homogenise("cook2019", &source, Symmetrise::Max)?;
        let n = NEURON_COUNT;
        let (chem, gap) = (wiring.dense("chemical"), wiring.dense("electrical"));
        let mut sign = streams.stream("synapse signs", 0);
        let mut this = Self { chemical: vec![Vec::new(); n], gaps: vec![Vec::new(); n], edges: vec![false; n * n] };
        for target in 0..n {
            for source in (0..n).filter(|s| *s != target) {
                if chem[source * n + target] > 0.0 {
                    let inhibits = match NEURONS[source].transmitter {
                        "GABA" => true,
                        "glutamate" => sign.bernoulli(0.2),
                        _ => false,
                    };
                    let w = chem[source * n + target].sqrt() * if inhibits { -1.0 } else { 1.0 };
                    this.chemical[target].push((source, w));
                }
                if gap[source * n + target] > 0.0 {
                    this.gaps[target].push((source, gap[source * n + target].sqrt()));
                }
                this.edges[target * n + source] = chem[source * n + target] > 0.0 || gap[source * n + target] > 0.0;
            }
            for (list, total) in [(&mut this.chemical[target], 1.6), (&mut this.gaps[target], 0.8)] {
                let sum: f64 = list.iter().map(|(_, w)| w.abs()).sum();
                list.iter_mut().for_each(|(_, w)| *w *= total / sum);
            }
        }
        Ok(this)
    }

    /// Noise-free fluorescence of `neurons` over `duration_s` (neurons x steps of [`STEP_S`]).
    fn fluorescence(&self, neurons: &[usize], duration_s: f64, stream: &mut Stream) -> Vec<f32> {
        let n = NEURON_COUNT;
        let warm_up = (20.0 / STEP_S) as usize;
        let steps = (duration_s / STEP_S) as usize + 2;
        // Ornstein-Uhlenbeck current, correlation time 1 s, SD 0.6; exact for any step.
        let keep = (-STEP_S / 1.0_f64).exp();
        let kick = 0.6 * (1.0 - keep * keep).sqrt();
        let sensory: Vec<usize> = (0..n).filter(|&i| NEURONS[i].class == CellClass::Sensory).collect();
        let (mut x, mut f, mut current) = (vec![0.0_f64; n], vec![0.0_f64; n], vec![0.0_f64; n]);
        let mut next = vec![0.0; n];
        let mut pulse: Option<(usize, Vec<usize>)> = None;
        let mut out = vec![0.0_f32; neurons.len() * steps];
        for step in 0..warm_up + steps {
            // A pulse of 5 s starts every 40 s on average, into 12 sensory neurons.
            if pulse.is_none() && stream.bernoulli(STEP_S / 40.0) {
                let chosen = stream.choose(sensory.len(), 12).into_iter().map(|k| sensory[k]).collect();
                pulse = Some((step + (5.0 / STEP_S) as usize, chosen));
            }
            for c in &mut current {
                *c = keep * *c + kick * stream.normal();
            }
            for (i, v) in next.iter_mut().enumerate() {
                let chemical: f64 = self.chemical[i].iter().map(|&(j, w)| w * x[j]).sum();
                let gap: f64 = self.gaps[i].iter().map(|&(j, g)| g * (x[j] - x[i])).sum();
                *v = chemical + gap + current[i];
            }
            if let Some((until, chosen)) = &pulse {
                chosen.iter().for_each(|&i| next[i] += 1.0);
                if step >= *until {
                    pulse = None;
                }
            }
            for i in 0..n {
                f[i] += STEP_S / TAU_INDICATOR_S * (x[i] - f[i]);
                x[i] += STEP_S / TAU_S * (next[i].tanh() - x[i]);
            }
            if let Some(k) = step.checked_sub(warm_up) {
                let bleached = (-(k as f64 * STEP_S) / BLEACHING_S).exp();
                for (row, &i) in neurons.iter().enumerate() {
                    out[row * steps + k] = ((0.2 + f[i]) * bleached) as f32;
                }
            }
        }
        out
    }
}

/// What is true of a generated recording, neuron by neuron of the file.
pub struct Truth {
    /// The slot that a correct reader finds; `None` where the file does not say.
    pub slots: Vec<Option<usize>>,
    /// Noise-free fluorescence, neurons x steps of [`STEP_S`].
    pub clean: Vec<f32>,
    /// Neurons with no data at all.
    pub masked: Vec<bool>,
    /// Neurons under a name that an earlier one already has.
    pub repeated: Vec<bool>,
}

/// One generated recording and its truth.
pub struct Generated {
    /// As the file holds it, times in seconds.
    pub raw: RawWorm,
    /// The truth.
    pub truth: Truth,
}

impl Lab {
    /// Worm `k` of `count`; durations are spread evenly in their logarithm.
    pub fn record(&self, planted: &Planted, k: usize, count: usize, streams: Streams) -> Result<Generated> {
        let mut s = streams.stream(&format!("worm of {}", self.name), k as u64);
        let (shortest, longest) = self.duration_s;
        let position = if count > 1 { k as f64 / (count - 1) as f64 } else { 1.0 };
        let duration = shortest * (longest / shortest).powf(position);
        let recorded = self.neurons.0 + s.below(self.neurons.1 - self.neurons.0 + 1);
        let neurons = s.choose(NEURON_COUNT, recorded);
        let fraction = s.uniform_in(self.labelled.0, self.labelled.1);
        let named = ((fraction * recorded as f64).round() as usize).clamp(1, recorded);
        let clean = planted.fluorescence(&neurons, duration, &mut s);
        let steps = clean.len() / recorded;
        let samples = ((duration * self.rate_hz) as usize).max(3);
        let mut times_s: Vec<f64> = (0..samples)
            .map(|i| (i as f64 + 0.02 * s.normal().clamp(-3.0, 3.0)) / self.rate_hz)
            .map(|t| t.clamp(0.0, (steps - 2) as f64 * STEP_S))
            .collect();
        // Clamping can only tie the last samples.
        times_s.dedup_by(|b, a| *b <= *a);
        let samples = times_s.len();
        let mut traces = vec![0.0; recorded * samples];
        for (row, out) in clean.chunks_exact(steps).zip(traces.chunks_exact_mut(samples)) {
            let mean = row.iter().map(|v| f64::from(*v)).sum::<f64>() / steps as f64;
            let sd = (row.iter().map(|v| (f64::from(*v) - mean).powi(2)).sum::<f64>() / steps as f64).sqrt();
            for (v, t) in out.iter_mut().zip(&times_s) {
                *v = at(row, *t) + NOISE * sd * s.normal();
            }
        }
        let mut masked = vec![false; recorded];
        if self.gaps {
            for (i, out) in traces.chunks_exact_mut(samples).enumerate() {
                if s.bernoulli(0.1) && samples > 40 {
                    let (from, length) = (s.below(samples - 10), 1 + s.below(8));
                    out[from..from + length].fill(f64::NAN);
                }
                // One neuron was tracked but never measured.
                if i == recorded - 1 && named < recorded {
                    out.fill(f64::NAN);
                    masked[i] = true;
                }
            }
        }
        let (names, slots) = self.names(&neurons, named, &mut s);
        let (source, worm) = (self.name.clone(), format!("animal{k:03}"));
        let citation = format!("{}, simulated", self.name);
        let raw = RawWorm { source, worm, citation, times_s, names, traces };
        let repeated = (0..recorded)
            .map(|i| slots[i].is_none() && !raw.names[i].is_empty() && raw.names[..i].contains(&raw.names[i]))
            .zip(&raw.names)
            .map(|(again, name)| again && matches!(read_name(name), Reading::Slot(_)))
            .collect();
        Ok(Generated { raw, truth: Truth { slots, clean, masked, repeated } })
    }

    /// Names as this laboratory writes them, and what they really say.
    fn names(&self, neurons: &[usize], named: usize, s: &mut Stream) -> (Vec<String>, Vec<Option<usize>>) {
        let mut names = Vec::with_capacity(neurons.len());
        let mut slots = Vec::with_capacity(neurons.len());
        for (i, &slot) in neurons.iter().enumerate() {
            let name = NEURONS[slot].name;
            let (written, slot) = if i < named {
                let written = match self.style {
                    Style::Lower => name.to_ascii_lowercase(),
                    Style::Padded => padded(name),
                    Style::Duplicated | Style::Uncertain | Style::Numbered => name.to_string(),
                };
                (written, Some(slot))
            } else {
                let written = match self.style {
                    // A name that an earlier neuron of this file already has.
                    Style::Duplicated if s.bernoulli(0.2) => NEURONS[neurons[s.below(named)]].name.to_string(),
                    Style::Uncertain if s.bernoulli(0.4) => format!("{name}?"),
                    Style::Uncertain if s.bernoulli(0.5) => "AVA".into(),
                    Style::Uncertain => format!("{name}/{}", NEURONS[(slot + 1) % NEURON_COUNT].name),
                    Style::Padded | Style::Numbered => i.to_string(),
                    Style::Duplicated | Style::Lower => String::new(),
                };
                (written, None)
            };
            names.push(written);
            slots.push(slot);
        }
        (names, slots)
    }

    /// Writes recordings and the manifest into `folder`, in this laboratory's format.
    pub fn write(&self, folder: &Path, worms: &[&RawWorm]) -> Result<()> {
        let mut manifest = Manifest {
            source: self.name.clone(),
            citation: format!("{}, simulated", self.name),
            format: Some(self.layout),
            ..Manifest::default()
        };
        if self.layout == Layout::Npz {
            // The cell layout of the laboratories that publish MATLAB files: neurons in rows, times in milliseconds.
            manifest.traces = Some("traces".into());
            manifest.names = Some("IDs".into());
            manifest.times = Some("timeVector".into());
            manifest.time_unit = TimeUnit::Ms;
            manifest.transposed = true;
        }
        let text = toml::to_string(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
        files::write_atomic(&folder.join(MANIFEST), text.as_bytes())?;
        if self.layout == Layout::CsvLong {
            return files::write_atomic(&folder.join("recordings.csv"), &csv::encode(&long(worms))?);
        }
        worms.par_iter().try_for_each(|w| {
            let (extension, bytes) = match self.layout {
                Layout::CsvWide => ("csv", csv::encode(&wide(w))?),
                Layout::Npz => ("npz", cells(w)?),
                Layout::Json => ("json", object(w)),
                Layout::CsvLong | Layout::Recording => ("safetensors", recording(w)?.to_store()?.to_bytes()?),
            };
            files::write_atomic(&folder.join(format!("{}.{extension}", w.worm)), &bytes)
        })
    }
}

/// Value of a series in steps of [`STEP_S`] at a time, linear between steps, held at the end.
pub fn at(series: &[f32], time_s: f64) -> f64 {
    let place = (time_s / STEP_S).max(0.0);
    let i = (place as usize).min(series.len() - 1);
    let j = (i + 1).min(series.len() - 1);
    let (a, b) = (f64::from(series[i]), f64::from(series[j]));
    a + (place - i as f64).min(1.0) * (b - a)
}

fn padded(name: &str) -> String {
    let letters = name.bytes().take_while(u8::is_ascii_uppercase).count();
    match name[letters..].parse::<u8>() {
        Ok(number) => format!("{}{number:02}", &name[..letters]),
        Err(_) => name.into(),
    }
}

fn wide(w: &RawWorm) -> Frame {
    let mut columns = vec![("time".to_string(), Column::Numbers(w.times_s.clone()))];
    columns.extend(w.names.iter().enumerate().map(|(i, n)| (n.clone(), Column::Numbers(w.trace(i).to_vec()))));
    Frame { columns, has_header: true }
}

fn long(worms: &[&RawWorm]) -> Frame {
    let (mut animal, mut index, mut neuron, mut time, mut value) = (vec![], vec![], vec![], vec![], vec![]);
    for w in worms {
        for (i, name) in w.names.iter().enumerate() {
            for (t, v) in w.times_s.iter().zip(w.trace(i)) {
                animal.push(w.worm.clone());
                index.push(i as f64);
                neuron.push(name.clone());
                time.push(*t);
                value.push(*v);
            }
        }
    }
    let columns = vec![
        ("worm".to_string(), Column::Text(animal)),
        ("neuron_index".into(), Column::Numbers(index)),
        ("neuron".into(), Column::Text(neuron)),
        ("time".into(), Column::Numbers(time)),
        ("value".into(), Column::Numbers(value)),
    ];
    Frame { columns, has_header: true }
}

fn cells(w: &RawWorm) -> Result<Vec<u8>> {
    let milliseconds: Vec<f64> = w.times_s.iter().map(|t| t * 1e3).collect();
    let shape = [w.names.len(), w.samples()];
    npz::encode(&[
        ("traces".to_string(), Value::Numbers(Array::from_f64(&shape, &w.traces)?)),
        ("IDs".into(), Value::Strings(vec![w.names.len()], w.names.clone())),
        ("timeVector".into(), Value::Numbers(Array::from_f64(&[w.samples()], &milliseconds)?)),
    ])
}

fn object(w: &RawWorm) -> Vec<u8> {
    let rows: Vec<Vec<Option<f64>>> = (0..w.samples())
        .map(|t| (0..w.names.len()).map(|i| Some(w.trace(i)[t]).filter(|v| v.is_finite())).collect())
        .collect();
    let names: Vec<serde_json::Value> =
        w.names.iter().map(|n| if n.is_empty() { serde_json::Value::Null } else { json!(n) }).collect();
    json!({"worm": w.worm, "times": w.times_s, "names": names, "traces": rows}).to_string().into_bytes()
}

fn recording(w: &RawWorm) -> Result<Recording> {
    let activity = w.traces.iter().map(|v| *v as f32).collect();
    let units = w.names.iter().map(Unit::named).collect();
    Recording::new(ActivityKind::Calcium, Sampling::Times(w.times_s.clone()), units, activity)
}
