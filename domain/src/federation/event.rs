//! Events of federation links. Field names stand in sorted order: it is the order in the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::{ApplicationId, FederationId, LinkId, TagId};
use crate::time::Instant;
use crate::token::TokenHash;

/// A link was begun. The first one of a tag begins its federated identity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInitiated {
    /// Who began it.
    pub application: ApplicationId,
    /// The digest of the challenge.
    pub challenge: TokenHash,
    /// Until when the challenge works.
    pub expires_at: Instant,
    /// The link.
    pub link: LinkId,
    /// The other name: a qualified address where it is a tag of this ledger.
    pub linked: Arc<str>,
    /// The other tag, where it is one of this ledger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub linked_tag: Option<TagId>,
    /// How it will be proven.
    pub method: Arc<str>,
    /// The tag that is linked.
    pub tag: TagId,
}

/// A link was proven by an application, which the actor names as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkVerified {
    /// The link.
    pub link: LinkId,
    /// Who proved it.
    pub verified_by: ApplicationId,
}

/// A link was ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkRevoked {
    /// The link.
    pub link: LinkId,
}

plain_body! {
    LinkInitiated;
    LinkVerified;
    LinkRevoked;
}

events! {
    /// What happens to federated identities.
    FederationEvent {
        /// A link was begun.
        LinkInitiated(Federation FederationId, LinkInitiated) = "federation.link_initiated";
        /// A link was proven.
        LinkVerified(Federation FederationId, LinkVerified) = "federation.link_verified";
        /// A link was ended.
        LinkRevoked(Federation FederationId, LinkRevoked) = "federation.link_revoked";
    }
}
