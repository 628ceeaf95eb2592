//! Plain UTF-8 text.

use neuropil_core::{Error, Result};

/// True if the first part is text: UTF-8 without control characters but tabs and line ends.
pub fn looks_like(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(8192)];
    let valid = match std::str::from_utf8(head) {
        Ok(_) => true,
        // A character cut by the end of the sample is no error.
        Err(e) => e.error_len().is_none() && head.len() < bytes.len(),
    };
    valid && !head.iter().any(|&b| b < 9 || (14..32).contains(&b) && b != 27)
}

/// The text, without a byte-order mark and with `\n` line ends; fails at the first byte that is not UTF-8.
pub fn parse(bytes: &[u8]) -> Result<String> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.starts_with(b"\xff\xfe") || bytes.starts_with(b"\xfe\xff") {
        return Err(
            Error::input("UTF-8 text", "UTF-16 text").hint("convert it with `iconv -f UTF-16 -t UTF-8`")
        );
    }
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        let line = bytes[..at].split(|&b| b == b'\n').count();
        Error::input("UTF-8 text", format!("byte {:#04x}", bytes[at])).at(format!("line {line}, byte {at}"))
    })?;
    Ok(if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_the_first_bad_byte() -> Result<()> {
        let e = parse(b"a\nb\xffc").expect_err("not UTF-8");
        assert_eq!(e.to_string(), "expected UTF-8 text, got byte 0xff (line 2, byte 3)");
        assert_eq!(parse(b"\xef\xbb\xbfa\r\nb\r")?, "a\nb\n");
        assert!(looks_like("é\n".as_bytes()) && !looks_like(b"a\0b"));
        Ok(())
    }
}
