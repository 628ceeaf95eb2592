//! GRU and LSTM layers over whole sequences.

use crate::fused::{Fused, Saved, apply5};
use crate::kernels::{self, Cell, CellShape};
use crate::parameters::{Init, ParameterId, Parameters};
use crate::pass::Pass;
use burn::tensor::Tensor;
use neuropil_core::Stream;

/// One recurrent layer from a zero state; uniform +-1/sqrt(hidden) start, gate order as in PyTorch.
#[derive(Debug, Clone)]
pub struct Recurrent {
    weights: [ParameterId; 2],
    biases: [ParameterId; 2],
    cell: Cell,
    input: usize,
    hidden: usize,
}

impl Fused for CellShape {
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize> {
        vec![inputs[0][0], self.steps, self.hidden]
    }

    fn forward(&self, x: &[&[f32]]) -> (Vec<f32>, Vec<f32>) {
        kernels::recurrent(x[0], [x[1], x[2], x[3], x[4]], *self)
    }

    fn backward(&self, s: Saved, _: &[bool]) -> Vec<Vec<f32>> {
        let x = s.inputs;
        kernels::recurrent_backward(s.gradient, x[0], s.output, s.kept, [x[1], x[2], x[3], x[4]], *self)
            .into()
    }
}

impl Recurrent {
    /// A layer of `hidden` units.
    pub fn new(
        p: &mut Parameters,
        name: &str,
        cell: Cell,
        [input, hidden]: [usize; 2],
        stream: &mut Stream,
    ) -> Self {
        let gates = cell.gates() * hidden;
        let mut add = |part: &str, shape: &[usize]| {
            p.add(format!("{name}.{part}"), shape, Init::fan_in(hidden), stream)
        };
        let weights = [add("weight_ih", &[input, gates]), add("weight_hh", &[hidden, gates])];
        let biases = [add("bias_ih", &[gates]), add("bias_hh", &[gates])];
        Self { weights, biases, cell, input, hidden }
    }

    /// [batch, steps, input] -> hidden states [batch, steps, hidden].
    pub fn forward(&self, pass: &Pass, x: Tensor<3>) -> Tensor<3> {
        let op = CellShape { cell: self.cell, steps: x.dims()[1], input: self.input, hidden: self.hidden };
        apply5(op, x, self.weights.map(|w| pass.parameter(w)), self.biases.map(|b| pass.parameter(b)))
    }
}
