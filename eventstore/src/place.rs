//! Where a log (or the views over it) stands, by URL.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use crate::port::{EventStore, StoreError};
use crate::postgres::{Access, PostgresStore};
use crate::sqlite::{Mode, SqliteStore};

/// A database by its URL. Nothing that shows one shows a password.
#[derive(Clone, PartialEq, Eq)]
pub enum Place {
    /// One SQLite file: `sqlite:<path>`.
    Sqlite(PathBuf),
    /// A PostgreSQL database: `postgres://user:password@host:port/database`, whole.
    Postgres(String),
    /// A KurrentDB cluster: `kurrentdb://…` or `esdb://…`, whole.
    Kurrent(String),
}

/// A URL that names no database this program can use. Says why, and never repeats a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlaceError {
    /// Nothing of the form `scheme:…`.
    #[error("expected a URL such as sqlite:/var/lib/flexledger/events.db or postgres://user@host/database")]
    NoUrl,
    /// No file is named.
    #[error("the URL names no file: write sqlite:<path>")]
    NoFile,
    /// The scheme is known, the rest is wrong.
    #[error("the {0} URL cannot be used: {1}")]
    Malformed(&'static str, String),
    /// A scheme that no adapter has.
    #[error("{0}: is not supported: use sqlite:<path>, postgres://… or, for the log, kurrentdb://…")]
    Unsupported(String),
}

impl FromStr for Place {
    type Err = PlaceError;

    fn from_str(text: &str) -> Result<Self, PlaceError> {
        let (scheme, rest) = text.split_once(':').ok_or(PlaceError::NoUrl)?;
        match scheme {
            "sqlite" => {
                let path = rest.strip_prefix("//").unwrap_or(rest);
                let named = !path.is_empty() && !path.contains('?');
                if named { Ok(Place::Sqlite(PathBuf::from(path))) } else { Err(PlaceError::NoFile) }
            }
            "postgres" | "postgresql" => {
                let well_formed = crate::postgres::check_url(text);
                well_formed.map_err(|error| PlaceError::Malformed("PostgreSQL", error.to_string()))?;
                Ok(Place::Postgres(text.to_owned()))
            }
            "kurrentdb" | "kurrentdb+discover" | "esdb" | "esdb+discover" => {
                #[cfg(feature = "kurrentdb")]
                text.parse::<crate::kurrent::Address>()
                    .map_err(|error| PlaceError::Malformed("KurrentDB", error.to_string()))?;
                if cfg!(feature = "kurrentdb") {
                    Ok(Place::Kurrent(text.to_owned()))
                } else {
                    Err(PlaceError::Unsupported(scheme.to_owned()))
                }
            }
            other => Err(PlaceError::Unsupported(other.chars().take(30).collect())),
        }
    }
}

impl Place {
    /// The whole URL, passwords included, for opening it.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Place::Sqlite(path) => format!("sqlite:{}", path.display()),
            Place::Postgres(url) | Place::Kurrent(url) => url.clone(),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Place::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Place::Postgres(url) | Place::Kurrent(url) => f.write_str(&without_secrets(url)),
        }
    }
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A URL without user, password and parameters: `scheme://host:port/name`.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let place = rest.split(['?', '#']).next().unwrap_or_default();
    let place = place.rsplit_once('@').map_or(place, |(_, place)| place);
    format!("{scheme}://{place}")
}

/// Opens the log at `place`. On a database that several nodes share, writing is settled by [`EventStore::lead`], not
/// by opening.
///
/// # Errors
/// [`StoreError`].
pub async fn open(place: &Place, mode: Mode) -> Result<Arc<dyn EventStore>, StoreError> {
    match place {
        Place::Sqlite(path) => Ok(Arc::new(SqliteStore::open(path, mode).await?)),
        Place::Postgres(url) => {
            let access = if matches!(mode, Mode::Reader) { Access::Read } else { Access::Write };
            Ok(Arc::new(PostgresStore::open(url, access).await?))
        }
        #[cfg(feature = "kurrentdb")]
        Place::Kurrent(url) => {
            let address =
                url.parse().map_err(|error: crate::kurrent::AddressError| StoreError::Unusable(error.to_string()))?;
            let store = crate::kurrent::KurrentStore::open(address).await?;
            Ok(Arc::new(if matches!(mode, Mode::Reader) { store.read_only() } else { store }))
        }
        #[cfg(not(feature = "kurrentdb"))]
        Place::Kurrent(_) => Err(StoreError::Unusable("this program was built without KurrentDB".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_a_place_or_say_why_not() {
        assert_eq!("sqlite:a/b.db".parse(), Ok(Place::Sqlite("a/b.db".into())));
        assert_eq!("sqlite:///a/b.db".parse(), Ok(Place::Sqlite("/a/b.db".into())));
        assert_eq!("events.db".parse::<Place>(), Err(PlaceError::NoUrl));
        assert_eq!("sqlite:".parse::<Place>(), Err(PlaceError::NoFile));
        assert!(matches!("mysql://db/x".parse::<Place>(), Err(PlaceError::Unsupported(_))));
        assert!(matches!("postgres://db:port/x".parse::<Place>(), Err(PlaceError::Malformed(..))));
    }

    #[test]
    fn no_password_is_shown() {
        let place: Place = "postgres://me:hunter2@db:5433/x?sslmode=disable&password=hunter2".parse().expect("a place");
        assert_eq!(place.to_string(), "postgres://db:5433/x");
        assert_eq!(format!("{place:?}"), "postgres://db:5433/x");
        assert!(place.url().contains("hunter2"));
        let wrong = "postgres://me:hunter2@db:port/x".parse::<Place>().expect_err("no port");
        assert!(!wrong.to_string().contains("hunter2"));
    }
}
