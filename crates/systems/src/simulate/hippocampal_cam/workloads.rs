//! Random workloads: how often the memory returns exactly what a dictionary would.

use super::baselines::{Hopfield, Willshaw};
use super::circuit::{Cam, CircuitParameters};
use super::operations::{Answer, Dictionary, Kind, Operation};
use neuropil_core::{Result, Stream, Streams};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Size and filling of a memory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// Cues, all of them written.
    pub cues: usize,
    /// Content bits.
    pub contents: usize,
    /// Probability of a bit to be active; at least one bit of every content is.
    pub density: f64,
}

/// A way of using the memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Condition {
    /// Every cue written once, then recalls by cue in one stream mixed with `StreamByBit`.
    StreamByCue,
    /// Recalls by a single content bit, in the same stream.
    StreamByBit,
    /// Fragments of 2 to 4 bits, the state after learning restored before each.
    Fragments,
    /// Every cue overwritten once, then single bits, restored before each.
    Forgetting,
    /// Every cue overwritten once, then fragments of 2 to 4 bits, restored before each.
    FragmentsAfterOverwriting,
    /// Fragments of 2 to 4 bits in one stream, nothing restored.
    FragmentStream,
    /// Single bits in one stream in which every tenth operation overwrites a cue.
    MixedOverwrites,
    /// As `StreamByCue` at the shortest spacing (7 ms after a learn, 6 ms after a recall).
    DenseByCue,
    /// As `StreamByBit` at the shortest spacing.
    DenseByBit,
}

impl Condition {
    /// All conditions.
    pub const ALL: [Self; 9] = [
        Self::StreamByCue,
        Self::StreamByBit,
        Self::Fragments,
        Self::Forgetting,
        Self::FragmentsAfterOverwriting,
        Self::FragmentStream,
        Self::MixedOverwrites,
        Self::DenseByCue,
        Self::DenseByBit,
    ];

    /// What it is, for tables and legends.
    pub fn name(self) -> &'static str {
        match self {
            Self::StreamByCue => "stream, by cue",
            Self::StreamByBit => "stream, by one bit",
            Self::Fragments => "restored, fragments of 2-4 bits",
            Self::Forgetting => "overwritten, restored, one bit",
            Self::FragmentsAfterOverwriting => "overwritten, restored, fragments",
            Self::FragmentStream => "stream of fragments",
            Self::MixedOverwrites => "stream with overwrites, one bit",
            Self::DenseByCue => "shortest spacing, by cue",
            Self::DenseByBit => "shortest spacing, by one bit",
        }
    }

    /// A name for metrics.
    pub fn key(self) -> &'static str {
        match self {
            Self::StreamByCue => "stream_by_cue",
            Self::StreamByBit => "stream_by_bit",
            Self::Fragments => "fragments",
            Self::Forgetting => "forgetting",
            Self::FragmentsAfterOverwriting => "fragments_after_overwriting",
            Self::FragmentStream => "fragment_stream",
            Self::MixedOverwrites => "mixed_overwrites",
            Self::DenseByCue => "dense_by_cue",
            Self::DenseByBit => "dense_by_bit",
        }
    }
}

/// Exact matches out of recalls.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Score {
    /// Recalls equal to the dictionary's answer.
    pub correct: u64,
    /// Recalls.
    pub total: u64,
}

impl Score {
    /// Fraction of exact matches; NaN without recalls.
    pub fn fraction(self) -> f64 {
        self.correct as f64 / self.total as f64
    }

    fn add(&mut self, correct: bool) {
        self.correct += u64::from(correct);
        self.total += 1;
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self { correct: self.correct + other.correct, total: self.total + other.total }
    }
}

/// Scores of one replicate of a cell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scores {
    /// The memory, by condition.
    pub memory: BTreeMap<Condition, Score>,
    /// Willshaw matrix on the stream: by cue, by one bit; and after overwriting by one bit.
    pub willshaw: [Score; 3],
    /// Hopfield network on the same.
    pub hopfield: [Score; 3],
}

/// A random content: each bit active with the cell's density, at least one.
pub fn content(cell: &Cell, stream: &mut Stream) -> Vec<u32> {
    let bits: Vec<u32> = (0..cell.contents as u32).filter(|_| stream.bernoulli(cell.density)).collect();
    if bits.is_empty() { vec![stream.below(cell.contents) as u32] } else { bits }
}

/// Learns of every cue in random order with random content.
pub fn learns(cell: &Cell, stream: &mut Stream) -> Vec<Operation> {
    let order = stream.permutation(cell.cues);
    order.into_iter().map(|cue| Operation::learn(0, cue as u32, &content(cell, stream))).collect()
}

/// A fragment of 2 to 4 bits of a stored content (of all bits, where every content has but one).
fn fragment(cell: &Cell, judge: &Dictionary, stream: &mut Stream) -> Vec<u32> {
    let held: Vec<&Vec<u32>> = judge.memories().values().filter(|c| c.len() > 1).collect();
    let all: Vec<u32> = (0..cell.contents as u32).collect();
    let from: &[u32] = if held.is_empty() { &all } else { held[stream.below(held.len())] };
    let size = (2 + stream.below(3)).min(from.len());
    let mut bits: Vec<u32> = stream.choose(from.len(), size).into_iter().map(|i| from[i]).collect();
    bits.sort_unstable();
    bits
}

/// Gives each operation a time from `start` on, `spacing` ms apart or, with `None`, as close as its kind allows.
pub fn schedule(operations: &mut [Operation], start: u64, spacing: Option<u64>) {
    let mut time = start;
    for o in operations {
        o.time = time;
        time += spacing.unwrap_or(o.kind().spacing());
    }
}

/// Spacing of the stress test.
const SPACING: u64 = 14;

/// Runs one uninterrupted stream and scores its recalls by kind.
fn stream_scores(cell: &Cell, p: &CircuitParameters, mut operations: Vec<Operation>, spacing: Option<u64>) -> Result<[Score; 2]> {
    schedule(&mut operations, 0, spacing);
    let mut cam = Cam::new(cell.cues, cell.contents, p)?;
    let got = cam.execute(&operations, |_, _| Ok(()))?;
    let mut judge = Dictionary::default();
    let mut scores = [Score::default(); 2];
    for (o, got) in operations.iter().zip(&got) {
        let want = judge.apply(o);
        match o.kind() {
            Kind::Learn => {}
            Kind::RecallByCue => scores[0].add(*got == want),
            Kind::RecallByContent => scores[1].add(*got == want),
        }
    }
    Ok(scores)
}

/// Learns, then scores recalls by content with the state after learning restored before each.
fn restored_score(cell: &Cell, p: &CircuitParameters, learns: &[Operation], queries: &[Vec<u32>]) -> Result<Score> {
    let mut learns = learns.to_vec();
    schedule(&mut learns, 0, Some(SPACING));
    let mut cam = Cam::new(cell.cues, cell.contents, p)?;
    cam.execute(&learns, |_, _| Ok(()))?;
    cam.run_to(learns.last().map_or(0, |o| o.time) + SPACING);
    let judge = judge_of(&learns);
    let learned = cam.weights();
    let mut score = Score::default();
    for bits in queries {
        cam.restore(&learned)?;
        let o = Operation::by_content(cam.network().now(), bits);
        let got = cam.execute(std::slice::from_ref(&o), |_, _| Ok(()))?;
        score.add(got.first().is_some_and(|g| g.cues == judge.matching(bits)));
    }
    Ok(score)
}

fn judge_of(learns: &[Operation]) -> Dictionary {
    let mut judge = Dictionary::default();
    for o in learns {
        judge.apply(o);
    }
    judge
}

/// Scores a static memory on recalls by cue and by one bit; equal queries have equal answers.
fn static_scores(queries: &[Operation], judge: &mut Dictionary, mut recall: impl FnMut(&Operation) -> Answer) -> [Score; 2] {
    let mut known: BTreeMap<(Option<u32>, Vec<u32>), bool> = BTreeMap::new();
    let mut scores = [Score::default(); 2];
    for o in queries {
        let correct = *known.entry((o.cue, o.content.clone())).or_insert_with(|| recall(o) == judge.apply(o));
        scores[usize::from(o.cue.is_none())].add(correct);
    }
    scores
}

/// Measures one replicate of a cell with `recalls` recalls for each condition.
pub fn measure(cell: &Cell, recalls: usize, p: &CircuitParameters, streams: Streams) -> Result<Scores> {
    let mut s = streams.stream("workload", 0);
    let first = learns(cell, &mut s);
    let second = learns(cell, &mut s);
    let bit = |s: &mut Stream| vec![s.below(cell.contents) as u32];
    let mut queries: Vec<Operation> = Vec::with_capacity(2 * recalls);
    queries.extend((0..recalls).map(|_| Operation::by_cue(0, s.below(cell.cues) as u32)));
    queries.extend((0..recalls).map(|_| Operation::by_content(0, &bit(&mut s))));
    s.shuffle(&mut queries);
    let stream = [first.clone(), queries.clone()].concat();
    let both = [first.clone(), second.clone()].concat();
    let after = judge_of(&both);
    let mut memory = BTreeMap::new();

    let [by_cue, by_bit] = stream_scores(cell, p, stream.clone(), Some(SPACING))?;
    memory.insert(Condition::StreamByCue, by_cue);
    memory.insert(Condition::StreamByBit, by_bit);
    let [by_cue, by_bit] = stream_scores(cell, p, stream, None)?;
    memory.insert(Condition::DenseByCue, by_cue);
    memory.insert(Condition::DenseByBit, by_bit);

    let mut fragments = |judge: &Dictionary| -> Vec<Vec<u32>> { (0..recalls).map(|_| fragment(cell, judge, &mut s)).collect() };
    let (before, later) = (fragments(&judge_of(&first)), fragments(&after));
    memory.insert(Condition::Fragments, restored_score(cell, p, &first, &before)?);
    memory.insert(Condition::FragmentsAfterOverwriting, restored_score(cell, p, &both, &later)?);
    let bits: Vec<Vec<u32>> = (0..recalls).map(|_| bit(&mut s)).collect();
    memory.insert(Condition::Forgetting, restored_score(cell, p, &both, &bits)?);

    let mut operations = first.clone();
    operations.extend(before.iter().map(|b| Operation::by_content(0, b)));
    memory.insert(Condition::FragmentStream, stream_scores(cell, p, operations, Some(SPACING))?[1]);

    let mut operations = first.clone();
    for (k, b) in bits.iter().enumerate() {
        if k % 9 == 8 {
            operations.push(Operation::learn(0, s.below(cell.cues) as u32, &content(cell, &mut s)));
        }
        operations.push(Operation::by_content(0, b));
    }
    memory.insert(Condition::MixedOverwrites, stream_scores(cell, p, operations, Some(SPACING))?[1]);

    let mut willshaw = Willshaw::new(cell.cues, cell.contents);
    let mut hopfield = Hopfield::new(cell.cues, cell.contents);
    let single: Vec<Operation> = bits.iter().map(|b| Operation::by_content(0, b)).collect();
    let mut judge = judge_of(&first);
    for o in &first {
        willshaw.apply(o);
        hopfield.apply(o);
    }
    let w = static_scores(&queries, &mut judge, |o| willshaw.apply(o));
    let h = static_scores(&queries, &mut judge, |o| hopfield.apply(o));
    let mut judge = after;
    for o in &second {
        willshaw.apply(o);
        hopfield.apply(o);
    }
    // Content is echoed by the memory; for the baselines too only the cues are judged after overwriting.
    let cues_only = |answer: Answer, o: &Operation| Answer { content: o.content.clone(), ..answer };
    let wo = static_scores(&single, &mut judge, |o| cues_only(willshaw.apply(o), o))[1];
    let ho = static_scores(&single, &mut judge, |o| cues_only(hopfield.apply(o), o))[1];
    Ok(Scores { memory, willshaw: [w[0], w[1], wo], hopfield: [h[0], h[1], ho] })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_workload_is_scored_in_every_condition_and_repeats() -> Result<()> {
        let cell = Cell { cues: 4, contents: 8, density: 0.2 };
        let once = || measure(&cell, 20, &CircuitParameters::default(), Streams::new(1));
        let scores = once()?;
        assert_eq!(scores.memory.len(), Condition::ALL.len());
        assert!(scores.memory.values().all(|s| s.total == 20 && s.correct <= 20));
        assert_eq!(scores, once()?);
        // Willshaw's matrix is exact as long as nothing is overwritten, whatever the contents share.
        assert_eq!(scores.willshaw[0].fraction(), 1.0);
        Ok(())
    }
}
