//! `operator`: calls to a running server, with the token of its data directory.

use std::process::ExitCode;
use std::time::Duration;

use reqwest::header::CONTENT_TYPE;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::token;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the call and prints the answer.
pub async fn run(config: &Config, call: &cli::Operator, json: bool) -> Result<ExitCode, Failure> {
    let answer = send(config, &read(call)?).await?;
    if json {
        output::document(&answer)?
    } else {
        print(&answer)?
    }
    Ok(ExitCode::SUCCESS)
}

/// A call on the wire.
struct Call<'c> {
    method: Method,
    path: String,
    body: Option<Value>,
    key: Option<&'c str>,
}

fn read(call: &cli::Operator) -> Result<Call<'_>, Failure> {
    let to = |method, path: String| Call { method, path, body: None, key: None };
    Ok(match call {
        cli::Operator::Status => to(Method::GET, "/status".to_owned()),
        cli::Operator::AddMerchant { name, tag, idempotency_key } => Call {
            body: Some(json!({"name": name, "tag": tag})),
            key: idempotency_key.as_deref(),
            ..to(Method::POST, "/idaas/merchants".to_owned())
        },
        cli::Operator::AddAuditor { name, idempotency_key } => Call {
            body: Some(json!({"name": name})),
            key: idempotency_key.as_deref(),
            ..to(Method::POST, "/auditors".to_owned())
        },
        cli::Operator::RemoveAuditor { id } => to(Method::DELETE, format!("/auditors/{}", step(id)?)),
        cli::Operator::Erase { subject } => to(Method::POST, format!("/subjects/{}/erase", step(subject)?)),
    })
}

/// An id as one step of a path.
fn step(id: &str) -> Result<&str, Failure> {
    let plain = !id.is_empty() && id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    if plain { Ok(id) } else { Err(Failure::Usage(format!("{id:?} is no id"))) }
}

async fn send(config: &Config, call: &Call<'_>) -> Result<Value, Failure> {
    let token = token::read(&config.data)?;
    let url = config.server.public_url.clone().unwrap_or_else(|| format!("http://{}", config.listen));
    let out_of_reach = |error: reqwest::Error| {
        let problem = format!("no server answers at {url}: {}", error.without_url());
        Failure::Store(Failure::hint(problem, "Start one with `flexledger serve`, or name its address with --listen."))
    };
    let builder = reqwest::Client::builder().timeout(PATIENCE).no_proxy();
    // Clear text needs no certificates, and a machine without any can still ask itself.
    let builder = if url.starts_with("https:") { builder } else { builder.tls_certs_only([]) };
    let client = builder.build().map_err(out_of_reach)?;
    let mut request = client.request(call.method.clone(), format!("{url}/operator/v1{}", call.path)).bearer_auth(token);
    if let Some(body) = &call.body {
        request = request.header(CONTENT_TYPE, "application/json").body(body.to_string());
    }
    if let Some(key) = call.key {
        request = request.header("idempotency-key", key);
    }
    // A key that no header can hold is the caller's mistake, not the server's absence.
    let request = request.build().map_err(|_| Failure::Usage("the idempotency key cannot be sent".to_owned()))?;
    let answer = client.execute(request).await.map_err(out_of_reach)?;
    match answer.status() {
        StatusCode::NO_CONTENT => Ok(json!({"done": true})),
        status if status.is_success() => answer.json().await.map_err(out_of_reach),
        StatusCode::UNAUTHORIZED => {
            let problem = format!("the server at {url} does not take the token of {}", config.data.display());
            Err(Failure::Usage(Failure::hint(problem, "Name the data directory of that server with --data.")))
        }
        status => Err(refused(&url, status, answer.json().await.unwrap_or_default())),
    }
}

/// What the server says of a call that it does not carry out.
fn refused(url: &str, status: StatusCode, problem: Value) -> Failure {
    let detail = problem.get("detail").and_then(Value::as_str).map(|detail| format!(": {detail}")).unwrap_or_default();
    let said = format!("the server at {url} answered {status}{detail}");
    match status {
        StatusCode::BAD_REQUEST => Failure::Usage(said),
        StatusCode::SERVICE_UNAVAILABLE => Failure::Store(Failure::hint(said, "Try again in a moment.")),
        _ => Failure::Found(said),
    }
}

/// The answer as lines of `path value`.
fn print(answer: &Value) -> Result<(), Failure> {
    let mut rows = Vec::new();
    flatten("", answer, &mut rows);
    let rows: Vec<(&str, String)> = rows.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    output::pairs(&rows)
}

fn flatten(name: &str, value: &Value, rows: &mut Vec<(String, String)>) {
    let below = |key: &str| if name.is_empty() { key.to_owned() } else { format!("{name}.{key}") };
    match value {
        Value::Object(members) => members.iter().for_each(|(key, value)| flatten(&below(key), value, rows)),
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                let label = item.get("name").and_then(Value::as_str).map_or_else(|| at.to_string(), str::to_owned);
                flatten(&below(&label), item, rows);
            }
        }
        Value::String(text) => rows.push((name.to_owned(), text.clone())),
        Value::Null => rows.push((name.to_owned(), "-".to_owned())),
        other => rows.push((name.to_owned(), other.to_string())),
    }
}
