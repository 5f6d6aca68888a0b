//! Claims, links between tags, merchants and their requests: rows against the state of the domain.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use common::{digests, filled, on_postgres, place, store};
use flexledger_domain::consent::{ApproveClaim, Claim, ClaimState, DenyClaim, RequestClaim, RevokeClaim};
use flexledger_domain::federation::{InitiateLink, Link, RevokeLink, VerifyLink};
use flexledger_domain::identity::{Handle, Local, PublicKey, RotateKey, TagQuery, TransferTag};
use flexledger_domain::ids::{ApplicationId, MerchantId, SubjectId};
use flexledger_domain::merchants::{
    AcceptRequest, CancelRequest, CreateRequest, DeclineRequest, ExpireRequest, RegisterMerchant, Request, RequestState,
};
use flexledger_domain::money::{Amount, Currency, Money};
use flexledger_domain::payments::SCALE;
use flexledger_domain::testing::{Dice, World};
use flexledger_domain::{Instant, Position, Span, TokenHash};
use flexledger_projections::{Page, RequestRow, Views};

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
}

/// A history and what was made in it.
struct Made {
    world: World,
    people: Vec<(ApplicationId, SubjectId, TagQuery)>,
    claims: Vec<(Claim, TokenHash)>,
    links: Vec<(Link, TokenHash)>,
    requests: Vec<Request>,
    merchant: MerchantId,
    dice: Dice,
}

fn begin(seed: u64) -> Made {
    let mut world = World::default();
    world.open_log();
    let mut people = Vec::new();
    for name in ["one", "two", "three"] {
        let app = world.application(&Handle::new(&format!("{name}-app")).expect("a handle")).expect("a new name");
        let local = Local::new(name).expect("a name");
        let subject = world.tag(app, &local).expect("a new tag");
        people.push((app, subject, TagQuery::Bare(local)));
    }
    let merchant = MerchantId::from_uuid(uuid::Uuid::from_u128(77));
    let tag = people[0].2.clone();
    let key = TokenHash::new([1; 32]);
    let command = RegisterMerchant {
        id: merchant,
        name: "Corner Shop".into(),
        tag,
        key,
        location: "loc".into(),
        idempotency: None,
    };
    world.give(&command).expect("a new merchant");
    let (claims, links, requests) = (Vec::new(), Vec::new(), Vec::new());
    Made { world, people, claims, links, requests, merchant, dice: Dice::new(seed) }
}

impl Made {
    fn person(&mut self) -> (ApplicationId, SubjectId, TagQuery) {
        self.dice.pick(&self.people).expect("people").clone()
    }

    fn token(&self) -> TokenHash {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&(self.world.history.len() as u64).to_be_bytes());
        TokenHash::new(digest)
    }

    /// Most steps are refused: that makes no rows.
    fn step(&mut self) {
        self.world.wait(u32::try_from(self.dice.below(4000)).expect("small"));
        match self.dice.below(9) {
            0..=2 => self.consent(),
            3..=5 => self.link(),
            6..=7 => self.request(),
            _ => {
                let (caller, owner, tag) = (self.person().0, self.person().1, self.person().2);
                let _often_refused = self.world.give(&TransferTag { caller, tag, owner });
                let public_key = PublicKey { x: format!("x{}", self.world.history.len()), y: "y".to_owned() };
                self.world.give(&RotateKey { caller, public_key }).expect("a known application");
            }
        }
    }

    fn consent(&mut self) {
        let ((caller, subject, _), tag, token) = (self.person(), self.person().2, self.token());
        if let Ok(claim) = self.world.give(&RequestClaim { caller, tag, subject, token }) {
            self.claims.push((claim, token));
        }
        let Some((claim, token)) = self.dice.pick(&self.claims).cloned() else { return };
        let _often_refused = match self.dice.below(4) {
            0 => self.world.give(&DenyClaim { token }),
            1 => self.world.give(&RevokeClaim { caller: claim.application, claim: claim.id }),
            _ => self.world.give(&ApproveClaim { token }),
        };
    }

    fn link(&mut self) {
        let ((caller, _, tag), challenge) = (self.person(), self.token());
        let secondary = if self.dice.below(2) == 0 { "two".into() } else { "elsewhere|1".into() };
        if let Ok(link) = self.world.give(&InitiateLink { caller, tag, secondary, method: "M".into(), challenge }) {
            self.links.push((link, challenge));
        }
        let (by, picked) = (self.person().0, self.dice.pick(&self.links).cloned());
        let Some((link, challenge)) = picked else { return };
        if self.dice.below(3) == 0 {
            let _often_refused = self.world.give(&RevokeLink { caller: by, link: link.id });
        } else {
            let _often_refused = self.world.give(&VerifyLink { caller: by, challenge });
        }
    }

    fn request(&mut self) {
        let currency = Currency::new("NGN", SCALE).expect("a currency");
        let money = Money { amount: Amount::from_minor(10_000), currency };
        let (merchant, payer) = (self.merchant, self.person().2);
        let comment = Some("for tea".into());
        let duration = Span::from_seconds(7200);
        let command = CreateRequest { merchant, payer, money, reference: None, comment, metadata: None, duration };
        if let Ok(request) = self.world.give(&command) {
            self.requests.push(request);
        }
        let (caller, picked) = (self.person().0, self.dice.pick(&self.requests).cloned());
        let Some(Request { reference, number, .. }) = picked else { return };
        match self.dice.below(4) {
            0 => drop(self.world.give(&DeclineRequest { caller, reference })),
            1 => drop(self.world.give(&CancelRequest { merchant, reference })),
            2 => drop(self.world.give(&ExpireRequest { number })),
            _ => drop(self.world.give(&AcceptRequest { caller, reference })),
        }
    }
}

fn made(seed: u64) -> Made {
    let mut made = begin(seed);
    (0..300).for_each(|_| made.step());
    assert!(made.claims.len() > 5 && made.links.len() > 5 && made.requests.len() > 20);
    made
}

async fn check_claims(made: &Made, views: &Views) {
    let ledger = &made.world.ledger;
    for (claim, token) in &made.claims {
        let row = views.claim_by_token(token).await.expect("a view").expect("a claim");
        assert_eq!(Some(&row.claim), ledger.consent.claim(claim.id));
        assert_eq!(views.claim(claim.id).await.expect("a view").as_ref(), Some(&row));
        let tag = ledger.identity.tag(claim.tag).expect("a tag");
        assert_eq!((row.tag_application, &*row.tag_address), (tag.application, tag.address.as_str()));
        let on = views.claims_on(claim.tag, Some(claim.application)).await.expect("a view");
        assert!(on.contains(&row) && on.iter().all(|other| other.claim.application == claim.application));
        let active = views.active_claims(&[claim.tag]).await.expect("a view");
        assert_eq!(active.contains(&row), row.claim.state == ClaimState::Active);
    }
}

async fn check_links(made: &Made, views: &Views) {
    for (link, _) in &made.links {
        let now = made.world.ledger.federation.link(link.id).expect("a link");
        let identity = views.federation(link.tag).await.expect("a view").expect("an identity");
        let row = identity.links.iter().find(|row| row.id == link.id).expect("its link");
        assert_eq!((identity.id, &row.linked, row.status), (now.identity, &now.linked, now.status));
        assert!(identity.links.windows(2).all(|pair| pair[0].created_at <= pair[1].created_at));
        assert_eq!(identity.created_at, identity.links[0].created_at);
    }
}

async fn check_requests(made: &Made, views: &Views) {
    let merchants = &made.world.ledger.merchants;
    for request in &made.requests {
        let row = views.payment_request_of(made.merchant, &request.reference).await.expect("a view");
        let row = row.expect("a request");
        let open = merchants.pending(request.number);
        assert_eq!(open.is_some(), row.request.state == RequestState::Pending);
        assert_eq!(row.request.transaction.is_some(), row.request.state == RequestState::Accepted);
        if let Some(open) = open {
            assert_eq!((&row.request.money, row.request.expires_at), (&open.money, open.expires_at));
        }
    }
    let mut seen = 0;
    for state in RequestState::ALL {
        let paged = views.payment_requests(made.merchant, Some(state), 100, 0).await.expect("a view");
        assert!(paged.items.iter().all(|row| row.request.state == state));
        seen += paged.total;
    }
    assert_eq!(seen, made.requests.len() as u64);
    let tail = views.payment_requests(made.merchant, None, 3, 2).await.expect("a view");
    let numbers: Vec<u64> = tail.items.iter().map(|row| row.request.number.number()).collect();
    assert_eq!(numbers, [seen - 2, seen - 3, seen - 4]);
    let mut waiting = 0;
    for (application, _, _) in &made.people {
        let page = Page { size: 2000, ..Page::default() };
        let paged = views.payment_requests_waiting(*application, Instant::from_micros(0), &page).await.expect("a view");
        let payer = |row: &RequestRow| made.world.ledger.identity.tag(row.request.payer).map(|tag| tag.application);
        assert!(paged.items.iter().all(|row| payer(row) == Some(*application)));
        assert!(paged.items.windows(2).all(|pair| pair[0].request.number > pair[1].request.number));
        waiting += paged.total;
        let past = views.payment_requests_waiting(*application, Instant::from_micros(i64::MAX), &page).await;
        assert_eq!(past.expect("a view").total, 0);
    }
    assert_eq!(
        waiting,
        views.payment_requests(made.merchant, Some(RequestState::Pending), 1, 0).await.expect("a view").total
    );
}

fn rows_are_those_of_the_state() {
    run(async {
        for seed in 1..4 {
            let made = made(seed);
            let (_place, views) = filled(&made.world).await;
            check_claims(&made, &views).await;
            check_links(&made, &views).await;
            check_requests(&made, &views).await;
            for (id, _, _) in &made.people {
                let row = views.application(*id).await.expect("a view").expect("an application");
                let known = made.world.ledger.identity.application(*id).expect("an application");
                assert_eq!(row.key_version, known.key_version);
            }
        }
    });
}

fn two_steps_give_the_same_rows() {
    run(async {
        let made = made(9);
        let (_place, whole) = filled(&made.world).await;
        let (_other, url) = place();
        let log = store(&made.world.history).await;
        let views = Views::open(&url, &[]).await.expect("views");
        views.fill(&log, Position::new(made.world.history.len() as u64 / 2)).await.expect("a sound history");
        views.close().await;
        let views = Views::open(&url, &[]).await.expect("views");
        views.fill(&log, Position::MAX).await.expect("a sound history");
        assert_eq!(digests(&views).await, digests(&whole).await);
    });
}

#[test]
fn on_sqlite() {
    rows_are_those_of_the_state();
    two_steps_give_the_same_rows();
}

#[test]
fn on_a_server() {
    on_postgres(&[
        ("rows_are_those_of_the_state", rows_are_those_of_the_state),
        ("two_steps_give_the_same_rows", two_steps_give_the_same_rows),
    ]);
}
