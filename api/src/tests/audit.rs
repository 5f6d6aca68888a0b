//! The audit surface: who may read it, what it answers, and that its proofs are proofs.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flexledger_domain::Position;
use flexledger_eventstore::hash::{Hash, chain_hash};
use flexledger_eventstore::memory::Fault;
use flexledger_eventstore::merkle::{verify_consistency, verify_inclusion};
use flexledger_eventstore::note::{HeadSigner, Note};
use serde_json::{Value, json};

use super::world::{Answer, OPERATOR, Tenant, World};
use crate::Settings;

/// A world with one payment accepted, one waiting, and one day settled.
async fn played() -> (World, Tenant, Tenant, String) {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let accepted = world.pay(&wallet, "1500.25").await;
    world.post(&format!("/api/v1/transactions/{accepted}/accept"), &shop.token, &json!({})).await.fine();
    world.pay(&wallet, "7").await;
    (world, wallet, shop, accepted)
}

impl World {
    async fn audit(&self, path: &str) -> Answer {
        self.get(&format!("/audit/v1{path}"), OPERATOR).await
    }
}

fn hash(value: &Value) -> Hash {
    value.as_str().unwrap().parse().unwrap()
}

fn path(value: &Value) -> Vec<Hash> {
    value["path"].as_array().unwrap().iter().map(hash).collect()
}

fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_else(|| panic!("{value} is a number"))
}

#[tokio::test]
async fn only_the_operator_and_auditors_read_it() {
    let (world, wallet, _, _) = played().await;
    for (token, status) in [("", 401), ("x", 401), (wallet.token.as_str(), 401), (OPERATOR, 200)] {
        let answer = world.get("/audit/v1/head", token).await;
        assert_eq!(answer.status, status);
        let kind = if status == 200 { "application/json" } else { "application/problem+json" };
        assert_eq!(answer.headers["content-type"], kind);
    }
}

#[tokio::test]
async fn a_wrong_token_is_not_called_a_jwt() {
    let (world, _, _, _) = played().await;
    for (path, detail) in [
        ("/audit/v1/head", "the token is neither the operator's nor an auditor's"),
        ("/operator/v1/status", "the token is not the operator's"),
    ] {
        let refused = world.get(path, "x").await;
        assert_eq!((refused.status, &refused.json["detail"]), (401, &json!(detail)), "{path}");
    }
}

#[tokio::test]
async fn every_answer_names_the_end_of_the_log() {
    let (world, _, _, _) = played().await;
    let head = world.audit("/head").await.fine();
    for (method, path, status) in [
        ("GET", "/audit/v1/nothing", 404),
        ("POST", "/audit/v1/as-of/1", 404),
        ("POST", "/audit/v1/head", 405),
        ("DELETE", "/audit/v1/as-of/1/wallets", 405),
        ("GET", "/audit/v1/as-of/x/wallets", 400),
    ] {
        let answer = world.raw(method, path, OPERATOR, &[], "").await;
        assert_eq!((answer.status, answer.json["status"].as_u64()), (status, Some(u64::from(status))), "{path}");
        for name in ["ledger-position", "ledger-head"] {
            assert_eq!(answer.headers[name], head.headers[name], "{method} {path}");
        }
        assert!(status != 405 || answer.headers.contains_key("allow"), "{path}");
    }
}

#[tokio::test]
async fn the_key_of_signed_heads_is_published() {
    let (world, _, _, _) = played().await;
    let note = Note::parse(&world.audit("/head").await.fine().text_of("/note")).unwrap();
    let keys = world.get("/.well-known/jwks.json", "").await.fine();
    let found = keys.json["keys"].as_array().unwrap().iter().find(|key| key["crv"] == "Ed25519").unwrap();
    assert_eq!((&found["kty"], &found["use"], &found["alg"]), (&json!("OKP"), &json!("sig"), &json!("EdDSA")));
    // Written as a verifier key it is the one that the note is signed with.
    let mut key = vec![1];
    key.extend(URL_SAFE_NO_PAD.decode(found["x"].as_str().unwrap()).unwrap());
    let key = format!("{}+{}", found["kid"].as_str().unwrap(), STANDARD.encode(key));
    note.verify(&key.parse().unwrap()).unwrap();
    // Whoever asks, and however often, the log is not read for it again.
    world.store.tamper(Position::new(1), |record| record.bytes.clear());
    assert_eq!(world.get("/.well-known/jwks.json", "").await.fine().text, keys.text);
}

#[tokio::test]
async fn an_auditor_reads_and_does_nothing_else() {
    let (world, _, _, _) = played().await;
    let made = world.post("/operator/v1/auditors", OPERATOR, &json!({"name": "Ada"})).await;
    assert_eq!(made.status, 201);
    let (id, token) = (made.text_of("/id"), made.text_of("/token"));
    assert_eq!(world.get("/audit/v1/as-of/0/wallets", &token).await.status, 200);
    for (method, path) in [("GET", "/operator/v1/status"), ("POST", "/operator/v1/auditors"), ("GET", "/api/v1/wallet")]
    {
        assert_eq!(world.json(method, path, &token, r#"{"name":"x"}"#).await.status, 401, "{path}");
    }
    let remove = format!("/operator/v1/auditors/{id}");
    assert_eq!(world.raw("DELETE", &remove, &token, &[], "").await.status, 401);
    for _ in 0..2 {
        assert_eq!(world.raw("DELETE", &remove, OPERATOR, &[], "").await.status, 204);
    }
    assert_eq!(world.get("/audit/v1/head", &token).await.status, 401);
    assert_eq!(world.raw("DELETE", &format!("/operator/v1/auditors/{token}"), OPERATOR, &[], "").await.status, 404);
    let log = world.audit("/events?kind=auditor.added").await.fine();
    assert!(!log.text.contains(&token), "a token never stands in the log");
}

#[tokio::test]
async fn an_auditor_added_twice_under_one_key_is_one() {
    let (world, _, _, _) = played().await;
    let headers = [("content-type", "application/json"), ("idempotency-key", "k")];
    let add = || world.raw("POST", "/operator/v1/auditors", OPERATOR, &headers, r#"{"name":"Ada"}"#);
    let (first, second) = (add().await.fine(), add().await.fine());
    assert_eq!(first.text, second.text);
    assert_eq!(second.headers["idempotent-replayed"], "true");
    for wrong in ["{}", r#"{"name":""}"#, r#"{"name":7}"#, "[]"] {
        let refused = world.json("POST", "/operator/v1/auditors", OPERATOR, wrong).await;
        assert_eq!((refused.status, refused.json["status"].as_u64()), (400, Some(400)), "{wrong}");
    }
}

#[tokio::test]
async fn events_come_in_pages_and_by_filter() {
    let (world, _, _, reference) = played().await;
    let head = world.audit("/head").await.fine();
    let end = number(&head.json["position"]);
    let mut seen = Vec::new();
    let mut from = Some(1);
    while let Some(place) = from {
        let page = world.audit(&format!("/events?from={place}&limit=3")).await.fine();
        assert_eq!(page.headers["ledger-position"], end.to_string().as_str());
        assert_eq!(page.headers["ledger-head"].to_str().unwrap(), head.text_of("/hash"));
        seen.extend(page.json["events"].as_array().unwrap().clone());
        from = page.json["next"].as_u64();
    }
    let positions: Vec<u64> = seen.iter().map(|event| number(&event["position"])).collect();
    assert_eq!(positions, (1..=end).collect::<Vec<_>>());
    let mut chain = Hash::default();
    for event in &seen {
        chain = chain_hash(chain, hash(&event["leaf_hash"]));
        assert_eq!(chain, hash(&event["hash"]));
        assert!(event["postings"].is_array() && event.get("idempotency").is_none());
    }
    let mine = world.audit(&format!("/events?entity=transaction/{reference}")).await.fine();
    let kinds: Vec<_> = mine.json["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!(kinds, ["transaction.initiated", "transaction.accepted"]);
    assert_eq!(mine.json["next"], Value::Null);
    let postings = &mine.json["events"][1]["postings"];
    assert_eq!((&postings[0]["side"], &postings[1]["side"]), (&json!("debit"), &json!("credit")));
    let kind = world.audit("/events?kind=tag.created&limit=1").await.fine();
    assert_eq!(kind.json["events"].as_array().unwrap().len(), 1);
    assert!(kind.json["next"].is_u64());
}

#[tokio::test]
async fn what_is_malformed_beyond_or_unknown() {
    let (world, wallet, _, reference) = played().await;
    let end = number(&world.audit("/head").await.json["position"]);
    let nobody = uuid::Uuid::nil();
    let cases = [
        ("/as-of/x/wallets".to_owned(), 400),
        ("/as-of/-1/wallets".to_owned(), 400),
        ("/as-of/2026-03-27/wallets".to_owned(), 400),
        (format!("/as-of/{}/wallets", end + 1), 422),
        ("/as-of/2999-01-01T00:00:00Z/wallets".to_owned(), 422),
        (format!("/as-of/{end}/nothing"), 404),
        (format!("/as-of/{end}/wallets/{nobody}"), 404),
        (format!("/as-of/{end}/statement/{nobody}"), 404),
        (format!("/as-of/{end}/statement/{}?limit=0", wallet.id), 400),
        (format!("/as-of/{end}/statement/{}?limit=1001", wallet.id), 400),
        (format!("/as-of/{end}/statement/{}?currency=ngn", wallet.id), 400),
        (format!("/as-of/{end}/tags/nobody@nowhere"), 404),
        (format!("/as-of/{end}/settlement/2026-03-27"), 404),
        (format!("/as-of/{end}/transactions/TXN-00000001-00000000"), 404),
        (format!("/as-of/1/transactions/{reference}"), 404),
        (format!("/as-of/1/wallets/{}", wallet.id), 404),
        ("/events?from=0".to_owned(), 400),
        ("/events?from=x".to_owned(), 400),
        ("/events?limit=0".to_owned(), 400),
        ("/events?limit=1001".to_owned(), 400),
        ("/events?from=3&to=2".to_owned(), 400),
        ("/events?entity=nothing".to_owned(), 400),
        (format!("/events?to={}", end + 1), 422),
        (format!("/events?from={}", end + 1), 422),
        ("/proofs/events/0".to_owned(), 400),
        ("/proofs/events/x".to_owned(), 400),
        (format!("/proofs/events/{}", end + 1), 422),
        ("/proofs/events/3?at=2".to_owned(), 422),
        (format!("/proofs/events/1?at={}", end + 1), 422),
        ("/proofs/consistency".to_owned(), 400),
        ("/proofs/consistency?from=2&to=1".to_owned(), 400),
        (format!("/proofs/consistency?from=1&to={}", end + 1), 422),
    ];
    for (path, status) in cases {
        let answer = world.audit(&path).await;
        assert_eq!(answer.status, status, "{path} {}", answer.text);
        assert_eq!(answer.headers["content-type"], "application/problem+json", "{path}");
        assert_eq!(answer.headers["ledger-position"], end.to_string().as_str(), "{path}");
    }
}

#[tokio::test]
async fn the_past_is_what_it_was() {
    let (world, wallet, shop, reference) = played().await;
    let end = number(&world.audit("/head").await.json["position"]);
    let mut statuses = Vec::new();
    for at in 0..=end {
        let wallets = world.audit(&format!("/as-of/{at}/wallets")).await.fine();
        assert_eq!(wallets.json["position"], at);
        let payment = world.audit(&format!("/as-of/{at}/transactions/{reference}")).await;
        statuses.push(payment.json["status"].as_str().unwrap_or("none").to_owned());
    }
    statuses.dedup();
    statuses.retain(|status| status != "none");
    assert_eq!(statuses, ["AWAITING_ACCEPTANCE", "COMPLETED"]);
    let empty = world.audit("/as-of/0/trial-balance").await.fine();
    assert_eq!(empty.json, json!({"position": 0, "currencies": []}));
    let now = world.audit(&format!("/as-of/{end}/wallets/{}", shop.id)).await.fine();
    assert_eq!(
        now.json["wallets"][0],
        json!({
            "application_id": shop.id, "application_name": "ShopApp", "currency": "NGN", "balance": "1500.2500",
            "total_debited": "0.0000", "total_credited": "1500.2500",
        })
    );
    let statement = world.audit(&format!("/as-of/{end}/statement/{}", wallet.id)).await.fine();
    let entry = &statement.json["entries"][0];
    assert_eq!((&entry["entry_type"], &entry["closing_balance"]), (&json!("DEBIT"), &json!("-1500.2500")));
    assert_eq!(entry["created_at"], "2026-03-27T11:45:12.772000Z");
    let instant = world.audit("/as-of/2026-03-27T11:45:12.772Z/balances").await.fine();
    assert_eq!(instant.json["position"], end);
    let tag = world.audit(&format!("/as-of/{end}/tags/bob@shopapp")).await.fine();
    assert_eq!(tag.json["tags"][0]["owner_application_id"], json!(shop.id));
}

/// The payment has its instant when it is decided, and is durable later. Fails without `close_past`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn as_of_the_present_against_a_payment_that_is_on_its_way() {
    let (world, wallet, _, _) = played().await;
    world.later(60);
    let now = world.app.now();
    world.store.fail_next(Fault::Slow(std::time::Duration::from_millis(100)));
    let asked = async {
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
        world.audit(&format!("/as-of/{now}/trial-balance")).await.fine()
    };
    let (_, first) = tokio::join!(world.pay(&wallet, "3"), asked);
    let at = number(&first.json["position"]);
    assert_eq!(first.headers["ledger-position"], at.to_string().as_str(), "the end that it was made from");
    // The clock stands still; what comes now comes later all the same.
    world.pay(&wallet, "4").await;
    for path in [format!("/as-of/{now}/trial-balance"), format!("/as-of/{now}/wallets")] {
        assert_eq!(world.audit(&path).await.fine().json["position"], at, "{path}");
    }
    let diff = world.audit(&format!("/diff?from=0&to={now}")).await.fine();
    assert_eq!(diff.json["to"], at);
    (0..3).for_each(|_| world.store.fail_next(Fault::Unavailable));
    world.later(60);
    let now = world.app.now();
    let body = json!({"name": "Ada"});
    let (_, refused) = tokio::join!(world.post("/operator/v1/auditors", OPERATOR, &body), async {
        while world.app.engine().status().writable {
            tokio::task::yield_now().await;
        }
        world.audit(&format!("/as-of/{now}/wallets")).await
    });
    assert_eq!((refused.status, refused.headers["retry-after"].to_str().unwrap()), (503, "1"));
}

/// A clock that was set back does not make the past the future.
#[tokio::test]
async fn an_instant_up_to_the_newest_event_is_never_in_the_future() {
    let (world, _, _, _) = played().await;
    let newest = world.app.engine().status().recorded_at;
    let end = number(&world.audit("/head").await.fine().json["position"]);
    world.clock.set(flexledger_domain::Instant::from_micros(newest.micros() - 60_000_000));
    for (instant, status) in [(newest.micros() - 1, 200), (newest.micros(), 200), (newest.micros() + 1, 422)] {
        let instant = flexledger_domain::Instant::from_micros(instant);
        let answer = world.audit(&format!("/as-of/{instant}/wallets")).await;
        assert_eq!(answer.status, status, "{instant}: {}", answer.text);
        assert!(instant != newest || answer.json["position"] == end);
    }
}

#[tokio::test]
async fn a_payment_is_explained() {
    let (world, wallet, shop, reference) = played().await;
    world.later(86_400);
    let date = flexledger_domain::Date::parse("2026-03-27").unwrap();
    let command = flexledger_domain::settlement::RunSettlement { actor: flexledger_domain::Actor::System, date };
    world.app.engine().submit(command).await.unwrap();
    let all = world.audit(&format!("/explain/{reference}")).await.fine().json;
    assert_eq!((&all["reference"], &all["transaction"]["status"]), (&json!(reference), &json!("COMPLETED")));
    let names: Vec<_> = all["commands"].as_array().unwrap().iter().map(|command| command["name"].clone()).collect();
    assert_eq!(names, ["InitiateTransfer", "Accept"]);
    let kinds: Vec<_> = all["events"].as_array().unwrap().iter().map(|event| event["kind"].clone()).collect();
    assert_eq!((&kinds[0], kinds.last().unwrap()), (&json!("transaction.initiated"), &json!("transaction.accepted")));
    let accounts: Vec<_> = all["postings"].as_array().unwrap().iter().map(|p| p["account"].clone()).collect();
    assert_eq!(accounts, [format!("idaas/wallet/{}", wallet.id), format!("idaas/wallet/{}", shop.id)]);
    let rows: Vec<_> = all["view_rows"].as_array().unwrap().iter().map(|row| row["view"].clone()).collect();
    assert_eq!(rows, ["transactions", "entries", "entries", "webhooks", "webhooks"]);
    assert_eq!(all["view_rows"][1]["row"]["amount"], "1500.2500");
    assert_eq!(all["webhooks"].as_array().unwrap().len(), 2);
    assert_eq!(all["settlement"]["settlement_date"], "2026-03-27");
    for unknown in ["TXN-00000001-00000000", "nothing"] {
        assert_eq!(world.audit(&format!("/explain/{unknown}")).await.status, 404);
    }
}

#[tokio::test]
async fn what_changed_between_two_moments() {
    let (world, wallet, shop, reference) = played().await;
    let events = world.audit(&format!("/events?entity=transaction/{reference}")).await.fine().json;
    let accepted = number(&events["events"][1]["position"]);
    world.json("PATCH", "/api/v1/tags/alice@walletapp/disable", &wallet.token, "").await.fine();
    let end = number(&world.audit("/head").await.json["position"]);
    let diff = world.audit(&format!("/diff?from={}&to={accepted}", accepted - 1)).await.fine().json;
    assert_eq!(diff["events"], json!([accepted]));
    let mut wallets = diff["wallets"].as_array().unwrap().clone();
    wallets.sort_by_key(|wallet| wallet["to"].as_str().unwrap().to_owned());
    let change = |id: &str, to: &str| json!({"application_id": id, "currency": "NGN", "from": "0.0000", "to": to});
    assert_eq!(wallets, [change(&wallet.id, "-1500.2500"), change(&shop.id, "1500.2500")]);
    let diff = world.audit(&format!("/diff?from=0&to={end}")).await.fine().json;
    let tags = diff["tags"].as_array().unwrap();
    assert_eq!(tags.len(), 2);
    assert!(tags.iter().all(|tag| tag["from"].is_null()));
    assert!(tags.iter().any(|tag| tag["to"] == "DISABLED"));
    assert_eq!(diff["late_entries"], json!([]));
    for (query, status) in [("", 400), ("?from=1", 400), ("?from=2&to=1", 400), ("?from=1&to=99999", 422)] {
        assert_eq!(world.audit(&format!("/diff{query}")).await.status, status, "{query}");
    }
}

#[tokio::test]
async fn proofs_hold() {
    let (world, _, _, _) = played().await;
    let head = world.audit("/head").await.fine();
    let (end, root) = (number(&head.json["position"]), hash(&head.json["root"]));
    for position in 1..=end {
        for at in [position, end] {
            let proof = world.audit(&format!("/proofs/events/{position}?at={at}")).await.fine().json;
            let (leaf, of) = (hash(&proof["leaf_hash"]), hash(&proof["root"]));
            assert!(verify_inclusion(leaf, position - 1, at, &path(&proof), of));
            assert!(at != end || of == root);
        }
        let proof = world.audit(&format!("/proofs/consistency?from={position}")).await.fine().json;
        let (old, new) = (hash(&proof["from_root"]), hash(&proof["to_root"]));
        assert!(verify_consistency(position, end, old, new, &path(&proof)));
        assert_eq!(new, root);
    }
    let note = Note::parse(&head.text_of("/note")).unwrap();
    assert_eq!((note.position.number(), note.root), (end, root));
    let ledger = flexledger_replay::head::ledger(&world.store).await.unwrap().unwrap();
    let signer = HeadSigner::new(ledger, world.app.vault().platform().head_seed());
    note.verify(&signer.verifier()).unwrap();
    assert!(head.json["recorded_at"].is_string());
}

#[tokio::test]
async fn erased_text_is_gone_everywhere_and_the_books_stay() {
    let (world, wallet, shop, _) = played().await;
    let body = json!({
        "senderTag": "alice@walletapp", "receiverTag": "bob@shopapp", "amount": 5, "narration": "a private matter",
    });
    let paid = world.post("/api/v1/transactions", &wallet.token, &body).await.fine();
    assert!(paid.text.contains("a private matter"));
    let reference = paid.text_of("/data/reference");
    let before = world.audit("/head").await.fine();
    let erase = format!("/operator/v1/subjects/{}/erase", wallet.subject);
    let first = world.raw("POST", &erase, OPERATOR, &[], "").await.fine();
    let again = world.raw("POST", &erase, OPERATOR, &[], "").await.fine();
    assert_eq!(first.json, again.json);
    assert_eq!(first.text_of("/id"), wallet.subject);
    assert!(first.json["erased_at"].is_string());
    let unknown = format!("/operator/v1/subjects/{}/erase", uuid::Uuid::nil());
    assert_eq!(world.raw("POST", &unknown, OPERATOR, &[], "").await.status, 404);
    for (path, token) in [
        (format!("/api/v1/transactions/{reference}"), &wallet.token),
        (format!("/api/v1/transactions/{reference}"), &shop.token),
        ("/api/v1/transactions/sent".to_owned(), &wallet.token),
        (format!("/api/v1/subjects/{}", wallet.subject), &wallet.token),
        ("/api/v1/tags/resolve?tag=alice@walletapp".to_owned(), &shop.token),
    ] {
        let answer = world.get(&path, token).await;
        for gone in ["a private matter", "WalletApp User", "u@example.com"] {
            assert!(!answer.text.contains(gone), "{path}: {}", answer.text);
        }
    }
    let (from, to) = (number(&before.json["position"]), number(&world.audit("/head").await.json["position"]));
    let proof = world.audit(&format!("/proofs/consistency?from={from}&to={to}")).await.fine().json;
    let (old, new) = (hash(&proof["from_root"]), hash(&proof["to_root"]));
    assert_eq!(old, hash(&before.json["root"]));
    assert!(verify_consistency(from, to, old, new, &path(&proof)));
    let balance = world.audit(&format!("/as-of/{to}/wallets/{}", wallet.id)).await.fine();
    assert_eq!(balance.text_of("/wallets/0/balance"), "-1500.2500");
}

/// The tile roots come from the file: a log that was changed behind its back still has the root that was told before.
#[tokio::test]
async fn the_tree_goes_on_after_a_restart_from_what_was_saved() {
    let folder = tempfile::tempdir().unwrap();
    let tree_file = Some(folder.path().join("tree.tiles"));
    let world = World::with(Settings { tree_file, ..Settings::default() }).await;
    for number in 0..300 {
        let body = json!({"name": format!("Ada {number}")});
        assert_eq!(world.post("/operator/v1/auditors", OPERATOR, &body).await.status, 201);
    }
    let root = async |world: &World| world.audit("/head").await.fine().json["root"].clone();
    let first = root(&world).await;
    world.app.trees().save(&world.app, 2).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "one tile is not worth it");
    world.app.trees().save(&world.app, 1).await;
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    world.store.tamper(Position::new(10), |record| record.bytes.push(b' '));
    let settings = world.app.settings().clone();
    let again = world.restarted(settings.clone()).await;
    assert_eq!(root(&again).await, first);
    let hashed = again.restarted(Settings { tree_file: None, ..settings }).await;
    assert_ne!(root(&hashed).await, first);
}
