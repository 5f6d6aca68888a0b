//! Who may authenticate: applications and auditors, for readers outside the writer. Holds durable state only.

use std::sync::{Arc, PoisonError, RwLock};

use flexledger_domain::access::AccessEvent;
use flexledger_domain::identity::{IdentityEvent, PublicKey};
use flexledger_domain::ids::{ApplicationId, AuditorId, ClientId};
use flexledger_domain::{Event, Recorded};
use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

/// What authentication and answers need to know of an application.
#[derive(Clone, Serialize, Deserialize)]
pub struct AppInfo {
    /// Its id: the `sub` of its tokens.
    pub id: ApplicationId,
    /// What it shows in a token exchange.
    pub client: ClientId,
    /// Its name.
    pub name: Arc<str>,
    /// Its handle.
    pub handle: Arc<str>,
    /// Whether it may act.
    pub active: bool,
    /// SHA-256 of its client secret, hex.
    pub secret_hash: String,
    /// Whether webhooks to it are encrypted.
    pub encryption_enabled: bool,
    /// The key that they are encrypted for.
    pub public_key: PublicKey,
    /// The secret that they are signed with, sealed with the platform key.
    pub webhook_secret: String,
}

/// Everything that a directory holds, for a snapshot.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Listing {
    applications: Vec<AppInfo>,
    auditors: Vec<(String, AuditorId)>,
}

/// All applications by id and by client id, and all auditors by their token.
#[derive(Default)]
pub struct Directory {
    apps: RwLock<Apps>,
}

#[derive(Default)]
struct Apps {
    by_id: HashMap<ApplicationId, Arc<AppInfo>>,
    by_client: HashMap<ClientId, Arc<AppInfo>>,
    auditors: HashMap<String, AuditorId>,
}

impl Apps {
    fn put(&mut self, app: AppInfo) {
        let app = Arc::new(app);
        self.by_id.insert(app.id, app.clone());
        self.by_client.insert(app.client, app);
    }
}

impl Directory {
    /// An application by its id.
    #[must_use]
    pub fn by_id(&self, id: ApplicationId) -> Option<Arc<AppInfo>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// An application by its client id.
    #[must_use]
    pub fn by_client(&self, client: ClientId) -> Option<Arc<AppInfo>> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).by_client.get(&client).cloned()
    }

    /// The auditor whose token has this SHA-256, in hex.
    #[must_use]
    pub fn auditor(&self, token_hash: &str) -> Option<AuditorId> {
        self.apps.read().unwrap_or_else(PoisonError::into_inner).auditors.get(token_hash).copied()
    }

    /// The name of an application; empty when there is none.
    #[must_use]
    pub fn name(&self, id: ApplicationId) -> Arc<str> {
        self.by_id(id).map_or_else(|| Arc::from(""), |app| app.name.clone())
    }

    /// Takes a durable event in.
    pub(crate) fn apply(&self, recorded: &Recorded) {
        match &recorded.event {
            Event::Identity(event) => self.apply_identity(event),
            Event::Access(AccessEvent::AuditorAdded(id, body)) => {
                let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
                apps.auditors.insert(body.token_hash.clone(), *id);
            }
            Event::Access(AccessEvent::AuditorRemoved(id, _)) => {
                let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
                apps.auditors.retain(|_, auditor| auditor != id);
            }
            _ => {}
        }
    }

    fn apply_identity(&self, event: &IdentityEvent) {
        match event {
            IdentityEvent::ApplicationRegistered(id, body) => {
                let app = AppInfo {
                    id: *id,
                    client: body.client,
                    name: body.name.clone(),
                    handle: body.handle.as_str().into(),
                    active: true,
                    secret_hash: body.secret_hash.clone(),
                    encryption_enabled: body.encryption_enabled,
                    public_key: body.public_key.clone(),
                    webhook_secret: body.webhook_secret.clone(),
                };
                self.apps.write().unwrap_or_else(PoisonError::into_inner).put(app);
            }
            IdentityEvent::ApplicationDeactivated(id, _) => {
                self.change(*id, |app| app.active = false);
            }
            IdentityEvent::ApplicationKeyRotated(id, body) => {
                self.change(*id, |app| app.public_key = body.public_key.clone());
            }
            IdentityEvent::ApplicationWebhookSecretRotated(id, body) => {
                self.change(*id, |app| app.webhook_secret.clone_from(&body.webhook_secret));
            }
            _ => {}
        }
    }

    fn change(&self, id: ApplicationId, change: impl FnOnce(&mut AppInfo)) {
        let mut apps = self.apps.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(app) = apps.by_id.get(&id) {
            let mut app = (**app).clone();
            change(&mut app);
            apps.put(app);
        }
    }

    /// Everything, for a snapshot.
    pub(crate) fn listing(&self) -> Listing {
        let apps = self.apps.read().unwrap_or_else(PoisonError::into_inner);
        Listing {
            applications: apps.by_id.values().map(|app| (**app).clone()).collect(),
            auditors: apps.auditors.iter().map(|(hash, id)| (hash.clone(), *id)).collect(),
        }
    }

    /// Replaces everything with what a snapshot held.
    pub(crate) fn restore(&self, listing: Listing) {
        let mut apps = Apps { auditors: listing.auditors.into_iter().collect(), ..Apps::default() };
        listing.applications.into_iter().for_each(|app| apps.put(app));
        *self.apps.write().unwrap_or_else(PoisonError::into_inner) = apps;
    }
}
