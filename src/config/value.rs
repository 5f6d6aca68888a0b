//! Values of settings, as they come from the file, the environment or a flag.

use std::time::Duration;

/// One value, not yet read as what its key wants.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// From the environment or a flag: always text.
    Text(String),
    /// From the file.
    Toml(toml::Value),
}

/// Why a value does not fit its key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ValueError(pub String);

impl ValueError {
    /// What was expected.
    pub fn expected(what: &str) -> Self {
        ValueError(format!("expected {what}"))
    }
}

type Read<T> = Result<T, ValueError>;

impl Value {
    /// A text.
    pub fn text(&self) -> Read<String> {
        match self {
            Value::Text(text) | Value::Toml(toml::Value::String(text)) => Ok(text.clone()),
            Value::Toml(_) => Err(ValueError::expected("a text in quotes")),
        }
    }

    /// `true` or `false`.
    pub fn switch(&self) -> Read<bool> {
        match self {
            Value::Toml(toml::Value::Boolean(on)) => Ok(*on),
            Value::Text(text) => text.parse().map_err(|_| ValueError::expected("true or false")),
            Value::Toml(_) => Err(ValueError::expected("true or false")),
        }
    }

    /// A count from `least` to `most`.
    pub fn count(&self, least: u64, most: u64) -> Read<u64> {
        let wrong = || ValueError(format!("expected a whole number from {least} to {most}"));
        let number = match self {
            Value::Toml(toml::Value::Integer(number)) => u64::try_from(*number).map_err(|_| wrong())?,
            Value::Text(text) => text.parse().map_err(|_| wrong())?,
            Value::Toml(_) => return Err(wrong()),
        };
        if (least..=most).contains(&number) { Ok(number) } else { Err(wrong()) }
    }

    /// A duration above zero.
    pub fn duration(&self) -> Read<Duration> {
        duration(&self.text()?)
    }

    /// A list of texts: an array in the file, separated by commas in the environment.
    pub fn list(&self) -> Read<Vec<String>> {
        match self {
            Value::Text(text) => {
                Ok(text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect())
            }
            Value::Toml(toml::Value::Array(items)) => {
                items.iter().map(|item| Value::Toml(item.clone()).text()).collect()
            }
            Value::Toml(_) => Err(ValueError::expected("a list of texts")),
        }
    }

    /// Anything that [`std::str::FromStr`] reads.
    pub fn parsed<T: std::str::FromStr<Err: std::fmt::Display>>(&self) -> Read<T> {
        self.text()?.parse().map_err(|error| ValueError(format!("{error}")))
    }
}

/// A duration written `250ms`, `30s`, `5m` or `24h`: a whole number above zero and a unit, at most 100 years.
pub fn duration(text: &str) -> Read<Duration> {
    let wrong = || ValueError::expected("a duration such as 250ms, 30s, 5m or 24h");
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let (number, unit) = text.split_at_checked(end).ok_or_else(wrong)?;
    let millis_per_unit = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return Err(wrong()),
    };
    let millis = number.parse::<u64>().ok().and_then(|n| n.checked_mul(millis_per_unit)).ok_or_else(wrong)?;
    let longest = 100 * 366 * 24 * 3_600_000;
    if millis == 0 || millis > longest { Err(wrong()) } else { Ok(Duration::from_millis(millis)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_a_unit() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("24h"), Ok(Duration::from_secs(86_400)));
        for wrong in ["", "5", "s", "0s", "-1s", "1.5s", "1d", "5 m", "5M", "99999999999h", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists_come_from_arrays_and_commas() {
        let toml = Value::Toml(toml::Value::Array(vec!["a".into(), "b".into()]));
        assert_eq!(toml.list(), Value::Text("a, b,".to_owned()).list());
        assert!(Value::Toml(toml::Value::Array(vec![1.into()])).list().is_err());
    }

    #[test]
    fn counts_have_bounds() {
        assert_eq!(Value::Text("7".to_owned()).count(1, 9), Ok(7));
        assert_eq!(Value::Toml(7.into()).count(1, 9), Ok(7));
        for wrong in [Value::Text("10".to_owned()), Value::Toml((-1).into()), Value::Toml("7".into())] {
            assert!(wrong.count(1, 9).is_err(), "{wrong:?}");
        }
    }
}
