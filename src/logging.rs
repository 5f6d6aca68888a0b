//! Log lines to standard error, without ever making a request wait for whoever reads them.
//!
//! Lines go through a bounded queue to a thread of their own. When the reader of standard error falls behind, lines are
//! dropped and counted; the count is written as soon as there is room again.

use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use crate::failure::Failure;

/// Lines waiting at most.
const LINES_MAX: usize = 16_384;
/// How long the end of the program waits for the last lines.
const LAST_LINES: Duration = Duration::from_secs(1);

/// Keeps the log going; its end waits a little for the last lines.
pub struct Logging {
    ended: Receiver<()>,
    queue: SyncSender<Option<Vec<u8>>>,
}

/// Starts the log.
pub fn start(filter: &str) -> Result<Logging, Failure> {
    let filter = EnvFilter::try_new(filter).map_err(|error| Failure::Usage(format!("log.filter: {error}")))?;
    let (queue, lines) = sync_channel(LINES_MAX);
    let (ending, ended) = sync_channel(1);
    let dropped = Arc::new(AtomicU64::new(0));
    let writer = Lines { queue: queue.clone(), dropped: dropped.clone() };
    std::thread::Builder::new().name("log-lines".to_owned()).spawn(move || {
        write(&lines, &dropped);
        // Nobody may be waiting any more.
        let _told = ending.send(());
    })?;
    let started = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        .with_ansi(std::io::stderr().is_terminal())
        .try_init();
    started.map_err(|error| Failure::Usage(format!("log: {error}")))?;
    Ok(Logging { ended, queue })
}

impl Drop for Logging {
    fn drop(&mut self) {
        // With a full queue and no reader the last lines are lost, as those before them.
        if self.queue.try_send(None).is_ok() {
            let _in_time: Result<(), RecvTimeoutError> = self.ended.recv_timeout(LAST_LINES);
        }
    }
}

/// Hands whole lines to the queue.
struct Lines {
    queue: SyncSender<Option<Vec<u8>>>,
    dropped: Arc<AtomicU64>,
}

/// One line on its way.
struct Line<'a>(&'a Lines);

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self)
    }
}

impl Write for Line<'_> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        if self.0.queue.try_send(Some(line.to_vec())).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes lines until the end is asked for. Standard error is locked per line: others may write to it, too.
fn write(lines: &Receiver<Option<Vec<u8>>>, dropped: &AtomicU64) {
    while let Ok(Some(line)) = lines.recv() {
        let lost = dropped.swap(0, Ordering::Relaxed);
        let mut out = std::io::stderr().lock();
        // When standard error is gone there is nobody left to tell.
        let _written = out.write_all(&line);
        if lost > 0 {
            let _written = writeln!(out, "WARN log.lines_dropped: {lost} lines; standard error is read too slowly");
        }
    }
}
