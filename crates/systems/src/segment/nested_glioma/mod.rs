//! Hierarchical multi-class segmentation of glioma images using networks with multi-level activation function
//! (X. Hu, H. Li, Y. Zhao, C. Dong, B. H. Menze, M. Piraud, BraTS 2018, arXiv 1810.09488; the activation from Piraud et
//! al., arXiv 1804.01910).
//!
//! Structures that contain one another (edema > tumour core > enhancing tumour) are one ordinal level y = 0 .. C per
//! voxel. One network with one output map z encodes them by a staircase: P_m = sigma(kappa (z - t_m)) is the probability
//! of y >= m, with t_m = h (m - (C + 1) / 2), and a(z) = sum of P_m lies between 0 and C. P_1 >= P_2 >= P_3 for every z,
//! so that labels respect the hierarchy without post-processing; the level is #{m: P_m > 1/2}. Losses: modified
//! cross-entropy over the steps, the same weighted by the rarity of levels, and the Dice of the nested regions. The
//! baseline is the same network with a softmax over levels, the same losses, order of cases and number of steps;
//! further ones are independent sigmoids and learnt thresholds.
//!
//! `cases` prepares intensities, `segmenter` is the method, `measures` judges answers, `experiment` trains and tests on
//! phantoms, `files` reads the user's own, `user` answers for them. Simplified: BraTS itself cannot be shipped, so the
//! experiment uses phantoms with a known truth; patches are not deformed elastically, and the small experiments train on
//! whole volumes without augmentation at a constant rate.
//!
//! kappa = 2.5 and h = 2 of the presets were chosen on seeds 101 to 105 among kappa h = 2.5 .. 10 (kappa 1 to 20, h 0.5 to
//! 5), looking at the two inner structures; at the same kappa h = 5, the width of a plateau in the logit, kappa = 10 and
//! h = 0.5 reach 0.06 less in the innermost one. In the quick experiment, two small trainings a method, the difference
//! to the softmax in the innermost structure changes its sign from seed to seed: of seeds 1 to 3, 11 and 12, two meet its
//! bar. Read it together with the full experiment.

pub mod cases;
pub mod experiment;
mod figures;
pub mod files;
pub mod measures;
mod results;
pub mod segmenter;
mod user;

use neuropil_core::{Error, Result};
use neuropil_experiment::{Card, DataKind, Estimate, Inputs, Profile, Role, Run, System, Wing};
use neuropil_nn::modules::segmentation::Loss;
use schemars::JsonSchema;
use segmenter::{Method, Plan};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Nested regions of a glioma.
const LEVELS: usize = 3;
/// Channels of a phantom.
const CHANNELS: usize = 4;

/// The experiment, and the network and training on the user's own cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct NestedGlioma {
    /// Heads that are compared: `multi_level`, `softmax`, `sigmoids`, `ordinal`. On the user's cases, the first one.
    pub methods: Vec<Method>,
    /// Independent draws of training cases and weights.
    pub replicates: u32,
    /// Voxels along each side of a phantom.
    pub size: usize,
    /// Noise of the voxels of a phantom, standard deviation before it is blurred.
    pub noise: f64,
    /// Phantoms to train on, one training per entry.
    pub train_sizes: Vec<usize>,
    /// Phantoms to choose the step and thresholds of probabilities on, beside those trained on.
    pub validation: usize,
    /// Phantoms to test on.
    pub test: usize,
    /// Also train, once each, with other steepness, each loss alone and learnt thresholds; numbers without a bar.
    pub variants: bool,
    /// Also train both heads on phantoms whose innermost level is a rim around level 2; numbers without a bar.
    pub rim: bool,
    /// Filters of each level of the network, finest first; as many levels.
    pub filters: Vec<usize>,
    /// Probability with which residual blocks drop a value.
    pub dropout: f64,
    /// Levels of the localisation pathway that are read and summed.
    pub deep: usize,
    /// Steepness kappa of the activation.
    pub kappa: f64,
    /// Distance h of its steps.
    pub spacing: f64,
    /// How far below the first step the output starts, in units of the logit kappa (z - t_1).
    pub start: f64,
    /// `mce`, `nce`, `dice`, `mce_dice` or `nce_dice`; for the softmax the cross-entropy of levels takes the place of the
    /// first two.
    #[schemars(with = "String")]
    pub loss: Loss,
    /// Steps of Adam.
    pub steps: usize,
    /// Patches per step.
    pub batch: usize,
    /// Learning rate.
    pub rate: f64,
    /// Factor of the learning rate after each pass over the cases.
    pub rate_decay: f64,
    /// Decoupled weight decay.
    pub weight_decay: f64,
    /// Largest side of a patch in voxels; smaller volumes are taken whole.
    pub patch: usize,
    /// Share of a window that its neighbour covers as well, when large volumes are answered window by window.
    pub overlap: f64,
    /// Mirror, turn, stretch and change the contrast of patches at random.
    pub augment: bool,
    /// Steps between looks at the validation cases.
    pub look_every: usize,
    /// On the user's cases: modalities in the order of the channels; empty for all of the first case, in alphabetical
    /// order.
    pub modalities: Vec<String>,
    /// On the user's cases: names under which the labels are looked for.
    pub label_names: Vec<String>,
    /// On the user's cases: share that is held out to measure the agreement.
    pub hold_out: f64,
    /// On the user's cases: train again on all of them after measuring.
    pub retrain: bool,
}

impl Default for NestedGlioma {
    fn default() -> Self {
        Self::preset(Profile::Quick)
    }
}

impl NestedGlioma {
    /// The network and training of a method.
    pub fn plan(&self, method: Method) -> Plan {
        Plan {
            method,
            channels: CHANNELS,
            levels: LEVELS,
            axes: 3,
            filters: self.filters.clone(),
            dropout: self.dropout,
            deep: self.deep,
            kappa: self.kappa,
            spacing: self.spacing,
            start: self.start,
            loss: self.loss,
            rate: self.rate,
            rate_decay: self.rate_decay,
            weight_decay: self.weight_decay,
            batch: self.batch,
            patch: self.patch,
            overlap: self.overlap,
            augment: self.augment,
        }
    }
}

impl System for NestedGlioma {
    const CARD: Card = Card {
        number: 48,
        slug: "nested-glioma",
        wing: Wing::Segment,
        title: "Hierarchical multi-class segmentation of glioma images using networks with multi-level activation function",
        authors: "X. Hu, H. Li, Y. Zhao, C. Dong, B. H. Menze, M. Piraud",
        year: 2018,
        source: "arXiv 1810.09488",
        summary: "Segments structures that contain one another with one network and one output map",
        claim: "A multi-level activation finds the innermost structure better than a softmax on the same network, and its \
                labels skip fewer levels",
        data: DataKind::Simulated,
        tags: &["segmentation", "MRI", "glioma", "U-Net", "ordinal", "BraTS"],
        inputs: &[
            Role {
                name: "train",
                formats: "folders of .nii, .nii.gz or .png; .npz, safetensors (volume)",
                required: false,
                many: true,
                help: "Labelled cases to learn from: a folder of case folders, each with one NIfTI file per modality (named by \
                       what follows the last `_` or `-`, such as `t1c`) and one of labels (`seg`), all on one grid; or PNG \
                       slices `MODALITY_001.png`; or files with the arrays [channels, depth, height, width] and `labels` \
                       [depth, height, width]. A single slice per case makes a network over two axes.",
            },
            Role {
                name: "predict",
                formats: "as `train`, labels optional",
                required: false,
                many: true,
                help: "Cases to answer for, with the modalities of those learnt from. Where labels are there, the answer is \
                       compared with them.",
            },
            Role {
                name: "levels",
                formats: "TOML",
                required: false,
                many: false,
                help: "`label = level` lines, level 0 for the background, levels without a gap; `names = [..]` of the regions, \
                       outermost first. Without it the labels of BraTS: 2 edema, 1 core, 4 or 3 enhancing.",
            },
            Role {
                name: "weights",
                formats: "safetensors",
                required: false,
                many: false,
                help: "`weights.safetensors` of an earlier run: answers at once, or learns on from there if `train` is given.",
            },
        ],
        outputs: &[
            "label volumes in the geometry of the input (NIfTI)",
            "maps of the activation a(z) (NIfTI)",
            "Dice, HD95 and volumes per case and region (CSV)",
            "slices with tinted levels (PNG)",
            "learning curves",
            "trained weights",
        ],
        example: "neuropil run nested-glioma --input train=cases --input predict=new --input levels=levels.toml --set steps=40",
    };

    fn preset(profile: Profile) -> Self {
        let quick = Self {
            methods: vec![Method::MultiLevel, Method::Softmax],
            replicates: 2,
            size: 24,
            noise: 0.6,
            train_sizes: vec![12],
            validation: 3,
            test: 12,
            variants: false,
            rim: false,
            filters: vec![6, 12, 24],
            dropout: 0.3,
            deep: 3,
            kappa: 2.5,
            spacing: 2.0,
            start: 0.5,
            loss: Loss::MceDice,
            steps: 300,
            batch: 2,
            rate: 2e-3,
            rate_decay: 1.0,
            weight_decay: 1e-5,
            patch: 64,
            overlap: 0.5,
            augment: false,
            look_every: 25,
            modalities: Vec::new(),
            label_names: ["seg", "label", "labels", "mask"].map(String::from).to_vec(),
            hold_out: 0.2,
            retrain: false,
        };
        match profile {
            Profile::Smoke => Self {
                replicates: 1,
                size: 12,
                train_sizes: vec![3],
                validation: 1,
                test: 2,
                filters: vec![4, 8],
                steps: 12,
                look_every: 6,
                ..quick
            },
            Profile::Quick => quick,
            Profile::Full => Self {
                methods: vec![Method::MultiLevel, Method::Softmax, Method::Sigmoids],
                replicates: 3,
                size: 32,
                train_sizes: vec![6, 24],
                validation: 6,
                test: 24,
                rim: true,
                filters: vec![8, 16, 32],
                steps: 800,
                look_every: 50,
                ..quick
            },
            Profile::Paper => Self {
                methods: vec![Method::MultiLevel, Method::Softmax, Method::Sigmoids],
                replicates: 3,
                size: 128,
                train_sizes: vec![48],
                validation: 12,
                test: 24,
                variants: true,
                rim: true,
                filters: vec![16, 32, 64, 128, 256],
                steps: 30_000,
                rate: 5e-4,
                rate_decay: 0.985,
                patch: 128,
                augment: true,
                look_every: 500,
                retrain: true,
                ..quick
            },
        }
    }

    fn check(&self) -> Result<()> {
        for (field, value, most) in [
            ("replicates", self.replicates as usize, 100),
            ("validation", self.validation, 1000),
            ("test", self.test, 1000),
            ("steps", self.steps, 10_000_000),
            ("look_every", self.look_every, 10_000_000),
        ] {
            if !(1..=most).contains(&value) {
                return Err(Error::config(format!("1 to {most}"), value.to_string()).at(field));
            }
        }
        if self.methods.is_empty()
            || (1..self.methods.len()).any(|k| self.methods[..k].contains(&self.methods[k]))
        {
            return Err(
                Error::config("at least 1 method, each once", format!("{:?}", self.methods)).at("methods")
            );
        }
        if self.train_sizes.is_empty() || self.train_sizes.iter().any(|n| !(1..=1000).contains(n)) {
            return Err(
                Error::config("1 to 1000 phantoms each", format!("{:?}", self.train_sizes)).at("train_sizes")
            );
        }
        let factor = 1 << (self.filters.len().clamp(1, 8) - 1);
        if !(8..=256).contains(&self.size) || !self.size.is_multiple_of(factor) {
            let want = format!(
                "8 to 256 voxels, a multiple of {factor} for {} levels of filters",
                self.filters.len()
            );
            return Err(Error::config(want, self.size.to_string()).at("size"));
        }
        if !(self.noise >= 0.0 && self.noise.is_finite()) {
            return Err(Error::config("at least 0", self.noise.to_string()).at("noise"));
        }
        if !(0.0..1.0).contains(&self.hold_out) {
            return Err(Error::config("a share below 1", self.hold_out.to_string()).at("hold_out"));
        }
        self.methods.iter().try_for_each(|m| self.plan(*m).check())
    }

    fn estimate(&self) -> Estimate {
        let voxels = self.size.pow(3) as f64;
        // Products of the convolutions per voxel of the finest level; each next one has an eighth of the voxels.
        let work: f64 = self
            .filters
            .iter()
            .enumerate()
            .map(|(l, f)| 27.0 * 9.0 * (f * f) as f64 / f64::from(1 << (3 * l.min(9))))
            .sum();
        // Two trainings run side by side.
        let step = 6.0 * work * voxels * self.batch as f64 / 1.3e11 + 1e-3;
        let trainings = self.replicates as f64 * (self.train_sizes.len() * self.methods.len()) as f64
            + if self.variants { 8.0 } else { 0.0 }
            + if self.rim { 2.0 } else { 0.0 };
        Estimate {
            wall_s: 1.0 + trainings * self.steps as f64 * step,
            mem_mb: 150.0
                + 4e-6 * voxels * self.batch as f64 * 60.0 * self.filters.first().map_or(1.0, |f| *f as f64),
        }
    }

    fn replicates(&self) -> u32 {
        self.replicates
    }

    fn reproduce(&self, run: &mut Run) -> Result<()> {
        self.compare(run)
    }

    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()> {
        user::apply(self, inputs, run)
    }

    fn example(dir: &Path) -> Result<()> {
        user::example(dir)
    }
}
