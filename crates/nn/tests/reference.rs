//! Layers against JAX in double precision; `tests/reference/make_layers.py` made the numbers.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used)]

use burn::tensor::Tensor;
use neuropil_core::{Result, Store, Streams};
use neuropil_nn::kernels::{Cell, ConvShape};
use neuropil_nn::modules::{Block, Conv, LayerNorm, Linear, Recurrent, TransformerConfig, cross_entropy};
use neuropil_nn::pass::values;
use neuropil_nn::{Init, Parameters, Pass};
use std::path::Path;

struct Reference(Store, &'static str);

impl Reference {
    fn get(&self, name: &str) -> Vec<f32> {
        self.0.require(&format!("{}/{name}", self.1)).expect("in the reference file").to_f32()
    }

    fn shape<const D: usize>(&self, name: &str) -> [usize; D] {
        self.0.require(&format!("{}/{name}", self.1)).expect("in the file").shape().try_into().expect("axes")
    }

    /// Single precision against double: sums of at most a hundred products of order 1.
    fn close(&self, name: &str, got: &[f32]) {
        let want = self.get(name);
        assert_eq!(want.len(), got.len(), "{}/{name}", self.1);
        for (i, (g, w)) in got.iter().zip(&want).enumerate() {
            assert!((g - w).abs() < 2e-5 * (1.0 + w.abs()), "{}/{name}[{i}]: {g} {w}", self.1);
        }
    }
}

fn reference(name: &'static str) -> Result<Reference> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/reference/layers.safetensors");
    Ok(Reference(Store::load(&path)?, name))
}

/// Loads the parameters called `names`, in their order; `x` is one more parameter, so that its gradient is seen.
fn check<const D: usize, const R: usize>(
    r: &Reference,
    mut p: Parameters,
    names: &[&str],
    forward: impl FnOnce(&Pass, Tensor<D>) -> Tensor<R>,
) -> Result<()> {
    let x = p.add("x", &r.shape::<D>("x"), Init::Constant(0.0), &mut Streams::new(0).stream("", 0));
    let all: Vec<f32> = names.iter().chain(&["x"]).flat_map(|n| r.get(n)).collect();
    p.values_mut().copy_from_slice(&all);
    let pass = Pass::training(&p, None);
    let y = forward(&pass, pass.parameter::<D>(x));
    r.close("y", &values(y.clone()));
    let g = pass.input::<R>(r.get("g"), y.dims());
    let (_, gradient) = pass.gradient(&(y * g).sum())?;
    let mut from = 0;
    for name in names.iter().chain(&["x"]) {
        let len = r.get(name).len();
        r.close(&format!("d{name}"), &gradient[from..from + len]);
        from += len;
    }
    Ok(())
}

#[test]
fn linear_norm_and_convolution() -> Result<()> {
    let mut s = Streams::new(0).stream("init", 0);
    let mut p = Parameters::default();
    let linear = Linear::new(&mut p, "l", 4, 3, &mut s);
    check::<2, 2>(&reference("linear")?, p, &["w", "b"], |pass, x| linear.forward(pass, x))?;
    let mut p = Parameters::default();
    let norm = LayerNorm::affine(&mut p, "n", 6, &mut s);
    check::<2, 2>(&reference("norm")?, p, &["w", "b"], |pass, x| norm.forward(pass, x))?;
    let mut p = Parameters::default();
    let shape = ConvShape::square([2, 3], [6, 5], 3, 2, 1);
    let conv = Conv::new(&mut p, "c", shape, 2, &mut s)?;
    check::<4, 4>(&reference("conv")?, p, &["w", "b"], |pass, x| conv.forward(pass, x))
}

#[test]
fn recurrent_layers() -> Result<()> {
    for (name, cell) in [("gru", Cell::Gru), ("lstm", Cell::Lstm)] {
        let mut p = Parameters::default();
        let layer = Recurrent::new(&mut p, "r", cell, [2, 4], &mut Streams::new(0).stream("init", 0));
        check::<3, 3>(&reference(name)?, p, &["wx", "wh", "bx", "bh"], |pass, x| layer.forward(pass, x))?;
    }
    Ok(())
}

#[test]
fn transformer_block() -> Result<()> {
    let c = TransformerConfig { vocabulary: 2, width: 4, heads: 2, layers: 1, context: 7, dropout: 0.0 };
    let mut p = Parameters::default();
    let block = Block::new(&mut p, "b", &c, &mut Streams::new(0).stream("init", 0));
    let names = ["n1w", "n1b", "qkvw", "qkvb", "mixw", "mixb", "n2w", "n2b", "upw", "upb", "downw", "downb"];
    check::<3, 3>(&reference("block")?, p, &names, |pass, x| block.forward(pass, x))
}

#[test]
fn loss() -> Result<()> {
    check::<2, 1>(&reference("cross_entropy")?, Parameters::default(), &[], |_, x| {
        cross_entropy(x, &[1, 0, 4], None)
    })
}
