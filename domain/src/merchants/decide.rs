//! Decisions on merchants and payment requests.

use std::sync::Arc;

use super::{
    AcceptRequest, CancelRequest, CreateRequest, DeclineRequest, ExpireRequest, Merchant, MerchantEvent,
    MerchantRegistered, Paid, Refusal, RegisterMerchant, Request, RequestAccepted, RequestCancelled, RequestCreated,
    RequestDeclined, RequestExpired, RequestState,
};
use crate::books::{Account, Journal};
use crate::decision::{self, Command, Context, Decision};
use crate::event::{Actor, Event, Idempotency};
use crate::identity::{self, Tag, TagQuery};
use crate::ids::{ApplicationId, TagId, WebhookId};
use crate::ledger::Ledger;
use crate::payments::{self, Accepted, Direction, InitiateTransfer, Payment, PaymentEvent, Status, Webhook};
use crate::personal::Personal;

impl Command for RegisterMerchant {
    type Outcome = ();
    const NAME: &'static str = "RegisterMerchant";

    fn actor(&self) -> Actor {
        Actor::Operator
    }

    fn idempotency(&self) -> Option<&Idempotency> {
        self.idempotency.as_ref()
    }

    fn decide(&self, ledger: &Ledger, _: &mut Context<'_>) -> Decision<()> {
        let (tag, _) = match ledger.identity.resolve(&self.tag) {
            Ok(found) => found,
            Err(refusal) => return Decision::refuse(refusal),
        };
        if ledger.merchants.merchant(self.id).is_some() {
            return Decision::refuse(Refusal::MerchantExists);
        }
        let (name, location) = (self.name.clone(), self.location.clone());
        let body = MerchantRegistered { key: self.key, location, name, tag };
        Decision::accept((), [MerchantEvent::Registered(self.id, body)])
    }
}

impl Command for CreateRequest {
    type Outcome = Request;
    const NAME: &'static str = "CreateRequest";

    fn actor(&self) -> Actor {
        Actor::Merchant(self.merchant)
    }

    /// Order of checks: merchant, payer, different, usable, reference.
    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Request> {
        let (merchant, payer, payee) = match self.check(ledger) {
            Ok(found) => found,
            Err(refusal) => return Decision { events: Vec::new(), outcome: Err(refusal) },
        };
        let number = ledger.merchants.next_number();
        let made_up = |context: &mut Context<'_>| -> Arc<str> {
            format!("PR-{:08}-{:08X}", number.number(), context.ids.check()).into()
        };
        let reference = self.reference.clone().unwrap_or_else(|| made_up(context));
        if ledger.merchants.of_merchant(self.merchant, &reference).is_some() {
            return Decision::refuse(Refusal::ReferenceTaken);
        }
        let text = |text: &Option<Arc<str>>| text.as_ref().map(|text| Personal::clear(payee.owner, text.clone()));
        let body = RequestCreated {
            comment: text(&self.comment),
            expires_at: context.now.plus(self.duration),
            merchant: self.merchant,
            metadata: text(&self.metadata),
            money: self.money,
            payee: merchant.tag,
            payer,
            reference,
        };
        let request = Request::created(number, &body, context.now);
        Decision::accept(request, [MerchantEvent::Created(number, body)])
    }
}

impl CreateRequest {
    fn check<'a>(&self, ledger: &'a Ledger) -> Result<(&'a Merchant, TagId, &'a Tag), decision::Refusal> {
        let merchant = ledger.merchants.merchant(self.merchant).ok_or(Refusal::MerchantNotFound)?;
        let (payer_id, payer) = ledger.identity.resolve(&self.payer)?;
        if payer_id == merchant.tag {
            return Err(Refusal::SameTag.into());
        }
        let payee = ledger.identity.tag(merchant.tag).ok_or(identity::Refusal::TagNotFound)?;
        let works = |tag: &Tag| {
            tag.active && ledger.identity.application(tag.application).is_some_and(|application| application.active)
        };
        if works(payer) && works(payee) {
            Ok((merchant, payer_id, payee))
        } else {
            Err(payments::Refusal::Unusable.into())
        }
    }
}

/// Ends an overdue request on the spot, and tells the caller so.
fn in_time<'a, T>(request: &'a Request, context: &Context<'_>) -> Result<&'a Request, Decision<T>> {
    if request.expires_at > context.now {
        return Ok(request);
    }
    let events = vec![MerchantEvent::Expired(request.number, RequestExpired {}).into()];
    Err(Decision { events, outcome: Err(Refusal::Expired.into()) })
}

/// The pending request that the payer's application may decide about.
fn for_payer<'a, T>(
    ledger: &'a Ledger,
    context: &Context<'_>,
    caller: ApplicationId,
    reference: &str,
) -> Result<&'a Request, Decision<T>> {
    let request = ledger.merchants.for_payer(&ledger.identity, caller, reference).map_err(Decision::refuse)?;
    in_time(request, context)
}

fn over(request: &Request, state: RequestState, context: &Context<'_>) -> Request {
    Request { state, updated_at: context.now, ..request.clone() }
}

impl Command for AcceptRequest {
    type Outcome = Paid;
    const NAME: &'static str = "AcceptRequest";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Paid> {
        let request = match for_payer(ledger, context, self.caller, &self.reference) {
            Ok(request) => request,
            Err(decision) => return decision,
        };
        let (mut events, payment) = match pay(ledger, context, self.caller, request) {
            Ok(paid) => paid,
            Err(refusal) => return Decision { events: Vec::new(), outcome: Err(refusal) },
        };
        let body = RequestAccepted { transaction: payment.reference };
        events.push(MerchantEvent::Accepted(request.number, body).into());
        let transaction = Some(payment.reference);
        let request = Request { transaction, ..over(request, RequestState::Accepted, context) };
        Decision { events, outcome: Ok(Paid { request, payment }) }
    }
}

/// The events of an ordinary payment, initiated and accepted at once. The initiation stands first: its position is
/// what the payment's reference names.
fn pay(
    ledger: &Ledger,
    context: &mut Context<'_>,
    caller: ApplicationId,
    request: &Request,
) -> Result<(Vec<Event>, Payment), decision::Refusal> {
    let initiate = InitiateTransfer {
        caller,
        sender: query(ledger, request.payer)?,
        receiver: query(ledger, request.payee)?,
        money: request.money,
        narration: None,
        callback_url: None,
        idempotency: None,
    };
    let Decision { mut events, outcome } = initiate.decide(ledger, context);
    let mut payment = outcome?;
    // The narration is the merchant's comment, which stays the text of the merchant's subject.
    payment.narration.clone_from(&request.comment);
    if let Some(Event::Payment(PaymentEvent::Initiated(_, body))) = events.first_mut() {
        body.narration.clone_from(&request.comment);
    }
    let from = Account::Wallet(payment.sender.application);
    let to = Account::Wallet(payment.receiver.application);
    let journal = Journal::transfer(from, to, request.money).map_err(|_| payments::Refusal::TooLarge)?;
    ledger.books.check(&journal).map_err(|_| payments::Refusal::TooLarge)?;
    let url = ledger.identity.application(payment.sender.application).and_then(|sender| sender.webhook_url.clone());
    let sender_webhook = url.map(|url| Webhook { id: WebhookId::from_uuid(context.ids.uuid()), url });
    payment.status = Status::Completed;
    if let Some(webhook) = &sender_webhook {
        payment.owe(webhook, Direction::Sender, Status::Completed, context.now);
    }
    let settlement_date = ledger.settlement.date_for(context.now);
    let body = Accepted { journal, sender_webhook, settlement_date };
    events.push(PaymentEvent::Accepted(payment.reference, body).into());
    Ok((events, payment))
}

fn query(ledger: &Ledger, tag: TagId) -> Result<TagQuery, decision::Refusal> {
    let tag = ledger.identity.tag(tag).ok_or(identity::Refusal::TagNotFound)?;
    Ok(TagQuery::parse(tag.address.as_str()).map_err(|_| identity::Refusal::TagNotFound)?)
}

impl Command for DeclineRequest {
    type Outcome = Request;
    const NAME: &'static str = "DeclineRequest";

    fn actor(&self) -> Actor {
        Actor::Application(self.caller)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Request> {
        match for_payer(ledger, context, self.caller, &self.reference) {
            Ok(request) => Decision::accept(
                over(request, RequestState::Declined, context),
                [MerchantEvent::Declined(request.number, RequestDeclined {})],
            ),
            Err(decision) => decision,
        }
    }
}

impl Command for CancelRequest {
    type Outcome = Request;
    const NAME: &'static str = "CancelRequest";

    fn actor(&self) -> Actor {
        Actor::Merchant(self.merchant)
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<Request> {
        let Some(number) = ledger.merchants.of_merchant(self.merchant, &self.reference) else {
            return Decision::refuse(Refusal::RequestNotFound);
        };
        let Some(request) = ledger.merchants.pending(number) else {
            return Decision::refuse(Refusal::NotPending);
        };
        match in_time(request, context) {
            Ok(request) => Decision::accept(
                over(request, RequestState::Cancelled, context),
                [MerchantEvent::Cancelled(number, RequestCancelled {})],
            ),
            Err(decision) => decision,
        }
    }
}

impl Command for ExpireRequest {
    type Outcome = ();
    const NAME: &'static str = "ExpireRequest";

    fn actor(&self) -> Actor {
        Actor::System
    }

    fn decide(&self, ledger: &Ledger, context: &mut Context<'_>) -> Decision<()> {
        match ledger.merchants.pending(self.number) {
            Some(request) if request.expires_at <= context.now => {
                Decision::accept((), [MerchantEvent::Expired(request.number, RequestExpired {})])
            }
            _ => Decision::unchanged(()),
        }
    }
}
