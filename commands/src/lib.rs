//! The write side: the engine with its single writer, the vault that seals secrets and personal text, and the clocks
//! that give commands of their own.
//!
//! [`Engine::submit`] is the only way to change a ledger. It returns once everything it tells is durable.

pub mod clock;
mod directory;
mod engine;
pub mod erasure;
pub mod reactors;
pub mod transfer;
pub mod vault;

pub use directory::{AppInfo, Directory, MerchantInfo};
pub use engine::{Answer, Done, Engine, Failure, LoadError, Options, Role, SnapshotError, StartError, Status};
