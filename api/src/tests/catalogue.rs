//! Every error of the catalogue, provoked by a call.

use std::collections::BTreeSet;

use flexledger_domain::Instant;
use flexledger_domain::ids::ApplicationId;
use serde_json::{Value, json};
use uuid::Uuid;

use super::world::{Answer, NOON, World};
use crate::Settings;

/// What no call can provoke, and why.
const OUT_OF_REACH: [(&str, &str); 2] = [
    ("IDAAS-CONF-4001", "handles are unique and fixed, so a taken address is always the caller's own: 4002"),
    ("IDAAS-SYS-9001", "only a fault of this side answers it"),
];

#[derive(Default)]
struct Seen(BTreeSet<String>);

impl Seen {
    #[track_caller]
    fn note(&mut self, code: &str, answer: &Answer) {
        assert_eq!(answer.code(), format!("IDAAS-{code}"), "{}", answer.text);
        self.0.insert(answer.code().to_owned());
    }
}

#[tokio::test]
async fn every_code_is_met() {
    let mut seen = Seen::default();
    let settings = Settings { strict_idempotency: true, allow_insecure: true, ..Settings::default() };
    let world = World::with(settings).await;
    let (wallet, shop) = world.pair().await;
    authentication(&world, &mut seen).await;
    let post = |path: &str, token: &str, body: Value| {
        let (world, path, token) = (&world, format!("/api/v1/{path}"), token.to_owned());
        async move { world.post(&path, &token, &body).await }
    };
    let act = |method: &'static str, path: String, token: &str| {
        let (world, token) = (&world, token.to_owned());
        async move { world.raw(method, &format!("/api/v1/{path}"), &token, &[], "").await }
    };
    let (w, s) = (wallet.token.as_str(), shop.token.as_str());

    let third = world.tenant("ThirdApp", None).await;
    seen.note("AUTH-1006", &act("PATCH", "tags/bob/disable".into(), w).await);
    seen.note("VALID-2001", &post("tags", w, json!({})).await);
    seen.note("VALID-2002", &act("GET", "tags/search".into(), w).await);
    seen.note("VALID-2003", &act("GET", "tags/search?keyword=a".into(), w).await);
    let plain = [("content-type", "text/plain")];
    seen.note("VALID-2004", &world.raw("POST", "/api/v1/tags", w, &plain, "{}").await);
    let jwe = [("content-type", "application/json"), ("content-encryption", "JWE")];
    seen.note("SYS-9002", &world.raw("POST", "/api/v1/tags", w, &jwe, "{}").await);
    let key = crate::jose::public_key(&crate::jose::generate().unwrap().public).unwrap();
    let foreign = crate::jose::encrypt(&key, "application/json", b"{}").unwrap();
    seen.note("VALID-2005", &world.raw("POST", "/api/v1/tags", w, &jwe, &foreign).await);
    seen.note("RES-3001", &act("GET", format!("applications/{}", shop.id), w).await);
    seen.note("RES-3002", &act("GET", format!("subjects/{}", shop.subject), w).await);
    seen.note("RES-3003", &act("GET", "subjects/external/nobody".into(), w).await);
    seen.note("RES-3004", &act("GET", "tags/nobody".into(), "").await);
    seen.note("RES-3005", &act("POST", format!("claims/{}/revoke", wallet.id), w).await);
    seen.note("RES-3006", &act("GET", "consent/nothing".into(), "").await);
    seen.note("RES-3007", &act("DELETE", format!("federation/links/{}", wallet.id), w).await);
    seen.note("RES-3008", &act("POST", "federation/verify/nothing".into(), w).await);
    seen.note("RES-3009", &act("GET", "tags/alice/federation".into(), w).await);
    seen.note("RES-3010", &act("GET", "transactions/TXN-00000001-AAAAAAAA".into(), w).await);
    seen.note("RES-3011", &act("GET", "wallet".into(), w).await);
    seen.note("RES-3012", &act("GET", "nothing".into(), w).await);

    seen.note("CONF-4002", &post("tags", w, json!({"tag": "alice", "subjectId": wallet.subject})).await);
    seen.note("CONF-4003", &post("subjects", w, json!({"externalId": "user-walletapp"})).await);
    seen.note("CONF-4007", &post("applications", "", json!({"name": "WalletApp", "appHandle": "new-one"})).await);
    seen.note("CONF-4008", &post("applications", "", json!({"name": "New one", "appHandle": "walletapp"})).await);
    seen.note("STATE-5002", &post("tags", w, json!({"tag": "eve", "subjectId": shop.subject})).await);

    let claim = json!({"subjectId": wallet.subject});
    let asked = post("tags/bob/claims", w, claim.clone()).await.fine();
    seen.note("CONF-4005", &post("tags/bob/claims", w, claim.clone()).await);
    let consent = |what: &str| format!("consent/{}/{what}", asked.text_of("/data/consentToken"));
    act("POST", consent("approve"), "").await.fine();
    seen.note("CONF-4010", &act("POST", consent("approve"), "").await);
    seen.note("CONF-4004", &post("tags/bob/claims", w, claim.clone()).await);
    let revoke = format!("claims/{}/revoke", asked.text_of("/data/id"));
    act("POST", revoke.clone(), w).await.fine();
    seen.note("STATE-5005", &act("POST", revoke, w).await);
    seen.note("STATE-5006", &post("tags/bob/transfer", s, json!({"newOwnerSubjectId": wallet.subject})).await);

    let link = json!({"secondaryTag": "bob", "verificationMethod": "TOKEN"});
    let begun = post("tags/alice/federation", w, link.clone()).await.fine();
    seen.note("CONF-4011", &post("tags/alice/federation", w, link).await);
    let verify = format!("federation/verify/{}", begun.text_of("/data/links/0/challengeToken"));
    seen.note("AUTH-1008", &act("POST", verify.clone(), &third.token).await);
    act("POST", verify.clone(), s).await.fine();
    seen.note("STATE-5004", &act("POST", verify, s).await);

    let pay =
        |amount: u32| json!({"senderTag": "alice", "receiverTag": "bob", "amount": amount, "idempotencyKey": "k"});
    let paid = post("transactions", w, pay(1)).await.fine();
    seen.note("CONF-4009", &post("transactions", w, pay(2)).await);
    let accept = format!("transactions/{}/accept", paid.text_of("/data/reference"));
    seen.note("AUTH-1007", &act("POST", accept.clone(), w).await);
    act("POST", accept.clone(), s).await.fine();
    seen.note("STATE-5007", &act("POST", accept, s).await);
    world.tag(&third, "bob").await;
    seen.note("CONF-4006", &act("GET", "tags/bob".into(), "").await);

    let late = world.pay(&wallet, "1").await;
    let lapsing = post("tags/bob@shopapp/claims", w, claim.clone()).await.fine();
    world.later(48 * 3600);
    let (w, s) = (world.token(&wallet.client, &wallet.secret).await, world.token(&shop.client, &shop.secret).await);
    seen.note("STATE-5008", &act("POST", format!("transactions/{late}/accept"), &s).await);
    let lapsed = format!("consent/{}/approve", lapsing.text_of("/data/consentToken"));
    seen.note("STATE-5003", &act("POST", lapsed, "").await);
    act("PATCH", "tags/bob@shopapp/disable".into(), &s).await.fine();
    seen.note("STATE-5001", &post("tags/bob@shopapp/claims", &w, claim).await);
    let to_disabled = json!({"senderTag": "alice", "receiverTag": "bob@shopapp", "amount": 1});
    seen.note("STATE-5009", &post("transactions", &w, to_disabled).await);
    act("PATCH", format!("applications/{}/deactivate", shop.id), &s).await.fine();
    seen.note("AUTH-1003", &act("GET", "tags".into(), &s).await);

    let limited = World::with(Settings { rate_limits: true, ..Settings::default() }).await;
    for _ in 0..300 {
        limited.get("/api/v1/tags/nobody", "").await;
    }
    seen.note("RATE-6001", &limited.get("/api/v1/tags/nobody", "").await);
    assert_eq!(seen.0, catalogue());
}

async fn authentication(world: &World, seen: &mut Seen) {
    seen.note("AUTH-1001", &world.get("/api/v1/tags", "").await);
    seen.note("AUTH-1002", &world.get("/api/v1/tags", "nonsense").await);
    let wrong = json!({"client_id": "x", "client_secret": "y"});
    seen.note("AUTH-1004", &world.post("/api/v1/auth/token", "", &wrong).await);
    let nobody = ApplicationId::from_uuid(Uuid::from_u128(9));
    let token = world.app.tokens().issue(nobody, false, Instant::from_micros(NOON)).unwrap().token;
    seen.note("AUTH-1005", &world.get("/api/v1/tags", &token).await);
}

/// All codes of the contract, without those that are out of reach.
fn catalogue() -> BTreeSet<String> {
    let contract: Value = serde_json::from_str(include_str!("../../../fixtures/api/contract.json")).unwrap();
    let rows = ["error_catalog", "extension_error_codes"].map(|name| contract[name].as_array().unwrap().clone());
    let codes = rows.iter().flatten().map(|row| row["error_code"].as_str().unwrap().to_owned());
    codes.filter(|code| OUT_OF_REACH.iter().all(|(other, _)| other != code)).collect()
}
