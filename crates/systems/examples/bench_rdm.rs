//! Times of representational dissimilarity matrices, as JSON.
//!
//! `bench_rdm A.npy B.npy OUT REPEATS` reads two sets of responses (stimuli x units, float64; two folds of the same
//! stimuli), writes `OUT-NAME.npy` with each condensed matrix and prints milliseconds. `benches/peers/rdm.py` runs it
//! beside its peers.
#![allow(clippy::print_stdout, clippy::expect_used)]

use neuropil_analysis::rdm::{Dissimilarity, crossnobis};
use neuropil_core::{Array, Error, Result};
use neuropil_data::formats::npy;
use neuropil_data::{Source, read};
use neuropil_math::Matrix;
use std::path::{Path, PathBuf};
use std::time::Instant;

// As in the program.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [a, b, out, repeats] = args.as_slice() else {
        return Err(Error::config("A.npy B.npy OUT REPEATS", args.join(" ")));
    };
    let repeats: usize = repeats.parse().map_err(|_| Error::config("a number of repeats", repeats))?;
    let responses = |path: &str| Matrix::from_array(&read::arrays_of(&Source::open(Path::new(path))?)?[0].1);
    let folds = [responses(a)?, responses(b)?];
    type Measure<'a> = (&'a str, Box<dyn Fn() -> Result<Vec<f64>> + 'a>);
    let measures: [Measure<'_>; 3] = [
        ("euclidean", Box::new(|| Dissimilarity::SquaredEuclidean.rdm(&folds[0]))),
        ("correlation", Box::new(|| Dissimilarity::Correlation.rdm(&folds[0]))),
        ("crossnobis", Box::new(|| crossnobis(&folds, None))),
    ];
    let mut times = Vec::new();
    for (name, measure) in &measures {
        let mut own = Vec::new();
        for i in 0..=repeats {
            let start = Instant::now();
            let rdm = measure()?;
            if i > 0 {
                own.push(start.elapsed().as_secs_f64() * 1e3);
            } else {
                npy::write(
                    &PathBuf::from(format!("{out}-{name}.npy")),
                    &Array::from_f64(&[rdm.len()], &rdm)?,
                )?;
            }
        }
        times.push(format!(r#""{name}":{own:?}"#));
    }
    println!("{{{}}}", times.join(","));
    Ok(())
}
