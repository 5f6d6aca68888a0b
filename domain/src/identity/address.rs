//! Tag addresses (`idaas.md` 6.1).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use smol_str::SmolStr;

/// A text that is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// The local name does not match `^[a-z0-9]([a-z0-9\-]*[a-z0-9])?$` with 3 to 64 characters.
    #[error("must be 3 to 64 characters of a-z, 0-9 and inner hyphens")]
    Local,
    /// The handle does not match the same pattern with 3 to 30 characters.
    #[error("must be 3 to 30 characters of a-z, 0-9 and inner hyphens")]
    Handle,
    /// `search` is a route and cannot be a local name.
    #[error("is reserved")]
    Reserved,
}

const LOCAL_MAX: usize = 64;
const HANDLE_MAX: usize = 30;

fn matches_pattern(text: &str, longest: usize) -> bool {
    let bytes = text.as_bytes();
    let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    (3..=longest).contains(&bytes.len())
        && bytes.iter().all(|b| inner(b) || *b == b'-')
        && bytes.first().is_some_and(inner)
        && bytes.last().is_some_and(inner)
}

macro_rules! part {
    ($(#[$doc:meta])* $name:ident, $longest:ident, $error:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the pattern; nothing is normalised.
            ///
            /// # Errors
            /// When the text does not match.
            pub fn new(text: &str) -> Result<Self, AddressError> {
                if matches_pattern(text, $longest) { Ok($name(text.into())) } else { Err($error) }
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                crate::text::read(deserializer, $name::new)
            }
        }
    };
}

part! {
    /// The local name of a tag: `alice` in `alice@walletapp`.
    Local, LOCAL_MAX, AddressError::Local
}
part! {
    /// The handle of an application: `walletapp` in `alice@walletapp`.
    Handle, HANDLE_MAX, AddressError::Handle
}

impl Local {
    /// A local name that may be given to a new tag.
    ///
    /// # Errors
    /// When it does not match the pattern, or is reserved.
    pub fn for_new_tag(text: &str) -> Result<Self, AddressError> {
        if text == "search" { Err(AddressError::Reserved) } else { Local::new(text) }
    }
}

/// A qualified address, `local@handle`. Short ones, which nearly all are, lie where the address lies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address(SmolStr);

impl Address {
    /// From its parts.
    #[must_use]
    pub fn new(local: &Local, handle: &Handle) -> Self {
        let mut text = String::with_capacity(local.as_str().len() + 1 + handle.as_str().len());
        text.push_str(local.as_str());
        text.push('@');
        text.push_str(handle.as_str());
        Address(text.into())
    }

    /// Reads exactly what `Display` writes.
    pub(crate) fn read(text: &str) -> Option<Self> {
        let (local, handle) = text.rsplit_once('@')?;
        let good = matches_pattern(local, LOCAL_MAX) && matches_pattern(handle, HANDLE_MAX);
        good.then(|| Address(text.into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the `@`.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.split_once('@').map_or(self.as_str(), |(local, _)| local)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, |text| Address::read(text).ok_or("not a qualified address"))
    }
}

/// A tag as a client names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum TagQuery {
    /// `local@handle`: at most one tag.
    Qualified(Local, Handle),
    /// `local`: good only if one application has it.
    Bare(Local),
}

impl TagQuery {
    /// Trims, strips one leading `@`, lower-cases ASCII, splits at the last `@`, and matches the parts.
    ///
    /// # Errors
    /// When a part does not match its pattern.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let trimmed = text.trim();
        let name = trimmed.strip_prefix('@').unwrap_or(trimmed).to_ascii_lowercase();
        match name.rsplit_once('@') {
            Some((local, handle)) => Ok(TagQuery::Qualified(Local::new(local)?, Handle::new(handle)?)),
            None => Ok(TagQuery::Bare(Local::new(&name)?)),
        }
    }

    /// The local name asked for.
    #[must_use]
    pub fn local(&self) -> &Local {
        match self {
            TagQuery::Qualified(local, _) | TagQuery::Bare(local) => local,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Option<String> {
        TagQuery::parse(text).ok().map(|query| match query {
            TagQuery::Qualified(local, handle) => format!("{local} at {handle}"),
            TagQuery::Bare(local) => local.to_string(),
        })
    }

    #[test]
    fn accepted_forms() {
        assert_eq!(read("alice@walletapp").as_deref(), Some("alice at walletapp"));
        assert_eq!(read(" @Alice@WalletApp ").as_deref(), Some("alice at walletapp"));
        assert_eq!(read("@alice").as_deref(), Some("alice"));
        assert_eq!(read("a--b").as_deref(), Some("a--b"));
        assert_eq!(read(&"a".repeat(64)).map(|t| t.len()), Some(64));
        for wrong in
            ["", "@", "@@alice", "al", "-alice", "alice-", "al ice", "älice", "alice@", "@alice@ab", "a@b@c", "ali_ce"]
        {
            assert_eq!(read(wrong), None, "{wrong}");
        }
        assert_eq!(read(&"a".repeat(65)), None);
        assert_eq!(read(&format!("alice@{}", "a".repeat(31))), None);
        assert_eq!(Local::for_new_tag("search"), Err(AddressError::Reserved));
    }

    proptest! {
        #[test]
        fn normal_forms_are_stable(text in "[@a-zA-Z0-9-]{0,20}(@[a-zA-Z0-9-]{0,12})?") {
            if let Ok(query) = TagQuery::parse(&text) {
                let again = match &query {
                    TagQuery::Qualified(local, handle) => Address::new(local, handle).to_string(),
                    TagQuery::Bare(local) => local.to_string(),
                };
                prop_assert_eq!(TagQuery::parse(&again), Ok(query));
            }
        }
    }
}
