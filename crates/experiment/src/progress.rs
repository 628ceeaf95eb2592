//! Progress on a terminal, silence elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal as _;

/// One bar on stderr; hidden when stderr is not a terminal. Clears itself when dropped.
#[derive(Debug, Clone)]
pub struct Progress(ProgressBar);

impl Progress {
    pub(crate) fn new(label: &str, total: u64) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self(ProgressBar::hidden());
        }
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr_with_hz(8));
        if let Ok(style) =
            ProgressStyle::with_template("{msg:28} [{bar:28}] {pos}/{len} {elapsed} (eta {eta})")
        {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.set_message(label.to_string());
        Self(bar)
    }

    /// Advances by `n`; may be called from any thread.
    pub fn inc(&self, n: u64) {
        self.0.inc(n);
    }

    /// Moves to an absolute position.
    pub fn set(&self, position: u64) {
        self.0.set_position(position);
    }

    /// Changes the label.
    pub fn label(&self, text: impl Into<String>) {
        self.0.set_message(text.into());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
