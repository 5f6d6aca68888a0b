//! The table of all settings: name and how its value is taken in.

use std::net::IpAddr;
use std::path::PathBuf;

use super::value::{Value, ValueError};
use super::{Config, ConfigError, Network, Place};

type Take = fn(&mut Config, &Value) -> Result<(), ValueError>;

/// One line per setting. The four without a section have a flag of the same name.
const KEYS: &[(&str, Take)] = &[
    ("listen", |c, v| v.parsed().map(|to| c.listen = to)),
    ("data", |c, v| path(v).map(|to| c.data = to)),
    ("events", |c, v| v.parsed().map(|to| c.events = Some(to))),
    ("views", |c, v| views(v).map(|to| c.views = Some(to))),
    ("log.filter", |c, v| v.text().map(|to| c.log_filter = to)),
    ("server.public_url", |c, v| public_url(v).map(|to| c.server.public_url = Some(to))),
    ("server.advertise", |c, v| public_url(v).map(|to| c.server.advertise = Some(to))),
    ("server.trusted_proxies", |c, v| networks(v).map(|to| c.server.trusted_proxies = to)),
    ("server.allow_insecure", |c, v| v.switch().map(|to| c.server.allow_insecure = Some(to))),
    ("limits.enabled", |c, v| v.switch().map(|to| c.rate_limits = to)),
    ("transactions.acceptance_window", |c, v| v.duration().map(|to| c.acceptance_window = to)),
    ("transactions.expiry_sweep", |c, v| v.duration().map(|to| c.expiry_sweep = to)),
    ("idempotency.window", |c, v| v.duration().map(|to| c.idempotency_window = to)),
    ("idempotency.strict", |c, v| v.switch().map(|to| c.idempotency_strict = to)),
    ("auth.token_ttl", |c, v| v.duration().map(|to| c.token_ttl = to)),
    ("auth.admin_applications", |c, v| applications(v).map(|to| c.admin_applications = to)),
    ("encryption.require_encrypted_requests", |c, v| v.switch().map(|to| c.require_encrypted_requests = to)),
    ("consent.ttl", |c, v| v.duration().map(|to| c.consent_ttl = to)),
    ("webhooks.timeout", |c, v| v.duration().map(|to| c.webhooks.timeout = to)),
    ("webhooks.retry_base", |c, v| v.duration().map(|to| c.webhooks.retry_base = to)),
    ("settlement.time", |c, v| settlement(v).map(|to| c.settlement_time = to)),
    ("fleexpay.quote_ttl", |c, v| v.duration().map(|to| c.fleexpay.quote_ttl = to)),
    ("fleexpay.conversion_settlement", |c, v| is_async(v).map(|to| c.fleexpay.conversion_async = to)),
    ("flexiqash.webhook_timeout", |c, v| v.duration().map(|to| c.flexiqash.timeout = to)),
    ("flexiqash.webhook_retry_base", |c, v| v.duration().map(|to| c.flexiqash.retry_base = to)),
    ("engine.queue", |c, v| v.count(1, 1 << 22).map(|to| c.queue = usize::try_from(to).unwrap_or(1 << 22))),
    ("reconcile.every", |c, v| every(v).map(|to| c.reconcile_every = to)),
    ("engine.snapshot_every", |c, v| v.count(1, 1 << 40).map(|to| c.snapshot_every = to)),
    ("engine.views_kept", |c, v| v.count(0, 64).map(|to| c.views_kept = usize::try_from(to).unwrap_or(64))),
    ("names.code_prefix", |c, v| word(v).map(|to| c.names.code_prefix = to)),
    ("names.header_stem", |c, v| word(v).map(|to| c.names.header_stem = to)),
    ("names.key_path", |c, v| word(v).map(|to| c.names.key_path = to)),
];

/// Takes a value in.
pub fn set(config: &mut Config, name: &str, value: &Value, place: &str) -> Result<(), ConfigError> {
    let Some((_, take)) = KEYS.iter().find(|(known, _)| *known == name) else {
        return Err(ConfigError::Unknown { place: place.to_owned(), name: name.to_owned() });
    };
    let fail = |why| ConfigError::Value { place: place.to_owned(), name: name.to_owned(), why };
    take(config, value).map_err(fail)
}

/// Whether a setting has this name.
pub fn is_key(name: &str) -> bool {
    KEYS.iter().any(|(known, _)| *known == name)
}

/// Whether some setting stands in this section.
pub fn is_section(name: &str) -> bool {
    KEYS.iter().any(|(known, _)| known.split_once('.').is_some_and(|(section, _)| section == name))
}

/// A hint for a name that is almost known; else empty.
pub fn nearest(name: &str) -> String {
    let close = KEYS.iter().map(|(known, _)| (distance(name, known), *known)).min();
    let leaf = |text: &'static str| text.rsplit('.').next().unwrap_or(text);
    let elsewhere = || KEYS.iter().map(|(known, _)| *known).find(|known| Some(leaf(known)) == name.rsplit('.').next());
    match close {
        Some((edits, known)) if edits <= 3 => format!(" (did you mean {known}?)"),
        _ => elsewhere().map(|known| format!(" (did you mean {known}?)")).unwrap_or_default(),
    }
}

/// Edits between two texts, counted one row of the table at a time.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut next = vec![i + 1];
        for (y, pair) in b.bytes().zip(row.windows(2)) {
            let &[diagonal, above] = pair else { continue };
            let left = next.last().copied().unwrap_or(usize::MAX);
            next.push((diagonal + usize::from(x != y)).min(above + 1).min(left + 1));
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

fn path(value: &Value) -> Result<PathBuf, ValueError> {
    let text = value.text()?;
    if text.is_empty() { Err(ValueError::expected("a folder")) } else { Ok(text.into()) }
}

fn views(value: &Value) -> Result<Place, ValueError> {
    match value.parsed()? {
        Place::Kurrent(_) => Err(ValueError::expected("sqlite:<path> or postgres://…: KurrentDB holds the log only")),
        place => Ok(place),
    }
}

fn public_url(value: &Value) -> Result<String, ValueError> {
    let text = value.text()?;
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    if host.is_none_or(|host| host.is_empty() || host.contains(char::is_whitespace)) {
        return Err(ValueError::expected("a URL such as https://pay.example.com"));
    }
    Ok(text.trim_end_matches('/').to_owned())
}

fn networks(value: &Value) -> Result<Vec<Network>, ValueError> {
    value.list()?.iter().map(|text| network(text)).collect()
}

fn network(text: &str) -> Result<Network, ValueError> {
    let wrong = || ValueError(format!("{text}: expected an address such as 10.0.0.1 or 10.0.0.0/8"));
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_| wrong())?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().map_err(|_| wrong())?;
    let all = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(all);
    if bits <= all { Ok(Network { address, bits }) } else { Err(wrong()) }
}

fn applications(value: &Value) -> Result<std::collections::HashSet<flexledger_domain::ids::ApplicationId>, ValueError> {
    let one = |text: &String| text.parse().map_err(|_| ValueError(format!("{text}: expected an application id")));
    value.list()?.iter().map(one).collect()
}

fn settlement(value: &Value) -> Result<Option<flexledger_commands::reactors::SettlementTime>, ValueError> {
    if value.text()? == "off" { Ok(None) } else { value.parsed().map(Some) }
}

/// Views are read as a whole each time, so not oftener than once a second.
fn every(value: &Value) -> Result<Option<std::time::Duration>, ValueError> {
    if value.text()? == "off" {
        return Ok(None);
    }
    let every = value.duration()?;
    if every < std::time::Duration::from_secs(1) {
        return Err(ValueError::expected("off, or 1s or more"));
    }
    Ok(Some(every))
}

fn is_async(value: &Value) -> Result<bool, ValueError> {
    match value.text()?.as_str() {
        "instant" => Ok(false),
        "async" => Ok(true),
        _ => Err(ValueError::expected("instant or async")),
    }
}

/// A word that may stand in a header or a path.
fn word(value: &Value) -> Result<String, ValueError> {
    let text = value.text()?;
    let good = (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if good { Ok(text) } else { Err(ValueError::expected("1 to 32 letters, digits or hyphens")) }
}
