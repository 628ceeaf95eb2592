//! Fetching over HTTP: resumable, checked, placed atomically.

use super::{Known, cache_folder, find, hexadecimal};
use md5::{Digest as _, Md5};
use neuropil_core::{Error, Result};
use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// No file of a known set is longer.
const MAX_BYTES: u64 = 1 << 30;

/// Called with the name of the file, the bytes so far and the bytes in all where the server tells.
pub type OnProgress<'a> = &'a mut dyn FnMut(&str, u64, Option<u64>);

/// Fetches the set called `name` into `cache` (default: the cache folder of the user) from its canonical address, or
/// from `address` in its place. Files that are already there are kept. Fails with
/// [`Error::Resources`](neuropil_core::Error::Resources) without a network, and then keeps what it has for the next
/// attempt.
pub fn get(
    name: &str,
    cache: Option<&Path>,
    address: Option<&str>,
    progress: OnProgress,
) -> Result<Vec<PathBuf>> {
    let cache = cache.map_or_else(cache_folder, |c| Ok(c.to_path_buf()))?;
    find(name)?.get(&cache, address, progress)
}

impl Known {
    /// As [`get`], for this set.
    pub fn get(&self, cache: &Path, address: Option<&str>, progress: OnProgress) -> Result<Vec<PathBuf>> {
        let address = address.unwrap_or(self.address);
        self.files
            .iter()
            .map(|f| {
                if let Some(path) = self.stored(cache, f).filter(|_| self.content(cache, f).is_ok()) {
                    return Ok(path);
                }
                let path = self.folder(cache).join(f.name);
                let url = format!("{}/{}", address.trim_end_matches('/'), f.name);
                fetch(&url, &path, f.md5, &mut |done, all| progress(f.name, done, all))?;
                Ok(path)
            })
            .collect()
    }
}

/// Fetches `url` to `path`. A partial file of an earlier attempt (`<path>.partial`) is continued; the file appears under
/// its name only once its MD5 is right.
pub fn fetch(url: &str, path: &Path, md5: &str, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<()> {
    let partial =
        path.with_file_name(format!("{}.partial", path.file_name().unwrap_or_default().to_string_lossy()));
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|e| Error::write(folder, &e))?;
    }
    let resumed = fs::metadata(&partial).map_or(0, |m| m.len()) > 0;
    download(url, &partial, progress)?;
    let mut sum = md5_of_file(&partial)?;
    if sum != md5 && resumed {
        // The earlier part may be of another version of the file: once more from the start.
        fs::remove_file(&partial).map_err(|e| Error::write(&partial, &e))?;
        download(url, &partial, progress)?;
        sum = md5_of_file(&partial)?;
    }
    if sum != md5 {
        fs::remove_file(&partial).map_err(|e| Error::write(&partial, &e))?;
        return Err(Error::resources(format!("MD5 {md5}"), sum)
            .at(url)
            .hint("the server sent another file; nothing was kept"));
    }
    fs::rename(&partial, path).map_err(|e| Error::write(path, &e))
}

/// Brings `partial` to the length of the file at `url`.
fn download(url: &str, partial: &Path, progress: &mut dyn FnMut(u64, Option<u64>)) -> Result<()> {
    let failed = |what: String| {
        Error::resources("a download", what)
            .at(url)
            .hint("check the network and run the command again: it continues where it stopped; or use `neuropil data import FILE`")
    };
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(20)))
        .timeout_recv_response(Some(Duration::from_mins(1)))
        .timeout_per_read(Some(Duration::from_mins(1)))
        .http_status_as_error(false)
        .user_agent(concat!("neuropil/", env!("CARGO_PKG_VERSION")))
        .build();
    let agent = config.new_agent();
    let mut have = fs::metadata(partial).map_or(0, |m| m.len());
    let mut request = agent.get(url);
    if have > 0 {
        request = request.header("Range", format!("bytes={have}-"));
    }
    let response = request.call().map_err(|e| failed(e.to_string()))?;
    match response.status().as_u16() {
        200 => have = 0,
        206 if range_start(&response) == Some(have) => {}
        // The part is as long as the file, or longer: the checksum decides.
        416 if have > 0 => return Ok(()),
        code => return Err(failed(format!("HTTP status {code}"))),
    }
    let length = response
        .headers()
        .get("content-length")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<u64>().ok());
    let all = length.map(|n| n.saturating_add(have));
    if all.is_some_and(|n| n > MAX_BYTES) {
        return Err(failed(format!("a file of more than {MAX_BYTES} bytes")));
    }
    let mut file =
        if have > 0 { OpenOptions::new().append(true).open(partial) } else { File::create(partial) }
            .map_err(|e| Error::write(partial, &e))?;
    let mut reader = response.into_body().into_reader();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = reader.read(&mut buffer).map_err(|e| failed(e.to_string()))?;
        if n == 0 {
            break;
        }
        have += n as u64;
        if have > MAX_BYTES {
            return Err(failed(format!("a file of more than {MAX_BYTES} bytes")));
        }
        file.write_all(&buffer[..n]).map_err(|e| Error::write(partial, &e))?;
        progress(have, all);
    }
    if all.is_some_and(|n| n != have) {
        return Err(failed(format!("{have} bytes of {}", all.unwrap_or(0))));
    }
    file.sync_data().map_err(|e| Error::write(partial, &e))
}

/// The first byte of a `Content-Range: bytes 5-9/10`.
fn range_start<B>(response: &ureq::http::Response<B>) -> Option<u64> {
    let value = response.headers().get("content-range")?.to_str().ok()?;
    value.strip_prefix("bytes ")?.split('-').next()?.parse().ok()
}

fn md5_of_file(path: &Path) -> Result<String> {
    let mut file = File::open(path).map_err(|e| Error::read(path, &e))?;
    let mut hasher = Md5::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer).map_err(|e| Error::read(path, &e))? {
            0 => return Ok(hexadecimal(&hasher.finalize())),
            n => hasher.update(&buffer[..n]),
        }
    }
}
