//! What decisions need to know of applications, subjects and tags. Personal text is not part of it.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use serde::{Deserialize, Serialize};

use super::{Address, Handle, IdentityEvent, Refusal, TagCreated, TagQuery};
use crate::ids::{ApplicationId, SubjectId, TagId};
use crate::time::Instant;

/// A tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Application {
    /// Its name.
    pub name: Arc<str>,
    /// Its handle.
    pub handle: Handle,
    /// Whether it may act.
    pub active: bool,
    /// Where webhooks to it go.
    pub webhook_url: Option<Arc<str>>,
    /// 1, and one more with each rotation of its key.
    pub key_version: u32,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// Its address; never changes.
    pub address: Address,
    /// The application that made it.
    pub created_by: ApplicationId,
    /// The subject that owns it.
    pub owner: SubjectId,
    /// The application of the owner: the one that sends and receives for it.
    pub application: ApplicationId,
    /// Whether it may be used.
    pub active: bool,
}

/// The registry of applications, subjects and tags.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Identity {
    pub(super) applications: HashMap<ApplicationId, Application>,
    pub(super) names: HashSet<Arc<str>>,
    pub(super) handles: HashSet<Handle>,
    pub(super) subjects: HashMap<SubjectId, ApplicationId>,
    pub(super) erased: HashMap<SubjectId, Instant>,
    pub(super) external_ids: HashMap<ApplicationId, HashMap<Arc<str>, SubjectId>>,
    pub(super) tags: HashMap<TagId, Tag>,
    pub(super) by_address: HashMap<Address, TagId>,
    pub(super) by_local: HashMap<Arc<str>, Vec<TagId>>,
}

impl Identity {
    /// An application by its id.
    #[must_use]
    pub fn application(&self, id: ApplicationId) -> Option<&Application> {
        self.applications.get(&id)
    }

    /// The application of a subject.
    #[must_use]
    pub fn subject(&self, id: SubjectId) -> Option<ApplicationId> {
        self.subjects.get(&id).copied()
    }

    /// When a subject's personal text was erased.
    #[must_use]
    pub fn erased_at(&self, id: SubjectId) -> Option<Instant> {
        self.erased.get(&id).copied()
    }

    /// All subjects whose personal text was erased.
    pub fn erased(&self) -> impl Iterator<Item = SubjectId> {
        self.erased.keys().copied()
    }

    /// A tag by its id.
    #[must_use]
    pub fn tag(&self, id: TagId) -> Option<&Tag> {
        self.tags.get(&id)
    }

    /// Finds the one tag that a client means. Disabled tags count (`idaas.md` 6.1).
    ///
    /// # Errors
    /// [`Refusal::TagNotFound`] or [`Refusal::TagAmbiguous`].
    pub fn resolve(&self, query: &TagQuery) -> Result<(TagId, &Tag), Refusal> {
        let local = match query {
            TagQuery::Qualified(local, handle) => {
                let found =
                    self.by_address.get(&Address::new(local, handle)).and_then(|id| Some((*id, self.tags.get(id)?)));
                return found.ok_or(Refusal::TagNotFound);
            }
            TagQuery::Bare(local) => local,
        };
        let ids = self.by_local.get(local.as_str()).map(Vec::as_slice).unwrap_or_default();
        let mut found = ids.iter().filter_map(|id| self.tags.get(id).map(|tag| (*id, tag)));
        match (found.next(), found.next()) {
            (None, _) => Err(Refusal::TagNotFound),
            (Some(only), None) => Ok(only),
            _ => {
                let mut all: Vec<_> =
                    ids.iter().filter_map(|id| self.tags.get(id)).map(|tag| tag.address.to_string()).collect();
                all.sort();
                Err(Refusal::TagAmbiguous(all))
            }
        }
    }

    pub(crate) fn evolve(&mut self, event: &IdentityEvent, at: Instant) {
        match event {
            IdentityEvent::ApplicationRegistered(id, body) => {
                self.names.insert(body.name.clone());
                self.handles.insert(body.handle.clone());
                let application = Application {
                    name: body.name.clone(),
                    handle: body.handle.clone(),
                    active: true,
                    webhook_url: body.webhook_url.clone(),
                    key_version: 1,
                };
                self.applications.insert(*id, application);
            }
            IdentityEvent::ApplicationDeactivated(id, _) => {
                if let Some(application) = self.applications.get_mut(id) {
                    application.active = false;
                }
            }
            IdentityEvent::ApplicationKeyRotated(id, body) => {
                if let Some(application) = self.applications.get_mut(id) {
                    application.key_version = body.key_version;
                }
            }
            IdentityEvent::ApplicationWebhookSecretRotated(..) => {}
            IdentityEvent::SubjectCreated(id, body) => {
                self.subjects.insert(*id, body.application);
                self.external_ids.entry(body.application).or_default().insert(body.external_id.clone(), *id);
            }
            IdentityEvent::SubjectPatched(..) => {}
            IdentityEvent::SubjectErased(id, _) => {
                self.erased.insert(*id, at);
            }
            IdentityEvent::TagCreated(id, body) => self.add_tag(*id, body),
            IdentityEvent::TagDisabled(id, _) => self.set_active(*id, false),
            IdentityEvent::TagEnabled(id, _) => self.set_active(*id, true),
            IdentityEvent::TagTransferred(id, body) => {
                if let Some(tag) = self.tags.get_mut(id) {
                    (tag.owner, tag.application) = (body.owner, body.application);
                }
            }
        }
    }

    fn add_tag(&mut self, id: TagId, body: &TagCreated) {
        let tag = Tag {
            address: body.address(),
            created_by: body.application,
            owner: body.owner,
            application: body.application,
            active: true,
        };
        self.by_address.insert(tag.address.clone(), id);
        self.tags.insert(id, tag);
        self.by_local.entry(body.local.as_str().into()).or_default().push(id);
    }

    fn set_active(&mut self, id: TagId, active: bool) {
        if let Some(tag) = self.tags.get_mut(&id) {
            tag.active = active;
        }
    }
}
