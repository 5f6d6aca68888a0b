//! Reads query strings and form bodies.

use super::error::ApiError;

/// Pairs in one query or form at most.
const MOST_PAIRS: usize = 1000;

/// The pairs of a query string or form body, decoded. The whole is refused if a part is no UTF-8 or a percent sign
/// does not begin an escape.
///
/// # Errors
/// `VALID-2001`.
pub fn pairs(text: &str) -> Result<Vec<(String, String)>, ApiError> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    let mut pairs = Vec::new();
    for part in parts {
        if pairs.len() == MOST_PAIRS {
            return Err(ApiError::invalid("too many parameters"));
        }
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode(name)?, decode(value)?));
    }
    Ok(pairs)
}

fn decode(text: &str) -> Result<String, ApiError> {
    let wrong = || ApiError::invalid("parameters are not percent-encoded UTF-8");
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let high = bytes.next().and_then(hex).ok_or_else(wrong)?;
                let low = bytes.next().and_then(hex).ok_or_else(wrong)?;
                out.push(high * 16 + low);
            }
            other => out.push(other),
        }
    }
    String::from_utf8(out).map_err(|_| wrong())
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The decoded parameters of one request.
#[derive(Debug, Default)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// From the part of the URI after the question mark.
    ///
    /// # Errors
    /// `VALID-2001`.
    pub fn parse(text: Option<&str>) -> Result<Self, ApiError> {
        text.map_or(Ok(Query::default()), |text| pairs(text).map(Query))
    }

    /// The first parameter of this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// All parameters of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The pairs.
    #[must_use]
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding() {
        let query = Query::parse(Some("a=1&&b=%C3%A9+x&a=2&c&sort=createdAt%2Cdesc")).unwrap();
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.all("a").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(query.first("b"), Some("é x"));
        assert_eq!(query.first("c"), Some(""));
        assert_eq!(query.first("sort"), Some("createdAt,desc"));
        assert_eq!(query.first("d"), None);
        for wrong in ["a=%", "a=%4", "a=%zz", "a=%ff"] {
            assert!(Query::parse(Some(wrong)).is_err(), "{wrong}");
        }
    }
}
