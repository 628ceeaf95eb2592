//! NumPy `.npy`, versions 1 to 3 (NEP 1). Numbers of either byte order, C or Fortran order, and fixed-width strings;
//! pickled objects are refused.

use neuropil_core::{Array, DType, Error, Result, files};
use std::path::Path;

/// First bytes of every `.npy` file.
pub const MAGIC: &[u8] = b"\x93NUMPY";

/// What a `.npy` file holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Numbers or booleans.
    Numbers(Array),
    /// Fixed-width strings with their shape.
    Strings(Vec<usize>, Vec<String>),
}

impl Value {
    /// Axis lengths.
    pub fn shape(&self) -> &[usize] {
        match self {
            Self::Numbers(a) => a.shape(),
            Self::Strings(shape, _) => shape,
        }
    }
}

/// How one element is stored.
#[derive(Clone, Copy)]
enum Element {
    Number(DType),
    Bytes(usize),
    Unicode(usize),
}

/// Parses a file of numbers.
pub fn parse(bytes: &[u8]) -> Result<Array> {
    match parse_value(bytes)? {
        Value::Numbers(array) => Ok(array),
        Value::Strings(shape, _) => Err(Error::input("numbers", format!("strings of shape {shape:?}"))),
    }
}

/// Parses a file of numbers or strings.
pub fn parse_value(bytes: &[u8]) -> Result<Value> {
    let (header, data) = split(bytes)?;
    let (descr, fortran, shape) = parse_header(header)?;
    let (element, big) = parse_descr(&descr)?;
    let size = match element {
        Element::Number(d) => d.size(),
        Element::Bytes(n) => n,
        Element::Unicode(n) => {
            n.checked_mul(4).ok_or_else(|| Error::input("short strings", descr.clone()))?
        }
    };
    let want = shape.iter().try_fold(size, |n, &d| n.checked_mul(d));
    // NumPy itself ignores what follows the array.
    let data = want.filter(|&n| n <= data.len()).map(|n| &data[..n]).ok_or_else(|| {
        Error::input(
            format!(
                "{} bytes for shape {shape:?} of `{descr}`",
                want.map_or("countless".into(), |n| n.to_string())
            ),
            format!("{} bytes", data.len()),
        )
        .hint("the file is truncated")
    })?;
    let ordered =
        if fortran && shape.len() > 1 && size > 0 { to_c_order(data, &shape, size) } else { data.to_vec() };
    match element {
        Element::Number(dtype) => {
            let mut ordered = ordered;
            if big {
                ordered.chunks_exact_mut(size).for_each(<[u8]>::reverse);
            }
            Ok(Value::Numbers(Array::new(dtype, shape, ordered)?))
        }
        Element::Bytes(_) | Element::Unicode(_) if size == 0 => {
            Err(Error::input("strings of at least 1 character", format!("`{descr}`")))
        }
        Element::Bytes(n) => {
            let strings =
                ordered.chunks_exact(n).map(|c| String::from_utf8_lossy(trim(c, &0)).into_owned()).collect();
            Ok(Value::Strings(shape, strings))
        }
        Element::Unicode(_) => {
            let strings = ordered.chunks_exact(size).map(|c| decode_utf32(c, big)).collect::<Result<_>>()?;
            Ok(Value::Strings(shape, strings))
        }
    }
}

fn decode_utf32(bytes: &[u8], big: bool) -> Result<String> {
    let read = |c: &[u8; 4]| if big { u32::from_be_bytes(*c) } else { u32::from_le_bytes(*c) };
    let codes: Vec<u32> = bytes.as_chunks::<4>().0.iter().map(read).collect();
    trim(&codes, &0)
        .iter()
        .map(|&c| char::from_u32(c).ok_or_else(|| Error::input("Unicode characters", format!("code {c:#x}"))))
        .collect()
}

/// Without the padding at the end.
fn trim<'a, T: PartialEq>(values: &'a [T], padding: &T) -> &'a [T] {
    let end = values.iter().rposition(|v| v != padding).map_or(0, |i| i + 1);
    &values[..end]
}

fn to_c_order(data: &[u8], shape: &[usize], size: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(data.len());
    let mut strides = vec![0; shape.len()];
    let mut step = 1;
    for (s, &d) in strides.iter_mut().zip(shape) {
        *s = step;
        step *= d;
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    for _ in 0..data.len() / size {
        out.extend_from_slice(&data[at * size..(at + 1) * size]);
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    out
}

fn split(bytes: &[u8]) -> Result<(&str, &[u8])> {
    let bad = |got: &str| Error::input("a NumPy .npy file", got);
    let rest = bytes.strip_prefix(MAGIC).ok_or_else(|| bad("other first bytes"))?;
    let cut = || bad("a truncated header");
    let [major, _minor, rest @ ..] = rest else { return Err(cut()) };
    let (length, rest) = match major {
        1 => rest.split_first_chunk::<2>().map(|(l, r)| (u32::from(u16::from_le_bytes(*l)), r)),
        2 | 3 => rest.split_first_chunk::<4>().map(|(l, r)| (u32::from_le_bytes(*l), r)),
        v => return Err(Error::input("npy version 1, 2 or 3", v.to_string())),
    }
    .ok_or_else(cut)?;
    let (header, data) = rest.split_at_checked(length as usize).ok_or_else(cut)?;
    Ok((std::str::from_utf8(header).map_err(|_e| bad("a header that is not text"))?, data))
}

fn parse_descr(descr: &str) -> Result<(Element, bool)> {
    let unfit = || Error::input("numbers, booleans or fixed-width strings", format!("dtype `{descr}`"));
    let (order, code) = match descr.as_bytes().first() {
        Some(b'<' | b'>' | b'|' | b'=') => (descr.as_bytes()[0], &descr[1..]),
        _ => return Err(unfit()),
    };
    if code.starts_with('O') {
        return Err(unfit().hint("pickled objects can run code and are never read; save plain arrays"));
    }
    let width = |digits: &str| digits.parse::<usize>().map_err(|_e| unfit());
    let element = match code {
        "b1" => Element::Number(DType::Bool),
        "u1" => Element::Number(DType::U8),
        "i1" => Element::Number(DType::I8),
        "u2" => Element::Number(DType::U16),
        "i2" => Element::Number(DType::I16),
        "u4" => Element::Number(DType::U32),
        "i4" => Element::Number(DType::I32),
        "u8" => Element::Number(DType::U64),
        "i8" => Element::Number(DType::I64),
        "f2" => Element::Number(DType::F16),
        "f4" => Element::Number(DType::F32),
        "f8" => Element::Number(DType::F64),
        _ => match code.split_at_checked(1) {
            Some(("S", n)) => Element::Bytes(width(n)?),
            Some(("U", n)) => Element::Unicode(width(n)?),
            _ => return Err(unfit()),
        },
    };
    Ok((element, order == b'>'))
}

/// Reads the Python dict literal `{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }`.
fn parse_header(text: &str) -> Result<(String, bool, Vec<usize>)> {
    let bad = || {
        let shown: String = text.chars().take(80).collect();
        Error::input("a header with descr, fortran_order and shape", format!("`{}`", shown.trim()))
    };
    let value = |key: &str| -> Option<&str> {
        let at = text.find(&format!("'{key}'")).or_else(|| text.find(&format!("\"{key}\"")))?;
        text[at + key.len() + 2..].trim_start().strip_prefix(':').map(str::trim_start)
    };
    let descr = value("descr").ok_or_else(bad)?;
    if descr.starts_with('[') {
        return Err(Error::input("numbers, booleans or fixed-width strings", "a structured array")
            .hint("save each field as its own array"));
    }
    let quote = descr.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(bad)?;
    let descr = descr[1..].split(quote).next().ok_or_else(bad)?;
    let order = value("fortran_order").ok_or_else(bad)?;
    let fortran = order.starts_with("True");
    if !fortran && !order.starts_with("False") {
        return Err(bad());
    }
    let shape =
        value("shape").and_then(|s| s.strip_prefix('(')).and_then(|s| s.split(')').next()).ok_or_else(bad)?;
    let shape = shape
        .split(',')
        .map(|d| d.trim().trim_end_matches('L'))
        .filter(|d| !d.is_empty())
        .map(|d| d.parse().map_err(|_e| bad()))
        .collect::<Result<Vec<usize>>>()?;
    if shape.len() > 32 {
        return Err(Error::input("at most 32 axes", shape.len().to_string()));
    }
    Ok((descr.to_string(), fortran, shape))
}

/// The `.npy` bytes of an array, byte for byte as NumPy writes them. bfloat16 has no NumPy type and is refused.
pub fn encode(array: &Array) -> Result<Vec<u8>> {
    let descr = match array.dtype() {
        DType::Bool => "|b1",
        DType::U8 => "|u1",
        DType::I8 => "|i1",
        DType::U16 => "<u2",
        DType::I16 => "<i2",
        DType::U32 => "<u4",
        DType::I32 => "<i4",
        DType::U64 => "<u8",
        DType::I64 => "<i8",
        DType::F16 => "<f2",
        DType::F32 => "<f4",
        DType::F64 => "<f8",
        DType::BF16 => return Err(Error::input("an element type that NumPy has", "bfloat16")),
    };
    Ok(framed(descr, array.shape(), array.bytes()))
}

/// The `.npy` bytes of a list of strings.
pub fn encode_strings(strings: &[String]) -> Vec<u8> {
    let width = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0).max(1);
    let mut data = Vec::with_capacity(strings.len() * width * 4);
    for s in strings {
        let start = data.len();
        s.chars().for_each(|c| data.extend(u32::from(c).to_le_bytes()));
        data.resize(start + width * 4, 0);
    }
    framed(&format!("<U{width}"), &[strings.len()], &data)
}

fn framed(descr: &str, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let axes: Vec<String> = shape.iter().map(ToString::to_string).collect();
    let shape =
        if let [only] = axes.as_slice() { format!("({only},)") } else { format!("({})", axes.join(", ")) };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': {shape}, }}");
    // The whole preamble is padded to a multiple of 64 and ends with a line feed.
    let padding = 64 - (MAGIC.len() + 4 + header.len() + 1) % 64;
    header.extend(std::iter::repeat_n(' ', padding % 64));
    header.push('\n');
    let mut out = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
    out.extend_from_slice(data);
    out
}

/// Writes an array atomically.
pub fn write(path: &Path, array: &Array) -> Result<()> {
    files::write_atomic(path, &encode(array)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        let mut out = [MAGIC, &[1, 0], &(header.len() as u16).to_le_bytes(), header.as_bytes()].concat();
        out.extend_from_slice(data);
        out
    }

    #[test]
    fn fortran_order_and_big_endian_become_c_and_little() -> Result<()> {
        let f = file(
            "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3), }",
            &[0, 1, 0, 4, 0, 2, 0, 5, 0, 3, 0, 6],
        );
        assert_eq!(parse(&f)?.to_f64(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        Ok(())
    }

    #[test]
    fn strings_survive() -> Result<()> {
        let names = vec!["AVAL".to_string(), "é".into(), String::new()];
        assert_eq!(parse_value(&encode_strings(&names))?, Value::Strings(vec![3], names));
        Ok(())
    }

    #[test]
    fn objects_structures_and_huge_shapes_are_refused() {
        for header in [
            "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (18446744073709551615, 2), }",
            "{'descr': '<f8', 'fortran_order': False, 'shape': (1, }",
            "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
            "{'descr': '<U0', 'fortran_order': False, 'shape': (99999999999,), }",
            "{'descr': 'é8', 'fortran_order': False, 'shape': (1,), }",
        ] {
            assert!(parse_value(&file(header, &[0; 8])).is_err(), "{header}");
        }
    }
}
