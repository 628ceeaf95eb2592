//! A case: channels of one subject in one geometry, preprocessed, with the level of every voxel where it is known.

use neuropil_analysis::segmentation::Grid;
use neuropil_core::{Error, Result, Volume};

/// Largest deviation from the mean, in standard deviations.
const CLIP: f32 = 5.0;

/// One subject.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Its name.
    pub name: String,
    /// Normalised intensities [channels, depth, height, width].
    pub values: Vec<f32>,
    /// Levels, 0 for background; empty where the truth is not known.
    pub levels: Vec<u16>,
    /// Channels.
    pub channels: usize,
    /// Shape and voxel size.
    pub grid: Grid,
}

impl Case {
    /// Normalises the channels of a volume; its labels are the levels. Fails on values that are not finite and on a
    /// channel without any signal.
    pub fn new(name: impl Into<String>, volume: &Volume) -> Result<Self> {
        let [channels, d, h, w] = volume.shape;
        let name = name.into();
        let grid = Grid::new([d, h, w], volume.voxel_mm).map_err(|e| e.at(&name))?;
        let mut values = volume.values.clone();
        for (c, channel) in values.chunks_exact_mut(grid.len()).enumerate() {
            normalise(channel).map_err(|e| e.at(format!("channel {}", c + 1)).at(&name))?;
        }
        let levels = volume.labels.clone().unwrap_or_default();
        Ok(Self { name, values, levels, channels, grid })
    }

    /// True for every voxel at level `m` or above.
    pub fn region(levels: &[u16], m: u16) -> Vec<bool> {
        levels.iter().map(|l| *l >= m).collect()
    }
}

/// Z-scores of the voxels that are not 0 (the brain, where the skull was removed), clipped to 5 standard deviations and
/// divided by them, so that values lie in [-1, 1] and what is outside of the brain is 0, the mean.
fn normalise(channel: &mut [f32]) -> Result<()> {
    if let Some(i) = channel.iter().position(|v| !v.is_finite()) {
        return Err(Error::input("finite voxels", format!("{} at voxel {i}", channel[i])));
    }
    let inside = channel.iter().filter(|v| **v != 0.0).count();
    if inside == 0 {
        return Err(Error::input("a channel with a signal", "zeros only"));
    }
    let mean = channel.iter().map(|v| f64::from(*v)).sum::<f64>() / inside as f64;
    let squares = |v: &f32| (f64::from(*v) - mean).powi(2);
    let variance = channel.iter().filter(|v| **v != 0.0).map(squares).sum::<f64>() / inside as f64;
    // A constant channel (a mask, say) tells nothing but is no error.
    let sd = if variance > 0.0 { variance.sqrt() } else { 1.0 };
    for v in channel.iter_mut().filter(|v| **v != 0.0) {
        *v = (((f64::from(*v) - mean) / sd) as f32).clamp(-CLIP, CLIP) / CLIP;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intensities_inside_have_mean_zero_and_outside_stay_zero() -> Result<()> {
        let mut v = vec![0.0, 0.0, 3.0, 5.0, 7.0, 0.0];
        normalise(&mut v)?;
        let expected = 2.0 / (8.0_f32 / 3.0).sqrt() / CLIP;
        for (got, want) in v.iter().zip([0.0, 0.0, -expected, 0.0, expected, 0.0]) {
            assert!((got - want).abs() < 1e-6, "{v:?}");
        }
        assert!(normalise(&mut [0.0; 4]).is_err() && normalise(&mut [1.0, f32::NAN]).is_err());
        let mut same = [2.0; 3];
        normalise(&mut same)?;
        assert_eq!(same, [0.0; 3]);
        Ok(())
    }
}
