//! Subjects (`idaas.md` 5). Their personal texts stay sealed.

use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::{Event, Recorded};

use crate::changes::Changes;
use crate::table::{Column, Index, Kind, Table, column, optional};
use crate::value::{Key, personal, position};
use crate::view::{Stop, View};

pub(super) const NAME: &str = "subjects";

static TABLES: &[&Table] = &[&TABLE];

static TABLE: Table = Table {
    name: "subjects",
    columns: COLUMNS,
    indexes: &[
        Index { name: "subjects_by_external_id", columns: &["application", "external_id"], unique: true, filter: None },
        Index { name: "subjects_in_order", columns: &["application", "position"], unique: true, filter: None },
    ],
    seals: &[],
};

const COLUMNS: &[Column] = &[
    column("id", Kind::Id),
    column("position", Kind::Int),
    column("application", Kind::Id),
    column("external_id", Kind::Text),
    optional("display_name", Kind::Personal),
    optional("email", Kind::Personal),
    optional("image_url", Kind::Personal),
    optional("metadata", Kind::Personal),
    column("created_at", Kind::Instant),
];
const DISPLAY_NAME: usize = 4;

/// The view.
pub(super) struct Subjects;

impl View for Subjects {
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
            Event::Identity(IdentityEvent::SubjectCreated(id, body)) => changes.insert(
                0,
                [
                    id.uuid().into(),
                    position(recorded.position),
                    body.application.uuid().into(),
                    (&body.external_id).into(),
                    personal(body.display_name.as_ref())?,
                    personal(body.email.as_ref())?,
                    personal(body.image_url.as_ref())?,
                    personal(body.metadata.as_ref())?,
                    recorded.recorded_at.into(),
                ],
            ),
            Event::Identity(IdentityEvent::SubjectPatched(id, body)) => {
                let texts = [&body.display_name, &body.email, &body.image_url, &body.metadata];
                let mut cells = Vec::with_capacity(texts.len());
                for (at, text) in texts.into_iter().enumerate() {
                    if text.is_some() {
                        cells.push((DISPLAY_NAME + at, personal(text.as_ref())?));
                    }
                }
                if !cells.is_empty() {
                    changes.update(0, Key::Id(id.uuid().into_bytes()), cells);
                }
            }
            _ => {}
        }
        Ok(())
    }
}
