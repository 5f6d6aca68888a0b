//! Imports that break off: what they leave is refused by every other verb, and an import goes on from there.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::server::{PROGRAM, Server, command, run};
use crate::world::{Dice, application};

/// Events in the file: more than an import writes at once.
const EVENTS: u64 = 12_000;
/// A file size that some of them fit into.
const ROOM: u64 = 3_500_000;

/// Goes on with an exported log as a ledger could: one harmless event after another, each with its hashes.
const LENGTHEN: &str = r#"
import hashlib, json, sys, uuid
path, count = sys.argv[1], int(sys.argv[2])
lines = open(path, encoding="utf-8").read().splitlines()
last = json.loads(lines[-1])
chain = bytes.fromhex(last["hash"])
canonical = lambda value: json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
for position in range(last["position"] + 1, count + 1):
    name = lambda what: str(uuid.UUID(hashlib.sha256(f"{what} {position}".encode()).hexdigest()[:32], version=4))
    event = {
        "position": position, "id": name("event"), "entity": "auditor/" + name("auditor"), "kind": "auditor.added",
        "version": 1, "recorded_at": last["recorded_at"], "actor": "operator", "command_id": name("command"),
        "payload": {"name": f"Auditor {position}", "token_hash": hashlib.sha256(name("token").encode()).hexdigest()},
    }
    leaf = hashlib.sha256(b"\0" + canonical(event).encode()).digest()
    chain = hashlib.sha256(b"flexledger/chain/v1\0" + chain + leaf).digest()
    lines.append(canonical(event | {"leaf_hash": leaf.hex(), "hash": chain.hex()}))
open(path, "w", encoding="utf-8").write("\n".join(lines) + "\n")
"#;

/// A long export in the folder.
fn export(folder: &Path) -> PathBuf {
    let data = folder.join("first");
    let server = Server::start(&data);
    application(&server, "walletapp", "alice");
    assert!(server.terminate().0.success());
    let file = folder.join("export.jsonl");
    std::fs::write(&file, run(&data, &["export"]).stdout).unwrap();
    let done = Command::new("python3").args(["-c", LENGTHEN]).arg(&file).arg(EVENTS.to_string()).status().unwrap();
    assert!(done.success());
    file
}

/// Every verb but `import` says that the store is no whole ledger, and what to do.
fn refused(data: &Path) {
    for verb in [
        &["--listen", "127.0.0.1:0", "serve"][..],
        &["--listen", "127.0.0.1:0", "serve", "--as-of", "1"],
        &["log"],
        &["head"],
        &["verify"],
        &["export"],
        &["as-of", "1", "wallets"],
        &["explain", "TXN-00000001-00000000"],
        &["diff", "1", "2"],
        &["bisect", "--assert", "trial-balance NGN debit = credit"],
        &["reconcile"],
        &["rebuild"],
    ] {
        let output = run(data, verb);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(3), "{verb:?}: {said}");
        assert!(said.contains("flexledger import"), "{verb:?}: {said}");
        assert!(output.stdout.is_empty(), "{verb:?}");
    }
}

/// How many events stand in the store, whatever the program says.
fn stored(data: &Path) -> u64 {
    let script =
        "import sqlite3,sys; print(sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM events').fetchone()[0])";
    let output = Command::new("python3").args(["-c", script]).arg(data.join("events.db")).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().parse().unwrap_or(0)
}

#[test]
fn a_half_imported_store_is_refused_until_the_import_is_done() {
    let folder = tempfile::tempdir().unwrap();
    let file = export(folder.path());
    let (data, file) = (folder.path().join("second"), file.to_str().unwrap());
    // A disk without room for all of it; the signal that comes with a refused write is left aside.
    let limited = format!("trap '' XFSZ; exec prlimit --fsize={ROOM} \"$0\" \"$@\"");
    let mut import = Command::new("sh");
    import.args(["-c", &limited, PROGRAM, "--data"]).arg(&data).args(["import", file]);
    let output = import.output().unwrap();
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    let half = stored(&data);
    assert!(half > 0 && half < EVENTS, "{half}");
    refused(&data);
    let other = folder.path().join("other.jsonl");
    let text = std::fs::read_to_string(file).unwrap();
    let shorter: String = text.split_inclusive('\n').take(100).collect();
    std::fs::write(&other, shorter).unwrap();
    let output = run(&data, &["import", other.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "another file");
    assert!(String::from_utf8_lossy(&output.stderr).contains("broken off"));
    refused(&data);
    assert_eq!(run(&data, &["import", file]).status.code(), Some(0));
    assert_eq!(run(&data, &["export"]).stdout, text.into_bytes());
    let server = Server::start(&data);
    assert!(server.position() > EVENTS);
    assert!(server.terminate().0.success());
}

#[test]
fn kill_9_in_an_import_leaves_nothing_that_passes_for_a_ledger() {
    let mut dice = Dice::new("kill -9 in an import");
    let folder = tempfile::tempdir().unwrap();
    let file = export(folder.path());
    let (data, file) = (folder.path().join("second"), file.to_str().unwrap());
    let (mut broken, mut until_note) = (0, Duration::ZERO);
    for round in 0..8 {
        let began = Instant::now();
        let mut import =
            command().arg("--data").arg(&data).args(["import", file]).stdout(Stdio::null()).spawn().unwrap();
        if round == 0 {
            // Until the note the file is only checked, and nothing is written.
            while !data.join("imported.json").exists() && import.try_wait().unwrap().is_none() {
                std::thread::sleep(Duration::from_millis(1));
            }
            until_note = began.elapsed();
        } else {
            std::thread::sleep(until_note + Duration::from_millis(dice.below(120)));
        }
        let _ended_already = import.kill();
        import.wait().unwrap();
        let note = std::fs::read_to_string(data.join("imported.json")).unwrap();
        if note.contains("\"done\":true") {
            assert_eq!(stored(&data), EVENTS);
            break;
        }
        broken += 1;
        assert_eq!(run(&data, &["log"]).status.code(), Some(3), "{} events", stored(&data));
    }
    assert!(broken > 0, "no import was killed in time");
    let again = run(&data, &["import", file]);
    let code = again.status.code();
    assert!(code == Some(0) || code == Some(2), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(run(&data, &["export"]).stdout, std::fs::read(file).unwrap());
    assert_eq!(run(&data, &["verify"]).status.code(), Some(0));
}

#[test]
fn what_is_no_file_is_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let here = folder.path().to_str().unwrap();
    for (file, said) in [
        ("-", "standard input cannot be read twice"),
        ("/dev/null", "cannot be read twice"),
        (here, "directory"),
        ("no-such-file", "No such file"),
    ] {
        let output = run(&folder.path().join("data"), &["import", file]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{file}: {told}");
        assert!(told.contains(said), "{file}: {told}");
    }
    assert_eq!(std::fs::read_dir(here).unwrap().count(), 0, "nothing is made for it");
}

#[test]
fn an_export_that_ends_inside_a_command_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let server = Server::start(data);
    let (wallet, _shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    wallet.initiate("alice", "bob", "1");
    assert!(server.terminate().0.success());
    let log = run(data, &["log", "--json"]).stdout;
    let lines = String::from_utf8(log).unwrap();
    let command = |line: &str| serde_json::from_str::<serde_json::Value>(line).unwrap()["command_id"].clone();
    let commands: Vec<_> = lines.lines().map(command).collect();
    let wallets = commands.last().unwrap();
    let first = commands.iter().position(|command| command == wallets).unwrap() + 1;
    let end = commands.len();
    assert!(end > first, "the last command has several events");
    for (to, inside) in [(first - 1, false), (first, true), (end, false)] {
        let output = run(data, &["export", "--to", &to.to_string()]);
        assert_eq!(output.status.code(), Some(0));
        assert_eq!(output.stdout.split_inclusive(|byte| *byte == b'\n').count(), to, "nothing else on standard output");
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(told.contains(&format!("--to {end}")), inside, "{to}: {told}");
    }
}
