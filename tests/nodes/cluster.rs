//! The nodes, and what befalls them.

use std::net::SocketAddr;
use std::process::Command;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use flexledger_eventstore::testing::postgres::PostgresServer;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{Answer, Request, call_within};
use crate::proxy::Proxy;
use crate::server::{Server, command};

const READY: Duration = Duration::from_secs(20);

/// What befalls a leader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// `kill -9`.
    Kill,
    /// It stands still (SIGSTOP), then goes on as if nothing had happened.
    Freeze,
    /// Its connections to the database are cut, and no new ones made.
    Refuse,
    /// Nothing comes through to the database or from it, but no connection ends.
    Swallow,
}

struct Node {
    folder: TempDir,
    proxy: Proxy,
    url: String,
    server: Option<Server>,
}

/// Nodes on one database, each with its own way to it.
pub struct Cluster {
    pub url: String,
    nodes: Vec<Mutex<Node>>,
    addresses: Mutex<Vec<SocketAddr>>,
    token: String,
}

impl Cluster {
    pub fn start(postgres: &PostgresServer, count: usize) -> Cluster {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let url = runtime.block_on(postgres.database());
        let database = url.rsplit('/').next().unwrap();
        let mut nodes: Vec<Node> = Vec::new();
        for _ in 0..count {
            let folder = tempfile::tempdir().unwrap();
            if let Some(first) = nodes.first() {
                // The nodes of a ledger share its keys.
                for file in ["platform.key", "operator.token"] {
                    std::fs::copy(first.folder.path().join(file), folder.path().join(file)).unwrap();
                }
            }
            let proxy = Proxy::to(postgres.port());
            let url = format!("postgres://postgres@127.0.0.1:{}/{database}", proxy.port);
            let mut node = Node { folder, proxy, url, server: None };
            node.start();
            nodes.push(node);
        }
        let addresses = nodes.iter().map(|node| node.server.as_ref().unwrap().address).collect();
        let token = std::fs::read_to_string(nodes[0].folder.path().join("operator.token")).unwrap().trim().to_owned();
        let nodes = nodes.into_iter().map(Mutex::new).collect();
        Cluster { url, nodes, addresses: Mutex::new(addresses), token }
    }

    pub fn count(&self) -> usize {
        self.nodes.len()
    }

    /// Where a node listens, or listened last.
    pub fn address(&self, node: usize) -> SocketAddr {
        self.addresses.lock().unwrap()[node]
    }

    /// The first node, for setting up.
    pub fn with_first<T>(&self, work: impl FnOnce(&Server) -> T) -> T {
        work(self.nodes[0].lock().unwrap().server.as_ref().unwrap())
    }

    /// What a node tells an auditor.
    pub fn audit(&self, node: usize, path: &str) -> Answer {
        let path = format!("/audit/v1{path}");
        let request = Request { method: "GET", path: &path, token: Some(&self.token), ..Request::default() };
        call_within(self.address(node), &request, READY).unwrap()
    }

    pub fn status(&self, node: usize) -> Value {
        self.try_status(node).expect("the node answers")
    }

    fn try_status(&self, node: usize) -> Option<Value> {
        let request =
            Request { method: "GET", path: "/operator/v1/status", token: Some(&self.token), ..Request::default() };
        let answer = call_within(self.address(node), &request, Duration::from_secs(2)).ok()?;
        (answer.status == 200).then(|| answer.json())
    }

    /// The node that leads, once exactly one says so.
    pub fn leader(&self) -> usize {
        let began = Instant::now();
        loop {
            let leads = |node: &usize| self.try_status(*node).is_some_and(|status| status["writer"]["leads"] == true);
            let leaders: Vec<usize> = (0..self.count()).filter(leads).collect();
            if let [leader] = leaders[..] {
                return leader;
            }
            assert!(began.elapsed() < READY, "leaders: {leaders:?}");
            thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn strike(&self, node: usize, trouble: Trouble) {
        let mut node = self.nodes[node].lock().unwrap();
        match trouble {
            Trouble::Kill => node.server.take().unwrap().kill(),
            Trouble::Freeze => node.signal("STOP"),
            Trouble::Refuse => node.proxy.refuse(),
            Trouble::Swallow => node.proxy.swallow(),
        }
        // What is on its way still arrives.
        thread::sleep(Duration::from_millis(100));
    }

    pub fn heal(&self, number: usize, trouble: Trouble) {
        let mut node = self.nodes[number].lock().unwrap();
        match trouble {
            Trouble::Kill => {
                node.start();
                self.addresses.lock().unwrap()[number] = node.server.as_ref().unwrap().address;
            }
            Trouble::Freeze => node.signal("CONT"),
            Trouble::Refuse | Trouble::Swallow => node.proxy.heal(),
        }
    }

    pub fn wait_ready(&self, node: usize) {
        let began = Instant::now();
        let request = Request { method: "GET", path: "/ready", ..Request::default() };
        while !call_within(self.address(node), &request, Duration::from_secs(2))
            .is_ok_and(|answer| answer.status == 200)
        {
            assert!(began.elapsed() < READY, "the node does not come back");
            thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Node {
    fn start(&mut self) {
        let variables = [("FLEXLEDGER_EVENTS", self.url.as_str())];
        self.server = Some(Server::start_with(self.folder.path(), command(), &variables));
    }

    fn signal(&self, name: &str) {
        let pid = self.server.as_ref().unwrap().pid().to_string();
        assert!(Command::new("kill").arg(format!("-{name}")).arg(pid).status().unwrap().success());
    }
}
