//! Pictures inside an SVG: PNG files as data URIs.

use crate::ink::Rgb;
use base64::Engine as _;

/// A picture of palette indices. With `clear`, the last palette entry is transparent.
pub fn indexed(width: usize, height: usize, palette: &[Rgb], clear: bool, pixels: &[u8]) -> String {
    encode(width, height, png::ColorType::Indexed, pixels, |encoder| {
        encoder.set_palette(palette.concat());
        if clear && !palette.is_empty() {
            let mut alpha = vec![255u8; palette.len()];
            alpha[palette.len() - 1] = 0;
            encoder.set_trns(alpha);
        }
    })
}

/// A grey (1 channel) or RGB (3 channels) picture.
pub fn pixels(width: usize, height: usize, channels: usize, pixels: &[u8]) -> String {
    let kind = if channels == 3 { png::ColorType::Rgb } else { png::ColorType::Grayscale };
    encode(width, height, kind, pixels, |_| {})
}

fn encode(
    width: usize,
    height: usize,
    kind: png::ColorType,
    pixels: &[u8],
    set: impl FnOnce(&mut png::Encoder<&mut Vec<u8>>),
) -> String {
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, width as u32, height as u32);
    encoder.set_color(kind);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::High);
    // Neighbouring palette indices are not close in meaning, so filters only hurt there.
    let indexed = kind == png::ColorType::Indexed;
    encoder.set_filter(if indexed { png::Filter::NoFilter } else { png::Filter::Adaptive });
    set(&mut encoder);
    let written = encoder.write_header().and_then(|mut w| {
        w.write_image_data(pixels)?;
        w.finish()
    });
    // Writing to memory fails only for sizes that the callers never ask for; an empty picture is then the honest result.
    if written.is_err() {
        bytes.clear();
    }
    format!("data:image/png;base64,{}", base64::engine::general_purpose::STANDARD.encode(bytes))
}

/// How many source cells go into one drawn cell along an axis of `n`, so that at most `most` are drawn.
pub fn block(n: usize, most: usize) -> usize {
    n.div_ceil(most).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_reads_back_as_it_was_written() {
        let uri = indexed(2, 1, &[[1, 2, 3], [9, 9, 9]], true, &[0, 1]);
        let data = uri.strip_prefix("data:image/png;base64,").unwrap();
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
        let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
        decoder.set_transformations(png::Transformations::EXPAND);
        let mut reader = decoder.read_info().unwrap();
        let mut out = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 255, 9, 9, 9, 0]);
    }
}
