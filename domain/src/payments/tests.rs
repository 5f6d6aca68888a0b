//! Scenarios and laws of payments, settlement and the books under them.

use std::collections::{BTreeMap, HashMap};

use proptest::prelude::*;

use crate::books::Side;
use crate::decision::Refusal as Any;
use crate::event::{Actor, Event, Recorded};
use crate::identity::{Handle, Local, SetTagActive, TagQuery};
use crate::ids::{ApplicationId, Reference};
use crate::ledger::Ledger;
use crate::payments::{Accept, Expire, PaymentEvent, Refusal, Reject, Status};
use crate::settlement::{RunSettlement, SettlementEvent};
use crate::testing::{World, booked};
use crate::time::Date;

/// Two applications with a tag each.
struct Pair {
    world: World,
    sender: ApplicationId,
    receiver: ApplicationId,
    alice: TagQuery,
    bob: TagQuery,
}

fn pair() -> Pair {
    let mut world = World::default();
    world.open_log();
    let mut join = |handle: &str, local: &str| {
        let id = world.application(&Handle::new(handle).unwrap()).unwrap();
        world.tag(id, &Local::new(local).unwrap()).unwrap();
        (id, TagQuery::parse(local).unwrap())
    };
    let (sender, alice) = join("walletapp", "alice");
    let (receiver, bob) = join("shopapp", "bob");
    Pair { world, sender, receiver, alice, bob }
}

impl Pair {
    fn initiate(&mut self, minor: i128) -> Reference {
        self.world.initiate(self.sender, (&self.alice, &self.bob), minor, "NGN").unwrap().reference
    }

    fn accept(&mut self, reference: Reference) -> Result<Status, Any> {
        self.world.give(&Accept { caller: self.receiver, reference }).map(|payment| payment.status)
    }
}

#[test]
fn an_accepted_payment_is_booked_once() {
    // Given an open payment, when it is accepted twice, then it is booked once and the repeat is not open.
    let mut pair = pair();
    let reference = pair.initiate(15_000_000);
    assert_eq!(pair.accept(reference), Ok(Status::Completed));
    assert_eq!(pair.accept(reference), Err(Refusal::NotOpen.into()));
    assert_eq!(booked(&pair.world.history), 1);
    assert_eq!(pair.world.ledger.payments.open_count(), 0);
}

#[test]
fn only_the_receiver_decides() {
    let mut pair = pair();
    let reference = pair.initiate(1);
    let refused = pair.world.give(&Accept { caller: pair.sender, reference });
    assert_eq!(refused.map(|_| ()), Err(Refusal::NotReceiver.into()));
    let refused = pair.world.give(&Reject { caller: pair.sender, reference, reason: None });
    assert_eq!(refused.map(|_| ()), Err(Refusal::NotReceiver.into()));
    assert_eq!(booked(&pair.world.history), 0);
}

#[test]
fn an_overdue_payment_expires_when_it_is_touched() {
    let mut pair = pair();
    let reference = pair.initiate(1);
    pair.world.wait(24 * 3600);
    assert_eq!(pair.accept(reference), Err(Refusal::Expired.into()));
    let last = pair.world.history.last().map(|recorded| recorded.event.kind());
    assert_eq!(last, Some("transaction.expired"));
    assert_eq!(pair.accept(reference), Err(Refusal::NotOpen.into()));
}

#[test]
fn an_open_payment_outlives_its_tags() {
    // A payment that was initiated before a tag was disabled can still be accepted; a new one cannot be made.
    let mut pair = pair();
    let reference = pair.initiate(1);
    let (caller, tag) = (pair.receiver, pair.bob.clone());
    pair.world.give(&SetTagActive { caller, tag, active: false }).unwrap();
    let refused = pair.world.initiate(pair.sender, (&pair.alice, &pair.bob), 1, "NGN");
    assert_eq!(refused.map(|_| ()), Err(Refusal::Unusable.into()));
    assert_eq!(pair.accept(reference), Ok(Status::Completed));
}

#[test]
fn the_same_tag_cannot_pay_itself() {
    let mut pair = pair();
    let refused = pair.world.initiate(pair.sender, (&pair.alice, &pair.alice), 1, "NGN");
    assert_eq!(refused.map(|_| ()), Err(Refusal::SameTag.into()));
    let refused = pair.world.initiate(pair.receiver, (&pair.alice, &pair.bob), 1, "NGN");
    assert_eq!(refused.map(|_| ()), Err(Refusal::SenderForeign.into()));
}

#[test]
fn an_entry_after_the_close_of_its_day_falls_into_the_next() {
    let mut pair = pair();
    let first = pair.initiate(10);
    let second = pair.initiate(20);
    pair.accept(first).unwrap();
    let today = pair.world.now.date();
    let run = RunSettlement { actor: Actor::System, date: today };
    pair.world.give(&run).unwrap();
    pair.accept(second).unwrap();
    assert_eq!(settlement_dates(&pair.world.history), vec![today, today.next()]);
    let before = pair.world.history.len();
    pair.world.give(&run).unwrap();
    assert_eq!(pair.world.history.len(), before, "a completed date stays as it is");
    let tomorrow = pair.world.give(&RunSettlement { actor: Actor::System, date: today.next() });
    assert_eq!(tomorrow, Err(crate::settlement::Refusal::Future.into()));
}

fn settlement_dates(history: &[Recorded]) -> Vec<Date> {
    let date = |recorded: &Recorded| match &recorded.event {
        Event::Payment(PaymentEvent::Accepted(_, body)) => Some(body.settlement_date),
        _ => None,
    };
    history.iter().filter_map(date).collect()
}

/// Sums per wallet and currency by a second, plain fold.
fn plain_balances(history: &[Recorded]) -> BTreeMap<(String, String), i128> {
    let mut sums = BTreeMap::new();
    for posting in history.iter().filter_map(|r| r.event.journal()).flat_map(|j| j.postings()) {
        let key = (posting.account.to_string(), posting.money.currency.to_string());
        let minor = posting.money.amount.minor();
        *sums.entry(key).or_insert(0) += if posting.side == Side::Credit { minor } else { -minor };
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Replaying any prefix gives the state that was live there; balances are those of a plain sum and cancel out.
    #[test]
    fn replay_of_any_prefix_is_the_live_state(seed: u64, cut in 0..200_usize) {
        let mut live = World::default();
        let full = World::random(seed, 200);
        let cut = cut.min(full.history.len());
        for recorded in &full.history[..cut] {
            live.ledger.evolve(recorded).unwrap();
        }
        let mut again = Ledger::default();
        full.history[..cut].iter().for_each(|r| again.evolve(r).unwrap());
        prop_assert_eq!(&again, &live.ledger);
        let mut rest = again;
        full.history[cut..].iter().for_each(|r| rest.evolve(r).unwrap());
        prop_assert_eq!(&rest, &full.ledger);
        let plain = plain_balances(&full.history);
        for (account, currency, balance) in full.ledger.books.iter() {
            let key = (account.to_string(), currency.to_string());
            prop_assert_eq!(balance.net().minor(), plain[&key]);
        }
        for (debit, credit) in full.ledger.books.trial_balance().unwrap().values() {
            prop_assert_eq!(debit, credit);
        }
    }

    /// Each payment has exactly one outcome at most, and a journal only when it was accepted.
    #[test]
    fn one_outcome_wins(seed: u64) {
        let world = World::random(seed, 300);
        let mut outcomes: HashMap<Reference, u32> = HashMap::new();
        for recorded in &world.history {
            if let Event::Payment(event) = &recorded.event {
                match event {
                    PaymentEvent::Accepted(r, _) | PaymentEvent::Rejected(r, _) | PaymentEvent::Expired(r, _) => {
                        *outcomes.entry(*r).or_default() += 1;
                    }
                    PaymentEvent::Initiated(..) | PaymentEvent::WalletProvisioned(..) => {}
                }
                prop_assert_eq!(event.journal().is_some(), matches!(event, PaymentEvent::Accepted(..)));
            }
        }
        prop_assert!(outcomes.values().all(|count| *count == 1));
        let mut world = world;
        for reference in outcomes.into_keys() {
            let before = world.history.len();
            prop_assert_eq!(world.give(&Expire { reference }), Ok(()));
            prop_assert_eq!(world.history.len(), before);
        }
    }

    /// Every booked entry is in one batch; batches balance, chain, and their dates never go back.
    #[test]
    fn settlement_loses_and_doubles_nothing(seed: u64) {
        let mut world = World::random(seed, 400);
        world.wait(3 * 86_400);
        let open: Vec<Date> = world.ledger.settlement.open_until(world.now.date()).collect();
        for date in open {
            world.give(&RunSettlement { actor: Actor::System, date }).unwrap();
        }
        let dates = settlement_dates(&world.history);
        prop_assert!(dates.is_sorted());
        let mut settled = 0;
        let mut closing: BTreeMap<(ApplicationId, String), i128> = BTreeMap::new();
        let mut lines = Vec::new();
        for recorded in &world.history {
            match &recorded.event {
                Event::Settlement(SettlementEvent::Lines(_, body)) => lines.extend(body.lines.clone()),
                Event::Settlement(SettlementEvent::Completed(_, body)) => {
                    settled += body.transaction_count;
                    prop_assert_eq!(body.total_credited, body.total_debited);
                    for line in lines.drain(..) {
                        let key = (line.application, body.currency.clone());
                        let opening = closing.insert(key, line.closing_balance.minor()).unwrap_or(0);
                        prop_assert_eq!(opening, line.opening_balance.minor());
                    }
                }
                _ => {}
            }
        }
        prop_assert_eq!(settled, booked(&world.history) as u64);
        let plain = plain_balances(&world.history);
        for ((application, currency), balance) in closing {
            prop_assert_eq!(balance, plain[&(format!("idaas/wallet/{application}"), currency)]);
        }
    }
}
