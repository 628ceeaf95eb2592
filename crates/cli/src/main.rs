//! The program `neuropil`: parse, dispatch, exit code.

mod args;
mod commands;
mod output;

use clap::Parser as _;
use neuropil::core::Error;
use neuropil::experiment::interrupt;
use std::process::ExitCode;

// Training steps allocate and free large buffers all the time; this allocator keeps the pages.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = match args::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => {
            // `--help` and `--version` are results, everything else is a usage error.
            let code = if e.use_stderr() { 2 } else { 0 };
            drop(e.print());
            return ExitCode::from(code);
        }
    };
    let stop = || {
        if interrupt::request() {
            std::process::exit(130);
        }
        eprintln!("stopping at the next checkpoint; once more to stop at once");
    };
    if let Err(e) = ctrlc::set_handler(stop) {
        eprintln!("warning: Ctrl-C will not save the state: {e}");
    }
    // Bugs are reported once, as an error with exit code 70, not as a trace in the middle of the output.
    std::panic::set_hook(Box::new(|info| {
        if std::env::var_os("RUST_BACKTRACE").is_some() {
            eprintln!("{info}\n{}", std::backtrace::Backtrace::force_capture());
        }
    }));
    let outcome = std::panic::catch_unwind(|| commands::dispatch(arguments))
        .unwrap_or_else(|_| Err(Error::Internal("panic".into())));
    match outcome {
        Ok(code) => ExitCode::from(code),
        Err(e) => {
            output::error(&e);
            ExitCode::from(e.exit_code())
        }
    }
}
