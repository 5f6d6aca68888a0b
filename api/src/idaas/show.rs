//! The objects of the API as JSON (`idaas.md` 3, 5, 6, 9, 10, 11, 12). What is empty is left out.

use flexledger_domain::books::Side;
use flexledger_domain::ids::{ApplicationId, LinkId};
use flexledger_domain::payments::{Payment, Status, WebhookRecord};
use flexledger_projections::{
    ApplicationRow, ClaimRow, EntryRow, FederationRow, LinkRow, SettlementEntryRow, SettlementRow, SubjectRow, TagRow,
    WalletRow,
};

use crate::app::App;
use crate::http::error::{ApiError, Code};
use crate::http::write::Writer;
use crate::jose::{self, Jwk};

/// What an application is shown once and never again.
#[derive(Default)]
pub struct Secrets<'a> {
    /// Its client secret.
    pub client_secret: Option<&'a str>,
    /// Its webhook secret.
    pub webhook_secret: Option<&'a str>,
    /// Its private key, as JSON.
    pub private_jwk: Option<&'a str>,
}

/// A JWK as JSON.
///
/// # Errors
/// `SYS-9001`; it does not happen.
pub fn jwk(key: &Jwk) -> Result<String, ApiError> {
    serde_json::to_string(key).map_err(|error| {
        tracing::error!(%error, "api.jwk_not_written");
        ApiError::new(Code::Internal)
    })
}

/// An application, ready to be written.
pub struct Application {
    row: ApplicationRow,
    jwk: String,
    spki: String,
}

impl Application {
    /// Prepares its public key.
    ///
    /// # Errors
    /// `SYS-9001` when the key in the row is none.
    pub fn new(row: ApplicationRow) -> Result<Self, ApiError> {
        let spki = jose::public_key_base64(&row.public_key).map_err(|error| {
            tracing::error!(%error, "api.public_key_damaged");
            ApiError::new(Code::Internal)
        })?;
        Ok(Application { jwk: jwk(&jose::public_jwk(&row.public_key))?, spki, row })
    }

    /// Writes it.
    pub fn write(&self, w: &mut Writer, secrets: &Secrets<'_>) {
        let row = &self.row;
        w.object(|w| {
            w.uuid("id", row.id.uuid());
            w.text("name", &row.name);
            w.text("appHandle", &row.handle);
            w.uuid("clientId", row.client.uuid());
            w.text_if("clientSecret", secrets.client_secret);
            w.flag("active", row.active);
            w.text_if("redirectUris", row.redirect_uris.as_deref());
            w.text_if("transactionWebhookUrl", row.webhook_url.as_deref());
            w.text_if("webhookSecret", secrets.webhook_secret);
            w.raw_if("metadata", row.metadata.as_deref());
            w.name("appPublicKeyJwk").raw(&self.jwk);
            w.text("appPublicKey", &self.spki);
            w.raw_if("appPrivateJwk", secrets.private_jwk);
            w.flag("encryptionEnabled", row.encryption_enabled);
            w.count("keyVersion", row.key_version);
            w.instant("createdAt", row.created_at);
        });
    }
}

/// A subject, for its own application.
pub fn subject(app: &App, w: &mut Writer, row: &SubjectRow) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.uuid("applicationId", row.application.uuid());
        w.text("applicationName", &row.application_name);
        w.text("externalId", &row.external_id);
        w.text_if("displayName", app.open(row.display_name.as_ref()).as_deref());
        w.text_if("email", app.open(row.email.as_ref()).as_deref());
        w.text_if("imageUrl", app.open(row.image_url.as_ref()).as_deref());
        w.raw_if("metadata", app.open(row.metadata.as_ref()).as_deref());
        w.instant("createdAt", row.created_at);
    });
}

/// What everybody may know of a subject.
fn public_subject(app: &App, w: &mut Writer, row: &SubjectRow) {
    w.object(|w| w.text_if("displayName", app.open(row.display_name.as_ref()).as_deref()));
}

/// A subject for an application that made or transferred a tag of it: who it is, and nothing that its own application
/// keeps about it.
fn foreign_subject(app: &App, w: &mut Writer, row: &SubjectRow) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.uuid("applicationId", row.application.uuid());
        w.text("applicationName", &row.application_name);
        w.text_if("displayName", app.open(row.display_name.as_ref()).as_deref());
    });
}

/// A tag for those who made it or own it; of an owner of another application they learn who it is. Of `claims` those on
/// this tag are shown.
pub fn tag(app: &App, w: &mut Writer, row: &TagRow, reader: ApplicationId, claims: &[ClaimRow]) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.text("tagString", &row.local);
        w.text("qualifiedAddress", &row.address);
        w.text("status", tag_status(row));
        w.name("canonicalOwner");
        if row.owner.application == reader {
            subject(app, w, &row.owner);
        } else {
            foreign_subject(app, w, &row.owner);
        }
        w.uuid("createdByAppId", row.created_by.uuid());
        w.text("createdByAppName", &row.created_by_name);
        let claims = claims.iter().filter(|claim| claim.claim.tag == row.id);
        w.name("activeClaims").array(claims, |w, row| claim(w, row, Some(reader), None));
        w.instant("createdAt", row.created_at);
    });
}

/// A tag for everybody else: five fields and no more (`idaas.md` 6.2).
pub fn public_tag(app: &App, w: &mut Writer, row: &TagRow) {
    w.object(|w| {
        w.text("tagString", &row.local);
        w.text("qualifiedAddress", &row.address);
        w.text("status", tag_status(row));
        w.name("canonicalOwner");
        public_subject(app, w, &row.owner);
        w.text("createdByAppName", &row.created_by_name);
    });
}

fn tag_status(row: &TagRow) -> &'static str {
    if row.active { "ACTIVE" } else { "DISABLED" }
}

/// A consent token, and where it leads.
pub struct Token {
    /// The token.
    pub token: String,
    /// The address to consent at.
    pub url: String,
}

/// A claim. Only the requester is told of its token.
pub fn claim(w: &mut Writer, row: &ClaimRow, reader: Option<ApplicationId>, token: Option<&Token>) {
    let claim = &row.claim;
    w.object(|w| {
        w.uuid("id", claim.id.uuid());
        w.uuid("tagId", claim.tag.uuid());
        w.text("tagString", &row.tag_local);
        w.uuid("subjectId", claim.subject.uuid());
        w.text("subjectExternalId", &row.external_id);
        w.uuid("requestedByAppId", claim.application.uuid());
        w.text("requestedByAppName", &row.application_name);
        w.text("state", claim.state.name());
        w.instant("requestedAt", claim.requested_at);
        w.instant_if("approvedAt", claim.approved_at);
        w.instant_if("revokedAt", claim.revoked_at);
        if let Some(token) = token {
            w.text("consentToken", &token.token);
            w.text("approvalUrl", &token.url);
        }
        if reader == Some(claim.application) {
            w.instant("tokenExpiresAt", claim.expires_at);
        }
    });
}

/// The challenge of a link, shown once.
pub struct Challenge<'a> {
    /// Which link.
    pub link: LinkId,
    /// The challenge.
    pub token: &'a str,
}

/// A federated identity.
pub fn federation(w: &mut Writer, row: &FederationRow, challenge: Option<&Challenge<'_>>) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.text("primaryTag", &row.tag_address);
        w.name("links").array(&row.links, |w, link| federation_link(w, link, challenge));
        w.instant("createdAt", row.created_at);
    });
}

fn federation_link(w: &mut Writer, row: &LinkRow, challenge: Option<&Challenge<'_>>) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.text("linkedTag", &row.linked);
        w.text("status", row.status.name());
        w.text_if("verifiedBy", row.verified_by.as_deref());
        w.instant("createdAt", row.created_at);
        w.text_if("challengeToken", challenge.filter(|one| one.link == row.id).map(|one| one.token));
    });
}

/// A payment. Lists leave its webhook records out.
pub fn payment(app: &App, w: &mut Writer, payment: &Payment, webhooks: bool) {
    w.object(|w| {
        w.uuid("id", payment.id.uuid());
        w.display("reference", payment.reference);
        w.text("senderTag", payment.sender.tag.as_str());
        w.text("senderAppName", &payment.sender.name);
        w.uuid("senderAppId", payment.sender.application.uuid());
        w.text("receiverTag", payment.receiver.tag.as_str());
        w.text("receiverAppName", &payment.receiver.name);
        w.uuid("receiverAppId", payment.receiver.application.uuid());
        w.amount("amount", payment.money.amount);
        w.text("currency", payment.money.currency.code());
        w.text("status", payment.status.name());
        w.text_if("narration", app.open(payment.narration.as_ref()).as_deref());
        w.instant("expiresAt", payment.expires_at);
        w.instant_if("acceptedAt", payment.accepted_at());
        w.instant_if("rejectedAt", payment.rejected_at());
        w.text_if("rejectionReason", app.open(payment.rejection_reason.as_ref()).as_deref());
        w.instant("createdAt", payment.created_at);
        w.instant("updatedAt", payment.updated_at);
        if webhooks {
            w.name("webhooks").array(&payment.webhooks, webhook);
        }
    });
}

/// The record of a webhook.
pub fn webhook(w: &mut Writer, record: &WebhookRecord) {
    w.object(|w| webhook_members(w, record));
}

/// The members of the record of a webhook.
pub fn webhook_members(w: &mut Writer, record: &WebhookRecord) {
    w.uuid("id", record.id.uuid());
    w.uuid("transactionId", record.transaction.uuid());
    w.display("transactionReference", record.reference);
    w.uuid("applicationId", record.application.uuid());
    w.text("applicationName", &record.application_name);
    w.text("direction", record.direction.name());
    w.text("targetUrl", &record.url);
    w.text("eventType", event_name(record.told));
    w.text("status", record.delivery.status.name());
    w.count("attempts", record.delivery.attempts);
    w.text_if("lastError", record.delivery.last_error.as_deref());
    w.instant_if("lastAttemptAt", record.delivery.last_attempt_at);
    w.instant_if("deliveredAt", record.delivery.delivered_at);
    w.instant("createdAt", record.created_at);
    w.instant("updatedAt", record.updated_at);
}

/// What a webhook that tells of a state is called.
pub fn event_name(told: Status) -> &'static str {
    match told {
        Status::AwaitingAcceptance => "TRANSACTION_INITIATED",
        Status::Completed => "TRANSACTION_COMPLETED",
        Status::Rejected => "TRANSACTION_REJECTED",
        Status::Expired => "TRANSACTION_EXPIRED",
    }
}

/// A wallet.
pub fn wallet(w: &mut Writer, row: &WalletRow) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.uuid("applicationId", row.application.uuid());
        w.text("applicationName", &row.application_name);
        w.text("currency", row.currency.code());
        w.amount("balance", row.balance);
        w.amount("totalDebited", row.total_debited);
        w.amount("totalCredited", row.total_credited);
        w.instant("createdAt", row.created_at);
        w.instant("updatedAt", row.updated_at);
    });
}

/// One entry of a statement.
pub fn entry(w: &mut Writer, row: &EntryRow) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.display("transactionReference", row.reference);
        let side = match row.side {
            Side::Debit => "DEBIT",
            Side::Credit => "CREDIT",
        };
        w.text("entryType", side);
        w.amount("amount", row.amount);
        w.text("currency", row.currency.code());
        w.amount("openingBalance", row.opening_balance);
        w.amount("closingBalance", row.closing_balance);
        w.text("description", &row.description);
        w.instant("createdAt", row.created_at);
    });
}

/// A settlement record. Lists leave its entries out.
pub fn settlement(w: &mut Writer, row: &SettlementRow, entries: bool) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.display("settlementDate", row.date);
        w.text("currency", row.currency.code());
        w.amount("totalCredited", row.total_credited);
        w.amount("totalDebited", row.total_debited);
        w.count("transactionCount", row.transaction_count);
        w.count("applicationCount", row.application_count);
        w.text("status", row.status.name());
        w.text_if("errorMessage", row.error.as_deref());
        w.instant("createdAt", row.created_at);
        if entries {
            w.name("entries").array(&row.entries, settlement_entry);
        }
    });
}

fn settlement_entry(w: &mut Writer, row: &SettlementEntryRow) {
    w.object(|w| {
        w.uuid("id", row.id.uuid());
        w.uuid("applicationId", row.application.uuid());
        w.text("applicationName", &row.application_name);
        w.uuid("walletId", row.wallet.uuid());
        w.text("currency", row.currency.code());
        w.amount("totalCredited", row.total_credited);
        w.amount("totalDebited", row.total_debited);
        w.amount("netAmount", row.net_amount);
        w.amount("openingBalance", row.opening_balance);
        w.amount("closingBalance", row.closing_balance);
        w.count("transactionCount", row.transaction_count);
        w.instant("createdAt", row.created_at);
    });
}
