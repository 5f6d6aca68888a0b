//! The right to lead, in the database and by the database's clock.
//!
//! Two rows: `lease` says who leads until when; `ledger.term` is what appends are checked against. A take-over changes
//! both in one statement: it waits for the append in flight, if there is one, and no append of an older term can
//! follow.
//!
//! While an import has stored a part only, the ledger says so, and nobody but another importer gets the right.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Executor, Row};

use crate::lease::{Candidate, Lease};
use crate::port::StoreError;

/// How long a right lasts without being renewed. A leader that is gone is replaced after this time and the pause
/// between two questions of a follower.
pub const LASTS: Duration = Duration::from_secs(4);

const RENEW: &str = "UPDATE flexledger_log.lease SET ends_at = clock_timestamp() + $2 * interval '1 millisecond' \
     WHERE id = 1 AND term = $1 AND ends_at > '-infinity' RETURNING term";
/// Looks before it locks, so that a follower's question costs the leader nothing.
const LEADER: &str = "SELECT node, address, ends_at < clock_timestamp(), \
     (SELECT unfinished FROM flexledger_log.ledger WHERE id = 1) FROM flexledger_log.lease WHERE id = 1";
const TAKE: &str = "\
WITH lease AS (
    UPDATE flexledger_log.lease
    SET term = term + 1, node = $1, address = $2, ends_at = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE id = 1 AND ends_at < clock_timestamp()
    RETURNING term
)
UPDATE flexledger_log.ledger SET term = lease.term FROM lease WHERE id = 1 RETURNING ledger.term";
const RESIGN: &str = "UPDATE flexledger_log.lease SET ends_at = '-infinity' WHERE id = 1 AND term = $1";
const MARK: &str = "UPDATE flexledger_log.ledger SET unfinished = $1 WHERE id = 1 AND term = $2";

const IS_UNFINISHED: &str = "SELECT unfinished FROM flexledger_log.ledger WHERE id = 1";

/// Who leads while an import was broken off.
const UNFINISHED: &str = "nobody: an import into this log is not finished";

/// Renews the right of `term`, or takes the right when nobody has it. Returns the answer and the term to write in.
/// Only an importer may take it `over_unfinished` work.
pub(super) async fn lead(
    connection: &mut PgConnection,
    term: i64,
    candidate: &Candidate,
    over_unfinished: bool,
) -> Result<(Lease, i64), StoreError> {
    let millis = i64::try_from(LASTS.as_millis()).unwrap_or(i64::MAX);
    let mine = |term: i64| (Lease::Mine { term: u64::try_from(term).unwrap_or_default(), lasts: Some(LASTS) }, term);
    if term > 0 {
        let renewed = connection.fetch_optional(sqlx::query(RENEW).bind(term).bind(millis)).await?;
        if renewed.is_some() {
            return Ok(mine(term));
        }
    }
    let leader = connection.fetch_one(LEADER).await?;
    let over: bool = leader.try_get(2)?;
    if over && leader.try_get(3)? && !over_unfinished {
        return Ok((Lease::Theirs { leader: Candidate { node: UNFINISHED.to_owned(), address: None } }, 0));
    }
    if over {
        let take = sqlx::query(TAKE).bind(&candidate.node).bind(&candidate.address).bind(millis);
        if let Some(row) = connection.fetch_optional(take).await? {
            return Ok(mine(row.try_get(0)?));
        }
    }
    let leader = connection.fetch_one(LEADER).await?;
    let leader = Candidate { node: leader.try_get(0)?, address: leader.try_get(1)? };
    Ok((Lease::Theirs { leader }, 0))
}

/// Gives the right of `term` back.
pub(super) async fn resign(connection: &mut PgConnection, term: i64) -> Result<(), StoreError> {
    connection.execute(sqlx::query(RESIGN).bind(term)).await?;
    Ok(())
}

/// Notes that the log holds a part only of what is to be stored, or that it is whole. False when the term is over.
pub(super) async fn mark(connection: &mut PgConnection, term: i64, unfinished: bool) -> Result<bool, StoreError> {
    let marked = connection.execute(sqlx::query(MARK).bind(unfinished).bind(term)).await?;
    Ok(marked.rows_affected() == 1)
}

/// Refuses a log that holds a part of an import only: what it holds is sound and far from all, so nothing may be told
/// from it either.
pub(super) async fn whole(connection: &mut PgConnection) -> Result<(), StoreError> {
    if !connection.fetch_one(IS_UNFINISHED).await?.try_get::<bool, _>(0)? {
        return Ok(());
    }
    let text =
        "an import into this log is not finished; let it end, or run `flexledger import` again with the same file";
    Err(StoreError::Unusable(text.to_owned()))
}
