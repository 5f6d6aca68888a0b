//! Account names.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::ids::{ApplicationId, IdError};

const WALLET: &str = "idaas/wallet/";

/// The name of an account. Names are paths: the first part tells the context.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Account {
    /// `idaas/wallet/<application id>`: the position of an application towards all others (`idaas.md` 11).
    Wallet(ApplicationId),
    /// Any other account: 1 to 200 characters of `a-zA-Z0-9_./-`.
    Named(Arc<str>),
}

impl Account {
    /// The application, when this is the account of an IDaaS wallet.
    #[must_use]
    pub fn wallet(&self) -> Option<ApplicationId> {
        match self {
            Account::Wallet(application) => Some(*application),
            Account::Named(_) => None,
        }
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Account::Wallet(application) => write!(f, "{WALLET}{application}"),
            Account::Named(name) => f.write_str(name),
        }
    }
}

impl FromStr for Account {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let wrong = IdError("account name");
        if let Some(id) = text.strip_prefix(WALLET) {
            return id.parse().map(Account::Wallet);
        }
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'/' | b'-');
        if (1..=200).contains(&text.len()) && text.bytes().all(good) {
            Ok(Account::Named(text.into()))
        } else {
            Err(wrong)
        }
    }
}

impl Serialize for Account {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Account::Wallet(application) => {
                let mut text = [0_u8; 49];
                let (head, tail) = text.split_at_mut(WALLET.len());
                head.copy_from_slice(WALLET.as_bytes());
                application.uuid().hyphenated().encode_lower(tail);
                serializer.serialize_str(std::str::from_utf8(&text).unwrap_or_default())
            }
            Account::Named(name) => serializer.serialize_str(name),
        }
    }
}

impl<'de> Deserialize<'de> for Account {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, str::parse)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for name in ["idaas/wallet/3fa85f64-5717-4562-b3fc-2c963f66afa6", "cust/acc_1/main", "bank"] {
            let account: Account = name.parse().expect(name);
            assert_eq!(account.to_string(), name);
            let json = serde_json::to_string(&account).expect(name);
            assert_eq!(json, format!("\"{name}\""));
            assert_eq!(serde_json::from_str::<Account>(&json).expect(name), account);
        }
        for wrong in ["", "idaas/wallet/x", "a b", "ä"] {
            assert!(wrong.parse::<Account>().is_err(), "{wrong}");
        }
    }
}
