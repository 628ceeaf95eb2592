//! Entropy and mutual information of binned values, in bits.

use crate::{Matrix, sums};
use neuropil_core::{Error, Result};

/// Entropy of a labelling in bits.
pub fn entropy(labels: &[u8]) -> Result<f64> {
    if labels.is_empty() {
        return Err(Error::input("at least 1 label", "none"));
    }
    let mut counts = [0_u64; 256];
    labels.iter().for_each(|&l| counts[usize::from(l)] += 1);
    let n = labels.len() as f64;
    Ok(counts
        .iter()
        .filter(|&&c| c > 0)
        .map(|&c| {
            let p = c as f64 / n;
            -p * p.log2()
        })
        .sum())
}

/// Mutual information of two labellings of the same samples in bits, the plug-in estimate
/// `sum p(a, b) log2 (p(a, b) / p(a) p(b))`.
pub fn mutual_information(a: &[u8], b: &[u8]) -> Result<f64> {
    if a.len() != b.len() || a.is_empty() {
        return Err(Error::input(
            "two series of one length, at least 1",
            format!("{} and {} labels", a.len(), b.len()),
        ));
    }
    let classes = |l: &[u8]| l.iter().max().map_or(0, |&m| usize::from(m) + 1);
    Ok(of_joint(&joint(a, b, classes(a), classes(b)), classes(b)))
}

/// Counts of (label of a, label of b), row-major. Two tables, so that a run of one pair does not wait for its own last
/// addition.
fn joint(a: &[u8], b: &[u8], rows: usize, cols: usize) -> Vec<u64> {
    let mut tables = [vec![0_u32; rows * cols], vec![0_u32; rows * cols]];
    let [even, odd] = &mut tables;
    let mut out = vec![0_u64; rows * cols];
    // A table holds at most 2^31 counts before it is emptied.
    for (a, b) in a.chunks(1 << 31).zip(b.chunks(1 << 31)) {
        let (pairs_a, rest_a) = a.as_chunks::<2>();
        let (pairs_b, rest_b) = b.as_chunks::<2>();
        for (x, y) in pairs_a.iter().zip(pairs_b) {
            even[usize::from(x[0]) * cols + usize::from(y[0])] += 1;
            odd[usize::from(x[1]) * cols + usize::from(y[1])] += 1;
        }
        for (x, y) in rest_a.iter().zip(rest_b) {
            even[usize::from(*x) * cols + usize::from(*y)] += 1;
        }
        for (o, (e, d)) in out.iter_mut().zip(even.iter_mut().zip(odd.iter_mut())) {
            *o += u64::from(std::mem::take(e)) + u64::from(std::mem::take(d));
        }
    }
    out
}

fn of_joint(counts: &[u64], cols: usize) -> f64 {
    let rows: Vec<u64> = counts.chunks_exact(cols).map(|r| r.iter().sum()).collect();
    let columns: Vec<u64> = (0..cols).map(|j| counts.iter().skip(j).step_by(cols).sum()).collect();
    let n = rows.iter().sum::<u64>() as f64;
    let mut bits = 0.0;
    for (i, row) in counts.chunks_exact(cols).enumerate() {
        for (j, &c) in row.iter().enumerate().filter(|(_, c)| **c > 0) {
            let c = c as f64;
            bits += c / n * (c * n / (rows[i] as f64 * columns[j] as f64)).log2();
        }
    }
    bits.max(0.0)
}

/// Mutual information in bits of every series of `a` with every series of `b` (series of a x series of b), in parallel.
/// All series hold the labels of the same samples.
pub fn mutual_information_matrix(a: &[Vec<u8>], b: &[Vec<u8>]) -> Result<Matrix> {
    let length = a.first().map_or(0, Vec::len);
    if length == 0 || b.is_empty() {
        return Err(Error::input("at least 1 series of at least 1 label on both sides", "none"));
    }
    if let Some(s) = a.iter().chain(b).find(|s| s.len() != length) {
        return Err(Error::input(format!("{length} labels in every series"), s.len().to_string()));
    }
    let rows =
        sums::map(a.len(), |i| b.iter().map(|s| mutual_information(&a[i], s)).collect::<Result<Vec<f64>>>());
    Matrix::from_rows(&rows.into_iter().collect::<Result<Vec<_>>>()?)
}

/// Bins for the activations of a rectified unit: exactly 0 is bin 0, all other values are cut into `bins` bins of about
/// equal numbers, 1, 2, ... in ascending order. Equal values share a bin, so bins may come out unequal or empty. Fails on
/// NaN or infinity and unless 1 <= `bins` <= 255.
pub fn zero_and_equal_frequency_bins(values: &[f64], bins: usize) -> Result<Vec<u8>> {
    super::descriptive::require_finite(values)?;
    if !(1..=255).contains(&bins) {
        return Err(Error::config("1 to 255 bins", bins.to_string()));
    }
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| *v != 0.0).collect();
    sorted.sort_unstable_by(f64::total_cmp);
    let edges: Vec<f64> = match sorted.len() {
        0 => Vec::new(),
        n => (1..bins).map(|k| sorted[k * n / bins]).collect(),
    };
    Ok(values
        .iter()
        .map(|&v| if v == 0.0 { 0 } else { 1 + edges.partition_point(|&e| e <= v) as u8 })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn information_of_a_series_about_itself_is_its_entropy() -> Result<()> {
        let a: Vec<u8> = (0..1001_u32).map(|i| (i * i % 7) as u8).collect();
        // Sums of at most 49 terms of order 1.
        assert!((mutual_information(&a, &a)? - entropy(&a)?).abs() < 1e-13);
        let constant = vec![3_u8; a.len()];
        assert_eq!((mutual_information(&a, &constant)?, entropy(&constant)?), (0.0, 0.0));
        // Two independent fair coins, and one that is the other's negation.
        let (x, y): (Vec<u8>, Vec<u8>) = (0..400_u32).map(|i| ((i % 2) as u8, (i / 2 % 2) as u8)).unzip();
        assert_eq!(mutual_information(&x, &y)?, 0.0);
        assert_eq!(mutual_information(&x, &x.iter().map(|v| 1 - v).collect::<Vec<_>>())?, 1.0);
        assert!(mutual_information(&x, &y[1..]).is_err() && entropy(&[]).is_err());
        assert!(mutual_information_matrix(std::slice::from_ref(&x), &[y[1..].to_vec()]).is_err());
        assert_eq!(mutual_information_matrix(&[x.clone(), y.clone()], &[y])?.data(), [0.0, 1.0]);
        Ok(())
    }

    #[test]
    fn zero_has_a_bin_of_its_own_and_the_rest_share_equally() -> Result<()> {
        let values: Vec<f64> = (0..100).map(|i| if i < 40 { 0.0 } else { f64::from(i) }).collect();
        let bins = zero_and_equal_frequency_bins(&values, 15)?;
        let mut counts = [0; 17];
        bins.iter().for_each(|&b| counts[usize::from(b)] += 1);
        assert_eq!((counts[0], counts[16]), (40, 0));
        assert!(counts[1..16].iter().all(|&c| c == 4));
        assert_eq!(zero_and_equal_frequency_bins(&[0.0, 2.0, 2.0, 2.0], 3)?, [0, 3, 3, 3]);
        assert_eq!(zero_and_equal_frequency_bins(&[0.0; 3], 3)?, [0; 3]);
        assert!(zero_and_equal_frequency_bins(&[f64::NAN], 3).is_err());
        assert!(zero_and_equal_frequency_bins(&[1.0], 0).is_err());
        Ok(())
    }
}
