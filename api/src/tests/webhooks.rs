//! Webhooks from the payment that owes them to a receiver on the loopback.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flexledger_commands::reactors::deliver_webhooks;
use flexledger_domain::Position;
use flexledger_eventstore::EventStore;
use flexledger_projections::Views;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::receiver::{Manner, Receiver, Seen};
use super::world::{NOON, Tenant, World};
use crate::courier::{Courier, Options};
use crate::jose;
use crate::{App, Settings};

/// The pause after a first failure.
const BASE: Duration = Duration::from_millis(40);

/// A tenant with what it was shown once.
struct Member {
    tenant: Tenant,
    webhook_secret: String,
    private: Value,
}

impl Member {
    /// Joins with a tag named like its handle.
    async fn join(world: &World, name: &str, url: Option<&str>) -> Member {
        let handle = name.to_lowercase();
        let body = json!({"name": name, "appHandle": handle, "transactionWebhookUrl": url});
        let made = world.post("/api/v1/applications", "", &body).await.fine();
        let (client, secret) = (made.text_of("/data/clientId"), made.text_of("/data/clientSecret"));
        let token = world.token(&client, &secret).await;
        let user = json!({"externalId": "one"});
        let subject = world.post("/api/v1/subjects", &token, &user).await.fine().text_of("/data/id");
        let tenant = Tenant { id: made.text_of("/data/id"), client, secret, token, subject };
        world.tag(&tenant, &handle).await;
        let webhook_secret = made.text_of("/data/webhookSecret");
        Member { tenant, webhook_secret, private: made.data()["appPrivateJwk"].clone() }
    }

    fn token(&self) -> &str {
        &self.tenant.token
    }

    /// What a request said, after its signature was checked over the bytes as they came.
    fn open(&self, seen: &Seen) -> Value {
        let timestamp: i64 = seen.header("x-idaas-timestamp").parse().unwrap();
        let signature = seen.header("x-idaas-signature");
        assert!(jose::verify_signature(self.webhook_secret.as_bytes(), timestamp, &seen.body, signature));
        assert_eq!(seen.header("content-encryption"), "JWE");
        let d = URL_SAFE_NO_PAD.decode(self.private["d"].as_str().unwrap()).unwrap();
        let clear = jose::decrypt(&p256::SecretKey::from_slice(&d).unwrap(), &seen.body).unwrap();
        serde_json::from_slice(&clear).unwrap()
    }
}

/// Deliveries that end with the value.
struct Deliveries(JoinHandle<()>);

impl Drop for Deliveries {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn options(timeout: Duration) -> Options {
    Options { names: Default::default(), allow_insecure: true, timeout }
}

fn deliver(app: &App, options: &Options, base: Duration) -> Deliveries {
    let courier = Courier::new(app.vault().clone(), app.engine().clock().clone(), options).unwrap();
    Deliveries(tokio::spawn(deliver_webhooks(app.engine().clone(), Arc::new(courier), base)))
}

/// Two members, the receiver's webhooks going to `to`.
struct Pair {
    world: World,
    wallet: Member,
    shop: Member,
}

impl Pair {
    async fn new(to: &str) -> Pair {
        let world = World::new().await;
        let wallet = Member::join(&world, "WalletApp", None).await;
        let shop = Member::join(&world, "ShopApp", Some(to)).await;
        Pair { world, wallet, shop }
    }

    async fn pay(&self, more: Value) -> String {
        pay(&self.world, &self.wallet, "shopapp", more).await
    }

    /// The receiver's record once it is in this state.
    #[track_caller]
    fn record(&self, reference: &str, status: &str) -> impl Future<Output = Value> {
        let path = format!("/api/v1/transactions/{reference}/webhooks/receiver");
        let place = std::panic::Location::caller();
        async move {
            let mut record = Value::Null;
            for _ in 0..1000 {
                record = self.world.get(&path, self.wallet.token()).await.fine().data().clone();
                if record["status"] == status {
                    return record;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            panic!("{record} is not {status} at {place}");
        }
    }
}

async fn pay(world: &World, from: &Member, to: &str, more: Value) -> String {
    let mut body = json!({"senderTag": "walletapp@walletapp", "receiverTag": format!("{to}@{to}"), "amount": 1500});
    body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap_or_default());
    world.post("/api/v1/transactions", from.token(), &body).await.fine().text_of("/data/reference")
}

#[tokio::test]
async fn both_sides_are_told_in_the_exact_form() {
    let (shop_hook, callback) =
        (Receiver::new([Manner::Answers(204)]).await, Receiver::new([Manner::Answers(200)]).await);
    let pair = Pair::new(&shop_hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let reference = pair.pay(json!({"narration": "School fees", "callbackUrl": callback.url})).await;
    let first = shop_hook.wait(1).await.remove(0);
    let said = pair.shop.open(&first);
    let expected = json!({"event": "TRANSACTION_INITIATED", "transaction": {
        "reference": reference, "senderTag": "walletapp@walletapp", "senderAppId": pair.wallet.tenant.id,
        "senderAppName": "WalletApp", "receiverTag": "shopapp@shopapp", "receiverAppId": pair.shop.tenant.id,
        "receiverAppName": "ShopApp", "amount": 1500.0, "currency": "NGN", "narration": "School fees",
        "expiresAt": "2026-03-28T11:45:12.772Z", "createdAt": "2026-03-27T11:45:12.772Z"}});
    assert_eq!(said, expected);
    assert_eq!(first.header("content-type"), "application/json");
    assert_eq!(first.header("x-idaas-timestamp"), (NOON / 1_000_000).to_string());
    assert_eq!(first.header("webhook-timestamp"), first.header("x-idaas-timestamp"));

    let record = pair.record(&reference, "DELIVERED").await;
    assert_eq!((&record["attempts"], record.get("lastError")), (&json!(1), None));
    assert_eq!(record["id"], first.header("webhook-id"));
    assert_eq!(record["deliveredAt"], "2026-03-27T11:45:12.772Z");

    let path = format!("/api/v1/transactions/{reference}");
    let sender = format!("{path}/webhooks/sender");
    assert_eq!(pair.world.get(&sender, pair.shop.token()).await.outcome(), (404, "IDAAS-RES-3012"));
    let reject = format!("{path}/reject");
    let rejected = pair.world.post(&reject, pair.shop.token(), &json!({"reason": "Out of stock"})).await.fine();
    assert_eq!(rejected.data()["webhooks"][0]["status"], "DELIVERED", "the answer shows the delivery");
    let second = callback.wait(1).await.remove(0);
    let said = pair.wallet.open(&second);
    assert_eq!(said["event"], "TRANSACTION_REJECTED");
    assert_eq!(said["transaction"]["rejectionReason"], "Out of stock");
    assert_eq!(said["transaction"].as_object().unwrap().len(), 13);
    assert_eq!(pair.world.get(&sender, pair.shop.token()).await.fine().data()["targetUrl"], callback.url);
    let all = pair.world.get(&format!("{path}/webhooks"), pair.wallet.token()).await.fine();
    let directions: Vec<_> = all.data().as_array().unwrap().iter().map(|record| record["direction"].clone()).collect();
    assert_eq!(directions, ["RECEIVER", "SENDER"]);
    assert_eq!((shop_hook.count(), callback.count()), (1, 1));
}

#[tokio::test]
async fn money_is_printed_with_four_decimals() {
    let hook = Receiver::new([Manner::Answers(200)]).await;
    let pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    pair.pay(json!({})).await;
    let seen = hook.wait(1).await.remove(0);
    let d = URL_SAFE_NO_PAD.decode(pair.shop.private["d"].as_str().unwrap()).unwrap();
    let clear = jose::decrypt(&p256::SecretKey::from_slice(&d).unwrap(), &seen.body).unwrap();
    let clear = String::from_utf8(clear).unwrap();
    assert!(clear.contains(r#""amount":1500.0000,"currency":"NGN","expiresAt""#), "{clear}");
}

#[tokio::test]
async fn three_attempts_and_then_it_is_given_up() {
    let hook = Receiver::new([Manner::Answers(500), Manner::Answers(503)]).await;
    let pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let reference = pair.pay(json!({})).await;
    let record = pair.record(&reference, "FAILED").await;
    assert_eq!((&record["attempts"], &record["lastError"]), (&json!(3), &json!("HTTP 503")));
    tokio::time::sleep(4 * BASE).await;
    let seen = hook.seen();
    assert_eq!(seen.len(), 3);
    assert!(seen[1].at - seen[0].at >= BASE && seen[2].at - seen[1].at >= 2 * BASE, "{seen:?}");

    let whole = pair.world.get(&format!("/api/v1/webhooks/{}", seen[0].header("webhook-id")), pair.shop.token()).await;
    let history = whole.fine().data()["attemptHistory"].clone();
    let errors: Vec<_> = history.as_array().unwrap().iter().map(|one| one["error"].clone()).collect();
    assert_eq!(errors, ["HTTP 500", "HTTP 503", "HTTP 503"]);
    assert_eq!(history[2]["status"], "FAILED");

    let failed = "/api/v1/webhooks/failed";
    let page = pair.world.get(failed, pair.shop.token()).await.fine();
    assert_eq!((&page.data()["totalElements"], &page.data()["content"][0]), (&json!(1), &record));
    let others = pair.world.get(failed, pair.wallet.token()).await.fine();
    assert_eq!(others.data()["totalElements"], 0, "it is not the target");
}

#[tokio::test]
async fn a_later_attempt_may_succeed() {
    let hook = Receiver::new([Manner::Answers(500), Manner::Answers(299)]).await;
    let pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let reference = pair.pay(json!({})).await;
    let record = pair.record(&reference, "DELIVERED").await;
    assert_eq!((&record["attempts"], &record["lastError"]), (&json!(2), &json!("HTTP 500")));
    tokio::time::sleep(4 * BASE).await;
    assert_eq!(hook.count(), 2);
    let seen = hook.seen();
    assert_ne!(seen[0].body, seen[1].body, "each attempt is encrypted afresh");
    assert_eq!(pair.shop.open(&seen[0]), pair.shop.open(&seen[1]));
}

#[tokio::test]
async fn redirects_silence_and_closed_doors_are_failures() {
    let elsewhere = Receiver::new([Manner::Answers(200)]).await;
    let closed = Receiver::new([Manner::Answers(200)]).await.url.clone();
    for (manner, error) in [
        (Manner::RedirectsTo(elsewhere.url.clone()), "HTTP 307"),
        (Manner::Hangs, "no answer within 80 ms"),
        (Manner::IsSlow(Duration::from_millis(300)), "no answer within 80 ms"),
    ] {
        let hook = Receiver::new([manner.clone()]).await;
        let pair = Pair::new(&hook.url).await;
        let _deliveries = deliver(&pair.world.app, &options(Duration::from_millis(80)), BASE);
        let reference = pair.pay(json!({})).await;
        let record = pair.record(&reference, "FAILED").await;
        assert_eq!((&record["lastError"], hook.count()), (&json!(error), 3), "{manner:?}");
    }
    assert_eq!(elsewhere.count(), 0);
    let pair = Pair::new(&closed).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_millis(80)), BASE);
    let reference = pair.pay(json!({})).await;
    assert_eq!(pair.record(&reference, "FAILED").await["lastError"], "connection refused");
}

#[tokio::test]
async fn an_answer_without_end_is_delivered_by_its_status() {
    let hook = Receiver::new([Manner::Trickles]).await;
    let pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let reference = pair.pay(json!({})).await;
    pair.record(&reference, "DELIVERED").await;
    assert_eq!(hook.count(), 1);
}

#[tokio::test]
async fn private_targets_are_refused_when_they_are_called() {
    let hook = Receiver::new([Manner::Answers(200)]).await;
    let by_name = hook.url.replace("127.0.0.1", "localhost").replace("http:", "https:");
    for (url, error) in [
        (hook.url.clone(), "target must be an https URL"),
        (hook.url.replace("http:", "https:"), "target must not point to a private address"),
        (by_name, "target must not point to a private address"),
    ] {
        let pair = Pair::new(&url).await;
        let strict = Options { allow_insecure: false, ..options(Duration::from_secs(2)) };
        let _deliveries = deliver(&pair.world.app, &strict, Duration::from_millis(1));
        let reference = pair.pay(json!({})).await;
        assert_eq!(pair.record(&reference, "FAILED").await["lastError"], error, "{url}");
    }
    assert_eq!(hook.count(), 0);
}

#[tokio::test]
async fn a_dead_receiver_delays_nobody_else() {
    let (dead, live) = (Receiver::new([Manner::Hangs]).await, Receiver::new([Manner::Answers(200)]).await);
    let pair = Pair::new(&dead.url).await;
    let other = Member::join(&pair.world, "OtherApp", Some(&live.url)).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(30)), BASE);
    for _ in 0..200 {
        pair.pay(json!({})).await;
    }
    dead.wait(64).await;
    let began = std::time::Instant::now();
    for _ in 0..20 {
        pay(&pair.world, &pair.wallet, "otherapp", json!({})).await;
    }
    let seen = live.wait(20).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(dead.count(), 64, "a lane has a bound");
    // The positions make an unbroken chain, in whichever order the requests came.
    let mut chain: Vec<(u64, u64)> = seen.iter().map(positions).collect();
    chain.sort_unstable();
    assert_eq!(chain[0].1, 0);
    assert!(chain.windows(2).all(|pair| pair[1].1 == pair[0].0), "{chain:?}");
    assert_eq!(other.open(&seen[0])["event"], "TRANSACTION_INITIATED");
}

fn positions(seen: &Seen) -> (u64, u64) {
    let number = |name| seen.header(name).parse().unwrap();
    (number("x-ledger-position"), number("x-ledger-previous-position"))
}

#[tokio::test]
async fn a_restart_goes_on_and_keeps_attempts() {
    let hook = Receiver::new([Manner::Answers(500)]).await;
    let pair = Pair::new(&hook.url).await;
    let first = deliver(&pair.world.app, &options(Duration::from_secs(2)), Duration::from_secs(3600));
    let reference = pair.pay(json!({})).await;
    for _ in 0..1000 {
        if pair.record(&reference, "PENDING").await["attempts"] == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(first);
    pair.world.app.engine().stop().await;

    let Pair { world, wallet, shop } = pair;
    let settings = Settings { allow_insecure: true, ..Settings::default() };
    let world = World::over(world.store.clone(), settings).await;
    world.app.warm_up().await.unwrap();
    let pair = Pair { world, wallet, shop };
    pair.world.later(60);
    let _second = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let record = pair.record(&reference, "FAILED").await;
    assert_eq!((&record["attempts"], hook.count()), (&json!(3), 3));
    let ids: std::collections::HashSet<_> =
        hook.seen().iter().map(|seen| seen.header("webhook-id").to_owned()).collect();
    assert_eq!(ids.len(), 1, "it is one record");
}

#[tokio::test]
async fn a_rebuild_and_a_restart_send_nothing() {
    let hook = Receiver::new([Manner::Answers(200)]).await;
    let pair = Pair::new(&hook.url).await;
    let deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let references = [pair.pay(json!({})).await, pair.pay(json!({})).await];
    for reference in &references {
        pair.record(reference, "DELIVERED").await;
    }
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("views.db").display());
    let views = Views::open(&url, &[]).await.unwrap();
    let log: Arc<dyn EventStore> = Arc::new(pair.world.store.clone());
    views.fill(&log, Position::MAX).await.unwrap();
    let rebuilt = views.payment(references[0].parse().unwrap()).await.unwrap().unwrap();
    assert_eq!(rebuilt.webhooks[0].delivery.attempts, 1);
    drop(deliveries);
    let _again = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(hook.count(), 2);
}

#[tokio::test]
async fn outsiders_find_no_records() {
    let pair = Pair::new("http://127.0.0.1:9/hook").await;
    let outsider = Member::join(&pair.world, "OtherApp", None).await;
    let reference = pair.pay(json!({})).await;
    let record = pair.record(&reference, "PENDING").await;
    let of = format!("/api/v1/transactions/{reference}/webhooks");
    for path in [of.clone(), format!("{of}/receiver"), format!("{of}/sender")] {
        assert_eq!(pair.world.get(&path, outsider.token()).await.outcome(), (404, "IDAAS-RES-3010"), "{path}");
    }
    let id = record["id"].as_str().unwrap();
    let one = format!("/api/v1/webhooks/{id}");
    assert_eq!(pair.world.get(&one, outsider.token()).await.outcome(), (404, "IDAAS-RES-3012"));
    let whole = pair.world.get(&one, pair.wallet.token()).await.fine();
    assert_eq!(whole.data()["payload"]["event"], "TRANSACTION_INITIATED");
    assert_eq!(whole.data()["attemptHistory"], json!([]));
    assert!(whole.text.contains(r#""amount":1500.0000"#));
    let nobody = "/api/v1/webhooks/00000000-0000-4000-8000-000000000000";
    assert_eq!(pair.world.get(nobody, pair.wallet.token()).await.outcome(), (404, "IDAAS-RES-3012"));
    assert_eq!(pair.world.get("/api/v1/webhooks/1", pair.wallet.token()).await.outcome(), (400, "IDAAS-VALID-2001"));
    let sorted = pair.world.get("/api/v1/webhooks/failed?sort=secret", pair.wallet.token()).await;
    assert_eq!(sorted.outcome(), (400, "IDAAS-VALID-2001"));
}

#[tokio::test]
async fn another_implementation_opens_an_encrypted_webhook() {
    let Some(python) = jose::peer::python() else { return };
    let hook = Receiver::new([Manner::Answers(200)]).await;
    let pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let reference = pair.pay(json!({"narration": "Škola – ₦ 1,500"})).await;
    let seen = hook.wait(1).await.remove(0);
    let compact = String::from_utf8(seen.body.to_vec()).unwrap();
    let question = json!({"do": "decrypt", "key": pair.shop.private, "text": compact});
    let said: Value = serde_json::from_str(&jose::peer::ask(&python, &question)).unwrap();
    assert_eq!(said["transaction"]["reference"], reference);
    assert_eq!(said["transaction"]["narration"], "Škola – ₦ 1,500");
}

#[tokio::test]
async fn an_attempt_uses_the_present_key_and_secret() {
    let hook = Receiver::new([Manner::Answers(500), Manner::Answers(200)]).await;
    let mut pair = Pair::new(&hook.url).await;
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), Duration::from_millis(800));
    pair.pay(json!({})).await;
    let first = hook.wait(1).await.remove(0);
    pair.shop.open(&first);
    let rotate = |what: &str| format!("/api/v1/applications/{what}/rotate");
    let keys = pair.world.raw("POST", &rotate("keys"), pair.shop.token(), &[], "").await.fine();
    let secret = pair.world.raw("POST", &rotate("webhook-secret"), pair.shop.token(), &[], "").await.fine();
    let old = std::mem::replace(&mut pair.shop.private, keys.data()["appPrivateJwk"].clone());
    pair.shop.webhook_secret = secret.text_of("/data/webhookSecret");
    let second = hook.wait(2).await.remove(1);
    assert_ne!(old, pair.shop.private);
    assert_eq!(pair.shop.open(&second)["event"], "TRANSACTION_INITIATED");
}

#[tokio::test]
async fn erased_text_is_sent_to_nobody() {
    let hook = Receiver::new([Manner::Answers(200)]).await;
    let pair = Pair::new(&hook.url).await;
    pair.pay(json!({"narration": "School fees"})).await;
    let erase = format!("/operator/v1/subjects/{}/erase", pair.wallet.tenant.subject);
    pair.world.raw("POST", &erase, super::world::OPERATOR, &[], "").await.fine();
    let _deliveries = deliver(&pair.world.app, &options(Duration::from_secs(2)), BASE);
    let said = pair.shop.open(&hook.wait(1).await.remove(0));
    assert_eq!(said["transaction"].get("narration"), None);
    assert_eq!(said["transaction"].as_object().unwrap().len(), 11);
}
