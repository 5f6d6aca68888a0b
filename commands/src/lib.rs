//! Flexledger commands.
