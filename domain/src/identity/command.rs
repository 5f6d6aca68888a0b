//! Commands on applications, subjects and tags.

use std::sync::Arc;

use super::{Handle, Local, PublicKey, TagQuery};
use crate::ids::{ApplicationId, ClientId, SubjectId};

/// Registers a tenant (`idaas.md` 3.1). Secrets come hashed or sealed.
#[derive(Debug, Clone)]
pub struct RegisterApplication {
    /// Its new id.
    pub id: ApplicationId,
    /// Its new client id.
    pub client: ClientId,
    /// Its name, 2 to 150 characters, unique.
    pub name: Arc<str>,
    /// Its handle, unique.
    pub handle: Handle,
    /// Where webhooks go.
    pub webhook_url: Option<Arc<str>>,
    /// Redirect targets.
    pub redirect_uris: Option<String>,
    /// A JSON object as text.
    pub metadata: Option<String>,
    /// SHA-256 of the client secret, hex.
    pub secret_hash: String,
    /// The webhook secret, sealed.
    pub webhook_secret: String,
    /// The public key.
    pub public_key: PublicKey,
}

/// Switches a tenant off (`idaas.md` 3.4). Repeating it is fine.
#[derive(Debug, Clone)]
pub struct DeactivateApplication {
    /// Who asks.
    pub caller: ApplicationId,
    /// Whether the caller is an administrator.
    pub admin: bool,
    /// Which application.
    pub application: ApplicationId,
}

/// Replaces the caller's key pair (`idaas.md` 3.5). Not idempotent: each call makes a new pair.
#[derive(Debug, Clone)]
pub struct RotateKey {
    /// Who asks.
    pub caller: ApplicationId,
    /// The public half of the new pair.
    pub public_key: PublicKey,
}

/// Replaces the caller's webhook secret (`idaas.md` 3.6).
#[derive(Debug, Clone)]
pub struct RotateWebhookSecret {
    /// Who asks.
    pub caller: ApplicationId,
    /// The new secret, sealed.
    pub webhook_secret: String,
}

/// The replaceable texts of a subject, as they came in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Profile {
    /// At most 150 characters.
    pub display_name: Option<Arc<str>>,
    /// At most 200 characters.
    pub email: Option<Arc<str>>,
    /// At most 1000 characters.
    pub image_url: Option<Arc<str>>,
    /// A JSON object as text.
    pub metadata: Option<Arc<str>>,
}

impl std::fmt::Debug for Profile {
    /// Prints which texts are given, never the texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let given = [&self.display_name, &self.email, &self.image_url, &self.metadata].map(Option::is_some);
        write!(f, "Profile{given:?}")
    }
}

/// Makes a user known (`idaas.md` 5).
#[derive(Debug, Clone)]
pub struct CreateSubject {
    /// Who asks.
    pub caller: ApplicationId,
    /// The new id.
    pub id: SubjectId,
    /// 1 to 255 characters, unique per application.
    pub external_id: Arc<str>,
    /// The user's texts.
    pub profile: Profile,
}

/// Replaces some texts of a user.
#[derive(Debug, Clone)]
pub struct PatchSubject {
    /// Who asks.
    pub caller: ApplicationId,
    /// Which user.
    pub subject: SubjectId,
    /// What is replaced; absent texts stay.
    pub profile: Profile,
}

/// Makes a subject's personal text unreadable for ever (`operations.md` 3). Repeating it is fine.
#[derive(Debug, Clone)]
pub struct EraseSubject {
    /// Which user.
    pub subject: SubjectId,
}

/// Makes a tag (`idaas.md` 6.2).
#[derive(Debug, Clone)]
pub struct CreateTag {
    /// Who asks.
    pub caller: ApplicationId,
    /// Its local name.
    pub local: Local,
    /// Its owner.
    pub subject: SubjectId,
}

/// Switches a tag off, or on again.
#[derive(Debug, Clone)]
pub struct SetTagActive {
    /// Who asks; must be the owning application.
    pub caller: ApplicationId,
    /// Which tag.
    pub tag: TagQuery,
    /// On or off. Repeating it is fine.
    pub active: bool,
}

/// Gives a tag to another subject (`idaas.md` 6.2). Repeating it is fine.
#[derive(Debug, Clone)]
pub struct TransferTag {
    /// Who asks; must be the owning application.
    pub caller: ApplicationId,
    /// Which tag.
    pub tag: TagQuery,
    /// The new owner; must hold an active claim on the tag.
    pub owner: SubjectId,
}
