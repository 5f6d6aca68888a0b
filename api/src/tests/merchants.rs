//! Payment requests of merchants (`idaas.md` 19).

use axum::http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

use super::world::{Answer, OPERATOR, Tenant, World};

struct Shop {
    world: World,
    wallet: Tenant,
    shop: Tenant,
    headers: [(&'static str, String); 4],
}

/// A merchant whose requests are paid to `bob@shopapp`.
async fn shop() -> Shop {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let made =
        world.post("/operator/v1/idaas/merchants", OPERATOR, &json!({"name": "Corner Shop", "tag": "bob"})).await;
    assert_eq!(made.status, 201, "{}", made.text);
    let headers = [
        ("content-type", "application/json".to_owned()),
        ("x-client-id", made.text_of("/client_id")),
        ("x-api-key", made.text_of("/api_key")),
        ("x-location", made.text_of("/location")),
    ];
    Shop { world, wallet, shop, headers }
}

impl Shop {
    async fn call(&self, method: &str, path: &str, body: &str) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.world.raw(method, &format!("/v2/merchant/payment-request{path}"), "", &headers, body).await
    }

    async fn ask(&self, body: Value) -> Answer {
        self.call("POST", "", &body.to_string()).await
    }

    async fn answer(&self, by: &Tenant, reference: &str, what: &str) -> Answer {
        let path = format!("/api/v1/payment-requests/{reference}/{what}");
        self.world.raw("POST", &path, &by.token, &[], "").await
    }

    async fn state(&self, reference: &str) -> String {
        self.call("GET", &format!("/{reference}"), "").await.fine().text_of("/Status")
    }
}

#[tokio::test]
async fn a_request_is_paid_as_an_ordinary_payment() {
    let shop = shop().await;
    let ask =
        json!({"payer": "@alice", "amount": 12.5, "reference": "order 7", "comment": "Tea", "metadata": {"till": 3}});
    let asked = shop.ask(ask.clone()).await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    assert!(asked.text.contains(r#""Amount":12.5000"#) && asked.json.get("success").is_none());
    assert_eq!(asked.json["ID"], 1);
    assert_eq!(asked.json["PayTag"]["Tag"], "bob@shopapp");
    assert_eq!(asked.json["PayTag"]["Name"], "Corner Shop");
    assert_eq!(asked.json["Payer"]["Name"], "WalletApp User");
    assert_eq!((asked.text_of("/Status"), asked.text_of("/Type")), ("Pending".into(), "C2M".into()));
    assert_eq!(
        (asked.text_of("/Description"), asked.text_of("/ExpiresAt")),
        ("Tea".into(), "2026-03-27T12:15:12.772Z".into())
    );
    assert_eq!(shop.ask(ask).await.status, 409);
    assert_eq!(shop.answer(&shop.shop, "order%207", "accept").await.outcome(), (404, "IDAAS-RES-3012"));
    let paid = shop.answer(&shop.wallet, "order%207", "accept").await.fine();
    assert_eq!(
        (paid.text_of("/data/status"), paid.text_of("/data/transaction/status")),
        ("Accepted".into(), "COMPLETED".into())
    );
    let reference = paid.text_of("/data/transaction/reference");
    let payment = shop.world.get(&format!("/api/v1/transactions/{reference}"), &shop.shop.token).await.fine();
    assert_eq!(payment.data(), &paid.data()["transaction"]);
    let wallet = shop.world.get("/api/v1/wallet", &shop.shop.token).await.fine();
    assert!(wallet.text.contains(r#""balance":12.5000"#), "{}", wallet.text);
    let shown = shop.call("GET", "/order%207", "").await.fine();
    assert_eq!((shown.text_of("/Status"), shown.text_of("/TransactionReference")), ("Accepted".into(), reference));
    assert_eq!(shop.answer(&shop.wallet, "order%207", "accept").await.outcome(), (409, "IDAAS-CONF-4012"));
    assert_eq!(shop.call("POST", "/order%207/cancel", "").await.status, 409);
}

#[tokio::test]
async fn every_other_end() {
    let shop = shop().await;
    for reference in ["a", "b", "c"] {
        shop.ask(json!({"payer": "alice", "amount": 1, "reference": reference, "duration": 2})).await.fine();
    }
    let unnamed = shop.ask(json!({"payer": "alice", "amount": 999_999_999, "currency": "FP"})).await.fine();
    assert_eq!(unnamed.text_of("/Currency"), "FP");
    assert!(unnamed.text_of("/Reference").starts_with("PR-00000004-"));
    assert_eq!(shop.answer(&shop.wallet, "a", "decline").await.fine().text_of("/data/status"), "Declined");
    assert_eq!(shop.call("POST", "/b/cancel", "").await.fine().text_of("/Status"), "Cancelled");
    shop.world.later(120);
    assert_eq!(shop.answer(&shop.wallet, "c", "accept").await.outcome(), (422, "IDAAS-STATE-5010"));
    assert_eq!(shop.state("c").await, "Expired");
    let list = shop.call("GET", "?limit=2&offset=1", "").await.fine();
    assert_eq!(
        (list.json["count"].as_u64(), list.json["limit"].as_u64(), list.json["offset"].as_u64()),
        (Some(4), Some(2), Some(1))
    );
    assert_eq!((list.text_of("/items/0/Reference"), list.text_of("/items/1/Reference")), ("c".into(), "b".into()));
    let pending = shop.call("GET", "?status=Pending", "").await.fine();
    assert_eq!(pending.json["count"], 1);
    for query in ["?status=Nothing", "?limit=0", "?offset=-1"] {
        assert_eq!(shop.call("GET", query, "").await.status, 400, "{query}");
    }
    let found = shop.call("GET", "/resolve-paytag?tag=alice", "").await.fine();
    assert_eq!(found.json, json!({"Name": "WalletApp User", "Tag": "alice@walletapp"}));
    assert_eq!(shop.call("GET", "/resolve-paytag?tag=nobody", "").await.status, 404);
    assert_eq!(
        shop.call("GET", "/nothing", "").await.json,
        json!({"statusCode": 404, "message": "Resource not found", "errors": ["Payment request not found"]})
    );
}

#[tokio::test]
async fn what_was_paid_in_points_is_seen() {
    let shop = shop().await;
    shop.ask(json!({"payer": "alice", "amount": 7, "reference": "p", "currency": "FP"})).await.fine();
    shop.answer(&shop.wallet, "p", "accept").await.fine();
    let wallet = shop.world.get("/api/v1/wallet?currency=FP", &shop.wallet.token).await.fine();
    assert!(wallet.text.contains(r#""balance":-7.0000"#), "{}", wallet.text);
    let entries = shop.world.get("/api/v1/wallet/statement?currency=FP", &shop.shop.token).await.fine();
    assert_eq!(entries.data()["totalElements"], json!(1));
    let head = shop.world.get("/audit/v1/head", OPERATOR).await.fine().json["position"].clone();
    let past = format!("/audit/v1/as-of/{head}/statement/{}?currency=FP", shop.wallet.id);
    assert_eq!(shop.world.get(&past, OPERATOR).await.fine().json["entries"][0]["amount"], json!("7.0000"));
    // A payment from tag to tag has no such currency.
    let pay = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 1, "currency": "FP"});
    let refused = shop.world.post("/api/v1/transactions", &shop.wallet.token, &pay).await;
    assert_eq!(refused.outcome(), (400, "IDAAS-VALID-2001"));
}

#[tokio::test]
async fn a_payer_reads_what_waits_for_it() {
    let shop = shop().await;
    for (reference, amount) in [("a", 3), ("b", 1), ("c", 2)] {
        let ask = json!({"payer": "alice", "amount": amount, "reference": reference, "comment": "Tea", "duration": 2});
        shop.ask(ask).await.fine();
    }
    shop.ask(json!({"payer": "alice", "amount": 5, "reference": "d"})).await.fine();
    let list = async |by: &Tenant, query: &str| {
        let page = shop.world.get(&format!("/api/v1/payment-requests{query}"), &by.token).await.fine();
        let content = page.data()["content"].as_array().unwrap();
        let references: Vec<_> = content.iter().map(|one| one["reference"].as_str().unwrap().to_owned()).collect();
        (references.concat(), page)
    };
    let (references, page) = list(&shop.wallet, "").await;
    assert_eq!((references.as_str(), page.data()["totalElements"].as_u64()), ("dcba", Some(4)));
    let one = &page.data()["content"][1];
    assert_eq!((&one["status"], &one["merchantName"]), (&json!("Pending"), &json!("Corner Shop")));
    assert_eq!((&one["payeeTag"], &one["payerTag"]), (&json!("bob@shopapp"), &json!("alice@walletapp")));
    assert_eq!((one["description"].as_str(), one.get("transaction")), (Some("Tea"), None));
    assert!(page.text.contains(r#""amount":2.0000"#), "{}", page.text);
    // The payee's application has nothing to decide, and sees nothing.
    assert_eq!(list(&shop.shop, "").await.0, "");
    assert_eq!(list(&shop.wallet, "?size=2&page=1").await.0, "ba");
    assert_eq!(list(&shop.wallet, "?sort=amount,asc").await.0, "bcad");
    for wrong in ["?size=0", "?page=-1", "?sort=secret"] {
        let refused = shop.world.get(&format!("/api/v1/payment-requests{wrong}"), &shop.wallet.token).await;
        assert_eq!(refused.outcome(), (400, "IDAAS-VALID-2001"), "{wrong}");
    }
    shop.answer(&shop.wallet, "a", "accept").await.fine();
    shop.answer(&shop.wallet, "b", "decline").await.fine();
    assert_eq!(list(&shop.wallet, "").await.0, "dc");
    shop.world.later(120);
    assert_eq!(list(&shop.wallet, "").await.0, "d");
    assert_eq!(shop.world.get("/api/v1/payment-requests", "").await.outcome(), (401, "IDAAS-AUTH-1001"));
}

#[tokio::test]
async fn bodies_and_headers_are_judged() {
    let shop = shop().await;
    for wrong in [
        json!({"payer": "alice"}),
        json!({"payer": "alice", "amount": 0}),
        json!({"payer": "alice", "amount": 1_000_000_000}),
        json!({"payer": "a b", "amount": 1}),
        json!({"payer": "bob", "amount": 1}),
        json!({"payer": "alice", "amount": 1, "duration": 1}),
        json!({"payer": "alice", "amount": 1, "duration": 2.5}),
        json!({"payer": "alice", "amount": 1, "currency": "USD"}),
        json!({"payer": "alice", "amount": 1, "reference": "resolve-paytag"}),
        json!({"payer": "alice", "amount": 1, "comment": "x".repeat(251)}),
    ] {
        let refused = shop.ask(wrong.clone()).await;
        assert_eq!((refused.status, refused.json["statusCode"].as_u64()), (400, Some(400)), "{wrong} {}", refused.text);
    }
    assert_eq!(shop.ask(json!({"payer": "nobody", "amount": 1})).await.status, 404);
    let list = |replace: Option<(&'static str, &'static str)>, without: &'static str| {
        let headers: Vec<_> = shop.headers.iter().filter(|(name, _)| *name != without).cloned().collect();
        let world = &shop.world;
        async move {
            let mut request = axum::http::Request::get("/v2/merchant/payment-request");
            for (name, value) in headers {
                let value = replace.filter(|(other, _)| *other == name).map_or(value, |(_, value)| value.to_owned());
                request = request.header(HeaderName::from_static(name), HeaderValue::from_str(&value).unwrap());
            }
            world.send(request.body(axum::body::Body::empty()).unwrap()).await.status
        }
    };
    assert_eq!(list(None, "").await, 200);
    for missing in ["x-client-id", "x-api-key", "x-location"] {
        assert_eq!(list(None, missing).await, 400, "{missing}");
    }
    for (name, value, status) in [
        ("x-client-id", "nobody", 404),
        ("x-client-id", "3fa85f64-5717-4562-b3fc-2c963f66afa6", 404),
        ("x-api-key", "wrong", 401),
        ("x-location", "elsewhere", 401),
    ] {
        assert_eq!(list(Some((name, value)), "").await, status, "{name}");
    }
    let older: Vec<(&str, &str)> = ["r-merchant-id", "r-api-key"]
        .into_iter()
        .zip(shop.headers[1..3].iter().map(|(_, value)| value.as_str()))
        .collect();
    let found = shop.world.raw("GET", "/v2/merchant/payment-request/resolve-paytag?tag=bob", "", &older, "").await;
    assert_eq!(found.status, 200);
}

#[tokio::test]
async fn registering_under_a_key_again_is_answered_as_before() {
    let shop = shop().await;
    let world = &shop.world;
    let headers = [("content-type", "application/json"), ("idempotency-key", "m-1")];
    let body = r#"{"name":"Second","tag":"bob@shopapp"}"#;
    let first = world.raw("POST", "/operator/v1/idaas/merchants", OPERATOR, &headers, body).await;
    let again = world.raw("POST", "/operator/v1/idaas/merchants", OPERATOR, &headers, body).await;
    assert_eq!((first.status, again.status, &first.text), (201, 201, &again.text));
    let unknown = world.post("/operator/v1/idaas/merchants", OPERATOR, &json!({"name": "X", "tag": "nobody"})).await;
    assert_eq!((unknown.status, unknown.json["status"].as_u64()), (404, Some(404)));
    assert_eq!(world.post("/operator/v1/idaas/merchants", "", &json!({})).await.status, 401);
    assert_eq!(world.post("/operator/v1/idaas/merchants", OPERATOR, &json!({"tag": "bob"})).await.status, 400);
}
