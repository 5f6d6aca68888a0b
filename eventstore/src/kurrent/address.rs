//! Where a ledger stands: the servers, and the names of its streams.

use std::fmt;
use std::str::FromStr;

use flexledger_domain::ids::SubjectId;
use kurrentdb::ClientSettings;

/// The ledger that a URL names when it names none.
const LEDGER_DEFAULT: &str = "main";
const LEDGER_LEN_MAX: usize = 64;
const SCHEMES: [&str; 4] = ["kurrentdb", "kurrentdb+discover", "esdb", "esdb+discover"];
/// The client pauses before its first attempt too, so its own default of half a second is paid by every connection.
const DISCOVERY_INTERVAL: &str = "discoveryInterval=50";
/// Everything is asked of the leader: others may lag behind what this writer was told is stored.
const PREFERENCE: &str = "nodePreference=leader";

/// A ledger on KurrentDB: `kurrentdb://[user:password@]host:2113[,…][/<ledger>][?<parameters>]`.
///
/// The scheme may also be `esdb`, and either may end in `+discover`. The ledger is `main` when none is named. The
/// parameters are those of KurrentDB's connection strings, such as `tls=false` or `tlsCaFile=<path>`. Nothing that
/// shows an address shows a password.
#[derive(Clone)]
pub struct Address {
    pub(super) settings: ClientSettings,
    ledger: String,
}

/// A text that is no address of a ledger on KurrentDB. Never repeats the text, which may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// Another scheme than those of KurrentDB.
    #[error("the URL does not begin with kurrentdb:// or esdb://")]
    Scheme,
    /// No ledger has such a name.
    #[error("a ledger's name is 1 to 64 of a to z, 0 to 9 and _")]
    Ledger,
    /// The rest is no connection string.
    #[error("the URL is no connection string of KurrentDB")]
    Connection,
}

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").ok_or(AddressError::Scheme)?;
        if !SCHEMES.contains(&scheme) {
            return Err(AddressError::Scheme);
        }
        let (place, parameters) = rest.split_once('?').unwrap_or((rest, ""));
        let (hosts, ledger) = place.split_once('/').unwrap_or((place, ""));
        let ledger = if ledger.is_empty() { LEDGER_DEFAULT } else { ledger };
        let named = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        if ledger.len() > LEDGER_LEN_MAX || !ledger.bytes().all(named) {
            return Err(AddressError::Ledger);
        }
        // The first of two parameters counts for nothing: the client takes the last.
        let given = [DISCOVERY_INTERVAL, parameters, PREFERENCE];
        let parameters: Vec<&str> = given.into_iter().filter(|part| !part.is_empty()).collect();
        let connection = format!("{scheme}://{hosts}?{}", parameters.join("&"));
        let settings = connection.parse().map_err(|_| AddressError::Connection)?;
        Ok(Address { settings, ledger: ledger.to_owned() })
    }
}

impl Address {
    /// The name of the ledger.
    #[must_use]
    pub fn ledger(&self) -> &str {
        &self.ledger
    }

    /// The stream of the events. A ledger's name has no hyphen, so no ledger's stream is another's.
    pub(super) fn events(&self) -> String {
        format!("ledger-{}", self.ledger)
    }

    /// The stream that names the subjects that have, or had, a key.
    pub(super) fn subjects(&self) -> String {
        format!("ledger-{}-keys", self.ledger)
    }

    /// The stream of one subject's key.
    pub(super) fn key(&self, subject: SubjectId) -> String {
        format!("ledger-{}-key-{subject}", self.ledger)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("kurrentdb://")?;
        for (at, host) in self.settings.hosts().iter().enumerate() {
            write!(f, "{}{}:{}", if at == 0 { "" } else { "," }, host.host, host.port)?;
        }
        write!(f, "/{}", self.ledger)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_name_servers_and_ledger() {
        let address: Address = "esdb://admin:secret@one:1,two:2/blue_2?tls=false".parse().unwrap();
        assert_eq!(address.to_string(), "kurrentdb://one:1,two:2/blue_2");
        assert_eq!(format!("{address:?}"), "kurrentdb://one:1,two:2/blue_2");
        assert_eq!(address.events(), "ledger-blue_2");
        assert!(!address.settings.is_secure_mode_enabled());
        let plain: Address = "kurrentdb://localhost".parse().unwrap();
        assert_eq!(plain.to_string(), "kurrentdb://localhost:2113/main");
        assert_eq!(plain.settings.node_preference(), kurrentdb::NodePreference::Leader);
        assert!(
            "kurrentdb+discover://cluster.example/a".parse::<Address>().unwrap().settings.is_dns_discovery_enabled()
        );
    }

    #[test]
    fn what_is_no_address_is_refused_without_repeating_it() {
        let refused = |text: &str| text.parse::<Address>().unwrap_err();
        assert_eq!(refused("postgres://localhost"), AddressError::Scheme);
        assert_eq!(refused("kurrentdb:localhost"), AddressError::Scheme);
        assert_eq!(refused("kurrentdb://localhost/a-b"), AddressError::Ledger);
        assert_eq!(refused("kurrentdb://localhost/a/b"), AddressError::Ledger);
        assert_eq!(refused("kurrentdb://u:secret@"), AddressError::Connection);
        assert_eq!(refused("kurrentdb://localhost?tls=maybe"), AddressError::Connection);
    }
}
