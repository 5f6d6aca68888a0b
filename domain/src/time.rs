//! Instants and dates. The domain never asks what time it is: every instant is handed in.

use std::fmt;

use chrono::{DateTime, Datelike, NaiveDate, Timelike};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Microseconds in one second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// A point in time, in microseconds since 1970-01-01T00:00:00Z.
///
/// Written as RFC 3339 in UTC with six decimals, for example `2026-03-27T11:45:12.772000Z`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(i64);

/// Why a text is no instant or date.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} is not a valid {1}")]
pub struct TimeError(String, &'static str);

impl Instant {
    /// The earliest instant that four-digit years can write.
    pub const MIN: Instant = Instant(-62_167_219_200 * MICROS_PER_SECOND);
    /// The last instant that four-digit years can write.
    pub const MAX: Instant = Instant(253_402_300_799 * MICROS_PER_SECOND + 999_999);

    /// From microseconds since the epoch, held inside the years 0000 to 9999.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Instant(micros.clamp(Self::MIN.0, Self::MAX.0))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(MICROS_PER_SECOND)
    }

    /// The UTC date of this instant.
    #[must_use]
    pub fn date(self) -> Date {
        Date(self.0.div_euclid(MICROS_PER_DAY))
    }

    /// This instant moved by `span`, held at the ends of what can be written.
    #[must_use]
    pub fn plus(self, span: Span) -> Instant {
        Instant::from_micros(self.0.saturating_add(span.0))
    }

    /// The time from `earlier` to this instant, never negative.
    #[must_use]
    pub fn since(self, earlier: Instant) -> Span {
        Span(self.0.saturating_sub(earlier.0).max(0))
    }

    /// Reads RFC 3339 with any offset and up to nine decimals (truncated to six).
    ///
    /// # Errors
    /// When the text is not RFC 3339 or lies outside the years 0000 to 9999.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned(), "RFC 3339 instant");
        let read = DateTime::parse_from_rfc3339(text).map_err(|_| wrong())?;
        let micros = read.timestamp_micros();
        if (Self::MIN.0..=Self::MAX.0).contains(&micros) { Ok(Instant(micros)) } else { Err(wrong()) }
    }

    /// Reads exactly the form that [`Instant::text`] writes, quickly. `None` for anything else.
    #[must_use]
    pub fn parse_log(text: &str) -> Option<Self> {
        fast_parse(text)
    }

    /// The text with six decimals, as it stands in the log.
    #[must_use]
    pub fn text(self) -> InstantText {
        InstantText::new(self, 6)
    }

    /// The text with three decimals, as the payment APIs print it.
    #[must_use]
    pub fn millis_text(self) -> InstantText {
        InstantText::new(self, 3)
    }
}

/// An instant as text, on the stack.
#[derive(Clone, Copy)]
pub struct InstantText {
    bytes: [u8; 27],
    len: usize,
}

impl InstantText {
    fn new(instant: Instant, decimals: usize) -> Self {
        let date = instant.date();
        let in_day = instant.0.rem_euclid(MICROS_PER_DAY);
        // Both are below 2^32: a day has 86,400 seconds.
        let part = |of: i64| u32::try_from(of).unwrap_or(0);
        let (seconds, micros) = (part(in_day / MICROS_PER_SECOND), part(in_day % MICROS_PER_SECOND));
        let day = date.naive();
        let mut text = InstantText { bytes: *b"0000-00-00T00:00:00.000000Z", len: 21 + decimals };
        text.digits(0, 4, day.year().unsigned_abs());
        text.digits(5, 2, day.month());
        text.digits(8, 2, day.day());
        text.digits(11, 2, seconds / 3600);
        text.digits(14, 2, seconds / 60 % 60);
        text.digits(17, 2, seconds % 60);
        let fraction = if decimals == 3 { micros / 1000 } else { micros };
        text.digits(20, decimals, fraction);
        if let Some(last) = text.bytes.get_mut(20 + decimals) {
            *last = b'Z';
        }
        text
    }

    fn digits(&mut self, at: usize, width: usize, mut value: u32) {
        for byte in self.bytes.get_mut(at..at + width).unwrap_or_default().iter_mut().rev() {
            *byte = b'0' + u8::try_from(value % 10).unwrap_or(0);
            value /= 10;
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        let bytes = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(bytes).unwrap_or_default()
    }
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text().as_str())
    }
}

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text().as_str())
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, |text| fast_parse(text).map_or_else(|| Instant::parse(text), Ok))
    }
}

/// Reads exactly the form that [`Instant::text`] writes; anything else is left to the full parser.
fn fast_parse(text: &str) -> Option<Instant> {
    let bytes: &[u8; 27] = text.as_bytes().try_into().ok()?;
    let shape = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
    let fits = bytes.iter().zip(shape).all(|(b, s)| if *s == b'd' { b.is_ascii_digit() } else { b == s });
    if !fits {
        return None;
    }
    let number = |from: usize, to: usize| -> u32 {
        bytes.get(from..to).unwrap_or_default().iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
    };
    let day = NaiveDate::from_ymd_opt(i32::try_from(number(0, 4)).ok()?, number(5, 7), number(8, 10))?;
    let moment = day.and_hms_micro_opt(number(11, 13), number(14, 16), number(17, 19), number(20, 26))?;
    (moment.nanosecond() < 1_000_000_000).then(|| Instant(moment.and_utc().timestamp_micros()))
}

/// A length of time in microseconds, never negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

impl Span {
    /// From whole seconds.
    #[must_use]
    pub fn from_seconds(seconds: u32) -> Self {
        Span(i64::from(seconds) * MICROS_PER_SECOND)
    }

    /// From microseconds; negative values become zero.
    #[must_use]
    pub fn from_micros(micros: i64) -> Self {
        Span(micros.max(0))
    }

    /// Microseconds.
    #[must_use]
    pub fn micros(self) -> i64 {
        self.0
    }
}

/// A UTC calendar date, as days since 1970-01-01. Written `YYYY-MM-DD`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date(i64);

impl Date {
    /// From days since 1970-01-01, held inside the years 0000 to 9999.
    #[must_use]
    pub fn from_days(days: i64) -> Self {
        Instant::from_micros(days.saturating_mul(MICROS_PER_DAY)).date()
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub fn days(self) -> i64 {
        self.0
    }

    /// The day after.
    #[must_use]
    pub fn next(self) -> Date {
        Date::from_days(self.0 + 1)
    }

    /// The day before.
    #[must_use]
    pub fn previous(self) -> Date {
        Date::from_days(self.0 - 1)
    }

    /// Midnight UTC at the start of this date.
    #[must_use]
    pub fn start(self) -> Instant {
        Instant::from_micros(self.0.saturating_mul(MICROS_PER_DAY))
    }

    /// Reads `YYYY-MM-DD`, exactly ten characters.
    ///
    /// # Errors
    /// When the text has another form or names no day of the calendar.
    pub fn parse(text: &str) -> Result<Self, TimeError> {
        let wrong = || TimeError(text.to_owned(), "date");
        let shape = b"dddd-dd-dd";
        let fits = text.len() == shape.len()
            && text.bytes().zip(shape).all(|(b, s)| if *s == b'd' { b.is_ascii_digit() } else { b == *s });
        if !fits {
            return Err(wrong());
        }
        let number = |from: usize, to: usize| -> u32 {
            text.as_bytes().get(from..to).unwrap_or_default().iter().fold(0, |n, b| n * 10 + u32::from(b - b'0'))
        };
        let year = i32::try_from(number(0, 4)).map_err(|_| wrong())?;
        let day = NaiveDate::from_ymd_opt(year, number(5, 7), number(8, 10)).ok_or_else(wrong)?;
        Ok(Date(day.signed_duration_since(NaiveDate::default()).num_days()))
    }

    fn naive(self) -> NaiveDate {
        i32::try_from(self.0).ok().and_then(NaiveDate::from_epoch_days).unwrap_or_default()
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.start().text().as_str().get(..10).unwrap_or_default())
    }
}

impl Serialize for Date {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.start().text().as_str().get(..10).unwrap_or_default())
    }
}

impl<'de> Deserialize<'de> for Date {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, Date::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_instants_read_back(micros in Instant::MIN.0..=Instant::MAX.0) {
            let instant = Instant::from_micros(micros);
            let text = instant.to_string();
            prop_assert_eq!(Instant::parse(&text), Ok(instant));
            prop_assert_eq!(fast_parse(&text), Some(instant));
            prop_assert_eq!(Date::parse(&instant.date().to_string()), Ok(instant.date()));
        }
    }

    #[test]
    fn known_texts() {
        let instant = Instant::from_micros(1_774_611_912_772_345);
        assert_eq!(instant.to_string(), "2026-03-27T11:45:12.772345Z");
        assert_eq!(instant.millis_text().as_str(), "2026-03-27T11:45:12.772Z");
        assert_eq!(instant.date().to_string(), "2026-03-27");
        assert_eq!(instant.date().next().to_string(), "2026-03-28");
    }

    #[test]
    fn wrong_dates_are_refused() {
        for text in ["", "2026-02-30", "2026-1-01", "20260101", "+026-01-01", "2026-01-01T", "２026-01-01"] {
            assert!(Date::parse(text).is_err(), "{text}");
        }
    }
}
