//! Connections: one that writes, a bounded pool that reads, one each to tell of growth and to hear of it.

use std::str::FromStr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Connection, Executor, Row};

use crate::port::StoreError;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);
const READERS_MAX: u32 = 8;
const READER_TIMEOUT: Duration = Duration::from_secs(5);
const READER_IDLE: Duration = Duration::from_secs(300);

/// What connections for hints are called in the server's own views.
const HINTS: &str = "flexledger-hints";

/// What the writer's session must be, whatever the server's defaults say. A statement is given up by the server a bit
/// before this side stops waiting for it; the batch's arrays stay in memory.
const WRITER_SESSION: [(&str, &str); 4] =
    [("statement_timeout", "8s"), ("lock_timeout", "8s"), ("work_mem", "64MB"), ("client_min_messages", "error")];
/// Events are always read along their positions; without statistics the planner could think otherwise.
const READER_SESSION: [(&str, &str); 4] = [
    ("statement_timeout", "30s"),
    ("enable_seqscan", "off"),
    ("enable_bitmapscan", "off"),
    ("default_transaction_read_only", "on"),
];
/// A commit waits for the disk (and for the standby, where the server is set up so).
const SYNC: &str = "SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') = 'off'";
const SETTINGS: &str = "SELECT current_setting('server_version'), current_setting('fsync'), \
     current_setting('synchronous_commit'), pg_is_in_recovery()";

/// How the database is reached.
#[derive(Clone)]
pub(super) struct Target(PgConnectOptions);

impl FromStr for Target {
    type Err = StoreError;

    fn from_str(url: &str) -> Result<Self, StoreError> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|error| StoreError::Unusable(format!("it is no PostgreSQL URL: {error}")))?;
        Ok(Target(options.application_name("flexledger-log").disable_statement_logging()))
    }
}

impl Target {
    /// `host:port/database`, without any secret.
    pub(super) fn name(&self) -> String {
        let place = match self.0.get_socket() {
            Some(socket) => socket.display().to_string(),
            None => self.0.get_host().to_owned(),
        };
        format!("{place}:{}/{}", self.0.get_port(), self.0.get_database().unwrap_or(self.0.get_username()))
    }

    /// A connection to write with.
    pub(super) async fn writer(&self) -> Result<PgConnection, StoreError> {
        let options = self.0.clone().options(WRITER_SESSION);
        let connecting = async {
            let mut connection = options.connect().await?;
            connection.fetch_optional(SYNC).await?;
            Ok::<_, sqlx::Error>(connection)
        };
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| timed_out("connecting"))?;
        Ok(connected?)
    }

    /// A connection for setting up, without the writer's limits on time.
    pub(super) async fn plain(&self) -> Result<PgConnection, StoreError> {
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.0.connect()).await;
        Ok(connected.map_err(|_| timed_out("connecting"))??)
    }

    /// A connection that tells others of growth. What it does need not survive a crash.
    pub(super) async fn hints(&self) -> Result<PgConnection, StoreError> {
        let options = self.0.clone().application_name(HINTS).options([("synchronous_commit", "off")]);
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, options.connect()).await;
        Ok(connected.map_err(|_| timed_out("connecting"))??)
    }

    /// The one connection that hears of growth.
    pub(super) fn listeners(&self) -> PgPool {
        let one = PgPoolOptions::new().max_connections(1).min_connections(0).acquire_timeout(CONNECT_TIMEOUT);
        one.idle_timeout(None).max_lifetime(None).connect_lazy_with(self.0.clone().application_name(HINTS))
    }

    /// The connections that read, made when they are needed.
    pub(super) fn readers(&self) -> PgPool {
        PgPoolOptions::new()
            .max_connections(READERS_MAX)
            .min_connections(0)
            .acquire_timeout(READER_TIMEOUT)
            .idle_timeout(READER_IDLE)
            .connect_lazy_with(self.0.clone().options(READER_SESSION))
    }
}

/// What the server promises, in one line. A server that does not sync is said so.
pub(super) async fn durability(connection: &mut PgConnection) -> Result<String, StoreError> {
    let row = connection.fetch_one(SETTINGS).await?;
    let (version, fsync, commit): (String, String, String) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
    if row.try_get::<bool, _>(3)? {
        return Err(StoreError::Unusable("the PostgreSQL server is a standby: it cannot be written".to_owned()));
    }
    if fsync != "on" {
        tracing::warn!(name: "eventstore.postgres.no_fsync", "the PostgreSQL server runs with fsync=off: a crash loses data");
    }
    let commit = if commit == "off" { "on".to_owned() } else { commit };
    Ok(format!("postgresql {version} fsync={fsync} synchronous_commit={commit}"))
}

/// Ends a connection politely, in little time; otherwise it is dropped.
pub(super) async fn close(connection: PgConnection) {
    let closed = tokio::time::timeout(Duration::from_secs(1), connection.close()).await;
    if !matches!(closed, Ok(Ok(()))) {
        tracing::debug!(name: "eventstore.postgres.close_failed", "a connection did not close cleanly");
    }
}

/// An error for something that took too long.
pub(super) fn timed_out(what: &str) -> StoreError {
    StoreError::File(std::io::Error::new(std::io::ErrorKind::TimedOut, format!("{what} took too long")))
}
