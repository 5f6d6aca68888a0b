//! Claims on tags (`idaas.md` 7). Of a consent token only the number is known.

use flexledger_domain::consent::{ClaimState, ConsentEvent};
use flexledger_domain::ids::ClaimId;
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::{Key, Value, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "claims";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "claims",
    columns: COLUMNS,
    indexes: &[
        Index { name: "claims_by_token", columns: &["token"], unique: true, filter: None },
        Index { name: "claims_by_tag", columns: &["tag", "position"], unique: true, filter: None },
    ],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("tag", Kind::Id),
    column("subject", Kind::Id),
    column("application", Kind::Id),
    column("state", Kind::Text),
    column("token", Kind::Text),
    column("requested_at", Kind::Instant),
    column("expires_at", Kind::Instant),
    optional("approved_at", Kind::Instant),
    optional("revoked_at", Kind::Instant),
];
const STATE: usize = 5;
const APPROVED_AT: usize = 9;
const REVOKED_AT: usize = 10;

/// The view.
pub(super) struct Claims;

impl View for Claims {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        1
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let Event::Consent(event) = &recorded.event else { return Ok(()) };
        let at: Value = recorded.recorded_at.into();
        match event {
            ConsentEvent::Requested(id, body) => changes.insert(
                0,
                [
                    id.uuid().into(),
                    position(recorded.position),
                    body.tag.uuid().into(),
                    body.subject.uuid().into(),
                    body.application.uuid().into(),
                    ClaimState::Pending.name().into(),
                    body.token.to_string().as_str().into(),
                    at,
                    body.expires_at.into(),
                    Value::Null,
                    Value::Null,
                ],
            ),
            ConsentEvent::Approved(id, _) => set(changes, *id, ClaimState::Active, Some((APPROVED_AT, at))),
            ConsentEvent::Denied(id, _) => set(changes, *id, ClaimState::Denied, None),
            ConsentEvent::Revoked(id, _) => set(changes, *id, ClaimState::Revoked, Some((REVOKED_AT, at))),
        }
        Ok(())
    }
}

fn set(changes: &mut Changes, id: ClaimId, state: ClaimState, at: Option<(usize, Value)>) {
    let cells = std::iter::once((STATE, state.name().into())).chain(at);
    changes.update(0, Key::Id(id.uuid().into_bytes()), cells);
}
