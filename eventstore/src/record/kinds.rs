//! Every kind of event that the domain knows is written in canonical form: a field out of order would show here.

use std::collections::BTreeSet;
use std::path::Path;

use flexledger_domain::{Entity, Event};

use super::{decode, encode};
use crate::samples;

const ID: &str = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
const AT: &str = "2026-03-27T11:45:12.772345Z";

/// Kind, entity and payload with every member that it can have, in the reverse of their order. `ID`, `AT`, `HASH` and
/// `TEXT` stand for an id, an instant, a digest and a sealed text.
const KINDS: &[(&str, &str, &str)] = &[
    ("application.key_rotated", "application/ID", r#"{"public_key":{"y":"b","x":"a"},"key_version":2}"#),
    ("application.webhook_secret_rotated", "application/ID", r#"{"webhook_secret":"c2VhbGVk"}"#),
    ("subject.erased", "subject/ID", "{}"),
    ("tag.transferred", "tag/ID", r#"{"owner":"ID","application":"ID"}"#),
    ("auditor.added", "auditor/ID", r#"{"token_hash":"HASH","name":"Zoë"}"#),
    ("auditor.removed", "auditor/ID", "{}"),
    (
        "webhook.attempt_failed",
        "webhook/ID",
        r#"{"transaction":"TXN-00000011-0A1B2C3D","error":"é","direction":"sender","attempt":1,"at":"AT"}"#,
    ),
    (
        "webhook.delivered",
        "webhook/ID",
        r#"{"transaction":"TXN-00000011-0A1B2C3D","direction":"receiver","attempt":1,"at":"AT"}"#,
    ),
    (
        "webhook.failed",
        "webhook/ID",
        r#"{"transaction":"TXN-00000011-0A1B2C3D","error":"é","direction":"sender","attempt":3,"at":"AT","application":"ID"}"#,
    ),
    (
        "claim.requested",
        "claim/ID",
        r#"{"token":"HASH","tag":"ID","subject":"ID","expires_at":"AT","application":"ID"}"#,
    ),
    ("claim.approved", "claim/ID", "{}"),
    ("claim.denied", "claim/ID", "{}"),
    ("claim.revoked", "claim/ID", "{}"),
    (
        "federation.link_initiated",
        "federation/ID",
        r#"{"tag":"ID","method":"m","linked_tag":"ID","linked":"l@x","link":"ID","expires_at":"AT","challenge":"HASH","application":"ID"}"#,
    ),
    ("federation.link_verified", "federation/ID", r#"{"verified_by":"ID","link":"ID"}"#),
    ("federation.link_revoked", "federation/ID", r#"{"link":"ID"}"#),
    ("merchant.registered", "merchant/ID", r#"{"tag":"ID","name":"Zoë","location":"ID","key":"HASH"}"#),
    (
        "payment_request.created",
        "payment_request/7",
        r#"{"reference":"r","payer":"ID","payee":"ID","money":{"currency":"NGN","amount":"1.0000"},"metadata":TEXT,"merchant":"ID","expires_at":"AT","comment":TEXT}"#,
    ),
    ("payment_request.accepted", "payment_request/7", r#"{"transaction":"TXN-00000011-0A1B2C3D"}"#),
    ("payment_request.declined", "payment_request/7", "{}"),
    ("payment_request.cancelled", "payment_request/7", "{}"),
    ("payment_request.expired", "payment_request/7", "{}"),
];

fn fill(text: &str) -> String {
    let personal = r#"{"subject":"ID","sealed":"c2VhbGVk"}"#;
    text.replace("TEXT", personal).replace("HASH", &"5f".repeat(32)).replace("ID", ID).replace("AT", AT)
}

#[test]
fn every_later_kind_is_canonical_and_reads_back() {
    for (kind, entity, payload) in KINDS {
        let entity: Entity = fill(entity).parse().unwrap();
        let event = Event::read(kind, Event::VERSION, entity, &fill(payload), None).unwrap();
        let recorded = samples::recorded(7, event);
        let mut bytes = Vec::new();
        encode(&recorded, &mut bytes).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        let canonical = serde_json_canonicalizer::to_vec(&value).unwrap();
        assert_eq!(String::from_utf8_lossy(&bytes), String::from_utf8_lossy(&canonical), "{kind}");
        assert_eq!(value["payload"], serde_json::from_str::<serde_json::Value>(&fill(payload)).unwrap(), "{kind}");
        assert_eq!(decode(&bytes).unwrap(), recorded, "{kind}");
    }
}

#[test]
fn every_kind_of_the_domain_is_tested() {
    let mut known: BTreeSet<String> = samples::world().iter().map(|event| event.event.kind().to_owned()).collect();
    known.extend(KINDS.iter().map(|(kind, ..)| (*kind).to_owned()));
    let mut declared = BTreeSet::new();
    collect(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/src"), &mut declared);
    assert!(declared.len() >= 39, "the search finds the kinds: {declared:?}");
    let untested: Vec<_> = declared.difference(&known).collect();
    assert!(untested.is_empty(), "add them to KINDS: {untested:?}");
}

/// The kinds that stand in `events!` lists: `= "context.what";` at the end of a line.
fn collect(dir: &Path, kinds: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, kinds);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let literals = text.lines().filter_map(|line| line.trim_end().strip_suffix("\";")?.rsplit_once("= \""));
            kinds.extend(
                literals.map(|(_, kind)| kind.to_owned()).filter(|kind| kind.contains('.') && !kind.contains(' ')),
            );
        }
    }
}
