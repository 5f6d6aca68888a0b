//! The program under test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

use crate::client::{Answer, Request, call};

pub const PROGRAM: &str = env!("CARGO_BIN_EXE_flexledger");
/// How long a start, a stop or a recovery may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running server. Killed when dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub data: PathBuf,
}

/// The program with a clean environment, and nothing said yet.
pub fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    clean(&mut command);
    command
}

fn clean(command: &mut Command) {
    for (name, _) in std::env::vars() {
        if name.starts_with("FLEXLEDGER_") {
            command.env_remove(name);
        }
    }
}

/// Runs a verb on a data directory to its end.
pub fn run(data: &Path, arguments: &[&str]) -> Output {
    command().arg("--data").arg(data).args(arguments).output().unwrap()
}

impl Server {
    /// Starts a server on a data directory and waits until it is ready. No rate limits.
    pub fn start(data: &Path) -> Server {
        Server::start_with(data, command(), &[])
    }

    /// The same with this command and these variables.
    pub fn start_with(data: &Path, mut command: Command, variables: &[(&str, &str)]) -> Server {
        command.arg("serve");
        Server::start_verb(data, command, variables)
    }

    /// The same with a command that names its verb already.
    pub fn start_verb(data: &Path, mut command: Command, variables: &[(&str, &str)]) -> Server {
        clean(&mut command);
        command
            .args(["--listen", "127.0.0.1:0", "--json"])
            .arg("--data")
            .arg(data)
            .env("FLEXLEDGER_LIMITS__ENABLED", "false")
            .env("FLEXLEDGER_LOG__FILTER", "warn")
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let said: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("said {line:?}"));
        let address = said["listening"].as_str().unwrap().parse().unwrap();
        let server = Server { child, address, data: data.to_owned() };
        server.wait_until("ready", |server| server.get("/ready").is_some_and(|answer| answer.status == 200));
        server
    }

    /// Waits until something holds.
    pub fn wait_until(&self, what: &str, mut holds: impl FnMut(&Server) -> bool) {
        let began = Instant::now();
        while !holds(self) {
            assert!(began.elapsed() < PATIENCE, "not {what} in time");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// A read without a token; `None` when there is no answer.
    pub fn get(&self, path: &str) -> Option<Answer> {
        call(self.address, &Request { method: "GET", path, ..Request::default() }).ok()
    }

    pub fn call(&self, method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Answer {
        call(self.address, &Request { method, path, token, body, headers: &[] }).unwrap()
    }

    /// The operator's status.
    pub fn status(&self) -> serde_json::Value {
        let token = std::fs::read_to_string(self.data.join("operator.token")).unwrap();
        self.call("GET", "/operator/v1/status", Some(token.trim()), None).expect(200).json()
    }

    /// The newest position.
    pub fn position(&self) -> u64 {
        self.status()["ledger"]["position"].as_u64().unwrap()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Sends SIGTERM and waits for the end; how it ended and how long it took.
    pub fn terminate(mut self) -> (ExitStatus, Duration) {
        let began = Instant::now();
        let sent = Command::new("kill").arg(self.child.id().to_string()).status().unwrap();
        assert!(sent.success());
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return (status, began.elapsed());
            }
            assert!(began.elapsed() < PATIENCE, "does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already, which is as good.
        let _killed = self.child.kill();
        let _ended = self.child.wait();
    }
}
