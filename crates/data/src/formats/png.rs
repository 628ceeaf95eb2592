//! PNG images, 8 or 16 bits, gray or RGB. Palettes are expanded; transparency is dropped.

use crate::source::expansion_limit;
use neuropil_core::{Array, DType, Error, Result};
use png::{BitDepth, ColorType, Decoder, Limits, Transformations};
use std::io::Cursor;

/// First bytes of every PNG.
pub const MAGIC: &[u8] = b"\x89PNG\r\n\x1a\n";

/// The pixels as u8 or u16 [channels, height, width] with 1 channel (gray) or 3 (red, green, blue).
pub fn parse(bytes: &[u8]) -> Result<Array> {
    let damaged = |e: png::DecodingError| Error::input("a whole PNG image", e.to_string());
    let limit = expansion_limit(bytes.len());
    let mut decoder = Decoder::new_with_limits(Cursor::new(bytes), Limits { bytes: limit });
    decoder.set_transformations(Transformations::EXPAND);
    decoder.set_ignore_text_chunk(true);
    let mut reader = decoder.read_info().map_err(damaged)?;
    let size = reader.output_buffer_size().filter(|&n| n <= limit).ok_or_else(|| {
        let info = reader.info();
        Error::input(
            format!("an image of at most {limit} bytes for a file of {} bytes", bytes.len()),
            format!("{} x {} pixels", info.width, info.height),
        )
    })?;
    let mut pixels = vec![0; size];
    let frame = reader.next_frame(&mut pixels).map_err(damaged)?;
    reader.finish().map_err(damaged)?;
    pixels.truncate(frame.buffer_size());
    let (stored, kept) = match frame.color_type {
        ColorType::Grayscale => (1, 1),
        ColorType::GrayscaleAlpha => (2, 1),
        ColorType::Rgb => (3, 3),
        ColorType::Rgba => (4, 3),
        ColorType::Indexed => return Err(Error::input("gray or RGB pixels", "palette indices")),
    };
    let dtype = match frame.bit_depth {
        BitDepth::Eight => DType::U8,
        BitDepth::Sixteen => DType::U16,
        other => return Err(Error::input("8 or 16 bits", format!("{other:?}"))),
    };
    let (width, height, depth) = (frame.width as usize, frame.height as usize, dtype.size());
    // Interleaved, big-endian pixels become planes of little-endian values.
    let mut planes = Vec::with_capacity(width * height * kept * depth);
    for c in 0..kept {
        for pixel in pixels.chunks_exact(stored * depth) {
            planes.extend(pixel[c * depth..(c + 1) * depth].iter().rev());
        }
    }
    Array::new(dtype, vec![kept, height, width], planes)
}

/// The PNG bytes of a u8 array [1 or 3, height, width].
pub fn encode(image: &Array) -> Result<Vec<u8>> {
    let (&[channels @ (1 | 3), height, width], DType::U8) = (image.shape(), image.dtype()) else {
        return Err(Error::input(
            "u8 [1 or 3, height, width]",
            format!("{:?} {:?}", image.dtype(), image.shape()),
        ));
    };
    let fail = |e: png::EncodingError| Error::input("an image that PNG can hold", e.to_string());
    let plane = height * width;
    let b = image.bytes();
    let pixels: Vec<u8> = (0..plane).flat_map(|p| (0..channels).map(move |c| b[c * plane + p])).collect();
    let mut out = Vec::new();
    let side = |n: usize| u32::try_from(n).map_err(|_e| Error::input("sides below 2^32", n.to_string()));
    let mut encoder = png::Encoder::new(&mut out, side(width)?, side(height)?);
    encoder.set_color(if channels == 1 { ColorType::Grayscale } else { ColorType::Rgb });
    encoder.set_depth(BitDepth::Eight);
    encoder.write_header().and_then(|mut w| w.write_image_data(&pixels)).map_err(fail)?;
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn planes_survive() -> Result<()> {
        let values: Vec<u8> = (0..24).collect();
        let image = Array::from_u8(&[3, 2, 4], &values)?;
        assert_eq!(parse(&encode(&image)?)?, image);
        Ok(())
    }
}
