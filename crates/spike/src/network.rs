//! The event-driven network.

use crate::connect::Connector;
use crate::neurons::{Neuron, Neurons};
use crate::plasticity::{Plasticity, Rule};
use crate::ring::DelayRing;
use crate::synapses::{Receptor, Synapses};
use neuropil_core::{Error, Result, SpikeTrains, Stream};
use serde::{Deserialize, Serialize};

/// Names a population of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PopulationId(pub(crate) usize);

/// Names a projection of a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectionId(pub(crate) usize);

impl PopulationId {
    /// Position in the order of creation.
    pub fn index(self) -> usize {
        self.0
    }
}

/// What the synapses of a projection have in common.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Projection {
    /// Receptor of the target.
    pub receptor: Receptor,
    /// Weight of every synapse, initial if plastic, in the unit of the target's receptor.
    pub weight: f64,
    /// Delay of every synapse in steps, at least 1.
    pub delay: u32,
    /// Rule that changes the weights.
    pub plasticity: Option<Plasticity>,
}

impl Projection {
    /// A fixed excitatory projection.
    pub fn excitatory(weight: f64, delay: u32) -> Self {
        Self { receptor: Receptor::Excitatory, weight, delay, plasticity: None }
    }

    /// A fixed inhibitory projection.
    pub fn inhibitory(weight: f64, delay: u32) -> Self {
        Self { receptor: Receptor::Inhibitory, ..Self::excitatory(weight, delay) }
    }

    /// The same with a plasticity rule.
    #[must_use]
    pub fn plastic(mut self, rule: impl Into<Plasticity>) -> Self {
        self.plasticity = Some(rule.into());
        self
    }
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Population {
    name: String,
    neurons: Neurons,
    ring: DelayRing,
    spikes: Vec<u32>,
    recorded: bool,
    asleep: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Link {
    source: usize,
    target: usize,
    receptor: usize,
    synapses: Synapses,
    plasticity: Option<Plasticity>,
}

/// A spike that was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Spike {
    /// Step.
    pub step: u64,
    /// Population, by order of creation.
    pub population: u32,
    /// Neuron within the population.
    pub neuron: u32,
}

/// Populations and projections with their whole state. See the [crate] for the order inside a step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    dt_ms: f64,
    now: u64,
    populations: Vec<Population>,
    links: Vec<Link>,
    record: Vec<Spike>,
}

impl Network {
    /// An empty network with a step of `dt_ms`.
    pub fn new(dt_ms: f64) -> Result<Self> {
        if !(dt_ms.is_finite() && dt_ms > 0.0) {
            return Err(Error::config("a positive step", format!("{dt_ms} ms")).at("dt"));
        }
        Ok(Self { dt_ms, now: 0, populations: Vec::new(), links: Vec::new(), record: Vec::new() })
    }

    /// Adds a population; names are unique.
    pub fn add(&mut self, name: &str, neurons: impl Into<Neurons>) -> Result<PopulationId> {
        if self.populations.iter().any(|p| p.name == name) {
            return Err(Error::config("a new population name", format!("`{name}` twice")));
        }
        let mut neurons = neurons.into();
        neurons.prepare(self.dt_ms).map_err(|e| e.at(name))?;
        let ring = DelayRing::new(neurons.len(), neurons.receptors(), 1);
        let population = Population {
            name: name.into(),
            neurons,
            ring,
            spikes: Vec::new(),
            recorded: false,
            asleep: false,
        };
        self.populations.push(population);
        Ok(PopulationId(self.populations.len() - 1))
    }

    /// Connects two populations with a connector that needs no random numbers.
    pub fn connect(
        &mut self,
        source: PopulationId,
        target: PopulationId,
        connector: &Connector,
        projection: &Projection,
    ) -> Result<ProjectionId> {
        self.link(source, target, connector, projection, None)
    }

    /// Connects two populations with any connector.
    pub fn connect_randomly(
        &mut self,
        source: PopulationId,
        target: PopulationId,
        connector: &Connector,
        projection: &Projection,
        stream: &mut Stream,
    ) -> Result<ProjectionId> {
        self.link(source, target, connector, projection, Some(stream))
    }

    fn link(
        &mut self,
        source: PopulationId,
        target: PopulationId,
        connector: &Connector,
        projection: &Projection,
        stream: Option<&mut Stream>,
    ) -> Result<ProjectionId> {
        let (from, to) = (self.population(source)?, self.population(target)?);
        let place = format!("{} -> {}", from.name, to.name);
        let receptor = projection.receptor.index();
        if receptor >= to.neurons.receptors() {
            return Err(Error::config(
                format!("receptors below {}", to.neurons.receptors()),
                receptor.to_string(),
            )
            .at(place));
        }
        if projection.delay == 0 {
            return Err(Error::config("a delay of at least 1 step", "0").at(place));
        }
        let (n, m) = (from.neurons.len(), to.neurons.len());
        let plastic = projection.plasticity.is_some();
        let synapses = connector
            .build(n, m, projection.weight, projection.delay, plastic, stream)
            .map_err(|e| e.at(&place))?;
        let mut plasticity = projection.plasticity.clone();
        if let Some(rule) = &mut plasticity {
            rule.prepare(n, m, self.dt_ms).map_err(|e| e.at(&place))?;
        }
        let now = self.now;
        self.populations[target.0].ring.grow(synapses.max_delay() as usize, now);
        self.links.push(Link { source: source.0, target: target.0, receptor, synapses, plasticity });
        Ok(ProjectionId(self.links.len() - 1))
    }

    fn population(&self, id: PopulationId) -> Result<&Population> {
        self.populations.get(id.0).ok_or_else(|| {
            Error::config(format!("populations below {}", self.populations.len()), id.0.to_string())
        })
    }

    /// Step size in ms.
    pub fn dt_ms(&self) -> f64 {
        self.dt_ms
    }

    /// The step that comes next.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// Number of neurons, sources included.
    pub fn neuron_count(&self) -> usize {
        self.populations.iter().map(|p| p.neurons.len()).sum()
    }

    /// Number of synapses.
    pub fn synapse_count(&self) -> usize {
        self.links.iter().map(|l| l.synapses.iter().count()).sum()
    }

    /// Advances by one step.
    pub fn step(&mut self) {
        let now = self.now;
        let mut spiked = false;
        for (index, p) in self.populations.iter_mut().enumerate() {
            p.spikes.clear();
            let has_input = p.ring.has(now);
            if p.asleep && !has_input && p.neurons.next_event(now) != Some(now) {
                continue;
            }
            let input = has_input.then(|| p.ring.due(now));
            p.asleep = !p.neurons.step(now, input, &mut p.spikes);
            if has_input {
                p.ring.clear(now);
            }
            if !p.spikes.is_empty() {
                spiked = true;
                if p.recorded {
                    let population = index as u32;
                    self.record.extend(p.spikes.iter().map(|&neuron| Spike {
                        step: now,
                        population,
                        neuron,
                    }));
                }
            }
        }
        for link in &mut self.links {
            let busy = link.plasticity.as_ref().is_some_and(Rule::is_pending);
            if !(spiked || busy) {
                continue;
            }
            let pre = &self.populations[link.source].spikes;
            let post = &self.populations[link.target].spikes;
            if let Some(rule) = &mut link.plasticity
                && (busy || !pre.is_empty() || !post.is_empty())
            {
                rule.update(now, pre, post, &mut link.synapses);
            }
            if !pre.is_empty() {
                // A projection of a population onto itself needs both ends at once.
                let pre = std::mem::take(&mut self.populations[link.source].spikes);
                link.synapses.transmit(&pre, now, link.receptor, &mut self.populations[link.target].ring);
                self.populations[link.source].spikes = pre;
            }
        }
        self.now += 1;
    }

    /// Advances by `steps`, jumping over stretches in which the whole network rests.
    pub fn run(&mut self, steps: u64) {
        let end = self.now.saturating_add(steps);
        while self.now < end {
            if let Some(next) = self.rest_until() {
                self.now = next.min(end);
                if self.now == end {
                    self.populations.iter_mut().for_each(|p| p.spikes.clear());
                    return;
                }
            }
            self.step();
        }
    }

    /// If nothing moves: the step of the next source event (the end of time if there is none).
    fn rest_until(&self) -> Option<u64> {
        let mut next = u64::MAX;
        for p in &self.populations {
            if !(p.asleep && p.ring.is_empty()) {
                return None;
            }
            next = p.neurons.next_event(self.now).map_or(next, |t| t.min(next));
        }
        let pending = self.links.iter().any(|l| l.plasticity.as_ref().is_some_and(Rule::is_pending));
        (!pending).then_some(next)
    }

    /// Spikes of the last step, ascending.
    pub fn spikes(&self, id: PopulationId) -> &[u32] {
        self.populations.get(id.0).map_or(&[], |p| &p.spikes)
    }

    /// The neurons of a population.
    pub fn neurons(&self, id: PopulationId) -> Option<&Neurons> {
        self.populations.get(id.0).map(|p| &p.neurons)
    }

    /// The neurons of a population, to feed a source or set a state.
    pub fn neurons_mut(&mut self, id: PopulationId) -> Option<&mut Neurons> {
        // Whoever changes a state from outside also wakes it.
        self.populations.get_mut(id.0).map(|p| {
            p.asleep = false;
            &mut p.neurons
        })
    }

    /// The name of a population.
    pub fn name(&self, id: PopulationId) -> &str {
        self.populations.get(id.0).map_or("", |p| &p.name)
    }

    /// All populations, in order of creation.
    pub fn populations(&self) -> impl Iterator<Item = PopulationId> + use<> {
        (0..self.populations.len()).map(PopulationId)
    }

    /// All projections as (source, target, receptor, synapses, plastic), in order of creation.
    pub fn projections(&self) -> impl Iterator<Item = (PopulationId, PopulationId, usize, &Synapses, bool)> {
        self.links.iter().map(|l| {
            (PopulationId(l.source), PopulationId(l.target), l.receptor, &l.synapses, l.plasticity.is_some())
        })
    }

    /// The synapses of a projection.
    pub fn synapses(&self, id: ProjectionId) -> Option<&Synapses> {
        self.links.get(id.0).map(|l| &l.synapses)
    }

    /// The synapses of a projection, to set weights.
    pub fn synapses_mut(&mut self, id: ProjectionId) -> Option<&mut Synapses> {
        self.links.get_mut(id.0).map(|l| &mut l.synapses)
    }

    /// Records the spikes of a population from now on.
    pub fn record(&mut self, id: PopulationId) {
        if let Some(p) = self.populations.get_mut(id.0) {
            p.recorded = true;
        }
    }

    /// Recorded spikes in order of step, population and neuron.
    pub fn recorded(&self) -> &[Spike] {
        &self.record
    }

    /// Takes the recorded spikes and empties the record.
    pub fn take_recorded(&mut self) -> Vec<Spike> {
        std::mem::take(&mut self.record)
    }

    /// Recorded spikes of some populations as one set of trains; units are named `population/neuron` and numbered in
    /// the order given.
    pub fn spike_trains(&self, ids: &[PopulationId]) -> Result<SpikeTrains> {
        let mut first = vec![None; self.populations.len()];
        let mut names = Vec::new();
        for id in ids {
            let p = self.population(*id)?;
            first[id.0] = Some(names.len() as u32);
            names.extend((0..p.neurons.len()).map(|i| format!("{}/{i}", p.name)));
        }
        let events = self
            .record
            .iter()
            .filter_map(|s| first[s.population as usize].map(|f| (s.step as f64 * self.dt_ms, f + s.neuron)))
            .collect();
        SpikeTrains::with_names(events, names, self.now.max(1) as f64 * self.dt_ms)
    }

    /// Puts every neuron into its initial state and drops input on its way and the history of the rules. Weights,
    /// time, recorded spikes and the position of random streams stay; spikes still to come of a
    /// [`SpikeList`](crate::SpikeList) are dropped.
    pub fn settle(&mut self) {
        for p in &mut self.populations {
            p.neurons.reset();
            p.ring.reset();
            p.spikes.clear();
            p.asleep = false;
        }
        for rule in self.links.iter_mut().filter_map(|l| l.plasticity.as_mut()) {
            rule.reset();
        }
    }
}
