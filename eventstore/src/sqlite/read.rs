//! Reading records in bulk.
//!
//! The driver hands rows over one by one, at a cost above that of reading them. So SQLite joins the rows of a group
//! into one: lengths, bodies end to end, hashes end to end. A group that does not fit together again (a gap, or a row
//! that somebody damaged) is read row by row.

use flexledger_domain::Position;
use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Executor, Row};

use super::{hash, position, signed};
use crate::hash::Hash;
use crate::port::{Record, StoreError};

/// Rows joined into one.
const GROUP_ROWS: usize = 256;
/// Fewer rows than this are read one by one.
const GROUP_ROWS_MIN: usize = 8;

const ROWS: &str = "SELECT position, body, hash FROM events WHERE position > ? ORDER BY position LIMIT ?";
/// The inner query is bounded, so SQLite does not merge it into the outer one, and its order is that of the join. A bare
/// parameter as bound would make SQLite plan the statement anew for each value.
const GROUP: &str = "\
    SELECT min(position), max(position), count(*), group_concat(octet_length(body)), \
           group_concat(body, ''), group_concat(hash, '') \
    FROM (SELECT position, body, hash FROM events WHERE position > ? + 0 ORDER BY position LIMIT ?)";

/// Up to `limit` records after `after`.
pub(super) async fn read(pool: &SqlitePool, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
    if limit < GROUP_ROWS_MIN {
        return rows(pool, after, limit).await;
    }
    let mut connection = pool.acquire().await?;
    let mut records: Vec<Record> = Vec::new();
    while records.len() < limit {
        let place = records.last().map_or(after, |record| record.position);
        let count = (limit - records.len()).min(GROUP_ROWS);
        let query = sqlx::query(GROUP).bind(signed(place.number())).bind(signed(count as u64));
        let row = connection.fetch_one(query).await?;
        let before = records.len();
        if !split(&row, &mut records)? {
            records.truncate(before);
            records.extend(rows(pool, place, count).await?);
        }
        if records.len() < before + count {
            break;
        }
    }
    Ok(records)
}

async fn rows(pool: &SqlitePool, after: Position, limit: usize) -> Result<Vec<Record>, StoreError> {
    let query = sqlx::query(ROWS).bind(signed(after.number())).bind(signed(limit as u64));
    pool.fetch_all(query).await?.iter().map(record).collect()
}

/// Whatever stands in the row is handed on; it is for the reader to see that it is no record.
fn record(row: &SqliteRow) -> Result<Record, StoreError> {
    let bytes: Option<Vec<u8>> = row.try_get_unchecked(1)?;
    Ok(Record { position: position(row)?, bytes: bytes.unwrap_or_default(), hash: hash(row, 2)? })
}

/// Takes a joined row apart. `false` when its parts do not fit; `records` may then hold some of them.
fn split(row: &SqliteRow, records: &mut Vec<Record>) -> Result<bool, StoreError> {
    let count: i64 = row.try_get_unchecked(2)?;
    if count == 0 {
        return Ok(true);
    }
    let (first, last): (i64, i64) = (row.try_get_unchecked(0)?, row.try_get_unchecked(1)?);
    let lengths: Option<&str> = row.try_get_unchecked(3).unwrap_or_default();
    let (bodies, hashes): (Option<&[u8]>, Option<&[u8]>) = (row.try_get_unchecked(4)?, row.try_get_unchecked(5)?);
    let (hashes, odd) = hashes.unwrap_or_default().as_chunks::<32>();
    if last.checked_sub(first) != Some(count - 1) || !odd.is_empty() || i64::try_from(hashes.len()).ok() != Some(count)
    {
        return Ok(false);
    }
    let Ok(mut place) = u64::try_from(first) else { return Ok(false) };
    let mut rest = bodies.unwrap_or_default();
    let mut lengths = lengths.unwrap_or_default().split(',');
    for hash in hashes {
        let length = lengths.next().and_then(|length| length.parse().ok());
        let Some((body, after)) = length.and_then(|length| rest.split_at_checked(length)) else { return Ok(false) };
        records.push(Record { position: Position::new(place), bytes: body.to_vec(), hash: Hash(*hash) });
        rest = after;
        place += 1;
    }
    Ok(rest.is_empty() && lengths.next().is_none())
}
