//! Clients that pay through any node, and believe what they are told.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::client::{Answer, Request, call_within};
use crate::cluster::Cluster;
use crate::world::{App, Dice, application, check_statement, reference};

/// How long a client waits for one answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Between two payments of a client: the statements at the end fit one page.
const PAUSE: Duration = Duration::from_millis(40);

/// What a client was told of a payment.
#[derive(Debug, Clone)]
pub struct Told {
    key: String,
    accepted: bool,
}

pub struct Load<'a> {
    cluster: &'a Cluster,
    wallet: App,
    shop: App,
    told: Mutex<BTreeMap<String, Told>>,
    stop: AtomicBool,
    probes: AtomicU64,
    pub accepted: AtomicU64,
}

/// Ends the load when dropped.
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

impl<'a> Load<'a> {
    pub fn new(cluster: &'a Cluster) -> Self {
        let (wallet, shop) = cluster
            .with_first(|server| (application(server, "walletapp", "alice"), application(server, "shopapp", "bob")));
        let (told, stop, probes, accepted) =
            (Mutex::default(), AtomicBool::default(), AtomicU64::new(0), AtomicU64::new(0));
        Load { cluster, wallet, shop, told, stop, probes, accepted }
    }

    pub fn stop_at_the_end(&self) -> Stop<'_> {
        Stop(&self.stop)
    }

    pub fn told(&self) -> BTreeMap<String, Told> {
        self.told.lock().unwrap().clone()
    }

    /// One call to a node; `None` when it gave no answer, or one that says to try again.
    fn call(
        &self,
        node: usize,
        app: &App,
        method: &str,
        path: &str,
        body: Option<&str>,
        key: Option<&str>,
    ) -> Option<Answer> {
        let header = key.map(|key| [("Idempotency-Key", key)]);
        let headers = header.as_ref().map_or(&[][..], |header| &header[..]);
        let request = Request { method, path, token: Some(&app.token), headers, body };
        let answer = call_within(self.cluster.address(node), &request, PATIENCE).ok()?;
        if answer.status == 503 {
            assert!(answer.headers.contains_key("retry-after"), "{answer:?}");
            return None;
        }
        Some(answer)
    }

    fn initiate(&self, node: usize, key: &str) -> Option<String> {
        let body = r#"{"senderTag":"alice","receiverTag":"bob","amount":2.5000}"#;
        let answer = self.call(node, &self.wallet, "POST", "/api/v1/transactions", Some(body), Some(key))?;
        assert!(matches!(answer.status, 200 | 201), "{answer:?}");
        Some(reference(&answer))
    }

    /// Where a payment stands, as a node tells; `None` when it does not tell.
    fn status(&self, node: usize, reference: &str) -> Option<String> {
        let answer = self.call(node, &self.wallet, "GET", &format!("/api/v1/transactions/{reference}"), None, None)?;
        assert_eq!(answer.status, 200, "{reference} was acknowledged, but node {node} says {answer:?}");
        Some(answer.data()["status"].as_str().unwrap().to_owned())
    }

    /// Pays, one payment after the other, each step through any node until it is acknowledged.
    pub fn run(&self, number: usize) {
        let mut dice = Dice::new(&format!("client {number}"));
        for _ in 0..number {
            dice.below(2);
        }
        let mut any = || usize::try_from(dice.below(self.cluster.count() as u64)).unwrap();
        let mut count = 0;
        while !self.stop.load(Ordering::SeqCst) {
            count += 1;
            let key = format!("{number}-{count}");
            let Some(reference) = self.insist(|| self.initiate(any(), &key)) else { return };
            let before = self.told.lock().unwrap().insert(reference.clone(), Told { key, accepted: false });
            assert!(before.is_none(), "two keys made one payment");
            if let Some(status) = self.status(any(), &reference) {
                assert_eq!(status, "AWAITING_ACCEPTANCE", "{reference}");
            }
            if count % 3 == 0 {
                continue;
            }
            if self.insist(|| self.accept(any(), &reference)).is_none() {
                return;
            }
            self.told.lock().unwrap().get_mut(&reference).unwrap().accepted = true;
            self.accepted.fetch_add(1, Ordering::SeqCst);
            if let Some(status) = self.status(any(), &reference) {
                assert_eq!(status, "COMPLETED", "{reference}: an acceptance that was acknowledged has vanished");
            }
            thread::sleep(PAUSE);
        }
    }

    /// Accepts; an earlier try whose answer was lost counts if the payment is completed.
    fn accept(&self, node: usize, reference: &str) -> Option<()> {
        let path = format!("/api/v1/transactions/{reference}/accept");
        let answer = self.call(node, &self.shop, "POST", &path, None, None)?;
        if answer.status == 200 {
            return Some(());
        }
        assert!(matches!(answer.status, 400 | 409 | 422), "{answer:?}");
        let status = self.status(node, reference)?;
        assert_eq!(status, "COMPLETED", "{reference} cannot be accepted: {answer:?}");
        Some(())
    }

    fn insist<T>(&self, mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
        loop {
            if let Some(done) = attempt() {
                return Some(done);
            }
            if self.stop.load(Ordering::SeqCst) {
                return None;
            }
            thread::sleep(Duration::from_millis(30));
        }
    }

    /// Waits until a fresh command is acknowledged by some other node.
    pub fn until_acknowledged_beside(&self, node: usize) {
        let key = format!("probe-{}", self.probes.fetch_add(1, Ordering::SeqCst));
        let others: Vec<usize> = (0..self.cluster.count()).filter(|other| *other != node).collect();
        let mut tries = others.into_iter().cycle();
        let reference = self.insist(|| self.initiate(tries.next().unwrap(), &key)).expect("not stopped yet");
        self.told.lock().unwrap().insert(reference, Told { key, accepted: false });
    }
}

/// Everything that was acknowledged is there, on every node, and what is booked is booked once and on both sides.
pub fn check(cluster: &Cluster, load: &Load<'_>) {
    for node in 0..cluster.count() {
        cluster.wait_ready(node);
        let at = |app: &App| App { address: cluster.address(node), ..app.clone() };
        let (sent, received) = (at(&load.wallet).statement(), at(&load.shop).statement());
        assert_eq!(check_statement(&sent) + check_statement(&received), 0);
        let booked: Vec<&str> = sent.iter().map(|entry| entry.reference.as_str()).collect();
        let credited: Vec<&str> = received.iter().map(|entry| entry.reference.as_str()).collect();
        assert_eq!(booked, credited, "each payment is on both statements, once, in one order");
        let unique: std::collections::BTreeSet<&str> = booked.iter().copied().collect();
        assert_eq!(unique.len(), booked.len(), "nothing is booked twice");
        for (reference, told) in load.told() {
            assert!(!told.accepted || unique.contains(reference.as_str()), "{reference} was accepted and is lost");
            let again = load.initiate(node, &told.key).expect("an answer");
            assert_eq!(again, reference, "the key {} made a second payment", told.key);
        }
    }
}
