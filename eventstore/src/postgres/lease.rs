//! The right to lead, in the database and by the database's clock.
//!
//! Two rows: `lease` says who leads until when; `ledger.term` is what appends are checked against. A take-over changes
//! both in one statement: it waits for the append in flight, if there is one, and no append of an older term can
//! follow.

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
const LEADER: &str = "SELECT node, address, ends_at < clock_timestamp() AS over FROM flexledger_log.lease WHERE id = 1";
const TAKE: &str = "\
WITH lease AS (
    UPDATE flexledger_log.lease
    SET term = term + 1, node = $1, address = $2, ends_at = clock_timestamp() + $3 * interval '1 millisecond'
    WHERE id = 1 AND ends_at < clock_timestamp()
    RETURNING term
)
UPDATE flexledger_log.ledger SET term = lease.term FROM lease WHERE id = 1 RETURNING ledger.term";
const RESIGN: &str = "UPDATE flexledger_log.lease SET ends_at = '-infinity' WHERE id = 1 AND term = $1";

/// Renews the right of `term`, or takes the right when nobody has it. Returns the answer and the term to write in.
pub(super) async fn lead(
    connection: &mut PgConnection,
    term: i64,
    candidate: &Candidate,
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
    if leader.try_get::<bool, _>(2)? {
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
