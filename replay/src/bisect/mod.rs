//! Finds the first event after which an assertion over the ledger fails.
//!
//! Sums of a wallet never shrink, so an upper bound on one that once fails never holds again: its first failure is found
//! by halving the log, with one question to the views per step. Any other assertion may fail and hold again, so the log
//! is folded from its beginning and looked at after each event that matters.
//!
//! A wallet is judged from its first booking on, a payment from when it was initiated: what is not there yet fails
//! nothing. What is not there at the end of the range either is unknown, and no answer.

mod assertion;

use std::collections::HashMap;
use std::sync::Arc;

use flexledger_domain::books::Side;
use flexledger_domain::ids::ApplicationId;
use flexledger_domain::money::Amount;
use flexledger_domain::payments::{PaymentEvent, Status};
use flexledger_domain::{Event, Position, Recorded, Reference};
use flexledger_eventstore::EventStore;
use flexledger_projections::Views;
use serde::Serialize;
use serde_json::{Map, Value};

pub use assertion::{Assertion, AssertionError, Figure, Operator, Subject};

use crate::as_of::AsOfError;
use crate::events::events;
use crate::moment::MomentError;
use crate::show;

/// What was found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The assertion.
    pub assertion: String,
    /// Up to which position it was checked.
    pub to: u64,
    /// `halving` or `scan`.
    pub method: &'static str,
    /// Whether it held after every event.
    pub holds: bool,
    /// The first event after which it fails; null when it holds.
    pub event: Option<Map<String, Value>>,
    /// Where that event stands.
    pub position: Option<u64>,
}

/// Looks for the first failure up to `to`. `progress` is told how far a scan has come.
///
/// # Errors
/// [`AsOfError`] when what is asserted on is unknown at `to`, log or views cannot be read, or a sum does not fit.
pub async fn bisect(
    views: &Views,
    store: &Arc<dyn EventStore>,
    assertion: &Assertion,
    to: Position,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Found, AsOfError> {
    known(views, assertion, to).await?;
    let (method, position) = match assertion.fails_for_good() {
        Some((application, figure)) => ("halving", halve(views, assertion, application, figure, to).await?),
        None => ("scan", scan(store, assertion, to, progress).await?),
    };
    let event = match position {
        Some(position) => Some(event(store.as_ref(), position).await?),
        None => None,
    };
    Ok(Found {
        assertion: assertion.to_string(),
        to: to.number(),
        method,
        holds: position.is_none(),
        event,
        position: position.map(Position::number),
    })
}

/// Refuses what nobody has: an assertion on it would hold for ever, and say nothing.
async fn known(views: &Views, assertion: &Assertion, to: Position) -> Result<(), AsOfError> {
    let application = match assertion.subject() {
        Subject::Transaction(reference) => {
            let found = views.payment_as_of(*reference, to).await?;
            return found.map(|_| ()).ok_or(AsOfError::Unknown("this reference"));
        }
        Subject::Wallet(application, ..) if !views.knew_application(*application, to).await? => {
            return Err(AsOfError::Unknown("this application"));
        }
        Subject::Wallet(application, ..) => Some(*application),
        Subject::Wallets(..) | Subject::TrialBalance(_) => None,
    };
    let wallets = views.wallets_at(application, to).await?;
    let there = wallets.iter().any(|wallet| assertion.is_in(wallet.currency.code()));
    if there { Ok(()) } else { Err(AsOfError::Unknown("a wallet in this currency")) }
}

async fn event(store: &dyn EventStore, position: Position) -> Result<Map<String, Value>, AsOfError> {
    let stored = store.read(position.previous(), 1).await.map_err(MomentError::Store)?;
    let stored = stored.first().ok_or(MomentError::Damaged(position))?;
    Ok(show::event(stored).map_err(|_| MomentError::Damaged(position))?)
}

async fn halve(
    views: &Views,
    assertion: &Assertion,
    application: ApplicationId,
    figure: Figure,
    to: Position,
) -> Result<Option<Position>, AsOfError> {
    let (mut good, mut bad) = (None, to.next().number());
    let mut low = 0;
    while low < bad {
        let middle = if good.is_none() && bad > to.number() { to.number() } else { low + (bad - low) / 2 };
        let accounts = views.wallets_at(Some(application), Position::new(middle)).await?;
        let mut accounts = accounts.iter().filter(|account| account.entries > 0);
        let account = accounts.find(|account| assertion.is_in(account.currency.code()));
        let sum = account.map(|account| match figure {
            Figure::Debited => account.total_debited,
            Figure::Credited => account.total_credited,
            Figure::Balance => account.balance,
        });
        if sum.is_none_or(|sum| assertion.judges(sum)) {
            good = Some(middle);
            low = middle + 1;
        } else {
            bad = middle;
        }
    }
    Ok((bad <= to.number()).then(|| Position::new(bad)))
}

/// What the assertion looks at, folded.
#[derive(Default)]
struct State {
    wallets: HashMap<(ApplicationId, String), (Amount, Amount)>,
    sums: HashMap<String, (Amount, Amount)>,
    status: Option<Status>,
}

async fn scan(
    store: &Arc<dyn EventStore>,
    assertion: &Assertion,
    to: Position,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Option<Position>, AsOfError> {
    let mut state = State::default();
    let mut walk = events(store.clone(), Position::START, to);
    let mut reached = Position::START;
    while let Some(portion) = walk.portion().await.map_err(MomentError::Store)? {
        for recorded in portion {
            let recorded = recorded.map_err(MomentError::Damaged)?;
            if !state.holds_after(&recorded, assertion)? {
                return Ok(Some(recorded.position));
            }
            reached = recorded.position;
        }
        progress(reached.number(), to.number());
    }
    Ok(None)
}

impl State {
    /// Folds an event and judges what it touched; what it did not touch held before.
    fn holds_after(&mut self, recorded: &Recorded, assertion: &Assertion) -> Result<bool, AsOfError> {
        if let Subject::Transaction(reference) = assertion.subject() {
            return Ok(match status_after(recorded, *reference) {
                None => true,
                Some(status) => {
                    self.status = Some(status);
                    assertion.judges_status(status)
                }
            });
        }
        let Some(journal) = recorded.event.journal() else { return Ok(true) };
        let mut touched = Vec::with_capacity(journal.postings().len());
        for posting in journal.postings() {
            let Some(application) = posting.account.wallet() else { continue };
            let currency = posting.money.currency.code().to_owned();
            add(self.sums.entry(currency.clone()).or_default(), posting.side, posting.money.amount)?;
            add(self.wallets.entry((application, currency.clone())).or_default(), posting.side, posting.money.amount)?;
            touched.push((application, currency));
        }
        for key in touched {
            let wallet = self.wallets.get(&key).copied().unwrap_or_default();
            let sums = self.sums.get(&key.1).copied().unwrap_or_default();
            if !judge(assertion, &key, wallet, sums)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

fn judge(
    assertion: &Assertion,
    (application, currency): &(ApplicationId, String),
    wallet: (Amount, Amount),
    sums: (Amount, Amount),
) -> Result<bool, AsOfError> {
    if !assertion.is_in(currency) {
        return Ok(true);
    }
    let figure = match assertion.subject() {
        Subject::Wallet(of, _, _) if of != application => return Ok(true),
        Subject::Wallet(_, _, figure) | Subject::Wallets(_, figure) => *figure,
        Subject::TrialBalance(_) => return Ok(sums.0 == sums.1),
        Subject::Transaction(_) => return Ok(true),
    };
    let (debited, credited) = wallet;
    Ok(assertion.judges(match figure {
        Figure::Debited => debited,
        Figure::Credited => credited,
        Figure::Balance => credited.minus(debited).map_err(|_| AsOfError::Overflow)?,
    }))
}

fn add(sums: &mut (Amount, Amount), side: Side, amount: Amount) -> Result<(), AsOfError> {
    let sum = match side {
        Side::Debit => &mut sums.0,
        Side::Credit => &mut sums.1,
    };
    *sum = sum.plus(amount).map_err(|_| AsOfError::Overflow)?;
    Ok(())
}

fn status_after(recorded: &Recorded, reference: Reference) -> Option<Status> {
    let Event::Payment(event) = &recorded.event else { return None };
    let (of, status) = match event {
        PaymentEvent::Initiated(of, _) => (of, Status::AwaitingAcceptance),
        PaymentEvent::Accepted(of, _) => (of, Status::Completed),
        PaymentEvent::Rejected(of, _) => (of, Status::Rejected),
        PaymentEvent::Expired(of, _) => (of, Status::Expired),
        PaymentEvent::WalletProvisioned(..) => return None,
    };
    (*of == reference).then_some(status)
}
