//! All nodes that are known, as this one sees them: who is there, whether all are the same, and into which parts
//! they fell. Nothing is read and nobody is asked here.

use std::collections::{BTreeMap, BTreeSet};

use cocli_core::gossip::{Condition, Micros, PeerStatus, Standing, Status, Unequal};
use cocli_core::limits::{CONDITION_US, LIVE_PEERS, LIVE_US};
use cocli_core::{Instant, NodeId};

use crate::heartbeat::KeptNode;

/// So many conditions in a row are seldom lost.
const UNHEARD_TIMES: Micros = 3;
/// Who is buried by others and was heard within this lives: they have not been told yet.
const HEARD_US: Micros = CONDITION_US;
/// A suspect that was silent for so long is down: what it is given to say that it lives is nearly over, and who lives
/// would have been heard by then.
const SILENT_US: Micros = 9_000_000;
/// Those who fell silent within this of each other did so together.
const TOGETHER_US: Micros = 8_000_000;
/// Until then this node may not have met those who are there.
const MEETING_S: u64 = 10;

/// How a node is, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stands {
    /// It is heard.
    Alive,
    /// It did not answer, and has some seconds left.
    Suspect,
    /// It does not answer.
    Down,
    /// Others hear it, this node does not.
    Unheard,
    /// It said that it stops.
    Stopped,
    /// It left the cluster.
    Left,
    /// It is left out.
    Out,
    /// It is known by name only.
    Unmet,
    /// Nobody was asked.
    Unknown,
}

impl Stands {
    const ALL: [Self; 9] = [
        Self::Alive,
        Self::Suspect,
        Self::Down,
        Self::Unheard,
        Self::Stopped,
        Self::Left,
        Self::Out,
        Self::Unmet,
        Self::Unknown,
    ];

    /// What a word says, as [`Self::word`] has it; of another one nothing is known.
    #[must_use]
    pub fn read(word: &str) -> Self {
        Self::ALL.into_iter().find(|it| it.word() == word).unwrap_or(Self::Unknown)
    }

    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Suspect => "suspect",
            Self::Down => "down",
            Self::Unheard => "unheard",
            Self::Stopped => "stopped",
            Self::Left => "left",
            Self::Out => "out",
            Self::Unmet => "unmet",
            Self::Unknown => "unknown",
        }
    }

    /// Whether it is up, as far as anybody knows.
    #[must_use]
    pub fn is_up(self) -> bool {
        matches!(self, Self::Alive | Self::Suspect | Self::Unheard)
    }
}

/// A node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub node: NodeId,
    /// How it is.
    pub stands: Stands,
    /// The peer that it is, once it was met.
    pub peer: Option<PeerStatus>,
    /// What it said of itself last.
    pub condition: Condition,
    /// How long ago that was, microseconds.
    pub condition_us: Option<Micros>,
}

/// Whether all are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sameness {
    /// All that are up hold the same logs and the same state.
    Identical,
    /// Some hold more than others.
    Spreading,
    /// Some hold the same logs and another state.
    Differing,
    /// Nobody else is up.
    Alone,
    /// Somebody is up of whose state nothing is known.
    Unknown,
}

impl Sameness {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Spreading => "spreading",
            Self::Differing => "differing",
            Self::Alone => "alone",
            Self::Unknown => "unknown",
        }
    }
}

/// What this node knows.
#[derive(Debug)]
pub struct Seen<'a> {
    /// This node.
    pub me: &'a NodeId,
    /// When it is.
    pub now: Instant,
    /// How this node is, and how long ago that was looked at.
    pub mine: (&'a Condition, Micros),
    /// Its peers.
    pub status: &'a Status,
    /// What is kept of nodes.
    pub kept: &'a BTreeMap<NodeId, KeptNode>,
    /// Who is left out.
    pub out: BTreeSet<NodeId>,
}

/// All of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// All nodes by name, but for this one.
    pub others: Vec<Member>,
    /// Whether all are the same.
    pub sameness: Sameness,
    /// How many hold what this node holds, and show what it shows, itself among them.
    pub same: usize,
    /// Of how many that are up.
    pub of: usize,
    /// Who lacks something that another one holds.
    pub behind: Vec<NodeId>,
    /// Peers that hold the same logs as this node and show another state; of others that hold the same logs and show
    /// several states all.
    pub differing: Vec<NodeId>,
    /// How old what the sameness was told by is, microseconds.
    pub age_us: Micros,
    /// The groups into which it fell, this node's first; nothing when it is whole, as far as can be told.
    pub parts: Option<Vec<Vec<NodeId>>>,
}

impl Cluster {
    /// The cluster as it is seen.
    #[must_use]
    pub fn of(seen: &Seen<'_>) -> Self {
        let mut peers: BTreeMap<&NodeId, &PeerStatus> = BTreeMap::new();
        for peer in seen.status.peers.iter().filter(|peer| peer.node != *seen.me) {
            // Of several starts of a node the one that was heard last counts.
            let known = peers.entry(&peer.node).or_insert(peer);
            if (peer.live, known.silent_us) > (known.live, peer.silent_us) {
                *known = peer;
            }
        }
        let names: BTreeSet<&NodeId> =
            peers.keys().copied().chain(seen.kept.keys().filter(|node| *node != seen.me)).collect();
        let others: Vec<Member> =
            names.into_iter().map(|node| member(seen, node, peers.get(node).copied())).collect();
        let parts = parts(seen.me, &others);
        judged(seen, others, parts)
    }

    /// The others that are up and that are heard.
    pub fn heard(&self) -> impl Iterator<Item = &PeerStatus> {
        self.others.iter().filter(|other| other.stands.is_up()).filter_map(|o| o.peer.as_ref())
    }
}

fn member(seen: &Seen<'_>, node: &NodeId, peer: Option<&PeerStatus>) -> Member {
    let kept = seen.kept.get(node);
    let since = |at: Instant| {
        u64::try_from(seen.now.micros().saturating_sub(at.micros())).unwrap_or_default()
    };
    let live = peer.and_then(|peer| peer.condition.as_ref());
    let of_kept = kept.and_then(|kept| Some((&kept.condition, since(kept.at?))));
    let live = live.map(|(condition, age)| (condition, *age));
    // Of one that is silent, what it wrote may have come by others since; of one that is heard no clock that is
    // ahead makes it the newer.
    let told = match live.filter(|_| peer.is_some_and(|peer| peer.live)) {
        Some(live) => Some(live),
        None => live.into_iter().chain(of_kept).min_by_key(|(_, age)| *age),
    };
    Member {
        node: node.clone(),
        stands: stands(seen, node, peer, kept),
        peer: peer.cloned(),
        condition: told.map(|(condition, _)| condition.clone()).unwrap_or_default(),
        condition_us: told.map(|(_, age)| age),
    }
}

fn stands(
    seen: &Seen<'_>,
    node: &NodeId,
    peer: Option<&PeerStatus>,
    kept: Option<&KeptNode>,
) -> Stands {
    let heard = peer.is_some_and(|peer| peer.live);
    // With many peers each speaks the more seldom.
    let live = seen.status.peers.iter().filter(|peer| peer.live).count();
    let unheard_us = UNHEARD_TIMES * CONDITION_US * live.div_ceil(LIVE_PEERS).max(1) as u64;
    if seen.out.contains(node) || kept.is_some_and(|kept| kept.known.removed.is_some()) {
        return Stands::Out;
    }
    if !heard && kept.is_some_and(|kept| kept.known.left.is_some()) {
        return Stands::Left;
    }
    let stopped = kept.and_then(|kept| kept.stopped);
    let Some(peer) = peer else {
        let meeting = seen.mine.0.up_s.is_none_or(|up| up < MEETING_S);
        let lived = kept.is_some_and(|kept| kept.at.is_some());
        return match lived && !meeting {
            _ if stopped.is_some() => Stands::Stopped,
            true => Stands::Down,
            false => Stands::Unmet,
        };
    };
    if peer.gone || (stopped.is_some() && !heard) {
        return Stands::Stopped;
    }
    let unheard = !peer.live || (peer.condition.is_some() && peer.silent_us > unheard_us);
    match peer.standing {
        Standing::Down if peer.live && peer.silent_us < HEARD_US => Stands::Alive,
        Standing::Down => Stands::Down,
        Standing::Suspect if peer.silent_us >= SILENT_US => Stands::Down,
        Standing::Suspect => Stands::Suspect,
        Standing::Alive if unheard => Stands::Unheard,
        Standing::Alive => Stands::Alive,
    }
}

/// Two or more that fell silent together did not all break at once: something between them and this node did.
fn parts(me: &NodeId, others: &[Member]) -> Option<Vec<Vec<NodeId>>> {
    let silent = |other: &Member| Some((other.peer.as_ref()?.silent_us, other.node.clone()));
    let down = others.iter().filter(|other| other.stands == Stands::Down);
    let mut silent: Vec<(Micros, NodeId)> = down.filter_map(silent).collect();
    silent.sort();
    let mut groups: Vec<(Micros, Vec<NodeId>)> = Vec::new();
    for (since, node) in silent {
        match groups.last_mut().filter(|(first, _)| since - first <= TOGETHER_US) {
            Some((_, group)) => group.push(node),
            None => groups.push((since, vec![node])),
        }
    }
    groups.retain(|(_, group)| group.len() > 1);
    if groups.is_empty() {
        return None;
    }
    let up = others.iter().filter(|other| other.stands.is_up()).map(|other| other.node.clone());
    let mut mine: Vec<NodeId> = std::iter::once(me.clone()).chain(up).collect();
    mine.sort();
    let theirs = groups.into_iter().map(|(_, mut group)| {
        group.sort();
        group
    });
    Some(std::iter::once(mine).chain(theirs).collect())
}

/// The digest that a condition tells, by the rules and at the vector that it was taken.
fn digest(condition: &Condition) -> Option<((u128, u64), u128)> {
    Some(((condition.vector?, condition.rules?), condition.digest?))
}

fn judged(seen: &Seen<'_>, others: Vec<Member>, parts: Option<Vec<Vec<NodeId>>>) -> Cluster {
    let (mine, my_age) = (digest(seen.mine.0), seen.mine.1);
    let up: Vec<&Member> = others.iter().filter(|other| other.stands.is_up()).collect();
    // With many peers each speaks the more seldom.
    let patience = LIVE_US * up.len().div_ceil(LIVE_PEERS).max(1) as u64;
    let live = |other: &Member| {
        let (condition, age) = other.peer.as_ref()?.condition.as_ref()?;
        (*age <= patience).then(|| digest(condition)).flatten()
    };
    let told = |other: &&Member| live(other);
    let unequal = |other: &&Member| other.peer.as_ref().map_or(Unequal::default(), |p| p.staying);
    let mut by_vector: BTreeMap<(u128, u64), BTreeSet<u128>> = BTreeMap::new();
    for (vector, digest) in up.iter().filter_map(told).chain(mine) {
        by_vector.entry(vector).or_default().insert(digest);
    }
    let rules: BTreeSet<u64> = by_vector.keys().map(|(_, rules)| *rules).collect();
    let vectors: BTreeSet<u128> = by_vector.keys().map(|(vector, _)| *vector).collect();
    let mut behind: Vec<NodeId> =
        up.iter().filter(|o| unequal(o).lacks).map(|o| o.node.clone()).collect();
    if up.iter().any(|other| unequal(other).ahead) {
        behind.push(seen.me.clone());
        behind.sort();
    }
    let untold = mine.is_none() || up.iter().any(|other| told(other).is_none());
    let sameness = match () {
        () if up.is_empty() => Sameness::Alone,
        () if by_vector.values().any(|digests| digests.len() > 1) => Sameness::Differing,
        () if vectors.len() > 1 || !behind.is_empty() => Sameness::Spreading,
        () if untold || rules.len() > 1 => Sameness::Unknown,
        () => Sameness::Identical,
    };
    // What was told before something came says nothing of who lacks that.
    let level = |other: &&Member| unequal(other) == Unequal::default();
    let same = up.iter().filter(|o| level(o) && mine.is_some() && told(o) == mine).count();
    let split = |vector: &(u128, u64)| by_vector.get(vector).is_some_and(|all| all.len() > 1);
    let differs = |other: &&&Member| told(other).is_some_and(|it| split(&it.0) && mine != Some(it));
    let differing = up.iter().filter(differs).map(|other| other.node.clone()).collect();
    let age_us = up.iter().filter_map(|o| o.condition_us).max().unwrap_or_default().max(my_age);
    let of = up.len() + 1;
    Cluster { sameness, same: same + 1, of, behind, differing, age_us, parts, others }
}

#[cfg(test)]
mod tests;
