//! Writing canonical bytes.

use std::io::Write;

use flexledger_domain::books::{Account, Posting, Side};
use flexledger_domain::{Actor, Entity, Event, Recorded};
use uuid::Uuid;

use super::RecordError;

/// Appends the canonical bytes of an event to `out`. On an error `out` is as before.
///
/// # Errors
/// [`RecordError::Payload`] when a personal text has not been sealed.
pub fn encode(recorded: &Recorded, out: &mut Vec<u8>) -> Result<(), RecordError> {
    let start = out.len();
    let written = write(recorded, out).map_err(RecordError::Payload);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

fn write(recorded: &Recorded, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
    out.reserve(1024);
    out.extend_from_slice(b"{\"actor\":\"");
    actor(&recorded.actor, out);
    out.extend_from_slice(b"\",\"command_id\":\"");
    uuid(recorded.command.uuid(), out);
    out.extend_from_slice(b"\",\"entity\":\"");
    entity(&recorded.event.entity(), out);
    out.extend_from_slice(b"\",\"id\":\"");
    uuid(recorded.id.uuid(), out);
    out.push(b'"');
    if let Some(idempotency) = &recorded.idempotency {
        out.extend_from_slice(b",\"idempotency\":");
        serde_json::to_writer(&mut *out, idempotency)?;
    }
    out.extend_from_slice(b",\"kind\":\"");
    out.extend_from_slice(recorded.event.kind().as_bytes());
    out.extend_from_slice(b"\",\"payload\":");
    recorded.event.write_payload(out)?;
    out.extend_from_slice(b",\"position\":");
    number(recorded.position.number(), out);
    if let Some(journal) = recorded.event.journal() {
        postings(journal.postings(), out);
    }
    out.extend_from_slice(b",\"recorded_at\":\"");
    out.extend_from_slice(recorded.recorded_at.text().as_str().as_bytes());
    out.extend_from_slice(b"\",\"version\":");
    number(u64::from(Event::VERSION), out);
    out.push(b'}');
    Ok(())
}

fn postings(postings: &[Posting], out: &mut Vec<u8>) {
    out.extend_from_slice(b",\"postings\":[");
    for (at, posting) in postings.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"account\":\"");
        account(&posting.account, out);
        out.extend_from_slice(b"\",\"amount\":\"");
        out.extend_from_slice(posting.money.text().as_str().as_bytes());
        out.extend_from_slice(b"\",\"currency\":\"");
        out.extend_from_slice(posting.money.currency.code().as_bytes());
        out.extend_from_slice(match posting.side {
            Side::Debit => b"\",\"side\":\"debit\"}",
            Side::Credit => b"\",\"side\":\"credit\"}",
        });
    }
    out.push(b']');
}

fn actor(actor: &Actor, out: &mut Vec<u8>) {
    match actor {
        Actor::Application(id) => {
            out.extend_from_slice(b"application/");
            uuid(id.uuid(), out);
        }
        other => display(other, out),
    }
}

/// Payments are written by hand, for they are nearly all there is; the texts of the others need no escapes either.
fn entity(entity: &Entity, out: &mut Vec<u8>) {
    match entity {
        Entity::Transaction(reference) => {
            out.extend_from_slice(b"transaction/");
            out.extend_from_slice(reference.text().as_str().as_bytes());
        }
        other => display(other, out),
    }
}

fn account(account: &Account, out: &mut Vec<u8>) {
    match account {
        Account::Wallet(application) => {
            out.extend_from_slice(b"idaas/wallet/");
            uuid(application.uuid(), out);
        }
        Account::Named(name) => out.extend_from_slice(name.as_bytes()),
    }
}

fn uuid(uuid: Uuid, out: &mut Vec<u8>) {
    let mut text = [0; 36];
    out.extend_from_slice(uuid.hyphenated().encode_lower(&mut text).as_bytes());
}

fn number(mut number: u64, out: &mut Vec<u8>) {
    let mut digits = [b'0'; 20];
    let mut used = 0;
    for place in digits.iter_mut().rev() {
        *place = b'0' + u8::try_from(number % 10).unwrap_or(0);
        number /= 10;
        used += 1;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(20 - used..).unwrap_or_default());
}

fn display(value: &impl std::fmt::Display, out: &mut Vec<u8>) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "{value}");
}
