//! Two-dimensional convolution by unfolding (im2col) and matrix products, sample by sample.

use super::{Mat, MatMut, Real, matmul};
use rayon::prelude::*;

/// Sizes of a convolution of [batch, input, height, width] with square kernels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Input height.
    pub height: usize,
    /// Input width.
    pub width: usize,
    /// Kernel side.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
    /// Zeros on each side.
    pub padding: usize,
}

impl ConvShape {
    /// Output height and width.
    pub fn out(&self) -> (usize, usize) {
        let side = |n: usize| (n + 2 * self.padding).saturating_sub(self.kernel) / self.stride + 1;
        (side(self.height), side(self.width))
    }

    fn patch(&self) -> usize {
        self.input * self.kernel * self.kernel
    }

    /// Calls `f(column element, image element)` for every pair that is not padding.
    fn each(&self, mut f: impl FnMut(usize, usize)) {
        let (oh, ow) = self.out();
        for c in 0..self.input {
            for ky in 0..self.kernel {
                for kx in 0..self.kernel {
                    let line = ((c * self.kernel + ky) * self.kernel + kx) * oh * ow;
                    for y in 0..oh {
                        let Some(iy) =
                            (y * self.stride + ky).checked_sub(self.padding).filter(|&v| v < self.height)
                        else {
                            continue;
                        };
                        for x in 0..ow {
                            if let Some(ix) =
                                (x * self.stride + kx).checked_sub(self.padding).filter(|&v| v < self.width)
                            {
                                f(line + y * ow + x, (c * self.height + iy) * self.width + ix);
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Samples per partial sum of the weight gradient.
const GROUP: usize = 4;

/// Convolution: `x` [batch, input, h, w], `w` [output, input, k, k], `bias` \[output\] -> [batch, output, oh, ow].
pub fn conv2d<T: Real>(x: &[T], w: &[T], bias: &[T], s: ConvShape) -> Vec<T> {
    let (oh, ow) = s.out();
    let (area, image) = (oh * ow, s.input * s.height * s.width);
    let batch = x.len() / image;
    let mut out = vec![T::ZERO; batch * s.output * area];
    out.par_chunks_mut(GROUP * s.output * area).zip(x.par_chunks(GROUP * image)).for_each(|(out, x)| {
        let mut columns = vec![T::ZERO; s.patch() * area];
        for (out, x) in out.chunks_exact_mut(s.output * area).zip(x.chunks_exact(image)) {
            s.each(|c, i| columns[c] = x[i]);
            for (line, &b) in out.chunks_exact_mut(area).zip(bias) {
                line.fill(b);
            }
            let (w, columns) = (Mat::new(w, s.output, s.patch()), Mat::new(&columns, s.patch(), area));
            matmul(MatMut::new(out, s.output, area), w, columns, true);
        }
    });
    out
}

/// Gradients of [`conv2d`] with respect to x, w and bias.
pub fn conv2d_backward<T: Real>(dout: &[T], x: &[T], w: &[T], s: ConvShape) -> [Vec<T>; 3] {
    let (oh, ow) = s.out();
    let (area, image) = (oh * ow, s.input * s.height * s.width);
    let mut dx = vec![T::ZERO; x.len()];
    let parts: Vec<(Vec<T>, Vec<T>)> = dx
        .par_chunks_mut(GROUP * image)
        .zip(x.par_chunks(GROUP * image))
        .zip(dout.par_chunks(GROUP * s.output * area))
        .map(|((dx, x), dout)| {
            let mut columns = vec![T::ZERO; s.patch() * area];
            let mut gradient = vec![T::ZERO; s.patch() * area];
            let mut dw = vec![T::ZERO; w.len()];
            let mut db = vec![T::ZERO; s.output];
            let samples =
                dx.chunks_exact_mut(image).zip(x.chunks_exact(image)).zip(dout.chunks_exact(s.output * area));
            for ((dx, x), dout) in samples {
                s.each(|c, i| columns[c] = x[i]);
                let d = Mat::new(dout, s.output, area);
                matmul(
                    MatMut::new(&mut dw, s.output, s.patch()),
                    d,
                    Mat::new(&columns, s.patch(), area).t(),
                    true,
                );
                matmul(
                    MatMut::new(&mut gradient, s.patch(), area),
                    Mat::new(w, s.output, s.patch()).t(),
                    d,
                    false,
                );
                s.each(|c, i| dx[i] += gradient[c]);
                for (b, line) in db.iter_mut().zip(dout.chunks_exact(area)) {
                    *b += super::sum(line);
                }
            }
            (dw, db)
        })
        .collect();
    let (mut dw, mut db) = (vec![T::ZERO; w.len()], vec![T::ZERO; s.output]);
    for (w, b) in &parts {
        super::add_assign(&mut dw, w);
        super::add_assign(&mut db, b);
    }
    [dx, dw, db]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradients_match_differences() {
        let s = ConvShape { input: 2, output: 3, height: 5, width: 4, kernel: 3, stride: 2, padding: 1 };
        let (oh, ow) = s.out();
        assert_eq!((oh, ow), (3, 2));
        let mut r = neuropil_core::Streams::new(5).stream("conv", 0);
        let (x, w, b, g) = (r.normals(5 * 40), r.normals(54), r.normals(3), r.normals(5 * 18));
        let value = |x: &[f64], w: &[f64], b: &[f64]| -> f64 {
            conv2d(x, w, b, s).iter().zip(&g).map(|(a, b)| a * b).sum()
        };
        let [dx, dw, db] = conv2d_backward(&g, &x, &w, s);
        let check = |v: &[f64], d: &[f64], f: &dyn Fn(&[f64]) -> f64| {
            for i in 0..v.len() {
                let (mut a, mut b) = (v.to_vec(), v.to_vec());
                a[i] += 1e-4;
                b[i] -= 1e-4;
                // Linear in each argument, so only rounding is left.
                assert!((d[i] - (f(&a) - f(&b)) / 2e-4).abs() < 1e-8);
            }
        };
        check(&x, &dx, &|v| value(v, &w, &b));
        check(&w, &dw, &|v| value(&x, v, &b));
        check(&b, &db, &|v| value(&x, &w, v));
    }
}
