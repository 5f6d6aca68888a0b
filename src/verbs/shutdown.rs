//! The wish of the operator that the program ends.

use crate::failure::Failure;

/// Listens for SIGINT and SIGTERM from now on; the future is done at the first of them.
#[cfg(unix)]
pub fn requested() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Listens for Ctrl-C from now on.
#[cfg(not(unix))]
pub fn requested() -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    Ok(async {
        // Without a signal there is nothing to wait for but the end of the process.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    })
}
