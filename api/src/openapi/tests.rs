//! The document against the published contract, against the routes, and against itself.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use super::document;
use crate::http::names::Names;
use crate::tests::world::World;

/// Documented statuses beyond the contract: those of bounds and of a server that is not ready.
const BEYOND: [u64; 10] = [400, 403, 404, 405, 408, 409, 413, 415, 422, 503];

fn ours() -> Value {
    document(&Names::default(), "http://127.0.0.1:8080")
}

fn endpoints() -> Vec<Value> {
    let contract: Value = serde_json::from_str(include_str!("../../../fixtures/contracts/idaas.json")).unwrap();
    contract["endpoints"].as_array().unwrap().clone()
}

fn operation<'a>(document: &'a Value, row: &Value) -> &'a Value {
    let method = row["method"].as_str().unwrap().to_lowercase();
    let found = &document["paths"][row["path"].as_str().unwrap()][&method];
    assert!(found.is_object(), "{} {}", row["method"], row["path"]);
    found
}

/// The schema itself, or the one that it refers to.
fn resolve<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => {
            let found = document.pointer(reference.trim_start_matches('#'));
            resolve(document, found.unwrap_or_else(|| panic!("{reference}")))
        }
        None => schema,
    }
}

/// Follows `data.links[].id`.
fn member<'a>(document: &'a Value, schema: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(resolve(document, schema), |schema, step| {
        let name = step.trim_end_matches("[]");
        let schema = resolve(document, schema["properties"].get(name)?);
        Some(if step.ends_with("[]") { resolve(document, &schema["items"]) } else { schema })
    })
}

fn is_of_type(schema: &Value, kind: &Value) -> bool {
    schema["type"] == *kind || schema["type"].as_array().is_some_and(|kinds| kinds.contains(kind))
}

#[test]
fn every_endpoint_of_the_contract_is_there() {
    let document = ours();
    let endpoints = endpoints();
    assert_eq!(endpoints.len(), 56);
    for row in &endpoints {
        let operation = operation(&document, row);
        assert_eq!(row["auth"] == "public", operation["security"].as_array().unwrap().is_empty(), "{}", row["id"]);
    }
}

#[test]
fn with_every_field_that_is_taken() {
    let document = ours();
    for row in endpoints() {
        let operation = operation(&document, &row);
        let body = resolve(&document, &operation["requestBody"]["content"]["application/json"]["schema"]);
        for field in row["request_fields"].as_array().unwrap() {
            let (name, place) = (field["name"].as_str().unwrap(), field["in"].as_str().unwrap());
            if name == "*" {
                assert!(body["type"] == "object");
                continue;
            }
            let parameters = operation["parameters"].as_array().unwrap();
            let parameter = parameters.iter().find(|p| p["name"] == name && p["in"] == place);
            let (schema, required) = match parameter {
                Some(parameter) => (&parameter["schema"], parameter["required"] == true),
                None => {
                    let required = body["required"].as_array().is_some_and(|names| names.contains(&field["name"]));
                    (&body["properties"][name], required)
                }
            };
            let at = format!("{name} of {}", row["id"]);
            assert!(is_of_type(schema, &field["type"]), "{at}: {schema}");
            assert_eq!(field["required"] == true, required, "{at}");
            for (theirs, ours) in [("max_length", "maxLength"), ("min_length", "minLength"), ("pattern", "pattern")] {
                assert!(field[theirs].is_null() || field[theirs] == schema[ours], "{at}: {theirs} {schema}");
            }
        }
    }
}

#[test]
fn with_every_field_that_is_answered() {
    let document = ours();
    for row in endpoints() {
        let operation = operation(&document, &row);
        let success = row["statuses"].as_array().unwrap().iter().find(|s| s.as_u64() < Some(300)).unwrap();
        let schema = &operation["responses"][success.to_string()]["content"]["application/json"]["schema"];
        let failure = &document["components"]["schemas"]["Failure"];
        for field in row["response_fields"].as_array().unwrap() {
            let path = field["path"].as_str().unwrap();
            let found = member(&document, schema, path).or_else(|| member(&document, failure, path));
            let found = found.unwrap_or_else(|| panic!("{path} of {}", row["id"]));
            assert!(is_of_type(found, &field["type"]), "{path} of {}: {found}", row["id"]);
            assert!(
                field["format"].is_null() || field["format"] == found["format"],
                "{path} of {}: {found}",
                row["id"]
            );
        }
    }
}

#[test]
fn with_every_status() {
    let document = ours();
    for row in endpoints() {
        let operation = operation(&document, &row);
        let ours: BTreeSet<u64> =
            operation["responses"].as_object().unwrap().keys().map(|status| status.parse().unwrap()).collect();
        let theirs: BTreeSet<u64> = row["statuses"].as_array().unwrap().iter().filter_map(Value::as_u64).collect();
        assert!(theirs.is_subset(&ours), "{}: {theirs:?} {ours:?}", row["id"]);
        let more: Vec<_> = ours.difference(&theirs).filter(|status| !BEYOND.contains(status)).collect();
        assert!(more.is_empty(), "{}: {more:?}", row["id"]);
    }
}

#[test]
fn the_document_is_whole() {
    let document = ours();
    let mut ids = BTreeSet::new();
    for operation in document["paths"].as_object().unwrap().values().flat_map(|item| item.as_object().unwrap().values())
    {
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{}", operation["operationId"]);
    }
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
    for name in document["components"]["schemas"].as_object().unwrap().keys() {
        assert!(text.contains(&format!("schemas/{name}\"")), "{name} is not used");
    }
}

#[test]
fn names_of_the_later_product_are_those_of_the_document() {
    let names = Names { code_prefix: "SWITCH".into(), header_stem: "Switch".into(), key_path: "switch".into() };
    let document = document(&names, "https://ledger.example");
    assert!(document["paths"]["/api/v1/keys/switch"].is_object() && document["paths"]["/api/v1/keys/idaas"].is_null());
    let headers = document["webhooks"]["transaction"]["post"]["parameters"].as_array().unwrap();
    assert!(headers.iter().any(|header| header["name"] == "X-Switch-Signature"));
}

/// What is documented is served.
#[tokio::test]
async fn every_documented_call_is_routed() {
    let world = World::new().await;
    for (path, item) in ours()["paths"].as_object().unwrap() {
        let concrete: String = path
            .split('{')
            .enumerate()
            .map(|(n, part)| match part.split_once('}') {
                Some((_, rest)) if n > 0 => format!("x{rest}"),
                _ => part.to_owned(),
            })
            .collect();
        for method in item.as_object().unwrap().keys() {
            let answer = world.raw(&method.to_uppercase(), &concrete, "", &[], "").await;
            let absent = answer.outcome() == (404, "IDAAS-RES-3012") && !concrete.contains("/consent/");
            assert!(!absent && answer.status != 405, "{method} {path}: {} {}", answer.status, answer.text);
        }
    }
}

/// Routes as they stand in the sources: method and path, variable parts blanked.
fn routed(folder: &Path, prefix: &str, found: &mut BTreeSet<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        for route in text.split(".route(\"").skip(1) {
            let (path, rest) = route.split_once('"').unwrap();
            let call = rest.split(".route(").next().unwrap().lines().next().unwrap();
            for method in ["get", "post", "patch", "delete", "put"] {
                if call.contains(&format!(" {method}(")) || call.contains(&format!(".{method}(")) {
                    found.insert((method.to_owned(), blank(&format!("{prefix}{path}"))));
                }
            }
        }
    }
}

fn blank(path: &str) -> String {
    let steps = path.split('/').map(|step| if step.starts_with('{') { "{}" } else { step });
    steps.collect::<Vec<_>>().join("/")
}

/// What is served is documented.
#[test]
fn every_routed_call_is_documented() {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut served = BTreeSet::new();
    let rooms = [("idaas", ""), ("operator", "/operator/v1"), ("audit", "/audit/v1"), ("merchant", "/v2")];
    for (folder, prefix) in rooms.iter().filter(|(folder, _)| sources.join(folder).is_dir()) {
        routed(&sources.join(folder), prefix, &mut served);
    }
    assert!(served.len() > 30, "{served:?}");
    let document = ours();
    let documented: BTreeSet<(String, String)> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .keys()
                .map(|method| (method.clone(), blank(&path.replace("keys/idaas", "keys/{name}"))))
        })
        .collect();
    let missing: Vec<_> = served.difference(&documented).collect();
    assert!(missing.is_empty(), "{missing:?}");
}
