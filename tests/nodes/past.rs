//! The past as a node tells it that does not lead.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use flexledger_eventstore::testing::postgres::PostgresServer;

use crate::cluster::Cluster;
use crate::load::Stop;
use crate::world::{App, application, present};

/// Between two payments of a client, so that a busy machine keeps up.
const PAUSE: Duration = Duration::from_millis(3);

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
        for _ in 0..4 {
            let (wallet, ended) = (&wallet, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    // On a busy machine the lead may move, and a call be answered 503.
                    let _paid = wallet.try_initiate("alice", "bob", "1", None);
                    thread::sleep(PAUSE);
                }
            });
        }
        // Whatever goes wrong here, the clients must end.
        let _stop = Stop(&ended);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(3) {
            let instant = present();
            told.push((instant.clone(), ask(follower, &instant)));
        }
    });
    assert!(told.len() > 10, "{}", told.len());
    // Nothing is recorded after these before they are asked for: only the leader can answer.
    for _ in 0..10 {
        let instant = present();
        told.push((instant.clone(), ask(follower, &instant)));
        let _paid = wallet.try_initiate("alice", "bob", "1", None);
    }
    for (instant, position) in &told {
        assert_eq!(ask(follower, instant), *position, "{instant}");
        assert_eq!(ask(leader, instant), *position, "{instant}");
    }
}
