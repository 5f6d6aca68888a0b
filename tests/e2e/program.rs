//! The program as an operator meets it: configuration, exit status, files, start and stop.

use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::server::{Server, command, run};
use crate::world::{application, reference};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn a_second_writer_is_refused_and_told_who_holds_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let second = run(folder.path(), &["--listen", "127.0.0.1:0", "serve"]);
    assert_eq!(second.status.code(), Some(3));
    assert!(text(&second.stderr).contains(&format!("process {}", server.pid())), "{}", text(&second.stderr));
    assert_eq!(server.get("/ready").unwrap().status, 200);
}

#[test]
fn the_first_start_makes_private_files() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("deep/data");
    let server = Server::start(&data);
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    assert_eq!(mode(&data.join("operator.token")), 0o600);
    assert_eq!(mode(&data.join("platform.key")), 0o600);
    assert_eq!(server.status()["writer"]["epoch"], 1);
}

#[test]
fn readers_work_beside_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    shop.accept(&wallet.initiate("alice", "bob", "1")).expect(200);
    let log = run(folder.path(), &["log", "--json"]);
    let events: Vec<Value> = text(&log.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let positions: Vec<u64> = events.iter().map(|event| event["position"].as_u64().unwrap()).collect();
    assert_eq!(positions, (1..=server.position()).collect::<Vec<u64>>(), "all of them, without gaps");
    let accepted = events.iter().find(|event| event["kind"] == "transaction.accepted").unwrap();
    assert_eq!(accepted["postings"].as_array().unwrap().len(), 2);
    assert!(run(folder.path(), &["verify"]).status.success());
    assert!(run(folder.path(), &["head"]).status.success());
    let one = run(folder.path(), &["log", "--kind", "transaction.accepted"]);
    assert_eq!(text(&one.stdout).lines().count(), 1);
    let status = command()
        .args(["--listen", &server.address.to_string(), "--json", "operator", "status", "--data"])
        .arg(folder.path())
        .output()
        .unwrap();
    let status: Value = serde_json::from_slice(&status.stdout).unwrap();
    assert_eq!(status["ledger"]["position"], server.position());
}

#[test]
fn the_operator_calls_a_running_server() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let shop = application(&server, "shopapp", "bob");
    let call = |arguments: &[&str]| {
        let address = server.address.to_string();
        let output = command()
            .args(["--listen", &address, "--json", "--data"])
            .arg(folder.path())
            .arg("operator")
            .args(arguments)
            .output()
            .unwrap();
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        (output.status.code(), answer, text(&output.stderr))
    };
    let (code, merchant, _) = call(&["add-merchant", "Kiosk", "bob@shopapp", "--idempotency-key", "m-1"]);
    assert!(code == Some(0) && merchant["api_key"].is_string(), "{merchant}");
    assert_eq!(call(&["add-merchant", "Kiosk", "bob@shopapp", "--idempotency-key", "m-1"]).1, merchant);
    let (_, auditor, _) = call(&["add-auditor", "Ada"]);
    let (token, id) = (auditor["token"].as_str().unwrap(), auditor["id"].as_str().unwrap());
    let read = || server.call("GET", "/audit/v1/head", Some(token), None).status;
    assert_eq!(read(), 200);
    assert_eq!(call(&["remove-auditor", id]).0, Some(0));
    assert_eq!(read(), 401);
    let subjects = server.call("GET", "/api/v1/subjects", Some(&shop.token), None).json();
    let subject = subjects["data"][0]["id"].as_str().unwrap().to_owned();
    let (code, erased, _) = call(&["erase", &subject]);
    assert_eq!((code, erased["id"].as_str()), (Some(0), Some(subject.as_str())));
    let position = server.position();
    for (arguments, code, said) in [
        (&["add-merchant", "Kiosk", "nobody"][..], 1, "Tag not found"),
        (&["erase", "3fa85f64-5717-4562-b3fc-2c963f66afa6"][..], 1, "Subject not found"),
        (&["add-auditor", " "][..], 2, "name must not be blank"),
        (&["erase", "../status"][..], 2, "is no id"),
        (&["dance"][..], 2, "dance"),
    ] {
        let (got, _, error) = call(arguments);
        assert_eq!(got, Some(code), "{arguments:?} {error}");
        assert!(error.contains(said), "{arguments:?} {error}");
    }
    assert_eq!(server.position(), position);
}

#[test]
fn nothing_personal_and_no_secret_stands_in_the_data_directory() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let wallet = application(&server, "walletapp", "alice");
    application(&server, "shopapp", "bob");
    let body = r#"{"senderTag":"alice","receiverTag":"bob","amount":1,"narration":"For the operation"}"#;
    wallet.post("/api/v1/transactions", Some(body)).expect(201);
    let token = wallet.token.clone();
    let secret = wallet.client_secret.clone();
    assert!(server.terminate().0.success());
    let mut files = vec![folder.path().to_owned()];
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        for word in ["For the operation", "Some Body", &token, &secret] {
            assert!(!content.contains(word), "{word} stands in {}", path.display());
        }
    }
}

#[test]
fn a_stop_finishes_what_was_taken_and_is_quick() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path());
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let told = thread::scope(|scope| {
        let payers: Vec<_> = (0..4)
            .map(|_| {
                let (wallet, shop) = (&wallet, &shop);
                scope.spawn(move || {
                    let mut told = Vec::new();
                    while let Ok(made) = wallet.try_initiate("alice", "bob", "1", None) {
                        let path = format!("/api/v1/transactions/{}/accept", reference(&made.clone().expect(201)));
                        match shop.try_call("POST", &path, None, None) {
                            Ok(answer) if answer.status == 200 => told.push(reference(&made)),
                            _ => break,
                        }
                    }
                    told
                })
            })
            .collect();
        thread::sleep(Duration::from_millis(300));
        let (status, time) = server.terminate();
        assert_eq!(status.code(), Some(0));
        assert!(time < Duration::from_secs(10), "{time:?}");
        payers.into_iter().flat_map(|payer| payer.join().unwrap()).collect::<Vec<String>>()
    });
    assert!(!told.is_empty());
    let server = Server::start(folder.path());
    let booked = shop.at(&server).statement();
    for reference in &told {
        assert!(booked.iter().any(|entry| entry.reference == *reference), "{reference}");
    }
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    std::fs::write(&file, "[auth]\ntoken_ttl = '5m'\n[names]\ncode_prefix = 'FILE'\n").unwrap();
    let variables = [
        ("FLEXLEDGER_CONFIG", file.to_str().unwrap()),
        ("FLEXLEDGER_NAMES__CODE_PREFIX", "SWITCH"),
        ("FLEXLEDGER_LISTEN", "127.0.0.1:1"),
    ];
    // The address of the environment cannot be used: the flag must win.
    let server = Server::start_with(&folder.path().join("data"), command(), &variables);
    let answer = server.call("POST", "/api/v1/auth/token", None, Some("{}"));
    assert_eq!(answer.code(), "SWITCH-VALID-2001");
}

#[test]
fn wrong_usage_is_2_and_says_what_to_mend() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrong.toml");
    std::fs::write(&file, "[engine]\nqueues = 1\n").unwrap();
    let file = file.to_str().unwrap();
    for (arguments, hint) in [
        (&["serve", "--nonsense"][..], "--nonsense"),
        (&["--config", file][..], "engine.queues"),
        (&["--config", "no-such-file.toml"][..], "no-such-file.toml"),
        (&["--listen", "nowhere"][..], "listen"),
        (&["--events", "mysql://db/ledger"][..], "mysql"),
        (&["--views", "nonsense"][..], "sqlite:"),
        (&["log", "--entity", "nonsense"][..], "--entity"),
        (&["log", "--from", "0"][..], "--from"),
    ] {
        let output = run(folder.path(), arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
        assert!(text(&output.stderr).contains(hint), "{arguments:?}: {}", text(&output.stderr));
    }
}

#[test]
fn a_store_that_is_not_there_is_3() {
    let folder = tempfile::tempdir().unwrap();
    for verb in ["log", "head", "verify"] {
        let output = run(folder.path(), &[verb]);
        assert_eq!(output.status.code(), Some(3), "{verb}");
        assert!(output.stdout.is_empty());
        assert!(text(&output.stderr).contains("--data"), "says what to do: {}", text(&output.stderr));
    }
    std::fs::write(folder.path().join("events.db"), "something else").unwrap();
    assert_eq!(run(folder.path(), &["verify"]).status.code(), Some(3));
}

#[test]
fn the_demo_plays_its_world_and_leaves_a_sound_log() {
    let folder = tempfile::tempdir().unwrap();
    let mut demo = command()
        .args(["--listen", "127.0.0.1:0", "--json", "demo", "--data"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(demo.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let said: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(said["tokens"].as_object().unwrap().len(), 4);
    assert_eq!(said["open"].as_array().unwrap().len(), 2);
    let again = run(folder.path(), &["--listen", "127.0.0.1:0", "demo"]);
    assert_eq!(again.status.code(), Some(2), "it wants a fresh directory");
    assert!(run(folder.path(), &["verify"]).status.success());
    demo.kill().unwrap();
    demo.wait().unwrap();
}

#[test]
fn benches_print_one_document() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let small = ["--seconds", "1", "--rounds", "1", "--payments", "400", "--in-flight", "64", "--connections", "4"];
    for bench in ["ceiling", "http", "floor", "engine", "views", "restart"] {
        let output = run(&data, &[&["--json", "bench", bench], &small[..]].concat());
        assert!(output.status.success(), "{bench}: {}", text(&output.stderr));
        let lines = text(&output.stdout);
        assert_eq!(lines.lines().count(), 1, "{bench}");
        let document: Value = serde_json::from_str(&lines).unwrap();
        assert_eq!(document["bench"], bench);
        for name in [
            "per_second",
            "reference_per_second",
            "ratio",
            "p50_ms",
            "p99_ms",
            "refused",
            "rss_mb",
            "events",
            "bytes_on_disk",
            "durability",
            "machine",
        ] {
            assert!(document.get(name).is_some(), "{bench}: {name}");
        }
        assert!(document["refused"].as_u64().unwrap_or(0) == 0 && document["per_second"].as_f64().unwrap() > 0.0);
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "they leave nothing behind");
}
