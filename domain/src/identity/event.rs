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

plain_body! {
    ApplicationRegistered;
    ApplicationDeactivated;
    SubjectCreated personal display_name, email, image_url, metadata;
    SubjectPatched personal display_name, email, image_url, metadata;
    TagCreated;
    TagDisabled;
    TagEnabled;
}

events! {
    /// What happens to applications, subjects and tags.
    IdentityEvent {
        /// A tenant registered.
        ApplicationRegistered(Application ApplicationId, ApplicationRegistered) = "application.registered";
        /// A tenant was switched off.
        ApplicationDeactivated(Application ApplicationId, ApplicationDeactivated) = "application.deactivated";
        /// A user was made known.
        SubjectCreated(Subject SubjectId, SubjectCreated) = "subject.created";
        /// A user's data changed.
        SubjectPatched(Subject SubjectId, SubjectPatched) = "subject.patched";
        /// A tag was made.
        TagCreated(Tag TagId, TagCreated) = "tag.created";
        /// A tag was switched off.
        TagDisabled(Tag TagId, TagDisabled) = "tag.disabled";
        /// A tag was switched on again.
        TagEnabled(Tag TagId, TagEnabled) = "tag.enabled";
    }
}
