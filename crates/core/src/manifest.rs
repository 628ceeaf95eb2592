//! Where a result came from.

use serde::{Deserialize, Serialize};

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InputFile {
    /// Role in the system's card.
    pub role: String,
    /// Path as given.
    pub path: String,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 in hexadecimal.
    pub sha256: String,
}

/// Everything needed to run the same thing again.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the program.
    pub version: String,
    /// Commit it was built from, where known.
    pub commit: Option<String>,
    /// Slug of the system.
    pub system: String,
    /// Profile name.
    pub profile: String,
    /// SHA-256 of the complete configuration, first 12 hexadecimal digits.
    pub config_hash: String,
    /// Settings that differ from the profile's preset, as `key=value`.
    #[serde(default)]
    pub overrides: Vec<String>,
    /// Seed.
    pub seed: u64,
    /// Replicates.
    pub replicates: u32,
    /// Files read.
    pub inputs: Vec<InputFile>,
    /// Threads used.
    pub threads: usize,
    /// Device.
    pub device: String,
    /// Operating system and processor family.
    pub platform: String,
    /// Vector extensions found at run time.
    pub cpu_features: Vec<String>,
    /// Start, seconds since 1970.
    pub started_unix_s: u64,
    /// Wall-clock seconds, all sessions of a resumed run.
    pub wall_s: f64,
    /// Processor seconds.
    pub cpu_s: f64,
    /// Peak resident memory in MB.
    pub peak_mem_mb: f64,
    /// `running`, `interrupted`, `failed` or `done`.
    pub status: String,
    /// How often the run was resumed.
    pub resumed: u32,
}
