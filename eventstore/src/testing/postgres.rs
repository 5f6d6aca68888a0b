//! A PostgreSQL server of one's own: made in a fresh folder, on a free loopback port, with `fsync=on`, and gone with
//! the value.
//!
//! PostgreSQL refuses to run as root: then the server runs as the user `postgres`.

#![allow(clippy::expect_used, clippy::missing_panics_doc, reason = "a test helper")]

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};
use tempfile::TempDir;

use super::tls::Authority;

const START_WAIT: Duration = Duration::from_secs(30);

/// A running server.
pub struct PostgresServer {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    child: Mutex<Option<Child>>,
    databases: AtomicU32,
    encrypted: bool,
}

/// What a server that takes encrypted connections only lets in.
const ENCRYPTED_ONLY: &str = "hostssl all all 127.0.0.1/32 trust\n";

impl PostgresServer {
    /// Starts a server. `None`, with a line that says so, where PostgreSQL is not installed.
    ///
    /// # Panics
    /// When it is not installed and the environment says `CI`, or when it does not start.
    #[must_use]
    pub fn start() -> Option<Self> {
        Self::start_in(&std::env::temp_dir())
    }

    /// The same, with its files in a new folder inside `place`.
    #[must_use]
    pub fn start_in(place: &Path) -> Option<Self> {
        Self::start_as(place, None)
    }

    /// A server that takes encrypted connections only, as `localhost`, with a certificate of this authority.
    #[must_use]
    pub fn start_encrypted(authority: &Authority) -> Option<Self> {
        Self::start_as(&std::env::temp_dir(), Some(authority))
    }

    fn start_as(place: &Path, authority: Option<&Authority>) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("CI").is_none(), "PostgreSQL is not installed");
            println!("SKIPPED: PostgreSQL is not installed, nothing of it was tested");
            return None;
        };
        let folder = tempfile::Builder::new().prefix("flexledger-pg-").tempdir_in(place).expect("folder");
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|l| l.local_addr()).expect("free port").port();
        let (child, databases) = (Mutex::new(None), AtomicU32::new(0));
        let server = PostgresServer { folder, programs, port, child, databases, encrypted: authority.is_some() };
        server.make();
        if let Some(authority) = authority {
            authority.certify(&server.data());
            std::fs::write(server.data().join("pg_hba.conf"), ENCRYPTED_ONLY).expect("who is let in");
            server.own();
        }
        server.resume();
        Some(server)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn make(&self) {
        let data = self.data();
        std::fs::create_dir(&data).expect("data folder");
        self.own();
        let mut initdb = self.program("initdb");
        initdb.arg("-D").arg(&data).args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
        let made = initdb.stdout(Stdio::null()).status().expect("initdb");
        assert!(made.success(), "initdb");
    }

    /// Gives its files to the user that it runs as.
    fn own(&self) {
        if is_root() {
            let owned = Command::new("chown").arg("-R").arg("postgres:postgres").arg(self.folder.path()).status();
            assert!(owned.is_ok_and(|status| status.success()), "chown");
        }
    }

    /// Starts it again after [`Self::halt`].
    pub fn resume(&self) {
        let log = File::create(self.folder.path().join("log")).expect("log file");
        let mut postgres = self.program("postgres");
        postgres.arg("-D").arg(self.data()).args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "-k", ""]);
        postgres.args(["-c", "fsync=on", "-c", "max_connections=60", "-c", "wal_recycle=on"]);
        if self.encrypted {
            postgres.args(["-c", "ssl=on"]);
        }
        let child = postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log).spawn().expect("postgres");
        *self.child.lock().expect("child") = Some(child);
        let begin = Instant::now();
        while !self.answers() {
            assert!(begin.elapsed() < START_WAIT, "PostgreSQL does not start: see {}", self.folder.path().display());
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    fn answers(&self) -> bool {
        TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
            && self
                .program("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()])
                .status()
                .is_ok_and(|s| s.success())
    }

    /// Stops it as a crash would: no checkpoint, connections cut.
    pub fn halt(&self) {
        let Some(mut child) = self.child.lock().expect("child").take() else { return };
        let _gone_already = Command::new("kill").arg("-QUIT").arg(child.id().to_string()).status();
        let _status = child.wait();
    }

    /// The URL of a new, empty database.
    pub async fn database(&self) -> String {
        let name = format!("log_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&self.url("postgres")).await.expect("connect");
        connection.execute(AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.expect("database");
        connection.close().await.expect("close");
        self.url(&name)
    }

    /// Runs one statement in the database at `url`.
    pub async fn run(&self, url: &str, sql: &'static str) {
        let mut connection = PgConnection::connect(url).await.expect("connect");
        connection.execute(sql).await.expect("statement");
        connection.close().await.expect("close");
    }

    /// The URL of a database by its name.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}", self.port)
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    fn program(&self, name: &str) -> Command {
        let path = self.programs.join(name);
        if !is_root() {
            return Command::new(path);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups"]).arg(path).current_dir("/");
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.halt();
    }
}

fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Where the newest installed server is: `PG_BIN`, or Debian's place, or what the path finds.
fn programs() -> Option<PathBuf> {
    if let Some(path) = std::env::var_os("PG_BIN") {
        return Some(path.into());
    }
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = versions.map(|entry| entry.path().join("bin")).filter(|bin| bin.join("postgres").exists()).max();
    let path = std::env::var_os("PATH").unwrap_or_default();
    debian.or_else(|| {
        std::env::split_paths(&path).find(|bin| bin.join("postgres").exists() && bin.join("initdb").exists())
    })
}
