//! The world that benches play in: 100 applications with 100 tags each.

use std::collections::VecDeque;
use std::net::Ipv4Addr;
use std::sync::Arc;

use flexledger_api::jose;
use flexledger_commands::vault::Vault;
use flexledger_commands::{Engine, Failure as EngineFailure};
use flexledger_domain::identity::{
    CreateSubject, CreateTag, Handle, Local, Profile, PublicKey, RegisterApplication, TagQuery,
};
use flexledger_domain::ids::{ApplicationId, ClientId, SubjectId};
use tokio::net::TcpListener;
use uuid::Uuid;

use crate::failure::Failure;

/// Applications.
pub const APPLICATIONS: u64 = 100;
/// Tags of each.
pub const TAGS_EACH: u64 = 100;

/// One tag: whose it is, and its address.
#[derive(Clone)]
pub struct Tag {
    /// The application.
    pub owner: ApplicationId,
    /// The number of the application.
    pub number: u64,
    /// Its address, to be looked for.
    pub query: TagQuery,
    /// Its address as text.
    pub address: Arc<str>,
}

/// Where webhooks go: it takes every connection and never answers.
pub struct Receiver {
    url: Arc<str>,
    secret: String,
    public_key: PublicKey,
    deaf: tokio::task::JoinHandle<()>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.deaf.abort();
    }
}

impl Receiver {
    /// One on the loopback.
    pub async fn deaf(vault: &Vault) -> Result<Receiver, Failure> {
        let broken = |error: &dyn std::fmt::Display| Failure::Store(format!("the receiver of the bench: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(|error| broken(&error))?;
        let address = listener.local_addr().map_err(|error| broken(&error))?;
        let deaf = tokio::spawn(async move {
            // The sender gives up first, so there are never more than it has under way, and those it let go of since.
            let mut held = VecDeque::new();
            while let Ok((connection, _)) = listener.accept().await {
                held.push_back(connection);
                if held.len() > 1024 {
                    held.pop_front();
                }
            }
        });
        Ok(Receiver {
            url: format!("http://{address}/").into(),
            secret: vault.seal_secret(b"secret").map_err(|error| broken(&error))?,
            public_key: jose::generate().map_err(|error| broken(&error))?.public,
            deaf,
        })
    }
}

/// A repeatable choice of payments (splitmix64).
pub struct Dice(u64);

impl Dice {
    /// The choices of one load generator.
    pub fn new(seed: u64) -> Self {
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % bound.max(1)
    }

    /// Sender and receiver of the next payment: tags of different applications, or of the first two when it is hot.
    pub fn pair<'a>(&mut self, tags: &'a [Tag], hot: bool) -> Option<(&'a Tag, &'a Tag)> {
        let from = if hot { 0 } else { self.below(APPLICATIONS) };
        let to = if hot { 1 } else { (from + 1 + self.below(APPLICATIONS - 1)) % APPLICATIONS };
        let mut tag = |application: u64| {
            let at = application * TAGS_EACH + self.below(TAGS_EACH);
            usize::try_from(at).ok().and_then(|at| tags.get(at))
        };
        Some((tag(from)?, tag(to)?))
    }
}

/// Makes the world. The webhooks of the application that receives the hot payments go to `receiver`, if there is one.
pub async fn build(engine: &Engine, receiver: Option<&Receiver>) -> Result<Vec<Tag>, Failure> {
    let mut tags = Vec::new();
    for number in 0..APPLICATIONS {
        let made = application(engine, number, receiver.filter(|_| number == 1)).await;
        tags.extend(made.map_err(|error| Failure::Store(format!("the world of the bench: {error}")))?);
    }
    Ok(tags)
}

async fn application(engine: &Engine, number: u64, receiver: Option<&Receiver>) -> Result<Vec<Tag>, EngineFailure> {
    let id = |kind: u128| Uuid::from_u128((kind << 64) | u128::from(number));
    let (owner, subject) = (ApplicationId::from_uuid(id(1)), SubjectId::from_uuid(id(2)));
    let name = format!("app-{number:03}");
    let Ok(handle) = Handle::new(&name) else { return Ok(Vec::new()) };
    let registration = RegisterApplication {
        id: owner,
        client: ClientId::from_uuid(id(3)),
        name: name.as_str().into(),
        handle,
        webhook_url: receiver.map(|receiver| receiver.url.clone()),
        redirect_uris: None,
        metadata: None,
        secret_hash: "0".repeat(64),
        webhook_secret: receiver.map(|receiver| receiver.secret.clone()).unwrap_or_default(),
        public_key: receiver
            .map_or_else(|| PublicKey { x: String::new(), y: String::new() }, |receiver| receiver.public_key.clone()),
    };
    engine.submit(registration).await?;
    let external_id = "user".into();
    engine.submit(CreateSubject { caller: owner, id: subject, external_id, profile: Profile::default() }).await?;
    let creations = (0..TAGS_EACH).filter_map(|tag| Local::new(&format!("tag-{tag:03}")).ok()).map(|local| {
        let address: Arc<str> = format!("{local}@{name}").into();
        async move {
            engine.submit(CreateTag { caller: owner, local, subject }).await?;
            Ok::<_, EngineFailure>(TagQuery::parse(&address).ok().map(|query| Tag { owner, number, query, address }))
        }
    });
    let made = futures::future::try_join_all(creations).await?;
    Ok(made.into_iter().flatten().collect())
}
