//! The calls of the tag-payment API.

use super::operation::Data::{List, Nothing, Object, Objects, One, Page, Texts};
use super::operation::{Auth, Operation, delete, get, patch, post};
use super::shape::{Kind, may, must};

/// The calls by subject.
pub fn groups() -> Vec<(&'static str, Vec<Operation>)> {
    vec![
        ("Authentication", authentication()),
        ("Applications", applications()),
        ("Subjects", subjects()),
        ("Tags", tags()),
        ("Claims and consent", claims()),
        ("Federation", federation()),
        ("Transactions", transactions()),
        ("Payment requests", payment_requests()),
        ("Wallet", wallet()),
        ("Settlement", settlement()),
        ("Webhooks", webhooks()),
        ("Administration", administration()),
    ]
}

fn authentication() -> Vec<Operation> {
    vec![
        post("/api/v1/auth/token", "issueToken", "Exchange credentials for an access token")
            .about(
                "The credentials may stand in a JSON body, in a form, in the query, or in HTTP Basic authentication.",
            )
            .by(Auth::Nobody)
            .may_take("Credentials")
            .with(may("client_id", Kind::Text))
            .with(may("client_secret", Kind::Text))
            .gives(One("Token"))
            .refuses(&[400, 401]),
        get("/api/v1/keys/idaas", "platformKey", "The key that request bodies may be encrypted for")
            .about("Encrypt with `ECDH-ES+A256KW` and `A256GCM`, and mark the request `Content-Encryption: JWE`.")
            .by(Auth::Nobody)
            .gives(One("PlatformKey")),
    ]
}

fn applications() -> Vec<Operation> {
    vec![
        post("/api/v1/applications", "registerApplication", "Register a tenant")
            .about("The client secret, the webhook secret and the private key are shown here once and never again.")
            .by(Auth::Nobody)
            .takes("NewApplication")
            .creates()
            .gives(One("Application"))
            .refuses(&[400, 409]),
        get("/api/v1/applications", "listApplications", "The caller's application").gives(List("Application")),
        get("/api/v1/applications/{id}", "readApplication", "One application").gives(One("Application")),
        patch("/api/v1/applications/{id}/deactivate", "deactivateApplication", "Switch an application off")
            .about("Its tokens stop at once.")
            .gives(Nothing)
            .refuses(&[403]),
        post("/api/v1/applications/keys/rotate", "rotateKeys", "Make a new key pair")
            .about("Webhooks sent from now on are encrypted for the new key, older records too.")
            .gives(One("Application")),
        post("/api/v1/applications/webhook-secret/rotate", "rotateWebhookSecret", "Make a new webhook secret")
            .about("The old one stops at once.")
            .gives(One("Application"))
            .refuses(&[404]),
    ]
}

fn subjects() -> Vec<Operation> {
    vec![
        post("/api/v1/subjects", "createSubject", "Create a user")
            .takes("NewSubject")
            .creates()
            .gives(One("Subject"))
            .refuses(&[409]),
        get("/api/v1/subjects", "listSubjects", "All users of the caller").gives(List("Subject")),
        get("/api/v1/subjects/{id}", "readSubject", "One user").gives(One("Subject")),
        patch("/api/v1/subjects/{id}", "changeSubject", "Change a user").takes("SubjectChange").gives(One("Subject")),
        get("/api/v1/subjects/external/{externalId}", "findSubject", "One user by its id at the application")
            .gives(One("Subject")),
        get("/api/v1/subjects/{id}/tags", "listSubjectTags", "The tags of one user").gives(List("Tag")),
    ]
}

fn tags() -> Vec<Operation> {
    vec![
        post("/api/v1/tags", "createTag", "Create a tag").takes("NewTag").gives(One("Tag")).refuses(&[404, 409, 422]),
        get("/api/v1/tags", "listTags", "All tags of the caller").gives(List("Tag")),
        get("/api/v1/tags/search", "searchTags", "Find tags by a part of their name")
            .with(must("keyword", Kind::Limited(2, 255)))
            .with(may("appHandle", Kind::Text).about("Only tags of this application."))
            .gives(List("FoundTag")),
        get("/api/v1/tags/{tag}", "resolveTag", "Look a tag up")
            .about("A bare name works while only one application has it; 409 lists the addresses otherwise.")
            .by(Auth::Nobody)
            .gives(One("PublicTag"))
            .refuses(&[409]),
        patch("/api/v1/tags/{tag}/disable", "disableTag", "Switch a tag off").refuses(&[403, 409]),
        patch("/api/v1/tags/{tag}/enable", "enableTag", "Switch a tag on again").refuses(&[403, 409]),
        post("/api/v1/tags/{tag}/transfer", "transferTag", "Give a tag to another subject")
            .takes("TagTransfer")
            .gives(One("Tag"))
            .refuses(&[403, 409, 422]),
    ]
}

fn claims() -> Vec<Operation> {
    vec![
        post("/api/v1/tags/{tag}/claims", "requestClaim", "Ask for a share in a tag")
            .about(
                "The consent token is shown here, and in the list of claims while this one is pending. The owner \
                 of the tag decides within 48 hours.",
            )
            .takes("NewClaim")
            .gives(One("Claim"))
            .refuses(&[409, 422]),
        get("/api/v1/tags/{tag}/claims", "listClaims", "The claims on a tag").gives(List("Claim")).refuses(&[409]),
        post("/api/v1/claims/{claimId}/revoke", "revokeClaim", "End a claim").gives(One("Claim")).refuses(&[403, 422]),
        get("/api/v1/consent/{consentToken}", "readConsent", "What the owner is asked")
            .by(Auth::Nobody)
            .gives(One("Consent")),
        post("/api/v1/consent/{consentToken}/approve", "approveConsent", "Say yes")
            .about("The answer holds an ES256 attestation that the keys at `/.well-known/jwks.json` verify.")
            .by(Auth::Nobody)
            .gives(One("Token"))
            .refuses(&[409, 422]),
        post("/api/v1/consent/{consentToken}/deny", "denyConsent", "Say no")
            .by(Auth::Nobody)
            .gives(One("Claim"))
            .refuses(&[409, 422]),
    ]
}

fn federation() -> Vec<Operation> {
    vec![
        post("/api/v1/tags/{tag}/federation", "initiateLink", "Link a tag with one elsewhere")
            .about("The challenge token of the new link is shown here once.")
            .takes("NewLink")
            .gives(One("FederatedIdentity"))
            .refuses(&[403, 409]),
        get("/api/v1/tags/{tag}/federation", "readLinks", "The links of a tag")
            .gives(One("FederatedIdentity"))
            .refuses(&[403, 409]),
        post("/api/v1/federation/verify/{challengeToken}", "verifyLink", "Prove a link")
            .gives(One("FederatedIdentity"))
            .refuses(&[403, 422]),
        delete("/api/v1/federation/links/{linkId}", "revokeLink", "End a link").gives(Nothing).refuses(&[403]),
    ]
}

fn transactions() -> Vec<Operation> {
    vec![
        post("/api/v1/transactions", "initiateTransaction", "Initiate a payment")
            .about(
                "Nothing is booked before the receiving application accepts. A repeat under the same key gets the \
                 first answer again, marked `Idempotent-Replayed: true`.",
            )
            .header(may("Idempotency-Key", Kind::Limited(1, 128)))
            .takes("NewTransaction")
            .creates()
            .gives(One("Transaction"))
            .refuses(&[403, 404, 409, 422]),
        post("/api/v1/transactions/{reference}/accept", "acceptTransaction", "Accept a payment")
            .about("Books it on both wallets. Only the receiving application may.")
            .gives(One("Transaction"))
            .refuses(&[403, 409, 422]),
        post("/api/v1/transactions/{reference}/reject", "rejectTransaction", "Turn a payment down")
            .may_take("Rejection")
            .gives(One("Transaction"))
            .refuses(&[403, 409, 422]),
        get("/api/v1/transactions/{reference}", "readTransaction", "One payment").gives(One("Transaction")),
        get("/api/v1/transactions/sent", "listSent", "What the caller's tags sent").paged().gives(Page("Transaction")),
        get("/api/v1/transactions/received", "listReceived", "What was sent to the caller's tags")
            .paged()
            .gives(Page("Transaction")),
        get("/api/v1/transactions/pending", "listPending", "What waits for the caller's acceptance")
            .paged()
            .gives(Page("Transaction")),
    ]
}

fn payment_requests() -> Vec<Operation> {
    vec![
        get("/api/v1/payment-requests", "listWaitingPaymentRequests", "What merchants ask of the caller's tags")
            .about(
                "For the payer's application: pending and not overdue, newest first. An addition of this server: the \
                 published API has no such call.",
            )
            .paged()
            .gives(Page("WaitingPaymentRequest")),
        post("/api/v1/payment-requests/{reference}/accept", "acceptPaymentRequest", "Pay what a merchant asks for")
            .about("For the payer's application. An addition of this server: the published API has no such call.")
            .gives(One("PaymentRequestDecision"))
            .refuses(&[403, 409, 422]),
        post("/api/v1/payment-requests/{reference}/decline", "declinePaymentRequest", "Do not pay")
            .about("For the payer's application. An addition of this server: the published API has no such call.")
            .gives(One("PaymentRequestDecision"))
            .refuses(&[403, 409, 422]),
    ]
}

fn wallet() -> Vec<Operation> {
    let currency = || may("currency", Kind::Pattern(2, 3, "^([A-Z]{3}|FP)$")).about("`NGN` if left out.");
    vec![
        post("/api/v1/wallet", "provisionWallet", "Open the caller's wallet")
            .about("Again is fine.")
            .with(currency())
            .gives(One("Wallet")),
        get("/api/v1/wallet", "readWallet", "The caller's wallet")
            .with(currency())
            .gives(One("Wallet"))
            .refuses(&[404]),
        get("/api/v1/wallet/statement", "readStatement", "The entries of the caller's wallet")
            .with(currency())
            .paged()
            .gives(Page("LedgerEntry"))
            .refuses(&[404]),
    ]
}

fn settlement() -> Vec<Operation> {
    vec![
        get("/api/v1/settlement", "listSettlements", "All settlements").paged().gives(Page("Settlement")),
        get("/api/v1/settlement/{id}", "readSettlement", "One settlement").gives(One("Settlement")),
        get("/api/v1/settlement/date/{date}", "findSettlement", "The settlement of a day").gives(One("Settlement")),
        post("/api/v1/settlement/run", "runSettlement", "Settle a day")
            .about("A day that is settled already is answered as it was.")
            .with(may("date", Kind::Date).about("Yesterday if left out."))
            .gives(One("Settlement")),
    ]
}

fn webhooks() -> Vec<Operation> {
    vec![
        get("/api/v1/transactions/{reference}/webhooks", "listWebhooks", "The webhooks of a payment")
            .gives(List("Webhook")),
        get("/api/v1/transactions/{reference}/webhooks/receiver", "readReceiverWebhook", "What the receiver is told")
            .gives(One("Webhook")),
        get("/api/v1/transactions/{reference}/webhooks/sender", "readSenderWebhook", "What the sender is told")
            .gives(One("Webhook")),
        get("/api/v1/webhooks/{id}", "readWebhook", "One webhook with its attempts").gives(One("WebhookDetail")),
        get("/api/v1/webhooks/failed", "listFailedWebhooks", "What was given up").paged().gives(Page("Webhook")),
    ]
}

fn administration() -> Vec<Operation> {
    let about = "For applications of the operator's choice (`auth.admin_applications`).";
    vec![
        get("/api/v1/admin/entities", "listEntities", "What can be looked at").gives(Texts),
        get("/api/v1/admin/entities/{entity}", "listEntity", "A page of one kind")
            .with(may("page", Kind::Range(0, i32::MAX as u64)).about("From 0."))
            .with(may("size", Kind::Range(1, 2000)).about("20 if left out."))
            .with(may("sort", Kind::Text).about("`property,asc` or `property,desc`."))
            .gives(Objects),
        get("/api/v1/admin/entities/{entity}/{id}", "readEntity", "One of a kind").gives(Object),
        patch("/api/v1/admin/entities/{entity}/{id}", "changeEntity", "Change one of a kind")
            .takes("AnyObject")
            .gives(Object),
        delete("/api/v1/admin/entities/{entity}/{id}", "deleteEntity", "Remove one of a kind").gives(Nothing),
    ]
    .into_iter()
    .map(|operation| operation.by(Auth::Admin).about(about))
    .collect()
}
