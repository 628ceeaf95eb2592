//! The run folder `<root>/<system>/<time>-<config hash>/`.

use neuropil_core::{Error, Manifest, Result, files};
use serde_json::{Map, Value, json};
use std::fs::{File, OpenOptions};
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

/// A folder that belongs to one run.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Makes a new folder; never reuses one that exists.
    pub fn create(root: &Path, system: &str, stamp: &str, hash: &str) -> Result<Self> {
        let parent = root.join(system);
        std::fs::create_dir_all(&parent).map_err(|e| Error::write(&parent, &e))?;
        for n in 1..1000 {
            let suffix = if n == 1 { String::new() } else { format!("-{n}") };
            let path = parent.join(format!("{stamp}-{hash}{suffix}"));
            match std::fs::create_dir(&path) {
                Ok(()) => return Ok(Self { path }),
                Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(e) => return Err(Error::write(&path, &e)),
            }
        }
        Err(Error::resources("a free folder name", "1000 taken ones").at(parent.display()))
    }

    /// The newest unfinished run of a system with this configuration hash.
    pub fn newest_unfinished(root: &Path, system: &str, hash: &str) -> Result<Option<Self>> {
        let parent = root.join(system);
        let Ok(entries) = std::fs::read_dir(&parent) else { return Ok(None) };
        let mut found: Vec<PathBuf> = entries.filter_map(|e| e.ok().map(|e| e.path())).collect();
        found.sort();
        for path in found.into_iter().rev() {
            if let Ok(m) = read_manifest(&path)
                && m.config_hash == hash
                && m.status != "done"
            {
                return Ok(Some(Self { path }));
            }
        }
        Ok(None)
    }

    /// An existing run folder, by path.
    pub fn at(path: &Path) -> Result<Self> {
        read_manifest(path)?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The manifest as last written.
    pub fn manifest(&self) -> Result<Manifest> {
        read_manifest(&self.path)
    }

    /// Replaces the manifest.
    pub fn write_manifest(&self, manifest: &Manifest) -> Result<()> {
        write_json(&self.path.join("manifest.json"), manifest)
    }
}

fn read_manifest(folder: &Path) -> Result<Manifest> {
    let path = folder.join("manifest.json");
    let bytes = files::read_limited(&path, 16 << 20)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| Error::input("a run manifest", e.to_string()).at(path.display()))
}

/// Pretty JSON with a final newline, atomically.
pub fn write_json(path: &Path, value: &impl serde::Serialize) -> Result<()> {
    let mut text = serde_json::to_string_pretty(value).map_err(|e| Error::Internal(e.to_string()))?;
    text.push('\n');
    files::write_atomic(path, text.as_bytes())
}

/// `metrics.jsonl`: rows `{"series", "step", ...}`. After a resume the file is cut back to what the checkpoint knew,
/// so that no row appears twice.
#[derive(Debug)]
pub struct Log {
    path: PathBuf,
    file: File,
    pending: String,
    bytes: u64,
}

impl Log {
    /// Opens the file and cuts it to `bytes`.
    pub fn open(path: &Path, bytes: u64) -> Result<Self> {
        let open = || -> std::io::Result<(File, u64)> {
            let mut file = OpenOptions::new().create(true).write(true).truncate(false).open(path)?;
            let bytes = bytes.min(file.metadata()?.len());
            file.set_len(bytes)?;
            file.seek(SeekFrom::End(0))?;
            Ok((file, bytes))
        };
        let (file, bytes) = open().map_err(|e| Error::write(path, &e))?;
        Ok(Self { path: path.into(), file, pending: String::new(), bytes })
    }

    /// Adds a row in memory.
    pub fn row(&mut self, series: &str, step: u64, values: &[(&str, f64)]) {
        let mut row = Map::new();
        row.insert("series".into(), json!(series));
        row.insert("step".into(), json!(step));
        for (name, v) in values {
            row.insert((*name).into(), serde_json::Number::from_f64(*v).map_or(Value::Null, Value::Number));
        }
        self.pending.push_str(&Value::Object(row).to_string());
        self.pending.push('\n');
    }

    /// Writes what is pending; returns the length of the file.
    pub fn flush(&mut self) -> Result<u64> {
        self.file
            .write_all(self.pending.as_bytes())
            .and_then(|()| self.file.sync_data())
            .map_err(|e| Error::write(&self.path, &e))?;
        self.bytes += self.pending.len() as u64;
        self.pending.clear();
        Ok(self.bytes)
    }
}
