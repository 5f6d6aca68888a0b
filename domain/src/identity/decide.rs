//! Decisions on applications, subjects and tags.

use super::{
    ApplicationDeactivated, ApplicationKeyRotated, ApplicationRegistered, ApplicationWebhookSecretRotated,
    CreateSubject, CreateTag, DeactivateApplication, EraseSubject, Identity, IdentityEvent, PatchSubject, Profile,
    Refusal, RegisterApplication, RotateKey, RotateWebhookSecret, SetTagActive, SubjectCreated, SubjectErased,
    SubjectPatched, TagCreated, TagDisabled, TagEnabled, TagTransferred, TransferTag,
};
use crate::decision::{Command, Context, Decision};
use crate::event::Actor;
use crate::ids::{SubjectId, TagId};
use crate::ledger::Ledger;
use crate::personal::Personal;
use crate::time::Instant;

impl Command for RegisterApplication {
    type Outcome = ();
    const NAME: &'static str = "RegisterApplication";

    fn actor(&self) -> Actor {
        Actor::Public
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let Identity { names, handles, .. } = &ledger.identity;
        if names.contains(&self.name) {
            return Decision::refuse(Refusal::NameTaken);
        }
        if handles.contains(&self.handle) {
            return Decision::refuse(Refusal::HandleTaken);
        }
        let body = ApplicationRegistered {
            client: self.client,
            encryption_enabled: true,
            handle: self.handle.clone(),
            metadata: self.metadata.clone(),
            name: self.name.clone(),
            public_key: self.public_key.clone(),
            redirect_uris: self.redirect_uris.clone(),
            secret_hash: self.secret_hash.clone(),
            webhook_secret: self.webhook_secret.clone(),
            webhook_url: self.webhook_url.clone(),
        };
        Decision::accept((), [IdentityEvent::ApplicationRegistered(self.id, body)])
    }
}

impl Command for DeactivateApplication {
    type Outcome = ();
    const NAME: &'static str = "DeactivateApplication";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let Some(application) = ledger.identity.application(self.application) else {
            return Decision::refuse(Refusal::ApplicationNotFound);
        };
        if self.application != self.caller && !self.admin {
            return Decision::refuse(Refusal::Denied);
        }
        if !application.active {
            return Decision::unchanged(());
        }
        let event = IdentityEvent::ApplicationDeactivated(self.application, ApplicationDeactivated {});
        Decision::accept((), [event])
    }
}

impl Command for RotateKey {
    /// The version of the new key.
    type Outcome = u32;
    const NAME: &'static str = "RotateKey";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<u32> {
        let Some(application) = ledger.identity.application(self.caller) else {
            return Decision::refuse(Refusal::ApplicationNotFound);
        };
        let key_version = application.key_version.saturating_add(1);
        let body = ApplicationKeyRotated { key_version, public_key: self.public_key.clone() };
        Decision::accept(key_version, [IdentityEvent::ApplicationKeyRotated(self.caller, body)])
    }
}

impl Command for RotateWebhookSecret {
    type Outcome = ();
    const NAME: &'static str = "RotateWebhookSecret";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        if ledger.identity.application(self.caller).is_none() {
            return Decision::refuse(Refusal::ApplicationNotFound);
        }
        let body = ApplicationWebhookSecretRotated { webhook_secret: self.webhook_secret.clone() };
        Decision::accept((), [IdentityEvent::ApplicationWebhookSecretRotated(self.caller, body)])
    }
}

/// Display name, e-mail, picture and metadata as texts of `subject`.
fn texts(subject: SubjectId, profile: &Profile) -> [Option<Personal>; 4] {
    [&profile.display_name, &profile.email, &profile.image_url, &profile.metadata]
        .map(|text| text.as_ref().map(|text| Personal::clear(subject, text.clone())))
}

impl Command for CreateSubject {
    type Outcome = ();
    const NAME: &'static str = "CreateSubject";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let taken =
            ledger.identity.external_ids.get(&self.caller).is_some_and(|ids| ids.contains_key(&self.external_id));
        if taken {
            return Decision::refuse(Refusal::ExternalIdTaken);
        }
        let [display_name, email, image_url, metadata] = texts(self.id, &self.profile);
        let external_id = self.external_id.clone();
        let body = SubjectCreated { application: self.caller, display_name, email, external_id, image_url, metadata };
        Decision::accept((), [IdentityEvent::SubjectCreated(self.id, body)])
    }
}

impl Command for PatchSubject {
    type Outcome = ();
    const NAME: &'static str = "PatchSubject";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        if ledger.identity.subject(self.subject) != Some(self.caller) {
            return Decision::refuse(Refusal::SubjectNotFound);
        }
        if self.profile == Profile::default() {
            return Decision::unchanged(());
        }
        let [display_name, email, image_url, metadata] = texts(self.subject, &self.profile);
        let body = SubjectPatched { display_name, email, image_url, metadata };
        Decision::accept((), [IdentityEvent::SubjectPatched(self.subject, body)])
    }
}

impl Command for EraseSubject {
    /// When it was erased.
    type Outcome = Instant;
    const NAME: &'static str = "EraseSubject";

    fn actor(&self) -> Actor {
        Actor::Operator
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Instant> {
        if ledger.identity.subject(self.subject).is_none() {
            return Decision::refuse(Refusal::SubjectNotFound);
        }
        match ledger.identity.erased_at(self.subject) {
            Some(at) => Decision::unchanged(at),
            None => Decision::accept(context.now, [IdentityEvent::SubjectErased(self.subject, SubjectErased {})]),
        }
    }
}

impl Command for CreateTag {
    type Outcome = TagId;
    const NAME: &'static str = "CreateTag";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// An unknown subject is not found; one of another tenant is foreign (`idaas.md` 6.2).
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<TagId> {
        let identity = &ledger.identity;
        let Some(application) = identity.application(self.caller) else {
            return Decision::refuse(Refusal::ApplicationNotFound);
        };
        match identity.subject(self.subject) {
            None => return Decision::refuse(Refusal::SubjectNotFound),
            Some(owner) if owner != self.caller => return Decision::refuse(Refusal::SubjectForeign),
            Some(_) => {}
        }
        let handle = application.handle.clone();
        let query = super::TagQuery::Qualified(self.local.clone(), handle.clone());
        if identity.resolve(&query).is_ok() {
            return Decision::refuse(Refusal::TagExists);
        }
        let id = TagId::from_uuid(context.ids.uuid());
        let body = TagCreated { application: self.caller, handle, local: self.local.clone(), owner: self.subject };
        Decision::accept(id, [IdentityEvent::TagCreated(id, body)])
    }
}

impl Command for SetTagActive {
    type Outcome = TagId;
    const NAME: &'static str = "SetTagActive";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<TagId> {
        let (id, tag) = match ledger.identity.resolve(&self.tag) {
            Ok(found) => found,
            Err(refusal) => return Decision::refuse(refusal),
        };
        if tag.application != self.caller {
            return Decision::refuse(Refusal::Denied);
        }
        if tag.active == self.active {
            return Decision::unchanged(id);
        }
        let event = match self.active {
            true => IdentityEvent::TagEnabled(id, TagEnabled {}),
            false => IdentityEvent::TagDisabled(id, TagDisabled {}),
        };
        Decision::accept(id, [event])
    }
}

impl Command for TransferTag {
    type Outcome = TagId;
    const NAME: &'static str = "TransferTag";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    /// Order of checks: tag, ownership, new owner, its claim.
    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<TagId> {
        let (id, tag) = match ledger.identity.resolve(&self.tag) {
            Ok(found) => found,
            Err(refusal) => return Decision::refuse(refusal),
        };
        if tag.application != self.caller {
            return Decision::refuse(Refusal::Denied);
        }
        let Some(application) = ledger.identity.subject(self.owner) else {
            return Decision::refuse(Refusal::SubjectNotFound);
        };
        if !ledger.consent.is_active(id, self.owner) {
            return Decision::refuse(Refusal::NoClaim);
        }
        if tag.owner == self.owner {
            return Decision::unchanged(id);
        }
        let body = TagTransferred { application, owner: self.owner };
        Decision::accept(id, [IdentityEvent::TagTransferred(id, body)])
    }
}
