//! Tags as they were after an event (see [`super::as_of`]).

use flexledger_domain::Position;
use flexledger_domain::identity::{Address, TagQuery};
use flexledger_domain::ids::{ApplicationId, SubjectId, TagId};

use super::cells::Cells;
use crate::database::Row;
use crate::value::{Value, position};
use crate::{LARGEST_PAGE, ViewError, Views};

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagAsOf {
    /// Its id.
    pub id: TagId,
    /// Where its first event stands.
    pub position: Position,
    /// Its qualified address.
    pub address: Address,
    /// Whether it could be used.
    pub active: bool,
    /// Who owned it.
    pub owner: SubjectId,
    /// The application that acted for it.
    pub owner_application: ApplicationId,
}

/// Which tags are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TagChoice {
    /// Those made after a position, in order.
    After(Position),
    /// The one with this id.
    Id(TagId),
    /// Those of this name or address.
    Named(TagQuery),
}

/// An index names a tag that is not there, or another one.
const LOST: ViewError = ViewError::Damaged { table: "tags", expected: "the row that its index names" };

impl Views {
    /// Tags, in the order in which they were made, at most `limit`.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped, stands before `at`, or the database fails.
    pub async fn tags_at(&self, choice: &TagChoice, limit: u32, at: Position) -> Result<Vec<TagAsOf>, ViewError> {
        self.standing_at(&["tags"], at)?;
        let newest = |column: &str| {
            format!(
                "(SELECT c.{column} FROM tag_changes c WHERE c.tag = t.id AND c.position <= ? AND \
                 c.{column} IS NOT NULL ORDER BY c.position DESC LIMIT 1)"
            )
        };
        let (condition, chosen): (_, Vec<Value>) = match choice {
            TagChoice::After(after) => ("t.position > ?", vec![position(*after)]),
            TagChoice::Id(id) => ("t.id = ?", vec![id.uuid().into()]),
            TagChoice::Named(TagQuery::Bare(local)) => ("t.local = ?", vec![local.as_str().into()]),
            TagChoice::Named(TagQuery::Qualified(local, handle)) => {
                ("t.local = ? AND t.handle = ?", vec![local.as_str().into(), handle.as_str().into()])
            }
        };
        let sql = format!(
            "SELECT t.id, t.position, t.local, t.handle, {}, {}, {} FROM tags t WHERE t.position <= ? AND {condition} \
             ORDER BY t.position LIMIT ?",
            newest("active"),
            newest("owner"),
            newest("owner_application")
        );
        let limit = Value::Int(i64::from(limit.min(LARGEST_PAGE)));
        let arguments: Vec<Value> = std::iter::repeat_n(position(at), 4).chain(chosen).chain([limit.clone()]).collect();
        let rows = self.database.rows(&sql, &arguments).await?;
        let tags: Vec<TagAsOf> = rows.iter().map(tag).collect::<Result<_, _>>()?;
        let meant = |tag: &TagAsOf| match choice {
            TagChoice::After(after) => tag.position > *after,
            TagChoice::Id(id) => tag.id == *id,
            TagChoice::Named(TagQuery::Bare(local)) => tag.address.local() == local.as_str(),
            TagChoice::Named(TagQuery::Qualified(local, handle)) => tag.address == Address::new(local, handle),
        };
        if !tags.iter().all(meant) {
            return Err(LOST);
        }
        if let TagChoice::After(after) = choice {
            // Answered by the index alone: what it names and what was found must be the same.
            let sql = "SELECT id FROM tags WHERE position > ? AND position <= ? ORDER BY position LIMIT ?";
            let named = self.database.rows(sql, &[position(*after), position(at), limit]).await?;
            if !named.iter().map(|row| row.0.first()).eq(rows.iter().map(|row| row.0.first())) {
                return Err(LOST);
            }
        }
        let ids: Vec<Value> = tags.iter().map(|tag| tag.id.uuid().into()).collect();
        self.check_sealed("tag_changes", "tag", ids.clone()).await?;
        self.check_sealed("tags", "id", ids).await?;
        Ok(tags)
    }
}

fn tag(row: &Row) -> Result<TagAsOf, ViewError> {
    let mut cells = Cells::of("tags", row);
    let (id, position) = (TagId::from_uuid(cells.uuid()?), cells.position()?);
    let address = TagQuery::parse(&format!("{}@{}", cells.text()?, cells.text()?));
    let Ok(TagQuery::Qualified(local, handle)) = address else {
        return Err(ViewError::Damaged { table: "tags", expected: "a tag's address" });
    };
    Ok(TagAsOf {
        id,
        position,
        address: Address::new(&local, &handle),
        active: cells.bool()?,
        owner: SubjectId::from_uuid(cells.uuid()?),
        owner_application: ApplicationId::from_uuid(cells.uuid()?),
    })
}
