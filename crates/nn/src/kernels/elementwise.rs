//! Elementwise kernels: activations, gates and the rotary position code.

use super::{Real, dispatched};
use serde::{Deserialize, Serialize};

/// Pointwise non-linearities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// x.
    Identity,
    /// max(x, 0).
    Relu,
    /// The tanh form of GPT-2: 0.5 x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))).
    Gelu,
    /// Hyperbolic tangent.
    Tanh,
    /// 1 / (1 + e^-x).
    Sigmoid,
}

#[inline(always)]
pub(crate) fn sigmoid<T: Real>(x: T) -> T {
    T::ONE / (T::ONE + (-x).exp())
}

#[inline(always)]
pub(crate) fn tanh<T: Real>(x: T) -> T {
    // 2 sigmoid(2x) - 1; absolute error of a few units in the last place of 1, which is what gates need.
    T::of(2.0) * sigmoid(x + x) - T::ONE
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

dispatched! {
    /// Applies an activation in place.
    pub fn activate(x: &mut [T], kind: Activation) {
        match kind {
            Activation::Identity => {}
            Activation::Relu => for v in x.iter_mut() { *v = if *v > T::ZERO { *v } else { T::ZERO }; },
            Activation::Gelu => for v in x.iter_mut() {
                let u = T::of(GELU_A) * (*v + T::of(GELU_B) * *v * *v * *v);
                *v = T::of(0.5) * *v * (T::ONE + tanh(u));
            },
            Activation::Tanh => for v in x.iter_mut() { *v = tanh(*v); },
            Activation::Sigmoid => for v in x.iter_mut() { *v = sigmoid(*v); },
        }
    }
}

dispatched! {
    /// Multiplies `grad` by the derivative at input `x`.
    pub fn activate_backward(grad: &mut [T], x: &[T], kind: Activation) {
        match kind {
            Activation::Identity => {}
            Activation::Relu => for (g, &v) in grad.iter_mut().zip(x) { *g = if v > T::ZERO { *g } else { T::ZERO }; },
            Activation::Gelu => for (g, &v) in grad.iter_mut().zip(x) {
                let t = tanh(T::of(GELU_A) * (v + T::of(GELU_B) * v * v * v));
                let du = T::of(GELU_A) * (T::ONE + T::of(3.0 * GELU_B) * v * v);
                *g *= T::of(0.5) * (T::ONE + t) + T::of(0.5) * v * (T::ONE - t * t) * du;
            },
            Activation::Tanh => for (g, &v) in grad.iter_mut().zip(x) { let t = tanh(v); *g *= T::ONE - t * t; },
            Activation::Sigmoid => for (g, &v) in grad.iter_mut().zip(x) { let s = sigmoid(v); *g *= s * (T::ONE - s); },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fast_exponential_is_close_everywhere() {
        for i in -8700..8800 {
            let x = i as f32 * 0.01;
            let (got, want) = (f64::from(Real::exp(x)), f64::from(x).exp());
            // Cephes states 1.7e-7 relative over the whole range.
            assert!((got / want - 1.0).abs() < 2e-7, "{x}: {got} {want}");
        }
    }

    #[test]
    fn derivatives_match_differences() {
        use Activation::{Gelu, Identity, Relu, Sigmoid, Tanh};
        for kind in [Identity, Relu, Gelu, Tanh, Sigmoid] {
            for x in [-2.3, -0.4, 0.7, 1.9] {
                let f = |v: f64| {
                    let mut y = [v];
                    activate(&mut y, kind);
                    y[0]
                };
                let mut g = [1.0];
                activate_backward(&mut g, &[x], kind);
                // Central differences at 1e-5: error about 1e-10.
                assert!((g[0] - (f(x + 1e-5) - f(x - 1e-5)) / 2e-5).abs() < 1e-8, "{kind:?} {x}");
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
