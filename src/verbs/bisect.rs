//! `bisect`: the first event after which an assertion fails.

use std::process::ExitCode;

use flexledger_replay::bisect::{Assertion, Found, bisect};

use super::as_of::{moment, refused};
use super::past::Past;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Progress};

/// Looks for the first failure; exit status 1 when there is one.
pub async fn run(config: &Config, options: &cli::Bisect, json: bool) -> Result<ExitCode, Failure> {
    let assertion: Result<Assertion, _> = options.assert.parse();
    let assertion = assertion.map_err(|error| Failure::Usage(format!("--assert: {error}")))?;
    let to = options.to.as_deref().map(moment).transpose()?;
    let past = Past::open(config, to).await?;
    let mut bar = Progress::new("events");
    let mut show = |done, all| bar.show(done, all);
    let found = bisect(&past.views, &past.store, &assertion, past.at, &mut show).await;
    drop(bar);
    past.close().await;
    let found = found.map_err(refused)?;
    if json {
        output::document(&found)?
    } else {
        print(&found)?
    }
    Ok(if found.holds { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn print(found: &Found) -> Result<(), Failure> {
    let text = |name: &str| {
        let value = found.event.as_ref().and_then(|event| event.get(name));
        value.and_then(serde_json::Value::as_str).unwrap_or("-").to_owned()
    };
    let Some(position) = found.position else {
        println!("It holds after every event up to {} ({}).", found.to, found.method);
        return Ok(());
    };
    output::pairs(&[
        ("fails after", position.to_string()),
        ("event", text("kind")),
        ("entity", text("entity")),
        ("recorded at", text("recorded_at")),
        ("found by", found.method.to_owned()),
    ])
}
