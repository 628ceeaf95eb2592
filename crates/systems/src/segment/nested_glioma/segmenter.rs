//! The method: a residual U-Net, what its maps mean, its training and its answers.

use super::cases::Case;
use neuropil_core::{Error, Result, Stream, Streams};
use neuropil_data::augment::Augmentation;
use neuropil_data::patches::{PatchSampler, cut, sliding_window};
use neuropil_nn::modules::segmentation::{
    Head, Loss, free_thresholds, ordered_thresholds, ordinal_loss, segmentation_loss,
};
use neuropil_nn::modules::{UNet, UNetConfig};
use neuropil_nn::optim::{Rule, Schedule};
use neuropil_nn::pass::values;
use neuropil_nn::train::{Batches, Training};
use neuropil_nn::{Init, ParameterId, Parameters, Pass};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Weights of the heads are multiplied by this at the start, so that first steps are not saturated.
const HEAD_GAIN: f32 = 0.3;

/// How the maps of the network become regions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// One map and the multi-level activation.
    MultiLevel,
    /// One map per level, exclusive.
    Softmax,
    /// One map per region, independent.
    Sigmoids,
    /// One map, thresholds learnt.
    Ordinal,
}

impl Method {
    /// As in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::MultiLevel => "multi-level",
            Self::Softmax => "softmax",
            Self::Sigmoids => "sigmoids",
            Self::Ordinal => "ordinal",
        }
    }

    /// As in metrics.
    pub fn key(self) -> &'static str {
        match self {
            Self::MultiLevel => "multi_level",
            _ => self.name(),
        }
    }
}

/// Everything that a network and its training are, the same for all methods.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// How maps become regions.
    pub method: Method,
    /// Input channels.
    pub channels: usize,
    /// Nested regions C.
    pub levels: usize,
    /// 3 for volumes, 2 for slices.
    pub axes: usize,
    /// Filters of each level of the network.
    pub filters: Vec<usize>,
    /// Dropout of the residual blocks.
    pub dropout: f64,
    /// Levels of the localisation pathway that are read.
    pub deep: usize,
    /// Steepness of the activation.
    pub kappa: f64,
    /// Distance of its steps.
    pub spacing: f64,
    /// How far below the first step the output starts, in units of the logit.
    pub start: f64,
    /// What is minimised.
    pub loss: Loss,
    /// Learning rate of Adam.
    pub rate: f64,
    /// Factor of the rate after each pass over the cases.
    pub rate_decay: f64,
    /// Weight decay.
    pub weight_decay: f64,
    /// Patches per step.
    pub batch: usize,
    /// Largest side of a patch.
    pub patch: usize,
    /// Share of a window that its neighbour covers, too.
    pub overlap: f64,
    /// Random variants of the patches.
    pub augment: bool,
}

impl Plan {
    fn head(&self) -> Head {
        match self.method {
            Method::MultiLevel | Method::Ordinal => Head::multi_level(self.kappa, self.spacing, self.levels),
            Method::Softmax => Head::Softmax { levels: self.levels },
            Method::Sigmoids => Head::Sigmoids { levels: self.levels },
        }
    }

    fn network(&self) -> UNetConfig {
        UNetConfig {
            input: self.channels,
            filters: self.filters.clone(),
            output: self.head().channels(),
            axes: self.axes,
            dropout: self.dropout,
            deep: self.deep,
        }
    }

    /// Sides of the patches that cover volumes of up to this shape: multiples of the down-sampling factor, not longer
    /// than they need to be.
    pub fn patch_for(&self, shape: [usize; 3]) -> [usize; 3] {
        let factor = self.network().factor();
        let largest = (self.patch / factor).max(1) * factor;
        std::array::from_fn(|a| {
            if a == 0 && self.axes == 2 { 1 } else { (shape[a].div_ceil(factor) * factor).min(largest) }
        })
    }

    /// Fails on values that make no network or no training.
    pub fn check(&self) -> Result<()> {
        self.network().check()?;
        for (field, value) in
            [("spacing", self.spacing), ("rate", self.rate), ("rate_decay", self.rate_decay)]
        {
            if !(value > 0.0 && value.is_finite()) {
                return Err(Error::config("a positive number", value.to_string()).at(field));
            }
        }
        if !self.start.is_finite() {
            return Err(Error::config("a finite number", self.start.to_string()).at("start"));
        }
        if !(self.weight_decay >= 0.0 && self.weight_decay.is_finite()) {
            return Err(Error::config("at least 0", self.weight_decay.to_string()).at("weight_decay"));
        }
        self.head().check()?;
        if self.batch == 0 || self.batch > 64 {
            return Err(Error::config("1 to 64 patches", self.batch.to_string()).at("batch"));
        }
        if !(self.network().factor()..=512).contains(&self.patch) {
            let want =
                format!("{} (2 to the number of levels less 1) to 512 voxels", self.network().factor());
            return Err(Error::config(want, self.patch.to_string()).at("patch"));
        }
        if !(0.0..=0.9).contains(&self.overlap) {
            return Err(Error::config("0 to 0.9", self.overlap.to_string()).at("overlap"));
        }
        Ok(())
    }
}

/// A network with its weights.
#[derive(Debug, Clone)]
pub struct Segmenter {
    /// What it is.
    pub plan: Plan,
    net: UNet,
    parameters: Parameters,
    /// The thresholds that are learnt, as free numbers.
    free: Option<ParameterId>,
}

impl Segmenter {
    /// A fresh network. Networks of one plan but for the method start with the same weights up to the heads.
    pub fn new(plan: Plan, stream: &mut Stream) -> Result<Self> {
        plan.check()?;
        let mut parameters = Parameters::default();
        let net = UNet::new(&mut parameters, plan.network(), stream)?;
        let head = plan.head();
        net.start(&mut parameters, HEAD_GAIN, &head.start(plan.start));
        let free = match (&head, plan.method) {
            (Head::MultiLevel { thresholds, .. }, Method::Ordinal) => {
                let id = parameters.add("thresholds", &[thresholds.len()], Init::Constant(0.0), stream);
                parameters.get_mut(id).copy_from_slice(&free_thresholds(thresholds));
                Some(id)
            }
            _ => None,
        };
        Ok(Self { plan, net, parameters, free })
    }

    /// What the maps mean, with the thresholds as they are now.
    pub fn head(&self) -> Head {
        let mut head = self.plan.head();
        if let (Head::MultiLevel { thresholds, .. }, Some(id)) = (&mut head, self.free) {
            *thresholds = ordered_thresholds(self.parameters.get(id));
        }
        head
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The weights, writable.
    pub fn parameters_mut(&mut self) -> &mut Parameters {
        &mut self.parameters
    }

    /// The maps z [channels of the head, shape] of a whole volume, window by window where it is large.
    pub fn maps(&self, case: &Case) -> Result<Vec<f32>> {
        if case.channels != self.plan.channels {
            return Err(Error::input(format!("{} channels", self.plan.channels), case.channels.to_string())
                .at(&case.name));
        }
        let shape = case.grid.shape;
        if self.plan.axes == 2 && shape[0] != 1 {
            return Err(Error::input("single slices, as the network was trained on", format!("{shape:?}"))
                .at(&case.name));
        }
        let size = self.plan.patch_for(shape);
        let channels = (case.channels, self.plan.head().channels());
        sliding_window(&case.values, channels, shape, size, self.plan.overlap, |patch| {
            let pass = Pass::inference(&self.parameters);
            let [d, h, w] = size;
            Ok(values(self.net.forward(&pass, pass.input(patch, [1, case.channels, d, h, w]))?))
        })
    }
}

/// A training in progress; its serialised form is all of its state.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trainer {
    training: Training,
    batches: Batches,
    sampling: Stream,
}

/// Cases to train on, with the places that their patches are taken from.
pub struct TrainingSet<'a> {
    cases: &'a [Case],
    samplers: Vec<PatchSampler>,
    size: [usize; 3],
}

impl<'a> TrainingSet<'a> {
    /// Labelled cases for a plan. Fails on none, on cases without levels and on levels beyond the plan's.
    pub fn new(cases: &'a [Case], plan: &Plan) -> Result<Self> {
        let most = |a: usize| cases.iter().map(|c| c.grid.shape[a]).max().unwrap_or(1);
        if cases.is_empty() {
            return Err(Error::input("at least 1 labelled case", "none"));
        }
        let size = plan.patch_for([most(0), most(1), most(2)]);
        let mut samplers = Vec::new();
        for case in cases {
            if let Some(l) = case.levels.iter().find(|l| usize::from(**l) > plan.levels) {
                return Err(
                    Error::input(format!("levels up to {}", plan.levels), l.to_string()).at(&case.name)
                );
            }
            let sampler = PatchSampler::new(&case.levels, case.grid.shape, size, plan.levels as u16);
            samplers.push(sampler.map_err(|e| e.at(&case.name))?);
        }
        Ok(Self { cases, samplers, size })
    }
}

impl Trainer {
    /// A training of `segmenter` on `cases` cases, from the beginning.
    pub fn new(segmenter: &Segmenter, cases: usize, streams: Streams) -> Self {
        let plan = &segmenter.plan;
        Self {
            training: Training::new(
                segmenter.parameters.clone(),
                Rule::adamw(plan.weight_decay),
                Schedule::constant(plan.rate),
                f64::INFINITY,
                streams.stream("segmentation dropout", 0),
            ),
            batches: Batches::new(cases, plan.batch, streams.stream("segmentation order", 0)),
            sampling: streams.stream("segmentation patches", 0),
        }
    }

    /// Steps done.
    pub fn steps(&self) -> usize {
        self.training.step
    }

    /// Puts the weights reached so far into a network.
    pub fn give(&self, segmenter: &mut Segmenter) {
        segmenter.parameters = self.training.parameters.clone();
    }

    /// One step; returns the loss.
    pub fn step(&mut self, segmenter: &Segmenter, set: &TrainingSet) -> Result<f32> {
        let plan = &segmenter.plan;
        let chosen = self.batches.next_batch();
        let (mut patches, mut levels) = (Vec::new(), Vec::new());
        for &k in &chosen {
            let (case, shape) = (&set.cases[k], set.cases[k].grid.shape);
            let corner = set.samplers[k].corner(&mut self.sampling);
            let mut x = cut(&case.values, case.channels, shape, corner, set.size);
            let mut y = cut(&case.levels, 1, shape, corner, set.size);
            if plan.augment {
                Augmentation::PUBLISHED.apply(&mut x, &mut y, set.size, &mut self.sampling);
            }
            patches.extend(x);
            levels.extend(y);
        }
        let rate = plan.rate * plan.rate_decay.powi(self.batches.epoch.min(1 << 20) as i32);
        self.training.schedule = Schedule::constant(rate);
        let [d, h, w] = set.size;
        self.training.step(|pass| {
            let x = pass.input(patches, [chosen.len(), plan.channels, d, h, w]);
            let maps = segmenter.net.forward(pass, x)?;
            match segmenter.free {
                Some(id) => ordinal_loss(maps, pass.parameter(id), plan.kappa, &levels, plan.loss),
                None => segmentation_loss(maps, &plan.head(), &levels, plan.loss),
            }
        })
    }
}
