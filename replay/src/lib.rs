//! Flexledger replay.
