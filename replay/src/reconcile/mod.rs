//! `reconcile` and `rebuild`: the views made again from the log, beside the live ones, and compared with them.
//!
//! 1. All views asked for are folded into a scratch database in the data directory. Broken off, the next run goes on.
//! 2. A snapshot of the live database is taken. The scratch views are folded to exactly where the live ones stand in
//!    it; that is little, for step 1 was repeated until it was. Then both are compared portion by portion. The
//!    snapshot lasts no longer than this: what the server replaces meanwhile stays in its journal until the end.
//! 3. Meanwhile balances, statements and settlement batches are folded again from the postings alone, by other code, from
//!    the same events; that is compared with the rows of the scratch views as they pass in step 2.
//! 4. For the rows that differ, another pass over the log finds the first event that touched each.
//! 5. `rebuild` then puts the new tables in the place of the live ones, if there is no difference or if differences are
//!    accepted. Nothing is sent to anyone: views cause nothing.
//!
//! Memory: a portion of rows of each database, what the views keep, one entry per wallet and per settlement record.

mod books;
mod compare;
mod lanes;
mod scratch;
mod second;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::Arc;

use flexledger_domain::{Instant, Position};
use flexledger_eventstore::{EventStore, StoreError};
use flexledger_projections::audit::{names, tables};
use flexledger_projections::frozen::Stand;
use flexledger_projections::marks::set_reconciled;
use flexledger_projections::switch::{Complete, Switch, prepare};
use flexledger_projections::tracker::Tracker;
use flexledger_projections::{ViewError, Views};
use futures::future::try_join_all;
use serde::Serialize;
use serde_json::{Value, json};

use crate::events::events;
use crate::kept::{Digest, Kept};
use crate::postings::Postings;
use books::{BOOKS, Books};
use compare::check_indexes;
use lanes::{Found, Lane, Live};
use scratch::{Scratch, standing};
use second::{AbortOnDrop, Second, fold};

/// Differences listed per view.
pub const DIFFERENCES_MAX: usize = 100;
/// A lag of the scratch views that is made up for while the snapshot lasts.
const LAG: u64 = 20_000;
/// The second fold, at work beside the comparison.
type Folding = AbortOnDrop<Result<Postings, ReconcileError>>;
/// Rounds of catching up before the snapshot is taken in any case.
const ROUNDS: u32 = 8;

/// What is compared.
pub struct Reconcile<'a> {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// Where the live views are.
    pub views_url: String,
    /// Where the scratch database may stand.
    pub folder: PathBuf,
    /// Which views; all if empty.
    pub views: Vec<String>,
    /// Where the rebuilt views are kept for the past, when all were compared and equal.
    pub kept: Kept,
    /// The present instant.
    pub now: Instant,
    /// Told now and then how many events are done, of how many.
    pub progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

/// What was found (`operations.md` 4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether there is no difference.
    pub ok: bool,
    /// The position that was compared: the lowest one of the views.
    pub position: u64,
    /// The views.
    pub views: Vec<ViewReport>,
}

/// What was found in one view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ViewReport {
    /// Its name.
    pub name: &'static str,
    /// Whether there is no difference.
    pub ok: bool,
    /// How many rows the rebuilt view has.
    pub rows: u64,
    /// At most [`DIFFERENCES_MAX`] differences.
    pub differences: Vec<Difference>,
}

/// One row that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    /// Table and key of the row, or what else differs.
    pub key: String,
    /// The live row; null if there is none.
    pub live: Value,
    /// The rebuilt row; null if there is none.
    pub rebuilt: Value,
    /// The first event that touched the row, if any did.
    pub first_position: Option<u64>,
}

/// Why nothing could be compared.
#[derive(Debug, thiserror::Error)]
pub enum ReconcileError {
    /// No such view.
    #[error("there is no view named {0}; there are {1}")]
    Unknown(String, String),
    /// Another run works in the same folder.
    #[error("another reconcile or rebuild is at work in this data directory")]
    Running,
    /// The live views moved back meanwhile.
    #[error("the live views changed while they were compared; run it again")]
    Moved,
    /// An event of the log is damaged.
    #[error("the event at position {0} cannot be read; run `flexledger verify`")]
    Damaged(Position),
    /// The views cannot be read or made.
    #[error(transparent)]
    View(#[from] ViewError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// A file cannot be used.
    #[error("file: {0}")]
    File(#[from] std::io::Error),
}

impl ViewReport {
    fn add(&mut self, key: String, live: Value, rebuilt: Value) {
        self.ok = false;
        if self.differences.len() < DIFFERENCES_MAX {
            self.differences.push(Difference { key, live, rebuilt, first_position: None });
        }
    }
}

/// What a rebuild came to.
struct Made {
    report: Report,
    switched: bool,
    /// Of the scratch file, made beside the switch.
    digest: Option<Digest>,
}

/// Compares the live views with what the log gives. A position that is confirmed is noted beside the views, where a
/// running server finds it.
///
/// # Errors
/// [`ReconcileError`].
pub async fn reconcile(mut job: Reconcile<'_>) -> Result<Report, ReconcileError> {
    let names = job.names()?;
    let mut scratch = Scratch::open(&job.folder, &names).await?;
    let compared = job.compare(&mut scratch, &names, true).await;
    let (scratch, report) = scratch.unless(compared).await?;
    job.put_away(scratch, report.ok, None).await?;
    // Parts of the views confirm nothing about the whole.
    if report.ok && job.views.is_empty() {
        job.note(report.position).await;
    }
    Ok(report)
}

/// Compares, and switches to the rebuilt views if they are equal or `accept` is set. Tells whether it switched.
///
/// # Errors
/// [`ReconcileError`]; the live views are as before then.
pub async fn rebuild(mut job: Reconcile<'_>, accept: bool) -> Result<(Report, bool), ReconcileError> {
    let names = job.names()?;
    let mut scratch = Scratch::open(&job.folder, &names).await?;
    let made = job.make_again(&mut scratch, &names, accept).await;
    let (scratch, Made { report, switched, digest }) = scratch.unless(made).await?;
    job.put_away(scratch, report.ok, digest).await?;
    if switched && job.views.is_empty() {
        job.note(report.position).await;
    }
    Ok((report, switched))
}

impl Reconcile<'_> {
    fn names(&self) -> Result<Vec<&'static str>, ReconcileError> {
        let known: Vec<&'static str> = names().collect();
        if self.views.is_empty() {
            return Ok(known);
        }
        let find = |wanted: &String| {
            let found = known.iter().copied().find(|name| name == wanted);
            found.ok_or_else(|| ReconcileError::Unknown(wanted.clone(), known.join(", ")))
        };
        let mut names = self.views.iter().map(find).collect::<Result<Vec<_>, _>>()?;
        // Named twice is meant once.
        let mut seen = HashSet::new();
        names.retain(|name| seen.insert(*name));
        Ok(names)
    }

    async fn make_again(
        &mut self,
        scratch: &mut Scratch,
        names: &[&'static str],
        accept: bool,
    ) -> Result<Made, ReconcileError> {
        prepare(&self.views_url).await?;
        // Whatever the live tables are found by is made anew in any case.
        let report = self.compare(scratch, names, false).await?;
        let switched = report.ok || accept;
        let digest = if switched { self.switch(scratch, names, self.keeps(report.ok)).await? } else { None };
        Ok(Made { report, switched, digest })
    }

    async fn compare(
        &mut self,
        scratch: &mut Scratch,
        names: &[&'static str],
        indexes: bool,
    ) -> Result<Report, ReconcileError> {
        let views = Views::unread(&self.views_url)?;
        let (dealt, second) = self.catch_up(&views, scratch, names).await?;
        let mut lanes = Vec::with_capacity(dealt.len());
        for live in dealt {
            lanes.push(Lane::open(live, &scratch.views).await?);
        }
        let folding = self.fold_postings(&scratch.views, second, names);
        let comparing = try_join_all(lanes.iter_mut().map(|lane| lane.compare(indexes && !self.views.is_empty())));
        let indexing = async { Ok(scratch.views.index().await?) };
        // Of some views only, each table is looked at by itself.
        let whole = indexes && self.views.is_empty();
        let checking = async { if whole { check_file(&views).await } else { Ok(Vec::new()) } };
        let done = tokio::try_join!(comparing, indexing, checking);
        let mut books = Vec::with_capacity(lanes.len());
        for lane in lanes {
            books.push(lane.close().await);
        }
        views.close().await;
        // Not before everything is closed, for the scratch file may be removed next.
        let (compared, (), unsound) = done?;
        let mut compared: Vec<_> = compared.into_iter().zip(books).collect();
        if let Some((until, folding)) = folding {
            let mut folded = (until, folding.end().await?);
            for (found, books) in &mut compared {
                self.compare_postings(found, books, &mut folded).await?;
            }
        }
        let mut found: Vec<Found> = compared.into_iter().flat_map(|(found, _)| found).collect();
        found.sort_by_key(|found| names.iter().position(|name| *name == found.report.name));
        if !unsound.is_empty() {
            blame(&self.views_url, &mut found, &unsound).await?;
        }
        self.find_first(&mut found).await?;
        let position = found.iter().map(|found| found.position).min().unwrap_or(Position::MAX);
        let views: Vec<ViewReport> = found.into_iter().map(|found| found.report).collect();
        Ok(Report { ok: views.iter().all(|view| view.ok), position: position.number(), views })
    }

    /// Folds the scratch views to where the live ones stand in the snapshots that are returned, and the postings beside.
    async fn catch_up(
        &mut self,
        views: &Views,
        scratch: &mut Scratch,
        names: &[&'static str],
    ) -> Result<(Vec<Live>, Option<Second>), ReconcileError> {
        let mut rounds = 0;
        let mut second = names.iter().any(|name| BOOKS.contains(name)).then(Second::new);
        loop {
            let live = Live::now(views, names).await?;
            let targets = self.targets(live.stands()).await?;
            rounds += 1;
            if rounds == ROUNDS || scratch.lag(&targets) <= LAG {
                let dealt = live.deal(views).await?;
                let stands: Vec<_> = dealt.iter().flat_map(Live::stands).cloned().collect();
                let targets = self.targets(&stands).await?;
                second = scratch.fill_with(&self.store, &targets, self.progress, second).await?;
                return Ok((dealt, second));
            }
            // A snapshot that is held keeps the journal of the live views growing.
            live.close().await;
            second = scratch.fill_with(&self.store, &targets, self.progress, second).await?;
        }
    }

    /// Where each live view stands; the end of the log for one that does not stand on an event of this log.
    async fn targets(
        &mut self,
        stands: &[(&'static str, Option<Stand>)],
    ) -> Result<Vec<(&'static str, Position)>, ReconcileError> {
        // Read after the snapshot: the log is never behind the views.
        let head = self.store.head().await?.position;
        let target = |(name, stand): &(&'static str, Option<Stand>)| {
            let at = stand.as_ref().map(|stand| stand.position).filter(|at| *at <= head && *at > Position::START);
            (*name, at.unwrap_or(head))
        };
        Ok(stands.iter().map(target).collect())
    }

    /// The second fold, at where the first view of the books stands; `None` when none of them is asked for.
    fn fold_postings(&self, rebuilt: &Views, second: Option<Second>, names: &[&str]) -> Option<(Position, Folding)> {
        let first = names.iter().find(|name| BOOKS.contains(name))?;
        let until = standing(rebuilt, first);
        Some((until, second?.at(until, self.store.clone())))
    }

    /// What the rows of the books say otherwise than the postings.
    async fn compare_postings(
        &mut self,
        found: &mut [Found],
        books: &Books,
        folded: &mut (Position, Postings),
    ) -> Result<(), ReconcileError> {
        for Found { report, position, .. } in found.iter_mut().filter(|found| BOOKS.contains(&found.report.name)) {
            if folded.0 != *position {
                *folded = (*position, fold(self.store.clone(), *position).await?);
            }
            books.compare(&folded.1, report)?;
        }
        Ok(())
    }

    async fn find_first(&mut self, found: &mut [Found]) -> Result<(), ReconcileError> {
        for Found { report, places, .. } in found.iter_mut().filter(|found| !found.places.is_empty()) {
            let Some(mut tracker) = Tracker::new(report.name, places.iter().map(|(table, key)| (*table, key))) else {
                continue;
            };
            let end = self.store.head().await?.position;
            let mut walk = events(self.store.clone(), Position::START, end);
            while let Some(portion) = walk.portion().await? {
                let events: Result<Vec<_>, _> = portion.into_iter().collect();
                let events = events.map_err(ReconcileError::Damaged)?;
                // A view that stops here stopped in the rebuild before.
                if tracker.apply(&events).is_err() || tracker.is_done() {
                    break;
                }
                (self.progress)(events.last().map_or(0, |event| event.position.number()), end.number());
            }
            let rows = report.differences.iter_mut().filter(|difference| is_row(report.name, &difference.key));
            for (difference, (table, key)) in rows.zip(&*places) {
                difference.first_position = tracker.first(table, key).map(Position::number);
            }
        }
        Ok(())
    }

    /// Switches; beside it makes the digest of the scratch file if that will be kept.
    async fn switch(
        &mut self,
        scratch: &mut Scratch,
        names: &[&'static str],
        keeps: bool,
    ) -> Result<Option<Digest>, ReconcileError> {
        let mut switch = Switch::begin(&self.views_url, &scratch.path, names).await?;
        let complete = match self.put_in_place(&mut switch, scratch, names).await {
            Ok(complete) => complete,
            Err(error) => {
                // Waited for, so that what becomes of the scratch file concerns nobody any more.
                switch.give_up().await;
                return Err(error);
            }
        };
        let keeps = keeps && complete.whole_file();
        let digesting = async { if keeps { scratch.digest(&self.kept).await } else { None } };
        let (digest, committed) = tokio::join!(digesting, switch.commit(complete));
        committed?;
        Ok(digest)
    }

    async fn put_in_place(
        &mut self,
        switch: &mut Switch,
        scratch: &mut Scratch,
        names: &[&'static str],
    ) -> Result<Complete, ReconcileError> {
        let stands = switch.stands().await?;
        let head = self.store.head().await?.position;
        let mut targets = Vec::with_capacity(names.len());
        for name in names {
            let live = stands.iter().find(|(known, _)| known.as_ref() == *name).map(|(_, at)| *at);
            let target = live.filter(|at| *at <= head && *at > Position::START).unwrap_or(head);
            let status = scratch.views.status();
            if status.iter().any(|view| view.name == *name && view.position > target) {
                return Err(ReconcileError::Moved);
            }
            targets.push((*name, target));
        }
        scratch.fill(&self.store, &targets, self.progress).await?;
        for name in names {
            switch.replace(name, &scratch.views).await?;
        }
        Ok(switch.complete(&scratch.views).await?)
    }

    /// Whether the scratch file is kept for the past.
    fn keeps(&self, equal: bool) -> bool {
        equal && self.views.is_empty()
    }

    async fn put_away(&mut self, scratch: Scratch, equal: bool, digest: Option<Digest>) -> Result<(), ReconcileError> {
        if self.keeps(equal) { scratch.keep(&self.kept, digest).await } else { scratch.remove().await }
    }

    async fn note(&mut self, position: u64) {
        let noted = set_reconciled(&self.views_url, Position::new(position), self.now).await;
        if let Err(error) = noted {
            tracing::warn!(name: "reconcile.not_noted", %error, "the reconciled position could not be noted");
        }
    }
}

async fn check_file(views: &Views) -> Result<Vec<String>, ReconcileError> {
    let mut live = views.freeze().await?;
    let wrong = live.unsound_file().await?;
    live.close().await;
    Ok(wrong)
}

/// Reports what is wrong with the file at the views whose tables it concerns, or at the first one.
async fn blame(url: &str, found: &mut [Found], unsound: &[String]) -> Result<(), ReconcileError> {
    let views = Views::unread(url)?;
    let mut live = views.freeze().await?;
    for found in found.iter_mut().filter(|found| found.report.ok) {
        check_indexes(&mut live, &mut found.report).await?;
    }
    live.close().await;
    views.close().await;
    let attributed = found.iter().any(|found| !found.report.ok);
    if let Some(first) = found.first_mut().filter(|_| !attributed) {
        first.report.add("file".to_owned(), json!(unsound), Value::Null);
    }
    Ok(())
}

fn is_row(view: &str, key: &str) -> bool {
    tables(view).iter().any(|table| key.strip_prefix(table.name).is_some_and(|rest| rest.starts_with('/')))
}
