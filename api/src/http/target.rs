//! Judges addresses that this server would call: webhook targets and callbacks (`operations.md` 2).
//!
//! A URL is judged when it is given; a name in it is judged again, by [`is_global`], when it is resolved and a
//! connection is made. Literal addresses are recognised in every spelling that resolvers accept.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use axum::http::Uri;

/// Why a URL may not be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// It is no absolute `http` or `https` URL with a host.
    #[error("must be an absolute URL")]
    Malformed,
    /// It is not `https`.
    #[error("must be an https URL")]
    Insecure,
    /// It names a user or password.
    #[error("must not contain credentials")]
    Credentials,
    /// Its host is the literal of an address that is not globally reachable.
    #[error("must not point to a private address")]
    Private,
}

/// Whether a URL may be a target. With `allow_insecure`, `http` and private addresses are fine.
///
/// # Errors
/// [`TargetError`].
pub fn judge(url: &str, allow_insecure: bool) -> Result<(), TargetError> {
    let plain = url
        .bytes()
        .all(|b| b.is_ascii_graphic() && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{'..=b'}'));
    if !plain {
        return Err(TargetError::Malformed);
    }
    let (address, _fragment) = url.split_once('#').unwrap_or((url, ""));
    let uri: Uri = address.parse().map_err(|_| TargetError::Malformed)?;
    let secure = match uri.scheme_str() {
        Some("https") => true,
        Some("http") => false,
        _ => return Err(TargetError::Malformed),
    };
    let authority = uri.authority().ok_or(TargetError::Malformed)?;
    if authority.as_str().contains('@') {
        return Err(TargetError::Credentials);
    }
    let host = authority.host();
    if host.is_empty() || !host_is_sane(host) || (authority.as_str().len() > host.len() && authority.port().is_none()) {
        return Err(TargetError::Malformed);
    }
    if allow_insecure {
        return Ok(());
    }
    if !secure {
        return Err(TargetError::Insecure);
    }
    if is_private_host(host) { Err(TargetError::Private) } else { Ok(()) }
}

fn host_is_sane(host: &str) -> bool {
    if let Some(inner) = host.strip_prefix('[') {
        return inner.strip_suffix(']').is_some_and(|address| address.parse::<Ipv6Addr>().is_ok());
    }
    host.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_'))
}

/// Whether a host is the literal of an address that is not globally reachable, or a name that always means this
/// machine. `host` stands as in a URL, an IPv6 address in brackets.
#[must_use]
pub fn is_private_host(host: &str) -> bool {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
    if let Ok(address) = bare.parse::<Ipv6Addr>() {
        return !is_global(IpAddr::V6(address));
    }
    let name = bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return true;
    }
    match ipv4_in_any_spelling(&name) {
        Spelling::Address(address) => !is_global(IpAddr::V4(address)),
        Spelling::Broken => true,
        Spelling::Name => false,
    }
}

enum Spelling {
    Address(Ipv4Addr),
    /// All numbers, but no address: nothing good can come of it.
    Broken,
    Name,
}

/// Reads `127.0.0.1`, `127.1`, `2130706433`, `0x7f.1`, `0177.0.0.1` and the like, as `inet_aton` does.
fn ipv4_in_any_spelling(host: &str) -> Spelling {
    let last = host.rsplit('.').next().unwrap_or(host);
    let numeric = |part: &str| {
        let hex = part.strip_prefix("0x");
        hex.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
            || (!part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
    };
    if !numeric(last) {
        return Spelling::Name;
    }
    let parts: Option<Vec<u64>> = host.split('.').map(number).collect();
    match parts.as_deref() {
        Some([parts @ .., last]) if parts.len() <= 3 && parts.iter().all(|part| *part <= 255) => {
            let taken = parts.len() * 8;
            if *last >= 1_u64 << (32 - taken) {
                return Spelling::Broken;
            }
            let high = parts.iter().enumerate().fold(0, |sum, (n, part)| sum | (*part << (24 - 8 * n)));
            u32::try_from(high | *last).map_or(Spelling::Broken, |bits| Spelling::Address(Ipv4Addr::from(bits)))
        }
        _ => Spelling::Broken,
    }
}

fn number(part: &str) -> Option<u64> {
    if part.is_empty() {
        return None;
    }
    if let Some(hex) = part.strip_prefix("0x") {
        return if hex.is_empty() { Some(0) } else { u64::from_str_radix(hex, 16).ok() };
    }
    let radix = if part.len() > 1 && part.starts_with('0') { 8 } else { 10 };
    u64::from_str_radix(part, radix).ok()
}

/// Whether an address is globally reachable. An IPv6 address that carries an IPv4 address is judged by that one.
#[must_use]
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => match carried_v4(address) {
            Some(inner) => is_global_v4(inner),
            None => is_global_v6(address),
        },
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    !(a == 0
        || a >= 224
        || address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b)))
}

/// The IPv4 address inside a mapped, compatible, translated (`64:ff9b::/96`) or 6to4 (`2002::/16`) address.
fn carried_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let from = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => Some(from(high, low)),
        [0, 0, 0, 0, 0, 0, high, low] => Some(from(high, low)),
        [0x2002, high, low, ..] => Some(from(high, low)),
        _ => None,
    }
}

/// Only `2000::/3` is given out; parts of it are not for the open network.
fn is_global_v6(address: Ipv6Addr) -> bool {
    match address.segments() {
        [0x2001, second, ..] if second < 0x0200 => false,
        [0x2001, 0x0db8, ..] => false,
        [0x3fff, second, ..] if second < 0x1000 => false,
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn good_targets() {
        for url in [
            "https://shop-app.example.com/idaas/webhook",
            "https://example.com:8443/a?b=c#d",
            "https://93.184.216.34/",
            "https://[2606:2800:220:1:248:1893:25c8:1946]/x",
            "https://EXAMPLE.com",
            "https://10.example.com/",
        ] {
            assert_eq!(judge(url, false), Ok(()), "{url}");
            assert_eq!(judge(url, true), Ok(()), "{url}");
        }
        assert_eq!(judge("http://127.0.0.1:9000/hook", true), Ok(()));
    }

    #[test]
    fn malformed_targets() {
        for url in [
            "",
            "x",
            "/a",
            "example.com",
            "ftp://example.com/",
            "https://",
            "https:///a",
            "https://exa mple.com/",
            "javascript:alert(1)",
            "https://example.com:99999/",
            "https://ex\u{e4}mple.com/",
            "https://a\nb/",
            "https://[::1",
            "https://exa%6dple.com/",
        ] {
            assert_eq!(judge(url, true), Err(TargetError::Malformed), "{url}");
        }
        assert_eq!(judge("https://user:pw@example.com/", true), Err(TargetError::Credentials));
        assert_eq!(judge("http://example.com/", false), Err(TargetError::Insecure));
    }

    #[test]
    fn private_targets_in_every_spelling() {
        for host in [
            "127.0.0.1",
            "127.1",
            "2130706433",
            "0x7f000001",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "localhost",
            "LOCALHOST",
            "a.localhost",
            "localhost.",
            "0",
            "0.0.0.0",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "192.0.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "0xA9FEA9FE",
            "256.256.256.256",
            "1.2.3.4.5",
            "99999999999",
            "[::1]",
            "[::]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::7f00:1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[fe80::1]",
            "[fc00::1]",
            "[fd12::1]",
            "[ff02::1]",
            "[2001:db8::1]",
            "[2001::1]",
            "[3fff::1]",
            "[64:ff9b:1::1]",
        ] {
            assert_eq!(judge(&format!("https://{host}/x"), false), Err(TargetError::Private), "{host}");
        }
    }
}
