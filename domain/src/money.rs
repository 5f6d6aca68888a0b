//! Money: exact counts of a currency's smallest unit. No floats, no wrapping, no silent rounding.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The most decimals a currency may have.
pub const MAX_SCALE: u8 = 18;

/// Why an amount or a currency cannot be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MoneyError {
    /// The result does not fit 128 bits.
    #[error("amount out of range")]
    Overflow,
    /// The text is no decimal number.
    #[error("not a decimal number")]
    Malformed,
    /// The text has more decimals than the scale allows.
    #[error("too many decimals")]
    TooPrecise,
    /// A currency code is 2 to 8 upper-case letters or digits.
    #[error("not a currency code")]
    Currency,
}

/// A currency code with the number of decimals that its amounts carry.
///
/// The same code under two scales is two currencies: their amounts never meet in one sum unconverted.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Currency {
    code: [u8; 8],
    scale: u8,
}

impl Currency {
    /// A currency from its code (2 to 8 of `A-Z0-9`) and scale.
    ///
    /// # Errors
    /// [`MoneyError::Currency`] for a bad code or a scale above [`MAX_SCALE`].
    pub fn new(code: &str, scale: u8) -> Result<Self, MoneyError> {
        let bytes = code.as_bytes();
        let good = (2..=8).contains(&bytes.len())
            && bytes.iter().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
            && scale <= MAX_SCALE;
        let mut padded = [0; 8];
        match padded.get_mut(..bytes.len()) {
            Some(place) if good => place.copy_from_slice(bytes),
            _ => return Err(MoneyError::Currency),
        }
        Ok(Currency { code: padded, scale })
    }

    /// The code, for example `NGN`.
    #[must_use]
    pub fn code(&self) -> &str {
        let len = self.code.iter().position(|b| *b == 0).unwrap_or(self.code.len());
        std::str::from_utf8(self.code.get(..len).unwrap_or_default()).unwrap_or_default()
    }

    /// How many decimals an amount of this currency has.
    #[must_use]
    pub fn scale(&self) -> u8 {
        self.scale
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.code(), self.scale)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// A signed count of smallest units. What a unit is, the [`Currency`] beside it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(i128);

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// From a count of smallest units.
    #[must_use]
    pub const fn from_minor(minor: i128) -> Self {
        Amount(minor)
    }

    /// The count of smallest units.
    #[must_use]
    pub const fn minor(self) -> i128 {
        self.0
    }

    /// The sum.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when it does not fit.
    pub fn plus(self, other: Amount) -> Result<Amount, MoneyError> {
        self.0.checked_add(other.0).map(Amount).ok_or(MoneyError::Overflow)
    }

    /// The difference.
    ///
    /// # Errors
    /// [`MoneyError::Overflow`] when it does not fit.
    pub fn minus(self, other: Amount) -> Result<Amount, MoneyError> {
        self.0.checked_sub(other.0).map(Amount).ok_or(MoneyError::Overflow)
    }

    /// Whether the amount is above zero.
    #[must_use]
    pub fn is_positive(self) -> bool {
        self.0 > 0
    }

    /// Reads `[-]digits[.digits]` with at most `scale` decimals, exactly.
    ///
    /// # Errors
    /// [`MoneyError::Malformed`], [`MoneyError::TooPrecise`] or [`MoneyError::Overflow`].
    pub fn parse(text: &str, scale: u8) -> Result<Amount, MoneyError> {
        let (amount, decimals) = parse_decimal(text)?;
        let missing = scale.checked_sub(decimals).ok_or(MoneyError::TooPrecise)?;
        let factor = 10_i128.checked_pow(u32::from(missing)).ok_or(MoneyError::Overflow)?;
        amount.0.checked_mul(factor).map(Amount).ok_or(MoneyError::Overflow)
    }

    /// Reads a decimal with exactly the decimals that it is written with, and tells how many.
    ///
    /// # Errors
    /// As [`Amount::parse`].
    pub fn parse_scaled(text: &str) -> Result<(Amount, u8), MoneyError> {
        parse_decimal(text)
    }

    /// This amount at another scale.
    ///
    /// # Errors
    /// [`MoneyError::TooPrecise`] if decimals would be lost, [`MoneyError::Overflow`] if it does not fit.
    pub fn rescale(self, from: u8, to: u8) -> Result<Amount, MoneyError> {
        let factor = 10_i128.checked_pow(u32::from(from.abs_diff(to))).ok_or(MoneyError::Overflow)?;
        if to >= from {
            return self.0.checked_mul(factor).map(Amount).ok_or(MoneyError::Overflow);
        }
        match (self.0.checked_div(factor), self.0.checked_rem(factor)) {
            (Some(whole), Some(0)) => Ok(Amount(whole)),
            _ => Err(MoneyError::TooPrecise),
        }
    }

    /// The amount as text with exactly `scale` decimals.
    #[must_use]
    pub fn text(self, scale: u8) -> AmountText {
        AmountText::new(self, scale)
    }
}

/// Digits and count of decimals of `[-]digits[.digits]`.
fn parse_decimal(text: &str) -> Result<(Amount, u8), MoneyError> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, fraction) = match digits.split_once('.') {
        Some((_, "")) => return Err(MoneyError::Malformed),
        Some(parts) => parts,
        None => (digits, ""),
    };
    if whole.is_empty() || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return Err(MoneyError::Malformed);
    }
    // Up to 18 digits fit into 64 bits, where nothing has to be checked.
    let minor = if whole.len() + fraction.len() <= 18 {
        let number = |from: i64, digits: &str| digits.bytes().fold(from, |n, digit| n * 10 + i64::from(digit - b'0'));
        i128::from(number(number(0, whole), fraction))
    } else {
        let mut minor: i128 = 0;
        for digit in whole.bytes().chain(fraction.bytes()) {
            minor = minor.checked_mul(10).ok_or(MoneyError::Overflow)?;
            minor = minor.checked_add(i128::from(digit - b'0')).ok_or(MoneyError::Overflow)?;
        }
        minor
    };
    let decimals = u8::try_from(fraction.len()).map_err(|_| MoneyError::TooPrecise)?;
    let signed = if negative { -minor } else { minor };
    Ok((Amount(signed), decimals))
}

/// An amount as decimal text, on the stack.
#[derive(Clone, Copy)]
pub struct AmountText {
    bytes: [u8; 64],
    from: usize,
}

impl AmountText {
    fn new(amount: Amount, scale: u8) -> Self {
        /// Up to 19 digits fit into 64 bits, and dividing those is a multiplication.
        const PART: u128 = 10_000_000_000_000_000_000;
        let mut text = AmountText { bytes: [b'0'; 64], from: 64 };
        let (mut rest, mut written) = (amount.0.unsigned_abs(), 0);
        loop {
            let last = rest < PART;
            let mut part = u64::try_from(if last { rest } else { rest % PART }).unwrap_or(0);
            let until = if last { 0 } else { written + 19 };
            while part > 0 || written < until || (last && written <= usize::from(scale)) {
                if written == usize::from(scale) && scale > 0 {
                    text.push(b'.');
                }
                text.push(b'0' + u8::try_from(part % 10).unwrap_or(0));
                part /= 10;
                written += 1;
            }
            if last {
                break;
            }
            rest /= PART;
        }
        if amount.0 < 0 {
            text.push(b'-');
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

impl fmt::Display for AmountText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An amount together with its currency. Written as two members, `amount` and `currency`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    /// How much, in smallest units.
    pub amount: Amount,
    /// Of what.
    pub currency: Currency,
}

impl Money {
    /// The amount as decimal text at the currency's scale.
    #[must_use]
    pub fn text(&self) -> AmountText {
        self.amount.text(self.currency.scale)
    }

    /// From a decimal text, whose count of decimals is the scale, and a code.
    ///
    /// # Errors
    /// When either cannot be read.
    pub fn from_texts(amount: &str, code: &str) -> Result<Self, MoneyError> {
        let (amount, scale) = Amount::parse_scaled(amount)?;
        Ok(Money { amount, currency: Currency::new(code, scale)? })
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.currency, self.text())
    }
}

#[derive(Serialize, Deserialize)]
struct MoneyWire<'a> {
    #[serde(borrow)]
    amount: std::borrow::Cow<'a, str>,
    #[serde(borrow)]
    currency: std::borrow::Cow<'a, str>,
}

impl Serialize for Money {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = self.text();
        MoneyWire { amount: text.as_str().into(), currency: self.currency.code().into() }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = MoneyWire::deserialize(deserializer)?;
        Money::from_texts(&wire.amount, &wire.currency).map_err(serde::de::Error::custom)
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    /// Reads what [`Money`]'s `Display` writes, for example `NGN 1500.0000`.
    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (code, amount) = text.split_once(' ').ok_or(MoneyError::Malformed)?;
        Money::from_texts(amount, code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn written_amounts_read_back(minor: i128, scale in 0..=MAX_SCALE) {
            prop_assume!(minor > i128::MIN);
            let amount = Amount::from_minor(minor);
            let text = amount.text(scale).to_string();
            prop_assert_eq!(Amount::parse(&text, scale), Ok(amount));
            prop_assert_eq!(Amount::parse_scaled(&text), Ok((amount, scale)));
        }

        #[test]
        fn sums_never_wrap(a: i128, b: i128) {
            let sum = Amount::from_minor(a).plus(Amount::from_minor(b));
            prop_assert_eq!(sum.ok().map(Amount::minor), a.checked_add(b));
        }

        #[test]
        fn any_text_is_read_or_refused(text in ".{0,60}", scale in 0..=MAX_SCALE) {
            if let Ok(amount) = Amount::parse(&text, scale) {
                prop_assert_eq!(Amount::parse(amount.text(scale).as_str(), scale), Ok(amount));
            }
        }
    }

    #[test]
    fn texts() {
        assert_eq!(Amount::from_minor(15_000_000).text(4).as_str(), "1500.0000");
        assert_eq!(Amount::from_minor(-1).text(4).as_str(), "-0.0001");
        assert_eq!(Amount::from_minor(0).text(0).as_str(), "0");
        let part = 10_000_000_000_000_000_000_i128;
        for minor in [part - 1, part, part + 1, 7 * part, part * part + 40, i128::MAX, i128::MIN + 1] {
            assert_eq!(Amount::from_minor(minor).text(0).as_str(), minor.to_string());
            let text = Amount::from_minor(minor).text(4);
            assert_eq!(text.as_str().replace('.', ""), minor.to_string());
            assert_eq!(text.as_str().find('.'), Some(text.as_str().len() - 5));
        }
        for wrong in ["", ".", "1.", ".1", "1e3", "+1", " 1", "1,0", "--1", "-"] {
            assert!(Amount::parse(wrong, 4).is_err(), "{wrong}");
        }
        assert_eq!(Amount::parse("0.00001", 4), Err(MoneyError::TooPrecise));
    }

    #[test]
    fn codes() {
        assert_eq!(Currency::new("NGN", 4).map(|c| c.to_string()), Ok("NGN".to_owned()));
        for wrong in ["", "N", "ngn", "NAIRA1234", "N N"] {
            assert_eq!(Currency::new(wrong, 2), Err(MoneyError::Currency));
        }
    }
}
