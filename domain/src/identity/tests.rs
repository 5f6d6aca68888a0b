//! Scenarios of applications.

use uuid::Uuid;

use super::{Handle, PublicKey, Refusal, RotateKey, RotateWebhookSecret};
use crate::ids::ApplicationId;
use crate::testing::{World, reads_back};

#[test]
fn each_rotation_of_a_key_counts_up() {
    let mut world = World::default();
    world.open_log();
    let caller = world.application(&Handle::new("walletapp").unwrap()).unwrap();
    let public_key = PublicKey { x: "eA".to_owned(), y: "eQ".to_owned() };
    let rotate = RotateKey { caller, public_key };
    assert_eq!(world.give(&rotate), Ok(2));
    assert_eq!(world.give(&rotate), Ok(3));
    let webhook_secret = "c2VhbGVk".to_owned();
    assert_eq!(world.give(&RotateWebhookSecret { caller, webhook_secret: webhook_secret.clone() }), Ok(()));
    assert_eq!(world.ledger.identity.application(caller).unwrap().key_version, 3);
    assert!(reads_back(&world.history));

    let caller = ApplicationId::from_uuid(Uuid::nil());
    assert_eq!(world.give(&RotateKey { caller, ..rotate }), Err(Refusal::ApplicationNotFound.into()));
    let nobody = RotateWebhookSecret { caller, webhook_secret };
    assert_eq!(world.give(&nobody), Err(Refusal::ApplicationNotFound.into()));
}
