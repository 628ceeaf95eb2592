//! Recordings of neurons and brains.

use super::{listed, store, unpacked};
use crate::formats::nifti;
use neuropil_core::{
    ActivityKind, Array, Recording, Result, Sampling, SpikeTrains, Stimuli, StimulusKind, Store, Unit, Volume,
};

/// Rows of a matrix [steps, units] as a recording of named units.
fn from_columns(matrix: &Array, names: &[String], hz: f64) -> Result<Recording> {
    let values = matrix.to_f32();
    let n = names.len();
    let activity = (0..n).flat_map(|u| values.iter().skip(u).step_by(n).copied()).collect();
    let units = names.iter().map(Unit::named).collect();
    Recording::new(ActivityKind::Activation, Sampling::Rate { hz, start_s: 0.0 }, units, activity)
}

/// EEG of 14 named channels at 128 Hz for 16 s in microvolts: `raw1`, `raw2`, and `filtered2` (`raw2` cleaned).
pub fn eeg() -> Result<Vec<(String, Recording)>> {
    let s = store("eeg/emotiv14_16s.safetensors.gz")?;
    let names = listed(&s, "channels");
    ["raw1", "raw2", "filtered2"]
        .into_iter()
        .map(|n| Ok((n.to_string(), from_columns(s.require(&format!("{n}_uv"))?, &names, 128.0)?)))
        .collect()
}

fn fmri() -> Result<Store> {
    store("fmri/nitime_fmri.safetensors.gz")
}

/// Resting fMRI: 31 named regions x 250 scans, one every 1.89 s. The first three are white matter, ventricles and the
/// mean of the brain, usually regressed out.
pub fn fmri_regions() -> Result<Recording> {
    let s = fmri()?;
    from_columns(s.require("roi_timeseries")?, &listed(&s, "roi_names"), 1.0 / 1.89)
}

/// Event-related fMRI: one BOLD series of 3,360 scans, one every 2 s, with the event code of each scan as series
/// `events` (0: none).
pub fn fmri_event_related() -> Result<Recording> {
    let s = fmri()?;
    let values = s.require("event_related")?.to_f32();
    let column = |c: usize| values.iter().skip(c).step_by(2).copied().collect::<Vec<f32>>();
    let units = vec![Unit::named("bold")];
    let mut r =
        Recording::new(ActivityKind::Activation, Sampling::Rate { hz: 0.5, start_s: 0.0 }, units, column(0))?;
    r.series.push(("events".into(), column(1)));
    Ok(r)
}

/// Two small fMRI runs as stored, i16 [10, 10, 18, 40] (x, y, z, time).
pub fn fmri_volumes() -> Result<[Array; 2]> {
    let s = fmri()?;
    Ok([s.require("fmri1")?.clone(), s.require("fmri2")?.clone()])
}

/// A grasshopper auditory receptor: two recordings of 10 s, each with the amplitude of its sound (one sound of 40,000
/// samples at 4 kHz).
pub fn grasshopper() -> Result<Vec<(SpikeTrains, Stimuli)>> {
    let s = store("spikes/grasshopper_auditory.safetensors.gz")?;
    [1, 2]
        .into_iter()
        .map(|i| {
            let times = s.require(&format!("spike_us{i}"))?.to_f64();
            let events = times.into_iter().map(|us| (us / 1000.0, 0)).collect();
            let trains = SpikeTrains::with_names(events, vec!["receptor".into()], 10_000.0)?;
            let sound = s.require(&format!("stimulus{i}_4khz"))?.to_f32();
            let values = Array::from_f32(&[1, sound.len()], &sound)?;
            let mut stimuli = Stimuli::new(StimulusKind::Sounds, values, None)?;
            stimuli.rate_hz = Some(4000.0);
            Ok((trains, stimuli))
        })
        .collect()
}

fn volume(name: &str) -> Result<Volume> {
    Ok(nifti::parse(&unpacked(name)?)?.volume)
}

/// Anatomical MRI, 33 x 41 x 25 voxels of 2 mm.
pub fn mri_anatomical() -> Result<Volume> {
    volume("mri/nibabel_anatomical.nii.gz")
}

/// MRI over time, 2 volumes of 128 x 96 x 24 voxels.
pub fn mri_over_time() -> Result<Volume> {
    volume("mri/nibabel_example4d.nii.gz")
}

/// Diffusion MRI without weighting, 128 x 128 x 10 voxels.
pub fn mri_diffusion() -> Result<Volume> {
    volume("mri/dipy_S0_10slices.nii.gz")
}
