//! Pooling over one, two or three axes.

use super::Real;
use rayon::prelude::*;

/// Sizes of a pooling of [batch, channels, depth, height, width]; fewer axes have sizes of 1 in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolShape {
    /// Input depth, height and width.
    pub size: [usize; 3],
    /// Window along each axis.
    pub kernel: [usize; 3],
    /// Step between windows.
    pub stride: [usize; 3],
    /// Places on each side that belong to no input.
    pub padding: [usize; 3],
}

impl PoolShape {
    /// Windows of one size over the last `axes` axes, one beside the other.
    pub fn even(size: [usize; 3], axes: usize, window: usize) -> Self {
        let own = std::array::from_fn(|a| if a + axes < 3 { 1 } else { window });
        Self { size, kernel: own, stride: own, padding: [0; 3] }
    }

    /// Output depth, height and width; 0 where the window does not fit.
    pub fn out(&self) -> [usize; 3] {
        std::array::from_fn(|a| {
            (self.size[a] + 2 * self.padding[a] + 1)
                .saturating_sub(self.kernel[a])
                .div_ceil(self.stride[a].max(1))
        })
    }

    /// True if all sizes are positive, the window fits and no window lies in the padding alone.
    pub fn is_valid(&self) -> bool {
        let positive = |v: &[usize; 3]| v.iter().all(|n| *n > 0);
        positive(&self.size)
            && positive(&self.kernel)
            && positive(&self.stride)
            && positive(&self.out())
            && (0..3).all(|a| 2 * self.padding[a] <= self.kernel[a])
    }

    /// Inputs of the window of output `o` along axis `a`.
    fn window(&self, a: usize, o: usize) -> std::ops::Range<usize> {
        let from = o * self.stride[a];
        let to = (from + self.kernel[a]).saturating_sub(self.padding[a]).min(self.size[a]);
        from.saturating_sub(self.padding[a]).min(to)..to
    }

    /// Calls `f(output, window)` for every output of a channel, the window being inputs in order.
    fn each(&self, mut f: impl FnMut(usize, &mut dyn Iterator<Item = usize>)) {
        let [od, oh, ow] = self.out();
        let (h, w) = (self.size[1], self.size[2]);
        for z in 0..od {
            for y in 0..oh {
                for x in 0..ow {
                    let columns = self.window(2, x);
                    let rows = self.window(1, y);
                    let mut inputs = self.window(0, z).flat_map(|iz| {
                        let columns = columns.clone();
                        rows.clone().flat_map(move |iy| columns.clone().map(move |ix| (iz * h + iy) * w + ix))
                    });
                    f((z * oh + y) * ow + x, &mut inputs);
                }
            }
        }
    }

    fn require(&self) -> (usize, usize) {
        assert!(self.is_valid(), "not a pooling: {self:?}");
        (self.size.iter().product(), self.out().iter().product())
    }
}

/// Largest value of every window, and which input of its channel it is (the first of equals); a NaN wins.
pub fn max_pool<T: Real>(x: &[T], s: PoolShape) -> (Vec<T>, Vec<u32>) {
    let (image, area) = s.require();
    let channels = x.len() / image;
    let (mut out, mut chosen) = (vec![T::ZERO; channels * area], vec![0; channels * area]);
    out.par_chunks_mut(area).zip(chosen.par_chunks_mut(area)).zip(x.par_chunks_exact(image)).for_each(
        |((out, chosen), x)| {
            s.each(|o, inputs| {
                let mut best: Option<(usize, T)> = None;
                for i in inputs {
                    // A NaN on the right is not smaller, so it replaces; on the left nothing replaces it.
                    best = match best {
                        Some((b, v)) if v >= x[i] || v.wide().is_nan() => Some((b, v)),
                        _ => Some((i, x[i])),
                    };
                }
                if let Some((i, v)) = best {
                    out[o] = v;
                    chosen[o] = i as u32;
                }
            });
        },
    );
    (out, chosen)
}

/// Gradient of [`max_pool`]: each output's gradient goes to the input that was chosen.
pub fn max_pool_backward<T: Real>(dout: &[T], chosen: &[u32], s: PoolShape) -> Vec<T> {
    let (image, area) = s.require();
    let mut dx = vec![T::ZERO; dout.len() / area * image];
    dx.par_chunks_mut(image).zip(dout.par_chunks_exact(area)).zip(chosen.par_chunks_exact(area)).for_each(
        |((dx, dout), chosen)| {
            for (&g, &i) in dout.iter().zip(chosen) {
                dx[i as usize] += g;
            }
        },
    );
    dx
}

/// Mean of every window over its inputs; padding does not count.
pub fn average_pool<T: Real>(x: &[T], s: PoolShape) -> Vec<T> {
    let (image, area) = s.require();
    let mut out = vec![T::ZERO; x.len() / image * area];
    out.par_chunks_mut(area).zip(x.par_chunks_exact(image)).for_each(|(out, x)| {
        s.each(|o, inputs| {
            let (mut sum, mut count) = (T::ZERO, 0_usize);
            for i in inputs {
                sum += x[i];
                count += 1;
            }
            out[o] = sum / T::of(count as f64);
        });
    });
    out
}

/// Gradient of [`average_pool`].
pub fn average_pool_backward<T: Real>(dout: &[T], s: PoolShape) -> Vec<T> {
    let (image, area) = s.require();
    let mut dx = vec![T::ZERO; dout.len() / area * image];
    dx.par_chunks_mut(image).zip(dout.par_chunks_exact(area)).for_each(|(dx, dout)| {
        let mut counts = vec![0_usize; area];
        s.each(|o, inputs| counts[o] = inputs.count());
        s.each(|o, inputs| {
            let share = dout[o] / T::of(counts[o] as f64);
            for i in inputs {
                dx[i] += share;
            }
        });
    });
    dx
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_at_the_border_have_fewer_inputs() {
        let s = PoolShape { size: [1, 1, 5], kernel: [1, 1, 3], stride: [1, 1, 2], padding: [0, 0, 1] };
        assert_eq!(s.out(), [1, 1, 3]);
        let x = [1.0, 5.0, 2.0, 2.0, -1.0];
        let (max, chosen) = max_pool(&x, s);
        assert_eq!((max, chosen), (vec![5.0, 5.0, 2.0], vec![1, 1, 3]));
        assert_eq!(average_pool(&x, s), [3.0, 3.0, 0.5]);
        assert_eq!(max_pool_backward(&[1.0, 2.0, 3.0], &[1, 1, 3], s), [0.0, 3.0, 0.0, 3.0, 0.0]);
        assert_eq!(average_pool_backward(&[2.0, 3.0, 4.0], s), [1.0, 2.0, 1.0, 3.0, 2.0]);
        assert!(max_pool(&[f64::NAN, 1.0], PoolShape::even([1, 1, 2], 1, 2)).0[0].is_nan());
        assert!(max_pool(&[1.0, f64::NAN], PoolShape::even([1, 1, 2], 1, 2)).0[0].is_nan());
        assert!(!PoolShape { padding: [0, 0, 2], ..s }.is_valid());
    }

    #[test]
    fn gradients_match_differences() {
        let mut r = neuropil_core::Streams::new(3).stream("pool", 0);
        let overlap = PoolShape { size: [4, 5, 6], kernel: [2, 3, 3], stride: [1, 2, 1], padding: [1, 1, 0] };
        for s in [PoolShape::even([1, 6, 4], 2, 2), PoolShape::even([4, 4, 2], 3, 2), overlap] {
            let (image, area) = s.require();
            let (x, g) = (r.normals(2 * image), r.normals(2 * area));
            let inner = |y: &[f64]| y.iter().zip(&g).map(|(a, b)| a * b).sum::<f64>();
            let max = max_pool_backward(&g, &max_pool(&x, s).1, s);
            let mean = average_pool_backward(&g, s);
            for i in 0..x.len() {
                let difference = |f: &dyn Fn(&[f64]) -> f64| {
                    let (mut a, mut b) = (x.clone(), x.clone());
                    a[i] += 1e-6;
                    b[i] -= 1e-6;
                    (f(&a) - f(&b)) / 2e-6
                };
                // Piecewise linear: only rounding is left, of about 1e-16 / 1e-6.
                assert!((max[i] - difference(&|v| inner(&max_pool(v, s).0))).abs() < 1e-8);
                assert!((mean[i] - difference(&|v| inner(&average_pool(v, s)))).abs() < 1e-8);
            }
        }
    }
}
