//! Plays `fixtures/world.json` through the API, as clients would.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::{Client, Method};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::failure::Failure;

const WORLD: &str = include_str!("../../../fixtures/world.json");
/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Deserialize)]
struct World {
    applications: Vec<Application>,
    payments: Vec<Payment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Application {
    name: String,
    app_handle: String,
    #[serde(default)]
    metadata: Option<Value>,
    subjects: Vec<Subject>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Subject {
    external_id: String,
    display_name: String,
    #[serde(default)]
    email: Option<String>,
    tags: Vec<String>,
}

#[derive(Deserialize)]
struct Payment {
    from: String,
    to: String,
    /// The digits as they stand in the file: money is never a float.
    amount: Box<RawValue>,
    #[serde(default)]
    currency: Option<String>,
    #[serde(default)]
    narration: Option<String>,
    outcome: Outcome,
    #[serde(default)]
    reason: Option<String>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Accept,
    Reject,
    Open,
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Initiation<'a> {
    sender_tag: &'a str,
    receiver_tag: &'a str,
    amount: &'a RawValue,
    #[serde(skip_serializing_if = "Option::is_none")]
    currency: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    narration: Option<&'a str>,
}

/// What was made.
pub struct Played {
    /// A token for each application, by handle.
    pub tokens: BTreeMap<String, String>,
    /// How many payments were initiated.
    pub payments: usize,
    /// References of payments that wait.
    pub open: Vec<String>,
    /// The date that was settled.
    pub settled: String,
}

impl Played {
    /// The same for machines.
    pub fn document(&self, url: &str, data: &Path) -> Value {
        json!({
            "url": url,
            "data": data.display().to_string(),
            "tokens": self.tokens,
            "payments": self.payments,
            "open": self.open,
            "settled": self.settled,
        })
    }
}

/// Plays the whole world in.
pub async fn play(url: &str) -> Result<Played, Failure> {
    let world: World = serde_json::from_str(WORLD).map_err(|error| failed("the sample world", &error))?;
    let client = Client::builder().timeout(PATIENCE).no_proxy().build();
    let api = Api { client: client.map_err(|error| failed("HTTP", &error))?, base: format!("{url}/api/v1") };
    let mut played = Played { tokens: BTreeMap::new(), payments: 0, open: Vec::new(), settled: String::new() };
    for application in &world.applications {
        let token = api.application(application).await?;
        played.tokens.insert(application.app_handle.clone(), token);
    }
    // The open ones come last: they stay open whatever is settled.
    for payment in &world.payments {
        let reference = api.payment(payment, &played.tokens).await?;
        played.payments += 1;
        if matches!(payment.outcome, Outcome::Open) {
            played.open.push(reference);
        }
    }
    if let Some(token) = played.tokens.values().next() {
        played.settled = api.settle(token).await?;
    }
    Ok(played)
}

struct Api {
    client: Client,
    base: String,
}

impl Api {
    async fn application(&self, application: &Application) -> Result<String, Failure> {
        let mut body = json!({ "name": application.name, "appHandle": application.app_handle });
        if let (Some(metadata), Some(body)) = (&application.metadata, body.as_object_mut()) {
            body.insert("metadata".to_owned(), metadata.clone());
        }
        let registered = self.call(Method::POST, "/applications", None, Some(&body)).await?;
        let credentials = json!({
            "client_id": text(&registered, "clientId")?,
            "client_secret": text(&registered, "clientSecret")?,
        });
        let issued = self.call(Method::POST, "/auth/token", None, Some(&credentials)).await?;
        let token = text(&issued, "token")?;
        self.call(Method::POST, "/wallet", Some(&token), None::<&Value>).await?;
        for subject in &application.subjects {
            self.subject(&token, subject).await?;
        }
        Ok(token)
    }

    async fn subject(&self, token: &str, subject: &Subject) -> Result<(), Failure> {
        let mut body = json!({ "externalId": subject.external_id, "displayName": subject.display_name });
        if let (Some(email), Some(body)) = (&subject.email, body.as_object_mut()) {
            body.insert("email".to_owned(), email.as_str().into());
        }
        let made = self.call(Method::POST, "/subjects", Some(token), Some(&body)).await?;
        let id = text(&made, "id")?;
        for tag in &subject.tags {
            let body = json!({ "tag": tag, "subjectId": id });
            self.call(Method::POST, "/tags", Some(token), Some(&body)).await?;
        }
        Ok(())
    }

    async fn payment(&self, payment: &Payment, tokens: &BTreeMap<String, String>) -> Result<String, Failure> {
        let token = |tag: &str| {
            let handle = tag.rsplit('@').next().unwrap_or_default();
            tokens.get(handle).map(String::as_str).ok_or_else(|| failed("the sample world", &format!("no {handle}")))
        };
        let body = Initiation {
            sender_tag: &payment.from,
            receiver_tag: &payment.to,
            amount: &payment.amount,
            currency: payment.currency.as_deref(),
            narration: payment.narration.as_deref(),
        };
        let initiated = self.call(Method::POST, "/transactions", Some(token(&payment.from)?), Some(&body)).await?;
        let reference = text(&initiated, "reference")?;
        let receiver = Some(token(&payment.to)?);
        match payment.outcome {
            Outcome::Open => {}
            Outcome::Accept => {
                let path = format!("/transactions/{reference}/accept");
                self.call(Method::POST, &path, receiver, None::<&Value>).await?;
            }
            Outcome::Reject => {
                let path = format!("/transactions/{reference}/reject");
                let body = payment.reason.as_ref().map(|reason| json!({ "reason": reason }));
                self.call(Method::POST, &path, receiver, body.as_ref()).await?;
            }
        }
        Ok(reference)
    }

    /// Settles the day of the newest entry, which is today, early.
    async fn settle(&self, token: &str) -> Result<String, Failure> {
        let statement = self.call(Method::GET, "/wallet/statement?size=1", Some(token), None::<&Value>).await?;
        let newest = statement.pointer("/content/0").ok_or_else(|| failed("the statement", &"it is empty"))?;
        let date: String = text(newest, "createdAt")?.chars().take(10).collect();
        let path = format!("/settlement/run?date={date}");
        self.call(Method::POST, &path, Some(token), None::<&Value>).await?;
        Ok(date)
    }

    /// Makes a call and returns its `data`.
    async fn call(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<&impl serde::Serialize>,
    ) -> Result<Value, Failure> {
        let mut request = self.client.request(method, format!("{}{path}", self.base));
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| failed(path, &error))?;
        let status = answer.status();
        let mut envelope: Value = answer.json().await.map_err(|error| failed(path, &error))?;
        if !status.is_success() {
            return Err(failed(path, &format!("{status} {envelope}")));
        }
        Ok(envelope.get_mut("data").map(Value::take).unwrap_or_default())
    }
}

fn text(document: &Value, name: &str) -> Result<String, Failure> {
    let found = document.get(name).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| failed(name, &"missing in the answer"))
}

fn failed(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::Store(format!("the demo could not be played: {what}: {error}"))
}
