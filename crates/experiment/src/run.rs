//! What a running system is handed: random streams, progress, checkpoints, and a place for its results.

use crate::folder::{self, RunFolder};
use crate::{Profile, Progress, interrupt};
use neuropil_core::{Checkpoint, Claim, Error, Figure, Noun, Report, Result, Stream, Streams, Table, files};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a long loop saves its state without being asked.
const SAVE_EVERY: Duration = Duration::from_secs(20);

/// What a checkpoint keeps of the results beside the system's own state.
#[derive(Default, Serialize, Deserialize)]
struct Kept {
    artifacts: Vec<String>,
    log_bytes: u64,
}

/// One run of one system.
///
/// Results of a resumed run equal those of an uninterrupted one as long as a system makes claims, metrics, figures,
/// tables and notes outside of [`Run::stage`] closures, from what the stages return.
pub struct Run {
    folder: RunFolder,
    profile: Option<Profile>,
    streams: Streams,
    checkpoint: Checkpoint,
    report: Report,
    log: folder::Log,
    stages: Vec<String>,
    last_save: Instant,
    saves: u64,
    interrupt_after: Option<u64>,
}

impl Run {
    pub(crate) fn new(
        folder: RunFolder,
        profile: Option<Profile>,
        seed: u64,
        report: Report,
        interrupt_after: Option<u64>,
    ) -> Result<Self> {
        let mut checkpoint = Checkpoint::open(&folder.path().join("checkpoint"))?;
        let kept: Kept = match checkpoint.get("run") {
            Some(bytes) => decode("run", bytes)?,
            None => Kept::default(),
        };
        let log = folder::Log::open(&folder.path().join("metrics.jsonl"), kept.log_bytes)?;
        checkpoint.remove("run");
        let report = Report { artifacts: kept.artifacts, ..report };
        Ok(Self {
            folder,
            profile,
            streams: Streams::new(seed),
            checkpoint,
            report,
            log,
            stages: Vec::new(),
            last_save: Instant::now(),
            saves: 0,
            interrupt_after,
        })
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.streams.seed()
    }

    /// The profile; `None` on the user's own data.
    pub fn profile(&self) -> Option<Profile> {
        self.profile
    }

    /// All random streams of the seed.
    pub fn streams(&self) -> Streams {
        self.streams
    }

    /// One random stream.
    pub fn stream(&self, purpose: &str, index: u64) -> Stream {
        self.streams.stream(purpose, index)
    }

    /// The run folder, for files that [`Run::artifact`] cannot hold. List what is written with
    /// [`Run::list_artifact`].
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Progress on stderr.
    pub fn progress(&self, label: &str, total: u64) -> Progress {
        Progress::new(label, total)
    }

    /// Computes `T` once: a finished stage is kept in the checkpoint and returned from it after a resume. Names nest
    /// (`train/seed 1`).
    pub fn stage<T, F>(&mut self, name: &str, body: F) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
        F: FnOnce(&mut Self) -> Result<T>,
    {
        self.stages.push(name.to_string());
        let key = format!("stage/{}", self.stages.join("/"));
        let result = match self.checkpoint.get(&key) {
            Some(bytes) => decode(&key, bytes),
            None => self.compute(&key, body),
        };
        self.stages.pop();
        result
    }

    fn compute<T, F>(&mut self, key: &str, body: F) -> Result<T>
    where
        T: Serialize,
        F: FnOnce(&mut Self) -> Result<T>,
    {
        self.stop_if_asked()?;
        let value = body(self)?;
        let bytes = postcard::to_allocvec(&value).map_err(|e| Error::Internal(format!("{key}: {e}")))?;
        self.checkpoint.set(key, bytes);
        // States of loops inside the stage are no longer needed.
        let stages = self.stages.join("/");
        for name in self.checkpoint_names(&format!("state/{stages}/")) {
            self.checkpoint.remove(&name);
        }
        self.persist()?;
        Ok(value)
    }

    fn checkpoint_names(&self, prefix: &str) -> Vec<String> {
        self.checkpoint.names().filter(|n| n.starts_with(prefix)).map(String::from).collect()
    }

    fn state_key(&self, name: &str) -> String {
        format!("state/{}/{name}", self.stages.join("/"))
    }

    /// The state that [`Run::checkpoint`] saved under this name in this stage, after a resume.
    pub fn restore(&self, name: &str) -> Option<Vec<u8>> {
        self.checkpoint.get(&self.state_key(name)).map(<[u8]>::to_vec)
    }

    /// To be called once per step of a long loop: saves the state when 20 s have passed, and when an interrupt was
    /// asked for saves it and returns [`Error::Interrupted`]. The state must be whole: weights, optimiser, random
    /// streams, position in the data, step.
    pub fn checkpoint(&mut self, name: &str, state: impl FnOnce() -> Vec<u8>) -> Result<()> {
        let asked = self.asked();
        if asked || self.last_save.elapsed() >= SAVE_EVERY {
            self.checkpoint.set(&self.state_key(name), state());
            self.persist()?;
        }
        if asked { Err(Error::Interrupted) } else { Ok(()) }
    }

    /// Stops here if an interrupt was asked for; finished stages are kept.
    pub fn stop_if_asked(&mut self) -> Result<()> {
        if self.asked() {
            self.persist()?;
            return Err(Error::Interrupted);
        }
        Ok(())
    }

    fn asked(&mut self) -> bool {
        self.saves += 1;
        interrupt::requested() || self.interrupt_after.is_some_and(|n| self.saves > n)
    }

    fn persist(&mut self) -> Result<()> {
        let kept = Kept { artifacts: self.report.artifacts.clone(), log_bytes: self.log.flush()? };
        let bytes = postcard::to_allocvec(&kept).map_err(|e| Error::Internal(e.to_string()))?;
        self.checkpoint.set("run", bytes);
        self.checkpoint.save()?;
        self.last_save = Instant::now();
        Ok(())
    }

    /// Records a claim. The id must be new.
    pub fn claim(&mut self, claim: Claim) {
        self.report.claims.push(claim);
    }

    /// Records a speed bar; it counts for the exit code and is kept apart from the claims.
    pub fn speed(&mut self, claim: Claim) {
        self.report.speed.push(claim);
    }

    /// Records a number without a bar.
    pub fn metric(&mut self, name: &str, value: f64) {
        let json =
            serde_json::Number::from_f64(value).map_or(serde_json::Value::Null, serde_json::Value::Number);
        self.report.metrics.insert(name.into(), json);
    }

    /// Records a table.
    pub fn table(&mut self, table: Table) {
        self.report.tables.push(table);
    }

    /// Records a figure.
    pub fn figure(&mut self, figure: Figure) {
        self.report.figure_data.push(figure);
    }

    /// Records a remark: an assumption made, a stand-in used, a bar missed and why.
    pub fn note(&mut self, text: impl Into<String>) {
        self.report.notes.push(text.into());
    }

    /// Appends a row to `metrics.jsonl`.
    pub fn log(&mut self, series: &str, step: u64, values: &[(&str, f64)]) {
        self.log.row(series, step, values);
    }

    /// Writes a file into the run folder, atomically, and lists it.
    pub fn artifact(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        files::write_atomic(&self.folder.path().join(name), bytes)?;
        self.list_artifact(name);
        Ok(())
    }

    /// Saves a noun into the run folder and lists it.
    pub fn save(&mut self, name: &str, noun: &impl Noun) -> Result<()> {
        noun.save(&self.folder.path().join(name))?;
        self.list_artifact(name);
        Ok(())
    }

    /// Lists a file that the system wrote itself under [`Run::path`].
    pub fn list_artifact(&mut self, name: &str) {
        if !self.report.artifacts.iter().any(|a| a == name) {
            self.report.artifacts.push(name.into());
        }
    }

    pub(crate) fn finish(mut self) -> Result<(RunFolder, Report)> {
        self.log.flush()?;
        let mut seen = std::collections::BTreeSet::new();
        for c in self.report.claims.iter().chain(&self.report.speed) {
            if !seen.insert(&c.id) {
                return Err(Error::Internal(format!("two claims are called `{}`", c.id)));
            }
        }
        Ok((self.folder, self.report))
    }
}

fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T> {
    postcard::from_bytes(bytes).map_err(|e| {
        Error::input("a checkpoint of this version", format!("{e} in `{key}`"))
            .hint("start anew without `--resume`")
    })
}
