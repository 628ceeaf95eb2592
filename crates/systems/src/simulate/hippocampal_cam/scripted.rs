//! The three scripted tests of the paper and the published spike tables that they must reproduce.

use super::circuit::{Cam, CircuitParameters, POPULATIONS};
use super::history::History;
use super::operations::{Answer, Dictionary, Operation};
use neuropil_core::{Error, Result};

/// A scripted test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Script {
    /// Functional test: learn, recall by cue and by content, overwrite.
    Functional,
    /// Stress test: 60 operations, contents complemented and restored.
    Stress,
    /// Application: a map of 16 cells with six states.
    Map,
}

/// Spiking neurons of each population, one entry per step.
pub type Table = Vec<[Vec<u32>; 12]>;

impl Script {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Functional, Self::Stress, Self::Map];

    /// Short name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Functional => "functional",
            Self::Stress => "stress",
            Self::Map => "map",
        }
    }

    /// Cues and content bits.
    pub fn size(self) -> (usize, usize) {
        if self == Self::Map { (16, 6) } else { (5, 10) }
    }

    /// Duration in ms.
    pub fn duration(self) -> usize {
        match self {
            Self::Functional => 90,
            Self::Stress => 851,
            Self::Map => 140,
        }
    }

    /// The operations.
    pub fn operations(self) -> Vec<Operation> {
        match self {
            Self::Functional => vec![
                Operation::learn(0, 0, &[0, 1, 8, 9]),
                Operation::learn(10, 4, &[1, 5, 6]),
                Operation::learn(20, 3, &[4, 5, 6]),
                Operation::by_cue(30, 0),
                Operation::by_content(40, &[6]),
                Operation::by_content(50, &[0, 4]),
                Operation::learn(60, 3, &[1, 3, 4, 8]),
                Operation::by_cue(70, 3),
                Operation::by_content(80, &[6]),
            ],
            Self::Stress => {
                let mut operations = Vec::new();
                let mut time = (1..).step_by(14);
                let mut next = || time.next().unwrap_or(0);
                for round in 0..3 {
                    for cue in 0..5_u32 {
                        // Bits of the binary number cue + 1; the second round stores their complements.
                        let held = |b: &u32| (((cue + 1) >> b) & 1 == 1) != (round == 1);
                        operations.push(Operation::learn(next(), cue, &(0..10).filter(held).collect::<Vec<_>>()));
                    }
                    operations.extend((0..5).map(|cue| Operation::by_cue(next(), cue)));
                    operations.extend((0..10).map(|bit| Operation::by_content(next(), &[bit])));
                }
                operations
            }
            Self::Map => {
                let states = [0, 5, 1, 3, 0, 3, 4, 5, 0, 5, 4, 3, 2, 4, 4, 3];
                let learns = states.iter().zip(0..).map(|(&s, cell)| Operation::learn(7 * u64::from(cell), cell, &[s]));
                let recalls = [(112, &[1, 2, 4][..]), (118, &[3]), (124, &[5]), (130, &[0])];
                learns.chain(recalls.map(|(t, content)| Operation::by_content(t, content))).collect()
            }
        }
    }

    /// The published spike table.
    pub fn published(self) -> Result<Table> {
        let text = match self {
            Self::Functional => include_str!("published/t1.csv"),
            Self::Stress => include_str!("published/t2.csv"),
            Self::Map => include_str!("published/t3.csv"),
        };
        parse_table(text).ok_or_else(|| Error::Internal(format!("the published table `{}` is damaged", self.name())))
    }
}

fn parse_table(text: &str) -> Option<Table> {
    let mut rows: Table = Vec::new();
    for line in text.lines().skip(1) {
        let mut cells = line.split(',');
        let (time, population, neurons) = (cells.next()?.parse::<usize>().ok()?, cells.next()?, cells.next()?);
        rows.resize_with(rows.len().max(time + 1), Default::default);
        if population == "end" {
            rows.truncate(time);
            break;
        }
        let place = POPULATIONS.iter().position(|p| *p == population)?;
        rows[time][place] = neurons.split(' ').map(|n| n.parse().ok()).collect::<Option<_>>()?;
    }
    Some(rows)
}

/// What a scripted test gave.
#[derive(Debug, Clone)]
pub struct Scripted {
    /// Rows (ms) that differ from the published table in any population.
    pub wrong_rows: Vec<usize>,
    /// Rows compared.
    pub rows: usize,
    /// Answers and the right ones, by operation.
    pub answers: Vec<(Answer, Answer)>,
    /// The memory after the last operation, all spikes recorded.
    pub cam: Cam,
    /// Plastic weights after each operation.
    pub history: History,
}

impl Scripted {
    /// Operations with the right answer.
    pub fn correct(&self) -> usize {
        self.answers.iter().filter(|(got, want)| got == want).count()
    }
}

/// Runs a scripted test and compares it with its published table.
pub fn run(script: Script, parameters: &CircuitParameters) -> Result<Scripted> {
    let (cues, contents) = script.size();
    let operations = script.operations();
    super::operations::check(&operations, cues, contents)?;
    let mut cam = Cam::new(cues, contents, parameters)?;
    cam.record();
    let mut history = History::new(operations.len(), cues, contents);
    let got = cam.execute(&operations, |cam, _| {
        history.push(&cam.weights());
        Ok(())
    })?;
    cam.run_to(script.duration() as u64);
    let mut judge = Dictionary::default();
    let answers = got.into_iter().zip(operations.iter().map(|o| judge.apply(o))).collect();
    let (ours, published) = (cam.table(script.duration()), script.published()?);
    let rows = ours.len().max(published.len());
    let wrong_rows = (0..rows).filter(|&t| ours.get(t) != published.get(t)).collect();
    Ok(Scripted { wrong_rows, rows, answers, cam, history })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_published_tables_are_reproduced_exactly() -> Result<()> {
        for script in Script::ALL {
            let r = run(script, &CircuitParameters::default())?;
            assert_eq!(r.rows, script.duration());
            assert!(r.wrong_rows.is_empty(), "{}: rows {:?}", script.name(), r.wrong_rows);
            assert_eq!(r.correct(), script.operations().len(), "{}", script.name());
        }
        Ok(())
    }

    #[test]
    fn the_saturation_matters_exactly_as_documented() -> Result<()> {
        for (limit, exact) in [(6.0, true), (7.0, true), (8.0, true), (9.0, false), (0.0, false)] {
            let parameters = CircuitParameters { input_saturation_na: limit, ..CircuitParameters::default() };
            let wrong: usize =
                Script::ALL.iter().map(|s| run(*s, &parameters).map(|r| r.wrong_rows.len())).sum::<Result<usize>>()?;
            assert_eq!(wrong == 0, exact, "{limit} nA: {wrong} wrong rows");
        }
        Ok(())
    }

    #[test]
    fn the_map_returns_the_published_cells() -> Result<()> {
        let r = run(Script::Map, &CircuitParameters::default())?;
        let cells: Vec<&[u32]> = r.answers[16..].iter().map(|(got, _)| got.cues.as_slice()).collect();
        assert_eq!(cells, [&[2, 6, 10, 12, 13, 14][..], &[3, 5, 11, 15], &[1, 7, 9], &[0, 4, 8]]);
        Ok(())
    }
}
