//! The events of the log in order, decoded ahead of who folds them.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::walk::Stride;
use flexledger_eventstore::{EventStore, RecordRef, Walk, record};

/// An event, or the position of a record that is none or is that of another position.
pub(crate) type Decoded = Result<Recorded, Position>;

/// Everything after `after`, up to and with `until`.
pub(crate) fn events(store: Arc<dyn EventStore>, after: Position, until: Position) -> Walk<Decoded> {
    Walk::new(store, after, until, Stride::WHOLE, decode)
}

/// The event of a record.
pub(crate) fn decode(stored: RecordRef<'_>) -> Decoded {
    match record::decode(stored.bytes) {
        Ok(event) if event.position == stored.position => Ok(event),
        _ => Err(stored.position),
    }
}

#[cfg(test)]
mod tests {
    use flexledger_domain::testing::World;
    use flexledger_eventstore::{Batch, Head, MemoryStore, contract};

    use super::*;

    #[tokio::test]
    async fn an_event_at_another_position_than_its_own_is_damage() {
        let write = |recorded: &Recorded| {
            let mut bytes = Vec::new();
            record::encode(recorded, &mut bytes).unwrap();
            bytes
        };
        let history = World::random(1, 40).history;
        let end = Position::new(history.len() as u64);
        let mut bodies: Vec<Vec<u8>> = history.iter().map(write).collect();
        bodies.swap(4, 7);
        let store = MemoryStore::new();
        let records = contract::chain(Head::default(), bodies);
        store.append(Position::START, Batch { records, keys: Vec::new() }).await.unwrap();
        let mut walk = events(Arc::new(store), Position::START, end);
        let mut wrong = Vec::new();
        while let Some(portion) = walk.portion().await.unwrap() {
            wrong.extend(portion.into_iter().filter_map(Result::err));
        }
        assert_eq!(wrong, [Position::new(5), Position::new(8)]);
    }
}
