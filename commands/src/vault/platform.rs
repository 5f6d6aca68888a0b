//! The platform key file and everything that is derived from it.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hkdf::Hkdf;
use p256::SecretKey;
use p256::ecdsa::SigningKey;
use rand::TryRngCore;
use rand::rngs::OsRng;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::cipher::Key;
use super::error::PlatformKeyError;

/// The name of the key file in the data directory.
pub const KEY_FILE: &str = "platform.key";
/// The first line of the key file; names its version.
pub(super) const FORMAT_LINE: &str = "flexledger platform key v1";
/// The key file is two short lines; more is not read.
const LONGEST_FILE: u64 = 256;

/// The keys of the program itself, all derived from one random master key by HKDF-SHA256 with distinct labels.
///
/// Labels and derivation never change: what was sealed or signed once must open and verify for ever.
pub struct PlatformKeys {
    token: Zeroizing<[u8; 32]>,
    sealing: Key,
    encryption: SecretKey,
    attestation: SigningKey,
    consent: Zeroizing<[u8; 32]>,
    head_seed: Zeroizing<[u8; 32]>,
    tree: Zeroizing<[u8; 32]>,
    fingerprint: Zeroizing<[u8; 32]>,
}

impl PlatformKeys {
    /// Reads `<dir>/platform.key`, or makes it (mode 0600, on stable storage) when there is none.
    ///
    /// # Errors
    /// [`PlatformKeyError`] when the file cannot be read, written or understood.
    pub fn open_or_create(dir: &Path) -> Result<Self, PlatformKeyError> {
        let path = dir.join(KEY_FILE);
        let fail = |source| PlatformKeyError::File { path: path.clone(), source };
        match File::open(&path) {
            Ok(file) => return Self::read(&path, file),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(fail(error)),
        }
        create(dir, &path)?;
        Self::read(&path, File::open(&path).map_err(fail)?)
    }

    fn read(path: &Path, file: File) -> Result<Self, PlatformKeyError> {
        let mut text = Zeroizing::new(String::new());
        let read = file.take(LONGEST_FILE).read_to_string(&mut text);
        let content = || PlatformKeyError::Content { path: path.to_owned() };
        read.map_err(|source| match source.kind() {
            ErrorKind::InvalidData => content(),
            _ => PlatformKeyError::File { path: path.to_owned(), source },
        })?;
        let mut lines = text.lines();
        let (Some(FORMAT_LINE), Some(base64), None) = (lines.next(), lines.next(), lines.next()) else {
            return Err(content());
        };
        let bytes = Zeroizing::new(STANDARD.decode(base64.as_bytes()).map_err(|_| content())?);
        Self::from_master(bytes.as_slice().try_into().map_err(|_| content())?)
    }

    /// The keys that a master key gives; always the same ones.
    ///
    /// # Errors
    /// [`PlatformKeyError::Derivation`], which no random master key meets in practice.
    pub fn from_master(master: &[u8; 32]) -> Result<Self, PlatformKeyError> {
        let derive = Hkdf::<Sha256>::new(Some(b"flexledger/platform/v1"), master);
        Ok(PlatformKeys {
            token: secret(&derive, "token key")?,
            sealing: Key::new(*secret(&derive, "sealing key")?),
            encryption: scalar(&derive, "encryption key")?,
            attestation: scalar(&derive, "attestation key")?.into(),
            consent: secret(&derive, "consent token key")?,
            head_seed: secret(&derive, "head signing seed")?,
            tree: secret(&derive, "tile roots key")?,
            fingerprint: secret(&derive, "fingerprint")?,
        })
    }

    /// The HS256 key of access tokens.
    #[must_use]
    pub fn token_key(&self) -> &[u8] {
        self.token.as_slice()
    }

    /// The P-256 key that encrypted requests are opened with (`idaas.md` 13).
    #[must_use]
    pub fn encryption_key(&self) -> &SecretKey {
        &self.encryption
    }

    /// The P-256 key that signs consent attestations with ES256 (`idaas.md` 7).
    #[must_use]
    pub fn attestation_key(&self) -> &SigningKey {
        &self.attestation
    }

    /// The key that authenticates consent tokens (`idaas.md` 7).
    #[must_use]
    pub fn consent_key(&self) -> &[u8] {
        self.consent.as_slice()
    }

    /// The seed of the Ed25519 key that signs heads (`operations.md` 5.2).
    #[must_use]
    pub fn head_seed(&self) -> &[u8; 32] {
        &self.head_seed
    }

    /// The key that vouches for saved tile roots of the Merkle tree.
    #[must_use]
    pub fn tree_key(&self) -> &[u8; 32] {
        &self.tree
    }

    /// By what nodes tell that they have the same keys. Nothing can be derived from it, and nothing opened with it.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.fingerprint
    }

    pub(super) fn sealing_key(&self) -> &Key {
        &self.sealing
    }
}

impl std::fmt::Debug for PlatformKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlatformKeys(…)")
    }
}

fn secret(derive: &Hkdf<Sha256>, name: &'static str) -> Result<Zeroizing<[u8; 32]>, PlatformKeyError> {
    let mut bytes = Zeroizing::new([0; 32]);
    derive.expand(name.as_bytes(), bytes.as_mut_slice()).map_err(|_| PlatformKeyError::Derivation(name))?;
    Ok(bytes)
}

/// A P-256 scalar. A candidate outside `1..n` (one in 2^32) is passed over for the next one.
fn scalar(derive: &Hkdf<Sha256>, name: &'static str) -> Result<SecretKey, PlatformKeyError> {
    for attempt in 0..=u8::MAX {
        let mut bytes = Zeroizing::new([0; 32]);
        let info = [name.as_bytes(), &[attempt]];
        derive.expand_multi_info(&info, bytes.as_mut_slice()).map_err(|_| PlatformKeyError::Derivation(name))?;
        if let Ok(key) = SecretKey::from_slice(bytes.as_slice()) {
            return Ok(key);
        }
    }
    Err(PlatformKeyError::Derivation(name))
}

/// Writes a fresh master key beside its place and links it there: the file is whole or absent, and when two processes
/// start at once, one key wins and both read it.
fn create(dir: &Path, path: &Path) -> Result<(), PlatformKeyError> {
    let mut master = Zeroizing::new([0_u8; 32]);
    OsRng.try_fill_bytes(master.as_mut_slice()).map_err(|_| PlatformKeyError::Randomness)?;
    let text = Zeroizing::new(format!("{FORMAT_LINE}\n{}\n", STANDARD.encode(master.as_slice())));
    let draft = dir.join(format!("{KEY_FILE}.{:016x}", rand::random::<u64>()));
    let made = write_private(&draft, text.as_bytes()).and_then(|()| match fs::hard_link(&draft, path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let tidied = remove_if_there(&draft);
    let synced = File::open(dir).and_then(|directory| directory.sync_all());
    let fail = |path: PathBuf| move |source| PlatformKeyError::File { path, source };
    made.map_err(fail(path.to_owned()))?;
    tidied.map_err(fail(draft))?;
    synced.map_err(fail(dir.to_owned()))
}

fn write_private(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    remove_if_there(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove_if_there(path: &Path) -> std::io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
