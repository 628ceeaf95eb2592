//! Nearest-neighbour upsampling over three axes.

use super::{Real, add_assign};
use rayon::prelude::*;

/// Repeats every voxel of [maps, size] `factor` times along each axis.
pub fn upsample<T: Real>(x: &[T], size: [usize; 3], factor: [usize; 3]) -> Vec<T> {
    let ([d, h, w], [fz, fy, fx]) = (size, factor);
    let (area, wide) = (d * h * w, w * fx);
    let large = area * fz * fy * fx;
    let mut out = vec![T::ZERO; x.len() / area.max(1) * large];
    if large == 0 {
        return out;
    }
    out.par_chunks_mut(large).zip(x.par_chunks_exact(area)).for_each(|(out, x)| {
        for (plane, x) in out.chunks_exact_mut(fz * fy * h * wide).zip(x.chunks_exact(h * w)) {
            for (rows, x) in plane.chunks_exact_mut(fy * wide).zip(x.chunks_exact(w)) {
                let (first, rest) = rows.split_at_mut(wide);
                match fx {
                    2 => {
                        for (pair, v) in first.as_chunks_mut::<2>().0.iter_mut().zip(x) {
                            *pair = [*v; 2];
                        }
                    }
                    _ => first.chunks_exact_mut(fx).zip(x).for_each(|(o, v)| o.fill(*v)),
                }
                rest.chunks_exact_mut(wide).for_each(|row| row.copy_from_slice(first));
            }
            // The first h * fy rows are one plane; the others repeat it.
            let plane_len = fy * h * wide;
            for k in 1..fz {
                let (done, next) = plane.split_at_mut(k * plane_len);
                next[..plane_len].copy_from_slice(&done[..plane_len]);
            }
        }
    });
    out
}

/// Gradient through [`upsample`]: sums over the copies of each voxel. `size` is that of the small volume.
pub fn upsample_backward<T: Real>(g: &[T], size: [usize; 3], factor: [usize; 3]) -> Vec<T> {
    let ([d, h, w], [fz, fy, fx]) = (size, factor);
    let (area, wide) = (d * h * w, w * fx);
    let large = area * fz * fy * fx;
    let mut out = vec![T::ZERO; g.len().checked_div(large).unwrap_or(0) * area];
    if large == 0 {
        return out;
    }
    out.par_chunks_mut(area).zip(g.par_chunks_exact(large)).for_each(|(out, g)| {
        let mut sum = vec![T::ZERO; wide];
        for (row, out) in out.chunks_exact_mut(w).enumerate() {
            let (z, y) = (row / h, row % h);
            sum.fill(T::ZERO);
            for k in 0..fz * fy {
                let from = ((z * fz + k / fy) * h * fy + y * fy + k % fy) * wide;
                add_assign(&mut sum, &g[from..from + wide]);
            }
            match fx {
                2 => {
                    for (o, pair) in out.iter_mut().zip(sum.as_chunks::<2>().0) {
                        *o = pair[0] + pair[1];
                    }
                }
                _ => out.iter_mut().zip(sum.chunks_exact(fx)).for_each(|(o, s)| *o = s.iter().copied().sum()),
            }
        }
    });
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_and_sums() {
        let x = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(
            upsample(&x, [1, 2, 2], [1, 1, 3]),
            [1.0, 1.0, 1.0, 2.0, 2.0, 2.0, 3.0, 3.0, 3.0, 4.0, 4.0, 4.0]
        );
        let up = upsample(&x, [1, 1, 2], [2, 2, 2]);
        assert_eq!(up[..8], [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
        assert_eq!(up[4..8], up[..4]);
        assert_eq!((up[8], up[16]), (1.0, 3.0));
    }

    #[test]
    fn the_backward_pass_is_the_transpose() {
        for (size, factor) in [([2, 3, 2], [2, 2, 2]), ([1, 2, 5], [1, 2, 2]), ([3, 1, 2], [1, 3, 4])] {
            let small: usize = size.iter().product::<usize>() * 3;
            let large = small * factor.iter().product::<usize>();
            let x: Vec<f64> = (0..small).map(|i| (i as f64 * 0.7).sin()).collect();
            let g: Vec<f64> = (0..large).map(|i| (i as f64 * 0.3).cos()).collect();
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            let (forward, backward) = (upsample(&x, size, factor), upsample_backward(&g, size, factor));
            // <U x, g> = <x, U' g>, the same products in another order.
            assert!((dot(&forward, &g) - dot(&x, &backward)).abs() < 1e-12);
        }
    }
}
