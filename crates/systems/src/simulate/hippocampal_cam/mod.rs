//! Bio-inspired computational memory model of the hippocampus: a spike-based content-addressable memory
//! (D. Casanueva-Morato et al., Neural Networks 2024, arXiv 2310.05868).
//!
//! Stores `cue -> content` in one presentation, recalls a content by its cue and all cues by any fragment of content,
//! and forgets by overwriting. Cells are current-based integrate-and-fire neurons in steps of 1 ms,
//! `V <- A - exp(-dt/tau_m) (A - V)` with `A = v_rest + (I_E - I_I) R`; two projections learn by additive pair STDP,
//! `w += 6 exp(-D/3)` for `D > 0` and `w -= 6 exp(-|D|/3)` for `D <= 0`, where `D = t_post + 1 - t_pre`, clipped to
//! 0..6 nA. `circuit` has the populations and projections, `operations` what is asked of them.
//!
//! The published spike tables of the three scripted tests are the reference; random workloads then show where the
//! memory departs from an exact dictionary. Simplified: fixed-point numbers of the hardware are replaced by f64, and its
//! input saturation by one limit (`circuit.input_saturation_na`).

pub mod baselines;
pub mod circuit;
mod figures;
pub mod history;
pub mod operations;
mod outputs;
mod pynn;
pub mod script;
pub mod scripted;
pub mod speed;
pub mod workloads;

use baselines::{Hopfield, Willshaw};
use circuit::{Cam, CircuitParameters};
use history::History;
use neuropil_core::{Bar, Claim, Error, Figure, Result, Table, files};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use operations::{Answer, Dictionary};
use rayon::prelude::*;
use schemars::JsonSchema;
use scripted::{Script, Scripted};
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::path::Path;
use workloads::{Cell, Condition, Score, Scores};

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
            let r: Scripted = scripted::run(script, &self.circuit)?;
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
                    format!("{name}_spikes"),
                    format!("The {name} test gives the published spikes of every population at every step"),
                    format!("differing rows of {}", r.rows),
                    r.wrong_rows.len() as f64,
                    Bar::Exactly(0.0),
                )
                .paper("spike table published with the model"),
            );
            run.claim(
                Claim::new(
                    format!("{name}_operations"),
                    format!("All operations of the {name} test return the right memories at the right time"),
                    "correct operations",
                    r.correct() as f64,
                    Bar::Exactly(n as f64),
                )
                .paper("all correct"),
            );
            let title = format!("The {name} test, spike by spike");
            let steps = r.cam.table(script.duration());
            run.figure(figures::raster(&format!("raster_{name}"), &title, &steps, &operations, cues, contents));
            if script == Script::Stress {
                // Its 60 operations are what the other wings read as conditions.
                outputs::save(run, &r.cam, &self.circuit, &operations, &r.answers, &r.history)?;
            } else {
                run.save(&format!("spikes_{name}.safetensors"), &r.cam.spike_trains()?)?;
            }
            if script == Script::Functional {
                run.figure(figures::weights(&r, cues, contents, self.circuit.w_max));
            }
        }
        run.table(table);
        Ok(())
    }

    fn workload(&self, run: &mut Run, cell: &Cell) -> Result<Vec<Scores>> {
        let streams = run.streams();
        let one = |k: u32| workloads::measure(cell, self.recalls, &self.circuit, streams.replicate(u64::from(k)));
        let name = format!("workload {}x{} {}", cell.cues, cell.contents, cell.density);
        // Replicates are independent and collected in order, whatever the number of threads.
        run.stage(&name, |_| (0..self.replicates).into_par_iter().map(one).collect())
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

impl HippocampalCam {
    /// Steps of 1 ms per processor second, at the size of the paper's tests and at a large one.
    fn speed_bars(&self, run: &mut Run) -> Result<()> {
        let sizes = [
            (Cell { cues: 5, contents: 10, density: 0.3 }, 2000, 1e6, "steps_small"),
            (Cell { cues: 256, contents: 512, density: 0.1 }, 200, 1e5, "steps_large"),
        ];
        for (cell, recalls, bar, id) in sizes {
            let speed = speed::measure(&cell, recalls, 5, &self.circuit)?;
            let text = format!("One core steps {} cues and {} content bits fast enough", cell.cues, cell.contents);
            let metric = "network steps of 1 ms per processor second, median of 5 rounds";
            run.speed(Claim::new(id, text, metric, speed.median, Bar::AtLeast(bar)).interval(speed.worst, speed.best));
        }
        Ok(())
    }
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
            formats: "operations (CSV, JSON), input spike trains (safetensors, .npz, CSV) or a table of bits (.npy)",
            required: true,
            many: false,
            help: "Operations in order of time: time_ms (whole ms), op (learn, recall_by_cue, recall_by_content), cue \
                   (one neuron, from 0), content (active bits, from 0; space-separated in CSV). At least 7 ms after a \
                   learn and 6 ms after a recall; 14 ms is safer. Or spikes of the input neurons in whole ms, a learn \
                   held for 3 steps; or a matrix, cues x content bits, of zeros and ones.",
        }],
        outputs: &[
            "spikes (safetensors, .npz, CSV)",
            "activity per operation, one file a population too",
            "answers beside the right ones, recalled table (CSV)",
            "plastic weights over time (.npy)",
            "connection list (CSV) and PyNN script",
            "raster, weight maps, recall figures",
        ],
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
        if run.profile() != Some(Profile::Smoke) {
            self.speed_bars(run)?;
        }
        run.note(
            "Limits of the circuit, reported without a bar: recalls are pairings too, so streams of fragments tie their \
             bits to every answering cue; after overwriting, remains below threshold add up over several bits; and at \
             the shortest spacing earlier operations still act.",
        );
        Ok(())
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        let read = script::read(inputs.require("script")?, self.cues)?;
        let operations = read.operations;
        let highest = |of: &mut dyn Iterator<Item = u32>| of.max().map_or(1, |n| n as usize + 1);
        let named = read.size.unwrap_or_else(|| {
            let cues = highest(&mut operations.iter().filter_map(|o| o.cue));
            (cues, highest(&mut operations.iter().flat_map(|o| o.content.iter().copied())))
        });
        let cues = if self.cues > 0 { self.cues } else { named.0 };
        let contents = if self.contents > 0 { self.contents } else { named.1 };
        operations::check(&operations, cues, contents)?;
        let end = operations.last().map_or(0, |o| o.time) + 14;
        let mut cam = Cam::new(cues, contents, &self.circuit)?;
        cam.record();
        let mut history = History::new(operations.len(), cues, contents);
        let got = cam.execute(&operations, |cam, _| {
            history.push(&cam.weights());
            run.stop_if_asked()
        })?;
        cam.run_to(end);
        let mut judge = Dictionary::default();
        let answers: Vec<(Answer, Answer)> = got.into_iter().zip(operations.iter().map(|o| judge.apply(o))).collect();
        let correct = answers.iter().filter(|(got, want)| got == want).count();
        run.metric("operations", operations.len() as f64);
        run.metric("exact", correct as f64);
        run.metric("exact_fraction", correct as f64 / operations.len() as f64);
        outputs::save(run, &cam, &self.circuit, &operations, &answers, &history)?;
        let steps = cam.table((end as usize).min(RASTER_STEPS));
        run.figure(figures::raster("raster", "Your operations, spike by spike", &steps, &operations, cues, contents));
        if cues * contents <= 1 << 18 {
            let weights = cam.weights().cue_to_content;
            let panel = figures::weight_panel("", &weights, cues, contents, self.circuit.w_max);
            let caption = "Weights from cue to content neurons after the last operation.";
            run.figure(Figure::new("weights", "What the memory holds at the end", caption, vec![panel]));
        }
        Ok(())
    }

    fn example(dir: &Path) -> Result<()> {
        let mut text = String::from("time_ms,op,cue,content\n");
        for o in Script::Functional.operations() {
            let cue = o.cue.map(|c| c.to_string()).unwrap_or_default();
            let _ = writeln!(text, "{},{},{cue},{}", o.time, o.kind().name(), outputs::spaced(&o.content));
        }
        files::write_atomic(&dir.join("script.csv"), text.as_bytes())
    }
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
