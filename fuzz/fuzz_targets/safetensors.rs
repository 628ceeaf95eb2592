//! The safetensors reader, and every noun that such a file may claim to hold.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuropil_core::{Connectome, Noun as _, Recording, SpikeTrains, Stimuli, Volume, Weights};
use neuropil_data::formats;

fuzz_target!(|data: &[u8]| {
    let Ok(store) = formats::safetensors::parse(data) else { return };
    let _ = Recording::from_store(&store);
    let _ = SpikeTrains::from_store(&store);
    let _ = Connectome::from_store(&store);
    let _ = Stimuli::from_store(&store);
    let _ = Volume::from_store(&store);
    let _ = Weights::from_store(&store);
});
