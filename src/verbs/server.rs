//! The server put together: log, keys, engine, views, clocks, listener. `serve`, `demo` and `bench` start it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use flexledger_api::audit;
use flexledger_api::courier::{self, Courier};
use flexledger_api::http::auth::Digest;
use flexledger_api::http::names::Names;
use flexledger_api::{App, Entrance, Limits, Settings, router, serve};
use flexledger_commands::clock::{Clock, ManualClock, SystemClock};
use flexledger_commands::reactors::{deliver_webhooks, expire_overdue, settle_daily};
use flexledger_commands::vault::{Vault, VaultError};
use flexledger_commands::{Engine, Options as EngineOptions};
use flexledger_domain::{Policy, Span};
use flexledger_eventstore::EventStore;
use flexledger_projections::{ViewError, Views};
use flexledger_replay::frozen::Frozen;
use flexledger_replay::moment::Moment;
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::rebuild::scheduled;
use super::{open, past, token};
use crate::config::Config;
use crate::failure::Failure;

/// How long running requests may take once the end was asked for.
const GRACE: Duration = Duration::from_secs(5);
/// How long the engine and the views may take to finish and write down what they have.
const FINISH: Duration = Duration::from_secs(4);

/// Tile roots of the Merkle tree: a cache.
const TREE_FILE: &str = "tree.tiles";

/// How a server is started.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Leaves the clocks out: nothing happens but what callers ask for.
    pub without_clocks: bool,
    /// Serves the ledger as it was, for reading only.
    pub as_of: Option<Moment>,
}

/// A server that answers.
pub struct Server {
    address: SocketAddr,
    app: App,
    store: Arc<dyn EventStore>,
    clocks: Vec<JoinHandle<()>>,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
    /// Views of the past, removed at the end.
    _scratch: Option<TempDir>,
}

/// A listener that answers `/health` while the rest is being opened.
struct Front {
    address: SocketAddr,
    entrance: Entrance,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

impl Server {
    /// Starts a server. `announce` is told the address as soon as `/health` answers; the server is returned once the
    /// state is loaded and the views have caught up.
    ///
    /// # Errors
    /// [`Failure::Store`] when the log is held, damaged or out of reach; [`Failure::Usage`] when the address is taken.
    pub async fn start(
        config: &Config,
        options: Options,
        announce: impl FnOnce(SocketAddr) -> Result<(), Failure>,
    ) -> Result<Server, Failure> {
        if let Some(moment) = options.as_of {
            return Server::start_frozen(config, moment, announce).await;
        }
        open::data_directory(&config.data)?;
        // The log first: a second writer is told who holds it, not that the address is taken.
        let store = open::writer(config).await?;
        let token = token::open_or_create(&config.data)?;
        let front = listen(config).await?;
        announce(front.address)?;
        let app = assemble(config, &store, &token, front.address).await?;
        front.entrance.open(router(app.clone()));
        app.warm_up().await.map_err(|error| views_failed(config, &error))?;
        let mut clocks = if options.without_clocks { Vec::new() } else { start_clocks(config, app.engine()) };
        clocks.push(start_deliveries(config, &app)?);
        clocks
            .extend(config.reconcile_every.map(|every| tokio::spawn(scheduled(config.clone(), store.clone(), every))));
        clocks.push(tokio::spawn(audit::follow(app.clone())));
        let Front { address, stop, serving, .. } = front;
        Ok(Server { address, app, store, clocks, stop: Some(stop), serving, _scratch: None })
    }

    /// A server of the past, beside a running one or alone: it reads the log up to a position, into views of its own,
    /// and nothing happens in it.
    ///
    /// It is ready when the log up to there is folded twice, side by side: into a scratch database, at the rate of a
    /// rebuild, and into the state, which is several times faster. Each begins with the nearest snapshot at or before the
    /// moment, or with nothing: the state with one that the engine of the server left, the views with a copy that a
    /// reconcile or rebuild left. (The live views stand beyond the moment, and rows do not fold back.) The data directory
    /// stays as it is, but for the scratch database, which is gone at the end: it is not kept as a copy of the views, for
    /// nobody has compared it.
    async fn start_frozen(
        config: &Config,
        moment: Moment,
        announce: impl FnOnce(SocketAddr) -> Result<(), Failure>,
    ) -> Result<Server, Failure> {
        let store = open::reader(config).await?;
        past::settle(store.as_ref(), moment).await?;
        let head = store.head().await.map_err(|error| open::unreadable(&error))?.position;
        let at = past::position(store.as_ref(), moment, head).await?;
        // Not before there is a log to serve.
        open::data_directory(&config.data)?;
        let token = token::open_or_create(&config.data)?;
        let front = listen(config).await?;
        announce(front.address)?;
        let (frozen, newest) = Frozen::new(store, at).await.map_err(|error| Failure::Store(error.to_string()))?;
        let store: Arc<dyn EventStore> = Arc::new(frozen);
        let scratch = past::scratch(config)?;
        // Time stands still as well: what had not lapsed then has not lapsed.
        let now = match moment {
            Moment::Instant(instant) => instant,
            Moment::Position(_) => newest.unwrap_or_else(|| SystemClock.now()),
        };
        let vault = vault(config, &store).await?;
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::new(now));
        let options = EngineOptions { past: true, clock, ..engine_options(config) };
        let kept = config.views_kept();
        let (views, engine) =
            tokio::try_join!(past::fold(&kept, &scratch, &store, at), start_engine(&store, &vault, options))?;
        let settings = Settings { frozen: true, tree_file: None, ..settings(config, &token, front.address) };
        let app = App::new(engine, views, vault, settings);
        front.entrance.open(router(app.clone()));
        app.warm_up().await.map_err(|error| views_failed(config, &error))?;
        let clocks = vec![tokio::spawn(audit::follow(app.clone()))];
        let Front { address, stop, serving, .. } = front;
        Ok(Server { address, app, store, clocks, stop: Some(stop), serving, _scratch: Some(scratch) })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// What handlers share.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Accepts nothing new, finishes what was accepted, and closes the log and the views, all within 10 s.
    pub async fn stop(mut self) {
        if let Some(stop) = self.stop.take() {
            // The listener ends only when it is told, so it is still there to be told.
            let _told = stop.send(());
        }
        if let Err(error) = self.serving.await {
            tracing::error!(%error, "serve.listener_failed");
        }
        self.clocks.iter().for_each(JoinHandle::abort);
        let finish = async {
            self.app.engine().stop().await;
            self.app.views().close().await;
            self.store.close().await;
        };
        if tokio::time::timeout(FINISH, finish).await.is_err() {
            tracing::warn!("serve.closed_early: what was acknowledged is safe; the next start takes longer");
        }
    }
}

async fn listen(config: &Config) -> Result<Front, Failure> {
    let refused = |error: std::io::Error| {
        let problem = format!("cannot listen on {}: {error}", config.listen);
        Failure::Usage(Failure::hint(problem, "Name another address with --listen, for example 127.0.0.1:0."))
    };
    let listener = TcpListener::bind(config.listen).await.map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    let entrance = Entrance::new();
    let (stop, stopped) = oneshot::channel::<()>();
    let shutdown = async {
        // A dropped sender means that starting failed: the end, too.
        let _asked = stopped.await;
    };
    let limits = Limits { grace: GRACE, ..Limits::default() };
    let serving = tokio::spawn(serve(listener, entrance.clone(), limits, shutdown));
    Ok(Front { address, entrance, stop, serving })
}

async fn assemble(
    config: &Config,
    store: &Arc<dyn EventStore>,
    token: &str,
    address: SocketAddr,
) -> Result<App, Failure> {
    let events = store.clone();
    let vault = vault(config, store).await?;
    let options = EngineOptions { address: Some(advertised(config, address)), ..engine_options(config) };
    let views = Views::open(&config.views_place().url(), &[]).await;
    let views = views.map_err(|error| views_failed(config, &error))?;
    // Before the engine writes: a log that lost its end, or all of it, is not to be written on.
    views.check(store.as_ref()).await.map_err(|error| views_failed(config, &error))?;
    let engine = start_engine(store, &vault, options).await?;
    views.follow(events, engine.tail().clone()).await.map_err(|error| views_failed(config, &error))?;
    Ok(App::new(engine, views, vault, settings(config, token, address)))
}

async fn vault(config: &Config, store: &Arc<dyn EventStore>) -> Result<Arc<Vault>, Failure> {
    let vault = Vault::new(open::platform_keys(config)?, store.clone()).await;
    vault.map(Arc::new).map_err(|error| match error {
        VaultError::WrongPlatformKey | VaultError::OtherPlatformKey => {
            let next =
                "Copy platform.key from the data directory of a node that serves this ledger, or from its backup.";
            Failure::Usage(Failure::hint(format!("{}: {error}", config.data.display()), next))
        }
        error => Failure::Store(error.to_string()),
    })
}

async fn start_engine(
    store: &Arc<dyn EventStore>,
    vault: &Arc<Vault>,
    options: EngineOptions,
) -> Result<Engine, Failure> {
    Engine::start(store.clone(), vault.clone(), options).await.map_err(|error| {
        let next = "Run `flexledger verify` to see whether the log is damaged.";
        Failure::Store(Failure::hint(error, next))
    })
}

/// What the engine is told of the configuration.
pub fn engine_options(config: &Config) -> EngineOptions {
    EngineOptions {
        queue: config.queue,
        snapshot_every: config.snapshot_every,
        snapshots: Some(config.snapshots()),
        idempotency_window: span(config.idempotency_window),
        policy: Policy { acceptance_window: span(config.acceptance_window), consent_ttl: span(config.consent_ttl) },
        node: flexledger_eventstore::sqlite::this_process(),
        ..EngineOptions::default()
    }
}

/// Where other nodes reach this one.
fn advertised(config: &Config, address: SocketAddr) -> String {
    config.server.advertise.clone().unwrap_or_else(|| format!("http://{address}"))
}

fn settings(config: &Config, token: &str, address: SocketAddr) -> Settings {
    let public_url = config.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    Settings {
        names: Names {
            code_prefix: config.names.code_prefix.as_str().into(),
            header_stem: config.names.header_stem.as_str().into(),
            key_path: config.names.key_path.as_str().into(),
        },
        public_url: public_url.into(),
        allow_insecure: config.allow_insecure(),
        token_ttl: span(config.token_ttl),
        admin_applications: config.admin_applications.clone(),
        strict_idempotency: config.idempotency_strict,
        require_encrypted_requests: config.require_encrypted_requests,
        rate_limits: config.rate_limits,
        trusted_proxies: config.server.trusted_proxies.clone(),
        frozen: false,
        tree_file: Some(config.data.join(TREE_FILE)),
        operator_token: Some(Digest::of(token.as_bytes())),
    }
}

/// What is owed is sent even without clocks: callers asked for it.
fn start_deliveries(config: &Config, app: &App) -> Result<JoinHandle<()>, Failure> {
    let options = courier::Options {
        names: app.settings().names.clone(),
        allow_insecure: config.allow_insecure(),
        timeout: config.webhooks.timeout,
    };
    let courier = Courier::new(app.vault().clone(), app.engine().clock().clone(), &options);
    let courier = courier.map_err(|error| Failure::Usage(error.to_string()))?;
    let courier = courier.counted(app.metrics().clone());
    let deliveries = deliver_webhooks(app.engine().clone(), Arc::new(courier), config.webhooks.retry_base);
    Ok(tokio::spawn(deliveries))
}

fn start_clocks(config: &Config, engine: &Engine) -> Vec<JoinHandle<()>> {
    let mut clocks = vec![tokio::spawn(expire_overdue(engine.clone(), config.expiry_sweep))];
    if let Some(time) = config.settlement_time {
        clocks.push(tokio::spawn(settle_daily(engine.clone(), time)));
    }
    clocks
}

fn views_failed(config: &Config, error: &ViewError) -> Failure {
    let place = config.views_place();
    let next = match error {
        ViewError::OtherLog { .. } | ViewError::Stopped { .. } | ViewError::Damaged { .. } => {
            "Stop the server and remove the file of the views; they are made again from the log."
        }
        _ => "Name another place with --views, or check the disk.",
    };
    Failure::Store(Failure::hint(format!("{place}: {error}"), next))
}

fn span(duration: Duration) -> Span {
    Span::from_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
