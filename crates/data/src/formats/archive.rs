//! Zip and tar archives, read into memory member by member. Nothing is ever extracted to the disk; names that climb
//! out of the archive are refused all the same.

use crate::formats::{Format, gzip::read_limited};
use crate::source::{Source, expansion_limit};
use neuropil_core::{Error, Result};
use std::io::Cursor;

/// Most members of one archive.
pub const MAX_MEMBERS: usize = 1_000_000;

/// A regular file inside an archive.
#[derive(Debug, Clone)]
pub struct Member {
    /// Path inside the archive, with `/`.
    pub path: String,
    /// Content; gzip members are not decompressed here.
    pub bytes: Vec<u8>,
}

impl Member {
    /// The member as an input of its own, decompressed if it is gzip.
    pub fn into_source(self, archive: &str) -> Result<Source> {
        let place = format!("{archive}: {}", self.path);
        Source::from_bytes(&self.path, place, self.bytes)
    }
}

/// The regular, non-hidden files of a zip (or npz) or tar archive, sorted by path.
pub fn members(format: Format, bytes: &[u8]) -> Result<Vec<Member>> {
    let mut found = match format {
        Format::Zip | Format::Npz => zip_members(bytes)?,
        Format::Tar => tar_members(bytes)?,
        other => return Err(Error::input("a zip or tar archive", other.title())),
    };
    found.sort_by(|a, b| a.path.cmp(&b.path));
    if let Some(w) = found.windows(2).find(|w| w[0].path == w[1].path) {
        return Err(Error::input("distinct member names", format!("`{}` twice", w[0].path)));
    }
    Ok(found)
}

fn zip_members(bytes: &[u8]) -> Result<Vec<Member>> {
    let damaged = |e: zip::result::ZipError| Error::input("a whole zip archive", e.to_string());
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    check_count(archive.len())?;
    let mut left = expansion_limit(bytes.len());
    let mut found = Vec::new();
    for i in 0..archive.len() {
        let file = archive.by_index(i).map_err(damaged)?;
        let path = file.name().map_err(damaged)?.into_owned();
        check_name(&path)?;
        if !file.is_file() || hidden(&path) {
            continue;
        }
        let content = read_limited(file, left).map_err(|e| e.at(&path))?;
        left -= content.len();
        found.push(Member { path, bytes: content });
    }
    Ok(found)
}

fn tar_members(bytes: &[u8]) -> Result<Vec<Member>> {
    let damaged = |e: std::io::Error| Error::input("a whole tar archive", e.to_string());
    let mut archive = tar::Archive::new(bytes);
    // Members of a tar are not compressed, so all together cannot be longer than the archive.
    let mut left = bytes.len();
    let mut found = Vec::new();
    for entry in archive.entries().map_err(damaged)? {
        let entry = entry.map_err(damaged)?;
        check_count(found.len())?;
        let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
        check_name(&path)?;
        if !entry.header().entry_type().is_file() || hidden(&path) {
            continue;
        }
        let size = entry.size();
        let content = read_limited(entry, left).map_err(|e| e.at(&path))?;
        if content.len() as u64 != size {
            return Err(Error::input(format!("{size} bytes"), format!("{} bytes", content.len())).at(path));
        }
        left -= content.len();
        found.push(Member { path: path.trim_start_matches("./").to_string(), bytes: content });
    }
    Ok(found)
}

fn check_count(members: usize) -> Result<()> {
    if members > MAX_MEMBERS {
        return Err(Error::input(format!("at most {MAX_MEMBERS} members"), "more"));
    }
    Ok(())
}

fn check_name(path: &str) -> Result<()> {
    let climbs = path.split(['/', '\\']).any(|part| part == "..");
    let absolute = path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':');
    if climbs || absolute || path.contains('\0') {
        return Err(Error::input("member names inside the archive", format!("`{}`", path.escape_default())));
    }
    Ok(())
}

fn hidden(path: &str) -> bool {
    path.split('/').any(|part| (part.starts_with('.') && part != ".") || part == "__MACOSX")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn zip_of(names: &[&str], content: &[u8]) -> Vec<u8> {
        let mut w = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for n in names {
            w.start_file(*n, zip::write::SimpleFileOptions::default()).expect("starts");
            w.write_all(content).expect("writes");
        }
        w.finish().expect("finishes").into_inner()
    }

    fn tar_of(name: &[u8], content: &[u8]) -> Vec<u8> {
        let mut header = tar::Header::new_ustar();
        header.as_mut_bytes()[..name.len()].copy_from_slice(name);
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_cksum();
        let mut out = header.as_bytes().to_vec();
        out.extend_from_slice(content);
        out.resize(out.len().next_multiple_of(512) + 1024, 0);
        out
    }

    #[test]
    fn members_are_sorted_and_hidden_ones_left_out() -> Result<()> {
        let found = members(Format::Zip, &zip_of(&["b/x.txt", "a/y.txt", "__MACOSX/a", ".DS_Store"], b"hi"))?;
        assert_eq!(found.iter().map(|m| m.path.as_str()).collect::<Vec<_>>(), ["a/y.txt", "b/x.txt"]);
        assert_eq!(members(Format::Tar, &tar_of(b"a/y.txt", b"hi"))?[0].bytes, b"hi");
        Ok(())
    }

    #[test]
    fn names_that_climb_out_are_refused() {
        assert!(members(Format::Zip, &zip_of(&["../evil"], b"x")).is_err());
        assert!(members(Format::Zip, &zip_of(&["/etc/evil"], b"x")).is_err());
        assert!(members(Format::Zip, &zip_of(&["a\\..\\..\\evil"], b"x")).is_err());
        assert!(members(Format::Tar, &tar_of(b"a/../../evil", b"x")).is_err());
    }

    #[test]
    fn a_bomb_is_refused() {
        let bomb = zip_of(&["zeros"], &vec![0; 64 << 20]);
        assert!(bomb.len() < 1 << 17);
        let e = members(Format::Zip, &bomb).expect_err("64 MiB out of 64 KiB");
        assert!(e.to_string().contains("after decompression"), "{e}");
    }
}
