//! The past as a node tells it that does not lead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flexledger_eventstore::testing::postgres::PostgresServer;

use crate::cluster::Cluster;
use crate::world::{App, application, present};

/// Between two payments of a client, so that a busy machine keeps up.
const PAUSE: Duration = Duration::from_millis(3);

/// Tells clients to end, whatever goes wrong.
struct EndOnDrop<'a>(&'a AtomicBool);

impl Drop for EndOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// A node that follows cannot tell what the leader has decided and not yet written: it passes the question on. Fails
/// without `is_for_leader` in `api/src/audit/past.rs`.
#[test]
fn as_of_the_present_on_a_follower_against_payments_through_the_leader() {
    let Some(postgres) = PostgresServer::start() else { return };
    let cluster = Cluster::start(&postgres, 2);
    let leader = cluster.leader();
    let follower = 1 - leader;
    let (wallet, _shop) =
        cluster.with_first(|server| (application(server, "walletapp", "alice"), application(server, "shopapp", "bob")));
    let wallet = App { address: cluster.address(leader), ..wallet };
    let ask = |node: usize, instant: &str| {
        let began = Instant::now();
        loop {
            let answer = cluster.audit(node, &format!("/as-of/{instant}/trial-balance"));
            if answer.status != 503 {
                let answer = answer.expect(200);
                let position = answer.json()["position"].as_u64().unwrap();
                assert!(answer.headers["ledger-position"].parse::<u64>().unwrap() >= position);
                return position;
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{}", answer.text);
        }
    };
    let ended = AtomicBool::new(false);
    let mut told = Vec::new();
    thread::scope(|scope| {
        let _end = EndOnDrop(&ended);
        for _ in 0..4 {
            let (wallet, ended) = (&wallet, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    wallet.initiate("alice", "bob", "1");
                    thread::sleep(PAUSE);
                }
            });
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            let instant = present();
            told.push((instant.clone(), ask(follower, &instant)));
        }
    });
    assert!(told.len() > 10, "{}", told.len());
    for (instant, position) in &told {
        assert_eq!(ask(follower, instant), *position, "{instant}");
        assert_eq!(ask(leader, instant), *position, "{instant}");
    }
}
