//! Sort orders that clients ask for, as SQL.

use std::fmt::Write;

use crate::{Page, Sort, ViewError};

/// What a property sorts by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// An expression that is never empty.
    Plain(&'static str),
    /// An expression that may be empty; empty is the smallest.
    Optional(&'static str),
    /// The text of an amount that is not negative.
    Amount(&'static str),
}

/// The properties of a list that it can be sorted by.
pub(crate) type Properties = &'static [(&'static str, By)];

/// The order of a page as SQL, or `None` when it is the list's own. `key` comes last, so that pages never overlap;
/// it follows the direction of the first property.
pub(crate) fn order(page: &Page, properties: Properties, key: &str) -> Result<Option<String>, ViewError> {
    page.check()?;
    let mut sql = String::new();
    for Sort { property, descending } in &page.sort {
        let found = properties.iter().find(|(name, _)| name == property);
        let (_, by) = found.ok_or_else(|| ViewError::SortProperty(property.clone()))?;
        let direction = if *descending { "DESC" } else { "ASC" };
        let _ = match by {
            By::Plain(of) => write!(sql, "{of} {direction}, "),
            By::Optional(of) => {
                let nulls = if *descending { "LAST" } else { "FIRST" };
                write!(sql, "{of} {direction} NULLS {nulls}, ")
            }
            By::Amount(of) => write!(sql, "length({of}) {direction}, {of} {direction}, "),
        };
    }
    if sql.is_empty() {
        return Ok(None);
    }
    let descending = page.sort.first().is_none_or(|sort| sort.descending);
    let _ = write!(sql, "{key} {}", if descending { "DESC" } else { "ASC" });
    Ok(Some(sql))
}
