//! Several nodes on one PostgreSQL: leaders are killed, frozen and cut off in turn under load, and every answer that
//! any client got is checked.

// Every function here is part of a test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "a part of it is used here")]
#[path = "../e2e/client.rs"]
mod client;
mod cluster;
mod encrypted;
mod keys;
mod load;
mod moving;
mod past;
mod proxy;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "../e2e/server.rs"]
mod server;
mod views;
#[allow(dead_code, reason = "a part of it is used here")]
#[path = "../e2e/world.rs"]
mod world;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::{Duration, Instant};

use flexledger_eventstore::testing::postgres::PostgresServer;

use cluster::{Cluster, Trouble};
use load::{Load, check};
use server::command;

/// From the trouble to the first command that is acknowledged again.
const TAKE_OVER: Duration = Duration::from_secs(10);
const CLIENTS: usize = 4;

#[test]
fn leaders_fall_in_turn_and_nothing_is_lost_or_booked_twice() {
    let Some(postgres) = PostgresServer::start() else { return };
    let cluster = Cluster::start(&postgres, 3);
    let load = Load::new(&cluster);
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let load = &load;
            scope.spawn(move || load.run(number));
        }
        // Whatever goes wrong here, the clients must end.
        let _stop = load.stop_at_the_end();
        for trouble in
            [Trouble::Kill, Trouble::Freeze, Trouble::Refuse, Trouble::Swallow, Trouble::Freeze, Trouble::Kill]
        {
            thread::sleep(Duration::from_millis(1500));
            let leader = cluster.leader();
            let began = Instant::now();
            cluster.strike(leader, trouble);
            load.until_acknowledged_beside(leader);
            let took = began.elapsed();
            println!("{trouble:?}: the next command was acknowledged after {took:.1?}");
            assert!(took < TAKE_OVER, "{trouble:?}: {took:?}");
            thread::sleep(Duration::from_millis(1000));
            cluster.heal(leader, trouble);
            cluster.wait_ready(leader);
        }
    });
    let told = load.told();
    println!("{} payments were acknowledged, {} of them accepted", told.len(), load.accepted.load(Ordering::SeqCst));
    assert!(told.len() > 100);
    check(&cluster, &load);
    let epochs: BTreeSet<u64> = (0..3).map(|node| cluster.status(node)["writer"]["epoch"].as_u64().unwrap()).collect();
    assert_eq!(epochs.len(), 1, "all nodes know the same term");
    let url = cluster.url.clone();
    drop(cluster);
    let folder = tempfile::tempdir().unwrap();
    let verified =
        command().arg("--data").arg(folder.path()).args(["--events", &url, "verify", "--json"]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
