//! Sorted spike events.

use crate::recording::{ActivityKind, Recording, Sampling, Unit, field};
use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde_json::json;

/// Events (time in ms, unit), sorted by time then unit, with a duration.
///
/// File form, kind `spike_trains`: arrays `times_ms` f64 \[events\] and `units` u32 \[events\]; metadata `duration_ms`,
/// `names`.
#[derive(Debug, Clone, PartialEq)]
pub struct SpikeTrains {
    times_ms: Vec<f64>,
    units: Vec<u32>,
    names: Vec<String>,
    duration_ms: f64,
}

impl SpikeTrains {
    /// Sorts the events; units are named by their number. Fails on a time outside [0, duration) or a unit outside
    /// 0..units.
    pub fn new(events: Vec<(f64, u32)>, units: usize, duration_ms: f64) -> Result<Self> {
        Self::with_names(events, (0..units).map(|u| u.to_string()).collect(), duration_ms)
    }

    /// As [`SpikeTrains::new`] with a name per unit.
    pub fn with_names(mut events: Vec<(f64, u32)>, names: Vec<String>, duration_ms: f64) -> Result<Self> {
        if !(duration_ms.is_finite() && duration_ms > 0.0) {
            return Err(Error::input("a positive duration", format!("{duration_ms} ms")));
        }
        for &(t, u) in &events {
            if !(0.0..duration_ms).contains(&t) {
                return Err(Error::input(
                    format!("spike times within [0, {duration_ms}) ms"),
                    format!("{t} ms"),
                ));
            }
            if u as usize >= names.len() {
                return Err(Error::input(format!("units below {}", names.len()), u.to_string()));
            }
        }
        events.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let (times_ms, units) = events.into_iter().unzip();
        Ok(Self { times_ms, units, names, duration_ms })
    }

    /// Spike times in ms, ascending.
    pub fn times_ms(&self) -> &[f64] {
        &self.times_ms
    }

    /// The unit of each spike.
    pub fn units(&self) -> &[u32] {
        &self.units
    }

    /// Unit names.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Number of units, silent ones included.
    pub fn unit_count(&self) -> usize {
        self.names.len()
    }

    /// Number of spikes.
    pub fn len(&self) -> usize {
        self.times_ms.len()
    }

    /// True without any spike.
    pub fn is_empty(&self) -> bool {
        self.times_ms.is_empty()
    }

    /// Duration in ms.
    pub fn duration_ms(&self) -> f64 {
        self.duration_ms
    }

    /// Events as (time in ms, unit).
    pub fn events(&self) -> impl Iterator<Item = (f64, u32)> + '_ {
        self.times_ms.iter().copied().zip(self.units.iter().copied())
    }

    /// Spike counts in bins of `width_ms`; a last partial bin counts as a bin.
    pub fn bin(&self, width_ms: f64) -> Result<Recording> {
        if !(width_ms.is_finite() && width_ms > 0.0) {
            return Err(Error::config("a positive bin width", format!("{width_ms} ms")));
        }
        let bins = (self.duration_ms / width_ms).ceil().max(1.0);
        if bins * self.names.len() as f64 > 4e9 {
            return Err(Error::config("at most 4e9 bins in all", format!("{bins} x {}", self.names.len())));
        }
        let bins = bins as usize;
        let mut counts = vec![0.0_f32; bins * self.names.len()];
        for (t, u) in self.events() {
            counts[u as usize * bins + ((t / width_ms) as usize).min(bins - 1)] += 1.0;
        }
        let units = self.names.iter().map(Unit::named).collect();
        Recording::new(
            ActivityKind::SpikeCounts,
            Sampling::Rate { hz: 1000.0 / width_ms, start_s: 0.0 },
            units,
            counts,
        )
    }
}

impl Noun for SpikeTrains {
    const KIND: &'static str = "spike_trains";

    fn to_store(&self) -> Result<Store> {
        let mut store = Store::new(Self::KIND);
        store.push("times_ms", Array::from_f64(&[self.len()], &self.times_ms)?);
        store.push("units", Array::from_u32(&[self.len()], &self.units)?);
        store.meta.insert("duration_ms".into(), json!(self.duration_ms));
        store.meta.insert("names".into(), json!(self.names));
        Ok(store)
    }

    fn from_store(store: &Store) -> Result<Self> {
        let times = store.require("times_ms")?.to_f64();
        let units = store.require("units")?.to_indices()?;
        if times.len() != units.len() {
            return Err(Error::input(
                format!("{} units, one per time", times.len()),
                units.len().to_string(),
            ));
        }
        let events =
            times.into_iter().zip(units.into_iter().map(|u| u32::try_from(u).unwrap_or(u32::MAX))).collect();
        Self::with_names(events, field(store, "names")?, field(store, "duration_ms")?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_bins_and_survives_the_file_form() -> Result<()> {
        let s = SpikeTrains::new(vec![(5.0, 1), (0.5, 0), (5.0, 0), (9.9, 1)], 2, 10.0)?;
        assert_eq!(s.units(), [0, 0, 1, 1]);
        let r = s.bin(5.0)?;
        assert_eq!(r.activity(), [1.0, 1.0, 0.0, 2.0]);
        assert_eq!(SpikeTrains::from_store(&s.to_store()?)?, s);
        assert!(SpikeTrains::new(vec![(10.0, 0)], 1, 10.0).is_err());
        assert!(SpikeTrains::new(vec![(f64::NAN, 0)], 1, 10.0).is_err());
        Ok(())
    }
}
