//! Personal text: names, e-mail addresses, narrations, reasons.
//!
//! It is never read by a decision. On its way to the log it is sealed with the key of the subject it belongs to, so
//! that destroying that one key makes it unreadable everywhere while every hash stays valid (`operations.md` 5).

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::SubjectId;

/// A text that belongs to one subject. In the log: `{"sealed":"<Base64>","subject":"<id>"}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Personal {
    /// Whose text it is; the owner of the key.
    pub subject: SubjectId,
    /// The text, sealed or about to be sealed.
    pub text: PersonalText,
}

/// The two forms of a personal text.
#[derive(Clone, PartialEq, Eq)]
pub enum PersonalText {
    /// As it came in. Exists in memory only: it cannot be written to the log.
    Clear(Arc<str>),
    /// Under the subject's key, as Base64.
    Sealed(Arc<str>),
}

impl Personal {
    /// A text of `subject` as it came in.
    #[must_use]
    pub fn clear(subject: SubjectId, text: impl Into<Arc<str>>) -> Self {
        Personal { subject, text: PersonalText::Clear(text.into()) }
    }
}

impl fmt::Debug for PersonalText {
    /// Never prints a clear text, so that none reaches a log line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PersonalText::Clear(_) => f.write_str("Clear(…)"),
            PersonalText::Sealed(text) => write!(f, "Sealed({text})"),
        }
    }
}

#[derive(Serialize, Deserialize)]
struct PersonalWire {
    sealed: Arc<str>,
    subject: SubjectId,
}

impl Serialize for Personal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.text {
            PersonalText::Sealed(text) => {
                PersonalWire { sealed: text.clone(), subject: self.subject }.serialize(serializer)
            }
            PersonalText::Clear(_) => {
                Err(serde::ser::Error::custom("personal text must be sealed before it is written"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Personal {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = PersonalWire::deserialize(deserializer)?;
        Ok(Personal { subject: wire.subject, text: PersonalText::Sealed(wire.sealed) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn clear_text_is_never_written_or_printed() {
        let text = Personal::clear(SubjectId::from_uuid(Uuid::nil()), "School fees");
        assert!(serde_json::to_string(&text).is_err());
        assert!(!format!("{text:?}").contains("School"));
    }
}
