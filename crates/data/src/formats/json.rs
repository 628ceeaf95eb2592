//! JSON and JSON lines.

use crate::formats::text;
use neuropil_core::{Error, Result};
use serde_json::Value;

/// One JSON value; nesting is limited to 128 by the parser.
pub fn parse(bytes: &[u8]) -> Result<Value> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    serde_json::from_slice(bytes).map_err(|e| Error::input("valid JSON", e.to_string()))
}

/// One JSON value a line; blank lines are skipped. Fails with the number of the first bad line.
pub fn parse_lines(bytes: &[u8]) -> Result<Vec<Value>> {
    let text = text::parse(bytes)?;
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(i, line)| {
            serde_json::from_str(line).map_err(|e| {
                Error::input("one JSON value a line", e.to_string()).at(format!("line {}", i + 1))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_bad_line_and_survives_nesting() {
        let e = parse_lines(b"{\"a\":1}\n\n{\"a\":\n").expect_err("line 3 is cut");
        assert!(e.to_string().contains("line 3"), "{e}");
        assert!(parse(&vec![b'['; 100_000]).is_err());
    }
}
