//! Links between tags (`idaas.md` 8).

use serde_json::json;

use super::world::{Answer, Tenant, World};

const PATH: &str = "/api/v1/tags/alice/federation";

async fn link(world: &World, by: &Tenant, name: &str) -> Answer {
    world.post(PATH, &by.token, &json!({"secondaryTag": name, "verificationMethod": "TOKEN"})).await
}

async fn verify(world: &World, by: &Tenant, challenge: &str) -> Answer {
    world.raw("POST", &format!("/api/v1/federation/verify/{challenge}"), &by.token, &[], "").await
}

#[tokio::test]
async fn a_link_is_begun_proven_and_ended() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    assert_eq!(world.get(PATH, &wallet.token).await.outcome(), (404, "IDAAS-RES-3009"));
    let begun = link(&world, &wallet, "@bob").await.fine();
    let challenge = begun.text_of("/data/links/0/challengeToken");
    assert_eq!(begun.text_of("/data/primaryTag"), "alice@walletapp");
    assert_eq!(begun.text_of("/data/links/0/linkedTag"), "bob@shopapp");
    assert_eq!(begun.text_of("/data/links/0/status"), "PENDING");
    assert_eq!(link(&world, &wallet, "bob@shopapp").await.outcome(), (409, "IDAAS-CONF-4011"));
    let other = world.tenant("OtherApp", None).await;
    assert_eq!(world.get(PATH, &other.token).await.outcome(), (404, "IDAAS-RES-3009"));
    assert_eq!(verify(&world, &wallet, &challenge).await.outcome(), (403, "IDAAS-AUTH-1008"));
    let proven = verify(&world, &shop, &challenge).await.fine();
    assert_eq!(proven.text_of("/data/links/0/status"), "VERIFIED");
    assert_eq!(proven.text_of("/data/links/0/verifiedBy"), "ShopApp");
    assert_eq!(proven.data()["id"], begun.data()["id"]);
    assert_eq!(verify(&world, &shop, &challenge).await.outcome(), (422, "IDAAS-STATE-5004"));
    assert_eq!(verify(&world, &shop, "nothing").await.outcome(), (404, "IDAAS-RES-3008"));
    for reader in [&wallet, &shop, &other] {
        let read = world.get(PATH, &reader.token).await.fine();
        assert_eq!(read.data(), proven.data());
        assert!(!read.text.contains(&challenge));
    }
    let path = format!("/api/v1/federation/links/{}", begun.text_of("/data/links/0/id"));
    let end = |by: &Tenant, path: String| {
        let (world, token) = (&world, by.token.clone());
        async move { world.raw("DELETE", &path, &token, &[], "").await }
    };
    assert_eq!(end(&other, path.clone()).await.outcome(), (403, "IDAAS-AUTH-1008"));
    let unknown = format!("/api/v1/federation/links/{}", wallet.id);
    assert_eq!(end(&wallet, unknown).await.outcome(), (404, "IDAAS-RES-3007"));
    assert_eq!(end(&wallet, "/api/v1/federation/links/x".to_owned()).await.outcome(), (400, "IDAAS-VALID-2001"));
    assert!(end(&shop, path.clone()).await.fine().json.get("data").is_none());
    end(&wallet, path).await.fine();
    assert_eq!(world.get(PATH, &wallet.token).await.text_of("/data/links/0/status"), "REVOKED");
    assert_eq!(link(&world, &wallet, "bob").await.fine().data()["links"].as_array().map(Vec::len), Some(2));
}

#[tokio::test]
async fn names_of_other_places_and_older_bodies() {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let older = json!({"provider": "GOOGLE", "externalIdentifier": " google-oauth2|1234 "});
    let begun = world.post(PATH, &wallet.token, &older).await.fine();
    assert_eq!(begun.text_of("/data/links/0/linkedTag"), "google-oauth2|1234");
    let challenge = begun.text_of("/data/links/0/challengeToken");
    assert_eq!(verify(&world, &shop, &challenge).await.outcome(), (403, "IDAAS-AUTH-1008"));
    assert_eq!(verify(&world, &wallet, &challenge).await.fine().text_of("/data/links/0/status"), "VERIFIED");
    let late = link(&world, &wallet, "bob").await.fine().text_of("/data/links/1/challengeToken");
    world.later(48 * 3600);
    let shop = Tenant { token: world.token(&shop.client, &shop.secret).await, ..shop };
    assert_eq!(verify(&world, &shop, &late).await.outcome(), (422, "IDAAS-STATE-5004"));
    assert_eq!(link(&world, &shop, "bob").await.outcome(), (403, "IDAAS-AUTH-1006"));
    let missing = world.post(PATH, &shop.token, &json!({"secondaryTag": " "})).await;
    assert_eq!(missing.outcome(), (400, "IDAAS-VALID-2001"));
    assert_eq!(missing.json["errors"], json!(["secondaryTag must not be blank", "verificationMethod is required"]));
}
