//! Flexledger projections.
