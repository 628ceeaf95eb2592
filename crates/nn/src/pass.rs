//! One evaluation of a network: its parameters as tensors, its random masks, its recorded activations.

use crate::kernels;
use crate::parameters::{ParameterId, Parameters};
use burn::tensor::{Device, Tensor, TensorData};
use neuropil_core::{ActivityKind, Error, Recording, Result, Sampling, Stream, Unit};
use std::cell::RefCell;

/// Activations of one hook: rows are samples, columns units.
#[derive(Debug, Clone, PartialEq)]
pub struct Activation {
    /// Name of the place.
    pub name: String,
    /// Units per sample.
    pub units: usize,
    /// Row-major [samples, units].
    pub values: Vec<f32>,
}

impl Activation {
    /// As a recording of these samples, one unit a column.
    pub fn recording(&self, samples: &[String]) -> Result<Recording> {
        let n = self.values.len() / self.units.max(1);
        let mut activity = vec![0.0; self.values.len()];
        for (i, row) in self.values.chunks_exact(self.units.max(1)).enumerate() {
            for (u, &v) in row.iter().enumerate() {
                activity[u * n + i] = v;
            }
        }
        let unit = |u| Unit { area: Some(self.name.clone()), ..Unit::named(format!("{}.{u}", self.name)) };
        let units = (0..self.units).map(unit).collect();
        Recording::new(ActivityKind::Activation, Sampling::Samples(samples.to_vec()), units, activity)
    }
}

/// A forward pass in the making.
pub struct Pass {
    device: Device,
    leaves: Vec<Tensor<1>>,
    shapes: Vec<Vec<usize>>,
    dropout: RefCell<Option<Stream>>,
    hooks: RefCell<Option<Vec<Activation>>>,
    training: bool,
    replaced: RefCell<Vec<(ParameterId, Vec<f32>)>>,
}

impl Pass {
    /// A pass that will be differentiated. `dropout` draws the masks; none switches dropout off.
    pub fn training(parameters: &Parameters, dropout: Option<Stream>) -> Self {
        Self::new(parameters, true, dropout, false)
    }

    /// A pass that is only evaluated.
    pub fn inference(parameters: &Parameters) -> Self {
        Self::new(parameters, false, None, false)
    }

    /// A pass that is only evaluated and keeps what its hooks see.
    pub fn recording(parameters: &Parameters) -> Self {
        Self::new(parameters, false, None, true)
    }

    fn new(parameters: &Parameters, gradients: bool, dropout: Option<Stream>, hooks: bool) -> Self {
        let device = if gradients { Device::flex().autodiff() } else { Device::flex() };
        let leaf = |e: &crate::parameters::Entry| {
            let values = kernels::concatenate(&[&parameters.values()[e.offset..e.offset + e.len]]);
            let t = Tensor::<1>::from_data(TensorData::new(values, [e.len]), &device);
            if gradients { t.require_grad() } else { t }
        };
        Self {
            leaves: parameters.entries().iter().map(leaf).collect(),
            shapes: parameters.entries().iter().map(|e| e.shape.clone()).collect(),
            device: device.clone(),
            dropout: RefCell::new(dropout),
            hooks: RefCell::new(hooks.then(Vec::new)),
            training: gradients,
            replaced: RefCell::new(Vec::new()),
        }
    }

    /// A parameter as a tensor of `D` axes; its own shape where the number of axes fits, otherwise flattened in front.
    pub fn parameter<const D: usize>(&self, id: ParameterId) -> Tensor<D> {
        let shape = &self.shapes[id.0];
        let mut dims = [1; D];
        let extra = shape.len().saturating_sub(D);
        for (i, &n) in shape.iter().enumerate() {
            dims[i.saturating_sub(extra)] *= n;
        }
        self.leaves[id.0].clone().reshape(dims)
    }

    /// True if the pass will be differentiated.
    pub fn is_training(&self) -> bool {
        self.training
    }

    /// Gives a parameter that follows the data instead of a gradient (a running average) its next values; [`Training`]
    /// puts them in after the step.
    ///
    /// [`Training`]: crate::Training
    pub fn replace(&self, id: ParameterId, values: Vec<f32>) {
        self.replaced.borrow_mut().push((id, values));
    }

    /// The next values of such parameters.
    pub fn take_replaced(&self) -> Vec<(ParameterId, Vec<f32>)> {
        self.replaced.take()
    }

    /// Data as a tensor outside the graph.
    pub fn input<const D: usize>(&self, values: Vec<f32>, shape: [usize; D]) -> Tensor<D> {
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Zeroes elements with probability `p` and scales the rest, in a training pass only.
    pub fn dropout<const D: usize>(&self, x: Tensor<D>, p: f64) -> Tensor<D> {
        let mut stream = self.dropout.borrow_mut();
        let Some(stream) = stream.as_mut().filter(|_| p > 0.0) else {
            return x;
        };
        let keep = (1.0 / (1.0 - p)) as f32;
        let dims = x.dims();
        let mask = (0..dims.iter().product()).map(|_| if stream.bernoulli(p) { 0.0 } else { keep }).collect();
        x * self.input::<D>(mask, dims)
    }

    /// Hands `x` [samples, ...] to the hook called `name` and passes it on.
    pub fn hook<const D: usize>(&self, name: &str, x: Tensor<D>) -> Tensor<D> {
        if let Some(hooks) = self.hooks.borrow_mut().as_mut() {
            let samples = x.dims()[0].max(1);
            let values = values(x.clone());
            hooks.push(Activation { name: name.into(), units: values.len() / samples, values });
        }
        x
    }

    /// What the hooks saw, in order.
    pub fn activations(self) -> Vec<Activation> {
        self.hooks.into_inner().unwrap_or_default()
    }

    /// Runs the backward pass of a scalar loss; returns the loss and the gradient of all parameters in buffer order.
    pub fn gradient(&self, loss: &Tensor<1>) -> Result<(f32, Vec<f32>)> {
        let value = values(loss.clone()).first().copied().unwrap_or(f32::NAN);
        if !value.is_finite() {
            return Err(Error::input("a finite loss", value.to_string())
                .hint("lower the learning rate or check the data"));
        }
        let mut grads = loss.backward();
        let parts: Vec<Option<TensorData>> =
            self.leaves.iter().map(|leaf| leaf.grad_remove(&mut grads).map(Tensor::into_data)).collect();
        // A parameter that the loss does not touch has no gradient.
        let lengths: Vec<usize> = self.leaves.iter().map(|leaf| leaf.dims()[0]).collect();
        let untouched = parts.iter().zip(&lengths).filter(|(part, _)| part.is_none());
        let zeros = vec![0.0; untouched.map(|(_, n)| *n).max().unwrap_or(0)];
        let slices: Vec<&[f32]> = parts
            .iter()
            .zip(&lengths)
            .map(|(part, n)| match part {
                Some(data) => data.as_slice().unwrap_or_default(),
                None => &zeros[..*n],
            })
            .collect();
        let flat = kernels::concatenate(&slices);
        Ok((value, flat))
    }

    /// The stream of the masks after this pass, to be kept for the next.
    pub fn into_dropout(self) -> Option<Stream> {
        self.dropout.into_inner()
    }
}

/// The values of a tensor in C order.
pub fn values<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    x.into_data().try_into_vec().unwrap_or_default()
}
