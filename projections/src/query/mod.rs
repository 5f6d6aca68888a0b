//! Queries. Every one reads committed rows only; call [`crate::Views::caught_up`] first to read your own writes.

mod identity;
mod payments;
mod settlement;
mod wallets;
