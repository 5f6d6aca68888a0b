//! `log`: prints events.

use std::io::Write;
use std::process::ExitCode;

use flexledger_domain::{Entity, Position};
use flexledger_eventstore::{Record, Walk, record};
use flexledger_replay::show;

use super::open;
use crate::cli;
use crate::config::Config;
use crate::failure::Failure;

/// Prints the events asked for, oldest first.
pub async fn run(config: &Config, options: &cli::Log, json: bool) -> Result<ExitCode, Failure> {
    let entity = options.entity.as_deref().map(entity).transpose()?;
    let (after, until) = range(options)?;
    let store = open::reader(config).await?;
    let head = store.head().await.map_err(|error| open::unreadable(&error))?.position;
    // What is asked for by default is never too much, also of an empty log.
    let from = options.from > 1 && Position::new(options.from) > head;
    if from || options.to.is_some_and(|to| Position::new(to) > head) {
        return Err(Failure::Found(format!("the log ends at {head}")));
    }
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut walk = Walk::records(store, after, until.min(head));
    while let Some(records) = walk.portion().await.map_err(|error| open::unreadable(&error))? {
        for stored in &records {
            let written = print(stored, options, entity, json, &mut out)?;
            if let Err(error) = written {
                return closed(&error);
            }
        }
    }
    match out.flush() {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(error) => closed(&error),
    }
}

/// A reader such as `head` that has seen enough is no failure.
fn closed(error: &std::io::Error) -> Result<ExitCode, Failure> {
    match error.kind() {
        std::io::ErrorKind::BrokenPipe => Ok(ExitCode::SUCCESS),
        _ => Err(Failure::Usage(format!("output: {error}"))),
    }
}

fn entity(text: &str) -> Result<Entity, Failure> {
    text.parse().map_err(|_| {
        let problem = format!("--entity {text}: no entity");
        Failure::Usage(Failure::hint(
            problem,
            "Write it as in the log, for example tag/<id> or transaction/<reference>.",
        ))
    })
}

fn range(options: &cli::Log) -> Result<(Position, Position), Failure> {
    let until = options.to.map_or(Position::MAX, Position::new);
    if options.from == 0 || Position::new(options.from) > until {
        return Err(Failure::Usage("--from must be 1 or more, and not beyond --to".to_owned()));
    }
    Ok((Position::new(options.from).previous(), until))
}

fn print(
    stored: &Record,
    options: &cli::Log,
    entity: Option<Entity>,
    json: bool,
    out: &mut impl Write,
) -> Result<std::io::Result<()>, Failure> {
    let damaged = |_| {
        let problem = format!("the row at position {} is no event", stored.position);
        Failure::Store(Failure::hint(problem, "Run `flexledger verify`."))
    };
    let event = record::decode(&stored.bytes).map_err(damaged)?;
    let kind = event.event.kind();
    if options.kind.as_deref().is_some_and(|wanted| wanted != kind)
        || entity.is_some_and(|wanted| wanted != event.event.entity())
    {
        return Ok(Ok(()));
    }
    if json {
        let document = show::event(stored).map_err(damaged)?;
        let written = serde_json::to_writer(&mut *out, &document).map_err(std::io::Error::from);
        return Ok(written.and_then(|()| out.write_all(b"\n")));
    }
    let (at, entity) = (event.recorded_at, event.event.entity());
    Ok(writeln!(out, "{:>9}  {at}  {kind:<26}  {entity:<52}  {}", stored.position, event.actor))
}
