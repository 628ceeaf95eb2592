//! The network: sizes, parameters, and the parallel form with its hand-written backward pass.
//!
//! One sequence is one task from the embedding to the gradient of every weight; sequences are folded in order. That
//! makes all products of one task stay in cache and the bits independent of the number of threads.

use neuropil_core::{Error, Result, Stream, Streams, Weights};
use neuropil_nn::kernels::{
    self, Mat, MatMut, Real, add_assign, layer_norm, layer_norm_backward, matmul, relu_gate, relu_gate_backward,
    relu_rotate, relu_rotate_backward,
};
use neuropil_nn::{Init, Parameters};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Sizes of a network. `neurons` = n of the paper, N = n / heads per head.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sizes {
    /// Token classes V.
    pub vocabulary: usize,
    /// Width D of the low-rank messages.
    pub width: usize,
    /// Heads H.
    pub heads: usize,
    /// Neurons n in all heads.
    pub neurons: usize,
    /// Rounds L over the same weights.
    pub layers: usize,
}

/// What is left out of the network; all true is the model of the paper.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Rotary positions.
    pub rope: bool,
    /// The gate z = x y; otherwise z = y.
    pub gate: bool,
    /// The Hebbian memory; otherwise rho = 0.
    pub memory: bool,
}

impl Parts {
    /// The whole model.
    pub const ALL: Self = Self { rope: true, gate: true, memory: true };
}

impl Sizes {
    /// Neurons of one head.
    pub fn per_head(&self) -> usize {
        self.neurons / self.heads
    }

    /// Number of parameters: 3 n D + 2 V D.
    pub fn parameters(&self) -> usize {
        3 * self.neurons * self.width + 2 * self.vocabulary * self.width
    }

    /// Fails where the sizes do not make a network; RoPE needs pairs, so n is a multiple of 2 H.
    pub fn check(&self) -> Result<()> {
        if self.vocabulary == 0 || self.width == 0 || self.heads == 0 || self.neurons == 0 || self.layers == 0 {
            return Err(Error::config("positive sizes", format!("{self:?}")));
        }
        if !self.neurons.is_multiple_of(2 * self.heads) {
            let want = format!("a multiple of {} (2 x heads, for the rotary pairs)", 2 * self.heads);
            return Err(Error::config(want, self.neurons.to_string()).at("neurons"));
        }
        Ok(())
    }

    /// Fresh parameters, all N(0, 0.02^2): E and Ev [H, D, N], Dc [H N, D], embed [V, D], head [D, V].
    pub fn initial(&self, stream: &mut Stream) -> Parameters {
        let (d, h, n, v) = (self.width, self.heads, self.per_head(), self.vocabulary);
        let mut p = Parameters::default();
        for (name, shape) in
            [("E", vec![h, d, n]), ("Ev", vec![h, d, n]), ("Dc", vec![h * n, d]), ("embed", vec![v, d]), ("head", vec![d, v])]
        {
            p.add(name, &shape, Init::Normal(0.02), stream);
        }
        p
    }

    /// The sizes in a checkpoint's metadata, or as far as its shapes tell (`layers` then comes from `fallback`).
    pub fn of_weights(weights: &Weights, fallback: usize) -> Result<Self> {
        let (e, embed) = (weights.require("E")?.shape().to_vec(), weights.require("embed")?.shape().to_vec());
        let (&[h, d, n], &[v, _]) = (&e[..], &embed[..]) else {
            return Err(Error::input("E [H, D, N] and embed [V, D]", format!("E {e:?}, embed {embed:?}")));
        };
        let layers = weights.meta.get("layers").and_then(serde_json::Value::as_u64).map_or(fallback, |l| l as usize);
        let sizes = Self { vocabulary: v, width: d, heads: h, neurons: h * n, layers };
        sizes.check().map_err(|e| Error::input("a checkpoint with valid sizes", e.to_string()))?;
        Ok(sizes)
    }

    /// Parameters from a checkpoint of exactly these sizes.
    pub fn load(&self, weights: &Weights) -> Result<Parameters> {
        let mut p = self.initial(&mut Streams::new(0).stream("shape only", 0));
        p.load(weights)?;
        Ok(p)
    }

    /// A checkpoint: the five arrays and the number of layers.
    pub fn save(&self, parameters: &Parameters) -> Result<Weights> {
        let mut weights = parameters.to_weights()?;
        weights.meta.insert("model".into(), json!("bdh"));
        weights.meta.insert("layers".into(), json!(self.layers));
        Ok(weights)
    }

    pub(super) fn split<'a, T>(&self, values: &'a [T]) -> Views<'a, T> {
        let (e, rest) = values.split_at(self.neurons * self.width);
        let (ev, rest) = rest.split_at(self.neurons * self.width);
        let (dc, rest) = rest.split_at(self.neurons * self.width);
        let (embed, head) = rest.split_at(self.vocabulary * self.width);
        Views { e, ev, dc, embed, head }
    }

    fn split_mut<'a, T>(&self, values: &'a mut [T]) -> [&'a mut [T]; 5] {
        let (e, rest) = values.split_at_mut(self.neurons * self.width);
        let (ev, rest) = rest.split_at_mut(self.neurons * self.width);
        let (dc, rest) = rest.split_at_mut(self.neurons * self.width);
        let (embed, head) = rest.split_at_mut(self.vocabulary * self.width);
        [e, ev, dc, embed, head]
    }
}

/// The five parameters in the flat buffer.
#[derive(Clone, Copy)]
pub(super) struct Views<'a, T> {
    pub e: &'a [T],
    pub ev: &'a [T],
    pub dc: &'a [T],
    pub embed: &'a [T],
    pub head: &'a [T],
}

/// Turns per token of rotary pair j of `per_head` coordinates: 65536^(-2j/N) / (2 pi).
pub(super) fn turns(pair: usize, per_head: usize) -> f64 {
    65536_f64.powf(-2.0 * pair as f64 / per_head as f64) / std::f64::consts::TAU
}

/// Cosines and sines [steps, N/2] for positions `from..from + steps`; the phase is reduced in double precision so that
/// long contexts keep their angles.
pub(super) fn rotary<T: Real>(per_head: usize, from: usize, steps: usize, on: bool) -> (Vec<T>, Vec<T>) {
    let pairs = per_head / 2;
    let turns: Vec<f64> = (0..pairs).map(|j| if on { turns(j, per_head) } else { 0.0 }).collect();
    let angle = |t: usize, f: f64| (t as f64 * f).fract() * std::f64::consts::TAU;
    (from..from + steps)
        .flat_map(|t| turns.iter().map(move |&f| angle(t, f).sin_cos()))
        .map(|(s, c)| (T::of(c), T::of(s)))
        .unzip()
}

/// What the forward pass of one round keeps.
#[derive(Default)]
struct Round<T> {
    /// Input [t, D].
    x: Vec<T>,
    /// Neurons x [H, t, N], rectified.
    xs: Vec<T>,
    /// Rotated neurons [H, t, N].
    q: Vec<T>,
    /// Masked scores [H, t, t].
    scores: Vec<T>,
    /// Normalised reads [H, t, D] and reciprocal deviations [H, t].
    read: Vec<T>,
    read_inverse: Vec<T>,
    /// Neurons y [H, t, N], rectified.
    ys: Vec<T>,
    /// Gated activity after dropout [H, t, N].
    z: Vec<T>,
    /// LN(z Dc) [t, D] and its reciprocal deviations.
    y: Vec<T>,
    y_inverse: Vec<T>,
    /// Reciprocal deviations of the sum's norm; its output is the next round's x.
    inverse: Vec<T>,
}

/// Work space of one sequence, kept between steps so that nothing is allocated in the loop.
#[derive(Default)]
pub(super) struct Workspace<T> {
    rounds: Vec<Round<T>>,
    x: Vec<T>,
    first_inverse: Vec<T>,
    logits: Vec<T>,
    gradient: Vec<T>,
    dx: Vec<T>,
    dsum: Vec<T>,
    dy: Vec<T>,
    dz: Vec<T>,
    dxs: Vec<T>,
    dq: Vec<T>,
    dread: Vec<T>,
    da: Vec<T>,
    scores: Vec<T>,
}

fn sized<T: Real>(v: &mut Vec<T>, n: usize) -> &mut [T] {
    v.resize(n, T::ZERO);
    &mut v[..n]
}

/// Activity counts of one round: fractions of non-zero entries.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Sparsity {
    /// Neurons x.
    pub xs: f64,
    /// Neurons y.
    pub ys: f64,
    /// Gated products.
    pub z: f64,
}

pub(super) struct Network<'a, T> {
    pub sizes: Sizes,
    pub parts: Parts,
    pub weights: Views<'a, T>,
    pub rotary: &'a (Vec<T>, Vec<T>),
}

impl<T: Real> Network<'_, T> {
    /// Forward pass of one sequence; leaves logits [t, V] in the work space. `dropout` = (probability, stream).
    pub fn forward(&self, w: &mut Workspace<T>, tokens: &[u32], dropout: Option<(f64, Stream)>) {
        let Sizes { vocabulary: v, width: d, heads, layers, .. } = self.sizes;
        let (n, t) = (self.sizes.per_head(), tokens.len());
        let p = &self.weights;
        let (cos, sin) = (&self.rotary.0[..t * n / 2], &self.rotary.1[..t * n / 2]);
        let mut masks = dropout;
        w.rounds.resize_with(layers, Round::default);
        let embedded: Vec<T> =
            tokens.iter().flat_map(|&i| p.embed[i as usize * d..(i as usize + 1) * d].iter().copied()).collect();
        layer_norm(sized(&mut w.x, t * d), sized(&mut w.first_inverse, t), &embedded, d);
        for r in &mut w.rounds {
            sized(&mut r.x, t * d).copy_from_slice(&w.x);
            let x = Mat::new(&r.x, t, d);
            let sizes = (heads * t * n, heads * t * d);
            let (xs, q, ys, z) =
                (sized(&mut r.xs, sizes.0), sized(&mut r.q, sizes.0), sized(&mut r.ys, sizes.0), sized(&mut r.z, sizes.0));
            let (scores, read, inverse) =
                (sized(&mut r.scores, heads * t * t), sized(&mut r.read, sizes.1), sized(&mut r.read_inverse, heads * t));
            let product = sized(&mut w.dy, t * d);
            for h in 0..heads {
                let own = h * t * n..(h + 1) * t * n;
                let (xs, q, ys, z) = (&mut xs[own.clone()], &mut q[own.clone()], &mut ys[own.clone()], &mut z[own]);
                matmul(MatMut::new(xs, t, n), x, Mat::new(&p.e[h * d * n..], d, n), false);
                relu_rotate(xs, q, cos, sin);
                let a = sized(&mut w.da, t * d);
                if self.parts.memory {
                    let scores = &mut scores[h * t * t..(h + 1) * t * t];
                    kernels::linear_attention(MatMut::new(a, t, d), scores, Mat::new(q, t, n), x, t);
                } else {
                    a.fill(T::ZERO);
                }
                let read = &mut read[h * t * d..(h + 1) * t * d];
                layer_norm(read, &mut inverse[h * t..(h + 1) * t], a, d);
                matmul(MatMut::new(ys, t, n), Mat::new(read, t, d), Mat::new(&p.ev[h * d * n..], d, n), false);
                relu_gate(ys, z, xs);
                if !self.parts.gate {
                    z.copy_from_slice(ys);
                }
                if let Some((p, stream)) = &mut masks {
                    // Only what is active needs a draw.
                    let keep = T::of(1.0 / (1.0 - *p));
                    for v in z.iter_mut().filter(|v| **v != T::ZERO) {
                        *v = if stream.bernoulli(*p) { T::ZERO } else { *v * keep };
                    }
                }
                matmul(MatMut::new(product, t, d), Mat::new(z, t, n), Mat::new(&p.dc[h * n * d..], n, d), h > 0);
            }
            layer_norm(sized(&mut r.y, t * d), sized(&mut r.y_inverse, t), product, d);
            product.copy_from_slice(&r.y);
            add_assign(product, &r.x);
            layer_norm(&mut w.x, sized(&mut r.inverse, t), product, d);
        }
        matmul(MatMut::new(sized(&mut w.logits, t * v), t, v), Mat::new(&w.x, t, d), Mat::new(p.head, d, v), false);
    }

    /// Fractions of active entries per round of the last forward pass.
    pub fn sparsity(w: &Workspace<T>) -> Vec<Sparsity> {
        let active = |v: &[T]| v.iter().filter(|x| **x != T::ZERO).count() as f64 / v.len().max(1) as f64;
        w.rounds.iter().map(|r| Sparsity { xs: active(&r.xs), ys: active(&r.ys), z: active(&r.z) }).collect()
    }

    /// Backward pass after `forward`: logits become the gradient of `scale` x (sum of the cross-entropies), the gradient
    /// of every parameter is added to the work space's buffer. Returns the sum of the losses in nats.
    fn backward(&self, w: &mut Workspace<T>, tokens: &[u32], targets: &[u32], scale: T, keep: T) -> f64 {
        let Sizes { vocabulary: v, width: d, heads, .. } = self.sizes;
        let (n, t) = (self.sizes.per_head(), tokens.len());
        let p = &self.weights;
        let (cos, sin) = (&self.rotary.0[..t * n / 2], &self.rotary.1[..t * n / 2]);
        let mut loss = 0.0;
        for (row, &target) in w.logits.chunks_exact_mut(v).zip(targets) {
            let z = row[target as usize];
            loss += (kernels::softmax_row(row) - z).wide();
            row[target as usize] -= T::ONE;
            kernels::scale(row, scale);
        }
        let gradient = sized(&mut w.gradient, self.sizes.parameters());
        let [de, dev, ddc, dembed, dhead] = self.sizes.split_mut(gradient);
        matmul(MatMut::new(dhead, d, v), Mat::new(&w.x, t, d).t(), Mat::new(&w.logits, t, v), true);
        let dx = sized(&mut w.dx, t * d);
        matmul(MatMut::new(dx, t, d), Mat::new(&w.logits, t, v), Mat::new(p.head, d, v).t(), false);
        // Output of the current round's last norm.
        let mut output = w.x.clone();
        for r in w.rounds.iter().rev() {
            let dsum = sized(&mut w.dsum, t * d);
            dsum.fill(T::ZERO);
            layer_norm_backward(dsum, dx, &output, &r.inverse, d);
            let dy = sized(&mut w.dy, t * d);
            dy.fill(T::ZERO);
            layer_norm_backward(dy, dsum, &r.y, &r.y_inverse, d);
            dx.copy_from_slice(dsum);
            let x = Mat::new(&r.x, t, d);
            for h in 0..heads {
                let own = h * t * n..(h + 1) * t * n;
                let part = h * d * n..(h + 1) * d * n;
                let (xs, q, ys, z) = (&r.xs[own.clone()], &r.q[own.clone()], &r.ys[own.clone()], &r.z[own]);
                let read = &r.read[h * t * d..(h + 1) * t * d];
                let (dz, dxs, dq) =
                    (sized(&mut w.dz, t * n), sized(&mut w.dxs, t * n), sized(&mut w.dq, t * n));
                let dyd = Mat::new(dy, t, d);
                matmul(MatMut::new(&mut ddc[part.clone()], n, d), Mat::new(z, t, n).t(), dyd, true);
                matmul(MatMut::new(dz, t, n), dyd, Mat::new(&p.dc[part.clone()], n, d).t(), false);
                if keep != T::ONE {
                    // A product that dropout removed is zero although both factors are active.
                    for ((g, &z), (&x, &y)) in dz.iter_mut().zip(z).zip(xs.iter().zip(ys)) {
                        let open = if self.parts.gate { x * y } else { y } != T::ZERO;
                        *g = if open && z == T::ZERO { T::ZERO } else { *g * keep };
                    }
                }
                if self.parts.gate {
                    relu_gate_backward(dz, dxs, xs, ys);
                } else {
                    kernels::relu_backward(dz, ys);
                    dxs.fill(T::ZERO);
                }
                let du = Mat::new(dz, t, n);
                matmul(MatMut::new(&mut dev[part.clone()], d, n), Mat::new(read, t, d).t(), du, true);
                if self.parts.memory {
                    let dread = sized(&mut w.dread, t * d);
                    matmul(MatMut::new(dread, t, d), du, Mat::new(&p.ev[part.clone()], d, n).t(), false);
                    let da = sized(&mut w.da, t * d);
                    da.fill(T::ZERO);
                    layer_norm_backward(da, dread, read, &r.read_inverse[h * t..(h + 1) * t], d);
                    kernels::linear_attention_backward(
                        dq,
                        dx,
                        sized(&mut w.scores, t * t),
                        &r.scores[h * t * t..(h + 1) * t * t],
                        (Mat::new(da, t, d), Mat::new(q, t, n), x),
                        (t, n, d),
                    );
                } else {
                    dq.fill(T::ZERO);
                }
                relu_rotate_backward(dxs, dq, xs, cos, sin);
                let dpre = Mat::new(dxs, t, n);
                matmul(MatMut::new(&mut de[part.clone()], d, n), x.t(), dpre, true);
                matmul(MatMut::new(dx, t, d), dpre, Mat::new(&p.e[part], d, n).t(), true);
            }
            output.copy_from_slice(&r.x);
        }
        // `output` is now the normalised embedding.
        let dsum = sized(&mut w.dsum, t * d);
        dsum.fill(T::ZERO);
        layer_norm_backward(dsum, dx, &output, &w.first_inverse, d);
        for (&token, row) in tokens.iter().zip(dsum.chunks_exact(d)) {
            add_assign(&mut dembed[token as usize * d..(token as usize + 1) * d], row);
        }
        loss
    }
}

/// Sequences whose gradients are held at a time; fixed, so that memory and the order of sums are.
const GROUP: usize = 8;

/// Mean loss and its gradient over a batch, with work space that is reused between steps.
pub struct Learner<T = f32> {
    sizes: Sizes,
    parts: Parts,
    rotary: (Vec<T>, Vec<T>),
    context: usize,
    workspaces: Vec<Workspace<T>>,
}

impl<T: Real> Learner<T> {
    /// For sequences of up to `context` tokens.
    pub fn new(sizes: Sizes, parts: Parts, context: usize) -> Self {
        let rotary = rotary(sizes.per_head(), 0, context, parts.rope);
        Self { sizes, parts, rotary, context, workspaces: Vec::new() }
    }

    fn network<'a>(&'a self, values: &'a [T]) -> Network<'a, T> {
        Network { sizes: self.sizes, parts: self.parts, weights: self.sizes.split(values), rotary: &self.rotary }
    }

    /// `tokens` and `targets` [batch, context] below the vocabulary. `dropout` = (probability, streams, step).
    pub fn gradient(
        &mut self,
        values: &[T],
        tokens: &[u32],
        targets: &[u32],
        dropout: Option<(f64, Streams, u64)>,
    ) -> (f64, Vec<T>) {
        let t = self.context.min(tokens.len()).max(1);
        let scale = T::of(1.0 / tokens.len().max(1) as f64);
        let keep = dropout.map_or(T::ONE, |(p, ..)| T::of(1.0 / (1.0 - p)));
        let mut workspaces = std::mem::take(&mut self.workspaces);
        workspaces.resize_with(GROUP.min(tokens.len() / t), Workspace::default);
        let mut total = vec![T::ZERO; self.sizes.parameters()];
        let mut loss = 0.0;
        let network = self.network(values);
        for (g, (tokens, targets)) in tokens.chunks(GROUP * t).zip(targets.chunks(GROUP * t)).enumerate() {
            let losses: Vec<f64> = workspaces
                .par_iter_mut()
                .zip(tokens.par_chunks_exact(t).zip(targets.par_chunks_exact(t)))
                .enumerate()
                .map(|(i, (w, (x, y)))| {
                    w.gradient.clear();
                    let mask = dropout.map(|(p, streams, step)| {
                        let index = step * 65_536 + (g * GROUP + i) as u64;
                        (p, streams.stream("bdh dropout", index))
                    });
                    network.forward(w, x, mask);
                    network.backward(w, x, y, scale, keep)
                })
                .collect();
            loss += losses.iter().sum::<f64>();
            // Fixed column ranges, each summed over the sequences in order.
            let parts = &workspaces[..losses.len()];
            total.par_chunks_mut(1 << 14).enumerate().for_each(|(c, out)| {
                for w in parts {
                    add_assign(out, &w.gradient[c << 14..(c << 14) + out.len()]);
                }
            });
        }
        self.workspaces = workspaces;
        (loss / tokens.len().max(1) as f64, total)
    }

    /// Loss of every token [batch, context] in nats and the mean sparsity per round; nothing is changed.
    pub fn evaluate(&self, values: &[T], tokens: &[u32], targets: &[u32]) -> (Vec<f64>, Vec<Sparsity>) {
        let t = self.context.min(tokens.len()).max(1);
        let network = self.network(values);
        let results: Vec<(Vec<f64>, Vec<Sparsity>)> = tokens
            .par_chunks_exact(t)
            .zip(targets.par_chunks_exact(t))
            .map_init(Workspace::default, |w, (x, y)| {
                network.forward(w, x, None);
                let sparsity = Network::sparsity(w);
                let rows = w.logits.chunks_exact_mut(self.sizes.vocabulary).zip(y);
                let losses = rows
                    .map(|(row, &target)| {
                        let z = row[target as usize];
                        (kernels::softmax_row(row) - z).wide()
                    })
                    .collect();
                (losses, sparsity)
            })
            .collect();
        let mut mean = vec![Sparsity::default(); self.sizes.layers];
        let count = results.len().max(1) as f64;
        for (_, s) in &results {
            for (m, s) in mean.iter_mut().zip(s) {
                m.xs += s.xs / count;
                m.ys += s.ys / count;
                m.z += s.z / count;
            }
        }
        (results.into_iter().flat_map(|(l, _)| l).collect(), mean)
    }

    /// Logits [t, V] of one sequence by the parallel form.
    pub fn logits(&self, values: &[T], tokens: &[u32]) -> Vec<T> {
        let mut w = Workspace::default();
        self.network(values).forward(&mut w, tokens, None);
        w.logits
    }

    /// Neurons x and y of every round of one sequence: \[layers\] of ([H, t, N], [H, t, N]).
    pub fn neurons(&self, values: &[T], tokens: &[u32]) -> Vec<(Vec<T>, Vec<T>)> {
        let mut w = Workspace::default();
        self.network(values).forward(&mut w, tokens, None);
        w.rounds.into_iter().map(|r| (r.xs, r.ys)).collect()
    }
}
