//! NIfTI-1 and NIfTI-2 in one file (`.nii`, `.nii.gz`), either byte order.
//!
//! Axes i, j, k, t of the file (i fastest) are width, height, depth and channels of a [`Volume`]; further axes are
//! folded into the channels. `scl_slope` and `scl_inter` are applied; the affine is the sform, else the qform, else the
//! voxel size (NIfTI-1 specification, methods 3, 2 and 1).

use neuropil_core::{Error, Result, Volume, files};
use std::path::Path;

type Affine = [[f64; 4]; 4];

/// A parsed file: the volume and what the volume does not hold.
#[derive(Debug, Clone)]
pub struct Nifti {
    /// Values, voxel size in mm and affine.
    pub volume: Volume,
    /// 1 or 2.
    pub version: u8,
    /// NIfTI data type code, such as 4 for int16.
    pub datatype: i16,
    /// Axis lengths in the file, fastest first.
    pub dims: Vec<usize>,
    /// Seconds between volumes, where the file states them.
    pub repetition_s: Option<f64>,
}

/// True if the magic of either version is at its place.
pub fn has_magic(bytes: &[u8]) -> bool {
    matches!(bytes.get(344..348), Some(b"n+1\0" | b"ni1\0"))
        || matches!(bytes.get(4..8), Some(b"n+2\0" | b"ni2\0"))
}

/// Fields of either header at their offsets, in the byte order of the file.
struct Fields<'a> {
    bytes: &'a [u8],
    big: bool,
    version: u8,
}

impl Fields<'_> {
    fn take<const N: usize>(&self, at: usize) -> [u8; N] {
        // The caller checked that the whole header is there.
        let mut raw: [u8; N] = std::array::from_fn(|i| self.bytes.get(at + i).copied().unwrap_or(0));
        if self.big {
            raw.reverse();
        }
        raw
    }

    fn i16(&self, at: usize) -> i16 {
        i16::from_le_bytes(self.take(at))
    }

    fn i32(&self, at: usize) -> i32 {
        i32::from_le_bytes(self.take(at))
    }

    fn i64(&self, at: usize) -> i64 {
        i64::from_le_bytes(self.take(at))
    }

    /// A float: 4 bytes in version 1 and 8 in version 2, at `one` or `two`, the `i`-th of an array.
    fn float(&self, one: usize, two: usize, i: usize) -> f64 {
        if self.version == 1 {
            f64::from(f32::from_le_bytes(self.take(one + 4 * i)))
        } else {
            f64::from_le_bytes(self.take(two + 8 * i))
        }
    }

    /// A code: 2 bytes in version 1 and 4 in version 2.
    fn code(&self, one: usize, two: usize) -> i32 {
        if self.version == 1 { i32::from(self.i16(one)) } else { self.i32(two) }
    }
}

fn fields(bytes: &[u8]) -> Result<Fields<'_>> {
    let first =
        bytes.first_chunk::<4>().ok_or_else(|| Error::input("a NIfTI header", "a truncated header"))?;
    let (little, big) = (i32::from_le_bytes(*first), i32::from_be_bytes(*first));
    let (version, size) = match (little, big) {
        (348, _) | (_, 348) => (1, 348),
        (540, _) | (_, 540) => (2, 540),
        _ => return Err(Error::input("a NIfTI header of 348 or 540 bytes", format!("{little} bytes"))),
    };
    if bytes.len() < size {
        return Err(Error::input(format!("a header of {size} bytes"), format!("{} bytes", bytes.len()))
            .hint("the file is truncated"));
    }
    let magic = if version == 1 { &bytes[344..348] } else { &bytes[4..8] };
    match magic {
        b"n+1\0" | b"n+2\0" => Ok(Fields { bytes, big: i64::from(big) == size as i64, version }),
        b"ni1\0" | b"ni2\0" => {
            Err(Error::input("header and data in one .nii file", "a header of a .hdr/.img pair")
                .hint("convert the pair to one .nii file"))
        }
        other => Err(Error::input("the magic `n+1` or `n+2`", format!("{other:?}"))),
    }
}

/// Parses a file; the shape is checked against the length before anything is allocated.
pub fn parse(bytes: &[u8]) -> Result<Nifti> {
    let f = fields(bytes)?;
    let axis = |i: usize| if f.version == 1 { i64::from(f.i16(40 + 2 * i)) } else { f.i64(16 + 8 * i) };
    let axes = axis(0);
    if !(1..=7).contains(&axes) {
        return Err(Error::input("1 to 7 axes", axes.to_string()));
    }
    let dims = (1..=axes as usize)
        .map(|i| {
            usize::try_from(axis(i)).ok().filter(|&d| d > 0).ok_or_else(|| {
                Error::input("positive axis lengths", axis(i).to_string()).at(format!("axis {i}"))
            })
        })
        .collect::<Result<Vec<usize>>>()?;
    let datatype = f.i16(if f.version == 1 { 70 } else { 12 });
    let width = match datatype {
        2 | 256 => 1,
        4 | 512 => 2,
        8 | 16 | 768 => 4,
        64 | 1024 | 1280 => 8,
        other => {
            return Err(Error::input(
                "integers or floats of 8 to 64 bits",
                format!("NIfTI data type {other}"),
            ));
        }
    };
    let start = if f.version == 1 { f.float(108, 0, 0) } else { f.i64(168) as f64 };
    let header = if f.version == 1 { 352.0 } else { 544.0 };
    // Some writers leave the offset at 0; the data then follow the header and its extension flag.
    let start = if start == 0.0 { header } else { start };
    if !(start >= header && start <= bytes.len() as f64) {
        return Err(Error::input(
            format!("data that start within {header}..={}", bytes.len()),
            format!("offset {start}"),
        ));
    }
    let data = &bytes[start as usize..];
    let count = dims.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
    let want = count.and_then(|n| n.checked_mul(width));
    let data = want.filter(|&n| n <= data.len()).map(|n| &data[..n]).ok_or_else(|| {
        Error::input(
            format!("{} bytes for shape {dims:?}", want.map_or("countless".into(), |n| n.to_string())),
            format!("{} bytes", data.len()),
        )
        .hint("the file is truncated")
    })?;
    let (slope, inter) = (f.float(112, 176, 0), f.float(116, 184, 0));
    let scaled = slope != 0.0 && slope.is_finite() && inter.is_finite();
    let (slope, inter) = if scaled { (slope, inter) } else { (1.0, 0.0) };
    let values = decode(data, datatype, f.big, slope, inter);

    let length = |i: usize| dims.get(i).copied().unwrap_or(1);
    let shape = [dims.iter().skip(3).product(), length(2), length(1), length(0)];
    let units = f.code(123, 500) as u8;
    let units = if f.version == 1 { bytes[123] } else { units };
    let to_mm = match units & 7 {
        1 => 1000.0,
        3 => 0.001,
        _ => 1.0,
    };
    let pixdim = |i: usize| f.float(76, 104, i);
    let size = |i: usize| {
        let v = pixdim(i).abs() * to_mm;
        if v.is_finite() && v > 0.0 { v } else { 1.0 }
    };
    let mut volume = Volume::new(shape, values, [size(3), size(2), size(1)])?;
    if let Some(affine) = affine(&f, to_mm, [size(1), size(2), size(3)]) {
        volume.affine = affine;
    }
    let to_s = match units & 0x38 {
        16 => 1e-3,
        24 => 1e-6,
        _ => 1.0,
    };
    let repetition_s = Some(pixdim(4) * to_s).filter(|v| dims.len() > 3 && v.is_finite() && *v > 0.0);
    Ok(Nifti { volume, version: f.version, datatype, dims, repetition_s })
}

fn decode(data: &[u8], datatype: i16, big: bool, slope: f64, inter: f64) -> Vec<f32> {
    fn each<const N: usize>(data: &[u8], big: bool, read: impl Fn([u8; N]) -> f64) -> Vec<f32> {
        data.as_chunks::<N>()
            .0
            .iter()
            .map(|c| {
                let mut c = *c;
                if big {
                    c.reverse();
                }
                read(c) as f32
            })
            .collect()
    }
    let s = |v: f64| v * slope + inter;
    match datatype {
        2 => each(data, big, |[v]: [u8; 1]| s(f64::from(v))),
        256 => each(data, big, |[v]: [u8; 1]| s(f64::from(v as i8))),
        4 => each(data, big, |v| s(f64::from(i16::from_le_bytes(v)))),
        512 => each(data, big, |v| s(f64::from(u16::from_le_bytes(v)))),
        8 => each(data, big, |v| s(f64::from(i32::from_le_bytes(v)))),
        768 => each(data, big, |v| s(f64::from(u32::from_le_bytes(v)))),
        16 => each(data, big, |v| s(f64::from(f32::from_le_bytes(v)))),
        64 => each(data, big, |v| s(f64::from_le_bytes(v))),
        1024 => each(data, big, |v| s(i64::from_le_bytes(v) as f64)),
        // 1280, the only code left after the check of the header.
        _ => each(data, big, |v| s(u64::from_le_bytes(v) as f64)),
    }
}

/// Voxel (i, j, k, 1) to mm, or `None` where the file has only the voxel size.
fn affine(f: &Fields, to_mm: f64, size: [f64; 3]) -> Option<Affine> {
    let last = [0.0, 0.0, 0.0, 1.0];
    if f.code(254, 348) > 0 {
        let row = |r: usize| std::array::from_fn(|c| f.float(280 + 16 * r, 400 + 32 * r, c) * to_mm);
        let affine = [row(0), row(1), row(2), last];
        return affine.iter().flatten().all(|v| v.is_finite()).then_some(affine);
    }
    if f.code(252, 344) <= 0 {
        return None;
    }
    let [b, c, d] = [0, 1, 2].map(|i| f.float(256, 352, i));
    let offset = [0, 1, 2].map(|i| f.float(268, 376, i) * to_mm);
    // A unit quaternion (a, b, c, d) of which a is left out (nifti1.h, method 2).
    let a = (1.0 - b * b - c * c - d * d).max(0.0).sqrt();
    let rotation = [
        [a * a + b * b - c * c - d * d, 2.0 * (b * c - a * d), 2.0 * (b * d + a * c)],
        [2.0 * (b * c + a * d), a * a + c * c - b * b - d * d, 2.0 * (c * d - a * b)],
        [2.0 * (b * d - a * c), 2.0 * (c * d + a * b), a * a + d * d - b * b - c * c],
    ];
    let handed = if f.float(76, 104, 0) < 0.0 { -1.0 } else { 1.0 };
    let scale = [size[0], size[1], size[2] * handed];
    let row = |r: usize| {
        [rotation[r][0] * scale[0], rotation[r][1] * scale[1], rotation[r][2] * scale[2], offset[r]]
    };
    let affine = [row(0), row(1), row(2), last];
    affine.iter().flatten().all(|v| v.is_finite()).then_some(affine)
}

/// NIfTI-1 bytes of the values of a volume as 32-bit floats.
pub fn encode(volume: &Volume) -> Result<Vec<u8>> {
    let data: Vec<u8> = volume.values.iter().flat_map(|v| v.to_le_bytes()).collect();
    framed(volume, volume.shape[0], 16, 32, &data)
}

/// NIfTI-1 bytes of the labels of a volume as unsigned 16-bit integers.
pub fn encode_labels(volume: &Volume) -> Result<Vec<u8>> {
    let labels = volume.labels.as_ref().ok_or_else(|| Error::input("a volume with labels", "no labels"))?;
    let data: Vec<u8> = labels.iter().flat_map(|v| v.to_le_bytes()).collect();
    framed(volume, 1, 512, 16, &data)
}

fn framed(volume: &Volume, channels: usize, datatype: i16, bits: i16, data: &[u8]) -> Result<Vec<u8>> {
    let [_, d, h, w] = volume.shape;
    let axes: i16 = if channels > 1 { 4 } else { 3 };
    let mut head = vec![0_u8; 352];
    let mut put = |at: usize, bytes: &[u8]| head[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, &348_i32.to_le_bytes());
    put(40, &axes.to_le_bytes());
    for (i, n) in [w, h, d, channels, 1, 1, 1].into_iter().enumerate() {
        let n = i16::try_from(n)
            .map_err(|_e| Error::input("axes of at most 32767 for NIfTI-1", n.to_string()))?;
        put(42 + 2 * i, &n.to_le_bytes());
    }
    put(70, &datatype.to_le_bytes());
    put(72, &bits.to_le_bytes());
    let [vd, vh, vw] = volume.voxel_mm;
    for (i, v) in [1.0, vw, vh, vd, 1.0, 1.0, 1.0, 1.0].into_iter().enumerate() {
        put(76 + 4 * i, &(v as f32).to_le_bytes());
    }
    put(108, &352_f32.to_le_bytes());
    put(112, &1_f32.to_le_bytes());
    put(123, &[2 | 8]);
    put(254, &1_i16.to_le_bytes());
    for (r, row) in volume.affine.iter().take(3).enumerate() {
        for (c, v) in row.iter().enumerate() {
            put(280 + 16 * r + 4 * c, &(*v as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    head.extend_from_slice(data);
    Ok(head)
}

/// Writes the values of a volume atomically; compressed if the name ends with `.gz`.
pub fn write(path: &Path, volume: &Volume) -> Result<()> {
    let bytes = encode(volume)?;
    let zipped = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    files::write_atomic(path, &if zipped { super::gzip::compress(&bytes)? } else { bytes })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_voxel_size_and_affine_survive() -> Result<()> {
        let values: Vec<f32> = (0..48).map(|v| v as f32 / 3.0).collect();
        let mut v = Volume::new([2, 2, 3, 4], values, [3.0, 2.0, 1.5])?;
        v.affine[0][3] = -90.0;
        let back = parse(&encode(&v)?)?;
        assert_eq!(back.volume, v);
        assert_eq!(back.dims, [4, 3, 2, 2]);
        Ok(())
    }

    #[test]
    fn a_shape_beyond_the_file_is_refused() -> Result<()> {
        let v = Volume::new([1, 2, 2, 2], vec![0.0; 8], [1.0; 3])?;
        let mut bytes = encode(&v)?;
        assert!((0..bytes.len()).all(|n| parse(&bytes[..n]).is_err()));
        bytes[42..44].copy_from_slice(&i16::MAX.to_le_bytes());
        assert!(parse(&bytes).is_err());
        Ok(())
    }
}
