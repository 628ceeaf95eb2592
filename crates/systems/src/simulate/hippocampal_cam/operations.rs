//! Operations on the memory: their checks, and what each must return.

use neuropil_core::{Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is done to the memory at a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// Time of the first input spike in ms.
    pub time: u64,
    /// The cue; `None` to recall by content.
    pub cue: Option<u32>,
    /// Active content bits, ascending; empty to recall by cue.
    pub content: Vec<u32>,
}

/// The kinds of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Store content under a cue, replacing what the cue held.
    Learn,
    /// Return the content of a cue.
    RecallByCue,
    /// Return the cues that share a bit with a fragment of content.
    RecallByContent,
}

impl Kind {
    /// Steps for which the input is held.
    pub fn presentations(self) -> u64 {
        if self == Self::Learn { 3 } else { 1 }
    }

    /// Smallest time to the next operation in ms.
    pub fn spacing(self) -> u64 {
        if self == Self::Learn { 7 } else { 6 }
    }

    /// Delay in ms after which OUT shows the cue part and the content part.
    pub fn due(self) -> (u64, u64) {
        match self {
            Self::Learn => (5, 5),
            Self::RecallByCue => (5, 6),
            Self::RecallByContent => (6, 5),
        }
    }

    /// The words used in scripts and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Learn => "learn",
            Self::RecallByCue => "recall_by_cue",
            Self::RecallByContent => "recall_by_content",
        }
    }
}

impl Operation {
    /// Stores `content` under `cue`.
    pub fn learn(time: u64, cue: u32, content: &[u32]) -> Self {
        Self { time, cue: Some(cue), content: content.to_vec() }
    }

    /// Recalls the content of `cue`.
    pub fn by_cue(time: u64, cue: u32) -> Self {
        Self { time, cue: Some(cue), content: Vec::new() }
    }

    /// Recalls the cues that share a bit with `content`.
    pub fn by_content(time: u64, content: &[u32]) -> Self {
        Self { time, cue: None, content: content.to_vec() }
    }

    /// What kind of operation the input makes.
    pub fn kind(&self) -> Kind {
        match (self.cue, self.content.is_empty()) {
            (Some(_), false) => Kind::Learn,
            (Some(_), true) => Kind::RecallByCue,
            (None, _) => Kind::RecallByContent,
        }
    }
}

/// What the memory returned, or must return.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Cues, ascending.
    pub cues: Vec<u32>,
    /// Content bits, ascending.
    pub content: Vec<u32>,
    /// False if a learned memory showed differently the second time.
    pub consistent: bool,
}

impl Default for Answer {
    fn default() -> Self {
        Self { cues: Vec::new(), content: Vec::new(), consistent: true }
    }
}

/// The exact memory: what a perfect content-addressable memory returns. Upper bound and judge of all others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dictionary {
    memory: BTreeMap<u32, Vec<u32>>,
}

impl Dictionary {
    /// Applies an operation and returns the right answer to it.
    pub fn apply(&mut self, o: &Operation) -> Answer {
        match (o.kind(), o.cue) {
            (Kind::Learn, Some(cue)) => {
                self.memory.insert(cue, o.content.clone());
                Answer { cues: vec![cue], content: o.content.clone(), consistent: true }
            }
            (Kind::RecallByCue, Some(cue)) => Answer {
                cues: vec![cue],
                content: self.memory.get(&cue).cloned().unwrap_or_default(),
                consistent: true,
            },
            _ => Answer { cues: self.matching(&o.content), content: o.content.clone(), consistent: true },
        }
    }

    /// Cues that share at least one active bit with `content`.
    pub fn matching(&self, content: &[u32]) -> Vec<u32> {
        self.memory.iter().filter(|(_, held)| content.iter().any(|b| held.contains(b))).map(|(cue, _)| *cue).collect()
    }

    /// The stored memories by cue.
    pub fn memories(&self) -> &BTreeMap<u32, Vec<u32>> {
        &self.memory
    }
}

/// Fails on the first operation that the circuit cannot carry out: indices out of range, no input, times that are not
/// sorted, or too little time before the next one.
pub fn check(operations: &[Operation], cues: usize, contents: usize) -> Result<()> {
    if operations.is_empty() {
        return Err(Error::input("at least 1 operation", "none"));
    }
    for (i, o) in operations.iter().enumerate() {
        let at = |e: Error| e.at(format!("operation {} at {} ms", i + 1, o.time));
        if let Some(c) = o.cue.filter(|&c| c as usize >= cues) {
            return Err(at(Error::input(format!("a cue below {cues}"), c.to_string())));
        }
        if let Some(b) = o.content.iter().find(|&&b| b as usize >= contents) {
            return Err(at(Error::input(format!("content bits below {contents}"), b.to_string())));
        }
        if o.content.windows(2).any(|w| w[0] >= w[1]) {
            return Err(at(Error::input("content bits in ascending order, each once", format!("{:?}", o.content))));
        }
        if o.cue.is_none() && o.content.is_empty() {
            return Err(at(Error::input("a cue or content", "neither")));
        }
        if let Some(next) = operations.get(i + 1) {
            let need = o.kind().spacing();
            if next.time < o.time {
                let got = format!("{} ms after {} ms", next.time, o.time);
                return Err(Error::input("times in ascending order", got).at(format!("operation {}", i + 2)));
            }
            if next.time < o.time + need {
                return Err(Error::input(
                    format!("at least {need} ms after `{}`", o.kind().name()),
                    format!("{} ms", next.time - o.time),
                )
                .at(format!("operation {} at {} ms", i + 2, next.time))
                .hint("14 ms between all operations is what the stress test uses"));
            }
        }
    }
    Ok(())
}

/// Operations from input spikes (time in ms, cue bits, content bits), one entry per step with input. A learn is three
/// equal steps in a row with a cue and content.
pub fn from_steps(steps: &BTreeMap<u64, (Vec<u32>, Vec<u32>)>) -> Result<Vec<Operation>> {
    let mut operations: Vec<Operation> = Vec::new();
    let mut skip_until = 0;
    for (&t, (cue, content)) in steps {
        if t < skip_until {
            continue;
        }
        let at = |e: Error| e.at(format!("input at {t} ms"));
        if cue.len() > 1 {
            return Err(at(Error::input("one cue at a time (one-hot)", format!("cues {cue:?}"))));
        }
        let o = Operation { time: t, cue: cue.first().copied(), content: content.clone() };
        if o.kind() == Kind::Learn {
            for k in 1..3 {
                let held = steps.get(&(t + k));
                if held != Some(&(cue.clone(), content.clone())) {
                    return Err(at(Error::input(
                        "a cue with content held for three steps (learn)",
                        format!("other input at {} ms", t + k),
                    )));
                }
            }
            skip_until = t + 3;
        }
        operations.push(o);
    }
    Ok(operations)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_scripts_are_refused_with_the_place() {
        let learn = |t| Operation::learn(t, 0, &[1]);
        let message = |ops: &[Operation]| check(ops, 2, 3).expect_err("bad").to_string();
        assert!(message(&[learn(0), Operation::by_cue(6, 0)]).contains("at least 7 ms after `learn`, got 6 ms"));
        assert!(message(&[Operation::by_cue(0, 0), learn(5)]).contains("at least 6 ms"));
        assert!(message(&[learn(9), learn(2)]).contains("ascending order"));
        assert!(message(&[Operation::by_cue(0, 2)]).contains("a cue below 2, got 2"));
        assert!(message(&[Operation::by_content(0, &[3])]).contains("content bits below 3, got 3"));
        assert!(message(&[Operation::by_content(0, &[])]).contains("neither"));
        assert!(message(&[]).contains("at least 1 operation"));
        assert!(check(&[learn(0), Operation::by_cue(7, 0), Operation::by_cue(13, 1)], 2, 3).is_ok());
    }

    #[test]
    fn spikes_become_operations() -> Result<()> {
        let step = |c: &[u32], b: &[u32]| (c.to_vec(), b.to_vec());
        let mut s: BTreeMap<u64, _> = (4..7).map(|t| (t, step(&[1], &[0, 2]))).collect();
        s.insert(20, step(&[1], &[]));
        s.insert(30, step(&[], &[2]));
        let ops = from_steps(&s)?;
        assert_eq!(ops, [Operation::learn(4, 1, &[0, 2]), Operation::by_cue(20, 1), Operation::by_content(30, &[2])]);
        s.insert(40, step(&[0, 1], &[]));
        assert!(from_steps(&s).expect_err("two cues").to_string().contains("one-hot"));
        s.remove(&40);
        s.remove(&6);
        assert!(from_steps(&s).expect_err("short").to_string().contains("three steps"));
        Ok(())
    }
}
