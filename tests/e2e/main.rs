//! The whole program from outside: the real binary, real HTTP on loopback, real files.
//!
//! Nothing here uses a crate of the workspace: what these tests know is what a client or an operator knows.

// Every function here is part of a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod crash;
mod damage;
mod disk;
mod imports;
mod input;
mod kept;
mod money;
mod past;
mod program;
mod races;
mod readme;
mod rebuilds;
mod server;
mod views;
mod world;
