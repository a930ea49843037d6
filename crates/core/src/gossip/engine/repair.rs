//! Vectors: one hash to equal nodes; entries, the changed ones first, to others.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use super::Engine;
use crate::expiry::is_over;
use crate::frame::{Boot, Message, PLAIN_BYTES_MAX, entry_len};
use crate::limits::{ENTRIES_PACKETS_MAX, ROUND_PEERS, ROUND_US};
use crate::name::LogId;
use crate::vector::Head;

impl Engine {
    pub(super) fn round(&mut self) {
        if self.round_at > self.now {
            return;
        }
        self.round_at = self.now + self.dice.stretched(ROUND_US);
        let live: Vec<Boot> = self.peers.live(self.now).map(|peer| peer.boot).collect();
        let unequal: Vec<Boot> = live.into_iter().filter(|boot| !self.is_level(*boot)).collect();
        let mut boots = self.peers.turn(&unequal, ROUND_PEERS);
        let quiet = self.peers.live(self.now).filter(|peer| peer.is_kept_waiting(self.now));
        boots.extend(quiet.map(|peer| peer.boot));
        for boot in boots {
            self.greet(boot);
        }
        self.ask_absent();
    }

    /// Whether a peer is known to hold the same, and was measured.
    fn is_level(&mut self, boot: Boot) -> bool {
        let sum = self.sum_for(boot);
        self.peers.get(boot).is_some_and(|peer| peer.equals(sum) && peer.rtt.is_some())
    }

    /// Sends the hash of the vector.
    pub(super) fn greet(&mut self, boot: Boot) {
        let (hash, sent) = (self.sum_for(boot), self.now);
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.greet(self.now);
        }
        self.queue(boot).small(Message::Sum { hash, sent });
    }

    pub(super) fn on_sum(&mut self, boot: Boot, counter: u64, hash: u128, sent: u64) {
        let mine = self.sum_for(boot);
        let wall = self.wall.at(self.now);
        self.queue(boot).small(Message::Heard { sent, level: hash == mine, wall });
        let oldest = self.peers.get(boot).and_then(|peer| self.oldest_with(peer));
        let Some(peer) = self.peers.get_mut(boot) else { return };
        if hash == mine {
            peer.is_level(&self.vector, |log| !is_over(log, oldest), mine, counter);
        } else {
            peer.is_not_level();
            self.tell_changes(boot);
        }
    }

    /// Entries that the peer was not told yet, then all that it may lack; both by turns, and the second
    /// have a share of the room however many the first are.
    fn tell_changes(&mut self, boot: Boot) {
        let Some(peer) = self.peers.get(boot) else { return };
        let share = ENTRIES_PACKETS_MAX * (PLAIN_BYTES_MAX - 100) / 4;
        let (turn, mut room) = (peer.cursor.as_ref(), 3 * share);
        let oldest = self.oldest_with(peer);
        let common = |log: &LogId| !is_over(log, oldest);
        let untold = |log: &LogId, head: Head| {
            common(log) && peer.told(log).map(|(told, _)| told) != Some(head)
        };
        let (first, _) = self.by_turns(turn, &mut room, untold);
        let mut logs = BTreeSet::from_iter(first);
        room += share;
        let (rest, mut full) = self.by_turns(turn, &mut room, |log, head| {
            let unequal = common(log) && peer.known(log) != Some(head);
            !logs.contains(log) && (untold(log, head) || unequal)
        });
        let mut cursor = rest.last().cloned();
        logs.extend(rest);
        if logs.is_empty() {
            // Each believes to know what the other holds, and yet the sums differ: tell everything.
            let (all, _) = self.by_turns(turn, &mut room, |log, _| common(log));
            (cursor, full) = (all.last().cloned(), true);
            logs.extend(all);
        }
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.cursor = cursor.filter(|_| full);
        }
        for log in logs {
            self.tell(boot, &log);
        }
    }

    /// The logs behind `cursor`, and from the beginning on, that are wanted and for whose entries there
    /// is room; and whether there was none for some.
    fn by_turns(
        &self,
        cursor: Option<&LogId>,
        room: &mut usize,
        wanted: impl Fn(&LogId, Head) -> bool,
    ) -> (Vec<LogId>, bool) {
        let behind = cursor.map_or(0, |cursor| self.vector.0.range(..=cursor).count());
        let logs = || self.vector.0.iter();
        let turns = logs().skip(behind).chain(logs().take(behind));
        let mut taken = Vec::new();
        for (log, _) in turns.filter(|(log, head)| wanted(log, **head)) {
            let length = entry_len(log);
            if length > *room {
                return (taken, true);
            }
            *room -= length;
            taken.push(log.clone());
        }
        (taken, false)
    }
}
