//! The calls of operators, auditors and merchants, and of those who watch the server.

use super::operation::Data::{Document, Media, Plain};
use super::operation::{Auth, Operation, delete, get, post};
use super::shape::Kind::{
    Amount, Count, Each, Instant, Limited, Long, Metadata, Object, Of, Payable, Range, Text, Texts, Uuid, Word,
};
use super::shape::{Shape, may, must};

/// What can become of a merchant's request.
pub const REQUEST_STATES: &[&str] = &["Pending", "Accepted", "Declined", "Cancelled", "Expired"];

/// The objects of these calls.
pub const SHAPES: &[Shape] = &[
    Shape { name: "AnyObject", about: "Members of any name.", fields: &[] },
    Shape {
        name: "Problem",
        about: "An error (RFC 9457).",
        fields: &[must("type", Text), must("title", Text), must("status", Count), may("detail", Text)],
    },
    Shape {
        name: "OperatorStatus",
        about: "Where the log, the views and the writer stand.",
        fields: &[
            must("ledger", Of("LedgerHead")),
            must("views", Each("ViewState")),
            must("writer", Object),
            must("reconciled", Object),
        ],
    },
    Shape {
        name: "LedgerHead",
        about: "The newest event.",
        fields: &[must("position", Long), must("hash", Text), must("recorded_at", Instant)],
    },
    Shape {
        name: "ViewState",
        about: "One read model: how far it has come, and how many events it is behind.",
        fields: &[must("name", Text), must("position", Long), must("lag", Long), may("stopped", Text)],
    },
    Shape {
        name: "MerchantError",
        about: "An error of the merchant API.",
        fields: &[must("statusCode", Count), must("message", Text), must("errors", Texts)],
    },
    Shape {
        name: "NewMerchant",
        about: "Who may ask for payments, and the tag that they go to.",
        fields: &[must("name", Limited(1, 150)), must("tag", Text)],
    },
    Shape {
        name: "Merchant",
        about: "What the merchant sends with each of its calls.",
        fields: &[must("client_id", Uuid), must("api_key", Text), must("location", Text)],
    },
    Shape {
        name: "NewPaymentRequest",
        about: "Whom to ask for how much.",
        fields: &[
            must("payer", Text).about("A tag."),
            must("amount", Payable).about("At most 999999999."),
            may("reference", Limited(1, 100)).about("Made by the server if left out."),
            may("comment", Limited(0, 250)),
            may("currency", Word(&["NGN", "FP"])).about("`NGN` if left out."),
            may("duration", Range(2, 525_600)).about("Minutes; 30 if left out."),
            may("pin", Text).about("Taken and not kept."),
            may("metadata", Metadata),
        ],
    },
    Shape {
        name: "PaymentRequest",
        about: "A merchant's request.",
        fields: &[
            must("ID", Long),
            must("PayTag", Of("PayTag")),
            must("Payer", Of("PayTag")),
            must("Amount", Amount),
            must("Currency", Text),
            must("Reference", Text),
            may("Description", Text),
            must("Status", Word(REQUEST_STATES)),
            must("Type", Text),
            may("Metadata", Object),
            may("TransactionReference", Text),
            must("ExpiresAt", Instant),
            must("CreatedAt", Instant),
            must("UpdatedAt", Instant),
        ],
    },
    Shape {
        name: "PayTag",
        about: "A tag and its name.",
        fields: &[may("ID", Uuid), must("Tag", Text), must("Name", Text)],
    },
    Shape {
        name: "PaymentRequests",
        about: "Some of a merchant's requests, and how many there are in all.",
        fields: &[
            must("items", Each("PaymentRequest")),
            must("count", Long),
            must("limit", Count),
            must("offset", Long),
        ],
    },
    Shape { name: "NewAuditor", about: "Who may read the audit surface.", fields: &[must("name", Limited(1, 150))] },
    Shape {
        name: "Auditor",
        about: "A reader of the audit surface. The token follows from the key of the platform; keep it.",
        fields: &[must("id", Uuid), must("token", Text)],
    },
    Shape {
        name: "Erased",
        about: "When the personal text of a subject became unreadable.",
        fields: &[must("id", Uuid), must("erased_at", Instant)],
    },
    Shape {
        name: "WaitingPaymentRequest",
        about: "What a merchant asks of one of the caller's tags.",
        fields: &[
            must("id", Long),
            must("reference", Text),
            must("merchantId", Uuid),
            must("merchantName", Text),
            must("payeeTagId", Uuid),
            must("payeeTag", Text).about("Its qualified address."),
            must("payerTagId", Uuid),
            must("payerTag", Text).about("Its qualified address."),
            must("amount", Amount),
            must("currency", Text),
            may("description", Text),
            must("status", Word(REQUEST_STATES)),
            must("expiresAt", Instant),
            must("createdAt", Instant),
            must("updatedAt", Instant),
        ],
    },
];

/// The calls by subject.
pub fn groups() -> Vec<(&'static str, Vec<Operation>)> {
    vec![
        ("Merchant", merchant()),
        ("Operator", operator()),
        ("Audit", super::audit::operations()),
        ("Health and keys", health()),
    ]
}

fn merchant() -> Vec<Operation> {
    let located = |operation: Operation| {
        operation.header(must("x-location", Text)).by(Auth::Merchant).gives(Plain("PaymentRequest")).refuses(&[404])
    };
    vec![
        located(post("/v2/merchant/payment-request", "createPaymentRequest", "Ask for a payment"))
            .takes("NewPaymentRequest")
            .refuses(&[404, 409, 422]),
        located(get("/v2/merchant/payment-request", "listPaymentRequests", "What was asked for"))
            .with(may("limit", Range(1, u32::MAX as u64)).about("20 if left out; larger ones are cut down to 100."))
            .with(may("offset", Range(0, u32::MAX as u64)))
            .with(may("status", Word(REQUEST_STATES)))
            .gives(Plain("PaymentRequests")),
        located(get("/v2/merchant/payment-request/{reference}", "readPaymentRequest", "One request")),
        located(post("/v2/merchant/payment-request/{reference}/cancel", "cancelPaymentRequest", "Take a request back"))
            .refuses(&[409, 422]),
        get("/v2/merchant/payment-request/resolve-paytag", "resolvePayTag", "Who would be asked")
            .by(Auth::Merchant)
            .with(must("tag", Text))
            .gives(Plain("PayTag"))
            .refuses(&[404, 409]),
    ]
}

fn operator() -> Vec<Operation> {
    vec![
        get("/operator/v1/status", "operatorStatus", "Where everything stands")
            .by(Auth::Operator)
            .gives(Plain("OperatorStatus")),
        post("/operator/v1/idaas/merchants", "registerMerchant", "Let a merchant ask for payments")
            .about("The key is shown here only.")
            .by(Auth::Operator)
            .header(may("Idempotency-Key", Limited(1, 255)))
            .takes("NewMerchant")
            .creates()
            .gives(Plain("Merchant"))
            .refuses(&[404, 409]),
        post("/operator/v1/auditors", "addAuditor", "Let somebody read the audit surface")
            .by(Auth::Operator)
            .header(may("Idempotency-Key", Limited(1, 255)))
            .takes("NewAuditor")
            .creates()
            .gives(Plain("Auditor"))
            .refuses(&[409]),
        delete("/operator/v1/auditors/{id}", "removeAuditor", "Take that back").by(Auth::Operator).empties(),
        post("/operator/v1/subjects/{id}/erase", "eraseSubject", "Make the personal text of a subject unreadable")
            .about("Its key is destroyed; every hash and balance stays valid. Again is fine.")
            .by(Auth::Operator)
            .gives(Plain("Erased")),
    ]
}

fn health() -> Vec<Operation> {
    vec![
        get("/health", "health", "Whether the process lives").gives(Document),
        get("/ready", "ready", "Whether calls are answered").gives(Document),
        get("/api/actuator/health", "actuatorHealth", "The health of the parts").gives(Document),
        get("/api/actuator/info", "actuatorInfo", "Name and version").gives(Document),
        get("/.well-known/jwks.json", "publicKeys", "The keys that verify attestations and signed heads")
            .gives(Document),
        get("/metrics", "metrics", "Measurements for Prometheus").gives(Media("text/plain")),
    ]
    .into_iter()
    .map(|operation| operation.by(Auth::Nobody))
    .collect()
}
