//! Two populations of which it is known which units correspond: copies, sums and strangers.
//!
//! A latent vector s has independent entries, 0 with probability 0.8, otherwise exponential with mean 1. A unit of the first
//! population is ReLU(a s + 0.05 noise), a with 1 to 3 entries uniform in 0.5 to 1.5. The second population has 40 % copies
//! (another unit of the first each, with a gain uniform in 0.5 to 2), 40 % sums of 2 to 4 units of the first, and 20 % units
//! of a latent vector of its own, all with noise 0.1, in a random order.

use super::samples::{Blocks, Layer, Population};
use neuropil_core::{Result, Stream, Streams};
use neuropil_math::sums;

/// Entries of the latent vector.
const LATENT: usize = 40;

/// What a unit of the second population is.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// A copy of this unit of the first population.
    Copy(usize),
    /// The sum of these.
    Sum(Vec<usize>),
    /// Unrelated to the first population.
    Stranger,
}

/// How much to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synthetic {
    /// Units per population.
    pub units: usize,
    /// Samples, independent of each other.
    pub samples: usize,
}

impl Synthetic {
    /// The two populations and what each unit of the second is.
    pub fn draw(self, held_out: f64, streams: Streams) -> Result<(Layer, Vec<Kind>)> {
        let n = self.units;
        let mut stream = streams.stream("synthetic wiring", 0);
        let first = wiring(n, &mut stream);
        let share = |f: f64| (f * n as f64).round() as usize;
        let (copies, summed) = (share(0.4), share(0.4));
        let copied = stream.permutation(n);
        let mut kinds: Vec<Kind> = copied[..copies].iter().map(|&i| Kind::Copy(i)).collect();
        let sum = |s: &mut Stream| {
            let k = 2 + s.below(3);
            Kind::Sum(s.choose(n, k))
        };
        kinds.extend((0..summed).map(|_| sum(&mut stream)));
        kinds.resize(n, Kind::Stranger);
        stream.shuffle(&mut kinds);
        let gains: Vec<f64> = (0..n).map(|_| stream.uniform_in(0.5, 2.0)).collect();
        let strange = wiring(n, &mut stream);
        let rows = sums::map(self.samples, |t| {
            let mut s = streams.stream("synthetic sample", t as u64);
            let (own, other) = (latent(&mut s), latent(&mut s));
            let a: Vec<f64> = first.iter().map(|w| (project(w, &own) + 0.05 * s.normal()).max(0.0)).collect();
            let b = kinds.iter().enumerate().map(|(j, kind)| {
                let signal = match kind {
                    Kind::Copy(i) => gains[j] * a[*i],
                    Kind::Sum(parts) => parts.iter().map(|&i| a[i]).sum(),
                    Kind::Stranger => project(&strange[j], &other),
                };
                (signal + 0.1 * s.normal()).max(0.0) as f32
            });
            let b: Vec<f32> = b.collect();
            (a.into_iter().map(|v| v as f32).collect::<Vec<_>>(), b)
        });
        let (a, b): (Vec<_>, Vec<_>) = rows.into_iter().unzip();
        let names = || (0..n).map(|i| i.to_string()).collect::<Vec<_>>();
        let populations =
            vec![Population::new("net1", names(), a.concat())?, Population::new("net2", names(), b.concat())?];
        let mut split = streams.stream("synthetic split", 0);
        let blocks = Blocks::split((0..self.samples).collect(), held_out, &mut split)?;
        Ok((Layer::new("synthetic", populations, blocks, 1e-8)?, kinds))
    }
}

type Weights = Vec<(usize, f64)>;

fn wiring(n: usize, stream: &mut Stream) -> Vec<Weights> {
    (0..n)
        .map(|_| {
            let k = 1 + stream.below(3);
            stream.choose(LATENT, k).into_iter().map(|l| (l, stream.uniform_in(0.5, 1.5))).collect()
        })
        .collect()
}

fn latent(stream: &mut Stream) -> Vec<f64> {
    (0..LATENT).map(|_| if stream.bernoulli(0.2) { stream.exponential() } else { 0.0 }).collect()
}

fn project(weights: &Weights, latent: &[f64]) -> f64 {
    weights.iter().map(|(l, w)| w * latent[*l]).sum()
}
