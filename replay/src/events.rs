//! The events of the log in order, decoded ahead of who folds them.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::walk::Stride;
use flexledger_eventstore::{EventStore, Walk, record};

/// An event, or the position of a record that is none.
pub(crate) type Decoded = Result<Recorded, Position>;

/// Everything after `after`, up to and with `until`.
pub(crate) fn events(store: Arc<dyn EventStore>, after: Position, until: Position) -> Walk<Decoded> {
    Walk::new(store, after, until, Stride::WHOLE, |stored| record::decode(stored.bytes).map_err(|_| stored.position))
}
