//! Applications, subjects and tags.

use flexledger_domain::Position;
use flexledger_domain::identity::{Handle, TagQuery};
use flexledger_domain::ids::{ApplicationId, SubjectId, TagId};

use crate::{Ambiguous, ApplicationRow, SubjectRow, TagRow, ViewError, Views};

impl Views {
    /// An application.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails. So for every query.
    pub async fn application(&self, id: ApplicationId) -> Result<Option<ApplicationRow>, ViewError> {
        let _ = id;
        Err(ViewError::Unknown("applications".into()))
    }

    /// All applications, oldest first; only the given one if there is one.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn applications(&self, only: Option<ApplicationId>) -> Result<Vec<ApplicationRow>, ViewError> {
        let _ = only;
        Err(ViewError::Unknown("applications".into()))
    }

    /// A subject, of whichever application.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn subject(&self, id: SubjectId) -> Result<Option<SubjectRow>, ViewError> {
        let _ = id;
        Err(ViewError::Unknown("subjects".into()))
    }

    /// The subject that an application knows under its own identifier.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn subject_by_external(
        &self,
        application: ApplicationId,
        external_id: &str,
    ) -> Result<Option<SubjectRow>, ViewError> {
        let _ = (application, external_id);
        Err(ViewError::Unknown("subjects".into()))
    }

    /// The subjects of an application, newest first.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn subjects(&self, application: ApplicationId) -> Result<Vec<SubjectRow>, ViewError> {
        let _ = application;
        Err(ViewError::Unknown("subjects".into()))
    }

    /// A tag.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn tag(&self, id: TagId) -> Result<Option<TagRow>, ViewError> {
        let _ = id;
        Err(ViewError::Unknown("tags".into()))
    }

    /// The one tag that a client means (`idaas.md` 6.1). Disabled tags count.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn resolve_tag(&self, query: &TagQuery) -> Result<Result<Option<TagRow>, Ambiguous>, ViewError> {
        let _ = query;
        Err(ViewError::Unknown("tags".into()))
    }

    /// The tags that an application made, newest first, disabled ones included.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn tags_created_by(&self, application: ApplicationId) -> Result<Vec<TagRow>, ViewError> {
        let _ = application;
        Err(ViewError::Unknown("tags".into()))
    }

    /// The tags that a subject owns, newest first, disabled ones included.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn tags_of_subject(&self, subject: SubjectId) -> Result<Vec<TagRow>, ViewError> {
        let _ = subject;
        Err(ViewError::Unknown("tags".into()))
    }

    /// Active tags whose local name contains `keyword` (compared in lower case), of one handle if given, by address,
    /// at most 50. Reads the active tags once: linear in their number.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn search_tags(&self, keyword: &str, handle: Option<&Handle>) -> Result<Vec<TagRow>, ViewError> {
        let _ = (keyword, handle);
        Err(ViewError::Unknown("tags".into()))
    }

    /// Active tags whose owner has a display name, oldest first, those after `after`, at most `limit`.
    ///
    /// Display names are sealed, so a search in them opens each: page through this with the last row's position.
    /// A whole pass is linear in the number of active tags; callers bound how many they open.
    ///
    /// # Errors
    /// [`ViewError`] when the database fails.
    pub async fn tag_candidates(
        &self,
        after: Position,
        handle: Option<&Handle>,
        limit: u32,
    ) -> Result<Vec<TagRow>, ViewError> {
        let _ = (after, handle, limit);
        Err(ViewError::Unknown("tags".into()))
    }
}
