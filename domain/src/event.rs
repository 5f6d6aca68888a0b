//! Events: what happened, as it stands in the log.
//!
//! Each context lists its own events with the macro `events!`; [`Event`] joins them. An event consists of the entity
//! it happened to, its kind and version, a payload, and, where value moves, a journal.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::access::AccessEvent;
use crate::books::Journal;
use crate::consent::ConsentEvent;
use crate::federation::FederationEvent;
use crate::identity::IdentityEvent;
use crate::ids::{
    ApplicationId, AuditorId, ClaimId, CommandId, EventId, FederationId, IdError, LedgerId, MerchantId, Position,
    Reference, SettlementId, SubjectId, TagId, WalletId, WebhookId,
};
use crate::merchants::{MerchantEvent, RequestNumber};
use crate::payments::PaymentEvent;
use crate::personal::Personal;
use crate::settlement::SettlementEvent;
use crate::system::SystemEvent;
use crate::time::Instant;
use crate::webhooks::WebhookEvent;

/// Why a record is no event.
#[derive(Debug, thiserror::Error)]
pub enum EventError {
    /// The kind, or its version, is not known to this program.
    #[error("unknown event kind {0} version {1}")]
    Unknown(String, u16),
    /// The payload does not fit the kind.
    #[error("payload of {0}: {1}")]
    Payload(&'static str, #[source] serde_json::Error),
    /// The entity does not fit the kind.
    #[error("entity {1} does not fit {0}")]
    Entity(&'static str, String),
    /// Postings are missing, or stand where none belong.
    #[error("postings do not fit {0}")]
    Postings(&'static str),
}

/// The payload of one kind of event.
pub(crate) trait Body: Sized {
    fn journal(&self) -> Option<&Journal> {
        None
    }

    fn personal(&mut self) -> Vec<&mut Personal> {
        Vec::new()
    }

    /// Appends the payload as JSON with sorted keys.
    fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error>;

    fn read(kind: &'static str, payload: &str, journal: Option<Journal>) -> Result<Self, EventError>;
}

/// Implements [`Body`] through serde for payloads without postings. Personal texts are the named optional fields.
macro_rules! plain_body {
    ($($body:ident $(personal $($field:ident),+)?;)*) => {$(
        impl crate::event::Body for $body {
            $(fn personal(&mut self) -> Vec<&mut crate::personal::Personal> {
                [$(&mut self.$field),+].into_iter().filter_map(Option::as_mut).collect()
            })?

            fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
                serde_json::to_writer(out, self)
            }

            fn read(
                kind: &'static str,
                payload: &str,
                journal: Option<crate::books::Journal>,
            ) -> Result<Self, crate::event::EventError> {
                if journal.is_some() {
                    return Err(crate::event::EventError::Postings(kind));
                }
                serde_json::from_str(payload).map_err(|error| crate::event::EventError::Payload(kind, error))
            }
        }
    )*};
}
pub(crate) use plain_body;

/// Makes the event enum of one context. Each line: variant, entity that it happens to, payload type, kind.
macro_rules! events {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident($entity:ident $id:ty, $body:ty) = $kind:literal;)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        #[allow(clippy::large_enum_variant, reason = "the large variants are the common ones")]
        pub enum $name {
            $($(#[$doc])* $variant($id, $body),)*
        }

        impl $name {
            /// The stable name of what happened.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant(..) => $kind,)* }
            }

            /// To whom or what it happened.
            #[must_use]
            pub fn entity(&self) -> crate::event::Entity {
                match self { $(Self::$variant(id, _) => crate::event::Entity::$entity(*id),)* }
            }

            /// The postings, where value moves.
            #[must_use]
            pub fn journal(&self) -> Option<&crate::books::Journal> {
                match self { $(Self::$variant(_, body) => crate::event::Body::journal(body),)* }
            }

            pub(crate) fn personal(&mut self) -> Vec<&mut crate::personal::Personal> {
                match self { $(Self::$variant(_, body) => crate::event::Body::personal(body),)* }
            }

            pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
                match self { $(Self::$variant(_, body) => crate::event::Body::write(body, out),)* }
            }

            /// `None` when the kind belongs to another context.
            pub(crate) fn read(
                kind: &str,
                entity: crate::event::Entity,
                payload: &str,
                journal: Option<crate::books::Journal>,
            ) -> Option<Result<Self, crate::event::EventError>> {
                match kind {
                    $($kind => Some(match entity {
                        crate::event::Entity::$entity(id) => {
                            crate::event::Body::read($kind, payload, journal).map(|body| Self::$variant(id, body))
                        }
                        other => Err(crate::event::EventError::Entity($kind, other.to_string())),
                    }),)*
                    _ => None,
                }
            }
        }
    };
}
pub(crate) use events;

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "payments are by far the most common")]
pub enum Event {
    /// To the log itself.
    System(SystemEvent),
    /// To applications, subjects and tags.
    Identity(IdentityEvent),
    /// To payments and wallets.
    Payment(PaymentEvent),
    /// To settlement dates.
    Settlement(SettlementEvent),
    /// To webhook records.
    Webhook(WebhookEvent),
    /// To claims on tags.
    Consent(ConsentEvent),
    /// To links between tags.
    Federation(FederationEvent),
    /// To merchants and their payment requests.
    Merchant(MerchantEvent),
    /// To auditors.
    Access(AccessEvent),
}

macro_rules! each_context {
    ($self:expr, $event:ident => $result:expr) => {
        match $self {
            Event::System($event) => $result,
            Event::Identity($event) => $result,
            Event::Payment($event) => $result,
            Event::Settlement($event) => $result,
            Event::Webhook($event) => $result,
            Event::Consent($event) => $result,
            Event::Federation($event) => $result,
            Event::Merchant($event) => $result,
            Event::Access($event) => $result,
        }
    };
}

macro_rules! from_context {
    ($($context:ident => $variant:ident,)*) => {$(
        impl From<$context> for Event {
            fn from(event: $context) -> Self {
                Event::$variant(event)
            }
        }
    )*};
}
from_context! {
    SystemEvent => System,
    IdentityEvent => Identity,
    PaymentEvent => Payment,
    SettlementEvent => Settlement,
    WebhookEvent => Webhook,
    ConsentEvent => Consent,
    FederationEvent => Federation,
    MerchantEvent => Merchant,
    AccessEvent => Access,
}

impl Event {
    /// The version of the payload that this program writes.
    pub const VERSION: u16 = 1;

    /// The stable name of what happened, for example `transaction.initiated`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        each_context!(self, event => event.kind())
    }

    /// To whom or what it happened.
    #[must_use]
    pub fn entity(&self) -> Entity {
        each_context!(self, event => event.entity())
    }

    /// The postings, where value moves.
    #[must_use]
    pub fn journal(&self) -> Option<&Journal> {
        each_context!(self, event => event.journal())
    }

    /// The personal texts in this event, to be sealed.
    pub fn personal(&mut self) -> Vec<&mut Personal> {
        each_context!(self, event => event.personal())
    }

    /// Appends the payload as JSON whose keys are sorted (RFC 8785).
    ///
    /// # Errors
    /// When a personal text has not been sealed.
    pub fn write_payload(&self, out: &mut Vec<u8>) -> Result<(), serde_json::Error> {
        each_context!(self, event => event.write(out))
    }

    /// Reads an event of any version that was ever written.
    ///
    /// # Errors
    /// [`EventError`] when the parts do not make an event that this program knows.
    pub fn read(
        kind: &str,
        version: u16,
        entity: Entity,
        payload: &str,
        journal: Option<Journal>,
    ) -> Result<Event, EventError> {
        if version != Self::VERSION {
            return Err(EventError::Unknown(kind.to_owned(), version));
        }
        let context = kind.split_once('.').map_or(kind, |(context, _)| context);
        let read = match context {
            "transaction" | "wallet" => {
                PaymentEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Payment))
            }
            "application" | "subject" | "tag" => {
                IdentityEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Identity))
            }
            "settlement" => SettlementEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Settlement)),
            "auditor" => AccessEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Access)),
            "webhook" => WebhookEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Webhook)),
            "claim" => ConsentEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Consent)),
            "federation" => FederationEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Federation)),
            "merchant" | "payment_request" => {
                MerchantEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::Merchant))
            }
            "ledger" => SystemEvent::read(kind, entity, payload, journal).map(|e| e.map(Event::System)),
            _ => None,
        };
        read.unwrap_or_else(|| Err(EventError::Unknown(kind.to_owned(), version)))
    }
}

macro_rules! entities {
    ($($(#[$doc:meta])* $variant:ident($id:ty) = $prefix:literal;)*) => {
        /// To whom or what an event happened. Written `<sort>/<id>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Entity {
            $($(#[$doc])* $variant($id),)*
        }

        impl fmt::Display for Entity {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self { $(Entity::$variant(id) => write!(f, concat!($prefix, "/{}"), id),)* }
            }
        }

        impl FromStr for Entity {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let (sort, id) = text.split_once('/').ok_or(IdError("entity"))?;
                match sort {
                    $($prefix => id.parse().map(Entity::$variant),)*
                    _ => Err(IdError("entity")),
                }
            }
        }
    };
}
entities! {
    /// An auditor.
    Auditor(AuditorId) = "auditor";
    /// The ledger itself.
    Ledger(LedgerId) = "ledger";
    /// An application.
    Application(ApplicationId) = "application";
    /// A subject.
    Subject(SubjectId) = "subject";
    /// A tag.
    Tag(TagId) = "tag";
    /// A payment, by its reference.
    Transaction(Reference) = "transaction";
    /// A wallet.
    Wallet(WalletId) = "wallet";
    /// A settlement record.
    Settlement(SettlementId) = "settlement";
    /// A webhook record.
    Webhook(WebhookId) = "webhook";
    /// A claim.
    Claim(ClaimId) = "claim";
    /// A federated identity.
    Federation(FederationId) = "federation";
    /// A merchant.
    Merchant(MerchantId) = "merchant";
    /// A merchant's payment request.
    PaymentRequest(RequestNumber) = "payment_request";
}

impl Serialize for Entity {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Entity {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::text::read(deserializer, str::parse)
    }
}

/// Who gave a command. Written `application/<id>`, `merchant/<id>`, `operator`, `public` or `system`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Actor {
    /// An application with a valid token.
    Application(ApplicationId),
    /// A merchant with a valid key.
    Merchant(MerchantId),
    /// The holder of the operator's token.
    Operator,
    /// A caller of a public route.
    Public,
    /// The program itself: clocks and reactors.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Actor::Application(id) => write!(f, "application/{id}"),
            Actor::Merchant(id) => write!(f, "merchant/{id}"),
            Actor::Operator => f.write_str("operator"),
            Actor::Public => f.write_str("public"),
            Actor::System => f.write_str("system"),
        }
    }
}

impl FromStr for Actor {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        match text {
            "operator" => Ok(Actor::Operator),
            "public" => Ok(Actor::Public),
            "system" => Ok(Actor::System),
            other => match other.split_once('/') {
                Some(("application", id)) => id.parse().map(Actor::Application),
                Some(("merchant", id)) => id.parse().map(Actor::Merchant),
                _ => Err(IdError("actor")),
            },
        }
    }
}

/// The key under which a client may repeat a command, as it stands in the log.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Idempotency {
    /// Digest of the request, hex, where repeats are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
    /// The key as the client gave it.
    pub key: String,
}

/// An event at its place in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its place.
    pub position: Position,
    /// Its id.
    pub id: EventId,
    /// When it was recorded; never before the event at the previous position.
    pub recorded_at: Instant,
    /// Who gave the command.
    pub actor: Actor,
    /// The command that it came from.
    pub command: CommandId,
    /// The key of the command; stands on the first event of a command only.
    pub idempotency: Option<Idempotency>,
    /// What happened.
    pub event: Event,
}
