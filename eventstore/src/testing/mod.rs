//! Servers for tests.

pub mod postgres;
