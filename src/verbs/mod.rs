//! What the program can be told to do, one file each.

mod as_of;
mod bisect;
mod demo;
mod explain;
mod export;
mod head;
mod import;
mod imported;
mod log;
mod open;
mod operator;
mod past;
mod rebuild;
mod serve;
mod server;
pub mod shutdown;
mod token;
mod verify;

use std::process::ExitCode;

use crate::bench;
use crate::cli::{Cli, Serve, Verb};
use crate::config::{self, Config};
use crate::failure::Failure;
use crate::logging;

pub use server::{Options as ServerOptions, Server, engine_options};

/// Log lines of verbs that print something themselves, unless the configuration says otherwise.
const QUIET: &str = "warn";

/// Does what the command line says.
pub fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let config = config::load(cli.common.config.as_deref(), environment(), cli.common.flags())?;
    let verb = cli.verb.unwrap_or_else(|| Verb::Serve(Serve::default()));
    let quiet = !matches!(verb, Verb::Serve(_)) && config.log_filter == Config::default().log_filter;
    let _logging = logging::start(if quiet { QUIET } else { &config.log_filter })?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let json = cli.common.json;
    runtime.block_on(async {
        match verb {
            Verb::Serve(options) => serve::run(&config, &options, json).await,
            Verb::Demo => demo::run(config, cli.common.data.is_some(), json).await,
            Verb::Log(options) => log::run(&config, &options, json).await,
            Verb::AsOf(options) => as_of::run(&config, &options, json).await,
            Verb::Explain(options) => explain::run(&config, &options, json).await,
            Verb::Diff(options) => explain::compare(&config, &options, json).await,
            Verb::Bisect(options) => bisect::run(&config, &options, json).await,
            Verb::Head(options) => head::run(&config, &options, json).await,
            Verb::Verify(options) => verify::run(&config, &options, json).await,
            Verb::Reconcile(options) => rebuild::compare(&config, &options, json).await,
            Verb::Rebuild(options) => rebuild::run(&config, &options, json).await,
            Verb::Export(options) => export::run(&config, &options).await,
            Verb::Import(options) => import::run(&config, &options, json).await,
            Verb::Operator(call) => operator::run(&config, &call, json).await,
            Verb::Bench(options) => bench::run(&config, &options, json).await,
        }
    })
}

/// The variables whose name and value are text; others cannot be meant for this program.
fn environment() -> impl Iterator<Item = (String, String)> {
    std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
}
