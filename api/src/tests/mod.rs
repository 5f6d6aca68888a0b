//! The router as a client sees it, in process: real engine, real views, the log in memory, a clock that stands still.

mod audit;
mod contract;
mod flows;
mod input;
mod leaks;
mod receiver;
mod serving;
mod snapshots;
mod tenancy;
mod webhooks;
mod world;
