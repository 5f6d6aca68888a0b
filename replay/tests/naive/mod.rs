//! A naive fold of a history, and the questions that it answers.

use std::collections::BTreeMap;

use flexledger_domain::books::Side;
use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::testing::Dice;
use flexledger_domain::{Event, Position, Recorded};
use flexledger_projections::Views;
use flexledger_replay::as_of::{AsOfError, Question, answer};
use serde_json::{Value, json};

/// Everything that the documents tell, folded the plain way: one event after another, all of it in maps.
#[derive(Default)]
pub struct Naive {
    pub names: BTreeMap<String, String>,
    /// (application, currency) to (debited, credited), in smallest units.
    pub wallets: BTreeMap<(String, String), (i128, i128)>,
    pub made: Vec<(String, String)>,
    pub entries: BTreeMap<(String, String), Vec<Value>>,
    pub tags: Vec<Value>,
    pub payments: BTreeMap<String, Value>,
    pub lines: BTreeMap<String, Vec<Value>>,
    pub settlements: BTreeMap<(String, String), Value>,
}

pub fn decimal(minor: i128) -> String {
    let (sign, size) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    assert_eq!(SCALE, 4);
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
}

impl Naive {
    pub fn of(history: &[Recorded]) -> Naive {
        let mut naive = Naive::default();
        history.iter().for_each(|recorded| naive.fold(recorded));
        naive
    }

    pub fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Identity(event) => self.identity(event),
            Event::Payment(event) => self.payment(event, recorded),
            Event::Settlement(event) => self.settlement(event),
            _ => {}
        }
    }

    pub fn identity(&mut self, event: &IdentityEvent) {
        match event {
            IdentityEvent::ApplicationRegistered(id, body) => {
                self.names.insert(id.to_string(), body.name.to_string());
            }
            IdentityEvent::TagCreated(id, body) => self.tags.push(json!({
                "id": id.to_string(),
                "qualified_address": format!("{}@{}", body.local, body.handle),
                "status": "ACTIVE",
                "owner_subject_id": body.owner.to_string(),
                "owner_application_id": body.application.to_string(),
            })),
            IdentityEvent::TagDisabled(id, _) => self.tag(&id.to_string())["status"] = "DISABLED".into(),
            IdentityEvent::TagEnabled(id, _) => self.tag(&id.to_string())["status"] = "ACTIVE".into(),
            IdentityEvent::TagTransferred(id, body) => {
                let tag = self.tag(&id.to_string());
                tag["owner_subject_id"] = body.owner.to_string().into();
                tag["owner_application_id"] = body.application.to_string().into();
            }
            _ => {}
        }
    }

    pub fn tag(&mut self, id: &str) -> &mut Value {
        self.tags.iter_mut().find(|tag| tag["id"] == id).expect("a tag that was made")
    }

    pub fn payment(&mut self, event: &PaymentEvent, recorded: &Recorded) {
        let at = recorded.recorded_at.to_string();
        let (reference, status) = match event {
            PaymentEvent::WalletProvisioned(_, body) => {
                let key = (body.application.to_string(), body.currency.clone());
                self.wallets.insert(key.clone(), (0, 0));
                self.made.push(key);
                return;
            }
            PaymentEvent::Initiated(reference, body) => {
                let payment = json!({
                    "reference": reference.to_string(), "id": body.id.to_string(), "status": "AWAITING_ACCEPTANCE",
                    "amount": decimal(body.money.amount.minor()), "currency": body.money.currency.code(),
                    "sender_tag": body.sender.tag.as_str(), "receiver_tag": body.receiver.tag.as_str(),
                    "sender_application_id": body.sender.application.to_string(),
                    "receiver_application_id": body.receiver.application.to_string(),
                    "created_at": at, "updated_at": at, "expires_at": body.expires_at.to_string(),
                    "initiated_position": recorded.position.number(), "outcome_position": null,
                });
                self.payments.insert(reference.to_string(), payment);
                return;
            }
            PaymentEvent::Accepted(reference, _) => (reference, "COMPLETED"),
            PaymentEvent::Rejected(reference, _) => (reference, "REJECTED"),
            PaymentEvent::Expired(reference, _) => (reference, "EXPIRED"),
        };
        let payment = self.payments.get_mut(&reference.to_string()).expect("initiated");
        payment["status"] = status.into();
        payment["updated_at"] = at.into();
        payment["outcome_position"] = recorded.position.number().into();
        self.book(&reference.to_string(), recorded);
    }

    pub fn book(&mut self, reference: &str, recorded: &Recorded) {
        let postings = recorded.event.journal().map(|journal| journal.postings().to_vec()).unwrap_or_default();
        for posting in postings {
            let application = posting.account.wallet().expect("wallets only").to_string();
            let key = (application, posting.money.currency.code().to_owned());
            let (debited, credited) = self.wallets.get_mut(&key).expect("provisioned");
            let (before, minor) = (*credited - *debited, posting.money.amount.minor());
            let word = match posting.side {
                Side::Debit => {
                    *debited += minor;
                    "DEBIT"
                }
                Side::Credit => {
                    *credited += minor;
                    "CREDIT"
                }
            };
            let after = *credited - *debited;
            let entry = json!({
                "position": recorded.position.number(), "transaction_reference": reference, "entry_type": word,
                "currency": key.1, "amount": decimal(minor), "opening_balance": decimal(before),
                "closing_balance": decimal(after), "created_at": recorded.recorded_at.to_string(),
            });
            self.entries.entry(key).or_default().push(entry);
        }
    }

    pub fn settlement(&mut self, event: &SettlementEvent) {
        match event {
            SettlementEvent::Lines(id, body) => {
                let lines = body.lines.iter().map(|line| {
                    json!({
                        "application_id": line.application.to_string(),
                        "total_credited": decimal(line.total_credited.minor()),
                        "total_debited": decimal(line.total_debited.minor()),
                        "net_amount": decimal(line.total_credited.minor() - line.total_debited.minor()),
                        "opening_balance": decimal(line.opening_balance.minor()),
                        "closing_balance": decimal(line.closing_balance.minor()),
                        "transaction_count": line.transaction_count,
                    })
                });
                self.lines.entry(id.to_string()).or_default().extend(lines);
            }
            SettlementEvent::Completed(id, body) => {
                let cut = body.cut.map(|cut| json!({"from": cut.from.number(), "to": cut.to.number()}));
                let record = json!({
                    "id": id.to_string(), "settlement_date": body.date.to_string(), "currency": body.currency,
                    "status": "COMPLETED", "total_credited": decimal(body.total_credited.minor()),
                    "total_debited": decimal(body.total_debited.minor()),
                    "transaction_count": body.transaction_count, "application_count": body.application_count,
                    "cut": cut, "entries": self.lines.get(&id.to_string()).cloned().unwrap_or_default(),
                });
                self.settlements.insert((body.date.to_string(), body.currency.clone()), record);
            }
            SettlementEvent::Failed(id, body) => {
                let record = json!({
                    "id": id.to_string(), "settlement_date": body.date.to_string(), "currency": body.currency,
                    "status": "FAILED", "total_credited": decimal(0), "total_debited": decimal(0),
                    "transaction_count": 0, "application_count": 0, "cut": null, "entries": [],
                });
                self.settlements.insert((body.date.to_string(), body.currency.clone()), record);
            }
        }
    }

    pub fn wallets(&self, of: Option<&str>) -> Vec<Value> {
        let mine = self.wallets.iter().filter(|((application, _), _)| of.is_none_or(|of| of == application));
        let wallet = |((application, currency), (debited, credited)): (&(String, String), &(i128, i128))| {
            json!({
                "application_id": application, "application_name": self.names[application], "currency": currency,
                "balance": decimal(credited - debited), "total_debited": decimal(*debited),
                "total_credited": decimal(*credited),
            })
        };
        mine.map(wallet).collect()
    }

    pub fn balances(&self) -> Vec<Value> {
        let balance = |key: &(String, String)| {
            let (debited, credited) = self.wallets[key];
            json!({"account": format!("idaas/wallet/{}", key.0), "currency": key.1, "balance": decimal(credited - debited)})
        };
        self.made.iter().map(balance).collect()
    }

    pub fn trial_balance(&self) -> Vec<Value> {
        let mut sums: BTreeMap<&str, (i128, i128)> = BTreeMap::new();
        for ((_, currency), (debited, credited)) in &self.wallets {
            let sum = sums.entry(currency).or_default();
            *sum = (sum.0 + debited, sum.1 + credited);
        }
        sums.retain(|_, sum| *sum != (0, 0));
        let row = |(currency, (debit, credit)): (&str, (i128, i128))| {
            assert_eq!(debit, credit);
            json!({"currency": currency, "debit": decimal(debit), "credit": decimal(credit)})
        };
        sums.into_iter().map(row).collect()
    }
}

/// Asks in words, as both surfaces do.
pub async fn ask(
    views: &Views,
    at: Position,
    view: &str,
    key: Option<&str>,
    parameters: &[(&str, &str)],
) -> Result<Value, AsOfError> {
    let find = |name: &str| parameters.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let question = Question::read(view, key, find).expect("a question");
    answer(views, at, &question).await.map(|answer| serde_json::to_value(answer).expect("a document"))
}

pub fn unknown(answer: Result<Value, AsOfError>) -> bool {
    matches!(answer, Err(AsOfError::Unknown(_)))
}

/// A whole list, read in pages of random sizes.
pub async fn whole(
    views: &Views,
    at: Position,
    asked: (&str, Option<&str>, &str),
    currency: &str,
    dice: &mut Dice,
) -> Vec<Value> {
    let (view, key, member) = asked;
    let mut all = Vec::new();
    let mut from: Option<String> = None;
    loop {
        let limit = (1 + dice.below(9)).to_string();
        let mut parameters = vec![("limit", limit.as_str()), ("currency", currency)];
        parameters.extend(from.as_deref().map(|from| ("from", from)));
        let page = ask(views, at, view, key, &parameters).await.expect("a page");
        assert_eq!(page["position"], at.number());
        let rows = page[member].as_array().expect("rows");
        assert!(rows.len() <= limit.parse().expect("a number"));
        all.extend(rows.clone());
        from = page["next"].as_str().map(str::to_owned);
        if from.is_none() {
            return all;
        }
        assert!(!rows.is_empty(), "a page that goes on holds something");
    }
}
