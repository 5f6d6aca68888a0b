//! One call of the API: what it takes and what it answers.

use serde_json::{Map, Value, json};

use super::shape::{Field, Kind, may, must, reference};
use super::shapes;

/// Who may call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auth {
    /// Everybody.
    Nobody,
    /// An application with its token.
    Application,
    /// An application of the operator's choice.
    Admin,
    /// The operator.
    Operator,
    /// The operator or an auditor.
    Auditor,
    /// A merchant with its key.
    Merchant,
}

/// What stands in the answer of a success.
#[derive(Debug, Clone, Copy)]
pub enum Data {
    /// Nothing but the envelope.
    Nothing,
    /// One object in the envelope.
    One(&'static str),
    /// A list in the envelope.
    List(&'static str),
    /// A list of texts in the envelope.
    Texts,
    /// A page in the envelope.
    Page(&'static str),
    /// Any object in the envelope.
    Object,
    /// A page of any objects in the envelope.
    Objects,
    /// A document of its own.
    Plain(&'static str),
    /// One of several documents, by what was asked.
    AnyOf(&'static [&'static str]),
    /// A document of its own, of any members.
    Document,
    /// Text of this media type.
    Media(&'static str),
    /// No body at all.
    Empty,
}

/// How errors look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Errors {
    /// The envelope.
    Envelope,
    /// Problem documents.
    Problem,
    /// Those of the merchant API.
    Merchant,
}

/// One call.
#[derive(Debug, Clone)]
pub struct Operation {
    /// GET, POST …
    pub method: &'static str,
    /// The path, with its variable parts in braces.
    pub path: &'static str,
    /// A name for generated clients.
    pub id: &'static str,
    /// What it does, in a few words.
    pub summary: &'static str,
    /// What a caller must know.
    pub about: &'static str,
    /// Who may call.
    pub auth: Auth,
    /// Variable parts of the query.
    pub query: Vec<Field>,
    /// Headers.
    pub headers: Vec<Field>,
    /// What it takes.
    pub body: Option<&'static str>,
    /// Whether the body may be left out.
    pub body_optional: bool,
    /// The status of a success.
    pub status: u16,
    /// What a success holds.
    pub data: Data,
    /// The statuses of its own errors.
    pub refuses: &'static [u16],
}

/// A call that answers 200.
fn operation(method: &'static str, path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    Operation {
        method,
        path,
        id,
        summary,
        about: "",
        auth: Auth::Application,
        query: Vec::new(),
        headers: Vec::new(),
        body: None,
        body_optional: false,
        status: 200,
        data: Data::Nothing,
        refuses: &[],
    }
}

/// A read.
pub fn get(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("GET", path, id, summary)
}

/// A command.
pub fn post(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("POST", path, id, summary)
}

/// A change.
pub fn patch(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("PATCH", path, id, summary)
}

/// A removal.
pub fn delete(path: &'static str, id: &'static str, summary: &'static str) -> Operation {
    operation("DELETE", path, id, summary)
}

impl Operation {
    /// What a caller must know.
    pub fn about(mut self, about: &'static str) -> Self {
        self.about = about;
        self
    }

    /// Who may call.
    pub fn by(mut self, auth: Auth) -> Self {
        self.auth = auth;
        self
    }

    /// What it takes.
    pub fn takes(mut self, body: &'static str) -> Self {
        self.body = Some(body);
        self
    }

    /// What it may be given.
    pub fn may_take(mut self, body: &'static str) -> Self {
        (self.body, self.body_optional) = (Some(body), true);
        self
    }

    /// One parameter of the query.
    pub fn with(mut self, field: Field) -> Self {
        self.query.push(field);
        self
    }

    /// One header.
    pub fn header(mut self, field: Field) -> Self {
        self.headers.push(field);
        self
    }

    /// The parameters of a page.
    pub fn paged(self) -> Self {
        self.with(may("page", Kind::Range(0, i32::MAX as u64)).about("From 0."))
            .with(may("size", Kind::Range(1, 2000)).about("20 if left out; larger ones are cut down to 2000."))
            .with(may("sort", Kind::Texts).about("`property,asc` or `property,desc`; may be repeated."))
    }

    /// What a success holds.
    pub fn gives(mut self, data: Data) -> Self {
        self.data = data;
        self
    }

    /// A success is 201.
    pub fn creates(mut self) -> Self {
        self.status = 201;
        self
    }

    /// A success is 204, without a body.
    pub fn empties(mut self) -> Self {
        (self.status, self.data) = (204, Data::Empty);
        self
    }

    /// The statuses of its own errors.
    pub fn refuses(mut self, statuses: &'static [u16]) -> Self {
        self.refuses = statuses;
        self
    }

    /// How its errors look.
    pub fn errors(&self) -> Errors {
        match () {
            () if self.path.starts_with("/operator") || self.path.starts_with("/audit") => Errors::Problem,
            () if self.path.starts_with("/v2/merchant") => Errors::Merchant,
            () => Errors::Envelope,
        }
    }

    /// The variable parts of the path.
    pub fn parts(&self) -> Vec<Field> {
        let names = self.path.split('{').skip(1).filter_map(|rest| rest.split('}').next());
        names.map(|name| must(name, part_kind(self.path, name))).collect()
    }

    /// Every status that an error may have: its own, and those that all calls of its kind share.
    pub fn failures(&self) -> Vec<u16> {
        let mut statuses = self.refuses.to_vec();
        let ours = !matches!(self.data, Data::Media(_));
        if ours {
            statuses.extend([503]);
        }
        if self.path.starts_with("/api/v1") || self.auth != Auth::Nobody {
            statuses.extend([400, 405, 429, 500]);
        }
        if self.auth != Auth::Nobody {
            statuses.push(401);
        }
        if self.auth == Auth::Admin {
            statuses.push(403);
        }
        if !self.parts().is_empty() {
            statuses.push(404);
        }
        if self.body.is_some() {
            statuses.extend([408, 413, 415]);
        }
        statuses.sort_unstable();
        statuses.dedup();
        statuses
    }

    /// As an operation object of OpenAPI.
    pub fn document(&self, tag: &str) -> Value {
        let mut responses = Map::new();
        responses.insert(self.status.to_string(), self.success());
        for status in self.failures() {
            responses.insert(status.to_string(), self.failure(status));
        }
        let mut parameters: Vec<Value> = self.parts().iter().map(|field| parameter(field, "path")).collect();
        parameters.extend(self.query.iter().map(|field| parameter(field, "query")));
        parameters.extend(self.headers.iter().map(|field| parameter(field, "header")));
        let mut document = json!({
            "tags": [tag], "operationId": self.id, "summary": self.summary, "parameters": parameters,
            "responses": responses, "security": self.security(),
        });
        let Some(members) = document.as_object_mut() else { return document };
        if !self.about.is_empty() {
            members.insert("description".to_owned(), self.about.into());
        }
        if let Some(body) = self.body {
            members.insert("requestBody".to_owned(), self.request_body(body));
        }
        document
    }

    fn request_body(&self, body: &str) -> Value {
        let mut content = json!({"application/json": {"schema": reference(body)}});
        if let (Some(example), Some(json)) = (example(body), content.pointer_mut("/application~1json")) {
            json.as_object_mut().map(|json| json.insert("example".to_owned(), example));
        }
        if let (Some(content), "Credentials") = (content.as_object_mut(), body) {
            content.insert("application/x-www-form-urlencoded".to_owned(), json!({"schema": reference(body)}));
        }
        json!({"required": !self.body_optional, "content": content})
    }

    fn security(&self) -> Value {
        match self.auth {
            Auth::Nobody => json!([]),
            Auth::Application | Auth::Admin => json!([{"application": []}]),
            Auth::Operator => json!([{"operator": []}]),
            Auth::Auditor => json!([{"operator": []}, {"auditor": []}]),
            Auth::Merchant => json!([{"merchant": [], "merchantKey": []}]),
        }
    }

    fn success(&self) -> Value {
        let schema = match self.data {
            Data::Nothing => envelope(None),
            Data::One(name) => envelope(Some(reference(name))),
            Data::List(name) => envelope(Some(Kind::Each(name).schema())),
            Data::Texts => envelope(Some(Kind::Texts.schema())),
            Data::Page(name) => envelope(Some(page(reference(name)))),
            Data::Object => envelope(Some(Kind::Object.schema())),
            Data::Objects => envelope(Some(page(Kind::Object.schema()))),
            Data::Plain(name) => reference(name),
            Data::AnyOf(names) => json!({"anyOf": names.iter().map(|name| reference(name)).collect::<Vec<_>>()}),
            Data::Document => Kind::Object.schema(),
            Data::Empty => return json!({"description": self.summary}),
            Data::Media(media) => {
                return json!({"description": self.summary, "content": {media: {"schema": {"type": "string"}}}});
            }
        };
        json!({"description": self.summary, "content": {"application/json": {"schema": schema}}})
    }

    fn failure(&self, status: u16) -> Value {
        let (media, shape) = match self.errors() {
            Errors::Problem => ("application/problem+json", "Problem"),
            Errors::Merchant => ("application/json", "MerchantError"),
            Errors::Envelope => ("application/json", "Failure"),
        };
        // Health and information keep their shape when they are down.
        let schema = if self.path.starts_with("/api/v1") || self.auth != Auth::Nobody {
            reference(shape)
        } else {
            Kind::Object.schema()
        };
        let mut failure = json!({"description": meaning(status), "content": {media: {"schema": schema}}});
        if let (Some(failure), 429 | 503) = (failure.as_object_mut(), status) {
            let seconds = json!({"description": "Seconds to wait.", "schema": {"type": "integer"}});
            failure.insert("headers".to_owned(), json!({"Retry-After": seconds}));
        }
        failure
    }
}

/// A body that shows how it is done.
pub fn example(body: &str) -> Option<Value> {
    Some(match body {
        "NewApplication" => json!({"name": "WalletApp", "appHandle": "walletapp"}),
        "NewSubject" => json!({"externalId": "user-12345", "displayName": "Alice Adeyemi"}),
        "SubjectChange" => json!({"displayName": "Alice Adeyemi"}),
        "NewTransaction" => {
            json!({"senderTag": "alice@walletapp", "receiverTag": "bob@shopapp", "amount": 1500, "narration": "Lunch"})
        }
        "Rejection" => json!({"reason": "Unknown order"}),
        "NewLink" => json!({"secondaryTag": "bob@shopapp", "verificationMethod": "OTP"}),
        "NewAuditor" => json!({"name": "Auditor & Sons"}),
        "NewMerchant" => json!({"name": "Kiosk", "tag": "bob@shopapp"}),
        "NewPaymentRequest" => json!({"payer": "alice@walletapp", "amount": 250, "comment": "Two coffees"}),
        _ => return None,
    })
}

fn parameter(field: &Field, place: &str) -> Value {
    let mut parameter =
        json!({"name": field.name, "in": place, "required": field.always, "schema": field.kind.schema()});
    if let (Some(parameter), false) = (parameter.as_object_mut(), field.about.is_empty()) {
        parameter.insert("description".to_owned(), field.about.into());
    }
    parameter
}

/// The views that can be read as they were.
const VIEWS: &[&str] = &["wallets", "statement", "tags", "settlement", "transactions", "balances", "trial-balance"];

/// What the variable part of a path holds, from its name and where it stands.
fn part_kind(path: &str, name: &str) -> Kind {
    match name {
        "id" if path.starts_with("/operator/v1/auditors") => Kind::Text,
        "id" | "claimId" | "linkId" | "application" => Kind::Uuid,
        "date" => Kind::Date,
        "position" => Kind::Long,
        "reference" if path.starts_with("/v2") => Kind::Limited(1, 100),
        "view" => Kind::Word(VIEWS),
        _ => Kind::Text,
    }
}

fn envelope(data: Option<Value>) -> Value {
    let mut schema = json!({
        "type": "object",
        "required": ["success", "message", "timestamp"],
        "properties": {
            "success": Kind::Flag.schema(), "message": Kind::Text.schema(), "timestamp": Kind::Instant.schema(),
        },
    });
    if let Some(data) = data {
        if let Some(properties) = schema.pointer_mut("/properties").and_then(Value::as_object_mut) {
            properties.insert("data".to_owned(), data);
        }
        if let Some(required) = schema.pointer_mut("/required").and_then(Value::as_array_mut) {
            required.push("data".into());
        }
    }
    schema
}

fn page(item: Value) -> Value {
    let mut properties: Map<_, _> = shapes::PAGE.iter().map(|f| (f.name.to_owned(), f.schema())).collect();
    properties.insert("content".to_owned(), json!({"type": "array", "items": item}));
    let required: Vec<_> = properties.keys().cloned().collect();
    json!({"type": "object", "required": required, "properties": properties})
}

/// What a status means.
pub fn meaning(status: u16) -> &'static str {
    match status {
        400 => "Malformed, or failing validation",
        401 => "No or bad authentication",
        403 => "Not allowed",
        404 => "Not there",
        405 => "Not with this method",
        408 => "The body did not arrive in time",
        409 => "Contradicts what is there, or ambiguous",
        413 => "The body is larger than 1 MiB",
        415 => "Not declared as JSON",
        422 => "Well formed, but impossible in the present state",
        429 => "Too many requests",
        500 => "A fault of the server",
        503 => "Not ready, or overloaded; try again",
        _ => "Fine",
    }
}
