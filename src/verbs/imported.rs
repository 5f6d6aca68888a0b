//! What is noted beside a store that was imported.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use flexledger_domain::ids::LedgerId;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;

const NOTE: &str = "imported.json";

/// Where an imported store comes from: heads up to its end were signed by another key than ours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The ledger.
    pub ledger: Option<LedgerId>,
    /// Where the file ended.
    pub position: u64,
    /// The chain hash there.
    pub hash: String,
    /// Whether everything is in the store.
    pub done: bool,
}

impl Imported {
    /// What the store of this data directory was imported from; none if it was not.
    pub fn read(data: &Path) -> Option<Imported> {
        serde_json::from_slice(&std::fs::read(data.join(NOTE)).ok()?).ok()
    }

    /// Notes it, in place of an earlier note: after a crash there is the one or the other.
    pub fn write(&self, data: &Path) -> Result<(), Failure> {
        let path = data.join(NOTE);
        let text = serde_json::to_vec(self).map_err(std::io::Error::from)?;
        let written = || {
            let fresh = path.with_extension("new");
            let mut file = File::create(&fresh)?;
            file.write_all(&text)?;
            file.sync_all()?;
            std::fs::rename(&fresh, &path)?;
            File::open(data)?.sync_all()
        };
        written().map_err(|error| Failure::Store(format!("{} cannot be written: {error}", path.display())))
    }
}

/// Refuses a store with a part of a ledger in it: what it holds is sound and far from all, so nothing may be added to
/// it or told from it.
pub fn whole(data: &Path) -> Result<(), Failure> {
    match Imported::read(data) {
        Some(Imported { done: false, position, .. }) => {
            let problem =
                format!("{}: the import of a ledger of {position} events was broken off", data.join(NOTE).display());
            let next = "Run `flexledger import` again with the same file; it goes on from there. \
                        Or give it up: remove the store and this note.";
            Err(Failure::Store(Failure::hint(problem, next)))
        }
        _ => Ok(()),
    }
}
