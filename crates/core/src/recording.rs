//! Activity of units over time or over samples.

use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// What the numbers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActivityKind {
    /// Firing rates in Hz.
    Rate,
    /// Calcium fluorescence, usually dF/F.
    Calcium,
    /// Spikes per bin.
    SpikeCounts,
    /// Activations of artificial units, dimensionless.
    Activation,
}

/// What a step is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sampling {
    /// Regular in time.
    Rate {
        /// Samples per second.
        hz: f64,
        /// Time of the first step in seconds.
        start_s: f64,
    },
    /// Irregular in time; one strictly increasing time in seconds per step.
    Times(Vec<f64>),
    /// Steps are samples (images, tokens, trials), one id per step.
    Samples(Vec<String>),
}

/// One recorded unit.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Unit {
    /// Name, unique within a recording where known.
    pub name: String,
    /// Position in micrometres.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<[f32; 3]>,
    /// Area, region or layer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<String>,
    /// Cell type or module type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
}

impl Unit {
    /// A unit of which only the name is known.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

/// A labelled range of steps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// First step.
    pub start: usize,
    /// One past the last step.
    pub stop: usize,
    /// Condition.
    pub label: String,
}

/// Activity (units x steps, f32, one row a unit) with its sampling, unit table, aligned series and trials.
///
/// File form, kind `recording`: array `activity` [units, steps]; one array `series/<name>` \[steps\] for each aligned
/// stimulus or behaviour; metadata `activity_kind`, `sampling`, `units`, `trials`.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// What the numbers are.
    pub kind: ActivityKind,
    /// What a step is.
    pub sampling: Sampling,
    /// The unit table, one entry per row of the activity.
    pub units: Vec<Unit>,
    /// Labelled ranges of steps.
    pub trials: Vec<Trial>,
    /// Aligned stimuli and behaviour, one value per step.
    pub series: Vec<(String, Vec<f32>)>,
    activity: Vec<f32>,
    steps: usize,
}

impl Recording {
    /// A recording from row-major activity of `units.len()` rows; fails where a length disagrees.
    pub fn new(kind: ActivityKind, sampling: Sampling, units: Vec<Unit>, activity: Vec<f32>) -> Result<Self> {
        if units.is_empty() {
            return Err(Error::input("at least 1 unit", "0 units"));
        }
        if activity.is_empty() || !activity.len().is_multiple_of(units.len()) {
            return Err(Error::input(
                format!("a positive multiple of {} values (one row per unit)", units.len()),
                format!("{} values", activity.len()),
            ));
        }
        let steps = activity.len() / units.len();
        let recording =
            Self { kind, sampling, units, trials: Vec::new(), series: Vec::new(), activity, steps };
        recording.check()?;
        Ok(recording)
    }

    /// Activation of named units over samples 0..n, row-major units x samples.
    pub fn of_samples(names: &[String], activity: Vec<f32>) -> Result<Self> {
        let steps = activity.len() / names.len().max(1);
        let ids = (0..steps).map(|i| i.to_string()).collect();
        let units = names.iter().map(Unit::named).collect();
        Self::new(ActivityKind::Activation, Sampling::Samples(ids), units, activity)
    }

    fn check(&self) -> Result<()> {
        let counted = match &self.sampling {
            Sampling::Rate { hz, start_s } => {
                if !(hz.is_finite() && *hz > 0.0 && start_s.is_finite()) {
                    return Err(Error::input("a positive, finite sampling rate", format!("{hz} Hz")));
                }
                self.steps
            }
            Sampling::Times(t) => {
                if let Some(i) = t.windows(2).position(|w| !(w[1] > w[0] && w[1].is_finite())) {
                    return Err(Error::input(
                        "strictly increasing times",
                        format!("{} s after {} s at step {}", t[i + 1], t[i], i + 1),
                    ));
                }
                t.len()
            }
            Sampling::Samples(ids) => ids.len(),
        };
        if counted != self.steps {
            return Err(Error::input(format!("{} steps in the sampling", self.steps), counted.to_string()));
        }
        if let Some((name, s)) = self.series.iter().find(|(_, s)| s.len() != self.steps) {
            return Err(Error::input(
                format!("{} values in series `{name}`", self.steps),
                s.len().to_string(),
            ));
        }
        if let Some(t) = self.trials.iter().find(|t| t.start > t.stop || t.stop > self.steps) {
            return Err(Error::input(
                format!("trials within 0..{}", self.steps),
                format!("{}..{} (`{}`)", t.start, t.stop, t.label),
            ));
        }
        Ok(())
    }

    /// Number of units.
    pub fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// Number of steps.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// All activity, one row a unit.
    pub fn activity(&self) -> &[f32] {
        &self.activity
    }

    /// The activity of one unit.
    pub fn row(&self, unit: usize) -> &[f32] {
        &self.activity[unit * self.steps..(unit + 1) * self.steps]
    }

    /// Activity transposed to steps x units in double precision, the layout of estimators (samples x features).
    pub fn samples(&self) -> Vec<f64> {
        let mut out = vec![0.0; self.activity.len()];
        let n = self.units.len();
        for (u, row) in self.activity.chunks_exact(self.steps).enumerate() {
            for (t, &v) in row.iter().enumerate() {
                out[t * n + u] = f64::from(v);
            }
        }
        out
    }

    /// Time of each step in seconds; `None` where steps are samples.
    pub fn times_s(&self) -> Option<Vec<f64>> {
        match &self.sampling {
            Sampling::Rate { hz, start_s } => {
                Some((0..self.steps).map(|i| start_s + i as f64 / hz).collect())
            }
            Sampling::Times(t) => Some(t.clone()),
            Sampling::Samples(_) => None,
        }
    }

    /// Fails on the first NaN or infinity, naming unit and step.
    pub fn require_finite(&self) -> Result<()> {
        match self.activity.iter().position(|v| !v.is_finite()) {
            None => Ok(()),
            Some(i) => Err(Error::input(
                "finite activity",
                format!(
                    "{} at unit `{}`, step {}",
                    self.activity[i],
                    self.units[i / self.steps].name,
                    i % self.steps
                ),
            )),
        }
    }
}

impl Noun for Recording {
    const KIND: &'static str = "recording";

    fn to_store(&self) -> Result<Store> {
        self.check()?;
        let mut store = Store::new(Self::KIND);
        store.push("activity", Array::from_f32(&[self.units.len(), self.steps], &self.activity)?);
        for (name, values) in &self.series {
            store.push(format!("series/{name}"), Array::from_f32(&[values.len()], values)?);
        }
        // Irregular times are an array, not decimal text.
        let sampling = if let Sampling::Times(t) = &self.sampling {
            store.push("times_s", Array::from_f64(&[t.len()], t)?);
            json!("times")
        } else {
            json!(self.sampling)
        };
        store.meta.insert("activity_kind".into(), json!(self.kind));
        store.meta.insert("sampling".into(), sampling);
        store.meta.insert("units".into(), json!(self.units));
        store.meta.insert("trials".into(), json!(self.trials));
        Ok(store)
    }

    fn from_store(store: &Store) -> Result<Self> {
        let sampling = match store.get("times_s") {
            Some(times) => Sampling::Times(times.to_f64()),
            None => field(store, "sampling")?,
        };
        let mut r = Self::new(
            field(store, "activity_kind")?,
            sampling,
            field(store, "units")?,
            store.require("activity")?.to_f32(),
        )?;
        r.trials = field(store, "trials")?;
        r.series = store
            .arrays
            .iter()
            .filter_map(|(n, a)| n.strip_prefix("series/").map(|n| (n.to_string(), a.to_f32())))
            .collect();
        r.check()?;
        Ok(r)
    }
}

/// A metadata field of a store, parsed.
pub(crate) fn field<T: serde::de::DeserializeOwned>(store: &Store, name: &str) -> Result<T> {
    let value = store.meta.get(name).cloned().unwrap_or(Value::Null);
    serde_json::from_value(value).map_err(|e| Error::input(format!("metadata `{name}`"), e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn survives_the_file_form() -> Result<()> {
        let units = vec![Unit::named("a"), Unit { area: Some("V1".into()), ..Unit::named("b") }];
        let times = Sampling::Times(vec![0.0, 0.1, 0.25]);
        let mut r = Recording::new(ActivityKind::Calcium, times, units, vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
        r.series.push(("speed".into(), vec![0.5; 3]));
        r.trials.push(Trial { start: 0, stop: 2, label: "go".into() });
        assert_eq!(Recording::from_store(&r.to_store()?)?, r);
        assert_eq!(r.samples(), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        Ok(())
    }

    #[test]
    fn refuses_what_disagrees() {
        let unit = || vec![Unit::named("a")];
        let new = |s, a| Recording::new(ActivityKind::Rate, s, unit(), a);
        assert!(new(Sampling::Times(vec![0.0, 0.0]), vec![1.0; 2]).is_err());
        assert!(new(Sampling::Rate { hz: 0.0, start_s: 0.0 }, vec![1.0; 2]).is_err());
        assert!(new(Sampling::Samples(vec!["x".into()]), vec![1.0; 2]).is_err());
        let nan = new(Sampling::Rate { hz: 1.0, start_s: 0.0 }, vec![1.0, f32::NAN]).expect("shape fits");
        assert!(nan.require_finite().is_err());
    }
}
