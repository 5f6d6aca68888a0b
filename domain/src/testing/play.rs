//! Random histories: every context of the ledger at work, driven by dice.

use super::{Dice, World};
use crate::access::{AddAuditor, RemoveAuditor};
use crate::consent::{ApproveClaim, DenyClaim, RequestClaim, RevokeClaim};
use crate::event::Actor;
use crate::federation::{InitiateLink, RevokeLink, VerifyLink};
use crate::identity::{
    DeactivateApplication, EraseSubject, Handle, Local, PatchSubject, Profile, PublicKey, RotateKey,
    RotateWebhookSecret, SetTagActive, TagQuery, TransferTag,
};
use crate::ids::{ApplicationId, AuditorId, ClaimId, Ids, LinkId, MerchantId, Position, Reference, SubjectId};
use crate::merchants::{
    AcceptRequest, CancelRequest, CreateRequest, DeclineRequest, ExpireRequest, RegisterMerchant, RequestNumber,
};
use crate::money::{Amount, Currency, Money};
use crate::payments::{Accept, Expire, Reject, SCALE};
use crate::settlement::RunSettlement;
use crate::time::{Date, Span};
use crate::token::TokenHash;
use crate::webhooks::{Outcome, Owed, RecordAttempt};

impl World {
    /// A random history of `steps` steps, the same for the same seed: payments between a few applications in two
    /// currencies, accepted, rejected or left to lapse, with settlements, late entries and disabled tags between;
    /// claims, transfers of tags, links, merchants and their requests, deliveries, keys and auditors.
    #[must_use]
    pub fn random(seed: u64, steps: usize) -> World {
        let mut world = World::default();
        world.open_log();
        let mut play = Play { dice: Dice::new(seed), ..Play::default() };
        for step in 0..steps {
            play.step(&mut world, step);
        }
        world
    }
}

/// A subject with a tag, which may be another's by now.
#[derive(Clone)]
struct Person {
    application: ApplicationId,
    subject: SubjectId,
    tag: TagQuery,
}

/// A payment request and who knows of it.
#[derive(Clone)]
struct Asked {
    merchant: MerchantId,
    payer: ApplicationId,
    number: RequestNumber,
    reference: std::sync::Arc<str>,
}

/// What a history remembers of itself, to go on with. Much of what it tries is refused, as in life.
struct Play {
    dice: Dice,
    applications: Vec<ApplicationId>,
    people: Vec<Person>,
    open: Vec<(Reference, ApplicationId)>,
    claims: Vec<(ClaimId, ApplicationId, TokenHash)>,
    links: Vec<(LinkId, TokenHash)>,
    merchants: Vec<MerchantId>,
    requests: Vec<Asked>,
    auditors: Vec<AuditorId>,
}

impl Default for Play {
    fn default() -> Self {
        Play {
            dice: Dice::new(0),
            applications: Vec::new(),
            people: Vec::new(),
            open: Vec::new(),
            claims: Vec::new(),
            links: Vec::new(),
            merchants: Vec::new(),
            requests: Vec::new(),
            auditors: Vec::new(),
        }
    }
}

impl Play {
    fn step(&mut self, world: &mut World, step: usize) {
        world.wait(u32::try_from(self.dice.below(900)).unwrap_or(0));
        match self.dice.below(125) {
            _ if self.applications.len() < 2 => self.join(world, step),
            0..=1 => self.join(world, step),
            2..=5 => self.add_tag(world, step),
            6..=49 => self.initiate(world),
            50..=79 => self.accept(world),
            80..=86 => self.reject(world),
            87..=91 => self.expire(world),
            92..=94 => self.settle(world),
            95 => world.wait(40_000),
            96..=97 => self.deliver(world),
            98..=99 => self.switch(world),
            100..=102 => self.claim(world),
            103..=104 => self.answer_claim(world),
            105..=107 => self.link(world),
            108..=109 => self.answer_link(world),
            110..=115 => self.ask(world),
            116..=121 => self.answer_request(world),
            122..=123 => self.change(world),
            _ => self.audit(world),
        }
    }

    fn join(&mut self, world: &mut World, step: usize) {
        let Ok(handle) = Handle::new(&format!("app-{step}{}", if step.is_multiple_of(4) { "x" } else { "" })) else {
            return;
        };
        if let Ok(id) = world.application(&handle) {
            self.applications.push(id);
            self.add_tag(world, step);
            self.add_tag(world, step + 1_000_000);
        }
    }

    fn add_tag(&mut self, world: &mut World, step: usize) {
        let Some(application) = self.dice.pick(&self.applications).copied() else { return };
        let Ok(local) = Local::new(&format!("tag-{step}")) else { return };
        if let Ok(subject) = world.tag(application, &local) {
            self.people.push(Person { application, subject, tag: TagQuery::Bare(local) });
        }
    }

    fn initiate(&mut self, world: &mut World) {
        let (Some(from), Some(to)) = (self.person(), self.person()) else { return };
        let code = if self.dice.below(4) == 0 { "USD" } else { "NGN" };
        let minor = i128::from(self.dice.bits() % 1_000_000_000) + 1;
        if let Ok(payment) = world.initiate(from.application, (&from.tag, &to.tag), minor, code) {
            self.open.push((payment.reference, payment.receiver.application));
        }
    }

    fn person(&mut self) -> Option<Person> {
        self.dice.pick(&self.people).cloned()
    }

    fn token(&mut self) -> TokenHash {
        let mut digest = [0; 32];
        digest.chunks_mut(8).for_each(|part| part.copy_from_slice(&self.dice.bits().to_be_bytes()));
        TokenHash::new(digest)
    }

    fn take(&mut self) -> Option<(Reference, ApplicationId)> {
        let at = self.dice.below(self.open.len());
        (at < self.open.len()).then(|| self.open.swap_remove(at))
    }

    fn accept(&mut self, world: &mut World) {
        let Some((reference, caller)) = self.take() else { return };
        let _refused_when_overdue = world.give(&Accept { caller, reference });
    }

    fn reject(&mut self, world: &mut World) {
        let Some((reference, caller)) = self.take() else { return };
        let reason = (self.dice.below(2) == 0).then(|| "no".into());
        let _refused_when_overdue = world.give(&Reject { caller, reference, reason });
    }

    fn expire(&mut self, world: &mut World) {
        let overdue: Vec<_> = world.ledger.payments.overdue(world.now).take(5).collect();
        for reference in overdue {
            let _always_fine = world.give(&Expire { reference });
        }
        let overdue: Vec<_> = world.ledger.merchants.overdue(world.now).take(5).collect();
        for number in overdue {
            let _always_fine = world.give(&ExpireRequest { number });
        }
    }

    fn settle(&mut self, world: &mut World) {
        let open: Vec<Date> = world.ledger.settlement.open_until(world.now.date()).collect();
        for date in open {
            let _always_fine = world.give(&RunSettlement { actor: Actor::System, date });
        }
    }

    /// Reports an attempt for some of the webhooks that are owed.
    fn deliver(&mut self, world: &mut World) {
        let owed: Vec<Owed> = world.ledger.webhooks.owed_after(Position::START).take(12).cloned().collect();
        for Owed { id, transaction, direction, delivery, .. } in owed {
            let outcome = match self.dice.below(5) {
                0 => continue,
                1..=2 => Outcome::Failed("HTTP 503".into()),
                _ => Outcome::Delivered,
            };
            let (attempt, at) = (delivery.attempts + 1, world.now);
            let _always_fine = world.give(&RecordAttempt { webhook: id, transaction, direction, attempt, at, outcome });
        }
    }

    fn switch(&mut self, world: &mut World) {
        if self.dice.below(12) == 0 {
            let Some(application) = self.dice.pick(&self.applications).copied() else { return };
            let command = DeactivateApplication { caller: application, admin: false, application };
            let _always_fine = world.give(&command);
        } else if let Some(Person { application: caller, tag, .. }) = self.person() {
            let active = self.dice.below(3) > 0;
            let _refused_after_a_transfer = world.give(&SetTagActive { caller, tag, active });
        }
    }

    fn claim(&mut self, world: &mut World) {
        let (Some(asking), Some(owner)) = (self.person(), self.person()) else { return };
        let (caller, token) = (asking.application, self.token());
        let command = RequestClaim { caller, tag: owner.tag, subject: asking.subject, token };
        if let Ok(claim) = world.give(&command) {
            self.claims.push((claim.id, caller, token));
        }
    }

    /// Decides about a claim, or uses it: the tag changes hands.
    fn answer_claim(&mut self, world: &mut World) {
        let Some((claim, caller, token)) = self.dice.pick(&self.claims).copied() else { return };
        match self.dice.below(6) {
            0 => drop(world.give(&DenyClaim { token })),
            1 => drop(world.give(&RevokeClaim { caller, claim })),
            _ => drop(world.give(&ApproveClaim { token })),
        }
        let Some(claim) = world.ledger.consent.claim(claim).cloned() else { return };
        let Some(tag) = world.ledger.identity.tag(claim.tag) else { return };
        let (caller, tag) = (tag.application, TagQuery::parse(tag.address.as_str()));
        if let (0, Ok(tag)) = (self.dice.below(3), tag) {
            let _refused_without_consent = world.give(&TransferTag { caller, tag, owner: claim.subject });
        }
    }

    fn link(&mut self, world: &mut World) {
        let (Some(person), Some(other)) = (self.person(), self.person()) else { return };
        let (caller, tag, challenge) = (person.application, person.tag, self.token());
        let secondary = match (self.dice.below(3), other.tag) {
            (0, _) => "elsewhere|1".into(),
            (_, TagQuery::Bare(local)) => local.as_str().into(),
            (_, _) => return,
        };
        if let Ok(link) = world.give(&InitiateLink { caller, tag, secondary, method: "TOKEN".into(), challenge }) {
            self.links.push((link.id, challenge));
        }
    }

    fn answer_link(&mut self, world: &mut World) {
        let Some((link, challenge)) = self.dice.pick(&self.links).copied() else { return };
        let Some(known) = world.ledger.federation.link(link) else { return };
        let owner = known.linked_tag.and_then(|tag| world.ledger.identity.tag(tag)).map(|tag| tag.application);
        let caller = owner.unwrap_or(known.application);
        match self.dice.below(3) {
            0 => drop(world.give(&RevokeLink { caller, link })),
            _ => drop(world.give(&VerifyLink { caller, challenge })),
        }
    }

    fn ask(&mut self, world: &mut World) {
        let (Some(payer), Some(payee)) = (self.person(), self.person()) else { return };
        if self.merchants.len() < 2 {
            let (id, key) = (MerchantId::from_uuid(world.ids.uuid()), self.token());
            let (name, location) = (format!("Merchant of {}", payee.application).into(), "main".into());
            let command = RegisterMerchant { id, name, tag: payee.tag, key, location, idempotency: None };
            if world.give(&command).is_ok() {
                self.merchants.push(id);
            }
        }
        let Some(merchant) = self.dice.pick(&self.merchants).copied() else { return };
        let Ok(currency) = Currency::new("NGN", SCALE) else { return };
        let amount = Amount::from_minor(i128::from(self.dice.bits() % 1_000_000) + 1);
        let command = CreateRequest {
            merchant,
            payer: payer.tag,
            money: Money { amount, currency },
            reference: None,
            comment: (self.dice.below(2) == 0).then(|| "zwei Kaffee ☕".into()),
            metadata: (self.dice.below(3) == 0).then(|| "{\"table\":4}".into()),
            duration: Span::from_seconds(7200),
        };
        if let Ok(request) = world.give(&command) {
            let owner = world.ledger.identity.tag(request.payer).map(|tag| tag.application);
            let (payer, number) = (owner.unwrap_or(payer.application), request.number);
            self.requests.push(Asked { merchant, payer, number, reference: request.reference });
        }
    }

    fn answer_request(&mut self, world: &mut World) {
        let open: Vec<_> =
            self.requests.iter().filter(|one| world.ledger.merchants.pending(one.number).is_some()).collect();
        let Some(Asked { merchant, payer: caller, reference, .. }) = self.dice.pick(&open).copied().cloned() else {
            return;
        };
        match self.dice.below(6) {
            0 => drop(world.give(&DeclineRequest { caller, reference })),
            1 => drop(world.give(&CancelRequest { merchant, reference })),
            _ => drop(world.give(&AcceptRequest { caller, reference })),
        }
    }

    /// Changes of keys and personal texts.
    fn change(&mut self, world: &mut World) {
        let Some(Person { application: caller, subject, .. }) = self.person() else { return };
        match self.dice.below(5) {
            0 => {
                let public_key = PublicKey { x: format!("x{}", self.dice.below(99)), y: "y".to_owned() };
                drop(world.give(&RotateKey { caller, public_key }));
            }
            1 => drop(world.give(&RotateWebhookSecret { caller, webhook_secret: "bmV3".to_owned() })),
            2 => drop(world.give(&EraseSubject { subject })),
            _ => {
                let profile = Profile { email: Some("someone@example.com".into()), ..Profile::default() };
                drop(world.give(&PatchSubject { caller, subject, profile }));
            }
        }
    }

    fn audit(&mut self, world: &mut World) {
        if let (0, Some(id)) = (self.dice.below(2), self.dice.pick(&self.auditors).copied()) {
            return drop(world.give(&RemoveAuditor { id }));
        }
        let (id, token) = (AuditorId::from_uuid(world.ids.uuid()), self.token());
        let name = format!("Auditor {}", self.auditors.len());
        if world.give(&AddAuditor { id, name, token_hash: hex(token.bytes()), idempotency: None }).is_ok() {
            self.auditors.push(id);
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::testing::reads_back;

    /// What tests over random histories cover, they cover for every kind of event.
    #[test]
    fn random_histories_hold_every_kind_of_event() {
        let mut seen = BTreeSet::new();
        for seed in 0..12 {
            let world = World::random(seed, 600);
            assert!(reads_back(&world.history), "seed {seed}");
            seen.extend(world.history.iter().map(|recorded| recorded.event.kind()));
        }
        let kinds = [
            "application.deactivated",
            "application.key_rotated",
            "application.webhook_secret_rotated",
            "auditor.added",
            "auditor.removed",
            "claim.approved",
            "claim.denied",
            "claim.requested",
            "claim.revoked",
            "federation.link_initiated",
            "federation.link_revoked",
            "federation.link_verified",
            "merchant.registered",
            "payment_request.accepted",
            "payment_request.cancelled",
            "payment_request.created",
            "payment_request.declined",
            "payment_request.expired",
            "settlement.completed",
            "subject.erased",
            "subject.patched",
            "tag.disabled",
            "tag.enabled",
            "tag.transferred",
            "transaction.accepted",
            "transaction.expired",
            "transaction.rejected",
            "webhook.attempt_failed",
            "webhook.delivered",
            "webhook.failed",
        ];
        for kind in kinds {
            assert!(seen.contains(kind), "{kind} is missing: {seen:?}");
        }
    }
}
