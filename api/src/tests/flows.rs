//! What works, from registration to settlement.

use serde_json::json;

use super::world::World;

#[tokio::test]
async fn a_payment_from_initiation_to_settlement() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let body = json!({"senderTag": "@alice", "receiverTag": "BOB@shopapp", "amount": 1500, "narration": "School fees"});
    let made = world.post("/api/v1/transactions", &wallet.token, &body).await;
    assert_eq!(made.status, 201);
    assert!(made.text.contains(r#""amount":1500.0000,"#), "{}", made.text);
    assert_eq!(made.text_of("/data/senderTag"), "alice@walletapp");
    assert_eq!(made.text_of("/data/expiresAt"), "2026-03-28T11:45:12.772Z");
    assert_eq!(made.data()["webhooks"][0]["direction"], "RECEIVER");
    let reference = made.text_of("/data/reference");
    let path = format!("/api/v1/transactions/{reference}");

    let waiting = world.get("/api/v1/transactions/pending", &shop.token).await.fine();
    assert_eq!(waiting.data()["content"][0]["reference"], reference);
    assert!(waiting.data()["content"][0].get("webhooks").is_none());

    world.later(60);
    let accepted = world.raw("POST", &format!("{path}/accept"), &shop.token, &[], "").await.fine();
    assert_eq!(accepted.text_of("/data/status"), "COMPLETED");
    assert_eq!(accepted.text_of("/data/acceptedAt"), "2026-03-27T11:46:12.772Z");
    assert_eq!(accepted.text_of("/data/narration"), "School fees");

    let read = world.get(&path, &wallet.token).await.fine();
    assert_eq!(read.data(), accepted.data());
    let sent = world.get("/api/v1/transactions/sent?size=1", &wallet.token).await.fine();
    assert_eq!(sent.data()["totalElements"], 1);
    assert_eq!(world.get("/api/v1/transactions/pending", &shop.token).await.data()["empty"], true);

    let balance = world.get("/api/v1/wallet", &wallet.token).await.fine();
    assert!(balance.text.contains(r#""balance":-1500.0000,"totalDebited":1500.0000,"totalCredited":0.0000"#));
    let statement = world.get("/api/v1/wallet/statement", &shop.token).await.fine();
    let entry = &statement.data()["content"][0];
    assert_eq!(entry["entryType"], "CREDIT");
    assert_eq!(entry["description"], "Credit from alice (WalletApp) to bob (ShopApp) — NGN 1500.0000");

    let run = world.raw("POST", "/api/v1/settlement/run?date=2026-03-27", &shop.token, &[], "").await.fine();
    assert_eq!(run.data()["transactionCount"], 1);
    assert_eq!(run.data()["entries"].as_array().map(Vec::len), Some(2));
    let again = world.raw("POST", "/api/v1/settlement/run?date=2026-03-27", &shop.token, &[], "").await.fine();
    assert_eq!(again.data(), run.data());
    let by_id = format!("/api/v1/settlement/{}", run.text_of("/data/id"));
    assert_eq!(world.get(&by_id, &wallet.token).await.data(), run.data());
    let list = world.get("/api/v1/settlement", &wallet.token).await.fine();
    assert!(list.data()["content"][0].get("entries").is_none());
    assert_eq!(world.get("/api/v1/settlement/date/2026-03-27", &wallet.token).await.data(), run.data());
}

#[tokio::test]
async fn the_same_key_answers_the_same_body() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let body =
        r#"{"senderTag":"alice","receiverTag":"bob","amount":0.0001,"narration":"first","idempotencyKey":"in body"}"#;
    let headers = [("content-type", "application/json"), ("idempotency-key", "txn-001")];
    let first = world.raw("POST", "/api/v1/transactions", &wallet.token, &headers, body).await.fine();
    assert!(first.headers.get("idempotent-replayed").is_none());
    let accept = format!("/api/v1/transactions/{}/accept", first.text_of("/data/reference"));
    world.raw("POST", &accept, &shop.token, &[], "").await.fine();
    world.later(3600);
    let token = world.token(&wallet.client, &wallet.secret).await;
    let other = r#"{"senderTag":"alice","receiverTag":"bob","amount":7}"#;
    let again = world.raw("POST", "/api/v1/transactions", &token, &headers, other).await;
    assert_eq!((again.status, again.text.as_str()), (201, first.text.as_str()));
    assert_eq!(again.headers.get("idempotent-replayed").unwrap(), "true");
    // The header won, so the key of the body is still free.
    let fresh = world.json("POST", "/api/v1/transactions", &token, body).await.fine();
    assert_ne!(fresh.text_of("/data/reference"), first.text_of("/data/reference"));
}

#[tokio::test]
async fn strict_mode_refuses_another_body_under_a_used_key() {
    let settings = crate::Settings { strict_idempotency: true, allow_insecure: true, ..crate::Settings::default() };
    let world = World::with(settings).await;
    let (wallet, _shop) = world.pair().await;
    let pay = |amount: u32, text: &'static str| {
        let body = json!({"senderTag": "alice", "receiverTag": "bob", "amount": amount, "narration": text, "idempotencyKey": "k"});
        let (world, token) = (&world, &wallet.token);
        async move { world.post("/api/v1/transactions", token, &body).await }
    };
    assert_eq!(pay(1, "a").await.status, 201);
    assert_eq!(pay(1, "a").await.status, 201);
    assert_eq!(pay(2, "a").await.outcome(), (409, "IDAAS-CONF-4009"));
    assert_eq!(pay(1, "b").await.outcome(), (409, "IDAAS-CONF-4009"));
}

#[tokio::test]
async fn rejection_and_expiry() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let act = |reference: &str, what: &str| format!("/api/v1/transactions/{reference}/{what}");
    let first = world.pay(&wallet, "5").await;
    let no = world.post(&act(&first, "reject"), &shop.token, &json!({"reason": "Out of stock"})).await.fine();
    assert_eq!(
        (no.text_of("/data/status"), no.text_of("/data/rejectionReason")),
        ("REJECTED".into(), "Out of stock".into())
    );
    assert_eq!(no.data()["webhooks"][1]["eventType"], "TRANSACTION_REJECTED");
    let again = world.raw("POST", &act(&first, "accept"), &shop.token, &[], "").await;
    assert_eq!(again.outcome(), (409, "IDAAS-STATE-5007"));

    let second = world.pay(&wallet, "6").await;
    let bare = world.raw("POST", &act(&second, "reject"), &shop.token, &[], "").await.fine();
    assert!(bare.data().get("rejectionReason").is_none());

    let third = world.pay(&wallet, "7").await;
    world.later(24 * 3600);
    let token = world.token(&shop.client, &shop.secret).await;
    assert_eq!(world.raw("POST", &act(&third, "accept"), &token, &[], "").await.outcome(), (422, "IDAAS-STATE-5008"));
    assert_eq!(world.raw("POST", &act(&third, "accept"), &token, &[], "").await.outcome(), (409, "IDAAS-STATE-5007"));
    let read = world.get(&format!("/api/v1/transactions/{third}"), &token).await.fine();
    assert_eq!(read.text_of("/data/status"), "EXPIRED");
    assert_eq!(world.get("/api/v1/wallet/statement", &token).await.data()["totalElements"], 0);
}

#[tokio::test]
async fn subjects_and_tags() {
    let world = World::new().await;
    let (wallet, _shop) = world.pair().await;
    let path = format!("/api/v1/subjects/{}", wallet.subject);
    let patch = r#"{"displayName":"Alice Adeyemi","email":null,"metadata":"{\"tier\": 1.50}"}"#;
    let changed = world.json("PATCH", &path, &wallet.token, patch).await.fine();
    assert_eq!(changed.text_of("/data/displayName"), "Alice Adeyemi");
    assert_eq!(changed.text_of("/data/email"), "u@example.com");
    assert!(changed.text.contains(r#""metadata":{"tier":1.50}"#));
    assert_eq!(world.get(&path, &wallet.token).await.data(), changed.data());
    let external = world.get("/api/v1/subjects/external/user-walletapp", &wallet.token).await.fine();
    assert_eq!(external.data(), changed.data());
    assert_eq!(world.get("/api/v1/subjects", &wallet.token).await.data(), &json!([changed.data()]));

    let tags = world.get(&format!("{path}/tags"), &wallet.token).await.fine();
    assert_eq!(tags.data()[0]["canonicalOwner"], *changed.data());
    assert_eq!(world.get("/api/v1/tags", &wallet.token).await.data(), tags.data());
    assert_eq!(world.raw("PATCH", "/api/v1/tags/alice/disable", &wallet.token, &[], "").await.status, 200);
    assert_eq!(world.raw("PATCH", "/api/v1/tags/@alice/disable", &wallet.token, &[], "").await.status, 200);
    assert_eq!(world.get("/api/v1/tags/alice@walletapp", "").await.text_of("/data/status"), "DISABLED");
    let body = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 1});
    let refused = world.post("/api/v1/transactions", &wallet.token, &body).await;
    assert_eq!(refused.outcome(), (422, "IDAAS-STATE-5009"));
    world.raw("PATCH", "/api/v1/tags/alice/enable", &wallet.token, &[], "").await.fine();
    world.post("/api/v1/transactions", &wallet.token, &body).await.fine();
}

#[tokio::test]
async fn search_finds_names_and_display_names() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let found = |path: &'static str| {
        let (world, token) = (&world, &wallet.token);
        async move {
            let answer = world.get(path, token).await.fine();
            let all = answer.data().as_array().cloned().unwrap_or_default();
            all.iter().map(|tag| tag["qualifiedAddress"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        }
    };
    assert_eq!(found("/api/v1/tags/search?keyword=LIC").await, ["alice@walletapp"]);
    assert_eq!(found("/api/v1/tags/search?keyword=app%20user").await, ["alice@walletapp", "bob@shopapp"]);
    assert_eq!(found("/api/v1/tags/search?keyword=app+user&appHandle=shopapp").await, ["bob@shopapp"]);
    assert_eq!(found("/api/v1/tags/search?keyword=zzz").await, Vec::<String>::new());
    let bob = world.get("/api/v1/tags/search?keyword=bob", &wallet.token).await;
    assert!(bob.data()[0].get("id").is_none() && !bob.text.contains("example.com"));
    world.raw("PATCH", "/api/v1/tags/bob/disable", &shop.token, &[], "").await.fine();
    assert_eq!(found("/api/v1/tags/search?keyword=bob").await, Vec::<String>::new());
}

#[tokio::test]
async fn wallets_per_currency() {
    let world = World::new().await;
    let (wallet, _shop) = world.pair().await;
    assert_eq!(world.get("/api/v1/wallet", &wallet.token).await.outcome(), (404, "IDAAS-RES-3011"));
    assert_eq!(world.get("/api/v1/wallet/statement", &wallet.token).await.outcome(), (404, "IDAAS-RES-3011"));
    let made = world.raw("POST", "/api/v1/wallet", &wallet.token, &[], "").await.fine();
    assert_eq!(made.text_of("/data/currency"), "NGN");
    let again = world.raw("POST", "/api/v1/wallet", &wallet.token, &[], "").await.fine();
    assert_eq!(again.data(), made.data());
    assert_eq!(world.get("/api/v1/wallet?currency=USD", &wallet.token).await.outcome(), (404, "IDAAS-RES-3011"));
    assert_eq!(world.get("/api/v1/wallet?currency=usd", &wallet.token).await.outcome(), (400, "IDAAS-VALID-2001"));
}

#[tokio::test]
async fn credentials_in_every_form() {
    let world = World::new().await;
    let tenant = world.tenant("WalletApp", None).await;
    let (id, secret) = (tenant.client.as_str(), tenant.secret.as_str());
    let pair = format!("client_id={id}&client_secret={secret}");
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let path = "/api/v1/auth/token";
    let in_form = world.raw("POST", path, "", &form, &pair).await.fine();
    assert_eq!(in_form.text_of("/data/subjectId"), tenant.id);
    assert_eq!(in_form.data()["expiresAt"], super::world::NOON / 1_000_000 + 3600);
    world.raw("POST", &format!("{path}?{pair}"), "", &[], "").await.fine();
    use base64::Engine as _;
    let basic = format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}")));
    world.raw("POST", path, "", &[("authorization", &basic)], "").await.fine();
    // The body counts, not the query.
    let both = world.raw("POST", &format!("{path}?client_id=x&client_secret=y"), "", &form, &pair).await;
    assert_eq!(both.status, 200);
    let wrong = world.raw("POST", &format!("{path}?{pair}"), "", &form, "client_id=x&client_secret=y").await;
    assert_eq!(wrong.outcome(), (401, "IDAAS-AUTH-1004"));
    for (header, body) in [("Basic !!!", ""), ("Basic eA==", "")] {
        let refused = world.raw("POST", path, "", &[("authorization", header)], body).await;
        assert_eq!(refused.outcome(), (401, "IDAAS-AUTH-1004"));
    }
    let missing = world.json("POST", path, "", "{}").await;
    assert_eq!(missing.outcome(), (400, "IDAAS-VALID-2001"));
    assert_eq!(missing.json["errors"], json!(["client_id is required", "client_secret is required"]));
    assert_eq!(
        world.raw("POST", path, "", &[("content-type", "text/plain")], "x").await.outcome(),
        (415, "IDAAS-VALID-2004")
    );
}
