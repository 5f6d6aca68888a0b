//! The command line.

#![allow(rustdoc::invalid_html_tags, reason = "these comments are the help texts, which are not HTML")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use flexledger_replay::export::Format;

use crate::config::Flags;

/// An event-sourced double-entry ledger.
#[derive(Debug, Parser)]
#[command(name = "flexledger", version, about, max_term_width = 110)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub common: Common,
    /// What to do; `serve` when nothing is said.
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

/// Options of every verb.
#[derive(Debug, Args)]
pub struct Common {
    /// The data directory [default: ./flexledger-data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data: Option<String>,
    /// The configuration file [default: flexledger.toml, if it is there]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the log lives [default: sqlite:<data>/events.db]
    #[arg(long, global = true, value_name = "URL")]
    pub events: Option<String>,
    /// Where the views live [default: sqlite:<data>/views.db]
    #[arg(long, global = true, value_name = "URL")]
    pub views: Option<String>,
    /// Where HTTP is served, or the running server is [default: 127.0.0.1:8080]
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// One JSON document (or JSON lines) on standard output, nothing else
    #[arg(long, global = true)]
    pub json: bool,
}

impl Common {
    /// What stands on the command line, by the names of the settings.
    pub fn flags(&self) -> Flags {
        let given = [("data", &self.data), ("events", &self.events), ("views", &self.views), ("listen", &self.listen)];
        given.into_iter().filter_map(|(name, value)| value.clone().map(|value| (name, value))).collect()
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Serve the API, the operator surface and the clocks
    Serve(Serve),
    /// Serve a fresh development ledger with a sample world in it, and print what to try
    Demo,
    /// Print events, newest last
    Log(Log),
    /// Answer a view as it was at a position or an instant
    AsOf(AsOf),
    /// Show everything about one payment: commands, events, postings, view rows, webhooks, settlement
    Explain(Explain),
    /// Show what changed between two moments, and which events did it
    Diff(Diff),
    /// Find the first event after which an assertion fails
    Bisect(Bisect),
    /// Print the signed head of the log
    Head(Head),
    /// Check the log: chain, gaps, journals, sums
    Verify(Verify),
    /// Make views again beside the live ones, compare, and switch when they are equal
    Rebuild(Rebuild),
    /// Compare the views with what the log gives
    Reconcile(Views),
    /// Write the log to standard output: for another store, for spreadsheets, for plain-text accounting
    Export(Export),
    /// Take an export into an empty store, checking every hash
    Import(Import),
    /// Call the operator surface of a running server
    #[command(subcommand)]
    Operator(Operator),
    /// Measure, on this machine
    Bench(Bench),
}

/// What is served.
#[derive(Debug, Default, Args)]
pub struct Serve {
    /// Serve the ledger as it was, for reading only: a log position or an instant
    #[arg(long, value_name = "T")]
    pub as_of: Option<String>,
}

/// Which events are printed.
#[derive(Debug, Args)]
pub struct Log {
    /// The first position
    #[arg(long, value_name = "P", default_value_t = 1)]
    pub from: u64,
    /// The last position [default: the newest]
    #[arg(long, value_name = "P")]
    pub to: Option<u64>,
    /// Only events of this entity, such as transaction/<reference>
    #[arg(long, value_name = "E")]
    pub entity: Option<String>,
    /// Only events of this kind, such as transaction.accepted
    #[arg(long, value_name = "K")]
    pub kind: Option<String>,
}

/// What is asked of the past.
#[derive(Debug, Args)]
pub struct AsOf {
    /// A log position, or an instant such as 2026-03-01T23:59:00Z
    #[arg(value_name = "T")]
    pub moment: String,
    /// wallets, statement, tags, settlement, transactions, balances or trial-balance
    pub view: String,
    /// The application, tag, date or reference
    pub key: Option<String>,
    /// The currency of a statement [default: NGN]
    #[arg(long, value_name = "CODE")]
    pub currency: Option<String>,
    /// Where a list goes on, as it said itself
    #[arg(long, value_name = "NEXT")]
    pub from: Option<String>,
    /// Rows of a page, 1 to 1000 [default: 100]
    #[arg(long, value_name = "N")]
    pub limit: Option<String>,
}

/// Which payment is explained.
#[derive(Debug, Args)]
pub struct Explain {
    /// Its reference
    #[arg(value_name = "REF")]
    pub reference: String,
}

/// Which moments are compared.
#[derive(Debug, Args)]
pub struct Diff {
    /// The earlier moment: a log position or an instant
    #[arg(value_name = "T1")]
    pub from: String,
    /// The later moment
    #[arg(value_name = "T2")]
    pub to: String,
}

/// What is asserted.
#[derive(Debug, Args)]
pub struct Bisect {
    /// Such as 'wallet <application id> NGN balance >= 0', 'wallets NGN balance > -1000',
    /// 'transactions <reference> status != REJECTED' or 'trial-balance NGN debit = credit'. A wallet is judged from its
    /// first booking on, a payment from when it was initiated; what is unknown at the end is an error
    #[arg(long, value_name = "ASSERTION")]
    pub assert: String,
    /// Look no further than this moment [default: the end of the log]
    #[arg(long, value_name = "T")]
    pub to: Option<String>,
}

/// What of the head is printed.
#[derive(Debug, Args)]
pub struct Head {
    /// Print the key that checks signed heads instead
    #[arg(long)]
    pub key: bool,
}

/// How far is checked.
#[derive(Debug, Args)]
pub struct Verify {
    /// Also prove that nothing before this saved head was changed or cut off
    #[arg(long, value_name = "FILE")]
    pub head: Option<PathBuf>,
    /// Check this export instead of the log of the data directory; with --head, that it holds what the head names
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// The key that the head must be signed with, as `flexledger head --key` prints it
    #[arg(long, value_name = "VKEY", requires = "bundle", requires = "head")]
    pub key: Option<String>,
}

/// Which views are meant.
#[derive(Debug, Args)]
pub struct Views {
    /// Names of views [default: all]
    #[arg(value_name = "VIEW")]
    pub names: Vec<String>,
}

/// What is rebuilt, and when it is used.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// Which views
    #[command(flatten)]
    pub which: Views,
    /// Use the rebuilt views even if they differ from the live ones
    #[arg(long)]
    pub accept_differences: bool,
}

/// What is exported.
#[derive(Debug, Args)]
pub struct Export {
    /// jsonl (the only one that `import` takes), csv, hledger, beancount or ledger
    #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
    pub format: Format,
    /// The first position
    #[arg(long, value_name = "P", default_value_t = 1)]
    pub from: u64,
    /// The last position [default: the newest]
    #[arg(long, value_name = "P", conflicts_with = "as_of")]
    pub to: Option<u64>,
    /// The log as it was at this position or instant
    #[arg(long, value_name = "T")]
    pub as_of: Option<String>,
}

/// What is imported.
#[derive(Debug, Args)]
pub struct Import {
    /// What `export --format jsonl` wrote, whole; a file, for it is read twice
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
}

/// Calls to a running server.
#[derive(Debug, Subcommand)]
pub enum Operator {
    /// Where the log, the views and the writer stand
    Status,
    /// Let a merchant ask for payments to a tag; its key is shown here only
    AddMerchant {
        /// What the merchant is called
        name: String,
        /// The tag that is paid
        tag: String,
        /// Answer as before when the call is repeated under this key
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Let somebody read the audit surface, and nothing else
    AddAuditor {
        /// Who it is
        name: String,
        /// Answer as before when the call is repeated under this key
        #[arg(long, value_name = "KEY")]
        idempotency_key: Option<String>,
    },
    /// Take an auditor's token back
    RemoveAuditor {
        /// The id that `add-auditor` answered
        id: String,
    },
    /// Make the personal text of a subject unreadable, for ever
    Erase {
        /// The subject's id
        subject: String,
    },
}

/// What is measured, and how much of it.
#[derive(Debug, Args)]
pub struct Bench {
    /// What to measure
    #[arg(value_enum)]
    pub which: Which,
    /// Every payment between the same two applications (http)
    #[arg(long)]
    pub hot: bool,
    /// One application has a webhook receiver that never answers (http)
    #[arg(long)]
    pub deaf_receiver: bool,
    /// How long each round runs (ceiling, http)
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub seconds: u64,
    /// How often what is measured and its reference take turns; how often a log is verified (audit)
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u64).range(1..=20))]
    pub rounds: u64,
    /// Two-step payments (engine, views, audit, restart)
    #[arg(long, value_name = "N", default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(100..=100_000_000))]
    pub payments: u64,
    /// Keep-alive connections (ceiling, http)
    #[arg(long, value_name = "N", default_value_t = 64, value_parser = clap::value_parser!(u64).range(1..=1024))]
    pub connections: u64,
    /// Commands in flight (engine)
    #[arg(long, value_name = "N", default_value_t = 8192, value_parser = clap::value_parser!(u64).range(1..=65536))]
    pub in_flight: u64,
}

/// The benches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// The HTTP stack alone, answering at once: the reference of `http`
    Ceiling,
    /// Initiate and accept over HTTP
    Http,
    /// Plain file appends with one fdatasync per batch: the reference of `engine`
    Floor,
    /// Initiate and accept in process
    Engine,
    /// Rebuild of all views
    Views,
    /// Verify, a rebuild beside a server, pages of the past, proofs and servers of the past, on a long log
    Audit,
    /// Start on a long log, with and without a snapshot
    Restart,
    /// All of them
    All,
}

/// Prints what is wrong with the command line, or the help that was asked for.
pub fn refuse(error: &clap::Error) -> ExitCode {
    // Without a terminal to tell there is nothing left to do but the exit status.
    let _told = error.print();
    if error.use_stderr() { ExitCode::from(2) } else { ExitCode::SUCCESS }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn common_options_stand_before_or_behind_the_verb() {
        let cli = Cli::try_parse_from(["flexledger", "--data", "a", "log", "--events", "sqlite:b", "--json"]);
        let cli = cli.expect("valid");
        assert!(cli.common.json);
        assert_eq!(cli.common.flags(), vec![("data", "a".to_owned()), ("events", "sqlite:b".to_owned())]);
    }
}
