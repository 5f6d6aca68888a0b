//! What changed between two positions, and which events did it: the restatement report.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::ids::{ApplicationId, TagId};
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::{Date, Event, Position, Recorded};
use flexledger_eventstore::EventStore;
use flexledger_projections::{AccountAsOf, TagAsOf, TagChoice, Views};
use serde::Serialize;

use crate::as_of::{AsOfError, Settlement, Tag};
use crate::events::events;
use crate::moment::MomentError;

/// The document of `diff` (`operations.md` 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The earlier position.
    pub from: u64,
    /// The later position.
    pub to: u64,
    /// Wallets that were booked on or made, with their balances; null where there was none.
    pub wallets: Vec<WalletChange>,
    /// Settlement records that came or changed, with their states.
    pub settlements: Vec<SettlementChange>,
    /// Tags that came, or changed state or owner, with their states.
    pub tags: Vec<TagChange>,
    /// Entries that were booked for another date than the day they were booked on.
    pub late_entries: Vec<LateEntry>,
    /// The positions of the events that changed any of it.
    pub events: Vec<u64>,
}

/// A wallet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WalletChange {
    /// Whose.
    pub application_id: String,
    /// Its currency.
    pub currency: String,
    /// Its balance before.
    pub from: Option<String>,
    /// Its balance after.
    pub to: Option<String>,
}

/// A settlement record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettlementChange {
    /// Its date.
    pub settlement_date: String,
    /// Its currency.
    pub currency: String,
    /// Its state before.
    pub from: Option<&'static str>,
    /// Its state after.
    pub to: Option<&'static str>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TagChange {
    /// Its address.
    pub qualified_address: String,
    /// Its state before.
    pub from: Option<&'static str>,
    /// Its state after.
    pub to: Option<&'static str>,
    /// Who owned it before, when the owner changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_from: Option<String>,
    /// Who owned it after, when the owner changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_to: Option<String>,
}

/// A payment booked after its day was settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LateEntry {
    /// Where it was booked.
    pub position: u64,
    /// Which payment.
    pub transaction_reference: String,
    /// The date that it settles on.
    pub settlement_date: String,
    /// The day on which it was booked.
    pub booked_on: String,
}

/// What the events between touched.
#[derive(Default)]
struct Touched {
    applications: BTreeSet<ApplicationId>,
    wallets: BTreeSet<(ApplicationId, String)>,
    tags: BTreeSet<TagId>,
    dates: BTreeSet<Date>,
    late: Vec<LateEntry>,
    events: Vec<u64>,
}

/// Compares the ledger at `from` with the ledger at `to`, both within the log. Costs one reading of the events between.
///
/// # Errors
/// [`AsOfError`] when log or views cannot be read.
pub async fn diff(views: &Views, store: &Arc<dyn EventStore>, from: Position, to: Position) -> Result<Diff, AsOfError> {
    let mut touched = Touched::default();
    let mut walk = events(store.clone(), from, to);
    while let Some(portion) = walk.portion().await.map_err(MomentError::Store)? {
        for recorded in portion {
            let recorded = recorded.map_err(MomentError::Damaged)?;
            touched.see(&recorded);
        }
    }
    Ok(Diff {
        from: from.number(),
        to: to.number(),
        wallets: wallets(views, &touched, from, to).await?,
        settlements: settlements(views, &touched, from, to).await?,
        tags: tags(views, &touched, from, to).await?,
        late_entries: touched.late,
        events: touched.events,
    })
}

impl Touched {
    fn see(&mut self, recorded: &Recorded) {
        let mut seen = self.wallets_of(recorded);
        match &recorded.event {
            Event::Payment(PaymentEvent::Accepted(reference, body)) => {
                let booked_on = recorded.recorded_at.date();
                if body.settlement_date != booked_on {
                    self.late.push(LateEntry {
                        position: recorded.position.number(),
                        transaction_reference: reference.to_string(),
                        settlement_date: body.settlement_date.to_string(),
                        booked_on: booked_on.to_string(),
                    });
                }
            }
            Event::Payment(PaymentEvent::WalletProvisioned(_, body)) => {
                self.applications.insert(body.application);
                self.wallets.insert((body.application, body.currency.clone()));
                seen = true;
            }
            Event::Identity(
                IdentityEvent::TagCreated(id, _)
                | IdentityEvent::TagDisabled(id, _)
                | IdentityEvent::TagEnabled(id, _)
                | IdentityEvent::TagTransferred(id, _),
            ) => {
                self.tags.insert(*id);
                seen = true;
            }
            Event::Settlement(event) => {
                let date = match event {
                    SettlementEvent::Completed(_, body) => Some(body.date),
                    SettlementEvent::Failed(_, body) => Some(body.date),
                    SettlementEvent::Lines(..) => None,
                };
                self.dates.extend(date);
                seen = true;
            }
            _ => {}
        }
        if seen {
            self.events.push(recorded.position.number());
        }
    }

    fn wallets_of(&mut self, recorded: &Recorded) -> bool {
        let Some(journal) = recorded.event.journal() else { return false };
        for posting in journal.postings() {
            if let Some(application) = posting.account.wallet() {
                self.applications.insert(application);
                self.wallets.insert((application, posting.money.currency.code().to_owned()));
            }
        }
        true
    }
}

async fn wallets(
    views: &Views,
    touched: &Touched,
    from: Position,
    to: Position,
) -> Result<Vec<WalletChange>, AsOfError> {
    let mut changes = Vec::new();
    for application in &touched.applications {
        let (before, after) =
            (views.wallets_at(Some(*application), from).await?, views.wallets_at(Some(*application), to).await?);
        let balance = |rows: &[AccountAsOf], code: &str| {
            let row = rows.iter().find(|row| row.currency.code() == code);
            row.map(|row| row.balance.text(SCALE).as_str().to_owned())
        };
        for (_, code) in touched.wallets.iter().filter(|(of, _)| of == application) {
            changes.push(WalletChange {
                application_id: application.to_string(),
                currency: code.clone(),
                from: balance(&before, code),
                to: balance(&after, code),
            });
        }
    }
    Ok(changes)
}

async fn settlements(
    views: &Views,
    touched: &Touched,
    from: Position,
    to: Position,
) -> Result<Vec<SettlementChange>, AsOfError> {
    let mut changes = Vec::new();
    for date in &touched.dates {
        let mut states: BTreeMap<String, [Option<Settlement>; 2]> = BTreeMap::new();
        for (at, before) in [(from, true), (to, false)] {
            for row in views.settlements_at(Some(*date), at).await? {
                let [earlier, later] = states.entry(row.currency.code().to_owned()).or_default();
                *(if before { earlier } else { later }) = Some(Settlement::of(&row));
            }
        }
        for (currency, [before, after]) in states.into_iter().filter(|(_, [before, after])| before != after) {
            changes.push(SettlementChange {
                settlement_date: date.to_string(),
                currency,
                from: before.map(|record| record.status),
                to: after.map(|record| record.status),
            });
        }
    }
    Ok(changes)
}

async fn tags(views: &Views, touched: &Touched, from: Position, to: Position) -> Result<Vec<TagChange>, AsOfError> {
    let mut changes = Vec::new();
    for id in &touched.tags {
        let choice = TagChoice::Id(*id);
        let (before, after) =
            (views.tags_at(&choice, 1, from).await?.pop(), views.tags_at(&choice, 1, to).await?.pop());
        let Some(known) = after.as_ref().filter(|_| before != after) else { continue };
        let owner = |row: Option<&TagAsOf>| row.map(|row| row.owner);
        let moved = before.is_some() && owner(before.as_ref()) != owner(after.as_ref());
        let named = |row: Option<&TagAsOf>| owner(row).filter(|_| moved).map(|owner| owner.to_string());
        changes.push(TagChange {
            qualified_address: known.address.as_str().to_owned(),
            from: before.as_ref().map(|row| Tag::of(row).status),
            to: Some(Tag::of(known).status),
            owner_from: named(before.as_ref()),
            owner_to: named(after.as_ref()),
        });
    }
    Ok(changes)
}
