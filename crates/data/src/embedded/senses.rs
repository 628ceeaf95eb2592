//! Images, films and sounds.

use super::{Split, entries, store, unpacked};
use crate::formats::{idx, png};
use neuropil_core::{Array, Error, Result, Stimuli, StimulusKind};

fn ten_digits() -> Vec<String> {
    (0..10).map(|d| d.to_string()).collect()
}

/// MNIST, a stratified subset: u8 images [12000 or 3000, 1, 28, 28] with labels 0 to 9, 1,200 or 300 a class.
pub fn mnist(split: Split) -> Result<Stimuli> {
    let stem = match split {
        Split::Train => "train12000",
        Split::Test => "t10k3000",
    };
    let images = idx::parse(&unpacked(&format!("mnist/{stem}-images-idx3-ubyte.gz"))?)?;
    let labels = idx::parse(&unpacked(&format!("mnist/{stem}-labels-idx1-ubyte.gz"))?)?;
    with_labels(&images, &labels, ten_digits())
}

/// UCI handwritten digits: u8 images [1797, 1, 8, 8] of 0..=16 with labels 0 to 9. There is no split; the usual one
/// holds out the last 20 %.
pub fn digits() -> Result<Stimuli> {
    let s = store("digits8x8/digits.safetensors.gz")?;
    with_labels(s.require("images")?, s.require("labels")?, ten_digits())
}

/// Gray images [n, h, w] and their classes as stimuli [n, 1, h, w].
pub(crate) fn with_labels(images: &Array, labels: &Array, classes: Vec<String>) -> Result<Stimuli> {
    let &[n, h, w] = images.shape() else {
        return Err(Error::input("images with 3 axes", format!("shape {:?}", images.shape())));
    };
    let images = Array::new(images.dtype(), vec![n, 1, h, w], images.bytes().to_vec())?;
    let labels = labels.to_indices()?.into_iter().map(|l| l as u32).collect();
    let mut stimuli = Stimuli::new(StimulusKind::Images, images, Some(labels))?;
    stimuli.classes = classes;
    Ok(stimuli)
}

/// One natural image by name, such as `chelsea_cat_rgb`: u8 [channels, height, width].
pub fn natural_image(name: &str) -> Result<Array> {
    png::parse(&unpacked(&format!("natural_images/{name}.png"))?)
}

fn images_ending(ending: &str) -> Result<Vec<(String, Array)>> {
    entries()
        .iter()
        .filter_map(|e| e.name.strip_prefix("natural_images/")?.strip_suffix(".png"))
        .filter(|name| name.ends_with(ending))
        .map(|name| Ok((name.to_string(), natural_image(name)?)))
        .collect()
}

/// All 15 natural images with their names, sorted: u8 [1 or 3, height, width]. Sizes differ.
pub fn natural_images() -> Result<Vec<(String, Array)>> {
    images_ending("")
}

/// The 8 gray natural images: u8 [1, 299 to 448, 448].
pub fn natural_images_gray() -> Result<Vec<(String, Array)>> {
    images_ending("_gray")
}

/// 120 frames of an animated film: one movie, u8 [1, 120, 45, 80] at 25 Hz.
pub fn video() -> Result<Stimuli> {
    let s = store("video/bigbuckbunny_gray.safetensors.gz")?;
    let frames = s.require("frames")?;
    let shape = [&[1], frames.shape()].concat();
    let values = Array::new(frames.dtype(), shape, frames.bytes().to_vec())?;
    let mut stimuli = Stimuli::new(StimulusKind::Movies, values, None)?;
    stimuli.rate_hz = Some(25.0);
    Ok(stimuli)
}

/// Spoken vowels of unequal length.
#[derive(Debug, Clone, PartialEq)]
pub struct Utterances {
    /// One row-major matrix (steps x `channels`) per utterance.
    pub sequences: Vec<Vec<f32>>,
    /// Values per step.
    pub channels: usize,
    /// Speaker 0 to 8 of each utterance.
    pub labels: Vec<u32>,
}

/// Japanese Vowels: 270 training or 370 test utterances of 7 to 29 steps, 12 LPC cepstrum coefficients, 9 speakers.
pub fn speech(split: Split) -> Result<Utterances> {
    let s = store("speech/japanese_vowels.safetensors.gz")?;
    let part = match split {
        Split::Train => "train",
        Split::Test => "test",
    };
    let x = s.require(&format!("{part}.x"))?;
    let channels = x.shape()[1];
    let values = x.to_f32();
    let mut rest = values.as_slice();
    let mut sequences = Vec::new();
    for steps in s.require(&format!("{part}.len"))?.to_indices()? {
        let (head, tail) = rest
            .split_at_checked(steps * channels)
            .ok_or_else(|| Error::Internal("utterances longer than their values".into()))?;
        sequences.push(head.to_vec());
        rest = tail;
    }
    let labels: Vec<u32> =
        s.require(&format!("{part}.y"))?.to_indices()?.into_iter().map(|l| l as u32).collect();
    let first = labels.iter().copied().min().unwrap_or(0);
    Ok(Utterances { sequences, channels, labels: labels.into_iter().map(|l| l - first).collect() })
}
