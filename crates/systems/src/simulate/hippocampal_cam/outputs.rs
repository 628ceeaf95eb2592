//! What a run of operations leaves behind: spikes, activity, weights over time, answers, the network itself.

use super::circuit::{Cam, CircuitParameters, POPULATIONS};
use super::history::History;
use super::operations::{Answer, Operation};
use super::pynn;
use neuropil_core::recording::{Trial, Unit};
use neuropil_core::{ActivityKind, Array, Recording, Result, Sampling};
use neuropil_data::formats::npy::Value;
use neuropil_data::formats::{npy, npz};
use neuropil_experiment::Run;
use std::fmt::Write as _;

/// Largest number of synapses listed as text.
const LARGEST_LIST: usize = 1 << 21;
/// Populations whose activity is saved: cue and content cells on the way in, inside and on the way out.
const OBSERVED: [usize; 6] = [2, 3, 6, 7, 10, 11];
/// Longest time in ms that an operation's spikes are counted.
const WINDOW: u64 = 14;

/// Spike counts of cue and content populations, one step per operation (from its time to the next, at most 14 ms).
/// Units carry their population as area; steps are labelled by operation.
pub fn activity(cam: &Cam, operations: &[Operation], populations: &[usize]) -> Result<Recording> {
    let mut first = vec![None; POPULATIONS.len()];
    let mut units = Vec::new();
    for &p in populations {
        first[p] = Some(units.len());
        let name = POPULATIONS[p];
        let n = super::circuit::size_of(p, cam.cues(), cam.contents());
        units.extend((0..n).map(|i| Unit { area: Some(name.into()), ..Unit::named(format!("{name}/{i}")) }));
    }
    let steps = operations.len();
    let mut counts = vec![0.0_f32; units.len() * steps];
    for s in cam.network().recorded() {
        let Some(base) = first[s.population as usize] else { continue };
        // The operation under way at this step, if it began at most a window ago.
        let k = operations.partition_point(|o| o.time <= s.step);
        if k > 0 && s.step - operations[k - 1].time < WINDOW {
            counts[(base + s.neuron as usize) * steps + k - 1] += 1.0;
        }
    }
    let ids = operations.iter().map(label).collect();
    let mut recording = Recording::new(ActivityKind::SpikeCounts, Sampling::Samples(ids), units, counts)?;
    recording.trials = operations
        .iter()
        .enumerate()
        .map(|(k, o)| Trial { start: k, stop: k + 1, label: o.kind().name().into() })
        .collect();
    Ok(recording)
}

/// What an operation is, in a few words.
fn label(o: &Operation) -> String {
    let bits = spaced(&o.content);
    match o.cue {
        Some(c) if o.content.is_empty() => format!("{} ms recall cue {c}", o.time),
        Some(c) => format!("{} ms learn cue {c} bits {bits}", o.time),
        None => format!("{} ms recall bits {bits}", o.time),
    }
}

/// Numbers with spaces between.
pub fn spaced(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// Saves everything that a recorded run of operations gives.
pub fn save(
    run: &mut Run,
    cam: &Cam,
    parameters: &CircuitParameters,
    operations: &[Operation],
    answers: &[(Answer, Answer)],
    history: &History,
) -> Result<()> {
    run.artifact("answers.csv", answer_csv(operations, answers).as_bytes())?;
    run.artifact("recalled.csv", recalled_csv(operations, answers).as_bytes())?;
    let spikes = cam.spike_trains()?;
    run.save("spikes.safetensors", &spikes)?;
    let mut text = String::from("time_ms,unit\n");
    for (t, unit) in spikes.events() {
        let _ = writeln!(text, "{t},{}", spikes.names()[unit as usize]);
    }
    run.artifact("spikes.csv", text.as_bytes())?;
    let arrays = [
        ("times_ms".to_string(), Value::Numbers(Array::from_f64(&[spikes.len()], spikes.times_ms())?)),
        ("units".to_string(), Value::Numbers(Array::from_u32(&[spikes.len()], spikes.units())?)),
        ("names".to_string(), Value::Strings(vec![spikes.names().len()], spikes.names().to_vec())),
        ("duration_ms".to_string(), Value::Numbers(Array::from_f64(&[1], &[spikes.duration_ms()])?)),
    ];
    run.artifact("spikes.npz", &npz::encode(&arrays)?)?;
    run.save("activity.safetensors", &activity(cam, operations, &OBSERVED)?)?;
    for p in OBSERVED {
        run.save(&format!("activity_{}.safetensors", POPULATIONS[p]), &activity(cam, operations, &[p])?)?;
    }
    save_weights(run, cam, history)?;
    if cam.network().synapse_count() <= LARGEST_LIST {
        run.artifact("connections.csv", connections_csv(cam).as_bytes())?;
    } else {
        run.note(format!("`connections.csv` is left out: more than {LARGEST_LIST} synapses; `network.py` builds them."));
    }
    let script = pynn::script(cam.cues(), cam.contents(), parameters, operations, spikes.duration_ms());
    run.artifact("network.py", script.as_bytes())
}

fn save_weights(run: &mut Run, cam: &Cam, history: &History) -> Result<()> {
    let (cues, contents) = (cam.cues(), cam.contents());
    let last = cam.weights();
    let to_f32 = |w: &[f64]| w.iter().map(|&w| w as f32).collect::<Vec<_>>();
    let (to_content, to_cue) = if history.is_complete() {
        (history.cue_to_content().to_vec(), history.content_to_cue().to_vec())
    } else {
        run.note("Weights over time are left out: too many operations x synapses; the files hold the final weights.");
        (to_f32(&last.cue_to_content), to_f32(&last.content_to_cue))
    };
    let samples = to_content.len() / (cues * contents);
    let all = Array::from_f32(&[samples, cues, contents], &to_content)?;
    run.artifact("weights_cue_to_content.npy", &npy::encode(&all)?)?;
    let all = Array::from_f32(&[samples, contents, cues], &to_cue)?;
    run.artifact("weights_content_to_cue.npy", &npy::encode(&all)?)
}

/// Every operation with what came back and what should have.
fn answer_csv(operations: &[Operation], answers: &[(Answer, Answer)]) -> String {
    let mut text =
        String::from("time_ms,op,cue,content,got_cues,got_content,expected_cues,expected_content,exact\n");
    for (o, (got, want)) in operations.iter().zip(answers) {
        let cue = o.cue.map(|c| c.to_string()).unwrap_or_default();
        let cells = [&o.content, &got.cues, &got.content, &want.cues, &want.content].map(|n| spaced(n)).join(",");
        let _ = writeln!(text, "{},{},{cue},{cells},{}", o.time, o.kind().name(), got == want);
    }
    text
}

/// For each cue the content of its last recall by cue.
fn recalled_csv(operations: &[Operation], answers: &[(Answer, Answer)]) -> String {
    let mut table = std::collections::BTreeMap::new();
    for (o, (got, want)) in operations.iter().zip(answers).filter(|(o, _)| o.content.is_empty()) {
        if let Some(cue) = o.cue {
            table.insert(cue, (o.time, &got.content, &want.content));
        }
    }
    let mut text = String::from("cue,time_ms,content,expected_content\n");
    for (cue, (time, got, want)) in table {
        let _ = writeln!(text, "{cue},{time},{},{}", spaced(got), spaced(want));
    }
    text
}

/// All synapses by name, with the weights as they are.
fn connections_csv(cam: &Cam) -> String {
    let network = cam.network();
    let mut text = String::from("source,target,receptor,weight_na,delay_ms,plastic\n");
    for (from, to, receptor, synapses, plastic) in network.projections() {
        let receptor = if receptor == 0 { "excitatory" } else { "inhibitory" };
        let (from, to) = (network.name(from), network.name(to));
        for (s, t, weight, delay) in synapses.iter() {
            let _ = writeln!(text, "{from}/{s},{to}/{t},{receptor},{weight},{delay},{plastic}");
        }
    }
    text
}
