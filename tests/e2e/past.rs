//! The past: the same documents over HTTP and on the command line, and the whole server as it was.

use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::client::Answer;
use crate::server::{Server, command, run};
use crate::world::{App, application};

struct Played {
    server: Server,
    wallet: App,
    shop: App,
    /// The first payment, and the position after it.
    first: String,
    then: u64,
}

/// One payment accepted, a moment noted, and another one.
fn play(data: &Path) -> Played {
    let server = Server::start(data);
    let (wallet, shop) = (application(&server, "walletapp", "alice"), application(&server, "shopapp", "bob"));
    let first = wallet.initiate("alice", "bob", "100.50");
    shop.accept(&first).expect(200);
    let then = server.position();
    let second = wallet.initiate("alice", "bob", "7");
    shop.accept(&second).expect(200);
    Played { server, wallet, shop, first, then }
}

fn audit(server: &Server, path: &str) -> Answer {
    let token = std::fs::read_to_string(server.data.join("operator.token")).unwrap();
    server.call("GET", &format!("/audit/v1{path}"), Some(token.trim()), None)
}

fn printed(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{error}");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{error}"))
}

#[test]
fn the_command_line_prints_the_documents_of_http() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let Played { server, first, then, .. } = play(data);
    let end = server.position();
    let wallets = audit(&server, &format!("/as-of/{then}/wallets")).expect(200).json();
    let application = wallets["wallets"][0]["application_id"].as_str().unwrap().to_owned();
    let cases = [
        (vec!["wallets".to_owned()], "/wallets".to_owned()),
        (vec!["wallets".to_owned(), application.clone()], format!("/wallets/{application}")),
        (vec!["statement".to_owned(), application.clone()], format!("/statement/{application}")),
        (vec!["tags".to_owned()], "/tags".to_owned()),
        (vec!["tags".to_owned(), "bob@shopapp".to_owned()], "/tags/bob@shopapp".to_owned()),
        (vec!["settlement".to_owned()], "/settlement".to_owned()),
        (vec!["transactions".to_owned(), first.clone()], format!("/transactions/{first}")),
        (vec!["balances".to_owned()], "/balances".to_owned()),
        (vec!["trial-balance".to_owned()], "/trial-balance".to_owned()),
    ];
    let mut asked = Vec::new();
    for (words, path) in cases {
        for at in [then, end] {
            let over_http = audit(&server, &format!("/as-of/{at}{path}")).expect(200).json();
            let place = at.to_string();
            let mut arguments = vec!["as-of", place.as_str()];
            arguments.extend(words.iter().map(String::as_str));
            arguments.push("--json");
            assert_eq!(printed(&run(data, &arguments)), over_http, "{arguments:?}");
            asked.push((words.clone(), at, over_http));
            arguments.pop();
            assert_eq!(run(data, &arguments).status.code(), Some(0), "a table for people");
        }
    }
    let over_http = audit(&server, &format!("/explain/{first}")).expect(200).json();
    assert_eq!(printed(&run(data, &["explain", &first, "--json"])), over_http);
    let over_http = audit(&server, &format!("/diff?from={then}&to={end}")).expect(200).json();
    assert_eq!(printed(&run(data, &["diff", &then.to_string(), &end.to_string(), "--json"])), over_http);
    let (ended, _) = server.terminate();
    assert!(ended.success());
    // Without the live views, the log alone gives the same, and leaves nothing behind.
    for name in ["views.db", "views.db-wal", "views.db-shm"] {
        let _may_be_missing = std::fs::remove_file(data.join(name));
    }
    for (words, at, expected) in asked.iter().step_by(5) {
        let place = at.to_string();
        let mut arguments = vec!["as-of", place.as_str(), "--json"];
        arguments.extend(words.iter().map(String::as_str));
        assert_eq!(printed(&run(data, &arguments)), *expected, "{arguments:?}");
    }
    let left: Vec<_> = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().starts_with("scratch")), "{left:?}");
}

#[test]
fn exit_states_of_questions_to_the_past() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let Played { server, first, then, .. } = play(data);
    let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
    for (arguments, code) in [
        (vec!["as-of", "yesterday", "wallets"], 2),
        (vec!["as-of", "1", "nothing"], 2),
        (vec!["as-of", "1", "statement"], 2),
        (vec!["as-of", "1", "balances", "--limit", "0"], 2),
        (vec!["as-of", "999999", "wallets"], 1),
        (vec!["as-of", "2999-01-01T00:00:00Z", "wallets"], 1),
        (vec!["as-of", "1", "wallets", nobody], 1),
        (vec!["as-of", "1", "transactions", &first], 1),
        (vec!["explain", "TXN-00000001-00000000"], 1),
        (vec!["diff", "1", "999999"], 1),
        (vec!["diff", "2", "1"], 2),
        (vec!["log", "--from", "999999"], 1),
        (vec!["log", "--to", "999999"], 1),
        (vec!["export", "--from", "999999"], 1),
        (vec!["export", "--as-of", "3", "--from", "4"], 1),
        (vec!["export", "--as-of", "3", "--from", "3"], 0),
        (vec!["export", "--as-of", "0"], 0),
        (vec!["export", "--to", "3", "--from", "4"], 2),
        (vec!["as-of", "0", "wallets"], 0),
        (vec!["bisect", "--assert", "wallets NGN balance >= -100.5"], 1),
        (vec!["bisect", "--assert", "wallets NGN balance >= -100.5", "--to", &then.to_string()], 0),
        (vec!["bisect", "--assert", "trial-balance NGN debit = credit"], 0),
        (vec!["bisect", "--assert", "trial-balance USD debit = credit"], 1),
        (vec!["bisect", "--assert", "transactions TXN-00000001-00000000 status != REJECTED"], 1),
        (vec!["bisect", "--assert", "all is well"], 2),
    ] {
        let output = run(data, &arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(server.position() > then, "and the server lives on");
    let nowhere = folder.path().join("nowhere");
    assert_eq!(run(&nowhere, &["as-of", "0", "wallets"]).status.code(), Some(3));
    assert_eq!(run(&nowhere, &["--listen", "127.0.0.1:0", "serve", "--as-of", "1"]).status.code(), Some(3));
    assert!(!nowhere.exists(), "a reader makes nothing");
}

#[test]
fn the_whole_server_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let Played { server, wallet, shop, first, then } = play(data);
    let mut frozen = command();
    let place = then.to_string();
    frozen.args(["serve", "--as-of", &place]);
    let past = Server::start_verb(data, frozen, &[]);
    let (then_wallet, mut then_shop) = (wallet.at(&past), shop.at(&past));
    then_shop.token = then_shop.fresh_token(&past);
    let balance = |app: &App| app.get("/api/v1/wallet").expect(200).digits("balance").to_owned();
    assert_eq!((balance(&then_shop).as_str(), balance(&shop).as_str()), ("100.5000", "107.5000"));
    assert_eq!(then_shop.statement().len(), 1);
    then_shop.transaction(&first).expect(200);
    assert_eq!(past.position(), then);
    assert_eq!(past.status()["writer"]["writable"], false);
    let refused = then_wallet.try_initiate("alice", "bob", "1", None).unwrap();
    assert_eq!((refused.status, refused.code().as_str()), (409, "IDAAS-STATE-5012"));
    let token = std::fs::read_to_string(data.join("operator.token")).unwrap();
    let refused = past.call("POST", "/operator/v1/auditors", Some(token.trim()), Some(r#"{"name":"x"}"#));
    assert_eq!((refused.status, refused.json()["status"].as_u64()), (409, Some(409)));
    assert_eq!(audit(&past, "/head").expect(200).json()["position"], then);
    assert_eq!(audit(&past, &format!("/as-of/{}/wallets", then + 1)).status, 422);
    assert_eq!(
        audit(&past, &format!("/as-of/{then}/wallets")).expect(200).text,
        audit(&server, &format!("/as-of/{then}/wallets")).expect(200).text
    );
    let third = wallet.initiate("alice", "bob", "1");
    shop.accept(&third).expect(200);
    assert_eq!(balance(&then_shop), "100.5000");
    let (ended, _) = past.terminate();
    assert!(ended.success());
    assert_eq!(balance(&shop), "108.5000");
}
