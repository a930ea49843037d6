//! What all pages share: where the home is, who may come in, what is live, and what is slow to look at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::{Duration, Instant};

use cocli_core::LogId;
use cocli_node::{Health, Home};
use tokio::sync::{Semaphore, watch};

use super::Options;
use super::cluster::Seen;
use super::feed::Feed;
use super::guard::Guard;
use crate::failure::Failure;
use crate::{clock, door};

/// How old what the door said of the cluster may be.
const SEEN: Duration = Duration::from_millis(1_500);
/// A door that takes longer to answer is asked beside the page, which shows what it said before.
const ANSWERED_MAX: Duration = Duration::from_millis(300);
/// How old a look at all cards may be.
const LOOKED: Duration = Duration::from_secs(30);

/// A count that takes longer is made beside the page, which shows the one before.
const COUNTED_MAX: Duration = Duration::from_millis(30);

/// How many companies and people there are.
#[derive(Debug, Clone)]
struct Counted {
    /// Where all logs ended then.
    ends: BTreeMap<LogId, u64>,
    counts: [usize; 2],
    took: Duration,
}

/// What the door said.
#[derive(Debug, Clone)]
struct Met {
    at: Instant,
    took: Duration,
    seen: Arc<Seen>,
}

/// A look at what takes long.
#[derive(Debug, Default)]
struct Looked {
    at: Option<Instant>,
    /// Somebody looks now.
    busy: bool,
    health: Option<Arc<Health>>,
}

#[derive(Debug)]
pub(super) struct Site {
    home: PathBuf,
    pub(super) node: String,
    pub(super) guard: Guard,
    pub(super) feed: Arc<Feed>,
    pub(super) streams: Arc<Semaphore>,
    /// Streams at once.
    pub(super) streams_max: usize,
    /// When the process is to end.
    pub(super) stopped: watch::Receiver<bool>,
    seen: Mutex<Option<Met>>,
    /// Held by the one who asks at the door.
    asking: Mutex<()>,
    looked: Mutex<Looked>,
    counted: Mutex<Option<Counted>>,
    /// Held by the one who counts beside a page.
    counting: Mutex<()>,
}

impl Site {
    pub(super) fn new(
        home: &Home,
        options: Options,
        address: SocketAddr,
        stopped: watch::Receiver<bool>,
    ) -> Self {
        Self {
            home: home.path().to_path_buf(),
            node: home.node().to_string(),
            feed: Arc::new(Feed::new()),
            streams: Arc::new(Semaphore::new(options.streams)),
            streams_max: options.streams,
            guard: Guard::new(options, address),
            stopped,
            seen: Mutex::new(None),
            asking: Mutex::new(()),
            looked: Mutex::new(Looked::default()),
            counted: Mutex::new(None),
            counting: Mutex::new(()),
        }
    }

    /// The home as it is now: settings may have changed, and it may have joined another cluster.
    pub(super) fn home(&self) -> Result<Home, Failure> {
        Ok(Home::open(&self.home, clock::rim())?)
    }

    /// The cluster, as it was seen a moment ago at most: however many watch, the daemon is asked once. While one does not
    /// answer in time, what was seen before is shown, and nobody waits.
    pub(super) fn seen(self: &Arc<Self>, home: &Home) -> Arc<Seen> {
        let last = || self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let met = last();
        if let Some(met) = met.as_ref().filter(|met| met.at.elapsed() < SEEN) {
            return Arc::clone(&met.seen);
        }
        if let Some(met) = met.as_ref().filter(|met| met.took > ANSWERED_MAX) {
            let site = Arc::clone(self);
            std::thread::spawn(move || {
                let Some(_one) = free(&site.asking) else { return };
                // What cannot be opened is told by each page.
                let _ = site.home().map(|home| site.ask(&home));
            });
            return Arc::clone(&met.seen);
        }
        match (free(&self.asking), met) {
            (Some(_one), _) => self.ask(home),
            // Somebody asks already.
            (None, Some(met)) => met.seen,
            (None, None) => {
                let _one = self.asking.lock().unwrap_or_else(PoisonError::into_inner);
                last().map_or_else(|| self.ask(home), |met| met.seen)
            }
        }
    }

    fn ask(&self, home: &Home) -> Arc<Seen> {
        let began = clock::monotonic();
        let seen = Arc::new(Seen::ask(home));
        let (at, took) = (clock::monotonic(), began.elapsed());
        let met = Met { at, took, seen: Arc::clone(&seen) };
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(met);
        seen
    }

    /// How the home was when it was last looked at all of it; nothing before the first time. What is old is looked at
    /// again beside this.
    pub(super) fn health(self: &Arc<Self>) -> Option<Arc<Health>> {
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let fresh = looked.at.is_some_and(|at| at.elapsed() < LOOKED);
        if !fresh && !looked.busy {
            looked.busy = true;
            let site = Arc::clone(self);
            std::thread::spawn(move || site.look());
        }
        looked.health.clone()
    }

    /// How many companies and people there are. While nothing is written they are counted once; among many the count of a
    /// moment ago is shown, and they are counted beside this.
    pub(super) fn count(self: &Arc<Self>, home: &Home) -> Result<[usize; 2], Failure> {
        let counted = || self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(counted) = counted().filter(|counted| counted.took > COUNTED_MAX) else {
            // The first who come wait for the one who counts.
            let _one = self.counting.lock().unwrap_or_else(PoisonError::into_inner);
            return match counted().filter(|counted| counted.took > COUNTED_MAX) {
                Some(counted) => Ok(counted.counts),
                None => self.count_now(home),
            };
        };
        if home.ends()? != counted.ends {
            let site = Arc::clone(self);
            std::thread::spawn(move || {
                // Somebody else counts already.
                let Some(_one) = free(&site.counting) else { return };
                // The next page that is asked for says it where this fails.
                let _ = site.home().and_then(|home| site.count_now(&home));
            });
        }
        Ok(counted.counts)
    }

    fn count_now(&self, home: &Home) -> Result<[usize; 2], Failure> {
        let (began, ends) = (clock::monotonic(), home.ends()?);
        let counts = home.count()?;
        let counted = Counted { ends, counts, took: began.elapsed() };
        *self.counted.lock().unwrap_or_else(PoisonError::into_inner) = Some(counted);
        Ok(counts)
    }

    /// Looks at what takes long before anybody asks.
    pub(super) fn prepare(self: &Arc<Self>) {
        // One after the other: the first page waits for the count alone.
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).busy = true;
        let site = Arc::clone(self);
        std::thread::spawn(move || {
            // The next page that is asked for says it where this fails.
            let _ = site.home().and_then(|home| site.count(&home));
            site.look();
        });
    }

    /// Something was written here: what was looked at may be otherwise now.
    pub(super) fn changed(&self) {
        self.looked.lock().unwrap_or_else(PoisonError::into_inner).at = None;
    }

    fn look(&self) {
        let at = clock::monotonic();
        let health = self.home().and_then(|home| {
            // A daemon takes hand edits in by itself. That they cannot be taken in is told by the look.
            if !door::is_open(&home) {
                let _ = home.catch_up(None, clock::now());
            }
            Ok(home.health()?)
        });
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        looked.busy = false;
        looked.at = Some(at);
        // Where the home cannot be read each page says so.
        looked.health = health.ok().map(Arc::new).or_else(|| looked.health.take());
    }
}

/// The lock, where nobody has it.
fn free(lock: &Mutex<()>) -> Option<MutexGuard<'_, ()>> {
    match lock.try_lock() {
        Ok(one) => Some(one),
        Err(TryLockError::Poisoned(one)) => Some(one.into_inner()),
        Err(TryLockError::WouldBlock) => None,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use cocli_core::{ClusterId, NodeId};
    use cocli_node::{Birth, Membership};

    use super::*;

    /// A site of a home of its own, with room for two streams.
    pub(in crate::web) fn site(folder: &std::path::Path) -> (Arc<Site>, watch::Sender<bool>) {
        let birth = Birth {
            node: NodeId::written("pi1").unwrap(),
            membership: Membership {
                cluster: ClusterId([7; 16]),
                keys: Vec::new(),
                peers: Vec::new(),
            },
            identity: vec![0; 32],
            identity_public: "00".into(),
            cards: false,
            maybe_known: false,
        };
        let home = Home::create(folder, &birth, clock::rim(), clock::now()).unwrap();
        let listen = "127.0.0.1:7777".parse().unwrap();
        let options = Options { listen, token: None, hosts: Vec::new(), streams: 2 };
        let (stop, stopped) = watch::channel(false);
        (Arc::new(Site::new(&home, options, listen, stopped)), stop)
    }

    #[test]
    fn nobody_waits_for_a_daemon_that_does_not_answer_where_something_was_seen_before() {
        let dir = tempfile::tempdir().unwrap();
        let (site, _stop) = site(dir.path());
        let home = site.home().unwrap();
        let first = site.seen(&home);
        assert!(Arc::ptr_eq(&first, &site.seen(&home)), "a moment ago");
        let age = |took| {
            let mut seen = site.seen.lock().unwrap();
            let met = seen.as_mut().unwrap();
            (met.at, met.took) = (met.at.checked_sub(2 * SEEN).unwrap(), took);
        };
        // Somebody asks, and gets no answer.
        let asks = site.asking.lock().unwrap();
        age(Duration::ZERO);
        assert!(Arc::ptr_eq(&first, &site.seen(&home)));
        age(2 * ANSWERED_MAX);
        assert!(Arc::ptr_eq(&first, &site.seen(&home)));
        drop(asks);
        age(Duration::ZERO);
        assert!(!Arc::ptr_eq(&first, &site.seen(&home)), "and is asked again when nobody does");
    }
}
