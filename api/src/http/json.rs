//! Reads request bodies: strict JSON in one pass, borrowing from the body.
//!
//! Refused, wherever it stands: nesting deeper than [`MAX_DEPTH`], a lone surrogate, a name that appears twice in one
//! object, anything after the value. Numbers keep their own spelling, so no digit is lost.

use std::borrow::Cow;
use std::collections::HashSet;

use super::write::quote;

/// Levels of objects and arrays at most.
pub const MAX_DEPTH: usize = 64;

/// Names of one object that are compared one by one; beyond it a set is used.
const FEW_NAMES: usize = 16;

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Json<'a> {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as it is written.
    Number(&'a str),
    /// A string.
    Text(Cow<'a, str>),
    /// An array.
    Array(Vec<Json<'a>>),
    /// An object in the order of its members.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a text is not taken as JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// It is not JSON, or not UTF-8.
    #[error("request body is not valid JSON")]
    Malformed,
    /// It is nested too deeply.
    #[error("request body is nested deeper than 64 levels")]
    TooDeep,
    /// Half of a surrogate pair stands alone.
    #[error("request body holds a lone surrogate")]
    Surrogate,
    /// An object has a name twice.
    #[error("request body holds a member twice")]
    Duplicate,
}

impl Json<'_> {
    /// Appends the value without spaces; numbers keep their spelling.
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Json::Null => out.extend_from_slice(b"null"),
            Json::Bool(true) => out.extend_from_slice(b"true"),
            Json::Bool(false) => out.extend_from_slice(b"false"),
            Json::Number(text) => out.extend_from_slice(text.as_bytes()),
            Json::Text(text) => quote(out, text),
            Json::Array(items) => {
                for (n, item) in items.iter().enumerate() {
                    out.push(if n == 0 { b'[' } else { b',' });
                    item.write(out);
                }
                out.extend_from_slice(if items.is_empty() { b"[]" } else { b"]" });
            }
            Json::Object(members) => {
                for (n, (name, value)) in members.iter().enumerate() {
                    out.push(if n == 0 { b'{' } else { b',' });
                    quote(out, name);
                    out.push(b':');
                    value.write(out);
                }
                out.extend_from_slice(if members.is_empty() { b"{}" } else { b"}" });
            }
        }
    }
}

/// Reads one JSON value that fills `bytes`.
///
/// # Errors
/// [`JsonError`].
pub fn parse(bytes: &[u8]) -> Result<Json<'_>, JsonError> {
    let text = std::str::from_utf8(bytes).map_err(|_| JsonError::Malformed)?;
    let mut reader = Reader { text, at: 0 };
    let value = reader.value(0)?;
    reader.space();
    if reader.at == text.len() { Ok(value) } else { Err(JsonError::Malformed) }
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Takes `byte`, or tells that it is not there.
    fn take(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn require(&mut self, byte: u8) -> Result<(), JsonError> {
        if self.take(byte) { Ok(()) } else { Err(JsonError::Malformed) }
    }

    fn word(&mut self, word: &str, value: Json<'a>) -> Result<Json<'a>, JsonError> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if !rest.starts_with(word) {
            return Err(JsonError::Malformed);
        }
        self.at += word.len();
        Ok(value)
    }

    /// `depth` is the number of objects and arrays around the value.
    fn value(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MAX_DEPTH => Err(JsonError::TooDeep),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            _ => Err(JsonError::Malformed),
        }
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            self.require(b',')?;
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, JsonError> {
        self.at += 1;
        let mut members = Vec::with_capacity(8);
        self.space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        loop {
            self.space();
            let name = self.string()?;
            self.space();
            self.require(b':')?;
            let value = self.value(depth)?;
            members.push((name, value));
            self.space();
            if self.take(b'}') {
                break;
            }
            self.require(b',')?;
        }
        if names_differ(&members) { Ok(Json::Object(members)) } else { Err(JsonError::Duplicate) }
    }

    fn string(&mut self) -> Result<Cow<'a, str>, JsonError> {
        self.require(b'"')?;
        let from = self.at;
        loop {
            match self.peek() {
                Some(b'"') => {
                    let plain = self.text.get(from..self.at).ok_or(JsonError::Malformed)?;
                    self.at += 1;
                    return Ok(Cow::Borrowed(plain));
                }
                Some(b'\\') => return self.escaped(from).map(Cow::Owned),
                Some(0x20..) => self.at += 1,
                _ => return Err(JsonError::Malformed),
            }
        }
    }

    /// The rest of a string from its first escape on; `from` is where the string begins.
    fn escaped(&mut self, from: usize) -> Result<String, JsonError> {
        let mut out = self.text.get(from..self.at).ok_or(JsonError::Malformed)?.to_owned();
        loop {
            let plain = self.at;
            while matches!(self.peek(), Some(b) if b >= 0x20 && b != b'"' && b != b'\\') {
                self.at += 1;
            }
            out.push_str(self.text.get(plain..self.at).ok_or(JsonError::Malformed)?);
            if self.take(b'"') {
                return Ok(out);
            }
            self.require(b'\\')?;
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let byte = self.peek().ok_or(JsonError::Malformed)?;
        self.at += 1;
        Ok(match byte {
            b'"' | b'\\' | b'/' => char::from(byte),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return Err(JsonError::Malformed),
        })
    }

    fn unicode(&mut self) -> Result<char, JsonError> {
        let first = self.hex()?;
        if !(0xd800..0xe000).contains(&first) {
            return char::from_u32(first).ok_or(JsonError::Surrogate);
        }
        if first >= 0xdc00 || !self.take(b'\\') || !self.take(b'u') {
            return Err(JsonError::Surrogate);
        }
        let second = self.hex()?;
        if !(0xdc00..0xe000).contains(&second) {
            return Err(JsonError::Surrogate);
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)).ok_or(JsonError::Surrogate)
    }

    fn hex(&mut self) -> Result<u32, JsonError> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4).ok_or(JsonError::Malformed)?;
        self.at += 4;
        digits.iter().try_fold(0, |number, digit| {
            let value = char::from(*digit).to_digit(16).ok_or(JsonError::Malformed)?;
            Ok(number * 16 + value)
        })
    }

    fn number(&mut self) -> Result<Json<'a>, JsonError> {
        let from = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _signed = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        self.text.get(from..self.at).map(Json::Number).ok_or(JsonError::Malformed)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let from = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at > from { Ok(()) } else { Err(JsonError::Malformed) }
    }
}

fn names_differ(members: &[(Cow<'_, str>, Json<'_>)]) -> bool {
    if members.len() > FEW_NAMES {
        let mut seen = HashSet::with_capacity(members.len());
        return members.iter().all(|(name, _)| seen.insert(name));
    }
    let mut rest = members;
    while let Some(((name, _), others)) = rest.split_first() {
        if others.iter().any(|(other, _)| other == name) {
            return false;
        }
        rest = others;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 64, 8, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map("[a-f]{0,2}|\\PC{0,3}", inner, 0..24)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_another_library_writes_is_read_and_written_back(value in any_json()) {
            let text = serde_json::to_string_pretty(&value).unwrap();
            let mut out = Vec::new();
            parse(text.as_bytes()).unwrap().write(&mut out);
            prop_assert_eq!(serde_json::from_slice::<serde_json::Value>(&out).unwrap(), value);
        }

        #[test]
        fn any_text_is_judged_as_another_library_does(text in "[\\[\\]{}\",:0-9eE+.tfalsn u\\\\d8-]{0,24}") {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            match (parse(text.as_bytes()), theirs) {
                (Ok(_), Ok(_)) | (Err(_), Err(_)) | (Err(JsonError::Duplicate), _) => {}
                // Numbers beyond the range of a double are JSON all the same.
                (Ok(_), Err(error)) if error.to_string().contains("number out of range") => {}
                (ours, theirs) => prop_assert!(false, "{:?} {:?}", ours, theirs),
            }
        }
    }

    #[test]
    fn refusals() {
        let refused = |text: &str| parse(text.as_bytes()).unwrap_err();
        for text in ["", "{", "{}x", "01", "1.", ".5", "+1", "1e", "\"\t\"", "{\"a\":1,}", "[1 2]", "nul", "NaN", "'a'"]
        {
            assert_eq!(refused(text), JsonError::Malformed, "{text}");
        }
        for text in [r#""\ud800""#, r#""\udc00""#, r#""\ud800\u0041""#, r#"{"\ud800":1}"#, r#"[["x\udfff"]]"#] {
            assert_eq!(refused(text), JsonError::Surrogate, "{text}");
        }
        assert_eq!(refused(r#"{"a":{"b":1,"\u0062":2}}"#), JsonError::Duplicate);
        let many: String = (0..40).map(|n| format!("\"{}\":0,", n % 39)).collect();
        assert_eq!(refused(&format!("{{{}\"z\":0}}", many)), JsonError::Duplicate);
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        assert!(parse(deep(64).as_bytes()).is_ok());
        assert_eq!(refused(&deep(65)), JsonError::TooDeep);
        assert_eq!(refused(&"[".repeat(100_000)), JsonError::TooDeep);
        assert_eq!(parse(b"\"\xff\""), Err(JsonError::Malformed));
        assert_eq!(parse(r#""\ud83d\ude00é""#.as_bytes()), Ok(Json::Text("😀é".into())));
    }
}
