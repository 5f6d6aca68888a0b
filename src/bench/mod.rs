//! The load generator behind every published figure.

use std::process::ExitCode;

use crate::cli::Bench;
use crate::config::Config;
use crate::failure::Failure;

/// Runs one bench.
pub async fn run(_config: &Config, _options: &Bench, _json: bool) -> Result<ExitCode, Failure> {
    Err(Failure::Usage("not yet".to_owned()))
}
