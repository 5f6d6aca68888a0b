//! `export`: the log as text on standard output.

use std::io::{BufWriter, ErrorKind};
use std::process::ExitCode;

use flexledger_domain::Position;
use flexledger_eventstore::{EventStore, record};
use flexledger_replay::export::{Export, ExportError, Format, export};
use flexledger_replay::moment::Moment;

use super::{open, past};
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;
use crate::output::Progress;

/// Events read at once in search of the end of a command.
const PORTION: usize = 64;

/// Writes the export.
pub async fn run(config: &Config, options: &cli::Export) -> Result<ExitCode, Failure> {
    let as_of: Option<Moment> =
        options.as_of.as_deref().map(str::parse).transpose().map_err(|error| past::no_moment(&error))?;
    if options.from == 0 || options.to.is_some_and(|to| to < options.from) {
        return Err(Failure::Usage("--from must be 1 or more, and not beyond --to".to_owned()));
    }
    let store = open::reader(config).await?;
    if let Some(moment) = as_of {
        past::settle(store.as_ref(), moment).await?;
    }
    let head = store.head().await.map_err(|error| open::unreadable(&error))?.position;
    // What is asked for by default is never too much, also of an empty log.
    if options.from > 1 && Position::new(options.from) > head {
        return Err(Failure::Found(format!("the log ends at {head}")));
    }
    let to = match (options.to.map(Position::new), as_of) {
        (Some(to), _) if to > head => return Err(Failure::Found(format!("the log ends at {head}"))),
        (Some(to), _) => to,
        (None, Some(at)) => past::position(store.as_ref(), at, head).await?,
        (None, None) => head,
    };
    if options.from > 1 && Position::new(options.from) > to {
        return Err(Failure::Found(format!("the log as it was ended at {to}")));
    }
    let mut bar = Progress::new("events");
    let mut show = |done, all| bar.show(done, all);
    let job = Export {
        store: store.clone(),
        from: Position::new(options.from),
        to,
        format: options.format,
        progress: &mut show,
    };
    let mut out = BufWriter::with_capacity(1 << 16, std::io::stdout().lock());
    let written = export(job, &mut out).await;
    drop(bar);
    match written {
        Ok(()) => {
            if let (Format::Jsonl, Some(end)) = (options.format, goes_on(store.as_ref(), to).await) {
                eprintln!("The last command goes on to {end}; `import` takes whole commands only: export --to {end}");
            }
            Ok(ExitCode::SUCCESS)
        }
        // A reader such as `head` that has seen enough is no failure.
        Err(ExportError::Output(error)) if error.kind() == ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        Err(ExportError::Output(error)) => Err(Failure::Usage(format!("output: {error}"))),
        Err(ExportError::Log(error)) => Err(open::unreadable(&error)),
        Err(error @ (ExportError::Damaged(_) | ExportError::Range(_))) => Err(Failure::Store(error.to_string())),
    }
}

/// Where the command ends that the event at `to` belongs to; none if it ends there, or cannot be told.
async fn goes_on(store: &dyn EventStore, to: Position) -> Option<Position> {
    let (mut command, mut end) = (None, to.previous());
    loop {
        let records = store.read(end, PORTION).await.ok()?;
        for stored in &records {
            let event = record::decode(&stored.bytes).ok()?;
            if *command.get_or_insert(event.command) != event.command {
                return (end > to).then_some(end);
            }
            end = stored.position;
        }
        if records.len() < PORTION {
            return (end > to).then_some(end);
        }
    }
}
