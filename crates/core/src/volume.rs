//! Volumes with a position in space.

use crate::recording::field;
use crate::store::{Noun, Store};
use crate::{Array, Error, Result};
use serde_json::json;

/// Channels x depth x height x width in f32, with voxel size, affine and optional labels.
///
/// File form, kind `volume`: array `values` f32 [c, d, h, w], optional `labels` u16 [d, h, w]; metadata
/// `voxel_mm`, `affine`.
#[derive(Debug, Clone, PartialEq)]
pub struct Volume {
    /// Axis lengths: channels, depth, height, width.
    pub shape: [usize; 4],
    /// Values in C order.
    pub values: Vec<f32>,
    /// Voxel size in mm along depth, height, width.
    pub voxel_mm: [f64; 3],
    /// Voxel index (width, height, depth, 1) to mm, row-major.
    pub affine: [[f64; 4]; 4],
    /// A label per voxel [d, h, w].
    pub labels: Option<Vec<u16>>,
}

impl Volume {
    /// Checks shape, voxel size and labels; the affine starts as a scaling by the voxel size.
    pub fn new(shape: [usize; 4], values: Vec<f32>, voxel_mm: [f64; 3]) -> Result<Self> {
        let [d, h, w] = voxel_mm;
        let affine = [[w, 0.0, 0.0, 0.0], [0.0, h, 0.0, 0.0], [0.0, 0.0, d, 0.0], [0.0, 0.0, 0.0, 1.0]];
        let volume = Self { shape, values, voxel_mm, affine, labels: None };
        volume.check()?;
        Ok(volume)
    }

    fn check(&self) -> Result<()> {
        let want = self.shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d));
        if want != Some(self.values.len()) || self.values.is_empty() {
            return Err(Error::input(
                format!("values for a non-empty shape {:?}", self.shape),
                format!("{} values", self.values.len()),
            ));
        }
        if !self.voxel_mm.iter().all(|v| v.is_finite() && *v > 0.0) {
            return Err(Error::input("positive voxel sizes", format!("{:?} mm", self.voxel_mm)));
        }
        match &self.labels {
            Some(l) if l.len() != self.values.len() / self.shape[0] => Err(Error::input(
                format!("{} labels, one per voxel", self.values.len() / self.shape[0]),
                l.len().to_string(),
            )),
            _ => Ok(()),
        }
    }
}

impl Noun for Volume {
    const KIND: &'static str = "volume";

    fn to_store(&self) -> Result<Store> {
        self.check()?;
        let mut store = Store::new(Self::KIND);
        store.push("values", Array::from_f32(&self.shape, &self.values)?);
        if let Some(l) = &self.labels {
            store.push("labels", Array::from_u16(&self.shape[1..], l)?);
        }
        store.meta.insert("voxel_mm".into(), json!(self.voxel_mm));
        store.meta.insert("affine".into(), json!(self.affine));
        Ok(store)
    }

    fn from_store(store: &Store) -> Result<Self> {
        let values = store.require("values")?;
        let shape: [usize; 4] = values.shape().try_into().map_err(|_e| {
            Error::input("4 axes (channels, depth, height, width)", format!("{:?}", values.shape()))
        })?;
        let mut v = Self::new(shape, values.to_f32(), field(store, "voxel_mm")?)?;
        v.affine = field(store, "affine")?;
        if let Some(l) = store.get("labels") {
            v.labels =
                Some(l.to_indices()?.into_iter().map(|x| u16::try_from(x).unwrap_or(u16::MAX)).collect());
        }
        v.check()?;
        Ok(v)
    }
}
