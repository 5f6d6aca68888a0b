//! What a webhook says (`idaas.md` 10.3).

use std::sync::Arc;

use flexledger_domain::payments::{Payment, Status};
use flexledger_domain::personal::Personal;

use crate::http::write::Writer;
use crate::idaas::show::event_name;

/// Writes the body of a webhook that tells of the state `told`. `open` gives a personal text, unless it was erased.
pub fn write(w: &mut Writer, payment: &Payment, told: Status, open: impl Fn(&Personal) -> Option<Arc<str>>) {
    let narration = payment.narration.as_ref().and_then(&open);
    let reason = payment.rejection_reason.as_ref().filter(|_| told == Status::Rejected).and_then(&open);
    w.object(|w| {
        w.text("event", event_name(told));
        w.name("transaction").object(|w| {
            w.display("reference", payment.reference);
            w.text("senderTag", payment.sender.tag.as_str());
            w.uuid("senderAppId", payment.sender.application.uuid());
            w.text("senderAppName", &payment.sender.name);
            w.text("receiverTag", payment.receiver.tag.as_str());
            w.uuid("receiverAppId", payment.receiver.application.uuid());
            w.text("receiverAppName", &payment.receiver.name);
            w.amount("amount", payment.money.amount);
            w.text("currency", payment.money.currency.code());
            w.text_if("narration", narration.as_deref());
            w.instant("expiresAt", payment.expires_at);
            w.instant("createdAt", payment.created_at);
            w.text_if("rejectionReason", reason.as_deref());
        });
    });
}
