//! Events of applications, subjects and tags. Field names stand in sorted order: it is the order in the log.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Address, Handle, Local};
use crate::event::{events, plain_body};
use crate::ids::{ApplicationId, ClientId, SubjectId, TagId};
use crate::personal::Personal;

/// The public half of an application's P-256 key, both coordinates in Base64url.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// The x coordinate.
    pub x: String,
    /// The y coordinate.
    pub y: String,
}

/// A tenant registered (`idaas.md` 3.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationRegistered {
    /// What it shows in a token exchange.
    pub client: ClientId,
    /// Whether webhooks to it are encrypted.
    pub encryption_enabled: bool,
    /// Its handle; never changes.
    pub handle: Handle,
    /// Its metadata, a JSON object as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<String>,
    /// Its name.
    pub name: Arc<str>,
    /// The key that webhooks to it are encrypted for.
    pub public_key: PublicKey,
    /// Where its users may be sent back to, space separated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redirect_uris: Option<String>,
    /// SHA-256 of its client secret, hex.
    pub secret_hash: String,
    /// Its webhook secret, sealed with the platform key.
    pub webhook_secret: String,
    /// Where webhooks to it go.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook_url: Option<Arc<str>>,
}

/// A tenant was switched off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationDeactivated {}

/// A tenant got a new key pair (`idaas.md` 3.5). The old key stops at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationKeyRotated {
    /// 2 for the first rotation, and so on.
    pub key_version: u32,
    /// The key that webhooks to it are encrypted for from now on.
    pub public_key: PublicKey,
}

/// A tenant got a new webhook secret (`idaas.md` 3.6). The old one stops at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplicationWebhookSecretRotated {
    /// The new secret, sealed with the platform key.
    pub webhook_secret: String,
}

/// A user was made known (`idaas.md` 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectCreated {
    /// Whose user.
    pub application: ApplicationId,
    /// The name shown to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Personal>,
    /// The e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal>,
    /// The application's own identifier of the user.
    pub external_id: Arc<str>,
    /// A picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<Personal>,
    /// Metadata, a JSON object as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Personal>,
}

/// Some of what is known of a user was replaced. Absent fields stay as they are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectPatched {
    /// The new name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub display_name: Option<Personal>,
    /// The new e-mail address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<Personal>,
    /// The new picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image_url: Option<Personal>,
    /// The new metadata, as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Personal>,
}

/// The key of a subject's personal text was destroyed (`operations.md` 3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubjectErased {}

/// A tag was made (`idaas.md` 6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagCreated {
    /// The application that made it; never changes.
    pub application: ApplicationId,
    /// The handle part of its address.
    pub handle: Handle,
    /// The local part of its address.
    pub local: Local,
    /// The subject that owns it.
    pub owner: SubjectId,
}

impl TagCreated {
    /// The qualified address.
    #[must_use]
    pub fn address(&self) -> Address {
        Address::new(&self.local, &self.handle)
    }
}

/// A tag may no longer be used for anything new.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagDisabled {}

/// A disabled tag may be used again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagEnabled {}

/// A tag got another owner (`idaas.md` 6.2). Its address stays; payments made before stay with their applications.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TagTransferred {
    /// The application of the new owner, which sends and receives for the tag from now on.
    pub application: ApplicationId,
    /// The new owner.
    pub owner: SubjectId,
}

plain_body! {
    ApplicationRegistered;
    ApplicationDeactivated;
    ApplicationKeyRotated;
    ApplicationWebhookSecretRotated;
    SubjectCreated personal display_name, email, image_url, metadata;
    SubjectPatched personal display_name, email, image_url, metadata;
    SubjectErased;
    TagCreated;
    TagDisabled;
    TagEnabled;
    TagTransferred;
}

events! {
    /// What happens to applications, subjects and tags.
    IdentityEvent {
        /// A tenant registered.
        ApplicationRegistered(Application ApplicationId, ApplicationRegistered) = "application.registered";
        /// A tenant was switched off.
        ApplicationDeactivated(Application ApplicationId, ApplicationDeactivated) = "application.deactivated";
        /// A tenant got a new key pair.
        ApplicationKeyRotated(Application ApplicationId, ApplicationKeyRotated) = "application.key_rotated";
        /// A tenant got a new webhook secret.
        ApplicationWebhookSecretRotated(Application ApplicationId, ApplicationWebhookSecretRotated)
            = "application.webhook_secret_rotated";
        /// A user was made known.
        SubjectCreated(Subject SubjectId, SubjectCreated) = "subject.created";
        /// A user's data changed.
        SubjectPatched(Subject SubjectId, SubjectPatched) = "subject.patched";
        /// A user's personal text was made unreadable for ever.
        SubjectErased(Subject SubjectId, SubjectErased) = "subject.erased";
        /// A tag was made.
        TagCreated(Tag TagId, TagCreated) = "tag.created";
        /// A tag was switched off.
        TagDisabled(Tag TagId, TagDisabled) = "tag.disabled";
        /// A tag was switched on again.
        TagEnabled(Tag TagId, TagEnabled) = "tag.enabled";
        /// A tag got another owner.
        TagTransferred(Tag TagId, TagTransferred) = "tag.transferred";
    }
}
