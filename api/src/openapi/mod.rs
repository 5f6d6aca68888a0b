//! The OpenAPI 3.1 document. Tests hold it against the routes that are served, against the published contract, and
//! against real answers.

mod audit;
mod deliveries;
mod idaas;
pub(crate) mod operation;
mod service;
pub(crate) mod shape;
pub(crate) mod shapes;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value, json};

use operation::Operation;
use shape::Shape;

use crate::http::names::Names;

/// What the API is, for people.
pub const ABOUT: &str = "Payments from tag to tag on an event-sourced double-entry ledger. An application initiates, \
    the receiving application accepts, and only then both wallets are booked. Every answer carries `X-Request-Id`.";

/// All calls, by subject.
pub fn groups() -> Vec<(&'static str, Vec<Operation>)> {
    let mut groups = idaas::groups();
    groups.extend(service::groups());
    groups
}

/// All shapes.
pub fn all_shapes() -> impl Iterator<Item = &'static Shape> {
    shapes::REQUESTS.iter().chain(shapes::ANSWERS).chain(deliveries::SHAPES).chain(service::SHAPES).chain(audit::SHAPES)
}

/// The document, for the names that this server uses.
pub fn document(names: &Names, public_url: &str) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut tags = Vec::new();
    for (tag, operations) in groups() {
        tags.push(json!({"name": tag}));
        for operation in operations {
            let path = path_of(operation.path, names);
            let item = paths.entry(path).or_insert_with(|| json!({}));
            if let Some(item) = item.as_object_mut() {
                item.insert(operation.method.to_lowercase(), operation.document(tag));
            }
        }
    }
    let schemas: Map<_, _> = all_shapes().map(|shape| (shape.name.to_owned(), shape.schema())).collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Flexledger", "version": env!("CARGO_PKG_VERSION"), "description": ABOUT},
        "servers": [{"url": public_url}],
        "tags": tags,
        "paths": paths,
        "webhooks": deliveries::webhooks(names),
        "components": {"schemas": schemas, "securitySchemes": schemes()},
    })
}

/// A path with the names that this server uses.
pub fn path_of(path: &str, names: &Names) -> String {
    match path.strip_suffix("/keys/idaas") {
        Some(front) => format!("{front}/keys/{}", names.key_path),
        None => path.to_owned(),
    }
}

fn schemes() -> Value {
    let bearer = |about: &str| json!({"type": "http", "scheme": "bearer", "description": about});
    let header = |name: &str| json!({"type": "apiKey", "in": "header", "name": name});
    json!({
        "application": bearer("The token of an application, from `POST /api/v1/auth/token`."),
        "operator": bearer("The content of `operator.token` in the data directory."),
        "auditor": bearer("A token that the operator issued for reading the audit surface."),
        "merchant": header("x-client-id"),
        "merchantKey": header("x-api-key"),
    })
}
