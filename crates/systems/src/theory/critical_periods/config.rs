//! The configuration and its presets.

use super::completion::Init;
use super::paths::{Activation, Architecture, Deficit};
use neuropil_core::{Error, Result};
use neuropil_experiment::{Estimate, Profile};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Task {
    /// Both; on a user's file, completion where entries are missing and paths where none is.
    All,
    /// Two paths and their equations.
    Paths,
    /// Matrix completion.
    Completion,
}

/// Configuration of the critical-period experiments.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CriticalPeriods {
    /// `all`, `paths` or `completion`.
    pub task: Task,
    /// Independent draws of everything that is random; claims are means over them.
    pub replicates: u32,
    /// Two paths that compete for the features of a table.
    pub paths: PathsConfig,
    /// Matrix completion with a task switch.
    pub completion: CompletionConfig,
}

/// Two paths: network, deficit and schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct PathsConfig {
    /// Layers per path.
    pub depth: usize,
    /// Hidden units per path.
    pub width: usize,
    /// What follows every layer: `linear`, `tanh` or `relu`.
    pub activation: Activation,
    /// Initial strength of every feature.
    pub init_scale: f64,
    /// Learning rate, and the time step of the equations.
    pub lr: f64,
    /// Steps of full-batch gradient descent.
    pub epochs: usize,
    /// Begin of the deficit; one run per entry.
    pub starts: Vec<usize>,
    /// Length of the deficit in steps.
    pub length: usize,
    /// `gate_path`, `gate_mode` or `prob_gate_path`.
    pub deficit: Deficit,
    /// Feature that `gate_mode` hides; 0 is the strongest.
    pub mode: usize,
    /// How many of the strongest features the shares are averaged over and drawn for.
    pub features: usize,
    /// Also run the feature lesion, the random gate, the nonlinear paths and the large start.
    pub controls: bool,
    /// Depths of the phase portraits.
    pub portrait_depths: Vec<usize>,
}

/// Matrix completion: matrices, chain and schedule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompletionConfig {
    /// Rows and columns of the random matrices, n.
    pub size: usize,
    /// Observed entries, m.
    pub observed: usize,
    /// Rank of the first matrix, r1.
    pub pretrain_rank: usize,
    /// Rank of the second matrix, r2; on a user's matrix, the rank to warn by when too few entries are observed.
    pub rank: usize,
    /// Depths of the chain.
    pub depths: Vec<usize>,
    /// Steps on the first task, ascending; one run per entry.
    pub switches: Vec<usize>,
    /// Steps on the second task, the same for every switch.
    pub after: usize,
    /// Learning rate of full-batch gradient descent.
    pub lr: f64,
    /// `gaussian`, `orthogonal` or `identity`.
    pub init: Init,
    /// Size of the initial end-to-end matrix.
    pub init_scale: f64,
    /// Singular values are recorded every so many steps.
    pub track_every: usize,
    /// Depth of the sweeps below.
    pub sweep_depth: usize,
    /// Switch time of the sweeps below.
    pub sweep_switch: usize,
    /// Ranks of the first matrix to compare.
    pub rank_sweep: Vec<usize>,
    /// Numbers of observed entries to compare.
    pub observed_sweep: Vec<usize>,
    /// Initial sizes to compare.
    pub init_sweep: Vec<f64>,
    /// Numbers of entries after the switch when only `examples_visible` of them were seen before it.
    pub examples_sweep: Vec<usize>,
    /// Entries seen before the switch in that comparison; on a user's single matrix, see `visible_fraction`.
    pub examples_visible: usize,
    /// Depths of that comparison.
    pub examples_depths: Vec<usize>,
    /// On a user's single matrix: fraction of the training entries that are visible before the switch.
    pub visible_fraction: f64,
    /// On a user's matrix: fraction of the known entries that are kept from training to measure the error.
    pub hold_out: f64,
}

impl Default for PathsConfig {
    fn default() -> Self {
        Self {
            depth: 4,
            width: 100,
            activation: Activation::Linear,
            init_scale: 0.01,
            lr: 0.01,
            epochs: 1000,
            starts: vec![0, 400, 750],
            length: 150,
            deficit: Deficit::GatePath,
            mode: 1,
            features: 3,
            controls: true,
            portrait_depths: vec![2, 3, 4],
        }
    }
}

impl Default for CompletionConfig {
    fn default() -> Self {
        Self {
            size: 100,
            observed: 2000,
            pretrain_rank: 10,
            rank: 5,
            depths: vec![1, 2, 3],
            switches: vec![0, 1000, 5000, 10_000, 20_000, 40_000, 60_000, 80_000, 100_000],
            after: 30_000,
            lr: 0.2,
            init: Init::Gaussian,
            init_scale: 0.001,
            track_every: 500,
            sweep_depth: 3,
            sweep_switch: 20_000,
            rank_sweep: vec![2, 5, 10, 15],
            observed_sweep: vec![1000, 1500, 2000, 3000, 4000],
            init_sweep: vec![0.1, 0.01, 0.001, 0.0001],
            examples_sweep: vec![1250, 1500, 1750, 2000],
            examples_visible: 1000,
            examples_depths: vec![1, 2, 3],
            visible_fraction: 0.5,
            hold_out: 0.1,
        }
    }
}

impl Default for CriticalPeriods {
    fn default() -> Self {
        Self {
            task: Task::All,
            replicates: 4,
            paths: PathsConfig::default(),
            completion: CompletionConfig::default(),
        }
    }
}

impl PathsConfig {
    /// The network that the configuration describes.
    pub fn architecture(&self) -> Architecture {
        Architecture {
            depth: self.depth,
            width: self.width,
            activation: self.activation,
            init_scale: self.init_scale,
            lr: self.lr,
        }
    }
}

impl CriticalPeriods {
    pub(super) fn of(profile: Profile) -> Self {
        let paper = Self::default();
        let no_sweeps = CompletionConfig {
            rank_sweep: Vec::new(),
            observed_sweep: Vec::new(),
            init_sweep: Vec::new(),
            examples_sweep: Vec::new(),
            examples_depths: vec![2],
            sweep_depth: 2,
            ..paper.completion.clone()
        };
        let quick = CompletionConfig {
            size: 60,
            observed: 900,
            pretrain_rank: 6,
            rank: 3,
            depths: vec![1, 2],
            switches: vec![0, 5000],
            after: 8000,
            track_every: 200,
            sweep_switch: 5000,
            examples_visible: 450,
            ..no_sweeps.clone()
        };
        match profile {
            Profile::Smoke => Self {
                replicates: 1,
                paths: PathsConfig {
                    depth: 3,
                    width: 16,
                    epochs: 300,
                    starts: vec![0, 200],
                    length: 50,
                    controls: false,
                    portrait_depths: vec![2],
                    ..paper.paths
                },
                completion: CompletionConfig {
                    size: 20,
                    observed: 160,
                    pretrain_rank: 3,
                    rank: 1,
                    switches: vec![0, 200],
                    after: 400,
                    track_every: 50,
                    sweep_switch: 200,
                    examples_visible: 80,
                    ..quick
                },
                ..paper
            },
            Profile::Quick => Self {
                replicates: 3,
                paths: PathsConfig { controls: false, ..paper.paths },
                completion: quick,
                ..paper
            },
            Profile::Full => Self {
                replicates: 3,
                completion: CompletionConfig {
                    switches: vec![0, 5000, 20_000],
                    rank_sweep: vec![2, 10],
                    observed_sweep: vec![2000, 4000],
                    examples_sweep: vec![1500],
                    examples_depths: vec![1, 2, 3],
                    ..no_sweeps
                },
                ..paper
            },
            Profile::Paper => Self {
                paths: PathsConfig { portrait_depths: vec![2, 3, 4, 6, 9, 13], ..paper.paths },
                ..paper
            },
        }
    }

    pub(super) fn validate(&self) -> Result<()> {
        let whole = |ok: bool, field: &str, want: &str, got: usize| {
            if ok { Ok(()) } else { Err(Error::config(want, got.to_string()).at(field)) }
        };
        let positive = |value: f64, field: &str| {
            if value.is_finite() && value > 0.0 {
                Ok(())
            } else {
                Err(Error::config("a positive number", value.to_string()).at(field))
            }
        };
        let fraction = |value: f64, field: &str| {
            if value > 0.0 && value < 1.0 {
                Ok(())
            } else {
                Err(Error::config("a fraction between 0 and 1", value.to_string()).at(field))
            }
        };
        let depths = |list: &[usize], field: &str| {
            list.iter().try_for_each(|&d| whole((1..=64).contains(&d), field, "depths from 1 to 64", d))
        };
        whole((1..=1000).contains(&self.replicates), "replicates", "1 to 1000", self.replicates as usize)?;
        let p = &self.paths;
        depths(&[p.depth], "paths.depth")?;
        depths(&p.portrait_depths, "paths.portrait_depths")?;
        whole((1..=4000).contains(&p.width), "paths.width", "1 to 4000", p.width)?;
        positive(p.init_scale, "paths.init_scale")?;
        positive(p.lr, "paths.lr")?;
        whole((1..=1_000_000).contains(&p.epochs), "paths.epochs", "1 to 1000000", p.epochs)?;
        whole(!p.starts.is_empty(), "paths.starts", "at least one start", 0)?;
        whole(p.features > 0, "paths.features", "at least 1", p.features)?;
        let c = &self.completion;
        depths(&c.depths, "completion.depths")?;
        depths(&[c.sweep_depth], "completion.sweep_depth")?;
        depths(&c.examples_depths, "completion.examples_depths")?;
        whole(!c.depths.is_empty(), "completion.depths", "at least one depth", 0)?;
        whole((1..=4000).contains(&c.size), "completion.size", "1 to 4000", c.size)?;
        let entries = c.size * c.size;
        for (m, field) in [(c.observed, "completion.observed"), (c.examples_visible, "completion.examples_visible")] {
            whole((1..=entries).contains(&m), field, &format!("1 to {entries} entries"), m)?;
        }
        for (&m, field) in (c.observed_sweep.iter().map(|m| (m, "completion.observed_sweep")))
            .chain(c.examples_sweep.iter().map(|m| (m, "completion.examples_sweep")))
        {
            whole((1..=entries).contains(&m), field, &format!("1 to {entries} entries"), m)?;
        }
        for &r in c.rank_sweep.iter().chain([&c.rank, &c.pretrain_rank]) {
            whole((1..=c.size).contains(&r), "completion.rank", &format!("ranks from 1 to {}", c.size), r)?;
        }
        let ascending = c.switches.windows(2).all(|w| w[0] < w[1]);
        if c.switches.is_empty() || !ascending {
            return Err(Error::config("ascending switch times", format!("{:?}", c.switches)).at("completion.switches"));
        }
        whole((1..=100_000_000).contains(&c.after), "completion.after", "at least 1 step", c.after)?;
        whole(c.track_every > 0, "completion.track_every", "at least 1", c.track_every)?;
        positive(c.lr, "completion.lr")?;
        positive(c.init_scale, "completion.init_scale")?;
        c.init_sweep.iter().try_for_each(|&s| positive(s, "completion.init_sweep"))?;
        fraction(c.visible_fraction, "completion.visible_fraction")?;
        fraction(c.hold_out, "completion.hold_out")
    }

    pub(super) fn expected(&self) -> Estimate {
        let c = &self.completion;
        let n = c.size as f64;
        let branches = |switches: &[usize]| {
            switches.last().copied().unwrap_or(0) as f64 + (switches.len() * c.after) as f64
        };
        // 2 n^3 flop per product at a measured 100 Gflop/s per core, beside a pass over the entries.
        let step = |depth: usize| 6.0 * (depth as f64 - 1.0) * n.powi(3) / 1.0e11 + 3.0e-9 * n * n;
        let mut seconds: f64 = c.depths.iter().map(|&d| branches(&c.switches) * step(d)).sum();
        let sweep = branches(&[0, c.sweep_switch]);
        let points = c.rank_sweep.len() + c.observed_sweep.len() + c.init_sweep.len();
        seconds += points as f64 * sweep * step(c.sweep_depth);
        seconds += c.examples_sweep.len() as f64 * c.examples_depths.iter().map(|&d| sweep * step(d)).sum::<f64>();
        let p = &self.paths;
        let runs = (p.starts.len() * if p.controls { 3 } else { 1 }) as f64;
        let path = 2.0e-9 * (p.epochs * p.depth * p.width * p.width) as f64 * runs;
        let run = |wanted: bool, s: f64| if wanted { s } else { 0.0 };
        let total = run(self.task != Task::Completion, path) + run(self.task != Task::Paths, seconds);
        let layers = c.depths.iter().max().copied().unwrap_or(1) as f64;
        Estimate { wall_s: 1.0 + f64::from(self.replicates) * total / 2.0, mem_mb: 60.0 + 2.0e-5 * n * n * layers }
    }
}
