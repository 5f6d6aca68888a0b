//! Where the log and the views live.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A database by its URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// One SQLite file.
    Sqlite(PathBuf),
}

/// A URL that names no database this program can use. Says why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Nothing of the form `scheme:…`.
    #[error("expected a URL such as sqlite:/var/lib/flexledger/events.db")]
    NoUrl,
    /// No file is named.
    #[error("the URL names no file: write sqlite:<path>")]
    NoFile,
    /// A database that this version cannot use. The scheme alone is shown: a URL may hold a password.
    #[error("{0} is not supported by this version: use sqlite:<path>")]
    Unsupported(String),
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (scheme, rest) = text.split_once(':').ok_or(PlaceError::NoUrl)?;
        if scheme != "sqlite" {
            return Err(PlaceError::Unsupported(format!("{scheme}:")));
        }
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.contains('?') {
            return Err(PlaceError::NoFile);
        }
        Ok(Place::Sqlite(PathBuf::from(path)))
    }
}

impl Place {
    /// The file.
    pub fn path(&self) -> &Path {
        match self {
            Place::Sqlite(path) => path,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_file_or_say_why_not() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(Place::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(Place::Sqlite("/a/b.db".into())));
        assert_eq!("events.db".parse::<Place>(), Err(PlaceError::NoUrl));
        assert_eq!("sqlite:".parse::<Place>(), Err(PlaceError::NoFile));
        let refused = "postgres://me:hunter2@db/x".parse::<Place>().expect_err("unsupported");
        assert!(!refused.to_string().contains("hunter2"));
    }
}
