//! WAV sounds: integer samples of 8 to 32 bits and 32-bit floats.

use hound::{SampleFormat, WavReader};
use neuropil_core::{Error, Result};
use std::io::Cursor;

/// Samples of one sound, one row a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Sound {
    /// Samples per second.
    pub rate_hz: f64,
    /// Equal-length channels; integers are scaled to [-1, 1).
    pub channels: Vec<Vec<f32>>,
}

/// Parses a WAV file; a data chunk longer than the file is an error.
pub fn parse(bytes: &[u8]) -> Result<Sound> {
    let damaged = |e: hound::Error| Error::input("a whole WAV sound", e.to_string());
    let mut reader = WavReader::new(Cursor::new(bytes)).map_err(damaged)?;
    let spec = reader.spec();
    if spec.channels == 0 || spec.sample_rate == 0 {
        return Err(Error::input(
            "a positive number of channels and rate",
            format!("{} channels at {} Hz", spec.channels, spec.sample_rate),
        ));
    }
    let width = usize::from(spec.bits_per_sample.div_ceil(8)).max(1);
    let count = reader.len() as usize;
    if count.checked_mul(width).is_none_or(|n| n > bytes.len()) {
        return Err(Error::input(
            format!("{count} samples of {width} bytes"),
            format!("{} bytes", bytes.len()),
        )
        .hint("the file is truncated"));
    }
    if count == 0 {
        return Err(Error::input("at least 1 sample", "0 samples"));
    }
    let samples: Vec<f32> = match spec.sample_format {
        SampleFormat::Float => reader.samples::<f32>().collect::<Result<_, _>>().map_err(damaged)?,
        SampleFormat::Int => {
            let scale = 1.0 / 2_f64.powi(i32::from(spec.bits_per_sample) - 1);
            let values = reader.samples::<i32>().collect::<Result<Vec<_>, _>>().map_err(damaged)?;
            values.into_iter().map(|v| (f64::from(v) * scale) as f32).collect()
        }
    };
    let n = usize::from(spec.channels);
    let channels = (0..n).map(|c| samples.iter().skip(c).step_by(n).copied().collect()).collect();
    Ok(Sound { rate_hz: f64::from(spec.sample_rate), channels })
}

/// The bytes of a 32-bit float WAV.
pub fn encode(sound: &Sound) -> Result<Vec<u8>> {
    let fail = |e: hound::Error| Error::input("a sound that WAV can hold", e.to_string());
    let length = sound.channels.first().map_or(0, Vec::len);
    if length == 0 || sound.channels.iter().any(|c| c.len() != length) {
        return Err(Error::input("channels of one positive length", "unequal or no channels"));
    }
    let spec = hound::WavSpec {
        channels: u16::try_from(sound.channels.len())
            .map_err(|_e| Error::input("at most 65535 channels", "more"))?,
        sample_rate: sound.rate_hz as u32,
        bits_per_sample: 32,
        sample_format: SampleFormat::Float,
    };
    let mut out = Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut out, spec).map_err(fail)?;
    for i in 0..length {
        for c in &sound.channels {
            writer.write_sample(c[i]).map_err(fail)?;
        }
    }
    writer.finalize().map_err(fail)?;
    Ok(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_survive() -> Result<()> {
        let sound = Sound { rate_hz: 8000.0, channels: vec![vec![0.0, 0.5, -1.0], vec![0.25, 0.0, 1.0]] };
        assert_eq!(parse(&encode(&sound)?)?, sound);
        Ok(())
    }
}
