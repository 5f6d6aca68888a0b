//! Flexledger tests.
