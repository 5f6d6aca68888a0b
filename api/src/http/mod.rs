//! What every handler needs, whatever it serves: reading requests strictly, writing answers, one table of errors.

pub mod amount;
pub mod auth;
pub mod body;
pub mod client;
pub mod edge;
pub mod envelope;
pub mod error;
pub mod fields;
pub mod json;
pub mod metrics;
pub mod names;
pub mod paging;
pub mod path;
pub mod query;
pub mod secret;
pub mod target;
pub mod throttle;
mod windows;
pub mod write;
