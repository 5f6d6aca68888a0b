//! The calls of auditors, and their documents (`operations.md` 4).

use super::operation::Data::{AnyOf, Plain};
use super::operation::{Auth, Operation, get};
use super::shape::Kind::{
    Count, Date, Decimal, Each, Instant, Long, Longs, Next, Object, Of, OrNull, Range, Text, Texts, Uuid, Word,
};
use super::shape::{Shape, may, must};

/// The objects of these calls.
pub const SHAPES: &[Shape] = &[
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
    Shape {
        name: "WalletsAsOf",
        about: "Balances of wallets.",
        fields: &[must("position", Long), must("wallets", Each("WalletAsOf"))],
    },
    Shape {
        name: "WalletAsOf",
        about: "One wallet.",
        fields: &[
            must("application_id", Uuid),
            must("application_name", Text),
            must("currency", Text),
            must("balance", Decimal).about("What was credited less what was debited."),
            must("total_debited", Decimal),
            must("total_credited", Decimal),
        ],
    },
    Shape {
        name: "StatementAsOf",
        about: "Entries of one wallet, oldest first.",
        fields: &[must("position", Long), must("entries", Each("EntryAsOf")), must("next", Next)],
    },
    Shape {
        name: "EntryAsOf",
        about: "One entry.",
        fields: &[
            must("position", Long),
            must("transaction_reference", Text),
            must("entry_type", Word(&["DEBIT", "CREDIT"])),
            must("currency", Text),
            must("amount", Decimal),
            must("opening_balance", Decimal),
            must("closing_balance", Decimal),
            must("created_at", Instant),
        ],
    },
    Shape {
        name: "TagsAsOf",
        about: "Tags and who owned them.",
        fields: &[must("position", Long), must("tags", Each("TagAsOf")), may("next", Next)],
    },
    Shape {
        name: "TagAsOf",
        about: "One tag.",
        fields: &[
            must("id", Uuid),
            must("qualified_address", Text),
            must("status", Word(&["ACTIVE", "DISABLED"])),
            must("owner_subject_id", Uuid),
            must("owner_application_id", Uuid),
        ],
    },
    Shape {
        name: "SettlementsAsOf",
        about: "Settlement records, one per date and currency.",
        fields: &[must("position", Long), must("settlements", Each("SettlementAsOf"))],
    },
    Shape {
        name: "SettlementAsOf",
        about: "One settlement record.",
        fields: &[
            must("id", Uuid),
            must("settlement_date", Date),
            must("currency", Text),
            must("status", Word(&["PENDING", "COMPLETED", "FAILED"])),
            must("total_credited", Decimal),
            must("total_debited", Decimal),
            must("transaction_count", Long),
            must("application_count", Long),
            must("cut", OrNull(&Of("Cut"))).about("Null if it has no entries."),
            must("entries", Each("SettlementLineAsOf")),
        ],
    },
    Shape {
        name: "Cut",
        about: "The positions of the first and the last entry of a settlement, inclusive.",
        fields: &[must("from", Long), must("to", Long)],
    },
    Shape {
        name: "SettlementLineAsOf",
        about: "What one application was settled for.",
        fields: &[
            must("application_id", Uuid),
            must("total_credited", Decimal),
            must("total_debited", Decimal),
            must("net_amount", Decimal),
            must("opening_balance", Decimal),
            must("closing_balance", Decimal),
            must("transaction_count", Long),
        ],
    },
    Shape {
        name: "TransactionAsOf",
        about: "One payment.",
        fields: &[
            must("position", Long),
            must("reference", Text),
            must("id", Uuid),
            must("status", Word(&["AWAITING_ACCEPTANCE", "COMPLETED", "REJECTED", "EXPIRED"])),
            must("amount", Decimal),
            must("currency", Text),
            must("sender_tag", Text),
            must("receiver_tag", Text),
            must("sender_application_id", Uuid),
            must("receiver_application_id", Uuid),
            must("created_at", Instant),
            must("updated_at", Instant),
            must("expires_at", Instant),
            must("initiated_position", Long),
            must("outcome_position", OrNull(&Long)).about("Null while it is open."),
        ],
    },
    Shape {
        name: "BalancesAsOf",
        about: "Balances of every account of every context.",
        fields: &[must("position", Long), must("balances", Each("AccountBalance")), must("next", Next)],
    },
    Shape {
        name: "AccountBalance",
        about: "One account in one currency. That of a wallet is `idaas/wallet/<application id>`.",
        fields: &[must("account", Text), must("currency", Text), must("balance", Decimal)],
    },
    Shape {
        name: "TrialBalanceAsOf",
        about: "Sums of all accounts; debit equals credit.",
        fields: &[must("position", Long), must("currencies", Each("CurrencyBalance"))],
    },
    Shape {
        name: "CurrencyBalance",
        about: "The sums of one currency.",
        fields: &[must("currency", Text), must("debit", Decimal), must("credit", Decimal)],
    },
    Shape {
        name: "Explanation",
        about: "Everything that belongs to one payment.",
        fields: &[
            must("reference", Text),
            must("transaction", Of("TransactionAsOf")),
            must("commands", Each("ExplainedCommand")),
            must("events", Each("ExplainedEvent")),
            must("postings", Each("ExplainedPosting")),
            must("view_rows", Each("ViewRow")),
            must("webhooks", Each("ExplainedWebhook")),
            must("settlement", OrNull(&Of("SettledIn"))).about("Null while it is not settled."),
        ],
    },
    Shape {
        name: "ExplainedCommand",
        about: "What was asked for, and by whom.",
        fields: &[must("command_id", Text), must("actor", Text), must("name", Text), must("recorded_at", Instant)],
    },
    Shape {
        name: "ExplainedEvent",
        about: "What happened.",
        fields: &[must("position", Long), must("kind", Text), must("recorded_at", Instant)],
    },
    Shape {
        name: "ExplainedPosting",
        about: "What was booked.",
        fields: &[
            must("position", Long),
            must("account", Text),
            must("currency", Text),
            must("side", Word(&["debit", "credit"])),
            must("amount", Decimal),
        ],
    },
    Shape {
        name: "ViewRow",
        about: "A row of a read model.",
        fields: &[must("view", Text), must("key", Text), must("row", Object).about("Its cells by column.")],
    },
    Shape {
        name: "ExplainedWebhook",
        about: "Who was told, and how that went.",
        fields: &[
            must("id", Uuid),
            must("application_id", Uuid),
            must("direction", Word(&["RECEIVER", "SENDER"])),
            must("event", Text),
            must("status", Word(&["PENDING", "DELIVERED", "FAILED"])),
            must("attempts", Each("ExplainedAttempt")),
        ],
    },
    Shape {
        name: "ExplainedAttempt",
        about: "One attempt to deliver.",
        fields: &[
            must("attempt", Count),
            must("position", Long).about("The event that reports it."),
            must("at", Instant),
            must("error", OrNull(&Text)).about("Null when it was delivered."),
        ],
    },
    Shape {
        name: "SettledIn",
        about: "The settlement record of a payment.",
        fields: &[must("id", Uuid), must("settlement_date", Date)],
    },
    Shape {
        name: "Diff",
        about: "What changed between two moments.",
        fields: &[
            must("from", Long),
            must("to", Long),
            must("wallets", Each("WalletChange")),
            must("settlements", Each("SettlementChange")),
            must("tags", Each("TagChange")),
            must("late_entries", Each("LateEntry")),
            must("events", Longs).about("The positions of the events that did it."),
        ],
    },
    Shape {
        name: "WalletChange",
        about: "The balance of a wallet before and after; null where there was no wallet.",
        fields: &[
            must("application_id", Uuid),
            must("currency", Text),
            must("from", OrNull(&Decimal)),
            must("to", OrNull(&Decimal)),
        ],
    },
    Shape {
        name: "SettlementChange",
        about: "The status of a settlement before and after; null where there was none.",
        fields: &[
            must("settlement_date", Date),
            must("currency", Text),
            must("from", OrNull(&Text)),
            must("to", OrNull(&Text)),
        ],
    },
    Shape {
        name: "TagChange",
        about: "The status of a tag before and after; null where there was none. Owners where they differ.",
        fields: &[
            must("qualified_address", Text),
            must("from", OrNull(&Text)),
            must("to", OrNull(&Text)),
            may("owner_from", Uuid),
            may("owner_to", Uuid),
        ],
    },
    Shape {
        name: "LateEntry",
        about: "A payment booked after its day was closed.",
        fields: &[
            must("position", Long),
            must("transaction_reference", Text),
            must("settlement_date", Date),
            must("booked_on", Date),
        ],
    },
];

/// The calls of auditors.
pub fn operations() -> Vec<Operation> {
    let place = |name, about| may(name, Range(0, i64::MAX as u64)).about(about);
    let as_of = "`moment` is a log position, or an instant (RFC 3339). Unknown keys are 404; a moment beyond the end of \
                 the log is 422. An instant keeps its position for ever; while that cannot be told, because the log \
                 cannot be written, it is 503. `statement` and `transactions` need a key, and `settlement` takes a date.";
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
            .with(must("from", Range(0, i64::MAX as u64)).about("The earlier head."))
            .with(place("to", "The later head."))
            .gives(Plain("Consistency"))
            .refuses(&[404, 422]),
        page(get("/audit/v1/as-of/{moment}/{view}", "readAsOf", "A view as it was"))
            .about(as_of)
            .gives(AnyOf(&["WalletsAsOf", "TagsAsOf", "SettlementsAsOf", "BalancesAsOf", "TrialBalanceAsOf"]))
            .refuses(&[422]),
        page(get("/audit/v1/as-of/{moment}/{view}/{key}", "readOneAsOf", "One thing of a view as it was"))
            .about(as_of)
            .gives(AnyOf(&["WalletsAsOf", "StatementAsOf", "TagsAsOf", "SettlementsAsOf", "TransactionAsOf"]))
            .refuses(&[422]),
        get("/audit/v1/explain/{reference}", "explainTransaction", "Everything that belongs to one payment")
            .about("Commands, events, postings, rows of views, webhooks and settlement.")
            .gives(Plain("Explanation")),
        get("/audit/v1/diff", "readDiff", "What changed between two moments")
            .with(must("from", Text).about("A log position or an instant."))
            .with(must("to", Text).about("A log position or an instant."))
            .gives(Plain("Diff"))
            .refuses(&[422]),
    ]
    .into_iter()
    .map(|operation| operation.by(Auth::Auditor))
    .collect()
}
