//! What an administrator may do (`idaas.md` 3.7).

use serde_json::json;

use super::world::{Tenant, World};

/// A world with a booked payment, where the wallet's application is an administrator.
async fn administered() -> (World, Tenant, Tenant) {
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    let reference = world.pay(&wallet, "5").await;
    world.raw("POST", &format!("/api/v1/transactions/{reference}/accept"), &shop.token, &[], "").await.fine();
    world.raw("POST", "/api/v1/settlement/run?date=2026-03-27", &shop.token, &[], "").await.fine();
    (world.administered_by(&wallet).await, wallet, shop)
}

#[tokio::test]
async fn everything_can_be_read() {
    let (world, wallet, shop) = administered().await;
    let names = world.get("/api/v1/admin/entities", &wallet.token).await.fine();
    assert_eq!(names.data(), &json!(["applications", "wallets", "settlements"]));
    for (entity, count) in [("applications", 2), ("wallets", 2), ("settlements", 1)] {
        let path = format!("/api/v1/admin/entities/{entity}");
        let page = world.get(&path, &wallet.token).await.fine();
        assert_eq!(page.data()["totalElements"], count, "{}", page.text);
        let one = format!("{path}/{}", page.text_of("/data/content/0/id"));
        assert_eq!(world.get(&one, &wallet.token).await.fine().data()["id"], page.data()["content"][0]["id"]);
        let refused = world.get(&format!("{path}?sort=nonsense"), &wallet.token).await;
        assert_eq!(refused.outcome(), (400, "IDAAS-VALID-2001"));
        assert_eq!(
            world.get(&format!("{path}/{}", wallet.subject), &wallet.token).await.outcome(),
            (404, "IDAAS-RES-3012")
        );
        assert_eq!(world.get(&path, &shop.token).await.outcome(), (403, "IDAAS-AUTH-1006"));
    }
    let by_name = world.get("/api/v1/admin/entities/applications?sort=name&size=1&page=1", &wallet.token).await.fine();
    assert_eq!(by_name.text_of("/data/content/0/name"), "WalletApp");
    assert!(!by_name.text.contains("Secret"));
    assert_eq!(world.get("/api/v1/admin/entities/nothing", &wallet.token).await.outcome(), (400, "IDAAS-VALID-2001"));
}

#[tokio::test]
async fn the_books_cannot_be_changed_and_applications_only_switched_off() {
    let (world, wallet, shop) = administered().await;
    for entity in ["wallets", "settlements"] {
        let page = world.get(&format!("/api/v1/admin/entities/{entity}"), &wallet.token).await.fine();
        let path = format!("/api/v1/admin/entities/{entity}/{}", page.text_of("/data/content/0/id"));
        for method in ["PATCH", "DELETE"] {
            let refused = world.json(method, &path, &wallet.token, r#"{"balance":1}"#).await;
            assert_eq!(refused.outcome(), (403, "IDAAS-AUTH-1006"), "{method} {entity}");
        }
    }
    let path = format!("/api/v1/admin/entities/applications/{}", shop.id);
    for body in
        [r#"{"active":true}"#, r#"{"name":"X"}"#, r#"{"active":{"x":1}}"#, "{}", r#"{"active":false,"name":"X"}"#]
    {
        let refused = world.json("PATCH", &path, &wallet.token, body).await;
        assert_eq!(refused.outcome(), (400, "IDAAS-VALID-2001"), "{body}");
    }
    let off = world.json("PATCH", &path, &wallet.token, r#"{"active":false}"#).await.fine();
    assert_eq!(off.data()["active"], false);
    assert_eq!(world.get("/api/v1/tags", &shop.token).await.outcome(), (401, "IDAAS-AUTH-1003"));
    world.raw("DELETE", &path, &wallet.token, &[], "").await.fine();
    let unknown = format!("/api/v1/admin/entities/applications/{}", shop.subject);
    assert_eq!(world.raw("DELETE", &unknown, &wallet.token, &[], "").await.outcome(), (404, "IDAAS-RES-3012"));
}
