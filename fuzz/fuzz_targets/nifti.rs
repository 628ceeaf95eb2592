//! The NIfTI reader, both versions.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuropil_data::formats;

fuzz_target!(|data: &[u8]| {
    let _ = formats::nifti::parse(data);
});
