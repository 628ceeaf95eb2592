//! Operation scripts of the user: JSON or CSV.

use super::operations::{Kind, Operation};
use neuropil_core::{Error, Result, files};
use serde::Deserialize;
use std::path::Path;

/// Largest script in bytes.
const LARGEST: u64 = 64 << 20;
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

/// Reads a script. JSON: a list of `{"time_ms", "op", "cue", "content"}`. CSV: a header `time_ms,op,cue,content` with
/// space-separated content bits. `op` is `learn`, `recall_by_cue` or `recall_by_content`.
///
/// Fails on times that are no whole ms, several cues at once, and input that does not fit the named operation; times,
/// spacing and index ranges are left to [`super::operations::check`].
pub fn read(path: &Path) -> Result<Vec<Operation>> {
    let bytes = files::read_limited(path, LARGEST)?;
    let text = String::from_utf8(bytes).map_err(|e| Error::input("UTF-8 text", e.to_string()).at(path.display()))?;
    let csv = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("csv"));
    let written: Vec<Written> = if csv {
        parse_csv(&text).map_err(|e| e.at(path.display()))?
    } else {
        serde_json::from_str(&text).map_err(|e| {
            Error::input("a JSON list of operations {time_ms, op, cue, content}", e.to_string()).at(path.display())
        })?
    };
    written
        .into_iter()
        .enumerate()
        .map(|(i, w)| operation(w).map_err(|e| e.at(format!("operation {} of {}", i + 1, path.display()))))
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

    fn parse(name: &str, text: &str) -> Result<Vec<Operation>> {
        let dir = tempfile::tempdir().expect("tempdir");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        read(&path)
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
