//! Every answer as of a position against a naive fold of the events up to it, on random histories.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;

use flexledger_domain::books::Side;
use flexledger_domain::identity::IdentityEvent;
use flexledger_domain::payments::{PaymentEvent, SCALE};
use flexledger_domain::settlement::SettlementEvent;
use flexledger_domain::testing::{Dice, World};
use flexledger_domain::{Event, Instant, Position, Recorded};
use flexledger_eventstore::hash::{Hash, chain_hash, leaf_hash};
use flexledger_eventstore::{Batch, EventStore, MemoryStore, Record, record};
use flexledger_projections::Views;
use flexledger_replay::as_of::{AsOfError, Question, answer};
use flexledger_replay::bisect::bisect;
use flexledger_replay::moment::Moment;
use proptest::prelude::*;
use serde_json::{Value, json};

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
}

async fn opened(world: &World) -> (tempfile::TempDir, Arc<dyn EventStore>, Views) {
    let mut hash = Hash::default();
    let records = world.history.iter().map(|recorded| {
        let mut bytes = Vec::new();
        record::encode(recorded, &mut bytes).expect("a sealed event");
        hash = chain_hash(hash, leaf_hash(&bytes));
        Record { position: recorded.position, bytes, hash }
    });
    let store = MemoryStore::new();
    let batch = Batch { records: records.collect(), keys: Vec::new() };
    store.append(Position::START, batch).await.expect("an empty log");
    let store: Arc<dyn EventStore> = Arc::new(store);
    let place = tempfile::tempdir().expect("a directory");
    let views = Views::open(&format!("sqlite:{}", place.path().join("v.db").display()), &[]).await.expect("views");
    views.fill(&store, Position::MAX).await.expect("a sound history");
    (place, store, views)
}

/// Everything that the documents tell, folded the plain way: one event after another, all of it in maps.
#[derive(Default)]
struct Naive {
    names: BTreeMap<String, String>,
    /// (application, currency) to (debited, credited), in smallest units.
    wallets: BTreeMap<(String, String), (i128, i128)>,
    made: Vec<(String, String)>,
    entries: BTreeMap<(String, String), Vec<Value>>,
    tags: Vec<Value>,
    payments: BTreeMap<String, Value>,
    lines: BTreeMap<String, Vec<Value>>,
    settlements: BTreeMap<(String, String), Value>,
}

fn decimal(minor: i128) -> String {
    let (sign, size) = (if minor < 0 { "-" } else { "" }, minor.unsigned_abs());
    assert_eq!(SCALE, 4);
    format!("{sign}{}.{:04}", size / 10_000, size % 10_000)
}

impl Naive {
    fn of(history: &[Recorded]) -> Naive {
        let mut naive = Naive::default();
        history.iter().for_each(|recorded| naive.fold(recorded));
        naive
    }

    fn fold(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Identity(event) => self.identity(event),
            Event::Payment(event) => self.payment(event, recorded),
            Event::Settlement(event) => self.settlement(event),
            _ => {}
        }
    }

    fn identity(&mut self, event: &IdentityEvent) {
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

    fn tag(&mut self, id: &str) -> &mut Value {
        self.tags.iter_mut().find(|tag| tag["id"] == id).expect("a tag that was made")
    }

    fn payment(&mut self, event: &PaymentEvent, recorded: &Recorded) {
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

    fn book(&mut self, reference: &str, recorded: &Recorded) {
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

    fn settlement(&mut self, event: &SettlementEvent) {
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

    fn wallets(&self, of: Option<&str>) -> Vec<Value> {
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

    fn balances(&self) -> Vec<Value> {
        let balance = |key: &(String, String)| {
            let (debited, credited) = self.wallets[key];
            json!({"account": format!("idaas/wallet/{}", key.0), "currency": key.1, "balance": decimal(credited - debited)})
        };
        self.made.iter().map(balance).collect()
    }

    fn trial_balance(&self) -> Vec<Value> {
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
async fn ask(
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

fn unknown(answer: Result<Value, AsOfError>) -> bool {
    matches!(answer, Err(AsOfError::Unknown(_)))
}

/// A whole list, read in pages of random sizes.
async fn whole(
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

async fn check(views: &Views, world: &World, at: Position, dice: &mut Dice) {
    let naive = Naive::of(&world.history[..usize::try_from(at.number()).expect("few")]);
    let last = Naive::of(&world.history);
    let p = at.number();
    let wallets = ask(views, at, "wallets", None, &[]).await.expect("wallets");
    assert_eq!(wallets, json!({"position": p, "wallets": naive.wallets(None)}));
    for id in last.names.keys() {
        let one = ask(views, at, "wallets", Some(id), &[]).await;
        let statement = ask(views, at, "statement", Some(id), &[]).await;
        if !naive.names.contains_key(id) {
            assert!(unknown(one) && unknown(statement));
            continue;
        }
        assert_eq!(one.expect("known"), json!({"position": p, "wallets": naive.wallets(Some(id))}));
        for currency in ["NGN", "USD"] {
            let entries = whole(views, at, ("statement", Some(id), "entries"), currency, dice).await;
            let expected = naive.entries.get(&(id.clone(), currency.to_owned())).cloned().unwrap_or_default();
            assert_eq!(entries, expected);
        }
    }
    assert_eq!(whole(views, at, ("tags", None, "tags"), "NGN", dice).await, naive.tags);
    for tag in &last.tags {
        let expected = naive.tags.iter().find(|known| known["id"] == tag["id"]);
        for key in ["id", "qualified_address"] {
            let found = ask(views, at, "tags", tag[key].as_str(), &[]).await;
            match expected {
                Some(expected) => {
                    assert_eq!(found.expect("known"), json!({"position": p, "tags": [expected], "next": null}));
                }
                None => assert!(unknown(found)),
            }
        }
    }
    for reference in last.payments.keys() {
        let found = ask(views, at, "transactions", Some(reference), &[]).await;
        match naive.payments.get(reference) {
            Some(expected) => {
                let mut expected = expected.clone();
                expected["position"] = p.into();
                assert_eq!(found.expect("known"), expected);
            }
            None => assert!(unknown(found)),
        }
    }
    let all: Vec<_> = naive.settlements.values().collect();
    let settlements = ask(views, at, "settlement", None, &[]).await.expect("settlements");
    assert_eq!(settlements, json!({"position": p, "settlements": all}));
    for (date, _) in last.settlements.keys() {
        let of_date: Vec<_> =
            naive.settlements.iter().filter(|((known, _), _)| known == date).map(|(_, record)| record).collect();
        let found = ask(views, at, "settlement", Some(date), &[]).await;
        match of_date.is_empty() {
            true => assert!(unknown(found)),
            false => assert_eq!(found.expect("known"), json!({"position": p, "settlements": of_date})),
        }
    }
    assert_eq!(whole(views, at, ("balances", None, "balances"), "NGN", dice).await, naive.balances());
    let trial = ask(views, at, "trial-balance", None, &[]).await.expect("sums");
    assert_eq!(trial, json!({"position": p, "currencies": naive.trial_balance()}));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn answers_are_those_of_a_naive_fold(seed: u64, steps in 1..220_usize) {
        run(async {
            let world = World::random(seed, steps);
            let (_place, _store, views) = opened(&world).await;
            let mut dice = Dice::new(seed);
            let end = world.history.len();
            for at in [0, dice.below(end + 1), dice.below(end + 1), dice.below(end + 1), end] {
                check(&views, &world, Position::new(at as u64), &mut dice).await;
            }
        });
    }

    #[test]
    fn an_instant_means_the_last_event_not_after_it(seed: u64, steps in 1..80_usize, shift in -2_i64..3) {
        run(async {
            let world = World::random(seed, steps);
            let (_place, store, _views) = opened(&world).await;
            let head = Position::new(world.history.len() as u64);
            for recorded in &world.history {
                let instant = Instant::from_micros(recorded.recorded_at.micros() + shift);
                let expected = world.history.iter().filter(|event| event.recorded_at <= instant).count() as u64;
                let found = Moment::Instant(instant).position(store.as_ref(), head, Instant::MAX).await;
                assert_eq!(found.expect("not in the future"), Position::new(expected));
            }
        });
    }
}

#[test]
fn views_that_do_not_reach_so_far_do_not_answer() {
    run(async {
        let world = World::random(3, 60);
        let (_place, _store, views) = opened(&world).await;
        let beyond = Position::new(world.history.len() as u64 + 1);
        for (view, key) in [("wallets", None), ("tags", None), ("settlement", None), ("trial-balance", None)] {
            let found = ask(&views, beyond, view, key, &[]).await;
            assert!(matches!(found, Err(AsOfError::Views(_))), "{view}");
        }
    });
}

/// The first position at which a figure of a wallet does not satisfy `good`.
fn first_failure(world: &World, wallet: &(String, String), good: impl Fn(i128, i128) -> bool) -> Option<u64> {
    let sums = |end: usize| Naive::of(&world.history[..end]).wallets.get(wallet).copied().unwrap_or_default();
    (0..=world.history.len()).find(|end| !good(sums(*end).0, sums(*end).1)).map(|end| end as u64)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn bisect_finds_the_first_failure(seed: u64, steps in 20..120_usize, bound in 0..3_000_000_000_i128) {
        run(async {
            let world = World::random(seed, steps);
            let (_place, store, views) = opened(&world).await;
            let to = Position::new(world.history.len() as u64);
            for wallet in Naive::of(&world.history).made {
                let (id, currency) = &wallet;
                let bound_text = decimal(bound);
                let upper = first_failure(&world, &wallet, |debited, _| debited <= bound);
                let lower = first_failure(&world, &wallet, |debited, credited| credited - debited >= -bound);
                for (text, method, expected) in [
                    (format!("wallet {id} {currency} total_debited <= {bound_text}"), "halving", upper),
                    (format!("wallet {id} {currency} balance >= -{bound_text}"), "scan", lower),
                    (format!("trial-balance {currency} debit = credit"), "scan", None),
                ] {
                    let assertion = text.parse().expect("an assertion");
                    let found = bisect(&views, &store, &assertion, to, &mut |_, _| {}).await.expect("an answer");
                    assert_eq!((found.position, found.method, found.holds), (expected, method, expected.is_none()), "{text}");
                    let place = found.event.as_ref().map(|event| event["position"].as_u64().expect("a number"));
                    assert_eq!(place, expected.filter(|position| *position > 0));
                }
            }
        });
    }
}

/// A wallet that is not there yet fails nothing, and one that nobody has is no answer.
#[test]
fn bisect_judges_what_is_there_and_refuses_what_is_unknown() {
    run(async {
        let world = (1..50)
            .map(|seed| World::random(seed, 80))
            .find(|world| Naive::of(&world.history).entries.values().any(|entries| !entries.is_empty()));
        let world = world.expect("a history with a booking");
        let (_place, store, views) = opened(&world).await;
        let to = Position::new(world.history.len() as u64);
        let naive = Naive::of(&world.history);
        let ((id, currency), entries) = naive.entries.iter().find(|(_, entries)| !entries.is_empty()).expect("one");
        let first = entries[0]["position"].as_u64();
        let ask = async |text: String, to| {
            let assertion = text.parse().expect("an assertion");
            bisect(&views, &store, &assertion, to, &mut |_, _| {}).await
        };
        // No wallet ever meets these: they fail after the first booking, by both methods.
        for figure in ["balance > 900000000000000", "total_debited < 0", "total_credited > 900000000000000"] {
            let found = ask(format!("wallet {id} {currency} {figure}"), to).await.expect("an answer");
            assert_eq!((found.holds, found.position), (false, first), "{figure}");
            assert!(found.event.is_some());
        }
        let nobody = "3fa85f64-5717-4562-b3fc-2c963f66afa6";
        for text in [
            format!("wallet {nobody} {currency} balance >= 0"),
            format!("wallet {id} XXX balance >= 0"),
            "wallets XXX balance >= 0".to_owned(),
            "trial-balance XXX debit = credit".to_owned(),
            "transactions TXN-00000001-00000000 status != REJECTED".to_owned(),
        ] {
            assert!(matches!(ask(text.clone(), to).await, Err(AsOfError::Unknown(_))), "{text}");
        }
        let early = ask(format!("wallet {id} {currency} balance >= 0"), Position::START).await;
        assert!(matches!(early, Err(AsOfError::Unknown(_))));
    });
}

/// A reader opens the views before it asks whether they reach so far, and whoever keeps them goes on in between.
#[test]
fn views_that_go_on_while_they_are_opened_answer() {
    run(async {
        let world = World::random(5, 80);
        let (_place, store, _) = opened(&world).await;
        let place = tempfile::tempdir().expect("a directory");
        let url = format!("sqlite:{}", place.path().join("v.db").display());
        let to = Position::new(world.history.len() as u64);
        let kept = Views::open(&url, &[]).await.expect("views");
        kept.fill(&store, Position::new(10)).await.expect("a sound history");
        let reader = Views::open_read_only(&url).await.expect("the same views");
        kept.fill(&store, to).await.expect("a sound history");
        assert!(reader.hold(store.as_ref(), to).await.expect("readable"));
        let question = Question::read("wallets", None, |_| None).expect("a question");
        assert!(answer(&reader, to, &question).await.is_ok());
    });
}
