//! `head`: the signed head of the log.

use std::process::ExitCode;

use flexledger_eventstore::note::HeadSigner;
use flexledger_replay::head::{head, ledger};

use super::open;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// Prints the head: the note for people and files, the whole document with `--json`.
pub async fn run(config: &Config, options: &cli::Head, json: bool) -> Result<ExitCode, Failure> {
    let store = open::reader(config).await?;
    let keys = open::platform_keys_if_any(config)?;
    if options.key {
        let ledger = ledger(store.as_ref()).await.map_err(|error| open::unreadable(&error))?;
        let Some((keys, ledger)) = keys.as_ref().zip(ledger) else {
            let problem = "there is no key that signs this log in the data directory";
            return Err(Failure::Store(Failure::hint(problem, "Name the server's data directory with --data.")));
        };
        let key = HeadSigner::new(ledger, keys.head_seed()).verifier().to_string();
        if json {
            output::document(&serde_json::json!({ "key": key }))?;
        } else {
            println!("{key}");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let seed = keys.as_ref().map(|keys| keys.head_seed());
    let document = head(&store, seed).await.map_err(|error| open::unreadable(&error))?;
    match (&document.note, json) {
        (_, true) => output::document(&document)?,
        (Some(note), false) => print!("{note}"),
        (None, false) => output::pairs(&[
            ("position", document.position.to_string()),
            ("hash", document.hash.clone()),
            ("root", document.root.clone()),
        ])?,
    }
    Ok(ExitCode::SUCCESS)
}
