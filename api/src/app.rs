//! What handlers share: the engine, the views, the vault, the settings.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use flexledger_commands::Engine;
use flexledger_commands::vault::Vault;
use flexledger_domain::ids::{ApplicationId, LedgerId};
use flexledger_domain::personal::{Personal, PersonalText};
use flexledger_domain::{Instant, Position, Span};
use flexledger_eventstore::StoreError;
use flexledger_projections::{ViewError, Views};

use crate::audit::Trees;
use crate::http::auth::{Digest, Tokens};
use crate::http::client::Network;
use crate::http::error::{ApiError, Code};
use crate::http::metrics::Metrics;
use crate::http::names::Names;
use crate::http::throttle::Throttle;

/// How long a request may wait for the views before it is answered with 503.
pub const VIEW_PATIENCE: Duration = Duration::from_secs(2);

/// What the operator configured for this room.
#[derive(Clone)]
pub struct Settings {
    /// The names of the product.
    pub names: Names,
    /// What links begin with, without a trailing slash (`server.public_url`).
    pub public_url: Arc<str>,
    /// Clear-text and private targets are fine (`server.allow_insecure`).
    pub allow_insecure: bool,
    /// How long a token is good (`auth.token_ttl`).
    pub token_ttl: Span,
    /// Who has `ROLE_ADMIN` (`auth.admin_applications`).
    pub admin_applications: HashSet<ApplicationId>,
    /// Another request under a used key is refused (`idempotency.strict`).
    pub strict_idempotency: bool,
    /// Plain bodies are refused where a caller is known (`encryption.require_encrypted_requests`).
    pub require_encrypted_requests: bool,
    /// Calls are limited (`limits.enabled`, `idaas.md` 14).
    pub rate_limits: bool,
    /// Whose forwarded headers count (`server.trusted_proxies`).
    pub trusted_proxies: Vec<Network>,
    /// The ledger is served as it was: whatever would write is refused (`serve --as-of`).
    pub frozen: bool,
    /// Where the Merkle tree is kept between two starts; `None` for nowhere.
    pub tree_file: Option<PathBuf>,
    /// SHA-256 of the operator's token; `None` closes the operator surface.
    pub operator_token: Option<Digest>,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            names: Names::default(),
            public_url: "http://127.0.0.1:8080".into(),
            allow_insecure: false,
            token_ttl: Span::from_seconds(3600),
            admin_applications: HashSet::new(),
            strict_idempotency: false,
            require_encrypted_requests: false,
            rate_limits: false,
            trusted_proxies: Vec::new(),
            frozen: false,
            tree_file: None,
            operator_token: None,
        }
    }
}

/// The shared state of all handlers. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Parts>);

struct Parts {
    engine: Engine,
    views: Views,
    vault: Arc<Vault>,
    settings: Settings,
    tokens: Tokens,
    throttle: Option<Throttle>,
    metrics: Arc<Metrics>,
    trees: Trees,
    ledger: OnceLock<LedgerId>,
    ready: AtomicBool,
}

impl App {
    /// Joins the parts. Calls are answered with 503 until [`App::warm_up`] is done.
    #[must_use]
    pub fn new(engine: Engine, views: Views, vault: Arc<Vault>, settings: Settings) -> Self {
        let tokens = Tokens::new(vault.token_key(), settings.token_ttl);
        let throttle = settings.rate_limits.then(|| Throttle::new(engine.clock().clone()));
        App(Arc::new(Parts {
            engine,
            views,
            vault,
            settings,
            tokens,
            throttle,
            metrics: Arc::default(),
            trees: Trees::default(),
            ledger: OnceLock::new(),
            ready: AtomicBool::new(false),
        }))
    }

    /// Waits until the views have reached the present end of the log, however long it takes; then calls are answered.
    ///
    /// # Errors
    /// [`ViewError`] when a view cannot get there.
    pub async fn warm_up(&self) -> Result<(), ViewError> {
        let goal = self.engine().tail().head();
        loop {
            match self.views().caught_up(goal, Some(VIEW_PATIENCE)).await {
                Ok(()) => break,
                Err(ViewError::Late { reached, wanted }) => {
                    tracing::info!(reached = reached.number(), wanted = wanted.number(), "api.views_catching_up");
                }
                Err(error) => return Err(error),
            }
        }
        self.0.ready.store(true, Ordering::Release);
        Ok(())
    }

    /// Whether calls are answered.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.0.ready.load(Ordering::Acquire)
    }

    /// The writer.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.0.engine
    }

    /// The views, as far as they have come. For reads of clients use [`App::fresh_views`].
    #[must_use]
    pub fn views(&self) -> &Views {
        &self.0.views
    }

    /// The keeper of keys.
    #[must_use]
    pub fn vault(&self) -> &Arc<Vault> {
        &self.0.vault
    }

    /// The settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Issues and checks access tokens.
    #[must_use]
    pub fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    /// What limits callers; `None` when limits are off.
    #[must_use]
    pub fn throttle(&self) -> Option<&Throttle> {
        self.0.throttle.as_ref()
    }

    /// Which ledger this is; `None` while the log is empty. Read once, for its first event never changes.
    ///
    /// # Errors
    /// [`StoreError`] when the log cannot be read.
    pub async fn ledger(&self) -> Result<Option<LedgerId>, StoreError> {
        if let Some(known) = self.0.ledger.get() {
            return Ok(Some(*known));
        }
        let read = flexledger_replay::head::ledger(self.engine().store().as_ref()).await?;
        Ok(read.map(|ledger| *self.0.ledger.get_or_init(|| ledger)))
    }

    /// The counters.
    #[must_use]
    pub fn metrics(&self) -> &Arc<Metrics> {
        &self.0.metrics
    }

    /// The Merkle tree over the log.
    #[must_use]
    pub fn trees(&self) -> &Trees {
        &self.0.trees
    }

    /// The present instant.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.0.engine.clock().now()
    }

    /// The views once they show everything that was acknowledged before this call.
    ///
    /// # Errors
    /// 503 when they are not there in time.
    pub async fn fresh_views(&self) -> Result<&Views, ApiError> {
        self.views_at(self.engine().tail().head()).await
    }

    /// The views once they have reached `position`.
    ///
    /// # Errors
    /// 503 when they are not there in time.
    pub async fn views_at(&self, position: Position) -> Result<&Views, ApiError> {
        match self.views().caught_up(position, Some(VIEW_PATIENCE)).await {
            Ok(()) => Ok(self.views()),
            Err(error) => {
                tracing::warn!(%error, "api.views_late");
                Err(Code::Unavailable.into())
            }
        }
    }

    /// A personal text for the eyes of those who may read it; `None` when it was erased.
    #[must_use]
    pub fn open(&self, personal: Option<&Personal>) -> Option<Arc<str>> {
        let personal = personal?;
        match &personal.text {
            PersonalText::Clear(text) => Some(text.clone()),
            PersonalText::Sealed(_) => self.vault().open(personal).map(Arc::from),
        }
    }
}

impl From<ViewError> for ApiError {
    fn from(error: ViewError) -> Self {
        match error {
            ViewError::SortProperty(_) => ApiError::invalid("sort names an unknown property"),
            ViewError::PageSize(_) => ApiError::invalid("size is out of range"),
            ViewError::Late { .. } | ViewError::Stopped { .. } => Code::Unavailable.into(),
            error => {
                tracing::error!(%error, "api.view_failed");
                Code::Internal.into()
            }
        }
    }
}
