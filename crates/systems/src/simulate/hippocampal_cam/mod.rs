//! Bio-inspired computational memory model of the hippocampus: a spike-based content-addressable memory
//! (D. Casanueva-Morato et al., Neural Networks 2024, arXiv 2310.05868).
//!
//! Stores `cue -> content` in one presentation, recalls a content by its cue and all cues by any fragment of content,
//! and forgets by overwriting. Cells are current-based integrate-and-fire neurons in steps of 1 ms,
//! `V <- A - exp(-dt/tau_m) (A - V)` with `A = v_rest + (I_E - I_I) R`; two projections learn by additive pair STDP,
//! `w += 6 exp(-D/3)` for `D > 0` and `w -= 6 exp(-|D|/3)` for `D <= 0`, where `D = t_post + 1 - t_pre`, clipped to
//! 0..6 nA. [`circuit`] has the populations and projections, [`operations`] what is asked of them.
//!
//! The published spike tables of the three scripted tests are the reference; random workloads then show where the
//! memory departs from an exact dictionary. Simplified: fixed-point numbers of the hardware are replaced by f64, and its
//! input saturation by one limit (`circuit.input_saturation_na`).

pub mod baselines;
pub mod circuit;
mod figures;
pub mod operations;
pub mod script;
pub mod scripted;
pub mod workloads;

use baselines::{Hopfield, Willshaw};
use circuit::{Cam, CircuitParameters};
use neuropil_core::{Bar, Claim, Error, Figure, Result, SpikeTrains, Table, files};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use operations::{Answer, Dictionary, Operation};
use schemars::JsonSchema;
use scripted::{Script, Scripted};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;
use workloads::{Cell, Condition, Score, Scores};

/// Largest units x steps of the saved activity (f32, 256 MB).
const LARGEST_ACTIVITY: usize = 1 << 26;
/// Steps shown in the raster of the user's own script.
const RASTER_STEPS: usize = 1000;

/// The experiment and the circuit's constants.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct HippocampalCam {
    /// Cues and content bits of the random workloads, all combinations; the bars are measured at 16 cues, 32 bits,
    /// density 0.1, which is always included.
    pub workload_cues: Vec<usize>,
    /// Content bits of the random workloads.
    pub workload_contents: Vec<usize>,
    /// Densities of active bits.
    pub densities: Vec<f64>,
    /// Recalls per condition and replicate.
    pub recalls: usize,
    /// Random workloads per cell.
    pub replicates: u32,
    /// Cue neurons for a script of your own; 0 takes the highest cue named.
    pub cues: usize,
    /// Content neurons for a script of your own; 0 takes the highest bit named.
    pub contents: usize,
    /// Constants of the circuit.
    pub circuit: CircuitParameters,
}

impl Default for HippocampalCam {
    fn default() -> Self {
        Self::preset(Profile::Quick)
    }
}

/// The cell at which the bars are measured.
const BASE: Cell = Cell { cues: 16, contents: 32, density: 0.1 };

impl HippocampalCam {
    fn cells(&self) -> Vec<Cell> {
        let mut cells = vec![BASE];
        for &cues in &self.workload_cues {
            for &contents in &self.workload_contents {
                cells.extend(self.densities.iter().map(|&density| Cell { cues, contents, density }));
            }
        }
        let again = cells.iter().skip(1).position(|c| *c == BASE);
        if again.is_some() {
            cells.remove(0);
        }
        cells
    }

    fn scripted_tests(&self, run: &mut Run) -> Result<()> {
        let mut table = Table::new(
            "scripted",
            "Operations answered correctly in the paper's three tests",
            &["test", "rows differing from the published spikes", "spiking memory", "Willshaw", "Hopfield", "dictionary"],
        );
        for script in Script::ALL {
            let name = script.name();
            let r: Scripted = run.stage(name, |_| scripted::run(script, &self.circuit))?;
            let n = r.answers.len();
            let (cues, contents) = script.size();
            let (mut w, mut h) = (Willshaw::new(cues, contents), Hopfield::new(cues, contents));
            let operations = script.operations();
            let right = |answers: Vec<Answer>| {
                answers.iter().zip(&r.answers).filter(|(got, (_, want))| *got == want).count()
            };
            let willshaw = right(operations.iter().map(|o| w.apply(o)).collect());
            let hopfield = right(operations.iter().map(|o| h.apply(o)).collect());
            table.row([
                name.to_string(),
                format!("{} of {}", r.wrong_rows.len(), r.rows),
                format!("{} of {n}", r.correct()),
                format!("{willshaw} of {n}"),
                format!("{hopfield} of {n}"),
                format!("{n} of {n}"),
            ]);
            run.claim(
                Claim::new(
                    &format!("{name}_spikes"),
                    format!("The {name} test gives the published spikes of every population at every step"),
                    format!("differing rows of {}", r.rows),
                    r.wrong_rows.len() as f64,
                    Bar::Exactly(0.0),
                )
                .paper("spike table published with the model"),
            );
            run.claim(
                Claim::new(
                    &format!("{name}_operations"),
                    format!("All operations of the {name} test return the right memories at the right time"),
                    "correct operations",
                    r.correct() as f64,
                    Bar::Exactly(n as f64),
                )
                .paper("all correct"),
            );
            let spikes = r.cam.spike_trains()?;
            run.save(&format!("spikes_{name}.safetensors"), &spikes)?;
            run.save(&format!("activity_{name}.safetensors"), &spikes.bin(1.0)?)?;
            let title = format!("The {name} test, spike by spike");
            let steps = r.cam.table(script.duration());
            run.figure(figures::raster(&format!("raster_{name}"), &title, &steps, cues, contents));
            if script == Script::Functional {
                run.figure(figures::weights(&r, cues, contents, self.circuit.w_max));
            }
        }
        run.table(table);
        Ok(())
    }

    fn workload(&self, run: &mut Run, cell: &Cell) -> Result<Vec<Scores>> {
        (0..self.replicates)
            .map(|k| {
                let name = format!("workload/{}x{}/{}/{k}", cell.cues, cell.contents, cell.density);
                let streams = run.streams().replicate(u64::from(k));
                run.stage(&name, |_| workloads::measure(cell, self.recalls, &self.circuit, streams))
            })
            .collect()
    }

    fn base_claims(&self, run: &mut Run, replicates: &[Scores], all: &Scores) {
        let bars = [
            (Condition::StreamByCue, "Stored contents are recalled by cue in one uninterrupted stream"),
            (Condition::StreamByBit, "Cues are recalled by any single content bit in the same stream"),
            (Condition::Fragments, "Fragments of 2 to 4 bits return exactly the cues that share a bit"),
            (Condition::Forgetting, "Overwriting forgets: single bits return the cues of the new contents only"),
        ];
        let range = |f: &dyn Fn(&Scores) -> f64| {
            replicates.iter().map(f).fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)))
        };
        let of = |s: &Scores, c: Condition| s.memory.get(&c).map_or(f64::NAN, |s| s.fraction());
        for (c, text) in bars {
            let (low, high) = range(&|s| of(s, c));
            let metric = format!("exact recalls, {}, over {} replicates", c.name(), self.replicates);
            run.claim(Claim::new(c.key(), text, metric, of(all, c), Bar::AtLeast(0.99)).interval(low, high));
        }
        let margin = |s: &Scores| {
            let ours = of(s, Condition::StreamByCue) + of(s, Condition::StreamByBit);
            50.0 * (ours - s.hopfield[0].fraction() - s.hopfield[1].fraction())
        };
        let (low, high) = range(&margin);
        run.claim(
            Claim::new(
                "beats_hopfield",
                "The spiking memory holds random overlapping memories that a Hopfield network does not",
                "points of exact recall above Hopfield, by cue and by bit together",
                margin(all),
                Bar::AtLeast(20.0),
            )
            .interval(low, high),
        );
    }
}

/// Counts of several replicates together.
fn pooled(replicates: &[Scores]) -> Option<Scores> {
    let (first, rest) = replicates.split_first()?;
    let mut all = first.clone();
    for s in rest {
        for (c, score) in &s.memory {
            let sum = all.memory.get(c).copied().unwrap_or_default().plus(*score);
            all.memory.insert(*c, sum);
        }
        for k in 0..3 {
            all.willshaw[k] = all.willshaw[k].plus(s.willshaw[k]);
            all.hopfield[k] = all.hopfield[k].plus(s.hopfield[k]);
        }
    }
    Some(all)
}

impl System for HippocampalCam {
    const CARD: Card = Card {
        number: 38,
        slug: "hippocampal-cam",
        wing: Wing::Simulate,
        title: "Bio-inspired computational memory model of the Hippocampus: an approach to a neuromorphic spike-based \
                Content-Addressable Memory",
        authors: "D. Casanueva-Morato, A. Ayuso-Martinez, J. P. Dominguez-Morales, A. Jimenez-Fernandez, \
                  G. Jimenez-Moreno",
        year: 2024,
        source: "arXiv 2310.05868",
        summary: "A spiking memory that stores in one shot, recalls by cue or by any fragment, and forgets by overwriting",
        claim: "All operations of the functional, stress and map tests return the right memories, spike by spike",
        data: DataKind::Simulated,
        tags: &["spiking", "memory", "hippocampus", "CA3", "STDP", "content-addressable"],
        inputs: &[Role {
            name: "script",
            formats: "JSON or CSV",
            required: true,
            many: false,
            help: "Operations in order of time: time_ms (whole ms), op (learn, recall_by_cue, recall_by_content), cue \
                   (one neuron, from 0), content (active bits, from 0; space-separated in CSV). At least 7 ms after a \
                   learn and 6 ms after a recall; 14 ms is safer.",
        }],
        outputs: &["spikes", "activity", "plastic weights (CSV)", "answers and expected answers (CSV)", "raster"],
        example: "neuropil run hippocampal-cam --input script.csv",
    };

    fn preset(profile: Profile) -> Self {
        let quick = Self {
            workload_cues: Vec::new(),
            workload_contents: Vec::new(),
            densities: Vec::new(),
            recalls: 1000,
            replicates: 2,
            cues: 0,
            contents: 0,
            circuit: CircuitParameters::default(),
        };
        match profile {
            Profile::Smoke => Self { recalls: 50, replicates: 1, ..quick },
            Profile::Quick => quick,
            Profile::Full => Self {
                workload_cues: vec![16, 64, 256],
                workload_contents: vec![32, 128, 512],
                densities: vec![0.05, 0.1, 0.2, 0.3],
                replicates: 5,
                ..quick
            },
            Profile::Paper => Self {
                workload_cues: vec![4096],
                workload_contents: vec![1024],
                densities: vec![0.1],
                replicates: 1,
                ..quick
            },
        }
    }

    fn check(&self) -> Result<()> {
        self.circuit.check().map_err(|e| e.at("circuit"))?;
        for (field, values) in [("workload_cues", &self.workload_cues), ("workload_contents", &self.workload_contents)] {
            if let Some(n) = values.iter().find(|n| !(1..=1 << 14).contains(*n)) {
                return Err(Error::config("1 to 16384", n.to_string()).at(field));
            }
        }
        if let Some(d) = self.densities.iter().find(|d| !(**d > 0.0 && **d <= 1.0)) {
            return Err(Error::config("above 0 and at most 1", d.to_string()).at("densities"));
        }
        if !(1..=1_000_000).contains(&self.recalls) {
            return Err(Error::config("1 to 1000000", self.recalls.to_string()).at("recalls"));
        }
        if !(1..=1000).contains(&self.replicates) {
            return Err(Error::config("1 to 1000", self.replicates.to_string()).at("replicates"));
        }
        Ok(())
    }

    fn estimate(&self) -> Estimate {
        // Per recall: the restored weights are copied, and Hopfield's matrix is swept.
        let of = |c: &Cell| {
            let units = (c.cues + c.contents) as f64;
            let pairs = (c.cues * c.contents) as f64;
            (self.recalls as f64 * (2e-5 + 2e-8 * pairs) + 5e-9 * units * units * self.recalls as f64, 60.0 * pairs + 4.0 * units * units)
        };
        let (mut wall, mut bytes) = (1.0, 0.0_f64);
        for c in self.cells() {
            let (s, b) = of(&c);
            wall += s * f64::from(self.replicates);
            bytes = bytes.max(b);
        }
        Estimate { wall_s: wall, mem_mb: 100.0 + bytes / 1e6 }
    }

    fn replicates(&self) -> u32 {
        self.replicates
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        self.scripted_tests(run)?;
        let cells = self.cells();
        let bar = run.progress("workloads", cells.len() as u64);
        let columns = ["cues", "content bits", "density"].into_iter();
        let heads: Vec<&str> = columns
            .chain(Condition::ALL.iter().map(|c| c.name()))
            .chain(["Willshaw by cue", "Willshaw one bit", "Willshaw overwritten"])
            .chain(["Hopfield by cue", "Hopfield one bit", "Hopfield overwritten"])
            .collect();
        let mut table = Table::new("workloads", "Exact recalls of random memories (1 = a dictionary)", &heads);
        let mut measured = Vec::new();
        for cell in &cells {
            let replicates = self.workload(run, cell)?;
            let Some(all) = pooled(&replicates) else { continue };
            let mut row = vec![cell.cues.to_string(), cell.contents.to_string(), cell.density.to_string()];
            let scores: Vec<Score> =
                all.memory.values().chain(&all.willshaw).chain(&all.hopfield).copied().collect();
            row.extend(scores.iter().map(|s| format!("{:.3}", s.fraction())));
            table.row(row);
            if *cell == BASE {
                self.base_claims(run, &replicates, &all);
                for (c, s) in &all.memory {
                    run.metric(c.key(), s.fraction());
                }
                for (k, name) in ["by_cue", "by_bit", "overwritten"].into_iter().enumerate() {
                    run.metric(&format!("willshaw_{name}"), all.willshaw[k].fraction());
                    run.metric(&format!("hopfield_{name}"), all.hopfield[k].fraction());
                }
                run.figure(figures::conditions(&all));
            }
            measured.push((*cell, all));
            bar.inc(1);
        }
        run.table(table);
        if cells.len() > 1 {
            run.figure(figures::grid(&measured));
        }
        run.note(
            "Limits of the circuit, reported without a bar: recalls are pairings too, so streams of fragments tie their \
             bits to every answering cue; after overwriting, remains below threshold add up over several bits; and at \
             the shortest spacing earlier operations still act.",
        );
        Ok(())
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        let script = script::read(inputs.require("script")?)?;
        let highest = |of: &mut dyn Iterator<Item = u32>| of.max().map_or(1, |n| n as usize + 1);
        let cues = if self.cues > 0 { self.cues } else { highest(&mut script.iter().filter_map(|o| o.cue)) };
        let contents = if self.contents > 0 {
            self.contents
        } else {
            highest(&mut script.iter().flat_map(|o| o.content.iter().copied()))
        };
        operations::check(&script, cues, contents)?;
        let end = script.last().map_or(0, |o| o.time) + 14;
        let mut cam = Cam::new(cues, contents, &self.circuit)?;
        cam.record();
        let answers = cam.execute(&script, |_, _| run.stop_if_asked())?;
        cam.run_to(end);
        let mut judge = Dictionary::default();
        let right: Vec<Answer> = script.iter().map(|o| judge.apply(o)).collect();
        let report = answer_csv(&script, &answers, &right);
        run.artifact("answers.csv", report.as_bytes())?;
        let correct = answers.iter().zip(&right).filter(|(a, b)| a == b).count();
        run.metric("operations", script.len() as f64);
        run.metric("exact", correct as f64);
        run.metric("exact_fraction", correct as f64 / script.len() as f64);
        let spikes = cam.spike_trains()?;
        run.save("spikes.safetensors", &spikes)?;
        run.artifact("spikes.csv", spike_csv(&spikes).as_bytes())?;
        if spikes.unit_count().saturating_mul(end as usize) <= LARGEST_ACTIVITY {
            run.save("activity.safetensors", &spikes.bin(1.0)?)?;
        } else {
            run.note("The binned activity is left out: too many units x steps; the spikes are complete.");
        }
        let weights = cam.weights();
        run.artifact("weights_cue_to_content.csv", matrix_csv(&weights.cue_to_content, contents).as_bytes())?;
        run.artifact("weights_content_to_cue.csv", matrix_csv(&weights.content_to_cue, cues).as_bytes())?;
        let steps = cam.table((end as usize).min(RASTER_STEPS));
        run.figure(figures::raster("raster", "Your script, spike by spike", &steps, cues, contents));
        if cues * contents <= 1 << 18 {
            let panel = figures::weight_panel("", &weights.cue_to_content, cues, contents, self.circuit.w_max);
            let caption = "Weights from cue to content neurons after the last operation.";
            run.figure(Figure::new("weights", "What the memory holds at the end", caption, vec![panel]));
        }
        Ok(())
    }

    fn example(dir: &Path) -> Result<()> {
        let mut text = String::from("time_ms,op,cue,content\n");
        for o in Script::Functional.operations() {
            let cue = o.cue.map(|c| c.to_string()).unwrap_or_default();
            let _ = writeln!(text, "{},{},{cue},{}", o.time, o.kind().name(), spaced(&o.content));
        }
        files::write_atomic(&dir.join("script.csv"), text.as_bytes())
    }
}

fn spaced(numbers: &[u32]) -> String {
    numbers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

fn answer_csv(script: &[Operation], answers: &[Answer], right: &[Answer]) -> String {
    let mut text = String::from("time_ms,op,cue,content,got_cues,got_content,expected_cues,expected_content,exact\n");
    for ((o, got), want) in script.iter().zip(answers).zip(right) {
        let cue = o.cue.map(|c| c.to_string()).unwrap_or_default();
        let cells = [&o.content, &got.cues, &got.content, &want.cues, &want.content].map(|n| spaced(n)).join(",");
        let _ = writeln!(text, "{},{},{cue},{cells},{}", o.time, o.kind().name(), got == want);
    }
    text
}

fn spike_csv(spikes: &SpikeTrains) -> String {
    let mut text = String::from("time_ms,unit\n");
    for (t, unit) in spikes.events() {
        let _ = writeln!(text, "{t},{}", spikes.names()[unit as usize]);
    }
    text
}

fn matrix_csv(values: &[f64], columns: usize) -> String {
    let mut text = String::new();
    for row in values.chunks(columns) {
        text.push_str(&row.iter().map(ToString::to_string).collect::<Vec<_>>().join(","));
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_experiment::{Entry, RunOptions, execute};

    #[test]
    fn smoke_and_the_example_run() {
        let dir = tempfile::tempdir().expect("tempdir");
        let entry = Entry::of::<HippocampalCam>();
        let options = |o: RunOptions| RunOptions { out: dir.path().join("runs"), ..o };
        let smoke = options(RunOptions { profile: Profile::Smoke, ..RunOptions::default() });
        let report = execute(&entry, &smoke).expect("smoke").report;
        // The scripted tests are deterministic, so their bars hold even here.
        for c in report.claims.iter().filter(|c| c.id.contains("_spikes") || c.id.contains("_operations")) {
            assert!(c.passed, "{}: {:?}", c.id, c.value);
        }
        HippocampalCam::example(dir.path()).expect("example");
        let path = dir.path().join("script.csv").display().to_string();
        let own = options(RunOptions { input: vec![path], ..RunOptions::default() });
        let report = execute(&entry, &own).expect("example runs").report;
        assert_eq!(report.metrics["exact_fraction"], 1.0);
        let small = RunOptions { set: vec!["cues=2".into()], ..own };
        assert_eq!(execute(&entry, &small).expect_err("cue out of range").exit_code(), 3);
    }
}
