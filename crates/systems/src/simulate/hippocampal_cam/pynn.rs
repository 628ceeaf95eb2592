//! The circuit as a PyNN script.

use super::circuit::{CircuitParameters, POPULATIONS, Pattern, WIRES, size_of};
use super::operations::Operation;
use std::fmt::Write as _;

/// A Python script that builds the circuit, plays the operations and prints the spikes of both halves of the output.
/// It runs on SpiNNaker by default and on any PyNN back end named as its first argument; other back ends do not share
/// the hardware's input saturation and dendritic delay, so their spikes can differ.
pub fn script(
    cues: usize,
    contents: usize,
    parameters: &CircuitParameters,
    operations: &[Operation],
    duration_ms: f64,
) -> String {
    let mut text = String::from(
        "\"\"\"Spiking content-addressable memory (Casanueva-Morato et al., arXiv 2310.05868), written by Neuropil.\n\n\
         python network.py [spiNNaker | nest | brian2 | neuron]\n\"\"\"\nimport importlib\nimport sys\n\n\
         sim = importlib.import_module(\"pyNN.\" + (sys.argv[1] if len(sys.argv) > 1 else \"spiNNaker\"))\n\
         sim.setup(timestep=1.0, min_delay=1.0)\n\npopulation = {}\n",
    );
    let mut input = [vec![Vec::new(); cues], vec![Vec::new(); contents]];
    for o in operations {
        for t in o.time..o.time + o.kind().presentations() {
            if let Some(c) = o.cue {
                input[0][c as usize].push(t);
            }
            for &b in &o.content {
                input[1][b as usize].push(t);
            }
        }
    }
    for (index, name) in POPULATIONS.iter().enumerate() {
        let n = size_of(index, cues, contents);
        if let Some(times) = input.get(index) {
            let _ = writeln!(
                text,
                "population[\"{name}\"] = sim.Population({n}, sim.SpikeSourceArray(spike_times={times:?}), label=\"{name}\")"
            );
            continue;
        }
        let c = parameters.cell(index);
        let _ = writeln!(
            text,
            "population[\"{name}\"] = sim.Population({n}, sim.IF_curr_exp(cm={}, tau_m={}, v_rest={}, v_reset={}, \
             v_thresh={}, tau_refrac={}, tau_syn_E={}, tau_syn_I={}, i_offset={}), initial_values={{\"v\": {}}}, \
             label=\"{name}\")",
            c.cm_nf,
            c.tau_m_ms,
            c.v_rest_mv,
            c.v_reset_mv,
            c.v_thresh_mv,
            c.tau_refrac_ms,
            c.tau_syn_e_ms,
            c.tau_syn_i_ms,
            c.i_offset_na,
            c.v_init_mv
        );
    }
    let p = parameters;
    let _ = write!(
        text,
        "\n\ndef stdp():\n    return sim.STDPMechanism(\n        timing_dependence=sim.SpikePairRule(tau_plus={}, \
         tau_minus={}, A_plus={}, A_minus={}),\n        weight_dependence=sim.AdditiveWeightDependence(w_min=0.0, \
         w_max={}),\n        weight=0.0, delay=1.0)\n\n\n\
         def connect(source, target, connector, synapse, receptor):\n    sim.Projection(population[source], \
         population[target], connector, synapse_type=synapse, receptor_type=receptor)\n\n\n",
        p.tau_plus_ms, p.tau_minus_ms, p.a_plus, p.a_minus, p.w_max
    );
    for w in &WIRES {
        let connector = match w.pattern {
            Pattern::OneToOne => "sim.OneToOneConnector()",
            Pattern::AllToAll => "sim.AllToAllConnector()",
            Pattern::ExceptSelf => "sim.AllToAllConnector(allow_self_connections=False)",
        };
        let synapse = if w.plastic {
            "stdp()".to_string()
        } else {
            format!("sim.StaticSynapse(weight={:?}, delay={:?})", w.weight_na, f64::from(w.delay_ms))
        };
        let receptor = if w.weight_na < 0.0 { "inhibitory" } else { "excitatory" };
        let (from, to) = (POPULATIONS[w.from], POPULATIONS[w.to]);
        let _ = writeln!(text, "connect(\"{from}\", \"{to}\", {connector}, {synapse}, \"{receptor}\")");
    }
    let _ = write!(
        text,
        "\nfor name in (\"outCue\", \"outCont\"):\n    population[name].record(\"spikes\")\nsim.run({duration_ms:?})\n\
         for name in (\"outCue\", \"outCont\"):\n    for unit, train in \
         enumerate(population[name].get_data(\"spikes\").segments[0].spiketrains):\n        print(name, unit, \
         [float(t) for t in train])\nsim.end()\n"
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_projection_and_input_spike_is_there() {
        let text = script(2, 3, &CircuitParameters::default(), &[Operation::learn(4, 1, &[0, 2])], 20.0);
        assert_eq!(text.lines().filter(|l| l.starts_with("connect(")).count(), WIRES.len());
        assert_eq!(text.matches("stdp()").count(), 3);
        assert!(text.contains("spike_times=[[], [4, 5, 6]]") && text.contains("spike_times=[[4, 5, 6], [], [4, 5, 6]]"));
        assert!(text.contains("sim.StaticSynapse(weight=-6.0, delay=2.0), \"inhibitory\""));
    }
}
