//! Decisions on payments: initiate, accept, reject, expire (`idaas.md` 9).

use std::sync::Arc;

use super::{
    Accept, Accepted, Direction, Expire, Expired, InitiateTransfer, Initiated, OpenPayment, Party, Payment,
    PaymentEvent, ProvisionWallet, Refusal, Reject, Rejected, Status, WalletProvisioned, Webhook,
};
use crate::books::{Account, Journal};
use crate::decision::{Command, Context, Decision};
use crate::event::{Actor, Event, Idempotency};
use crate::identity::{self, Application, Tag};
use crate::ids::{ApplicationId, Reference, TransactionId, WalletId, WebhookId};
use crate::ledger::Ledger;
use crate::money::Currency;
use crate::personal::Personal;

impl Command for InitiateTransfer {
    type Outcome = Payment;
    const NAME: &'static str = "InitiateTransfer";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    /// Order of checks: sender, ownership, receiver, usable, different (`idaas.md` 9.3).
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Payment> {
        match self.sides(ledger) {
            Ok((sender, receiver)) => self.initiate(ledger, context, &sender, &receiver),
            Err(refusal) => Decision { events: Vec::new(), outcome: Err(refusal) },
        }
    }
}

/// A tag with its application.
struct SideOf<'a> {
    tag: &'a Tag,
    application: &'a Application,
}

impl SideOf<'_> {
    fn party(&self) -> Party {
        Party { application: self.tag.application, tag: self.tag.address.clone() }
    }
}

impl InitiateTransfer {
    fn sides<'a>(&self, ledger: &'a Ledger) -> Result<(SideOf<'a>, SideOf<'a>), crate::decision::Refusal> {
        let identity = &ledger.identity;
        let (sender_id, sender) = identity.resolve(&self.sender)?;
        if sender.application != self.caller {
            return Err(Refusal::SenderForeign.into());
        }
        let (receiver_id, receiver) = identity.resolve(&self.receiver)?;
        if sender_id == receiver_id {
            return Err(Refusal::SameTag.into());
        }
        let find = |tag: &Tag| identity.application(tag.application).ok_or(identity::Refusal::ApplicationNotFound);
        let (from, to) = (find(sender)?, find(receiver)?);
        if !(sender.active && receiver.active && from.active && to.active) {
            return Err(Refusal::Unusable.into());
        }
        Ok((SideOf { tag: sender, application: from }, SideOf { tag: receiver, application: to }))
    }

    fn initiate(
        &self,
        ledger: &Ledger,
        context: &mut Context<'_>,
        sender: &SideOf<'_>,
        receiver: &SideOf<'_>,
    ) -> Decision<Payment> {
        let reference = Reference::new(context.position, context.ids.check());
        let event = Initiated {
            callback_url: self.callback_url.clone(),
            expires_at: context.now.plus(context.policy.acceptance_window),
            id: TransactionId::from_uuid(context.ids.uuid()),
            money: self.money,
            narration: self.narration.as_ref().map(|text| Personal::clear(sender.tag.owner, text.clone())),
            receiver: receiver.party(),
            receiver_webhook: owed(receiver.application.webhook_url.as_ref(), context),
            sender: sender.party(),
        };
        let names = (sender.application.name.clone(), receiver.application.name.clone());
        let payment = Payment::initiated(reference, &event, context.now, names.0, names.1);
        let mut events: Vec<Event> = Vec::with_capacity(1);
        events.push(PaymentEvent::Initiated(reference, event).into());
        provision_missing(ledger, context, sender.tag.application, self.money.currency, &mut events);
        if sender.tag.application != receiver.tag.application {
            provision_missing(ledger, context, receiver.tag.application, self.money.currency, &mut events);
        }
        Decision { events, outcome: Ok(payment) }
    }
}

fn owed(url: Option<&Arc<str>>, context: &mut Context<'_>) -> Option<Webhook> {
    url.map(|url| Webhook { id: WebhookId::from_uuid(context.ids.uuid()), url: url.clone() })
}

fn provision_missing(
    ledger: &Ledger,
    context: &mut Context<'_>,
    application: ApplicationId,
    currency: Currency,
    events: &mut Vec<Event>,
) {
    if ledger.payments.wallet(application, currency).is_none() {
        let id = WalletId::from_uuid(context.ids.uuid());
        let body = WalletProvisioned { application, currency: currency.code().to_owned() };
        events.push(PaymentEvent::WalletProvisioned(id, body).into());
    }
}

/// What the sender is told of the outcome: its callback, else its webhook, else nothing (`idaas.md` 10.2).
fn sender_webhook(ledger: &Ledger, open: &OpenPayment, context: &mut Context<'_>) -> Option<Webhook> {
    let fallback = || ledger.identity.application(open.sender.application)?.webhook_url.as_ref();
    owed(open.callback_url.as_ref().or_else(fallback), context)
}

/// The open payment that the receiver may act on.
///
/// An overdue one expires on the spot and the caller is told so (`idaas.md` 9.4).
fn claim<'a>(
    ledger: &'a Ledger,
    context: &mut Context<'_>,
    caller: ApplicationId,
    reference: Reference,
) -> Result<&'a OpenPayment, Turned> {
    let open = ledger.payments.open(reference).ok_or(Turned { events: Vec::new(), refusal: Refusal::NotOpen })?;
    if open.receiver.application != caller {
        return Err(Turned { events: Vec::new(), refusal: Refusal::NotReceiver });
    }
    if open.expires_at <= context.now {
        return Err(Turned { events: vec![expired(ledger, open, context)], refusal: Refusal::Expired });
    }
    Ok(open)
}

/// A refusal with what happened all the same.
struct Turned {
    events: Vec<Event>,
    refusal: Refusal,
}

impl From<Turned> for Decision<Payment> {
    fn from(turned: Turned) -> Self {
        Decision { events: turned.events, outcome: Err(turned.refusal.into()) }
    }
}

fn expired(ledger: &Ledger, open: &OpenPayment, context: &mut Context<'_>) -> Event {
    let sender_webhook = sender_webhook(ledger, open, context);
    PaymentEvent::Expired(open.reference, Expired { sender_webhook }).into()
}

/// The payment after its outcome.
fn over(
    ledger: &Ledger,
    open: &OpenPayment,
    status: Status,
    webhook: Option<&Webhook>,
    context: &Context<'_>,
) -> Payment {
    let name = |id| ledger.identity.application(id).map_or_else(|| Arc::from(""), |a| a.name.clone());
    let names = (name(open.sender.application), name(open.receiver.application));
    let mut payment = Payment::initiated(open.reference, &open.initiated(), open.created_at, names.0, names.1);
    payment.status = status;
    payment.updated_at = context.now;
    for record in &mut payment.webhooks {
        if let Some(owed) = ledger.webhooks.record(open.reference, record.direction) {
            record.delivery = owed.delivery.clone();
            record.updated_at = owed.updated_at;
        }
    }
    if let Some(webhook) = webhook {
        payment.owe(webhook, Direction::Sender, status, context.now);
    }
    payment
}

impl Command for Accept {
    type Outcome = Payment;
    const NAME: &'static str = "Accept";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Payment> {
        let open = match claim(ledger, context, self.caller, self.reference) {
            Ok(open) => open,
            Err(turned) => return turned.into(),
        };
        let from = Account::Wallet(open.sender.application);
        let to = Account::Wallet(open.receiver.application);
        let Ok(journal) = Journal::transfer(from, to, open.money) else {
            return Decision::refuse(Refusal::TooLarge);
        };
        if ledger.books.check(&journal).is_err() {
            return Decision::refuse(Refusal::TooLarge);
        }
        let webhook = sender_webhook(ledger, open, context);
        let payment = over(ledger, open, Status::Completed, webhook.as_ref(), context);
        let settlement_date = ledger.settlement.date_for(context.now);
        let body = Accepted { journal, sender_webhook: webhook, settlement_date };
        Decision::accept(payment, [PaymentEvent::Accepted(self.reference, body)])
    }
}

impl Command for Reject {
    type Outcome = Payment;
    const NAME: &'static str = "Reject";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Payment> {
        let open = match claim(ledger, context, self.caller, self.reference) {
            Ok(open) => open,
            Err(turned) => return turned.into(),
        };
        let reason = self.reason.as_ref().and_then(|text| {
            let query = identity::TagQuery::parse(open.receiver.tag.as_str()).ok()?;
            let (_, tag) = ledger.identity.resolve(&query).ok()?;
            Some(Personal::clear(tag.owner, text.clone()))
        });
        let webhook = sender_webhook(ledger, open, context);
        let mut payment = over(ledger, open, Status::Rejected, webhook.as_ref(), context);
        payment.rejection_reason.clone_from(&reason);
        Decision::accept(
            payment,
            [PaymentEvent::Rejected(self.reference, Rejected { reason, sender_webhook: webhook })],
        )
    }
}

impl Command for Expire {
    type Outcome = ();
    const NAME: &'static str = "Expire";

    fn actor(&self) -> Actor {
        Actor::System
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<()> {
        match ledger.payments.open(self.reference) {
            Some(open) if open.expires_at <= context.now => {
                let event = expired(ledger, open, context);
                Decision::accept((), [event])
            }
            _ => Decision::unchanged(()),
        }
    }
}

impl Command for ProvisionWallet {
    type Outcome = WalletId;
    const NAME: &'static str = "ProvisionWallet";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<WalletId> {
        if let Some(id) = ledger.payments.wallet(self.caller, self.currency) {
            return Decision::unchanged(id);
        }
        let id = WalletId::from_uuid(context.ids.uuid());
        let body = WalletProvisioned { application: self.caller, currency: self.currency.code().to_owned() };
        Decision::accept(id, [PaymentEvent::WalletProvisioned(id, body)])
    }
}
