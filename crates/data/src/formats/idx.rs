//! IDX, the format of MNIST (LeCun, Cortes, Burges): 2 zero bytes, type code, number of axes, big-endian axis lengths,
//! big-endian values in C order.

use neuropil_core::{Array, DType, Error, Result};

fn dtype_of(code: u8) -> Option<DType> {
    Some(match code {
        0x08 => DType::U8,
        0x09 => DType::I8,
        0x0b => DType::I16,
        0x0c => DType::I32,
        0x0d => DType::F32,
        0x0e => DType::F64,
        _ => return None,
    })
}

/// True if the first bytes are those of an IDX file whose shape fits its length exactly.
pub fn has_magic(bytes: &[u8]) -> bool {
    header(bytes).is_ok()
}

/// Element type, shape and start of the values; everything checked against the length.
fn header(bytes: &[u8]) -> Result<(DType, Vec<usize>, usize)> {
    let bad = |got: String| Error::input("an IDX file (0, 0, type, axes)", got);
    let [0, 0, code, axes, rest @ ..] = bytes else {
        return Err(bad(format!("first bytes {:02x?}", &bytes[..bytes.len().min(4)])));
    };
    let dtype = dtype_of(*code).ok_or_else(|| bad(format!("type code {code:#04x}")))?;
    let axes = usize::from(*axes);
    if axes == 0 || axes > 8 {
        return Err(Error::input("1 to 8 axes", axes.to_string()));
    }
    if rest.len() < axes * 4 {
        return Err(Error::input(format!("{axes} axis lengths"), "a truncated header"));
    }
    let shape: Vec<usize> =
        rest.as_chunks::<4>().0.iter().take(axes).map(|c| u32::from_be_bytes(*c) as usize).collect();
    let start = 4 + axes * 4;
    let want = shape.iter().try_fold(dtype.size(), |n, &d| n.checked_mul(d));
    if want != Some(bytes.len() - start) {
        return Err(Error::input(
            format!(
                "{} bytes of {dtype:?} for shape {shape:?}",
                want.map_or("countless".into(), |n| n.to_string())
            ),
            format!("{} bytes", bytes.len() - start),
        )
        .hint("the file is truncated, or not IDX"));
    }
    Ok((dtype, shape, start))
}

/// Parses an IDX file.
pub fn parse(bytes: &[u8]) -> Result<Array> {
    let (dtype, shape, start) = header(bytes)?;
    let mut values = bytes[start..].to_vec();
    values.chunks_exact_mut(dtype.size()).for_each(<[u8]>::reverse);
    Array::new(dtype, shape, values)
}

/// The IDX bytes of an array; fails for element types that IDX does not have.
pub fn encode(array: &Array) -> Result<Vec<u8>> {
    let code = match array.dtype() {
        DType::U8 => 0x08,
        DType::I8 => 0x09,
        DType::I16 => 0x0b,
        DType::I32 => 0x0c,
        DType::F32 => 0x0d,
        DType::F64 => 0x0e,
        other => return Err(Error::input("u8, i8, i16, i32, f32 or f64 for IDX", format!("{other:?}"))),
    };
    if array.shape().is_empty() || array.shape().len() > 8 {
        return Err(Error::input("1 to 8 axes", array.shape().len().to_string()));
    }
    let mut out = vec![0, 0, code, array.shape().len() as u8];
    for &d in array.shape() {
        let d = u32::try_from(d).map_err(|_e| Error::input("axis lengths below 2^32", d.to_string()))?;
        out.extend(d.to_be_bytes());
    }
    for value in array.bytes().chunks_exact(array.dtype().size()) {
        out.extend(value.iter().rev());
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_big_endian() -> Result<()> {
        let bytes = [0, 0, 0x0b, 1, 0, 0, 0, 2, 0x01, 0x02, 0xff, 0xff];
        let a = parse(&bytes)?;
        assert_eq!(a.to_f64(), [258.0, -1.0]);
        assert_eq!(encode(&a)?, bytes);
        Ok(())
    }

    #[test]
    fn a_shape_beyond_the_file_is_refused() {
        assert!(
            parse(&[0, 0, 0x08, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])
                .is_err()
        );
        assert!(parse(&[0, 0, 0x08, 0]).is_err());
        assert!(parse(&[0, 0, 0x07, 1, 0, 0, 0, 0]).is_err());
    }
}
