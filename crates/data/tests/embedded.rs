//! The data set in the binary is the documented one, and every function of it gives what its documentation says.

#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_core::Result;
use neuropil_data::Split;
use neuropil_data::embedded::{self, Side};
use sha2::{Digest as _, Sha256};

/// `name -> (bytes, sha256)` as the table of the README tells.
fn documented() -> Vec<(String, usize, String)> {
    include_str!("../embedded/README.md")
        .lines()
        .filter_map(|line| {
            let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
            let [name, bytes, _, sha] = cells.as_slice() else { return None };
            (sha.len() == 64).then(|| (name.to_string(), bytes.parse().expect("a size"), sha.to_string()))
        })
        .collect()
}

#[test]
fn every_file_has_its_documented_size_and_checksum() {
    let documented = documented();
    let listed: Vec<_> = embedded::entries()
        .iter()
        .map(|e| (e.name.to_string(), e.bytes.len(), e.sha256.to_string()))
        .collect();
    assert_eq!(listed, documented);
    assert_eq!(listed.len(), 40);
    for e in embedded::entries() {
        let sum = Sha256::digest(e.bytes);
        let documented =
            (0..32).map(|i| u8::from_str_radix(&e.sha256[2 * i..2 * i + 2], 16).expect("hexadecimal"));
        assert!(sum.iter().copied().eq(documented), "{}", e.name);
    }
    assert!(embedded::entries().is_sorted_by_key(|e| e.name));
}

#[test]
fn images_have_their_classes() -> Result<()> {
    for (split, n) in [(Split::Train, 12_000), (Split::Test, 3_000)] {
        let m = embedded::mnist(split)?;
        assert_eq!(m.values.shape(), [n, 1, 28, 28]);
        let labels = m.labels.expect("labels");
        for class in 0..10 {
            assert_eq!(labels.iter().filter(|&&l| l == class).count(), n / 10);
        }
    }
    let d = embedded::digits()?;
    assert_eq!(d.values.shape(), [1797, 1, 8, 8]);
    assert_eq!(d.values.bytes().iter().max(), Some(&16));
    let pictures = embedded::natural_images()?;
    assert_eq!(pictures.len(), 15);
    assert_eq!(embedded::natural_images_gray()?.len(), 8);
    assert_eq!(embedded::natural_image("chelsea_cat_rgb")?.shape(), [3, 192, 288]);
    assert_eq!(embedded::video()?.values.shape(), [1, 120, 45, 80]);
    Ok(())
}

#[test]
fn recordings_and_volumes_have_their_units() -> Result<()> {
    let eeg = embedded::eeg()?;
    assert_eq!((eeg.len(), eeg[0].1.unit_count(), eeg[0].1.steps()), (3, 14, 2048));
    assert_eq!(eeg[0].1.units[0].name, "AF3");
    let regions = embedded::fmri_regions()?;
    assert_eq!((regions.unit_count(), regions.steps()), (31, 250));
    let events = embedded::fmri_event_related()?;
    assert_eq!((events.unit_count(), events.steps(), events.series[0].1.len()), (1, 3360, 3360));
    // The published numbers of spikes in 10 s (nitime, examples of the grasshopper data).
    let spikes: Vec<usize> = embedded::grasshopper()?.iter().map(|(s, _)| s.len()).collect();
    assert_eq!(spikes, [929, 868]);
    assert_eq!(embedded::fmri_volumes()?[0].shape(), [10, 10, 18, 40]);
    assert_eq!(embedded::mri_anatomical()?.shape, [1, 25, 41, 33]);
    assert_eq!(embedded::mri_over_time()?.shape, [2, 24, 96, 128]);
    assert_eq!(embedded::mri_diffusion()?.shape, [1, 10, 128, 128]);
    for (split, n) in [(Split::Train, 270), (Split::Test, 370)] {
        let u = embedded::speech(split)?;
        assert_eq!((u.sequences.len(), u.labels.len(), u.channels), (n, n, 12));
        assert!(u.sequences.iter().all(|s| (7 * 12..=29 * 12).contains(&s.len())));
        assert_eq!((u.labels.iter().min(), u.labels.iter().max()), (Some(&0), Some(&8)));
    }
    Ok(())
}

#[test]
fn connectomes_have_their_published_sizes() -> Result<()> {
    let all = embedded::celegans_connectomes()?;
    let names: Vec<&str> = all.iter().map(|(n, _)| n.as_str()).collect();
    assert_eq!(names.len(), 13);
    assert_eq!((names[0], names[1], names[2]), ("cook2019", "white1986", "witvliet2021_1"));
    let cook = embedded::celegans("cook2019")?;
    assert_eq!(
        (cook.unit_count(), cook.kinds.as_slice()),
        (473, &["chemical".to_string(), "electrical".into()][..])
    );
    assert_eq!(cook.edges().iter().filter(|e| e.kind == 0).count(), 4879);
    assert_eq!(cook.edges().iter().filter(|e| e.kind == 1).count(), 2883);
    let atlas = embedded::celegans("randi2023_functional")?;
    assert_eq!((atlas.unit_count(), atlas.edges().len()), (181, 1150));
    let amines = embedded::celegans("bentley2016_monoamine")?;
    assert_eq!(amines.kinds, ["dopamine", "octopamine", "serotonin", "tyramine"]);
    assert!(embedded::celegans("cook2018").is_err());
    for (side, units, edges) in [(Side::Left, 209, 7425), (Side::Right, 213, 7536)] {
        let c = embedded::larval_mushroom_body(side)?;
        assert_eq!(c.unit_count(), units);
        assert_eq!(c.edges().len(), edges);
    }
    let types = embedded::fly_visual_types()?;
    assert_eq!(types.unit_count(), 65);
    assert!(types.edges().iter().any(|e| e.weight < 0.0));
    Ok(())
}

#[test]
fn texts_and_models_are_whole() -> Result<()> {
    let play = embedded::shakespeare()?;
    assert_eq!(play.chars().count(), 867_560);
    let verses = embedded::verses()?;
    assert_eq!(verses.len(), 10_095);
    assert_eq!(verses[0].reference, "Psalms 1:1");
    assert!(verses[0].spanish.starts_with("BIENAVENTURADO"));
    let net = embedded::efficientnet_lite0()?;
    assert_eq!(net.parameters.len(), 150);
    assert_eq!(net.meta["act"], "relu6");
    let rnn = embedded::textgenrnn()?;
    assert_eq!(rnn.require("embedding.embeddings")?.shape(), [465, 100]);
    let characters = embedded::textgenrnn_vocabulary()?;
    assert_eq!(characters.len(), 465);
    assert_eq!(characters[50], "H");
    let toxicity = embedded::toxicity()?;
    assert_eq!(toxicity.vocabulary.len(), toxicity.weights.require("idf")?.len());
    Ok(())
}
