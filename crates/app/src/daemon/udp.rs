//! The thread that listens for packets, what it refuses, and how many may wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use cocli_net::{KeyId, Refused, Sieve, Udp};

use super::Event;
use super::alive::Alive;
use super::expected::Expected;
use super::gateway::Gateways;
use super::handover::{Post, Word};
use super::keys::{Keys, Seals, Strangers};
use crate::clock;
use crate::ring::Held;

/// Whatever comes by UDP fits; what is longer than a packet of ours does not open.
const BUFFER_BYTES: usize = 65_536;
/// How long one wait for a packet is.
const WAIT: Duration = Duration::from_secs(1);
/// How long nothing is asked of a socket that failed.
const REST: Duration = Duration::from_millis(10);
/// Packets that may wait for the loop: some megabytes. One more is lost, as if on its way, and
/// repair heals it.
const WAITING_MAX: usize = 4096;

/// What came by UDP. The loop's queue has no bound, since nothing else in it may be lost.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    waiting: AtomicUsize,
    /// Packets that did not open.
    refused: AtomicU64,
    /// Of those, who sealed with keys that are not here.
    pub(super) strangers: Strangers,
    /// Of the others, who seals with which key.
    pub(super) seals: Seals,
    /// Packets beyond the share of where they say to come from, dropped unread.
    shed: AtomicU64,
    /// Packets that opened and found no room.
    dropped: AtomicU64,
    /// Who has a share of their own.
    pub(super) expected: Expected,
}

impl Traffic {
    /// A packet was taken out of the loop's queue.
    pub(super) fn taken(&self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    pub(super) fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What a packet holds, if it may cost a decryption, opens, and is that of a node of the cluster. What
    /// tells that somebody lacks a key goes to the thread that hands keys on.
    fn open(
        &self,
        sieve: &mut Sieve,
        (held, post): (&Held, &Post),
        cluster: &[u8; 16],
        (packet, from): (&[u8], SocketAddr),
    ) -> Option<Vec<u8>> {
        let named = cocli_net::named(&held.ring, packet);
        let opened = named.and_then(|key| {
            if !sieve.admits(from, clock::monotonic()) {
                self.shed.fetch_add(1, Ordering::Relaxed);
                return Ok(None);
            }
            let bytes = cocli_net::open(&held.ring, cluster, packet)?;
            Ok(self.admit(held, post, (key, from), bytes))
        });
        opened.unwrap_or_else(|refused| {
            self.refused.fetch_add(1, Ordering::Relaxed);
            if let Refused::UnknownKey(key) = refused {
                self.strangers.met(key, from, clock::monotonic());
                if self.expected.hopes(from) {
                    post.offer(Word::Ahead(from));
                }
            }
            None
        })
    }

    /// What opened, unless it comes from a node that is left out or under a key that is retired.
    fn admit(
        &self,
        held: &Held,
        post: &Post,
        (key, from): (KeyId, SocketAddr),
        bytes: Vec<u8>,
    ) -> Option<Vec<u8>> {
        if held.awaits(key) {
            post.offer(Word::InUse);
        }
        // An empty one says by its key all that it has to say.
        let length = usize::from(*bytes.first()?);
        let retired = held.retires(key);
        let out = bytes.get(1..=length).is_some_and(|name| held.refuses_name(name));
        if !out {
            self.seals.met(key, from, clock::monotonic());
        }
        if retired && !out {
            post.offer(Word::Behind(from, key));
        }
        if retired || out {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        self.strangers.heard(from);
        Some(bytes)
    }

    /// Puts a packet into the loop's queue if there is room; `None` when the loop has ended.
    fn offer(&self, from: SocketAddr, bytes: Vec<u8>, events: &Sender<Event>) -> Option<()> {
        // Only this thread adds to those that wait, so nobody comes between the look and the count.
        if self.waiting.load(Ordering::Relaxed) >= WAITING_MAX {
            self.dropped.fetch_add(1, Ordering::Relaxed);
            return Some(());
        }
        self.waiting.fetch_add(1, Ordering::Relaxed);
        events.send(Event::Packet { from, bytes }).ok()
    }
}

/// Opens packets under the cluster's keys until the daemon ends; those of Python peers have none.
pub(super) fn listen(
    udp: Arc<Udp>,
    (keys, post): (Keys, Post),
    cluster: [u8; 16],
    traffic: Arc<Traffic>,
    python: Gateways,
    events: Sender<Event>,
) {
    let alive = Alive::new("the thread that listens for packets", &events);
    std::thread::spawn(move || {
        let _alive = alive;
        let mut sieve = Sieve::new(clock::monotonic());
        let mut buffer = vec![0_u8; BUFFER_BYTES];
        loop {
            let (length, from) = match udp.recv(&mut buffer, WAIT) {
                Ok(Some(came)) => came,
                Ok(None) => continue,
                Err(_) => {
                    // It passes (an interface that comes and goes), and may come at once again till then.
                    clock::pass(REST);
                    continue;
                }
            };
            if python.hear(from, &buffer[..length]) {
                continue;
            }
            traffic.expected.take_up(&mut sieve);
            let (held, packet) = (keys.now(), &buffer[..length]);
            let opened = traffic.open(&mut sieve, (&held, &post), &cluster, (packet, from));
            let Some(bytes) = opened else { continue };
            if traffic.offer(from, bytes, &events).is_none() {
                return;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;

    use cocli_core::NodeId;
    use cocli_net::{Key, Ring};

    use super::super::handover;
    use super::*;
    use crate::rekey::Rekey;

    fn key(n: u8) -> Key {
        Key::from_bytes([n; 32])
    }

    /// `pi1` under key 1, that leaves `laptop` out and is given key 9.
    fn held() -> Held {
        let (me, out) = (NodeId::written("pi1").unwrap(), NodeId::written("laptop").unwrap());
        let mut rekey = Rekey::begin(1, key(9), (&me, [1; 32]), &out, &[], None);
        let mut ring = Ring::new(key(1));
        rekey.enter(&mut ring, None).unwrap();
        Held { ring, rekey: Some(rekey) }
    }

    /// What comes through of a packet, and what the thread that hands keys on is told.
    fn comes(held: &Held, under: u8, plaintext: &[u8]) -> (Option<Vec<u8>>, Vec<Word>) {
        let (traffic, (post, words)) = (Traffic::default(), handover::post());
        let from = SocketAddr::from(([192, 0, 2, 1], 9999));
        let mut packet = Vec::new();
        cocli_net::seal(&Ring::new(key(under)), &[0; 16], plaintext, &mut packet).unwrap();
        let mut sieve = Sieve::new(clock::monotonic());
        let open = traffic.open(&mut sieve, (held, &post), &[0; 16], (&packet, from));
        (open, words.try_iter().collect())
    }

    #[test]
    fn a_packet_that_bears_the_name_of_who_is_out_is_refused_under_every_key() {
        let mut held = held();
        assert_eq!(comes(&held, 1, b"\x03pi2...").0.unwrap(), b"\x03pi2...");
        assert_eq!(comes(&held, 1, b"\x06laptop...").0, None);
        held.ring.use_key(key(9).id()).unwrap();
        let (opened, words) = comes(&held, 9, b"\x06laptop...");
        assert!(opened.is_none() && words.is_empty(), "{words:?}");
        assert!(comes(&held, 1, b"\x06laptop...").1.is_empty(), "nor is it called");
    }

    #[test]
    fn what_opens_under_a_retired_key_is_not_read_and_whoever_sent_it_is_called() {
        let mut held = held();
        held.ring.use_key(key(9).id()).unwrap();
        let (opened, words) = comes(&held, 1, b"\x03pi2...");
        assert_eq!(opened, None);
        assert!(matches!(&words[..], [Word::Behind(_, id)] if *id == key(1).id()), "{words:?}");
        assert!(comes(&held, 9, b"\x03pi2...").0.is_some());
    }

    #[test]
    fn the_first_packet_under_the_new_key_says_that_it_is_in_use_even_an_empty_one() {
        for plaintext in [&b""[..], b"\x03pi2..."] {
            let (opened, words) = comes(&held(), 9, plaintext);
            assert_eq!(opened.is_some(), !plaintext.is_empty());
            assert!(matches!(words[..], [Word::InUse]), "{words:?}");
        }
    }

    #[test]
    fn of_a_flood_only_so_many_packets_wait_and_the_others_are_counted() {
        let (traffic, (events, queue)) = (Traffic::default(), channel());
        let from = SocketAddr::from(([192, 0, 2, 1], 9999));
        for _ in 0..WAITING_MAX + 7 {
            traffic.offer(from, vec![0; 8], &events).unwrap();
        }
        assert_eq!((queue.try_iter().count(), traffic.dropped()), (WAITING_MAX, 7));
        traffic.taken();
        traffic.offer(from, vec![0; 8], &events).unwrap();
        assert_eq!((queue.try_iter().count(), traffic.dropped()), (1, 7));
    }
}
