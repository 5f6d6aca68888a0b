//! Wrong input of every kind: the contract's error, and nothing changes.

use serde_json::{Value, json};

use super::world::World;

const PAY: &str = "/api/v1/transactions";

#[tokio::test]
async fn bodies_that_cannot_be_taken() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let token = wallet.token.as_str();
    let before = world.app.engine().tail().head();
    let json = ("content-type", "application/json");
    let invalid = (400, "IDAAS-VALID-2001");
    let unsupported = (415, "IDAAS-VALID-2004");
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(64), "]".repeat(64));
    let big = format!("{{\"x\":\"{}\"}}", "a".repeat(1 << 20));
    for (headers, body, expected) in [
        (vec![json], "", invalid),
        (vec![json], "{", invalid),
        (vec![json], "[]", invalid),
        (vec![json], "null", invalid),
        (vec![json], r#"{"amount":1,"amount":2}"#, invalid),
        (vec![json], r#"{"narration":"\ud800"}"#, invalid),
        (vec![json], r#"{"unknown":{"x":["\udc00"]}}"#, invalid),
        (vec![json], deep.as_str(), invalid),
        (vec![json], big.as_str(), (413, "IDAAS-VALID-2007")),
        (vec![], "{}", unsupported),
        (vec![("content-type", "text/plain")], "{}", unsupported),
        (vec![("content-type", "application/x-www-form-urlencoded")], "a=b", unsupported),
        (vec![json, ("content-encoding", "gzip")], "{}", unsupported),
        (vec![json, ("content-encryption", "PGP")], "{}", unsupported),
        (vec![json, ("content-encryption", "JWE")], "{}", (400, "IDAAS-SYS-9002")),
        (vec![json, ("content-encryption", "jwe")], "a.b.c.d", (400, "IDAAS-SYS-9002")),
        (vec![("content-type", "application/json; charset=utf-8")], "{", invalid),
    ] {
        let answer = world.raw("POST", PAY, token, &headers, body).await;
        assert_eq!(answer.outcome(), expected, "{headers:?} {:.80}", body);
        assert_eq!(answer.json["success"], false);
        assert!(answer.json["errors"].is_array() && answer.json["timestamp"].is_string());
    }
    assert_eq!(world.app.engine().tail().head(), before);
}

#[tokio::test]
async fn bodies_without_a_length_are_measured_too() {
    use axum::body::Body;
    use axum::http::Request;
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let chunks = (0..300).map(|_| Ok::<_, std::io::Error>(bytes::Bytes::from(vec![b' '; 4096])));
    let request = Request::post(PAY)
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {}", wallet.token))
        .body(Body::from_stream(futures::stream::iter(chunks)))
        .unwrap();
    assert_eq!(world.send(request).await.outcome(), (413, "IDAAS-VALID-2007"));
}

fn payment(changes: &Value) -> Value {
    let mut body = json!({"senderTag": "alice@walletapp", "receiverTag": "bob@shopapp", "amount": 1});
    for (name, value) in changes.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

#[tokio::test]
async fn fields_out_of_range() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let before = world.app.engine().tail().head();
    for (changes, line) in [
        (json!({"senderTag": null}), "senderTag is required"),
        (json!({"receiverTag": 5}), "receiverTag must be a string"),
        (json!({"receiverTag": "a b"}), "receiverTag must be 3 to 64 characters of a-z, 0-9 and inner hyphens"),
        (json!({"receiverTag": "alice"}), "senderTag and receiverTag must differ"),
        (json!({"amount": null}), "amount is required"),
        (json!({"amount": "1"}), "amount must be a number"),
        (json!({"amount": 0}), "amount must be greater than 0"),
        (json!({"amount": -1}), "amount must be greater than 0"),
        (json!({"amount": 0.00001}), "amount must have at most 4 decimals"),
        (json!({"amount": 1_000_000_000_000_000_u64}), "amount must have at most 15 integer digits"),
        (json!({"currency": "ngn"}), "currency must be three capital letters"),
        (json!({"currency": "NAIRA"}), "currency must be three capital letters"),
        (json!({"currency": ""}), "currency must be three capital letters"),
        (json!({"narration": "é".repeat(501)}), "narration must be at most 500 characters"),
        (json!({"callbackUrl": "ftp://x.example.com"}), "callbackUrl must be an absolute URL"),
        (json!({"idempotencyKey": "k".repeat(65)}), "idempotencyKey must be at most 64 characters"),
        (json!({"idempotencyKey": " "}), "idempotencyKey must not be blank"),
    ] {
        let answer = world.post(PAY, &wallet.token, &payment(&changes)).await;
        assert_eq!(answer.outcome(), (400, "IDAAS-VALID-2001"), "{changes}");
        assert_eq!(answer.json["errors"], json!([line]), "{changes}");
    }
    let long = "k".repeat(129);
    for key in [long.as_str(), " "] {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        let answer = world.raw("POST", PAY, &wallet.token, &headers, &payment(&json!({})).to_string()).await;
        assert_eq!(answer.outcome(), (400, "IDAAS-VALID-2001"));
    }
    for tag in ["nobody", "nobody@shopapp", "bob@nowhere"] {
        let answer = world.post(PAY, &wallet.token, &payment(&json!({"receiverTag": tag}))).await;
        assert_eq!(answer.outcome(), (404, "IDAAS-RES-3004"), "{tag}");
    }
    assert_eq!(world.app.engine().tail().head(), before);
    let fits = payment(&json!({"narration": "é".repeat(500), "currency": "USD", "unknown": {"a": [1]}}));
    world.post(PAY, &wallet.token, &fits).await.fine();
}

#[tokio::test]
async fn all_problems_of_a_body_at_once() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let answer = world.json("POST", PAY, &wallet.token, r#"{"amount":0,"currency":"x"}"#).await;
    let lines = ["senderTag is required", "receiverTag is required", "amount must be greater than 0"];
    assert_eq!(answer.json["errors"], json!([lines[0], lines[1], lines[2], "currency must be three capital letters"]));
}

#[tokio::test]
async fn exact_decimals() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    for (written, printed) in [
        ("0.0001", "0.0001"),
        ("1e-4", "0.0001"),
        ("999999999999999.9999", "999999999999999.9999"),
        ("1.50000", "1.5000"),
        ("12345678.9012E1", "123456789.0120"),
        ("0.1", "0.1000"),
    ] {
        let reference = world.pay(&wallet, written).await;
        let accept = format!("{PAY}/{reference}/accept");
        let answer = world.raw("POST", &accept, &shop.token, &[], "").await.fine();
        assert!(answer.text.contains(&format!("\"amount\":{printed},")), "{}", answer.text);
    }
    let balance = world.get("/api/v1/wallet", &shop.token).await.fine();
    assert!(balance.text.contains("\"balance\":1000000123456790.6121,"), "{}", balance.text);
}

#[tokio::test]
async fn other_fields() {
    let world = World::new().await;
    let (wallet, _) = world.pair().await;
    let token = wallet.token.as_str();
    let subject = wallet.subject.as_str();
    for (path, body) in [
        ("/api/v1/applications", json!({"name": "x", "appHandle": "fine"})),
        ("/api/v1/applications", json!({"name": "n".repeat(151), "appHandle": "fine"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "-no"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "No"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "h".repeat(31)})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "fine", "transactionWebhookUrl": "hook"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "fine", "redirectUris": "https://a.example x"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "fine", "metadata": "[1]"})),
        ("/api/v1/applications", json!({"name": "Fine", "appHandle": "fine", "metadata": "{\"a\":1,\"a\":2}"})),
        ("/api/v1/subjects", json!({})),
        ("/api/v1/subjects", json!({"externalId": "  "})),
        ("/api/v1/subjects", json!({"externalId": "e".repeat(256)})),
        ("/api/v1/subjects", json!({"externalId": "a\u{0}b"})),
        ("/api/v1/subjects", json!({"externalId": "x", "displayName": "d".repeat(151)})),
        ("/api/v1/subjects", json!({"externalId": "x", "email": "d".repeat(201)})),
        ("/api/v1/subjects", json!({"externalId": "x", "imageUrl": "d".repeat(1001)})),
        ("/api/v1/subjects", json!({"externalId": "x", "metadata": 1})),
        ("/api/v1/tags", json!({"subjectId": subject})),
        ("/api/v1/tags", json!({"tag": "search", "subjectId": subject})),
        ("/api/v1/tags", json!({"tag": "ab", "subjectId": subject})),
        ("/api/v1/tags", json!({"tag": "Carol", "subjectId": subject})),
        ("/api/v1/tags", json!({"tag": "carol", "tagString": "carola", "subjectId": subject})),
        ("/api/v1/tags", json!({"tag": "carol", "subjectId": "1"})),
        ("/api/v1/tags", json!({"tag": "carol"})),
    ] {
        let answer = world.post(path, token, &body).await;
        assert_eq!(answer.outcome(), (400, "IDAAS-VALID-2001"), "{path} {body}");
        assert_eq!(answer.json["errors"].as_array().map(Vec::len), Some(1), "{body} {}", answer.text);
    }
    for (path, code) in [
        ("/api/v1/subjects/1", "IDAAS-VALID-2001"),
        ("/api/v1/subjects/3fa85f6457174562b3fc2c963f66afa6", "IDAAS-VALID-2001"),
        ("/api/v1/applications/x", "IDAAS-VALID-2001"),
        ("/api/v1/settlement/x", "IDAAS-VALID-2001"),
        ("/api/v1/settlement/date/2026-02-30", "IDAAS-VALID-2001"),
        ("/api/v1/transactions/sent?page=-1", "IDAAS-VALID-2001"),
        ("/api/v1/transactions/sent?size=0", "IDAAS-VALID-2001"),
        ("/api/v1/transactions/sent?sort=narration", "IDAAS-VALID-2001"),
        ("/api/v1/wallet/statement?sort=x", "IDAAS-RES-3011"),
        ("/api/v1/settlement?sort=x,desc", "IDAAS-VALID-2001"),
        ("/api/v1/tags/search", "IDAAS-VALID-2002"),
        ("/api/v1/tags/search?keyword=%20", "IDAAS-VALID-2002"),
        ("/api/v1/tags/search?keyword=a", "IDAAS-VALID-2003"),
        ("/api/v1/tags/search?keyword=%ff", "IDAAS-VALID-2001"),
        ("/api/v1/settlement/3fa85f64-5717-4562-b3fc-2c963f66afa6", "IDAAS-RES-3012"),
        ("/api/v1/settlement/date/2020-01-01", "IDAAS-RES-3012"),
        ("/api/v1/transactions/nonsense", "IDAAS-RES-3010"),
        ("/api/v1/transactions/TXN-00000001-AAAAAAAA", "IDAAS-RES-3010"),
        ("/api/v1/tags/%ff", "IDAAS-VALID-2001"),
    ] {
        assert_eq!(world.get(path, token).await.code(), code, "{path}");
    }
    for date in ["x", "2026-03-28", "2026-13-01"] {
        let answer = world.raw("POST", &format!("/api/v1/settlement/run?date={date}"), token, &[], "").await;
        assert_eq!(answer.outcome(), (400, "IDAAS-VALID-2001"), "{date}");
    }
}

#[tokio::test]
async fn targets_must_be_safe_unless_allowed() {
    let world = World::with(crate::Settings::default()).await;
    let (wallet, _) = world.pair().await;
    for url in ["http://shop.example.com/", "https://127.0.0.1/", "https://0x7f.1/", "https://[::ffff:10.0.0.1]/"] {
        let answer = world.post(PAY, &wallet.token, &payment(&json!({"callbackUrl": url}))).await;
        assert_eq!(answer.outcome(), (400, "IDAAS-VALID-2001"), "{url}");
        let body = json!({"name": "Fine", "appHandle": "fine", "transactionWebhookUrl": url});
        assert_eq!(world.post("/api/v1/applications", "", &body).await.status, 400, "{url}");
    }
    let fine = payment(&json!({"callbackUrl": "https://hooks.example.com/x"}));
    world.post(PAY, &wallet.token, &fine).await.fine();
}

#[tokio::test]
async fn encrypted_bodies() {
    let settings = crate::Settings { require_encrypted_requests: true, ..crate::Settings::default() };
    let open = World::new().await;
    let (wallet, _) = open.pair().await;
    let app = crate::App::new(open.app.engine().clone(), open.app.views().clone(), open.app.vault().clone(), settings);
    app.warm_up().await.unwrap();
    let world = World { router: crate::router(app.clone()), app, ..open };
    let plain = payment(&json!({})).to_string();
    let refused = world.json("POST", PAY, &wallet.token, &plain).await;
    assert_eq!(refused.outcome(), (415, "IDAAS-VALID-2004"));
    let key = world.app.vault().platform().encryption_key().public_key();
    let headers = [("content-type", "application/json"), ("content-encryption", "Jwe")];
    let seal = |text: &str| crate::jose::encrypt(&key, "application/json", text.as_bytes()).unwrap();
    world.raw("POST", PAY, &wallet.token, &headers, &seal(&plain)).await.fine();
    let not_json = world.raw("POST", PAY, &wallet.token, &headers, &seal("x")).await;
    assert_eq!(not_json.outcome(), (400, "IDAAS-VALID-2005"));
    let stranger = crate::jose::public_key(&crate::jose::generate().unwrap().public).unwrap();
    let foreign = crate::jose::encrypt(&stranger, "application/json", plain.as_bytes()).unwrap();
    assert_eq!(world.raw("POST", PAY, &wallet.token, &headers, &foreign).await.outcome(), (400, "IDAAS-VALID-2005"));
}
