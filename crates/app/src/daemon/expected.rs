//! Whom packets are expected from: the loop knows, the thread that listens wants to know.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use cocli_core::gossip::Status;
use cocli_net::Sieve;

use crate::clock;

/// The replica is not asked again before this: replayed packets open too, from any address.
const REST: Duration = Duration::from_millis(100);
/// And not before so many times as long as it took to ask.
const RESTS: u32 = 20;

#[derive(Debug, Default)]
struct Whom {
    peers: BTreeSet<SocketAddr>,
    hoped: Vec<SocketAddr>,
    rests_until: Option<Instant>,
}

/// Addresses of peers, and those that get hellos.
#[derive(Debug, Default)]
pub(super) struct Expected {
    whom: Mutex<Whom>,
    /// The replica may know others by now.
    doubtful: AtomicBool,
    /// Since the thread that listens looked.
    changed: AtomicBool,
}

impl Expected {
    /// A packet from there was taken: when no peer was known there, one may be by now.
    pub(super) fn came(&self, from: SocketAddr) {
        if !self.whom().peers.contains(&from) {
            self.doubt();
        }
    }

    /// The replica has been told of addresses.
    pub(super) fn doubt(&self) {
        self.doubtful.store(true, Ordering::Relaxed);
    }

    /// Asks who is there, when that may have changed and the last time is a while ago.
    pub(super) fn look(&self, status: impl FnOnce() -> Status) {
        let began = clock::monotonic();
        let rests = || self.whom().rests_until.is_some_and(|until| began < until);
        if self.doubtful.load(Ordering::Relaxed) && !rests() {
            self.learn(&status(), began);
        }
    }

    /// Who is there; the question was asked at `began`.
    pub(super) fn learn(&self, status: &Status, began: Instant) {
        self.doubtful.store(false, Ordering::Relaxed);
        let peers = status.peers.iter().flat_map(|peer| peer.addresses.iter().copied()).collect();
        let took = clock::monotonic().saturating_duration_since(began);
        let mut whom = self.whom();
        whom.rests_until = Some(began + took + REST.max(took * RESTS));
        if (&whom.peers, &whom.hoped) != (&peers, &status.unmet) {
            (whom.peers, whom.hoped) = (peers, status.unmet.clone());
            self.changed.store(true, Ordering::Release);
        }
    }

    /// Whether a peer is there, or hoped for there.
    pub(super) fn hopes(&self, from: SocketAddr) -> bool {
        let whom = self.whom();
        whom.peers.contains(&from) || whom.hoped.contains(&from)
    }

    /// Costs next to nothing when nothing has changed.
    pub(super) fn take_up(&self, sieve: &mut Sieve) {
        if self.changed.load(Ordering::Relaxed) && self.changed.swap(false, Ordering::Acquire) {
            let whom = self.whom();
            let peers: Vec<SocketAddr> = whom.peers.iter().copied().collect();
            sieve.expect(&peers, &whom.hoped);
        }
    }

    fn whom(&self) -> MutexGuard<'_, Whom> {
        self.whom.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn status(unmet: Vec<SocketAddr>) -> Status {
        let (peers, twins) = (Vec::new(), Default::default());
        Status { peers, twins, unmet, gaps: 0, stalled: false, counts: Default::default() }
    }

    #[test]
    fn the_loop_is_asked_at_most_once_in_a_while_however_many_come_from_elsewhere() {
        let (expected, mut asked) = (Expected::default(), 0);
        for port in 0..1_000 {
            expected.came((Ipv4Addr::LOCALHOST, port).into());
            expected.look(|| {
                asked += 1;
                status(Vec::new())
            });
        }
        assert!((1..=2).contains(&asked), "{asked}");
    }

    #[test]
    fn while_peers_alone_are_heard_nobody_is_asked() {
        let (expected, peer) = (Expected::default(), (Ipv4Addr::LOCALHOST, 1).into());
        expected.whom().peers.insert(peer);
        expected.came(peer);
        expected.look(|| panic!("asked"));
        expected.doubt();
        let mut asked = false;
        expected.look(|| {
            asked = true;
            status(Vec::new())
        });
        assert!(asked);
    }

    #[test]
    fn who_is_hoped_for_is_expected_from_the_next_packet_on() {
        let (expected, hoped) = (Expected::default(), (Ipv4Addr::LOCALHOST, 1).into());
        let mut sieve = Sieve::new(clock::monotonic());
        // Another port of the same machine has used up its share.
        let other = (Ipv4Addr::LOCALHOST, 2).into();
        while sieve.admits(other, clock::monotonic()) {}
        assert!(!sieve.admits(hoped, clock::monotonic()));
        expected.learn(&status(vec![hoped]), clock::monotonic());
        expected.take_up(&mut sieve);
        assert!(sieve.admits(hoped, clock::monotonic()));
    }
}
