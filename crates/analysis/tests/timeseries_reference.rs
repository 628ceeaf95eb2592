//! `timeseries` and `linear_models` against numpy, scipy, pandas and scikit-learn (`reference/make_timeseries.py`).

use neuropil_analysis::linear_models::{Ar1, Masked, Ridge};
use neuropil_analysis::timeseries::{
    Between, Interpolation, Resampling, fill_gaps, gradient, power_transform, quantile_transform,
    smooth_exponential, smooth_gaussian, smooth_gaussian_causal, smooth_moving_average, zscore,
    zscore_causal,
};
use std::collections::BTreeMap;

#[expect(clippy::expect_used, reason = "a broken reference file must fail the test")]
fn reference() -> BTreeMap<&'static str, Vec<f64>> {
    include_str!("reference/timeseries.txt")
        .lines()
        .map(|line| {
            let mut cells = line.split(' ');
            let name = cells.next().expect("name");
            (name, cells.map(|c| c.parse().expect("number")).collect())
        })
        .collect()
}

/// Largest difference must stay within `tolerance`.
fn close(name: &str, got: &[f64], want: &[f64], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{name}: length");
    let worst = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    assert!(worst <= tolerance, "{name}: differs by {worst:e}");
}

#[test]
fn series_agree_with_numpy_scipy_pandas_and_scikit_learn() {
    let r = reference();
    let (t, y) = (&r["t"], &r["y"]);
    // Values of order 1 through at most a few hundred additions: 1e-10 leaves room only for rounding.
    let tight = 1e-10;
    close("gradient", &gradient(y, t).unwrap(), &r["gradient"], tight);
    let grid = Interpolation::new(t, &r["to"], Between::Linear).unwrap();
    close("interp", &grid.apply(y).unwrap(), &r["interp"], tight);
    close("gaussian 0.7", &smooth_gaussian(y, 0.7, 4.0).unwrap(), &r["gaussian_0.7"], tight);
    close("gaussian 5", &smooth_gaussian(y, 5.0, 4.0).unwrap(), &r["gaussian_5.0"], tight);
    close("gaussian on 4 samples", &smooth_gaussian(&y[..4], 5.0, 4.0).unwrap(), &r["gaussian_short"], tight);
    close("zscore", &zscore(y).unwrap(), &r["zscore"], tight);
    close("zscore of a constant", &zscore(&[0.1; 7]).unwrap(), &r["zscore_constant"], tight);
    close("causal zscore", &zscore_causal(y).unwrap(), &r["zscore_causal"], tight);
    close("exponential", &smooth_exponential(y, 0.3).unwrap(), &r["ewm"], tight);
    close("moving average", &smooth_moving_average(y, 14).unwrap(), &r["moving"], tight);
    // The published loop keeps all past samples; ours stops at 6 sigma, where the weight is 1.5e-8.
    close("causal gaussian", &smooth_gaussian_causal(y, 5.0).unwrap(), &r["gaussian_causal"], 1e-7);
    let mut gaps = y.clone();
    for i in [0, 1, 7, 20, 21, 22, 40, 58, 59] {
        gaps[i] = f64::NAN;
    }
    assert_eq!(fill_gaps(&mut gaps, t).unwrap(), 9);
    close("filled", &gaps, &r["filled"], tight);
    for (dt, times, values) in [(0.2, "up_t", "up_y"), (2.0, "down_t", "down_y")] {
        let plan = Resampling::new(t, dt, false).unwrap();
        close(times, plan.times(), &r[times], tight);
        close(values, &plan.apply(y).unwrap(), &r[values], tight);
    }
    close("quantile", &quantile_transform(&r["ties"]).unwrap(), &r["quantile"], tight);
    // Both minimise the same likelihood, flat at its minimum: the exponent is known to about the root of the rounding.
    let (power, lambda) = power_transform(&r["skewed"]).unwrap();
    close("power exponent", &[lambda], &r["power_lambda"], 1e-5);
    close("power", &power, &r["power"], 1e-5);
}

#[test]
fn regressions_agree_with_scikit_learn() {
    let r = reference();
    let fit = Ridge::fit(&r["ridge_x"], &r["ridge_y"], 5, 3, 0.7).unwrap();
    // Normal equations of condition below 100.
    close("ridge", fit.weights(), &r["ridge_coef"], 1e-10);
    close("ridge intercept", fit.intercept(), &r["ridge_intercept"], 1e-10);

    let mask = [1, 1, 0, 0, 0, 1, 0, 1, 1, 1, 1, 1, 0, 0, 0, 1].map(|v| v == 1);
    let present = [true; 4];
    let segment = Masked::new(&r["ar_x"], &present).unwrap();
    let ar = Ar1::fit(&[segment], 0.7, Some(&mask)).unwrap();
    close("masked AR(1)", ar.weights(), &r["ar_weights"], 1e-10);
    close("masked AR(1) intercept", ar.intercept(), &r["ar_intercept"], 1e-10);
}
