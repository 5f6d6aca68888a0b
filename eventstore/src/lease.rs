//! Who may write: the right to lead a log that several nodes can reach.
//!
//! A lease is only a promise about time, for a quick and orderly change of leaders. What keeps two leaders from both
//! writing is the append itself: it names the term it was made in and the place it belongs to, and the store refuses
//! what does not fit.

use std::time::Duration;

/// A node that would lead.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Candidate {
    /// Its name, for people.
    pub node: String,
    /// Where other nodes reach it: the base of its URLs. None when it takes nothing from others.
    pub address: Option<String>,
}

/// The answer to a node that would lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// It leads. Without `lasts` nobody else can; with it, it must ask again before so much time has passed since it
    /// asked.
    Mine {
        /// Which term this is: it grows whenever the right is given anew, and stays while it is renewed.
        term: u64,
        /// How long the right lasts, counted from the moment of asking.
        lasts: Option<Duration>,
    },
    /// Another one leads.
    Theirs {
        /// Which one.
        leader: Candidate,
    },
}
