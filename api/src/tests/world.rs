//! A server in process, and tenants that use it.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderMap, Request};
use flexledger_commands::clock::ManualClock;
use flexledger_commands::vault::{PlatformKeys, Vault};
use flexledger_commands::{Engine, Options};
use flexledger_domain::{Instant, Span};
use flexledger_eventstore::{EventStore, MemoryStore};
use flexledger_projections::Views;
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::http::auth::Digest;
use crate::{App, Settings, router};

/// 2026-03-27T11:45:12.772Z
pub const NOON: i64 = 1_774_611_912_772_000;
pub const OPERATOR: &str = "operator-token";

pub struct World {
    pub app: App,
    pub router: Router,
    pub clock: Arc<ManualClock>,
    pub store: MemoryStore,
    /// Holds the views; removed at the end.
    #[expect(dead_code, reason = "kept for its destructor")]
    pub folder: tempfile::TempDir,
}

pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
    pub json: Value,
}

impl Answer {
    pub fn code(&self) -> &str {
        self.json["errorCode"].as_str().unwrap_or("")
    }

    /// Status and code in one, for tables.
    pub fn outcome(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    pub fn data(&self) -> &Value {
        &self.json["data"]
    }

    pub fn text_of(&self, pointer: &str) -> String {
        self.json
            .pointer(pointer)
            .and_then(Value::as_str)
            .unwrap_or_else(|| panic!("{pointer} in {}", self.text))
            .to_owned()
    }

    /// This answer, if it is a success.
    #[track_caller]
    pub fn fine(self) -> Self {
        assert!(self.status < 300, "{} {}", self.status, self.text);
        self
    }
}

pub struct Tenant {
    pub id: String,
    pub client: String,
    pub secret: String,
    pub token: String,
    pub subject: String,
}

impl World {
    pub async fn new() -> World {
        World::with(Settings { allow_insecure: true, ..Settings::default() }).await
    }

    pub async fn with(settings: Settings) -> World {
        let world = World::closed(settings).await;
        world.app.warm_up().await.unwrap();
        world
    }

    /// A world whose views have not been waited for.
    pub async fn closed(settings: Settings) -> World {
        World::over(MemoryStore::new(), settings).await
    }

    /// A world over a log that may hold something already.
    pub async fn over(store: MemoryStore, settings: Settings) -> World {
        let clock = Arc::new(ManualClock::new(Instant::from_micros(NOON)));
        let log: Arc<dyn EventStore> = Arc::new(store.clone());
        let vault = Arc::new(Vault::new(PlatformKeys::from_master(&[7; 32]).unwrap(), log.clone()).await.unwrap());
        let options = Options { clock: clock.clone(), ..Options::default() };
        let engine = Engine::start(log.clone(), vault.clone(), options).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("views.db").display());
        let views = Views::open(&url, &[]).await.unwrap();
        views.follow(log, engine.tail().clone()).await.unwrap();
        let operator_token = Some(Digest::of(OPERATOR.as_bytes()));
        let app = App::new(engine, views, vault, Settings { operator_token, ..settings });
        World { router: router(app.clone()), app, clock, store, folder }
    }

    /// The same world, where a tenant is an administrator.
    pub async fn administered_by(self, tenant: &Tenant) -> World {
        let admin_applications = [tenant.id.parse().unwrap()].into_iter().collect();
        let settings = Settings { admin_applications, ..self.app.settings().clone() };
        self.restarted(settings).await
    }

    /// The same world behind handlers that remember nothing.
    pub async fn restarted(self, settings: Settings) -> World {
        let app = App::new(self.app.engine().clone(), self.app.views().clone(), self.app.vault().clone(), settings);
        app.warm_up().await.unwrap();
        World { router: router(app.clone()), app, ..self }
    }

    pub fn later(&self, seconds: u32) {
        self.clock.set(self.app.now().plus(Span::from_seconds(seconds)));
    }

    pub async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let text = String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status.as_u16(), headers: parts.headers, text, json }
    }

    pub async fn raw(&self, method: &str, path: &str, token: &str, headers: &[(&str, &str)], body: &str) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if !body.is_empty() {
            request = request.header("content-length", body.len());
        }
        self.send(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    pub async fn get(&self, path: &str, token: &str) -> Answer {
        self.raw("GET", path, token, &[], "").await
    }

    pub async fn post(&self, path: &str, token: &str, body: &Value) -> Answer {
        self.json("POST", path, token, &body.to_string()).await
    }

    pub async fn json(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        self.raw(method, path, token, &[("content-type", "application/json")], body).await
    }

    /// A tenant with one subject and a token.
    pub async fn tenant(&self, name: &str, webhook: Option<&str>) -> Tenant {
        let handle = name.to_lowercase();
        let body = json!({"name": name, "appHandle": handle, "transactionWebhookUrl": webhook});
        let made = self.post("/api/v1/applications", "", &body).await.fine();
        let (id, client) = (made.text_of("/data/id"), made.text_of("/data/clientId"));
        let secret = made.text_of("/data/clientSecret");
        let token = self.token(&client, &secret).await;
        let user = json!({"externalId": format!("user-{handle}"), "displayName": format!("{name} User"), "email": "u@example.com"});
        let subject = self.post("/api/v1/subjects", &token, &user).await.fine().text_of("/data/id");
        Tenant { id, client, secret, token, subject }
    }

    pub async fn token(&self, client: &str, secret: &str) -> String {
        let body = json!({"client_id": client, "client_secret": secret});
        self.post("/api/v1/auth/token", "", &body).await.fine().text_of("/data/token")
    }

    pub async fn tag(&self, tenant: &Tenant, local: &str) {
        let body = json!({"tag": local, "subjectId": tenant.subject});
        self.post("/api/v1/tags", &tenant.token, &body).await.fine();
    }

    /// Two tenants with the tags `alice@walletapp` and `bob@shopapp`.
    pub async fn pair(&self) -> (Tenant, Tenant) {
        let wallet = self.tenant("WalletApp", Some("https://wallet.example.com/hook")).await;
        let shop = self.tenant("ShopApp", Some("https://shop.example.com/hook")).await;
        self.tag(&wallet, "alice").await;
        self.tag(&shop, "bob").await;
        (wallet, shop)
    }

    pub async fn pay(&self, from: &Tenant, amount: &str) -> String {
        let body = format!(r#"{{"senderTag":"alice@walletapp","receiverTag":"bob@shopapp","amount":{amount}}}"#);
        self.json("POST", "/api/v1/transactions", &from.token, &body).await.fine().text_of("/data/reference")
    }
}
