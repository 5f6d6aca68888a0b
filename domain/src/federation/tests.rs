//! Scenarios and laws of federation links.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::decision::Refusal as Any;
use crate::identity::{self, Handle, Local, TagQuery};
use crate::ids::{ApplicationId, LinkId};
use crate::testing::World;
use crate::token::TokenHash;

const DAYS_2: u32 = 48 * 3600;

/// The wallet's tag `alice` is to be linked with the shop's tag `bob`, or with a name elsewhere.
struct Scene {
    world: World,
    wallet: ApplicationId,
    shop: ApplicationId,
    other: ApplicationId,
    challenges: u8,
}

fn scene() -> Scene {
    let mut world = World::default();
    world.open_log();
    let mut join = |handle: &str, local: &str| {
        let id = world.application(&Handle::new(handle).unwrap()).unwrap();
        world.tag(id, &Local::new(local).unwrap()).unwrap();
        id
    };
    let (wallet, shop, other) = (join("walletapp", "alice"), join("shopapp", "bob"), join("otherapp", "carol"));
    Scene { world, wallet, shop, other, challenges: 0 }
}

impl Scene {
    fn initiate(&mut self, caller: ApplicationId, secondary: &str) -> Result<(LinkId, TokenHash), Any> {
        self.challenges += 1;
        let challenge = TokenHash::new([self.challenges; 32]);
        let tag = TagQuery::parse("alice@walletapp").unwrap();
        let command = InitiateLink { caller, tag, secondary: secondary.into(), method: "TOKEN".into(), challenge };
        self.world.give(&command).map(|link| (link.id, challenge))
    }

    fn verify(&mut self, caller: ApplicationId, challenge: TokenHash) -> Result<LinkStatus, Any> {
        self.world.give(&VerifyLink { caller, challenge }).map(|link| link.status)
    }

    fn revoke(&mut self, caller: ApplicationId, link: LinkId) -> Result<(), Any> {
        self.world.give(&RevokeLink { caller, link })
    }

    fn status(&self, link: LinkId) -> LinkStatus {
        self.world.ledger.federation.link(link).unwrap().status
    }
}

#[test]
fn a_link_to_a_tag_is_proven_by_its_owner_once() {
    let mut scene = scene();
    let (link, challenge) = scene.initiate(scene.wallet, "@Bob").unwrap();
    let made = scene.world.ledger.federation.link(link).unwrap();
    assert_eq!((&*made.linked, made.linked_tag.is_some()), ("bob@shopapp", true));
    assert_eq!(scene.verify(scene.wallet, challenge), Err(Refusal::NotParty.into()));
    assert_eq!(scene.verify(scene.other, challenge), Err(Refusal::NotParty.into()));
    assert_eq!(scene.verify(scene.shop, challenge), Ok(LinkStatus::Verified));
    assert_eq!(scene.verify(scene.shop, challenge), Err(Refusal::ChallengeOver.into()));
    assert_eq!(scene.status(link), LinkStatus::Verified);
}

#[test]
fn a_link_to_another_place_is_proven_by_who_began_it() {
    let mut scene = scene();
    let (link, challenge) = scene.initiate(scene.wallet, "google-oauth2|1234").unwrap();
    assert_eq!(scene.verify(scene.shop, challenge), Err(Refusal::NotParty.into()));
    assert_eq!(scene.verify(scene.wallet, challenge), Ok(LinkStatus::Verified));
    assert_eq!(scene.status(link), LinkStatus::Verified);
}

#[test]
fn a_lapsed_or_revoked_challenge_proves_nothing() {
    let mut scene = scene();
    let (lapsed, challenge) = scene.initiate(scene.wallet, "bob").unwrap();
    scene.world.wait(DAYS_2);
    assert_eq!(scene.verify(scene.shop, challenge), Err(Refusal::ChallengeOver.into()));
    let (link, challenge) = scene.initiate(scene.wallet, "bob").unwrap();
    assert_eq!(scene.revoke(scene.shop, link), Ok(()));
    assert_eq!(scene.verify(scene.shop, challenge), Err(Refusal::ChallengeOver.into()));
    assert_eq!((scene.status(lapsed), scene.status(link)), (LinkStatus::Pending, LinkStatus::Revoked));
    let unknown = TokenHash::new([99; 32]);
    assert_eq!(scene.verify(scene.shop, unknown), Err(Refusal::ChallengeNotFound.into()));
}

#[test]
fn parties_revoke_and_nobody_else() {
    let mut scene = scene();
    let (link, _) = scene.initiate(scene.wallet, "bob").unwrap();
    assert_eq!(scene.revoke(scene.other, link), Err(Refusal::NotParty.into()));
    assert_eq!(scene.revoke(scene.wallet, link), Ok(()));
    let events = scene.world.history.len();
    assert_eq!(scene.revoke(scene.shop, link), Ok(()));
    assert_eq!(scene.world.history.len(), events);
    let unknown = LinkId::from_uuid(Uuid::nil());
    assert_eq!(scene.revoke(scene.wallet, unknown), Err(Refusal::LinkNotFound.into()));
}

#[test]
fn one_live_link_per_target() {
    let mut scene = scene();
    let (first, _) = scene.initiate(scene.wallet, "bob").unwrap();
    assert_eq!(scene.initiate(scene.wallet, "bob@shopapp").map(|_| ()), Err(Refusal::LinkExists.into()));
    let (second, _) = scene.initiate(scene.wallet, "carol").unwrap();
    let identity = |scene: &Scene, link| scene.world.ledger.federation.link(link).unwrap().identity;
    assert_eq!(identity(&scene, first), identity(&scene, second));
    scene.revoke(scene.wallet, first).unwrap();
    assert!(scene.initiate(scene.wallet, "bob").is_ok());
}

#[test]
fn only_the_owner_begins_a_link_and_not_with_itself() {
    let mut scene = scene();
    assert_eq!(scene.initiate(scene.shop, "bob").map(|_| ()), Err(identity::Refusal::Denied.into()));
    assert_eq!(scene.initiate(scene.wallet, "alice").map(|_| ()), Err(Refusal::SameTag.into()));
    scene.world.tag(scene.other, &Local::new("bob").unwrap()).unwrap();
    let refused = scene.initiate(scene.wallet, "bob").map(|_| ());
    let addresses = vec!["bob@otherapp".to_owned(), "bob@shopapp".to_owned()];
    assert_eq!(refused, Err(identity::Refusal::TagAmbiguous(addresses).into()));
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Initiate(u8),
    Verify(u8, bool),
    Revoke(u8),
    Wait(u32),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0..3_u8).prop_map(Step::Initiate),
        2 => (1..9_u8, any::<bool>()).prop_map(|(number, shop)| Step::Verify(number, shop)),
        1 => (0..9_u8).prop_map(Step::Revoke),
        1 => (1..DAYS_2 * 2).prop_map(Step::Wait),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_tag_never_has_two_live_links_to_a_target(steps in prop::collection::vec(step(), 1..40)) {
        let mut scene = scene();
        let mut links = Vec::new();
        for step in steps {
            match step {
                Step::Initiate(to) => {
                    let name = ["bob", "carol", "elsewhere!"][usize::from(to)];
                    links.extend(scene.initiate(scene.wallet, name).ok().map(|(link, _)| link));
                }
                Step::Verify(number, shop) => {
                    let caller = if shop { scene.shop } else { scene.wallet };
                    drop(scene.verify(caller, TokenHash::new([number; 32])));
                }
                Step::Revoke(at) => {
                    if let Some(link) = links.get(usize::from(at)) {
                        drop(scene.revoke(scene.wallet, *link));
                    }
                }
                Step::Wait(seconds) => scene.world.wait(seconds),
            }
            let federation = &scene.world.ledger.federation;
            let live = |link: &&Link| link.status == LinkStatus::Verified || link.is_open(scene.world.now);
            let targets: Vec<_> = links.iter().filter_map(|id| federation.link(*id)).filter(live).map(|l| &l.linked).collect();
            let distinct: std::collections::BTreeSet<_> = targets.iter().collect();
            prop_assert_eq!(distinct.len(), targets.len());
        }
        let mut again = crate::ledger::Ledger::default();
        for recorded in &scene.world.history {
            again.evolve(recorded).unwrap();
        }
        prop_assert_eq!(again, scene.world.ledger);
        prop_assert!(crate::testing::reads_back(&scene.world.history));
    }
}
