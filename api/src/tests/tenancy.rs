//! Who may see and do what.

use serde_json::json;

use super::world::{OPERATOR, World};

#[tokio::test]
async fn other_tenants_see_nothing() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let third = world.tenant("ThirdApp", None).await;
    let reference = world.pay(&wallet, "1").await;
    let at = |path: &str| path.replace("{s}", &wallet.subject).replace("{r}", &reference).replace("{a}", &wallet.id);
    for (path, code) in [
        ("/api/v1/subjects/{s}", "IDAAS-RES-3002"),
        ("/api/v1/subjects/{s}/tags", "IDAAS-RES-3002"),
        ("/api/v1/subjects/external/user-walletapp", "IDAAS-RES-3003"),
        ("/api/v1/transactions/{r}", "IDAAS-RES-3010"),
        ("/api/v1/applications/{a}", "IDAAS-RES-3001"),
    ] {
        assert_eq!(world.get(&at(path), &third.token).await.outcome(), (404, code), "{path}");
    }
    assert_eq!(
        world.json("PATCH", &at("/api/v1/subjects/{s}"), &third.token, "{}").await.outcome(),
        (404, "IDAAS-RES-3002")
    );
    for who in [&wallet, &third] {
        for what in ["accept", "reject"] {
            let path = at(&format!("/api/v1/transactions/{{r}}/{what}"));
            assert_eq!(world.raw("POST", &path, &who.token, &[], "").await.outcome(), (403, "IDAAS-AUTH-1007"));
        }
    }
    assert_eq!(
        world.raw("PATCH", "/api/v1/tags/bob/disable", &wallet.token, &[], "").await.outcome(),
        (403, "IDAAS-AUTH-1006")
    );
    let deactivate = at("/api/v1/applications/{a}/deactivate");
    assert_eq!(world.raw("PATCH", &deactivate, &shop.token, &[], "").await.outcome(), (403, "IDAAS-AUTH-1006"));
    let steal = json!({"tag": "carol", "subjectId": wallet.subject});
    assert_eq!(world.post("/api/v1/tags", &shop.token, &steal).await.outcome(), (422, "IDAAS-STATE-5002"));
    let nobody = json!({"tag": "carol", "subjectId": "3fa85f64-5717-4562-b3fc-2c963f66afa6"});
    assert_eq!(world.post("/api/v1/tags", &shop.token, &nobody).await.outcome(), (404, "IDAAS-RES-3002"));
    let pay = json!({"senderTag": "bob", "receiverTag": "alice", "amount": 1});
    assert_eq!(world.post("/api/v1/transactions", &wallet.token, &pay).await.outcome(), (403, "IDAAS-AUTH-1006"));
    let list = world.get("/api/v1/applications", &third.token).await.fine();
    assert_eq!(list.data().as_array().map(Vec::len), Some(1));
    for secret in ["clientSecret", "webhookSecret", "appPrivateJwk", "\"d\""] {
        assert!(!list.text.contains(secret), "{secret}");
    }
}

#[tokio::test]
async fn an_administrator_sees_all_applications() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let admin = world.administered_by(&wallet).await;
    assert_eq!(admin.get("/api/v1/applications", &wallet.token).await.data().as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn public_lookup_tells_five_things() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let found = world.get("/api/v1/tags/@Alice@WalletApp", "stale token").await.fine();
    let expected = json!({
        "tagString": "alice", "qualifiedAddress": "alice@walletapp", "status": "ACTIVE",
        "canonicalOwner": {"displayName": "WalletApp User"}, "createdByAppName": "WalletApp",
    });
    assert_eq!(found.data(), &expected);
    for unknown in ["nobody", "nobody@walletapp", "x", "al%20ice", "alice@nowhere"] {
        let answer = world.get(&format!("/api/v1/tags/{unknown}"), "").await;
        assert_eq!(answer.outcome(), (404, "IDAAS-RES-3004"), "{unknown}");
    }
    world.tag(&shop, "alice").await;
    let both = world.get("/api/v1/tags/alice", "").await;
    assert_eq!(both.outcome(), (409, "IDAAS-CONF-4006"));
    assert_eq!(both.json["errors"], json!(["alice@shopapp", "alice@walletapp"]));
    let pay = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 1});
    assert_eq!(world.post("/api/v1/transactions", &wallet.token, &pay).await.outcome(), (409, "IDAAS-CONF-4006"));
}

#[tokio::test]
async fn duplicates() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let register = |name: &str, handle: &str| json!({"name": name, "appHandle": handle});
    let same_name = world.post("/api/v1/applications", "", &register("WalletApp", "other")).await;
    assert_eq!(same_name.outcome(), (409, "IDAAS-CONF-4007"));
    let same_handle = world.post("/api/v1/applications", "", &register("Other", "walletapp")).await;
    assert_eq!(same_handle.outcome(), (409, "IDAAS-CONF-4008"));
    let user = world.post("/api/v1/subjects", &wallet.token, &json!({"externalId": "user-walletapp"})).await;
    assert_eq!(user.outcome(), (409, "IDAAS-CONF-4003"));
    let tag = json!({"tagString": "alice", "tag": "alice", "subjectId": wallet.subject});
    assert_eq!(world.post("/api/v1/tags", &wallet.token, &tag).await.outcome(), (409, "IDAAS-CONF-4002"));
}

#[tokio::test]
async fn a_deactivated_application_is_out_at_once() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let path = format!("/api/v1/applications/{}/deactivate", wallet.id);
    let done = world.raw("PATCH", &path, &wallet.token, &[], "").await.fine();
    assert!(done.json.get("data").is_none());
    assert_eq!(world.get("/api/v1/subjects", &wallet.token).await.outcome(), (401, "IDAAS-AUTH-1003"));
    let body = json!({"client_id": wallet.client, "client_secret": wallet.secret});
    assert_eq!(world.post("/api/v1/auth/token", "", &body).await.outcome(), (401, "IDAAS-AUTH-1004"));
    let pay = json!({"senderTag": "bob", "receiverTag": "alice", "amount": 1});
    assert_eq!(world.post("/api/v1/transactions", &shop.token, &pay).await.outcome(), (422, "IDAAS-STATE-5009"));
}

#[tokio::test]
async fn the_operator_is_let_in_by_the_token_alone() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let status = world.get("/operator/v1/status", OPERATOR).await.fine();
    assert_eq!(status.json["ledger"]["hash"].as_str().map(str::len), Some(64));
    assert!(status.json["views"].as_array().is_some_and(|views| !views.is_empty()));
    for token in ["", "x", &wallet.token] {
        let refused = world.get("/operator/v1/status", token).await;
        assert_eq!((refused.status, refused.json["status"].as_u64()), (401, Some(401)), "{}", refused.text);
        assert_eq!(refused.headers.get("content-type").unwrap(), "application/problem+json");
    }
    assert_eq!(world.get("/operator/v1/nothing", OPERATOR).await.json["status"], 404);
    assert_eq!(world.raw("POST", "/operator/v1/status", OPERATOR, &[], "").await.json["status"], 405);
}
