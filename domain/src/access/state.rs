//! Which auditors there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::AccessEvent;
use crate::ids::AuditorId;

/// The auditors that ever were, and whether their tokens count.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Access {
    auditors: BTreeMap<AuditorId, bool>,
}

impl Access {
    /// Whether an auditor's token counts; `None` for an unknown one.
    #[must_use]
    pub fn auditor(&self, id: AuditorId) -> Option<bool> {
        self.auditors.get(&id).copied()
    }

    pub(crate) fn evolve(&mut self, event: &AccessEvent) {
        match event {
            AccessEvent::AuditorAdded(id, _) => self.auditors.insert(*id, true),
            AccessEvent::AuditorRemoved(id, _) => self.auditors.insert(*id, false),
        };
    }
}
