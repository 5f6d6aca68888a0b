//! Decisions on auditors.

use super::{AccessEvent, AddAuditor, AuditorAdded, AuditorRemoved, Refusal, RemoveAuditor};
use crate::decision::{Command, Context, Decision};
use crate::event::{Actor, Idempotency};
use crate::ledger::Ledger;

impl Command for AddAuditor {
    type Outcome = ();
    const NAME: &'static str = "AddAuditor";

    fn actor(&self) -> Actor {
        Actor::Operator
    }

    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    fn decide(&self, _: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let body = AuditorAdded { name: self.name.clone(), token_hash: self.token_hash.clone() };
        Decision::accept((), [AccessEvent::AuditorAdded(self.id, body)])
    }
}

impl Command for RemoveAuditor {
    type Outcome = ();
    const NAME: &'static str = "RemoveAuditor";

    fn actor(&self) -> Actor {
        Actor::Operator
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        match ledger.access.auditor(self.id) {
            None => Decision::refuse(Refusal::AuditorNotFound),
            Some(false) => Decision::unchanged(()),
            Some(true) => Decision::accept((), [AccessEvent::AuditorRemoved(self.id, AuditorRemoved {})]),
        }
    }
}
