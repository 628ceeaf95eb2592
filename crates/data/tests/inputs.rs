//! What `--input` takes and refuses: every noun from every fitting format, and clear errors of exit code 3.
#![allow(clippy::expect_used)] // a test may fail loudly

use neuropil_core::{
    ActivityKind, Array, Error, Noun as _, Recording, Result, Sampling, StimulusKind, Volume,
};
use neuropil_data::formats::{graphml, gzip, idx, nifti, npy, npz, png};
use neuropil_data::{check, read};
use std::path::{Path, PathBuf};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }

    fn put(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("creates");
        std::fs::write(&path, bytes).expect("writes");
        path
    }
}

fn corpus(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus").join(name)
}

fn refused<T: std::fmt::Debug>(result: Result<T>, words: &str) {
    let e = result.expect_err(words);
    assert!(e.exit_code() == 3 && e.to_string().contains(words), "{e}");
    assert!(e.mismatch().is_some_and(|m| m.at.is_some()), "no place in: {e}");
}

type AsResult = fn(&Path) -> Result<()>;
const READERS: [AsResult; 11] = [
    |p| read::array(p).map(drop),
    |p| read::arrays(p).map(drop),
    |p| read::matrix(p).map(drop),
    |p| read::table(p).map(drop),
    |p| read::recording(p).map(drop),
    |p| read::spike_trains(p).map(drop),
    |p| read::connectome(p).map(drop),
    |p| read::volume(p).map(drop),
    |p| read::weights(p).map(drop),
    |p| read::documents(p).map(drop),
    |p| check::check(p).map(drop),
];

#[test]
fn every_reader_refuses_what_is_no_file() {
    let f = Folder::new();
    let empty = f.put("empty.csv", b"");
    let zipped = f.put("empty.csv.gz", gzip::compress(b"").expect("compresses"));
    let missing = f.0.path().join("missing.npz");
    std::fs::create_dir(f.0.path().join("folder")).expect("creates");
    for read in READERS {
        refused(read(&missing), "a readable file");
        refused(read(&empty), "an empty file");
        refused(read(&zipped), "gzip file of nothing");
        refused(read(Path::new("/dev/zero")), "a regular file");
        assert_eq!(read(&f.0.path().join("folder")).expect_err("a folder").exit_code(), 3);
    }
    refused(read::stimuli(&missing), "a readable file");
    refused(read::recording(f.0.path()), "a directory");
    refused(read::text(&empty), "an empty file");
}

#[test]
fn foreign_formats_tell_what_to_do() {
    let f = Folder::new();
    for (name, bytes, words) in [
        ("a.h5", &b"\x89HDF\r\n\x1a\n00000000"[..], "HDF5"),
        ("a.pt", b"PICKLE", "pickle"),
        ("a.mat", b"MATLAB 5.0 MAT-file", "MATLAB"),
        ("a.bin", b"\x01\x02\x03\x04", "unrecognised"),
        ("a.npy", b"not an array", "NumPy"),
        ("a.nii", b"not a volume", "NIfTI"),
    ] {
        refused(read::array(&f.put(name, bytes)), words);
    }
    let mut nifti = std::fs::read(corpus("nifti/ok_1_f4.nii")).expect("reads");
    nifti.pop();
    refused(read::volume(&f.put("cut.nii", &nifti)), "bytes");
    let zipped = gzip::compress(&nifti).expect("compresses");
    refused(read::volume(&f.put("cut.nii.gz", &zipped[..zipped.len() / 2])), "compressed stream");
}

#[test]
fn recordings_from_every_format() -> Result<()> {
    let f = Folder::new();
    let csv = read::recording(&corpus("csv/ok_wide.csv"))?;
    assert_eq!((csv.unit_count(), csv.steps(), csv.units[0].name.as_str()), (2, 3, "AVAL"));
    assert_eq!(csv.sampling, Sampling::Rate { hz: 2.0, start_s: 0.0 });
    assert!(csv.row(0)[1].is_nan() && csv.require_finite().is_err());
    let e = csv.require_finite().expect_err("NaN");
    assert!(e.to_string().contains("AVAL"), "{e}");

    let npz = read::recording(&corpus("npz/ok_recording.npz"))?;
    assert_eq!((npz.units[1].name.as_str(), npz.row(1)), ("b", &[3.0, 4.0, 5.0][..]));
    assert_eq!((npz.kind, &npz.sampling), (ActivityKind::Rate, &Sampling::Rate { hz: 10.0, start_s: 0.0 }));

    let matrix = Array::from_f64(&[2, 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0])?;
    let npy = read::recording(&f.put("a.npy.gz", gzip::compress(&npy::encode(&matrix)?)?))?;
    assert_eq!((npy.unit_count(), npy.row(1), npy.kind), (2, &[4.0, 5.0, 6.0][..], ActivityKind::Activation));

    let noun = f.0.path().join("r.safetensors");
    npz.save(&noun)?;
    assert_eq!(read::recording(&noun)?, npz);

    let long = read::recording(&f.put("long.csv", "time_s,unit,value\n0,a,1\n0,b,2\n1,b,4\n1,a,3\n"))?;
    assert_eq!((long.row(0), long.row(1)), (&[1.0, 3.0][..], &[2.0, 4.0][..]));
    refused(read::recording(&f.put("hole.csv", "time_s,unit,value\n0,a,1\n0,b,2\n1,a,3\n")), "4 rows");
    refused(
        read::recording(&f.put("twice.csv", "time_s,unit,value\n0,a,1\n0,a,2\n1,b,4\n1,b,3\n")),
        "one value per time",
    );

    let trials = read::recording(&f.put("trials.csv", "trial,x\nA,1\nA,2\nB,3\n"))?;
    let labels: Vec<_> = trials.trials.iter().map(|t| (t.start, t.stop, t.label.as_str())).collect();
    assert_eq!(labels, [(0, 2, "A"), (2, 3, "B")]);
    let irregular = read::recording(&f.put("irregular.csv", "time_ms,x\n0,1\n10,2\n500,3\n"))?;
    assert_eq!(irregular.sampling, Sampling::Times(vec![0.0, 0.01, 0.5]));

    refused(read::recording(&f.put("text.csv", "x,y\n1,2\n3,oops\n")), "oops");
    refused(read::recording(&f.put("back.csv", "time_s,x\n1,1\n0,2\n")), "increasing");
    refused(read::recording(&f.put("same.csv", "x,x\n1,2\n")), "twice");
    let names = vec!["a".to_string(); 3];
    let wrong = [
        ("activity".to_string(), npy::Value::Numbers(matrix.clone())),
        ("names".into(), npy::Value::Strings(vec![3], names)),
    ];
    refused(read::recording(&f.put("names.npz", npz::encode(&wrong)?)), "2 names");
    refused(read::recording(&corpus("nifti/ok_1_f4.nii")), "a recording");
    let cube = Array::from_f64(&[1, 1, 1], &[1.0])?;
    refused(read::recording(&f.put("cube.npy", npy::encode(&cube)?)), "2 axes");
    Ok(())
}

#[test]
fn spike_trains_from_every_format() -> Result<()> {
    let f = Folder::new();
    let csv = read::spike_trains(&corpus("csv/ok_spikes.csv"))?;
    assert_eq!(
        (csv.times_ms(), csv.units(), csv.unit_count(), csv.duration_ms()),
        (&[0.5, 1.5][..], &[0, 2][..], 3, 2.0)
    );
    let named = read::spike_trains(&f.put("named.csv", "time_s,neuron\n0.002,b\n0.001,a\n"))?;
    assert_eq!((named.times_ms(), named.names()), (&[1.0, 2.0][..], &["b".to_string(), "a".into()][..]));
    assert_eq!(named.units(), [1, 0]);
    let bare = read::spike_trains(&f.put("bare.txt", "0.5\n2.5\n"))?;
    assert_eq!((bare.len(), bare.unit_count()), (2, 1));
    let noun = f.0.path().join("s.safetensors");
    csv.save(&noun)?;
    assert_eq!(read::spike_trains(&noun)?, csv);
    let arrays = [
        ("times_ms".to_string(), Array::from_f64(&[2], &[1.0, 3.0])?),
        ("units".into(), Array::from_u32(&[2], &[1, 0])?),
        ("duration_ms".into(), Array::from_f64(&[], &[50.0])?),
    ];
    npz::write(&f.0.path().join("s.npz"), &arrays)?;
    assert_eq!(read::spike_trains(&f.0.path().join("s.npz"))?.duration_ms(), 50.0);
    refused(read::spike_trains(&f.put("negative.csv", "time_ms,unit\n-1,0\n")), "non-negative");
    refused(read::spike_trains(&f.put("nan.csv", "time_ms,unit\nNaN,0\n")), "finite");
    refused(read::spike_trains(&f.put("half.csv", "time_ms,unit\n1,0.5\n")), "0.5");
    refused(read::spike_trains(&f.put("huge.csv", "time_ms,unit\n1,999999999\n")), "unit");
    refused(read::spike_trains(&corpus("csv/ok_wide.csv")), "unit");
    refused(read::recording(&noun), "spike_trains");
    Ok(())
}

#[test]
fn connectomes_from_every_format() -> Result<()> {
    let f = Folder::new();
    let xml = read::connectome(&corpus("graphml/ok_networkx.graphml"))?;
    assert_eq!((xml.units[1].name.as_str(), xml.dense(None)), ("A<&>B", vec![0.0, 2.5, -1.0, 0.0]));
    let list = read::connectome(&corpus("csv/ok_edges.csv"))?;
    assert_eq!((list.unit_count(), list.dense(None)[1]), (3, 2.0));
    let matrix = read::connectome(&f.put("m.csv", ",a,b\na,0,2\nb,-1,\n"))?;
    assert_eq!((matrix.units[1].name.as_str(), matrix.dense(None)), ("b", vec![0.0, 2.0, -1.0, 0.0]));
    let bare = read::connectome(&f.put("bare.csv", "0,2\n-1,0\n"))?;
    assert_eq!(bare.dense(None), [0.0, 2.0, -1.0, 0.0]);
    let numbered = read::connectome(&f.put("numbered.csv", ",10,20\n10,0,2\n20,-1,0\n"))?;
    assert_eq!((numbered.units[1].name.as_str(), numbered.dense(None)), ("20", vec![0.0, 2.0, -1.0, 0.0]));
    let sparse = read::connectome(&corpus("npz/ok_sparse.npz"))?;
    assert_eq!(sparse.dense(None), [0.0, 2.0, 0.0, 0.0, 0.0, -1.0, 3.0, 0.0, 0.0]);
    let back = f.0.path().join("back.graphml");
    graphml::write(&back, &list)?;
    assert_eq!(read::connectome(&back)?, list);
    refused(read::connectome(&f.put("oblong.csv", "1,2,3\n4,5,6\n")), "square");
    refused(read::connectome(&f.put("rows.csv", ",a,b\na,0,2\nc,1,0\n")), "row names");
    refused(read::connectome(&f.put("inf.csv", "source,target,weight\na,b,inf\n")), "row 1");
    refused(read::connectome(&f.put("open.csv", "source,target,weight\na,,1\n")), "row 1");
    refused(
        read::connectome(&f.put("oblong.npy", npy::encode(&Array::from_f64(&[2, 1], &[1.0, 2.0])?)?)),
        "square",
    );
    Ok(())
}

#[test]
fn stimuli_from_every_format() -> Result<()> {
    let f = Folder::new();
    let image = |v: u8| png::encode(&Array::from_u8(&[1, 2, 2], &[v; 4]).expect("fits")).expect("encodes");
    f.put("set/cat/1.png", image(1));
    f.put("set/dog/1.png", image(2));
    f.put("set/dog/2.png", image(3));
    f.put("set/.hidden", b"x");
    let s = read::stimuli(&f.0.path().join("set"))?;
    assert_eq!((s.values.shape(), s.labels.as_deref()), (&[3, 1, 2, 2][..], Some(&[0, 1, 1][..])));
    assert_eq!((s.classes.as_slice(), s.values.bytes()[4]), (&["cat".to_string(), "dog".into()][..], 2));
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("set", f.0.path().join("set")).expect("packs");
    let packed = f.put("set.tar.gz", gzip::compress(&tar.into_inner().expect("finishes"))?);
    assert_eq!(read::stimuli(&packed)?, s);

    f.put("set/dog/3.png", png::encode(&Array::from_u8(&[1, 1, 2], &[0; 2])?)?);
    refused(read::stimuli(&f.0.path().join("set")), "3.png");
    let images = Array::from_u8(&[2, 1, 2], &[1, 2, 3, 4])?;
    let path = f.put("x/my-images-idx3-ubyte", idx::encode(&images)?);
    assert_eq!(read::stimuli(&path)?.labels, None);
    f.put("x/my-labels-idx1-ubyte.gz", gzip::compress(&idx::encode(&Array::from_u8(&[2], &[7, 9])?)?)?);
    assert_eq!(read::stimuli(&path)?.labels, Some(vec![7, 9]));
    assert_eq!(read::stimuli(&f.0.path().join("x"))?.labels, Some(vec![7, 9]));
    f.put("x/my-labels-idx1-ubyte", idx::encode(&Array::from_u8(&[3], &[7, 9, 1])?)?);
    f.put("x/my-labels-idx1-ubyte.gz", gzip::compress(&idx::encode(&Array::from_u8(&[3], &[7, 9, 1])?)?)?);
    refused(read::stimuli(&path), "2 labels");

    let table = read::stimuli(&f.put("t.csv", "a,b,label\n1,2,cat\n3,4,ant\n"))?;
    assert_eq!((table.kind, table.labels), (StimulusKind::Features, Some(vec![1, 0])));
    std::fs::create_dir(f.0.path().join("nothing")).expect("creates");
    refused(read::stimuli(&f.0.path().join("nothing")), "none");
    Ok(())
}

#[test]
fn volumes_weights_texts_and_tables() -> Result<()> {
    let f = Folder::new();
    let v = Volume::new([1, 2, 2, 2], (0..8).map(|i| i as f32).collect(), [2.0, 1.0, 1.0])?;
    nifti::write(&f.0.path().join("v.nii.gz"), &v)?;
    assert_eq!(read::volume(&f.0.path().join("v.nii.gz"))?, v);
    v.save(&f.0.path().join("v.safetensors"))?;
    assert_eq!(read::volume(&f.0.path().join("v.safetensors"))?, v);
    refused(read::weights(&f.0.path().join("v.safetensors")), "volume");

    let w = read::weights(&corpus("safetensors/ok_plain.safetensors"))?;
    assert_eq!((w.require("w")?.shape(), w.meta["note"].as_str()), (&[2, 3][..], Some("x")));

    assert_eq!(read::text(&f.put("t.txt", "a\r\nb\n"))?, "a\nb\n");
    refused(read::text(&f.put("latin.txt", b"caf\xe9")), "0xe9");
    refused(read::text(&f.put("blank.txt", " \n")), "white space");
    for (name, content) in [
        ("d.jsonl", "{\"text\":\"one\",\"label\":\"x\"}\n{\"text\":\"two\",\"label\":\"y\"}\n"),
        ("d.csv", "text,label\none,x\ntwo,y\n"),
        ("d.json", "[{\"text\":\"one\",\"label\":\"x\"},{\"text\":\"two\",\"label\":\"y\"}]"),
    ] {
        let d = read::documents(&f.put(name, content))?;
        assert_eq!((d.len(), d[1].text.as_str(), d[1].label.as_deref()), (2, "two", Some("y")), "{name}");
    }
    f.put("texts/x/1.txt", "one");
    f.put("texts/y/2.txt", "two");
    let d = read::documents(&f.0.path().join("texts"))?;
    assert_eq!((d[0].text.as_str(), d[0].label.as_deref()), ("one", Some("x")));
    refused(read::documents(&f.put("n.csv", "a,b\n1,2\n")), "text");

    let rows = read::table(&f.put("r.jsonl", "{\"a\":1,\"b\":\"x\"}\n{\"a\":null,\"b\":\"y\"}\n"))?;
    assert!(rows.require_numbers(&["a"])?[1].is_nan());
    let m = read::matrix(&f.put("m.tsv", "a\tb\n1\t2\n"))?;
    assert_eq!(
        (m.rows, m.columns, m.values, m.names),
        (1, 2, vec![1.0, 2.0], Some(vec!["a".into(), "b".into()]))
    );
    refused(read::array(&corpus("npz/ok_compressed.npz")), "one array");
    Ok(())
}

#[test]
fn check_tells_content_and_problems() -> Result<()> {
    let f = Folder::new();
    let d = check::check(&corpus("csv/ok_wide.csv"))?;
    assert!(d.readable_as.iter().any(|n| n == "recording"), "{:?}", d.readable_as);
    assert_eq!(d.problems, ["`AVAL` has 1 NaN or missing values"]);
    let json = d.to_json()?;
    assert_eq!((json["format"].as_str(), json["parts"][1]["nan"].as_u64()), (Some("csv"), Some(1)));
    assert!(d.to_string().contains("problem: `AVAL`"));

    let units = ["a".to_string(), "a".into()];
    let r = Recording::of_samples(&units, vec![1.0, 1.0, 2.0, f32::INFINITY])?;
    r.save(&f.0.path().join("r.safetensors"))?;
    let d = check::check(&f.0.path().join("r.safetensors"))?;
    assert_eq!((d.noun.as_deref(), d.parts[0].infinite), (Some("recording"), 1));
    assert!(d.problems.iter().any(|p| p.contains("never change")), "{:?}", d.problems);

    let d = check::check(&corpus("nifti/ok_2_i2.nii"))?;
    assert!(d.facts.iter().any(|(k, v)| k == "version" && v == "NIfTI-2"));
    f.put("pictures/1.png", png::encode(&Array::from_u8(&[1, 2, 2], &[0; 4])?)?);
    assert_eq!(check::check(&f.0.path().join("pictures"))?.readable_as, ["stimuli"]);
    let none: Result<()> = check::check(&corpus("npy/bad_object.npy")).map(drop);
    assert!(matches!(none, Err(Error::Input(_))));
    Ok(())
}
