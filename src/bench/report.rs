//! What a bench prints.

use std::path::Path;

use serde::Serialize;

use super::histogram::Histogram;
use crate::failure::Failure;
use crate::output;

/// The figures of one bench. What does not apply is null.
#[derive(Debug, Clone, Serialize)]
pub struct Document {
    /// Its name.
    pub bench: &'static str,
    /// What is counted, per second.
    pub per_second: Option<f64>,
    /// The same of its reference, in the same run.
    pub reference_per_second: Option<f64>,
    /// The first divided by the second.
    pub ratio: Option<f64>,
    /// The median latency, in milliseconds.
    pub p50_ms: Option<f64>,
    /// The latency that 99 of 100 stay below, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Requests or commands that were refused or failed.
    pub refused: Option<u64>,
    /// Resident memory of the process at the end, in megabytes.
    pub rss_mb: Option<f64>,
    /// Events in the log at the end.
    pub events: Option<u64>,
    /// Size of the data directory at the end.
    pub bytes_on_disk: Option<u64>,
    /// What is durable how.
    pub durability: Option<String>,
    /// What it ran on.
    pub machine: String,
    /// Until ready from a snapshot, in milliseconds (restart, audit as-of).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_ms: Option<f64>,
    /// Until ready by reading the log from its beginning, in milliseconds (restart, audit as-of).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ready_without_snapshot_ms: Option<f64>,
}

impl Document {
    /// Figures of this name, with nothing measured yet.
    pub fn new(bench: &'static str) -> Self {
        Document {
            bench,
            per_second: None,
            reference_per_second: None,
            ratio: None,
            p50_ms: None,
            p99_ms: None,
            refused: None,
            rss_mb: rss_mb(),
            events: None,
            bytes_on_disk: None,
            durability: None,
            machine: machine(),
            ready_ms: None,
            ready_without_snapshot_ms: None,
        }
    }

    /// With a rate and that of its reference.
    pub fn against(mut self, rate: f64, reference: f64) -> Self {
        self.per_second = Some(rounded(rate));
        self.reference_per_second = Some(rounded(reference));
        self.ratio = (reference > 0.0).then(|| (rate / reference * 1000.0).round() / 1000.0);
        self
    }

    /// With latencies.
    pub fn latencies(mut self, histogram: &Histogram) -> Self {
        self.p50_ms = histogram.per_mille(500);
        self.p99_ms = histogram.per_mille(990);
        self
    }

    /// Prints it.
    pub fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::document(self);
        }
        let text = |value: Option<f64>| value.map(|value| format!("{value:.3}"));
        let count = |value: Option<u64>| value.map(|value| value.to_string());
        let rate = |value: Option<f64>| value.map(|value| format!("{value:.0}"));
        let rows = [
            ("bench", Some(self.bench.to_owned())),
            ("per second", rate(self.per_second)),
            ("reference per second", rate(self.reference_per_second)),
            ("ratio", text(self.ratio)),
            ("p50 ms", text(self.p50_ms)),
            ("p99 ms", text(self.p99_ms)),
            ("refused", count(self.refused)),
            ("ready ms", text(self.ready_ms)),
            ("ready ms without snapshot", text(self.ready_without_snapshot_ms)),
            ("resident MB", text(self.rss_mb)),
            ("events", count(self.events)),
            ("bytes on disk", count(self.bytes_on_disk)),
            ("durability", self.durability.clone()),
            ("machine", Some(self.machine.clone())),
        ];
        let known: Vec<(&str, String)> = rows.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        output::pairs(&known)?;
        println!();
        Ok(())
    }
}

/// A rate without digits that mean nothing.
pub fn rounded(rate: f64) -> f64 {
    (rate * 10.0).round() / 10.0
}

/// The size of all files below a folder.
pub fn bytes_below(folder: &Path) -> Option<u64> {
    let mut sum = 0;
    for entry in std::fs::read_dir(folder).ok()? {
        let entry = entry.ok()?;
        let data = entry.metadata().ok()?;
        sum += if data.is_dir() { bytes_below(&entry.path())? } else { data.len() };
    }
    Some(sum)
}

fn rss_mb() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(rounded(kilobytes / 1024.0))
}

fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or(std::env::consts::ARCH, |(_, model)| model.trim());
    format!("{cores} x {model}")
}
