//! One writer per log: a lock that the operating system gives back when its holder dies, however it dies.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flexledger_domain::Instant;

use crate::port::StoreError;

/// How much of a holder's text is shown.
const HOLDER_BYTES_MAX: u64 = 500;

/// The right to write one log. Given back when dropped.
#[derive(Debug)]
pub struct WriterLock {
    _file: File,
}

impl WriterLock {
    /// Takes the right, and leaves `holder` in `<log>.lock` for those who come later.
    ///
    /// # Errors
    /// [`StoreError::Held`] with the text of the present holder; [`StoreError::File`] when the lock file cannot be used.
    pub fn take(log: &Path, holder: &str) -> Result<Self, StoreError> {
        let path = lock_path(log);
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StoreError::Held(present_holder(&mut file))),
            Err(TryLockError::Error(error)) => return Err(error.into()),
        }
        // The text is for people; a full disk must not keep the log from being opened.
        if let Err(error) = leave_text(&mut file, holder) {
            tracing::warn!(name: "eventstore.lock.unnamed", %error, "the writer could not leave its name");
        }
        Ok(WriterLock { _file: file })
    }
}

/// How this process names itself to a second writer: process id, host and the time of asking.
#[must_use]
pub fn this_process() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let host = if host.trim().is_empty() { "this host" } else { host.trim() };
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let since = Instant::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    format!("process {} on {host} since {since}", std::process::id())
}

fn lock_path(log: &Path) -> PathBuf {
    let mut name = log.as_os_str().to_owned();
    name.push(".lock");
    name.into()
}

fn leave_text(file: &mut File, holder: &str) -> std::io::Result<()> {
    file.set_len(0)?;
    file.seek(SeekFrom::Start(0))?;
    file.write_all(holder.as_bytes())
}

fn present_holder(file: &mut File) -> String {
    let mut text = String::new();
    let read = file.take(HOLDER_BYTES_MAX).read_to_string(&mut text);
    if read.is_err() || text.trim().is_empty() { "another writer".to_owned() } else { text.trim().to_owned() }
}
