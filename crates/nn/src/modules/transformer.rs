//! A GPT-2 style decoder: learned positions, pre-norm blocks, causal softmax attention, GELU.

use super::{Embedding, LayerNorm, Linear, act};
use crate::fused::{Fused, Saved, apply1};
use crate::kernels::{self, Activation, AttentionShape};
use crate::parameters::{Init, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Sizes of a Transformer.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TransformerConfig {
    /// Number of token classes.
    pub vocabulary: usize,
    /// Width of the residual stream.
    pub width: usize,
    /// Attention heads; divides the width.
    pub heads: usize,
    /// Blocks.
    pub layers: usize,
    /// Longest context in tokens.
    pub context: usize,
    /// Dropout probability after embedding, attention and feed-forward.
    pub dropout: f64,
}

impl Fused for AttentionShape {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        vec![inputs[0][0], self.steps, self.width]
    }

    fn forward(&self, x: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        kernels::attention(x[0], *self)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::attention_backward(s.gradient, s.inputs[0], s.output, s.kept, *self)]
    }
}

/// Scaled dot-product attention of `heads` heads, which divide the width: queries, keys and values side by side [batch,
/// steps, 3 width] -> [batch, steps, width]. A `causal` one lets a token see itself and those before it only.
pub fn attention(qkv: Tensor<3>, heads: usize, causal: bool) -> Tensor<3> {
    let [_, steps, width] = qkv.dims();
    apply1(AttentionShape { steps, width: width / 3, heads, causal }, qkv)
}

struct RotaryOp {
    steps: usize,
    heads: usize,
    width: usize,
    base: f64,
}

impl Fused for RotaryOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        inputs[0].to_vec()
    }

    fn forward(&self, x: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::rotary(x[0], self.steps, self.heads, self.width, self.base, false), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::rotary(s.gradient, self.steps, self.heads, self.width, self.base, true)]
    }
}

/// Rotary position code (Su et al. 2021) of queries or keys [batch, steps, heads, even head width]: pair j of the token
/// at position i is turned by the angle i base^(-2 j / width).
pub fn rotary(x: Tensor<4>, base: f64) -> Tensor<4> {
    let [_, steps, heads, width] = x.dims();
    apply1(RotaryOp { steps, heads, width, base }, x)
}

/// x + attention(norm(x)), then x + mlp(norm(x)): 12 width^2 weights.
#[derive(Debug, Clone)]
pub struct Block {
    norms: [LayerNorm; 2],
    qkv: Linear,
    mix: Linear,
    up: Linear,
    down: Linear,
    heads: usize,
    dropout: f64,
}

impl Block {
    /// A block; projections into the residual stream start smaller by sqrt(2 layers), as in GPT-2.
    pub fn new(p: &mut Parameters, name: &str, c: &TransformerConfig, stream: &mut Stream) -> Self {
        let d = c.width;
        let (init, zero) = (Init::Normal(0.02), Some(Init::Constant(0.0)));
        let residual = Init::Normal(0.02 / (2.0 * c.layers as f64).sqrt());
        let norm1 = LayerNorm::affine(p, &format!("{name}.norm1"), d, stream);
        let qkv = Linear::with(p, &format!("{name}.qkv"), [d, 3 * d], init, zero, stream);
        let mix = Linear::with(p, &format!("{name}.mix"), [d, d], residual, zero, stream);
        let norm2 = LayerNorm::affine(p, &format!("{name}.norm2"), d, stream);
        let up = Linear::with(p, &format!("{name}.up"), [d, 4 * d], init, zero, stream);
        let down = Linear::with(p, &format!("{name}.down"), [4 * d, d], residual, zero, stream);
        Self { norms: [norm1, norm2], qkv, mix, up, down, heads: c.heads, dropout: c.dropout }
    }

    /// [batch, steps, width] -> the same shape.
    pub fn forward(&self, pass: &Pass, x: Tensor<3>) -> Tensor<3> {
        let qkv = self.qkv.forward(pass, self.norms[0].forward(pass, x.clone()));
        let a = attention(qkv, self.heads, true);
        let x = x + pass.dropout(self.mix.forward(pass, a), self.dropout);
        let h = act(self.up.forward(pass, self.norms[1].forward(pass, x.clone())), Activation::Gelu);
        x + pass.dropout(self.down.forward(pass, h), self.dropout)
    }
}

/// The whole decoder.
#[derive(Debug, Clone)]
pub struct Transformer {
    /// Its sizes.
    pub config: TransformerConfig,
    tokens: Embedding,
    positions: Embedding,
    blocks: Vec<Block>,
    norm: LayerNorm,
    head: Linear,
}

impl Transformer {
    /// A network with fresh parameters.
    pub fn new(p: &mut Parameters, config: TransformerConfig, stream: &mut Stream) -> Result<Self> {
        let c = &config;
        if c.vocabulary == 0 || c.width == 0 || c.layers == 0 || c.context == 0 {
            return Err(Error::config("positive sizes", format!("{c:?}")));
        }
        if c.heads == 0 || !c.width.is_multiple_of(c.heads) {
            return Err(Error::config(format!("heads that divide width {}", c.width), c.heads.to_string())
                .at("heads"));
        }
        if !(0.0..1.0).contains(&c.dropout) {
            return Err(Error::config("a probability below 1", c.dropout.to_string()).at("dropout"));
        }
        let tokens = Embedding::new(p, "tokens", [c.vocabulary, c.width], 0.02, stream);
        let positions = Embedding::new(p, "positions", [c.context, c.width], 0.02, stream);
        let blocks = (0..c.layers).map(|l| Block::new(p, &format!("block{}", l + 1), c, stream)).collect();
        let norm = LayerNorm::affine(p, "norm", c.width, stream);
        let head = Linear::with(p, "head", [c.width, c.vocabulary], Init::Normal(0.02), None, stream);
        Ok(Self { config, tokens, positions, blocks, norm, head })
    }

    /// Token ids [batch, steps] below the vocabulary, steps within the context -> logits [batch * steps, vocabulary].
    /// Hooks `block1`, `block2`, ...
    pub fn forward(&self, pass: &Pass, tokens: &[u32], steps: usize) -> Tensor<2> {
        let batch = tokens.len() / steps.max(1);
        let places: Vec<u32> = (0..batch).flat_map(|_| 0..steps as u32).collect();
        let x = self.tokens.forward(pass, tokens, steps) + self.positions.forward(pass, &places, steps);
        let mut x = pass.dropout(x, self.config.dropout);
        for (l, block) in self.blocks.iter().enumerate() {
            x = pass.hook(&format!("block{}", l + 1), block.forward(pass, x));
        }
        let x = self.norm.forward(pass, x).reshape([batch * steps, self.config.width]);
        self.head.forward(pass, x)
    }
}
