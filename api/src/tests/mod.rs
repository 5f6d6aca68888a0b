//! The router as a client sees it, in process: real engine, real views, the log in memory, a clock that stands still.

mod admin;
mod audit;
mod catalogue;
mod consent;
mod contract;
mod documented;
mod federation;
mod flows;
mod input;
mod keys;
mod leaks;
mod limits;
mod merchants;
mod receiver;
mod serving;
mod snapshots;
mod tenancy;
mod webhooks;
pub mod world;
