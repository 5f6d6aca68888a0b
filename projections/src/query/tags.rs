//! Tags.

use flexledger_domain::Position;
use flexledger_domain::identity::{Handle, TagQuery};
use flexledger_domain::ids::{ApplicationId, SubjectId, TagId};

use super::cells::Cells;
use super::identity::{SUBJECT_COLUMNS, subject};
use crate::database::Row;
use crate::value::{Value, position};
use crate::{Ambiguous, LARGEST_PAGE, TagRow, ViewError, Views};

/// The most tags that a search finds (`idaas.md` 6.2).
const MOST_FOUND: i64 = 50;

/// The most addresses that an ambiguous name is answered with.
const MOST_NAMED: i64 = 1000;

impl Views {
    /// A tag.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn tag(&self, id: TagId) -> Result<Option<TagRow>, ViewError> {
        Ok(self.tags_where("t.id = ?", "t.position", &[id.uuid().into()]).await?.pop())
    }

    /// The one tag that a client means (`idaas.md` 6.1). Disabled tags count.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn resolve_tag(&self, query: &TagQuery) -> Result<Result<Option<TagRow>, Ambiguous>, ViewError> {
        let local = query.local().as_str().into();
        if let TagQuery::Qualified(_, handle) = query {
            let arguments = [local, handle.as_str().into()];
            return Ok(Ok(self.tags_where("t.local = ? AND t.handle = ?", "t.position", &arguments).await?.pop()));
        }
        let mut found = self.tags_where("t.local = ?", "t.handle LIMIT 2", std::slice::from_ref(&local)).await?;
        if found.len() < 2 {
            return Ok(Ok(found.pop()));
        }
        let sql = "SELECT handle FROM tags WHERE local = ? ORDER BY handle LIMIT ?";
        let rows = self.database.rows(sql, &[local, Value::Int(MOST_NAMED)]).await?;
        let name = |row: &Row| Ok(format!("{}@{}", query.local(), Cells::of("tags", row).text()?));
        Ok(Err(Ambiguous(rows.iter().map(name).collect::<Result<_, ViewError>>()?)))
    }

    /// The tags that an application made, newest first, disabled ones included.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn tags_created_by(&self, application: ApplicationId) -> Result<Vec<TagRow>, ViewError> {
        self.tags_where("t.created_by = ?", "t.position DESC", &[application.uuid().into()]).await
    }

    /// The tags that a subject owns, newest first, disabled ones included.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn tags_of_subject(&self, subject: SubjectId) -> Result<Vec<TagRow>, ViewError> {
        self.tags_where("t.owner = ?", "t.position DESC", &[subject.uuid().into()]).await
    }

    /// Active tags whose local name contains `keyword` (compared in lower case), of one handle if given, by address,
    /// at most 50. Goes through the names in order until it has found enough: at worst linear in the number of tags.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn search_tags(&self, keyword: &str, handle: Option<&Handle>) -> Result<Vec<TagRow>, ViewError> {
        let mut pattern = String::from("%");
        for letter in keyword.to_lowercase().chars() {
            if matches!(letter, '%' | '_' | '\\') {
                pattern.push('\\');
            }
            pattern.push(letter);
        }
        pattern.push('%');
        let (of_handle, handle) = of_handle(handle);
        let condition = format!("t.active = 1 AND t.local LIKE ? ESCAPE '\\'{of_handle}");
        let arguments: Vec<Value> =
            [Value::from(pattern.as_str())].into_iter().chain(handle).chain([Value::Int(MOST_FOUND)]).collect();
        self.tags_where(&condition, "t.local, t.handle LIMIT ?", &arguments).await
    }

    /// Active tags whose owner has a display name, oldest first, those after `after`, at most `limit` (and never more
    /// than [`LARGEST_PAGE`]).
    ///
    /// Display names are sealed, so a search in them opens each: page through this with the last row's position.
    /// A whole pass is linear in the number of active tags; callers bound how many they open.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn tag_candidates(
        &self,
        after: Position,
        handle: Option<&Handle>,
        limit: u32,
    ) -> Result<Vec<TagRow>, ViewError> {
        let (of_handle, handle) = of_handle(handle);
        let condition = format!("t.active = 1 AND s.display_name IS NOT NULL AND t.position > ?{of_handle}");
        let limit = Value::Int(i64::from(limit.min(LARGEST_PAGE)));
        let arguments: Vec<Value> = [position(after)].into_iter().chain(handle).chain([limit]).collect();
        self.tags_where(&condition, "t.position LIMIT ?", &arguments).await
    }

    async fn tags_where(&self, condition: &str, order: &str, arguments: &[Value]) -> Result<Vec<TagRow>, ViewError> {
        self.usable(&["applications", "subjects", "tags"])?;
        let sql = format!(
            "SELECT t.id, t.position, t.local, t.handle, t.active, t.owner_application, t.created_by, c.name, \
             t.created_at, {SUBJECT_COLUMNS} \
             FROM tags t JOIN applications c ON c.id = t.created_by \
             JOIN subjects s ON s.id = t.owner JOIN applications a ON a.id = s.application \
             WHERE {condition} ORDER BY {order}"
        );
        let rows = self.database.rows(&sql, arguments).await?;
        rows.iter().map(tag).collect()
    }
}

fn of_handle(handle: Option<&Handle>) -> (&'static str, Option<Value>) {
    match handle {
        Some(handle) => (" AND t.handle = ?", Some(handle.as_str().into())),
        None => ("", None),
    }
}

fn tag(row: &Row) -> Result<TagRow, ViewError> {
    let mut cells = Cells::of("tags", row);
    let id = TagId::from_uuid(cells.uuid()?);
    let position = cells.position()?;
    let (local, handle) = (cells.text()?, cells.text()?);
    Ok(TagRow {
        id,
        position,
        address: format!("{local}@{handle}").into(),
        local,
        active: cells.bool()?,
        owner_application: ApplicationId::from_uuid(cells.uuid()?),
        created_by: ApplicationId::from_uuid(cells.uuid()?),
        created_by_name: cells.text()?,
        created_at: cells.instant()?,
        owner: subject(&mut cells)?,
    })
}
