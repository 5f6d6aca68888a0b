//! Applications, without their secrets (`idaas.md` 3).

use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Seal, Table, column, optional, seal};
use crate::value::{Key, Value, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "applications";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "applications",
    columns: COLUMNS,
    indexes: &[Index { name: "applications_in_order", columns: &["position"], unique: true, filter: None }],
    seals: &[Seal { column: 14, over: &[1, 2, 3, 4, 13] }],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("client", Kind::Id),
    column("name", Kind::Text),
    column("handle", Kind::Text),
    column("active", Kind::Bool),
    optional("redirect_uris", Kind::Text),
    optional("webhook_url", Kind::Text),
    optional("metadata", Kind::Text),
    column("key_x", Kind::Text),
    column("key_y", Kind::Text),
    column("encryption_enabled", Kind::Bool),
    column("key_version", Kind::Int),
    column("created_at", Kind::Instant),
    seal("seal"),
];
const ACTIVE: usize = 5;
const KEY_X: usize = 9;
const KEY_Y: usize = 10;
const KEY_VERSION: usize = 12;

/// The view.
pub(super) struct Applications;

impl View for Applications {
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
        match &recorded.event {
            Event::Identity(IdentityEvent::ApplicationRegistered(id, body)) => changes.insert(
                0,
                [
                    id.uuid().into(),
                    position(recorded.position),
                    body.client.uuid().into(),
                    (&body.name).into(),
                    body.handle.as_str().into(),
                    true.into(),
                    body.redirect_uris.as_deref().into(),
                    body.webhook_url.as_ref().into(),
                    body.metadata.as_deref().into(),
                    body.public_key.x.as_str().into(),
                    body.public_key.y.as_str().into(),
                    body.encryption_enabled.into(),
                    Value::Int(1),
                    recorded.recorded_at.into(),
                ],
            ),
            Event::Identity(IdentityEvent::ApplicationDeactivated(id, _)) => {
                changes.update(0, Key::Id(id.uuid().into_bytes()), [(ACTIVE, false.into())]);
            }
            Event::Identity(IdentityEvent::ApplicationKeyRotated(id, body)) => {
                let cells = [
                    (KEY_X, body.public_key.x.as_str().into()),
                    (KEY_Y, body.public_key.y.as_str().into()),
                    (KEY_VERSION, Value::Int(i64::from(body.key_version))),
                ];
                changes.update(0, Key::Id(id.uuid().into_bytes()), cells);
            }
            _ => {}
        }
        Ok(())
    }
}
