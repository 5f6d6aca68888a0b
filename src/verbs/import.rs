//! `import`: an export taken into an empty store.

use std::process::ExitCode;
use std::sync::Arc;

use flexledger_domain::Position;
use flexledger_eventstore::EventStore;
use flexledger_replay::import::{ImportError, check, store};

use super::imported::Imported;
use super::{open, shutdown, verify};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Progress;

/// Checks the file and stores it.
pub async fn run(config: &Config, options: &cli::Import, json: bool) -> Result<ExitCode, Failure> {
    regular(options)?;
    open::data_directory(&config.data)?;
    // The store first: one that is held or not empty is told before a long file is read.
    let target = open::alone(config).await?;
    let done = import(config, options, target.store(), json).await;
    if let Err(error) = target.finish().await {
        tracing::warn!(%error, "import.resign");
    }
    done
}

async fn import(
    config: &Config,
    options: &cli::Import,
    target: &Arc<dyn EventStore>,
    json: bool,
) -> Result<ExitCode, Failure> {
    let begun = target.head().await.map_err(|error| open::unreadable(&error))?;
    let before = Imported::read(&config.data).filter(|before| !before.done);
    if begun.position > Position::START && before.is_none() {
        return Err(not_empty(begun.position));
    }
    let mut bar = Progress::new("bytes");
    let checked = check(&options.file, None, None, &mut |done, all| bar.show(done, all));
    drop(bar);
    let checked = checked.map_err(|error| unusable(options, &error))?;
    if !checked.report.ok {
        verify::show(
            &checked.report,
            json,
            "Nothing was stored. Export the ledger again, or use another copy of the file.",
        )?;
        return Ok(ExitCode::from(1));
    }
    let note = |done: bool| Imported {
        ledger: checked.ledger,
        position: checked.report.position,
        hash: checked.report.hash.clone(),
        done,
    };
    let resume = before.is_some_and(|before| before == note(false));
    if begun.position > Position::START && !resume {
        let problem = format!("the store holds a part of another file, up to {}", begun.position);
        let next = "Give the file whose import was broken off, or remove the store.";
        return Err(Failure::Usage(Failure::hint(problem, next)));
    }
    // Until here nothing was written, and the end of the process is the end of it.
    let end = shutdown::requested()?;
    note(false).write(&config.data)?;
    let mut bar = Progress::for_job("events", json);
    let mut show = |done, all| bar.show(done, all);
    tokio::select! {
        stored = store(&options.file, &checked, target, resume, &mut show) => {
            stored.map_err(|error| failed(options, &error))?;
        }
        () = end => {
            let next = "Run it again with the same file; it goes on from here.";
            return Err(Failure::Found(Failure::hint("stopped before the end", next)));
        }
    }
    drop(bar);
    note(true).write(&config.data)?;
    verify::show(&checked.report, json, "")?;
    Ok(ExitCode::SUCCESS)
}

/// The file is read twice, so that nothing is stored unless all of it holds: a pipe does not do.
fn regular(options: &cli::Import) -> Result<(), Failure> {
    if options.file.as_os_str() == "-" {
        return Err(unusable(options, &"standard input cannot be read twice; save it to a file first"));
    }
    let what = std::fs::metadata(&options.file).map_err(|error| unusable(options, &error))?;
    if what.is_dir() {
        return Err(unusable(options, &"this is a directory"));
    }
    if !what.is_file() {
        return Err(unusable(
            options,
            &"a pipe or device cannot be read twice; save what comes from it to a file first",
        ));
    }
    Ok(())
}

fn unusable(options: &cli::Import, error: &dyn std::fmt::Display) -> Failure {
    let problem = format!("{}: {error}", options.file.display());
    Failure::Usage(Failure::hint(problem, "Give a file that `flexledger export --format jsonl` wrote."))
}

fn not_empty(position: Position) -> Failure {
    let problem = format!("the store is not empty: it ends at {position}");
    Failure::Usage(Failure::hint(problem, "Import into an empty one: name another --data directory."))
}

fn failed(options: &cli::Import, error: &ImportError) -> Failure {
    match error {
        ImportError::File(_) | ImportError::Changed => unusable(options, error),
        ImportError::NotEmpty(position) => not_empty(*position),
        ImportError::Store(_) | ImportError::Append(_) => Failure::Store(error.to_string()),
    }
}
