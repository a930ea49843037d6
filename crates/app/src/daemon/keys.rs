//! The cluster's keys as they are now: `cocli key` changes them while the daemon runs.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use cocli_net::{KeyId, Ring};
use serde_json::{Value as Json, json};

/// Key ids of strangers that are remembered: anybody can make one up.
const STRANGERS_MAX: usize = 16;

/// The ring that everybody in the daemon seals and opens with.
#[derive(Debug, Clone)]
pub(super) struct Keys(Arc<RwLock<Arc<Ring>>>);

impl Keys {
    pub(super) fn new(ring: Ring) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(ring))))
    }

    /// The ring of this moment.
    pub(super) fn now(&self) -> Arc<Ring> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// From now on this ring.
    pub(super) fn change(&self, ring: Ring) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(ring);
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

    pub(super) fn shown(&self) -> Vec<Json> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let show = |(key, (packets, from)): (&KeyId, &(u64, SocketAddr))| json!({"key": key.to_string(), "packets": packets, "from": from.to_string()});
        all.iter().map(show).collect()
    }
}
