//! Connections with a thread of their own, to which work is handed as a whole.
//!
//! Whoever reads or writes many rows does so in one visit to the thread, on the rows where they lie: the asynchronous
//! driver would carry every row, or every few hundred, from thread to thread, which costs more than the rows do.

use tokio::sync::{mpsc, oneshot};

use crate::ViewError;

type Job<C> = Box<dyn FnOnce(&mut C) + Send>;

/// The way to what lies in the thread: a connection, or some. When it is dropped, they are closed after the job that is
/// under way; what is in an open transaction is taken back.
pub(super) struct Desk<C> {
    jobs: mpsc::Sender<Job<C>>,
    /// Resolves when the connections are closed.
    closed: oneshot::Receiver<()>,
}

impl<C: 'static> Desk<C> {
    /// Opens what shall lie in a thread of this name.
    pub async fn open(
        thread: &str,
        open: impl FnOnce() -> rusqlite::Result<C> + Send + 'static,
    ) -> Result<Desk<C>, ViewError> {
        let (jobs, mut waiting) = mpsc::channel::<Job<C>>(1);
        let (opened, result) = oneshot::channel();
        let (closing, closed) = oneshot::channel();
        let serve = move || {
            let mut lying = match open() {
                Ok(lying) => lying,
                Err(error) => {
                    // An opener that is gone needs no error.
                    let _gone = opened.send(Err(error));
                    return;
                }
            };
            let _gone = opened.send(Ok(()));
            while let Some(job) = waiting.blocking_recv() {
                job(&mut lying);
            }
            drop(lying);
            let _gone = closing.send(());
        };
        let spawned = std::thread::Builder::new().name(thread.to_owned()).spawn(serve);
        spawned.map_err(|error| ViewError::Database(error.into()))?;
        result.await.map_err(|_| lost())??;
        Ok(Desk { jobs, closed })
    }

    /// Does `work` there. It is done to its end even if nobody waits for it any more.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut C) -> Result<T, ViewError> + Send + 'static,
    ) -> Result<T, ViewError> {
        let (answer, answered) = oneshot::channel();
        let job: Job<C> = Box::new(move |lying| {
            let _gone = answer.send(work(lying));
        });
        self.jobs.send(job).await.map_err(|_| lost())?;
        answered.await.map_err(|_| lost())?
    }

    /// Closes the connections and waits for that.
    pub async fn close(self) {
        drop(self.jobs);
        // A thread that is lost has closed them, too.
        let _lost = self.closed.await;
    }
}

/// The thread ended in the middle of a job.
fn lost() -> ViewError {
    ViewError::Database(sqlx::Error::WorkerCrashed)
}
