//! `timeseries` where the answer is known in closed form, and causality to the last bit.

use neuropil_analysis::timeseries::{
    Resampling, gradient, gradient_causal, hold_gaps, smooth_exponential, smooth_gaussian_causal,
    smooth_moving_average, zscore, zscore_causal,
};
use std::f64::consts::TAU;

fn irregular(n: usize, step: f64) -> Vec<f64> {
    (0..n).map(|i| step * (i as f64 + 0.3 * (i as f64 * 2.4).sin())).collect()
}

#[test]
fn a_constant_becomes_zero() {
    for value in [0.0, 0.1, -1e9, 1e-300] {
        let y = vec![value; 50];
        // The mean of equal values may be off by its rounding, 1e-16 relative.
        assert!(zscore(&y).unwrap().iter().all(|v| v.abs() <= 1e-14 * value.abs()), "{value}");
        assert!(zscore_causal(&y).unwrap().iter().all(|v| v.abs() <= 1e-14 * value.abs()), "{value}");
        assert!(gradient(&y, &irregular(50, 0.5)).unwrap().iter().all(|&v| v.abs() <= 1e-12 * value.abs()));
    }
}

#[test]
fn a_ramp_is_exact() {
    let t = irregular(200, 0.5);
    let ramp: Vec<f64> = t.iter().map(|t| 3.0 * t - 2.0).collect();
    assert!(gradient(&ramp, &t).unwrap().iter().all(|g| (g - 3.0).abs() < 1e-10));
    for dt in [0.2, 1.7] {
        let plan = Resampling::new(&t, dt, false).unwrap();
        let got = plan.apply(&ramp).unwrap();
        // All but the samples past the end, which are held: one going up, one fine sixth of a block going down.
        let inside = plan.times().iter().filter(|&&s| s <= t[199] - dt).count();
        assert!(inside + 2 >= plan.times().len());
        for (s, v) in plan.times()[..inside].iter().zip(&got) {
            assert!((v - (3.0 * s - 2.0)).abs() < 1e-10, "{dt} {s} {v}");
        }
        assert!(plan.times().windows(2).all(|w| (w[1] - w[0] - dt).abs() < 1e-9));
    }
    // Central differences are exact for a parabola on any grid.
    let parabola: Vec<f64> = t.iter().map(|t| t * t).collect();
    let g = gradient(&parabola, &t).unwrap();
    assert!((1..199).all(|i| (g[i] - 2.0 * t[i]).abs() < 1e-9));
}

#[test]
fn a_slow_sine_survives_and_a_fast_one_is_averaged_by_its_sinc() {
    // 50 Hz samples brought to dt = 1/3 s, Nyquist 1.5 Hz.
    let t: Vec<f64> = (0..6000).map(|i| i as f64 * 0.02).collect();
    let dt = 1.0 / 3.0;
    let plan = Resampling::new(&t, dt, false).unwrap();
    let amplitude = |f: f64| {
        let y: Vec<f64> = t.iter().map(|t| (TAU * f * t).sin()).collect();
        let got = plan.apply(&y).unwrap();
        let (mut s, mut c) = (0.0, 0.0);
        for (t, v) in plan.times().iter().zip(&got) {
            s += v * (TAU * f * t).sin();
            c += v * (TAU * f * t).cos();
        }
        2.0 * f64::hypot(s, c) / got.len() as f64
    };
    // Mean of 6 points dt/6 apart: sin(pi f dt) / (6 sin(pi f dt / 6)). Linear interpolation of 50 Hz samples loses
    // up to (pi f / 50)^2 / 6 more, below 4e-3 at 2.5 Hz.
    let sinc = |f: f64| {
        let x = std::f64::consts::PI * f * dt;
        (x.sin() / (6.0 * (x / 6.0).sin())).abs()
    };
    let slow: Vec<f64> = t.iter().map(|t| (TAU * 0.025 * t).sin()).collect();
    let got = plan.apply(&slow).unwrap();
    let inside = plan.times().iter().filter(|&&s| s < 119.5).count();
    assert!((0..inside).all(|i| (got[i] - (TAU * 0.025 * plan.times()[i]).sin()).abs() < 1e-3));
    for f in [0.025, 0.5, 1.1, 2.2, 2.5] {
        assert!((amplitude(f) - sinc(f)).abs() < 5e-3, "{f}: {} {}", amplitude(f), sinc(f));
    }
    assert!(amplitude(2.5) < 0.25);
}

#[test]
fn what_happens_later_never_changes_the_causal_past() {
    let t = irregular(120, 0.3);
    let y: Vec<f64> = t.iter().map(|t| t.sin() + 0.2 * (7.1 * t).cos()).collect();
    let mut changed = y.clone();
    for v in &mut changed[70..] {
        *v = 100.0 - *v;
    }
    let chain = |y: &[f64], kind: usize| -> Vec<f64> {
        let mut y = y.to_vec();
        y[20] = f64::NAN;
        hold_gaps(&mut y).unwrap();
        let z = zscore_causal(&y).unwrap();
        match kind {
            0 => smooth_gaussian_causal(&z, 5.0).unwrap(),
            1 => smooth_moving_average(&z, 15).unwrap(),
            2 => smooth_exponential(&z, 0.3).unwrap(),
            _ => gradient_causal(&z, &t).unwrap(),
        }
    };
    for kind in 0..4 {
        let (a, b) = (chain(&y, kind), chain(&changed, kind));
        assert_eq!(a[..70], b[..70], "step {kind}");
        assert_ne!(a[70..], b[70..], "step {kind}");
        for dt in [0.1, 0.9] {
            let plan = Resampling::new(&t, dt, true).unwrap();
            let (ra, rb) = (plan.apply(&a).unwrap(), plan.apply(&b).unwrap());
            let before = plan.times().partition_point(|&s| s < t[70]);
            assert_eq!(ra[..before], rb[..before], "step {kind}, dt {dt}");
        }
    }
    // The whole-recording z-score does leak: its past changes.
    assert_ne!(zscore(&y).unwrap()[..70], zscore(&changed).unwrap()[..70]);
}
