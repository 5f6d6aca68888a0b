//! Opens what verbs work on: the data directory, the log, the platform keys.

use std::fs::DirBuilder;
use std::path::Path;
use std::sync::Arc;

use flexledger_commands::vault::{KEY_FILE, PlatformKeys};
use flexledger_eventstore::sqlite::{Mode, this_process};
use flexledger_eventstore::{Alone, EventStore, Place, StoreError};

use super::imported;
use crate::config::Config;
use crate::failure::Failure;

/// Makes the data directory, for its owner alone, if it is missing.
pub fn data_directory(path: &Path) -> Result<(), Failure> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path).map_err(|error| {
        let problem = format!("the data directory {} cannot be made: {error}", path.display());
        Failure::Store(Failure::hint(problem, "Name another one with --data, or mend its permissions."))
    })
}

/// Opens the log for a server. On a database that several nodes share, who writes is settled later.
pub async fn writer(config: &Config) -> Result<Arc<dyn EventStore>, Failure> {
    imported::whole(&config.data)?;
    let mode = Mode::Writer { holder: this_process() };
    flexledger_eventstore::open(&config.events_place(), mode).await.map_err(|error| refused(config, &error))
}

/// Opens the log for one job that must be alone with it: an import, which may go on with a part of a ledger.
pub async fn alone(config: &Config) -> Result<Alone, Failure> {
    let opened = Alone::open(&config.events_place(), &this_process()).await;
    opened.map_err(|error| refused(config, &error))
}

/// Opens the log for reading, beside a server or alone.
pub async fn reader(config: &Config) -> Result<Arc<dyn EventStore>, Failure> {
    imported::whole(&config.data)?;
    flexledger_eventstore::open(&config.events_place(), Mode::Reader).await.map_err(|error| refused(config, &error))
}

/// What to do about a database server.
const SERVER: &str = "Check that the database server runs and can be reached.";

/// What to do about a log that cannot be opened.
fn refused(config: &Config, error: &StoreError) -> Failure {
    let next = match error {
        StoreError::Held(_) => "One process writes a log. Stop that one first, or name another --data directory.",
        StoreError::Missing(_) => "A backup may still have it.",
        StoreError::Unusable(_) => "Name the ledger with --data or --events.",
        StoreError::Server(_) => SERVER,
        StoreError::Database(_) | StoreError::File(_) if !matches!(config.events_place(), Place::Sqlite(_)) => SERVER,
        StoreError::Database(_) | StoreError::Sqlite(_) | StoreError::File(_) => {
            "Check the disk and the permissions of the data directory."
        }
    };
    Failure::Store(Failure::hint(format!("{}: {error}", config.events_place()), next))
}

/// A log that was open cannot be read.
pub fn unreadable(error: &StoreError) -> Failure {
    Failure::Store(Failure::hint(format!("the log cannot be read: {error}"), "Check the disk, then try again."))
}

/// The platform keys, made when there are none.
pub fn platform_keys(config: &Config) -> Result<PlatformKeys, Failure> {
    PlatformKeys::open_or_create(&config.data).map_err(|error| Failure::Store(error.to_string()))
}

/// The platform keys if there are any: a reader makes none.
pub fn platform_keys_if_any(config: &Config) -> Result<Option<PlatformKeys>, Failure> {
    if config.data.join(KEY_FILE).exists() { platform_keys(config).map(Some) } else { Ok(None) }
}
