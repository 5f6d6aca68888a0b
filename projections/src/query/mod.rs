//! Queries. Every one reads committed rows only; call [`crate::Views::caught_up`] first to read your own writes.

pub(crate) mod as_of;
mod cells;
mod claims;
mod federation;
mod identity;
mod merchants;
mod order;
mod payments;
mod sealed;
mod settlement;
mod tags;
pub(crate) mod tags_as_of;
mod wallets;
mod webhooks;

use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

/// A UUID that is always the same for the same thing and part, and like no other.
fn derived_id(of: Uuid, part: &[u8]) -> Uuid {
    let digest: [u8; 32] = Sha256::new().chain_update(of.as_bytes()).chain_update(part).finalize().into();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(byte, from)| *byte = from);
    Builder::from_random_bytes(bytes).into_uuid()
}
