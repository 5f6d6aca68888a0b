//! Which address a call comes from: the other end of the connection, or what a trusted proxy says.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// An address, or all addresses that share its first bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    /// An address of it.
    pub address: IpAddr,
    /// How many leading bits count: at most 32 or 128.
    pub bits: u8,
}

impl Network {
    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let cut = |bits: u128, width: u8| bits.checked_shr(u32::from(width.saturating_sub(self.bits))).unwrap_or(0);
        match (self.address.to_canonical(), address.to_canonical()) {
            (IpAddr::V4(own), IpAddr::V4(other)) => cut(u32::from(own).into(), 32) == cut(u32::from(other).into(), 32),
            (IpAddr::V6(own), IpAddr::V6(other)) => cut(own.into(), 128) == cut(other.into(), 128),
            _ => false,
        }
    }
}

/// The client behind a connection from `peer`. `X-Forwarded-For` counts only as far as trusted proxies have written it:
/// it is read from its end, and the first address that is no trusted proxy is the client.
#[must_use]
pub fn address(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let is_trusted = |address: IpAddr| trusted.iter().any(|network| network.contains(address));
    let mut client = peer.to_canonical();
    let lines: Vec<&str> = headers.get_all(FORWARDED_FOR).iter().map(|line| line.to_str().unwrap_or("")).collect();
    for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
        if !is_trusted(client) {
            break;
        }
        match parse(hop.trim()) {
            Some(address) => client = address.to_canonical(),
            // What no proxy would write is not believed, nor what stands before it.
            None => break,
        }
    }
    client
}

/// An address with or without a port.
fn parse(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn network(text: &str, bits: u8) -> Network {
        Network { address: ip(text), bits }
    }

    #[test]
    fn networks() {
        assert!(network("10.0.0.0", 8).contains(ip("10.255.1.2")));
        assert!(!network("10.0.0.0", 8).contains(ip("11.0.0.0")));
        assert!(network("0.0.0.0", 0).contains(ip("203.0.113.9")));
        assert!(network("10.0.0.1", 32).contains(ip("::ffff:10.0.0.1")));
        assert!(network("fd00::", 8).contains(ip("fdff::1")) && !network("fd00::", 8).contains(ip("10.0.0.1")));
        assert!(network("::", 0).contains(ip("2001:db8::1")));
    }

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = [network("10.0.0.0", 8)];
        let from = |peer: &str, lines: &[&str]| {
            let mut headers = HeaderMap::new();
            lines.iter().for_each(|line| {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            });
            address(ip(peer), &headers, &trusted).to_string()
        };
        assert_eq!(from("203.0.113.9", &["198.51.100.1"]), "203.0.113.9");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
        assert_eq!(from("10.0.0.1", &["198.51.100.1"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1, 198.51.100.1, 10.0.0.2"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["1.1.1.1", "198.51.100.1:4711"]), "198.51.100.1");
        assert_eq!(from("10.0.0.1", &["nonsense, 10.0.0.3"]), "10.0.0.3");
        assert_eq!(from("10.0.0.1", &["[2001:db8::1]:80"]), "2001:db8::1");
    }
}
