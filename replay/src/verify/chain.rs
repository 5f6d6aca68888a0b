//! Positions and chain hashes.

use flexledger_domain::Position;
use flexledger_eventstore::Hash;
use flexledger_eventstore::hash::chain_hash;

use super::Findings;

/// What a row says about its place.
pub struct Link {
    /// Its position.
    pub position: Position,
    /// The hash of its bytes.
    pub leaf: Hash,
    /// The chain hash stored with it.
    pub hash: Hash,
}

/// The chain up to the last row taken.
#[derive(Default)]
pub struct Chain {
    position: Position,
    computed: Hash,
    stored: Hash,
}

impl Chain {
    /// Takes the next row.
    ///
    /// After a hash that does not fit, the chain goes on from what was computed or from what is stored, whichever the
    /// next row fits: one damaged row is one violation.
    pub fn take(&mut self, stored: &Link, findings: &mut Findings) {
        let wanted = self.position.next();
        if stored.position != wanted {
            findings.add(Some(wanted), "positions", format!("the next row stands at {}", stored.position));
        }
        let leaf = stored.leaf;
        let follows = chain_hash(self.computed, leaf);
        if follows != stored.hash && chain_hash(self.stored, leaf) != stored.hash {
            findings.add(
                Some(stored.position),
                "chain",
                "the chain hash does not follow from the event and the one before",
            );
        }
        self.position = stored.position;
        self.computed = follows;
        self.stored = stored.hash;
    }

    /// The position of the last row.
    pub fn position(&self) -> Position {
        self.position
    }

    /// The hash that the events alone give.
    pub fn computed(&self) -> Hash {
        self.computed
    }

    /// The hash in the last row.
    pub fn stored(&self) -> Hash {
        self.stored
    }
}
