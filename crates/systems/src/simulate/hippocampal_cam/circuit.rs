//! The circuit: populations, projections, and how it is driven and read.

use super::operations::{Answer, Kind, Operation};
use neuropil_core::{Error, Result, SpikeTrains};
use neuropil_spike::network::Spike;
use neuropil_spike::{
    Connector, IfCurrExp, IfCurrExpParameters, Network, Neurons, PairStdp, PopulationId, Projection, ProjectionId,
    SpikeList, StdpParameters, Synapses,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Populations in the order in which they are updated. `in` and `out` are the paper's IN and OUT, cue part and content
/// part apart.
pub const POPULATIONS: [&str; 12] = [
    "inCue", "inCont", "cueCue", "contCue", "cond", "condInt", "cueCont", "contCont", "mergeCue", "mergeCont", "outCue",
    "outCont",
];
const IN_CUE: usize = 0;
const IN_CONT: usize = 1;
const OUT_CUE: usize = 10;
const OUT_CONT: usize = 11;

/// Connection pattern of a projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// One to one.
    OneToOne,
    /// All to all, one-to-all and all-to-one included.
    AllToAll,
    /// All to all except self.
    ExceptSelf,
}

/// One row of the paper's connection table.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Wire {
    /// Source population, index into [`POPULATIONS`].
    pub from: usize,
    /// Target population.
    pub to: usize,
    /// Pattern.
    pub pattern: Pattern,
    /// Weight in nA, negative for inhibition; initial weight if plastic.
    pub weight_na: f64,
    /// Delay in ms.
    pub delay_ms: u32,
    /// Changed by STDP.
    pub plastic: bool,
}

const fn wire(from: usize, to: usize, pattern: Pattern, weight_na: f64, delay_ms: u32) -> Wire {
    Wire { from, to, pattern, weight_na, delay_ms, plastic: false }
}

/// All projections.
pub const WIRES: [Wire; 18] = [
    wire(0, 2, Pattern::OneToOne, 6.0, 1),
    wire(1, 3, Pattern::OneToOne, 6.0, 1),
    Wire { plastic: true, ..wire(2, 3, Pattern::AllToAll, 0.0, 1) },
    wire(2, 6, Pattern::OneToOne, 6.0, 2),
    wire(2, 6, Pattern::ExceptSelf, -6.0, 3),
    wire(2, 4, Pattern::AllToAll, -6.0, 2),
    wire(3, 4, Pattern::OneToOne, 9.0, 1),
    wire(3, 5, Pattern::AllToAll, 6.0, 1),
    wire(5, 4, Pattern::AllToAll, 2.0, 1),
    wire(4, 7, Pattern::OneToOne, 6.0, 1),
    Wire { plastic: true, ..wire(7, 6, Pattern::AllToAll, 0.0, 1) },
    wire(6, 6, Pattern::ExceptSelf, -6.0, 2),
    wire(2, 8, Pattern::OneToOne, 6.0, 3),
    wire(3, 9, Pattern::OneToOne, 6.0, 3),
    wire(6, 8, Pattern::OneToOne, 6.0, 1),
    wire(7, 9, Pattern::OneToOne, 6.0, 1),
    wire(8, 10, Pattern::OneToOne, 6.0, 1),
    wire(9, 11, Pattern::OneToOne, 6.0, 1),
];

/// Constants of the circuit that one may want to change; the defaults are the published ones.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CircuitParameters {
    /// Largest summed excitatory input of one step on `cueCont`, in nA; 0 turns the limit off. The input buffers of the
    /// hardware saturate: any limit of 6 to 8 gives the published spikes, none or 9 and more does not (two stored cues
    /// that share many bits then fire during learning).
    pub input_saturation_na: f64,
    /// Largest potentiation of a spike pair, in nA.
    pub a_plus: f64,
    /// Largest depression of a spike pair, in nA.
    pub a_minus: f64,
    /// Time constant of potentiation, in ms.
    pub tau_plus_ms: f64,
    /// Time constant of depression, in ms.
    pub tau_minus_ms: f64,
    /// Largest plastic weight, in nA.
    pub w_max: f64,
}

impl Default for CircuitParameters {
    fn default() -> Self {
        let s = StdpParameters::default();
        Self {
            input_saturation_na: 8.0,
            a_plus: s.a_plus,
            a_minus: s.a_minus,
            tau_plus_ms: s.tau_plus_ms,
            tau_minus_ms: s.tau_minus_ms,
            w_max: s.w_max,
        }
    }
}

impl CircuitParameters {
    /// The STDP rule of the plastic projections.
    pub fn stdp(&self) -> Result<PairStdp> {
        PairStdp::new(StdpParameters {
            a_plus: self.a_plus,
            a_minus: self.a_minus,
            tau_plus_ms: self.tau_plus_ms,
            tau_minus_ms: self.tau_minus_ms,
            w_min: 0.0,
            w_max: self.w_max,
            dendritic_delay: 1,
        })
    }

    /// Checks the values.
    pub fn check(&self) -> Result<()> {
        self.stdp()?;
        if !(self.input_saturation_na.is_finite() && self.input_saturation_na >= 0.0) {
            let got = self.input_saturation_na.to_string();
            return Err(Error::config("a finite saturation of at least 0 nA", got).at("input_saturation_na"));
        }
        Ok(())
    }

    /// Cell parameters of a population, index into [`POPULATIONS`].
    pub fn cell(&self, population: usize) -> IfCurrExpParameters {
        let slow = IfCurrExpParameters::default();
        match POPULATIONS[population] {
            "cueCont" => IfCurrExpParameters {
                cm_nf: 0.14,
                tau_m_ms: 0.5,
                input_saturation_na: (self.input_saturation_na > 0.0).then_some(self.input_saturation_na),
                ..slow
            },
            "cond" | "condInt" => IfCurrExpParameters { cm_nf: 0.14, tau_m_ms: 0.5, ..slow },
            "outCue" | "outCont" => IfCurrExpParameters { v_thresh_mv: -57.5, ..slow },
            _ => slow,
        }
    }
}

/// The memory: `cues` one-hot cue neurons and `contents` content bits, advanced in steps of 1 ms.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cam {
    network: Network,
    populations: Vec<PopulationId>,
    plastic: [ProjectionId; 2],
    cues: usize,
    contents: usize,
}

/// The plastic weights: cue to content and content to cue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlasticWeights {
    /// `cueCue -> contCue`, cues x contents row-major, nA.
    pub cue_to_content: Vec<f64>,
    /// `contCont -> cueCont`, contents x cues row-major, nA.
    pub content_to_cue: Vec<f64>,
}

impl Cam {
    /// An empty memory; fails on a size of 0 or one whose plastic weights would not fit (2^28 pairs, 4 GiB).
    pub fn new(cues: usize, contents: usize, parameters: &CircuitParameters) -> Result<Self> {
        parameters.check()?;
        if cues == 0 || contents == 0 {
            return Err(Error::config("at least 1 cue and 1 content bit", format!("{cues} and {contents}")));
        }
        if cues.checked_mul(contents).is_none_or(|n| n > 1 << 28) {
            return Err(Error::resources("at most 2^28 pairs of cue and content bit", format!("{cues} x {contents}")));
        }
        let mut network = Network::new(1.0)?;
        let mut populations = Vec::with_capacity(POPULATIONS.len());
        for (index, name) in POPULATIONS.iter().enumerate() {
            let n = size_of(index, cues, contents);
            populations.push(if index <= IN_CONT {
                network.add(name, SpikeList::new(n, Vec::new())?)?
            } else {
                network.add(name, IfCurrExp::uniform(n, parameters.cell(index))?)?
            });
        }
        let mut plastic = Vec::new();
        for w in &WIRES {
            let mut projection = if w.weight_na < 0.0 {
                Projection::inhibitory(-w.weight_na, w.delay_ms)
            } else {
                Projection::excitatory(w.weight_na, w.delay_ms)
            };
            if w.plastic {
                projection = projection.plastic(parameters.stdp()?);
            }
            let connector = match w.pattern {
                Pattern::OneToOne => Connector::OneToOne,
                Pattern::AllToAll => Connector::AllToAll,
                Pattern::ExceptSelf => Connector::AllToAllExceptSelf,
            };
            let id = network.connect(populations[w.from], populations[w.to], &connector, &projection)?;
            if w.plastic {
                plastic.push(id);
            }
        }
        let [to_content, to_cue] = plastic[..] else {
            return Err(Error::Internal("the circuit has two plastic projections".into()));
        };
        Ok(Self { network, populations, plastic: [to_content, to_cue], cues, contents })
    }

    /// Number of cue neurons.
    pub fn cues(&self) -> usize {
        self.cues
    }

    /// Number of content bits.
    pub fn contents(&self) -> usize {
        self.contents
    }

    /// The network underneath.
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// A population, index into [`POPULATIONS`].
    pub fn population(&self, index: usize) -> PopulationId {
        self.populations[index]
    }

    /// Records the spikes of all populations from now on.
    pub fn record(&mut self) {
        for id in &self.populations {
            self.network.record(*id);
        }
    }

    /// Queues input spikes at step `t` (ms); steps ascend over calls.
    pub fn feed(&mut self, t: u64, cues: &[u32], contents: &[u32]) -> Result<()> {
        for (population, units) in [(IN_CUE, cues), (IN_CONT, contents)] {
            if let Some(Neurons::SpikeList(source)) = self.network.neurons_mut(self.populations[population]) {
                source.push(t, units)?;
            }
        }
        Ok(())
    }

    /// Advances so that step `t` is the next.
    pub fn run_to(&mut self, t: u64) {
        self.network.run(t.saturating_sub(self.network.now()));
    }

    /// Runs operations, sorted and spaced as [`super::operations::check`] demands, and reads OUT at the steps at which
    /// each answer is due; `after` is called when an operation's answer is complete.
    pub fn execute(
        &mut self,
        operations: &[Operation],
        mut after: impl FnMut(&Self, usize) -> Result<()>,
    ) -> Result<Vec<Answer>> {
        let start = self.network.now();
        for o in operations {
            if o.time < start {
                return Err(Error::input(format!("operations from {start} ms on"), format!("one at {} ms", o.time)));
            }
            let cue: Vec<u32> = o.cue.into_iter().collect();
            for t in o.time..o.time + o.kind().presentations() {
                self.feed(t, &cue, &o.content)?;
            }
        }
        let mut answers = Vec::with_capacity(operations.len());
        for (index, o) in operations.iter().enumerate() {
            let (cue_at, content_at) = o.kind().due();
            let mut answer = Answer::default();
            for t in [5, 6] {
                self.run_to(o.time + t);
                self.network.step();
                if t == cue_at {
                    answer.cues = self.network.spikes(self.populations[OUT_CUE]).to_vec();
                }
                if t == content_at {
                    answer.content = self.network.spikes(self.populations[OUT_CONT]).to_vec();
                }
            }
            if o.kind() == Kind::Learn {
                // The memory shows twice; an answer that differs the second time is a wrong one.
                self.run_to(o.time + 7);
                self.network.step();
                let again = Answer {
                    cues: self.network.spikes(self.populations[OUT_CUE]).to_vec(),
                    content: self.network.spikes(self.populations[OUT_CONT]).to_vec(),
                    consistent: true,
                };
                if again != answer {
                    answer.consistent = false;
                }
            }
            answers.push(answer);
            after(self, index)?;
        }
        Ok(answers)
    }

    /// The plastic weights.
    pub fn weights(&self) -> PlasticWeights {
        let of = |id| self.network.synapses(id).map(|s: &Synapses| s.weights().to_vec()).unwrap_or_default();
        PlasticWeights { cue_to_content: of(self.plastic[0]), content_to_cue: of(self.plastic[1]) }
    }

    /// Replaces the plastic weights and forgets all activity and spike history; time goes on.
    pub fn restore(&mut self, weights: &PlasticWeights) -> Result<()> {
        self.network.settle();
        for (id, w) in self.plastic.iter().zip([&weights.cue_to_content, &weights.content_to_cue]) {
            if let Some(s) = self.network.synapses_mut(*id) {
                s.set_weights(w)?;
            }
        }
        Ok(())
    }

    /// All recorded spikes; units are named `population/neuron`.
    pub fn spike_trains(&self) -> Result<SpikeTrains> {
        self.network.spike_trains(&self.populations)
    }

    /// Recorded spikes as a table: for each of `steps` steps the spiking neurons of each population.
    pub fn table(&self, steps: usize) -> Vec<[Vec<u32>; 12]> {
        let mut rows = vec![<[Vec<u32>; 12]>::default(); steps];
        for &Spike { step, population, neuron } in self.network.recorded() {
            if let Some(row) = rows.get_mut(step as usize) {
                row[population as usize].push(neuron);
            }
        }
        rows
    }
}

/// Neurons in a population, index into [`POPULATIONS`].
pub fn size_of(population: usize, cues: usize, contents: usize) -> usize {
    match POPULATIONS[population] {
        "condInt" => 1,
        "inCue" | "cueCue" | "cueCont" | "mergeCue" | "outCue" => cues,
        _ => contents,
    }
}
