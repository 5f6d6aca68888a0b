//! `export`: the log as a stream of text, for another store, for spreadsheets, for plain-text accounting.
//!
//! One pass over the log; memory holds two portions of rows, and for accounting the balance of each wallet.

mod accounting;
mod csv;
#[cfg(test)]
mod tests;

use std::io::Write;
use std::str::FromStr;
use std::sync::Arc;

use flexledger_domain::{Position, Recorded};
use flexledger_eventstore::{EventStore, Record, StoreError, Walk, record};

use crate::events;
use accounting::Accounting;

/// The forms of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// One event a line, with its hashes: what `import` takes.
    Jsonl,
    /// One posting a line.
    Csv,
    /// A journal for hledger.
    Hledger,
    /// A ledger for beancount.
    Beancount,
    /// A journal for ledger-cli.
    Ledger,
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "jsonl" => Format::Jsonl,
            "csv" => Format::Csv,
            "hledger" => Format::Hledger,
            "beancount" => Format::Beancount,
            "ledger" => Format::Ledger,
            _ => return Err("jsonl, csv, hledger, beancount or ledger".to_owned()),
        })
    }
}

/// What is exported.
pub struct Export<'a> {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The first event.
    pub from: Position,
    /// The last event.
    pub to: Position,
    /// In which form.
    pub format: Format,
    /// Told now and then how many events are done, of how many.
    pub progress: &'a mut (dyn FnMut(u64, u64) + Send),
}

/// Why an export ended early.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// An event of the log is damaged.
    #[error("the event at position {0} cannot be read; run `flexledger verify`")]
    Damaged(Position),
    /// A sum of the log leaves its range.
    #[error("a balance leaves its range at position {0}; run `flexledger verify`")]
    Range(Position),
    /// The output cannot be written.
    #[error("output: {0}")]
    Output(#[from] std::io::Error),
}

/// Writes the export.
///
/// # Errors
/// [`ExportError`]; what was written so far is incomplete then.
pub async fn export(job: Export<'_>, out: &mut impl Write) -> Result<(), ExportError> {
    let mut accounting = match job.format {
        Format::Jsonl => None,
        Format::Csv => {
            csv::heading(out)?;
            None
        }
        format => Some(Accounting::begin(format, job.from, out)?),
    };
    // Balances need everything from the beginning.
    let after = if accounting.is_some() { Position::START } else { job.from.previous() };
    let mut walk = Walk::records(job.store, after, job.to);
    let mut line = Vec::new();
    while let Some(records) = walk.portion().await? {
        for stored in &records {
            match (&mut accounting, job.format) {
                (Some(accounting), _) => accounting.take(&decode(stored)?, out)?,
                (None, Format::Csv) => csv::rows(&decode(stored)?, out)?,
                (None, _) => write_line(stored, &mut line, out)?,
            }
        }
        let done = records.last().map_or(0, |stored| stored.position.number());
        (job.progress)(done, job.to.number());
    }
    if let Some(accounting) = accounting {
        accounting.finish(out)?;
    }
    Ok(out.flush()?)
}

fn decode(stored: &Record) -> Result<Recorded, ExportError> {
    events::decode(stored.into()).map_err(ExportError::Damaged)
}

fn write_line(stored: &Record, line: &mut Vec<u8>, out: &mut impl Write) -> Result<(), ExportError> {
    line.clear();
    record::write_line(stored, line).map_err(|_| ExportError::Damaged(stored.position))?;
    line.push(b'\n');
    Ok(out.write_all(line)?)
}
