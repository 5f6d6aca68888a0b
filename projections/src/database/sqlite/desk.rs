//! A connection with a thread of its own, to which work is handed as a whole.
//!
//! Whoever reads or writes many rows does so in one visit to the thread, on the rows where they lie: the asynchronous
//! driver would carry every row, or every few hundred, from thread to thread, which costs more than the rows do.

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use crate::ViewError;

type Job = Box<dyn FnOnce(&mut Connection) + Send>;

/// The way to one connection. When it is dropped, the connection is closed after the job that is under way; what is in
/// an open transaction is taken back.
pub(super) struct Desk {
    jobs: mpsc::Sender<Job>,
    /// Resolves when the connection is closed.
    closed: oneshot::Receiver<()>,
}

impl Desk {
    /// Opens a connection in a thread of this name.
    pub async fn open(
        thread: &str,
        open: impl FnOnce() -> rusqlite::Result<Connection> + Send + 'static,
    ) -> Result<Desk, ViewError> {
        let (jobs, mut waiting) = mpsc::channel::<Job>(1);
        let (opened, result) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let serve = move || {
            let mut connection = match open() {
                Ok(connection) => connection,
                Err(error) => {
                    // An opener that is gone needs no error.
                    let _gone = opened.send(Err(error));
                    return;
                }
            };
            let _gone = opened.send(Ok(()));
            while let Some(job) = waiting.blocking_recv() {
                job(&mut connection);
            }
            drop(connection);
            let _gone = closing.send(());
        };
        let spawned = std::thread::Builder::new().name(thread.to_owned()).spawn(serve);
        spawned.map_err(|error| ViewError::Database(error.into()))?;
        result.await.map_err(|_| lost())??;
        Ok(Desk { jobs, closed })
    }

    /// Does `work` on the connection. It is done to its end even if nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let _gone = answer.send(work(connection));
        });
        self.jobs.send(job).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }

    /// Closes the connection and waits for that.
    pub async fn close(self) {
        drop(self.jobs);
        // A thread that is lost has closed its connection, too.
        let _lost = self.closed.await;
    }
}

/// The thread ended in the middle of a job.
fn lost() -> ViewError {
    ViewError::Database(sqlx::Error::WorkerCrashed)
}
