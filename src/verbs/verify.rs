//! `verify`: checks the log, and what was saved of it.

use std::path::Path;
use std::process::ExitCode;

use flexledger_eventstore::note::{Note, VerifierKey};
use flexledger_replay::import::check;
use flexledger_replay::{Report, SavedHead, Verify, verify};

use super::imported::Imported;
use super::open;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Progress};

/// A saved head is a short text; more is not read.
const HEAD_BYTES_MAX: u64 = 64 << 10;
/// Violations that a person is shown.
const SHOWN: usize = 20;

/// Checks the log and prints what was found.
pub async fn run(config: &Config, options: &cli::Verify, json: bool) -> Result<ExitCode, Failure> {
    let saved = options.head.as_deref().map(read_head).transpose()?;
    if let Some(file) = &options.bundle {
        return bundle(file, options, saved.as_ref(), json);
    }
    let store = open::reader(config).await?;
    let seed = open::platform_keys_if_any(config)?.map(|keys| *keys.head_seed());
    // Heads of an imported log were signed by the key of where it came from.
    let foreign = Imported::read(&config.data).map(|imported| imported.position);
    let by_us = saved.as_ref().is_none_or(|saved| foreign.is_none_or(|end| saved.position.number() > end));
    let seed = seed.filter(|_| by_us);
    if let (Some(path), Some(SavedHead { note: None, .. }), Some(_)) = (&options.head, &saved, &seed) {
        return Err(unsigned(path));
    }
    let mut bar = Progress::new("events");
    let mut tick = |done, all| bar.show(done, all);
    let report = verify(&store, Verify { saved, seed, progress: Some(&mut tick) }).await;
    drop(bar);
    let report = report.map_err(|error| open::unreadable(&error))?;
    show(&report, json, DAMAGED)?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Checks an export with nothing but a saved head and a key.
fn bundle(file: &Path, options: &cli::Verify, saved: Option<&SavedHead>, json: bool) -> Result<ExitCode, Failure> {
    let wrong = |what: &str, error: &dyn std::fmt::Display| Failure::Usage(format!("{what}: {error}"));
    let key = options.key.as_deref().map(str::parse::<VerifierKey>).transpose();
    let key = key.map_err(|error| wrong("--key", &error))?;
    let note = match (&key, &options.head) {
        (Some(_), Some(path)) => Some(read_note(path)?),
        _ => None,
    };
    let mut bar = Progress::new("bytes");
    let checked = check(file, saved, note.as_ref().zip(key.as_ref()), &mut |done, all| bar.show(done, all));
    drop(bar);
    let report = checked.map_err(|error| wrong(&file.display().to_string(), &error))?.report;
    show(&report, json, DAMAGED)?;
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// The signed note of a saved head.
fn read_note(path: &Path) -> Result<Note, Failure> {
    let wrong = || {
        let problem = format!("{} holds no signed head", path.display());
        Failure::Usage(Failure::hint(
            problem,
            "Give a file that `flexledger head` wrote beside the keys of the ledger.",
        ))
    };
    let text = std::fs::read_to_string(path).map_err(|_| wrong())?;
    let text = match serde_json::from_str::<serde_json::Value>(&text) {
        Ok(document) => document.get("note").and_then(|note| note.as_str()).map(str::to_owned).ok_or_else(wrong)?,
        Err(_) => text,
    };
    Note::parse(&text).map_err(|_| wrong())
}

/// Anybody can write a document without its note. Where no signature could be checked anyway, because the store was
/// imported or has no key, what it says is compared all the same.
fn unsigned(path: &Path) -> Failure {
    let problem = format!("the saved head {} cannot be used: it holds no signed note", path.display());
    let next = "Give the whole document that `flexledger head --json` wrote, or the note alone.";
    Failure::Usage(Failure::hint(problem, next))
}

/// What to do about a log that is not what it was.
const DAMAGED: &str = "The log is not what was written. Keep a copy of it, and compare it with a backup or an export.";

/// Prints a report, and what to do when it is not good.
pub fn show(report: &Report, json: bool, next: &str) -> Result<(), Failure> {
    if json { output::document(report) } else { print(report, next) }
}

fn read_head(path: &Path) -> Result<SavedHead, Failure> {
    let wrong = |why: String| {
        let next = "Give a file that `flexledger head` or `flexledger head --json` wrote.";
        Failure::Usage(Failure::hint(format!("the saved head {} cannot be used: {why}", path.display()), next))
    };
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > HEAD_BYTES_MAX {
        return Err(wrong("it is too long".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    SavedHead::parse(&text).map_err(|error| wrong(error.to_string()))
}

fn print(report: &Report, next: &str) -> Result<(), Failure> {
    let word = |ok: bool| if ok { "ok" } else { "FAILED" };
    let mut rows: Vec<(&str, String)> =
        report.checks.iter().map(|check| (check.name, word(check.ok).to_owned())).collect();
    rows.push(("position", report.position.to_string()));
    rows.push(("hash", report.hash.clone()));
    rows.push(("root", report.root.clone()));
    output::pairs(&rows)?;
    if report.ok {
        return Ok(());
    }
    let place = |position: Option<u64>| position.map_or_else(|| "-".to_owned(), |position| position.to_string());
    let found = report.violations.iter().take(SHOWN);
    let found: Vec<Vec<String>> =
        found.map(|v| vec![place(v.position), v.check.to_owned(), v.message.clone()]).collect();
    println!();
    output::table(&["position", "check", "violation"], &found)?;
    eprintln!("\n{next}");
    Ok(())
}
