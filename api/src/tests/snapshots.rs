//! The bodies of answers as they are, in `fixtures/api/`: a change of one is a visible diff. Set
//! `FLEXLEDGER_UPDATE_SNAPSHOTS=1` to write them anew. What differs from run to run is masked.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::world::{Answer, OPERATOR, World};
use crate::http::json::{self, Json};

/// Hides what is random, keeping equal things equal. Order and digits stay as they were sent.
#[derive(Default)]
struct Mask {
    seen: HashMap<String, String>,
}

impl Mask {
    fn hide(&mut self, text: &str, kind: &str) -> String {
        let number = self.seen.len() + 1;
        self.seen.entry(text.to_owned()).or_insert_with(|| format!("<{kind} {number}>")).clone()
    }

    fn text(&mut self, text: &str, name: &str) -> String {
        let secret = [
            "clientSecret",
            "webhookSecret",
            "token",
            "consentToken",
            "approvalUrl",
            "challengeToken",
            "api_key",
            "location",
            "x",
            "y",
            "d",
            "appPublicKey",
            "publicKeyBase64",
            "hash",
        ];
        if text.len() == 36 && uuid::Uuid::try_parse(text).is_ok() {
            self.hide(text, "uuid")
        } else if text.starts_with("TXN-") {
            self.hide(text, "reference")
        } else if secret.contains(&name) {
            format!("<{name}>")
        } else {
            text.to_owned()
        }
    }

    fn print(&mut self, value: &Json<'_>, name: &str, indent: usize, out: &mut String) {
        let line = |out: &mut String, indent: usize| {
            out.push('\n');
            out.extend(std::iter::repeat_n("  ", indent));
        };
        match value {
            Json::Text(text) => {
                let _ = write!(out, "{:?}", self.text(text, name));
            }
            Json::Array(items) if !items.is_empty() => {
                out.push('[');
                for item in items {
                    line(out, indent + 1);
                    self.print(item, name, indent + 1, out);
                }
                line(out, indent);
                out.push(']');
            }
            Json::Object(members) if !members.is_empty() => {
                out.push('{');
                for (name, item) in members {
                    line(out, indent + 1);
                    let _ = write!(out, "{name}: ");
                    self.print(item, name, indent + 1, out);
                }
                line(out, indent);
                out.push('}');
            }
            other => {
                let mut bytes = Vec::new();
                other.write(&mut bytes);
                out.push_str(std::str::from_utf8(&bytes).unwrap());
            }
        }
    }
}

struct Snapshots {
    mask: Mask,
    folder: PathBuf,
}

impl Snapshots {
    fn check(&mut self, name: &str, answer: &Answer) {
        let mut text = format!("{} ", answer.status);
        self.mask.print(&json::parse(answer.text.as_bytes()).unwrap(), "", 0, &mut text);
        text.push('\n');
        let path = self.folder.join(format!("{name}.snap"));
        if std::env::var_os("FLEXLEDGER_UPDATE_SNAPSHOTS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(stored, text, "{} differs", path.display());
    }
}

#[tokio::test]
async fn bodies_are_as_they_were() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/api"));
    let mut snapshots = Snapshots { mask: Mask::default(), folder };
    let world = World::new().await;
    let register = json!({"name": "FirstApp", "appHandle": "firstapp", "metadata": {"env": "test"},
        "redirectUris": "https://first.example.com/back", "transactionWebhookUrl": "https://first.example.com/hook"});
    let first = world.post("/api/v1/applications", "", &register).await;
    snapshots.check("application_registered", &first);
    let token = world
        .post("/api/v1/auth/token", "", &json!({"client_id": first.text_of("/data/clientId"), "client_secret": first.text_of("/data/clientSecret")}))
        .await;
    snapshots.check("token_issued", &token);
    snapshots.check(
        "application",
        &world.get(&format!("/api/v1/applications/{}", first.text_of("/data/id")), &token.text_of("/data/token")).await,
    );
    let (wallet, shop) = world.pair().await;
    let path = format!("/api/v1/subjects/{}", wallet.subject);
    snapshots.check("subject", &world.get(&path, &wallet.token).await);
    snapshots.check("tags", &world.get("/api/v1/tags", &wallet.token).await);
    snapshots.check("tag_public", &world.get("/api/v1/tags/alice", "").await);
    let body = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 12.34, "narration": "Tea", "callbackUrl": "https://cb.example.com/x"});
    let made = world.post("/api/v1/transactions", &wallet.token, &body).await;
    snapshots.check("transaction_initiated", &made);
    world.later(5);
    let at = |what: &str| format!("/api/v1/transactions/{}/{what}", made.text_of("/data/reference"));
    snapshots.check("transaction_accepted", &world.raw("POST", &at("accept"), &shop.token, &[], "").await);
    snapshots.check("transaction_over", &world.raw("POST", &at("accept"), &shop.token, &[], "").await);
    let second = world.pay(&wallet, "5").await;
    let reject = format!("/api/v1/transactions/{second}/reject");
    snapshots.check("transaction_rejected", &world.post(&reject, &shop.token, &json!({"reason": "No"})).await);
    snapshots.check("transactions_sent", &world.get("/api/v1/transactions/sent", &wallet.token).await);
    snapshots.check("wallet", &world.get("/api/v1/wallet", &wallet.token).await);
    snapshots.check("wallet_statement", &world.get("/api/v1/wallet/statement", &shop.token).await);
    snapshots.check("invalid", &world.json("POST", "/api/v1/transactions", &wallet.token, "{}").await);
    snapshots.check("not_found", &world.get("/api/v1/nothing", "").await);
    snapshots.check("problem", &world.get("/operator/v1/status", "").await);
    snapshots.check("actuator_health", &world.get("/api/actuator/health", "").await);
    snapshots.check("actuator_info", &world.get("/api/actuator/info", "").await);
    let status = world.get("/operator/v1/status", OPERATOR).await;
    assert_eq!(status.status, 200);
}

/// One application pays itself, so that the record has one line.
#[tokio::test]
async fn settlement_is_as_it_was() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/api"));
    let mut snapshots = Snapshots { mask: Mask::default(), folder };
    let world = World::new().await;
    let tenant = world.tenant("WalletApp", None).await;
    world.tag(&tenant, "alice").await;
    world.tag(&tenant, "bob").await;
    let body = json!({"senderTag": "alice", "receiverTag": "bob", "amount": 12.34});
    let reference = world.post("/api/v1/transactions", &tenant.token, &body).await.fine().text_of("/data/reference");
    world.raw("POST", &format!("/api/v1/transactions/{reference}/accept"), &tenant.token, &[], "").await.fine();
    let run = "/api/v1/settlement/run?date=2026-03-27";
    snapshots.check("settlement_run", &world.raw("POST", run, &tenant.token, &[], "").await);
    snapshots.check("settlement_list", &world.get("/api/v1/settlement", &tenant.token).await);
}

/// Claims, links, keys and payment requests.
#[tokio::test]
async fn the_other_bodies_are_as_they_were() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/api"));
    let mut snapshots = Snapshots { mask: Mask::default(), folder };
    let world = World::new().await;
    let (wallet, shop) = world.pair().await;
    snapshots.check("platform_key", &world.get("/api/v1/keys/idaas", "").await);
    let rotated = world.raw("POST", "/api/v1/applications/keys/rotate", &wallet.token, &[], "").await;
    snapshots.check("keys_rotated", &rotated);
    let claim = json!({"subjectId": wallet.subject});
    let claim = world.post("/api/v1/tags/bob/claims", &wallet.token, &claim).await;
    snapshots.check("claim_requested", &claim);
    let consent = |what: &str| format!("/api/v1/consent/{}{what}", claim.text_of("/data/consentToken"));
    snapshots.check("consent", &world.get(&consent(""), "").await);
    snapshots.check("consent_approved", &world.raw("POST", &consent("/approve"), "", &[], "").await);
    snapshots.check("claims", &world.get("/api/v1/tags/bob/claims", &shop.token).await);
    snapshots.check("tags_with_claims", &world.get("/api/v1/tags", &shop.token).await);
    let link = json!({"secondaryTag": "bob", "verificationMethod": "TOKEN"});
    let link = world.post("/api/v1/tags/alice/federation", &wallet.token, &link).await;
    snapshots.check("federation_initiated", &link);
    let verify = format!("/api/v1/federation/verify/{}", link.text_of("/data/links/0/challengeToken"));
    snapshots.check("federation_verified", &world.raw("POST", &verify, &shop.token, &[], "").await);
    let merchant = json!({"name": "Corner Shop", "tag": "bob"});
    let merchant = world.post("/operator/v1/idaas/merchants", OPERATOR, &merchant).await;
    snapshots.check("merchant_registered", &merchant);
    let names = ["client_id", "api_key", "location"].map(|name| merchant.text_of(&format!("/{name}")));
    let mut headers = vec![("content-type", "application/json")];
    headers.extend(["x-client-id", "x-api-key", "x-location"].into_iter().zip(names.iter().map(String::as_str)));
    let ask = r#"{"payer":"alice","amount":12.5,"reference":"order-7","comment":"Tea","metadata":{"till":3}}"#;
    let asked = world.raw("POST", "/v2/merchant/payment-request", "", &headers, ask).await;
    snapshots.check("payment_request", &asked);
    snapshots.check("merchant_error", &world.raw("POST", "/v2/merchant/payment-request", "", &headers, "{}").await);
    let accept = "/api/v1/payment-requests/order-7/accept";
    snapshots.check("payment_request_accepted", &world.raw("POST", accept, &wallet.token, &[], "").await);
}
