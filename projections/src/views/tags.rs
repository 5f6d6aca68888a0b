//! The tag registry (`idaas.md` 6).
//!
//! The second table holds what became of each tag, by position: a row tells what its event changed and leaves the
//! rest empty. So a tag as it was is the newest filled cell of each column.

use flexledger_domain::identity::{IdentityEvent, TagCreated};
use flexledger_domain::ids::TagId;
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Seal, Table, column, optional, seal};
use crate::value::{Key, Value, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "tags";

static TABLES: &[&Table] = &[&TABLE, &HISTORY];

static TABLE: Table = Table {
    name: "tags",
    columns: COLUMNS,
    indexes: &[
        Index { name: "tags_by_name", columns: &["local", "handle"], unique: true, filter: None },
        Index { name: "tags_in_order", columns: &["position"], unique: true, filter: None },
        Index { name: "tags_by_maker", columns: &["created_by", "position"], unique: true, filter: None },
        Index { name: "tags_by_owner", columns: &["owner", "position"], unique: true, filter: None },
    ],
    seals: &[Seal { column: 9, over: &[1, 2, 3, 7, 8] }],
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
    seal("seal"),
];
const ACTIVE: usize = 4;
const OWNER: usize = 5;
const OWNER_APPLICATION: usize = 6;

static HISTORY: Table = Table {
    name: "tag_changes",
    columns: &[
        column("position", Kind::Int),
        column("tag", Kind::Id),
        optional("active", Kind::Bool),
        optional("owner", Kind::Id),
        optional("owner_application", Kind::Id),
        seal("seal"),
    ],
    indexes: &[Index { name: "tag_changes_of", columns: &["tag"], unique: false, filter: None }],
    seals: &[Seal { column: 5, over: &[] }],
};

/// The view.
pub(super) struct Tags;

impl View for Tags {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> u32 {
        3
    }

    fn tables(&self) -> &'static [&'static Table] {
        TABLES
    }

    fn apply(&mut self, recorded: &Recorded, changes: &mut Changes) -> Result<(), Stop> {
        let Event::Identity(event) = &recorded.event else { return Ok(()) };
        match event {
            IdentityEvent::TagCreated(id, body) => {
                changes.insert(0, created(*id, body, recorded));
                let (owner, application) = (body.owner.uuid().into(), body.application.uuid().into());
                changes.append(1, [position(recorded.position), id.uuid().into(), true.into(), owner, application]);
            }
            IdentityEvent::TagDisabled(id, _) => switch(*id, false, recorded, changes),
            IdentityEvent::TagEnabled(id, _) => switch(*id, true, recorded, changes),
            IdentityEvent::TagTransferred(id, body) => {
                let (owner, application): (Value, Value) = (body.owner.uuid().into(), body.application.uuid().into());
                let cells = [(OWNER, owner.clone()), (OWNER_APPLICATION, application.clone())];
                changes.update(0, Key::Id(id.uuid().into_bytes()), cells);
                changes.append(1, [position(recorded.position), id.uuid().into(), Value::Null, owner, application]);
            }
            _ => {}
        }
        Ok(())
    }
}

fn created(id: TagId, body: &TagCreated, recorded: &Recorded) -> [Value; 9] {
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
    ]
}

fn switch(id: TagId, active: bool, recorded: &Recorded, changes: &mut Changes) {
    changes.update(0, Key::Id(id.uuid().into_bytes()), [(ACTIVE, active.into())]);
    let row = [position(recorded.position), id.uuid().into(), active.into(), Value::Null, Value::Null];
    changes.append(1, row);
}
