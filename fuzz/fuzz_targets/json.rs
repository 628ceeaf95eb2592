//! JSON and JSON lines.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuropil_data::formats;

fuzz_target!(|data: &[u8]| {
    let _ = formats::json::parse(data);
    let _ = formats::json::parse_lines(data);
    let _ = formats::text::parse(data);
});
