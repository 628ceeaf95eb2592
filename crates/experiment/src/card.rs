//! What a system says of itself.

use serde::Serialize;

/// The seven wings of the catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Wing {
    /// Spiking and dynamical simulation.
    Simulate,
    /// Networks and rules that learn.
    Learn,
    /// Theory of learning.
    Theory,
    /// Analysis of recordings.
    Analyse,
    /// Interpretation of trained networks.
    Interpret,
    /// Comparison of brains and models.
    Compare,
    /// Segmentation of volumes.
    Segment,
}

impl Wing {
    /// All wings in the order of the catalogue.
    pub const ALL: [Self; 7] = [
        Self::Simulate,
        Self::Learn,
        Self::Theory,
        Self::Analyse,
        Self::Interpret,
        Self::Compare,
        Self::Segment,
    ];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Simulate => "simulate",
            Self::Learn => "learn",
            Self::Theory => "theory",
            Self::Analyse => "analyse",
            Self::Interpret => "interpret",
            Self::Compare => "compare",
            Self::Segment => "segment",
        }
    }
}

/// What kind of data the default experiment rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum DataKind {
    /// Recorded or published data.
    #[serde(rename = "real")]
    Real,
    /// Real input, with a step (responses, events) that is simulated.
    #[serde(rename = "real input, simulated step")]
    RealInput,
    /// Generated with a known ground truth.
    #[serde(rename = "simulated")]
    Simulated,
}

impl DataKind {
    /// The words used on cards and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Real => "real",
            Self::RealInput => "real input, simulated step",
            Self::Simulated => "simulated",
        }
    }
}

/// One kind of file that `--input` takes.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Role {
    /// Name used in `--input NAME=PATH`.
    pub name: &'static str,
    /// Accepted formats, for people.
    pub formats: &'static str,
    /// Whether the system needs it.
    pub required: bool,
    /// Whether it may be given more than once.
    pub many: bool,
    /// What it holds, with axes and units.
    pub help: &'static str,
}

/// The card of a published system; every list (catalogue, page, README table) is derived from it.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Card {
    /// Number in the catalogue.
    pub number: u16,
    /// Name on the command line.
    pub slug: &'static str,
    /// Wing.
    pub wing: Wing,
    /// Title of the paper.
    pub title: &'static str,
    /// Authors.
    pub authors: &'static str,
    /// Year.
    pub year: u16,
    /// Where the paper is, for example `arXiv 2310.05868`.
    pub source: &'static str,
    /// What it is for, in a sentence.
    pub summary: &'static str,
    /// The paper's claim that is re-measured, in a sentence.
    pub claim: &'static str,
    /// Data of the default experiment.
    pub data: DataKind,
    /// Search words.
    pub tags: &'static [&'static str],
    /// What `--input` takes.
    pub inputs: &'static [Role],
    /// What a run leaves behind besides the report.
    pub outputs: &'static [&'static str],
    /// A complete command on the user's own data.
    pub example: &'static str,
}
