//! What decisions need to know of federation links.

use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{FederationEvent, LinkInitiated};
use crate::ids::{ApplicationId, FederationId, LinkId, TagId};
use crate::time::Instant;
use crate::token::TokenHash;

/// Where a link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum LinkStatus {
    /// Waits for its proof.
    Pending,
    /// Proven.
    Verified,
    /// Ended.
    Revoked,
}

impl LinkStatus {
    /// All states.
    pub const ALL: [LinkStatus; 3] = [LinkStatus::Pending, LinkStatus::Verified, LinkStatus::Revoked];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            LinkStatus::Pending => "PENDING",
            LinkStatus::Verified => "VERIFIED",
            LinkStatus::Revoked => "REVOKED",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        LinkStatus::ALL.into_iter().find(|status| status.name() == name)
    }
}

/// A link from a tag to another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// Its id.
    pub id: LinkId,
    /// The federated identity that it is part of.
    pub identity: FederationId,
    /// The tag.
    pub tag: TagId,
    /// The other name.
    pub linked: Arc<str>,
    /// The other tag, where it is one of this ledger.
    pub linked_tag: Option<TagId>,
    /// Who began it.
    pub application: ApplicationId,
    /// Where it stands.
    pub status: LinkStatus,
    /// Until when the challenge works.
    pub expires_at: Instant,
}

impl Link {
    pub(super) fn new(identity: FederationId, event: &LinkInitiated) -> Self {
        Link {
            id: event.link,
            identity,
            tag: event.tag,
            linked: event.linked.clone(),
            linked_tag: event.linked_tag,
            application: event.application,
            status: LinkStatus::Pending,
            expires_at: event.expires_at,
        }
    }

    /// Whether the challenge works at `now`.
    #[must_use]
    pub fn is_open(&self, now: Instant) -> bool {
        self.status == LinkStatus::Pending && self.expires_at > now
    }
}

/// All links. An ended one is kept: its challenge must be told from one that never was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Federation {
    identities: HashMap<TagId, FederationId>,
    links: HashMap<LinkId, Link>,
    by_challenge: HashMap<TokenHash, LinkId>,
    /// Older links of the pair are ended, or pending with a lapsed challenge: they never come back to life.
    newest: HashMap<TagId, HashMap<Arc<str>, LinkId>>,
}

impl Federation {
    /// The federated identity of a tag.
    #[must_use]
    pub fn identity(&self, tag: TagId) -> Option<FederationId> {
        self.identities.get(&tag).copied()
    }

    /// A link by its id.
    #[must_use]
    pub fn link(&self, id: LinkId) -> Option<&Link> {
        self.links.get(&id)
    }

    /// A link by the digest of its challenge.
    #[must_use]
    pub fn by_challenge(&self, challenge: &TokenHash) -> Option<&Link> {
        self.by_challenge.get(challenge).and_then(|id| self.links.get(id))
    }

    /// The newest link of a tag to another name.
    #[must_use]
    pub fn newest(&self, tag: TagId, linked: &str) -> Option<&Link> {
        self.newest.get(&tag).and_then(|names| names.get(linked)).and_then(|id| self.links.get(id))
    }

    pub(crate) fn evolve(&mut self, event: &FederationEvent) {
        match event {
            FederationEvent::LinkInitiated(identity, body) => {
                self.identities.entry(body.tag).or_insert(*identity);
                self.links.insert(body.link, Link::new(*identity, body));
                self.by_challenge.insert(body.challenge, body.link);
                self.newest.entry(body.tag).or_default().insert(body.linked.clone(), body.link);
            }
            FederationEvent::LinkVerified(_, body) => self.set(body.link, LinkStatus::Verified),
            FederationEvent::LinkRevoked(_, body) => self.set(body.link, LinkStatus::Revoked),
        }
    }

    fn set(&mut self, id: LinkId, status: LinkStatus) {
        if let Some(link) = self.links.get_mut(&id) {
            link.status = status;
        }
    }
}
