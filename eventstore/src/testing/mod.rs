//! Servers for tests.

pub mod postgres;
pub mod tls;
