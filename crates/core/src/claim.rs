//! One measured number beside its bar.

use serde::{Deserialize, Serialize};

/// The test that a claim's value has to pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub enum Bar {
    /// At least.
    AtLeast(f64),
    /// At most.
    AtMost(f64),
    /// Exactly.
    Exactly(f64),
    /// Within, ends included.
    Within(f64, f64),
}

/// A number of the paper, re-measured.
///
/// In JSON: `{"id", "text", "metric", "value", "op", "bar", "paper", "interval", "passed"}`; a non-finite value is null
/// and fails.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    /// Stable short name, unique within a system.
    pub id: String,
    /// The claim in a sentence.
    pub text: String,
    /// What the value is, with its unit.
    pub metric: String,
    /// The measured value; null when it is not finite.
    pub value: Option<f64>,
    /// `>=`, `<=`, `==` or `in`.
    pub op: String,
    /// A number, or `[low, high]` for `in`.
    pub bar: serde_json::Value,
    /// What the paper reports, in its own words or number.
    pub paper: Option<String>,
    /// Interval of the value over replicates or resamples.
    pub interval: Option<[f64; 2]>,
    /// Whether the value meets the bar.
    pub passed: bool,
}

impl Claim {
    /// Tests `value` against `bar`.
    pub fn new(
        id: impl Into<String>,
        text: impl Into<String>,
        metric: impl Into<String>,
        value: f64,
        bar: Bar,
    ) -> Self {
        let (op, json, passed) = match bar {
            Bar::AtLeast(b) => (">=", serde_json::json!(b), value >= b),
            Bar::AtMost(b) => ("<=", serde_json::json!(b), value <= b),
            Bar::Exactly(b) => ("==", serde_json::json!(b), value == b),
            Bar::Within(a, b) => ("in", serde_json::json!([a, b]), (a..=b).contains(&value)),
        };
        Self {
            id: id.into(),
            text: text.into(),
            metric: metric.into(),
            value: value.is_finite().then_some(value),
            op: op.into(),
            bar: json,
            paper: None,
            interval: None,
            passed: value.is_finite() && passed,
        }
    }

    /// Adds what the paper reports.
    #[must_use]
    pub fn paper(mut self, paper: impl Into<String>) -> Self {
        self.paper = Some(paper.into());
        self
    }

    /// Adds an interval; one that is not finite is left out.
    #[must_use]
    pub fn interval(mut self, low: f64, high: f64) -> Self {
        self.interval = (low.is_finite() && high.is_finite()).then_some([low, high]);
        self
    }

    /// The bar as text: `>= 0.9`, `in [0.45, 0.55]`.
    pub fn bar_text(&self) -> String {
        // Whole numbers read as `== 0`, not `== 0.0`.
        let number = |v: &serde_json::Value| v.as_f64().map_or_else(|| v.to_string(), |n| n.to_string());
        match self.bar.as_array().map(Vec::as_slice) {
            Some([a, b]) => format!("in [{}, {}]", number(a), number(b)),
            _ => format!("{} {}", self.op, number(&self.bar)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_finite_fails_every_bar() {
        for bar in [Bar::AtLeast(0.0), Bar::AtMost(0.0), Bar::Exactly(0.0), Bar::Within(0.0, 1.0)] {
            let c = Claim::new("x", "x", "x", f64::NAN, bar);
            assert!(!c.passed && c.value.is_none());
        }
        assert!(Claim::new("x", "x", "x", f64::INFINITY, Bar::AtLeast(1.0)).value.is_none());
        assert!(!Claim::new("x", "x", "x", f64::INFINITY, Bar::AtLeast(1.0)).passed);
        let within = Claim::new("x", "x", "x", 0.5, Bar::Within(0.5, 1.0));
        assert!(within.passed);
        assert_eq!(within.bar_text(), "in [0.5, 1]");
    }
}
