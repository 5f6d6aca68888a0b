//! Writes JSON straight into the buffer that is sent.

use flexledger_domain::Instant;
use flexledger_domain::money::Amount;
use flexledger_domain::payments::SCALE;
use uuid::Uuid;

/// A buffer of JSON. Commas are put where they belong; braces are the caller's to balance, which [`Writer::object`]
/// and [`Writer::array`] do.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Writer { bytes: Vec::with_capacity(capacity) }
    }

    /// The bytes written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    fn comma(&mut self) {
        if !matches!(self.bytes.last(), None | Some(b'{' | b'[' | b':')) {
            self.bytes.push(b',');
        }
    }

    /// The name of the next member.
    pub fn name(&mut self, name: &str) -> &mut Self {
        self.comma();
        quote(&mut self.bytes, name);
        self.bytes.push(b':');
        self
    }

    /// An object as the next value.
    pub fn object(&mut self, members: impl FnOnce(&mut Self)) {
        self.comma();
        self.bytes.push(b'{');
        members(self);
        self.bytes.push(b'}');
    }

    /// An array as the next value.
    pub fn array<T>(&mut self, items: impl IntoIterator<Item = T>, mut item: impl FnMut(&mut Self, T)) {
        self.comma();
        self.bytes.push(b'[');
        items.into_iter().for_each(|one| item(self, one));
        self.bytes.push(b']');
    }

    /// A string as the next value.
    pub fn string(&mut self, text: &str) {
        self.comma();
        quote(&mut self.bytes, text);
    }

    /// A text that is a JSON value already.
    pub fn raw(&mut self, json: &str) {
        self.comma();
        self.bytes.extend_from_slice(json.as_bytes());
    }

    /// A whole number as the next value.
    pub fn number(&mut self, number: impl Into<i128>) {
        self.raw(Amount::from_minor(number.into()).text(0).as_str());
    }

    /// A truth value as the next value.
    pub fn boolean(&mut self, value: bool) {
        self.raw(if value { "true" } else { "false" });
    }

    /// A string member.
    pub fn text(&mut self, name: &str, text: &str) {
        self.name(name).string(text);
    }

    /// A string member, if there is one. Absent values are left out, not null.
    pub fn text_if(&mut self, name: &str, text: Option<&str>) {
        if let Some(text) = text {
            self.text(name, text);
        }
    }

    /// A member that is JSON already, if there is one.
    pub fn raw_if(&mut self, name: &str, json: Option<&str>) {
        if let Some(json) = json {
            self.name(name).raw(json);
        }
    }

    /// A string member of something whose text has nothing to escape: references, dates, currencies.
    pub fn display(&mut self, name: &str, value: impl std::fmt::Display) {
        use std::io::Write as _;
        self.name(name);
        self.bytes.push(b'"');
        // Writing to memory cannot fail.
        let _infallible = write!(self.bytes, "{value}");
        self.bytes.push(b'"');
    }

    /// An identifier member.
    pub fn uuid(&mut self, name: &str, uuid: Uuid) {
        let mut place = [0; uuid::fmt::Hyphenated::LENGTH];
        let text: &str = uuid.hyphenated().encode_lower(&mut place);
        self.name(name).raw_quoted(text);
    }

    /// An instant member with milliseconds.
    pub fn instant(&mut self, name: &str, instant: Instant) {
        self.name(name).raw_quoted(instant.millis_text().as_str());
    }

    /// An instant member, if there is one.
    pub fn instant_if(&mut self, name: &str, instant: Option<Instant>) {
        if let Some(instant) = instant {
            self.instant(name, instant);
        }
    }

    /// A money member: a number with exactly four decimals.
    pub fn amount(&mut self, name: &str, amount: Amount) {
        self.name(name).raw(amount.text(SCALE).as_str());
    }

    /// A whole-number member.
    pub fn count(&mut self, name: &str, number: impl Into<i128>) {
        self.name(name).number(number);
    }

    /// A truth member.
    pub fn flag(&mut self, name: &str, value: bool) {
        self.name(name).boolean(value);
    }

    /// A text without anything to escape, between quotes.
    fn raw_quoted(&mut self, text: &str) {
        self.comma();
        self.bytes.push(b'"');
        self.bytes.extend_from_slice(text.as_bytes());
        self.bytes.push(b'"');
    }
}

/// Appends `text` as a JSON string.
pub fn quote(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(at) = rest.iter().position(|b| matches!(b, 0..=0x1f | b'"' | b'\\')) {
        let (plain, special) = rest.split_at(at);
        out.extend_from_slice(plain);
        let Some((byte, after)) = special.split_first() else { break };
        escape(out, *byte);
        rest = after;
    }
    out.extend_from_slice(rest);
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    match byte {
        b'"' | b'\\' => out.extend_from_slice(&[b'\\', byte]),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let digit = |nibble: u8| if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quoted_texts_read_back(text in any::<String>()) {
            let mut out = Vec::new();
            quote(&mut out, &text);
            prop_assert_eq!(serde_json::from_slice::<String>(&out).unwrap(), text);
        }
    }

    #[test]
    fn commas_and_values() {
        let mut writer = Writer::default();
        writer.object(|w| {
            w.text("a", "x\"\n\u{1}");
            w.name("b").array([1, -2], |w, n| w.number(n));
            w.name("c").array(Vec::<i32>::new(), |w, n| w.number(n));
            w.name("d").object(|w| w.flag("e", true));
            w.amount("f", Amount::from_minor(15_000_000));
            w.text_if("g", None);
            w.name("h").array(["{", "["], |w, text| w.string(text));
        });
        let text = String::from_utf8(writer.into_bytes()).unwrap();
        assert_eq!(text, r#"{"a":"x\"\n\u0001","b":[1,-2],"c":[],"d":{"e":true},"f":1500.0000,"h":["{","["]}"#);
    }
}
