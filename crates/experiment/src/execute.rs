//! Running one system: configuration, estimate, folder, method, report.

use crate::folder::{RunFolder, write_json};
use crate::system::Prepared;
use crate::{Entry, Estimate, Inputs, Profile, Run, config, resources};
use neuropil_core::manifest::InputFile;
use neuropil_core::report::SCHEMA;
use neuropil_core::{Error, Manifest, Report, Result, files};
use sha2::{Digest as _, Sha256};
use std::io::Read as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Instant;

/// How to run a system.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Profile; with inputs it is the configuration to start from.
    pub profile: Profile,
    /// Seed.
    pub seed: u64,
    /// TOML file laid over the preset.
    pub config: Option<PathBuf>,
    /// `key=value` assignments laid over the file.
    pub set: Vec<String>,
    /// `[ROLE=]PATH` arguments; empty for the published experiment.
    pub input: Vec<String>,
    /// Root of the run folders.
    pub out: PathBuf,
    /// Continue an unfinished run: the newest of the same configuration, or this folder.
    pub resume: Option<Option<PathBuf>>,
    /// Run even if the estimate exceeds the available memory.
    pub force: bool,
    /// Device name, for the manifest.
    pub device: String,
    /// For tests: behave as if interrupted at the n-th chance.
    pub interrupt_after: Option<u64>,
    /// Version and commit of the program, for the manifest.
    pub version: (String, Option<String>),
}

impl Default for RunOptions {
    fn default() -> Self {
        Self {
            profile: Profile::Quick,
            seed: 1,
            config: None,
            set: Vec::new(),
            input: Vec::new(),
            out: PathBuf::from("runs"),
            resume: None,
            force: false,
            device: "cpu".into(),
            interrupt_after: None,
            version: (env!("CARGO_PKG_VERSION").into(), None),
        }
    }
}

/// What a finished run leaves.
#[derive(Debug)]
pub struct Outcome {
    /// The run folder.
    pub folder: PathBuf,
    /// The report.
    pub report: Report,
}

/// A configuration that passed its checks, with what it will need.
struct Plan {
    prepared: Prepared,
    inputs: Option<Inputs>,
    files: Vec<InputFile>,
    toml: String,
    overrides: Vec<String>,
    hash: String,
}

/// Checks configuration and inputs and returns the complete TOML and the estimate, without running or writing
/// anything.
pub fn plan(entry: &Entry, options: &RunOptions) -> Result<(String, Estimate)> {
    let plan = make_plan(entry, options)?;
    Ok((plan.toml, plan.prepared.estimate))
}

fn make_plan(entry: &Entry, options: &RunOptions) -> Result<Plan> {
    let preset = (entry.preset)(options.profile)?;
    let mut table = preset.clone();
    if let Some(path) = &options.config {
        config::merge(&mut table, config::read_file(path)?);
    }
    config::set_from_env(&mut table, std::env::vars())?;
    for assignment in &options.set {
        config::set(&mut table, assignment)?;
    }
    let prepared = (entry.prepare)(table).map_err(|e| config::with_nearest_field(e, &preset))?;
    let overrides = config::differences(&preset, &prepared.table);
    let toml = config::commented(&prepared.table, &entry.schema());
    let inputs =
        if options.input.is_empty() { None } else { Some(Inputs::assign(&entry.card, &options.input)?) };
    let mut input_files = Vec::new();
    for (role, path) in inputs.iter().flat_map(Inputs::iter) {
        list_files(role, path, &mut input_files)?;
    }
    // The identity of a run: what must be equal for a checkpoint to fit.
    let mut hasher = Sha256::new();
    hasher.update(format!("{}\n{}\n{}\n", entry.card.slug, profile_name(options), options.seed));
    hasher.update(prepared.table.to_string());
    for f in &input_files {
        hasher.update(format!("{}={}\n", f.role, f.sha256));
    }
    let hash = hex(&hasher.finalize()).chars().take(12).collect();
    Ok(Plan { prepared, inputs, files: input_files, toml, overrides, hash })
}

fn profile_name(options: &RunOptions) -> &'static str {
    if options.input.is_empty() { options.profile.name() } else { "input" }
}

/// Runs a system and leaves its folder. Errors and interrupts leave the folder with its checkpoint and a manifest that
/// says so.
pub fn execute(entry: &Entry, options: &RunOptions) -> Result<Outcome> {
    let plan = make_plan(entry, options)?;
    let estimate = plan.prepared.estimate;
    if let Some(available) = resources::available_mem_mb()
        && estimate.mem_mb > available
        && !options.force
    {
        return Err(Error::resources(
            format!("{:.0} MB of memory", estimate.mem_mb),
            format!("{available:.0} MB available"),
        )
        .at(entry.card.slug)
        .hint("`--force` runs anyway; a smaller profile needs less"));
    }
    let (folder, mut manifest) = open_folder(entry, options, &plan)?;
    folder.write_manifest(&manifest)?;
    files::write_atomic(&folder.path().join("config.toml"), plan.toml.as_bytes())?;

    resources::reset_peak_memory();
    let (wall, cpu) = (Instant::now(), resources::cpu_s());
    let (earlier_wall, earlier_cpu, earlier_peak) = (manifest.wall_s, manifest.cpu_s, manifest.peak_mem_mb);
    let path = folder.path().to_path_buf();
    let result = run_body(entry, options, &plan, folder);
    manifest.wall_s = earlier_wall + wall.elapsed().as_secs_f64();
    manifest.cpu_s = earlier_cpu + resources::cpu_s() - cpu;
    manifest.peak_mem_mb = resources::peak_mem_mb().max(earlier_peak);

    let folder = RunFolder::at(&path)?;
    match result {
        Ok(mut report) => {
            manifest.status = "done".into();
            report.wall_s = manifest.wall_s;
            report.cpu_s = manifest.cpu_s;
            report.peak_mem_mb = manifest.peak_mem_mb;
            report.manifest = serde_json::to_value(&manifest).map_err(|e| Error::Internal(e.to_string()))?;
            write_results(&path, &mut report)?;
            folder.write_manifest(&manifest)?;
            // The state of a finished run is of no further use.
            drop(std::fs::remove_dir_all(path.join("checkpoint")));
            Ok(Outcome { folder: path, report })
        }
        Err(e) => {
            manifest.status = if e == Error::Interrupted { "interrupted" } else { "failed" }.into();
            folder.write_manifest(&manifest)?;
            Err(e)
        }
    }
}

fn open_folder(entry: &Entry, options: &RunOptions, plan: &Plan) -> Result<(RunFolder, Manifest)> {
    let slug = entry.card.slug;
    let resumed = match &options.resume {
        None => None,
        Some(Some(path)) => Some(RunFolder::at(path)?),
        Some(None) => RunFolder::newest_unfinished(&options.out, slug, &plan.hash)?,
    };
    if let Some(folder) = resumed {
        let mut manifest = folder.manifest()?;
        if manifest.config_hash != plan.hash {
            return Err(Error::config(
                format!("a run of configuration {}", plan.hash),
                format!("one of {}", manifest.config_hash),
            )
            .at(folder.path().display())
            .hint("give the same profile, seed, settings and inputs as the interrupted run"));
        }
        if manifest.status == "done" {
            return Err(Error::config("an unfinished run", "a finished one").at(folder.path().display()));
        }
        manifest.resumed += 1;
        manifest.threads = rayon::current_num_threads();
        manifest.status = "running".into();
        return Ok((folder, manifest));
    }
    let started = resources::unix_s();
    let folder = RunFolder::create(&options.out, slug, &resources::utc_stamp(started), &plan.hash)?;
    let manifest = Manifest {
        version: options.version.0.clone(),
        commit: options.version.1.clone(),
        system: slug.into(),
        profile: profile_name(options).into(),
        config_hash: plan.hash.clone(),
        overrides: plan.overrides.clone(),
        seed: options.seed,
        replicates: plan.prepared.replicates,
        inputs: plan.files.clone(),
        threads: rayon::current_num_threads(),
        device: options.device.clone(),
        platform: format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH),
        cpu_features: resources::cpu_features(),
        started_unix_s: started,
        status: "running".into(),
        ..Manifest::default()
    };
    Ok((folder, manifest))
}

fn run_body(entry: &Entry, options: &RunOptions, plan: &Plan, folder: RunFolder) -> Result<Report> {
    let report = Report {
        schema: SCHEMA,
        system: entry.card.slug.into(),
        card: serde_json::to_value(entry.card).map_err(|e| Error::Internal(e.to_string()))?,
        profile: profile_name(options).into(),
        data: if plan.inputs.is_some() { "the user's own".into() } else { entry.card.data.name().into() },
        seed: options.seed,
        replicates: plan.prepared.replicates,
        ..Report::default()
    };
    let profile = plan.inputs.is_none().then_some(options.profile);
    let mut run = Run::new(folder, profile, options.seed, report, options.interrupt_after)?;
    // A panic is a bug of ours; the user still gets a message, an exit code and the finished stages.
    catch_unwind(AssertUnwindSafe(|| (plan.prepared.body)(plan.inputs.as_ref(), &mut run)))
        .unwrap_or_else(|panic| Err(Error::Internal(panic_text(panic.as_ref()))))?;
    Ok(run.finish()?.1)
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(ToString::to_string)
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "panic without a message".into())
}

/// Figures, tables, JSON and HTML.
fn write_results(path: &Path, report: &mut Report) -> Result<()> {
    for figure in &report.figure_data {
        let name = format!("figures/{}.svg", figure.name);
        files::write_atomic(&path.join(&name), neuropil_plot::svg(figure).as_bytes())?;
        report.figures.push(name);
    }
    for table in &report.tables {
        let name = format!("tables/{}.csv", table.name);
        files::write_atomic(&path.join(&name), csv_text(table).as_bytes())?;
        report.artifacts.push(name);
    }
    write_json(&path.join("report.json"), report)?;
    files::write_atomic(&path.join("report.html"), neuropil_plot::report_page(report).as_bytes())
}

fn csv_text(table: &neuropil_core::Table) -> String {
    let quote = |c: &String| {
        if c.contains([',', '"', '\n']) { format!("\"{}\"", c.replace('"', "\"\"")) } else { c.clone() }
    };
    let line = |cells: &Vec<String>| cells.iter().map(quote).collect::<Vec<_>>().join(",") + "\n";
    std::iter::once(&table.columns).chain(&table.rows).map(line).collect()
}

/// Lists a file, or the files of a folder in order, with size and hash.
fn list_files(role: &str, path: &Path, out: &mut Vec<InputFile>) -> Result<()> {
    let meta = std::fs::metadata(path).map_err(|e| Error::read(path, &e))?;
    if meta.is_dir() {
        let mut entries: Vec<PathBuf> = std::fs::read_dir(path)
            .and_then(|d| d.map(|e| e.map(|e| e.path())).collect())
            .map_err(|e| Error::read(path, &e))?;
        entries.sort();
        return entries.iter().try_for_each(|p| list_files(role, p, out));
    }
    let mut file = std::fs::File::open(path).map_err(|e| Error::read(path, &e))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer).map_err(|e| Error::read(path, &e))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
    }
    out.push(InputFile {
        role: role.into(),
        path: path.display().to_string(),
        bytes: meta.len(),
        sha256: hex(&hasher.finalize()),
    });
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut s, b| {
        let _ = write!(s, "{b:02x}");
        s
    })
}
