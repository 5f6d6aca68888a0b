//! `serve`: the server until it is told to end.

use std::net::SocketAddr;
use std::process::ExitCode;

use super::as_of::moment;
use super::server::{Options, Server};
use super::{shutdown, token};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// Serves until SIGINT or SIGTERM.
pub async fn run(config: &Config, options: &cli::Serve, json: bool) -> Result<ExitCode, Failure> {
    let as_of = options.as_of.as_deref().map(moment).transpose()?;
    let end = shutdown::requested()?;
    let options = Options { as_of, ..Options::default() };
    let starting = Server::start(config, options, |address| announce(config, address, json));
    tokio::pin!(end);
    let server = tokio::select! {
        started = starting => started?,
        // Nothing was accepted yet, so nothing has to be finished.
        () = &mut end => return Ok(ExitCode::SUCCESS),
    };
    tracing::info!(address = %server.address(), "serve.ready");
    end.await;
    tracing::info!("serve.stopping");
    server.stop().await;
    tracing::info!("serve.stopped");
    Ok(ExitCode::SUCCESS)
}

/// Says where the server is.
pub fn announce(config: &Config, address: SocketAddr, json: bool) -> Result<(), Failure> {
    let url = format!("http://{address}");
    let token = token::path(&config.data);
    if json {
        return output::document(&serde_json::json!({
            "listening": address.to_string(),
            "url": url,
            "data": config.data.display().to_string(),
            "operator_token": token.display().to_string(),
            "documentation": format!("{url}/docs"),
            "console": format!("{url}/console"),
        }));
    }
    output::pairs(&[
        ("listening on", url.clone()),
        ("documentation", format!("{url}/docs")),
        ("console", format!("{url}/console")),
        ("data directory", config.data.display().to_string()),
        ("operator token", token.display().to_string()),
    ])
}
