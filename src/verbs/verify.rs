//! `verify`: checks the log, and what was saved of it.

use std::path::Path;
use std::process::ExitCode;

use flexledger_replay::{Report, SavedHead, Verify, verify};

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
    let store = open::reader(config).await?;
    let seed = open::platform_keys_if_any(config)?.map(|keys| *keys.head_seed());
    let mut bar = Progress::new("events");
    let mut show = |done, all| bar.show(done, all);
    let report = verify(&store, Verify { saved, seed, progress: Some(&mut show) }).await;
    drop(bar);
    let report = report.map_err(|error| open::unreadable(&error))?;
    if json {
        output::document(&report)?;
    } else {
        print(&report)?;
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
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

fn print(report: &Report) -> Result<(), Failure> {
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
    eprintln!("\nThe log is not what was written. Keep a copy of it, and compare it with a backup or an export.");
    Ok(())
}
