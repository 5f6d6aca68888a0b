//! Flexledger eventstore.
