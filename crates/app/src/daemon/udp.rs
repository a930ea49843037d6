//! The thread that listens for packets, what it refuses, and how many may wait.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

use cocli_net::{Refused, Ring, Sieve, Udp};

use super::Event;
use super::alive::Alive;
use super::expected::Expected;
use super::gateway::Gateways;
use super::keys::{Keys, Strangers};
use crate::clock;

/// Whatever comes by UDP fits; what is longer than a packet of ours does not open.
const BUFFER_BYTES: usize = 65_536;
/// How long one wait for a packet is.
const WAIT: Duration = Duration::from_secs(1);
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

    /// What a packet holds, if it may cost a decryption and opens.
    fn open(
        &self,
        sieve: &mut Sieve,
        ring: &Ring,
        cluster: &[u8; 16],
        (packet, from): (&[u8], SocketAddr),
    ) -> Option<Vec<u8>> {
        let opened = match cocli_net::named(ring, packet) {
            Err(refused) => Err(refused),
            Ok(_) if !sieve.admits(from, clock::monotonic()) => {
                self.shed.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            Ok(_) => cocli_net::open(ring, cluster, packet),
        };
        if let Err(refused) = &opened {
            self.refused.fetch_add(1, Ordering::Relaxed);
            if let Refused::UnknownKey(key) = refused {
                self.strangers.met(*key, from);
            }
        }
        opened.ok()
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
    keys: Keys,
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
            // An error of the socket passes (an interface that comes and goes).
            let Ok(Some((length, from))) = udp.recv(&mut buffer, WAIT) else { continue };
            if python.hear(from, &buffer[..length]) {
                continue;
            }
            traffic.expected.take_up(&mut sieve);
            let opened = traffic.open(&mut sieve, &keys.now(), &cluster, (&buffer[..length], from));
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

    use super::*;

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
