//! Who may authenticate: applications, merchants and auditors, for readers outside the writer. Holds durable state only.

use std::sync::{Arc, PoisonError, RwLock};

use flexledger_domain::access::AccessEvent;
use flexledger_domain::identity::{IdentityEvent, PublicKey};
use flexledger_domain::ids::{ApplicationId, AuditorId, ClientId, MerchantId, TagId};
use flexledger_domain::merchants::MerchantEvent;
use flexledger_domain::{Event, Recorded, TokenHash};
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

/// What authentication and answers need to know of a merchant.
#[derive(Clone, Serialize, Deserialize)]
pub struct MerchantInfo {
    /// Its id: the client id that it shows.
    pub id: MerchantId,
    /// Its name.
    pub name: Arc<str>,
    /// The tag that its requests are paid to.
    pub tag: TagId,
    /// The digest of its API key.
    pub key: TokenHash,
    /// The name of its location.
    pub location: Arc<str>,
}

/// Everything that a directory holds, for a snapshot.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Listing {
    applications: Vec<AppInfo>,
    auditors: Vec<(String, AuditorId)>,
    merchants: Vec<MerchantInfo>,
}

/// Everybody, as of one position: a fold of the log. The writer keeps one beside its state, commands that are not
/// durable yet included; the [`Directory`] is another, of durable events only. A clone shares the entries.
#[derive(Clone, Default)]
pub(crate) struct Parties {
    by_id: HashMap<ApplicationId, Arc<AppInfo>>,
    by_client: HashMap<ClientId, Arc<AppInfo>>,
    auditors: HashMap<String, AuditorId>,
    merchants: HashMap<MerchantId, Arc<MerchantInfo>>,
}

/// All applications by id and by client id, all merchants by id, and all auditors by their token.
#[derive(Default)]
pub struct Directory {
    parties: RwLock<Parties>,
}

impl Parties {
    /// Takes the next event in.
    pub fn apply(&mut self, event: &Event) {
        match event {
            Event::Identity(event) => self.apply_identity(event),
            Event::Access(AccessEvent::AuditorAdded(id, body)) => {
                self.auditors.insert(body.token_hash.clone(), *id);
            }
            Event::Access(AccessEvent::AuditorRemoved(id, _)) => {
                self.auditors.retain(|_, auditor| auditor != id);
            }
            Event::Merchant(MerchantEvent::Registered(id, body)) => {
                let (name, location) = (body.name.clone(), body.location.clone());
                let merchant = MerchantInfo { id: *id, name, tag: body.tag, key: body.key, location };
                self.merchants.insert(*id, Arc::new(merchant));
            }
            _ => {}
        }
    }

    fn apply_identity(&mut self, event: &IdentityEvent) {
        match event {
            IdentityEvent::ApplicationRegistered(id, body) => self.put(AppInfo {
                id: *id,
                client: body.client,
                name: body.name.clone(),
                handle: body.handle.as_str().into(),
                active: true,
                secret_hash: body.secret_hash.clone(),
                encryption_enabled: body.encryption_enabled,
                public_key: body.public_key.clone(),
                webhook_secret: body.webhook_secret.clone(),
            }),
            IdentityEvent::ApplicationDeactivated(id, _) => self.change(*id, |app| app.active = false),
            IdentityEvent::ApplicationKeyRotated(id, body) => {
                self.change(*id, |app| app.public_key = body.public_key.clone());
            }
            IdentityEvent::ApplicationWebhookSecretRotated(id, body) => {
                self.change(*id, |app| app.webhook_secret.clone_from(&body.webhook_secret));
            }
            _ => {}
        }
    }

    fn put(&mut self, app: AppInfo) {
        let app = Arc::new(app);
        self.by_id.insert(app.id, app.clone());
        self.by_client.insert(app.client, app);
    }

    fn change(&mut self, id: ApplicationId, change: impl FnOnce(&mut AppInfo)) {
        if let Some(app) = self.by_id.get(&id) {
            let mut app = (**app).clone();
            change(&mut app);
            self.put(app);
        }
    }

    /// Everything, for a snapshot.
    pub fn listing(&self) -> Listing {
        Listing {
            applications: self.by_id.values().map(|app| (**app).clone()).collect(),
            auditors: self.auditors.iter().map(|(hash, id)| (hash.clone(), *id)).collect(),
            merchants: self.merchants.values().map(|merchant| (**merchant).clone()).collect(),
        }
    }
}

impl From<Listing> for Parties {
    fn from(listing: Listing) -> Self {
        let merchants = listing.merchants.into_iter().map(|merchant| (merchant.id, Arc::new(merchant))).collect();
        let mut parties = Parties { auditors: listing.auditors.into_iter().collect(), merchants, ..Parties::default() };
        listing.applications.into_iter().for_each(|app| parties.put(app));
        parties
    }
}

impl Directory {
    /// An application by its id.
    #[must_use]
    pub fn by_id(&self, id: ApplicationId) -> Option<Arc<AppInfo>> {
        self.parties.read().unwrap_or_else(PoisonError::into_inner).by_id.get(&id).cloned()
    }

    /// An application by its client id.
    #[must_use]
    pub fn by_client(&self, client: ClientId) -> Option<Arc<AppInfo>> {
        self.parties.read().unwrap_or_else(PoisonError::into_inner).by_client.get(&client).cloned()
    }

    /// A merchant by its id.
    #[must_use]
    pub fn merchant(&self, id: MerchantId) -> Option<Arc<MerchantInfo>> {
        self.parties.read().unwrap_or_else(PoisonError::into_inner).merchants.get(&id).cloned()
    }

    /// The auditor whose token has this SHA-256, in hex.
    #[must_use]
    pub fn auditor(&self, token_hash: &str) -> Option<AuditorId> {
        self.parties.read().unwrap_or_else(PoisonError::into_inner).auditors.get(token_hash).copied()
    }

    /// The name of an application; empty when there is none.
    #[must_use]
    pub fn name(&self, id: ApplicationId) -> Arc<str> {
        self.by_id(id).map_or_else(|| Arc::from(""), |app| app.name.clone())
    }

    /// Takes a durable event in. Payments concern nobody here, so most events leave readers alone.
    pub(crate) fn apply(&self, recorded: &Recorded) {
        if matches!(recorded.event, Event::Identity(_) | Event::Access(_) | Event::Merchant(_)) {
            self.parties.write().unwrap_or_else(PoisonError::into_inner).apply(&recorded.event);
        }
    }

    /// Replaces everything with what was read from the log.
    pub(crate) fn replace(&self, parties: Parties) {
        *self.parties.write().unwrap_or_else(PoisonError::into_inner) = parties;
    }
}
