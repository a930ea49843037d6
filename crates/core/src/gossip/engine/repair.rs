//! Vectors: one hash to equal nodes; entries, the changed ones first, to others.

use alloc::vec::Vec;

use super::Engine;
use crate::frame::{Boot, Message, PLAIN_BYTES_MAX, entry_len};
use crate::limits::{ENTRIES_PACKETS_MAX, ROUND_PEERS, ROUND_US};
use crate::name::LogId;

impl Engine {
    pub(super) fn round(&mut self) {
        if self.round_at > self.now {
            return;
        }
        self.round_at = self.now + self.dice.stretched(ROUND_US);
        let sum = self.sum();
        let mut boots = self.peers.turn(self.now, sum, ROUND_PEERS);
        let quiet = self.peers.live(self.now).filter(|peer| peer.is_kept_waiting(self.now));
        boots.extend(quiet.map(|peer| peer.boot));
        for boot in boots {
            self.greet(boot);
        }
        self.ask_absent();
    }

    /// Sends the hash of the vector.
    pub(super) fn greet(&mut self, boot: Boot) {
        let (hash, sent) = (self.sum(), self.now);
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.greet(self.now);
        }
        self.queue(boot).small(Message::Sum { hash, sent });
    }

    pub(super) fn on_sum(&mut self, boot: Boot, counter: u64, hash: u128, sent: u64) {
        let mine = self.sum();
        let wall = self.wall.at(self.now);
        self.queue(boot).small(Message::Heard { sent, level: hash == mine, wall });
        let Some(peer) = self.peers.get_mut(boot) else { return };
        if hash == mine {
            peer.is_level(&self.vector, mine, counter);
        } else {
            peer.is_not_level();
            self.tell_changes(boot);
        }
    }

    /// Entries that the peer was not told yet, then by turns those that it may lack.
    fn tell_changes(&mut self, boot: Boot) {
        let Some(peer) = self.peers.get(boot) else { return };
        let mut room = ENTRIES_PACKETS_MAX * (PLAIN_BYTES_MAX - 100);
        let mut logs: Vec<LogId> = Vec::new();
        let mut put = |log: &LogId| {
            let length = entry_len(log);
            let fits = length <= room;
            if fits {
                room -= length;
                logs.push(log.clone());
            }
            fits
        };
        let told = |log: &LogId| peer.told(log).map(|(head, _)| head);
        let untold = self.vector.0.iter().filter(|(log, head)| told(log) != Some(**head));
        let mut full = !untold.map(|(log, _)| log).all(&mut put);
        let unequal = |log: &LogId| {
            let head = self.vector.get(log);
            told(log) == head && peer.known(log) != head
        };
        let behind =
            peer.cursor.as_ref().map_or(0, |cursor| self.vector.0.range(..=cursor).count());
        let turns = self.vector.0.keys().skip(behind).chain(self.vector.0.keys().take(behind));
        let mut cursor = peer.cursor.clone();
        for log in turns {
            if full || (unequal(log) && !put(log)) {
                full = true;
                break;
            }
            cursor = Some(log.clone());
        }
        if logs.is_empty() {
            // Each believes to know what the other holds, and yet the sums differ: tell everything.
            (logs, cursor) = self.by_turns(cursor.as_ref(), room);
            full = true;
        }
        if let Some(peer) = self.peers.get_mut(boot) {
            peer.cursor = cursor.filter(|_| full);
        }
        for log in logs {
            self.tell(boot, &log);
        }
    }

    /// The logs behind `cursor`, and from the beginning on, as far as there is room.
    fn by_turns(&self, cursor: Option<&LogId>, mut room: usize) -> (Vec<LogId>, Option<LogId>) {
        let behind = cursor.map_or(0, |cursor| self.vector.0.range(..=cursor).count());
        let turns = self.vector.0.keys().skip(behind).chain(self.vector.0.keys().take(behind));
        let fits = |log: &&LogId| {
            let length = entry_len(log);
            room = room.saturating_sub(length);
            room > 0
        };
        let logs: Vec<LogId> = turns.take_while(fits).cloned().collect();
        let last = logs.last().cloned();
        (logs, last)
    }
}
