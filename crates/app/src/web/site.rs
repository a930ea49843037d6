//! What all pages share: where the home is, who may come in, what is live, and what is slow to look at.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
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

/// Streams at once.
pub(super) const STREAMS_MAX: usize = 1_000;
/// How old what the door said of the cluster may be.
const SEEN: Duration = Duration::from_millis(1_500);
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
    /// When the process is to end.
    pub(super) stopped: watch::Receiver<bool>,
    seen: Mutex<Option<(Instant, Arc<Seen>)>>,
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
            guard: Guard::new(options, address),
            feed: Arc::new(Feed::new()),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
            stopped,
            seen: Mutex::new(None),
            looked: Mutex::new(Looked::default()),
            counted: Mutex::new(None),
            counting: Mutex::new(()),
        }
    }

    /// The home as it is now: settings may have changed, and it may have joined another cluster.
    pub(super) fn home(&self) -> Result<Home, Failure> {
        Ok(Home::open(&self.home, clock::rim())?)
    }

    /// The cluster, as it was seen a moment ago at most: however many watch, the daemon is asked once.
    pub(super) fn seen(&self, home: &Home) -> Arc<Seen> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, seen)) = seen.as_ref().filter(|(at, _)| at.elapsed() < SEEN) {
            let _ = at;
            return Arc::clone(seen);
        }
        let now = Arc::new(Seen::ask(home));
        *seen = Some((clock::monotonic(), Arc::clone(&now)));
        now
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
        let counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some(counted) = counted.filter(|counted| counted.took > COUNTED_MAX) else {
            return self.count_now(home);
        };
        if home.ends()? != counted.ends {
            let site = Arc::clone(self);
            std::thread::spawn(move || {
                // Somebody else counts already.
                let Ok(_one) = site.counting.try_lock() else { return };
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
        let _ = self.health();
        let site = Arc::clone(self);
        std::thread::spawn(move || site.home().and_then(|home| site.count_now(&home)));
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
