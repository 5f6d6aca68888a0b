//! `explain` and `diff`: one payment from end to end, and what changed between two moments.

use std::process::ExitCode;

use flexledger_domain::Reference;
use flexledger_replay::diff::{Diff, diff};
use flexledger_replay::explain::{Explanation, explain};

use super::as_of::{moment, refused};
use super::past::{Past, position};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output;

/// Events of a comparison that a person is shown.
const SHOWN: usize = 20;

/// Explains a payment as it stands now.
pub async fn run(config: &Config, options: &cli::Explain, json: bool) -> Result<ExitCode, Failure> {
    let reference: Result<Reference, _> = options.reference.parse();
    // A reference that cannot exist is as unknown as any other.
    let reference = reference.map_err(|_| Failure::Found(format!("{} is no reference", options.reference)))?;
    let past = Past::open(config, None).await?;
    let explained = explain(&past.views, past.store.as_ref(), reference, past.at).await;
    past.close().await;
    let explained = explained.map_err(refused)?;
    if json {
        output::document(&explained)?
    } else {
        print(&explained)?
    }
    Ok(ExitCode::SUCCESS)
}

/// Compares two moments.
pub async fn compare(config: &Config, options: &cli::Diff, json: bool) -> Result<ExitCode, Failure> {
    let (from, to) = (moment(&options.from)?, moment(&options.to)?);
    let past = Past::open(config, Some(to)).await?;
    let compared = async {
        let from = position(past.store.as_ref(), from, past.head).await?;
        if from > past.at {
            return Err(Failure::Usage("the first moment must not be after the second".to_owned()));
        }
        diff(&past.views, &past.store, from, past.at).await.map_err(refused)
    };
    let compared = compared.await;
    past.close().await;
    let compared = compared?;
    if json {
        output::document(&compared)?
    } else {
        print_diff(&compared)?
    }
    Ok(ExitCode::SUCCESS)
}

fn print(explained: &Explanation) -> Result<(), Failure> {
    let payment = &explained.transaction;
    output::pairs(&[
        ("reference", payment.reference.clone()),
        ("status", payment.status.to_owned()),
        ("amount", format!("{} {}", payment.currency, payment.amount)),
        ("from", payment.sender_tag.clone()),
        ("to", payment.receiver_tag.clone()),
        ("settled on", explained.settlement.as_ref().map_or("-", |record| &record.settlement_date).to_owned()),
    ])?;
    println!();
    let commands = explained.commands.iter();
    let rows: Vec<_> =
        commands.map(|one| vec![one.recorded_at.clone(), one.name.to_owned(), one.actor.clone()]).collect();
    output::table(&["when", "command", "by"], &rows)?;
    println!();
    let events = explained.events.iter();
    let rows: Vec<_> = events.map(|one| vec![one.position.to_string(), one.kind.to_owned()]).collect();
    output::table(&["position", "event"], &rows)?;
    if !explained.postings.is_empty() {
        println!();
        let postings = explained.postings.iter();
        let rows: Vec<_> = postings
            .map(|one| vec![one.position.to_string(), one.side.to_owned(), one.amount.clone(), one.account.clone()])
            .collect();
        output::table(&["position", "side", "amount", "account"], &rows)?;
    }
    if !explained.webhooks.is_empty() {
        println!();
        let webhooks = explained.webhooks.iter();
        let rows: Vec<_> = webhooks
            .map(|one| vec![one.event.to_owned(), one.status.to_owned(), one.attempts.len().to_string()])
            .collect();
        output::table(&["webhook tells", "delivery", "attempts"], &rows)?;
    }
    Ok(())
}

fn print_diff(compared: &Diff) -> Result<(), Failure> {
    let text = |value: Option<&str>| value.unwrap_or("-").to_owned();
    let mut rows = Vec::new();
    for one in &compared.wallets {
        let name = format!("wallet {} {}", one.application_id, one.currency);
        rows.push(vec![name, text(one.from.as_deref()), text(one.to.as_deref())]);
    }
    for one in &compared.settlements {
        let name = format!("settlement {} {}", one.settlement_date, one.currency);
        rows.push(vec![name, text(one.from), text(one.to)]);
    }
    for one in &compared.tags {
        rows.push(vec![format!("tag {}", one.qualified_address), text(one.from), text(one.to)]);
    }
    output::table(&["what", "before", "after"], &rows)?;
    if !compared.late_entries.is_empty() {
        println!();
        let late = compared.late_entries.iter();
        let rows: Vec<_> = late
            .map(|one| vec![one.transaction_reference.clone(), one.booked_on.clone(), one.settlement_date.clone()])
            .collect();
        output::table(&["late entry", "booked on", "settles on"], &rows)?;
    }
    let shown: Vec<String> = compared.events.iter().take(SHOWN).map(u64::to_string).collect();
    let more = if compared.events.len() > SHOWN { " …" } else { "" };
    println!("\n{} events did it: {}{more}", compared.events.len(), shown.join(" "));
    Ok(())
}
