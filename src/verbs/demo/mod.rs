//! `demo`: a fresh development ledger with a sample world, played in through the real API.

mod world;

use std::process::ExitCode;

use super::server::{Options, Server};
use super::{serve, shutdown};
use crate::config::{Config, Place};
use crate::failure::Failure;
use crate::output;
use world::Played;

/// Serves the sample world until SIGINT or SIGTERM. Without a data directory on the command line it makes a fresh one.
pub async fn run(mut config: Config, named: bool, json: bool) -> Result<ExitCode, Failure> {
    let end = shutdown::requested()?;
    if !named {
        config.data = fresh()?;
    }
    if let Place::Sqlite(log) = config.events_place()
        && log.exists()
    {
        let problem = format!("there is a ledger in {} already", config.data.display());
        return Err(Failure::Usage(Failure::hint(
            problem,
            "The demo wants a fresh directory: name another --data, or none.",
        )));
    }
    // Twenty payments in a moment are what the limits are there to stop.
    config.rate_limits = false;
    let announce = |address| if json { Ok(()) } else { serve::announce(&config, address, false) };
    let server = Server::start(&config, Options::default(), announce).await?;
    let url = format!("http://{}", server.address());
    let played = world::play(&url).await?;
    if json {
        output::document(&played.document(&url, &config.data))?;
    } else {
        guide(&url, &config, &played);
    }
    end.await;
    server.stop().await;
    Ok(ExitCode::SUCCESS)
}

fn fresh() -> Result<std::path::PathBuf, Failure> {
    let folder = tempfile::Builder::new().prefix("flexledger-demo-").tempdir();
    let folder = folder.map_err(|error| Failure::Store(format!("no folder for the demo can be made: {error}")))?;
    Ok(folder.keep())
}

/// What to try next.
fn guide(url: &str, config: &Config, played: &Played) {
    let data = config.data.display();
    println!("\nThe sample world is in: {} applications, {} payments.", played.tokens.len(), played.payments);
    println!("In another terminal, first:\n");
    println!("  export URL={url}/api");
    for (handle, token) in &played.tokens {
        println!("  export {}='{token}'", handle.to_uppercase());
    }
    println!("\nthen, for example:\n");
    let get = |what: &str, who: &str, path: &str| {
        println!("  # {what}\n  curl -s -w '\\n' -H \"Authorization: Bearer ${who}\" \"$URL/v1/{path}\"\n");
    };
    get("what waits for the shop", "SHOPAPP", "transactions/pending");
    if let Some(reference) = played.open.first() {
        println!("  # accept it");
        println!(
            "  curl -s -w '\\n' -X POST -H \"Authorization: Bearer $SHOPAPP\" \"$URL/v1/transactions/{reference}/accept\"\n"
        );
    }
    get("the shop's statement, newest first", "SHOPAPP", "wallet/statement");
    get("the wallet application's position", "WALLETAPP", "wallet");
    get("today's settlement", "WALLETAPP", &format!("settlement/date/{}", played.settled));
    println!("  # the log behind all that, and whether it holds");
    // As it was called: a newcomer has it on no path.
    let program = std::env::args().next().unwrap_or_else(|| "flexledger".to_owned());
    println!("  {program} --data {data} log --kind transaction.accepted");
    println!("  {program} --data {data} verify\n");
    println!("Ctrl-C ends the demo; the data stay in {data}.");
}
