//! Reading canonical bytes.

use std::cell::RefCell;

use flexledger_domain::books::{Journal, Posting, Side};
use flexledger_domain::ids::{CommandId, EventId};
use flexledger_domain::money::Money;
use flexledger_domain::{Event, Idempotency, Instant, Position, Recorded};
use memchr::memchr2;

use super::{RecordError, encode};

thread_local! {
    /// Where a record is written again to see that it is canonical; one buffer per thread, not one per record.
    static AGAIN: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Reads an event from its canonical bytes.
///
/// # Errors
/// [`RecordError`] when the bytes are anything but the one canonical spelling of an event that this program knows.
pub fn decode(bytes: &[u8]) -> Result<Recorded, RecordError> {
    let recorded = decode_trusted(bytes)?;
    AGAIN.with_borrow_mut(|again| {
        again.clear();
        encode(&recorded, again)?;
        if again == bytes { Ok(recorded) } else { Err(RecordError::NotCanonical) }
    })
}

/// Reads an event from bytes that this program wrote, a quarter faster: everything is checked as by [`decode`], but that
/// its spelling is the canonical one. For state and views; whoever vouches for the log uses [`decode`].
///
/// # Errors
/// [`RecordError`] when the bytes are no event that this program knows.
pub fn decode_trusted(bytes: &[u8]) -> Result<Recorded, RecordError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RecordError::Utf8)?;
    let mut cursor = Cursor { text, at: 0 };
    let actor = cursor.member("actor", "{\"actor\":\"")?;
    let command = cursor.member("command_id", ",\"command_id\":\"")?;
    let entity = cursor.member("entity", ",\"entity\":\"")?;
    let id = cursor.member("id", ",\"id\":\"")?;
    let idempotency = cursor.idempotency()?;
    let kind = cursor.string("kind", ",\"kind\":\"")?;
    cursor.literal("payload", ",\"payload\":")?;
    let payload = cursor.object("payload")?;
    let position = Position::new(cursor.number("position", ",\"position\":")?);
    let journal = cursor.postings()?;
    let recorded_at = cursor.instant()?;
    let version = cursor.number("version", ",\"version\":")?;
    let version = u16::try_from(version).map_err(|_| cursor.wrong("version"))?;
    cursor.literal("end", "}")?;
    if cursor.at != text.len() || position > Position::MAX {
        return Err(cursor.wrong("end"));
    }
    let event = Event::read(kind, version, entity, payload, journal)?;
    let (id, command) = (EventId::from_uuid(id), CommandId::from_uuid(command));
    Ok(Recorded { position, id, recorded_at, actor, command, idempotency, event })
}

/// A place in the text of a record. Every method either moves past what it reads or fails.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn wrong(&self, member: &'static str) -> RecordError {
        RecordError::Malformed { member, at: self.at }
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn skip(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    fn literal(&mut self, member: &'static str, literal: &str) -> Result<(), RecordError> {
        if self.skip(literal) { Ok(()) } else { Err(self.wrong(member)) }
    }

    /// A string without escapes, after `prefix`, which ends with its first quote.
    fn string(&mut self, member: &'static str, prefix: &str) -> Result<&'a str, RecordError> {
        self.literal(member, prefix)?;
        let rest = self.rest();
        let end = memchr2(b'"', b'\\', rest).filter(|end| rest.get(*end) == Some(&b'"'));
        let end = self.at + end.ok_or_else(|| self.wrong(member))?;
        let text = self.text.get(self.at..end).ok_or_else(|| self.wrong(member))?;
        self.at = end + 1;
        Ok(text)
    }

    fn member<T: std::str::FromStr>(&mut self, member: &'static str, prefix: &str) -> Result<T, RecordError> {
        let text = self.string(member, prefix)?;
        text.parse().map_err(|_| self.wrong(member))
    }

    fn number(&mut self, member: &'static str, prefix: &str) -> Result<u64, RecordError> {
        self.literal(member, prefix)?;
        let rest = self.rest();
        let end = self.at + rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let number = self.text.get(self.at..end).unwrap_or_default().parse().map_err(|_| self.wrong(member))?;
        self.at = end;
        Ok(number)
    }

    fn instant(&mut self) -> Result<Instant, RecordError> {
        let text = self.string("recorded_at", ",\"recorded_at\":\"")?;
        Instant::parse_log(text).ok_or_else(|| self.wrong("recorded_at"))
    }

    fn idempotency(&mut self) -> Result<Option<Idempotency>, RecordError> {
        if !self.skip(",\"idempotency\":") {
            return Ok(None);
        }
        let text = self.object("idempotency")?;
        serde_json::from_str(text).map(Some).map_err(|_| self.wrong("idempotency"))
    }

    /// A JSON object as text. Finds its end only; what it says is for its reader to check.
    fn object(&mut self, member: &'static str) -> Result<&'a str, RecordError> {
        let end = self.at + object_end(self.rest()).ok_or_else(|| self.wrong(member))?;
        let object = self.text.get(self.at..end).ok_or_else(|| self.wrong(member))?;
        self.at = end;
        Ok(object)
    }

    fn postings(&mut self) -> Result<Option<Journal>, RecordError> {
        if !self.skip(",\"postings\":[") {
            return Ok(None);
        }
        let mut postings = Vec::with_capacity(2);
        loop {
            postings.push(self.posting()?);
            if self.skip("]") {
                return Ok(Some(Journal::new(postings)?));
            }
            self.literal("postings", ",")?;
        }
    }

    fn posting(&mut self) -> Result<Posting, RecordError> {
        let account = self.member("postings.account", "{\"account\":\"")?;
        let amount = self.string("postings.amount", ",\"amount\":\"")?;
        let currency = self.string("postings.currency", ",\"currency\":\"")?;
        let side = match self.string("postings.side", ",\"side\":\"")? {
            "debit" => Side::Debit,
            "credit" => Side::Credit,
            _ => return Err(self.wrong("postings.side")),
        };
        self.literal("postings", "}")?;
        let money = Money::from_texts(amount, currency).map_err(|_| self.wrong("postings.amount"))?;
        Ok(Posting { account, money, side })
    }
}

/// Where the object that `bytes` begin with ends.
fn object_end(bytes: &[u8]) -> Option<usize> {
    let mut depth = 0_usize;
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'{' => depth += 1,
            b'}' => depth = depth.checked_sub(1)?,
            b'"' if depth > 0 => at = string_end(bytes, at + 1)?,
            _ if depth == 0 => return None,
            _ => {}
        }
        at += 1;
        if depth == 0 {
            return Some(at);
        }
    }
}

/// Where the quote stands that ends the string whose text begins at `at`.
fn string_end(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at += memchr2(b'"', b'\\', bytes.get(at..)?)?;
        if bytes.get(at) == Some(&b'"') {
            return Some(at);
        }
        at += 2;
    }
}

#[cfg(test)]
mod tests {
    use super::object_end;

    #[test]
    fn an_object_ends_with_its_last_brace_and_nothing_else_is_one() {
        for (text, end) in [
            ("{}", Some(2)),
            ("{},", Some(2)),
            (r#"{"a":{"b":"}"},"c":"\""}}"#, Some(24)),
            (r#"{"a":"\\"}"}"#, Some(10)),
            ("", None),
            ("{", None),
            ("}", None),
            (r#"{"a"#, None),
            (r#"{"a\"#, None),
            (r#""a""#, None),
            (r#""a"{}"#, None),
            ("[{}]", None),
            (" {}", None),
        ] {
            assert_eq!(object_end(text.as_bytes()), end, "{text}");
        }
    }
}
