//! `reconcile` and `rebuild`: the views compared with the log, and made again from it.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use flexledger_commands::clock::{Clock, SystemClock};
use flexledger_eventstore::{EventStore, Place};
use flexledger_replay::reconcile::{DIFFERENCES_MAX, Reconcile, ReconcileError, Report, rebuild, reconcile};

use super::{open, shutdown};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::{self, Progress};

/// Differences of a view that a person is shown.
const SHOWN: usize = 5;

/// Compares the views with what the log gives.
pub async fn compare(config: &Config, options: &cli::Views, json: bool) -> Result<ExitCode, Failure> {
    let mut bar = Progress::for_job("events", json);
    let mut show = |done, all| bar.show(done, all);
    let job = job(config, options, &mut show).await?;
    there(config)?;
    let report = stoppable(reconcile(job)).await;
    drop(bar);
    let report = report?.map_err(|error| failed(&error))?;
    print(&report, json)?;
    if !json && !report.ok {
        eprintln!("\nThe views are not what the log says. `flexledger rebuild --accept-differences` makes them so.");
    }
    Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Makes the views again, compares, and switches.
pub async fn run(config: &Config, options: &cli::Rebuild, json: bool) -> Result<ExitCode, Failure> {
    let mut bar = Progress::for_job("events", json);
    let mut show = |done, all| bar.show(done, all);
    let job = job(config, &options.which, &mut show).await?;
    let done = stoppable(rebuild(job, options.accept_differences)).await;
    drop(bar);
    let (report, switched) = done?.map_err(|error| failed(&error))?;
    print(&report, json)?;
    if !json {
        eprintln!(
            "\n{}",
            match (report.ok, switched) {
                (true, _) => "The rebuilt views are equal and in use.",
                (false, true) => "The rebuilt views are in use.",
                (false, false) =>
                    "The live views stay as they are. With --accept-differences the rebuilt ones are used.",
            }
        );
    }
    Ok(if switched { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

/// Compares the views with the log again and again, beside the server that keeps them.
pub async fn scheduled(config: Config, store: Arc<dyn EventStore>, every: Duration) {
    loop {
        tokio::time::sleep(every).await;
        let mut quiet = |_, _| {};
        let job = Reconcile {
            store: store.clone(),
            views_url: config.views_place().url(),
            folder: config.data.clone(),
            views: Vec::new(),
            kept: config.views_kept(),
            now: SystemClock.now(),
            progress: &mut quiet,
        };
        match reconcile(job).await {
            Ok(report) if report.ok => tracing::info!(position = report.position, "reconcile.equal"),
            Ok(report) => {
                let views: Vec<_> = report.views.iter().filter(|view| !view.ok).map(|view| view.name).collect();
                tracing::error!(position = report.position, ?views, "reconcile.different: run `flexledger reconcile`");
            }
            Err(error) => tracing::error!(%error, "reconcile.failed"),
        }
    }
}

/// Refuses to compare views that nobody has made yet.
fn there(config: &Config) -> Result<(), Failure> {
    match config.views_place() {
        Place::Sqlite(path) if !path.exists() => {
            let next = "`flexledger serve` makes them, and so does `flexledger rebuild --accept-differences`.";
            Err(Failure::Store(Failure::hint(format!("there are no views yet at {}", path.display()), next)))
        }
        _ => Ok(()),
    }
}

async fn job<'a>(
    config: &Config,
    options: &cli::Views,
    progress: &'a mut (dyn FnMut(u64, u64) + Send),
) -> Result<Reconcile<'a>, Failure> {
    let store = open::reader(config).await?;
    open::data_directory(&config.data)?;
    Ok(Reconcile {
        store,
        views_url: config.views_place().url(),
        folder: config.data.clone(),
        views: options.names.clone(),
        kept: config.views_kept(),
        now: SystemClock.now(),
        progress,
    })
}

/// Broken off by the operator, the work stands where it stood; the next run goes on.
async fn stoppable<T>(work: impl Future<Output = T>) -> Result<T, Failure> {
    let end = shutdown::requested()?;
    tokio::select! {
        done = work => Ok(done),
        () = end => Err(Failure::Found(Failure::hint("stopped before the end", "Run it again; it goes on from here."))),
    }
}

fn failed(error: &ReconcileError) -> Failure {
    match error {
        ReconcileError::Unknown(..) => Failure::Usage(error.to_string()),
        ReconcileError::Running | ReconcileError::Moved => Failure::Store(error.to_string()),
        ReconcileError::Damaged(_) => Failure::Store(error.to_string()),
        ReconcileError::View(_) | ReconcileError::Log(_) | ReconcileError::File(_) => {
            Failure::Store(Failure::hint(error, next(error)))
        }
    }
}

/// What to do about an error.
fn next(error: &ReconcileError) -> &'static str {
    let told = error.to_string();
    let says = |part: &str| told.contains(part);
    match error {
        ReconcileError::View(view) if view.is_full() => FULL,
        ReconcileError::File(file) if file.kind() == std::io::ErrorKind::StorageFull => FULL,
        _ if says("readonly") || says("read-only") || says("Read-only") => {
            "--data must be writable, and --views too for a rebuild. The live views are as they were."
        }
        _ => "Check --views, and run `flexledger verify`. Views that cannot be opened can be removed and rebuilt.",
    }
}

const FULL: &str = "Free some space and run it again: next to the live views it needs as much as they take, and a rebuild \
                    of SQLite views twice that. The live views are as they were.";

fn print(report: &Report, json: bool) -> Result<(), Failure> {
    if json {
        return output::document(report);
    }
    let word = |ok: bool| if ok { "equal" } else { "DIFFERENT" };
    let row = |view: &flexledger_replay::reconcile::ViewReport| {
        let count = view.differences.len();
        let more = if count == DIFFERENCES_MAX { "+" } else { "" };
        vec![view.name.to_owned(), word(view.ok).to_owned(), view.rows.to_string(), format!("{count}{more}")]
    };
    let rows: Vec<_> = report.views.iter().map(row).collect();
    output::table(&["view", "result", "rows", "differences"], &rows)?;
    println!("\nposition {}", report.position);
    for view in report.views.iter().filter(|view| !view.ok) {
        println!("\n{}", view.name);
        for difference in view.differences.iter().take(SHOWN) {
            let first = difference.first_position.map_or_else(|| "-".to_owned(), |at| at.to_string());
            println!("  {} (first event {first})", difference.key);
            println!("    live     {}\n    rebuilt  {}", difference.live, difference.rebuilt);
        }
        if view.differences.len() > SHOWN {
            println!("  … more with --json");
        }
    }
    Ok(())
}
