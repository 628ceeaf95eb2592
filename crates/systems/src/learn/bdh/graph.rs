//! The graph form ("brain" form) with explicit n x n synapses, for small n: an oracle and an illustration.
//!
//! Every neuron of a head is a particle. Fixed synapses are products of the low-rank factors: `gx = Dc E` (y excites x
//! of the next round; positive entries are the excitatory, negative ones the inhibitory circuit) and `gy = C Ev` (from
//! the read to y), and attention is an n x n synapse matrix sigma = rho E projected, which grows by Hebb's rule. Layer
//! norms act on the D-dimensional messages, as in the tensor form.

use super::model::{Sizes, rotary, turns};
use neuropil_core::{Error, Result};
use neuropil_nn::kernels::layer_norm;

/// Most neurons that the dense simulator accepts.
pub const MOST_NEURONS: usize = 512;

/// The dense simulator, one token at a time, in double precision.
pub struct Brain {
    sizes: Sizes,
    e: Vec<f64>,
    ev: Vec<f64>,
    dc: Vec<f64>,
    embed: Vec<f64>,
    head: Vec<f64>,
    /// Per round and head: sigma [N, N] such that sigma^T q is the drive of y before normalisation: the sum over past
    /// tokens of q (outer) (x Ev), i.e. the low-rank rho times Ev, held explicitly.
    sigma: Vec<Vec<f64>>,
    /// The same for the mean and square of the read, which its layer norm needs: rho (outer) 1 and the Gram rows.
    rho: Vec<Vec<f64>>,
    position: usize,
}

/// Neurons x and y of every round for one token, `[layers][n]`.
pub type Particles = Vec<(Vec<f64>, Vec<f64>)>;

impl Brain {
    /// From parameters in buffer order.
    pub fn new(sizes: Sizes, values: &[f32]) -> Result<Self> {
        if sizes.neurons > MOST_NEURONS {
            return Err(Error::resources(format!("at most {MOST_NEURONS} neurons in graph form"), sizes.neurons.to_string()));
        }
        let v = sizes.split(values);
        let wide = |x: &[f32]| x.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let (n, d) = (sizes.per_head(), sizes.width);
        let cells = sizes.layers * sizes.heads;
        Ok(Self {
            sizes,
            e: wide(v.e),
            ev: wide(v.ev),
            dc: wide(v.dc),
            embed: wide(v.embed),
            head: wide(v.head),
            sigma: vec![vec![0.0; n * n]; cells],
            rho: vec![vec![0.0; n * d]; cells],
            position: 0,
        })
    }

    /// Neuron-to-neuron synapses of one head pair: `g[i * N + j]` = sum over d of Dc[from, i, d] E[to, d, j].
    pub fn synapses(&self, from: usize, to: usize) -> Vec<f64> {
        let (n, d) = (self.sizes.per_head(), self.sizes.width);
        let mut g = vec![0.0; n * n];
        for i in 0..n {
            for c in 0..d {
                let w = self.dc[(from * n + i) * d + c];
                for j in 0..n {
                    g[i * n + j] += w * self.e[(to * d + c) * n + j];
                }
            }
        }
        g
    }

    /// Reads one token; returns the particles of every round and the logits.
    pub fn step(&mut self, token: u32) -> (Particles, Vec<f64>) {
        let Sizes { width: d, heads, layers, vocabulary, .. } = self.sizes;
        let n = self.sizes.per_head();
        let (cos, sin) = rotary::<f64>(n, self.position, 1, true);
        let norm = |x: &[f64]| {
            let (mut y, mut inverse) = (vec![0.0; x.len()], [0.0]);
            layer_norm(&mut y, &mut inverse, x, x.len());
            y
        };
        let mut message = norm(&self.embed[token as usize * d..][..d]);
        let mut rounds = Vec::with_capacity(layers);
        for l in 0..layers {
            let (mut xs, mut ys) = (vec![0.0; heads * n], vec![0.0; heads * n]);
            let mut sum = vec![0.0; d];
            for h in 0..heads {
                // (1) Threshold what arrives through the fixed synapses.
                for j in 0..n {
                    let drive: f64 = (0..d).map(|c| message[c] * self.e[(h * d + c) * n + j]).sum();
                    xs[h * n + j] = drive.max(0.0);
                }
                let x = &xs[h * n..(h + 1) * n];
                let q: Vec<f64> = (0..n)
                    .map(|i| {
                        let (a, b, j) = (x[i & !1], x[i | 1], i / 2);
                        if i % 2 == 0 { a * cos[j] - b * sin[j] } else { b * cos[j] + a * sin[j] }
                    })
                    .collect();
                // (2) Read the synapse matrix: what every y neuron gets, before the read is normalised.
                let cell = l * heads + h;
                let (sigma, rho) = (&mut self.sigma[cell], &mut self.rho[cell]);
                let mut drive = vec![0.0; n];
                let mut read = vec![0.0; d];
                for i in 0..n {
                    for j in 0..n {
                        drive[j] += q[i] * sigma[i * n + j];
                    }
                    for c in 0..d {
                        read[c] += q[i] * rho[i * d + c];
                    }
                }
                // Layer norm of the message, carried over to the drive: LN(a) Ev = (a Ev - mean(a) 1 Ev) / sd.
                let mean = read.iter().sum::<f64>() / d as f64;
                let variance = read.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / d as f64;
                for j in 0..n {
                    let ones: f64 = (0..d).map(|c| self.ev[(h * d + c) * n + j]).sum();
                    let y = (drive[j] - mean * ones) / (variance + 1e-5).sqrt();
                    ys[h * n + j] = y.max(0.0);
                    // (3) Gate, and send down the decoder.
                    let z = ys[h * n + j] * xs[h * n + j];
                    let row = &self.dc[(h * n + j) * d..(h * n + j + 1) * d];
                    for (s, w) in sum.iter_mut().zip(row) {
                        *s += z * w;
                    }
                }
                // (4) Hebb: synapses from active x to what the message would drive.
                let echo: Vec<f64> =
                    (0..n).map(|j| (0..d).map(|c| message[c] * self.ev[(h * d + c) * n + j]).sum()).collect();
                for i in 0..n {
                    for j in 0..n {
                        sigma[i * n + j] += q[i] * echo[j];
                    }
                    for c in 0..d {
                        rho[i * d + c] += q[i] * message[c];
                    }
                }
            }
            let y = norm(&sum);
            message = norm(&message.iter().zip(&y).map(|(a, b)| a + b).collect::<Vec<_>>());
            rounds.push((xs, ys));
        }
        self.position += 1;
        let logits =
            (0..vocabulary).map(|v| (0..d).map(|c| message[c] * self.head[c * vocabulary + v]).sum()).collect();
        (rounds, logits)
    }
}

/// The unrotated frame: rho' <- U (rho' + x (outer) v) with U turning every pair of rows by minus one step, so that the
/// read is rho'^T x. Equal to the rotated form by the group property of rotations. `rho` [N, d].
pub fn moving_frame_step(rho: &mut [f64], x: &[f64], v: &[f64]) -> Vec<f64> {
    let (n, d) = (x.len(), v.len());
    let mut read = vec![0.0; d];
    for (i, row) in rho.chunks_exact_mut(d).enumerate() {
        for ((a, r), &v) in read.iter_mut().zip(row).zip(v) {
            *a += x[i] * *r;
            *r += x[i] * v;
        }
    }
    for (j, pair) in rho.chunks_exact_mut(2 * d).enumerate() {
        let (s, c) = (turns(j, n) * std::f64::consts::TAU).sin_cos();
        let (a, b) = pair.split_at_mut(d);
        for (a, b) in a.iter_mut().zip(b) {
            (*a, *b) = (*a * c + *b * s, *b * c - *a * s);
        }
    }
    read
}
