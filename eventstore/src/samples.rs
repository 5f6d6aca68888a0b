//! Made-up events of every kind, the same at every run: for golden vectors, tests and measurements.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "test data")]

use flexledger_domain::books::{Account, Journal};
use flexledger_domain::identity::{
    Address, ApplicationDeactivated, ApplicationRegistered, Handle, IdentityEvent, Local, PublicKey, SubjectCreated,
    SubjectPatched, TagCreated, TagDisabled, TagEnabled,
};
use flexledger_domain::ids::{
    ApplicationId, ClientId, CommandId, Epoch, EventId, LedgerId, SettlementId, SubjectId, TagId, TransactionId,
    WalletId, WebhookId,
};
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::{
    Accepted, Expired, Initiated, Party, PaymentEvent, Rejected, WalletProvisioned, Webhook,
};
use flexledger_domain::personal::{Personal, PersonalText};
use flexledger_domain::settlement::{Completed, Cut, Failed, Line, Lines, SettlementEvent};
use flexledger_domain::system::{EpochOpened, Opened, SystemEvent};
use flexledger_domain::{Actor, Date, Event, Idempotency, Instant, Position, Recorded, Reference};
use uuid::Uuid;

/// The instant of event 0; each later one is 1,234,567 microseconds younger.
const START_MICROS: i64 = 1_774_611_912_772_345;

fn uuid(kind: u64, number: u64) -> Uuid {
    // Spread over all digits, so that the texts look like real ones.
    let low = (kind << 48 | number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    Uuid::from_u64_pair(low.rotate_left(17), low ^ 0x5555_aaaa)
}

fn personal(number: u64) -> Personal {
    let text = "c2VhbGVkIGJ5IGEga2V5IHRoYXQgbm9ib2R5IGhhcyBhbnkgbW9yZQ==";
    Personal { subject: SubjectId::from_uuid(uuid(6, number)), text: PersonalText::Sealed(text.into()) }
}

fn application(number: u64) -> ApplicationId {
    ApplicationId::from_uuid(uuid(3, number))
}

fn party(number: u64) -> Party {
    let local = Local::new(&format!("user-{number}")).expect("local name");
    let handle = Handle::new("zoe-bank").expect("handle");
    Party { application: application(number % 100), tag: Address::new(&local, &handle) }
}

fn webhook(number: u64) -> Option<Webhook> {
    Some(Webhook { id: WebhookId::from_uuid(uuid(9, number)), url: "https://zoe.example/webhooks/payments".into() })
}

fn money(minor: i128) -> Money {
    Money { amount: Amount::from_minor(minor), currency: Currency::new("NGN", 4).expect("code") }
}

/// `event` at a place, given by application 1.
#[must_use]
pub fn recorded(position: u64, event: impl Into<Event>) -> Recorded {
    let micros = i64::try_from(position).unwrap_or(i64::MAX).saturating_mul(1_234_567);
    Recorded {
        position: Position::new(position),
        id: EventId::from_uuid(uuid(1, position)),
        recorded_at: Instant::from_micros(START_MICROS.saturating_add(micros)),
        actor: Actor::Application(application(1)),
        command: CommandId::from_uuid(uuid(2, position)),
        idempotency: None,
        event: event.into(),
    }
}

/// A payment waits for acceptance; its reference is that of `position`.
#[must_use]
pub fn initiated(position: u64) -> Event {
    let body = Initiated {
        callback_url: None,
        expires_at: Instant::from_micros(START_MICROS + 86_400_000_000),
        id: TransactionId::from_uuid(uuid(7, position)),
        money: money(15_000_000 + i128::from(position)),
        narration: Some(personal(position)),
        receiver: party(position + 1),
        receiver_webhook: webhook(position),
        sender: party(position),
    };
    PaymentEvent::Initiated(reference(position), body).into()
}

/// A payment is booked.
#[must_use]
pub fn accepted(position: u64) -> Event {
    let (from, to) = (Account::Wallet(application(1)), Account::Wallet(application(2)));
    let journal = Journal::transfer(from, to, money(15_000_000 + i128::from(position))).expect("positive");
    let settlement_date = Instant::from_micros(START_MICROS).date();
    PaymentEvent::Accepted(
        reference(position),
        Accepted { journal, sender_webhook: webhook(position), settlement_date },
    )
    .into()
}

fn reference(position: u64) -> Reference {
    Reference::new(Position::new(position), 0x0a1b_2c3d_u32.wrapping_mul(u32::try_from(position % 9973).unwrap_or(7)))
}

/// One event of every kind and some special ones, at positions 1, 2, 3 …
#[must_use]
pub fn world() -> Vec<Recorded> {
    let events = [system(), identity(), payments(), settlement()].concat();
    let mut world: Vec<_> = (1..).zip(events).map(|(position, event)| recorded(position, event)).collect();
    let keys = ["plain-key-1", "Zoë 猫 😀 \u{2028}\u{7f}", "\u{0}\u{8}\t\n\u{c}\r\u{1f}\"\\/"];
    let actors = [Actor::System, Actor::Operator, Actor::Public];
    for ((recorded, key), actor) in world.iter_mut().skip(4).zip(keys).zip(actors) {
        let fingerprint = (key.len() > 11).then(|| "5f".repeat(32));
        recorded.idempotency = Some(Idempotency { fingerprint, key: key.to_owned() });
        recorded.actor = actor;
    }
    world
}

fn system() -> Vec<Event> {
    let ledger = LedgerId::from_uuid(uuid(4, 1));
    let epoch = EpochOpened { epoch: Epoch(1), node: "nœud-1 \u{1f310}".to_owned() };
    vec![SystemEvent::Opened(ledger, Opened { format: 1 }).into(), SystemEvent::EpochOpened(ledger, epoch).into()]
}

fn identity() -> Vec<Event> {
    let subject = SubjectId::from_uuid(uuid(6, 1));
    let tag = TagId::from_uuid(uuid(5, 1));
    let registered = ApplicationRegistered {
        client: ClientId::from_uuid(uuid(8, 1)),
        encryption_enabled: true,
        handle: Handle::new("zoe-bank").expect("handle"),
        metadata: Some("{\"a\":\"é\\\"\\n\",\"b\":[1,2.5e3,null]}".to_owned()),
        name: "Zoë’s Bänk 🏦 \u{e000}\"\\\u{1}".into(),
        public_key: PublicKey { x: "x_-1".to_owned(), y: "y_-2".to_owned() },
        redirect_uris: Some("https://a.example/ok https://b.example/ok".to_owned()),
        secret_hash: "ab".repeat(32),
        webhook_secret: "c2VhbGVk".to_owned(),
        webhook_url: Some("https://zoe.example/webhooks?x=%20&y=<z>".into()),
    };
    let created = SubjectCreated {
        application: application(1),
        display_name: Some(personal(1)),
        email: None,
        external_id: "kunde/ß-\u{1d11e}-1".into(),
        image_url: None,
        metadata: Some(personal(1)),
    };
    let patched = SubjectPatched { display_name: None, email: Some(personal(1)), image_url: None, metadata: None };
    let address = party(1).tag;
    let (local, handle) = address.to_string().split_once('@').map_or_else(
        || (Local::new("user-1"), Handle::new("zoe-bank")),
        |(local, handle)| (Local::new(local), Handle::new(handle)),
    );
    let tag_created = TagCreated {
        application: application(1),
        handle: handle.expect("handle"),
        local: local.expect("local name"),
        owner: subject,
    };
    vec![
        IdentityEvent::ApplicationRegistered(application(1), registered).into(),
        IdentityEvent::SubjectCreated(subject, created).into(),
        IdentityEvent::SubjectPatched(subject, patched).into(),
        IdentityEvent::TagCreated(tag, tag_created).into(),
        IdentityEvent::TagDisabled(tag, TagDisabled {}).into(),
        IdentityEvent::TagEnabled(tag, TagEnabled {}).into(),
        IdentityEvent::ApplicationDeactivated(application(1), ApplicationDeactivated {}).into(),
    ]
}

fn payments() -> Vec<Event> {
    let wallet = WalletProvisioned { application: application(1), currency: "NGN".to_owned() };
    let rejected = Rejected { reason: Some(personal(2)), sender_webhook: None };
    vec![
        PaymentEvent::WalletProvisioned(WalletId::from_uuid(uuid(10, 1)), wallet).into(),
        initiated(11),
        accepted(11),
        PaymentEvent::Rejected(reference(100_000_000), rejected).into(),
        PaymentEvent::Expired(reference(9_999_999_999_999), Expired { sender_webhook: webhook(1) }).into(),
    ]
}

fn settlement() -> Vec<Event> {
    let id = SettlementId::from_uuid(uuid(11, 1));
    let date = Date::parse("2026-03-27").expect("date");
    let line = Line {
        application: application(1),
        closing_balance: Amount::from_minor(-15_000_011),
        opening_balance: Amount::ZERO,
        total_credited: Amount::ZERO,
        total_debited: Amount::from_minor(15_000_011),
        transaction_count: 1,
        wallet: WalletId::from_uuid(uuid(10, 1)),
    };
    let completed = Completed {
        application_count: 2,
        currency: "NGN".to_owned(),
        cut: Some(Cut { from: Position::new(12), to: Position::new(12) }),
        date,
        total_credited: Amount::from_minor(15_000_011),
        total_debited: Amount::from_minor(15_000_011),
        transaction_count: 1,
    };
    let failed = Failed { currency: "USD".to_owned(), date, error: "sums differ".to_owned() };
    vec![
        SettlementEvent::Lines(id, Lines { lines: vec![line.clone(), line] }).into(),
        SettlementEvent::Completed(id, completed).into(),
        SettlementEvent::Failed(id, failed).into(),
    ]
}
