//! The recurrent form: one matrix of synapse strengths rho [N, D] per round and head, read before it is written. Memory
//! per token is constant, and only the rows of active neurons are touched.

use super::model::{Parts, Sizes, rotary, turns};
use neuropil_core::{Array, Error, Result, Store, Stream};
use neuropil_nn::kernels::{
    self, Mat, MatMut, add_active_rows, add_assign, add_rows, gate_active, layer_norm, matmul, matmul_rows,
    read_then_write, relu, relu_rotate,
};

/// Synapse strengths and position of one text; the whole working memory of the network.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    /// rho [L, H, N, D].
    pub rho: Vec<f32>,
    /// Tokens read so far.
    pub position: usize,
}

/// What the last token did, for plots and probes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Activity {
    /// Active neurons x of every round (index over heads, value).
    pub x: Vec<Vec<(u32, f32)>>,
    /// Active products x y of every round.
    pub z: Vec<Vec<(u32, f32)>>,
}

/// A network laid out for one token at a time.
pub struct Generator {
    sizes: Sizes,
    parts: Parts,
    values: Vec<f32>,
    /// Ev transposed, [H, N, D]: a gate is one dot product per active neuron.
    ev: Vec<f32>,
    turns: Vec<f64>,
    buffers: Buffers,
}

#[derive(Default)]
struct Buffers {
    x: Vec<f32>,
    neurons: Vec<f32>,
    cos: Vec<f32>,
    sin: Vec<f32>,
    active: Vec<(u32, f32)>,
    rotated: Vec<(u32, f32)>,
    read: Vec<f32>,
    normal: Vec<f32>,
    y: Vec<f32>,
    logits: Vec<f32>,
}

impl State {
    /// No synapse, position 0.
    pub fn new(sizes: &Sizes) -> Self {
        Self { rho: vec![0.0; sizes.layers * sizes.neurons * sizes.width], position: 0 }
    }

    /// rho of one round and head, [N, D].
    pub fn synapses(&self, sizes: &Sizes, layer: usize, head: usize) -> &[f32] {
        let len = sizes.per_head() * sizes.width;
        &self.rho[(layer * sizes.heads + head) * len..][..len]
    }

    /// As arrays: `rho` [L, H, N, D] and `position`.
    pub fn to_store(&self, sizes: &Sizes) -> Result<Store> {
        let mut store = Store::new("bdh state");
        let shape = [sizes.layers, sizes.heads, sizes.per_head(), sizes.width];
        store.push("rho", Array::from_f32(&shape, &self.rho)?);
        store.push("position", Array::from_u64(&[1], &[self.position as u64])?);
        Ok(store)
    }
}

impl Generator {
    /// From parameters in buffer order.
    pub fn new(sizes: Sizes, parts: Parts, values: &[f32]) -> Self {
        let (d, n) = (sizes.width, sizes.per_head());
        let ev = sizes.split(values).ev;
        let mut transposed = vec![0.0; ev.len()];
        for h in 0..sizes.heads {
            for c in 0..d {
                for i in 0..n {
                    transposed[(h * n + i) * d + c] = ev[(h * d + c) * n + i];
                }
            }
        }
        let turns = (0..n / 2).map(|j| if parts.rope { turns(j, n) } else { 0.0 }).collect();
        Self { sizes, parts, values: values.to_vec(), ev: transposed, turns, buffers: Buffers::default() }
    }

    /// The sizes.
    pub fn sizes(&self) -> Sizes {
        self.sizes
    }

    /// Reads one token (below the vocabulary) and returns the logits \[V\] of the next. Costs the active neurons only;
    /// allocates nothing once warm.
    pub fn step(&mut self, state: &mut State, token: u32) -> &[f32] {
        self.advance(state, token, None);
        &self.buffers.logits
    }

    /// The same, and reports what was active.
    pub fn observe(&mut self, state: &mut State, token: u32) -> (Vec<f32>, Activity) {
        let mut activity = Activity::default();
        self.advance(state, token, Some(&mut activity));
        (self.buffers.logits.clone(), activity)
    }

    fn advance(&mut self, state: &mut State, token: u32, mut activity: Option<&mut Activity>) {
        let Sizes { vocabulary, width: d, heads, layers, .. } = self.sizes;
        let n = self.sizes.per_head();
        let p = self.sizes.split(&self.values[..]);
        let b = &mut self.buffers;
        b.x.resize(d, 0.0);
        b.normal.resize(d, 0.0);
        b.read.resize(d, 0.0);
        b.y.resize(d, 0.0);
        b.neurons.resize(n, 0.0);
        b.logits.resize(vocabulary, 0.0);
        b.cos.clear();
        b.sin.clear();
        for f in &self.turns {
            let (s, c) = ((state.position as f64 * f).fract() * std::f64::consts::TAU).sin_cos();
            b.cos.push(c as f32);
            b.sin.push(s as f32);
        }
        let mut inverse = [0.0];
        layer_norm(&mut b.x, &mut inverse, &p.embed[token as usize * d..(token as usize + 1) * d], d);
        for l in 0..layers {
            b.y.fill(0.0);
            let (mut seen_x, mut seen_z) = (Vec::new(), Vec::new());
            for h in 0..heads {
                let own = h * n * d..(h + 1) * n * d;
                b.neurons.fill(0.0);
                add_rows(&mut b.neurons, &b.x, &p.e[own.clone()]);
                relu(&mut b.neurons);
                b.active.clear();
                b.rotated.clear();
                for (j, v) in b.neurons.chunks_exact(2).enumerate() {
                    if v[0] > 0.0 || v[1] > 0.0 {
                        let (c, s, i) = (b.cos[j], b.sin[j], 2 * j as u32);
                        b.rotated.push((i, v[0] * c - v[1] * s));
                        b.rotated.push((i + 1, v[1] * c + v[0] * s));
                        b.active.extend((0..2).filter(|&k| v[k] > 0.0).map(|k| (i + k as u32, v[k])));
                    }
                }
                b.read.fill(0.0);
                if self.parts.memory {
                    let rho = &mut state.rho[(l * heads + h) * n * d..][..n * d];
                    read_then_write(&mut b.read, rho, &b.rotated, &b.x);
                }
                layer_norm(&mut b.normal, &mut inverse, &b.read, d);
                if activity.is_some() {
                    seen_x.extend(b.active.iter().map(|&(i, v)| (i + (h * n) as u32, v)));
                }
                if !self.parts.gate {
                    b.active.clear();
                    b.active.extend((0..n as u32).map(|i| (i, 1.0)));
                }
                gate_active(&mut b.active, &self.ev[own.clone()], &b.normal);
                add_active_rows(&mut b.y, &b.active, &p.dc[own]);
                if activity.is_some() {
                    seen_z.extend(b.active.iter().map(|&(i, v)| (i + (h * n) as u32, v)));
                }
            }
            layer_norm(&mut b.normal, &mut inverse, &b.y, d);
            add_assign(&mut b.normal, &b.x);
            layer_norm(&mut b.x, &mut inverse, &b.normal, d);
            if let Some(a) = &mut activity {
                a.x.push(seen_x);
                a.z.push(seen_z);
            }
        }
        b.logits.fill(0.0);
        add_rows(&mut b.logits, &b.x, p.head);
        state.position += 1;
    }

    /// The chunked form: reads `tokens` in chunks of `chunk`, within a chunk by the masked quadratic form, across chunks
    /// through rho. Returns the logits [tokens, V]; cost O(T (C N + N D)) per head.
    pub fn read(&self, state: &mut State, tokens: &[u32], chunk: usize) -> Vec<f32> {
        tokens.chunks(chunk.max(1)).flat_map(|c| self.read_chunk(state, c)).collect()
    }

    fn read_chunk(&self, state: &mut State, tokens: &[u32]) -> Vec<f32> {
        let Sizes { vocabulary: v, width: d, heads, layers, .. } = self.sizes;
        let (n, t) = (self.sizes.per_head(), tokens.len());
        let p = self.sizes.split(&self.values[..]);
        let (cos, sin) = rotary::<f32>(n, state.position, t, self.parts.rope);
        let mut inverse = vec![0.0; t];
        let embedded: Vec<f32> =
            tokens.iter().flat_map(|&i| p.embed[i as usize * d..(i as usize + 1) * d].iter().copied()).collect();
        let mut x = vec![0.0; t * d];
        layer_norm(&mut x, &mut inverse, &embedded, d);
        let (mut xs, mut q, mut z) = (vec![0.0; t * n], vec![0.0; t * n], vec![0.0; t * n]);
        let (mut a, mut past, mut normal) = (vec![0.0; t * d], vec![0.0; t * d], vec![0.0; t * d]);
        let mut scores = vec![0.0; t * t];
        for l in 0..layers {
            let mut y = vec![0.0; t * d];
            for h in 0..heads {
                let own = h * n * d..(h + 1) * n * d;
                matmul_rows(&mut xs, Mat::new(&x, t, d), Mat::new(&p.e[own.clone()], d, n), false);
                relu_rotate(&mut xs, &mut q, &cos, &sin);
                a.fill(0.0);
                if self.parts.memory {
                    let rho = &mut state.rho[(l * heads + h) * n * d..][..n * d];
                    let (queries, values) = (Mat::new(&q, t, n), Mat::new(&x, t, d));
                    kernels::linear_attention(MatMut::new(&mut a, t, d), &mut scores, queries, values, t);
                    matmul_rows(&mut past, queries, Mat::new(rho, n, d), false);
                    add_assign(&mut a, &past);
                    matmul_rows(rho, queries.t(), values, true);
                }
                layer_norm(&mut normal, &mut inverse, &a, d);
                matmul_rows(&mut z, Mat::new(&normal, t, d), Mat::new(&p.ev[own.clone()], d, n), false);
                relu(&mut z);
                if self.parts.gate {
                    z.iter_mut().zip(&xs).for_each(|(z, x)| *z *= x);
                }
                matmul(MatMut::new(&mut y, t, d), Mat::new(&z, t, n), Mat::new(&p.dc[own], n, d), true);
            }
            layer_norm(&mut normal, &mut inverse, &y, d);
            add_assign(&mut normal, &x);
            layer_norm(&mut x, &mut inverse, &normal, d);
        }
        let mut logits = vec![0.0; t * v];
        matmul_rows(&mut logits, Mat::new(&x, t, d), Mat::new(p.head, d, v), false);
        state.position += t;
        logits
    }

    /// Continues `prompt` by `length` tokens: softmax at `temperature` over the `top_k` likeliest (0 for all).
    /// Temperature 0 takes the likeliest. `each` sees every new token and may end the run with an error.
    pub fn generate(
        &mut self,
        state: &mut State,
        prompt: &[u32],
        length: usize,
        (temperature, top_k): (f64, usize),
        stream: &mut Stream,
        mut each: impl FnMut(usize, u32) -> Result<()>,
    ) -> Result<Vec<u32>> {
        let Some((&last, before)) = prompt.split_last() else {
            return Err(Error::input("a prompt of at least 1 token", "an empty prompt"));
        };
        if let Some(t) = prompt.iter().find(|t| **t as usize >= self.sizes.vocabulary) {
            return Err(Error::input(format!("token ids below {}", self.sizes.vocabulary), t.to_string()).at("prompt"));
        }
        self.read(state, before, 128);
        let mut token = last;
        let mut out = Vec::with_capacity(length);
        let mut candidates = Vec::with_capacity(self.sizes.vocabulary);
        for i in 0..length {
            token = sample(self.step(state, token), (temperature, top_k), &mut candidates, stream);
            out.push(token);
            each(i, token)?;
        }
        Ok(out)
    }
}

/// Draws from the softmax of the `top_k` largest logits; ties keep the smaller id.
fn sample(
    logits: &[f32],
    (temperature, top_k): (f64, usize),
    candidates: &mut Vec<(f32, u32)>,
    stream: &mut Stream,
) -> u32 {
    candidates.clear();
    candidates.extend(logits.iter().zip(0..).map(|(&l, i)| (l, i)));
    candidates.sort_unstable_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    if top_k > 0 {
        candidates.truncate(top_k);
    }
    let best = candidates.first().copied().unwrap_or_default();
    if temperature <= 0.0 {
        return best.1;
    }
    let weight = |l: f32| (f64::from(l - best.0) / temperature).exp();
    let mut rest = stream.uniform() * candidates.iter().map(|&(l, _)| weight(l)).sum::<f64>();
    for &(l, i) in candidates.iter() {
        rest -= weight(l);
        if rest < 0.0 {
            return i;
        }
    }
    best.1
}

