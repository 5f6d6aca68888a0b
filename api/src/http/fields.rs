//! Takes a request apart field by field and collects every problem, one line each.

use std::borrow::Cow;
use std::ops::RangeInclusive;
use std::sync::Arc;

use flexledger_domain::identity::TagQuery;
use flexledger_domain::money::Amount;
use uuid::Uuid;

use super::amount;
use super::error::{ApiError, Code};
use super::json::{self, Json};
use super::target;

/// The members of a request body and the problems found in them so far. Unknown members are ignored; null counts as
/// absent.
#[derive(Debug, Default)]
pub struct Fields<'a> {
    members: Vec<(Cow<'a, str>, Json<'a>)>,
    problems: Vec<String>,
}

impl<'a> Fields<'a> {
    /// The members of the JSON object that fills `bytes`.
    ///
    /// # Errors
    /// `VALID-2001` when there is no such object.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, ApiError> {
        if bytes.is_empty() {
            return Err(ApiError::invalid("request body is required"));
        }
        match json::parse(bytes) {
            Ok(Json::Object(members)) => Ok(Fields { members, problems: Vec::new() }),
            Ok(_) => Err(ApiError::invalid("request body must be a JSON object")),
            Err(error) => Err(ApiError::invalid(error.to_string())),
        }
    }

    /// The members as pairs of texts, as a form has them. Of two of one name the first counts.
    #[must_use]
    pub fn of_pairs(pairs: Vec<(String, String)>) -> Self {
        let members = pairs.into_iter().map(|(name, text)| (Cow::Owned(name), Json::Text(Cow::Owned(text)))).collect();
        Fields { members, problems: Vec::new() }
    }

    /// Adds pairs for the names that are missing.
    #[must_use]
    pub fn or_pairs(mut self, pairs: Vec<(String, String)>) -> Self {
        for (name, text) in pairs {
            if !self.has(&name) {
                self.members.retain(|(member, _)| *member != name);
                self.members.push((Cow::Owned(name), Json::Text(Cow::Owned(text))));
            }
        }
        self
    }

    /// Fails if there was a problem.
    ///
    /// # Errors
    /// `VALID-2001` with all problems.
    pub fn finish(self) -> Result<(), ApiError> {
        match self.problems.is_empty() {
            true => Ok(()),
            false => Err(ApiError { errors: self.problems, ..ApiError::new(Code::Invalid) }),
        }
    }

    /// Notes a problem: `<name> <what>`.
    pub fn problem(&mut self, name: &str, what: impl std::fmt::Display) {
        self.problems.push(format!("{name} {what}"));
    }

    /// Whether the member is there and not null.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|(member, value)| member == name && *value != Json::Null)
    }

    fn take(&mut self, name: &str) -> Option<Json<'a>> {
        let (_, value) = self.members.iter_mut().find(|(member, _)| member == name)?;
        match std::mem::replace(value, Json::Null) {
            Json::Null => None,
            value => Some(value),
        }
    }

    /// A text of at most `longest` characters, if it is there.
    pub fn optional_text(&mut self, name: &str, longest: usize) -> Option<Cow<'a, str>> {
        match self.take(name)? {
            Json::Text(text) => match text_problem(&text, longest) {
                None => return Some(text),
                Some(problem) => self.problem(name, problem),
            },
            _ => self.problem(name, "must be a string"),
        }
        None
    }

    /// A text that is not blank, of at most `longest` characters.
    pub fn required_text(&mut self, name: &str, longest: usize) -> Option<Cow<'a, str>> {
        if !self.has(name) {
            self.problem(name, "is required");
            return None;
        }
        let text = self.optional_text(name, longest)?;
        if text.trim().is_empty() {
            self.problem(name, "must not be blank");
            return None;
        }
        Some(text)
    }

    /// A required UUID in its hyphenated form.
    pub fn required_uuid(&mut self, name: &str) -> Option<Uuid> {
        let text = self.required_text(name, 255)?;
        let uuid = parse_uuid(&text);
        if uuid.is_none() {
            self.problem(name, "must be a UUID");
        }
        uuid
    }

    /// A required tag address in any of its forms.
    pub fn required_tag(&mut self, name: &str) -> Option<TagQuery> {
        let text = self.required_text(name, 255)?;
        TagQuery::parse(&text).map_err(|error| self.problem(name, error)).ok()
    }

    /// A required amount above zero.
    pub fn required_amount(&mut self, name: &str) -> Option<Amount> {
        match self.take(name) {
            None => self.problem(name, "is required"),
            Some(Json::Number(text)) => match amount::positive(text) {
                Ok(amount) => return Some(amount),
                Err(error) => self.problem(name, error),
            },
            Some(_) => self.problem(name, "must be a number"),
        }
        None
    }

    /// True or false, if it is there.
    pub fn optional_flag(&mut self, name: &str) -> Option<bool> {
        match self.take(name)? {
            Json::Bool(flag) => return Some(flag),
            _ => self.problem(name, "must be true or false"),
        }
        None
    }

    /// A whole number within bounds, if it is there.
    pub fn optional_count(&mut self, name: &str, good: &RangeInclusive<u64>) -> Option<u64> {
        let number = match self.take(name)? {
            Json::Number(text) if text.bytes().all(|b| b.is_ascii_digit()) => text.parse().ok(),
            _ => None,
        };
        let number = number.filter(|number| good.contains(number));
        if number.is_none() {
            let (least, most) = (good.start(), good.end());
            self.problem(name, format_args!("must be a whole number from {least} to {most}"));
        }
        number
    }

    /// Notes a problem for each member that was not taken.
    pub fn refuse_others(&mut self, what: &str) {
        let left = self.members.iter().filter(|(_, value)| *value != Json::Null);
        let names: Vec<String> = left.map(|(name, _)| name.to_string()).collect();
        names.iter().for_each(|name| self.problem(name, what));
    }

    /// A URL that may be called, of at most `longest` characters, if it is there.
    pub fn optional_url(&mut self, name: &str, longest: usize, allow_insecure: bool) -> Option<Arc<str>> {
        let text = self.optional_text(name, longest)?;
        match target::judge(&text, allow_insecure) {
            Ok(()) => Some(text.into()),
            Err(error) => {
                self.problem(name, error);
                None
            }
        }
    }

    /// A JSON object, or a string that holds one, as text without spaces.
    pub fn optional_object(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        let text = match &value {
            Json::Text(text) => match json::parse(text.as_bytes()) {
                Ok(inner @ Json::Object(_)) => compact(&inner),
                _ => None,
            },
            Json::Object(_) => compact(&value),
            _ => None,
        };
        if text.is_none() {
            self.problem(name, "must be a JSON object");
        }
        text
    }
}

fn compact(value: &Json<'_>) -> Option<String> {
    let mut out = Vec::new();
    value.write(&mut out);
    String::from_utf8(out).ok()
}

/// What is wrong with a text, if anything. NUL is refused because not every store can hold it.
fn text_problem(text: &str, longest: usize) -> Option<String> {
    if text.len() > longest && text.chars().count() > longest {
        return Some(format!("must be at most {longest} characters"));
    }
    text.contains('\0').then(|| "must not contain NUL".to_owned())
}

/// A UUID in its hyphenated form, in either case.
#[must_use]
pub fn parse_uuid(text: &str) -> Option<Uuid> {
    if text.len() == uuid::fmt::Hyphenated::LENGTH { Uuid::try_parse(text).ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_problems_are_told_in_order() {
        let body =
            r#"{"a":"é","b":1,"c":null,"d":"  ","e":"12","f":{"x":[1,1e9]},"g":"{\"y\": 2}","h":"[]","i":"a\u0000"}"#;
        let mut fields = Fields::parse(body.as_bytes()).unwrap();
        assert_eq!(fields.optional_text("a", 1).as_deref(), Some("é"));
        assert_eq!(fields.optional_text("b", 9), None);
        assert_eq!(fields.optional_text("c", 9), None);
        assert_eq!(fields.required_text("c", 9), None);
        assert_eq!(fields.required_text("d", 9), None);
        assert_eq!(fields.required_text("e", 1), None);
        assert_eq!(fields.optional_object("f").as_deref(), Some(r#"{"x":[1,1e9]}"#));
        assert_eq!(fields.optional_object("g").as_deref(), Some(r#"{"y":2}"#));
        assert_eq!(fields.optional_object("h"), None);
        assert_eq!(fields.optional_text("i", 9), None);
        assert_eq!(fields.required_amount("b").map(Amount::minor), None);
        let expected = [
            "b must be a string",
            "c is required",
            "d must not be blank",
            "e must be at most 1 characters",
            "h must be a JSON object",
            "i must not contain NUL",
            "b is required",
        ];
        assert_eq!(fields.finish().unwrap_err().errors, expected);
    }

    #[test]
    fn bodies_that_are_no_objects() {
        for body in ["", "[]", "1", "null", "\"x\"", "{"] {
            assert_eq!(Fields::parse(body.as_bytes()).unwrap_err().code, Code::Invalid, "{body}");
        }
    }
}
