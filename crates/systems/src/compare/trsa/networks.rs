//! Layers of trained networks as regions: networks that differ in their seed are the subjects, images are the stimuli.

use super::experiment::Responses;
use neuropil_core::{Array, Error, Result, Stimuli, StimulusKind, Streams};
use neuropil_data::embedded::{self, Split};
use neuropil_experiment::Run;
use neuropil_math::{Matrix, statistics};
use neuropil_nn::Parameters;
use neuropil_nn::classifier::{Architecture, Classifier, ClassifierConfig, Stage};

/// What the networks are taught.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Five rectified layers of 80 units on digits of 8x8 pixels.
    Digits,
    /// Convolutions 3x3 of 16, 16, 32 and 32 channels, the second and fourth with stride 2, and 64 units, on MNIST.
    Mnist,
}

/// Networks to train.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Networks {
    /// What they learn.
    pub task: Task,
    /// Number of the population, for the names of its stages.
    pub population: u32,
    /// Networks, each with initial weights and an order of images of its own.
    pub count: usize,
    /// Images shown, of classes in equal numbers where that is possible; none of them was trained on.
    pub stimuli: usize,
    /// Most images to train on.
    pub train_images: usize,
}

impl Networks {
    fn classifier(&self) -> ClassifierConfig {
        let stage = |channels, stride| Stage { channels, stride };
        match self.task {
            Task::Digits => ClassifierConfig {
                architecture: Architecture::Mlp(vec![80; 5]),
                epochs: 30,
                ..ClassifierConfig::default()
            },
            Task::Mnist => ClassifierConfig {
                architecture: Architecture::Conv {
                    stages: vec![stage(16, 1), stage(16, 2), stage(32, 1), stage(32, 2)],
                    hidden: vec![64],
                },
                epochs: 3,
                ..ClassifierConfig::default()
            },
        }
    }

    /// Images to train on and images held out.
    fn images(&self) -> Result<(Stimuli, Stimuli)> {
        let (train, test) = match self.task {
            Task::Digits => {
                let all = embedded::digits()?;
                // Pixels count 0 to 16.
                let pixels: Vec<f32> = all.values.to_f32().iter().map(|v| v / 16.0).collect();
                let values = Array::from_f32(all.values.shape(), &pixels)?;
                let all = Stimuli { values, kind: StimulusKind::Images, ..all };
                let cut = all.len() * 4 / 5;
                let range = |a: usize, b: usize| all.select(&(a..b).collect::<Vec<_>>());
                (range(0, cut)?, range(cut, all.len())?)
            }
            Task::Mnist => (embedded::mnist(Split::Train)?, embedded::mnist(Split::Test)?),
        };
        let n = self.train_images.min(train.len());
        Ok((train.select(&(0..n).collect::<Vec<_>>())?, test))
    }

    /// Trains the networks, one stage each, and records their hidden layers. Also the accuracy of each network on all
    /// images held out.
    pub fn responses(&self, run: &mut Run, streams: Streams) -> Result<(Responses, Vec<f64>)> {
        let (train, test) = self.images()?;
        let shown = test.select(&balanced(&test, self.stimuli, streams)?)?;
        let config = self.classifier();
        let [_, c, h, w] = *test.values.shape() else {
            return Err(Error::Internal(format!("images of shape {:?}", test.values.shape())));
        };
        let (mut names, mut clean, mut accuracies) = (Vec::new(), Vec::new(), Vec::new());
        let bar = run.progress("networks", self.count as u64 * 1000);
        for k in 0..self.count {
            // Counted from the other end than populations are, so that no network occurs in two of them.
            let own = streams.replicate(!(k as u64));
            let parameters: Parameters = run.stage(&format!("{:?} {}/network {k}", self.task, self.population), |run| {
                let trained = Classifier::fit(&train, &config, own, |step, steps, _| {
                    bar.set((k * 1000 + 1000 * step / steps) as u64);
                    run.stop_if_asked()
                })?;
                Ok(trained.parameters().clone())
            })?;
            let mut network = Classifier::new(&config.architecture, [c, h, w], train.classes.len(), own)?;
            network.load(&parameters.to_weights()?)?;
            accuracies.push(network.accuracy(&test)?);
            // The last layer holds the logits.
            let mut layers = network.record(&shown)?;
            layers.pop();
            let name = |r: &neuropil_core::Recording| r.units.first().and_then(|u| u.area.clone());
            names = layers.iter().map(|l| name(l).unwrap_or_default()).collect();
            for layer in &layers {
                let x = Matrix::from_fn(layer.steps(), layer.unit_count(), |i, j| f64::from(layer.row(j)[i]));
                clean.push(x);
            }
        }
        let spread = clean.iter().map(|x| statistics::sd(x.data())).collect();
        Ok((Responses { regions: names, subjects: self.count, clean, spread, streams }, accuracies))
    }
}

/// Random stimuli, as many of each class, in the order of the classes.
fn balanced(all: &Stimuli, count: usize, streams: Streams) -> Result<Vec<usize>> {
    let labels = all.labels.as_ref().ok_or_else(|| Error::input("labelled images", "no labels"))?;
    let classes = all.classes.len().max(1);
    let mut out = Vec::with_capacity(count);
    for class in 0..classes {
        let own: Vec<usize> = (0..labels.len()).filter(|&i| labels[i] as usize == class).collect();
        let n = count / classes + usize::from(class < count % classes);
        if n > own.len() {
            return Err(Error::config(format!("at most {} images a class", own.len()), n.to_string()).at("stimuli"));
        }
        let mut stream = streams.stream("images shown", class as u64);
        out.extend(stream.choose(own.len(), n).into_iter().map(|i| own[i]));
    }
    Ok(out)
}
