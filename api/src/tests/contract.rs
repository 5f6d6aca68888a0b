//! The tables of the contract, as data in `fixtures/api/contract.json`.

use std::collections::BTreeMap;

use axum::http::Method;
use flexledger_domain::Instant;
use flexledger_domain::ids::ApplicationId;
use serde_json::Value;
use uuid::Uuid;

use super::world::{NOON, World};
use crate::http::error::{ApiError, Code};

fn contract() -> Value {
    serde_json::from_str(include_str!("../../../fixtures/api/contract.json")).unwrap()
}

fn rows(contract: &Value, name: &str) -> Vec<Value> {
    contract[name].as_array().unwrap().clone()
}

#[test]
fn the_table_of_errors_is_that_of_the_contract() {
    let ours: BTreeMap<_, _> = Code::ALL.iter().map(|code| (format!("IDAAS-{}", code.suffix()), *code)).collect();
    let contract = contract();
    for row in rows(&contract, "error_catalog") {
        let code = ours[row["error_code"].as_str().unwrap()];
        assert_eq!(u64::from(code.status().as_u16()), row["status"], "{row}");
        let error = if code == Code::Throttled { ApiError::throttled(5) } else { code.into() };
        assert_eq!(error.message(), row["message"].as_str().unwrap().replace("[N]", "5"), "{row}");
    }
    for row in rows(&contract, "extension_error_codes") {
        let code = ours[row["error_code"].as_str().unwrap()];
        assert_eq!(u64::from(code.status().as_u16()), row["status"], "{row}");
    }
}

fn concrete(path: &str) -> String {
    path.replace("{id}", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
        .replace("{reference}", "TXN-00000001-AAAAAAAA")
        .replace("{tag}", "alice@walletapp")
        .replace("{date}", "2026-03-27")
        .replace("{externalId}", "user-1")
        .replace("{claimId}", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
        .replace("{linkId}", "3fa85f64-5717-4562-b3fc-2c963f66afa6")
        .replace("{consentToken}", "unknown")
        .replace("{challengeToken}", "unknown")
        .replace("{entity}", "applications")
}

#[tokio::test]
async fn every_endpoint_is_there_and_guarded() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let off = format!("/api/v1/applications/{}/deactivate", shop.id);
    world.raw("PATCH", &off, &shop.token, &[], "").await.fine();
    let now = Instant::from_micros(NOON);
    let stranger = world.app.tokens().issue(ApplicationId::from_uuid(Uuid::from_u128(9)), false, now).unwrap().token;
    let mut seen = 0;
    for row in rows(&contract(), "endpoints") {
        seen += 1;
        let (method, path) = (row["method"].as_str().unwrap(), concrete(row["path"].as_str().unwrap()));
        let with = |token: String| {
            let (world, path) = (&world, path.clone());
            async move {
                let answer = world.json(method, &path, &token, "").await;
                (answer.status, answer.code().to_owned())
            }
        };
        if row["auth"] != "public" {
            for (token, code) in [
                ("", "IDAAS-AUTH-1001"),
                ("nonsense", "IDAAS-AUTH-1002"),
                (&shop.token, "IDAAS-AUTH-1003"),
                (&stranger, "IDAAS-AUTH-1005"),
            ] {
                assert_eq!(with(token.to_owned()).await, (401, code.to_owned()), "{row}");
            }
        }
        let (status, code) = with(wallet.token.clone()).await;
        let known: Vec<u64> = row["statuses"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        assert!(known.contains(&u64::from(status)), "{status} {code} for {row}");
        let documented = row["errors"].to_string().contains("IDAAS-RES-3012");
        assert!(documented || code != "IDAAS-RES-3012", "{row}");
    }
    assert_eq!(seen, 56);
}

#[tokio::test]
async fn unknown_paths_and_wrong_methods() {
    let world = World::new().await;
    for path in [
        "/",
        "/api",
        "/api/v1",
        "/api/v1/nothing",
        "/api/v1/identities/federate",
        "/v1/tags",
        "/api/v1/tags/a/b/c",
        "/%ff",
    ] {
        assert_eq!(world.get(path, "").await.outcome(), (404, "IDAAS-RES-3012"), "{path}");
    }
    let contract = contract();
    for row in rows(&contract, "endpoints") {
        let path = concrete(row["path"].as_str().unwrap());
        let answer = world.raw(Method::TRACE.as_str(), &path, "", &[], "").await;
        assert_eq!(answer.outcome(), (405, "IDAAS-VALID-2006"), "{path}");
        assert!(answer.headers.contains_key("allow"), "{path}");
        assert_eq!(answer.headers.get("x-request-id").map(|id| id.len()), Some(32));
    }
}

#[tokio::test]
async fn fields_that_are_always_there() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let reference = world.pay(&wallet, "12.5").await;
    let accept = format!("/api/v1/transactions/{reference}/accept");
    world.raw("POST", &accept, &shop.token, &[], "").await.fine();
    let run = world.raw("POST", "/api/v1/settlement/run?date=2026-03-27", &shop.token, &[], "").await.fine();
    let mut checked = 0;
    for row in rows(&contract(), "endpoints") {
        let path = match row["id"].as_str().unwrap() {
            "app_get" => format!("/api/v1/applications/{}", wallet.id),
            "subject_get" => format!("/api/v1/subjects/{}", wallet.subject),
            "subject_by_external" => "/api/v1/subjects/external/user-walletapp".to_owned(),
            "tag_resolve" => "/api/v1/tags/bob".to_owned(),
            "tx_get" => format!("/api/v1/transactions/{reference}"),
            "tx_sent" => "/api/v1/transactions/sent".to_owned(),
            "wallet_get" => "/api/v1/wallet".to_owned(),
            "wallet_statement" => "/api/v1/wallet/statement".to_owned(),
            "settlement_list" => "/api/v1/settlement".to_owned(),
            "settlement_get" => format!("/api/v1/settlement/{}", run.text_of("/data/id")),
            _ => continue,
        };
        checked += 1;
        let answer = world.get(&path, &wallet.token).await.fine();
        for field in row["always"].as_array().unwrap() {
            let pointer = format!("/{}", field.as_str().unwrap().replace('.', "/"));
            assert!(answer.json.pointer(&pointer).is_some(), "{field} in {}", answer.text);
        }
    }
    assert_eq!(checked, 10);
}
