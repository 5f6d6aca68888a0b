//! The documents of `operations.md` 4 as of a position, for HTTP and the command line alike.
//!
//! A [`Question`] is read from words (`wallets <application>`, `statement <application>` …), so both surfaces take the same
//! ones. Answers come from the views; an answer that cannot be given is an error, never an empty document.

mod document;
mod question;

use std::collections::BTreeMap;

use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::Amount;
use flexledger_domain::payments::SCALE;
use flexledger_domain::{Instant, Position};
use flexledger_eventstore::EventStore;
use flexledger_projections::{LARGEST_PAGE, TagChoice, ViewError, Views};

pub use document::{
    AccountBalance, Answer, CurrencyBalance, Cut, Entry, Settlement, SettlementLine, Tag, Transaction, Wallet,
};
pub use question::{Paging, Question, QuestionError, read_currency};

use crate::moment::{Moment, MomentError};

/// Tags that one name may stand for in an answer.
const MOST_NAMED: u32 = 1000;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AsOfError {
    /// Nothing of this name was there (404).
    #[error("{0} was not known then")]
    Unknown(&'static str),
    /// The moment has no answer.
    #[error(transparent)]
    Moment(#[from] MomentError),
    /// The views cannot answer.
    #[error(transparent)]
    Views(#[from] ViewError),
    /// Sums beyond what amounts can hold.
    #[error("a sum is too large")]
    Overflow,
    /// Debits and credits of a currency differ: rows are missing.
    #[error("debits and credits in {0} differ: the views are damaged; run `flexledger reconcile`")]
    Unbalanced(String),
}

/// The position that `moment` means in a log that ends at `head`.
///
/// # Errors
/// [`AsOfError::Moment`].
pub async fn position(
    moment: Moment,
    store: &dyn EventStore,
    head: Position,
    now: Instant,
) -> Result<Position, AsOfError> {
    Ok(moment.position(store, head, now).await?)
}

/// Answers a question from views that stand at `at` or later.
///
/// # Errors
/// [`AsOfError`].
pub async fn answer(views: &Views, at: Position, question: &Question) -> Result<Answer, AsOfError> {
    let position = at.number();
    match question {
        Question::Wallets(application) => wallets(views, at, *application).await,
        Question::Statement { application, currency, paging } => {
            known(views, *application, at).await?;
            let after = paging.from.unwrap_or(0);
            let page = views.statement_at((*application, *currency), after, paging.limit, at).await?;
            let (rows, total) = page.unwrap_or_default();
            let next = rows.last().map(|entry| entry.number).filter(|last| *last < total);
            let entries = rows.iter().map(|row| Entry::of(row, currency)).collect();
            Ok(Answer::Statement { position, entries, next: next.map(|next| next.to_string()) })
        }
        Question::Tags(paging) => {
            let after = Position::new(paging.from.unwrap_or(0));
            // One more than asked for tells whether the list goes on.
            let limit = paging.limit.min(LARGEST_PAGE - 1);
            let mut rows = views.tags_at(&TagChoice::After(after), limit + 1, at).await?;
            let more = rows.len() > usize::try_from(limit).unwrap_or(usize::MAX);
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let next = rows.last().filter(|_| more).map(|tag| tag.position.to_string());
            Ok(Answer::Tags { position, tags: rows.iter().map(Tag::of).collect(), next })
        }
        Question::Tag(choice) => {
            let rows = views.tags_at(choice, MOST_NAMED, at).await?;
            if rows.is_empty() {
                return Err(AsOfError::Unknown("this tag"));
            }
            Ok(Answer::Tags { position, tags: rows.iter().map(Tag::of).collect(), next: None })
        }
        Question::Settlement(date) => {
            let rows = views.settlements_at(*date, at).await?;
            if rows.is_empty() && date.is_some() {
                return Err(AsOfError::Unknown("a settlement of this date"));
            }
            Ok(Answer::Settlements { position, settlements: rows.iter().map(Settlement::of).collect() })
        }
        Question::Transaction(reference) => {
            let found = views.payment_as_of(*reference, at).await?.ok_or(AsOfError::Unknown("this reference"))?;
            Ok(Answer::Transaction(Box::new(Transaction::of(position, &found))))
        }
        Question::Balances(paging) => balances(views, at, paging).await,
        Question::TrialBalance => trial_balance(views, at).await,
    }
}

async fn known(views: &Views, application: ApplicationId, at: Position) -> Result<(), AsOfError> {
    match views.knew_application(application, at).await? {
        true => Ok(()),
        false => Err(AsOfError::Unknown("this application")),
    }
}

async fn wallets(views: &Views, at: Position, application: Option<ApplicationId>) -> Result<Answer, AsOfError> {
    if let Some(application) = application {
        known(views, application, at).await?;
    }
    let rows = views.wallets_at(application, at).await?;
    Ok(Answer::Wallets { position: at.number(), wallets: rows.iter().map(Wallet::of).collect() })
}

async fn balances(views: &Views, at: Position, paging: &Paging) -> Result<Answer, AsOfError> {
    let limit = paging.limit.min(LARGEST_PAGE - 1);
    let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
    let mut rows = views.accounts_at(paging.from.unwrap_or(0), limit + 1, at).await?;
    let more = rows.len() > wanted;
    rows.truncate(wanted);
    let next = rows.last().filter(|_| more).map(|row| row.number.to_string());
    Ok(Answer::Balances { position: at.number(), balances: rows.iter().map(AccountBalance::of).collect(), next })
}

/// Debits and credits of all accounts. Live and test books are told apart once there are test books.
async fn trial_balance(views: &Views, at: Position) -> Result<Answer, AsOfError> {
    let mut sums: BTreeMap<String, (Amount, Amount)> = BTreeMap::new();
    for row in views.wallets_at(None, at).await?.iter().filter(|row| row.entries > 0) {
        let sum = sums.entry(row.currency.code().to_owned()).or_insert((Amount::ZERO, Amount::ZERO));
        sum.0 = sum.0.plus(row.total_debited).map_err(|_| AsOfError::Overflow)?;
        sum.1 = sum.1.plus(row.total_credited).map_err(|_| AsOfError::Overflow)?;
    }
    if let Some((currency, _)) = sums.iter().find(|(_, (debit, credit))| debit != credit) {
        return Err(AsOfError::Unbalanced(currency.clone()));
    }
    let text = |amount: Amount| amount.text(SCALE).as_str().to_owned();
    let currencies = sums.into_iter();
    let currencies = currencies.map(|(currency, (debit, credit))| CurrencyBalance {
        currency,
        debit: text(debit),
        credit: text(credit),
    });
    Ok(Answer::TrialBalance { position: at.number(), currencies: currencies.collect() })
}
