//! The program `flexledger`: configuration, wiring and verbs.

mod bench;
mod cli;
mod config;
mod failure;
mod logging;
mod output;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

/// Commands are many small allocations, made on one thread and freed on another: the system's allocator is slow at that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::refuse(&error),
    };
    match verbs::run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}
