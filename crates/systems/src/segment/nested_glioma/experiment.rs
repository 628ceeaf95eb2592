//! The experiment on phantoms: the same network, loss and training under every head.

use super::NestedGlioma;
use super::cases::Case;
use super::measures::{Score, answer, dice, dice_at, tune};
use super::segmenter::{Method, Plan, Segmenter, Trainer, TrainingSet};
use neuropil_core::{Error, Result, Streams};
use neuropil_data::generated::NestedPhantom;
use neuropil_experiment::Run;
use neuropil_math::statistics::mean;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Names of the regions of a glioma.
pub const REGIONS: [&str; 3] = ["WT", "TC", "ET"];

/// One look at the validation cases during a training.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Look {
    /// Steps done.
    pub step: usize,
    /// Mean loss since the last look.
    pub loss: f64,
    /// Mean Dice of each region.
    pub dice: Vec<f64>,
}

/// What a training leaves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trained {
    /// Weights after the last step.
    pub last: Vec<f32>,
    /// Weights at the look with the best mean Dice.
    pub best: Vec<f32>,
    /// Its step.
    pub best_step: usize,
    /// All looks.
    pub looks: Vec<Look>,
}

/// A training with its looks; its serialised form is all of its state.
#[derive(Serialize, Deserialize)]
struct Lesson {
    trainer: Trainer,
    /// Losses since the last look.
    losses: Vec<f32>,
    trained: Trained,
}

impl Lesson {
    fn new(segmenter: &Segmenter, cases: usize, streams: Streams) -> Self {
        let trained = Trained { last: Vec::new(), best: Vec::new(), best_step: 0, looks: Vec::new() };
        Self { trainer: Trainer::new(segmenter, cases, streams), losses: Vec::new(), trained }
    }

    /// One step, and a look at the validation cases when it is due.
    fn advance(&mut self, segmenter: &mut Segmenter, set: &TrainingSet, course: &Course) -> Result<()> {
        self.losses.push(self.trainer.step(segmenter, set)?);
        let step = self.trainer.steps();
        if step.is_multiple_of(course.look_every) || step == course.steps {
            self.trainer.give(segmenter);
            let look = look(segmenter, course.validation, step, &self.losses)?;
            let best = self.trained.looks.iter().map(|l| mean(&l.dice)).fold(f64::NEG_INFINITY, f64::max);
            if course.validation.is_empty() || mean(&look.dice) > best {
                self.trained.best = segmenter.parameters().values().to_vec();
                self.trained.best_step = step;
            }
            self.losses.clear();
            self.trained.looks.push(look);
        }
        Ok(())
    }
}

/// What networks are trained and looked at with.
#[derive(Debug, Clone, Copy)]
pub struct Course<'a> {
    /// Cases to train on.
    pub training: &'a [Case],
    /// Cases to look at; may be none.
    pub validation: &'a [Case],
    /// Steps.
    pub steps: usize,
    /// Steps between looks.
    pub look_every: usize,
    /// Names of the regions, outermost first.
    pub regions: &'a [String],
    /// Names of the networks.
    pub networks: &'a [String],
}

/// Trains networks step by step beside one another: they are too small to keep several cores busy alone. To be called in
/// a stage; interrupted, it continues from the state that it saved.
pub fn train(
    run: &mut Run,
    segmenters: &mut [Segmenter],
    course: &Course,
    streams: Streams,
    label: &str,
) -> Result<Vec<Trained>> {
    let Some(first) = segmenters.first() else { return Ok(Vec::new()) };
    let set = TrainingSet::new(course.training, &first.plan)?;
    let mut lessons: Vec<Lesson> = match run.restore("training") {
        Some(bytes) => postcard::from_bytes(&bytes).map_err(|e| Error::Internal(e.to_string()))?,
        None => segmenters.iter().map(|s| Lesson::new(s, course.training.len(), streams)).collect(),
    };
    let done = lessons.first().map_or(0, |l| l.trainer.steps());
    let bar = run.progress(label, course.steps as u64);
    bar.set(done as u64);
    for step in done..course.steps {
        lessons
            .par_iter_mut()
            .zip(segmenters.par_iter_mut())
            .map(|(l, s)| l.advance(s, &set, course).map_err(|e| e.at(s.plan.method.name()).at(label)))
            .collect::<Result<()>>()?;
        for (lesson, network) in lessons.iter().zip(course.networks) {
            if let Some(look) = lesson.trained.looks.last().filter(|l| l.step == step + 1) {
                let named = look.dice.iter().zip(course.regions).map(|(d, n)| (n.as_str(), *d));
                let row: Vec<(&str, f64)> = std::iter::once(("loss", look.loss)).chain(named).collect();
                run.log(&format!("{label}, {network}"), look.step as u64, &row);
            }
        }
        bar.inc(1);
        run.checkpoint("training", || postcard::to_allocvec(&lessons).unwrap_or_default())?;
    }
    for (lesson, segmenter) in lessons.iter_mut().zip(segmenters) {
        lesson.trainer.give(segmenter);
        lesson.trained.last = segmenter.parameters().values().to_vec();
    }
    Ok(lessons.into_iter().map(|l| l.trained).collect())
}

fn look(segmenter: &Segmenter, validation: &[Case], step: usize, losses: &[f32]) -> Result<Look> {
    let (head, levels) = (segmenter.head(), segmenter.plan.levels);
    let mut total = vec![0.0; levels];
    for case in validation {
        let found = dice(&head.decode(&segmenter.maps(case)?), &case.levels, levels)?;
        total.iter_mut().zip(found).for_each(|(t, d)| *t += d / validation.len() as f64);
    }
    let loss = losses.iter().map(|l| f64::from(*l)).sum::<f64>() / losses.len().max(1) as f64;
    Ok(Look { step, loss, dice: total })
}

/// What one training gave on the test cases.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How maps became regions.
    pub method: Method,
    /// Cases trained on.
    pub train_size: usize,
    /// Number of the replicate.
    pub seed: u64,
    /// Test cases after the last step.
    pub last: Vec<Score>,
    /// Dice of the regions of each test case at the step that the validation cases choose.
    pub stopped: Vec<Vec<f64>>,
    /// That step.
    pub best_step: usize,
    /// Dice after the last step with tuned thresholds of probabilities.
    pub tuned: Vec<Vec<f64>>,
    /// Those thresholds.
    pub thresholds: Vec<f64>,
    /// Validation during training.
    pub looks: Vec<Look>,
    /// Levels of the first test case, for a figure.
    pub shown: Vec<u16>,
}

impl Outcome {
    /// Dice of region `m` (0 the outermost) in each test case after the last step.
    pub fn dice(&self, m: usize) -> Vec<f64> {
        self.last.iter().map(|s| s.regions[m].dice).collect()
    }

    /// Mean of that, at the step chosen on validation cases.
    pub fn stopped_dice(&self, m: usize) -> f64 {
        mean(&self.stopped.iter().map(|d| d[m]).collect::<Vec<_>>())
    }

    /// Level changes of all answers together: (changes, skips).
    pub fn changes(&self) -> (usize, usize) {
        self.last.iter().fold((0, 0), |(a, b), s| (a + s.changes.0, b + s.changes.1))
    }

    /// Share of the changes that skip a level.
    pub fn jump_rate(&self) -> f64 {
        let (changes, skips) = self.changes();
        skips as f64 / changes.max(1) as f64
    }

    /// Voxels whose regions are not nested, per 1000 voxels of tumour.
    pub fn violations(&self) -> f64 {
        let tumour: usize = self.last.iter().map(|s| s.tumour).sum();
        1000.0 * self.last.iter().map(|s| s.violations).sum::<usize>() as f64 / tumour.max(1) as f64
    }

    /// Mean Dice over regions and looks: high for a fast learner.
    pub fn learning(&self) -> f64 {
        mean(&self.looks.iter().map(|l| mean(&l.dice)).collect::<Vec<_>>())
    }
}

/// Phantoms of one replicate.
pub struct Phantoms {
    /// To train on; smaller sets are the first of these.
    pub training: Vec<Case>,
    /// To choose a step and thresholds.
    pub validation: Vec<Case>,
    /// Never trained on, the same for all replicates.
    pub test: Vec<Case>,
}

impl NestedGlioma {
    /// Draws phantoms for a purpose, one stream each.
    fn draw(&self, purpose: &str, n: usize, streams: Streams, rim: bool) -> Result<Vec<Case>> {
        let phantom = NestedPhantom { size: self.size, noise: self.noise, rim };
        (0..n)
            .map(|k| {
                let volume = phantom.draw(&mut streams.stream(&format!("phantom {purpose}"), k as u64))?;
                Case::new(format!("{purpose} {}", k + 1), &volume)
            })
            .collect()
    }

    /// The phantoms of replicate `seed`.
    pub fn phantoms(&self, streams: Streams, seed: u64, rim: bool) -> Result<Phantoms> {
        let own = streams.replicate(seed);
        let most = self.train_sizes.iter().copied().max().unwrap_or(0);
        Ok(Phantoms {
            training: self.draw("training", most, own, rim)?,
            validation: self.draw("validation", self.validation, own, rim)?,
            test: self.draw("test", self.test, streams, rim)?,
        })
    }

    /// Trains and tests named networks, one beside the other.
    pub fn measure(
        &self,
        run: &mut Run,
        phantoms: &Phantoms,
        plans: Vec<(String, Plan)>,
        train_size: usize,
        seed: u64,
        label: &str,
    ) -> Result<Vec<Outcome>> {
        let streams = run.streams().replicate(seed);
        let new = |plan| Segmenter::new(plan, &mut streams.stream("segmentation weights", 0));
        let (networks, plans): (Vec<String>, Vec<Plan>) = plans.into_iter().unzip();
        let mut segmenters = plans.into_iter().map(new).collect::<Result<Vec<_>>>()?;
        let course = Course {
            training: &phantoms.training[..train_size],
            validation: &phantoms.validation,
            steps: self.steps,
            look_every: self.look_every,
            regions: &REGIONS.map(String::from),
            networks: &networks,
        };
        run.stage(label, |run| {
            let trained = train(run, &mut segmenters, &course, streams, label)?;
            segmenters
                .par_iter_mut()
                .zip(&trained)
                .map(|(s, t)| test(s, t, phantoms, (train_size, seed)))
                .collect()
        })
    }
}

/// What a trained network says of the test cases.
fn test(
    segmenter: &mut Segmenter,
    trained: &Trained,
    phantoms: &Phantoms,
    (train_size, seed): (usize, u64),
) -> Result<Outcome> {
    let levels = segmenter.plan.levels;
    segmenter.parameters_mut().values_mut().copy_from_slice(&trained.last);
    let head = segmenter.head();
    let of = |s: &Segmenter, cases: &[Case]| -> Result<Vec<Vec<f32>>> {
        cases.iter().map(|c| s.maps(c)).collect()
    };
    let regions = |maps: &[Vec<f32>]| maps.iter().map(|z| head.regions(z)).collect::<Vec<_>>();
    let thresholds = tune(&regions(&of(segmenter, &phantoms.validation)?), &phantoms.validation, levels)?;
    let maps = of(segmenter, &phantoms.test)?;
    let (mut last, mut shown) = (Vec::new(), Vec::new());
    for (case, z) in phantoms.test.iter().zip(&maps) {
        let (own, broken) = answer(&head, z);
        last.push(Score::of(case, &own, levels, broken)?);
        if shown.is_empty() {
            shown = own;
        }
    }
    let tuned = regions(&maps)
        .iter()
        .zip(&phantoms.test)
        .map(|(p, case)| dice_at(p, &thresholds, case))
        .collect::<Result<_>>()?;
    segmenter.parameters_mut().values_mut().copy_from_slice(&trained.best);
    let head = segmenter.head();
    let early = |case: &Case| dice(&head.decode(&segmenter.maps(case)?), &case.levels, levels);
    let stopped = phantoms.test.iter().map(early).collect::<Result<_>>()?;
    Ok(Outcome {
        method: segmenter.plan.method,
        train_size,
        seed,
        last,
        stopped,
        best_step: trained.best_step,
        tuned,
        thresholds,
        looks: trained.looks.clone(),
        shown,
    })
}
