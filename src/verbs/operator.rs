//! `operator`: calls to a running server, with the token of its data directory.

use std::process::ExitCode;
use std::time::Duration;

use serde_json::Value;

use super::token;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Makes the call and prints the answer.
pub async fn run(config: &Config, call: &cli::Operator, json: bool) -> Result<ExitCode, Failure> {
    match call {
        cli::Operator::Status => {
            let answer = get(config, "/operator/v1/status").await?;
            if json { output::document(&answer)? } else { print(&answer)? }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn get(config: &Config, path: &str) -> Result<Value, Failure> {
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
    let request = client.get(format!("{url}{path}")).bearer_auth(token);
    let answer = request.send().await.map_err(out_of_reach)?;
    let status = answer.status();
    if status == reqwest::StatusCode::UNAUTHORIZED {
        let problem = format!("the server at {url} does not take the token of {}", config.data.display());
        return Err(Failure::Usage(Failure::hint(problem, "Name the data directory of that server with --data.")));
    }
    if !status.is_success() {
        return Err(Failure::Found(format!("the server at {url} answered {status}")));
    }
    answer.json().await.map_err(out_of_reach)
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
