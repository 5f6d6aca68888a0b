//! Identifiers. Each kind has a type of its own, so that none can stand in for another.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct IdError(pub &'static str);

macro_rules! uuid_ids {
    ($($(#[$doc:meta])* $name:ident = $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// From a UUID.
            #[must_use]
            pub const fn from_uuid(uuid: Uuid) -> Self {
                $name(uuid)
            }

            /// The UUID.
            #[must_use]
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// Reads the hyphenated form only, in either case.
            fn from_str(text: &str) -> Result<Self, IdError> {
                if text.len() != 36 {
                    return Err(IdError($what));
                }
                Uuid::try_parse(text).map($name).map_err(|_| IdError($what))
            }
        }
    )*};
}

uuid_ids! {
    /// Somebody who may read the audit surface.
    AuditorId = "auditor id";
    /// One ledger: one log with its views.
    LedgerId = "ledger id";
    /// One event of the log.
    EventId = "event id";
    /// One command: all events that it made carry this id.
    CommandId = "command id";
    /// A tenant of the IDaaS API.
    ApplicationId = "application id";
    /// What an application shows in a token exchange.
    ClientId = "client id";
    /// A user of an application.
    SubjectId = "subject id";
    /// A payment address.
    TagId = "tag id";
    /// A tag-to-tag payment.
    TransactionId = "transaction id";
    /// A webhook record.
    WebhookId = "webhook id";
    /// The account of an application in one currency.
    WalletId = "wallet id";
    /// One side of a payment on one wallet.
    EntryId = "entry id";
    /// A settlement record of one date and currency.
    SettlementId = "settlement id";
    /// One wallet's line of a settlement record.
    SettlementEntryId = "settlement entry id";
    /// A subject's claim to use a tag.
    ClaimId = "claim id";
    /// The federated identity of a tag: all its links.
    FederationId = "federation id";
    /// One link of a federated identity.
    LinkId = "link id";
    /// A merchant; what it shows as its client id.
    MerchantId = "merchant id";
}

/// Where fresh identifiers come from. The caller of a decision hands it in.
pub trait Ids {
    /// A UUID that was never given out before.
    fn uuid(&mut self) -> Uuid;

    /// 32 random bits for the visible part of a reference.
    fn check(&mut self) -> u32;
}

/// A place in the log. The first event stands at 1; 0 is the empty ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(#[serde(deserialize_with = "crate::text::whole")] u64);

impl Position {
    /// Before the first event.
    pub const START: Position = Position(0);
    /// The last position that can be written exactly in every format (13 digits).
    pub const MAX: Position = Position(9_999_999_999_999);

    /// From a number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Position(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The position after this one.
    #[must_use]
    pub const fn next(self) -> Position {
        Position(self.0.saturating_add(1))
    }

    /// The position `count` after this one.
    #[must_use]
    pub const fn plus(self, count: u64) -> Position {
        Position(self.0.saturating_add(count))
    }

    /// The position before this one; [`Position::START`] stays.
    #[must_use]
    pub const fn previous(self) -> Position {
        Position(self.0.saturating_sub(1))
    }

    /// How many positions this one lies after `earlier`; 0 when it does not.
    #[must_use]
    pub const fn after(self, earlier: Position) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The term of one writer of the log. Grows by one with each take-over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(#[serde(deserialize_with = "crate::text::whole")] pub u64);

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The visible name of a payment, `TXN-<digits>-<8 hex digits>` (`idaas.md` 9.1).
///
/// The digits are the log position of the payment's first event, so a payment is found without an index; the hex
/// digits are random, so that a reference cannot be guessed from another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    position: Position,
    check: u32,
}

impl Reference {
    /// The reference of the payment whose first event stands at `position`.
    #[must_use]
    pub const fn new(position: Position, check: u32) -> Self {
        Reference { position, check }
    }

    /// Where the payment's first event stands.
    #[must_use]
    pub const fn position(self) -> Position {
        self.position
    }

    /// The random part.
    #[must_use]
    pub const fn check(self) -> u32 {
        self.check
    }

    /// The reference as text.
    #[must_use]
    pub fn text(self) -> ReferenceText {
        ReferenceText::new(self)
    }
}

/// A reference as text, on the stack.
#[derive(Clone, Copy)]
pub struct ReferenceText {
    bytes: [u8; 33],
    from: usize,
}

impl ReferenceText {
    fn new(reference: Reference) -> Self {
        let mut text = ReferenceText { bytes: [b'0'; 33], from: 33 };
        let mut check = reference.check;
        for _ in 0..8 {
            let digit = u8::try_from(check % 16).unwrap_or(0);
            text.push(if digit < 10 { b'0' + digit } else { b'A' + digit - 10 });
            check /= 16;
        }
        text.push(b'-');
        let (mut number, mut digits) = (reference.position.number(), 0);
        while number > 0 || digits < 8 {
            text.push(b'0' + u8::try_from(number % 10).unwrap_or(0));
            number /= 10;
            digits += 1;
        }
        for byte in *b"-NXT" {
            text.push(byte);
        }
        text
    }

    fn push(&mut self, byte: u8) {
        self.from = self.from.saturating_sub(1);
        if let Some(place) = self.bytes.get_mut(self.from) {
            *place = byte;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.bytes.get(self.from..).unwrap_or_default()).unwrap_or_default()
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl FromStr for Reference {
    type Err = IdError;

    /// Reads exactly what `Display` writes.
    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = IdError("transaction reference");
        let (digits, hex) = text.strip_prefix("TXN-").and_then(|rest| rest.split_once('-')).ok_or(wrong.clone())?;
        let upper = hex.len() == 8 && hex.bytes().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'));
        let number = digits.bytes().all(|b| b.is_ascii_digit())
            && (digits.len() == 8 || ((9..=13).contains(&digits.len()) && !digits.starts_with('0')));
        if !(upper && number) {
            return Err(wrong);
        }
        let position = digits.parse().map(Position).map_err(|_| wrong.clone())?;
        let check = u32::from_str_radix(hex, 16).map_err(|_| wrong)?;
        Ok(Reference { position, check })
    }
}

impl Serialize for Reference {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Reference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn references_read_back(position in 1..=9_999_999_999_999_u64, check: u32) {
            let reference = Reference::new(Position::new(position), check);
            let text = reference.to_string();
            prop_assert_eq!(&text, &format!("TXN-{position:08}-{check:08X}"));
            prop_assert_eq!(text.parse(), Ok(reference));
        }

        #[test]
        fn a_reference_has_one_spelling(text in "TXN-[0-9]{7,14}-[0-9A-Fa-f]{7,9}") {
            if let Ok(reference) = text.parse::<Reference>() {
                prop_assert_eq!(reference.to_string(), text);
            }
        }
    }

    #[test]
    fn wrong_references() {
        for text in
            ["", "TXN", "TXN-1-AAAAAAAA", "TXN-00000001-aaaaaaaa", "TXN-000000001-AAAAAAAA", "TXN-+0000001-AAAAAAAA"]
        {
            assert!(text.parse::<Reference>().is_err(), "{text}");
        }
    }
}
