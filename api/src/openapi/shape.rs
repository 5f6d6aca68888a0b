//! Shapes of objects, and how they are said in JSON Schema (2020-12, the dialect of OpenAPI 3.1).

use serde_json::{Map, Value, json};

/// What a member holds.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// Text.
    Text,
    /// Text of so many characters at least and at most.
    Limited(usize, usize),
    /// Text of so many characters that matches a pattern.
    Pattern(usize, usize, &'static str),
    /// A UUID.
    Uuid,
    /// An instant, RFC 3339 in UTC.
    Instant,
    /// A date, `YYYY-MM-DD`.
    Date,
    /// An amount of money: a number of at most four decimals, exact, and always written with four.
    Amount,
    /// An amount above zero, as a caller gives it.
    Payable,
    /// An exact decimal number as text.
    Decimal,
    /// A whole number of 32 bits.
    Count,
    /// A whole number of 64 bits.
    Long,
    /// A whole number from a least to a largest one.
    Range(u64, u64),
    /// True or false.
    Flag,
    /// Any object.
    Object,
    /// An object, or a text that holds one.
    Metadata,
    /// One of these words.
    Word(&'static [&'static str]),
    /// Another shape.
    Of(&'static str),
    /// A list of another shape.
    Each(&'static str),
    /// A list of texts.
    Texts,
    /// A list of whole numbers.
    Longs,
    /// This, or null.
    OrNull(&'static Kind),
    /// Text, a number, or null: the value that continues a list.
    Next,
}

impl Kind {
    /// As JSON Schema.
    pub fn schema(self) -> Value {
        let text = |format: &str| json!({"type": "string", "format": format});
        match self {
            Kind::Text => json!({"type": "string"}),
            Kind::Limited(least, most) => json!({"type": "string", "minLength": least, "maxLength": most}),
            Kind::Pattern(least, most, pattern) => {
                json!({"type": "string", "minLength": least, "maxLength": most, "pattern": pattern})
            }
            Kind::Uuid => text("uuid"),
            Kind::Instant => text("date-time"),
            Kind::Date => text("date"),
            Kind::Amount => json!({"type": "number", "format": "decimal"}),
            Kind::Payable => json!({
                "type": "number", "format": "decimal", "minimum": 0.0001, "maximum": 999_999_999_999_999_u64,
            }),
            Kind::Decimal => text("decimal"),
            Kind::Count => json!({"type": "integer", "format": "int32"}),
            Kind::Long => json!({"type": "integer", "format": "int64"}),
            Kind::Range(least, most) => json!({"type": "integer", "minimum": least, "maximum": most}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Object => json!({"type": "object"}),
            Kind::Metadata => json!({"type": ["object", "string"], "contentMediaType": "application/json"}),
            Kind::Word(words) => json!({"type": "string", "enum": words}),
            Kind::Of(name) => reference(name),
            Kind::Each(name) => json!({"type": "array", "items": reference(name)}),
            Kind::Texts => json!({"type": "array", "items": {"type": "string"}}),
            Kind::Longs => json!({"type": "array", "items": Kind::Long.schema()}),
            Kind::OrNull(kind) => json!({"anyOf": [kind.schema(), {"type": "null"}]}),
            Kind::Next => json!({"type": ["string", "integer", "null"]}),
        }
    }

    /// In words, for people.
    pub fn words(self) -> String {
        match self {
            Kind::Text => "text".to_owned(),
            Kind::Limited(0, most) => format!("text, up to {most} characters"),
            Kind::Pattern(least, most, _) if least == most => format!("text, {most} characters"),
            Kind::Limited(least, most) | Kind::Pattern(least, most, _) => format!("text, {least} to {most} characters"),
            Kind::Uuid => "UUID".to_owned(),
            Kind::Instant => "instant".to_owned(),
            Kind::Date => "date".to_owned(),
            Kind::Amount | Kind::Payable => "amount".to_owned(),
            Kind::Decimal => "decimal as text".to_owned(),
            Kind::Count | Kind::Long => "whole number".to_owned(),
            Kind::Range(least, most) => format!("whole number, {least} to {most}"),
            Kind::Flag => "true or false".to_owned(),
            Kind::Object => "object".to_owned(),
            Kind::Metadata => "object, or text that holds one".to_owned(),
            Kind::Word(words) => words.join(" | "),
            Kind::Of(name) => name.to_owned(),
            Kind::Each(name) => format!("list of {name}"),
            Kind::Texts => "list of texts".to_owned(),
            Kind::Longs => "list of whole numbers".to_owned(),
            Kind::OrNull(kind) => format!("{}, or null", kind.words()),
            Kind::Next => "where the list goes on, or null".to_owned(),
        }
    }
}

/// A reference to a shape.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    /// Whether it is always there.
    pub always: bool,
    /// What a reader must know, if the name does not say it.
    pub about: &'static str,
}

impl Field {
    /// With an explanation.
    pub const fn about(self, about: &'static str) -> Self {
        Field { about, ..self }
    }

    /// As JSON Schema.
    pub fn schema(&self) -> Value {
        let mut schema = self.kind.schema();
        if let (Some(schema), false) = (schema.as_object_mut(), self.about.is_empty()) {
            schema.insert("description".to_owned(), self.about.into());
        }
        schema
    }
}

/// A member that is always there.
pub const fn must(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, always: true, about: "" }
}

/// A member that may be left out.
pub const fn may(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, always: false, about: "" }
}

/// An object.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Its name in the document.
    pub name: &'static str,
    /// What it is.
    pub about: &'static str,
    /// Its members.
    pub fields: &'static [Field],
}

impl Shape {
    /// As JSON Schema. Further members are allowed: readers ignore what they do not know.
    pub fn schema(&self) -> Value {
        let properties: Map<_, _> = self.fields.iter().map(|f| (f.name.to_owned(), f.schema())).collect();
        let required: Vec<_> = self.fields.iter().filter(|f| f.always).map(|f| f.name).collect();
        let mut schema = json!({"type": "object", "description": self.about, "properties": properties});
        if let (Some(schema), false) = (schema.as_object_mut(), required.is_empty()) {
            schema.insert("required".to_owned(), required.into());
        }
        schema
    }
}
