//! Real data compiled into the binary, so that every system runs from anywhere without a file or a network.
//!
//! The raw files are listed by [`entries`]; the functions decompress on demand and give nouns. Each file keeps its own
//! licence (see `embedded/README.md` and [`Entry::licence`]).

mod brains;
mod files;
mod models;
mod senses;
mod texts;
mod wiring;

pub use brains::{
    eeg, fmri_event_related, fmri_regions, fmri_volumes, grasshopper, mri_anatomical, mri_diffusion,
    mri_over_time,
};
pub use models::{Toxicity, efficientnet_lite0, textgenrnn, textgenrnn_vocabulary, toxicity};
pub(crate) use senses::with_labels;
pub use senses::{
    Utterances, digits, mnist, natural_image, natural_images, natural_images_gray, speech, video,
};
pub use texts::{Verse, shakespeare, verses};
pub use wiring::{
    Side, celegans, celegans_connectomes, fly_visual_system, fly_visual_types, larval_mushroom_body,
};

use crate::formats::gzip;
use neuropil_core::{Error, Result, Store};

/// Which part of a labelled set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Split {
    /// To learn from.
    Train,
    /// To measure on.
    Test,
}

/// One file in the binary.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    /// Folder and file name.
    pub name: &'static str,
    /// The noun, or what else it holds.
    pub kind: &'static str,
    /// One line on the content.
    pub what: &'static str,
    /// Licence of the data, which is not that of the code.
    pub licence: &'static str,
    /// Whom to name.
    pub attribution: &'static str,
    /// Checksum of `bytes`, lower-case hexadecimal.
    pub sha256: &'static str,
    /// The file as it was committed, usually gzip.
    pub bytes: &'static [u8],
}

/// All files in the binary, sorted by name.
pub fn entries() -> &'static [Entry] {
    files::FILES
}

/// The bytes of the file called `name`, decompressed.
pub fn unpacked(name: &str) -> Result<Vec<u8>> {
    let entry = entries()
        .iter()
        .find(|e| e.name == name)
        .ok_or_else(|| Error::config("the name of an embedded file", format!("`{name}`")))?;
    if entry.bytes.starts_with(gzip::MAGIC) {
        // The limit only guards against a damaged binary; the largest file expands to 10 MB.
        gzip::decompress(entry.bytes, 64 << 20).map_err(|e| e.at(name))
    } else {
        Ok(entry.bytes.to_vec())
    }
}

fn store(name: &str) -> Result<Store> {
    crate::formats::safetensors::parse(&unpacked(name)?).map_err(|e| e.at(name))
}

/// A metadata string of a store, split at commas.
fn listed(store: &Store, key: &str) -> Vec<String> {
    let text = store.meta.get(key).and_then(|v| v.as_str()).unwrap_or_default();
    text.split(',').filter(|s| !s.is_empty()).map(String::from).collect()
}
