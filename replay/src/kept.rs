//! Copies of all views as they were at earlier positions, so that the past need not be folded from nothing.
//!
//! A copy is the scratch database of a reconcile or rebuild that found no difference: a fold of the log that was compared
//! with the live views and, in the books, with a second fold. It is kept by rename, as `views-<position>.db` with its
//! SHA-256 beside it in `views-<position>.sha256`, in the form that `sha256sum --check` reads. The position is that of
//! the furthest view in it; views may stand at different ones.
//!
//! A copy is a cache. It is never opened where it lies: [`Copy::take`] copies it and checks the digest on the way, so
//! that a damaged file is noticed, and a file that vanishes meanwhile is as good as none. Whether it is of the log in
//! question is seen when it is filled further (`ViewError::OtherLog`).
//!
//! Erased text stays erased: views, and so their copies, hold personal text sealed with the key of its subject only, and
//! the keys stand in the log's store, where erasure destroys them. A copy from before an erasure shows nothing after it.
//!
//! How many are kept is bounded, and which ones stay is told by [`ladder`]: they lie evenly over the log, the newest
//! among them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use flexledger_domain::Position;
use flexledger_eventstore::ladder;
use sha2::{Digest as _, Sha256};

/// Bytes copied at once.
const CHUNK: usize = 1 << 20;
/// What the names of all these files begin with.
const PREFIX: &str = "views-";

/// The folder of the copies, and how many may stay.
#[derive(Debug, Clone)]
pub struct Kept {
    folder: PathBuf,
    most: usize,
}

/// One copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copy {
    /// Where its furthest view stands.
    pub position: Position,
    path: PathBuf,
}

/// The digest of a file, and what the file looked like then.
#[derive(Debug)]
pub struct Digest {
    hex: String,
    of: Look,
}

/// Size and time of the last change.
#[derive(Debug, PartialEq, Eq)]
struct Look(u64, Option<SystemTime>);

impl Look {
    fn at(file: &Path) -> io::Result<Look> {
        let data = file.metadata()?;
        Ok(Look(data.len(), data.modified().ok()))
    }
}

/// Why a copy cannot be used or made.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// It has vanished: another program made room.
    #[error("it is gone")]
    Gone,
    /// It is not what was kept.
    #[error("its content is not what was kept")]
    Damaged,
    /// The database was not closed, so the file alone is not all of it.
    #[error("the database is still open")]
    Open,
    /// A file cannot be used.
    #[error("file: {0}")]
    File(io::Error),
}

impl From<io::Error> for KeptError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::NotFound { KeptError::Gone } else { KeptError::File(error) }
    }
}

impl Kept {
    /// Copies in `folder`, at most `most` of them.
    #[must_use]
    pub fn new(folder: PathBuf, most: usize) -> Self {
        Kept { folder, most }
    }

    /// The copies at or before a position, the nearest first.
    #[must_use]
    pub fn before(&self, at: Position) -> Vec<Copy> {
        let mut copies = self.copies();
        copies.retain(|copy| copy.position <= at);
        copies
    }

    /// The digest that [`Kept::keep`] will need of a file that does not change any more. `None` when no copy is to be
    /// kept.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn digest(&self, file: &Path) -> Result<Option<Digest>, KeptError> {
        if self.most == 0 {
            return Ok(None);
        }
        let of = Look::at(file)?;
        Ok(Some(Digest { hex: copy(File::open(file)?, io::sink())?, of }))
    }

    /// Keeps a closed database of views that stand at `position` or before, by taking the file away from where it is;
    /// makes room for it. False when no copy is to be kept; then the file stays where it is. A digest of what the file
    /// was before it changed is not used.
    ///
    /// Nothing is synced: a copy that a power cut tore does not fit its digest.
    ///
    /// # Errors
    /// [`KeptError`]; the file is where it was then.
    pub fn keep(&self, file: &Path, position: Position, digest: Option<Digest>) -> Result<bool, KeptError> {
        if self.most == 0 || position == Position::START {
            self.tidy(Position::MAX);
            return Ok(false);
        }
        let still_open = |suffix: &str| with_suffix(file, suffix).metadata().is_ok_and(|data| data.len() > 0);
        if still_open("-wal") || still_open("-journal") {
            return Err(KeptError::Open);
        }
        fs::create_dir_all(&self.folder)?;
        let look = Look::at(file)?;
        let digest = match digest.filter(|digest| digest.of == look) {
            Some(digest) => digest.hex,
            None => copy(File::open(file)?, io::sink())?,
        };
        owner_only(file)?;
        let kept = self.folder.join(format!("{PREFIX}{:013}.db", position.number()));
        let (sum, beside) = (kept.with_extension("sha256"), kept.with_extension("sum-new"));
        let name = kept.file_name().unwrap_or_default().to_string_lossy();
        let mut written = private(&beside)?;
        written.write_all(format!("{digest}  {name}\n").as_bytes())?;
        // A copy without a digest that fits is none, so whatever a kill leaves here is passed over.
        fs::rename(&beside, &sum)?;
        fs::rename(file, &kept)?;
        self.tidy(position);
        Ok(true)
    }

    /// The copies, the newest first.
    fn copies(&self) -> Vec<Copy> {
        let copy = |path: PathBuf| {
            let digits = path.file_name()?.to_str()?.strip_prefix(PREFIX)?.strip_suffix(".db")?;
            Some(Copy { position: Position::new(digits.parse().ok()?), path })
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut copies: Vec<_> = entries.filter_map(|entry| copy(entry.path())).collect();
        copies.sort_by_key(|copy| std::cmp::Reverse(copy.position));
        copies
    }

    /// Removes what is too much. Copies beyond `newest` are of a log that has lost its end since; were they counted, they
    /// would take the places of others. Failing to is harmless.
    fn tidy(&self, newest: Position) {
        let mut copies = self.copies();
        copies.retain(|copy| copy.position <= newest);
        let positions: Vec<_> = copies.iter().map(|copy| copy.position).collect();
        let stay = ladder::kept(&positions, self.most);
        copies.retain(|copy| stay.contains(&copy.position));
        let stays = |path: &Path| copies.iter().any(|copy| copy.path == path || copy.sum() == path);
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let ours = entry.file_name().to_string_lossy().starts_with(PREFIX);
            if ours && !stays(&entry.path()) {
                let _stays_for_now = fs::remove_file(entry.path());
            }
        }
    }
}

impl Copy {
    fn sum(&self) -> PathBuf {
        self.path.with_extension("sha256")
    }

    /// Copies it to a new file.
    ///
    /// # Errors
    /// [`KeptError`]; what then stands at `to` is of no use.
    pub fn take(&self, to: &Path) -> Result<(), KeptError> {
        let from = File::open(&self.path)?;
        let said = fs::read_to_string(self.sum())?;
        let digest = copy(from, private(to)?)?;
        if said.split_whitespace().next() == Some(digest.as_str()) { Ok(()) } else { Err(KeptError::Damaged) }
    }
}

/// Copies all bytes and tells their SHA-256 in hex.
fn copy(mut from: impl Read, mut to: impl Write) -> io::Result<String> {
    let mut digest = Sha256::new();
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = from.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        digest.update(bytes);
        to.write_all(bytes)?;
    }
    to.flush()?;
    Ok(digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A fresh file for its owner alone.
fn private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn owner_only(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(folder: &Path, content: &str) -> PathBuf {
        let path = folder.join("rebuild.db");
        fs::write(&path, content).unwrap();
        path
    }

    fn positions(kept: &Kept) -> Vec<u64> {
        kept.before(Position::MAX).iter().map(|copy| copy.position.number()).collect()
    }

    fn taken(copy: &Copy, folder: &Path) -> Result<String, KeptError> {
        let to = folder.join("taken.db");
        copy.take(&to).map(|()| fs::read_to_string(&to).unwrap())
    }

    #[test]
    fn a_copy_is_what_was_kept_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let kept = Kept::new(folder.join("snapshots"), 2);
        assert!(kept.before(Position::MAX).is_empty());
        assert!(
            kept.keep(&file(folder, "rows"), Position::new(7), None).unwrap() && !folder.join("rebuild.db").exists()
        );
        assert!(kept.before(Position::new(6)).is_empty());
        let copy = kept.before(Position::new(7)).pop().unwrap();
        assert_eq!(taken(&copy, folder).unwrap(), "rows");
        #[cfg(unix)]
        for path in [&copy.path, &copy.sum(), &folder.join("taken.db")] {
            let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions());
            assert_eq!(mode & 0o777, 0o600, "{}", path.display());
        }
        fs::write(&copy.path, "raws").unwrap();
        assert!(matches!(taken(&copy, folder), Err(KeptError::Damaged)));
        fs::write(copy.sum(), "").unwrap();
        assert!(matches!(taken(&copy, folder), Err(KeptError::Damaged)));
        fs::remove_file(copy.sum()).unwrap();
        assert!(matches!(taken(&copy, folder), Err(KeptError::Gone)));
        assert!(kept.keep(&file(folder, "again"), Position::new(7), None).unwrap());
        assert_eq!(taken(&copy, folder).unwrap(), "again");
        fs::remove_file(&copy.path).unwrap();
        assert!(matches!(taken(&copy, folder), Err(KeptError::Gone)));
    }

    #[test]
    fn a_digest_of_what_the_file_was_is_not_used() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let kept = Kept::new(folder.join("snapshots"), 2);
        for (content, change) in [("rows", None), ("rows", Some("others"))] {
            let path = file(folder, content);
            let digest = kept.digest(&path).unwrap();
            assert!(digest.is_some());
            if let Some(change) = change {
                fs::write(&path, change).unwrap();
            }
            assert!(kept.keep(&path, Position::new(7), digest).unwrap());
            let copy = kept.before(Position::new(7)).pop().unwrap();
            assert_eq!(taken(&copy, folder).unwrap(), change.unwrap_or(content));
        }
        assert!(Kept::new(folder.join("snapshots"), 0).digest(&file(folder, "rows")).unwrap().is_none());
    }

    #[test]
    fn some_copies_stay_and_nobody_elses_file_is_touched() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let snapshots = folder.join("snapshots");
        fs::create_dir(&snapshots).unwrap();
        for other in ["0000000000009.state", "0000000000009.keys", "0000000000010.new"] {
            fs::write(snapshots.join(other), "").unwrap();
        }
        fs::write(snapshots.join("views-0000000000003.sha256"), "of a copy that is gone").unwrap();
        let kept = Kept::new(snapshots.clone(), 2);
        for at in (5..=150).step_by(5) {
            assert!(kept.keep(&file(folder, "rows"), Position::new(at), None).unwrap());
        }
        assert_eq!(positions(&kept), [150, 125]);
        assert_eq!(fs::read_dir(&snapshots).unwrap().count(), 3 + 4);
        // The log lost its end.
        assert!(kept.keep(&file(folder, "rows"), Position::new(140), None).unwrap());
        assert_eq!(positions(&kept), [140, 125]);
        let none = Kept::new(snapshots.clone(), 0);
        assert!(
            !none.keep(&file(folder, "rows"), Position::new(160), None).unwrap() && folder.join("rebuild.db").exists()
        );
        assert!(positions(&kept).is_empty() && fs::read_dir(&snapshots).unwrap().count() == 3);
    }

    #[test]
    fn a_database_that_is_open_is_not_kept() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::new(folder.path().join("snapshots"), 2);
        let file = file(folder.path(), "rows");
        fs::write(with_suffix(&file, "-wal"), "more rows").unwrap();
        assert!(matches!(kept.keep(&file, Position::new(7), None), Err(KeptError::Open)) && file.exists());
    }
}
