//! The method on a user's own matrix.

use super::CriticalPeriods;
use neuropil_core::{Error, Result};
use neuropil_experiment::{Inputs, Run};
use std::path::Path;

pub(super) fn apply(_config: &CriticalPeriods, _inputs: &Inputs, _run: &mut Run) -> Result<()> {
    Err(Error::Internal("not yet".into()))
}

pub(super) fn example(_dir: &Path) -> Result<()> {
    Ok(())
}
