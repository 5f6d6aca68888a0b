//! Certificates for tests, made by the program `openssl`.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test helper")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// An authority that signs the certificates of servers, and is known to nobody else.
pub struct Authority {
    folder: TempDir,
}

impl Authority {
    /// A new one. `None`, with a line that says so, where `openssl` is not installed.
    ///
    /// # Panics
    /// When it is not installed and the environment says `CI`, or when it fails.
    #[must_use]
    pub fn new() -> Option<Self> {
        if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
            assert!(std::env::var_os("CI").is_none(), "openssl is not installed");
            println!("SKIPPED: openssl is not installed, encrypted connections were not tested");
            return None;
        }
        let authority = Authority { folder: tempfile::tempdir().expect("folder") };
        let mut sign = authority.openssl(&["req", "-x509", "-subj", "/CN=authority", "-out", "ca.crt"]);
        sign.args(["-keyout", "ca.key", "-addext", "basicConstraints=critical,CA:TRUE"]);
        run(sign.args(KEY));
        Some(authority)
    }

    /// The certificate to trust, as PEM.
    #[must_use]
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("ca.crt")
    }

    /// Writes `server.crt` and `server.key` of a server called `localhost` into a folder.
    pub fn certify(&self, folder: &Path) {
        let names = self.folder.path().join("names");
        std::fs::write(&names, "subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n").expect("names");
        let mut ask = self.openssl(&["req", "-subj", "/CN=localhost", "-out", "server.csr"]);
        run(ask.args(KEY).arg("-keyout").arg(folder.join("server.key")));
        let mut sign = self.openssl(&["x509", "-req", "-in", "server.csr", "-CA", "ca.crt", "-CAkey", "ca.key"]);
        sign.args(["-CAcreateserial", "-days", "2", "-extfile"]).arg(names);
        run(sign.arg("-out").arg(folder.join("server.crt")));
    }

    fn openssl(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("openssl");
        command.args(arguments).current_dir(self.folder.path()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }
}

/// A key that takes no time to make.
const KEY: [&str; 6] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-batch"];

fn run(command: &mut Command) {
    assert!(command.status().expect("openssl").success(), "{command:?}");
}
