//! Recorders of state and weights over time; spikes are recorded by the network itself.

use crate::network::{Network, PopulationId, ProjectionId};
use crate::neurons::Neuron;
use neuropil_core::recording::Unit;
use neuropil_core::{ActivityKind, Array, Error, Recording, Result, Sampling};
use serde::{Deserialize, Serialize};

/// Membrane potentials of chosen neurons, one sample per call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StateRecorder {
    population: PopulationId,
    neurons: Vec<usize>,
    every: u64,
    samples: Vec<f64>,
}

impl StateRecorder {
    /// Records `neurons` of a population every `every` steps.
    pub fn new(network: &Network, population: PopulationId, neurons: &[usize], every: u64) -> Result<Self> {
        let n = network.neurons(population).map_or(0, Neuron::len);
        if network.neurons(population).and_then(Neuron::potentials_mv).is_none() {
            return Err(Error::config(
                "a population with potentials",
                format!("`{}`", network.name(population)),
            ));
        }
        if let Some(i) = neurons.iter().find(|&&i| i >= n) {
            return Err(Error::config(format!("neurons below {n}"), i.to_string()));
        }
        if every == 0 || neurons.is_empty() {
            return Err(Error::config("at least one neuron and one step", "none"));
        }
        Ok(Self { population, neurons: neurons.to_vec(), every, samples: Vec::new() })
    }

    /// Takes a sample if the step just done is due; call it after every step.
    pub fn sample(&mut self, network: &Network) {
        if network.now().is_multiple_of(self.every)
            && let Some(v) = network.neurons(self.population).and_then(Neuron::potentials_mv)
        {
            self.samples.extend(self.neurons.iter().map(|&i| v[i]));
        }
    }

    /// Samples in mV, step after step.
    pub fn samples_mv(&self) -> &[f64] {
        &self.samples
    }

    /// The samples as a recording (mV, one unit per neuron).
    pub fn recording(&self, network: &Network) -> Result<Recording> {
        let n = self.neurons.len();
        let steps = self.samples.len() / n;
        let mut activity = vec![0.0; self.samples.len()];
        for (t, row) in self.samples.chunks_exact(n).enumerate() {
            row.iter().enumerate().for_each(|(u, &v)| activity[u * steps + t] = v as f32);
        }
        let area = network.name(self.population).to_string();
        let units = self
            .neurons
            .iter()
            .map(|i| Unit { area: Some(area.clone()), ..Unit::named(format!("{area}/{i}")) })
            .collect();
        let interval_ms = network.dt_ms() * self.every as f64;
        let sampling = Sampling::Rate { hz: 1000.0 / interval_ms, start_s: interval_ms / 1000.0 };
        Recording::new(ActivityKind::Activation, sampling, units, activity)
    }
}

/// Weight matrices of a projection over time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WeightRecorder {
    projection: ProjectionId,
    rows: usize,
    columns: usize,
    times_ms: Vec<f64>,
    samples: Vec<f32>,
}

impl WeightRecorder {
    /// A recorder of one projection.
    pub fn new(network: &Network, projection: ProjectionId) -> Result<Self> {
        let s = network
            .synapses(projection)
            .ok_or_else(|| Error::config("a projection of the network", "none"))?;
        let (rows, columns) = (s.sources(), s.targets());
        Ok(Self { projection, rows, columns, times_ms: Vec::new(), samples: Vec::new() })
    }

    /// Takes the weights as they are now.
    pub fn sample(&mut self, network: &Network) {
        if let Some(s) = network.synapses(self.projection) {
            self.times_ms.push(network.now() as f64 * network.dt_ms());
            self.samples.extend(s.dense().iter().map(|&w| w as f32));
        }
    }

    /// Times of the samples in ms.
    pub fn times_ms(&self) -> &[f64] {
        &self.times_ms
    }

    /// The last sample, sources x targets row-major.
    pub fn last(&self) -> &[f32] {
        let size = self.rows * self.columns;
        &self.samples[self.samples.len().saturating_sub(size)..]
    }

    /// All samples as an array of shape samples x sources x targets.
    pub fn array(&self) -> Result<Array> {
        Array::from_f32(&[self.times_ms.len(), self.rows, self.columns], &self.samples)
    }
}
