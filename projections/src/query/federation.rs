//! Federated identities.

use flexledger_domain::federation::LinkStatus;
use flexledger_domain::ids::{ApplicationId, FederationId, LinkId, TagId};

use super::cells::Cells;
use crate::{FederationRow, LinkRow, ViewError, Views};

const TABLE: &str = "federation_links";

impl Views {
    /// The federated identity of a tag; `None` when it has no link yet.
    ///
    /// # Errors
    /// [`ViewError`] when a view stopped or the database fails.
    pub async fn federation(&self, tag: TagId) -> Result<Option<FederationRow>, ViewError> {
        self.usable(&["applications", "tags", "federation"])?;
        let sql = "SELECT l.identity, l.tag, t.local, t.handle, t.owner_application, l.id, l.linked, \
                   x.owner_application, l.application, l.status, v.name, l.created_at \
                   FROM federation_links l JOIN tags t ON t.id = l.tag LEFT JOIN tags x ON x.id = l.linked_tag \
                   LEFT JOIN applications v ON v.id = l.verified_by WHERE l.tag = ? ORDER BY l.position";
        let rows = self.database.rows(sql, &[tag.uuid().into()]).await?;
        let mut found: Option<FederationRow> = None;
        for row in &rows {
            let mut cells = Cells::of(TABLE, row);
            let mut head = head(&mut cells)?;
            let link = link(&mut cells)?;
            match &mut found {
                Some(identity) => identity.links.push(link),
                None => {
                    head.created_at = link.created_at;
                    head.links.push(link);
                    found = Some(head);
                }
            }
        }
        Ok(found)
    }
}

fn head(cells: &mut Cells<'_>) -> Result<FederationRow, ViewError> {
    let (id, tag) = (FederationId::from_uuid(cells.uuid()?), TagId::from_uuid(cells.uuid()?));
    Ok(FederationRow {
        id,
        tag,
        tag_address: format!("{}@{}", cells.text()?, cells.text()?).into(),
        tag_application: ApplicationId::from_uuid(cells.uuid()?),
        links: Vec::new(),
        created_at: flexledger_domain::Instant::MIN,
    })
}

fn link(cells: &mut Cells<'_>) -> Result<LinkRow, ViewError> {
    Ok(LinkRow {
        id: LinkId::from_uuid(cells.uuid()?),
        linked: cells.text()?,
        linked_application: cells.optional_uuid()?.map(ApplicationId::from_uuid),
        application: ApplicationId::from_uuid(cells.uuid()?),
        status: LinkStatus::from_name(&cells.text()?)
            .ok_or(ViewError::Damaged { table: TABLE, expected: "a status" })?,
        verified_by: cells.optional_text()?,
        created_at: cells.instant()?,
    })
}
