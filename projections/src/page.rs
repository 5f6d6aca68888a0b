//! Pages of lists (`idaas.md` 1.3).

use crate::ViewError;

/// The most items one page holds.
pub const LARGEST_PAGE: u32 = 2000;

/// One part of a sort order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// The property as the client names it, for example `createdAt`.
    pub property: String,
    /// Whether the largest comes first.
    pub descending: bool,
}

/// Which part of a list is wanted, and in which order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Which page; the first is 0.
    pub number: u32,
    /// Items per page, 1 to [`LARGEST_PAGE`].
    pub size: u32,
    /// The order; empty means the list's own order. The key of the row always comes last.
    pub sort: Vec<Sort>,
}

impl Default for Page {
    fn default() -> Self {
        Page { number: 0, size: 20, sort: Vec::new() }
    }
}

impl Page {
    /// How many items lie before this page.
    #[must_use]
    pub fn offset(&self) -> u64 {
        u64::from(self.number) * u64::from(self.size)
    }

    /// Checks the size.
    pub(crate) fn check(&self) -> Result<(), ViewError> {
        if (1..=LARGEST_PAGE).contains(&self.size) { Ok(()) } else { Err(ViewError::PageSize(LARGEST_PAGE)) }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paged<T> {
    /// The items of this page, in order. Empty past the end.
    pub items: Vec<T>,
    /// How many items the whole list has.
    pub total: u64,
}
