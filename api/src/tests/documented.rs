//! Answers of the audit surface hold what the OpenAPI document says of them, and nothing else.

use flexledger_domain::Position;
use flexledger_domain::webhooks::{Outcome, Owed, RecordAttempt};
use serde_json::{Value, json};

use super::world::{OPERATOR, World};
use crate::http::names::Names;
use crate::openapi;

/// What keeps a value from being what a schema says: a member that is missing or not described, or a wrong type.
fn fault(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        return fault(document, document.pointer(reference.trim_start_matches('#')).unwrap(), value, at);
    }
    if let Some(choices) = schema["anyOf"].as_array() {
        let faults: Vec<_> = choices.iter().map(|choice| fault(document, choice, value, at)).collect();
        return if faults.iter().any(Option::is_none) { None } else { Some(format!("{faults:?}")) };
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let fits = schema["type"] == kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(&json!(kind)));
    if !fits || schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return Some(format!("{at}: {value} is not {schema}"));
    }
    let items = value.as_array().into_iter().flatten();
    if let Some(found) = items.into_iter().find_map(|one| fault(document, &schema["items"], one, &format!("{at}[]"))) {
        return Some(found);
    }
    let (Some(members), Some(described)) = (value.as_object(), schema["properties"].as_object()) else { return None };
    let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
    if let Some(missing) = required.into_iter().find(|name| !members.contains_key(*name)) {
        return Some(format!("{at}.{missing} is missing"));
    }
    members.iter().find_map(|(name, member)| match described.get(name) {
        Some(schema) => fault(document, schema, member, &format!("{at}.{name}")),
        None => Some(format!("{at}.{name} is not described")),
    })
}

#[tokio::test]
async fn what_auditors_read_is_described() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let paid = world.pay(&wallet, "12.5").await;
    world.post(&format!("/api/v1/transactions/{paid}/accept"), &shop.token, &json!({})).await.fine();
    let open = world.pay(&wallet, "1").await;
    world.post("/api/v1/settlement/run?date=2026-03-27", &wallet.token, &json!({})).await.fine();
    // After its day was closed.
    let late = world.pay(&wallet, "2").await;
    world.post(&format!("/api/v1/transactions/{late}/accept"), &shop.token, &json!({})).await.fine();
    world.raw("PATCH", "/api/v1/tags/bob/disable", &shop.token, &[], "").await.fine();
    // Of each report of an attempt something is told as well.
    let engine = world.app.engine();
    let owed = engine.inspect(|ledger| ledger.webhooks.owed_after(Position::START).cloned().collect::<Vec<_>>());
    for Owed { id: webhook, transaction, direction, .. } in owed.await.unwrap() {
        for (attempt, outcome) in [(1, Outcome::Failed("HTTP 503".into())), (2, Outcome::Delivered)] {
            let at = world.app.now();
            engine.submit(RecordAttempt { webhook, transaction, direction, attempt, at, outcome }).await.unwrap();
        }
    }
    let explained = world.get(&format!("/audit/v1/explain/{paid}"), OPERATOR).await.fine();
    assert_eq!(explained.json["webhooks"][0]["attempts"].as_array().map(Vec::len), Some(2), "{}", explained.text);
    let head = world.get("/audit/v1/head", OPERATOR).await.fine().json["position"].as_u64().unwrap();
    let document = openapi::document(&Names::default(), "http://127.0.0.1:8080");
    let (view, key) = ("/as-of/{moment}/{view}", "/as-of/{moment}/{view}/{key}");
    for (route, path) in [
        ("/head", "/head".to_owned()),
        ("/events", "/events?limit=1000".to_owned()),
        ("/proofs/events/{position}", "/proofs/events/2?at=5".to_owned()),
        ("/proofs/consistency", "/proofs/consistency?from=2&to=5".to_owned()),
        (view, format!("/as-of/{head}/wallets")),
        (view, format!("/as-of/{head}/tags?limit=1")),
        (view, format!("/as-of/{head}/settlement")),
        (view, format!("/as-of/{head}/balances")),
        (view, format!("/as-of/{head}/trial-balance")),
        (view, "/as-of/0/settlement".to_owned()),
        (key, format!("/as-of/{head}/wallets/{}", wallet.id)),
        (key, format!("/as-of/{head}/statement/{}", wallet.id)),
        (key, format!("/as-of/{head}/tags/bob@shopapp")),
        (key, format!("/as-of/{head}/settlement/2026-03-27")),
        (key, format!("/as-of/{head}/transactions/{open}")),
        (key, format!("/as-of/{head}/transactions/{paid}")),
        ("/explain/{reference}", format!("/explain/{paid}")),
        ("/explain/{reference}", format!("/explain/{open}")),
        ("/diff", format!("/diff?from=0&to={head}")),
        ("/diff", format!("/diff?from={}&to={head}", head - 4)),
    ] {
        let answer = world.get(&format!("/audit/v1{path}"), OPERATOR).await.fine();
        let operation = &document["paths"][format!("/audit/v1{route}")]["get"];
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        assert_eq!(fault(&document, schema, &answer.json, &path), None, "{}", answer.text);
    }
}
