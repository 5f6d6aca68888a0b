//! What decisions need to know of claims.

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{ClaimRequested, ConsentEvent};
use crate::ids::{ApplicationId, ClaimId, SubjectId, TagId};
use crate::time::Instant;
use crate::token::TokenHash;

/// Where a claim stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ClaimState {
    /// Waits for consent.
    Pending,
    /// Consent was given.
    Active,
    /// Consent was refused.
    Denied,
    /// Ended by one of its sides.
    Revoked,
}

impl ClaimState {
    /// All states.
    pub const ALL: [ClaimState; 4] = [ClaimState::Pending, ClaimState::Active, ClaimState::Denied, ClaimState::Revoked];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            ClaimState::Pending => "PENDING",
            ClaimState::Active => "ACTIVE",
            ClaimState::Denied => "DENIED",
            ClaimState::Revoked => "REVOKED",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        ClaimState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A claim of a subject on a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Its id; the id of the consent as well.
    pub id: ClaimId,
    /// The tag.
    pub tag: TagId,
    /// The subject that wants to use it.
    pub subject: SubjectId,
    /// The application of that subject, which asked.
    pub application: ApplicationId,
    /// Where it stands.
    pub state: ClaimState,
    /// When it was asked for.
    pub requested_at: Instant,
    /// Until when the consent token works.
    pub expires_at: Instant,
    /// When consent was given.
    pub approved_at: Option<Instant>,
    /// When it was ended.
    pub revoked_at: Option<Instant>,
}

impl Claim {
    fn new(id: ClaimId, event: &ClaimRequested, at: Instant) -> Self {
        Claim {
            id,
            tag: event.tag,
            subject: event.subject,
            application: event.application,
            state: ClaimState::Pending,
            requested_at: at,
            expires_at: event.expires_at,
            approved_at: None,
            revoked_at: None,
        }
    }

    /// Whether the consent token works at `now`.
    #[must_use]
    pub fn is_open(&self, now: Instant) -> bool {
        self.state == ClaimState::Pending && self.expires_at > now
    }

    /// The claim as an event at `at` leaves it.
    #[must_use]
    pub(super) fn then(mut self, state: ClaimState, at: Instant) -> Self {
        self.state = state;
        match state {
            ClaimState::Active => self.approved_at = Some(at),
            ClaimState::Revoked => self.revoked_at = Some(at),
            ClaimState::Pending | ClaimState::Denied => {}
        }
        self
    }
}

/// All claims. A final one is kept: its token must be told from one that never was.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Consent {
    claims: HashMap<ClaimId, Claim>,
    by_token: HashMap<TokenHash, ClaimId>,
    /// Older claims of the pair are final, or pending with a lapsed token: they never come back to life.
    newest: HashMap<(TagId, SubjectId), ClaimId>,
}

impl Consent {
    /// A claim by its id.
    #[must_use]
    pub fn claim(&self, id: ClaimId) -> Option<&Claim> {
        self.claims.get(&id)
    }

    /// A claim by the number of its consent token.
    #[must_use]
    pub fn by_token(&self, token: &TokenHash) -> Option<&Claim> {
        self.by_token.get(token).and_then(|id| self.claims.get(id))
    }

    /// The newest claim of a subject on a tag.
    #[must_use]
    pub fn newest(&self, tag: TagId, subject: SubjectId) -> Option<&Claim> {
        self.newest.get(&(tag, subject)).and_then(|id| self.claims.get(id))
    }

    /// Whether a subject holds an active claim on a tag.
    #[must_use]
    pub fn is_active(&self, tag: TagId, subject: SubjectId) -> bool {
        self.newest(tag, subject).is_some_and(|claim| claim.state == ClaimState::Active)
    }

    pub(crate) fn evolve(&mut self, event: &ConsentEvent, at: Instant) {
        match event {
            ConsentEvent::Requested(id, body) => {
                self.claims.insert(*id, Claim::new(*id, body, at));
                self.by_token.insert(body.token, *id);
                self.newest.insert((body.tag, body.subject), *id);
            }
            ConsentEvent::Approved(id, _) => self.set(*id, ClaimState::Active, at),
            ConsentEvent::Denied(id, _) => self.set(*id, ClaimState::Denied, at),
            ConsentEvent::Revoked(id, _) => self.set(*id, ClaimState::Revoked, at),
        }
    }

    fn set(&mut self, id: ClaimId, state: ClaimState, at: Instant) {
        if let Some(claim) = self.claims.get_mut(&id) {
            *claim = claim.clone().then(state, at);
        }
    }
}
