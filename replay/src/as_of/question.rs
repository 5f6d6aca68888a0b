//! What can be asked, and how it is written.

use flexledger_domain::identity::TagQuery;
use flexledger_domain::ids::{ApplicationId, TagId};
use flexledger_domain::merchants::POINTS;
use flexledger_domain::money::Currency;
use flexledger_domain::payments::SCALE;
use flexledger_domain::{Date, Reference};
use flexledger_projections::TagChoice;

/// The currency of a statement that names none (`operations.md` 4).
const DEFAULT_CURRENCY: &str = "NGN";
/// Rows of a page that names no limit, and the most that one may name.
const USUAL_LIMIT: u32 = 100;
const LARGEST_LIMIT: u32 = 1000;

/// A question that cannot be read (400; on the command line 2).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuestionError {
    /// There is no such view.
    #[error("{0} is no view: ask for wallets, statement, tags, settlement, transactions, balances or trial-balance")]
    View(String),
    /// The view needs a key, or takes none.
    #[error("{0}")]
    Key(&'static str),
    /// A key that is none.
    #[error("nothing is known by this key: {0} is malformed")]
    Malformed(&'static str),
    /// Not three capital letters.
    #[error("currency must be three capital letters")]
    Currency,
    /// Not a number from 1 to 1000.
    #[error("limit must be 1 to 1000")]
    Limit,
    /// Not what an answer gave as `next`.
    #[error("from must be what an answer gave as next")]
    From,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Behind which row; from the beginning if none.
    pub from: Option<u64>,
    /// Rows at most.
    pub limit: u32,
}

impl Paging {
    /// Reads `from` and `limit`.
    ///
    /// # Errors
    /// [`QuestionError::From`], [`QuestionError::Limit`].
    pub fn read(from: Option<&str>, limit: Option<&str>) -> Result<Self, QuestionError> {
        let digits = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let limit = match limit {
            None => USUAL_LIMIT,
            Some(text) => {
                let number = Some(text).filter(digits).and_then(|text| text.parse().ok());
                number.filter(|limit| (1..=LARGEST_LIMIT).contains(limit)).ok_or(QuestionError::Limit)?
            }
        };
        let number = |text: &str| {
            let number = Some(text).filter(digits).and_then(|text| text.parse().ok());
            // Larger numbers are of no row, and of no database.
            number.filter(|number| *number <= 1 << 53).ok_or(QuestionError::From)
        };
        Ok(Paging { from: from.map(number).transpose()?, limit })
    }
}

/// Three capital letters as a currency, or the points of merchants.
///
/// # Errors
/// [`QuestionError::Currency`].
pub fn read_currency(text: &str) -> Result<Currency, QuestionError> {
    let letters = text.len() == 3 && text.bytes().all(|b| b.is_ascii_uppercase());
    let currency = if letters || text == POINTS { Currency::new(text, SCALE).ok() } else { None };
    currency.ok_or(QuestionError::Currency)
}

/// A question to the past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// What the wallets of an application held, or all.
    Wallets(Option<ApplicationId>),
    /// The statement of a wallet, oldest entry first.
    Statement {
        /// Whose.
        application: ApplicationId,
        /// In which currency.
        currency: Currency,
        /// Which part.
        paging: Paging,
    },
    /// All tags.
    Tags(Paging),
    /// One tag, or those of a name.
    Tag(TagChoice),
    /// The settlement records of a date, or all.
    Settlement(Option<Date>),
    /// One payment.
    Transaction(Reference),
    /// What every account held.
    Balances(Paging),
    /// Debits and credits of all accounts.
    TrialBalance,
}

impl Question {
    /// Reads a view's name, its key, and the parameters `currency`, `from` and `limit`.
    ///
    /// # Errors
    /// [`QuestionError`].
    pub fn read<'a>(
        view: &str,
        key: Option<&str>,
        parameter: impl Fn(&str) -> Option<&'a str>,
    ) -> Result<Self, QuestionError> {
        // A wrong limit is wrong for a view without pages, too.
        let paging = Paging::read(parameter("from"), parameter("limit"))?;
        let currency = || read_currency(parameter("currency").unwrap_or(DEFAULT_CURRENCY));
        let application = |text: &str| text.parse().map_err(|_| QuestionError::Malformed("the application id"));
        match (view, key) {
            ("wallets", key) => Ok(Question::Wallets(key.map(application).transpose()?)),
            ("statement", Some(key)) => {
                Ok(Question::Statement { application: application(key)?, currency: currency()?, paging })
            }
            ("statement", None) => Err(QuestionError::Key("statement needs an application id")),
            ("tags", None) => Ok(Question::Tags(paging)),
            ("tags", Some(key)) => Ok(Question::Tag(tag(key)?)),
            ("settlement", key) => {
                let date = |text: &str| Date::parse(text).map_err(|_| QuestionError::Malformed("the date"));
                Ok(Question::Settlement(key.map(date).transpose()?))
            }
            ("transactions", Some(key)) => {
                key.parse().map(Question::Transaction).map_err(|_| QuestionError::Malformed("the reference"))
            }
            ("transactions", None) => Err(QuestionError::Key("transactions needs a reference")),
            ("balances", None) => Ok(Question::Balances(paging)),
            ("trial-balance", None) => Ok(Question::TrialBalance),
            ("balances" | "trial-balance", Some(_)) => Err(QuestionError::Key("this view takes no key")),
            (other, _) => Err(QuestionError::View(other.to_owned())),
        }
    }
}

/// An id, a qualified address or a bare name.
fn tag(text: &str) -> Result<TagChoice, QuestionError> {
    if let Ok(id) = text.parse::<TagId>() {
        return Ok(TagChoice::Id(id));
    }
    TagQuery::parse(text).map(TagChoice::Named).map_err(|_| QuestionError::Malformed("the tag"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words() {
        let read = |view: &str, key: Option<&str>| Question::read(view, key, |_| None);
        assert_eq!(read("wallets", None), Ok(Question::Wallets(None)));
        assert!(matches!(read("tags", Some("alice@walletapp")), Ok(Question::Tag(TagChoice::Named(_)))));
        for (view, key) in [
            ("statement", None),
            ("transactions", Some("TXN-1")),
            ("settlement", Some("2026-13-01")),
            ("balances", Some("x")),
            ("wallets", Some("x")),
            ("nothing", None),
        ] {
            assert!(read(view, key).is_err(), "{view} {key:?}");
        }
        // It is answered as an unknown key is, and says why nothing can be known by it.
        let malformed = read("settlement", Some("2026-13-01")).unwrap_err().to_string();
        assert_eq!(malformed, "nothing is known by this key: the date is malformed");
    }

    #[test]
    fn a_wrong_limit_is_told_whatever_is_asked() {
        for view in ["wallets", "tags", "settlement", "balances", "trial-balance"] {
            let read = |limit| Question::read(view, None, |name| (name == "limit").then_some(limit));
            assert_eq!(read("0"), Err(QuestionError::Limit), "{view}");
            assert!(read("1").is_ok(), "{view}");
        }
    }

    #[test]
    fn limits() {
        for wrong in ["0", "1001", "-1", "", "x", "1.0", "99999999999"] {
            assert_eq!(Paging::read(None, Some(wrong)), Err(QuestionError::Limit), "{wrong}");
        }
        for wrong in ["", "-1", "x", "18446744073709551616"] {
            assert_eq!(Paging::read(Some(wrong), None), Err(QuestionError::From), "{wrong}");
        }
        assert_eq!(Paging::read(Some("7"), Some("1000")), Ok(Paging { from: Some(7), limit: 1000 }));
    }
}
