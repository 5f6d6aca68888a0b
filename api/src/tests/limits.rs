//! How often one may call (`idaas.md` 14).

use axum::http::HeaderValue;
use serde_json::json;

use super::world::{Answer, OPERATOR, World};
use crate::Settings;
use crate::http::client::Network;

async fn limited(trusted_proxies: Vec<Network>) -> World {
    World::with(Settings { rate_limits: true, allow_insecure: true, trusted_proxies, ..Settings::default() }).await
}

fn left(answer: &Answer) -> Option<&str> {
    answer.headers.get("x-ratelimit-remaining").map(|value| value.to_str().unwrap())
}

#[tokio::test]
async fn tokens_are_limited_by_address_and_the_bucket_refills() {
    let world = limited(Vec::new()).await;
    let body = json!({"client_id": "x", "client_secret": "y"});
    for expected in (0..10).rev() {
        let answer = world.post("/api/v1/auth/token", "", &body).await;
        assert_eq!((answer.outcome(), left(&answer)), ((401, "IDAAS-AUTH-1004"), Some(expected.to_string().as_str())));
    }
    let refused = world.post("/api/v1/auth/token", "", &body).await;
    assert_eq!((refused.outcome(), left(&refused)), ((429, "IDAAS-RATE-6001"), Some("0")));
    assert_eq!(refused.headers.get("retry-after").unwrap(), "6");
    assert_eq!(refused.text_of("/message"), "Rate limit exceeded. Retry after 6 seconds.");
    assert!(refused.json["data"].is_null() && refused.json.get("data").is_some());
    // Other calls have a bucket of their own; a throttled one needs no token.
    assert_eq!(left(&world.get("/api/v1/tags/nobody", "").await), Some("299"));
    world.later(6);
    assert_eq!(world.post("/api/v1/auth/token", "", &body).await.status, 401);
    assert_eq!(world.post("/api/v1/auth/token", "", &body).await.status, 429);
}

#[tokio::test]
async fn payments_are_limited_by_application_wherever_they_come_from() {
    let world = limited(vec![Network { address: "0.0.0.0".parse().unwrap(), bits: 0 }]).await;
    let (wallet, shop) = world.pair().await;
    let pay = |token: String, from: u8| {
        let world = &world;
        async move {
            let from = format!("198.51.100.{from}");
            let headers = [("content-type", "application/json"), ("x-forwarded-for", from.as_str())];
            world.raw("POST", "/api/v1/transactions", &token, &headers, "{}").await
        }
    };
    for n in 0..60 {
        assert_eq!(pay(wallet.token.clone(), n).await.outcome(), (400, "IDAAS-VALID-2001"));
    }
    assert_eq!(pay(wallet.token.clone(), 200).await.outcome(), (429, "IDAAS-RATE-6001"));
    assert_eq!(pay(shop.token.clone(), 200).await.status, 400);
    // Without a token that verifies, the address counts.
    assert_eq!(left(&pay("forged".to_owned(), 7).await), Some("59"));
    assert_eq!(left(&pay("forged".to_owned(), 8).await), Some("59"));
}

#[tokio::test]
async fn everything_else_shares_one_bucket_but_health_and_the_operator() {
    let world = limited(Vec::new()).await;
    for _ in 0..300 {
        world.get("/api/v1/nothing", "").await;
    }
    assert_eq!(world.get("/api/v1/nothing", "").await.outcome(), (429, "IDAAS-RATE-6001"));
    assert_eq!(world.get("/v2/merchant/payment-request", "").await.status, 400);
    assert_eq!(world.get("/api/actuator/health", "").await.status, 200);
    assert_eq!(world.get("/health", "").await.status, 200);
    assert_eq!(world.get("/operator/v1/status", OPERATOR).await.status, 200);
}

#[tokio::test]
async fn merchants_have_three_windows_and_are_told_of_each() {
    let world = limited(Vec::new()).await;
    let call = async || world.get("/v2/merchant/payment-request", "").await;
    let told = |answer: &Answer, what: &str| {
        ["short", "medium", "long"].map(|window| {
            let name = format!("x-ratelimit-{what}-{window}");
            answer.headers[name.as_str()].to_str().unwrap().parse::<u32>().unwrap()
        })
    };
    let first = call().await;
    assert_eq!((first.status, told(&first, "limit")), (400, [50, 300, 1000]));
    assert_eq!((told(&first, "remaining"), told(&first, "reset")), ([49, 299, 999], [1, 1, 1]));
    for _ in 1..50 {
        assert_eq!(call().await.status, 400);
    }
    let refused = call().await;
    assert_eq!((refused.status, refused.json["statusCode"].as_u64()), (429, Some(429)));
    assert_eq!((&refused.headers["retry-after"], left(&refused)), (&HeaderValue::from(1), Some("0")));
    assert_eq!((told(&refused, "remaining"), told(&refused, "reset")), ([0, 249, 949], [1, 2, 4]));
    // The payment API has its own.
    assert_eq!(left(&world.get("/api/v1/nothing", "").await), Some("299"));
    world.later(1);
    assert_eq!(told(&call().await, "remaining"), [49, 278, 964]);
}

#[tokio::test]
async fn limits_can_be_off() {
    let world = World::new().await;
    for _ in 0..350 {
        let answer = world.get("/api/v1/tags/nobody", "").await;
        assert_eq!((answer.status, left(&answer)), (404, None));
    }
}
