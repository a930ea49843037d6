//! All nodes as this one sees them, for whoever watches: what the door's `cluster` tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use cocli_core::frame::Boot;
use cocli_core::gossip::{Condition, PeerStatus, Status};
use cocli_core::{LogId, NodeId, Vector};
use cocli_node::condition::object;
use cocli_node::replica::Replica;
use cocli_node::{Cluster, KeptNode, Member, Sameness, Seen, Side as Wrong};
use cocli_store::paths;
use serde_json::{Value as Json, json};

use super::calls::Answered;
use super::condition::{Look, Word};
use super::sameness::{Comparisons, Digests};
use crate::clock;

/// What came is looked at when nothing more has come for this long.
const QUIET: Duration = Duration::from_millis(300);
/// And after this all the same.
const PATIENCE: Duration = Duration::from_secs(1);

/// What the loop keeps of it.
#[derive(Debug)]
pub(super) struct Watched {
    words: Sender<Word>,
    /// How this node is, and when that was looked at.
    mine: (Condition, Instant),
    /// At which vector the digest was taken.
    vector: Vector,
    /// What nodes kept of themselves.
    kept: BTreeMap<NodeId, KeptNode>,
    /// When something came first and last that was not looked at.
    came: Option<(Instant, Instant)>,
    /// Whether some of it expires.
    expiring: bool,
    /// When all were the same last.
    identical: Option<cocli_core::Instant>,
    pub(super) comparisons: Comparisons,
}

impl Watched {
    pub(super) fn new(words: Sender<Word>) -> Self {
        Self {
            words,
            mine: (Condition::default(), clock::monotonic()),
            vector: Vector::default(),
            kept: BTreeMap::new(),
            came: None,
            expiring: true,
            identical: None,
            comparisons: Comparisons::default(),
        }
    }

    /// A log is durable farther than it was.
    pub(super) fn advanced(&mut self, log: &LogId) {
        let now = clock::monotonic();
        self.came.get_or_insert((now, now)).1 = now;
        self.expiring |= log.month.is_some();
    }

    /// When what came is to be looked at.
    pub(super) fn due(&self) -> Option<Instant> {
        self.came.map(|(first, last)| (last + QUIET).min(first + PATIENCE))
    }

    /// Has machine and state looked at.
    pub(super) fn look(&mut self, replica: &Replica, peers: &[PeerStatus], problems: u64) {
        self.came = None;
        let mut vector = replica.vector().clone();
        let nodes = vector.0.keys().map(|log| log.node.clone()).collect();
        vector.0.retain(|log, _| log.month.is_none());
        let expiring = std::mem::take(&mut self.expiring);
        let look = Look { vector, nodes, expiring, clock_ahead_us: ahead(peers), problems };
        let _ = self.words.send(Word::Look(look));
    }

    /// How this node is, and at which vector its digest was taken.
    pub(super) fn mine(&mut self, condition: Condition, vector: Vector) {
        self.mine = (condition, clock::monotonic());
        self.vector = vector;
    }

    pub(super) fn nodes(&mut self, kept: BTreeMap<NodeId, KeptNode>) {
        self.kept = kept;
    }

    /// Another node asks where the states differ.
    pub(super) fn ask(&self, question: Vec<u8>, answer: Sender<Answered>) {
        let _ = self.words.send(Word::Asked { question, answer });
    }

    /// The daemon ends: where the last heartbeat stands.
    pub(super) fn end(&self) -> Option<cocli_node::End> {
        super::condition::end(&self.words)
    }

    fn cluster(&mut self, me: &NodeId, status: &Status, out: BTreeSet<NodeId>) -> Cluster {
        let (now, age) = (clock::now(), clock::micros_since(self.mine.1));
        let mine = (&self.mine.0, age);
        let cluster = Cluster::of(&Seen { me, now, mine, status, kept: &self.kept, out });
        if cluster.sameness == Sameness::Identical {
            self.identical = back(now, cluster.age_us);
        }
        cluster
    }

    /// A peer that shows another state, by which digests, and at which vector, if one is to be compared with.
    pub(super) fn differs(
        &mut self,
        me: &NodeId,
        status: &Status,
        out: BTreeSet<NodeId>,
    ) -> Option<(PeerStatus, Digests, Vector)> {
        let cluster = self.cluster(me, status, out);
        let now = clock::monotonic();
        let differing = cluster.others.iter().filter(|one| cluster.differing.contains(&one.node));
        for other in differing {
            let (Some(peer), Some(of)) = (&other.peer, self.digests(other)) else { continue };
            if self.comparisons.wants(&other.node, of, now) {
                return Some((peer.clone(), of, self.vector.clone()));
            }
        }
        None
    }

    fn digests(&self, other: &Member) -> Option<Digests> {
        let vector = self.mine.0.vector.filter(|mine| other.condition.vector == Some(*mine))?;
        Some((vector, self.mine.0.digest?, other.condition.digest?))
    }

    /// What the door tells.
    pub(super) fn told(
        &mut self,
        replica: &mut Replica,
        status: &Status,
        me: (&NodeId, &str),
        out: BTreeSet<NodeId>,
    ) -> Json {
        let cluster = self.cluster(me.0, status, out);
        let now = clock::now();
        let up: BTreeSet<Boot> = cluster.heard().map(|peer| peer.boot).collect();
        let oldest = replica.oldest_untold(&up);
        let oldest = oldest.map(|at| now.micros().saturating_sub(at.micros()).max(0) / 1000);
        let mut nodes: Vec<(NodeId, Json)> =
            cluster.others.iter().map(|other| (other.node.clone(), line(other))).collect();
        let mine_ms = clock::micros_since(self.mine.1) / 1000;
        nodes.push((me.0.clone(), json!({
            "node": me.0.as_str(), "me": true, "standing": "alive", "address": me.1,
            "heard_ms": null, "round_trip_us": null, "clock_ahead_us": null, "lacks_bytes": 0, "ahead_bytes": 0,
            "condition": object(&self.mine.0), "condition_ms": mine_ms,
        })));
        nodes.sort_by(|(one, _), (other, _)| one.cmp(other));
        json!({
            "at": now.to_string(), "node": me.0.as_str(),
            "nodes": nodes.into_iter().map(|(_, line)| line).collect::<Vec<_>>(),
            "sameness": self.sameness(&cluster, me.0),
            "oldest_ms": oldest,
            "parts": cluster.parts.as_ref().map(|parts| parts.iter().map(|part| names(part)).collect::<Vec<_>>()),
        })
    }

    fn sameness(&self, cluster: &Cluster, me: &NodeId) -> Json {
        let (mut differ, mut wrong) = (Vec::new(), BTreeSet::new());
        let differing = cluster.others.iter().filter(|one| cluster.differing.contains(&one.node));
        for other in differing {
            let of = self.digests(other);
            let compared = of.and_then(|of| self.comparisons.known(&other.node, of));
            let Some(compared) = compared else { continue };
            wrong.extend(match compared.wrong {
                Some(Wrong::Here) => vec![me.as_str()],
                Some(Wrong::There) => vec![other.node.as_str()],
                None => Vec::new(),
            });
            differ.extend(compared.differences.iter().map(|one| {
                json!({
                    "node": other.node.as_str(), "target": one.target, "field": one.field,
                    "here": one.here, "there": one.there,
                })
            }));
        }
        let mend = (cluster.sameness == Sameness::Differing).then(|| mend(&wrong));
        let as_of = self.identical.map(|at| at.to_string());
        json!({
            "state": cluster.sameness.word(), "same": cluster.same, "of": cluster.of, "as_of": as_of,
            "behind": names(&cluster.behind), "differing": names(&cluster.differing), "differ": differ,
            "wrong": wrong, "mend": mend,
        })
    }
}

/// What a person is to do where the same logs show different states.
fn mend(wrong: &BTreeSet<&str>) -> String {
    if wrong.is_empty() {
        return "`cocli doctor` on each of them; then write what is right anew with `cocli set`"
            .into();
    }
    let (wrong, path) =
        (Vec::from_iter(wrong.iter().copied()).join(" and of "), paths::manifest(None));
    format!(
        "delete {path} in the home of {wrong}, then `cocli compact` there: it is made anew from the journals"
    )
}

fn names(nodes: &[NodeId]) -> Vec<&str> {
    nodes.iter().map(NodeId::as_str).collect()
}

fn back(now: cocli_core::Instant, micros: u64) -> Option<cocli_core::Instant> {
    cocli_core::Instant::from_micros(now.micros().saturating_sub_unsigned(micros))
}

fn line(other: &Member) -> Json {
    let peer = other.peer.as_ref();
    json!({
        "node": other.node.as_str(), "me": false, "standing": other.stands.word(),
        "address": peer.map(|peer| peer.address.to_string()), "heard_ms": peer.map(|peer| peer.silent_us / 1000),
        "round_trip_us": peer.and_then(|peer| peer.rtt_us), "clock_ahead_us": peer.and_then(|peer| peer.clock_ahead_us),
        "lacks_bytes": peer.map(|peer| peer.lacks_bytes), "ahead_bytes": peer.map(|peer| peer.ahead_bytes),
        "condition": object(&other.condition), "condition_ms": other.condition_us.map(|age| age / 1000),
    })
}

/// By how much this clock is ahead of the median of the live peers': of two in the middle that one which is nearer to
/// this clock, so that one peer of two whose clock is wrong says nothing against it.
fn ahead(peers: &[PeerStatus]) -> Option<i64> {
    let live = peers.iter().filter(|peer| peer.live);
    median(live.filter_map(|peer| peer.clock_ahead_us).collect()).map(i64::saturating_neg)
}

fn median(mut theirs: Vec<i64>) -> Option<i64> {
    theirs.sort_unstable();
    let middle = [theirs.len().saturating_sub(1) / 2, theirs.len() / 2];
    middle.iter().filter_map(|at| theirs.get(*at)).copied().min_by_key(|us| us.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_clocks_that_differ_the_one_here_is_wrong_only_where_most_say_so() {
        let year = 365 * 86_400_000_000;
        assert_eq!(median(vec![]), None);
        assert_eq!(median(vec![year]), Some(year));
        assert_eq!(median(vec![year, 7]), Some(7), "one of the two others is wrong");
        assert_eq!(median(vec![-year, 7]), Some(7));
        assert_eq!(median(vec![year, year - 9]), Some(year - 9), "both others agree");
        assert_eq!(median(vec![year, 3, -4, year, 5]), Some(5));
    }
}
