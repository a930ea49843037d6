//! The cluster's keys as they are now: `cocli key` and `cocli node rm` change them while the daemon runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use cocli_net::{KeyId, Ring};
use cocli_node::Home;
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::ring::Held;

/// Key ids of strangers that are remembered: anybody can make one up.
const STRANGERS_MAX: usize = 16;
/// One that was not met for so long is told of no more: whoever is there says hello each minute.
const STRANGER_KEPT: Duration = Duration::from_secs(150);

/// Addresses of which it is known which key is used there: some times as many as nodes.
const SEALS_MAX: usize = 1024;

/// The keys that everybody in the daemon seals and opens with.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    held: Arc<RwLock<Arc<Held>>>,
    /// Who reads the files anew: one at a time, so that what was read last is what counts.
    reading: Arc<Mutex<()>>,
}

impl Keys {
    pub(super) fn new(held: Held) -> Self {
        Self { held: Arc::new(RwLock::new(Arc::new(held))), reading: Arc::default() }
    }

    /// The keys of this moment.
    pub(super) fn now(&self) -> Arc<Held> {
        Arc::clone(&self.held.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on what stands in the files.
    pub(super) fn take_up(&self, home: &Home) -> Result<Arc<Held>, Failure> {
        let _one = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let held = Arc::new(Held::of(home)?);
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&held);
        Ok(held)
    }
}

/// Who sealed with keys that this machine does not have: a key that was not added here yet, or one
/// that was removed too early.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<BTreeMap<KeyId, Stranger>>);

#[derive(Debug)]
struct Stranger {
    packets: u64,
    /// Where the last one came from, and when.
    from: SocketAddr,
    last: Instant,
}

impl Strangers {
    pub(super) fn met(&self, key: KeyId, from: SocketAddr, now: Instant) {
        let mut all = self.all(now);
        let room = all.len() < STRANGERS_MAX;
        if room || all.contains_key(&key) {
            let stranger = all.entry(key).or_insert(Stranger { packets: 0, from, last: now });
            (stranger.packets, stranger.from, stranger.last) = (stranger.packets + 1, from, now);
        }
    }

    /// What came from there opened: whoever it is has a key by now that is here.
    pub(super) fn heard(&self, from: SocketAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !all.is_empty() {
            all.retain(|_, stranger| stranger.from != from);
        }
    }

    /// Forgets those whose key is here now.
    pub(super) fn known(&self, ring: &Ring) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key, _| ring.find(*key).is_none());
    }

    /// All of them; `old` says which keys were given up.
    pub(super) fn shown(&self, old: &[KeyId], now: Instant) -> Vec<Json> {
        let show = |(key, stranger): (&KeyId, &Stranger)| {
            json!({
                "key": key.to_string(), "packets": stranger.packets,
                "from": stranger.from.to_string(), "old": old.contains(key),
            })
        };
        self.all(now).iter().map(show).collect()
    }

    /// Those that were met of late.
    fn all(&self, now: Instant) -> MutexGuard<'_, BTreeMap<KeyId, Stranger>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, stranger| now < stranger.last + STRANGER_KEPT);
        all
    }
}

/// Under which key of this ring the last packet from an address was sealed.
#[derive(Debug, Default)]
pub(super) struct Seals(Mutex<BTreeMap<SocketAddr, (KeyId, Instant)>>);

impl Seals {
    pub(super) fn met(&self, key: KeyId, from: SocketAddr, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() < SEALS_MAX || all.contains_key(&from) {
            all.insert(from, (key, now));
        }
    }

    /// The key of the last packet from any of these addresses.
    pub(super) fn last(&self, from: &[SocketAddr]) -> Option<KeyId> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let met = from.iter().filter_map(|address| all.get(address));
        met.max_by_key(|(_, at)| *at).map(|(key, _)| *key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn at(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn keys(strangers: &Strangers, now: Instant) -> Vec<String> {
        let text = |one: &Json| one["key"].as_str().unwrap().to_owned();
        strangers.shown(&[], now).iter().map(text).collect()
    }

    #[test]
    fn who_was_given_a_key_or_went_away_is_no_stranger_any_more() {
        let (strangers, now) = (Strangers::default(), clock::monotonic());
        strangers.met(KeyId([1; 4]), at(1), now);
        strangers.met(KeyId([2; 4]), at(2), now);
        strangers.heard(at(1));
        assert_eq!(keys(&strangers, now), ["02020202"]);
        assert!(keys(&strangers, now + STRANGER_KEPT).is_empty());
    }

    #[test]
    fn a_node_uses_the_key_of_its_last_packet_from_wherever_it_came() {
        let (seals, now) = (Seals::default(), clock::monotonic());
        seals.met(KeyId([1; 4]), at(1), now);
        seals.met(KeyId([2; 4]), at(2), now + STRANGER_KEPT);
        assert_eq!(seals.last(&[at(1), at(2)]), Some(KeyId([2; 4])));
        assert_eq!(seals.last(&[at(1)]), Some(KeyId([1; 4])));
        assert_eq!(seals.last(&[at(3)]), None);
        (3..=u16::MAX).for_each(|port| seals.met(KeyId([3; 4]), at(port), now));
        assert_eq!(seals.0.lock().unwrap().len(), SEALS_MAX);
    }

    #[test]
    fn made_up_keys_take_the_room_of_others_for_a_while_and_no_longer() {
        let (strangers, now) = (Strangers::default(), clock::monotonic());
        (0..100).for_each(|n| strangers.met(KeyId([n; 4]), at(1), now));
        strangers.met(KeyId([200; 4]), at(2), now);
        assert_eq!(keys(&strangers, now).len(), STRANGERS_MAX);
        strangers.met(KeyId([200; 4]), at(2), now + STRANGER_KEPT);
        assert_eq!(keys(&strangers, now + STRANGER_KEPT), ["c8c8c8c8"]);
    }
}
