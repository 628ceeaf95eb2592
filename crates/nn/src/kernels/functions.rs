//! Special functions in single precision, without branches or calls, so that loops over them vectorise. Fused
//! multiply-adds throughout: on a processor without them, calls that are right but slow.
//!
//! Errors against double precision, in units in the last place, over every argument of the tests: exp 1.5 (results
//! below the smallest normal number become it), ln 1, tanh 6, erf 8. Polynomials of Cephes (S. Moshier); for tanh and erf
//! the rational forms that Eigen and XLA use.
// Coefficients with the digits that their authors give.
#![allow(clippy::excessive_precision)]

/// e^x: x = n ln 2 + r with |r| <= ln 2 / 2, a polynomial in r, the exponent added through the bits.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    // Adding and subtracting 1.5 * 2^23 rounds to an integer without a call that would stop vectorisation.
    const MAGIC: f32 = 12_582_912.0;
    let x = if x > 88.0 { 88.0 } else { x };
    let x = if x < -87.0 { -87.0 } else { x };
    let rounded = x.mul_add(std::f32::consts::LOG2_E, MAGIC);
    let n = rounded - MAGIC;
    let r = n.mul_add(2.121_944_4e-4, n.mul_add(-0.693_359_4, x));
    let p: f32 = 1.987_569_1e-4;
    let p = p.mul_add(r, 1.398_199_9e-3);
    let p = p.mul_add(r, 8.333_452e-3);
    let p = p.mul_add(r, 4.166_579_6e-2);
    let p = p.mul_add(r, 1.666_666_5e-1);
    let p = p.mul_add(r, 0.5);
    let p = p.mul_add(r * r, r) + 1.0;
    // The low bits of `rounded` are n in two's complement: no conversion is needed.
    p * f32::from_bits((rounded.to_bits() << 23).wrapping_add(127 << 23))
}

/// Natural logarithm: x = 2^e m with sqrt(1/2) <= m < sqrt(2), a polynomial in m - 1. NaN below 0, -infinity at 0.
#[inline(always)]
pub(super) fn ln(x: f32) -> f32 {
    // Numbers below the normal range are lifted by 2^23.
    let tiny = x < f32::MIN_POSITIVE;
    let lifted = if tiny { x * 8_388_608.0 } else { x };
    let bits = lifted.to_bits();
    let e = ((bits >> 23) as i32 - 126) as f32 - if tiny { 23.0 } else { 0.0 };
    let m = f32::from_bits((bits & 0x007f_ffff) | 0x3f00_0000);
    let low = m < std::f32::consts::FRAC_1_SQRT_2;
    let e = if low { e - 1.0 } else { e };
    let m = if low { m + m - 1.0 } else { m - 1.0 };
    let z = m * m;
    let p: f32 = 7.037_683_6e-2;
    let p = p.mul_add(m, -1.151_461e-1);
    let p = p.mul_add(m, 1.167_699_9e-1);
    let p = p.mul_add(m, -1.242_014_1e-1);
    let p = p.mul_add(m, 1.424_932_3e-1);
    let p = p.mul_add(m, -1.666_805_8e-1);
    let p = p.mul_add(m, 2.000_071_5e-1);
    let p = p.mul_add(m, -2.499_999_4e-1);
    let p = p.mul_add(m, 3.333_333_1e-1);
    let y = e.mul_add(-2.121_944_4e-4, (p * m).mul_add(z, -0.5 * z));
    let y = e.mul_add(0.693_359_4, m + y);
    let y = if x == f32::INFINITY { x } else { y };
    let y = if x == 0.0 { f32::NEG_INFINITY } else { y };
    if x >= 0.0 { y } else { f32::NAN }
}

/// Hyperbolic tangent: x P(x^2) / Q(x^2) up to 8, from where on it is 1 to the last place.
#[inline(always)]
pub(super) fn tanh(x: f32) -> f32 {
    const END: f32 = 7.998_811_7;
    let a = if x > END { END } else { x };
    let a = if a < -END { -END } else { a };
    let z = a * a;
    let p: f32 = -2.760_768_5e-16;
    let p = p.mul_add(z, 2.000_187_9e-13);
    let p = p.mul_add(z, -8.604_672e-11);
    let p = p.mul_add(z, 5.122_297e-8);
    let p = p.mul_add(z, 1.485_722_4e-5);
    let p = p.mul_add(z, 6.372_619_3e-4);
    let p = p.mul_add(z, 4.893_524_6e-3);
    let q: f32 = 1.198_258_4e-6;
    let q = q.mul_add(z, 1.185_347_1e-4);
    let q = q.mul_add(z, 2.268_434_6e-3);
    let q = q.mul_add(z, 4.893_525_2e-3);
    // Near 0 the slope of the quotient is off in the last place.
    if a.abs() < 4e-4 { x } else { a * p / q }
}

/// Error function: x P(x^2) / Q(x^2), constant beyond 4, where it is 1 to the last place.
#[inline(always)]
pub(super) fn erf(x: f32) -> f32 {
    let x = if x > 4.0 { 4.0 } else { x };
    let x = if x < -4.0 { -4.0 } else { x };
    let z = x * x;
    let p: f32 = -2.726_142_3e-10;
    let p = p.mul_add(z, 2.770_681_4e-8);
    let p = p.mul_add(z, -2.101_024e-6);
    let p = p.mul_add(z, -5.692_506_4e-5);
    let p = p.mul_add(z, -7.349_906_3e-4);
    let p = p.mul_add(z, -2.954_599_8e-3);
    let p = p.mul_add(z, -1.609_603_3e-2);
    let q: f32 = -1.456_607_2e-5;
    let q = q.mul_add(z, -2.133_740_6e-4);
    let q = q.mul_add(z, -1.682_827e-3);
    let q = q.mul_add(z, -7.373_329e-3);
    let q = q.mul_add(z, -1.426_473_9e-2);
    let y = x * p / q;
    if x.abs() >= 4.0 { 1.0_f32.copysign(x) } else { y }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Largest error in units in the last place of the double-precision result.
    fn ulps(arguments: impl Iterator<Item = f32>, f: fn(f32) -> f32, exact: fn(f64) -> f64) -> f64 {
        arguments
            .map(|x| {
                let want = exact(f64::from(x));
                let magnitude = (want.abs() as f32).max(f32::MIN_POSITIVE);
                let unit = f64::from(f32::from_bits(magnitude.to_bits() + 1) - magnitude);
                (f64::from(f(x)) - want).abs() / unit
            })
            .fold(0.0, f64::max)
    }

    fn range(low: f32, high: f32) -> impl Iterator<Item = f32> {
        let n = 400_000;
        (0..=n).map(move |i| low + (high - low) * i as f32 / n as f32)
    }

    /// Both signs of every 97th number between two positive ones.
    fn all_sizes(low: f32, high: f32) -> impl Iterator<Item = f32> {
        (low.to_bits()..high.to_bits()).step_by(997).map(f32::from_bits).flat_map(|x| [x, -x])
    }

    #[test]
    fn errors_are_as_stated() {
        assert!(ulps(range(-86.9, 88.0), exp, f64::exp) <= 1.5);
        assert!(ulps(all_sizes(1e-44, 3e38).filter(|x| *x > 0.0), ln, f64::ln) <= 1.0);
        assert!(ulps(all_sizes(1e-30, 30.0), tanh, f64::tanh) <= 6.0);
        assert!(ulps(all_sizes(1e-30, 6.0), erf, neuropil_math::statistics::erf) <= 8.0);
    }

    #[test]
    fn edges() {
        assert_eq!((ln(0.0), ln(f32::INFINITY), ln(1.0)), (f32::NEG_INFINITY, f32::INFINITY, 0.0));
        assert!(
            ln(-1.0).is_nan() && ln(f32::NAN).is_nan() && tanh(f32::NAN).is_nan() && erf(f32::NAN).is_nan()
        );
        assert_eq!(
            (tanh(f32::INFINITY), tanh(-100.0), erf(9.0), erf(f32::NEG_INFINITY)),
            (1.0, -1.0, 1.0, -1.0)
        );
        assert_eq!((tanh(0.0), erf(0.0), exp(0.0)), (0.0, 0.0, 1.0));
    }
}
