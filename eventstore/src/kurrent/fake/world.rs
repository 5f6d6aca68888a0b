//! What the fake nodes of one cluster share: the streams, and who leads.

use std::collections::{HashMap, HashSet};

use super::wire::{Expected, Proposed, Recorded, StreamName};

/// What a real server takes in one append by default.
const APPEND_BYTES_MAX: usize = 1024 * 1024;

/// One stream.
#[derive(Default)]
pub struct Stream {
    pub events: Vec<Proposed>,
    pub tombstone: bool,
}

/// What an append or a tombstone came to.
pub enum Outcome {
    /// Stored; the newest revision, none for a stream without events.
    Stored(Option<u64>),
    /// Another revision than expected.
    Wrong(Option<u64>),
    Deleted,
    TooLarge,
}

/// The streams of a cluster.
#[derive(Default)]
pub struct World {
    pub streams: HashMap<String, Stream>,
    /// The port of the node that leads; none: whoever is asked.
    pub leader: Option<u16>,
    /// Appends without any event.
    pub empty_appends: usize,
    /// The most bytes of an append that was stored, as the server counts them.
    pub largest: usize,
}

impl World {
    /// Appends as a server does, repeated appends included: ids are compared, bytes are not.
    pub fn append(&mut self, name: &str, expected: Expected, events: Vec<Proposed>) -> Outcome {
        let size = |event: &Proposed| {
            let kind = event.metadata.get("type").map_or(0, String::len);
            event.data.len() + event.custom_metadata.len() + 2 * kind
        };
        let bytes: usize = events.iter().map(size).sum();
        if bytes > APPEND_BYTES_MAX {
            return Outcome::TooLarge;
        }
        if self.streams.get(name).is_some_and(|stream| stream.tombstone) {
            return Outcome::Deleted;
        }
        let stored = self.streams.get(name).map_or(&[][..], |stream| &stream.events);
        let count = stored.len() as u64;
        let from = match expected {
            Expected::Revision(revision) => revision + 1,
            Expected::NoStream(()) => 0,
            Expected::Any(()) | Expected::StreamExists(()) => count,
        };
        if from < count && !events.is_empty() {
            let there = stored.iter().skip(from as usize).take(events.len());
            if there.len() == events.len() && there.zip(&events).all(|(old, new)| old.id == new.id) {
                return Outcome::Stored(Some(from + events.len() as u64 - 1));
            }
        }
        if from != count {
            return Outcome::Wrong(count.checked_sub(1));
        }
        self.empty_appends += usize::from(events.is_empty());
        self.largest = self.largest.max(bytes);
        if !events.is_empty() {
            self.streams.entry(name.to_owned()).or_default().events.extend(events);
        }
        let count = self.streams.get(name).map_or(0, |stream| stream.events.len() as u64);
        Outcome::Stored(count.checked_sub(1))
    }

    pub fn tombstone(&mut self, name: &str) -> Outcome {
        match self.streams.get_mut(name) {
            Some(stream) if stream.tombstone => Outcome::Deleted,
            Some(stream) => {
                stream.tombstone = true;
                Outcome::Stored(None)
            }
            None => Outcome::Wrong(None),
        }
    }

    /// An event as it is read.
    pub fn recorded(&self, name: &str, revision: u64) -> Option<Recorded> {
        let event = self.streams.get(name)?.events.get(revision as usize)?;
        Some(Recorded {
            id: event.id.clone(),
            stream: Some(StreamName { name: name.as_bytes().to_vec() }),
            revision,
            metadata: event.metadata.clone(),
            custom_metadata: event.custom_metadata.clone(),
            data: event.data.clone(),
        })
    }

    /// Whether every event of every stream has an id of its own.
    pub fn ids_are_unique(&self) -> bool {
        let mut seen = HashSet::new();
        let mut events = self.streams.values().flat_map(|stream| &stream.events);
        events.all(|event| seen.insert(format!("{:?}", event.id)))
    }
}
