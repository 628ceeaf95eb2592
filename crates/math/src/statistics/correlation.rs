use super::descriptive::{argsort, mean, ranks, require_finite};
use crate::sums;
use neuropil_core::{Error, Result};

fn paired(a: &[f64], b: &[f64]) -> Result<()> {
    if a.len() != b.len() || a.len() < 2 {
        return Err(Error::input(
            "two series of one length, at least 2",
            format!("{} and {} values", a.len(), b.len()),
        ));
    }
    require_finite(a)?;
    require_finite(b)
}

/// Pearson's correlation; fails where a series is constant.
pub fn pearson(a: &[f64], b: &[f64]) -> Result<f64> {
    paired(a, b)?;
    let (ma, mb) = (mean(a), mean(b));
    let da: Vec<f64> = a.iter().map(|v| v - ma).collect();
    let db: Vec<f64> = b.iter().map(|v| v - mb).collect();
    let (saa, sbb) = (sums::dot(&da, &da), sums::dot(&db, &db));
    if saa == 0.0 || sbb == 0.0 {
        return Err(Error::input("series that vary", "a constant series"));
    }
    Ok((sums::dot(&da, &db) / (saa.sqrt() * sbb.sqrt())).clamp(-1.0, 1.0))
}

/// Spearman's rank correlation (average ranks for ties); fails where a series is constant.
pub fn spearman(a: &[f64], b: &[f64]) -> Result<f64> {
    paired(a, b)?;
    pearson(&ranks(a), &ranks(b))
}

/// Numbers of pairs: all, tied in a, tied in b, tied in both, discordant.
struct Pairs {
    all: u64,
    tied_a: u64,
    tied_b: u64,
    tied_both: u64,
    discordant: u64,
}

/// Knight's algorithm: sort by (a, b), then count the exchanges of a merge sort by b. O(n log n).
fn count_pairs(a: &[f64], b: &[f64]) -> Pairs {
    let n = a.len() as u64;
    let pairs = |run: u64| run * run.saturating_sub(1) / 2;
    let mut order = argsort(b);
    order.sort_by(|&i, &j| a[i].total_cmp(&a[j]));
    // total_cmp tells -0 from 0; runs are found with ==, so equal values must be neighbours in either order.
    let (mut tied_a, mut tied_both, mut run_a, mut run_both) = (0, 0, 1_u64, 1_u64);
    for w in order.windows(2) {
        let (same_a, same_b) = (a[w[0]] == a[w[1]], b[w[0]] == b[w[1]]);
        if same_a {
            run_a += 1;
        } else {
            tied_a += pairs(run_a);
            run_a = 1;
        }
        if same_a && same_b {
            run_both += 1;
        } else {
            tied_both += pairs(run_both);
            run_both = 1;
        }
    }
    tied_a += pairs(run_a);
    tied_both += pairs(run_both);
    let mut values: Vec<f64> = order.iter().map(|&i| b[i]).collect();
    let discordant = exchanges(&mut values);
    let (mut tied_b, mut run_b) = (0, 1_u64);
    for w in values.windows(2) {
        if w[0] == w[1] {
            run_b += 1;
        } else {
            tied_b += pairs(run_b);
            run_b = 1;
        }
    }
    tied_b += pairs(run_b);
    Pairs { all: pairs(n), tied_a, tied_b, tied_both, discordant }
}

/// Sorts in place and returns the number of pairs that were strictly out of order.
fn exchanges(values: &mut [f64]) -> u64 {
    let mut other = values.to_vec();
    let mut count = 0_u64;
    let mut width = 1;
    let n = values.len();
    while width < n {
        for start in (0..n).step_by(2 * width) {
            let (middle, end) = ((start + width).min(n), (start + 2 * width).min(n));
            let (mut i, mut j) = (start, middle);
            for slot in &mut other[start..end] {
                if i < middle && (j >= end || values[i] <= values[j]) {
                    *slot = values[i];
                    i += 1;
                } else {
                    count += (middle - i) as u64;
                    *slot = values[j];
                    j += 1;
                }
            }
        }
        values.copy_from_slice(&other);
        width *= 2;
    }
    count
}

fn concordance(p: &Pairs) -> f64 {
    let untied = p.all + p.tied_both - p.tied_a - p.tied_b;
    untied as f64 - 2.0 * p.discordant as f64
}

/// Kendall's tau-a, (concordant - discordant) / all pairs: ties count as neither.
pub fn kendall_tau_a(a: &[f64], b: &[f64]) -> Result<f64> {
    paired(a, b)?;
    let (a, b) = (plain_zero(a), plain_zero(b));
    let p = count_pairs(&a, &b);
    Ok(concordance(&p) / p.all as f64)
}

/// Kendall's tau-b, corrected for ties; fails where a series is constant.
pub fn kendall_tau_b(a: &[f64], b: &[f64]) -> Result<f64> {
    paired(a, b)?;
    let (a, b) = (plain_zero(a), plain_zero(b));
    let p = count_pairs(&a, &b);
    if p.tied_a == p.all || p.tied_b == p.all {
        return Err(Error::input("series that vary", "a constant series"));
    }
    Ok(concordance(&p) / (((p.all - p.tied_a) as f64).sqrt() * ((p.all - p.tied_b) as f64).sqrt()))
}

/// -0 becomes 0, so that the total order of the sort agrees with equality.
fn plain_zero(v: &[f64]) -> Vec<f64> {
    v.iter().map(|x| x + 0.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    fn naive(a: &[f64], b: &[f64]) -> f64 {
        let mut s = 0.0;
        for i in 0..a.len() {
            for j in 0..i {
                let (x, y) = (a[i] - a[j], b[i] - b[j]);
                s += if x == 0.0 || y == 0.0 { 0.0 } else { x.signum() * y.signum() };
            }
        }
        s / (a.len() * (a.len() - 1) / 2) as f64
    }

    #[test]
    fn kendall_by_sorting_equals_kendall_by_pairs() -> Result<()> {
        let mut s = Streams::new(1).stream("kendall", 0);
        for n in [2, 3, 8, 33, 100] {
            for levels in [3, 1000] {
                let a: Vec<f64> = (0..n).map(|_| s.below(levels) as f64 - 1.0).collect();
                let b: Vec<f64> = (0..n).map(|_| -(s.below(levels) as f64) + 1.0).collect();
                assert_eq!(kendall_tau_a(&a, &b)?, naive(&a, &b));
            }
        }
        assert_eq!(kendall_tau_b(&[1.0, 2.0, 3.0, 0.0, -0.0], &[1.0, 2.0, 3.0, 0.0, 0.0])?, 1.0);
        Ok(())
    }

    #[test]
    fn limits_and_refusals() -> Result<()> {
        let a: Vec<f64> = (0..50).map(f64::from).collect();
        let cubed: Vec<f64> = a.iter().map(|v| v * v * v).collect();
        let down: Vec<f64> = a.iter().map(|v| -v).collect();
        assert_eq!((spearman(&a, &cubed)?, kendall_tau_a(&a, &cubed)?), (1.0, 1.0));
        assert_eq!((pearson(&a, &down)?, kendall_tau_b(&a, &down)?), (-1.0, -1.0));
        assert!(pearson(&a, &[1.0; 50]).is_err() && kendall_tau_b(&a, &[1.0; 50]).is_err());
        assert!(pearson(&a, &a[1..]).is_err() && pearson(&[1.0], &[1.0]).is_err());
        Ok(())
    }
}
