//! What never stands in a log line: secrets, tokens, keys, bodies, personal text.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing_subscriber::fmt::MakeWriter;

use super::world::{OPERATOR, Tenant, World};

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Lines;

    fn make_writer(&'a self) -> Lines {
        self.clone()
    }
}

#[tokio::test]
async fn log_lines_tell_nothing_private() {
    let lines = Lines::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone())
        .finish();
    // For the whole process: what the other tests log meanwhile must not tell anything private either.
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let body = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 1, "narration": "Private narration",
        "idempotencyKey": "private-key-1"});
    let made = world.post("/api/v1/transactions", &wallet.token, &body).await.fine();
    let reject = format!("/api/v1/transactions/{}/reject", made.text_of("/data/reference"));
    world.post(&reject, &shop.token, &json!({"reason": "Private reason"})).await.fine();
    world
        .json(
            "POST",
            "/api/v1/auth/token",
            "",
            &format!(r#"{{"client_id":"{}","client_secret":"wrong-secret"}}"#, wallet.client),
        )
        .await;
    world.get("/api/v1/subjects/external/user-walletapp?client_secret=in-query", &wallet.token).await.fine();
    world.get("/api/v1/tags/search?keyword=private", "bad-token").await;
    world.json("POST", "/api/v1/transactions", &wallet.token, r#"{"narration":"\ud800 broken body"#).await;
    let tokens = shown_once(&world, &wallet, &shop).await;
    let status = world.get("/operator/v1/status", OPERATOR).await.fine();
    let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
    let id = status.headers.get("x-request-id").unwrap().to_str().unwrap();
    assert!(text.contains(id) && text.contains("/api/v1/transactions/{reference}/reject"), "{text}");
    for secret in [
        wallet.secret.as_str(),
        &wallet.token,
        &shop.token,
        OPERATOR,
        "Private",
        "private-key-1",
        "WalletApp User",
        "u@example.com",
        "wrong-secret",
        "in-query",
        "bad-token",
        "broken body",
        "user-walletapp",
        "keyword",
        "Private comment",
        "private-pin",
    ] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    for token in tokens {
        assert!(!text.contains(&token), "{token} in {text}");
    }
}

/// Provokes every token and key that an answer shows once, and uses each.
async fn shown_once(world: &World, wallet: &Tenant, shop: &Tenant) -> Vec<String> {
    let claim = json!({"subjectId": wallet.subject});
    let claim = world.post("/api/v1/tags/bob/claims", &wallet.token, &claim).await.fine();
    let consent = claim.text_of("/data/consentToken");
    let attestation = world.raw("POST", &format!("/api/v1/consent/{consent}/approve"), "", &[], "").await.fine();
    let link = json!({"secondaryTag": "bob", "verificationMethod": "TOKEN"});
    let link = world.post("/api/v1/tags/alice/federation", &wallet.token, &link).await.fine();
    let challenge = link.text_of("/data/links/0/challengeToken");
    world.raw("POST", &format!("/api/v1/federation/verify/{challenge}"), &shop.token, &[], "").await.fine();
    let keys = world.raw("POST", "/api/v1/applications/keys/rotate", &wallet.token, &[], "").await.fine();
    let secret = world.raw("POST", "/api/v1/applications/webhook-secret/rotate", &wallet.token, &[], "").await.fine();
    let merchant = json!({"name": "Corner Shop", "tag": "bob"});
    let merchant = world.post("/operator/v1/idaas/merchants", OPERATOR, &merchant).await.fine();
    let (id, key, location) =
        (merchant.text_of("/client_id"), merchant.text_of("/api_key"), merchant.text_of("/location"));
    let headers = [
        ("content-type", "application/json"),
        ("x-client-id", id.as_str()),
        ("x-api-key", key.as_str()),
        ("x-location", location.as_str()),
    ];
    let ask = r#"{"payer":"alice","amount":1,"comment":"Private comment","pin":"private-pin"}"#;
    world.raw("POST", "/v2/merchant/payment-request", "", &headers, ask).await.fine();
    vec![
        consent,
        attestation.text_of("/data/token"),
        challenge,
        keys.text_of("/data/appPrivateJwk/d"),
        secret.text_of("/data/webhookSecret"),
        key,
    ]
}
