//! The tag registry (`idaas.md` 6).

use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column};
use crate::value::{Key, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "tags";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "tags",
    columns: COLUMNS,
    indexes: &[
        Index { name: "tags_by_name", columns: &["local", "handle"], unique: true, filter: None },
        Index { name: "tags_in_order", columns: &["position"], unique: true, filter: None },
        Index { name: "tags_by_maker", columns: &["created_by", "position"], unique: true, filter: None },
        Index { name: "tags_by_owner", columns: &["owner", "position"], unique: true, filter: None },
    ],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("local", Kind::Text),
    column("handle", Kind::Text),
    column("active", Kind::Bool),
    column("owner", Kind::Id),
    column("owner_application", Kind::Id),
    column("created_by", Kind::Id),
    column("created_at", Kind::Instant),
];
const ACTIVE: usize = 4;

/// The view.
pub(super) struct Tags;

impl View for Tags {
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
        match &recorded.event {
            Event::Identity(IdentityEvent::TagCreated(id, body)) => changes.insert(
                0,
                [
                    id.uuid().into(),
                    position(recorded.position),
                    body.local.as_str().into(),
                    body.handle.as_str().into(),
                    true.into(),
                    body.owner.uuid().into(),
                    body.application.uuid().into(),
                    body.application.uuid().into(),
                    recorded.recorded_at.into(),
                ],
            ),
            Event::Identity(IdentityEvent::TagDisabled(id, _)) => {
                changes.update(0, Key::Id(id.uuid().into_bytes()), [(ACTIVE, false.into())]);
            }
            Event::Identity(IdentityEvent::TagEnabled(id, _)) => {
                changes.update(0, Key::Id(id.uuid().into_bytes()), [(ACTIVE, true.into())]);
            }
            _ => {}
        }
        Ok(())
    }
}
