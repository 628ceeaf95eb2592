//! The bridge between our kernels and the tensor library: an operation with its own backward pass, written on slices.

use burn::backend::autodiff::checkpoint::base::Checkpointer;
use burn::backend::autodiff::checkpoint::strategy::CheckpointStrategy;
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Shape, Tensor, TensorData};
use std::fmt;
use std::sync::Arc;

/// A differentiable operation of up to five tensors. Inputs arrive dense and in C order, in single precision.
pub trait Fused: Send + Sync + 'static {
    /// Shape of the output for these input shapes.
    fn shape(&self, inputs: &[&[usize]]) -> Vec<usize>;

    /// The output, and whatever the backward pass wants back.
    fn forward(&self, inputs: &[&[f32]]) -> (Vec<f32>, Vec<f32>);

    /// One gradient per input, given inputs, output, what `forward` kept, and the gradient of the output. `needed` tells
    /// which inputs want one; an empty vector may stand for the others.
    fn backward(&self, saved: Saved, needed: &[bool]) -> Vec<Vec<f32>>;
}

/// What a backward pass is given.
#[derive(Clone, Copy)]
pub struct Saved<'a> {
    /// The inputs of the forward pass.
    pub inputs: &'a [&'a [f32]],
    /// Its output.
    pub output: &'a [f32],
    /// What it kept.
    pub kept: &'a [f32],
    /// Gradient of the output.
    pub gradient: &'a [f32],
}

/// A shared operation, so that the tape can hold it.
#[derive(Clone)]
pub struct Operation(Arc<dyn Fused>);

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fused operation")
    }
}

#[derive(Debug)]
struct Step(Operation);

#[derive(Debug, Clone)]
struct Memory {
    inputs: Vec<FlexTensor>,
    output: FlexTensor,
    kept: Arc<Vec<f32>>,
}

fn slice(t: &FlexTensor) -> &[f32] {
    t.storage::<f32>()
}

fn run(inputs: &[FlexTensor], op: &Operation) -> (FlexTensor, Vec<f32>) {
    let shapes: Vec<Vec<usize>> = inputs.iter().map(|t| t.layout().shape().to_vec()).collect();
    let shape = op.0.shape(&shapes.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let (out, kept) = op.0.forward(&inputs.iter().map(slice).collect::<Vec<_>>());
    (FlexTensor::from_data(TensorData::new(out, Shape::from(shape))), kept)
}

/// Gradients in the order of the inputs.
fn run_back(
    op: &Operation,
    state: &Memory,
    gradient: &FlexTensor,
    needed: &[bool],
) -> Vec<Option<FlexTensor>> {
    let gradient = gradient.to_contiguous();
    let inputs: Vec<&[f32]> = state.inputs.iter().map(slice).collect();
    let saved = Saved {
        inputs: &inputs,
        output: slice(&state.output),
        kept: &state.kept,
        gradient: slice(&gradient),
    };
    op.0.backward(saved, needed)
        .into_iter()
        .zip(&state.inputs)
        .zip(needed)
        .map(|((g, x), &needed)| {
            needed.then(|| FlexTensor::from_data(TensorData::new(g, x.layout().shape().clone())))
        })
        .collect()
}

macro_rules! arity {
    ($n:literal, $name:ident, $($x:ident),+) => {
        impl Backward<Flex, $n> for Step {
            type State = Memory;

            fn backward(self, ops: Ops<Memory, $n>, grads: &mut Gradients, _: &mut Checkpointer) {
                let gradient = grads.consume::<Flex>(&ops.node);
                let needed = ops.parents.each_ref().map(Option::is_some);
                let out = run_back(&self.0, &ops.state, &gradient, &needed);
                for (parent, g) in ops.parents.into_iter().zip(out) {
                    if let (Some(parent), Some(g)) = (parent, g) {
                        grads.register::<Flex>(parent.id, g);
                    }
                }
            }
        }
    };
}
arity!(1, one, a);
arity!(2, two, a, b);
arity!(3, three, a, b, c);
arity!(5, five, a, b, c, d, e);

/// The extension of the tensor library.
#[backend_extension(Flex, Autodiff)]
pub trait FusedOps: Backend {
    /// One input.
    fn fused1(a: FloatTensor<Self>, op: Operation) -> FloatTensor<Self>;
    /// Two inputs.
    fn fused2(a: FloatTensor<Self>, b: FloatTensor<Self>, op: Operation) -> FloatTensor<Self>;
    /// Three inputs.
    fn fused3(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        op: Operation,
    ) -> FloatTensor<Self>;
    /// Five inputs.
    fn fused5(
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
        c: FloatTensor<Self>,
        d: FloatTensor<Self>,
        e: FloatTensor<Self>,
        op: Operation,
    ) -> FloatTensor<Self>;
}

macro_rules! plain {
    ($name:ident, $($x:ident),+) => {
        fn $name($($x: FloatTensor<Self>),+, op: Operation) -> FloatTensor<Self> {
            run(&[$($x.to_contiguous()),+], &op).0
        }
    };
}

impl FusedOps for Flex {
    plain!(fused1, a);
    plain!(fused2, a, b);
    plain!(fused3, a, b, c);
    plain!(fused5, a, b, c, d, e);
}

macro_rules! tracked {
    ($name:ident, $($x:ident),+) => {
        fn $name($($x: FloatTensor<Self>),+, op: Operation) -> FloatTensor<Self> {
            let nodes = [$($x.node()),+];
            let inputs = [$($x.into_primitive().to_contiguous()),+];
            let (output, kept) = run(&inputs, &op);
            match Step(op).prepare::<C>(nodes).compute_bound().stateful() {
                OpsKind::Tracked(prep) => {
                    let state = Memory { inputs: inputs.to_vec(), output: output.clone(), kept: Arc::new(kept) };
                    prep.finish(state, output)
                }
                OpsKind::UnTracked(prep) => prep.finish(output),
            }
        }
    };
}

impl<C: CheckpointStrategy> FusedOps for Autodiff<Flex, C> {
    tracked!(fused1, a);
    tracked!(fused2, a, b);
    tracked!(fused3, a, b, c);
    tracked!(fused5, a, b, c, d, e);
}

/// Applies an operation of one tensor.
pub fn apply1<const A: usize, const R: usize>(op: impl Fused, a: Tensor<A>) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as FusedOps>::fused1(a.into_dispatch(), Operation(Arc::new(op))))
}

/// Applies an operation of two tensors.
pub fn apply2<const A: usize, const B: usize, const R: usize>(
    op: impl Fused,
    a: Tensor<A>,
    b: Tensor<B>,
) -> Tensor<R> {
    let op = Operation(Arc::new(op));
    Tensor::from_dispatch(<Dispatch as FusedOps>::fused2(a.into_dispatch(), b.into_dispatch(), op))
}

/// Applies an operation of three tensors.
pub fn apply3<const A: usize, const B: usize, const C: usize, const R: usize>(
    op: impl Fused,
    a: Tensor<A>,
    b: Tensor<B>,
    c: Tensor<C>,
) -> Tensor<R> {
    let op = Operation(Arc::new(op));
    Tensor::from_dispatch(<Dispatch as FusedOps>::fused3(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        op,
    ))
}

/// Applies an operation of an input [A axes], two matrices and two vectors.
pub fn apply5<const A: usize, const R: usize>(
    op: impl Fused,
    a: Tensor<A>,
    [b, c]: [Tensor<2>; 2],
    [d, e]: [Tensor<1>; 2],
) -> Tensor<R> {
    Tensor::from_dispatch(<Dispatch as FusedOps>::fused5(
        a.into_dispatch(),
        b.into_dispatch(),
        c.into_dispatch(),
        d.into_dispatch(),
        e.into_dispatch(),
        Operation(Arc::new(op)),
    ))
}
