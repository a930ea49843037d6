//! Asks a peer that holds the same logs and shows another state where the two differ: beside all else, and seldom.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

use cocli_core::gossip::stream::sums::{Answer, Question};
use cocli_core::limits::CHUNK_BYTES;
use cocli_core::{NodeId, Vector};
use cocli_net::{Stream, connect};
use cocli_node::{Compared, Home};

use super::calls::Side;
use super::{Event, callers};

/// One node is compared with at most this often.
const EVERY: Duration = Duration::from_secs(60);

/// Two digests of one vector: this node's, and the other's.
pub(super) type Digests = (u128, u128, u128);

/// What came of comparing with others.
#[derive(Debug, Default)]
pub(super) struct Comparisons {
    all: BTreeMap<NodeId, Comparison>,
    under_way: bool,
}

#[derive(Debug)]
struct Comparison {
    /// Of which digests, once something came of it.
    of: Option<(Digests, Compared)>,
    at: Instant,
}

impl Comparisons {
    /// What is known of how a node differs, by these digests.
    pub(super) fn known(&self, node: &NodeId, of: Digests) -> Option<&Compared> {
        let (known, compared) = self.all.get(node)?.of.as_ref()?;
        (*known == of).then_some(compared)
    }

    /// Whether to compare now: once for each pair of digests, one node at a time.
    pub(super) fn wants(&mut self, node: &NodeId, of: Digests, now: Instant) -> bool {
        let rests = self.all.get(node).is_some_and(|one| now < one.at + EVERY);
        if self.under_way || rests || self.known(node, of).is_some() {
            return false;
        }
        self.under_way = true;
        let one = self.all.entry(node.clone()).or_insert(Comparison { of: None, at: now });
        one.at = now;
        true
    }

    /// It was compared.
    pub(super) fn came(&mut self, node: &NodeId, of: Digests, compared: Option<Compared>) {
        self.under_way = false;
        if let (Some(one), Some(compared)) = (self.all.get_mut(node), compared) {
            one.of = Some((of, compared));
        }
    }
}

/// Compares with a peer, by a thread of its own.
pub(super) fn compare(
    home: Home,
    side: Arc<Side>,
    (node, to, of): (NodeId, SocketAddr, Digests),
    vector: Vector,
    events: Sender<Event>,
) {
    let told = (events.clone(), node.clone());
    let served = callers::serve(move || {
        let compared = with(&home, &side, to, &vector);
        let _ = events.send(Event::Compared { node, of, compared });
    });
    if served.is_err() {
        let _ = told.0.send(Event::Compared { node: told.1, of, compared: None });
    }
}

fn with(home: &Home, side: &Side, to: SocketAddr, vector: &Vector) -> Option<Compared> {
    let ring = side.keys.now().ring.clone();
    let mut stream = connect(to, &side.party(&ring)).ok()?;
    let other = (stream.key_id(), stream.remote_key());
    let ask = |question: &Question| ask(&mut stream, question).filter(|_| side.admits(other, &[]));
    home.compare(vector, ask).ok().flatten()
}

fn ask(stream: &mut Stream, question: &Question) -> Option<Answer> {
    stream.send(&question.write()).ok()?;
    Answer::read(&stream.recv(CHUNK_BYTES).ok()?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail by panic")]

    use super::*;
    use crate::clock;

    #[test]
    fn a_node_is_compared_with_once_for_each_pair_of_digests_and_not_more_than_once_a_minute() {
        let (mut all, now) = (Comparisons::default(), clock::monotonic());
        let (pi, hub) = (NodeId::read("pi").unwrap(), NodeId::read("hub").unwrap());
        assert!(all.wants(&pi, (1, 2, 3), now));
        assert!(!all.wants(&hub, (1, 2, 4), now), "one at a time");
        all.came(&pi, (1, 2, 3), None);
        assert!(all.wants(&hub, (1, 2, 4), now));
        all.came(&hub, (1, 2, 4), Some(Compared::default()));
        assert!(!all.wants(&pi, (1, 2, 3), now + EVERY / 2));
        assert!(all.wants(&pi, (1, 2, 3), now + EVERY), "nothing came of it");
        all.came(&pi, (1, 2, 3), Some(Compared::default()));
        assert!(all.known(&pi, (1, 2, 3)).is_some() && all.known(&pi, (1, 2, 9)).is_none());
        assert!(!all.wants(&pi, (1, 2, 3), now + 9 * EVERY));
        assert!(all.wants(&pi, (1, 2, 9), now + 9 * EVERY));
    }
}
