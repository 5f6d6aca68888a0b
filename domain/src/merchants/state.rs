//! What decisions need to know of merchants and payment requests.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use hashbrown::HashMap;
use serde::{Deserialize, Serialize};

use super::{MerchantEvent, Refusal, RequestCreated, RequestNumber};
use crate::identity::Identity;
use crate::ids::{ApplicationId, MerchantId, Reference, TagId};
use crate::money::Money;
use crate::personal::Personal;
use crate::time::Instant;
use crate::token::TokenHash;

/// A merchant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Merchant {
    /// Its name.
    pub name: Arc<str>,
    /// The tag that its requests are paid to.
    pub tag: TagId,
    /// The digest of its API key.
    pub key: TokenHash,
    /// The name of its location.
    pub location: Arc<str>,
}

/// Where a request stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum RequestState {
    /// Waits for its payer.
    Pending,
    /// Paid.
    Accepted,
    /// Turned down.
    Declined,
    /// Taken back.
    Cancelled,
    /// Lapsed.
    Expired,
}

impl RequestState {
    /// All states.
    pub const ALL: [RequestState; 5] = [
        RequestState::Pending,
        RequestState::Accepted,
        RequestState::Declined,
        RequestState::Cancelled,
        RequestState::Expired,
    ];

    /// The name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            RequestState::Pending => "Pending",
            RequestState::Accepted => "Accepted",
            RequestState::Declined => "Declined",
            RequestState::Cancelled => "Cancelled",
            RequestState::Expired => "Expired",
        }
    }

    /// Reads the name on the wire.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        RequestState::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// A payment request as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Its number.
    pub number: RequestNumber,
    /// Who asks.
    pub merchant: MerchantId,
    /// Who is to be paid.
    pub payee: TagId,
    /// Who is asked.
    pub payer: TagId,
    /// How much.
    pub money: Money,
    /// The merchant's name of the request.
    pub reference: Arc<str>,
    /// What for.
    pub comment: Option<Personal>,
    /// A JSON object as text.
    pub metadata: Option<Personal>,
    /// Where it stands.
    pub state: RequestState,
    /// The payment, once accepted.
    pub transaction: Option<Reference>,
    /// Until when it can be paid.
    pub expires_at: Instant,
    /// When it was made.
    pub created_at: Instant,
    /// When it reached its present state.
    pub updated_at: Instant,
}

impl Request {
    /// A request as it was just made.
    #[must_use]
    pub fn created(number: RequestNumber, event: &RequestCreated, at: Instant) -> Self {
        Request {
            number,
            merchant: event.merchant,
            payee: event.payee,
            payer: event.payer,
            money: event.money,
            reference: event.reference.clone(),
            comment: event.comment.clone(),
            metadata: event.metadata.clone(),
            state: RequestState::Pending,
            transaction: None,
            expires_at: event.expires_at,
            created_at: at,
            updated_at: at,
        }
    }
}

/// What stays of a request for ever.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Kept {
    merchant: MerchantId,
    payer: TagId,
}

/// Merchants, pending requests, and the references of all requests.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Merchants {
    merchants: HashMap<MerchantId, Merchant>,
    last: RequestNumber,
    pending: BTreeMap<RequestNumber, Request>,
    deadlines: BTreeSet<(Instant, RequestNumber)>,
    kept: BTreeMap<RequestNumber, Kept>,
    by_reference: HashMap<Arc<str>, Vec<RequestNumber>>,
}

impl Merchants {
    /// A merchant by its id.
    #[must_use]
    pub fn merchant(&self, id: MerchantId) -> Option<&Merchant> {
        self.merchants.get(&id)
    }

    /// The number of the next request.
    #[must_use]
    pub fn next_number(&self) -> RequestNumber {
        self.last.next()
    }

    /// A pending request by its number.
    #[must_use]
    pub fn pending(&self, number: RequestNumber) -> Option<&Request> {
        self.pending.get(&number)
    }

    /// How many requests are pending.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.pending.len()
    }

    /// Pending requests whose time is up at `now`, the most overdue first.
    pub fn overdue(&self, now: Instant) -> impl Iterator<Item = RequestNumber> {
        self.deadlines.range(..=(now, RequestNumber::MAX)).map(|(_, number)| *number)
    }

    /// The request that a merchant made under a reference, pending or not.
    #[must_use]
    pub fn of_merchant(&self, merchant: MerchantId, reference: &str) -> Option<RequestNumber> {
        self.numbers(reference).find(|(_, kept)| kept.merchant == merchant).map(|(number, _)| number)
    }

    /// The pending request under a reference whose payer an application acts for.
    ///
    /// # Errors
    /// [`Refusal::RequestNotFound`], [`Refusal::NotPending`] or [`Refusal::ReferenceAmbiguous`].
    pub fn for_payer(
        &self,
        identity: &Identity,
        application: ApplicationId,
        reference: &str,
    ) -> Result<&Request, Refusal> {
        let acts = |kept: &Kept| identity.tag(kept.payer).is_some_and(|tag| tag.application == application);
        let mut found = Err(Refusal::RequestNotFound);
        for (number, _) in self.numbers(reference).filter(|(_, kept)| acts(kept)) {
            found = match (self.pending.get(&number), found) {
                (Some(_), Ok(_)) => return Err(Refusal::ReferenceAmbiguous),
                (Some(request), Err(_)) => Ok(request),
                (None, Ok(request)) => Ok(request),
                (None, Err(_)) => Err(Refusal::NotPending),
            };
        }
        found
    }

    fn numbers(&self, reference: &str) -> impl Iterator<Item = (RequestNumber, &Kept)> {
        let numbers = self.by_reference.get(reference).map(Vec::as_slice).unwrap_or_default();
        numbers.iter().filter_map(|number| self.kept.get(number).map(|kept| (*number, kept)))
    }

    pub(crate) fn evolve(&mut self, event: &MerchantEvent, at: Instant) {
        match event {
            MerchantEvent::Registered(id, body) => {
                let (name, location) = (body.name.clone(), body.location.clone());
                self.merchants.insert(*id, Merchant { name, tag: body.tag, key: body.key, location });
            }
            MerchantEvent::Created(number, body) => self.insert(Request::created(*number, body, at)),
            MerchantEvent::Accepted(number, _)
            | MerchantEvent::Declined(number, _)
            | MerchantEvent::Cancelled(number, _)
            | MerchantEvent::Expired(number, _) => self.remove(*number),
        }
    }

    fn insert(&mut self, request: Request) {
        self.last = self.last.max(request.number);
        self.kept.insert(request.number, Kept { merchant: request.merchant, payer: request.payer });
        self.by_reference.entry(request.reference.clone()).or_default().push(request.number);
        self.deadlines.insert((request.expires_at, request.number));
        self.pending.insert(request.number, request);
    }

    fn remove(&mut self, number: RequestNumber) {
        if let Some(request) = self.pending.remove(&number) {
            self.deadlines.remove(&(request.expires_at, number));
        }
    }
}
