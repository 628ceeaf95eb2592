//! Volumes.

use super::{arrays::arrays_of, noun, title, unfit};
use crate::formats::{Format, nifti, safetensors};
use crate::source::Source;
use neuropil_core::{Error, Result, Volume};
use std::path::Path;

/// A volume: safetensors of kind `volume`; NIfTI; `.npy` or `.npz` with one array [d, h, w] or [channels, d, h, w], whose
/// voxels are then taken as 1 mm.
pub fn volume(path: &Path) -> Result<Volume> {
    let source = Source::open(path)?;
    volume_of(&source).map_err(|e| e.at(&source.place))
}

/// As [`volume`], from a file or archive member in memory.
pub fn volume_of(source: &Source) -> Result<Volume> {
    match source.format()? {
        Format::Nifti => Ok(nifti::parse(&source.bytes)?.volume),
        Format::Safetensors => {
            let store = safetensors::parse(&source.bytes)?;
            noun(&store)?.ok_or_else(|| Error::input("a volume", title(&store)))
        }
        Format::Npy | Format::Npz => {
            let found = arrays_of(source)?;
            let [(_, array)] = found.as_slice() else {
                return Err(Error::input("one array", format!("{} arrays", found.len())));
            };
            let shape = match *array.shape() {
                [d, h, w] => [1, d, h, w],
                [c, d, h, w] => [c, d, h, w],
                ref shape => return Err(Error::input("3 or 4 axes", format!("shape {shape:?}"))),
            };
            Volume::new(shape, array.to_f32(), [1.0; 3])
        }
        other => Err(unfit("a volume (NIfTI, safetensors, .npy, .npz)", other)),
    }
}
