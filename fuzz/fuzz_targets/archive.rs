//! Zip and tar archives and gzip streams.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuropil_data::{Format, formats};

fuzz_target!(|data: &[u8]| {
    let _ = formats::archive::members(Format::Zip, data);
    let _ = formats::archive::members(Format::Tar, data);
    let _ = formats::gzip::decompress(data, neuropil_data::source::expansion_limit(data.len()));
});
