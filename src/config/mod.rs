//! The configuration: what each setting is called, where it may come from, and what it means.
//!
//! Each setting is one line in [`keys`]. A flag wins over the environment, the environment over the file, the file over
//! the default. A name that is not known is an error wherever it stands, so a typing error is never silently a default.

mod keys;
mod value;

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use flexledger_api::http::client::Network;
use flexledger_commands::reactors::SettlementTime;
use flexledger_domain::ids::ApplicationId;

pub use flexledger_eventstore::Place;
use flexledger_replay::kept::Kept;

use value::{Value, ValueError};

/// The file that is read when none is named, if it is there.
const DEFAULT_FILE: &str = "flexledger.toml";
/// What every variable begins with.
const PREFIX: &str = "FLEXLEDGER_";
/// Names the file in the environment.
const FILE_VARIABLE: &str = "FLEXLEDGER_CONFIG";
/// A configuration file larger than this is not read.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// All settings.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where HTTP is served. Port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The data directory.
    pub data: PathBuf,
    /// Where the log lives; `None` for `events.db` in the data directory.
    pub events: Option<Place>,
    /// Where the views live; `None` for `views.db` in the data directory.
    pub views: Option<Place>,
    /// Which log lines are written, as `tracing` filters them.
    pub log_filter: String,
    /// `server.*`
    pub server: Server,
    /// `limits.enabled`
    pub rate_limits: bool,
    /// `transactions.acceptance_window`
    pub acceptance_window: Duration,
    /// `transactions.expiry_sweep`
    pub expiry_sweep: Duration,
    /// `idempotency.window`
    pub idempotency_window: Duration,
    /// `idempotency.strict`
    pub idempotency_strict: bool,
    /// `auth.token_ttl`
    pub token_ttl: Duration,
    /// `auth.admin_applications`
    pub admin_applications: HashSet<ApplicationId>,
    /// `encryption.require_encrypted_requests`
    pub require_encrypted_requests: bool,
    /// `consent.ttl`
    pub consent_ttl: Duration,
    /// `webhooks.*`
    pub webhooks: Webhooks,
    /// `settlement.time`; `None` when it is off.
    pub settlement_time: Option<SettlementTime>,
    /// `fleexpay.*`
    pub fleexpay: Fleexpay,
    /// `flexiqash.*`
    pub flexiqash: Webhooks,
    /// `engine.queue`
    pub queue: usize,
    /// `reconcile.every`; `None` when it is off.
    pub reconcile_every: Option<Duration>,
    /// `engine.snapshot_every`
    pub snapshot_every: u64,
    /// `engine.views_kept`
    pub views_kept: usize,
    /// `names.*`
    pub names: Names,
}

/// The face towards clients.
#[derive(Debug, Clone, Default)]
pub struct Server {
    /// What links begin with; `None` for `http://<listen>`.
    pub public_url: Option<String>,
    /// Networks whose forwarded headers count.
    pub trusted_proxies: Vec<Network>,
    /// Whether clear text and private targets are fine; `None` for "on a loopback listener".
    pub allow_insecure: Option<bool>,
    /// Where other nodes on the same log reach this one; `None` for `http://<listen>`.
    pub advertise: Option<String>,
}

/// How webhooks are sent.
#[derive(Debug, Clone)]
pub struct Webhooks {
    /// How long a receiver may take.
    pub timeout: Duration,
    /// The first wait before another try.
    pub retry_base: Duration,
}

/// Settings of the treasury API.
#[derive(Debug, Clone)]
pub struct Fleexpay {
    /// How long a quote is good.
    pub quote_ttl: Duration,
    /// Whether conversions wait for a result (`async`).
    pub conversion_async: bool,
}

/// Names on the wire that a later release of the same API changed.
#[derive(Debug, Clone)]
pub struct Names {
    /// What error codes begin with.
    pub code_prefix: String,
    /// The stem of webhook headers.
    pub header_stem: String,
    /// The last part of the path of the platform key.
    pub key_path: String,
}

impl Default for Config {
    fn default() -> Self {
        let hours = |n: u64| Duration::from_secs(n * 3600);
        let seconds = Duration::from_secs;
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            data: PathBuf::from("./flexledger-data"),
            events: None,
            views: None,
            log_filter: "info".to_owned(),
            server: Server::default(),
            rate_limits: true,
            acceptance_window: hours(24),
            expiry_sweep: seconds(300),
            idempotency_window: hours(24),
            idempotency_strict: false,
            token_ttl: hours(1),
            admin_applications: HashSet::new(),
            require_encrypted_requests: false,
            consent_ttl: hours(48),
            webhooks: Webhooks { timeout: seconds(10), retry_base: seconds(1) },
            settlement_time: "23:59".parse().ok(),
            fleexpay: Fleexpay { quote_ttl: seconds(30), conversion_async: false },
            flexiqash: Webhooks { timeout: seconds(3), retry_base: seconds(10) },
            queue: 65_536,
            reconcile_every: None,
            snapshot_every: 100_000,
            views_kept: 2,
            names: Names {
                code_prefix: "IDAAS".to_owned(),
                header_stem: "IDaaS".to_owned(),
                key_path: "idaas".to_owned(),
            },
        }
    }
}

impl Config {
    /// Where the log lives.
    pub fn events_place(&self) -> Place {
        self.events.clone().unwrap_or_else(|| Place::Sqlite(self.data.join("events.db")))
    }

    /// Where the views live.
    pub fn views_place(&self) -> Place {
        self.views.clone().unwrap_or_else(|| Place::Sqlite(self.data.join("views.db")))
    }

    /// Where the engine keeps its snapshots.
    pub fn snapshots(&self) -> PathBuf {
        self.data.join("snapshots")
    }

    /// Where copies of the views are kept for the past, beside the snapshots.
    pub fn views_kept(&self) -> Kept {
        Kept::new(self.snapshots(), self.views_kept)
    }

    /// Whether clear text and private targets are fine.
    pub fn allow_insecure(&self) -> bool {
        self.server.allow_insecure.unwrap_or_else(|| self.listen.ip().is_loopback())
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration file {} cannot be read: {why}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// What happened.
        why: String,
    },
    /// A name that no setting has.
    #[error("{place} has an unknown key: {name}{}", keys::nearest(name))]
    Unknown {
        /// Where it stands.
        place: String,
        /// The key, as `section.key`.
        name: String,
    },
    /// A value that its setting cannot take.
    #[error("{place}: {name}: {why}")]
    Value {
        /// Where it stands.
        place: String,
        /// The key.
        name: String,
        /// What would fit.
        why: ValueError,
    },
}

/// What is on the command line, by the name of its setting.
pub type Flags = Vec<(&'static str, String)>;

/// Reads the configuration: `file` if it is named, else the default file if it is there.
///
/// # Errors
/// [`ConfigError`], with the place and the key at fault.
pub fn load(
    file: Option<&Path>,
    environment: impl Iterator<Item = (String, String)>,
    flags: Flags,
) -> Result<Config, ConfigError> {
    let mut variables: Vec<(String, String)> = environment.filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let named = variables.iter().find(|(name, _)| name == FILE_VARIABLE).map(|(_, path)| PathBuf::from(path));
    let mut config = Config::default();
    match file.map(Path::to_owned).or(named) {
        Some(path) => read_file(&mut config, &path)?,
        None if Path::new(DEFAULT_FILE).exists() => read_file(&mut config, Path::new(DEFAULT_FILE))?,
        None => {}
    }
    for (variable, value) in variables.into_iter().filter(|(name, _)| name != FILE_VARIABLE) {
        let name = variable.strip_prefix(PREFIX).unwrap_or_default().to_ascii_lowercase().replacen("__", ".", 1);
        keys::set(&mut config, &name, &Value::Text(value), &format!("the environment variable {variable}"))?;
    }
    for (name, value) in flags {
        keys::set(&mut config, name, &Value::Text(value), &format!("the flag --{name}"))?;
    }
    Ok(config)
}

fn read_file(config: &mut Config, path: &Path) -> Result<(), ConfigError> {
    let fail = |why: String| ConfigError::File { path: path.to_owned(), why };
    let size = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if size > FILE_BYTES_MAX {
        return Err(fail(format!("it is larger than {FILE_BYTES_MAX} bytes")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    let table: toml::Table = text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?;
    let place = path.display().to_string();
    for (section, value) in table {
        match value {
            toml::Value::Table(entries) if !keys::is_key(&section) => {
                if !keys::is_section(&section) {
                    return Err(ConfigError::Unknown { place, name: section });
                }
                for (key, value) in entries {
                    keys::set(config, &format!("{section}.{key}"), &Value::Toml(value), &place)?;
                }
            }
            value => keys::set(config, &section, &Value::Toml(value), &place)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
