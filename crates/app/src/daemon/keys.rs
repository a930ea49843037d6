//! The cluster's keys as they are now: `cocli key` and `cocli node rm` change them while the daemon runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cocli_net::{KeyId, Ring};
use cocli_node::Home;
use serde_json::{Value as Json, json};

use crate::failure::Failure;
use crate::ring::Held;

/// Key ids of strangers that are remembered: anybody can make one up.
const STRANGERS_MAX: usize = 16;

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
pub(super) struct Strangers(Mutex<BTreeMap<KeyId, (u64, SocketAddr)>>);

impl Strangers {
    pub(super) fn met(&self, key: KeyId, from: SocketAddr) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let room = all.len() < STRANGERS_MAX;
        match all.get_mut(&key) {
            Some((packets, last)) => (*packets, *last) = (*packets + 1, from),
            None if room => drop(all.insert(key, (1, from))),
            None => {}
        }
    }

    /// Forgets those whose key is here now.
    pub(super) fn known(&self, ring: &Ring) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|key, _| ring.find(*key).is_none());
    }

    /// All of them; `old` says which keys were given up.
    pub(super) fn shown(&self, old: &[KeyId]) -> Vec<Json> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let show = |(key, (packets, from)): (&KeyId, &(u64, SocketAddr))| {
            json!({
                "key": key.to_string(), "packets": packets, "from": from.to_string(),
                "old": old.contains(key),
            })
        };
        all.iter().map(show).collect()
    }
}
