//! Keys, their rotation, and encrypted requests (`idaas.md` 3.5, 3.6, 4, 13).

use flexledger_domain::identity::PublicKey;
use serde_json::{Value, json};

use super::world::{Answer, World};
use crate::Settings;
use crate::http::names::Names;
use crate::jose;

/// Encrypts for the key that the server publishes.
async fn encrypt(world: &World, text: &str) -> String {
    let key = world.get("/api/v1/keys/idaas", "").await.fine();
    let key = PublicKey { x: key.text_of("/data/jwk/x"), y: key.text_of("/data/jwk/y") };
    jose::encrypt(&jose::public_key(&key).unwrap(), "application/json", text.as_bytes()).unwrap()
}

async fn send(world: &World, token: &str, marker: &str, body: &str) -> Answer {
    let headers = [("content-type", "application/json"), ("content-encryption", marker)];
    world.raw("POST", "/api/v1/transactions", token, &headers, body).await
}

/// With another first letter of the tag.
fn tampered(compact: &str) -> String {
    let (rest, tag) = compact.rsplit_once('.').unwrap();
    let first = if tag.starts_with('A') { 'B' } else { 'A' };
    format!("{rest}.{first}{}", &tag[1..])
}

const PAYMENT: &str = r#"{"senderTag":"alice","receiverTag":"bob","amount":1.5,"narration":"sealed"}"#;

#[tokio::test]
async fn encrypted_requests_are_understood() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let sealed = encrypt(&world, PAYMENT).await;
    let paid = send(&world, &wallet.token, "jwe", &sealed).await.fine();
    assert_eq!(paid.text_of("/data/narration"), "sealed");
    for (marker, body, outcome) in [
        ("JWE", "a.b.c", (400, "IDAAS-SYS-9002")),
        ("JWE", PAYMENT, (400, "IDAAS-SYS-9002")),
        ("JWE", &tampered(&sealed), (400, "IDAAS-VALID-2005")),
        ("gzip", PAYMENT, (415, "IDAAS-VALID-2004")),
        ("JWE", &encrypt(&world, "not JSON").await, (400, "IDAAS-VALID-2005")),
        ("JWE", &encrypt(&world, "[]").await, (400, "IDAAS-VALID-2001")),
    ] {
        assert_eq!(send(&world, &wallet.token, marker, body).await.outcome(), outcome, "{marker} {body}");
    }
    // Made for another key: the caller's own, say.
    let own = jose::generate().unwrap().public;
    let foreign = jose::encrypt(&jose::public_key(&own).unwrap(), "application/json", PAYMENT.as_bytes()).unwrap();
    assert_eq!(send(&world, &wallet.token, "JWE", &foreign).await.outcome(), (400, "IDAAS-VALID-2005"));
    // The door comes first.
    assert_eq!(send(&world, "", "JWE", "a.b.c").await.outcome(), (401, "IDAAS-AUTH-1001"));
}

#[tokio::test]
async fn plain_requests_can_be_refused() {
    let world =
        World::with(Settings { require_encrypted_requests: true, allow_insecure: true, ..Settings::default() }).await;
    let wallet = world.post("/api/v1/applications", "", &json!({"name": "WalletApp", "appHandle": "walletapp"})).await;
    let token = world.token(&wallet.text_of("/data/clientId"), &wallet.text_of("/data/clientSecret")).await;
    let user = json!({"externalId": "u"});
    assert_eq!(world.post("/api/v1/subjects", &token, &user).await.outcome(), (415, "IDAAS-VALID-2004"));
    let sealed = encrypt(&world, &user.to_string()).await;
    let headers = [("content-type", "application/json"), ("content-encryption", "JWE")];
    assert_eq!(world.raw("POST", "/api/v1/subjects", &token, &headers, &sealed).await.status, 201);
    // Without a body there is nothing to encrypt.
    world.raw("POST", "/api/v1/wallet", &token, &[], "").await.fine();
}

#[tokio::test]
async fn rotation_answers_secrets_once() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let path = format!("/api/v1/applications/{}", wallet.id);
    let before = world.get(&path, &wallet.token).await.fine();
    let rotated = world.raw("POST", "/api/v1/applications/keys/rotate", &wallet.token, &[], "").await.fine();
    assert_eq!(rotated.data()["keyVersion"], 2);
    assert_ne!(rotated.data()["appPublicKeyJwk"]["x"], before.data()["appPublicKeyJwk"]["x"]);
    assert_eq!(rotated.data()["appPrivateJwk"]["x"], rotated.data()["appPublicKeyJwk"]["x"]);
    assert!(rotated.data()["appPrivateJwk"]["d"].is_string() && rotated.data().get("webhookSecret").is_none());
    let again = world.raw("POST", "/api/v1/applications/keys/rotate", &wallet.token, &[], "").await.fine();
    assert_eq!(again.data()["keyVersion"], 3);
    let secret = world.raw("POST", "/api/v1/applications/webhook-secret/rotate", &wallet.token, &[], "").await.fine();
    assert!(secret.data()["webhookSecret"].is_string() && secret.data().get("appPrivateJwk").is_none());
    let after = world.get(&path, &wallet.token).await.fine();
    assert_eq!(
        (&after.data()["keyVersion"], &after.data()["appPublicKeyJwk"]),
        (&json!(3), &again.data()["appPublicKeyJwk"])
    );
    for hidden in ["webhookSecret", "appPrivateJwk", "clientSecret"] {
        assert!(after.data().get(hidden).is_none(), "{hidden}");
    }
    for told in [again.text_of("/data/appPrivateJwk/d"), secret.text_of("/data/webhookSecret")] {
        for record in world.app.engine().store().read(flexledger_domain::Position::START, 1000).await.unwrap() {
            assert!(!String::from_utf8_lossy(&record.bytes).contains(&told));
        }
    }
}

#[tokio::test]
async fn names_of_the_later_product() {
    let names = Names { code_prefix: "SWITCH".into(), header_stem: "Switch".into(), key_path: "switch".into() };
    let world = World::with(Settings { names, ..Settings::default() }).await;
    let key = world.get("/api/v1/keys/switch", "").await.fine();
    assert_eq!(
        (key.text_of("/data/algorithm"), key.text_of("/data/encAlgorithm")),
        ("ECDH-ES+A256KW".into(), "A256GCM".into())
    );
    assert_eq!(key.data()["jwk"].get("d"), None::<&Value>);
    assert_eq!(world.get("/api/v1/keys/idaas", "").await.outcome(), (404, "SWITCH-RES-3012"));
}
