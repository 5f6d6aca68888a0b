//! demo
use std::process::ExitCode;

use crate::config::Config;
use crate::failure::Failure;

pub async fn run(_config: Config, _named: bool, _json: bool) -> Result<ExitCode, Failure> {
    Err(Failure::Usage("not yet".to_owned()))
}
