//! Reading the stream of the events.
//!
//! A read is catch-up by revision, in pages; there are no subscriptions. The client gives no hint when a server ends a
//! read early with status OK, so a short page is believed only when the log is seen to end there. A page that brought
//! nothing is tried again a few times, with pauses, on a new connection.

use std::time::Duration;

use flexledger_domain::Position;
use kurrentdb::{Error, ReadEvent, ReadStreamOptions, StreamPosition};

use super::KurrentStore;
use super::connection::{CallError, Meaning, bounded, meaning, server};
use super::event::record;
use crate::port::{Head, Record, StoreError};

/// Records per read at most, whatever is asked for, so that no caller can fill the memory by accident.
const READ_RECORDS_MAX: usize = 1_000_000;
const PAGE_RECORDS: usize = 4096;
/// Pages in a row that bring nothing before a read fails, and the pause between.
const FRUITLESS_MAX: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// What one read of a stream brought.
#[derive(Default)]
pub(super) struct Page {
    /// Its records, without gaps.
    pub records: Vec<Record>,
    /// Where the stream ends, as far as the server said.
    pub end: Option<Position>,
    /// Whether there was a stream that is deleted for good.
    pub deleted: bool,
    /// Why it stopped before it was complete.
    pub broken: Option<StoreError>,
}

impl KurrentStore {
    /// Up to `limit` records of a stream after `after`, ascending.
    pub(super) async fn read_all(
        &self,
        stream: &str,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Record>, StoreError> {
        let limit = limit.min(READ_RECORDS_MAX);
        let mut records: Vec<Record> = Vec::new();
        let mut fruitless = 0;
        while records.len() < limit && after < Position::MAX {
            let at = after.plus(records.len() as u64);
            let wanted = PAGE_RECORDS.min(limit - records.len());
            let page = self.page(stream, StreamPosition::Position(at.number()), wanted).await;
            let (got, end) = (page.records.len(), page.end);
            records.extend(page.records);
            if got == wanted {
                fruitless = 0;
                continue;
            }
            let error = match page.broken {
                Some(error @ StoreError::Unusable(_)) => return Err(error),
                Some(error) => error,
                None => {
                    let at = at.plus(got as u64);
                    let end =
                        if end.is_some_and(|end| end > at) { end } else { Some(self.end(stream).await?.position) };
                    if end.is_none_or(|end| end <= at) {
                        break;
                    }
                    StoreError::Server("the server ended a read before its end".to_owned())
                }
            };
            fruitless = if got == 0 { fruitless + 1 } else { 0 };
            if fruitless >= FRUITLESS_MAX {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
        Ok(records)
    }

    /// Where the log ends.
    pub(super) async fn newest(&self) -> Result<Head, StoreError> {
        self.end(&self.address.events()).await
    }

    /// Where a stream ends.
    async fn end(&self, stream: &str) -> Result<Head, StoreError> {
        let mut tries = 0;
        loop {
            tries += 1;
            let page = self.page(stream, StreamPosition::End, 1).await;
            let error = match (page.records.first(), page.end, page.broken) {
                (Some(newest), ..) => return Ok(Head { position: newest.position, hash: newest.hash }),
                (None, Some(end), None) if end == Position::START => return Ok(Head::default()),
                (None, _, Some(error @ StoreError::Unusable(_))) => return Err(error),
                (None, _, Some(error)) => error,
                (None, _, None) => StoreError::Server("the server ended a read before its end".to_owned()),
            };
            if tries >= FRUITLESS_MAX {
                return Err(error);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// One read: forward from a place, or backward from the end.
    pub(super) async fn page(&self, stream: &str, from: StreamPosition<u64>, limit: usize) -> Page {
        let mut page = Page::default();
        let options = ReadStreamOptions::default().position(from).max_count(limit).requires_leader(true);
        let options = &options;
        let opening =
            self.connection.call(|lent| async move { Ok((lent.client().read_stream(stream, options).await?, lent)) });
        let (mut events, lent) = match opening.await {
            Ok(opened) => opened,
            Err(CallError::Refused(error)) => return page.refused(stream, &error),
            Err(error) => return page.failed(error.into()),
        };
        let mut next = match from {
            StreamPosition::Position(revision) => Some(Position::new(revision).next()),
            StreamPosition::Start => Some(Position::START.next()),
            StreamPosition::End => None,
        };
        loop {
            let error = match bounded(self.connection.waits.answer, events.next_read_event()).await {
                Ok(Ok(Some(ReadEvent::Event(event)))) => {
                    let Some(event) = &event.event else { continue };
                    let record = record(event);
                    if next.is_some_and(|next| next != record.position) {
                        return page.failed(gap(stream, record.position));
                    }
                    next = Some(record.position.next());
                    page.records.push(record);
                    if page.records.len() >= limit {
                        return page;
                    }
                    continue;
                }
                Ok(Ok(Some(ReadEvent::LastStreamPosition(revision)))) => {
                    page.end = Some(Position::new(revision).next());
                    continue;
                }
                Ok(Ok(Some(_))) => continue,
                Ok(Ok(None)) => return page,
                Ok(Err(error)) if meaning(&error) == Meaning::Refused => return page.refused(stream, &error),
                Ok(Err(error)) => server(&error),
                Err(silent) => silent,
            };
            self.connection.throw_away(&lent).await;
            return page.failed(error);
        }
    }
}

impl Page {
    /// A living server would not read: there is no such stream, or no longer, or it may not be read.
    fn refused(mut self, stream: &str, error: &Error) -> Page {
        match error {
            Error::ResourceNotFound => {
                self.end = Some(Position::START);
                self
            }
            Error::ResourceDeleted => {
                self.deleted = true;
                self.failed(StoreError::Unusable(format!("stream {stream} was deleted")))
            }
            _ => self.failed(server(error)),
        }
    }

    fn failed(mut self, error: StoreError) -> Page {
        self.broken = Some(error);
        self
    }
}

fn gap(stream: &str, found: Position) -> StoreError {
    StoreError::Unusable(format!("stream {stream} has a gap before event {found}: it was truncated"))
}
