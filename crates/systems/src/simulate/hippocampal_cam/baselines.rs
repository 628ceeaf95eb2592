//! Classical memories measured on the same operations.

use super::operations::{Answer, Kind, Operation};

/// Willshaw's binary associative matrix: clipped Hebbian storage, recall where the sum reaches the number of active
/// cue bits (Willshaw, Buneman & Longuet-Higgins 1969). It cannot forget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Willshaw {
    contents: usize,
    matrix: Vec<bool>,
}

impl Willshaw {
    /// An empty matrix.
    pub fn new(cues: usize, contents: usize) -> Self {
        Self { contents, matrix: vec![false; cues * contents] }
    }

    /// Applies an operation and returns the matrix's answer. A cue answers a fragment if it shares a bit with it, the
    /// rule by which all memories here are judged (threshold 1, the kinder choice for fragments of several bits).
    pub fn apply(&mut self, o: &Operation) -> Answer {
        let row = |cue: u32| cue as usize * self.contents;
        match (o.kind(), o.cue) {
            (Kind::Learn, Some(cue)) => {
                let start = row(cue);
                for &b in &o.content {
                    self.matrix[start + b as usize] = true;
                }
                Answer { cues: vec![cue], content: o.content.clone(), consistent: true }
            }
            (Kind::RecallByCue, Some(cue)) => {
                let held = &self.matrix[row(cue)..row(cue) + self.contents];
                let content = (0..self.contents as u32).filter(|&b| held[b as usize]).collect();
                Answer { cues: vec![cue], content, consistent: true }
            }
            _ => {
                let cues = self
                    .matrix
                    .chunks_exact(self.contents)
                    .enumerate()
                    .filter(|(_, held)| o.content.iter().any(|&b| held[b as usize]))
                    .map(|(cue, _)| cue as u32)
                    .collect();
                Answer { cues, content: o.content.clone(), consistent: true }
            }
        }
    }
}

/// Hopfield's autoassociator on vectors `[cue | content]` of +1 and -1 with the outer-product rule (Hopfield 1982).
///
/// Recall starts from the known bits, which stay clamped, with the unknown part at -1 (the likeliest value of a sparse
/// bit; from 0 a single clamped bit leads to the complement of the memories, which made a weaker opponent). The unknown
/// units are updated in order until nothing changes, at most 50 sweeps. An overwritten memory is learned on top of the
/// old one.
#[derive(Debug, Clone, PartialEq)]
pub struct Hopfield {
    cues: usize,
    units: usize,
    /// Sum of outer products, zero diagonal; integers, so exact.
    weights: Vec<i32>,
}

impl Hopfield {
    /// An empty network.
    pub fn new(cues: usize, contents: usize) -> Self {
        let units = cues + contents;
        Self { cues, units, weights: vec![0; units * units] }
    }

    fn pattern(&self, cue: Option<u32>, content: &[u32]) -> Vec<i32> {
        let mut x = vec![-1; self.units];
        for i in cue.iter().map(|&c| c as usize).chain(content.iter().map(|&b| self.cues + b as usize)) {
            x[i] = 1;
        }
        x
    }

    /// Applies an operation and returns the network's answer.
    pub fn apply(&mut self, o: &Operation) -> Answer {
        let mut x = self.pattern(o.cue, &o.content);
        if o.kind() == Kind::Learn {
            for i in 0..self.units {
                for j in (0..self.units).filter(|&j| j != i) {
                    self.weights[i * self.units + j] += x[i] * x[j];
                }
            }
            return Answer { cues: o.cue.into_iter().collect(), content: o.content.clone(), consistent: true };
        }
        // Known: the whole one-hot cue, or the active bits of a fragment.
        let known = |i: usize| {
            if o.cue.is_some() { i < self.cues } else { i >= self.cues && o.content.contains(&((i - self.cues) as u32)) }
        };
        for _ in 0..50 {
            let mut changed = false;
            for i in (0..self.units).filter(|&i| !known(i)) {
                let row = &self.weights[i * self.units..(i + 1) * self.units];
                let h: i32 = row.iter().zip(&x).map(|(w, x)| w * x).sum();
                let next = if h == 0 { x[i] } else { h.signum() };
                changed |= next != x[i];
                x[i] = next;
            }
            if !changed {
                break;
            }
        }
        let active = |range: std::ops::Range<usize>| {
            let start = range.start;
            range.filter(|&i| x[i] > 0).map(|i| (i - start) as u32).collect()
        };
        Answer { cues: active(0..self.cues), content: active(self.cues..self.units), consistent: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_recall_what_they_should_be_able_to() {
        let mut w = Willshaw::new(2, 4);
        w.apply(&Operation::learn(0, 0, &[0, 1]));
        w.apply(&Operation::learn(0, 1, &[1, 2]));
        assert_eq!(w.apply(&Operation::by_cue(0, 1)).content, [1, 2]);
        assert_eq!(w.apply(&Operation::by_content(0, &[1])).cues, [0, 1]);
        w.apply(&Operation::learn(0, 1, &[3]));
        assert_eq!(w.apply(&Operation::by_cue(0, 1)).content, [1, 2, 3]);
        // One pattern is a fixed point that any of its halves recovers.
        let mut h = Hopfield::new(2, 6);
        h.apply(&Operation::learn(0, 1, &[0, 2, 4]));
        assert_eq!(h.apply(&Operation::by_cue(0, 1)).content, [0, 2, 4]);
    }
}
