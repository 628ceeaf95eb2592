//! The trait of a published system and its type-erased entry in the catalogue.

use crate::{Card, Inputs, Run, config};
use neuropil_core::Result;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Size of an experiment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// At most 3 s: mechanics only, for tests. Its bars may be missed.
    Smoke,
    /// At most 60 s on 2 cores.
    Quick,
    /// At most 30 min on 2 cores.
    Full,
    /// The paper's own scale.
    Paper,
}

impl Profile {
    /// All profiles, smallest first.
    pub const ALL: [Self; 4] = [Self::Smoke, Self::Quick, Self::Full, Self::Paper];

    /// Lower-case name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Smoke => "smoke",
            Self::Quick => "quick",
            Self::Full => "full",
            Self::Paper => "paper",
        }
    }
}

/// What a run is expected to need on 2 cores.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Estimate {
    /// Wall-clock seconds.
    pub wall_s: f64,
    /// Peak memory in MB.
    pub mem_mb: f64,
}

/// A published system: a configuration that can re-measure its paper's claim and run on a user's own data.
pub trait System: Serialize + DeserializeOwned + JsonSchema + Send + Sync + Sized + 'static {
    /// Its card.
    const CARD: Card;

    /// The configuration of a profile; `Quick` is also the start for `--input`.
    fn preset(profile: Profile) -> Self;

    /// Checks the values; errors are `Error::config(..).at("field")`.
    fn check(&self) -> Result<()>;

    /// What this configuration is expected to need.
    fn estimate(&self) -> Estimate;

    /// How many replicates of the seed the claims rest on.
    fn replicates(&self) -> u32 {
        1
    }

    /// Re-measures the paper's claim, baselines in the same run.
    fn reproduce(&self, run: &mut Run) -> Result<()>;

    /// The method on the user's own files.
    fn apply(&self, inputs: &Inputs, run: &mut Run) -> Result<()>;

    /// Writes a small valid input for `--input` into `dir`.
    fn example(dir: &Path) -> Result<()>;
}

/// A system in the catalogue, its type erased.
#[derive(Clone, Copy)]
pub struct Entry {
    /// The card.
    pub card: Card,
    pub(crate) preset: fn(Profile) -> Result<toml::Table>,
    pub(crate) schema: fn() -> serde_json::Value,
    pub(crate) prepare: fn(toml::Table) -> Result<Prepared>,
    /// Writes a small valid input into a folder.
    pub example: fn(&Path) -> Result<()>,
}

/// A checked configuration, ready to run.
pub(crate) struct Prepared {
    /// The complete configuration, defaults filled in.
    pub table: toml::Table,
    pub estimate: Estimate,
    pub replicates: u32,
    #[expect(clippy::type_complexity, reason = "two closures over the erased configuration")]
    pub body: Box<dyn Fn(Option<&Inputs>, &mut Run) -> Result<()> + Send + Sync>,
}

impl Entry {
    /// The entry of system `S`.
    pub fn of<S: System>() -> Self {
        Self {
            card: S::CARD,
            preset: |profile| config::to_table(&S::preset(profile)),
            schema: || schemars::schema_for!(S).to_value(),
            prepare: |table| {
                let system: S = config::from_table(table)?;
                system.check()?;
                Ok(Prepared {
                    table: config::to_table(&system)?,
                    estimate: system.estimate(),
                    replicates: system.replicates(),
                    body: Box::new(move |inputs, run| match inputs {
                        Some(inputs) => system.apply(inputs, run),
                        None => system.reproduce(run),
                    }),
                })
            },
            example: S::example,
        }
    }

    /// The configuration of a profile as TOML text; doc comments become comments.
    pub fn config_toml(&self, profile: Profile) -> Result<String> {
        Ok(config::commented(&(self.preset)(profile)?, &(self.schema)()))
    }

    /// JSON schema of the configuration.
    pub fn schema(&self) -> serde_json::Value {
        (self.schema)()
    }

    /// Expected time and memory of a profile.
    pub fn estimate(&self, profile: Profile) -> Result<Estimate> {
        Ok((self.prepare)((self.preset)(profile)?)?.estimate)
    }
}
