//! A typed n-dimensional array in C order, as files hold it.

use crate::{Error, Result};
use serde::{Deserialize, Serialize};

/// Element types that files carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DType {
    /// One byte, zero or one.
    Bool,
    /// Unsigned 8 bits.
    U8,
    /// Signed 8 bits.
    I8,
    /// Unsigned 16 bits.
    U16,
    /// Signed 16 bits.
    I16,
    /// Unsigned 32 bits.
    U32,
    /// Signed 32 bits.
    I32,
    /// Unsigned 64 bits.
    U64,
    /// Signed 64 bits.
    I64,
    /// IEEE half precision.
    F16,
    /// bfloat16.
    BF16,
    /// IEEE single precision.
    F32,
    /// IEEE double precision.
    F64,
}

impl DType {
    /// Bytes per element.
    pub fn size(self) -> usize {
        match self {
            Self::Bool | Self::U8 | Self::I8 => 1,
            Self::U16 | Self::I16 | Self::F16 | Self::BF16 => 2,
            Self::U32 | Self::I32 | Self::F32 => 4,
            Self::U64 | Self::I64 | Self::F64 => 8,
        }
    }

    /// True for the floating types.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::BF16 | Self::F32 | Self::F64)
    }
}

/// Shape, element type and little-endian bytes. `bytes.len()` always equals the product of the shape times the
/// element size.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Array {
    dtype: DType,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

macro_rules! typed {
    ($from:ident, $t:ty, $dtype:ident, $doc:literal) => {
        #[doc = $doc]
        pub fn $from(shape: &[usize], values: &[$t]) -> Result<Self> {
            let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
            Self::new(DType::$dtype, shape.to_vec(), bytes)
        }
    };
}

impl Array {
    /// An array over raw little-endian bytes; fails where shape and length disagree.
    pub fn new(dtype: DType, shape: Vec<usize>, bytes: Vec<u8>) -> Result<Self> {
        let want = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
        if want != Some(bytes.len()) {
            return Err(Error::input(
                format!(
                    "{} bytes for shape {shape:?} of {dtype:?}",
                    want.map_or("more".into(), |n| n.to_string())
                ),
                format!("{} bytes", bytes.len()),
            ));
        }
        Ok(Self { dtype, shape, bytes })
    }

    typed!(from_f32, f32, F32, "An array of f32 values in C order.");
    typed!(from_f64, f64, F64, "An array of f64 values in C order.");
    typed!(from_u8, u8, U8, "An array of u8 values in C order.");
    typed!(from_u16, u16, U16, "An array of u16 values in C order.");
    typed!(from_u32, u32, U32, "An array of u32 values in C order.");
    typed!(from_i32, i32, I32, "An array of i32 values in C order.");
    typed!(from_u64, u64, U64, "An array of u64 values in C order.");
    typed!(from_i64, i64, I64, "An array of i64 values in C order.");

    /// Element type.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Axis lengths, slowest first.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// Little-endian bytes in C order.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.bytes.len() / self.dtype.size()
    }

    /// True if an axis has length 0.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// All values as f64 in C order (u64 and i64 beyond 2^53 are rounded).
    pub fn to_f64(&self) -> Vec<f64> {
        fn each<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f64) -> Vec<f64> {
            bytes.as_chunks::<N>().0.iter().map(|c| read(*c)).collect()
        }
        let b = &self.bytes;
        match self.dtype {
            DType::Bool => each(b, |[v]: [u8; 1]| f64::from(u8::from(v != 0))),
            DType::U8 => each(b, |[v]: [u8; 1]| f64::from(v)),
            DType::I8 => each(b, |[v]: [u8; 1]| f64::from(v as i8)),
            DType::U16 => each(b, |v| f64::from(u16::from_le_bytes(v))),
            DType::I16 => each(b, |v| f64::from(i16::from_le_bytes(v))),
            DType::U32 => each(b, |v| f64::from(u32::from_le_bytes(v))),
            DType::I32 => each(b, |v| f64::from(i32::from_le_bytes(v))),
            DType::U64 => each(b, |v| u64::from_le_bytes(v) as f64),
            DType::I64 => each(b, |v| i64::from_le_bytes(v) as f64),
            DType::F16 => each(b, |v| f64::from(half_to_f32(u16::from_le_bytes(v)))),
            DType::BF16 => each(b, |v| f64::from(f32::from_bits(u32::from(u16::from_le_bytes(v)) << 16))),
            DType::F32 => each(b, |v| f64::from(f32::from_le_bytes(v))),
            DType::F64 => each(b, f64::from_le_bytes),
        }
    }

    /// All values as f32 in C order.
    pub fn to_f32(&self) -> Vec<f32> {
        match self.dtype {
            DType::F32 => self.bytes.as_chunks::<4>().0.iter().map(|c| f32::from_le_bytes(*c)).collect(),
            _ => self.to_f64().into_iter().map(|v| v as f32).collect(),
        }
    }

    /// All values as non-negative integers; fails on the first value that is not one.
    pub fn to_indices(&self) -> Result<Vec<usize>> {
        self.to_f64()
            .into_iter()
            .enumerate()
            .map(|(i, v)| {
                if v >= 0.0 && v.fract() == 0.0 && v < 9.0e15 {
                    Ok(v as usize)
                } else {
                    Err(Error::input("non-negative integers", format!("{v} at element {i}")))
                }
            })
            .collect()
    }
}

/// IEEE half precision to single.
fn half_to_f32(h: u16) -> f32 {
    let sign = u32::from(h >> 15) << 31;
    let exponent = u32::from(h >> 10) & 0x1f;
    let fraction = u32::from(h) & 0x3ff;
    let magnitude = match exponent {
        // Zero and subnormals: fraction times 2^-24 is exact in f32.
        0 => (fraction as f32 * (1.0 / 16_777_216.0)).to_bits(),
        31 => 0x7f80_0000 | (fraction << 13),
        _ => ((exponent + 112) << 23) | (fraction << 13),
    };
    f32::from_bits(sign | magnitude)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_precision_values() {
        for (bits, value) in [
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x7bff, 65504.0),
            (0x0001, 5.960_464_5e-8),
            (0x3555, 0.333_251_95),
        ] {
            assert_eq!(half_to_f32(bits), value);
        }
        assert!(half_to_f32(0x7e00).is_nan() && half_to_f32(0x7c00).is_infinite());
    }

    #[test]
    fn shape_must_fit_the_bytes() {
        assert!(Array::new(DType::F32, vec![2, 2], vec![0; 15]).is_err());
        assert!(Array::new(DType::F64, vec![usize::MAX, 2], vec![]).is_err());
        let a = Array::from_i32(&[3], &[-1, 0, 7]).expect("fits");
        assert_eq!(a.to_f64(), [-1.0, 0.0, 7.0]);
        assert!(a.to_indices().is_err());
    }
}
