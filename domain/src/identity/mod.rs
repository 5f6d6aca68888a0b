//! Who takes part: applications, their subjects, and the tags that money is sent to (`idaas.md` 3, 5, 6).

mod address;
mod command;
mod decide;
mod error;
mod event;
mod state;
#[cfg(test)]
mod tests;

pub use address::{Address, AddressError, Handle, Local, TagQuery};
pub use command::{
    CreateSubject, CreateTag, DeactivateApplication, EraseSubject, PatchSubject, Profile, RegisterApplication,
    RotateKey, RotateWebhookSecret, SetTagActive, TransferTag,
};
pub use error::Refusal;
pub use event::{
    ApplicationDeactivated, ApplicationKeyRotated, ApplicationRegistered, ApplicationWebhookSecretRotated,
    IdentityEvent, PublicKey, SubjectCreated, SubjectErased, SubjectPatched, TagCreated, TagDisabled, TagEnabled,
    TagTransferred,
};
pub use state::{Application, Identity, Tag};
