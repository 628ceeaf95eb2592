//! Critical learning periods emerge even in deep linear networks (Kleinman, Achille and Soatto, ICLR 2024).
//!
//! What it is for: whether a temporary early deficit (a path that cannot learn, a hidden feature, a wrong first task)
//! leaves permanent damage, and how that depends on depth, on the number of examples and on the rank of the first task.
//! Nothing here is biological or even nonlinear, and the damage is still permanent; only depth is needed.
//!
//! Three families:
//!
//! ```text
//! A  two paths    output = Omega_a x + Omega_b x, Omega_p = W_pD ... W_p1; path b is gated for a while      (paths)
//! B  the ODE      K_a = p^D, dp/dt = p^(D-1) (s - K_a - K_b), and the same for q, path b                     (flow)
//! C  completion   W = W_1 ... W_D fitted to observed entries of M1 for T_c steps, then of M2     (completion, svd_flow)
//! ```
//!
//! The deficit stops the learning of path b, not its contribution; steps are counted after the switch, so a late switch
//! is not a shorter training; all switch times start from the same weights; errors are over all entries.
//!
//! Simplified: nothing in the default experiment. The data are the paper's own recipes (a binary tree of properties;
//! random low-rank matrices).

pub mod completion;
mod config;
mod experiment;
mod figures;
pub mod flow;
pub mod paths;
pub mod svd_flow;
mod user;

pub use config::{CompletionConfig, CriticalPeriods, PathsConfig, Task};

use neuropil_core::Result;
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use std::path::Path;

impl System for CriticalPeriods {
    const CARD: Card = Card {
        number: 43,
        slug: "critical-periods",
        wing: Wing::Theory,
        title: "Critical Learning Periods Emerge Even in Deep Linear Networks",
        authors: "Michael Kleinman, Alessandro Achille, Stefano Soatto",
        year: 2024,
        source: "ICLR 2024, arXiv 2308.12221",
        summary: "Measures whether an early, temporary deficit or pretraining task leaves permanent damage in deep \
                  networks, and predicts it from two scalar equations",
        claim: "An early deficit hands a feature to the other path for good and a late one does nothing; late task \
                switches ruin matrix completion in deep chains and not in shallow ones",
        data: DataKind::Simulated,
        tags: &["critical period", "deep linear network", "matrix completion", "transfer", "singular values"],
        inputs: &[
            Role {
                name: "matrix",
                formats: "CSV, TSV, .npy, .npz, safetensors",
                required: true,
                many: false,
                help: "rows x columns; with NaN (empty cells) for missing entries it is completed by deep chains; \
                       without, it is an items x properties table that two paths compete for (`task` decides \
                       otherwise)",
            },
            Role {
                name: "pretrain",
                formats: "CSV, TSV, .npy, .npz, safetensors",
                required: false,
                many: false,
                help: "a matrix of the same shape that is learned first, NaN for missing; without it, the first task \
                       is a part of the entries of `matrix`",
            },
        ],
        outputs: &[
            "path_strengths.csv: K_a and K_b of every feature over training, of the network and of the equations",
            "singular_values.csv: singular values of the end-to-end matrix over training",
            "tables/final_errors.csv: reconstruction error for every depth and switch time",
            "figures: strengths with the shaded deficit, phase portrait, damage curve, singular values",
        ],
        example: "neuropil run critical-periods --input matrix=matrix.csv pretrain=pretrain.csv",
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
        self.replicates
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
