//! Scenarios and laws of claims and of the transfer of tags.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::decision::Refusal as Any;
use crate::identity::{self, Handle, Local, SetTagActive, TagQuery, TransferTag};
use crate::ids::{ApplicationId, ClaimId, SubjectId};
use crate::payments;
use crate::testing::World;
use crate::token::TokenHash;

const DAYS_2: u32 = 48 * 3600;

/// The wallet's user Alice wants to use the shop's tag `bob`; a third application looks on.
struct Scene {
    world: World,
    wallet: ApplicationId,
    shop: ApplicationId,
    other: ApplicationId,
    alice: SubjectId,
    owner: SubjectId,
    tokens: u8,
}

fn query(text: &str) -> TagQuery {
    TagQuery::parse(text).unwrap()
}

fn scene() -> Scene {
    let mut world = World::default();
    world.open_log();
    let mut join = |handle: &str, local: &str| {
        let id = world.application(&Handle::new(handle).unwrap()).unwrap();
        (id, world.tag(id, &Local::new(local).unwrap()).unwrap())
    };
    let (wallet, alice) = join("walletapp", "alice");
    let (shop, owner) = join("shopapp", "bob");
    let (other, _) = join("otherapp", "carol");
    Scene { world, wallet, shop, other, alice, owner, tokens: 0 }
}

impl Scene {
    fn request(&mut self) -> Result<(Claim, TokenHash), Any> {
        self.request_of(self.wallet, "bob@shopapp", self.alice)
    }

    fn request_of(&mut self, caller: ApplicationId, tag: &str, subject: SubjectId) -> Result<(Claim, TokenHash), Any> {
        self.tokens += 1;
        let token = TokenHash::new([self.tokens; 32]);
        self.world.give(&RequestClaim { caller, tag: query(tag), subject, token }).map(|claim| (claim, token))
    }

    fn approve(&mut self, token: TokenHash) -> Result<ClaimState, Any> {
        self.world.give(&ApproveClaim { token }).map(|claim| claim.state)
    }

    fn deny(&mut self, token: TokenHash) -> Result<ClaimState, Any> {
        self.world.give(&DenyClaim { token }).map(|claim| claim.state)
    }

    fn revoke(&mut self, caller: ApplicationId, claim: ClaimId) -> Result<ClaimState, Any> {
        self.world.give(&RevokeClaim { caller, claim }).map(|claim| claim.state)
    }

    fn transfer(&mut self, caller: ApplicationId) -> Result<(), Any> {
        let command = TransferTag { caller, tag: query("bob@shopapp"), owner: self.alice };
        self.world.give(&command).map(|_| ())
    }
}

#[test]
fn a_claim_is_asked_for_and_approved_once() {
    let mut scene = scene();
    let (claim, token) = scene.request().unwrap();
    assert_eq!(claim.state, ClaimState::Pending);
    assert_eq!(claim.expires_at, scene.world.now.plus(scene.world.policy.consent_ttl));
    assert_eq!(scene.request().map(|_| ()), Err(Refusal::AlreadyPending.into()));
    scene.world.wait(60);
    let approved = scene.world.give(&ApproveClaim { token }).unwrap();
    assert_eq!((approved.state, approved.approved_at), (ClaimState::Active, Some(scene.world.now)));
    assert_eq!(scene.world.ledger.consent.claim(claim.id), Some(&approved));
    assert_eq!(scene.approve(token), Err(Refusal::NotPending.into()));
    assert_eq!(scene.deny(token), Err(Refusal::NotPending.into()));
    assert_eq!(scene.request().map(|_| ()), Err(Refusal::AlreadyActive.into()));
}

#[test]
fn a_denied_claim_is_final_and_may_be_asked_for_again() {
    let mut scene = scene();
    let (claim, token) = scene.request().unwrap();
    assert_eq!(scene.deny(token), Ok(ClaimState::Denied));
    assert_eq!(scene.approve(token), Err(Refusal::NotPending.into()));
    assert_eq!(scene.revoke(scene.wallet, claim.id), Err(Refusal::NotRevocable.into()));
    assert!(scene.request().is_ok());
}

#[test]
fn a_lapsed_token_does_nothing_and_is_in_nobodys_way() {
    let mut scene = scene();
    let (claim, token) = scene.request().unwrap();
    scene.world.wait(DAYS_2);
    assert_eq!(scene.approve(token), Err(Refusal::TokenExpired.into()));
    assert_eq!(scene.deny(token), Err(Refusal::TokenExpired.into()));
    let (_, second) = scene.request().unwrap();
    assert_eq!(scene.approve(second), Ok(ClaimState::Active));
    assert_eq!(scene.revoke(scene.wallet, claim.id), Ok(ClaimState::Revoked));
    assert_eq!(scene.transfer(scene.shop), Ok(()));
}

#[test]
fn an_unknown_token_is_not_found() {
    let mut scene = scene();
    let token = TokenHash::new([99; 32]);
    assert_eq!(scene.approve(token), Err(Refusal::ConsentNotFound.into()));
    assert_eq!(scene.deny(token), Err(Refusal::ConsentNotFound.into()));
}

#[test]
fn either_side_revokes_and_nobody_else() {
    for by_owner in [false, true] {
        let mut scene = scene();
        let (claim, token) = scene.request().unwrap();
        scene.approve(token).unwrap();
        assert_eq!(scene.revoke(scene.other, claim.id), Err(Refusal::ClaimNotFound.into()));
        let caller = if by_owner { scene.shop } else { scene.wallet };
        assert_eq!(scene.revoke(caller, claim.id), Ok(ClaimState::Revoked));
        let kept = scene.world.ledger.consent.claim(claim.id).unwrap();
        assert_eq!(kept.revoked_at, Some(scene.world.now));
        assert_eq!(scene.revoke(caller, claim.id), Err(Refusal::NotRevocable.into()));
        assert_eq!(scene.approve(token), Err(Refusal::NotPending.into()));
    }
    let mut scene = scene();
    let unknown = ClaimId::from_uuid(Uuid::nil());
    assert_eq!(scene.revoke(scene.shop, unknown), Err(Refusal::ClaimNotFound.into()));
}

#[test]
fn a_request_names_an_own_subject_and_a_usable_tag() {
    let mut scene = scene();
    let (wallet, alice, owner) = (scene.wallet, scene.alice, scene.owner);
    let nobody = SubjectId::from_uuid(Uuid::nil());
    let mut refused = |tag: &str, subject| scene.request_of(wallet, tag, subject).map(|_| ()).unwrap_err();
    assert_eq!(refused("nobody@shopapp", alice), identity::Refusal::TagNotFound.into());
    assert_eq!(refused("bob@shopapp", nobody), identity::Refusal::SubjectNotFound.into());
    assert_eq!(refused("bob@shopapp", owner), identity::Refusal::SubjectForeign.into());
    let disable = SetTagActive { caller: scene.shop, tag: query("bob@shopapp"), active: false };
    scene.world.give(&disable).unwrap();
    assert_eq!(scene.request().map(|_| ()), Err(Refusal::TagDisabled.into()));
}

#[test]
fn a_tag_goes_to_a_subject_with_an_active_claim() {
    // 1. Without a claim, or with one that only waits, the tag stays. 2. With consent it goes, and its address stays.
    // 3. From then on the new owner's application pays from it, the old one does not. 4. The old owner cannot move it.
    let mut scene = scene();
    assert_eq!(scene.transfer(scene.shop), Err(identity::Refusal::NoClaim.into()));
    let (_, token) = scene.request().unwrap();
    assert_eq!(scene.transfer(scene.shop), Err(identity::Refusal::NoClaim.into()));
    scene.approve(token).unwrap();
    assert_eq!(scene.transfer(scene.wallet), Err(identity::Refusal::Denied.into()));
    assert_eq!(scene.transfer(scene.shop), Ok(()));
    let (_, tag) = scene.world.ledger.identity.resolve(&query("bob")).unwrap();
    assert_eq!((tag.address.as_str(), tag.owner, tag.application), ("bob@shopapp", scene.alice, scene.wallet));
    assert_eq!(tag.created_by, scene.shop);
    let pay = |scene: &mut Scene, caller| {
        scene.world.initiate(caller, (&query("bob"), &query("carol")), 5, "NGN").map(|_| ())
    };
    let (wallet, shop) = (scene.wallet, scene.shop);
    assert_eq!(pay(&mut scene, wallet), Ok(()));
    assert_eq!(pay(&mut scene, shop), Err(payments::Refusal::SenderForeign.into()));
    assert_eq!(scene.transfer(scene.shop), Err(identity::Refusal::Denied.into()));
    let events = scene.world.history.len();
    assert_eq!(scene.transfer(scene.wallet), Ok(()));
    assert_eq!(scene.world.history.len(), events);
    assert!(crate::testing::reads_back(&scene.world.history));
}

#[test]
fn a_transfer_names_a_known_tag_and_subject() {
    let mut scene = scene();
    let owner = SubjectId::from_uuid(Uuid::nil());
    let unknown = TransferTag { caller: scene.shop, tag: query("bob"), owner };
    assert_eq!(scene.world.give(&unknown), Err(identity::Refusal::SubjectNotFound.into()));
    let unknown = TransferTag { caller: scene.shop, tag: query("nobody"), owner };
    assert_eq!(scene.world.give(&unknown), Err(identity::Refusal::TagNotFound.into()));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Request,
    Approve(u8),
    Deny(u8),
    Revoke(u8, bool),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Request),
        2 => (1..8_u8).prop_map(Step::Approve),
        1 => (1..8_u8).prop_map(Step::Deny),
        1 => (0..8_u8, any::<bool>()).prop_map(|(which, owner)| Step::Revoke(which, owner)),
        1 => (1..DAYS_2 * 2).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_subject_never_has_two_live_claims_and_the_state_is_the_fold(steps in prop::collection::vec(step(), 1..40)) {
        let mut scene = scene();
        let mut ids = Vec::new();
        for step in steps {
            match step {
                Step::Request => ids.extend(scene.request().ok().map(|(claim, _)| claim.id)),
                Step::Approve(number) => drop(scene.approve(TokenHash::new([number; 32]))),
                Step::Deny(number) => drop(scene.deny(TokenHash::new([number; 32]))),
                Step::Revoke(at, owner) => {
                    let caller = if owner { scene.shop } else { scene.wallet };
                    if let Some(id) = ids.get(usize::from(at)) {
                        drop(scene.revoke(caller, *id));
                    }
                }
                Step::Wait(seconds) => scene.world.wait(seconds),
            }
            let claims: Vec<_> = ids.iter().filter_map(|id| scene.world.ledger.consent.claim(*id)).collect();
            prop_assert_eq!(claims.len(), ids.len());
            let live = |claim: &&&Claim| claim.state == ClaimState::Active || claim.is_open(scene.world.now);
            prop_assert!(claims.iter().filter(live).count() <= 1);
        }
        let mut again = crate::ledger::Ledger::default();
        for recorded in &scene.world.history {
            again.evolve(recorded).unwrap();
        }
        prop_assert_eq!(again, scene.world.ledger);
        prop_assert!(crate::testing::reads_back(&scene.world.history));
    }
}
