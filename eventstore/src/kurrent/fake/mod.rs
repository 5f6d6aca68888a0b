//! A fake KurrentDB node that speaks the protocol over HTTP/2, for tests of the adapter through the real client.
//!
//! It serves appends, reads, tombstones, gossip and the list of features, checks expected revisions and sizes as a
//! server does, and can be told to fail. It shows how the adapter takes errors. It does not show that a real server
//! behaves like it.

mod serve;
mod wire;
mod world;

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::task::AbortHandle;

pub use world::World;

/// A kind of call that can be told to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    Append,
    Read,
    Tombstone,
}

/// What one coming call meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing: this call works.
    Fine,
    /// All connections are cut before anything is done.
    CutBefore,
    /// It is done, then all connections are cut before the answer.
    CutAfter,
    /// Nothing is done; the answer is status Unavailable.
    Unavailable,
    /// It is done; the answer lacks its result.
    Garbled,
    /// Nothing is done, nothing is answered.
    Silent,
    /// Another writer's event is stored first.
    Overtaken,
    /// A read ends with status OK after so many events, and says nothing about the end of the stream.
    EndsAfter(usize),
    /// A read brings so many events; then all connections are cut.
    CutAfterEvents(usize),
}

/// A node. Its port stays the same when it is stopped and started again.
pub struct FakeNode {
    shared: Arc<Shared>,
    accepting: Mutex<Option<AbortHandle>>,
}

struct Shared {
    port: u16,
    world: Arc<Mutex<World>>,
    faults: Mutex<VecDeque<(Call, Fault)>>,
    /// Calls that came, by what they are.
    calls: Mutex<Vec<Call>>,
    connections: Mutex<Vec<AbortHandle>>,
    /// Whether a read says where the stream ends.
    tells_end: Mutex<bool>,
}

impl FakeNode {
    /// A node alone, with empty streams.
    pub async fn start() -> Self {
        FakeNode::join(Arc::default()).await
    }

    /// Another node of a cluster.
    pub async fn join(world: Arc<Mutex<World>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let shared = Shared {
            port: listener.local_addr().unwrap().port(),
            world,
            faults: Mutex::default(),
            calls: Mutex::default(),
            connections: Mutex::default(),
            tells_end: Mutex::new(true),
        };
        let node = FakeNode { shared: Arc::new(shared), accepting: Mutex::new(None) };
        node.serve(listener);
        node
    }

    /// The address of a ledger on this node.
    pub fn address(&self, ledger: &str) -> super::Address {
        format!("kurrentdb://127.0.0.1:{}/{ledger}?tls=false", self.port()).parse().unwrap()
    }

    pub fn port(&self) -> u16 {
        self.shared.port
    }

    /// What the nodes of this cluster share.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().unwrap()
    }

    pub fn cluster(&self) -> Arc<Mutex<World>> {
        self.shared.world.clone()
    }

    /// The next call of this kind, after those that were told before, meets this fault.
    pub fn fail_next(&self, call: Call, fault: Fault) {
        self.shared.faults.lock().unwrap().push_back((call, fault));
    }

    /// From now on no read says where its stream ends.
    pub fn keep_end_secret(&self) {
        *self.shared.tells_end.lock().unwrap() = false;
    }

    /// How many calls of this kind came.
    pub fn count(&self, call: Call) -> usize {
        self.shared.calls.lock().unwrap().iter().filter(|came| **came == call).count()
    }

    /// The node dies: connections are cut, new ones refused.
    pub async fn stop(&self) {
        let accepting = self.accepting.lock().unwrap().take();
        if let Some(accepting) = accepting {
            accepting.abort();
            while !accepting.is_finished() {
                tokio::task::yield_now().await;
            }
        }
        self.shared.cut();
    }

    /// It is back, with what it had stored.
    pub async fn start_again(&self) {
        for _ in 0..100 {
            if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, self.port())).await {
                return self.serve(listener);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the port was not given back");
    }

    fn serve(&self, listener: TcpListener) {
        let accepting = tokio::spawn(serve::accept(listener, self.shared.clone()));
        *self.accepting.lock().unwrap() = Some(accepting.abort_handle());
    }
}

impl Drop for FakeNode {
    fn drop(&mut self) {
        if let Some(accepting) = self.accepting.lock().unwrap().take() {
            accepting.abort();
        }
        self.shared.cut();
    }
}

impl Shared {
    /// Cuts all connections.
    fn cut(&self) {
        self.connections.lock().unwrap().drain(..).for_each(|connection| connection.abort());
    }

    /// Notes a call, and takes what it is to meet.
    fn meet(&self, call: Call) -> Fault {
        self.calls.lock().unwrap().push(call);
        let mut faults = self.faults.lock().unwrap();
        let at = faults.iter().position(|(kind, _)| *kind == call);
        at.and_then(|at| faults.remove(at)).map_or(Fault::Fine, |(_, fault)| fault)
    }
}
