//! Claims, consent and the transfer of tags (`idaas.md` 6.2, 7).

use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::json;

use super::world::{Answer, NOON, Tenant, World};
use crate::jose::Attestation;

async fn claim(world: &World, by: &Tenant, tag: &str) -> Answer {
    world.post(&format!("/api/v1/tags/{tag}/claims"), &by.token, &json!({"subjectId": by.subject})).await
}

async fn act(world: &World, path: &str, token: &str) -> Answer {
    world.raw("POST", path, token, &[], "").await
}

#[tokio::test]
async fn consent_is_asked_given_and_attested() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let asked = claim(&world, &wallet, "bob").await.fine();
    let token = asked.text_of("/data/consentToken");
    assert_eq!(asked.text_of("/data/approvalUrl"), format!("http://127.0.0.1:8080/api/v1/consent/{token}"));
    assert_eq!((asked.text_of("/data/state"), asked.text_of("/data/tagString")), ("PENDING".into(), "bob".into()));
    assert_eq!(asked.text_of("/data/tokenExpiresAt"), "2026-03-29T11:45:12.772Z");
    assert_eq!(asked.text_of("/data/subjectExternalId"), "user-walletapp");

    let page = world.get(&format!("/api/v1/consent/{token}"), "").await.fine();
    assert_eq!(page.text_of("/data/requestingSubjectDisplay"), "WalletApp User");
    assert_eq!(page.text_of("/data/ownerDisplay"), "ShopApp User");
    assert_eq!((page.data()["expired"].as_bool(), page.text_of("/data/claimState")), (Some(false), "PENDING".into()));

    world.later(60);
    let given = act(&world, &format!("/api/v1/consent/{token}/approve"), "").await.fine();
    let expires = NOON / 1_000_000 + 60 + 48 * 3600;
    assert_eq!(given.data()["expiresAt"], json!(expires));
    assert_eq!(given.data()["consentId"], asked.data()["id"]);
    assert_eq!((given.text_of("/data/tag"), given.text_of("/data/subjectId")), ("bob".into(), wallet.subject.clone()));

    // A relying party has the published key and nothing else.
    let keys = world.get("/.well-known/jwks.json", "").await.fine();
    let keys: JwkSet = serde_json::from_str(&keys.text).unwrap();
    let attestation = given.text_of("/data/token");
    let kid = jsonwebtoken::decode_header(&attestation).unwrap().kid.unwrap();
    let mut rules = Validation::new(Algorithm::ES256);
    rules.set_audience(&[&wallet.id]);
    rules.validate_exp = false;
    let key = DecodingKey::from_jwk(keys.find(&kid).unwrap()).unwrap();
    let read = jsonwebtoken::decode::<Attestation>(&attestation, &key, &rules).unwrap().claims;
    assert_eq!((read.tag.as_str(), read.exp, read.iat), ("bob@shopapp", expires, NOON / 1_000_000 + 60));

    let again = act(&world, &format!("/api/v1/consent/{token}/deny"), "").await;
    assert_eq!(again.outcome(), (409, "IDAAS-CONF-4010"));
    assert_eq!(claim(&world, &wallet, "bob").await.outcome(), (409, "IDAAS-CONF-4004"));
    let tags = world.get("/api/v1/tags", &shop.token).await.fine();
    assert_eq!(tags.data()[0]["activeClaims"][0]["id"], asked.data()["id"]);
}

#[tokio::test]
async fn tokens_are_told_to_the_requester_and_kept_nowhere() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let asked = claim(&world, &wallet, "bob@shopapp").await.fine();
    let token = asked.text_of("/data/consentToken");
    for (reader, told) in [(&wallet, true), (&shop, false)] {
        let list = world.get("/api/v1/tags/bob/claims", &reader.token).await.fine();
        assert_eq!(list.data().as_array().map(Vec::len), Some(1));
        assert_eq!(list.data()[0].get("tokenExpiresAt").is_some(), told);
        assert_eq!(list.text.contains(&format!(r#""consentToken":"{token}""#)), told);
        assert_eq!(list.text.contains(&format!("/api/v1/consent/{token}")), told);
    }
    let other = world.tenant("OtherApp", None).await;
    assert_eq!(world.get("/api/v1/tags/bob/claims", &other.token).await.fine().data(), &json!([]));
    for record in world.app.engine().store().read(flexledger_domain::Position::START, 1000).await.unwrap() {
        assert!(!String::from_utf8_lossy(&record.bytes).contains(&token));
    }
}

#[tokio::test]
async fn refusals() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let foreign = json!({"subjectId": shop.subject});
    let on_bob = "/api/v1/tags/bob/claims";
    assert_eq!(world.post(on_bob, &wallet.token, &foreign).await.outcome(), (422, "IDAAS-STATE-5002"));
    let unknown = json!({"subjectId": wallet.id});
    assert_eq!(world.post(on_bob, &wallet.token, &unknown).await.outcome(), (404, "IDAAS-RES-3002"));
    assert_eq!(world.post(on_bob, &wallet.token, &json!({})).await.outcome(), (400, "IDAAS-VALID-2001"));
    assert_eq!(claim(&world, &wallet, "nobody").await.outcome(), (404, "IDAAS-RES-3004"));
    let asked = claim(&world, &wallet, "bob").await.fine();
    assert_eq!(claim(&world, &wallet, "bob").await.outcome(), (409, "IDAAS-CONF-4005"));
    let at = |what: &str| format!("/api/v1/consent/{}{what}", asked.text_of("/data/consentToken"));
    for path in ["/api/v1/consent/nothing", "/api/v1/consent/nothing/approve"] {
        let method = if path.ends_with("approve") { "POST" } else { "GET" };
        assert_eq!(world.raw(method, path, "", &[], "").await.outcome(), (404, "IDAAS-RES-3006"), "{path}");
    }
    world.later(48 * 3600);
    assert_eq!(act(&world, &at("/approve"), "").await.outcome(), (422, "IDAAS-STATE-5003"));
    assert_eq!(act(&world, &at("/deny"), "").await.outcome(), (422, "IDAAS-STATE-5003"));
    assert_eq!(world.get(&at(""), "").await.fine().data()["expired"], json!(true));
    let wallet = Tenant { token: world.token(&wallet.client, &wallet.secret).await, ..wallet };
    let shop = Tenant { token: world.token(&shop.client, &shop.secret).await, ..shop };
    // What has lapsed is in nobody's way.
    let second = claim(&world, &wallet, "bob").await.fine();
    let deny = format!("/api/v1/consent/{}/deny", second.text_of("/data/consentToken"));
    let denied = act(&world, &deny, "").await.fine();
    assert_eq!(denied.text_of("/data/state"), "DENIED");
    assert!(denied.data().get("consentToken").is_none());
    let revoke = format!("/api/v1/claims/{}/revoke", second.text_of("/data/id"));
    assert_eq!(act(&world, &revoke, &wallet.token).await.outcome(), (422, "IDAAS-STATE-5005"));
    let stranger = world.tenant("OtherApp", None).await;
    assert_eq!(act(&world, &revoke, &stranger.token).await.outcome(), (404, "IDAAS-RES-3005"));
    assert_eq!(act(&world, "/api/v1/claims/x/revoke", &wallet.token).await.outcome(), (400, "IDAAS-VALID-2001"));
    let third = claim(&world, &wallet, "bob").await.fine();
    let revoke = format!("/api/v1/claims/{}/revoke", third.text_of("/data/id"));
    let revoked = act(&world, &revoke, &shop.token).await.fine();
    assert_eq!(revoked.text_of("/data/state"), "REVOKED");
    assert!(revoked.data().get("revokedAt").is_some());
    world.raw("PATCH", "/api/v1/tags/bob/disable", &shop.token, &[], "").await.fine();
    assert_eq!(claim(&world, &wallet, "bob").await.outcome(), (422, "IDAAS-STATE-5001"));
}

#[tokio::test]
async fn a_tag_goes_to_who_holds_a_claim_and_its_payments_follow() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let open = world.pay(&wallet, "3").await;
    let path = "/api/v1/tags/bob/transfer";
    let to_wallet = json!({"newOwnerSubjectId": wallet.subject});
    assert_eq!(world.post(path, &shop.token, &to_wallet).await.outcome(), (422, "IDAAS-STATE-5006"));
    assert_eq!(world.post(path, &wallet.token, &to_wallet).await.outcome(), (403, "IDAAS-AUTH-1006"));
    let nobody = json!({"newOwnerSubjectId": wallet.id});
    assert_eq!(world.post(path, &shop.token, &nobody).await.outcome(), (404, "IDAAS-RES-3002"));
    let asked = claim(&world, &wallet, "bob").await.fine();
    act(&world, &format!("/api/v1/consent/{}/approve", asked.text_of("/data/consentToken")), "").await.fine();
    let moved = world.post(path, &shop.token, &to_wallet).await.fine();
    assert_eq!(moved.text_of("/data/qualifiedAddress"), "bob@shopapp");
    assert_eq!(moved.data()["createdByAppId"], json!(shop.id));
    // The new owner is another application's user: who it is is told, but nothing that its application keeps about it.
    let owner = json!({"id": wallet.subject, "applicationId": wallet.id, "applicationName": "WalletApp",
        "displayName": "WalletApp User"});
    assert_eq!(moved.data()["canonicalOwner"], owner);
    let mine = world.get(&format!("/api/v1/subjects/{}/tags", wallet.subject), &wallet.token).await.fine();
    assert_eq!(mine.data().as_array().map(Vec::len), Some(2));
    assert_eq!(mine.data()[0]["canonicalOwner"]["externalId"], json!("user-walletapp"));
    // What was initiated before stays with the application of that time.
    act(&world, &format!("/api/v1/transactions/{open}/accept"), &shop.token).await.fine();
    let pay = json!({"senderTag": "bob", "receiverTag": "alice", "amount": 1});
    assert_eq!(world.post("/api/v1/transactions", &shop.token, &pay).await.outcome(), (403, "IDAAS-AUTH-1006"));
    let paid = world.post("/api/v1/transactions", &wallet.token, &pay).await.fine();
    assert_eq!(paid.data()["senderAppId"], json!(wallet.id));
    assert_eq!(world.get("/api/v1/tags/bob", "").await.data()["canonicalOwner"]["displayName"], "WalletApp User");
}
