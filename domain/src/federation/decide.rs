//! Decisions on federation links.

use std::sync::Arc;

use super::{
    FederationEvent, InitiateLink, Link, LinkInitiated, LinkRevoked, LinkStatus, LinkVerified, Refusal, RevokeLink,
    VerifyLink,
};
use crate::decision::{Command, Context, Decision};
use crate::event::Actor;
use crate::identity::{self, TagQuery};
use crate::ids::{ApplicationId, FederationId, LinkId, TagId};
use crate::ledger::Ledger;

/// What a link goes to: a tag of this ledger with its address, or a name of another place.
struct Target {
    name: Arc<str>,
    tag: Option<TagId>,
}

impl Command for InitiateLink {
    /// The new link.
    type Outcome = Link;
    const NAME: &'static str = "InitiateLink";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// Order of checks: tag, ownership, target, no other live link.
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Link> {
        let (tag, target) = match self.check(ledger, context) {
            Ok(found) => found,
            Err(refusal) => return Decision { events: Vec::new(), outcome: Err(refusal) },
        };
        let known = ledger.federation.identity(tag);
        let identity = known.unwrap_or_else(|| FederationId::from_uuid(context.ids.uuid()));
        let id = LinkId::from_uuid(context.ids.uuid());
        let body = LinkInitiated {
            application: self.caller,
            challenge: self.challenge,
            expires_at: context.now.plus(context.policy.consent_ttl),
            link: id,
            linked: target.name,
            linked_tag: target.tag,
            method: self.method.clone(),
            tag,
        };
        let link = Link::new(identity, &body);
        Decision::accept(link, [FederationEvent::LinkInitiated(identity, body)])
    }
}

impl InitiateLink {
    fn check(&self, ledger: &Ledger, context: &Context<'_>) -> Result<(TagId, Target), crate::decision::Refusal> {
        let (id, tag) = ledger.identity.resolve(&self.tag)?;
        if tag.application != self.caller {
            return Err(identity::Refusal::Denied.into());
        }
        let target = self.target(ledger)?;
        if target.tag == Some(id) {
            return Err(Refusal::SameTag.into());
        }
        match ledger.federation.newest(id, &target.name) {
            Some(link) if link.status == LinkStatus::Verified || link.is_open(context.now) => {
                Err(Refusal::LinkExists.into())
            }
            _ => Ok((id, target)),
        }
    }

    /// A name that several tags have is refused: proof would be asked of nobody in particular.
    fn target(&self, ledger: &Ledger) -> Result<Target, identity::Refusal> {
        let elsewhere = || Ok(Target { name: self.secondary.clone(), tag: None });
        let Ok(query) = TagQuery::parse(&self.secondary) else { return elsewhere() };
        match ledger.identity.resolve(&query) {
            Ok((id, tag)) => Ok(Target { name: tag.address.as_str().into(), tag: Some(id) }),
            Err(identity::Refusal::TagNotFound) => elsewhere(),
            Err(refusal) => Err(refusal),
        }
    }
}

fn owner(ledger: &Ledger, tag: TagId) -> Option<ApplicationId> {
    ledger.identity.tag(tag).map(|tag| tag.application)
}

/// Who may prove a link: whoever owns the other tag now; nobody but the initiator can for a name of another place.
fn verifier(ledger: &Ledger, link: &Link) -> Option<ApplicationId> {
    match link.linked_tag {
        Some(tag) => owner(ledger, tag),
        None => Some(link.application),
    }
}

impl Command for VerifyLink {
    type Outcome = Link;
    const NAME: &'static str = "VerifyLink";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// Order of checks: known, the caller's to prove, still open (`idaas.md` C-10).
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Link> {
        let Some(link) = ledger.federation.by_challenge(&self.challenge) else {
            return Decision::refuse(Refusal::ChallengeNotFound);
        };
        if verifier(ledger, link) != Some(self.caller) {
            return Decision::refuse(Refusal::NotParty);
        }
        if !link.is_open(context.now) {
            return Decision::refuse(Refusal::ChallengeOver);
        }
        let body = LinkVerified { link: link.id, verified_by: self.caller };
        let verified = Link { status: LinkStatus::Verified, ..link.clone() };
        Decision::accept(verified, [FederationEvent::LinkVerified(link.identity, body)])
    }
}

impl Command for RevokeLink {
    type Outcome = ();
    const NAME: &'static str = "RevokeLink";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let Some(link) = ledger.federation.link(self.link) else {
            return Decision::refuse(Refusal::LinkNotFound);
        };
        let parties = [Some(link.application), owner(ledger, link.tag), verifier(ledger, link)];
        if !parties.contains(&Some(self.caller)) {
            return Decision::refuse(Refusal::NotParty);
        }
        if link.status == LinkStatus::Revoked {
            return Decision::unchanged(());
        }
        let event = FederationEvent::LinkRevoked(link.identity, LinkRevoked { link: link.id });
        Decision::accept((), [event])
    }
}
