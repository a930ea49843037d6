//! The winner of each field, and all winners: the state. The laws are in `tests/laws.rs`.

use alloc::collections::BTreeMap;

use crate::datagram::{Causality, Datagram};
use crate::digest::StateDigest;
use crate::entity::Entity;
use crate::name::{Field, Target};
use crate::stamp::Stamp;
use crate::usv::line_of;
use crate::value::Value;

/// What was written at a field. The derived order is law 1: by instant, node, value bytes,
/// causality bytes; the greatest is the winner, and nothing else decides.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entry {
    /// When and by whom.
    pub stamp: Stamp,
    /// What.
    pub value: Value,
    /// Over what.
    pub causality: Causality,
}

/// All winners. The same set of datagrams gives the same state in whatever order they came.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct State {
    entities: BTreeMap<Target, Entity>,
}

impl From<BTreeMap<Target, Entity>> for State {
    fn from(entities: BTreeMap<Target, Entity>) -> Self {
        Self { entities }
    }
}

impl State {
    /// Merges one datagram; tells whether it became the winner of its field.
    pub fn merge(&mut self, datagram: Datagram) -> bool {
        let Datagram { target, field, entry } = datagram;
        self.entities.entry(target).or_default().merge(field, entry)
    }

    /// The state digest (law 3), summed up over all winners: whoever asks often keeps it, and adds
    /// and subtracts what changes.
    #[must_use]
    pub fn digest(&self) -> StateDigest {
        let mut digest = StateDigest::default();
        for (target, field, entry) in self.entries() {
            digest.add(line_of(target, field, entry).as_bytes());
        }
        digest
    }

    /// What is known of a target.
    #[must_use]
    pub fn entity(&self, target: &Target) -> Option<&Entity> {
        self.entities.get(target)
    }

    /// The winner at a field.
    #[must_use]
    pub fn winner(&self, target: &Target, field: &Field) -> Option<&Entry> {
        self.entities.get(target)?.fields.get(field)
    }

    /// Who removed the target, or something that it stands below, if it is hidden.
    #[must_use]
    pub fn removed(&self, target: &Target) -> Option<&Entry> {
        target
            .lineage()
            .filter_map(|text| Target::read(text).ok())
            .find_map(|above| self.entities.get(&above).and_then(Entity::removed))
    }

    /// All targets in order of their bytes, hidden ones too.
    pub fn entities(&self) -> impl Iterator<Item = (&Target, &Entity)> {
        self.entities.iter()
    }

    /// All winners as datagrams' parts, in the order of a checkpoint: target, then field.
    pub fn entries(&self) -> impl Iterator<Item = (&Target, &Field, &Entry)> {
        self.entities
            .iter()
            .flat_map(|(target, entity)| entity.fields.iter().map(move |(f, e)| (target, f, e)))
    }

    /// How many winners there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entities.values().map(|entity| entity.fields.len()).sum()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entities.is_empty()
    }
}

impl Extend<Datagram> for State {
    fn extend<I: IntoIterator<Item = Datagram>>(&mut self, datagrams: I) {
        for datagram in datagrams {
            self.merge(datagram);
        }
    }
}
