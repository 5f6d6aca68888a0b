//! The same history gives the same rows: in whichever pieces, live or at once, interrupted or not.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, reason = "tests fail by panicking")]

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{digests, filled, place, store};
use flexledger_domain::Position;
use flexledger_domain::testing::{Dice, World};
use flexledger_eventstore::{MemoryStore, Tail};
use flexledger_projections::Views;
use proptest::prelude::*;

fn run<F: Future>(test: F) -> F::Output {
    tokio::runtime::Runtime::new().expect("a runtime").block_on(test)
}

/// Fills up to random positions, closing and opening the database between some.
async fn filled_in_pieces(
    world: &World,
    dice: &mut Dice,
) -> Vec<(&'static str, flexledger_projections::audit::ViewDigest)> {
    let (_place, url) = place();
    let store = store(&world.history).await;
    let mut views = Views::open(&url, &[]).await.expect("views");
    let mut at = 0;
    while at < world.history.len() {
        at = (at + 1 + dice.below(world.history.len() / 3 + 1)).min(world.history.len());
        let until = Position::new(at as u64);
        assert_eq!(views.fill(&store, until).await.expect("a sound history"), until);
        if dice.below(2) == 0 {
            views.close().await;
            views = Views::open(&url, &[]).await.expect("views");
        }
    }
    digests(&views).await
}

/// Publishes the history in random batches while the views follow it.
async fn followed(world: &World, dice: &mut Dice) -> Vec<(&'static str, flexledger_projections::audit::ViewDigest)> {
    let (_place, url) = place();
    let views = Views::open(&url, &[]).await.expect("views");
    let tail = Arc::new(Tail::new(1 << 20, Position::START));
    views.follow(Arc::new(MemoryStore::new()), tail.clone()).await.expect("an empty log");
    let mut rest = world.history.as_slice();
    while !rest.is_empty() {
        let (batch, after) = rest.split_at((1 + dice.below(40)).min(rest.len()));
        tail.publish(Arc::new(batch.to_vec()));
        if dice.below(3) == 0 {
            views.caught_up(tail.head(), None).await.expect("in time");
        }
        rest = after;
    }
    views.caught_up(tail.head(), Some(Duration::from_secs(10))).await.expect("in time");
    digests(&views).await
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn pieces_and_live_give_the_same_rows_as_a_rebuild(seed: u64, steps in 1..260_usize) {
        run(async {
            let world = World::random(seed, steps);
            let (_place, whole) = filled(&world).await;
            let expected = digests(&whole).await;
            let mut dice = Dice::new(seed ^ 1);
            assert_eq!(filled_in_pieces(&world, &mut dice).await, expected);
            assert_eq!(followed(&world, &mut dice).await, expected);
        });
    }
}

#[test]
fn another_history_has_another_digest() {
    run(async {
        let (a, b) = (World::random(1, 120), World::random(2, 120));
        let ((_p, a), (_q, b)) = (filled(&a).await, filled(&b).await);
        assert_ne!(digests(&a).await, digests(&b).await);
    });
}

#[test]
fn the_same_on_postgres() {
    common::on_postgres(&[
        ("pieces_and_live_give_the_same_rows_as_a_rebuild", pieces_and_live_give_the_same_rows_as_a_rebuild),
        ("another_history_has_another_digest", another_history_has_another_digest),
    ]);
}

#[test]
fn both_databases_hold_the_same_rows() {
    fn on_sqlite_and_here() {
        run(async {
            let world = World::random(11, 400);
            let (_here, here) = filled(&world).await;
            let (_there, there) = common::on_sqlite(filled(&world)).await;
            assert!(common::is_postgres() && digests(&here).await == digests(&there).await);
        });
    }
    common::on_postgres(&[("both", on_sqlite_and_here)]);
}
