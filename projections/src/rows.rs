//! What the queries answer. Personal text is sealed as it stands in the log; the caller opens it when it answers.

use std::sync::Arc;

use flexledger_domain::TokenHash;
use flexledger_domain::books::Side;
use flexledger_domain::consent::Claim;
use flexledger_domain::federation::LinkStatus;
use flexledger_domain::identity::PublicKey;
use flexledger_domain::ids::{
    ApplicationId, ClientId, EntryId, FederationId, LinkId, SettlementEntryId, SettlementId, SubjectId, TagId,
    TransactionId, WalletId,
};
use flexledger_domain::merchants::Request;
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::{Payment, WebhookRecord};
use flexledger_domain::personal::Personal;
use flexledger_domain::{Date, Instant, Position, Reference};

/// An application without its secrets (`idaas.md` 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApplicationRow {
    /// Its id.
    pub id: ApplicationId,
    /// What it shows in a token exchange.
    pub client: ClientId,
    /// Its name.
    pub name: Arc<str>,
    /// Its handle.
    pub handle: Arc<str>,
    /// Whether it may act.
    pub active: bool,
    /// Redirect targets, space separated.
    pub redirect_uris: Option<String>,
    /// Where webhooks to it go.
    pub webhook_url: Option<String>,
    /// A JSON object as text.
    pub metadata: Option<String>,
    /// The key that webhooks to it are encrypted for.
    pub public_key: PublicKey,
    /// Whether webhooks to it are encrypted.
    pub encryption_enabled: bool,
    /// Grows by one with each rotation; begins at 1.
    pub key_version: u32,
    /// When it registered.
    pub created_at: Instant,
}

/// A subject (`idaas.md` 5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubjectRow {
    /// Its id.
    pub id: SubjectId,
    /// Whose user.
    pub application: ApplicationId,
    /// The name of that application.
    pub application_name: Arc<str>,
    /// The application's own identifier of the user.
    pub external_id: Arc<str>,
    /// The name shown to others, sealed.
    pub display_name: Option<Personal>,
    /// The e-mail address, sealed.
    pub email: Option<Personal>,
    /// A picture, sealed.
    pub image_url: Option<Personal>,
    /// A JSON object as text, sealed.
    pub metadata: Option<Personal>,
    /// When it was made known.
    pub created_at: Instant,
}

/// A tag with its owner (`idaas.md` 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagRow {
    /// Its id.
    pub id: TagId,
    /// Where its first event stands; lists go by it.
    pub position: Position,
    /// Its local name, `alice`.
    pub local: Arc<str>,
    /// Its qualified address, `alice@walletapp`.
    pub address: Arc<str>,
    /// Whether it may be used (`ACTIVE`), or not (`DISABLED`).
    pub active: bool,
    /// The subject that owns it.
    pub owner: SubjectRow,
    /// The application of the owner: the one that sends and receives for it.
    pub owner_application: ApplicationId,
    /// The application that made it.
    pub created_by: ApplicationId,
    /// The name of that application.
    pub created_by_name: Arc<str>,
    /// When it was made.
    pub created_at: Instant,
}

/// A wallet (`idaas.md` 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WalletRow {
    /// Its id.
    pub id: WalletId,
    /// Whose.
    pub application: ApplicationId,
    /// The name of that application.
    pub application_name: Arc<str>,
    /// Its currency.
    pub currency: Currency,
    /// Credits less debits.
    pub balance: Amount,
    /// Sum of all debits.
    pub total_debited: Amount,
    /// Sum of all credits.
    pub total_credited: Amount,
    /// When it was made.
    pub created_at: Instant,
    /// When it was last booked on, or made.
    pub updated_at: Instant,
}

/// One entry of a statement (`idaas.md` 11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryRow {
    /// Its id, made from the payment's id and the side.
    pub id: EntryId,
    /// Its number on this wallet; the first is 1.
    pub number: u64,
    /// Where its booking stands in the log.
    pub position: Position,
    /// The payment.
    pub transaction: TransactionId,
    /// The payment's reference.
    pub reference: Reference,
    /// Debit: the wallet's application sent. Credit: it received.
    pub side: Side,
    /// How much; above zero.
    pub amount: Amount,
    /// In which currency.
    pub currency: Currency,
    /// The balance before it.
    pub opening_balance: Amount,
    /// The balance after it.
    pub closing_balance: Amount,
    /// `Credit from alice (WalletApp) to bob (ShopApp) — NGN 1500.0000`.
    pub description: String,
    /// When it was booked.
    pub created_at: Instant,
}

/// How a settlement went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SettlementStatus {
    /// It is final.
    Completed,
    /// It may be run again.
    Failed,
}

impl SettlementStatus {
    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            SettlementStatus::Completed => "COMPLETED",
            SettlementStatus::Failed => "FAILED",
        }
    }
}

/// A settlement record of one date and currency (`idaas.md` 12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementRow {
    /// Its id.
    pub id: SettlementId,
    /// The settlement date.
    pub date: Date,
    /// The currency.
    pub currency: Currency,
    /// How it went.
    pub status: SettlementStatus,
    /// Why it failed.
    pub error: Option<String>,
    /// Sum of all credits.
    pub total_credited: Amount,
    /// Sum of all debits.
    pub total_debited: Amount,
    /// Payments in the batch.
    pub transaction_count: u64,
    /// Wallets in the batch.
    pub application_count: u64,
    /// Positions of the first and the last booking of the batch, inclusive.
    pub cut: Option<(Position, Position)>,
    /// When it was made.
    pub created_at: Instant,
    /// One line per wallet, by application. Empty in lists.
    pub entries: Vec<SettlementEntryRow>,
}

/// One wallet's line of a settlement record (`idaas.md` 12).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettlementEntryRow {
    /// Its id, made from the record's id and the application.
    pub id: SettlementEntryId,
    /// Whose wallet.
    pub application: ApplicationId,
    /// The name of that application.
    pub application_name: Arc<str>,
    /// Which wallet.
    pub wallet: WalletId,
    /// In which currency.
    pub currency: Currency,
    /// Sum of its credits.
    pub total_credited: Amount,
    /// Sum of its debits.
    pub total_debited: Amount,
    /// Credits less debits.
    pub net_amount: Amount,
    /// The balance before its first entry of the batch.
    pub opening_balance: Amount,
    /// The balance after its last.
    pub closing_balance: Amount,
    /// How many payments touched it.
    pub transaction_count: u64,
    /// When it was made.
    pub created_at: Instant,
}

/// A claim with what is shown around it (`idaas.md` 7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClaimRow {
    /// The claim.
    pub claim: Claim,
    /// The number of its consent token.
    pub token: TokenHash,
    /// The tag's local name.
    pub tag_local: Arc<str>,
    /// The tag's qualified address.
    pub tag_address: Arc<str>,
    /// The application that owns the tag now.
    pub tag_application: ApplicationId,
    /// The name of the subject that owns the tag now, sealed.
    pub owner_name: Option<Personal>,
    /// What the requesting application calls its subject.
    pub external_id: Arc<str>,
    /// The name of the requesting subject, sealed.
    pub subject_name: Option<Personal>,
    /// The name of the requesting application.
    pub application_name: Arc<str>,
}

/// A federated identity: all links of one tag (`idaas.md` 8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FederationRow {
    /// Its id.
    pub id: FederationId,
    /// The tag.
    pub tag: TagId,
    /// The tag's qualified address.
    pub tag_address: Arc<str>,
    /// The application that owns the tag now.
    pub tag_application: ApplicationId,
    /// Its links, oldest first; at least one.
    pub links: Vec<LinkRow>,
    /// When the first of them was begun.
    pub created_at: Instant,
}

/// One link of a federated identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkRow {
    /// Its id.
    pub id: LinkId,
    /// The other name.
    pub linked: Arc<str>,
    /// The application that owns the other tag now, where it is one of this ledger.
    pub linked_application: Option<ApplicationId>,
    /// Who began it.
    pub application: ApplicationId,
    /// Where it stands.
    pub status: LinkStatus,
    /// The name of the application that proved it.
    pub verified_by: Option<Arc<str>>,
    /// When it was begun.
    pub created_at: Instant,
}

/// A payment request with what is shown around it (`idaas.md` 19).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// The request.
    pub request: Request,
    /// The qualified address of the merchant's tag.
    pub payee_address: Arc<str>,
    /// The merchant's name.
    pub merchant_name: Arc<str>,
    /// The qualified address of the payer's tag.
    pub payer_address: Arc<str>,
    /// The name of the payer's owner, sealed.
    pub payer_name: Option<Personal>,
}

/// Several tags have this local name; their qualified addresses, sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambiguous(pub Vec<String>);

/// Which payments a list holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// Those whose sender tag was the application's.
    Sent(ApplicationId),
    /// Those whose receiver tag was the application's.
    Received(ApplicationId),
    /// Those that wait for the application's acceptance, without those whose time is up at the instant.
    Pending(ApplicationId, Instant),
}

/// A webhook record with everything around it (`idaas.md` 10.6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRow {
    /// The record.
    pub record: WebhookRecord,
    /// The payment that it tells of, as it stands now.
    pub payment: Payment,
    /// Its attempts, the first one first.
    pub attempts: Vec<AttemptRow>,
}

/// One attempt to deliver a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttemptRow {
    /// Which attempt; the first is 1.
    pub attempt: u8,
    /// The event that reports it.
    pub position: Position,
    /// When it began.
    pub at: Instant,
    /// What went wrong; nothing when it was delivered.
    pub error: Option<Arc<str>>,
}

/// Where a view stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewStatus {
    /// Its name.
    pub name: &'static str,
    /// The newest event in its rows.
    pub position: Position,
    /// Position and reason, when it met an event that it cannot apply.
    pub stopped: Option<String>,
}
