//! The user's files: operation scripts, input spike trains, tables of bit vectors.

use super::operations::{self, Kind, Operation};
use neuropil_core::{Array, Error, Result, SpikeTrains};
use neuropil_data::formats::{Format, npy, npz};
use neuropil_data::{Source, read};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Largest time in ms (nearly three hours), so that a mistyped time does not run for ever.
const LATEST: f64 = 1e7;

/// One operation as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    time_ms: f64,
    op: String,
    #[serde(default)]
    cue: Option<Cue>,
    #[serde(default)]
    content: Vec<u32>,
}

/// A cue: one neuron, or the list of active ones.
#[derive(Deserialize)]
#[serde(untagged)]
enum Cue {
    One(u32),
    Active(Vec<u32>),
}

/// Operations, with the size of the memory where the file determines it.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// In order of time.
    pub operations: Vec<Operation>,
    /// Cues and content bits; `None` where the highest index named decides.
    pub size: Option<(usize, usize)>,
}

/// Spacing of the operations that a table becomes, in ms.
const SPACING: u64 = 14;

/// Reads any of the user's files:
///
/// - an operation script, JSON or CSV (see [`parse_script`]);
/// - input spike trains (safetensors, `.npz`, CSV with a time and a unit): times in whole ms; units named `inCue/0`,
///   `inCont/0`, ... (others are ignored, so a run's own `spikes` files can be played back), or numbered, the first
///   `cues` of them cues and the rest content;
/// - a table of bit vectors, one row a cue (`.npy`, or an `.npz` or safetensors file with one matrix): every row is
///   learned, then every cue and every single bit is recalled.
pub fn read(path: &Path, cues: usize) -> Result<Script> {
    let source = Source::open(path)?;
    let place = source.place.clone();
    of_source(&source, cues).map_err(|e| e.at(place))
}

fn of_source(source: &Source, cues: usize) -> Result<Script> {
    let script = |operations| Script { operations, size: None };
    match source.format()? {
        Format::Json => parse_script(&source.bytes, false).map(script),
        Format::Csv | Format::Text => {
            // A script names its operations in a column `op`; spike trains have none.
            let first = source.bytes.split(|b| *b == b'\n').next().unwrap_or_default();
            let cells = String::from_utf8_lossy(first).to_ascii_lowercase();
            if cells.split(',').any(|c| ["unit", "units", "neuron", "cell", "channel"].contains(&c.trim())) {
                from_spikes(&read::spike_trains_of(source)?, cues)
            } else {
                parse_script(&source.bytes, true).map(script)
            }
        }
        Format::Npy => from_table(&npy::parse(&source.bytes)?),
        Format::Npz => {
            let mut found = npz::parse(&source.bytes)?;
            match (found.len(), found.pop()) {
                (1, Some((_, npy::Value::Numbers(table)))) => from_table(&table),
                _ => from_spikes(&read::spike_trains_of(source)?, cues),
            }
        }
        _ => from_spikes(&read::spike_trains_of(source)?, cues),
    }
}

/// Operations from the spikes of the input neurons.
fn from_spikes(trains: &SpikeTrains, cues: usize) -> Result<Script> {
    let place = |name: &str| {
        let index = |rest: &str| rest.parse::<u32>().ok();
        let cue = name.strip_prefix("inCue/").and_then(index).map(|i| (true, i));
        cue.or_else(|| name.strip_prefix("inCont/").and_then(index).map(|i| (false, i)))
    };
    let mut places: Vec<Option<(bool, u32)>> = trains.names().iter().map(|n| place(n)).collect();
    if places.iter().all(Option::is_none) {
        if cues == 0 || cues >= trains.unit_count() {
            return Err(Error::config(
                format!("how many of the {} units are cues, 1 to {}", trains.unit_count(), trains.unit_count() - 1),
                cues.to_string(),
            )
            .at("cues")
            .hint("`--set cues=N`, or name the units inCue/0, ..., inCont/0, ..."));
        }
        let split = |i: usize| if i < cues { (true, i as u32) } else { (false, (i - cues) as u32) };
        places = (0..trains.unit_count()).map(|i| Some(split(i))).collect();
    }
    let count = |of: bool| {
        places.iter().flatten().filter(|p| p.0 == of).map(|p| p.1 as usize + 1).max().unwrap_or(0)
    };
    let size = (count(true), count(false));
    if size.0 == 0 || size.1 == 0 {
        return Err(Error::input("cue units and content units", format!("{} and {}", size.0, size.1)));
    }
    let mut steps: BTreeMap<u64, (Vec<u32>, Vec<u32>)> = BTreeMap::new();
    for (t, unit) in trains.events() {
        if !(t.fract() == 0.0 && t <= LATEST) {
            return Err(Error::input("spike times in whole ms up to 10000000", format!("{t} ms")));
        }
        if let Some((is_cue, index)) = places[unit as usize] {
            let step = steps.entry(t as u64).or_default();
            let list = if is_cue { &mut step.0 } else { &mut step.1 };
            list.push(index);
        }
    }
    for (cue, content) in steps.values_mut() {
        for list in [cue, content] {
            list.sort_unstable();
            list.dedup();
        }
    }
    Ok(Script { operations: operations::from_steps(&steps)?, size: Some(size) })
}

/// Operations that store a table (cues x content bits, zeros and ones) and read it back.
fn from_table(table: &Array) -> Result<Script> {
    let [cues, contents] = *table.shape() else {
        return Err(Error::input("a table with 2 axes (cues, content bits)", format!("shape {:?}", table.shape())));
    };
    if cues == 0 || contents == 0 {
        return Err(Error::input("at least 1 cue and 1 content bit", format!("shape {:?}", table.shape())));
    }
    let values = table.to_f64();
    if let Some(i) = values.iter().position(|v| *v != 0.0 && *v != 1.0) {
        let got = format!("{} at row {}, column {}", values[i], i / contents, i % contents);
        return Err(Error::input("zeros and ones", got));
    }
    let mut operations = Vec::with_capacity(2 * cues + contents);
    let mut time = (0..).step_by(SPACING as usize);
    let mut next = || time.next().unwrap_or(0);
    for (cue, row) in values.chunks_exact(contents).enumerate() {
        let content: Vec<u32> = (0..contents as u32).filter(|&b| row[b as usize] == 1.0).collect();
        if content.is_empty() {
            return Err(Error::input("at least one active bit in every row", format!("none in row {cue}")));
        }
        operations.push(Operation::learn(next(), cue as u32, &content));
    }
    operations.extend((0..cues as u32).map(|cue| Operation::by_cue(next(), cue)));
    operations.extend((0..contents as u32).map(|bit| Operation::by_content(next(), &[bit])));
    Ok(Script { operations, size: Some((cues, contents)) })
}

/// Parses a script. JSON: a list of `{"time_ms", "op", "cue", "content"}`. CSV: a header `time_ms,op,cue,content` with
/// space-separated content bits. `op` is `learn`, `recall_by_cue` or `recall_by_content`.
///
/// Fails on times that are no whole ms, several cues at once, and input that does not fit the named operation; times,
/// spacing and index ranges are left to [`super::operations::check`].
pub fn parse_script(bytes: &[u8], csv: bool) -> Result<Vec<Operation>> {
    let written: Vec<Written> = if csv {
        let text = std::str::from_utf8(bytes).map_err(|e| Error::input("UTF-8 text", e.to_string()))?;
        parse_csv(text)?
    } else {
        serde_json::from_slice(bytes).map_err(|e| {
            Error::input("a JSON list of operations {time_ms, op, cue, content}", e.to_string())
        })?
    };
    written
        .into_iter()
        .enumerate()
        .map(|(i, w)| operation(w).map_err(|e| e.at(format!("operation {}", i + 1))))
        .collect()
}

fn operation(w: Written) -> Result<Operation> {
    if !(w.time_ms.fract() == 0.0 && (0.0..=LATEST).contains(&w.time_ms)) {
        return Err(Error::input("a time in whole ms from 0 to 10000000", w.time_ms.to_string()));
    }
    let cues = match w.cue {
        None => Vec::new(),
        Some(Cue::One(c)) => vec![c],
        Some(Cue::Active(all)) => all,
    };
    if cues.len() > 1 {
        return Err(Error::input("one cue at a time (one-hot)", format!("cues {cues:?}")));
    }
    let mut content = w.content;
    content.sort_unstable();
    let o = Operation { time: w.time_ms as u64, cue: cues.first().copied(), content };
    let kinds = [Kind::Learn, Kind::RecallByCue, Kind::RecallByContent];
    let Some(kind) = kinds.into_iter().find(|k| k.name() == w.op) else {
        return Err(Error::input("`learn`, `recall_by_cue` or `recall_by_content`", format!("`{}`", w.op)).at("op"));
    };
    let (needs_cue, needs_content) = (kind != Kind::RecallByContent, kind != Kind::RecallByCue);
    if o.cue.is_some() != needs_cue {
        let (want, got) = if needs_cue { ("a cue", "none") } else { ("no cue", "one") };
        return Err(Error::input(format!("{want} for `{}`", w.op), got));
    }
    if o.content.is_empty() == needs_content {
        let (want, got) = if needs_content { ("content", "none") } else { ("no content", "some") };
        return Err(Error::input(format!("{want} for `{}`", w.op), got));
    }
    Ok(o)
}

fn parse_csv(text: &str) -> Result<Vec<Written>> {
    let mut lines = text.lines().map(str::trim).enumerate().filter(|(_, l)| !l.is_empty());
    let header = lines.next().map_or("", |(_, l)| l);
    if header != "time_ms,op,cue,content" {
        return Err(Error::input("the header `time_ms,op,cue,content`", format!("`{header}`")));
    }
    let number = |text: &str, line: usize| {
        text.parse::<u32>().map_err(|_| Error::input("a whole number", format!("`{text}`")).at(format!("line {line}")))
    };
    let mut written = Vec::new();
    for (index, line) in lines {
        let at = format!("line {}", index + 1);
        let cells: Vec<&str> = line.split(',').map(str::trim).collect();
        let [time, op, cue, content] = cells[..] else {
            return Err(Error::input("4 cells", format!("{}", cells.len())).at(at));
        };
        let time_ms = time.parse().map_err(|_| Error::input("a time in ms", format!("`{time}`")).at(&at))?;
        let list = |text: &str| text.split_whitespace().map(|n| number(n, index + 1)).collect::<Result<Vec<u32>>>();
        written.push(Written { time_ms, op: op.into(), cue: Some(Cue::Active(list(cue)?)), content: list(content)? });
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(name: &str, bytes: Vec<u8>) -> Result<Source> {
        Source::from_bytes(name, name.into(), bytes)
    }

    fn parse(name: &str, text: &str) -> Result<Vec<Operation>> {
        Ok(of_source(&source(name, text.into())?, 0)?.operations)
    }

    #[test]
    fn spikes_and_tables_become_operations() -> Result<()> {
        let csv = "time_ms,unit\n0,inCue/1\n0,inCont/0\n1,inCue/1\n1,inCont/0\n2,inCue/1\n2,inCont/0\n\
                   3,cond/0\n20,inCue/1\n30,inCont/2\n";
        let want = [Operation::learn(0, 1, &[0]), Operation::by_cue(20, 1), Operation::by_content(30, &[2])];
        let named = of_source(&source("s.csv", csv.into())?, 0)?;
        assert_eq!((named.operations.as_slice(), named.size), (&want[..], Some((2, 3))));
        let numbered = "time_ms,unit\n0,1\n0,2\n1,1\n1,2\n2,1\n2,2\n20,1\n30,4\n";
        assert_eq!(of_source(&source("s.csv", numbered.into())?, 2)?, named);
        assert_eq!(of_source(&source("s.csv", numbered.into())?, 0).expect_err("no split").exit_code(), 2);
        for (rows, want) in [("0.5,1\n3,4\n", "whole ms"), ("3,0\n3,1\n3,4\n", "one-hot"), ("3,0\n3,4\n", "three steps")] {
            let text = format!("time_ms,unit\n{rows}");
            let e = of_source(&source("s.csv", text.into())?, 2).expect_err(rows);
            assert!(e.to_string().contains(want) && e.exit_code() == 3, "{rows}: {e}");
        }
        let table = |values: &[u8]| -> Result<Script> {
            let array = Array::from_u8(&[2, 2], values)?;
            of_source(&source("t.npy", npy::encode(&array)?)?, 0)
        };
        let ok = table(&[1, 0, 1, 1])?;
        assert_eq!(ok.operations[1], Operation::learn(14, 1, &[0, 1]));
        assert_eq!((ok.operations.len(), ok.size), (6, Some((2, 2))));
        assert!(table(&[1, 0, 0, 0]).expect_err("empty row").to_string().contains("row 1"));
        assert!(table(&[1, 0, 2, 1]).expect_err("no bit").to_string().contains("zeros and ones"));
        Ok(())
    }

    #[test]
    fn both_forms_say_the_same() -> Result<()> {
        let json = r#"[{"time_ms": 0, "op": "learn", "cue": 1, "content": [3, 0]},
            {"time_ms": 14, "op": "recall_by_content", "content": [3]}]"#;
        let csv = "time_ms,op,cue,content\n0,learn,1,3 0\n14,recall_by_content,,3\n";
        let want = [Operation::learn(0, 1, &[0, 3]), Operation::by_content(14, &[3])];
        assert_eq!(parse("a.json", json)?, want);
        assert_eq!(parse("a.csv", csv)?, want);
        Ok(())
    }

    #[test]
    fn bad_scripts_name_what_is_wrong() {
        let head = "time_ms,op,cue,content\n";
        for (row, want) in [
            ("0.5,learn,0,1", "whole ms"),
            ("-1,learn,0,1", "whole ms"),
            ("NaN,learn,0,1", "whole ms"),
            ("0,learn,0 1,1", "one-hot"),
            ("0,learn,0,", "content for `learn`"),
            ("0,learn,,1", "a cue for `learn`"),
            ("0,recall_by_cue,0,1", "no content"),
            ("0,recall_by_content,0,1", "no cue"),
            ("0,forget,0,1", "`forget`"),
            ("0,learn,x,1", "a whole number"),
            ("0,learn", "4 cells"),
        ] {
            let e = parse("a.csv", &format!("{head}{row}\n")).expect_err(row);
            assert!(e.to_string().contains(want), "{row}: {e}");
            assert_eq!(e.exit_code(), 3);
        }
        assert_eq!(parse("a.json", "{").expect_err("cut").exit_code(), 3);
        assert_eq!(parse("a.csv", "").expect_err("empty").exit_code(), 3);
    }
}
