//! Reading texts of which every part has exactly one spelling, without copies.
//!
//! The canonical bytes of an event are such a text (`operations.md` 5.1). What a method of [`Exact`] reads would be
//! written in the same way again; anything else it refuses, though another reader may understand it.

use memchr::memchr2;
use uuid::Uuid;

use crate::ids::Reference;
use crate::money::Money;
use crate::time::{Date, Instant};

/// A place in a text. A method either moves past what it reads, or answers nothing; then the place is of no use.
#[derive(Debug, Clone, Copy)]
pub struct Exact<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Exact<'a> {
    /// At the beginning of a text.
    #[must_use]
    pub fn new(text: &'a str) -> Self {
        Exact { text, at: 0 }
    }

    /// How many bytes were read.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    /// Whether everything was read.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.at == self.text.len()
    }

    /// Moves past a literal, if it stands here. Tells whether it did.
    pub fn skip(&mut self, literal: &str) -> bool {
        let found = self.rest().starts_with(literal.as_bytes());
        if found {
            self.at += literal.len();
        }
        found
    }

    /// A literal.
    pub fn literal(&mut self, literal: &str) -> Option<()> {
        self.skip(literal).then_some(())
    }

    /// The text up to the next quote, which ends it. Holds nothing that JSON escapes.
    pub fn string(&mut self) -> Option<&'a str> {
        let rest = self.rest();
        let end = memchr2(b'"', b'\\', rest).filter(|end| rest.get(*end) == Some(&b'"'))?;
        let text = self.text.get(self.at..self.at + end)?;
        self.at += end + 1;
        (!text.bytes().any(|b| b < b' ')).then_some(text)
    }

    /// A UUID and the quote behind it.
    pub fn uuid(&mut self) -> Option<Uuid> {
        let text = self.fixed(36)?;
        let uuid = Uuid::try_parse(text).ok()?;
        (!text.bytes().any(|b| b.is_ascii_uppercase())).then_some(uuid)
    }

    /// An instant and the quote behind it.
    pub fn instant(&mut self) -> Option<Instant> {
        Instant::parse_log(self.fixed(27)?)
    }

    /// A date and the quote behind it.
    pub fn date(&mut self) -> Option<Date> {
        Date::parse(self.fixed(10)?).ok()
    }

    /// A reference and the quote behind it.
    pub fn reference(&mut self) -> Option<Reference> {
        self.string()?.parse().ok()
    }

    /// `<amount>","currency":"<code>"`.
    pub fn money(&mut self) -> Option<Money> {
        let amount = self.string()?;
        self.literal(",\"currency\":\"")?;
        let currency = self.string()?;
        let money = Money::from_texts(amount, currency).ok()?;
        let exact = match amount.strip_prefix('-') {
            Some(digits) => !has_leading_zero(digits) && money.amount.minor() != 0,
            None => !has_leading_zero(amount),
        };
        exact.then_some(money)
    }

    /// A whole number.
    pub fn number(&mut self) -> Option<u64> {
        let rest = self.rest();
        let end = rest.iter().position(|b| !b.is_ascii_digit()).unwrap_or(rest.len());
        let digits = self.text.get(self.at..self.at + end)?;
        self.at += end;
        if has_leading_zero(digits) { None } else { digits.parse().ok() }
    }

    /// A JSON object, as text. Finds its end only: what it says, and how, is for another reader to check.
    pub fn object(&mut self) -> Option<&'a str> {
        let end = self.at + object_end(self.rest())?;
        let object = self.text.get(self.at..end)?;
        self.at = end;
        Some(object)
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// So many bytes and the quote behind them.
    fn fixed(&mut self, length: usize) -> Option<&'a str> {
        let text = self.text.get(self.at..self.at + length)?;
        self.at += length;
        self.literal("\"")?;
        Some(text)
    }
}

fn has_leading_zero(number: &str) -> bool {
    matches!(number.as_bytes(), [b'0', second, ..] if second.is_ascii_digit())
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
    use proptest::prelude::*;

    use super::*;

    fn read<'a, T>(text: &'a str, read: impl FnOnce(&mut Exact<'a>) -> Option<T>) -> Option<T> {
        let mut exact = Exact::new(text);
        read(&mut exact).filter(|_| exact.is_done())
    }

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

    #[test]
    fn what_has_a_second_spelling_is_refused() {
        let id = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
        assert!(read(&format!("{id}\""), Exact::uuid).is_some());
        for wrong in [id.to_uppercase(), id.replace('-', ""), format!("{{{id}}}"), id.replacen("3", "é", 1)] {
            assert!(read(&format!("{wrong}\""), Exact::uuid).is_none(), "{wrong}");
        }
        for (text, good) in [("0", true), ("70", true), ("07", false), ("00", false), ("", false), ("-7", false)] {
            assert_eq!(read(text, Exact::number).is_some(), good, "{text}");
        }
        for (text, good) in [
            ("0.50", true),
            ("12", true),
            ("012.5", false),
            ("00.5", false),
            ("-1", true),
            ("-01", false),
            ("-0.0", false),
            ("+1", false),
        ] {
            assert_eq!(read(&format!("{text}\",\"currency\":\"NGN\""), Exact::money).is_some(), good, "{text}");
        }
        for (text, good) in [("é/ \u{7f}", true), ("\\u0041", false), ("a\tb", false), ("a\u{0}", false)] {
            assert_eq!(read(&format!("{text}\""), Exact::string), good.then_some(text), "{text}");
        }
        for text in ["2026-11-28T08:58:35.392276Z", "0000-01-01T00:00:00.000000Z"] {
            assert_eq!(read(&format!("{text}\""), Exact::instant).map(|at| at.to_string()).as_deref(), Some(text));
        }
        for text in ["2026-11-28T08:58:35.392276z", "2026-11-28T08:58:60.000000Z", "2026-11-31T08:58:35.392276Z"] {
            assert!(read(&format!("{text}\""), Exact::instant).is_none(), "{text}");
        }
    }

    proptest! {
        /// A string is read if JSON writes it as it is.
        #[test]
        fn strings_are_those_that_are_written_as_they_are(text: String) {
            let written = serde_json::to_string(&text).unwrap();
            let plain = written == format!("\"{text}\"");
            let closed = format!("{text}\"");
            let again = read(&closed, Exact::string);
            prop_assert_eq!(again.is_some(), plain);
            prop_assert!(again.is_none_or(|again| again == text));
        }

        #[test]
        fn amounts_are_written_as_they_were_read(text in "[-+]?[0-9]{0,4}[.]?[0-9]{0,4}") {
            if let Some(money) = read(&format!("{text}\",\"currency\":\"NGN\""), Exact::money) {
                prop_assert_eq!(money.text().to_string(), text);
            }
        }

        #[test]
        fn numbers_are_written_as_they_were_read(text in "[-+]?[0-9]{0,21}") {
            if let Some(number) = read(&text, Exact::number) {
                prop_assert_eq!(number.to_string(), text);
            }
        }
    }
}
