//! Commands on federation links.

use std::sync::Arc;

use crate::identity::TagQuery;
use crate::ids::{ApplicationId, LinkId};
use crate::token::TokenHash;

/// Begins a link from a tag to another name.
#[derive(Clone)]
pub struct InitiateLink {
    /// Who asks; must own the tag.
    pub caller: ApplicationId,
    /// The tag that is linked.
    pub tag: TagQuery,
    /// The other name, trimmed. Where it names a tag of this ledger, that tag is meant.
    pub secondary: Arc<str>,
    /// How the link will be proven, in the caller's words.
    pub method: Arc<str>,
    /// The digest of the challenge, which is answered once and then forgotten.
    pub challenge: TokenHash,
}

/// Proves a link.
#[derive(Debug, Clone)]
pub struct VerifyLink {
    /// Who asks: the application of the linked tag, or the initiating one when the name is none of this ledger's.
    pub caller: ApplicationId,
    /// The digest of the challenge.
    pub challenge: TokenHash,
}

/// Ends a link. Repeating it is fine.
#[derive(Debug, Clone)]
pub struct RevokeLink {
    /// Who asks: an application that owns one of the two tags, or the initiating one.
    pub caller: ApplicationId,
    /// Which link.
    pub link: LinkId,
}
