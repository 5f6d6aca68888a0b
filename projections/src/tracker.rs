//! Which event first touched a row: a fold that keeps no rows.

use flexledger_domain::{Position, Recorded};
use hashbrown::HashMap;

use crate::changes::Changes;
use crate::frozen::RowKey;
use crate::value::Key;
use crate::view::{Stop, View};
use crate::views::all;

/// Watches some rows of one view.
pub struct Tracker {
    view: Box<dyn View>,
    changes: Changes,
    wanted: HashMap<(&'static str, Key), Option<Position>>,
    missing: usize,
}

impl Tracker {
    /// Watches rows, given by table and key. `None` for a name that is no view.
    #[must_use]
    pub fn new<'a>(view: &str, rows: impl IntoIterator<Item = (&'static str, &'a RowKey)>) -> Option<Self> {
        let (_, make) = all().iter().find(|(name, _)| *name == view)?;
        let view = make();
        let changes = Changes::new(view.tables());
        let rows = rows.into_iter().filter_map(|(table, key)| Some(((table, key.key()?), None)));
        let wanted: HashMap<_, _> = rows.collect();
        let missing = wanted.len();
        Some(Tracker { view, changes, wanted, missing })
    }

    /// Whether every row was touched.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.missing == 0
    }

    /// Folds the next events of the log.
    ///
    /// # Errors
    /// [`Stop`] where the view stops.
    pub fn apply(&mut self, events: &[Recorded]) -> Result<(), Stop> {
        for recorded in events {
            self.changes.begin(recorded.position);
            self.view.apply(recorded, &mut self.changes)?;
        }
        self.view.settle(&mut self.changes);
        let changes = std::mem::replace(&mut self.changes, Changes::new(self.view.tables()));
        for table in &changes.tables {
            for row in &table.rows {
                if let Some(touched @ None) = self.wanted.get_mut(&(table.table.name, row.key)) {
                    *touched = Some(row.touched);
                    self.missing -= 1;
                }
            }
        }
        Ok(())
    }

    /// The first event that touched a row.
    #[must_use]
    pub fn first(&self, table: &'static str, key: &RowKey) -> Option<Position> {
        *self.wanted.get(&(table, key.key()?))?
    }
}
