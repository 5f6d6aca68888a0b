//! The views that are compared, dealt to two threads: statements hold about as many cells as everything else together.

use flexledger_domain::Position;
use flexledger_projections::frozen::{Frozen, Stand};
use flexledger_projections::{ViewError, Views};
use serde_json::{Value, json};

use super::books::Books;
use super::compare::{self, Place};
use super::{ReconcileError, ViewReport};

/// The view that has a lane of its own.
const LARGEST: &str = "statement";
/// Tries to get two snapshots of one moment. A server writes its views some times a second.
const TRIES: u32 = 8;

/// The live views at one moment, and where they stand in it.
pub(super) struct Live {
    frozen: Frozen,
    stands: Vec<(&'static str, Option<Stand>)>,
}

/// Views of both databases, read by one thread.
pub(super) struct Lane {
    live: Live,
    rebuilt: Frozen,
    pub books: Books,
}

/// What a lane found in one view.
pub(super) struct Found {
    pub report: ViewReport,
    /// Rows that differ, as they are listed.
    pub places: Vec<Place>,
    /// Where the rebuilt view stands.
    pub position: Position,
}

impl Live {
    /// The views as they are now.
    pub async fn now(views: &Views, names: &[&'static str]) -> Result<Live, ViewError> {
        let mut frozen = views.freeze().await?;
        let mut stands = Vec::with_capacity(names.len());
        for name in names {
            stands.push((*name, frozen.stand(name).await?));
        }
        Ok(Live { frozen, stands })
    }

    /// Where the views stand.
    pub fn stands(&self) -> &[(&'static str, Option<Stand>)] {
        &self.stands
    }

    /// Deals the views to snapshots of one moment: this one, or newer ones. If there is always something written in
    /// between, one lane has it all.
    pub async fn deal(self, views: &Views) -> Result<Vec<Live>, ViewError> {
        let names: Vec<&'static str> = self.stands.iter().map(|(name, _)| *name).collect();
        if !names.contains(&LARGEST) || names.len() == 1 {
            return Ok(vec![self]);
        }
        let mut first = self;
        for _ in 0..TRIES {
            let mut second = Live::now(views, &names).await?;
            if first.stands == second.stands {
                first.stands.retain(|(name, _)| *name == LARGEST);
                second.stands.retain(|(name, _)| *name != LARGEST);
                return Ok(vec![first, second]);
            }
            std::mem::replace(&mut first, second).close().await;
        }
        Ok(vec![first])
    }

    /// Lets go of the rows.
    pub async fn close(self) {
        self.frozen.close().await;
    }
}

impl Lane {
    /// Puts the rebuilt views beside live ones.
    pub async fn open(live: Live, rebuilt: &Views) -> Result<Lane, ViewError> {
        Ok(Lane { live, rebuilt: rebuilt.freeze().await?, books: Books::default() })
    }

    /// Compares its views; with `indexes`, also what their live tables are found by.
    pub async fn compare(&mut self, indexes: bool) -> Result<Vec<Found>, ReconcileError> {
        let mut all = Vec::with_capacity(self.live.stands.len());
        for (name, stand) in std::mem::take(&mut self.live.stands) {
            let made = self.rebuilt.stand(name).await?;
            let position = made.as_ref().map_or(Position::START, |stand| stand.position);
            let mut report = ViewReport { name, ok: true, rows: 0, differences: Vec::new() };
            let places = match (&stand, &made) {
                (None, None) => Vec::new(),
                _ if stand == made => self.compare_view(&mut report, indexes).await?,
                _ => {
                    report.add("checkpoint".to_owned(), show(stand.as_ref()), show(made.as_ref()));
                    compare::pass(&mut self.rebuilt, name, &mut self.books).await?;
                    Vec::new()
                }
            };
            all.push(Found { report, places, position });
        }
        Ok(all)
    }

    async fn compare_view(&mut self, report: &mut ViewReport, indexes: bool) -> Result<Vec<Place>, ViewError> {
        let live = &mut self.live.frozen;
        let compared = async {
            let places = compare::compare(live, &mut self.rebuilt, report, &mut self.books).await?;
            if indexes {
                compare::check_indexes(live, report).await?;
            }
            Ok(places)
        };
        match compared.await {
            // Rows that cannot be read differ from those that can.
            Err(error @ ViewError::Sqlite(_)) if error.is_damage() => {
                report.add("file".to_owned(), json!(error.to_string()), Value::Null);
                self.books.forget(report.name);
                report.rows = compare::pass(&mut self.rebuilt, report.name, &mut self.books).await?;
                Ok(Vec::new())
            }
            compared => compared,
        }
    }

    /// Lets go of the rows of both; what was taken into the books stays.
    pub async fn close(self) -> Books {
        self.live.close().await;
        self.rebuilt.close().await;
        self.books
    }
}

fn show(stand: Option<&Stand>) -> Value {
    stand.map_or(Value::Null, |stand| {
        let event = stand.event.map(|event| event.to_string());
        json!({ "version": stand.version, "position": stand.position.number(), "event": event })
    })
}
