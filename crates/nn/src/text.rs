//! Text for language models: bytes as tokens, random windows, key-value recall strings.

use neuropil_core::{Error, Result, Stream};
use serde::{Deserialize, Serialize};

/// Number of byte tokens.
pub const BYTES: usize = 256;

/// Token ids with a validation part at the end (split by position).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Corpus {
    tokens: Vec<u32>,
    split: usize,
    /// Number of token classes.
    pub vocabulary: usize,
}

impl Corpus {
    /// Bytes as tokens; the last `held_out` of them (a fraction) are for validation. Both parts must hold at least one
    /// window of `context` + 1 tokens.
    pub fn from_bytes(bytes: &[u8], held_out: f64, context: usize) -> Result<Self> {
        Self::from_tokens(bytes.iter().map(|&b| u32::from(b)).collect(), BYTES, held_out, context)
    }

    /// Token ids below `vocabulary`.
    pub fn from_tokens(tokens: Vec<u32>, vocabulary: usize, held_out: f64, context: usize) -> Result<Self> {
        if !(0.0..1.0).contains(&held_out) {
            return Err(Error::config("a fraction below 1", held_out.to_string()).at("validation fraction"));
        }
        if let Some(i) = tokens.iter().position(|&t| t as usize >= vocabulary) {
            return Err(Error::input(
                format!("token ids below {vocabulary}"),
                format!("{} at token {i}", tokens[i]),
            ));
        }
        if tokens.len() <= context {
            return Err(Error::input(
                format!("at least {} tokens (context + 1)", context + 1),
                format!("{} tokens", tokens.len()),
            ));
        }
        let split = tokens.len() - (tokens.len() as f64 * held_out).round() as usize;
        if split <= context || tokens.len() - split <= context {
            return Err(Error::input(
                format!("training and validation parts of more than {context} tokens"),
                format!("{split} and {} tokens", tokens.len() - split),
            )
            .hint("give a longer text, a shorter context or another validation fraction"));
        }
        Ok(Self { tokens, split, vocabulary })
    }

    /// The training part.
    pub fn train(&self) -> &[u32] {
        &self.tokens[..self.split]
    }

    /// The validation part.
    pub fn validation(&self) -> &[u32] {
        &self.tokens[self.split..]
    }

    /// `batch` random training windows: inputs and next tokens, each [batch, context].
    pub fn batch(&self, batch: usize, context: usize, stream: &mut Stream) -> (Vec<u32>, Vec<u32>) {
        let text = self.train();
        let (mut x, mut y) = (Vec::with_capacity(batch * context), Vec::with_capacity(batch * context));
        for _ in 0..batch {
            let from = stream.below(text.len() - context);
            x.extend_from_slice(&text[from..from + context]);
            y.extend_from_slice(&text[from + 1..from + 1 + context]);
        }
        (x, y)
    }

    /// At most `limit` validation windows, evenly spread, without overlap where there are enough tokens.
    pub fn validation_windows(&self, context: usize, limit: usize) -> (Vec<u32>, Vec<u32>) {
        windows(self.validation(), context, limit)
    }
}

/// At most `limit` windows of `context` tokens and their next tokens, evenly spread over `text`.
pub fn windows(text: &[u32], context: usize, limit: usize) -> (Vec<u32>, Vec<u32>) {
    let count = ((text.len().saturating_sub(1)) / context.max(1)).min(limit);
    let (mut x, mut y) = (Vec::new(), Vec::new());
    for k in 0..count {
        let room = text.len() - 1 - context;
        let from = if count > 1 { k * room / (count - 1) } else { 0 };
        x.extend_from_slice(&text[from..from + context]);
        y.extend_from_slice(&text[from + 1..from + 1 + context]);
    }
    (x, y)
}

/// A key-value recall line `a=x;b=y;?a=x` and the position of its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recall {
    /// The line, answer included, newline excluded.
    pub line: Vec<u8>,
    /// Index of the answer byte.
    pub answer: usize,
}

/// A line of `pairs` distinct lower-case keys with random upper-case values, asking for one of them.
pub fn recall(pairs: usize, stream: &mut Stream) -> Recall {
    let keys = stream.choose(26, pairs);
    let values: Vec<usize> = keys.iter().map(|_| stream.below(26)).collect();
    let mut line = Vec::with_capacity(4 * pairs + 4);
    for (k, v) in keys.iter().zip(&values) {
        line.extend([b'a' + *k as u8, b'=', b'A' + *v as u8, b';']);
    }
    let asked = stream.below(keys.len());
    line.extend([b'?', b'a' + keys[asked] as u8, b'=', b'A' + values[asked] as u8]);
    Recall { answer: line.len() - 1, line }
}

#[cfg(test)]
mod tests {
    use super::*;
    use neuropil_core::Streams;

    #[test]
    fn windows_cover_and_targets_follow() -> Result<()> {
        let text: Vec<u8> = (0..=255).cycle().take(1000).collect();
        let c = Corpus::from_bytes(&text, 0.1, 16)?;
        assert_eq!((c.train().len(), c.validation().len()), (900, 100));
        let (x, y) = c.batch(5, 16, &mut Streams::new(1).stream("batch", 0));
        assert!(x.iter().zip(&y).all(|(a, b)| (a + 1) % 256 == *b) && x.len() == 80);
        let (x, _) = c.validation_windows(16, 3);
        assert_eq!((x.len(), x[0], x[47]), (48, text[900].into(), text[998].into()));
        assert_eq!(Corpus::from_bytes(&text, 0.0, 16).map_err(|e| e.exit_code()), Err(3));
        assert_eq!(Corpus::from_bytes(b"short", 0.1, 16).map_err(|e| e.exit_code()), Err(3));
        assert_eq!(Corpus::from_tokens(vec![300; 99], 256, 0.5, 4).map_err(|e| e.exit_code()), Err(3));
        Ok(())
    }

    #[test]
    fn recall_lines_answer_themselves() {
        let r = recall(4, &mut Streams::new(2).stream("recall", 0));
        let key = r.line[r.answer - 2];
        let place = r.line.iter().position(|&b| b == key).expect("key is in the line");
        assert_eq!(r.line[place + 2], r.line[r.answer]);
    }
}
