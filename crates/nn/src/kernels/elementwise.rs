//! Elementwise kernels: activations, gates and the rotary position code.

use super::{Real, dispatched, written};
use serde::{Deserialize, Serialize};
use std::mem::MaybeUninit;

/// Pointwise functions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// x, or 0.01 x below 0.
    LeakyRelu,
    /// The tanh form of GPT-2: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Gelu,
    /// The exact form: 0.5 x (1 + erf(x / sqrt 2)).
    GeluErf,
    /// x / (1 + e^-x), also called swish.
    Silu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// e^x.
    Exp,
    /// Natural logarithm; NaN below 0.
    Ln,
    /// Error function.
    Erf,
}

impl Activation {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Identity,
        Self::Relu,
        Self::LeakyRelu,
        Self::Gelu,
        Self::GeluErf,
        Self::Silu,
        Self::Tanh,
        Self::Sigmoid,
        Self::Exp,
        Self::Ln,
        Self::Erf,
    ];
}

#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

dispatched! {
    /// `out += x`.
    pub fn add_assign(out: &mut [T], x: &[T]) {
        for (o, &v) in out.iter_mut().zip(x) { *o += v; }
    }
}

dispatched! {
    /// `x *= factor`.
    pub fn scale(x: &mut [T], factor: T) {
        for v in x.iter_mut() { *v *= factor; }
    }
}

dispatched! {
    /// `out = a * b`, elementwise.
    pub fn multiply(out: &mut [T], a: &[T], b: &[T]) {
        for ((o, &x), &y) in out.iter_mut().zip(a).zip(b) { *o = x * y; }
    }
}

dispatched! {
    /// `x = p (x - mean) factor`.
    pub(super) fn scaled_difference(x: &mut [T], p: &[T], mean: T, factor: T) {
        for (x, &p) in x.iter_mut().zip(p) { *x = p * (*x - mean) * factor; }
    }
}

dispatched! {
    /// `x = max(x, 0)`; a NaN becomes 0.
    pub fn relu(x: &mut [T]) {
        for v in x.iter_mut() { *v = if *v > T::ZERO { *v } else { T::ZERO }; }
    }
}

dispatched! {
    /// Zeroes `grad` where the rectified output `y` is zero.
    pub fn relu_backward(grad: &mut [T], y: &[T]) {
        for (g, &v) in grad.iter_mut().zip(y) { *g = if v > T::ZERO { *g } else { T::ZERO }; }
    }
}

dispatched! {
    /// Rotates pairs: `out[2j] = x[2j] cos[j] - x[2j+1] sin[j]`, `out[2j+1] = x[2j+1] cos[j] + x[2j] sin[j]`.
    pub fn rotate(out: &mut [T], x: &[T], cos: &[T], sin: &[T]) {
        for (((o, v), &c), &s) in out.chunks_exact_mut(2).zip(x.chunks_exact(2)).zip(cos).zip(sin) {
            o[0] = v[0] * c - v[1] * s;
            o[1] = v[1] * c + v[0] * s;
        }
    }
}

dispatched! {
    /// Adds the inverse rotation (the transpose) of `x` to `out`.
    pub fn rotate_back(out: &mut [T], x: &[T], cos: &[T], sin: &[T]) {
        for (((o, v), &c), &s) in out.chunks_exact_mut(2).zip(x.chunks_exact(2)).zip(cos).zip(sin) {
            o[0] += v[0] * c + v[1] * s;
            o[1] += v[1] * c - v[0] * s;
        }
    }
}

const GELU_A: f64 = 0.797_884_560_802_865_4;
const GELU_B: f64 = 0.044_715;
/// 2 / sqrt(pi), the slope of the error function at 0.
const ERF_SLOPE: f64 = std::f64::consts::FRAC_2_SQRT_PI;

/// Slope of the leaky rectifier below 0.
const LEAK: f64 = 0.01;

/// Elements per task of a pointwise function.
const CHUNK: usize = 1 << 14;

/// The value of a pointwise function.
#[inline(always)]
fn value<T: Real>(kind: Activation, v: T) -> T {
    let half = T::of(0.5);
    match kind {
        Activation::Identity => v,
        Activation::Relu => {
            if v > T::ZERO {
                v
            } else {
                T::ZERO
            }
        }
        Activation::LeakyRelu => {
            if v > T::ZERO {
                v
            } else {
                v * T::of(LEAK)
            }
        }
        Activation::Gelu => half * v * (T::ONE + (T::of(GELU_A) * (v + T::of(GELU_B) * v * v * v)).tanh()),
        Activation::GeluErf => half * v * (T::ONE + (v * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf()),
        Activation::Silu => v * sigmoid(v),
        Activation::Tanh => v.tanh(),
        Activation::Sigmoid => sigmoid(v),
        Activation::Exp => v.exp(),
        Activation::Ln => v.ln(),
        Activation::Erf => v.erf(),
    }
}

/// Its derivative at input `v`.
#[inline(always)]
fn slope<T: Real>(kind: Activation, v: T) -> T {
    let half = T::of(0.5);
    match kind {
        Activation::Identity => T::ONE,
        Activation::Relu => {
            if v > T::ZERO {
                T::ONE
            } else {
                T::ZERO
            }
        }
        Activation::LeakyRelu => {
            if v > T::ZERO {
                T::ONE
            } else {
                T::of(LEAK)
            }
        }
        Activation::Gelu => {
            let t = (T::of(GELU_A) * (v + T::of(GELU_B) * v * v * v)).tanh();
            let du = T::of(GELU_A) * (T::ONE + T::of(3.0 * GELU_B) * v * v);
            half * (T::ONE + t) + half * v * (T::ONE - t * t) * du
        }
        Activation::GeluErf => {
            let cumulative = half * (T::ONE + (v * T::of(std::f64::consts::FRAC_1_SQRT_2)).erf());
            cumulative + v * T::of(0.5 * ERF_SLOPE * std::f64::consts::FRAC_1_SQRT_2) * (-half * v * v).exp()
        }
        Activation::Silu => {
            let s = sigmoid(v);
            s + v * s * (T::ONE - s)
        }
        Activation::Tanh => {
            let t = v.tanh();
            T::ONE - t * t
        }
        Activation::Sigmoid => {
            let s = sigmoid(v);
            s * (T::ONE - s)
        }
        Activation::Exp => v.exp(),
        Activation::Ln => T::ONE / v,
        Activation::Erf => T::of(ERF_SLOPE) * (-v * v).exp(),
    }
}

/// One loop per function, so that none of them decides inside it.
macro_rules! each_kind {
    ($kind:ident, $one:ident => $loop:expr) => {
        each_kind!(@ $kind, $one, $loop, Identity Relu LeakyRelu Gelu GeluErf Silu Tanh Sigmoid Exp Ln Erf)
    };
    (@ $kind:ident, $one:ident, $loop:expr, $($name:ident)+) => {
        match $kind {
            $(Activation::$name => {
                let $one = Activation::$name;
                $loop
            })+
        }
    };
}

dispatched! {
    /// `out = f(x)`, on the calling thread.
    fn apply(out: &mut [MaybeUninit<T>], x: &[T], kind: Activation) {
        each_kind!(kind, one => for (o, &v) in out.iter_mut().zip(x) { o.write(value(one, v)); });
    }
}

dispatched! {
    /// `out = g f'(x)`, on the calling thread.
    fn apply_backward(out: &mut [MaybeUninit<T>], g: &[T], x: &[T], kind: Activation) {
        each_kind!(kind, one => for ((o, &g), &v) in out.iter_mut().zip(g).zip(x) { o.write(g * slope(one, v)); });
    }
}

/// f(x) over all threads.
pub fn activate<T: Real>(x: &[T], kind: Activation) -> Vec<T> {
    // SAFETY: `apply` writes as many elements as the shorter slice has, and both have the length of the chunk.
    unsafe { written(x.len(), CHUNK, |i, out| apply(out, &x[i * CHUNK..][..out.len()], kind)) }
}

/// g f'(x) over all threads: the gradient through [`activate`]. Both have one length.
pub fn activate_backward<T: Real>(g: &[T], x: &[T], kind: Activation) -> Vec<T> {
    // SAFETY: as in `activate`.
    unsafe {
        written(x.len(), CHUNK, |i, out| {
            let range = i * CHUNK..i * CHUNK + out.len();
            apply_backward(out, &g[range.clone()], &x[range], kind);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derivatives_match_differences() {
        for kind in Activation::ALL {
            let x: Vec<f64> =
                if kind == Activation::Ln { vec![0.2, 0.7, 1.9] } else { vec![-2.3, -0.4, 0.7, 1.9] };
            let at = |d: f64| activate(&x.iter().map(|v| v + d).collect::<Vec<_>>(), kind);
            let (above, below) = (at(1e-5), at(-1e-5));
            let g = activate_backward(&vec![1.0; x.len()], &x, kind);
            for k in 0..x.len() {
                // Central differences at 1e-5: error about 1e-10.
                assert!((g[k] - (above[k] - below[k]) / 2e-5).abs() < 1e-8, "{kind:?} {}", x[k]);
            }
        }
    }

    #[test]
    fn single_precision_follows_double() {
        // Odd length, longer than one task.
        let x: Vec<f64> = (0..CHUNK + 7).map(|i| 1e-3 + 12.0 * ((i as f64) * 0.7).sin().abs()).collect();
        let narrow: Vec<f32> = x.iter().map(|v| *v as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|v| f64::from(*v)).collect();
        for kind in Activation::ALL {
            let (got, want) = (activate(&narrow, kind), activate(&wide, kind));
            let (dg, dw) = (
                activate_backward(&vec![1.0; x.len()], &narrow, kind),
                activate_backward(&vec![1.0; x.len()], &wide, kind),
            );
            for k in 0..x.len() {
                // A few units in the last place of the value, or of 1 where large parts cancel.
                assert!(
                    (f64::from(got[k]) - want[k]).abs() <= 1e-6 * (1.0 + want[k].abs()),
                    "{kind:?} {}",
                    x[k]
                );
                // GELU's slope multiplies what is left of 1 - tanh^2 by up to 12.
                assert!((f64::from(dg[k]) - dw[k]).abs() <= 5e-6 * (1.0 + dw[k].abs()), "{kind:?}' {}", x[k]);
            }
        }
    }

    #[test]
    fn rotation_is_undone() {
        let x = [1.0, 2.0, -0.5, 3.0];
        let (c, s) = ([0.6, 0.8], [0.8, -0.6]);
        let (mut y, mut back) = ([0.0; 4], [0.0; 4]);
        rotate(&mut y, &x, &c, &s);
        rotate_back(&mut back, &y, &c, &s);
        assert!(x.iter().zip(&back).all(|(a, b): (&f64, &f64)| (a - b).abs() < 1e-15));
    }
}
