//! Every answer as of a position against a naive fold of the events up to it, on random histories.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod naive;
mod opened;

use flexledger_domain::testing::{Dice, World};
use flexledger_domain::{Instant, Position};
use flexledger_projections::{Views, audit};
use flexledger_replay::as_of::{AsOfError, Question, answer};
use flexledger_replay::bisect::bisect;
use flexledger_replay::moment::Moment;
use naive::{Naive, ask, decimal, unknown, whole};
use opened::opened;
use proptest::prelude::*;
use serde_json::{Value, json};

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
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

/// Columns that rows are found by: where one is damaged, its row is not there. The others are sealed.
const FOUND_BY: [(&str, &str); 10] = [
    ("statement_accounts", "application"),
    ("statement_accounts", "currency"),
    ("tags", "position"),
    ("tags", "local"),
    ("tags", "handle"),
    ("tag_changes", "position"),
    ("tag_changes", "tag"),
    ("settlements", "date"),
    ("settlements", "outcome"),
    ("settlement_failures", "date"),
];

/// All answers at a position that a history has.
async fn all_answers(views: &Views, world: &World, at: Position) -> Vec<(String, Result<Value, AsOfError>)> {
    let naive = Naive::of(&world.history[..usize::try_from(at.number()).expect("it fits")]);
    let mut questions: Vec<(&str, Option<String>, &str)> =
        ["wallets", "tags", "settlement", "balances", "trial-balance"].map(|view| (view, None, "NGN")).to_vec();
    questions.extend(naive.made.iter().map(|(id, currency)| ("statement", Some(id.clone()), currency.as_str())));
    questions.extend(naive.names.keys().map(|id| ("wallets", Some(id.clone()), "NGN")));
    questions.extend(naive.payments.keys().map(|reference| ("transactions", Some(reference.clone()), "NGN")));
    let mut answers = Vec::new();
    for (view, key, currency) in questions {
        let parameters: &[(&str, &str)] = if view == "statement" { &[("currency", currency)] } else { &[] };
        answers.push((format!("{view} {key:?} {currency}"), ask(views, at, view, key.as_deref(), parameters).await));
    }
    answers
}

/// Every cell of rows that answers are made of, changed by hand: each answer is what it was, or an error.
#[test]
fn a_damaged_cell_is_an_error_and_never_another_answer() {
    run(async {
        let world = World::random(21, 220);
        let (place, _store, views) = opened(&world).await;
        let at = Position::new(world.history.len() as u64 * 3 / 4);
        let right = all_answers(&views, &world, at).await;
        let path = place.path().join("v.db");
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path);
        let mut other =
            <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.expect("a connection");
        let mut change = async |sql: String| sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut other).await;
        let (mut found, mut damaged) = (0, 0);
        for table in audit::names().flat_map(audit::tables).filter(|table| !table.seals.is_empty()) {
            let name = table.name;
            for (column, next) in table.columns.iter().zip(1..).skip(1).map(|(column, next)| (column.name, next)) {
                for row in ["min", "max"] {
                    let key = table.columns[0].name;
                    let copy = format!(
                        "CREATE TABLE saved AS SELECT * FROM {name} WHERE {key} = (SELECT {row}({key}) FROM {name})"
                    );
                    change(copy).await.expect("a copy");
                    let other_value = format!(
                        "CASE typeof({column}) WHEN 'text' THEN '7.0000' WHEN 'blob' THEN zeroblob(15) || X'0{next:X}' ELSE coalesce({column}, 0) + {next} END"
                    );
                    let update =
                        format!("UPDATE {name} SET {column} = {other_value} WHERE {key} = (SELECT {key} FROM saved)");
                    // Some must be unique and are left.
                    damaged += change(update).await.map_or(0, |done| done.rows_affected());
                    for ((question, now), (_, before)) in all_answers(&views, &world, at).await.iter().zip(&right) {
                        let what = format!("{name}.{column}: {question}: {now:?}");
                        match now {
                            Ok(_) if FOUND_BY.contains(&(name, column)) => {}
                            Ok(now) => assert_eq!(Some(now), before.as_ref().ok(), "{what}"),
                            Err(AsOfError::Unknown(_)) => assert!(FOUND_BY.contains(&(name, column)), "{what}"),
                            Err(_) => found += 1,
                        }
                    }
                    change(format!("INSERT OR REPLACE INTO {name} SELECT * FROM saved")).await.expect("mended");
                    change("DROP TABLE saved".to_owned()).await.expect("no copy");
                }
            }
        }
        assert!(damaged > 80 && found > 200, "{damaged} cells damaged, {found} answers refused");
        for ((question, now), (_, before)) in all_answers(&views, &world, at).await.iter().zip(&right) {
            assert_eq!(now.as_ref().ok(), before.as_ref().ok(), "{question}");
        }
    });
}

/// An entry that seems to come after the moment, or before it, is no way to another balance.
#[test]
fn a_damaged_position_leads_to_no_other_entry() {
    run(async {
        let world = World::random(22, 160);
        let (place, _store, views) = opened(&world).await;
        let at = Position::new(world.history.len() as u64 / 2);
        let right = all_answers(&views, &world, at).await;
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.path().join("v.db"));
        let mut other =
            <sqlx::SqliteConnection as sqlx::Connection>::connect_with(&options).await.expect("a connection");
        let sql = "SELECT number, position FROM entries";
        let entries: Vec<(i64, i64)> = sqlx::query_as(sql).fetch_all(&mut other).await.expect("entries");
        let mut refused = 0;
        for (number, position) in entries {
            for wrong in [position + 1_000_000, 1] {
                let mut set = async |position: i64| {
                    let sql = "UPDATE entries SET position = ? WHERE number = ?";
                    sqlx::query(sql).bind(position).bind(number).execute(&mut other).await.expect("a position");
                };
                set(wrong).await;
                for ((question, now), (_, before)) in all_answers(&views, &world, at).await.iter().zip(&right) {
                    match now {
                        Ok(now) => assert_eq!(Some(now), before.as_ref().ok(), "{number} at {wrong}: {question}"),
                        Err(_) => refused += 1,
                    }
                }
                set(position).await;
            }
        }
        assert!(refused > 0);
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
