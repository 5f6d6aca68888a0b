//! What this server calls: the webhooks, as OpenAPI says them.

use serde_json::{Value, json};

use super::shape::Kind::{Amount, Instant, Of, Text, Uuid, Word};
use super::shape::{Shape, may, must, reference};
use super::shapes::TOLD;
use crate::http::names::Names;

/// The objects of webhooks.
pub const SHAPES: &[Shape] = &[
    Shape {
        name: "WebhookBody",
        about: "What a webhook says.",
        fields: &[must("event", Word(TOLD)), must("transaction", Of("WebhookTransaction"))],
    },
    Shape {
        name: "WebhookTransaction",
        about: "The payment as a webhook tells of it.",
        fields: &[
            must("reference", Text),
            must("senderTag", Text),
            must("senderAppId", Uuid),
            must("senderAppName", Text),
            must("receiverTag", Text),
            must("receiverAppId", Uuid),
            must("receiverAppName", Text),
            must("amount", Amount),
            must("currency", Text),
            may("narration", Text),
            must("expiresAt", Instant),
            must("createdAt", Instant),
            may("rejectionReason", Text),
        ],
    },
];

const ABOUT: &str = "Sent to the receiver when a payment is initiated and to the sender when it is completed, rejected or \
    expired: three attempts at most, each with its own timestamp and signature; anything but 2xx is a failure. For an \
    application with encryption the body is a compact JWE (`ECDH-ES+A256KW`, `A256GCM`) and signed as it is sent.";

/// The `webhooks` of the document.
pub fn webhooks(names: &Names) -> Value {
    let stem = &names.header_stem;
    let headers = [
        (format!("X-{stem}-Signature"), true, "HMAC-SHA256 under the webhook secret, over timestamp and body."),
        (format!("X-{stem}-Timestamp"), true, "Unix seconds of this attempt."),
        ("Content-Encryption".to_owned(), false, "`JWE` when the body is encrypted."),
        ("webhook-id".to_owned(), true, "The id of the record: the same in every attempt."),
        ("webhook-timestamp".to_owned(), true, "The same timestamp under the common name."),
        ("X-Ledger-Position".to_owned(), true, "The log position of what is told."),
        (
            "X-Ledger-Previous-Position".to_owned(),
            true,
            "That of the webhook to this application before this one; 0 for the first. A gap shows a loss.",
        ),
    ];
    let parameters: Vec<_> = headers
        .iter()
        .map(|(name, required, about)| {
            json!({"name": name, "in": "header", "required": required, "description": about, "schema": {"type": "string"}})
        })
        .collect();
    json!({"transaction": {"post": {
        "operationId": "transactionWebhook",
        "summary": "A payment was initiated, completed, rejected, or expired",
        "description": ABOUT,
        "parameters": parameters,
        "requestBody": {"required": true, "content": {"application/json": {"schema": reference("WebhookBody")}}},
        "responses": {"2XX": {"description": "Taken."}},
    }}})
}
