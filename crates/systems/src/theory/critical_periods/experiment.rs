//! The paper's claims, re-measured.

use super::completion::{
    Course, DeepMatrix, Judge, Observed, Outcome, Tasks, random_low_rank, run_switches,
};
use super::config::{CompletionConfig, CriticalPeriods, PathsConfig, Task};
use super::figures;
use super::flow::{Competition, Open, Start};
use super::paths::{Activation, Architecture, Deficit, Strengths, TwoPaths, gates, hierarchy};
use neuropil_core::{Bar, Claim, Error, Result, Streams, Table};
use neuropil_experiment::{Profile, Progress, Run, interrupt};
use neuropil_math::Matrix;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

pub(super) fn reproduce(config: &CriticalPeriods, run: &mut Run) -> Result<()> {
    if config.task != Task::Completion {
        two_paths(config, run)?;
        portraits(&config.paths, run);
    }
    if config.task != Task::Paths {
        completion(config, run)?;
    }
    Ok(())
}

/// One trained two-path network beside its equations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PathRun {
    /// Feature strengths in the data.
    pub s: Vec<f64>,
    /// Strengths of the network over training.
    pub trained: Strengths,
    /// Strengths of the equations; absent for a nonlinear network.
    pub predicted: Option<Strengths>,
}

impl PathRun {
    /// The same in other units of the table.
    pub(super) fn scaled(&self, factor: f64) -> Self {
        let matrix = |m: &Matrix| m.map(|v| v * factor);
        let strengths = |k: &Strengths| Strengths { a: matrix(&k.a), b: matrix(&k.b) };
        Self {
            s: self.s.iter().map(|s| s * factor).collect(),
            trained: strengths(&self.trained),
            predicted: self.predicted.as_ref().map(strengths),
        }
    }

    /// Mean of K_a / (K_a + K_b) over the strongest features at the end.
    pub(super) fn share(&self, features: usize) -> f64 {
        let n = features.min(self.s.len());
        (0..n).map(|m| self.trained.final_share(m)).sum::<f64>() / n as f64
    }

    /// max_t |K of the network - K of the equations| / s over both paths and the strongest features.
    pub(super) fn gap(&self, features: usize) -> f64 {
        let Some(p) = &self.predicted else { return f64::NAN };
        let mut worst: f64 = 0.0;
        for (x, y) in [(&self.trained.a, &p.a), (&self.trained.b, &p.b)] {
            for t in 0..x.rows() {
                for m in 0..features.min(self.s.len()) {
                    worst = worst.max((x[(t, m)] - y[(t, m)]).abs() / self.s[m]);
                }
            }
        }
        worst
    }
}

/// A deficit of a two-path experiment.
pub(super) struct Episode {
    pub arch: Architecture,
    pub deficit: Deficit,
    pub mode: usize,
    pub start: usize,
    pub length: usize,
    pub epochs: usize,
}

impl Episode {
    pub(super) fn of(p: &PathsConfig, start: usize) -> Self {
        let arch = p.architecture();
        Self { arch, deficit: p.deficit, mode: p.mode, start, length: p.length, epochs: p.epochs }
    }

    /// Trains the network and integrates the equations; the same draw for every start of one replicate.
    pub(super) fn run(&self, table: &Matrix, streams: Streams) -> Result<PathRun> {
        let mut net = TwoPaths::new(table, &self.arch, &mut streams.stream("paths/init", 0))?;
        if self.deficit == Deficit::GateMode && self.mode >= net.features.s.len() {
            let want = format!("a feature below {}", net.features.s.len());
            return Err(Error::config(want, self.mode.to_string()).at("paths.mode"));
        }
        let window = self.start..self.start.saturating_add(self.length);
        let plan = gates(self.deficit, self.mode, &window, self.epochs, &mut streams.stream("paths/gates", 0));
        let linear = self.arch.activation == Activation::Linear;
        let predicted = if linear { Some(net.predict(&plan)?) } else { None };
        Ok(PathRun { s: net.features.s.clone(), trained: net.train(&plan)?, predicted })
    }
}

fn replicated(run: &mut Run, name: &str, replicates: u32, episode: &Episode) -> Result<Vec<PathRun>> {
    let streams = run.streams();
    run.stage(name, |_| {
        let table = hierarchy();
        (0..u64::from(replicates)).into_par_iter().map(|k| episode.run(&table, streams.replicate(k))).collect()
    })
}

fn two_paths(config: &CriticalPeriods, run: &mut Run) -> Result<()> {
    let p = &config.paths;
    let bar = run.progress("two paths", p.starts.len() as u64);
    let mut all = Vec::new();
    let mut table = Table::new(
        "path_shares",
        "Who keeps the features",
        &["experiment", "deficit from", "deficit steps", "K_a / (K_a + K_b)", "max |network - equations| / s"],
    );
    for &start in &p.starts {
        let runs = replicated(run, &format!("paths {start}"), config.replicates, &Episode::of(p, start))?;
        let shares: Vec<f64> = runs.iter().map(|r| r.share(p.features)).collect();
        let gap = runs.iter().map(|r| r.gap(p.features)).fold(0.0, f64::max);
        table.row([
            format!("depth {}", p.depth),
            start.to_string(),
            p.length.to_string(),
            format!("{:.4}", mean(&shares)),
            format!("{gap:.1e}"),
        ]);
        run.metric(&format!("share_start_{start}"), mean(&shares));
        all.push((start, shares, gap, runs));
        bar.inc(1);
    }
    let published = (p.depth, p.length, p.deficit, p.activation)
        == (4, 150, Deficit::GatePath, Activation::Linear)
        || run.profile() == Some(Profile::Smoke);
    if published {
        let (low, high) = range(&all[0].1);
        if p.starts[0] == 0 {
            run.claim(
                Claim::new(
                    "early_gate",
                    "An early gate on path b hands the strongest features to path a for good",
                    format!("mean share K_a/(K_a+K_b) of the top {} features", p.features),
                    mean(&all[0].1),
                    Bar::AtLeast(0.9),
                )
                .paper("K_a close to s, K_b close to 0 after an early deficit")
                .interval(low, high),
            );
        }
        if let Some((start, shares, ..)) = all.last().filter(|(start, ..)| *start > 0) {
            let (low, high) = range(shares);
            run.claim(
                Claim::new(
                    "late_gate",
                    format!("The same gate from step {start} on changes nothing"),
                    format!("mean share K_a/(K_a+K_b) of the top {} features", p.features),
                    mean(shares),
                    Bar::Within(0.45, 0.55),
                )
                .paper("K_a = K_b = s/2 after a late deficit")
                .interval(low, high),
            );
        }
    }
    if p.activation == Activation::Linear {
        run.claim(
            Claim::new(
                "equations",
                "Two scalar equations per feature predict gradient descent on the network",
                "largest |K_network - K_equations| / s over time, paths, features, starts and replicates",
                all.iter().map(|(_, _, gap, _)| *gap).fold(0.0, f64::max),
                Bar::AtMost(0.02),
            )
            .paper("the curves coincide"),
        );
    }
    if p.controls {
        controls(config, run, &mut table)?;
    }
    run.table(table);
    let first: Vec<(usize, &PathRun)> = all.iter().map(|(start, .., runs)| (*start, &runs[0])).collect();
    run.figure(figures::path_strengths(&first, p.length, p.features, p.depth));
    let csv = figures::strengths_csv(&first);
    run.artifact("path_strengths.csv", csv.as_bytes())
}

/// The reference code's other configurations, reported without a bar.
fn controls(config: &CriticalPeriods, run: &mut Run, table: &mut Table) -> Result<()> {
    let p = &config.paths;
    let arch = Architecture { depth: 3, ..p.architecture() };
    let mut line = |run: &mut Run, id: &str, label: &str, episode: &Episode, feature: Option<usize>| -> Result<()> {
        let runs = replicated(run, &format!("{id} {}", episode.start), config.replicates, episode)?;
        let share = |r: &PathRun| feature.map_or_else(|| r.share(p.features), |m| r.trained.final_share(m));
        let shares: Vec<f64> = runs.iter().map(share).collect();
        let gap = runs.iter().map(|r| r.gap(p.features)).fold(f64::NAN, f64::max);
        run.metric(&format!("share_{id}_start_{}", episode.start), mean(&shares));
        table.row([
            label.to_string(),
            episode.start.to_string(),
            episode.length.to_string(),
            format!("{:.4}", mean(&shares)),
            if gap.is_nan() { String::from("no equations") } else { format!("{gap:.1e}") },
        ]);
        Ok(())
    };
    let lesion =
        Episode { arch, deficit: Deficit::GateMode, mode: 1, start: 0, length: 200, epochs: p.epochs };
    line(run, "lesion", "depth 3, feature 1 hidden from path a: share of that feature", &lesion, Some(1))?;
    let random = Episode { deficit: Deficit::ProbGatePath, ..Episode::of(p, 0) };
    line(run, "random_gate", "gate with probability 0.9", &random, None)?;
    for (activation, name) in [(Activation::Tanh, "tanh"), (Activation::Relu, "relu")] {
        for &start in &p.starts {
            let arch = Architecture { activation, ..arch };
            let episode =
                Episode { arch, deficit: Deficit::GatePath, mode: 0, start, length: 150, epochs: p.epochs };
            line(run, name, &format!("depth 3, {name}"), &episode, None)?;
        }
    }
    // The large start: K = p (p^2 + 1)^((D-1)/2), the same early and late deficits, equations alone.
    for &start in &p.starts {
        let mut c = Competition::new(p.depth, 10.0, p.init_scale, Start::Large);
        for t in 0..p.epochs {
            let held = (start..start + p.length).contains(&t);
            c.step(0.1 * p.lr, if held { Open::B_HELD } else { Open::BOTH });
        }
        run.metric(&format!("share_large_start_{start}"), c.share());
    }
    Ok(())
}

/// Phase portraits of one feature, s = 10, for every depth, with a deficit of 5 steps at once and of 10,000 late.
fn portraits(p: &PathsConfig, run: &mut Run) {
    let portraits: Vec<figures::Portrait> = p.portrait_depths.iter().map(|&d| figures::Portrait::new(d)).collect();
    for portrait in &portraits {
        run.metric(&format!("portrait_share_early_depth_{}", portrait.depth), portrait.early_share());
        run.metric(&format!("portrait_share_late_depth_{}", portrait.depth), portrait.late_share());
    }
    if !portraits.is_empty() {
        run.figure(figures::phase_portraits(&portraits));
    }
}

/// What is varied in matrix completion.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    depth: usize,
    pretrain_rank: usize,
    observed: usize,
    init_scale: f64,
    switches: Vec<usize>,
    /// The first task is the second matrix with only this many of its entries.
    visible: Option<usize>,
}

impl Condition {
    fn base(c: &CompletionConfig, depth: usize) -> Self {
        Self {
            depth,
            pretrain_rank: c.pretrain_rank,
            observed: c.observed,
            init_scale: c.init_scale,
            switches: c.switches.clone(),
            visible: None,
        }
    }

    fn sweep(c: &CompletionConfig) -> Self {
        Self { switches: vec![0, c.sweep_switch], ..Self::base(c, c.sweep_depth) }
    }

    /// Whether the runs of this condition include those of another.
    fn covers(&self, other: &Self) -> bool {
        let same = Self { switches: other.switches.clone(), ..self.clone() } == *other;
        same && other.switches.iter().all(|t| self.switches.contains(t))
    }

    /// Unique among conditions; also the name of the stage.
    fn name(&self) -> String {
        let visible = self.visible.map_or(String::new(), |v| format!(", {v} visible first"));
        format!(
            "depth {}, r1 {}, m {}, scale {}{visible}, {:?}",
            self.depth, self.pretrain_rank, self.observed, self.init_scale, self.switches
        )
    }

    /// One replicate. Matrices, entries and initial weights come from their own streams, so that conditions differ in
    /// nothing but what they vary: fewer entries are a subset of more.
    fn replicate(
        &self,
        c: &CompletionConfig,
        streams: Streams,
        pulse: super::completion::Pulse<'_>,
    ) -> Result<Vec<Outcome>> {
        let n = c.size;
        let second = random_low_rank(n, n, c.rank, &mut streams.stream("completion/second", 0))?;
        let order = streams.stream("completion/entries", 0).choose(n * n, self.observed);
        let order: Vec<u32> = order.into_iter().map(|p| p as u32).collect();
        let first = if let Some(v) = self.visible {
            Observed::new(&second, order[..v.min(order.len())].to_vec())?
        } else {
            let mut stream = streams.stream("completion/first", 0);
            Observed::new(&random_low_rank(n, n, self.pretrain_rank, &mut stream)?, order.clone())?
        };
        let start = DeepMatrix::new(
            n,
            n,
            self.depth,
            c.init,
            self.init_scale,
            &mut streams.stream("completion/init", self.depth as u64),
        )?;
        let tasks = Tasks { first, second: Observed::new(&second, order)?, judge: Judge::Truth(second) };
        let course = Course {
            switches: self.switches.clone(),
            after: c.after,
            lr: c.lr,
            track_every: c.track_every,
            tracked: (self.pretrain_rank + c.rank).min(n),
        };
        run_switches(start, &tasks, &course, pulse)
    }

    /// All replicates, kept in the checkpoint.
    fn run(&self, config: &CriticalPeriods, run: &mut Run) -> Result<Measured> {
        let last = self.switches.last().copied().unwrap_or(0);
        let steps = last + self.switches.len() * config.completion.after;
        let bar = run.progress(&self.name(), u64::from(config.replicates) * steps as u64);
        let pulse = pulse_of(&bar);
        let streams = run.streams();
        let outcomes = run.stage(&self.name(), |_| {
            (0..u64::from(config.replicates))
                .into_par_iter()
                .map(|k| self.replicate(&config.completion, streams.replicate(k), &pulse))
                .collect::<Result<Vec<_>>>()
        })?;
        Ok(Measured { condition: self.clone(), outcomes })
    }
}

/// Moves the progress and stops on request.
pub(super) fn pulse_of(bar: &Progress) -> impl Fn(u64) -> Result<()> + Sync + '_ {
    |n| {
        bar.inc(n);
        if interrupt::requested() { Err(Error::Interrupted) } else { Ok(()) }
    }
}

/// The outcomes of a condition: replicates x switches.
struct Measured {
    condition: Condition,
    outcomes: Vec<Vec<Outcome>>,
}

impl Measured {
    /// Final errors of all replicates for a switch time.
    fn errors(&self, switch: usize) -> Option<Vec<f64>> {
        let i = self.condition.switches.iter().position(|&t| t == switch)?;
        Some(self.outcomes.iter().map(|o| o[i].error).collect())
    }

    /// err(T_c) - err(0) per replicate.
    fn damages(&self, switch: usize) -> Option<Vec<f64>> {
        let (late, none) = (self.errors(switch)?, self.errors(0)?);
        Some(late.iter().zip(&none).map(|(l, n)| l - n).collect())
    }
}

fn completion(config: &CriticalPeriods, run: &mut Run) -> Result<()> {
    let c = &config.completion;
    let base: Vec<Measured> = c
        .depths
        .iter()
        .map(|&d| Condition::base(c, d).run(config, run))
        .collect::<Result<_>>()?;
    let last = c.switches.last().copied().unwrap_or(0);
    match run.profile() {
        Some(Profile::Full | Profile::Paper) => difference_claims(&base, run),
        _ => ratio_claims(&base, last, run),
    }

    let mut table = Table::new(
        "final_errors",
        "Reconstruction error over all entries of the second matrix",
        &["condition", "T_c", "error", "low", "high", "error / error at T_c = 0", "train error"],
    );
    for m in &base {
        table_rows(m, &mut table);
    }
    let sweeps = sweeps(config, &base, run, &mut table)?;
    run.table(table);

    let curves: Vec<figures::Curve> = base
        .iter()
        .map(|m| {
            let points = m.condition.switches.iter().filter_map(|&t| point(m, t)).collect();
            figures::depth_curve(m.condition.depth, points)
        })
        .collect();
    let n = c.size;
    let truth = format!("all entries of the second {n} x {n} matrix from {} observed ones", c.observed);
    run.figure(figures::damage_curve(&curves, &sweeps, &truth));
    let traces: Vec<(usize, &Outcome)> =
        base.iter().filter_map(|m| m.outcomes[0].last().map(|o| (m.condition.depth, o))).collect();
    run.figure(figures::singular_values(&traces));
    run.artifact("singular_values.csv", figures::singular_csv(&traces).as_bytes())
}

fn point(m: &Measured, switch: usize) -> Option<figures::Point> {
    Some(summary(switch as f64, &m.errors(switch)?))
}

/// Mean and range of the replicates.
pub(super) fn summary(at: f64, x: &[f64]) -> figures::Point {
    let (low, high) = range(x);
    figures::Point { at, mean: mean(x), low, high }
}

fn table_rows(m: &Measured, table: &mut Table) {
    let zero = m.errors(0).map(|e| mean(&e));
    for (i, &t) in m.condition.switches.iter().enumerate() {
        let Some(p) = point(m, t) else { continue };
        let train: Vec<f64> = m.outcomes.iter().map(|o| o[i].train).collect();
        table.row([
            m.condition.name(),
            t.to_string(),
            format!("{:.4}", p.mean),
            format!("{:.4}", p.low),
            format!("{:.4}", p.high),
            zero.map_or(String::new(), |z| format!("{:.3}", p.mean / z)),
            format!("{:.2e}", mean(&train)),
        ]);
    }
}

/// Bars of the small experiment.
fn ratio_claims(base: &[Measured], switch: usize, run: &mut Run) {
    for (depth, bar, id, text) in [
        (2, Bar::AtLeast(3.0), "damage_depth_2", "A late task switch ruins completion by a chain of two layers"),
        (1, Bar::Within(0.95, 1.05), "damage_depth_1", "and not by a single layer"),
    ] {
        let found = base.iter().find(|m| m.condition.depth == depth);
        let Some((late, none)) = found.and_then(|m| Some((m.errors(switch)?, m.errors(0)?))) else { continue };
        let ratios: Vec<f64> = late.iter().zip(&none).map(|(l, n)| l / n).collect();
        let (low, high) = range(&ratios);
        run.metric(&format!("error_depth_{depth}_switch_0"), mean(&none));
        run.metric(&format!("error_depth_{depth}_switch_{switch}"), mean(&late));
        run.claim(
            Claim::new(
                id,
                text,
                format!("error at T_c = {switch} over error at T_c = 0, depth {depth}, means of replicates"),
                mean(&late) / mean(&none),
                bar,
            )
            .paper("the error rises with the switch time for deep chains and is flat for one layer")
            .interval(low, high),
        );
    }
}

/// Bars of the paper's own configuration.
fn difference_claims(base: &[Measured], run: &mut Run) {
    const SWITCH: usize = 20_000;
    for (depth, bar) in [(2, Bar::AtLeast(0.20)), (3, Bar::AtLeast(0.15)), (1, Bar::Within(-0.05, 0.05))] {
        let found = base.iter().find(|m| m.condition.depth == depth);
        let Some(damage) = found.and_then(|m| m.damages(SWITCH)) else { continue };
        let (low, high) = range(&damage);
        let text = if depth == 1 {
            "A single layer is not harmed by a late switch: the convex control"
        } else {
            "A late task switch leaves lasting damage in a deep chain"
        };
        run.claim(
            Claim::new(
                format!("damage_depth_{depth}"),
                text,
                format!("error at T_c = {SWITCH} minus error at T_c = 0, depth {depth}"),
                mean(&damage),
                bar,
            )
            .paper("the error rises with the switch time for deep chains and is flat for one layer")
            .interval(low, high),
        );
    }
}

/// A varied quantity and the damage of every replicate.
type Damages = Vec<(f64, Vec<f64>)>;

fn curve(label: String, damages: &Damages) -> figures::Curve {
    figures::Curve { label, points: damages.iter().map(|(x, d)| summary(*x, d)).collect() }
}

/// Rank, observations, initial size and number of examples; claims where the bars name them.
fn sweeps(
    config: &CriticalPeriods,
    base: &[Measured],
    run: &mut Run,
    table: &mut Table,
) -> Result<Vec<figures::Sweep>> {
    let c = &config.completion;
    let switch = c.sweep_switch;
    let (mut out, mut listed) = (Vec::new(), BTreeSet::new());
    let mut measure = |run: &mut Run, condition: &Condition| -> Result<Vec<f64>> {
        // The first experiment holds some of the conditions already.
        let known = base.iter().find(|m| m.condition.covers(condition));
        if let Some(damages) = known.and_then(|m| m.damages(switch)) {
            return Ok(damages);
        }
        let m = condition.run(config, run)?;
        if listed.insert(condition.name()) {
            table_rows(&m, table);
        }
        Ok(m.damages(switch).unwrap_or_default())
    };
    let mut sweep = |run: &mut Run, label: &str, axis: &str, conditions: Vec<(f64, Condition)>| -> Result<Damages> {
        let mut damages = Vec::new();
        for (x, condition) in conditions {
            damages.push((x, measure(run, &condition)?));
        }
        if !damages.is_empty() {
            let curves = vec![curve(String::new(), &damages)];
            out.push(figures::Sweep { label: label.into(), axis: axis.into(), curves });
        }
        Ok(damages)
    };
    let start = Condition::sweep(c);
    let ranks = c.rank_sweep.iter().map(|&r| (r as f64, Condition { pretrain_rank: r, ..start.clone() }));
    let ranks = sweep(run, "rank of the first matrix", "rank r1", ranks.collect())?;
    let seen = c.observed_sweep.iter().map(|&m| (m as f64, Condition { observed: m, ..start.clone() }));
    let seen = sweep(run, "number of observed entries", "entries m", seen.collect())?;
    let inits = c.init_sweep.iter().map(|&s| (s, Condition { init_scale: s, ..start.clone() }));
    sweep(run, "initial size", "scale", inits.collect())?;
    let mut by_entries: Vec<(usize, Damages)> = Vec::new();
    for &m in &c.examples_sweep {
        let mut by_depth = Vec::new();
        for &depth in &c.examples_depths {
            let condition = Condition { depth, observed: m, visible: Some(c.examples_visible), ..start.clone() };
            let damages = measure(run, &condition)?;
            run.metric(&format!("examples_damage_depth_{depth}_m_{m}"), mean(&damages));
            by_depth.push((depth as f64, damages));
        }
        by_entries.push((m, by_depth));
    }
    if !by_entries.is_empty() {
        let curves = by_entries.iter().map(|(m, d)| curve(format!("then {m}"), d)).collect();
        let label = format!("{} entries visible first", c.examples_visible);
        out.push(figures::Sweep { label, axis: "layers".into(), curves });
    }
    let at = |list: &[(f64, Vec<f64>)], x: f64| list.iter().find(|(v, _)| *v == x).map(|(_, d)| d.clone());
    if let (Some(high), Some(low)) = (at(&ranks, 10.0), at(&ranks, 2.0)) {
        let gap: Vec<f64> = high.iter().zip(&low).map(|(h, l)| h - l).collect();
        let (from, to) = range(&gap);
        run.claim(
            Claim::new(
                "rank",
                "A first matrix of higher rank does more damage",
                format!("damage at r1 = 10 minus damage at r1 = 2, depth {}, T_c = {switch}", c.sweep_depth),
                mean(&gap),
                Bar::AtLeast(0.10),
            )
            .paper("higher rank, larger damage")
            .interval(from, to),
        );
    }
    if let (Some(few), Some(many)) = (at(&seen, 2000.0), at(&seen, 4000.0)) {
        run.metric("damage_m_2000", mean(&few));
        run.metric("damage_m_4000", mean(&many));
        // A quotient would turn over where more entries leave no damage at all; the difference says the same.
        run.claim(
            Claim::new(
                "examples",
                "Fewer observations, more damage: at least twice as much with half as many",
                format!("damage at m = 2000 minus twice that at m = 4000, depth {}, T_c = {switch}", c.sweep_depth),
                mean(&few) - 2.0 * mean(&many),
                Bar::AtLeast(0.0),
            )
            .paper("damage vanishes as the observations grow"),
        );
    }
    Ok(out)
}

/// Mean of the replicates.
pub(super) fn mean(x: &[f64]) -> f64 {
    x.iter().sum::<f64>() / x.len() as f64
}

/// Smallest and largest of the replicates.
pub(super) fn range(x: &[f64]) -> (f64, f64) {
    (x.iter().copied().fold(f64::INFINITY, f64::min), x.iter().copied().fold(f64::NEG_INFINITY, f64::max))
}
