//! What all pages share: where the home is, who may come in, what is live, and what is slow to look at.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cocli_node::{Health, Home};
use tokio::sync::{Semaphore, watch};

use super::Options;
use super::cluster::{self, Seen};
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
        let now = Arc::new(cluster::ask(home));
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
