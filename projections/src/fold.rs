//! The views of one database, folding: what they hold in memory and what is not written yet.

use std::sync::Arc;

use flexledger_domain::{Position, Recorded};

use crate::changes::Changes;
use crate::database::Writer;
use crate::value::Value;
use crate::view::View;
use crate::views::Make;
use crate::write::{CHECKPOINTS, Checkpoint, Part};
use crate::{ViewError, ViewStatus, marks};

/// One view with its changes.
struct Slot {
    view: Box<dyn View>,
    changes: Changes,
    /// The newest event in `changes` or in the rows.
    folded: Position,
    /// The newest event that was handed over to be written.
    handed: Position,
    /// The newest event in the rows.
    written: Position,
    event: Value,
    stopped: Option<String>,
    /// Whether its changes may still be written.
    sound: bool,
    /// Events behind this one are not for it, for now.
    limit: Position,
    /// Changes that were written, emptied, whose room the next ones take.
    spare: Option<Changes>,
}

/// All open views.
pub(crate) struct Fold {
    slots: Vec<Slot>,
    pending: usize,
}

impl Fold {
    /// Makes the tables of the views where they are missing or of another version, and reads back what they need.
    /// `bare` leaves out the indexes that only help reading.
    pub async fn open(writer: &mut Writer, views: &[Make], bare: bool) -> Result<Fold, ViewError> {
        let dialect = writer.dialect();
        for sql in CHECKPOINTS.create(dialect) {
            writer.execute(&sql, &[]).await?;
        }
        marks::make(writer).await?;
        let mut slots = Vec::with_capacity(views.len());
        for make in views {
            slots.push(Slot::open(writer, make(), bare).await?);
        }
        Ok(Fold { slots, pending: 0 })
    }

    /// Makes the indexes that were left out.
    pub async fn index(&self, writer: &mut Writer) -> Result<(), ViewError> {
        let dialect = writer.dialect();
        let tables = self.slots.iter().flat_map(|slot| slot.view.tables());
        writer.index(tables.flat_map(|table| table.create_indexes(dialect)).collect()).await
    }

    /// The position up to which every view that goes on has folded.
    pub fn folded(&self) -> Position {
        let active = self.slots.iter().filter(|slot| slot.stopped.is_none() && slot.folded < slot.limit);
        active.map(|slot| slot.folded).min().unwrap_or(Position::MAX)
    }

    /// Sets how far each view folds from now on.
    pub fn limit(&mut self, limit: impl Fn(&str) -> Position) {
        for slot in &mut self.slots {
            slot.limit = limit(slot.view.name());
        }
    }

    /// Whether a view stopped.
    pub fn has_stopped(&self) -> bool {
        self.slots.iter().any(|slot| slot.stopped.is_some())
    }

    /// Up to where everything was handed over to be written.
    pub fn handed(&self) -> Position {
        let active = self.slots.iter().filter(|slot| slot.sound);
        active.map(|slot| slot.handed).min().unwrap_or(Position::MAX)
    }

    /// How many events were folded since the last hand-over.
    pub fn pending(&self) -> usize {
        self.pending
    }

    /// Whether a view waits to be written up to where it stopped, or has folded further.
    pub fn is_dirty(&self) -> bool {
        self.slots.iter().any(|slot| slot.sound && slot.folded > slot.handed)
    }

    /// Folds a batch into every view.
    pub fn apply(&mut self, batch: &[Recorded], until: Position) {
        let from = self.folded();
        let fits = |recorded: &&Recorded| recorded.position > from && recorded.position <= until;
        self.pending += batch.iter().filter(fits).count();
        for slot in &mut self.slots {
            slot.apply(batch, until);
        }
    }

    /// Hands over what has changed.
    pub fn take(&mut self) -> Vec<Arc<Part>> {
        self.pending = 0;
        self.slots.iter_mut().enumerate().filter_map(|(view, slot)| slot.take(view).map(Arc::new)).collect()
    }

    /// Takes the room of changes back that were written: each with the place of its view.
    pub fn reuse(&mut self, emptied: Vec<(usize, Changes)>) {
        for (view, changes) in emptied {
            if let Some(slot) = self.slots.get_mut(view) {
                slot.spare = Some(changes);
            }
        }
    }

    /// Stops a view whose rows cannot be written. What it folded since is dropped.
    pub fn stop(&mut self, view: usize, reason: &str) {
        if let Some(slot) = self.slots.get_mut(view) {
            slot.sound = false;
            slot.stop(reason.to_owned());
        }
    }

    /// What was handed over stands in the rows now, but for the views that were stopped over it.
    pub fn wrote(&mut self) {
        self.slots.iter_mut().filter(|slot| slot.sound).for_each(|slot| slot.written = slot.handed);
    }

    /// Stops every view that goes on, for the log itself cannot be followed.
    pub fn stop_all(&mut self, reason: &str) {
        for slot in self.slots.iter_mut().filter(|slot| slot.stopped.is_none()) {
            slot.stop(reason.to_owned());
        }
    }

    /// Names, positions of the rows, and reasons.
    pub fn status(&self) -> Vec<ViewStatus> {
        let status =
            |slot: &Slot| ViewStatus { name: slot.view.name(), position: slot.written, stopped: slot.stopped.clone() };
        self.slots.iter().map(status).collect()
    }

    /// The checkpoints: name, position, and the id of the event there.
    pub fn checkpoints(&self) -> impl Iterator<Item = (&'static str, Position, &Value)> {
        self.slots.iter().map(|slot| (slot.view.name(), slot.folded, &slot.event))
    }
}

impl Slot {
    async fn open(writer: &mut Writer, mut view: Box<dyn View>, bare: bool) -> Result<Slot, ViewError> {
        let (folded, event) = prepare(writer, view.as_ref(), bare).await?;
        restore(writer, view.as_mut()).await?;
        let changes = Changes::new(view.tables());
        Ok(Slot {
            view,
            changes,
            folded,
            handed: folded,
            written: folded,
            event,
            stopped: None,
            sound: true,
            limit: Position::MAX,
            spare: None,
        })
    }

    fn apply(&mut self, batch: &[Recorded], until: Position) {
        for recorded in batch {
            if self.stopped.is_some() || recorded.position > until.min(self.limit) {
                return;
            }
            if recorded.position <= self.folded {
                continue;
            }
            if recorded.position != self.folded.next() {
                return self.stop(format!("position {}: the log has a gap here", self.folded.next()));
            }
            self.changes.begin(recorded.position);
            if let Err(stop) = self.view.apply(recorded, &mut self.changes) {
                return self.stop(format!("position {}, {}: {stop}", recorded.position, recorded.event.kind()));
            }
            self.folded = recorded.position;
            self.event = recorded.id.uuid().into();
        }
    }

    fn stop(&mut self, reason: String) {
        tracing::error!(name: "views.stopped", view = self.view.name(), reason, "a view stopped");
        self.stopped = Some(reason);
    }

    fn take(&mut self, view: usize) -> Option<Part> {
        if !self.sound || self.folded == self.handed {
            return None;
        }
        self.view.settle(&mut self.changes);
        let next = self.spare.take().unwrap_or_else(|| Changes::new(self.view.tables()));
        let mut changes = std::mem::replace(&mut self.changes, next);
        if let Err(stop) = changes.seal() {
            self.sound = false;
            self.stop(stop.to_string());
            return None;
        }
        self.handed = self.folded;
        let checkpoint = Checkpoint {
            name: self.view.name(),
            version: self.view.version(),
            position: self.folded,
            event: self.event.clone(),
        };
        Some(Part { view, changes, checkpoint })
    }
}

/// Where the rows of a view stand, after its tables were made. Rows of another version are thrown away.
async fn prepare(writer: &mut Writer, view: &dyn View, bare: bool) -> Result<(Position, Value), ViewError> {
    let sql = "SELECT version, position, event FROM view_checkpoints WHERE name = ?";
    let rows = writer.rows(sql, &[view.name().into()]).await?;
    let at = match rows.first().map(|row| row.0.as_slice()) {
        Some([Value::Int(version), Value::Int(at), event]) if *version == i64::from(view.version()) => {
            Some((Position::new(u64::try_from(*at).unwrap_or_default()), event.clone()))
        }
        _ => None,
    };
    let dialect = writer.dialect();
    writer.begin().await?;
    if at.is_none() {
        for table in view.tables() {
            writer.execute(&table.drop(), &[]).await?;
        }
        writer.execute("DELETE FROM view_checkpoints WHERE name = ?", &[view.name().into()]).await?;
    }
    for table in view.tables() {
        for sql in if bare { table.create_bare(dialect) } else { table.create(dialect) } {
            writer.execute(&sql, &[]).await?;
        }
    }
    writer.control("COMMIT").await?;
    Ok(at.unwrap_or((Position::START, Value::Null)))
}

/// Rows read back at once.
const RESTORED: usize = 4096;

/// Gives a view its hot rows back, in order of their keys.
async fn restore(writer: &mut Writer, view: &mut dyn View) -> Result<(), ViewError> {
    for hot in view.hot() {
        let Some(table) = view.tables().get(hot.table) else { continue };
        let mut after: Option<Value> = None;
        loop {
            let rows = writer.page(table, hot.filter, after.as_ref(), RESTORED).await?;
            for row in &rows {
                view.restore(hot.table, &row.0).map_err(|stop| ViewError::Stopped {
                    name: view.name(),
                    reason: format!("{}: {stop}", table.name),
                })?;
            }
            if rows.len() < RESTORED {
                break;
            }
            after = rows.last().and_then(|row| row.0.first().cloned());
        }
    }
    Ok(())
}
