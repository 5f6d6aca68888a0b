//! Scenarios and laws of payment requests.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::books::Account;
use crate::decision::Refusal as Any;
use crate::identity::{self, Handle, Local, SetTagActive, TagQuery};
use crate::ids::{ApplicationId, MerchantId};
use crate::money::{Amount, Currency, Money};
use crate::payments::{self, Direction, SCALE, Status};
use crate::personal::{Personal, PersonalText};
use crate::testing::World;
use crate::time::Span;
use crate::token::TokenHash;

/// The shop asks the wallet's user `alice` for money to its tag `till`.
struct Scene {
    world: World,
    wallet: ApplicationId,
    shop: ApplicationId,
    merchant: MerchantId,
}

fn query(text: &str) -> TagQuery {
    TagQuery::parse(text).unwrap()
}

fn scene() -> Scene {
    let mut world = World::default();
    world.open_log();
    let mut join = |handle: &str, local: &str| {
        let id = world.application(&Handle::new(handle).unwrap()).unwrap();
        world.tag(id, &Local::new(local).unwrap()).unwrap();
        id
    };
    let (wallet, shop) = (join("walletapp", "alice"), join("shopapp", "till"));
    let merchant = MerchantId::from_uuid(Uuid::from_u128(1));
    let mut scene = Scene { world, wallet, shop, merchant };
    scene.register(merchant, "till").unwrap();
    scene
}

impl Scene {
    fn register(&mut self, id: MerchantId, tag: &str) -> Result<(), Any> {
        let key = TokenHash::new([7; 32]);
        let (name, location) = ("The Shop".into(), "main".into());
        self.world.give(&RegisterMerchant { id, name, tag: query(tag), key, location, idempotency: None })
    }

    fn ask(&mut self, merchant: MerchantId, payer: &str, reference: Option<&str>) -> Result<Request, Any> {
        let money = Money { amount: Amount::from_minor(2_500), currency: Currency::new("NGN", SCALE).unwrap() };
        self.world.give(&CreateRequest {
            merchant,
            payer: query(payer),
            money,
            reference: reference.map(Into::into),
            comment: Some("two coffees".into()),
            metadata: None,
            duration: Span::from_seconds(30 * 60),
        })
    }

    fn accept(&mut self, caller: ApplicationId, reference: &str) -> Result<Paid, Any> {
        self.world.give(&AcceptRequest { caller, reference: reference.into() })
    }

    fn decline(&mut self, caller: ApplicationId, reference: &str) -> Result<RequestState, Any> {
        self.world.give(&DeclineRequest { caller, reference: reference.into() }).map(|request| request.state)
    }

    fn cancel(&mut self, reference: &str) -> Result<RequestState, Any> {
        let merchant = self.merchant;
        self.world.give(&CancelRequest { merchant, reference: reference.into() }).map(|request| request.state)
    }

    fn kinds(&self, from: usize) -> Vec<&'static str> {
        self.world.history.iter().skip(from).map(|recorded| recorded.event.kind()).collect()
    }

    fn balance(&self, application: ApplicationId) -> i128 {
        let currency = Currency::new("NGN", SCALE).unwrap();
        self.world.ledger.books.balance(&Account::Wallet(application), currency).net().minor()
    }
}

#[test]
fn an_accepted_request_is_an_ordinary_payment() {
    // 1. The request stands first. 2. Accepting initiates and books the payment in one step. 3. Both wallets moved.
    let mut scene = scene();
    let request = scene.ask(scene.merchant, "alice", Some("INV-1")).unwrap();
    assert_eq!((request.number.number(), request.state), (1, RequestState::Pending));
    let before = scene.world.history.len();
    let paid = scene.accept(scene.wallet, "INV-1").unwrap();
    let expected = [
        "transaction.initiated",
        "wallet.provisioned",
        "wallet.provisioned",
        "transaction.accepted",
        "payment_request.accepted",
    ];
    assert_eq!(scene.kinds(before), expected);
    assert_eq!(paid.payment.status, Status::Completed);
    assert_eq!(paid.request.transaction, Some(paid.payment.reference));
    assert_eq!(paid.payment.reference.position().number(), before as u64 + 1);
    assert_eq!(paid.payment.webhooks.len(), 2);
    assert_eq!(paid.payment.webhooks[1].direction, Direction::Sender);
    assert_eq!((scene.balance(scene.wallet), scene.balance(scene.shop)), (-2_500, 2_500));
    assert_eq!(scene.world.ledger.payments.open_count(), 0);
    let owner = scene.world.ledger.identity.resolve(&query("till")).unwrap().1.owner;
    let sealed = PersonalText::Sealed("sealed two coffees".into());
    assert_eq!(paid.payment.narration, Some(Personal { subject: owner, text: sealed }));
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|_| ()), Err(Refusal::NotPending.into()));
}

#[test]
fn only_the_payers_application_decides() {
    let mut scene = scene();
    scene.ask(scene.merchant, "alice", Some("INV-1")).unwrap();
    assert_eq!(scene.accept(scene.shop, "INV-1").map(|_| ()), Err(Refusal::RequestNotFound.into()));
    assert_eq!(scene.decline(scene.shop, "INV-1"), Err(Refusal::RequestNotFound.into()));
    assert_eq!(scene.decline(scene.wallet, "INV-2"), Err(Refusal::RequestNotFound.into()));
    assert_eq!(scene.decline(scene.wallet, "INV-1"), Ok(RequestState::Declined));
    assert_eq!(scene.decline(scene.wallet, "INV-1"), Err(Refusal::NotPending.into()));
    assert_eq!(scene.cancel("INV-1"), Err(Refusal::NotPending.into()));
}

#[test]
fn a_merchant_takes_its_own_request_back() {
    let mut scene = scene();
    scene.ask(scene.merchant, "alice", Some("INV-1")).unwrap();
    assert_eq!(scene.cancel("INV-2"), Err(Refusal::RequestNotFound.into()));
    assert_eq!(scene.cancel("INV-1"), Ok(RequestState::Cancelled));
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|_| ()), Err(Refusal::NotPending.into()));
    let again = scene.ask(scene.merchant, "alice", Some("INV-1"));
    assert_eq!(again.map(|_| ()), Err(Refusal::ReferenceTaken.into()));
}

#[test]
fn an_overdue_request_expires_when_it_is_touched_or_swept() {
    let mut scene = scene();
    let first = scene.ask(scene.merchant, "alice", Some("INV-1")).unwrap();
    let second = scene.ask(scene.merchant, "alice", Some("INV-2")).unwrap();
    assert_eq!(scene.world.ledger.merchants.overdue(scene.world.now).count(), 0);
    scene.world.wait(30 * 60);
    assert_eq!(scene.world.ledger.merchants.overdue(scene.world.now).count(), 2);
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|_| ()), Err(Refusal::Expired.into()));
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|_| ()), Err(Refusal::NotPending.into()));
    scene.world.give(&ExpireRequest { number: second.number }).unwrap();
    let events = scene.world.history.len();
    scene.world.give(&ExpireRequest { number: first.number }).unwrap();
    assert_eq!(scene.world.history.len(), events);
    assert_eq!(scene.world.ledger.merchants.pending_count(), 0);
    assert_eq!((scene.balance(scene.wallet), scene.balance(scene.shop)), (0, 0));
}

#[test]
fn a_request_needs_a_merchant_and_a_usable_payer() {
    let mut scene = scene();
    let nobody = MerchantId::from_uuid(Uuid::nil());
    let refused = |result: Result<Request, Any>| result.map(|_| ()).unwrap_err();
    assert_eq!(refused(scene.ask(nobody, "alice", None)), Refusal::MerchantNotFound.into());
    assert_eq!(refused(scene.ask(scene.merchant, "nobody", None)), identity::Refusal::TagNotFound.into());
    assert_eq!(refused(scene.ask(scene.merchant, "till", None)), Refusal::SameTag.into());
    let (caller, tag) = (scene.wallet, query("alice"));
    let request = scene.ask(scene.merchant, "alice", None).unwrap();
    assert!(request.reference.starts_with("PR-00000001-"));
    scene.world.give(&SetTagActive { caller, tag, active: false }).unwrap();
    assert_eq!(refused(scene.ask(scene.merchant, "alice", None)), payments::Refusal::Unusable.into());
    // What was asked before stays, but a disabled tag pays nothing new; the request still waits.
    let paid = scene.accept(scene.wallet, &request.reference).map(|_| ());
    assert_eq!(paid, Err(payments::Refusal::Unusable.into()));
    assert_eq!(scene.world.ledger.merchants.pending_count(), 1);
}

#[test]
fn one_reference_of_two_merchants_is_ambiguous_while_both_wait() {
    let mut scene = scene();
    let second = MerchantId::from_uuid(Uuid::from_u128(2));
    scene.register(second, "till").unwrap();
    assert_eq!(scene.register(second, "till"), Err(Refusal::MerchantExists.into()));
    scene.ask(scene.merchant, "alice", Some("INV-1")).unwrap();
    scene.ask(second, "alice", Some("INV-1")).unwrap();
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|_| ()), Err(Refusal::ReferenceAmbiguous.into()));
    assert_eq!(scene.cancel("INV-1"), Ok(RequestState::Cancelled));
    assert_eq!(scene.accept(scene.wallet, "INV-1").map(|paid| paid.request.merchant), Ok(second));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Ask(u8),
    Accept(u8),
    Decline(u8),
    Cancel(u8),
    Wait(u32),
    Sweep,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..12_u8).prop_map(Step::Ask),
        2 => (0..12_u8).prop_map(Step::Accept),
        1 => (0..12_u8).prop_map(Step::Decline),
        1 => (0..12_u8).prop_map(Step::Cancel),
        1 => (1..2_400_u32).prop_map(Step::Wait),
        1 => Just(Step::Sweep),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn each_request_ends_once_and_only_accepted_ones_move_money(steps in prop::collection::vec(step(), 1..60)) {
        let mut scene = scene();
        let mut accepted = 0;
        for step in steps {
            match step {
                Step::Ask(n) => drop(scene.ask(scene.merchant, "alice", Some(&format!("R{n}")))),
                Step::Accept(n) => accepted += i128::from(scene.accept(scene.wallet, &format!("R{n}")).is_ok()),
                Step::Decline(n) => drop(scene.decline(scene.wallet, &format!("R{n}"))),
                Step::Cancel(n) => drop(scene.cancel(&format!("R{n}"))),
                Step::Wait(seconds) => scene.world.wait(seconds),
                Step::Sweep => {
                    let overdue: Vec<_> = scene.world.ledger.merchants.overdue(scene.world.now).collect();
                    for number in overdue {
                        scene.world.give(&ExpireRequest { number }).unwrap();
                    }
                    prop_assert_eq!(scene.world.ledger.merchants.overdue(scene.world.now).count(), 0);
                }
            }
            prop_assert_eq!((scene.balance(scene.wallet), scene.balance(scene.shop)), (-2_500 * accepted, 2_500 * accepted));
        }
        let mut ends = std::collections::BTreeMap::new();
        let mut made = 0;
        for recorded in &scene.world.history {
            match &recorded.event {
                crate::Event::Merchant(MerchantEvent::Created(..)) => made += 1,
                crate::Event::Merchant(MerchantEvent::Registered(..)) => {}
                crate::Event::Merchant(event) => *ends.entry(event.entity()).or_insert(0) += 1,
                _ => {}
            }
        }
        prop_assert!(ends.values().all(|count| *count == 1));
        prop_assert_eq!(made - ends.len(), scene.world.ledger.merchants.pending_count());
        let mut again = crate::ledger::Ledger::default();
        for recorded in &scene.world.history {
            again.evolve(recorded).unwrap();
        }
        prop_assert_eq!(again, scene.world.ledger);
        prop_assert!(crate::testing::reads_back(&scene.world.history));
    }
}
