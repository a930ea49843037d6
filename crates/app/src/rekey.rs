//! A rekey: a new key for all nodes of the cluster but those that are left out. What it says, which of
//! two counts, and what follows from it; docs/gossip.md tells the protocol.

mod text;

pub(crate) use text::Told;

use std::collections::BTreeMap;

use cocli_core::NodeId;
use cocli_net::{Key, KeyId, Ring, RingError};
use cocli_node::KnownNode;

/// Nodes that a rekey is given to, and as many that it leaves out.
pub(crate) const NODES_MAX: usize = 512;
/// By how much one may be ahead of the clock here, microseconds.
pub(crate) const AHEAD_MAX_US: i64 = 24 * 3_600 * 1_000_000;

/// The public half of the key that streams know a node by.
pub(crate) type Public = [u8; 32];

/// Somebody to whom the new key is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Heir {
    pub(crate) public: Public,
    /// It has the new key.
    pub(crate) has: bool,
    /// It had left the cluster by then: nobody waits for it.
    pub(crate) left: bool,
}

/// A new key for all but some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rekey {
    /// When it was made, microseconds since 1970.
    pub(crate) made: i64,
    pub(crate) key: Key,
    /// Who is given it: no others, whatever is written of nodes later.
    pub(crate) heirs: BTreeMap<NodeId, Heir>,
    /// Who is left out, and by which key streams know it.
    pub(crate) out: BTreeMap<NodeId, Option<Public>>,
    /// The keys that stood in the ring here before.
    pub(crate) old: Vec<KeyId>,
}

/// How far a rekey has come on one machine: it follows from the ring.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// An old key still seals.
    Taken,
    /// An old key is kept, so that whoever was away can be handed the new one.
    Used,
    /// No old key is there any more.
    Done,
}

/// Which of two rekeys counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They are the same.
    Same,
    /// The other one.
    Theirs,
    /// The one that is held here.
    Ours,
    /// Each leaves out somebody whom the other keeps: a person decides.
    Contrary,
}

impl Rekey {
    /// One that leaves `out` out, and whoever was left out before: by the rekey before it, or by what
    /// is known of nodes.
    pub(crate) fn begin(
        now: i64,
        key: Key,
        (own, public): (&NodeId, Public),
        out: &NodeId,
        known: &[KnownNode],
        before: Option<&Self>,
    ) -> Self {
        let public_of = |one: &KnownNode| one.key.as_deref().and_then(cocli_net::from_hex);
        let mut all_out = before.map(|before| before.out.clone()).unwrap_or_default();
        for one in known.iter().filter(|one| one.removed.is_some() || one.node == *out) {
            let before = all_out.get(&one.node).copied().flatten();
            all_out.insert(one.node.clone(), before.or(public_of(one)));
        }
        all_out.entry(out.clone()).or_default();
        all_out.remove(own);
        let mut heirs = BTreeMap::new();
        for one in known.iter().filter(|one| !all_out.contains_key(&one.node)) {
            if let Some(public) = public_of(one) {
                let heir = Heir { public, has: false, left: one.left.is_some() };
                heirs.insert(one.node.clone(), heir);
            }
        }
        heirs.insert(own.clone(), Heir { public, has: true, left: false });
        let made = before.map_or(now, |before| now.max(before.made + 1));
        Self { made, key, heirs, out: all_out, old: Vec::new() }
    }

    /// Which of this one, that is held here, and another one counts.
    pub(crate) fn against(&self, theirs: &Self) -> Verdict {
        let covers = |one: &Self, other: &Self| other.out.keys().all(|o| one.out.contains_key(o));
        let rank = |one: &Self| (one.made, one.key.id());
        if self.key == theirs.key {
            return Verdict::Same;
        }
        match rank(theirs) > rank(self) {
            true if covers(theirs, self) => Verdict::Theirs,
            false if covers(self, theirs) => Verdict::Ours,
            _ => Verdict::Contrary,
        }
    }

    /// Learns from the same rekey, as another node tells it, who has the key.
    pub(crate) fn learn(&mut self, told: &Self) {
        for (node, heir) in &mut self.heirs {
            heir.has |= told.heirs.get(node).is_some_and(|told| told.has);
        }
    }

    /// Notes that a node has the key.
    pub(crate) fn has(&mut self, node: &NodeId) {
        if let Some(heir) = self.heirs.get_mut(node) {
            heir.has = true;
        }
    }

    /// Puts the new key into the ring, to open with, and what is there already becomes old. When the
    /// ring is full, the key goes that was in use longest ago.
    ///
    /// # Errors
    /// When the ring is full of keys that no rekey knows.
    pub(crate) fn enter(
        &mut self,
        ring: &mut Ring,
        before: Option<&Self>,
    ) -> Result<(), RingError> {
        let known = before.map(|before| (before.key.id(), before.old.as_slice()));
        let gives_way = |ring: &Ring| {
            let (key, old) = known?;
            ring.list().into_iter().skip(1).rfind(|id| old.contains(id) || *id == key)
        };
        let mut fuller = ring.clone();
        if fuller.find(self.key.id()).is_none()
            && fuller.add(self.key.clone()) == Err(RingError::Full)
        {
            fuller.remove(gives_way(ring).ok_or(RingError::Full)?)?;
            fuller.add(self.key.clone())?;
        }
        let before = before.into_iter().flat_map(|before| before.old.iter().copied());
        let mut old: Vec<KeyId> = fuller.list().into_iter().chain(before).collect();
        old.retain(|id| *id != self.key.id());
        old.sort_unstable();
        old.dedup();
        (self.old, *ring) = (old, fuller);
        Ok(())
    }

    pub(crate) fn phase(&self, ring: &Ring) -> Phase {
        if self.old.contains(&ring.in_use().id()) {
            return Phase::Taken;
        }
        match ring.list().iter().any(|id| self.old.contains(id)) {
            true => Phase::Used,
            false => Phase::Done,
        }
    }

    /// Whether under this key nothing goes any more but the new one.
    pub(crate) fn retires(&self, ring: &Ring, key: KeyId) -> bool {
        self.old.contains(&key) && self.phase(ring) != Phase::Taken
    }

    /// To whom the stream of this key belongs, if the new key is given to it.
    pub(crate) fn heir(&self, public: &Public) -> Option<&NodeId> {
        self.heirs.iter().find(|(_, heir)| heir.public == *public).map(|(node, _)| node)
    }

    /// Whether a stream of this key is that of a node that is left out.
    pub(crate) fn refuses_key(&self, public: &Public) -> bool {
        self.out.values().any(|out| *out == Some(*public))
    }

    /// Whether a packet that bears this name is that of a node that is left out.
    pub(crate) fn refuses_name(&self, name: &[u8]) -> bool {
        self.out.keys().any(|out| out.as_str().as_bytes() == name)
    }

    /// Who does not have the key yet and may still come.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = &NodeId> {
        let lacks = |(_, heir): &(&NodeId, &Heir)| !heir.has && !heir.left;
        self.heirs.iter().filter(lacks).map(|(node, _)| node)
    }
}

#[cfg(test)]
mod tests;
