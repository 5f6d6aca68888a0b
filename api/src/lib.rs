//! Flexledger api.
