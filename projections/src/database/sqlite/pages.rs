//! Putting the pages of one file in the place of another's, in one transaction.

use std::path::{Path, PathBuf};

use rusqlite::backup::{Backup, StepResult};
use rusqlite::{Connection, OpenFlags, ffi};
use tokio::sync::oneshot;

use super::writer;
use crate::ViewError;

/// Tries to get the right to write; each waits up to 5 s.
const TRIES: u32 = 6;

/// The right to write a database, held in a thread of its own. Dropped, it is given back, and nothing is changed.
pub(crate) struct Pages {
    go: oneshot::Sender<()>,
    done: oneshot::Receiver<rusqlite::Result<()>>,
}

impl Pages {
    /// Takes the right to write the database at `to`, which shall get the pages of the one at `from`. `None` if it cannot
    /// have them, for its pages are of another size.
    pub async fn hold(from: &Path, to: &Path) -> Result<Option<Pages>, ViewError> {
        let (from, to) = (from.to_owned(), to.to_owned());
        let (held, holding) = oneshot::channel();
        let (go, told) = oneshot::channel();
        let (ended, done) = oneshot::channel();
        let copy = move || {
            let copied = copy(&from, &to, held, told);
            // Who gave it up asks for no result.
            let _gone = ended.send(copied);
        };
        let spawned = std::thread::Builder::new().name("views-switch".to_owned()).spawn(copy);
        spawned.map_err(|error| ViewError::Database(error.into()))?;
        if holding.await.is_ok() {
            return Ok(Some(Pages { go, done }));
        }
        match done.await.map_err(|_| lost())? {
            Err(rusqlite::Error::SqliteFailure(error, _)) if error.extended_code == ffi::SQLITE_READONLY => Ok(None),
            Err(error) => Err(error.into()),
            Ok(()) => Err(lost()),
        }
    }

    /// Copies all pages and commits.
    pub async fn commit(self) -> Result<(), ViewError> {
        self.go.send(()).map_err(|()| lost())?;
        Ok(self.done.await.map_err(|_| lost())??)
    }

    /// Gives the right back, and waits for that.
    pub async fn release(self) {
        drop(self.go);
        // A thread that is lost holds nothing.
        let _lost = self.done.await;
    }
}

/// Holds the right until told to go on; both files are closed when this returns.
fn copy(from: &PathBuf, to: &Path, held: oneshot::Sender<()>, go: oneshot::Receiver<()>) -> rusqlite::Result<()> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let source = Connection::open_with_flags(from, flags)?;
    let mut target = writer::connect(to, true)?;
    let copied = copy_into(&source, &mut target, held, go);
    if copied.is_err() {
        // What was written in vain may fill the disk. Where that fails as well, the next writer does it.
        let _later = target.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
    }
    copied
}

fn copy_into(
    source: &Connection,
    target: &mut Connection,
    held: oneshot::Sender<()>,
    go: oneshot::Receiver<()>,
) -> rusqlite::Result<()> {
    let backup = Backup::new(source, target)?;
    let mut tries = 1;
    // A step over no pages takes the right to write.
    while backup.step(0)? != StepResult::More {
        if tries == TRIES {
            return Err(busy());
        }
        tries += 1;
    }
    if held.send(()).is_err() || go.blocking_recv().is_err() {
        return Ok(());
    }
    // All at once, for reading the source is one moment in one step only.
    if backup.step(-1)? == StepResult::Done { Ok(()) } else { Err(busy()) }
}

fn busy() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_BUSY), None)
}

/// The thread ended in the middle of it.
fn lost() -> ViewError {
    ViewError::Database(sqlx::Error::WorkerCrashed)
}
