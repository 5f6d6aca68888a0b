//! `as-of`: a view as it was.

use std::process::ExitCode;

use flexledger_replay::as_of::{AsOfError, Question, QuestionError, answer};
use flexledger_replay::moment::Moment;
use serde_json::Value;

use super::past::{self, Past};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// Answers the question.
pub async fn run(config: &Config, options: &cli::AsOf, json: bool) -> Result<ExitCode, Failure> {
    let moment: Moment = moment(&options.moment)?;
    let question = read(options)?;
    let past = Past::open(config, Some(moment)).await?;
    let answered = answer(&past.views, past.at, &question).await;
    past.close().await;
    let document = answered.map_err(refused)?;
    if json {
        output::document(&document)?;
    } else {
        let document = serde_json::to_value(&document).map_err(std::io::Error::from)?;
        print(&options.view, &document)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Reads a position or an instant.
pub fn moment(text: &str) -> Result<Moment, Failure> {
    text.parse().map_err(|error: flexledger_replay::moment::MomentError| {
        let next = "Write a position such as 1200, or an instant such as 2026-03-01T23:59:00Z.";
        Failure::Usage(Failure::hint(error, next))
    })
}

fn read(options: &cli::AsOf) -> Result<Question, Failure> {
    let parameter = |name: &str| match name {
        "currency" => options.currency.as_deref(),
        "from" => options.from.as_deref(),
        "limit" => options.limit.as_deref(),
        _ => None,
    };
    Question::read(&options.view, options.key.as_deref(), parameter).map_err(|error| match error {
        // A key that cannot exist is as unknown as any other.
        QuestionError::Malformed(_) => Failure::Found(error.to_string()),
        error => Failure::Usage(error.to_string()),
    })
}

/// Why there is no answer, with the exit status of `operations.md` 4.
pub fn refused(error: AsOfError) -> Failure {
    match error {
        AsOfError::Unknown(_) | AsOfError::Moment(_) => Failure::Found(error.to_string()),
        AsOfError::Views(error) => past::failed(&error),
        AsOfError::Overflow | AsOfError::Unbalanced(_) => Failure::Store(error.to_string()),
    }
}

/// The columns that people are shown, by view.
const COLUMNS: &[(&str, &str, &[&str])] = &[
    (
        "wallets",
        "wallets",
        &["application_name", "currency", "balance", "total_debited", "total_credited", "application_id"],
    ),
    (
        "statement",
        "entries",
        &["position", "created_at", "entry_type", "amount", "closing_balance", "currency", "transaction_reference"],
    ),
    ("tags", "tags", &["qualified_address", "status", "owner_application_id", "owner_subject_id"]),
    (
        "settlement",
        "settlements",
        &["settlement_date", "currency", "status", "total_credited", "total_debited", "transaction_count"],
    ),
    ("balances", "balances", &["account", "currency", "balance"]),
    ("trial-balance", "currencies", &["currency", "debit", "credit"]),
];

fn print(view: &str, document: &Value) -> Result<(), Failure> {
    let Some((_, member, columns)) = COLUMNS.iter().find(|(name, _, _)| *name == view) else {
        return output::pairs(&members(document));
    };
    let rows = document.get(member).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cells = |row: &Value| columns.iter().map(|column| text(row.get(column))).collect();
    output::table(columns, &rows.iter().map(cells).collect::<Vec<_>>())?;
    if let Some(next) = document.get("next").and_then(Value::as_str) {
        eprintln!("\nThere is more: --from {next}");
    }
    Ok(())
}

fn members(document: &Value) -> Vec<(&str, String)> {
    let members = document.as_object().into_iter().flatten();
    members.map(|(name, value)| (name.as_str(), text(Some(value)))).collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
