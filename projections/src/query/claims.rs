//! Claims and their consent.

use flexledger_domain::consent::{Claim, ClaimState};
use flexledger_domain::ids::{ApplicationId, ClaimId, SubjectId, TagId};
use flexledger_domain::{Instant, TokenHash};

use super::cells::Cells;
use crate::database::Row;
use crate::value::Value;
use crate::{ClaimRow, ViewError, Views};

const TABLE: &str = "claims";

/// Tags that are asked about in one query.
const TAGS_AT_ONCE: usize = 500;

impl Views {
    /// A claim.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn claim(&self, id: ClaimId) -> Result<Option<ClaimRow>, ViewError> {
        Ok(self.claims_where("c.id = ?", &[id.uuid().into()]).await?.pop())
    }

    /// The claim whose consent token has this number.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn claim_by_token(&self, token: &TokenHash) -> Result<Option<ClaimRow>, ViewError> {
        Ok(self.claims_where("c.token = ?", &[token.to_string().as_str().into()]).await?.pop())
    }

    /// The claims on a tag, newest first; only those that one application made if it is given. The contract has no
    /// pages here: all of them.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn claims_on(&self, tag: TagId, only: Option<ApplicationId>) -> Result<Vec<ClaimRow>, ViewError> {
        let condition = if only.is_some() { "c.tag = ? AND c.application = ?" } else { "c.tag = ?" };
        let tag = std::iter::once(tag.uuid());
        let arguments: Vec<Value> = tag.chain(only.map(|id| id.uuid())).map(Value::from).collect();
        self.claims_where(condition, &arguments).await
    }

    /// The active claims on some tags, newest first.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn active_claims(&self, tags: &[TagId]) -> Result<Vec<ClaimRow>, ViewError> {
        let mut found = Vec::new();
        for tags in tags.chunks(TAGS_AT_ONCE) {
            let places = vec!["?"; tags.len()].join(",");
            let condition = format!("c.state = ? AND c.tag IN ({places})");
            let state = std::iter::once(Value::from(ClaimState::Active.name()));
            let arguments: Vec<Value> = state.chain(tags.iter().map(|tag| tag.uuid().into())).collect();
            found.extend(self.claims_where(&condition, &arguments).await?);
        }
        Ok(found)
    }

    async fn claims_where(&self, condition: &str, arguments: &[Value]) -> Result<Vec<ClaimRow>, ViewError> {
        self.usable(&["applications", "subjects", "tags", TABLE])?;
        let sql = format!(
            "SELECT c.id, c.tag, c.subject, c.application, c.state, c.requested_at, c.expires_at, c.approved_at, \
             c.revoked_at, c.token, t.local, t.handle, t.owner_application, o.display_name, s.external_id, s.display_name, a.name \
             FROM claims c JOIN tags t ON t.id = c.tag JOIN subjects o ON o.id = t.owner \
             JOIN subjects s ON s.id = c.subject JOIN applications a ON a.id = c.application \
             WHERE {condition} ORDER BY c.position DESC"
        );
        let rows = self.database.rows(&sql, arguments).await?;
        rows.iter().map(claim).collect()
    }
}

fn claim(row: &Row) -> Result<ClaimRow, ViewError> {
    let mut cells = Cells::of(TABLE, row);
    let claim = Claim {
        id: ClaimId::from_uuid(cells.uuid()?),
        tag: TagId::from_uuid(cells.uuid()?),
        subject: SubjectId::from_uuid(cells.uuid()?),
        application: ApplicationId::from_uuid(cells.uuid()?),
        state: ClaimState::from_name(&cells.text()?).ok_or(ViewError::Damaged { table: TABLE, expected: "a state" })?,
        requested_at: cells.instant()?,
        expires_at: cells.instant()?,
        approved_at: cells.optional_int()?.map(Instant::from_micros),
        revoked_at: cells.optional_int()?.map(Instant::from_micros),
    };
    let damaged = |_| ViewError::Damaged { table: TABLE, expected: "the number of a token" };
    let token = cells.text()?.parse().map_err(damaged)?;
    let (local, handle) = (cells.text()?, cells.text()?);
    Ok(ClaimRow {
        claim,
        token,
        tag_address: format!("{local}@{handle}").into(),
        tag_local: local,
        tag_application: ApplicationId::from_uuid(cells.uuid()?),
        owner_name: cells.personal()?,
        external_id: cells.text()?,
        subject_name: cells.personal()?,
        application_name: cells.text()?,
    })
}
