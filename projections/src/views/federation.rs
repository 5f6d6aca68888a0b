//! Links between tags (`idaas.md` 8). A federated identity is the links of one tag.

use flexledger_domain::federation::{FederationEvent, LinkStatus};
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::{Key, Value, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "federation";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "federation_links",
    columns: COLUMNS,
    indexes: &[Index { name: "federation_links_by_tag", columns: &["tag", "position"], unique: true, filter: None }],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("identity", Kind::Id),
    column("tag", Kind::Id),
    column("linked", Kind::Text),
    optional("linked_tag", Kind::Id),
    column("application", Kind::Id),
    column("status", Kind::Text),
    optional("verified_by", Kind::Id),
    column("created_at", Kind::Instant),
];
const STATUS: usize = 7;
const VERIFIED_BY: usize = 8;

/// The view.
pub(super) struct Federation;

impl View for Federation {
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
        let Event::Federation(event) = &recorded.event else { return Ok(()) };
        match event {
            FederationEvent::LinkInitiated(identity, body) => changes.insert(
                0,
                [
                    body.link.uuid().into(),
                    position(recorded.position),
                    identity.uuid().into(),
                    body.tag.uuid().into(),
                    (&body.linked).into(),
                    body.linked_tag.map(|tag| tag.uuid()).into(),
                    body.application.uuid().into(),
                    LinkStatus::Pending.name().into(),
                    Value::Null,
                    recorded.recorded_at.into(),
                ],
            ),
            FederationEvent::LinkVerified(_, body) => {
                let cells =
                    [(STATUS, LinkStatus::Verified.name().into()), (VERIFIED_BY, body.verified_by.uuid().into())];
                changes.update(0, Key::Id(body.link.uuid().into_bytes()), cells);
            }
            FederationEvent::LinkRevoked(_, body) => {
                let cells = [(STATUS, LinkStatus::Revoked.name().into())];
                changes.update(0, Key::Id(body.link.uuid().into_bytes()), cells);
            }
        }
        Ok(())
    }
}
