//! When what is asked of the bucket: docs/bucket.md. It knows no bucket and no clock.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

use super::FailureKind;
use crate::digest::text_hash;
use crate::limits::OBJECT_CLOSED_BYTES;
use crate::name::{LogId, NodeId};

/// Microseconds of a monotonic clock.
pub type Micros = u64;

pub(super) const SECOND: Micros = 1_000_000;
/// From one upload, or look at a node, to the next, when nothing else is said.
pub const INTERVAL_US: Micros = 120 * SECOND;
/// What no other node holds waits no longer.
const UNSPREAD_US: Micros = 30 * SECOND;
/// What expires waits no longer.
const EXPIRING_US: Micros = 3600 * SECOND;
/// What others wrote and the bucket lacks is uploaded after this, and up to half as much again.
const CARRIED_US: Micros = 600 * SECOND;
/// A node of which gossip brings everything, and the names of new nodes, are looked at as many intervals apart.
const RARELY: u64 = 5;
/// Whether the bucket is what it was is looked at as many intervals apart.
const SELDOM: u64 = 15;
/// Nodes above which the manifest is looked at instead of each.
pub const NODES_EACH: usize = 12;
/// First pause after a failure, doubled up to [`AWAY_MAX_US`].
const AWAY_MIN_US: Micros = SECOND;
/// Longest pause after a failure.
const AWAY_MAX_US: Micros = 20 * SECOND;
/// Pause where the store says no.
pub(super) const DENIED_US: Micros = 300 * SECOND;

/// What the bucket lacks of what is durable here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lacking {
    /// Bytes of the own log.
    pub own: u64,
    /// Bytes of own logs that expire.
    pub expiring: u64,
    /// Bytes of the own log, at its end, that no other node holds.
    pub unspread: u64,
    /// Logs of others: from which position on, and up to which.
    pub others: BTreeMap<LogId, (u64, u64)>,
}

impl Lacking {
    /// Bytes that were written here and that it lacks.
    #[must_use]
    pub fn mine(&self) -> u64 {
        self.own + self.expiring
    }
}

/// What is to be asked now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Whether the store is there at all: nothing else is asked before it is.
    pub trial: bool,
    /// Whose next objects.
    pub pull: BTreeSet<NodeId>,
    /// Whether nodes are new, and whether one bears this node's name.
    pub names: bool,
    /// Whether the bucket is what it was.
    pub check: bool,
    /// The newest manifest.
    pub manifest: bool,
    /// Whether what is lacking of the own logs is uploaded.
    pub push: bool,
    /// Logs of others that are uploaded with it.
    pub carried: BTreeSet<LogId>,
}

impl Due {
    /// Whether nothing is due.
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// When what is due.
#[derive(Debug)]
pub struct Pace {
    me: NodeId,
    interval: Micros,
    /// By how many thousandths intervals are longer, to keep a budget.
    stretch: u64,
    /// When each node is looked at next.
    nodes: BTreeMap<NodeId, Micros>,
    /// Of these gossip brings everything.
    level: BTreeSet<NodeId>,
    /// These were level a moment ago, and are looked at then if they are not again: where much is written, who is
    /// level changes with each packet.
    left: BTreeMap<NodeId, Micros>,
    names: Micros,
    check: Micros,
    manifest: Micros,
    pushed: Option<Micros>,
    lacking: Lacking,
    /// How much of the own log waited when: since the last upload, each time when it was more.
    grew: VecDeque<(Micros, u64)>,
    /// Since when the own log, and own logs that expire, wait.
    own_since: Option<Micros>,
    expiring_since: Option<Micros>,
    /// When each log of another is uploaded, if what lies before a position is lacking until then.
    carried: BTreeMap<LogId, (Micros, u64)>,
    /// The next try after failures, and the pause before it.
    away: Option<(Micros, Micros)>,
}

impl Pace {
    /// Of this node; everything is looked at once at the beginning.
    #[must_use]
    pub fn new(me: NodeId, interval: Micros, now: Micros) -> Self {
        Self {
            me,
            interval: interval.max(1),
            stretch: 1000,
            nodes: BTreeMap::new(),
            level: BTreeSet::new(),
            left: BTreeMap::new(),
            names: now,
            check: now,
            manifest: now + interval,
            pushed: None,
            lacking: Lacking::default(),
            grew: VecDeque::new(),
            own_since: None,
            expiring_since: None,
            carried: BTreeMap::new(),
            away: None,
        }
    }

    /// By how many thousandths all intervals are longer: 1000 for as they are.
    pub fn stretch(&mut self, thousandths: u64) {
        self.stretch = thousandths.max(1000);
    }

    fn every(&self, times: u64) -> Micros {
        self.interval.saturating_mul(times).saturating_mul(self.stretch) / 1000
    }

    /// These nodes write there.
    pub fn know(&mut self, now: Micros, nodes: impl IntoIterator<Item = NodeId>) {
        for node in nodes {
            if node != self.me {
                self.nodes.entry(node).or_insert(now);
            }
        }
    }

    /// Of these nodes gossip brings everything, at this time.
    pub fn level(&mut self, now: Micros, level: BTreeSet<NodeId>) {
        let soon = now + self.every(1);
        for node in self.level.difference(&level).filter(|node| self.nodes.contains_key(*node)) {
            self.left.insert(node.clone(), soon);
        }
        self.left.retain(|node, _| !level.contains(node));
        self.level = level;
    }

    /// What the bucket lacks now.
    pub fn lacks(&mut self, now: Micros, lacking: Lacking) {
        let since = |bytes: u64, since: Option<Micros>| (bytes > 0).then(|| since.unwrap_or(now));
        self.own_since = since(lacking.own, self.own_since);
        self.expiring_since = since(lacking.expiring, self.expiring_since);
        self.grow(now, &lacking);
        // A log that always grows always lacks something: what it lacked at first counts.
        self.carried
            .retain(|log, (_, end)| lacking.others.get(log).is_some_and(|(from, _)| from < end));
        for (log, (_, end)) in &lacking.others {
            if self.carried.contains_key(log) {
                continue;
            }
            // Who carries it is another for each log, so that not all nodes upload it at once.
            let salt = alloc::format!("{log} {}", self.me);
            let later = text_hash(salt.as_bytes()) % (CARRIED_US / 2);
            let wait =
                (CARRIED_US + later) / SECOND * (self.interval / (INTERVAL_US / SECOND)).max(1);
            self.carried.insert(log.clone(), (now + wait, *end));
            // It is there by then, if the node itself can upload it: that is looked at before.
            if let Some(at) = self.nodes.get_mut(&log.node) {
                *at = (*at).min(now + wait.saturating_sub(self.interval / 2));
            }
        }
        self.lacking = lacking;
    }

    /// Notes how much waits, and forgets what others hold.
    fn grow(&mut self, now: Micros, lacking: &Lacking) {
        if self.grew.back().is_some_and(|(_, own)| *own > lacking.own) {
            self.grew.clear();
        }
        if self.grew.back().is_none_or(|(_, own)| *own < lacking.own) {
            self.grew.push_back((now, lacking.own));
        }
        let held = lacking.own.saturating_sub(lacking.unspread);
        self.grew.retain(|(_, own)| *own > held);
    }

    /// When the own log is to be uploaded, if anything of it waits.
    fn push_at(&self) -> Option<Micros> {
        let rest = self.every(5) / 4;
        let own = self.own_since.map(|since| {
            if self.lacking.own >= OBJECT_CLOSED_BYTES {
                return since;
            }
            match self.grew.front() {
                None => self.pushed.map_or(since, |at| since.max(at + rest)),
                // What is always written is never all on another node.
                Some((at, _)) => (at + UNSPREAD_US.min(self.every(1))).min(since + rest),
            }
        });
        let expiring = self.expiring_since.map(|since| since + EXPIRING_US.max(self.every(1)));
        own.into_iter().chain(expiring).min()
    }

    /// What is due.
    #[must_use]
    pub fn due(&self, now: Micros) -> Due {
        if let Some((at, _)) = self.away {
            return Due { trial: at <= now, ..Due::default() };
        }
        let ready = |at: &Micros| *at <= now;
        let many = self.nodes.len() > NODES_EACH;
        let looks = self.nodes.iter().chain(&self.left);
        let pull = looks.filter(|(_, at)| ready(at)).map(|(node, _)| node.clone());
        let carried =
            self.carried.iter().filter(|(_, (at, _))| ready(at)).map(|(log, _)| log.clone());
        let carried: BTreeSet<LogId> = carried.collect();
        Due {
            trial: false,
            pull: pull.collect(),
            names: ready(&self.names),
            check: ready(&self.check),
            manifest: many && ready(&self.manifest),
            push: self.push_at().is_some_and(|at| at <= now) || !carried.is_empty(),
            carried,
        }
    }

    /// When something is due at the latest.
    #[must_use]
    pub fn deadline(&self) -> Micros {
        if let Some((at, _)) = self.away {
            return at;
        }
        let manifest = (self.nodes.len() > NODES_EACH).then_some(self.manifest);
        let carried = self.carried.values().map(|(at, _)| *at);
        let all = self.nodes.values().chain(self.left.values()).copied().chain(carried);
        all.chain(self.push_at()).chain(manifest).fold(self.names.min(self.check), Micros::min)
    }

    /// What was due was done.
    pub fn done(&mut self, now: Micros, due: &Due) {
        let (often, rarely) = (self.every(1), self.every(RARELY));
        let many = self.nodes.len() > NODES_EACH;
        self.away = None;
        for node in &due.pull {
            if self.left.get(node).is_some_and(|at| *at <= now) {
                self.left.remove(node);
            }
            let level = self.level.contains(node) || self.left.contains_key(node);
            let next = if many || level { rarely } else { often };
            self.nodes.insert(node.clone(), now + next);
        }
        if due.names {
            self.names = now + rarely;
        }
        if due.check {
            self.check = now + self.every(SELDOM);
        }
        if due.manifest {
            self.manifest = now + often;
        }
        if due.push {
            self.pushed = Some(now);
            (self.own_since, self.expiring_since) = (None, None);
            self.grew.clear();
            self.carried.retain(|log, _| !due.carried.contains(log));
        }
    }

    /// A node has more than was read: it is looked at next.
    pub fn behind(&mut self, now: Micros, node: &NodeId) {
        if let Some(at) = self.nodes.get_mut(node) {
            *at = (*at).min(now);
        }
    }

    /// Nothing came of it. `dice` is random: it cuts the pause to between half and all of it.
    pub fn failed(&mut self, now: Micros, kind: FailureKind, dice: u64) {
        let pause = match kind {
            FailureKind::Away => {
                let before = self.away.map_or(AWAY_MIN_US / 2, |(_, pause)| pause);
                (before * 2).clamp(AWAY_MIN_US, AWAY_MAX_US)
            }
            FailureKind::Denied | FailureKind::Wrong | FailureKind::Budget => DENIED_US,
        };
        self.away = Some((now + pause / 2 + dice % (pause / 2 + 1), pause));
    }

    /// Whether the last that was asked failed.
    #[must_use]
    pub fn is_away(&self) -> bool {
        self.away.is_some()
    }
}

#[cfg(test)]
mod tests;
