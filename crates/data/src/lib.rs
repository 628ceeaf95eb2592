//! Files in, nouns out: readers and writers of every format that Neuropil takes, the data set compiled into the
//! binary, and the known public data sets.
//!
//! - [`read`]: a path becomes a noun, whatever fitting format it has; this is what every `--input` uses.
//! - [`formats`]: one module per format, bytes to values and back.
//! - [`embedded`]: real data that need no file and no network.
//! - [`generated`]: data with a known truth, from a random stream.
//! - [`patches`], [`augment`]: cutting volumes into pieces for a network, and putting its answers together.
//! - [`check`]: what is inside a file.
//! - [`known`]: MNIST, Fashion-MNIST and CIFAR-10 from their canonical addresses or from a file the user has.
//!
//! Every reader checks sizes against the length of the file before it allocates, and refuses with
//! expected/got/place. Pickle is never read.
//!
//! ```
//! let digits = neuropil_data::embedded::digits()?;
//! assert_eq!(digits.values.shape(), [1797, 1, 8, 8]);
//! # Ok::<(), neuropil_core::Error>(())
//! ```

pub mod augment;
pub mod check;
pub mod embedded;
pub mod formats;
pub mod frame;
pub mod generated;
pub mod known;
pub mod patches;
pub mod read;
pub mod source;
pub mod worm_names;

pub use check::Description;
pub use embedded::Split;
pub use formats::Format;
pub use frame::{Column, Frame};
pub use source::Source;
