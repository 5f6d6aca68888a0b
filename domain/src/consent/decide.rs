//! Decisions on claims.

use super::{
    ApproveClaim, Claim, ClaimApproved, ClaimDenied, ClaimRequested, ClaimRevoked, ClaimState, ConsentEvent, DenyClaim,
    Refusal, RequestClaim, RevokeClaim,
};
use crate::decision::{Command, Context, Decision};
use crate::event::Actor;
use crate::identity;
use crate::ids::{ClaimId, TagId};
use crate::ledger::Ledger;
use crate::token::TokenHash;

impl Command for RequestClaim {
    type Outcome = Claim;
    const NAME: &'static str = "RequestClaim";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// Order of checks: tag, subject, ownership of the subject, usable, no other live claim.
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Claim> {
        let tag = match self.check(ledger, context) {
            Ok(tag) => tag,
            Err(refusal) => return Decision { events: Vec::new(), outcome: Err(refusal) },
        };
        let id = ClaimId::from_uuid(context.ids.uuid());
        let body = ClaimRequested {
            application: self.caller,
            expires_at: context.now.plus(context.policy.consent_ttl),
            subject: self.subject,
            tag,
            token: self.token,
        };
        let claim = Claim {
            id,
            tag,
            subject: self.subject,
            application: self.caller,
            state: ClaimState::Pending,
            requested_at: context.now,
            expires_at: body.expires_at,
            approved_at: None,
            revoked_at: None,
        };
        Decision::accept(claim, [ConsentEvent::Requested(id, body)])
    }
}

impl RequestClaim {
    fn check(&self, ledger: &Ledger, context: &Context<'_>) -> Result<TagId, crate::decision::Refusal> {
        let (id, tag) = ledger.identity.resolve(&self.tag)?;
        match ledger.identity.subject(self.subject) {
            None => return Err(identity::Refusal::SubjectNotFound.into()),
            Some(application) if application != self.caller => return Err(identity::Refusal::SubjectForeign.into()),
            Some(_) => {}
        }
        if !tag.active {
            return Err(Refusal::TagDisabled.into());
        }
        match ledger.consent.newest(id, self.subject) {
            Some(claim) if claim.state == ClaimState::Active => Err(Refusal::AlreadyActive.into()),
            Some(claim) if claim.is_open(context.now) => Err(Refusal::AlreadyPending.into()),
            _ => Ok(id),
        }
    }
}

/// The claim that waits for the holder of a token: known, then pending, then in time.
fn open<'a>(ledger: &'a Ledger, context: &Context<'_>, token: &TokenHash) -> Result<&'a Claim, Refusal> {
    let claim = ledger.consent.by_token(token).ok_or(Refusal::ConsentNotFound)?;
    match claim.state {
        ClaimState::Pending if claim.is_open(context.now) => Ok(claim),
        ClaimState::Pending => Err(Refusal::TokenExpired),
        _ => Err(Refusal::NotPending),
    }
}

impl Command for ApproveClaim {
    type Outcome = Claim;
    const NAME: &'static str = "ApproveClaim";

    fn actor(&self) -> Actor {
        Actor::Public
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Claim> {
        match open(ledger, context, &self.token) {
            Ok(claim) => Decision::accept(
                claim.clone().then(ClaimState::Active, context.now),
                [ConsentEvent::Approved(claim.id, ClaimApproved {})],
            ),
            Err(refusal) => Decision::refuse(refusal),
        }
    }
}

impl Command for DenyClaim {
    type Outcome = Claim;
    const NAME: &'static str = "DenyClaim";

    fn actor(&self) -> Actor {
        Actor::Public
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Claim> {
        match open(ledger, context, &self.token) {
            Ok(claim) => Decision::accept(
                claim.clone().then(ClaimState::Denied, context.now),
                [ConsentEvent::Denied(claim.id, ClaimDenied {})],
            ),
            Err(refusal) => Decision::refuse(refusal),
        }
    }
}

impl Command for RevokeClaim {
    type Outcome = Claim;
    const NAME: &'static str = "RevokeClaim";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// A claim of others is not found (`idaas.md` 7).
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Claim> {
        let owner = |claim: &Claim| ledger.identity.tag(claim.tag).map(|tag| tag.application);
        let part = |claim: &&Claim| claim.application == self.caller || owner(claim) == Some(self.caller);
        let Some(claim) = ledger.consent.claim(self.claim).filter(part) else {
            return Decision::refuse(Refusal::ClaimNotFound);
        };
        match claim.state {
            ClaimState::Pending | ClaimState::Active => Decision::accept(
                claim.clone().then(ClaimState::Revoked, context.now),
                [ConsentEvent::Revoked(claim.id, ClaimRevoked {})],
            ),
            ClaimState::Denied | ClaimState::Revoked => Decision::refuse(Refusal::NotRevocable),
        }
    }
}
