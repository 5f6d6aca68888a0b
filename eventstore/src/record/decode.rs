//! Reading canonical bytes.

use std::cell::RefCell;
use std::fmt::Display;
use std::str::FromStr;

use flexledger_domain::books::{Account, Journal, Posting, Side};
use flexledger_domain::event::EventError;
use flexledger_domain::exact::Exact;
use flexledger_domain::ids::{ApplicationId, CommandId, EventId};
use flexledger_domain::payments::Draft;
use flexledger_domain::{Actor, Entity, Event, Idempotency, Position, Recorded};

use super::RecordError;

thread_local! {
    /// Where parts of a record are written again to see that they are canonical; one buffer per thread.
    static AGAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads an event from its canonical bytes.
///
/// # Errors
/// [`RecordError`] when the bytes are anything but the one canonical spelling of an event that this program knows.
pub fn decode(bytes: &[u8]) -> Result<Recorded, RecordError> {
    let Parts { recorded, idempotency, payload } = read(bytes)?;
    if idempotency.is_empty() && payload.is_empty() {
        return Ok(recorded);
    }
    AGAIN.with_borrow_mut(|again| {
        if !payload.is_empty() {
            again.clear();
            recorded.event.write_payload(again).map_err(RecordError::Payload)?;
            compare(again, payload)?;
        }
        if let Some(key) = recorded.idempotency.as_ref().filter(|_| !idempotency.is_empty()) {
            again.clear();
            serde_json::to_writer(&mut *again, key).map_err(RecordError::Payload)?;
            compare(again, idempotency)?;
        }
        Ok(recorded)
    })
}

fn compare(again: &[u8], text: &str) -> Result<(), RecordError> {
    if again == text.as_bytes() { Ok(()) } else { Err(RecordError::NotCanonical) }
}

/// Reads an event from bytes that this program wrote: everything is checked as by [`decode`], but that payload and
/// idempotency key are spelled in the canonical way. For state and views; whoever vouches for the log uses [`decode`].
///
/// # Errors
/// [`RecordError`] when the bytes are no event that this program knows.
pub fn decode_trusted(bytes: &[u8]) -> Result<Recorded, RecordError> {
    read(bytes).map(|parts| parts.recorded)
}

/// An event with the texts of those of its parts that may have been spelled in another way, each empty if it was not.
struct Parts<'a> {
    recorded: Recorded,
    idempotency: &'a str,
    payload: &'a str,
}

fn read(bytes: &[u8]) -> Result<Parts<'_>, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Utf8)?;
    let mut cursor = Cursor(Exact::new(text));
    let actor = cursor.member("actor", "{\"actor\":\"", actor)?;
    let command = cursor.member("command_id", ",\"command_id\":\"", Exact::uuid)?;
    let entity = cursor.member("entity", ",\"entity\":\"", entity)?;
    let id = cursor.member("id", ",\"id\":\"", Exact::uuid)?;
    let (key, idempotency) = cursor.idempotency()?;
    let kind = cursor.member("kind", ",\"kind\":\"", Exact::string)?;
    let (draft, payload) = cursor.payload(kind)?;
    let position = Position::new(cursor.member("position", ",\"position\":", Exact::number)?);
    let journal = cursor.postings()?;
    let recorded_at = cursor.member("recorded_at", ",\"recorded_at\":\"", Exact::instant)?;
    let version = cursor.member("version", ",\"version\":", Exact::number)?;
    let version = u16::try_from(version).map_err(|_| cursor.wrong("version"))?;
    if !cursor.0.skip("}") || !cursor.0.is_done() || position > Position::MAX {
        return Err(cursor.wrong("end"));
    }
    let event = match draft {
        Some(_) if version != Event::VERSION => return Err(EventError::Unknown(kind.to_owned(), version).into()),
        Some(draft) => draft.complete(entity, journal)?,
        None => Event::read(kind, version, entity, payload, journal)?,
    };
    let (id, command) = (EventId::from_uuid(id), CommandId::from_uuid(command));
    let recorded = Recorded { position, id, recorded_at, actor, command, idempotency: key, event };
    Ok(Parts { recorded, idempotency, payload })
}

/// A place in the text of a record.
struct Cursor<'a>(Exact<'a>);

impl<'a> Cursor<'a> {
    fn wrong(&self, member: &'static str) -> RecordError {
        RecordError::Malformed { member, at: self.0.at() }
    }

    /// What stands behind a prefix.
    fn member<T>(
        &mut self,
        member: &'static str,
        prefix: &str,
        read: impl FnOnce(&mut Exact<'a>) -> Option<T>,
    ) -> Result<T, RecordError> {
        let value = if self.0.skip(prefix) { read(&mut self.0) } else { None };
        value.ok_or_else(|| self.wrong(member))
    }

    /// The key, and its text if it has to be compared.
    fn idempotency(&mut self) -> Result<(Option<Idempotency>, &'a str), RecordError> {
        if !self.0.skip(",\"idempotency\":") {
            return Ok((None, ""));
        }
        let mut ahead = self.0;
        if let Some(key) = plain_key(&mut ahead) {
            self.0 = ahead;
            return Ok((Some(key), ""));
        }
        let text = self.0.object().ok_or_else(|| self.wrong("idempotency"))?;
        let key = serde_json::from_str(text).map_err(|_| self.wrong("idempotency"))?;
        Ok((Some(key), text))
    }

    /// What is spelled canonically, or the text to be read otherwise.
    fn payload(&mut self, kind: &str) -> Result<(Option<Draft>, &'a str), RecordError> {
        if !self.0.skip(",\"payload\":") {
            return Err(self.wrong("payload"));
        }
        if let Some(draft) = Draft::read(kind, &mut self.0) {
            return Ok((Some(draft), ""));
        }
        let text = self.0.object().ok_or_else(|| self.wrong("payload"))?;
        Ok((None, text))
    }

    fn postings(&mut self) -> Result<Option<Journal>, RecordError> {
        if !self.0.skip(",\"postings\":[") {
            return Ok(None);
        }
        let mut postings = Vec::with_capacity(2);
        loop {
            postings.push(self.posting()?);
            if self.0.skip("]") {
                return Ok(Some(Journal::new(postings)?));
            }
            if !self.0.skip(",") {
                return Err(self.wrong("postings"));
            }
        }
    }

    fn posting(&mut self) -> Result<Posting, RecordError> {
        let account = self.member("postings.account", "{\"account\":\"", account)?;
        let money = self.member("postings.amount", ",\"amount\":\"", Exact::money)?;
        let side = match self.member("postings.side", ",\"side\":\"", Exact::string)? {
            "debit" => Side::Debit,
            "credit" => Side::Credit,
            _ => return Err(self.wrong("postings.side")),
        };
        if self.0.skip("}") { Ok(Posting { account, money, side }) } else { Err(self.wrong("postings")) }
    }
}

/// A key without escapes.
fn plain_key(text: &mut Exact<'_>) -> Option<Idempotency> {
    text.literal("{")?;
    let mut fingerprint = None;
    if text.skip("\"fingerprint\":\"") {
        fingerprint = Some(text.string()?.to_owned());
        text.literal(",")?;
    }
    text.literal("\"key\":\"")?;
    let key = text.string()?.to_owned();
    text.literal("}")?;
    Some(Idempotency { fingerprint, key })
}

// The frequent sorts of actors, entities and accounts are read by themselves; the others go by what they would print.

fn actor(text: &mut Exact<'_>) -> Option<Actor> {
    if text.skip("application/") {
        return text.uuid().map(ApplicationId::from_uuid).map(Actor::Application);
    }
    as_printed(text)
}

fn entity(text: &mut Exact<'_>) -> Option<Entity> {
    if text.skip("transaction/") { text.reference().map(Entity::Transaction) } else { as_printed(text) }
}

fn account(text: &mut Exact<'_>) -> Option<Account> {
    if text.skip("idaas/wallet/") {
        return text.uuid().map(ApplicationId::from_uuid).map(Account::Wallet);
    }
    as_printed(text)
}

fn as_printed<T: FromStr + Display>(text: &mut Exact<'_>) -> Option<T> {
    let printed = text.string()?;
    printed.parse().ok().filter(|value: &T| value.to_string() == printed)
}
