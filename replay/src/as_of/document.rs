//! The shapes of the answers: snake case, exact decimals as text, instants with microseconds.

use flexledger_domain::books::{Account, Side};
use flexledger_domain::money::{Amount, Currency};
use flexledger_domain::payments::SCALE;
use flexledger_projections::{AccountAsOf, EntryAsOf, PaymentAsOf, SettlementRow, TagAsOf};
use serde::Serialize;

fn text(amount: Amount) -> String {
    amount.text(SCALE).as_str().to_owned()
}

/// One answer; each form is one document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// Of `wallets`.
    Wallets {
        /// After which event.
        position: u64,
        /// By application and currency.
        wallets: Vec<Wallet>,
    },
    /// Of `statement`.
    Statement {
        /// After which event.
        position: u64,
        /// Oldest first.
        entries: Vec<Entry>,
        /// Where the list goes on.
        next: Option<String>,
    },
    /// Of `tags`.
    Tags {
        /// After which event.
        position: u64,
        /// In the order in which they were made.
        tags: Vec<Tag>,
        /// Where the list goes on.
        next: Option<String>,
    },
    /// Of `settlement`.
    Settlements {
        /// After which event.
        position: u64,
        /// By date and currency.
        settlements: Vec<Settlement>,
    },
    /// Of `transactions`.
    Transaction(Box<Transaction>),
    /// Of `balances`.
    Balances {
        /// After which event.
        position: u64,
        /// In the order in which the accounts were made.
        balances: Vec<AccountBalance>,
        /// Where the list goes on.
        next: Option<String>,
    },
    /// Of `trial-balance`.
    TrialBalance {
        /// After which event.
        position: u64,
        /// By currency.
        currencies: Vec<CurrencyBalance>,
    },
}

/// What a wallet held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Wallet {
    /// Whose.
    pub application_id: String,
    /// Its name.
    pub application_name: String,
    /// Its currency.
    pub currency: String,
    /// Credits less debits.
    pub balance: String,
    /// Sum of debits.
    pub total_debited: String,
    /// Sum of credits.
    pub total_credited: String,
}

impl Wallet {
    pub(crate) fn of(row: &AccountAsOf) -> Self {
        Wallet {
            application_id: row.application.to_string(),
            application_name: row.application_name.to_string(),
            currency: row.currency.code().to_owned(),
            balance: text(row.balance),
            total_debited: text(row.total_debited),
            total_credited: text(row.total_credited),
        }
    }
}

/// An entry of a statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Where its booking stands.
    pub position: u64,
    /// The payment.
    pub transaction_reference: String,
    /// `DEBIT` or `CREDIT`.
    pub entry_type: &'static str,
    /// In which currency.
    pub currency: String,
    /// How much.
    pub amount: String,
    /// The balance before it.
    pub opening_balance: String,
    /// The balance after it.
    pub closing_balance: String,
    /// When it was booked.
    pub created_at: String,
}

impl Entry {
    pub(crate) fn of(row: &EntryAsOf, currency: &Currency) -> Self {
        Entry {
            position: row.position.number(),
            transaction_reference: row.reference.to_string(),
            entry_type: match row.side {
                Side::Debit => "DEBIT",
                Side::Credit => "CREDIT",
            },
            currency: currency.code().to_owned(),
            amount: text(row.amount),
            opening_balance: text(row.opening_balance),
            closing_balance: text(row.closing_balance),
            created_at: row.created_at.to_string(),
        }
    }
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tag {
    /// Its id.
    pub id: String,
    /// `alice@walletapp`
    pub qualified_address: String,
    /// `ACTIVE` or `DISABLED`.
    pub status: &'static str,
    /// Who owned it.
    pub owner_subject_id: String,
    /// The application that acted for it.
    pub owner_application_id: String,
}

impl Tag {
    pub(crate) fn of(row: &TagAsOf) -> Self {
        Tag {
            id: row.id.to_string(),
            qualified_address: row.address.as_str().to_owned(),
            status: if row.active { "ACTIVE" } else { "DISABLED" },
            owner_subject_id: row.owner.to_string(),
            owner_application_id: row.owner_application.to_string(),
        }
    }
}

/// A settlement record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settlement {
    /// Its id.
    pub id: String,
    /// The date that was settled.
    pub settlement_date: String,
    /// In which currency.
    pub currency: String,
    /// `COMPLETED` or `FAILED`.
    pub status: &'static str,
    /// Sum of credits.
    pub total_credited: String,
    /// Sum of debits.
    pub total_debited: String,
    /// How many payments.
    pub transaction_count: u64,
    /// How many wallets.
    pub application_count: u64,
    /// The first and the last booking, inclusive; null when it has none.
    pub cut: Option<Cut>,
    /// One line per wallet, by application.
    pub entries: Vec<SettlementLine>,
}

/// Positions of the first and the last booking of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The first.
    pub from: u64,
    /// The last.
    pub to: u64,
}

/// A wallet's line of a settlement record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettlementLine {
    /// Whose wallet.
    pub application_id: String,
    /// Sum of its credits.
    pub total_credited: String,
    /// Sum of its debits.
    pub total_debited: String,
    /// Credits less debits.
    pub net_amount: String,
    /// Before its first entry of the batch.
    pub opening_balance: String,
    /// After its last.
    pub closing_balance: String,
    /// How many payments touched it.
    pub transaction_count: u64,
}

impl Settlement {
    pub(crate) fn of(row: &SettlementRow) -> Self {
        let line = |line: &flexledger_projections::SettlementEntryRow| SettlementLine {
            application_id: line.application.to_string(),
            total_credited: text(line.total_credited),
            total_debited: text(line.total_debited),
            net_amount: text(line.net_amount),
            opening_balance: text(line.opening_balance),
            closing_balance: text(line.closing_balance),
            transaction_count: line.transaction_count,
        };
        Settlement {
            id: row.id.to_string(),
            settlement_date: row.date.to_string(),
            currency: row.currency.code().to_owned(),
            status: row.status.name(),
            total_credited: text(row.total_credited),
            total_debited: text(row.total_debited),
            transaction_count: row.transaction_count,
            application_count: row.application_count,
            cut: row.cut.map(|(from, to)| Cut { from: from.number(), to: to.number() }),
            entries: row.entries.iter().map(line).collect(),
        }
    }
}

/// A payment. Its narration and reason are personal text and stay out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Transaction {
    /// After which event.
    pub position: u64,
    /// Its reference.
    pub reference: String,
    /// Its id.
    pub id: String,
    /// Its state.
    pub status: &'static str,
    /// How much.
    pub amount: String,
    /// In which currency.
    pub currency: String,
    /// The tag that sends.
    pub sender_tag: String,
    /// The tag that receives.
    pub receiver_tag: String,
    /// The application that acts for the sender.
    pub sender_application_id: String,
    /// The application that acts for the receiver.
    pub receiver_application_id: String,
    /// When it was initiated.
    pub created_at: String,
    /// When it last changed.
    pub updated_at: String,
    /// Until when it could be accepted.
    pub expires_at: String,
    /// Where its first event stands.
    pub initiated_position: u64,
    /// Where the event stands that ended it; null while it is open.
    pub outcome_position: Option<u64>,
}

impl Transaction {
    pub(crate) fn of(position: u64, found: &PaymentAsOf) -> Self {
        let payment = &found.payment;
        Transaction {
            position,
            reference: payment.reference.to_string(),
            id: payment.id.to_string(),
            status: payment.status.name(),
            amount: text(payment.money.amount),
            currency: payment.money.currency.code().to_owned(),
            sender_tag: payment.sender.tag.as_str().to_owned(),
            receiver_tag: payment.receiver.tag.as_str().to_owned(),
            sender_application_id: payment.sender.application.to_string(),
            receiver_application_id: payment.receiver.application.to_string(),
            created_at: payment.created_at.to_string(),
            updated_at: payment.updated_at.to_string(),
            expires_at: payment.expires_at.to_string(),
            initiated_position: payment.reference.position().number(),
            outcome_position: found.outcome.map(flexledger_domain::Position::number),
        }
    }
}

/// What an account held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AccountBalance {
    /// Its name, such as `idaas/wallet/<application id>`.
    pub account: String,
    /// Its currency.
    pub currency: String,
    /// Credits less debits.
    pub balance: String,
}

impl AccountBalance {
    pub(crate) fn of(row: &AccountAsOf) -> Self {
        AccountBalance {
            account: Account::Wallet(row.application).to_string(),
            currency: row.currency.code().to_owned(),
            balance: text(row.balance),
        }
    }
}

/// Debits and credits of one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CurrencyBalance {
    /// The currency.
    pub currency: String,
    /// Sum of debits.
    pub debit: String,
    /// Sum of credits.
    pub credit: String,
}
