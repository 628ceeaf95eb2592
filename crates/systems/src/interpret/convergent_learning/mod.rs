//! Convergent learning: do different neural networks learn the same representations? (Li, Yosinski, Clune, Lipson and
//! Hopcroft, ICLR 2016.)
//!
//! What it is for: two or more networks of one task (or animals with the same stimuli): which units correspond one-to-one,
//! which are sparse mixtures of the other's, and which groups span the same subspace.
//!
//! With X_i the activity of unit i after its rectifier over all samples (every sampled position of every image is one):
//!
//! ```text
//! one-to-one     c_ij = corr(X_i, Y_j); semi: argmax_j c_ij; bipartite: the permutation of largest sum c_i,pi(i)
//!                the same by mutual information of binned activity
//! one-to-many    min_W 1/(2N) sum |y - W x|^2 + lambda |W|_1 on standardised activity, solved exactly
//! many-to-many   A = max(c, 0) between the networks, L = I - D^-1/2 A D^-1/2, k-means of its first k eigenvectors
//! ```
//!
//! Images are split: maps and canonical directions are fitted on one part and measured on the other; intervals come from
//! resampling images, not pixels. Nulls: images of the second network in another order, the second network before training,
//! random clusters of the same sizes; the upper bound is a network against itself in disguise.
//!
//! `samples` holds activity, `comparison` and `mapping` the method, `networks` and `synthetic` make populations, `nulls` and
//! `resampling` say what a match is worth, `experiment` judges, `files` and `user` take the user's own.
//!
//! Simplified: four small convolutional networks on MNIST (or CIFAR-10) instead of AlexNets on ImageNet; 16 random positions
//! per image instead of all; maps solved exactly instead of trained by gradient descent, so penalties are not the paper's
//! decays; spectral clusters of positive correlations.

mod claims;
pub mod comparison;
mod config;
mod experiment;
mod figures;
pub mod files;
pub mod mapping;
pub mod networks;
pub mod nulls;
mod outputs;
pub mod resampling;
pub mod samples;
pub mod synthetic;
mod tables;
mod user;

pub use config::{Axes, ConvergentLearning, Dataset, Margins, Task};

use neuropil_core::Result;
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use std::path::Path;

impl System for ConvergentLearning {
    const CARD: Card = Card {
        number: 12,
        slug: "convergent-learning",
        wing: Wing::Interpret,
        title: "Convergent Learning: Do different neural networks learn the same representations?",
        authors: "Yixuan Li, Jason Yosinski, Jeff Clune, Hod Lipson, John Hopcroft",
        year: 2016,
        source: "ICLR 2016, arXiv 1511.07543",
        summary: "Finds which units of two networks or animals correspond, which are mixtures and which span the same \
                  subspace",
        claim: "Networks trained from different starts share some units and most subspaces: few-to-one maps predict what \
                one-to-one matches cannot, and matches get worse with depth",
        data: DataKind::Real,
        tags: &["representation", "matching", "alignment", "sparse coding", "spectral clustering", "CNN"],
        inputs: &[Role {
            name: "activity",
            formats: ".npy, .npz, safetensors (arrays or recordings), CSV",
            required: true,
            many: true,
            help: "One file per network or animal, over the same samples in the same order: matrices (samples x units, or \
                   the other way round with `axes`), token sequences (images, positions, units) or maps (images, \
                   channels, height, width; random positions are taken); arrays of one name in every file are a layer. \
                   Or recordings (units x steps), whose areas are layers. One file with several matrices or areas \
                   compares these. Optional beside matrices: `ids` (image of each row), `held_out` (1 where not to be \
                   fitted on; a series in recordings). HDF5, NWB and ONNX are not read: export the arrays.",
        }],
        outputs: &[
            "matches.csv: partner of every unit one-to-one, semi-matched and by mutual information, with intervals",
            "mapping.npz: sparse weights at the operating point, SciPy's CSR arrays, targets x predictors",
            "clusters.csv: members of every spectral cluster and their place in the tree",
            "summary.json: every layer and pair in numbers",
            "net1.safetensors, ...: weights of the trained networks",
            "figures: match curves, re-ordered correlations, matched filters, R^2 by units, cluster sizes",
        ],
        example: "neuropil run convergent-learning --input net1.npy --input net2.npy",
    };

    fn preset(profile: Profile) -> Self {
        Self::of(profile)
    }

    fn check(&self) -> Result<()> {
        self.validate()
    }

    fn estimate(&self) -> Estimate {
        self.expected()
    }

    fn replicates(&self) -> u32 {
        self.synthetic_draws
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        experiment::reproduce(self, run)
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        user::apply(self, inputs, run)
    }

    fn example(dir: &Path) -> Result<()> {
        user::example(dir)
    }
}
