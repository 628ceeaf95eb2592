//! CSV and its relatives: comma, semicolon or tab between cells, or white space between numbers.

use crate::formats::text;
use crate::frame::{Column, Frame, number};
use neuropil_core::{Error, Result, files};
use std::path::Path;

/// Most columns of one table.
const MAX_COLUMNS: usize = 1 << 20;

/// Parses a table. The delimiter is the one that occurs most in the first line; the first row is a header if one of
/// its cells is text (not a number and not missing). Lines that start with `#` are skipped.
pub fn parse(bytes: &[u8]) -> Result<Frame> {
    let text = text::parse(bytes)?;
    let first = text.lines().find(|l| !l.trim().is_empty() && !l.starts_with('#'));
    let first = first.ok_or_else(|| Error::input("at least 1 row", "no rows"))?;
    let rows = match delimiter(first) {
        Some(d) => split_cells(&text, d)?,
        None => split_blanks(&text)?,
    };
    frame_of(rows)
}

/// The delimiter of the first line: tab, comma or semicolon; `None` for numbers between blanks.
fn delimiter(line: &str) -> Option<u8> {
    let mut quoted = false;
    let mut counts = [(b'\t', 0), (b',', 0), (b';', 0)];
    for byte in line.bytes() {
        quoted ^= byte == b'"';
        counts.iter_mut().filter(|(d, _)| !quoted && *d == byte).for_each(|(_, n)| *n += 1);
    }
    let (best, n) = counts.into_iter().rev().max_by_key(|(_, n)| *n)?;
    let mut blanks = line.split_whitespace();
    let between_blanks = blanks.clone().count() > 1 && blanks.all(|c| number(c).is_some());
    if n == 0 && between_blanks { None } else { Some(if n == 0 { b',' } else { best }) }
}

fn split_cells(text: &str, delimiter: u8) -> Result<Vec<Vec<String>>> {
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .comment(Some(b'#'))
        .from_reader(text.as_bytes());
    let mut rows: Vec<Vec<String>> = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|e| Error::input("a readable table", e.to_string()))?;
        let line = record.position().map_or(0, ::csv::Position::line);
        let row: Vec<String> = record.iter().map(|c| c.trim().to_string()).collect();
        push_row(&mut rows, row, line)?;
    }
    Ok(rows)
}

fn split_blanks(text: &str) -> Result<Vec<Vec<String>>> {
    let mut rows = Vec::new();
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty() && !l.starts_with('#')) {
        push_row(&mut rows, line.split_whitespace().map(String::from).collect(), i as u64 + 1)?;
    }
    Ok(rows)
}

fn push_row(rows: &mut Vec<Vec<String>>, row: Vec<String>, line: u64) -> Result<()> {
    if row.len() > MAX_COLUMNS {
        return Err(Error::input(format!("at most {MAX_COLUMNS} columns"), row.len().to_string()));
    }
    match rows.first() {
        // A line of blanks in a table of one column is a missing cell only between others.
        Some(first) if first.len() != row.len() => {
            Err(Error::input(format!("{} cells", first.len()), row.len().to_string())
                .at(format!("line {line}")))
        }
        _ => {
            rows.push(row);
            Ok(())
        }
    }
}

fn frame_of(mut rows: Vec<Vec<String>>) -> Result<Frame> {
    let Some(first) = rows.first() else { return Err(Error::input("at least 1 row", "no rows")) };
    let width = first.len();
    let has_header = first.iter().any(|c| number(c).is_none());
    let names: Vec<String> =
        if has_header { rows.remove(0) } else { (0..width).map(|i| i.to_string()).collect() };
    if rows.is_empty() {
        return Err(Error::input("at least 1 row below the header", "0 rows"));
    }
    let mut cells: Vec<Vec<String>> = vec![Vec::with_capacity(rows.len()); width];
    for row in rows {
        cells.iter_mut().zip(row).for_each(|(column, cell)| column.push(cell));
    }
    let columns = names.into_iter().zip(cells).map(|(n, c)| (n, Column::from_cells(c))).collect();
    Ok(Frame { columns, has_header })
}

/// CSV bytes with a header; numbers in the shortest form that reads back to the same value, NaN as an empty cell.
/// Text that could be taken for another delimiter, a comment or a missing line is quoted.
pub fn encode(frame: &Frame) -> Result<Vec<u8>> {
    let width = frame.columns.len();
    if width == 0 || frame.columns.iter().any(|(_, c)| c.len() != frame.rows()) {
        return Err(Error::input("columns of one length", format!("{width} columns")));
    }
    let quoted = |cell: &str| {
        let plain = !cell.contains([',', ';', '"', '\t', '\n', '\r'])
            && cell.trim() == cell
            && !cell.starts_with('#');
        // An empty line would be skipped.
        if plain && !(cell.is_empty() && width == 1) {
            cell.to_string()
        } else {
            format!("\"{}\"", cell.replace('"', "\"\""))
        }
    };
    let mut out = frame.names().into_iter().map(quoted).collect::<Vec<_>>().join(",");
    out.push('\n');
    for r in 0..frame.rows() {
        for (i, (_, column)) in frame.columns.iter().enumerate() {
            if i > 0 {
                out.push(',');
            }
            out.push_str(&match column {
                Column::Numbers(v) if v[r].is_nan() => quoted(""),
                Column::Numbers(v) => v[r].to_string(),
                Column::Text(v) => quoted(&v[r]),
            });
        }
        out.push('\n');
    }
    Ok(out.into_bytes())
}

/// Writes a table atomically.
pub fn write(path: &Path, frame: &Frame) -> Result<()> {
    files::write_atomic(path, &encode(frame)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delimiters_headers_and_missing_cells() -> Result<()> {
        for text in ["a,b\n1,2\n,4\n", "a;b\r\n1;2\r\nNaN;4\r\n", "a\tb\n1\t2\nNA\t4\n"] {
            let f = parse(text.as_bytes())?;
            assert_eq!((f.names(), f.rows(), f.has_header), (vec!["a", "b"], 2, true), "{text:?}");
            let a = f.require_numbers(&["a"])?;
            assert!(a[0] == 1.0 && a[1].is_nan());
        }
        let f = parse(b"1 2  3\n 4 5 6\n")?;
        assert!(!f.has_header);
        assert_eq!(f.matrix()?, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
        Ok(())
    }

    #[test]
    fn ragged_rows_name_the_line() {
        let e = parse(b"a,b\n1,2\n3\n").expect_err("ragged");
        assert_eq!(e.to_string(), "expected 2 cells, got 1 (line 3)");
        assert!(parse(b"a,b\n").is_err() && parse(b"\n\n").is_err());
    }

    #[test]
    fn quotes_and_numbers_survive() -> Result<()> {
        let f = Frame {
            columns: vec![
                ("name, of".into(), Column::Text(vec!["x \"y\"".into(), "z\nw".into()])),
                ("v".into(), Column::Numbers(vec![0.1 + 0.2, f64::MIN_POSITIVE])),
            ],
            has_header: true,
        };
        assert_eq!(parse(&encode(&f)?)?, f);
        Ok(())
    }
}
