//! Everything that `--input` and `data check` do with a file: sniffing by magic and by the extension that the first
//! byte picks, then every noun.
#![no_main]

use libfuzzer_sys::fuzz_target;
use neuropil_data::{Source, check, read};

const NAMES: [&str; 16] = [
    "a.safetensors", "a.npy", "a.npz", "a.nii", "a.png", "a.wav", "a.csv", "a.tsv", "a.txt", "a.json", "a.jsonl",
    "a.graphml", "a.zip", "a.tar", "a-images-idx3-ubyte", "a",
];

fuzz_target!(|data: &[u8]| {
    let Some((&pick, data)) = data.split_first() else { return };
    let name = NAMES[usize::from(pick) % NAMES.len()];
    let Ok(source) = Source::from_bytes(name, "fuzz".into(), data.to_vec()) else { return };
    let _ = read::arrays_of(&source);
    let _ = read::table_of(&source);
    let _ = read::recording_of(&source);
    let _ = read::spike_trains_of(&source);
    let _ = read::connectome_of(&source);
    let _ = read::stimuli_of(&source);
    let _ = read::volume_of(&source);
    let _ = read::documents_of(&source);
    let _ = check::describe(&source);
});
