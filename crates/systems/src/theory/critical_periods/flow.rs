//! The exact reduction: with small balanced layers each feature of the two paths follows two scalar equations.
//!
//! ```text
//! K_a = p^D, K_b = q^D
//! dp/dt = p^(D-1) (s - K_a - K_b)      dq/dt = q^(D-1) (s - K_a - K_b)      (0 while the path is held)
//! ```
//!
//! With one small layer and D - 1 layers of strength q, q^2 - p^2 = 1 conserved, a path starts large:
//! `K = p (p^2 + 1)^((D-1)/2)`, `dp/dt = (p^2 + 1)^((D-1)/2) (s - K_a - K_b)`.

use serde::{Deserialize, Serialize};

/// How the layers of both paths begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Start {
    /// All layers equally small.
    Small,
    /// One small layer before layers of order one.
    Large,
}

/// One feature of strength `s` that two paths of depth D compete for.
#[derive(Debug, Clone, PartialEq)]
pub struct Competition {
    /// Layers per path, D.
    pub depth: usize,
    /// Strength of the feature in the data.
    pub s: f64,
    /// Layer strength of path a.
    pub p: f64,
    /// Layer strength of path b.
    pub q: f64,
    /// How the layers began.
    pub start: Start,
}

/// Which of the two paths may learn, and whether path a sees the feature at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open {
    /// Path a learns.
    pub a: bool,
    /// Path b learns.
    pub b: bool,
    /// Path a contributes to the output.
    pub a_seen: bool,
}

impl Open {
    /// No deficit.
    pub const BOTH: Self = Self { a: true, b: true, a_seen: true };
    /// Path b contributes but does not learn.
    pub const B_HELD: Self = Self { a: true, b: false, a_seen: true };
    /// The feature is hidden from path a, which then neither learns nor contributes it.
    pub const A_HIDDEN: Self = Self { a: false, b: true, a_seen: false };
}

impl Competition {
    /// Both paths at layer strength `p0`.
    pub fn new(depth: usize, s: f64, p0: f64, start: Start) -> Self {
        Self { depth, s, p: p0, q: p0, start }
    }

    /// Path strength K of a layer strength.
    pub fn strength(&self, p: f64) -> f64 {
        p * self.others(p)
    }

    /// The product of the other layers, which scales a layer's gradient.
    fn others(&self, p: f64) -> f64 {
        match self.start {
            Start::Small => p.powi(self.depth as i32 - 1),
            Start::Large => (p * p + 1.0).powf(0.5 * (self.depth as f64 - 1.0)),
        }
    }

    /// (K_a, K_b).
    pub fn strengths(&self) -> (f64, f64) {
        (self.strength(self.p), self.strength(self.q))
    }

    /// K_a / (K_a + K_b).
    pub fn share(&self) -> f64 {
        let (a, b) = self.strengths();
        a / (a + b)
    }

    /// One Euler step, which for small balanced layers is one step of gradient descent with the rate `dt`.
    pub fn step(&mut self, dt: f64, open: Open) {
        let (a, b) = self.strengths();
        let missing = self.s - if open.a_seen { a } else { 0.0 } - b;
        let (dp, dq) = (self.others(self.p) * missing, self.others(self.q) * missing);
        if open.a {
            self.p += dt * dp;
        }
        if open.b {
            self.q += dt * dq;
        }
    }

    /// (dK_a/dt, dK_b/dt) at a point of the (K_a, K_b) plane, for small balanced layers:
    /// `dK = D K^(2-2/D) (s - K_a - K_b)`.
    pub fn field(depth: usize, s: f64, a: f64, b: f64) -> (f64, f64) {
        let d = depth as f64;
        let rate = |k: f64| d * k.powf(2.0 - 2.0 / d) * (s - a - b);
        (rate(a), rate(b))
    }
}

/// The trajectory of a feature through a deficit, thinned to about `points` points.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trajectory {
    /// K_a.
    pub a: Vec<f64>,
    /// K_b.
    pub b: Vec<f64>,
}

/// Integrates until K_a + K_b is within 1e-6 s of s after the deficit, at most `steps` steps; path b is held during
/// `deficit`. Points are kept by progress in the plane, not by time, since the plateau lasts longest.
pub fn trace(
    mut c: Competition,
    dt: f64,
    steps: usize,
    deficit: std::ops::Range<usize>,
    points: usize,
) -> Trajectory {
    let (mut a, mut b) = c.strengths();
    let mut kept = Trajectory { a: vec![a], b: vec![b] };
    let grain = c.s / points as f64;
    for t in 0..steps {
        c.step(dt, if deficit.contains(&t) { Open::B_HELD } else { Open::BOTH });
        let (na, nb) = c.strengths();
        if (na - a).abs() + (nb - b).abs() > grain {
            (a, b) = (na, nb);
            kept.a.push(a);
            kept.b.push(b);
        }
        if t >= deficit.end && (c.s - na - nb).abs() < 1e-6 * c.s {
            break;
        }
    }
    let (a, b) = c.strengths();
    kept.a.push(a);
    kept.b.push(b);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_path_of_depth_two_is_logistic() {
        // K(t) = s e^(2st) / (e^(2st) - 1 + s/K0) (Saxe et al. 2014); Euler at 1e-4 is first order.
        let (s, k0, dt) = (3.0, 0.01_f64, 1e-4);
        let mut c = Competition { depth: 2, s, p: k0.sqrt(), q: 0.0, start: Start::Small };
        let mut worst: f64 = 0.0;
        for step in 1..=20_000 {
            c.step(dt, Open::BOTH);
            let e = (2.0 * s * dt * f64::from(step)).exp();
            worst = worst.max((c.strengths().0 - s * e / (e - 1.0 + s / k0)).abs());
        }
        assert!(worst < 2e-3 * s, "{worst}");
    }

    #[test]
    fn strengths_end_on_the_line_and_the_share_grows_with_depth() {
        let share = |depth, deficit: std::ops::Range<usize>| {
            let t = trace(Competition::new(depth, 10.0, 0.005, Start::Small), 0.01, 700_000, deficit, 200);
            let (a, b) = (t.a[t.a.len() - 1], t.b[t.b.len() - 1]);
            assert!((a + b - 10.0).abs() < 1e-3, "K_a + K_b = {}", a + b);
            a / (a + b)
        };
        let early: Vec<f64> = [2, 3, 4].map(|d| share(d, 0..5)).to_vec();
        assert!(early[0] < early[1] && early[1] < early[2] && early[2] > 0.9, "{early:?}");
        // Equal paths stay equal to the last bit when the deficit comes after learning.
        assert_eq!(share(4, 500_000..510_000), 0.5);
    }

    #[test]
    fn the_early_share_of_the_specified_case() {
        // s = 10, K0 = 0.01, 150 gated steps: 0.999 at every depth.
        for depth in [2, 3, 4] {
            let p0 = 0.01_f64.powf(1.0 / depth as f64);
            let mut c = Competition::new(depth, 10.0, p0, Start::Small);
            (0..1000).for_each(|t| c.step(0.01, if t < 150 { Open::B_HELD } else { Open::BOTH }));
            assert!((c.share() - 0.999).abs() < 1e-3, "{depth}: {}", c.share());
        }
    }

    #[test]
    fn large_layers_start_learning_at_once() {
        let mut c = Competition::new(4, 10.0, 0.005, Start::Large);
        (0..2000).for_each(|_| c.step(0.001, Open::BOTH));
        let (a, b) = c.strengths();
        assert!((a + b - 10.0).abs() < 1e-3 && a == b);
    }

    #[test]
    fn the_field_is_the_derivative_of_the_strengths() {
        let mut c = Competition { depth: 3, s: 2.0, p: 0.7, q: 0.4, start: Start::Small };
        let (a, b) = c.strengths();
        let (fa, fb) = Competition::field(3, 2.0, a, b);
        let dt = 1e-7;
        c.step(dt, Open::BOTH);
        let (na, nb) = c.strengths();
        // Forward difference: error of order dt.
        assert!(((na - a) / dt - fa).abs() < 1e-5 && ((nb - b) / dt - fb).abs() < 1e-5);
    }
}
