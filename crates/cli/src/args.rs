//! What can be typed.

#![expect(clippy::option_option, reason = "`--resume` may stand alone or with a folder")]

use clap::{Args, Parser, Subcommand};
use neuropil::experiment::Profile;
use std::path::PathBuf;

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// Version and commit.
pub fn version() -> (String, Option<String>) {
    (VERSION.into(), option_env!("NEUROPIL_COMMIT").map(String::from))
}

/// A workbench for neurons, real and artificial.
#[derive(Debug, Parser)]
#[command(name = "neuropil", version = VERSION, max_term_width = 110, arg_required_else_help = true)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The catalogue of published systems
    List(ListArgs),
    /// The card of a system: inputs, outputs, estimate, an example command
    Show(ShowArgs),
    /// Re-measure the claim of a system, or apply it to your own data
    Run(RunArgs),
    /// One system of each wing, then the scoreboard and one HTML page
    Tour(TourArgs),
    /// The scoreboard of all claims found in the run folders
    Board(BoardArgs),
    /// Data sets, and what is inside a file
    #[command(subcommand)]
    Data(DataCommand),
}

#[derive(Debug, Args)]
pub struct ListArgs {
    /// Only this wing
    #[arg(long)]
    pub wing: Option<String>,
    /// Only systems whose card contains this text
    #[arg(long)]
    pub search: Option<String>,
    /// One JSON array
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Slug or number
    pub system: String,
    /// Print the configuration as TOML with comments
    #[arg(long)]
    pub config: bool,
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// One JSON document
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Args)]
#[group(multiple = false)]
pub struct ProfileArgs {
    /// At most 3 s, mechanics only
    #[arg(long)]
    pub smoke: bool,
    /// At most 60 s on 2 cores (the default)
    #[arg(long)]
    pub quick: bool,
    /// At most 30 min on 2 cores
    #[arg(long)]
    pub full: bool,
    /// The paper's own scale
    #[arg(long)]
    pub paper: bool,
}

impl ProfileArgs {
    pub fn profile(&self) -> Profile {
        match (self.smoke, self.full, self.paper) {
            (true, _, _) => Profile::Smoke,
            (_, true, _) => Profile::Full,
            (_, _, true) => Profile::Paper,
            _ => Profile::Quick,
        }
    }
}

#[derive(Debug, Args)]
pub struct RunArgs {
    /// Slugs or numbers
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    pub systems: Vec<String>,
    /// All systems
    #[arg(long)]
    pub all: bool,
    #[command(flatten)]
    pub profile: ProfileArgs,
    /// Seed
    #[arg(long, default_value_t = 1, env = "NEUROPIL_SEED", conflicts_with = "seeds")]
    pub seed: u64,
    /// Seeds A..B, both included: one report each, then a summary
    #[arg(long, value_name = "A..B", value_parser = parse_seeds)]
    pub seeds: Option<(u64, u64)>,
    /// Change a setting; see `neuropil show SYSTEM --config`
    #[arg(long, value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// TOML file laid over the preset
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Your own files; bare paths fill the roles of the card in order
    #[arg(long, value_name = "[ROLE=]PATH", num_args = 1.., conflicts_with = "all")]
    pub input: Vec<String>,
    /// Device
    #[arg(long, default_value = "cpu", env = "NEUROPIL_DEVICE", value_parser = ["cpu"])]
    pub device: String,
    #[command(flatten)]
    pub common: CommonArgs,
    /// Continue the newest unfinished run of the same settings, or this run folder
    #[arg(long, value_name = "RUN", num_args = 0..=1)]
    pub resume: Option<Option<PathBuf>>,
    /// Run even if the estimate exceeds the available memory
    #[arg(long)]
    pub force: bool,
    /// Print settings and estimate, run nothing
    #[arg(long)]
    pub dry_run: bool,
    /// For tests: behave as if interrupted at the n-th chance
    #[arg(long, hide = true)]
    pub interrupt_after: Option<u64>,
}

#[derive(Debug, Args)]
pub struct CommonArgs {
    /// Threads; results do not depend on it
    #[arg(long, env = "NEUROPIL_THREADS", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Root of the run folders
    #[arg(long, value_name = "DIR", default_value = "runs", env = "NEUROPIL_OUT")]
    pub out: PathBuf,
    /// One JSON document per line on standard output
    #[arg(long)]
    pub json: bool,
    /// Open the report in the browser
    #[arg(long)]
    pub open: bool,
}

#[derive(Debug, Args)]
pub struct TourArgs {
    /// Seed
    #[arg(long, default_value_t = 1, env = "NEUROPIL_SEED")]
    pub seed: u64,
    /// The smallest profile instead of quick
    #[arg(long, hide = true)]
    pub smoke: bool,
    #[command(flatten)]
    pub common: CommonArgs,
}

#[derive(Debug, Args)]
pub struct BoardArgs {
    /// Root of the run folders
    #[arg(long, value_name = "DIR", default_value = "runs", env = "NEUROPIL_OUT")]
    pub runs: PathBuf,
    /// A file written by `board --json` instead of run folders
    #[arg(long, value_name = "FILE", conflicts_with = "runs")]
    pub from: Option<PathBuf>,
    /// Exit with 1 if a claim that this file (written by `board --json`) shows as met is now missed
    #[arg(long, value_name = "FILE", conflicts_with = "form")]
    pub against: Option<PathBuf>,
    /// JSON
    #[arg(long, group = "form")]
    pub json: bool,
    /// HTML
    #[arg(long, group = "form")]
    pub html: bool,
    /// Markdown
    #[arg(long, group = "form")]
    pub markdown: bool,
}

#[derive(Debug, Subcommand)]
pub enum DataCommand {
    /// The embedded data and the known sets
    List {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Download a known set from its canonical address and verify it
    Get {
        /// Name, see `neuropil data list`
        name: String,
        /// Another address of the same files, for example a mirror
        #[arg(long, value_name = "URL")]
        from: Option<String>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Take a known set from a file that you already have and verify it
    Import {
        /// The file or archive
        file: PathBuf,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Say what is inside a file
    Check {
        /// The file
        file: PathBuf,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Write a small valid input of a system
    Example {
        /// Slug or number
        system: String,
        /// Folder to write into; it may exist
        dir: PathBuf,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

fn parse_seeds(text: &str) -> Result<(u64, u64), String> {
    let (a, b) = text.split_once("..").ok_or("expected A..B, both included")?;
    let parse = |t: &str| t.trim_start_matches('=').parse::<u64>().map_err(|e| format!("`{t}`: {e}"));
    let (a, b) = (parse(a)?, parse(b)?);
    if a > b {
        return Err(format!("expected A <= B, got {a}..{b}"));
    }
    if b - a >= 10_000 {
        return Err(format!("expected at most 10000 seeds, got {}", b - a + 1));
    }
    Ok((a, b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn arguments_are_consistent() {
        Arguments::command().debug_assert();
        assert_eq!(parse_seeds("1..3"), Ok((1, 3)));
        assert!(parse_seeds("3..1").is_err() && parse_seeds("x").is_err());
    }
}
