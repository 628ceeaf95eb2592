//! Pooling layers.

use crate::fused::{Fused, Saved, apply1};
use crate::kernels::{self, PoolShape};
use burn::tensor::Tensor;

struct MaxPoolOp(PoolShape);
struct AveragePoolOp(PoolShape);

fn pooled(s: &PoolShape, input: &[usize]) -> Vec<usize> {
    let axes = input.len() - 2;
    [&input[..2], &s.out()[3 - axes..]].concat()
}

impl Fused for MaxPoolOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        pooled(&self.0, inputs[0])
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        let (out, chosen) = kernels::max_pool(inputs[0], self.0);
        // Kept as bits: what the backward pass is given back are floats.
        (out, chosen.into_iter().map(f32::from_bits).collect())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let chosen: Vec<u32> = s.kept.iter().map(|v| v.to_bits()).collect();
        vec![kernels::max_pool_backward(s.gradient, &chosen, self.0)]
    }
}

impl Fused for AveragePoolOp {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        pooled(&self.0, inputs[0])
    }

    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        (kernels::average_pool(inputs[0], self.0), Vec::new())
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        vec![kernels::average_pool_backward(s.gradient, self.0)]
    }
}

/// Largest value of every window of [n, channels, axes ...]; the size of the shape must be that of the axes.
pub fn max_pool<const D: usize>(x: Tensor<D>, shape: PoolShape) -> Tensor<D> {
    apply1(MaxPoolOp(shape), x)
}

/// Mean of every window of [n, channels, axes ...]; padding does not count.
pub fn average_pool<const D: usize>(x: Tensor<D>, shape: PoolShape) -> Tensor<D> {
    apply1(AveragePoolOp(shape), x)
}
