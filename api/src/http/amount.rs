//! Reads amounts from the digits of a JSON number, exactly.
//!
//! Spellings do not matter, values do: `15e2` is 1500, and `1.50000` is 1.5, for no digit is lost. A value that needs
//! a fifth decimal, or a sixteenth integer digit, is refused.

use flexledger_domain::money::Amount;
use flexledger_domain::payments::SCALE;

/// Integer digits of the largest amount.
const INTEGER_DIGITS: i64 = 15;

/// Why a number is no amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Zero or below.
    #[error("must be greater than 0")]
    NotPositive,
    /// More than four decimals.
    #[error("must have at most 4 decimals")]
    TooPrecise,
    /// More than fifteen integer digits.
    #[error("must have at most 15 integer digits")]
    TooLarge,
}

/// Reads a number, spelled as JSON allows, as a positive amount of at most 15 integer digits and 4 decimals.
///
/// # Errors
/// [`AmountError`].
pub fn positive(number: &str) -> Result<Amount, AmountError> {
    let (mantissa, exponent) = match number.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, exponent_of(exponent)),
        None => (number, 0),
    };
    let (negative, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, mantissa),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits = || whole.bytes().chain(fraction.bytes());
    let Some(leading) = digits().position(|digit| digit != b'0') else {
        return Err(AmountError::NotPositive);
    };
    if negative {
        return Err(AmountError::NotPositive);
    }
    let written = whole.len() + fraction.len();
    let trailing = digits().rev().take_while(|digit| *digit == b'0').count();
    let significant = written - leading - trailing;
    // The value is the significant digits times ten to the power of `shift`.
    let shift = length(trailing) - length(fraction.len());
    let shift = shift.saturating_add(exponent);
    if shift.saturating_add(length(significant)) > INTEGER_DIGITS {
        return Err(AmountError::TooLarge);
    }
    let zeros = shift.saturating_add(i64::from(SCALE));
    let Ok(zeros) = u32::try_from(zeros) else {
        return Err(AmountError::TooPrecise);
    };
    // Both checks together bound the digits to 19, so nothing below can overflow 128 bits.
    let number = digits()
        .skip(leading)
        .take(significant)
        .fold(0, |sum: i128, digit| sum.saturating_mul(10).saturating_add(i128::from(digit.saturating_sub(b'0'))));
    Ok(Amount::from_minor(number.saturating_mul(10_i128.saturating_pow(zeros))))
}

fn length(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// The exponent, held at the ends of its range: far beyond them nothing changes any more.
fn exponent_of(text: &str) -> i64 {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let limit = i64::from(i32::MAX);
    let size = digits.bytes().fold(0_i64, |sum, digit| {
        (sum.saturating_mul(10).saturating_add(i64::from(digit.saturating_sub(b'0')))).min(limit)
    });
    if negative { -size } else { size }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_amount_reads_back_in_every_spelling(minor in 1..=9_999_999_999_999_999_999_i128, shift in -30..30_i64) {
            let amount = Amount::from_minor(minor);
            prop_assert_eq!(positive(amount.text(SCALE).as_str()), Ok(amount));
            prop_assert_eq!(positive(&format!("{minor}e-4")), Ok(amount));
            let scaled = if shift >= 0 {
                format!("{minor}{}E-{}", "0".repeat(shift.unsigned_abs() as usize), shift + 4)
            } else {
                format!("0.{}{minor}e{}", "0".repeat(shift.unsigned_abs() as usize),
                    minor.to_string().len() as i64 - shift - 4)
            };
            prop_assert_eq!(positive(&scaled), Ok(amount), "{}", scaled);
        }
    }

    #[test]
    fn limits() {
        let minor = |text: &str| positive(text).map(Amount::minor);
        assert_eq!(minor("0.0001"), Ok(1));
        assert_eq!(minor("1500"), Ok(15_000_000));
        assert_eq!(minor("1.50000"), Ok(15_000));
        assert_eq!(minor("1E3"), Ok(10_000_000));
        assert_eq!(minor("1e+2"), Ok(1_000_000));
        assert_eq!(minor("999999999999999.9999"), Ok(9_999_999_999_999_999_999));
        for text in ["0", "-0", "0.0000", "-1", "0e99999999999999999999", "-1e400", "-0.00001"] {
            assert_eq!(minor(text), Err(AmountError::NotPositive), "{text}");
        }
        for text in ["1000000000000000", "1e15", "1e400", "1e99999999999999999999", "999999999999999999.99999"] {
            assert_eq!(minor(text), Err(AmountError::TooLarge), "{text}");
        }
        for text in ["0.00001", "1.00001", "1e-5", "1e-99999999999999999999"] {
            assert_eq!(minor(text), Err(AmountError::TooPrecise), "{text}");
        }
    }
}
