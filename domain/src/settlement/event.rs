//! Events of settlement. Field names stand in sorted order: it is the order in the log.

use serde::{Deserialize, Serialize};

use crate::event::{events, plain_body};
use crate::ids::{ApplicationId, Position, SettlementId, WalletId};
use crate::money::Amount;
use crate::time::Date;

/// Amounts with the four decimals of the IDaaS contract.
mod decimal {
    use serde::{Deserializer, Serializer};

    use crate::money::Amount;
    use crate::payments::SCALE;

    pub fn serialize<S: Serializer>(amount: &Amount, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(amount.text(SCALE).as_str())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        crate::text::read(deserializer, |text| Amount::parse(text, SCALE))
    }
}

/// One wallet's part of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Whose wallet.
    pub application: ApplicationId,
    /// The balance after its last entry of the batch.
    #[serde(with = "decimal")]
    pub closing_balance: Amount,
    /// The balance before its first entry of the batch.
    #[serde(with = "decimal")]
    pub opening_balance: Amount,
    /// Sum of its credits.
    #[serde(with = "decimal")]
    pub total_credited: Amount,
    /// Sum of its debits.
    #[serde(with = "decimal")]
    pub total_debited: Amount,
    /// How many payments touched it.
    #[serde(deserialize_with = "crate::text::whole")]
    pub transaction_count: u64,
    /// Which wallet.
    pub wallet: WalletId,
}

/// Some lines of a batch; a large batch has several such events before it is completed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lines {
    /// The lines, by application.
    pub lines: Vec<Line>,
}

/// The positions of the first and the last booking of a batch, inclusive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cut {
    /// The first.
    pub from: Position,
    /// The last.
    pub to: Position,
}

/// A date is settled in one currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Completed {
    /// How many wallets took part.
    #[serde(deserialize_with = "crate::text::whole")]
    pub application_count: u64,
    /// The currency code.
    pub currency: String,
    /// Where its entries stand in the log; absent if it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// The settlement date.
    pub date: Date,
    /// Sum of all credits.
    #[serde(with = "decimal")]
    pub total_credited: Amount,
    /// Sum of all debits.
    #[serde(with = "decimal")]
    pub total_debited: Amount,
    /// How many payments it holds, each counted once.
    #[serde(deserialize_with = "crate::text::whole")]
    pub transaction_count: u64,
}

/// A date could not be settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// The currency code.
    pub currency: String,
    /// The settlement date.
    pub date: Date,
    /// Why.
    pub error: String,
}

plain_body! { Lines; Completed; Failed; }

events! {
    /// What happens to settlement records.
    SettlementEvent {
        /// Lines of the record that the same command completes.
        Lines(Settlement SettlementId, Lines) = "settlement.lines";
        /// The record is complete.
        Completed(Settlement SettlementId, Completed) = "settlement.completed";
        /// The run failed.
        Failed(Settlement SettlementId, Failed) = "settlement.failed";
    }
}
