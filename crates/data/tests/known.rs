//! Fetching against a server on the loopback address, and importing by content.
#![cfg(feature = "download")]
#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_core::{Array, Result};
use neuropil_data::formats::{gzip, idx};
use neuropil_data::known::{self, Known, KnownFile};
use neuropil_data::{Split, formats};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// How the server answers one request.
#[derive(Clone, Copy)]
enum Answer {
    /// Everything asked for.
    Whole,
    /// Cuts the connection after so many bytes of the body.
    Cut(usize),
    /// Ignores `Range`.
    NoRange,
    Status(u16),
}

/// Serves `body` under every path, one answer per request; gives the address and the `Range` headers it saw.
fn serve(body: Vec<u8>, answers: Vec<Answer>) -> (String, Arc<Mutex<Vec<Option<String>>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&seen);
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("accepts");
            let mut range = None;
            for line in BufReader::new(&stream).lines().map_while(std::io::Result::ok) {
                if line.is_empty() {
                    break;
                }
                if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: ") {
                    range = Some(value.to_string());
                }
            }
            let start = range
                .as_ref()
                .and_then(|r| r.strip_prefix("bytes=")?.strip_suffix('-')?.parse::<usize>().ok());
            log.lock().expect("locks").push(range.clone());
            let head = |status: &str, n: usize, more: &str| {
                format!("HTTP/1.1 {status}\r\nContent-Length: {n}\r\n{more}Connection: close\r\n\r\n")
            };
            let (head, part) = match (answer, start) {
                (Answer::Status(code), _) => (head(&format!("{code} X"), 0, ""), Vec::new()),
                (Answer::Whole | Answer::Cut(_), Some(s)) if s < body.len() => {
                    let more = format!("Content-Range: bytes {s}-{}/{}\r\n", body.len() - 1, body.len());
                    (head("206 Partial Content", body.len() - s, &more), body[s..].to_vec())
                }
                (Answer::Whole | Answer::Cut(_), Some(_)) => {
                    (head("416 Range Not Satisfiable", 0, ""), Vec::new())
                }
                _ => (head("200 OK", body.len(), ""), body.clone()),
            };
            let part = if let Answer::Cut(n) = answer { &part[..n] } else { &part[..] };
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(part));
        }
    });
    (address, seen)
}

/// MD5 of the bytes 0 to 255 repeated 40 times (`python3 -c "import hashlib; print(hashlib.md5(bytes(range(256))*40).hexdigest())"`).
const SUM: &str = "c3cd26e07e555c0116db237fbc06d99c";

fn body() -> Vec<u8> {
    (0..=255_u8).cycle().take(256 * 40).collect()
}

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

fn fetch(address: &str, folder: &Path) -> Result<()> {
    known::fetch(&format!("{address}/f.bin"), &folder.join("f.bin"), SUM, &mut |_, _| {})
}

fn names(folder: &Path) -> Vec<String> {
    let list = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<String> =
        list.map(|e| e.expect("an entry").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_cut_download_fails_cleanly_and_the_next_one_continues() -> Result<()> {
    let dir = folder();
    let (address, seen) = serve(body(), vec![Answer::Cut(3000), Answer::Cut(2000), Answer::Whole]);
    for _ in 0..2 {
        let e = fetch(&address, dir.path()).expect_err("cut");
        assert_eq!(e.exit_code(), 4, "{e}");
        assert_eq!(names(dir.path()), ["f.bin.partial"]);
    }
    fetch(&address, dir.path())?;
    assert_eq!(names(dir.path()), ["f.bin"]);
    assert_eq!(std::fs::read(dir.path().join("f.bin")).expect("reads"), body());
    let ranges = seen.lock().expect("locks").clone();
    assert_eq!(ranges, [None, Some("bytes=3000-".to_string()), Some("bytes=5000-".into())]);
    Ok(())
}

#[test]
fn a_server_without_ranges_starts_over_and_a_whole_part_is_not_fetched_again() -> Result<()> {
    let dir = folder();
    std::fs::write(dir.path().join("f.bin.partial"), &body()[..100]).expect("writes");
    let (address, _) = serve(body(), vec![Answer::NoRange]);
    fetch(&address, dir.path())?;
    assert_eq!(std::fs::read(dir.path().join("f.bin")).expect("reads"), body());

    let dir = folder();
    std::fs::write(dir.path().join("f.bin.partial"), body()).expect("writes");
    let (address, seen) = serve(body(), vec![Answer::Whole]);
    fetch(&address, dir.path())?;
    assert_eq!(seen.lock().expect("locks").len(), 1);
    Ok(())
}

#[test]
fn a_stale_part_is_thrown_away_once() -> Result<()> {
    let dir = folder();
    std::fs::write(dir.path().join("f.bin.partial"), b"of another version").expect("writes");
    let (address, _) = serve(body(), vec![Answer::Whole, Answer::Whole]);
    fetch(&address, dir.path())?;
    assert_eq!(std::fs::read(dir.path().join("f.bin")).expect("reads"), body());
    Ok(())
}

#[test]
fn another_file_or_no_server_leaves_nothing() {
    let dir = folder();
    let (address, _) = serve(b"another file".to_vec(), vec![Answer::Whole, Answer::Status(404)]);
    let e = fetch(&address, dir.path()).expect_err("another checksum");
    assert!(e.exit_code() == 4 && e.to_string().contains(SUM), "{e}");
    let e = fetch(&address, dir.path()).expect_err("404");
    assert!(e.exit_code() == 4 && e.to_string().contains("404"), "{e}");
    let closed = TcpListener::bind("127.0.0.1:0").expect("binds").local_addr().expect("an address");
    let e = fetch(&format!("http://{closed}"), dir.path()).expect_err("nobody listens");
    assert!(e.exit_code() == 4 && e.mismatch().is_some_and(|m| m.hint.is_some()), "{e}");
    assert!(names(dir.path()).is_empty(), "{:?}", names(dir.path()));
}

/// A set of two images in the form of MNIST. The checksums are of the bytes made here, so they are computed here.
fn small_set() -> (Known, Vec<(String, Vec<u8>)>) {
    let images = Array::from_u8(&[2, 2, 2], &[1, 2, 3, 4, 5, 6, 7, 8]).expect("fits");
    let labels = Array::from_u8(&[2], &[3, 9]).expect("fits");
    let parts = [
        ("train-images-idx3-ubyte.gz", idx::encode(&images).expect("encodes")),
        ("train-labels-idx1-ubyte.gz", idx::encode(&labels).expect("encodes")),
    ];
    let sum = |bytes: &[u8]| -> &'static str {
        use md5::Digest as _;
        let digest = md5::Md5::digest(bytes);
        let text = digest.iter().fold(String::new(), |t, b| t + &format!("{b:02x}"));
        Box::leak(text.into_boxed_str())
    };
    let files: Vec<KnownFile> = parts
        .iter()
        .map(|(name, plain)| KnownFile {
            name,
            md5: sum(&gzip::compress(plain).expect("compresses")),
            md5_plain: Some(sum(plain)),
        })
        .collect();
    let set = Known { name: "small", files: Box::leak(files.into_boxed_slice()), ..known::SETS[0] };
    (set, parts.into_iter().map(|(n, p)| (n.to_string(), p)).collect())
}

#[test]
fn an_archive_with_the_plain_files_is_recognised_by_content() -> Result<()> {
    let (set, parts) = small_set();
    let dir = folder();
    let cache = dir.path().join("cache");
    // An npm package is a gzip tar of `package/...`; names do not matter.
    let mut tar = tar::Builder::new(Vec::new());
    for (name, plain) in &parts {
        let mut header = tar::Header::new_ustar();
        header.set_size(plain.len() as u64);
        tar.append_data(&mut header, format!("package/data/other-{name}"), plain.as_slice())
            .expect("appends");
    }
    let package = dir.path().join("package-1.0.0.tgz");
    std::fs::write(&package, gzip::compress(&tar.into_inner().expect("finishes"))?).expect("writes");
    let found = known::import_from(&package, &cache, &[set])?;
    assert_eq!((found[0].set, found[0].files.len(), found[0].missing.len()), ("small", 2, 0));
    let s = set.load(Split::Train, &cache)?;
    assert_eq!((s.values.shape(), s.labels.as_deref()), (&[2, 1, 2, 2][..], Some(&[3, 9][..])));
    assert!(set.is_present(&cache));

    // A damaged cache is noticed, a foreign file is refused.
    std::fs::write(cache.join("small/train-labels-idx1-ubyte"), b"damaged").expect("writes");
    assert_eq!(set.load(Split::Train, &cache).expect_err("damaged").exit_code(), 3);
    let foreign = dir.path().join("foreign.npy");
    formats::npy::write(&foreign, &Array::from_u8(&[1], &[1])?)?;
    assert_eq!(known::import_from(&foreign, &cache, &[set]).expect_err("foreign").exit_code(), 3);
    Ok(())
}

#[test]
fn one_file_at_a_time_tells_what_is_missing_and_get_fills_it() -> Result<()> {
    let (set, parts) = small_set();
    let dir = folder();
    let cache = dir.path().join("cache");
    let file = dir.path().join("downloaded.gz");
    std::fs::write(&file, gzip::compress(&parts[1].1)?).expect("writes");
    let found = known::import_from(&file, &cache, &[set])?;
    assert_eq!(found[0].missing, ["train-images-idx3-ubyte.gz"]);
    let e = set.load(Split::Train, &cache).expect_err("images are missing");
    assert!(e.exit_code() == 3 && e.mismatch().is_some_and(|m| m.hint.is_some()));
    let (address, seen) = serve(gzip::compress(&parts[0].1)?, vec![Answer::Whole]);
    let mut told = 0;
    set.get(&cache, Some(&address), &mut |_, done, _| told = done)?;
    assert_eq!(seen.lock().expect("locks").len(), 1, "what is there is not fetched again");
    assert!(told > 0 && set.is_present(&cache));
    assert_eq!(set.load(Split::Train, &cache)?.len(), 2);
    Ok(())
}
