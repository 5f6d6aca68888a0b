//! What people and machines are shown: tables, documents, progress.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::failure::Failure;

/// One JSON document on one line.
pub fn document<T: Serialize>(document: &T) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    serde_json::to_writer(&mut out, document).map_err(std::io::Error::from)?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Names and values, one pair a line.
pub fn pairs(rows: &[(&str, String)]) -> Result<(), Failure> {
    let widest = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
    let mut out = std::io::stdout().lock();
    for (name, value) in rows {
        writeln!(out, "{name:widest$}  {value}")?;
    }
    Ok(())
}

/// Rows under a heading. The last column takes what room it needs.
pub fn table(heading: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let mut widths: Vec<usize> = heading.iter().map(|name| name.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let mut out = std::io::stdout().lock();
    let heading: Vec<String> = heading.iter().map(|name| (*name).to_owned()).collect();
    for row in std::iter::once(&heading).chain(rows) {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        writeln!(out, "{}", cells.join("  ").trim_end())?;
    }
    Ok(())
}

/// A bar on standard error, with rate and time left, for anything over a second; nothing where no terminal is.
pub struct Progress {
    bar: Option<ProgressBar>,
    /// Lines of JSON for machines, with the time of the last one.
    lines: Option<Instant>,
    begun: Instant,
    what: &'static str,
}

impl Progress {
    /// A bar that counts `what`.
    pub fn new(what: &'static str) -> Self {
        Progress { bar: None, lines: None, begun: Instant::now(), what }
    }

    /// The same; for machines, a JSON line on standard error every second.
    pub fn for_job(what: &'static str, json: bool) -> Self {
        Progress { bar: None, lines: json.then(Instant::now), begun: Instant::now(), what }
    }

    /// So much is done.
    pub fn show(&mut self, done: u64, all: u64) {
        if let Some(last) = &mut self.lines {
            if last.elapsed() >= Duration::from_secs(1) {
                *last = Instant::now();
                eprintln!("{}", serde_json::json!({ "progress": { "done": done, "all": all, "unit": self.what } }));
            }
            return;
        }
        if self.bar.is_none() && self.begun.elapsed() > Duration::from_secs(1) && std::io::stderr().is_terminal() {
            let bar = ProgressBar::new(all).with_elapsed(self.begun.elapsed());
            let template = "{bar:40} {human_pos}/{human_len} {msg}, {per_sec}, {eta} left";
            // The template is fixed; were it wrong, the plain bar would do.
            let bar = match ProgressStyle::with_template(template) {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            };
            self.bar = Some(bar.with_message(self.what));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
