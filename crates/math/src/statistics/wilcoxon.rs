//! The signed-rank test of paired differences (F. Wilcoxon 1945).

use super::{normal_cdf, ranks};
use neuropil_core::{Error, Result};

/// Most differences for which all signs are counted; beyond, the normal approximation is good to three digits.
const EXACT: usize = 200;

/// The probability of a sum of the ranks of positive differences at least as large as found if their signs were fair
/// coins: a small value says that differences tend to be above zero. Zeros are left out; ties share their average rank,
/// and the distribution is that of the ranks as they are. 1 if all differences are zero.
pub fn wilcoxon_greater(differences: &[f64]) -> Result<f64> {
    if let Some(d) = differences.iter().find(|d| !d.is_finite()) {
        return Err(Error::input("finite differences", d.to_string()));
    }
    if differences.is_empty() {
        return Err(Error::input("at least 1 difference", "none"));
    }
    let used: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    let sizes: Vec<f64> = used.iter().map(|d| d.abs()).collect();
    let ranks = ranks(&sizes);
    let positive = |k: &usize| used[*k] > 0.0;
    if used.len() <= EXACT {
        // Average ranks are halves: counted in units of one half.
        let halves: Vec<usize> = ranks.iter().map(|r| (2.0 * r).round() as usize).collect();
        let found: usize = (0..used.len()).filter(positive).map(|k| halves[k]).sum();
        // Share of the sign patterns that give each sum.
        let mut share = vec![0.0; halves.iter().sum::<usize>() + 1];
        share[0] = 1.0;
        let mut top = 0;
        for h in halves {
            top += h;
            for s in (0..=top).rev() {
                let with = if s >= h { share[s - h] } else { 0.0 };
                share[s] = 0.5 * (share[s] + with);
            }
        }
        return Ok(share[found..].iter().sum::<f64>().min(1.0));
    }
    let found: f64 = (0..used.len()).filter(positive).map(|k| ranks[k]).sum();
    let expected = 0.5 * ranks.iter().sum::<f64>();
    let deviation = (0.25 * ranks.iter().map(|r| r * r).sum::<f64>()).sqrt();
    Ok(1.0 - normal_cdf((found - 0.5 - expected) / deviation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_sign_patterns() -> Result<()> {
        // All of n positive: one pattern of 2^n.
        assert_eq!(wilcoxon_greater(&[1.0, 2.0, 3.0, 4.0, 5.0])?, 1.0 / 32.0);
        assert_eq!(wilcoxon_greater(&[-1.0, -2.0, -3.0])?, 1.0);
        // Ranks 1, 2, 3 with 1 negative: sums of at least 5 are {2, 3} and {1, 2, 3}.
        assert_eq!(wilcoxon_greater(&[-1.0, 2.0, 3.0])?, 2.0 / 8.0);
        assert_eq!(wilcoxon_greater(&[0.0, 0.0])?, 1.0);
        assert!(wilcoxon_greater(&[]).is_err() && wilcoxon_greater(&[f64::NAN]).is_err());
        // scipy.stats.wilcoxon(d, alternative="greater", method="exact").pvalue, SciPy 1.17.
        let d = [0.8, -0.3, 1.4, 0.2, -0.6, 2.1, 1.1, 0.9, -0.1, 1.7];
        assert!((wilcoxon_greater(&d)? - 0.0244140625).abs() < 1e-12, "{}", wilcoxon_greater(&d)?);
        Ok(())
    }

    #[test]
    fn approximation_continues_the_exact_distribution() -> Result<()> {
        let d = |n: usize| -> Vec<f64> {
            (0..n).map(|k| (k + 1) as f64 * if k % 9 < 4 { -1.0 } else { 1.0 }).collect()
        };
        let (exact, normal) = (wilcoxon_greater(&d(198))?, wilcoxon_greater(&d(207))?);
        assert!((exact - normal).abs() < 0.02, "{exact} {normal}");
        Ok(())
    }
}
