//! Networks that differ in their initial weights, their order of images and their augmentation, and their activations at
//! random positions.

use super::config::{ConvergentLearning, Dataset};
use super::samples::Population;
use neuropil_core::{DType, Error, Result, Stimuli, Stream, Streams};
use neuropil_data::embedded::{self, Split};
use neuropil_data::known;
use neuropil_experiment::Run;
use neuropil_nn::kernels::{ConvShape, PoolShape};
use neuropil_nn::modules::{Conv, Linear, average_pool, cross_entropy, max_pool};
use neuropil_nn::optim::{Rule, Schedule};
use neuropil_nn::pass::values;
use neuropil_nn::train::Batches;
use neuropil_nn::{Init, Parameters, Pass, Training};
use serde::{Deserialize, Serialize};

/// Channels of the four convolutions.
pub const CHANNELS: [usize; 4] = [32, 64, 64, 64];
/// Images that are evaluated at a time.
const AT_ONCE: usize = 64;
/// Pixels by which an image is shifted at most.
const SHIFT: usize = 2;

/// Images [n, channels, height, width] with their labels.
#[derive(Debug, Clone)]
pub struct Images {
    pixels: Vec<f32>,
    labels: Vec<u32>,
    /// Channels, height, width.
    pub shape: [usize; 3],
    classes: usize,
}

impl Images {
    /// At most `count` images of one part of a set, scaled to a standard deviation of about 1, for which He's initial
    /// weights are made. The background of MNIST stays 0, so that padding looks like it; CIFAR-10 is centred.
    pub fn load(dataset: Dataset, split: Split, count: usize) -> Result<Self> {
        let stimuli: Stimuli = match dataset {
            Dataset::Mnist => embedded::mnist(split)?,
            Dataset::Cifar10 => known::load("cifar-10", split)?,
        };
        let n = count.min(stimuli.len());
        let chosen = stimuli.select(&(0..n).collect::<Vec<_>>())?;
        let [_, c, h, w] = *chosen.values.shape() else {
            return Err(Error::Internal(format!("images of shape {:?}", chosen.values.shape())));
        };
        let unit = if chosen.values.dtype() == DType::U8 { 255.0 } else { 1.0 };
        // Mean and standard deviation of all pixels of the training images.
        let (mean, sd) = match dataset {
            Dataset::Mnist => (0.0, 0.3081),
            Dataset::Cifar10 => (0.4734, 0.2516),
        };
        let pixels = chosen.values.to_f32().iter().map(|v| (v / unit - mean) / sd).collect();
        let labels = chosen.labels.ok_or_else(|| Error::Internal("images without labels".into()))?;
        Ok(Self { pixels, labels, shape: [c, h, w], classes: stimuli.classes.len() })
    }

    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True without images.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    fn batch(&self, chosen: &[usize]) -> Vec<f32> {
        let n = self.shape.iter().product::<usize>();
        chosen.iter().flat_map(|&i| self.pixels[i * n..(i + 1) * n].iter().copied()).collect()
    }

    /// The images shifted by up to two pixels each way and, where asked, mirrored; what enters from outside is 0.
    fn augmented(&self, chosen: &[usize], mirror: bool, stream: &mut Stream) -> Vec<f32> {
        let [c, h, w] = self.shape;
        let mut out = vec![0.0; chosen.len() * c * h * w];
        for (image, &i) in out.chunks_exact_mut(c * h * w).zip(chosen) {
            let (down, right) = (stream.below(2 * SHIFT + 1), stream.below(2 * SHIFT + 1));
            let mirrored = mirror && stream.bernoulli(0.5);
            let from = &self.pixels[i * c * h * w..(i + 1) * c * h * w];
            for (k, v) in image.iter_mut().enumerate() {
                let (plane, y, x) = (k / (h * w), k / w % h + down, k % w + right);
                let x = if mirrored { w + 2 * SHIFT - 1 - x } else { x };
                // Coordinates count from `SHIFT` pixels outside of the image.
                if (SHIFT..h + SHIFT).contains(&y) && (SHIFT..w + SHIFT).contains(&x) {
                    *v = from[(plane * h + y - SHIFT) * w + x - SHIFT];
                }
            }
        }
        out
    }
}

/// Convolution 5x5 of 32, pooling, 3x3 of 64, pooling, 3x3 of 64 twice, all rectified; mean over space; a linear readout.
pub struct Network {
    convs: Vec<(Conv, Option<PoolShape>)>,
    sizes: Vec<usize>,
    mean: PoolShape,
    output: Linear,
    shape: [usize; 3],
    /// The weights; He initialisation until they are trained.
    pub parameters: Parameters,
}

impl Network {
    /// An untrained network.
    pub fn new(shape: [usize; 3], classes: usize, init: &mut Stream) -> Result<Self> {
        let mut parameters = Parameters::default();
        let [mut channels, mut h, mut w] = shape;
        let (mut convs, mut sizes) = (Vec::new(), Vec::new());
        for (k, &out) in CHANNELS.iter().enumerate() {
            let kernel = if k == 0 { 5 } else { 3 };
            let conv = ConvShape::square([channels, out], [h, w], kernel, 1, kernel / 2);
            let layer = Conv::new(&mut parameters, &format!("conv{}", k + 1), conv, 2, init)?;
            sizes.push(h * w);
            let pool = (k < 2).then(|| PoolShape::even([1, h, w], 2, 2));
            if let Some(p) = &pool {
                [_, h, w] = p.out();
            }
            convs.push((layer, pool));
            channels = out;
        }
        let mean = PoolShape { size: [1, h, w], kernel: [1, h, w], stride: [1, h, w], padding: [0; 3] };
        let start = Init::he(channels);
        let output = Linear::with(
            &mut parameters,
            "output",
            [channels, classes],
            start,
            Some(Init::Constant(0.0)),
            init,
        );
        Ok(Self { convs, sizes, mean, output, shape, parameters })
    }

    /// Images [n, channels, height, width] to logits [n, classes]; hooks `conv1` to `conv4` see the rectified channels.
    pub fn forward(&self, pass: &Pass, pixels: Vec<f32>) -> neuropil_nn::Matrix {
        let [c, h, w] = self.shape;
        let n = pixels.len() / (c * h * w);
        let mut x = pass.input(pixels, [n, c, h, w]);
        for (k, (conv, pool)) in self.convs.iter().enumerate() {
            x = pass.hook(&format!("conv{}", k + 1), conv.rectified(pass, x));
            if let Some(p) = pool {
                x = max_pool(x, *p);
            }
        }
        let features = self.output.input;
        self.output.forward(pass, average_pool(x, self.mean).reshape([n, features]))
    }
}

/// Everything that a training in progress is.
#[derive(Serialize, Deserialize)]
struct State {
    training: Training,
    batches: Batches,
    augmentation: Stream,
}

/// The streams of network `k`: initial weights, order of images and augmentation are its own.
fn streams_of(run: &Run, k: usize) -> Streams {
    run.streams().replicate(k as u64 + 1)
}

/// An untrained network with the initial law of the trained ones.
pub fn untrained(run: &Run, k: usize, images: &Images) -> Result<Network> {
    Network::new(images.shape, images.classes, &mut streams_of(run, k).stream("initial weights", 0))
}

/// Trains network `k` in a stage of its own: Adam, a cosine to 1 % of the rate.
pub fn trained(config: &ConvergentLearning, run: &mut Run, k: usize, images: &Images) -> Result<Network> {
    let mut network = untrained(run, k, images)?;
    let streams = streams_of(run, k);
    network.parameters = run.stage(&format!("network {}", k + 1), |run| {
        let batches = Batches::new(images.len(), config.batch, streams.stream("order of images", 0));
        let steps = config.epochs * batches.per_epoch();
        let schedule = Schedule::cosine(config.rate, 0, steps, 0.01);
        let mut state = match run.restore("training") {
            Some(bytes) => postcard::from_bytes(&bytes).map_err(|e| Error::Internal(e.to_string()))?,
            None => State {
                training: Training::new(
                    network.parameters.clone(),
                    Rule::adamw(0.0),
                    schedule,
                    f64::INFINITY,
                    streams.stream("dropout", 0),
                ),
                batches,
                augmentation: streams.stream("augmentation", 0),
            },
        };
        let bar = run.progress(&format!("network {}", k + 1), steps as u64);
        bar.set(state.training.step as u64);
        while state.training.step < steps {
            let chosen = state.batches.next_batch();
            let mirror = config.dataset == Dataset::Cifar10;
            let pixels = images.augmented(&chosen, mirror, &mut state.augmentation);
            let targets: Vec<u32> = chosen.iter().map(|&i| images.labels[i]).collect();
            let loss = state
                .training
                .step(|pass| Ok(cross_entropy(network.forward(pass, pixels), &targets, None)))?;
            bar.inc(1);
            if state.training.step.is_multiple_of(10) || state.training.step == steps {
                run.log(&format!("network {}", k + 1), state.training.step as u64, &[("loss", f64::from(loss))]);
            }
            run.checkpoint("training", || postcard::to_allocvec(&state).unwrap_or_default())?;
        }
        Ok(state.training.parameters)
    })?;
    Ok(network)
}

/// Positions that are sampled in each image: random, different ones for each layer, the same for all networks.
pub struct Positions {
    /// Per layer, image-major.
    of: Vec<Vec<usize>>,
    per_image: usize,
}

impl Positions {
    /// `per_image` positions in each of `images` images and each layer of `network`; fewer where a layer has fewer.
    pub fn draw(network: &Network, images: usize, per_image: usize, streams: Streams) -> Self {
        let most = network.sizes.iter().copied().min().unwrap_or(1);
        let per_image = per_image.min(most);
        let of = network.sizes.iter().enumerate().map(|(layer, &size)| {
            let mut stream = streams.stream("positions", layer as u64);
            (0..images).flat_map(|_| stream.choose(size, per_image)).collect()
        });
        Self { of: of.collect(), per_image }
    }

    /// Image of each sample.
    pub fn images(&self) -> Vec<usize> {
        (0..self.of.first().map_or(0, Vec::len)).map(|s| s / self.per_image).collect()
    }
}

/// Activations at the sampled positions, one population a layer, and the accuracy. Images go through a few at a time; whole
/// maps are never kept.
pub fn sampled(name: &str, network: &Network, images: &Images, positions: &Positions) -> Result<(Vec<Population>, f64)> {
    let mut kept: Vec<Vec<f32>> =
        CHANNELS.iter().zip(&positions.of).map(|(c, p)| Vec::with_capacity(c * p.len())).collect();
    let mut right = 0;
    let all: Vec<usize> = (0..images.len()).collect();
    for chosen in all.chunks(AT_ONCE) {
        let pass = Pass::recording(&network.parameters);
        let logits = values(network.forward(&pass, images.batch(chosen)));
        for (row, &i) in logits.chunks_exact(images.classes).zip(chosen) {
            let best = (0..row.len()).fold(0, |b, k| if row[k] > row[b] { k } else { b });
            right += usize::from(best == images.labels[i] as usize);
        }
        for (layer, activation) in pass.activations().iter().enumerate() {
            let size = network.sizes[layer];
            for (map, &i) in activation.values.chunks_exact(activation.units).zip(chosen) {
                let own = &positions.of[layer][i * positions.per_image..(i + 1) * positions.per_image];
                for &p in own {
                    kept[layer].extend((0..CHANNELS[layer]).map(|c| map[c * size + p]));
                }
            }
        }
    }
    let populations = kept
        .into_iter()
        .zip(CHANNELS)
        .map(|(values, c)| Population::new(name, (0..c).map(|u| u.to_string()).collect(), values))
        .collect::<Result<_>>()?;
    Ok((populations, right as f64 / images.len().max(1) as f64))
}

/// The filters of the first convolution, one per channel: input channels x height x width.
pub fn first_filters(network: &Network) -> Vec<Vec<f32>> {
    let entries = network.parameters.entries();
    let Some(e) = entries.first() else { return Vec::new() };
    let size = e.shape[1..].iter().product::<usize>().max(1);
    network.parameters.values()[e.offset..e.offset + e.len].chunks_exact(size).map(<[f32]>::to_vec).collect()
}
