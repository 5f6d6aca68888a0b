//! Applications and subjects.

use flexledger_domain::identity::PublicKey;
use flexledger_domain::ids::{ApplicationId, ClientId, SubjectId};

use super::cells::Cells;
use crate::database::Row;
use crate::value::Value;
use crate::{ApplicationRow, SubjectRow, ViewError, Views};

const APPLICATION: &str = "SELECT id, client, name, handle, active, redirect_uris, webhook_url, metadata, key_x, key_y, \
     encryption_enabled, key_version, created_at FROM applications";

/// The columns of a subject `s` of an application `a`.
pub(super) const SUBJECT_COLUMNS: &str =
    "s.id, s.application, a.name, s.external_id, s.display_name, s.email, s.image_url, s.metadata, s.created_at";

impl Views {
    /// An application.
    ///
    /// # Errors
    /// [`ViewError`] when the view stopped or the database fails. So for every query.
    pub async fn application(&self, id: ApplicationId) -> Result<Option<ApplicationRow>, ViewError> {
        Ok(self.applications(Some(id)).await?.pop())
    }

    /// All applications, oldest first; only the given one if there is one.
    ///
    /// # Errors
    /// [`ViewError`] when the view stopped or the database fails.
    pub async fn applications(&self, only: Option<ApplicationId>) -> Result<Vec<ApplicationRow>, ViewError> {
        self.usable(&["applications"])?;
        let condition = only.map_or("", |_| " WHERE id = ?");
        let arguments: Vec<Value> = only.map(|id| id.uuid().into()).into_iter().collect();
        let rows = self.database.rows(&format!("{APPLICATION}{condition} ORDER BY position"), &arguments).await?;
        rows.iter().map(application).collect()
    }

    /// A subject, of whichever application.
    ///
    /// # Errors
    /// [`ViewError`] when the view stopped or the database fails.
    pub async fn subject(&self, id: SubjectId) -> Result<Option<SubjectRow>, ViewError> {
        Ok(self.subjects_where("s.id = ?", &[id.uuid().into()]).await?.pop())
    }

    /// The subject that an application knows under its own identifier.
    ///
    /// # Errors
    /// [`ViewError`] when the view stopped or the database fails.
    pub async fn subject_by_external(
        &self,
        application: ApplicationId,
        external_id: &str,
    ) -> Result<Option<SubjectRow>, ViewError> {
        let arguments = [application.uuid().into(), external_id.into()];
        Ok(self.subjects_where("s.application = ? AND s.external_id = ?", &arguments).await?.pop())
    }

    /// The subjects of an application, newest first. The contract has no pages here: all of them.
    ///
    /// # Errors
    /// [`ViewError`] when the view stopped or the database fails.
    pub async fn subjects(&self, application: ApplicationId) -> Result<Vec<SubjectRow>, ViewError> {
        self.subjects_where("s.application = ?", &[application.uuid().into()]).await
    }

    async fn subjects_where(&self, condition: &str, arguments: &[Value]) -> Result<Vec<SubjectRow>, ViewError> {
        self.usable(&["applications", "subjects"])?;
        let sql = format!(
            "SELECT {SUBJECT_COLUMNS} FROM subjects s JOIN applications a ON a.id = s.application \
             WHERE {condition} ORDER BY s.position DESC"
        );
        let rows = self.database.rows(&sql, arguments).await?;
        rows.iter().map(|row| subject(&mut Cells::of("subjects", row))).collect()
    }
}

fn application(row: &Row) -> Result<ApplicationRow, ViewError> {
    let mut cells = Cells::of("applications", row);
    Ok(ApplicationRow {
        id: ApplicationId::from_uuid(cells.uuid()?),
        client: ClientId::from_uuid(cells.uuid()?),
        name: cells.text()?,
        handle: cells.text()?,
        active: cells.bool()?,
        redirect_uris: cells.optional_text()?.map(|text| text.to_string()),
        webhook_url: cells.optional_text()?.map(|text| text.to_string()),
        metadata: cells.optional_text()?.map(|text| text.to_string()),
        public_key: PublicKey { x: cells.text()?.to_string(), y: cells.text()?.to_string() },
        encryption_enabled: cells.bool()?,
        key_version: u32::try_from(cells.int()?)
            .map_err(|_| ViewError::Damaged { table: "applications", expected: "a key version" })?,
        created_at: cells.instant()?,
    })
}

/// Reads [`SUBJECT_COLUMNS`].
pub(super) fn subject(cells: &mut Cells<'_>) -> Result<SubjectRow, ViewError> {
    Ok(SubjectRow {
        id: SubjectId::from_uuid(cells.uuid()?),
        application: ApplicationId::from_uuid(cells.uuid()?),
        application_name: cells.text()?,
        external_id: cells.text()?,
        display_name: cells.personal()?,
        email: cells.personal()?,
        image_url: cells.personal()?,
        metadata: cells.personal()?,
        created_at: cells.instant()?,
    })
}
