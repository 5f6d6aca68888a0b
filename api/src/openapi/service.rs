//! The calls of operators, auditors and merchants, and of those who watch the server.

use super::operation::Data::{Document, Media, Plain};
use super::operation::{Auth, Operation, delete, get, post};
use super::shape::Kind::{
    Amount, Count, Decimal, Each, Instant, Limited, Long, Metadata, Next, Object, Of, Payable, Range, Text, Texts,
    Uuid, Word,
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
        name: "Events",
        about: "Events in the order of the log.",
        fields: &[must("events", Each("Event")), must("next", Next)],
    },
    Shape {
        name: "Event",
        about: "One event as it stands in the log, with its two hashes.",
        fields: &[
            must("position", Long),
            must("id", Text),
            must("entity", Text),
            must("kind", Text),
            must("version", Count),
            must("recorded_at", Instant),
            must("actor", Text),
            may("command_id", Text),
            must("payload", Object),
            may("postings", Each("Posting")),
            must("leaf_hash", Text),
            must("hash", Text),
        ],
    },
    Shape {
        name: "Posting",
        about: "One line of a journal entry.",
        fields: &[
            must("account", Text),
            must("currency", Text),
            must("side", Word(&["debit", "credit"])),
            must("amount", Decimal),
        ],
    },
    Shape {
        name: "SignedHead",
        about: "The end of the log and a signature of it.",
        fields: &[
            must("position", Long),
            must("hash", Text),
            must("root", Text),
            may("recorded_at", Instant),
            must("note", Text).about("A C2SP tlog-checkpoint."),
        ],
    },
    Shape {
        name: "Inclusion",
        about: "Proof that an event stands in the tree of a head (RFC 6962).",
        fields: &[
            must("position", Long),
            must("at", Long),
            must("leaf_hash", Text),
            must("root", Text),
            must("path", Texts),
        ],
    },
    Shape {
        name: "Consistency",
        about: "Proof that a later head goes on from an earlier one (RFC 6962).",
        fields: &[
            must("from", Long),
            must("to", Long),
            must("from_root", Text),
            must("to_root", Text),
            must("path", Texts),
        ],
    },
];

/// The calls by subject.
pub fn groups() -> Vec<(&'static str, Vec<Operation>)> {
    vec![("Merchant", merchant()), ("Operator", operator()), ("Audit", audit()), ("Health and keys", health())]
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

fn audit() -> Vec<Operation> {
    let place = |name, about| may(name, Range(0, i64::MAX as u64)).about(about);
    let as_of = "`moment` is a log position, or an instant (RFC 3339). Unknown keys are 404; a moment beyond the end of \
                 the log is 422. `statement` and `transactions` need a key, and `settlement` takes a date.";
    let page = |operation: Operation| {
        operation
            .with(may("currency", Text).about("Of a statement; `NGN` if left out."))
            .with(may("from", Text).about("The `next` of the page before."))
            .with(may("limit", Range(1, 1000)).about("100 if left out."))
    };
    vec![
        get("/audit/v1/events", "listEvents", "The events themselves")
            .about(
                "A filter looks at a bounded number of events: a page may be short, or empty, and still name a `next`.",
            )
            .with(place("from", "The first position; 1 if left out."))
            .with(place("to", "The last position; the end of the log if left out."))
            .with(may("limit", Range(1, 1000)).about("100 if left out."))
            .with(may("entity", Text))
            .with(may("kind", Text))
            .gives(Plain("Events"))
            .refuses(&[422]),
        get("/audit/v1/head", "readHead", "The signed end of the log").gives(Plain("SignedHead")),
        get("/audit/v1/proofs/events/{position}", "proveInclusion", "Prove that an event stands in the log")
            .with(place("at", "The head it is proved against; the newest if left out."))
            .gives(Plain("Inclusion"))
            .refuses(&[422]),
        get("/audit/v1/proofs/consistency", "proveConsistency", "Prove that nothing before a head was changed")
            .with(place("from", "The earlier head."))
            .with(place("to", "The later head."))
            .gives(Plain("Consistency"))
            .refuses(&[404, 422]),
        page(get("/audit/v1/as-of/{moment}/{view}", "readAsOf", "A view as it was"))
            .about(as_of)
            .gives(Document)
            .refuses(&[422]),
        page(get("/audit/v1/as-of/{moment}/{view}/{key}", "readOneAsOf", "One thing of a view as it was"))
            .about(as_of)
            .gives(Document)
            .refuses(&[422]),
        get("/audit/v1/explain/{reference}", "explainTransaction", "Everything that belongs to one payment")
            .about("Commands, events, postings, rows of views, webhooks and settlement.")
            .gives(Document),
        get("/audit/v1/diff", "readDiff", "What changed between two moments")
            .with(must("from", Text).about("A log position or an instant."))
            .with(must("to", Text).about("A log position or an instant."))
            .gives(Document)
            .refuses(&[422]),
    ]
    .into_iter()
    .map(|operation| operation.by(Auth::Auditor))
    .collect()
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
