//! The payloads of the events that a log is full of, read where they lie.
//!
//! The general way reads a payload with serde and writes it again to see that it was spelled canonically. Here both are
//! one. What is not read here, because it is spelled otherwise or holds a text with escapes, goes the general way.

use super::event::{Accepted, Initiated, Party, PaymentEvent, Webhook};
use crate::books::Journal;
use crate::event::EventError;
use crate::exact::Exact;
use crate::identity::Address;
use crate::ids::{ApplicationId, SubjectId, TransactionId, WebhookId};
use crate::personal::{Personal, PersonalText};
use crate::time::Date;
use crate::{Entity, Event};

const INITIATED: &str = "transaction.initiated";
const ACCEPTED: &str = "transaction.accepted";

/// A payload whose entity and postings are still to come.
#[derive(Debug)]
pub enum Draft {
    /// Of `transaction.initiated`.
    Initiated(Initiated),
    /// Of `transaction.accepted`.
    Accepted(Option<Webhook>, Date),
}

impl Draft {
    /// Reads the payload of an event of this kind in its canonical spelling. When there is no `Draft`, the place is as
    /// before.
    pub fn read(kind: &str, text: &mut Exact<'_>) -> Option<Draft> {
        let mut ahead = *text;
        let draft = match kind {
            INITIATED => initiated(&mut ahead).map(Draft::Initiated),
            ACCEPTED => accepted(&mut ahead),
            _ => None,
        }?;
        *text = ahead;
        Some(draft)
    }

    /// The event.
    ///
    /// # Errors
    /// [`EventError`] when entity or postings do not fit, as [`Event::read`].
    pub fn complete(self, entity: Entity, journal: Option<Journal>) -> Result<Event, EventError> {
        let kind = match self {
            Draft::Initiated(_) => INITIATED,
            Draft::Accepted(..) => ACCEPTED,
        };
        let Entity::Transaction(reference) = entity else {
            return Err(EventError::Entity(kind, entity.to_string()));
        };
        let event = match (self, journal) {
            (Draft::Initiated(body), None) => PaymentEvent::Initiated(reference, body),
            (Draft::Accepted(sender_webhook, settlement_date), Some(journal)) => {
                PaymentEvent::Accepted(reference, Accepted { journal, sender_webhook, settlement_date })
            }
            _ => return Err(EventError::Postings(kind)),
        };
        Ok(Event::Payment(event))
    }
}

fn initiated(text: &mut Exact<'_>) -> Option<Initiated> {
    text.literal("{")?;
    let callback_url = match text.skip("\"callback_url\":\"") {
        true => Some(closed(text.string()?, text, ",")?.into()),
        false => None,
    };
    text.literal("\"expires_at\":\"")?;
    let expires_at = text.instant()?;
    text.literal(",\"id\":\"")?;
    let id = TransactionId::from_uuid(text.uuid()?);
    text.literal(",\"money\":{\"amount\":\"")?;
    let money = closed(text.money()?, text, "}")?;
    let narration = match text.skip(",\"narration\":") {
        true => Some(personal(text)?),
        false => None,
    };
    text.literal(",\"receiver\":")?;
    let receiver = party(text)?;
    let receiver_webhook = match text.skip(",\"receiver_webhook\":") {
        true => Some(webhook(text)?),
        false => None,
    };
    text.literal(",\"sender\":")?;
    let sender = closed(party(text)?, text, "}")?;
    Some(Initiated { callback_url, expires_at, id, money, narration, receiver, receiver_webhook, sender })
}

fn accepted(text: &mut Exact<'_>) -> Option<Draft> {
    text.literal("{")?;
    let sender_webhook = match text.skip("\"sender_webhook\":") {
        true => Some(closed(webhook(text)?, text, ",")?),
        false => None,
    };
    text.literal("\"settlement_date\":\"")?;
    let settlement_date = closed(text.date()?, text, "}")?;
    Some(Draft::Accepted(sender_webhook, settlement_date))
}

fn party(text: &mut Exact<'_>) -> Option<Party> {
    text.literal("{\"application\":\"")?;
    let application = ApplicationId::from_uuid(text.uuid()?);
    text.literal(",\"tag\":\"")?;
    let tag = Address::read(text.string()?)?;
    closed(Party { application, tag }, text, "}")
}

fn webhook(text: &mut Exact<'_>) -> Option<Webhook> {
    text.literal("{\"id\":\"")?;
    let id = WebhookId::from_uuid(text.uuid()?);
    text.literal(",\"url\":\"")?;
    let url = text.string()?.into();
    closed(Webhook { id, url }, text, "}")
}

fn personal(text: &mut Exact<'_>) -> Option<Personal> {
    text.literal("{\"sealed\":\"")?;
    let sealed = PersonalText::Sealed(text.string()?.into());
    text.literal(",\"subject\":\"")?;
    let subject = SubjectId::from_uuid(text.uuid()?);
    closed(Personal { subject, text: sealed }, text, "}")
}

/// A value behind which a literal stands.
fn closed<T>(value: T, text: &mut Exact<'_>, literal: &str) -> Option<T> {
    text.literal(literal).map(|()| value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;
    use crate::Instant;
    use crate::identity::{Handle, Local};
    use crate::money::{Amount, Currency, Money};
    use crate::{Position, Reference};

    fn journal() -> Journal {
        let money = Money { amount: Amount::from_minor(1), currency: Currency::new("NGN", 4).unwrap() };
        Journal::transfer("a".parse().unwrap(), "b".parse().unwrap(), money).unwrap()
    }

    fn general(kind: &str, payload: &str) -> Option<Event> {
        let reference = Reference::new(Position::new(7), 7);
        let journal = (kind == ACCEPTED).then(journal);
        Event::read(kind, Event::VERSION, Entity::Transaction(reference), payload, journal).ok()
    }

    /// What the quick way makes of a payload, if it reads all of it.
    fn quick(kind: &str, payload: &str) -> Option<Event> {
        let mut text = Exact::new(payload);
        let Some(draft) = Draft::read(kind, &mut text) else {
            assert_eq!(text.at(), 0);
            return None;
        };
        let reference = Reference::new(Position::new(7), 7);
        let journal = (kind == ACCEPTED).then(journal);
        text.is_done().then(|| draft.complete(Entity::Transaction(reference), journal).unwrap())
    }

    fn payload(event: &Event) -> String {
        let mut out = Vec::new();
        event.write_payload(&mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    prop_compose! {
        fn events()(
            url in prop::option::of(".*"), hook in prop::option::of(".*"), sealed in prop::option::of(".*"),
            bits: u128, minor: i128, code in "[A-Z0-9]{2,8}", scale in 0..18_u8, at: i64,
            local in "[a-z0-9]{3,40}", accepted: bool,
        ) -> (&'static str, Event) {
            let webhook = hook.map(|url| Webhook { id: WebhookId::from_uuid(Uuid::from_u128(bits ^ 1)), url: url.into() });
            let expires_at = Instant::from_micros(at);
            let reference = Reference::new(Position::new(7), 7);
            if accepted {
                let body = Accepted { journal: journal(), sender_webhook: webhook, settlement_date: expires_at.date() };
                return (ACCEPTED, Event::Payment(PaymentEvent::Accepted(reference, body)));
            }
            let party = |bits| Party {
                application: ApplicationId::from_uuid(Uuid::from_u128(bits)),
                tag: Address::new(&Local::new(&local).unwrap(), &Handle::new("app").unwrap()),
            };
            let subject = SubjectId::from_uuid(Uuid::from_u128(!bits));
            let narration = sealed.map(|text| Personal { subject, text: PersonalText::Sealed(text.into()) });
            let currency = Currency::new(&code, scale).unwrap();
            let body = Initiated {
                callback_url: url.map(Into::into),
                expires_at,
                id: TransactionId::from_uuid(Uuid::from_u128(bits)),
                money: Money { amount: Amount::from_minor(minor.max(i128::MIN + 1)), currency },
                narration,
                receiver: party(bits / 3),
                receiver_webhook: webhook,
                sender: party(bits / 7),
            };
            (INITIATED, Event::Payment(PaymentEvent::Initiated(reference, body)))
        }
    }

    proptest! {
        /// The quick way reads every payload without escapes, and reads what the general way reads.
        #[test]
        fn both_ways_read_the_same((kind, event) in events()) {
            let text = payload(&event);
            let read = quick(kind, &text);
            prop_assert_eq!(read.is_some(), !text.contains('\\'));
            prop_assert!(read.is_none_or(|read| read == event));
            prop_assert_eq!(general(kind, &text), Some(event));
        }

        /// Whatever the quick way reads is spelled as it would be written.
        #[test]
        fn the_quick_way_reads_one_spelling(
            (kind, event) in events(),
            at: prop::sample::Index,
            cut in 0..3_usize,
            put in prop::sample::select(vec!["", "0", "-", " ", ".", "\"", "A", "F", "{", "}", ",", "\n"]),
        ) {
            let mut text = payload(&event);
            let boundary = |at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            let from = boundary(at.index(text.len()));
            let to = boundary((from + cut).min(text.len())).max(from);
            text.replace_range(from..to, put);
            if let Some(read) = quick(kind, &text) {
                prop_assert_eq!(payload(&read), text.clone());
                prop_assert_eq!(general(kind, &text), Some(read));
            }
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let entity = Entity::Transaction(Reference::new(Position::new(7), 7));
        let draft = || Draft::read(ACCEPTED, &mut Exact::new("{\"settlement_date\":\"2026-11-28\"}")).unwrap();
        assert!(matches!(draft().complete(entity, None), Err(EventError::Postings(_))));
        let other = Entity::Subject(SubjectId::from_uuid(Uuid::nil()));
        assert!(matches!(draft().complete(other, Some(journal())), Err(EventError::Entity(..))));
        assert!(draft().complete(entity, Some(journal())).is_ok());
    }
}
