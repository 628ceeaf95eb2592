//! Classifiers of labelled stimuli: a multilayer perceptron or a small convolutional network, with the activations of
//! every layer as recordings.

use crate::kernels::Activation;
use crate::modules::{ConvNet, Mlp, cross_entropy};
use crate::optim::{Rule, Schedule};
use crate::parameters::Parameters;
use crate::pass::{Pass, values};
use crate::train::{Batches, Training};
use burn::tensor::Tensor;
use neuropil_core::{Error, Recording, Result, Stimuli, StimulusKind, Streams, Weights};
use serde::{Deserialize, Serialize};

pub use crate::modules::ConvStage as Stage;

/// Shape of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Architecture {
    /// Rectified hidden layers of these widths; stimuli are flattened. Hooks `layer1`, ..., `output`.
    Mlp(Vec<usize>),
    /// Rectified 3x3 convolutions, then rectified layers of `hidden` units. Hooks `conv1`, ..., `fc1`, ..., `output`.
    Conv {
        /// Convolutions in order.
        stages: Vec<Stage>,
        /// Widths of the fully connected layers.
        hidden: Vec<usize>,
    },
}

/// How to train.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassifierConfig {
    /// Shape of the network.
    pub architecture: Architecture,
    /// Passes over the stimuli.
    pub epochs: usize,
    /// Stimuli per step.
    pub batch: usize,
    /// Peak learning rate of AdamW; a cosine takes it to 10 %.
    pub rate: f64,
    /// Weight decay.
    pub weight_decay: f64,
}

impl Default for ClassifierConfig {
    fn default() -> Self {
        Self {
            architecture: Architecture::Mlp(vec![128]),
            epochs: 5,
            batch: 64,
            rate: 2e-3,
            weight_decay: 1e-4,
        }
    }
}

enum Net {
    Mlp(Mlp),
    Conv(ConvNet),
}

/// A trained classifier.
pub struct Classifier {
    net: Net,
    parameters: Parameters,
    image: [usize; 3],
    classes: usize,
}

/// Stimuli as rows of features; bytes are scaled to [0, 1].
fn features(stimuli: &Stimuli) -> Result<(Vec<f32>, [usize; 3])> {
    let shape = stimuli.values.shape();
    let image = match stimuli.kind {
        StimulusKind::Images => [shape[1], shape[2], shape[3]],
        StimulusKind::Features => [1, 1, shape[1]],
        other => return Err(Error::input("images or features", format!("{other:?}")).at("stimuli")),
    };
    let mut values = stimuli.values.to_f32();
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        let n = image.iter().product::<usize>().max(1);
        return Err(Error::input("finite stimuli", format!("{} in stimulus {}", values[i], i / n)));
    }
    if stimuli.values.dtype() == neuropil_core::DType::U8 {
        crate::kernels::scale(&mut values, 1.0 / 255.0);
    }
    Ok((values, image))
}

impl Classifier {
    /// An untrained network for stimuli of this shape (channels, height, width; features have 1, 1, n).
    pub fn new(
        architecture: &Architecture,
        image: [usize; 3],
        classes: usize,
        streams: Streams,
    ) -> Result<Self> {
        let mut init = streams.stream("classifier initialisation", 0);
        let mut parameters = Parameters::default();
        let net = match architecture {
            Architecture::Mlp(hidden) => {
                let widths: Vec<usize> = [image.iter().product()]
                    .into_iter()
                    .chain(hidden.iter().copied())
                    .chain([classes])
                    .collect();
                Net::Mlp(Mlp::new(&mut parameters, "mlp", &widths, Activation::Relu, &mut init))
            }
            Architecture::Conv { stages, hidden } => {
                Net::Conv(ConvNet::new(&mut parameters, image, stages, hidden, classes, &mut init)?)
            }
        };
        Ok(Self { net, parameters, image, classes })
    }

    /// Trains on labelled stimuli. `progress(step, steps, loss)` is called after every step and may end the run with an
    /// error.
    pub fn fit(
        stimuli: &Stimuli,
        config: &ClassifierConfig,
        streams: Streams,
        mut progress: impl FnMut(usize, usize, f32) -> Result<()>,
    ) -> Result<Self> {
        let (x, image) = features(stimuli)?;
        let labels = stimuli.labels.as_ref().ok_or_else(|| Error::input("labelled stimuli", "no labels"))?;
        if labels.is_empty() || x.is_empty() {
            return Err(Error::input("at least 1 stimulus", "0 stimuli"));
        }
        if config.epochs == 0 || config.batch == 0 || !(config.rate > 0.0 && config.rate.is_finite()) {
            return Err(Error::config("positive epochs, batch and rate", format!("{config:?}")));
        }
        let classes = labels.iter().max().map_or(0, |&m| m as usize + 1).max(stimuli.classes.len());
        let mut this = Self::new(&config.architecture, image, classes, streams)?;
        let mut batches = Batches::new(labels.len(), config.batch, streams.stream("classifier order", 0));
        let steps = config.epochs * batches.per_epoch();
        let schedule = Schedule::cosine(config.rate, (steps / 20).max(1), steps, 0.1);
        let dropout = streams.stream("classifier dropout", 0);
        let parameters = std::mem::take(&mut this.parameters);
        let mut training =
            Training::new(parameters, Rule::adamw(config.weight_decay), schedule, 1.0, dropout);
        for step in 0..steps {
            let chosen = batches.next_batch();
            let targets: Vec<u32> = chosen.iter().map(|&i| labels[i]).collect();
            let loss =
                training.step(|pass| Ok(cross_entropy(this.forward(pass, &x, &chosen), &targets, None)))?;
            progress(step + 1, steps, loss)?;
        }
        this.parameters = training.parameters;
        Ok(this)
    }

    /// Takes the weights of a network of the same shape, from [`Classifier::parameters`].
    pub fn load(&mut self, weights: &Weights) -> Result<()> {
        self.parameters.load(weights)
    }

    fn forward(&self, pass: &Pass, x: &[f32], chosen: &[usize]) -> Tensor<2> {
        let [c, h, w] = self.image;
        let n = c * h * w;
        let rows: Vec<f32> = chosen.iter().flat_map(|&i| x[i * n..(i + 1) * n].iter().copied()).collect();
        match &self.net {
            Net::Mlp(net) => net.forward(pass, pass.input(rows, [chosen.len(), n])),
            Net::Conv(net) => net.forward(pass, pass.input(rows, [chosen.len(), c, h, w])),
        }
    }

    fn checked(&self, stimuli: &Stimuli) -> Result<Vec<f32>> {
        let (x, image) = features(stimuli)?;
        if image != self.image {
            return Err(Error::input(format!("stimuli of shape {:?}", self.image), format!("{image:?}")));
        }
        Ok(x)
    }

    /// The most likely class of each stimulus.
    pub fn predict(&self, stimuli: &Stimuli) -> Result<Vec<u32>> {
        let x = self.checked(stimuli)?;
        let mut out = Vec::with_capacity(stimuli.len());
        let all: Vec<usize> = (0..stimuli.len()).collect();
        for chosen in all.chunks(256) {
            let logits = values(self.forward(&Pass::inference(&self.parameters), &x, chosen));
            out.extend(logits.chunks_exact(self.classes).map(|row| {
                let best = (0..row.len()).fold(0, |b, i| if row[i] > row[b] { i } else { b });
                best as u32
            }));
        }
        Ok(out)
    }

    /// Fraction of stimuli whose most likely class is their label.
    pub fn accuracy(&self, stimuli: &Stimuli) -> Result<f64> {
        let labels = stimuli.labels.as_ref().ok_or_else(|| Error::input("labelled stimuli", "no labels"))?;
        let right = self.predict(stimuli)?.iter().zip(labels).filter(|(a, b)| a == b).count();
        Ok(right as f64 / labels.len().max(1) as f64)
    }

    /// The activations of every hooked layer for these stimuli, input side first; steps are the stimuli.
    pub fn record(&self, stimuli: &Stimuli) -> Result<Vec<Recording>> {
        let x = self.checked(stimuli)?;
        let pass = Pass::recording(&self.parameters);
        self.forward(&pass, &x, &(0..stimuli.len()).collect::<Vec<_>>());
        let ids: Vec<String> = (0..stimuli.len()).map(|i| i.to_string()).collect();
        pass.activations().iter().map(|a| a.recording(&ids)).collect()
    }

    /// The weights.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }
}
