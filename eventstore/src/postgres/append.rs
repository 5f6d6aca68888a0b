//! One batch in one statement.
//!
//! Budget: one round trip and one disk sync, whatever the size of the batch. The statement is its own transaction:
//! 1. it moves the end of the log, if the log ends where the writer believes and the writer's term is the present one;
//!    the row it changes stays locked, so a rival waits here and then finds that the end has moved;
//! 2. it inserts the events and the keys, for each row of step 1, so either one time or not at all.
//!
//! The events travel as two arrays. `COPY` would need three more round trips (begin, check, commit) for the same rows,
//! and at 64 clients a round trip costs more than the rows.

use sqlx::postgres::{PgBindIterExt, PgConnection, PgDatabaseError, PgSeverity};
use sqlx::{Executor, Row};

use flexledger_domain::Position;

use super::{position, signed};
use crate::port::{AppendError, Batch, StoreError};

const APPEND: &str = "\
WITH fence AS (
    UPDATE flexledger_log.ledger SET position = $1, hash = coalesce($2, hash)
    WHERE id = 1 AND position = $3 AND ($4 = 0 OR term = $4)
    RETURNING id
), new_keys AS (
    INSERT INTO flexledger_log.subject_keys (subject, sealed)
    SELECT subject, sealed FROM fence, unnest($5::bytea[], $6::bytea[]) AS new (subject, sealed)
), new_events AS (
    INSERT INTO flexledger_log.events (position, body, hash)
    SELECT $3 + place, body, hash FROM fence, unnest($7::bytea[], $8::bytea[]) WITH ORDINALITY AS new (body, hash, place)
)
SELECT count(*) FROM fence";

const HEAD: &str = "SELECT position FROM flexledger_log.ledger WHERE id = 1";

/// Stores `batch` after `expected` in `term`; term 0 is checked by the place alone.
/// After an error the connection must not be used again.
pub(super) async fn write(
    connection: &mut PgConnection,
    term: i64,
    expected: Position,
    batch: &Batch,
) -> Result<(), AppendError> {
    let last = batch.records.last();
    let query = sqlx::query(APPEND)
        .bind(signed(last.map_or(expected, |record| record.position).number()))
        .bind(last.map(|record| &record.hash.0[..]))
        .bind(signed(expected.number()))
        .bind(term)
        .bind(batch.keys.iter().map(|key| key.subject.uuid().as_bytes().to_vec()).bind_iter())
        .bind(batch.keys.iter().map(|key| key.sealed.as_slice()).bind_iter())
        .bind(batch.records.iter().map(|record| record.bytes.as_slice()).bind_iter())
        .bind(batch.records.iter().map(|record| &record.hash.0[..]).bind_iter());
    // The answer is read to its end, which comes after the commit.
    let moved = connection.fetch_one(query).await.and_then(|row| row.try_get::<i64, _>(0)).map_err(outcome)?;
    if moved == 1 {
        return Ok(());
    }
    let head = connection.fetch_one(HEAD).await.map_err(nothing_stored)?;
    Err(AppendError::Conflict(position(&head).map_err(AppendError::Unavailable)?))
}

fn nothing_stored(error: sqlx::Error) -> AppendError {
    AppendError::Unavailable(error.into())
}

/// What an error says of the batch. An `ERROR` of the server ends the transaction without a trace. Whatever ends the
/// connection, in words or not, may have come after the commit.
pub(super) fn outcome(error: sqlx::Error) -> AppendError {
    let refused = match &error {
        sqlx::Error::Database(told) => {
            let severity = told.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
            let code = told.code();
            let doubtful = code.as_deref().is_none_or(|code| code.starts_with("08") || code == "40003");
            matches!(severity, Some(PgSeverity::Error)) && !doubtful
        }
        sqlx::Error::Encode(_) => true,
        _ => false,
    };
    let error = StoreError::from(error);
    if refused { AppendError::Unavailable(error) } else { AppendError::Unknown(error) }
}
