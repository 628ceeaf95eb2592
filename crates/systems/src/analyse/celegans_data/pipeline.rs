//! From a raw recording to 302 slots, one sampling interval and one normalisation, in the paper's order of steps.

use super::ledger::Ledger;
use super::raw::RawWorm;
use neuropil_analysis::timeseries as ts;
use neuropil_core::{ActivityKind, Error, Recording, Result, Sampling, Stream, Streams, Unit};
use neuropil_data::worm_names::{NEURON_COUNT, NEURONS, Reading, read_name};
use rayon::prelude::*;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How each trace is brought to a common scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Normalise {
    /// As it is.
    None,
    /// Z-score over the whole recording. The past then knows the future's mean and scale.
    Zscore,
    /// Z-score against what came before.
    CausalZscore,
    /// Yeo-Johnson power transform, then a z-score.
    Power,
    /// Quantiles, uniform on [0, 1].
    Quantile,
}

/// How traces and derivatives are smoothed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Smooth {
    /// Not at all.
    None,
    /// Causal half Gaussian of width `sigma`.
    Gaussian,
    /// Two-sided Gaussian of width `sigma`; not causal.
    GaussianTwoSided,
    /// Causal moving average over `window / 2 + 1` samples.
    MovingAverage,
    /// Exponential with factor `alpha`.
    Exponential,
}

/// Where neurons without a certain name go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Unknowns {
    /// Into a block of their own beside the 302 slots.
    Block,
    /// Into free slots in an order set by the seed, as the paper does (there without a seed).
    FreeSlots,
}

/// Settings of the pipeline.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Pipeline {
    /// Common sampling interval in seconds.
    pub dt: f64,
    /// Normalisation: `none`, `zscore`, `causal_zscore`, `power` or `quantile`.
    pub normalise: Normalise,
    /// Smoothing: `none`, `gaussian`, `gaussian_two_sided`, `moving_average` or `exponential`.
    pub smooth: Smooth,
    /// Width of the Gaussians in samples.
    pub sigma: f64,
    /// Window of the moving average in samples, taken odd.
    pub window: usize,
    /// Factor of the exponential smoothing, in (0, 1].
    pub alpha: f64,
    /// Let no step look ahead: gaps and new samples hold the last value, derivatives look back. Needs a causal
    /// normalisation and smoothing.
    pub causal: bool,
    /// Neurons without a certain name: `block` or `free_slots`.
    pub unknowns: Unknowns,
    /// Keep the traces before resampling, too.
    pub keep_original: bool,
}

impl Default for Pipeline {
    fn default() -> Self {
        Self {
            dt: 1.0 / 3.0,
            normalise: Normalise::Zscore,
            smooth: Smooth::Gaussian,
            sigma: 5.0,
            window: 15,
            alpha: 0.5,
            causal: false,
            unknowns: Unknowns::Block,
            keep_original: true,
        }
    }
}

/// Traces of the kept neurons on one time grid; all arrays neurons x steps, row-major.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Traces {
    /// Seconds from the first sample. Double precision: half precision is off by half a second after 17 minutes.
    pub times_s: Vec<f64>,
    /// Normalised traces.
    pub data: Vec<f32>,
    /// Their time derivatives.
    pub residual: Vec<f32>,
    /// Smoothed traces.
    pub smooth: Vec<f32>,
    /// Smoothed derivatives.
    pub smooth_residual: Vec<f32>,
}

/// One neuron that was kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Name as written in the file.
    pub written: String,
    /// Place in the file.
    pub place: usize,
    /// Slot on the canonical axis; `None` in the block of unknowns.
    pub slot: Option<usize>,
    /// Whether the slot is the neuron's own; an unknown in a free slot is not labelled.
    pub labelled: bool,
}

/// One worm, homogenised. Only recorded neurons are stored, so a missing one can never pass for data;
/// [`Worm::dense`] makes the paper's matrix of 302 columns with its masks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Worm {
    /// Name over all data sets: `worm0`, `worm1`, ...
    pub id: String,
    /// Data set.
    pub source: String,
    /// Name in the data set.
    pub original_id: String,
    /// Citation of the data set.
    pub citation: String,
    /// The neurons, labelled ones in order of slots, then unknown ones in order of the file.
    pub rows: Vec<Row>,
    /// Median sampling interval of the file, seconds.
    pub original_dt: f64,
    /// Before resampling, where kept.
    pub original: Option<Traces>,
    /// On the common grid.
    pub resampled: Traces,
}

impl Worm {
    /// Number of steps on the common grid.
    pub fn steps(&self) -> usize {
        self.resampled.times_s.len()
    }

    /// Number of neurons with their own slot.
    pub fn named(&self) -> usize {
        self.rows.iter().filter(|r| r.labelled).count()
    }

    /// Number of neurons without a certain name.
    pub fn unknown(&self) -> usize {
        self.rows.len() - self.named()
    }

    /// Median interval of the common grid, seconds.
    pub fn dt(&self) -> f64 {
        ts::median_interval(&self.resampled.times_s).unwrap_or(f64::NAN)
    }

    /// Which of the 302 slots hold their own neuron.
    pub fn labelled_mask(&self) -> Vec<bool> {
        self.mask(|r| r.labelled)
    }

    /// Which of the 302 slots hold an unknown neuron.
    pub fn unknown_mask(&self) -> Vec<bool> {
        self.mask(|r| !r.labelled)
    }

    fn mask(&self, keep: impl Fn(&Row) -> bool) -> Vec<bool> {
        let mut mask = vec![false; NEURON_COUNT];
        for slot in self.rows.iter().filter(|r| keep(r)).filter_map(|r| r.slot) {
            mask[slot] = true;
        }
        mask
    }

    /// One of the trace arrays of the common grid as steps x 302, zero where there is no neuron.
    pub fn dense(&self, values: &[f32]) -> Vec<f32> {
        let steps = self.steps();
        let mut out = vec![0.0; steps * NEURON_COUNT];
        for (row, trace) in self.rows.iter().zip(values.chunks_exact(steps)) {
            if let Some(slot) = row.slot {
                trace.iter().enumerate().for_each(|(t, v)| out[t * NEURON_COUNT + slot] = *v);
            }
        }
        out
    }

    /// The normalised traces as a recording that every other system reads: labelled neurons by canonical name with
    /// class and position, unknown ones as `source name`.
    pub fn recording(&self) -> Result<Recording> {
        let unit = |r: &Row| match r.slot.filter(|_| r.labelled).map(|s| &NEURONS[s]) {
            Some(n) => Unit {
                position: Some(n.position_um),
                kind: Some(n.class.name().into()),
                ..Unit::named(n.name)
            },
            None => Unit { kind: Some("unknown".into()), ..Unit::named(format!("unknown {}", r.place)) },
        };
        let units = self.rows.iter().map(unit).collect();
        let sampling = Sampling::Times(self.resampled.times_s.clone());
        Recording::new(ActivityKind::Calcium, sampling, units, self.resampled.data.clone())
    }
}

impl Pipeline {
    /// Checks the settings.
    pub fn check(&self) -> Result<()> {
        let positive = |name: &str, v: f64, max: f64| {
            if v > 0.0 && v <= max {
                Ok(())
            } else {
                Err(Error::config(format!("a value in (0, {max}]"), v.to_string()).at(name))
            }
        };
        positive("dt", self.dt, 3600.0)?;
        positive("sigma", self.sigma, 1000.0)?;
        positive("alpha", self.alpha, 1.0)?;
        if self.window == 0 || self.window > 100_000 {
            return Err(Error::config("1 to 100000 samples", self.window.to_string()).at("window"));
        }
        let blind = matches!(self.normalise, Normalise::None | Normalise::CausalZscore);
        if self.causal && (!blind || self.smooth == Smooth::GaussianTwoSided) {
            return Err(Error::config("a causal normalisation and smoothing", "one that looks ahead").at("causal"));
        }
        Ok(())
    }

    /// The same pipeline without any look ahead.
    #[must_use]
    pub fn without_look_ahead(mut self) -> Self {
        self.normalise = Normalise::CausalZscore;
        self.smooth = if self.smooth == Smooth::GaussianTwoSided { Smooth::Gaussian } else { self.smooth };
        self.causal = true;
        self
    }

    /// Homogenises all recordings in parallel; worms are numbered in the order given, skipped ones have no number.
    pub fn run(&self, raw: &[RawWorm], streams: Streams, ledger: &mut Ledger) -> Result<Vec<Worm>> {
        self.check()?;
        let done: Vec<(Option<Worm>, Ledger)> = raw
            .par_iter()
            .map(|r| {
                let mut lines = Ledger::default();
                // Keyed by the recording, so that its slots do not depend on what else is read.
                let purpose = format!("slots of unknown neurons in {} {}", r.source, r.worm);
                let worm = self
                    .one(r, &mut streams.stream(&purpose, 0), &mut lines)
                    .map_err(|e| e.at(format!("{} {}", r.source, r.worm)))?;
                Ok((worm, lines))
            })
            .collect::<Result<_>>()?;
        let mut worms = Vec::with_capacity(done.len());
        for (worm, lines) in done {
            ledger.extend(lines);
            if let Some(mut worm) = worm {
                worm.id = format!("worm{}", worms.len());
                worms.push(worm);
            }
        }
        Ok(worms)
    }

    /// Homogenises one recording; `None` with a line in the ledger where it cannot be used.
    pub fn one(&self, raw: &RawWorm, slots: &mut Stream, ledger: &mut Ledger) -> Result<Option<Worm>> {
        let skip = |ledger: &mut Ledger, reason: &str| {
            ledger.add(&raw.source, &raw.worm, "skipped worm", reason, raw.names.len());
            Ok(None)
        };
        if raw.names.is_empty() || raw.samples() < 2 {
            return skip(ledger, "empty recording");
        }
        // Step 2: which neurons, each name once.
        let rows = self.rows(raw, slots, ledger);
        if !rows.iter().any(|r| r.labelled) {
            return skip(ledger, "no neuron with a known name");
        }
        // Step 4: seconds from the first sample.
        let times_s: Vec<f64> = raw.times_s.iter().map(|t| t - raw.times_s[0]).collect();
        let Some(original_dt) = ts::median_interval(&times_s) else { return skip(ledger, "empty recording") };
        if times_s[times_s.len() - 1] < 2.0 * self.dt {
            return skip(ledger, "shorter than 2 new samples");
        }
        let plan = ts::Resampling::new(&times_s, self.dt, self.causal)?;
        let mut filled = 0;
        let mut original = Traces::empty(times_s);
        let mut resampled = Traces::empty(plan.times().to_vec());
        for row in &rows {
            // Step 3: fill, normalise.
            let mut y = raw.trace(row.place).to_vec();
            filled += if self.causal { ts::hold_gaps(&mut y)? } else { ts::fill_gaps(&mut y, &original.times_s)? };
            let data = self.normalised(&y)?;
            // Steps 5 and 6: derivative, then both smoothed.
            let t = &original.times_s;
            let residual = if self.causal { ts::gradient_causal(&data, t)? } else { ts::gradient(&data, t)? };
            let (smooth, smooth_residual) = (self.smoothed(&data)?, self.smoothed(&residual)?);
            // Step 7: one grid, the same operator for times and all traces.
            let all = [&data, &residual, &smooth, &smooth_residual];
            for (to, y) in resampled.arrays().into_iter().zip(all) {
                to.extend(plan.apply(y)?.into_iter().map(|v| v as f32));
            }
            if self.keep_original {
                for (to, y) in original.arrays().into_iter().zip(all) {
                    to.extend(y.iter().map(|v| *v as f32));
                }
            }
        }
        if filled > 0 {
            ledger.add(&raw.source, &raw.worm, "filled samples", if self.causal { "held the last value over gaps" } else { "interpolated over gaps" }, filled);
        }
        let worm = Worm {
            id: String::new(),
            source: raw.source.clone(),
            original_id: raw.worm.clone(),
            citation: raw.citation.clone(),
            rows,
            original_dt,
            original: self.keep_original.then_some(original),
            resampled,
        };
        // The paper's own assertion on its result.
        if (worm.dt() - self.dt).abs() > 0.01 {
            return Err(Error::Internal(format!("resampled to {} s instead of {} s", worm.dt(), self.dt)));
        }
        Ok(Some(worm))
    }

    fn rows(&self, raw: &RawWorm, slots: &mut Stream, ledger: &mut Ledger) -> Vec<Row> {
        let mut owner: Vec<Option<usize>> = vec![None; NEURON_COUNT];
        let mut labelled = Vec::new();
        let mut unknown = Vec::new();
        for (place, written) in raw.names.iter().enumerate() {
            let reading = read_name(written);
            let item = format!("{} `{written}` at {place}", raw.worm);
            if raw.trace(place).iter().all(|v| v.is_nan()) {
                ledger.add(&raw.source, &item, "masked neuron", "no finite sample", 1);
                // A neuron without data still owns its name: a second one of that name is a duplicate.
                if let Reading::Slot(slot) = reading {
                    owner[slot].get_or_insert(place);
                }
                continue;
            }
            if let Reading::Slot(slot) = reading {
                if let Some(first) = owner[slot] {
                    ledger.add(&raw.source, &item, "dropped neuron", format!("duplicated name: first at {first}"), 1);
                } else {
                    owner[slot] = Some(place);
                    labelled.push(Row { written: written.clone(), place, slot: Some(slot), labelled: true });
                }
                continue;
            }
            let reason = match reading {
                Reading::Slot(_) | Reading::Blank => "no name".into(),
                Reading::Number => "a number for a name".into(),
                Reading::Uncertain => "uncertain name".into(),
                Reading::Ambiguous(members) => format!("ambiguous name: one of {}", members.join(", ")),
                Reading::Male => "a neuron of males only".into(),
                Reading::Unknown(near) if near.is_empty() => "not one of the 302 names".to_string(),
                Reading::Unknown(near) => format!("not one of the 302 names: did you mean {}?", near.join(" or ")),
            };
            ledger.add(&raw.source, &item, "unlabelled neuron", reason, 1);
            unknown.push(Row { written: written.clone(), place, slot: None, labelled: false });
        }
        labelled.sort_by_key(|r| r.slot);
        if self.unknowns == Unknowns::FreeSlots {
            let mut free: Vec<usize> = (0..NEURON_COUNT).filter(|&s| owner[s].is_none()).collect();
            slots.shuffle(&mut free);
            for (row, slot) in unknown.iter_mut().zip(free) {
                row.slot = Some(slot);
            }
        }
        labelled.into_iter().chain(unknown).collect()
    }

    fn normalised(&self, y: &[f64]) -> Result<Vec<f64>> {
        match self.normalise {
            Normalise::None => Ok(y.to_vec()),
            Normalise::Zscore => ts::zscore(y),
            Normalise::CausalZscore => ts::zscore_causal(y),
            Normalise::Power => Ok(ts::power_transform(y)?.0),
            Normalise::Quantile => ts::quantile_transform(y),
        }
    }

    fn smoothed(&self, y: &[f64]) -> Result<Vec<f64>> {
        match self.smooth {
            Smooth::None => Ok(y.to_vec()),
            Smooth::Gaussian => ts::smooth_gaussian_causal(y, self.sigma),
            Smooth::GaussianTwoSided => ts::smooth_gaussian(y, self.sigma, 4.0),
            Smooth::MovingAverage => ts::smooth_moving_average(y, self.window),
            Smooth::Exponential => ts::smooth_exponential(y, self.alpha),
        }
    }
}

impl Traces {
    fn empty(times_s: Vec<f64>) -> Self {
        Self { times_s, data: Vec::new(), residual: Vec::new(), smooth: Vec::new(), smooth_residual: Vec::new() }
    }

    fn arrays(&mut self) -> [&mut Vec<f32>; 4] {
        [&mut self.data, &mut self.residual, &mut self.smooth, &mut self.smooth_residual]
    }
}
