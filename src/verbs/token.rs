//! The operator's token: 256 random bits in a file that only its owner can read.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::TryRngCore;
use rand::rngs::OsRng;

use crate::failure::Failure;

/// The shortest token that is taken from a file that an operator wrote.
const SHORTEST: usize = 32;

/// Where the token is.
pub fn path(data: &Path) -> PathBuf {
    data.join("operator.token")
}

/// Reads the token, making one when there is none.
pub fn open_or_create(data: &Path) -> Result<String, Failure> {
    let path = path(data);
    if !path.exists() {
        create(&path).map_err(|error| Failure::Store(format!("{} cannot be written: {error}", path.display())))?;
    }
    read(data)
}

/// Reads the token of the server on this data directory.
pub fn read(data: &Path) -> Result<String, Failure> {
    let path = path(data);
    let text = std::fs::read_to_string(&path).map_err(|error| {
        let problem = format!("the operator's token {} cannot be read: {error}", path.display());
        Failure::Store(Failure::hint(problem, "Name the server's data directory with --data."))
    })?;
    let token = text.trim();
    if token.len() < SHORTEST || !token.bytes().all(|b| b.is_ascii_graphic()) {
        let problem = format!("{} holds no token", path.display());
        return Err(Failure::Store(Failure::hint(
            problem,
            "Remove the file; the server makes a new one when it starts.",
        )));
    }
    Ok(token.to_owned())
}

fn create(path: &Path) -> std::io::Result<()> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|error| std::io::Error::other(error.to_string()))?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => {
            file.write_all(format!("{}\n", URL_SAFE_NO_PAD.encode(bytes)).as_bytes())?;
            file.sync_all()
        }
        // Another process was quicker; its token counts.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_token_is_made_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = open_or_create(folder.path()).expect("made");
        assert_eq!(URL_SAFE_NO_PAD.decode(&token).expect("base64url").len(), 32);
        assert_eq!(open_or_create(folder.path()).expect("read"), token);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(path(folder.path())).expect("there").permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }

    #[test]
    fn an_empty_file_is_no_token() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(path(folder.path()), "\n").expect("written");
        assert!(open_or_create(folder.path()).is_err());
    }
}
