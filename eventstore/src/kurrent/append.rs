//! Appending a batch.
//!
//! 1. A batch is cut into parts that the server takes in one append (1 MiB), never inside a command.
//! 2. Keys of subjects are stored first: an event whose key is missing could never be read, a key without an event
//!    harms nobody.
//! 3. The parts are sent one after the other, each with the revision that it expects: one round trip and one quorum
//!    write each. A batch of one part is all or nothing; most are.
//!
//! When part *n* > 1 fails, whole commands of the parts before stand in the log. Nobody is told that they are stored
//! before all are: the outcome is reported as unknown (or as a conflict, if another writer came in between), the
//! engine reads the log again, and whoever repeats a command is answered from the log.

use flexledger_domain::Position;
use kurrentdb::{AppendToStreamOptions, CurrentRevision, Error, EventData, StreamState};

use super::KurrentStore;
use super::connection::CallError;
use super::event::{Outgoing, outgoing, position};
use crate::port::{AppendError, Batch, Record, StoreError, check_batch};

/// What a server of any supported version takes in one append: data, metadata and twice the type of all events.
pub(super) const APPEND_BYTES_MAX: usize = 1024 * 1024;

/// How one append of events ended.
pub(super) enum Sent {
    /// Stored; the stream ends with this event.
    Stored(Position),
    /// Not stored: the stream ends elsewhere.
    Conflict(Position),
    /// Not stored.
    Refused(StoreError),
    /// Perhaps stored.
    Doubtful(StoreError),
}

impl KurrentStore {
    pub(super) async fn append_batch(&self, expected: Position, batch: Batch) -> Result<(), AppendError> {
        check_batch(expected, &batch).map_err(AppendError::Unavailable)?;
        if batch.records.is_empty() && batch.keys.is_empty() {
            return self.probe(expected).await;
        }
        let parts = parts(&batch.records).map_err(AppendError::Unavailable)?;
        self.store_keys(expected, &batch.keys).await?;
        let result = self.append_parts(expected, parts).await;
        if let Err(Failed { error, nothing_stored: true }) = &result {
            tracing::debug!(name: "eventstore.kurrent.batch_lost", %error, keys = batch.keys.len(), "a batch was not stored");
            self.undo_keys(&batch.keys).await;
        }
        result.map_err(|failed| failed.error)
    }

    async fn append_parts(&self, expected: Position, parts: Vec<Vec<EventData>>) -> Result<(), Failed> {
        let mut at = expected;
        for part in parts {
            let first = at == expected;
            let end = at.plus(part.len() as u64);
            let error = match self.send(&self.address.events(), state(at), part).await {
                Sent::Stored(stored) if stored == end => {
                    at = end;
                    continue;
                }
                Sent::Stored(stored) => AppendError::Unknown(StoreError::Server(format!(
                    "the log ends at {stored} after an append that should end at {end}"
                ))),
                Sent::Conflict(head) => AppendError::Conflict(head),
                Sent::Refused(error) if first => AppendError::Unavailable(error),
                Sent::Refused(error) | Sent::Doubtful(error) => AppendError::Unknown(error),
            };
            let nothing_stored = first && !matches!(error, AppendError::Unknown(_));
            return Err(Failed { error, nothing_stored });
        }
        Ok(())
    }

    /// An append without events, which the server takes through the same steps, and a look at where the log ends.
    async fn probe(&self, expected: Position) -> Result<(), AppendError> {
        match self.send(&self.address.events(), state(expected), Vec::new()).await {
            Sent::Stored(_) | Sent::Conflict(_) => {}
            Sent::Refused(error) | Sent::Doubtful(error) => return Err(AppendError::Unavailable(error)),
        }
        let head = self.newest().await.map_err(AppendError::Unavailable)?.position;
        if head == expected { Ok(()) } else { Err(AppendError::Conflict(head)) }
    }

    /// One append to a stream.
    pub(super) async fn send(&self, stream: &str, expected: StreamState, events: Vec<EventData>) -> Sent {
        let options = AppendToStreamOptions::default().stream_state(expected).requires_leader(true);
        let options = &options.deadline(self.connection.waits.answer);
        let events = &events;
        let sending = self
            .connection
            .call(|lent| async move { lent.client().append_to_stream(stream, options, events.clone()).await });
        match sending.await {
            Ok(written) => Sent::Stored(position(written.next_expected_version)),
            Err(CallError::Refused(Error::WrongExpectedVersion { current, .. })) => Sent::Conflict(match current {
                CurrentRevision::Current(revision) => position(revision),
                CurrentRevision::NoStream => Position::START,
            }),
            Err(CallError::Refused(error)) => {
                // No refusal that a good connection to the leader of this ledger brings.
                self.connection.forget().await;
                Sent::Refused(StoreError::from(CallError::Refused(error)))
            }
            Err(CallError::Unsent(error)) => Sent::Refused(error),
            Err(CallError::Doubtful(error)) => Sent::Doubtful(error),
        }
    }
}

struct Failed {
    error: AppendError,
    nothing_stored: bool,
}

/// The state of the stream of a log that ends at a position.
pub(super) fn state(head: Position) -> StreamState {
    if head == Position::START { StreamState::NoStream } else { StreamState::StreamRevision(head.previous().number()) }
}

/// Records as parts, each small enough for one append, none ending inside a command.
fn parts(records: &[Record]) -> Result<Vec<Vec<EventData>>, StoreError> {
    let mut parts = Vec::new();
    let mut part = Vec::new();
    let mut part_bytes = 0;
    let mut command = Vec::new();
    let mut command_bytes = 0;
    let mut records = records.iter().map(outgoing).peekable();
    while let Some(Outgoing { event, bytes, command: id }) = records.next().transpose()? {
        command.push(event);
        command_bytes += bytes;
        let goes_on = |next: &Result<Outgoing, StoreError>| next.as_ref().is_ok_and(|next| next.command == id);
        if id.is_some() && records.peek().is_some_and(goes_on) {
            continue;
        }
        if command_bytes > APPEND_BYTES_MAX {
            let text = format!("one command's events take {command_bytes} bytes, more than {APPEND_BYTES_MAX}");
            return Err(StoreError::Unusable(text));
        }
        if part_bytes + command_bytes > APPEND_BYTES_MAX {
            parts.push(std::mem::take(&mut part));
            part_bytes = 0;
        }
        part.append(&mut command);
        part_bytes += std::mem::take(&mut command_bytes);
    }
    if !part.is_empty() {
        parts.push(part);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::chain;
    use crate::port::Head;

    fn event(command: u32, bytes: usize) -> Vec<u8> {
        let filler = "x".repeat(bytes);
        format!("{{\"command_id\":\"{command}\",\"entity\":\"tag/1\",\"kind\":\"tag.made\",\"payload\":\"{filler}\"}}")
            .into()
    }

    fn sizes(events: &[(u32, usize)]) -> Vec<usize> {
        let records = chain(Head::default(), events.iter().map(|(command, bytes)| event(*command, *bytes)));
        parts(&records).unwrap().iter().map(Vec::len).collect()
    }

    #[test]
    fn parts_are_small_enough_and_end_between_commands() {
        assert_eq!(sizes(&[]), Vec::<usize>::new());
        assert_eq!(sizes(&[(1, 10), (1, 10), (2, 10)]), [3]);
        let kib = 1024;
        assert_eq!(sizes(&[(1, 400 * kib), (2, 400 * kib), (3, 400 * kib)]), [2, 1]);
        assert_eq!(sizes(&[(1, 400 * kib), (2, 400 * kib), (2, 400 * kib), (3, 10)]), [1, 3]);
        assert_eq!(sizes(&[(1, 900 * kib), (2, 900 * kib), (3, 900 * kib)]), [1, 1, 1]);
    }

    #[test]
    fn a_command_that_fits_in_no_append_is_refused() {
        let records = chain(Head::default(), [event(1, 600 * 1024), event(1, 600 * 1024)]);
        assert!(parts(&records).is_err());
    }

    #[test]
    fn events_without_a_command_stand_alone() {
        let records = chain(Head::default(), vec![vec![b'x'; 700 * 1024]; 3]);
        assert_eq!(parts(&records).unwrap().len(), 3);
    }
}
