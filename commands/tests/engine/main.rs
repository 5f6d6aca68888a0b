//! The engine as a whole, on the store in memory and on SQLite: races, faults, restarts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking"
)]

mod bent;
mod erasure;
mod faults;
mod nodes;
mod races;
mod restarts;
mod rivals;
mod world;
