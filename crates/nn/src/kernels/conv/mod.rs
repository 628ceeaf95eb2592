//! Convolutions over one, two or three axes without unfolding.
//!
//! The padded input of a sample is stored as planes, one per phase of the stride, in which the tap (kz, ky, kx) of the
//! kernel reads the input of output q at q plus a fixed offset. So a tile of outputs that lie one after another is a sum
//! of shifted pieces of planes times weights, which is a matrix product whose right side is never written down: the only
//! copy is the padding. Between the rows of outputs lie as many places as the padding takes; they are computed and
//! dropped. Gradients with respect to the input are the same product with the roles of the channels exchanged, one per
//! phase; those with respect to the weights are inner products of shifted pieces. A kernel of one place is a plain
//! product, see `pointwise.rs`. (Unfolding blocks of places for a library's product was slower throughout.)

mod layout;
mod pointwise;
mod product;
mod weights;

pub use product::{conv, conv_backward_input, conv_rectified};
pub use weights::conv_backward_weights;

use rayon::prelude::*;

/// Sizes of a convolution of [batch, input, depth, height, width]; a convolution over fewer axes has sizes of 1 in front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConvShape {
    /// Input channels.
    pub input: usize,
    /// Output channels.
    pub output: usize,
    /// Channels are convolved in this many separate groups.
    pub groups: usize,
    /// Input depth, height and width.
    pub size: [usize; 3],
    /// Kernel depth, height and width.
    pub kernel: [usize; 3],
    /// Step between windows along each axis.
    pub stride: [usize; 3],
    /// Zeros on each side of each axis.
    pub padding: [usize; 3],
    /// Step between the taps of the kernel along each axis.
    pub dilation: [usize; 3],
}

impl ConvShape {
    /// Over three axes, one kernel size, stride and padding for all; dilation 1, one group.
    pub fn cubic(
        channels: [usize; 2],
        size: [usize; 3],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        Self {
            input: channels[0],
            output: channels[1],
            groups: 1,
            size,
            kernel: [kernel; 3],
            stride: [stride; 3],
            padding: [padding; 3],
            dilation: [1; 3],
        }
    }

    /// The same over two axes.
    pub fn square(
        channels: [usize; 2],
        [h, w]: [usize; 2],
        kernel: usize,
        stride: usize,
        padding: usize,
    ) -> Self {
        let own = |first, rest| [first, rest, rest];
        Self {
            kernel: own(1, kernel),
            stride: own(1, stride),
            padding: own(0, padding),
            ..Self::cubic(channels, [1, h, w], kernel, stride, padding)
        }
    }

    /// The same over one axis.
    pub fn line(channels: [usize; 2], width: usize, kernel: usize, stride: usize, padding: usize) -> Self {
        Self {
            kernel: [1, 1, kernel],
            stride: [1, 1, stride],
            padding: [0, 0, padding],
            ..Self::cubic(channels, [1, 1, width], kernel, stride, padding)
        }
    }

    /// Output depth, height and width; 0 where the kernel does not fit.
    pub fn out(&self) -> [usize; 3] {
        std::array::from_fn(|a| {
            let reach = (self.kernel[a].max(1) - 1) * self.dilation[a] + 1;
            (self.size[a] + 2 * self.padding[a] + 1).saturating_sub(reach).div_ceil(self.stride[a].max(1))
        })
    }

    /// Number of weights, [output, input / groups, kernel depth, height, width].
    pub fn weights(&self) -> usize {
        self.output * (self.input / self.groups.max(1)) * self.taps()
    }

    fn taps(&self) -> usize {
        self.kernel.iter().product()
    }

    fn image(&self) -> usize {
        self.input * self.size.iter().product::<usize>()
    }

    fn area(&self) -> usize {
        self.out().iter().product()
    }

    /// True if every size is positive, channels divide into the groups and the kernel fits.
    pub fn is_valid(&self) -> bool {
        let positive = |v: &[usize; 3]| v.iter().all(|n| *n > 0);
        positive(&self.size)
            && positive(&self.kernel)
            && positive(&self.stride)
            && positive(&self.dilation)
            && positive(&self.out())
            && self.groups > 0
            && self.input > 0
            && self.output > 0
            && self.input.is_multiple_of(self.groups)
            && self.output.is_multiple_of(self.groups)
    }

    fn require(&self) {
        assert!(self.is_valid(), "not a convolution: {self:?}");
    }
}
/// Output channels of a tile.
const BLOCK: usize = 8;
/// Most floats of a vector register.
const MAX_LANES: usize = 16;
/// Tasks that are enough for any number of threads that the work is worth.
const TASKS: usize = 16;

/// Gradient of [`conv`] with respect to its bias: the sum over samples and places.
pub fn conv_backward_bias(dout: &[f32], shape: ConvShape) -> Vec<f32> {
    let area = shape.area();
    let sums: Vec<f32> = dout.par_chunks_exact(area).with_min_len(16).map(super::sum).collect();
    let mut db = vec![0.0; shape.output];
    for sample in sums.chunks_exact(shape.output) {
        super::add_assign(&mut db, sample);
    }
    db
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::{Stream, Streams};

    /// The definition, in double precision: output, and the gradients of its inner product with `g`.
    fn definition(x: &[f32], w: &[f32], b: &[f32], g: &[f32], s: ConvShape) -> [Vec<f64>; 4] {
        let batch = x.len() / s.image();
        let ([d, h, wi], [od, oh, ow], [kd, kh, kw]) = (s.size, s.out(), s.kernel);
        let (own_in, own_out) = (s.input / s.groups, s.output / s.groups);
        let mut y = vec![0.0; batch * s.output * s.area()];
        let (mut dx, mut dw, mut db) = (vec![0.0; x.len()], vec![0.0; w.len()], vec![0.0; s.output]);
        let mut at = 0;
        for n in 0..batch {
            for o in 0..s.output {
                for oz in 0..od {
                    for oy in 0..oh {
                        for ox in 0..ow {
                            y[at] = f64::from(b[o]);
                            db[o] += f64::from(g[at]);
                            for c in 0..own_in {
                                for kz in 0..kd {
                                    for ky in 0..kh {
                                        for kx in 0..kw {
                                            let place = |a: usize, o: usize, k: usize, n: usize| {
                                                (o * s.stride[a] + k * s.dilation[a])
                                                    .checked_sub(s.padding[a])
                                                    .filter(|p| *p < n)
                                            };
                                            let (Some(z), Some(yy), Some(xx)) = (
                                                place(0, oz, kz, d),
                                                place(1, oy, ky, h),
                                                place(2, ox, kx, wi),
                                            ) else {
                                                continue;
                                            };
                                            let channel = o / own_out * own_in + c;
                                            let i = (((n * s.input + channel) * d + z) * h + yy) * wi + xx;
                                            let k = (((o * own_in + c) * kd + kz) * kh + ky) * kw + kx;
                                            y[at] += f64::from(x[i]) * f64::from(w[k]);
                                            dx[i] += f64::from(g[at]) * f64::from(w[k]);
                                            dw[k] += f64::from(g[at]) * f64::from(x[i]);
                                        }
                                    }
                                }
                            }
                            at += 1;
                        }
                    }
                }
            }
        }
        [y, dx, dw, db]
    }

    fn check(s: ConvShape, batch: usize, stream: &mut Stream) {
        let (x, w) = (stream.normals_f32(batch * s.image()), stream.normals_f32(s.weights()));
        let (b, g) = (stream.normals_f32(s.output), stream.normals_f32(batch * s.output * s.area()));
        let want = definition(&x, &w, &b, &g, s);
        let got = [
            conv(&x, &w, &b, s),
            conv_backward_input(&g, &w, s),
            conv_backward_weights(&g, &x, s),
            conv_backward_bias(&g, s),
        ];
        for (name, (got, want)) in ["y", "dx", "dw", "db"].iter().zip(got.iter().zip(&want)) {
            assert_eq!(got.len(), want.len(), "{name} {s:?}");
            for (i, (g, w)) in got.iter().zip(want).enumerate() {
                // Sums of at most a few thousand products of order 1 in single precision.
                assert!((f64::from(*g) - w).abs() < 1e-4 * (1.0 + w.abs()), "{name}[{i}]: {g} {w}, {s:?}");
            }
        }
    }

    #[test]
    fn random_shapes_follow_the_definition() {
        let mut s = Streams::new(7).stream("conv shapes", 0);
        let mut tried = 0;
        while tried < 300 {
            let axes = 1 + s.below(3);
            let groups = [1, 1, 2, 3][s.below(4)];
            let mut any = |low: usize, high: usize, rest: usize| -> [usize; 3] {
                std::array::from_fn(|a| if a + axes < 3 { rest } else { low + s.below(high - low + 1) })
            };
            let (size, kernel) = (any(1, [40, 11, 6][axes - 1], 1), any(1, 4, 1));
            let (stride, padding, dilation) = (any(1, 3, 1), any(0, 3, 0), any(1, 2, 1));
            let channels = [(1 + s.below(7)) * groups, (1 + s.below(11)) * groups];
            let [input, output] = channels;
            let shape = ConvShape { input, output, groups, size, kernel, stride, padding, dilation };
            if shape.is_valid() {
                check(shape, s.below(6), &mut s);
                tried += 1;
            }
        }
    }

    #[test]
    fn usual_shapes_follow_the_definition() {
        let mut s = Streams::new(8).stream("conv shapes", 0);
        check(ConvShape::square([16, 24], [28, 28], 3, 1, 1), 5, &mut s);
        check(ConvShape::square([16, 40], [13, 11], 3, 1, 1), 3, &mut s);
        check(ConvShape::square([40, 64], [29, 28], 3, 2, 1), 17, &mut s);
        check(ConvShape { dilation: [1, 3, 2], ..ConvShape::square([24, 33], [16, 15], 3, 1, 2) }, 9, &mut s);
        check(ConvShape::square([130, 64], [9, 9], 1, 1, 0), 11, &mut s);
        check(ConvShape::square([70, 32], [9, 9], 1, 2, 0), 2, &mut s);
        check(ConvShape::cubic([16, 32], [7, 8, 9], 3, 2, 1), 2, &mut s);
        check(ConvShape::square([3, 8], [28, 28], 5, 1, 2), 20, &mut s);
        check(ConvShape::square([16, 24], [28, 28], 3, 2, 1), 2, &mut s);
        check(ConvShape::square([24, 24], [15, 17], 1, 1, 0), 2, &mut s);
        check(ConvShape { groups: 12, ..ConvShape::square([12, 12], [20, 20], 3, 1, 1) }, 2, &mut s);
        check(ConvShape::cubic([3, 16], [9, 8, 7], 3, 1, 1), 1, &mut s);
        check(ConvShape::line([4, 9], 100, 5, 2, 2), 3, &mut s);
        assert!(!ConvShape::square([1, 1], [2, 2], 5, 1, 1).is_valid());
    }

    #[test]
    fn threads_do_not_change_bits() {
        threads_do_not_change_bits_of(ConvShape::square([5, 9], [13, 12], 3, 1, 1), 9);
        threads_do_not_change_bits_of(ConvShape::square([20, 40], [13, 12], 3, 1, 1), 20);
        threads_do_not_change_bits_of(ConvShape::cubic([3, 9], [13, 12, 7], 3, 1, 1), 1);
    }

    fn threads_do_not_change_bits_of(shape: ConvShape, batch: usize) {
        let mut s = Streams::new(9).stream("conv", 0);
        let (x, w) = (s.normals_f32(batch * shape.image()), s.normals_f32(shape.weights()));
        let g = s.normals_f32(batch * shape.output * shape.area());
        let run = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("pool");
            pool.install(|| {
                [
                    conv(&x, &w, &[], shape),
                    conv_backward_input(&g, &w, shape),
                    conv_backward_weights(&g, &x, shape),
                    conv_backward_bias(&g, shape),
                ]
            })
        };
        assert!(run(1) == run(2) && run(1) == run(5));
    }
}
