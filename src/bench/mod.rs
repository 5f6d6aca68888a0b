//! The load generator behind every published figure.
//!
//! Each bench prints what it measured and the reference of the same run; rounds of the two alternate, so that a machine
//! that is slower for a while is slower for both. Everything is durable before it is acknowledged.

mod audit;
mod ceiling;
mod client;
mod engine;
mod histogram;
mod http;
mod load;
mod past;
mod rebuild;
mod report;
mod restart;
mod views;
mod world;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tempfile::TempDir;

use crate::cli::{Bench, Which};
use crate::config::{Config, Place};
use crate::failure::Failure;
use crate::verbs::shutdown;

/// Runs one bench, or all, in a folder of its own beside the data directory. The folder is removed at the end.
pub async fn run(config: &Config, options: &Bench, json: bool) -> Result<ExitCode, Failure> {
    let end = shutdown::requested()?;
    let folder = scratch(&config.data)?;
    let ground = Ground::new(folder.path(), config, options)?;
    tokio::select! {
        done = measure(&ground, options, json) => done.map(|()| ExitCode::SUCCESS),
        () = end => Err(Failure::Usage("stopped before the end".to_owned())),
    }
}

async fn measure(ground: &Ground<'_>, options: &Bench, json: bool) -> Result<(), Failure> {
    let folder = ground.folder;
    match options.which {
        Which::Ceiling => http::ceiling(ground, options).await?.print(json),
        Which::Http => http::http(ground, options, options.hot).await?.measured.print(json),
        Which::Floor => engine::floor_alone(ground, options).await?.print(json),
        Which::Engine => engine::engine(ground, options).await?.measured.print(json),
        Which::Views => {
            engine::fill_log(ground, options).await?;
            views::rebuild(folder).await?.print(json)
        }
        Which::Audit => {
            engine::fill_log(ground, options).await?;
            views::rebuild(folder).await?.print(json)?;
            audits(folder, options, json).await
        }
        Which::Restart => {
            engine::fill_log(ground, options).await?;
            views::rebuild(folder).await?;
            restart::restart(folder).await?.print(json)
        }
        Which::All => all(folder, options, json).await,
    }
}

async fn all(folder: &Path, options: &Bench, json: bool) -> Result<(), Failure> {
    let part = |name: &str| -> Result<PathBuf, Failure> {
        let path = folder.join(name);
        std::fs::create_dir(&path)?;
        Ok(path)
    };
    let http = http::http(&Ground::plain(&part("http")?), options, false).await?;
    http.reference.print(json)?;
    http.measured.print(json)?;
    http::http(&Ground::plain(&part("hot")?), options, true).await?.measured.print(json)?;
    let long = part("engine")?;
    let engine = engine::engine(&Ground::plain(&long), options).await?;
    engine.reference.print(json)?;
    engine.measured.print(json)?;
    views::rebuild(&long).await?.print(json)?;
    audits(&long, options, json).await?;
    restart::restart(&long).await?.print(json)
}

/// What auditors and reconciliation jobs wait for.
async fn audits(folder: &Path, options: &Bench, json: bool) -> Result<(), Failure> {
    rest(folder)?;
    audit::verify(folder, options.rounds).await?.print(json)?;
    rebuild::rebuild(folder).await?.print(json)?;
    audit::audit(folder).await?.iter().try_for_each(|document| document.print(json))?;
    past::past(folder).await?.iter().try_for_each(|document| document.print(json))
}

/// Waits until the disk has what was written so far, so that the next bench does not pay for the one before.
fn rest(folder: &Path) -> Result<(), Failure> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            rest(&path)?;
        } else {
            std::fs::File::open(&path)?.sync_all()?;
        }
    }
    Ok(())
}

/// Where a bench works: a folder of its own, and databases for it if others than files in the folder were named.
pub struct Ground<'a> {
    /// The folder.
    pub folder: &'a Path,
    events: Option<Place>,
    views: Option<Place>,
}

impl<'a> Ground<'a> {
    fn new(folder: &'a Path, config: &Config, options: &Bench) -> Result<Self, Failure> {
        let (events, views) = (config.events.clone(), config.views.clone());
        if (events.is_some() || views.is_some()) && !matches!(options.which, Which::Http | Which::Engine) {
            let problem = "a database can be named for the benches http and engine only";
            return Err(Failure::Usage(Failure::hint(problem, "Leave --events and --views out for the others.")));
        }
        Ok(Ground { folder, events, views })
    }

    fn plain(folder: &'a Path) -> Self {
        Ground { folder, events: None, views: None }
    }

    /// The settings of a ledger here.
    pub fn config(&self) -> Config {
        Config {
            data: self.folder.to_owned(),
            events: self.events.clone(),
            views: self.views.clone(),
            ..Config::default()
        }
    }
}

/// What was measured, and its reference of the same run.
pub struct Pair {
    /// The bench itself.
    pub measured: report::Document,
    /// What it is compared with.
    pub reference: report::Document,
}

fn scratch(data: &Path) -> Result<TempDir, Failure> {
    let beside = data.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    tempfile::Builder::new().prefix("flexledger-bench-").tempdir_in(beside).map_err(|error| {
        let problem = format!("no folder can be made in {}: {error}", beside.display());
        Failure::Usage(Failure::hint(problem, "Name a data directory on the disk to be measured with --data."))
    })
}
