//! Races over HTTP, each test named after the race.

use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Answer;
use crate::server::{Server, run};
use crate::world::{App, application, check_statement, minor, present, reference};

type Call<'a, T> = Box<dyn FnOnce() -> T + Send + 'a>;

/// Starts all at the same moment and collects what they return.
fn together<T: Send>(calls: Vec<Call<'_, T>>) -> Vec<T> {
    let barrier = Barrier::new(calls.len());
    thread::scope(|scope| {
        let mut running = Vec::new();
        for call in calls {
            let barrier = &barrier;
            running.push(scope.spawn(move || {
                barrier.wait();
                call()
            }));
        }
        running.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn two(server: &Server) -> (App, App) {
    (application(server, "walletapp", "alice"), application(server, "shopapp", "bob"))
}

#[test]
fn concurrent_duplicates_of_one_key_make_one_payment() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, _shop) = two(&server);
    let before = server.position();
    let calls = (0..32).map(|_| {
        let wallet = &wallet;
        Box::new(move || wallet.try_initiate("alice", "bob", "1500", Some("key-1")).unwrap()) as Call<'_, Answer>
    });
    let answers = together(calls.collect());
    let bodies: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.clone().expect(201).data().to_string()).collect();
    assert_eq!(bodies.len(), 1, "every duplicate gets the same payment");
    let replays = answers.iter().filter(|answer| answer.headers.contains_key("idempotent-replayed")).count();
    assert_eq!(replays, 31, "all but the first are marked as repeats");
    let sent = wallet.get("/api/v1/transactions/sent").expect(200).data();
    assert_eq!(sent["totalElements"], 1);
    let log =
        run(folder.path(), &["log", "--kind", "transaction.initiated", "--json", "--from", &(before + 1).to_string()]);
    assert_eq!(log.stdout.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).count(), 1);
}

#[test]
fn accept_against_reject_has_one_winner() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, shop) = two(&server);
    let mut completed = 0;
    for _ in 0..20 {
        let reference = wallet.initiate("alice", "bob", "1");
        let calls: Vec<Call<'_, Answer>> = (0..8)
            .map(|number| {
                let (shop, reference) = (&shop, &reference);
                let call = move || if number % 2 == 0 { shop.accept(reference) } else { shop.reject(reference) };
                Box::new(call) as Call<'_, Answer>
            })
            .collect();
        let answers = together(calls);
        let winners: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 200).collect();
        assert_eq!(winners.len(), 1);
        for loser in answers.iter().filter(|answer| answer.status != 200) {
            assert_eq!((loser.status, loser.code().as_str()), (409, "IDAAS-STATE-5007"));
        }
        let outcome = winners[0].data()["status"].clone();
        assert_eq!(shop.transaction(&reference).data()["status"], outcome);
        completed += usize::from(outcome == "COMPLETED");
    }
    assert_eq!(shop.statement().len(), completed, "only accepted payments are booked, each once");
}

#[test]
fn two_hundred_parallel_payments_leave_chained_balances_that_sum_to_zero() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let names = ["one", "two", "three", "four"];
    let apps: Vec<App> = names.iter().map(|name| application(&server, &format!("{name}-app"), name)).collect();
    let calls = (0..200_usize).map(|number| {
        let (apps, names) = (&apps, &names);
        let (from, to) = (number % 4, (number + 1 + number / 4 % 3) % 4);
        let call = move || {
            let amount = format!("{}.{:04}", number + 1, number * 37 % 10_000);
            let made = apps[from].try_initiate(names[from], names[to], &amount, None).unwrap().expect(201);
            apps[to].accept(&reference(&made)).expect(200);
        };
        Box::new(call) as Call<'_, ()>
    });
    together(calls.collect());
    let mut sum = 0;
    let mut entries = 0;
    for app in &apps {
        let statement = app.statement();
        let closing = check_statement(&statement);
        let wallet = app.get("/api/v1/wallet").expect(200);
        assert_eq!(minor(wallet.digits("balance")), closing);
        assert_eq!(minor(wallet.digits("totalCredited")) - minor(wallet.digits("totalDebited")), closing);
        sum += closing;
        entries += statement.len();
    }
    assert_eq!((sum, entries), (0, 400));
}

/// Ends the clients when dropped.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// Between two payments of a client, so that a busy machine keeps up.
const PAUSE: Duration = Duration::from_millis(3);

/// An event has its instant before it is durable: asked about the present, the server must wait for those on their way,
/// and record nothing at or before it any more. Fails without `close_past` in `api/src/audit/past.rs`, and on the command
/// line without `Moment::settle`.
#[test]
fn as_of_the_present_against_payments_under_way() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, _shop) = two(&server);
    let token = std::fs::read_to_string(server.data.join("operator.token")).unwrap();
    let ask = |instant: &str| {
        let path = format!("/audit/v1/as-of/{instant}/trial-balance");
        let began = Instant::now();
        loop {
            let answer = server.call("GET", &path, Some(token.trim()), None);
            // On a busy machine the views may be late.
            if answer.status != 503 || began.elapsed() > Duration::from_secs(20) {
                return answer.expect(200).json()["position"].as_u64().unwrap();
            }
        }
    };
    let ended = AtomicBool::new(false);
    let mut told = Vec::new();
    thread::scope(|scope| {
        for _ in 0..8 {
            let (wallet, ended) = (&wallet, &ended);
            scope.spawn(move || {
                while !ended.load(Ordering::SeqCst) {
                    wallet.initiate("alice", "bob", "1");
                    thread::sleep(PAUSE);
                }
            });
        }
        // Whatever goes wrong here, the clients must end.
        let _stop = Stop(&ended);
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(4) {
            let instant = present();
            told.push((instant.clone(), ask(&instant)));
        }
        let instant = present();
        let printed = run(folder.path(), &["as-of", &instant, "trial-balance", "--json"]);
        let printed: serde_json::Value = serde_json::from_slice(&printed.stdout).unwrap();
        told.push((instant, printed["position"].as_u64().unwrap()));
    });
    assert!(told.len() > 20, "{}", told.len());
    for (instant, position) in &told {
        assert_eq!(ask(instant), *position, "{instant}");
    }
    // Nothing is on its way: no answer waits for anything.
    let began = Instant::now();
    ask(&present());
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
}
