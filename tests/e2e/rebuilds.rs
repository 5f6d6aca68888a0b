//! `kill -9` of a rebuild at random moments, in the middle of the switch as well, beside a server and without one.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::server::{Server, command, run};
use crate::world::{App, Dice, application, check_statement};

const PAYMENTS: usize = 40;
/// Kills at random moments, and kills in the switch.
const ROUNDS: usize = 6;
const SWITCHES: usize = 3;

/// Kills a rebuild in its switch, some time after it was seen to hold the right to write the views. It is stopped first:
/// what still holds that right then, with views in the scratch database that are filled, is the switch.
const STRIKE: &str = r#"
import os, signal, sqlite3, sys, time
path, hold = sys.argv[1], float(sys.argv[2]) / 1e6
connection = sqlite3.connect(path, timeout=0, isolation_level=None)
print("ready", flush=True)
pid = int(sys.stdin.readline())
def alive():
    try: return open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError: return False
def held():
    try:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
        return False
    except sqlite3.OperationalError:
        return True
def filled():
    try:
        scratch = sqlite3.connect(f"file:{path.replace('views.db', 'rebuild.db')}?mode=ro", uri=True)
        return scratch.execute("SELECT count(*) FROM view_checkpoints WHERE position > 0").fetchone()[0] > 10
    except sqlite3.OperationalError:
        return False
while alive():
    if not held():
        time.sleep(0.0001)
        continue
    until = time.monotonic() + hold
    while time.monotonic() < until:
        pass
    os.kill(pid, signal.SIGSTOP)
    time.sleep(0.02)
    if alive() and held() and filled():
        os.kill(pid, signal.SIGKILL)
        print("struck")
        break
    os.kill(pid, signal.SIGCONT)
"#;

/// What the two damaged views hold, of one moment. The one is the first to be switched, the other one of the last.
const SEEN: &str = "import sqlite3,sys; c=sqlite3.connect(f'file:{sys.argv[1]}?mode=ro',uri=True,timeout=10); \
    print(*c.execute(\"SELECT (SELECT count(*) FROM applications WHERE metadata = 'x'), \
    (SELECT count(*) FROM entries)\").fetchone())";

fn python(script: &str, arguments: &[&str]) -> Command {
    let mut python = Command::new("python3");
    python.args(["-c", script]).args(arguments);
    python
}

fn views(data: &Path) -> String {
    data.join("views.db").to_str().unwrap().to_owned()
}

fn seen(data: &Path) -> (usize, usize) {
    let output = python(SEEN, &[&views(data)]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.split_whitespace().map(|number| number.parse().unwrap());
    match (numbers.next(), numbers.next()) {
        (Some(damaged), Some(entries)) => (damaged, entries),
        _ => panic!("{}", String::from_utf8_lossy(&output.stderr)),
    }
}

fn damage(data: &Path) {
    let script =
        "import sqlite3,sys; c=sqlite3.connect(sys.argv[1],timeout=10); c.executescript(sys.argv[2]); c.commit()";
    let sql = "UPDATE applications SET metadata = 'x' WHERE position = (SELECT min(position) FROM applications); \
               DELETE FROM entries WHERE number IN (SELECT number FROM entries ORDER BY position LIMIT 2);";
    assert!(python(script, &[&views(data), sql]).status().unwrap().success());
}

fn start(data: &Path) -> Child {
    let mut rebuild = command();
    rebuild.arg("--data").arg(data).args(["rebuild", "--accept-differences"]);
    rebuild.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What can be read is whole: all of it as before, or all of it made anew.
fn check(data: &Path, entries: usize) {
    let seen = seen(data);
    assert!(seen == (1, entries - 2) || seen == (0, entries), "half of a switch: {seen:?} of {entries}");
    let output = run(data, &["reconcile", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let differences: Vec<(&str, usize)> = report["views"]
        .as_array()
        .unwrap()
        .iter()
        .map(|view| (view["name"].as_str().unwrap(), view["differences"].as_array().unwrap().len()))
        .filter(|(_, count)| *count > 0)
        .collect();
    match seen.0 {
        0 => assert_eq!((output.status.code(), differences), (Some(0), vec![])),
        _ => {
            assert_eq!(output.status.code(), Some(1));
            assert_eq!(differences.iter().map(|(_, count)| count).sum::<usize>(), 3, "{differences:?}");
        }
    }
}

/// Starts a rebuild and kills it in its switch; whether that was in time.
fn strike_once(data: &Path, hold_us: u64) -> bool {
    let mut striker = python(STRIKE, &[&views(data), &hold_us.to_string()]);
    let mut striker = striker.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut told = BufReader::new(striker.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(told.next().as_deref(), Some("ready"), "it takes longer to start than a rebuild does");
    let mut rebuild = start(data);
    writeln!(striker.stdin.take().unwrap(), "{}", rebuild.id()).unwrap();
    let struck = told.next().as_deref() == Some("struck");
    assert!(striker.wait().unwrap().success());
    !rebuild.wait().unwrap().success() && struck
}

/// Kills rebuilds of damaged views; `after` goes on with what is left.
fn strike(data: &Path, dice: &mut Dice, entries: &mut usize, mut after: impl FnMut(&mut usize)) {
    damage(data);
    let began = Instant::now();
    assert!(start(data).wait().unwrap().success());
    let whole = began.elapsed();
    assert_eq!(seen(data), (0, *entries));
    let mut killed = 0;
    for _ in 0..ROUNDS {
        if seen(data).0 == 0 {
            damage(data);
        }
        let mut rebuild = start(data);
        std::thread::sleep(Duration::from_micros(dice.below(u64::try_from(whole.as_micros()).unwrap())));
        let _ended_already = rebuild.kill();
        killed += usize::from(!rebuild.wait().unwrap().success());
        check(data, *entries);
        after(entries);
    }
    assert!(killed > 0, "none was killed before its end");
    // A machine may be so fast that the switch is over before it is struck: then the next strike comes earlier.
    let (mut struck, mut tries, mut longest) = (0, 0, 2000);
    while struck < SWITCHES && tries < 20 * SWITCHES {
        tries += 1;
        if seen(data).0 == 0 {
            damage(data);
        }
        let met = strike_once(data, dice.below(longest));
        struck += usize::from(met);
        longest = if met { longest } else { (longest / 2).max(1) };
        check(data, *entries);
        after(entries);
    }
    assert!(struck == SWITCHES, "the switch was met {struck} times in {tries}");
    if seen(data).0 == 0 {
        damage(data);
    }
    assert!(start(data).wait().unwrap().success(), "it can be run again");
    assert_eq!(seen(data), (0, *entries));
    check(data, *entries);
    assert!(!data.join("rebuild.db").exists(), "and leaves nothing behind");
}

fn pay(wallet: &App, shop: &App) {
    shop.accept(&wallet.initiate("alice", "bob", "1.5")).expect(200);
}

fn played(data: &Path) -> (Server, App, App) {
    let server = Server::start(data);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    (0..PAYMENTS).for_each(|_| pay(&wallet, &shop));
    assert_eq!(shop.statement().len(), PAYMENTS);
    (server, wallet, shop)
}

#[test]
fn a_killed_rebuild_leaves_the_old_views_or_the_new_ones() {
    let mut dice = Dice::new("kill -9 of a rebuild");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (server, wallet, shop) = played(data);
    assert!(server.terminate().0.success());
    let mut entries = 2 * PAYMENTS;
    strike(data, &mut dice, &mut entries, |_| {});
    let server = Server::start(data);
    let (wallet, shop) = (wallet.at(&server), shop.at(&server));
    pay(&wallet, &shop);
    assert_eq!(check_statement(&shop.statement()), 15_000 * (PAYMENTS as i128 + 1));
    assert!(server.terminate().0.success());
    check(data, entries + 2);
}

#[test]
fn a_killed_rebuild_beside_a_server_disturbs_nobody() {
    let mut dice = Dice::new("kill -9 of a rebuild beside a server");
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let (server, wallet, shop) = played(data);
    let mut entries = 2 * PAYMENTS;
    strike(data, &mut dice, &mut entries, |entries| {
        // The server goes on at once, and reads what it wrote.
        let reference = wallet.initiate("alice", "bob", "1.5");
        shop.accept(&reference).expect(200);
        assert_eq!(wallet.transaction(&reference).expect(200).data()["status"], "COMPLETED");
        *entries += 2;
        assert_eq!(shop.get("/api/v1/wallet").expect(200).digits("balance"), balance(*entries));
    });
    pay(&wallet, &shop);
    assert_eq!(check_statement(&shop.statement()), 15_000 * (entries as i128 / 2 + 1));
    assert!(server.terminate().0.success());
    check(data, entries + 2);
}

fn balance(entries: usize) -> String {
    let minor = entries / 2 * 15_000;
    format!("{}.{:04}", minor / 10_000, minor % 10_000)
}
