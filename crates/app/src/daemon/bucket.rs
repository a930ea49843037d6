//! The thread that goes to the bucket: it asks a pace what is due, and tells the loop what came.

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cocli_core::NodeId;
use cocli_core::bucket::pace::{Due, INTERVAL_US, Pace};
use cocli_core::bucket::{Failure as Refusal, FailureKind};
use cocli_node::durable::Trip;
use cocli_node::{Home, NodeError};
use cocli_tier::Store;
use serde_json::{Value as Json, json};

use super::Event;
use super::alive::Alive;
use crate::bucket::{Bill, open, visit};
use crate::clock;
use crate::failure::chain;

/// What waits is looked at no oftener than this.
const LOOK: Duration = Duration::from_secs(5);

/// What the loop tells the thread.
#[derive(Debug)]
pub(super) enum Told {
    /// A log grew here.
    Grown,
    /// Of whom gossip brings everything, and how many bytes of what is here none of them holds.
    Near { level: BTreeSet<NodeId>, unspread: u64 },
}

/// The thread, as the loop knows it.
#[derive(Debug, Clone)]
pub(super) struct Courier {
    told: Sender<Told>,
    trouble: Arc<Mutex<Option<Refusal>>>,
}

impl Courier {
    pub(super) fn tell(&self, told: Told) {
        let _ = self.told.send(told);
    }

    /// Why nothing came of the last trip.
    pub(super) fn trouble(&self) -> Json {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let trouble = trouble.as_ref();
        json!(trouble.map(|failure| json!({
            "kind": format!("{:?}", failure.kind).to_lowercase(), "said": failure.said,
        })))
    }
}

struct Thread {
    home: Home,
    url: String,
    store: Option<Store>,
    pace: Pace,
    began: Instant,
    look: Duration,
    looked: Option<Instant>,
    grown: bool,
    unspread: u64,
    events: Sender<Event>,
    trouble: Arc<Mutex<Option<Refusal>>>,
}

/// Starts the thread, where the home has a bucket. It ends when what this gives is dropped.
pub(super) fn start(home: Home, interval: Option<u64>, events: &Sender<Event>) -> Option<Courier> {
    let url = home.config().bucket.url.clone()?;
    let interval = interval.or(home.config().bucket.interval);
    let interval = interval.map_or(INTERVAL_US, |seconds| seconds.saturating_mul(1_000_000));
    let (told, hears) = channel();
    let trouble = Arc::new(Mutex::new(None));
    let courier = Courier { told, trouble: Arc::clone(&trouble) };
    let alive = Alive::through("the thread that goes to the bucket", events);
    let mut thread = Thread {
        pace: Pace::new(home.node().clone(), interval, 0),
        home,
        url,
        store: None,
        began: clock::monotonic(),
        look: LOOK.min(Duration::from_micros(interval / 4)),
        looked: None,
        grown: true,
        unspread: u64::MAX,
        events: alive,
        trouble,
    };
    std::thread::spawn(move || thread.run(&hears));
    Some(courier)
}

impl Thread {
    fn now(&self) -> u64 {
        clock::micros_since(self.began)
    }

    fn run(&mut self, hears: &Receiver<Told>) {
        loop {
            let mut wait = Duration::from_micros(self.pace.deadline().saturating_sub(self.now()));
            if self.grown {
                let next =
                    self.looked.map_or(Duration::ZERO, |at| self.look.saturating_sub(at.elapsed()));
                wait = wait.min(next);
            }
            match hears.recv_timeout(wait) {
                Ok(Told::Grown) => self.grown = true,
                Ok(Told::Near { level, unspread }) => {
                    self.pace.level(self.now(), level);
                    self.grown |= unspread != self.unspread;
                    self.unspread = unspread;
                }
                Err(RecvTimeoutError::Disconnected) => return,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if self.grown && self.looked.is_none_or(|at| at.elapsed() >= self.look) {
                self.look();
            }
            let due = self.pace.due(self.now());
            if !due.is_nothing() {
                self.go(&due);
            }
        }
    }

    /// Looks at what waits.
    fn look(&mut self) {
        (self.grown, self.looked) = (false, Some(clock::monotonic()));
        let seen = self.home.seen().ok().flatten();
        let now = self.now();
        if let Some(seen) = seen
            && let Ok(lacking) = self.home.lacking(&seen, self.unspread)
        {
            self.pace.lacks(now, lacking);
        }
    }

    fn go(&mut self, due: &Due) {
        match self.trip(due) {
            Ok(Some(trip)) => {
                let now = self.now();
                self.pace.done(now, due);
                if let Ok(Some(seen)) = self.home.seen() {
                    self.pace.know(now, seen.writers());
                }
                self.grown = true;
                self.note(None);
                self.tell(trip);
            }
            // A command of this home is at it: it is done soon.
            Ok(None) => self.pace.failed(self.now(), FailureKind::Away, 0),
            Err(failure) => {
                let dice = u64::from_be_bytes(clock::random());
                self.pace.failed(self.now(), failure.kind, dice);
                if failure.kind != FailureKind::Away {
                    // Credentials, or the address, may be others by then.
                    self.store = None;
                }
                self.note(Some(failure));
            }
        }
    }

    fn trip(&mut self, due: &Due) -> Result<Option<Trip>, Refusal> {
        let now = clock::now();
        let bill = Bill::of(&self.home, now);
        self.pace.stretch(bill.stretch(now)?);
        let store = match self.store.take() {
            Some(store) => store,
            None => open(&self.url, &self.home.config().bucket)?,
        };
        let store = self.store.insert(store);
        let came = visit(&self.home, (&self.url, store), false, |durable| durable.go(due, now));
        came.map_err(|error: NodeError| match error {
            NodeError::Bucket(failure) => failure,
            // The disk: that too is tried again.
            other => Refusal::new(FailureKind::Away, chain(&other)),
        })
    }

    fn tell(&self, trip: Trip) {
        let notices = trip.pulled.notices.into_iter().chain(trip.pushed.met.notices);
        for notice in notices {
            let _ = self.events.send(Event::Notice(notice));
        }
        if !trip.pulled.logs.is_empty() || !trip.pushed.met.logs.is_empty() {
            let _ = self.events.send(Event::Journals);
        }
    }

    /// What is the matter is told once, until it is another thing or over.
    fn note(&self, failure: Option<Refusal>) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let (was, is) = (trouble.as_ref().map(|f| f.kind), failure.as_ref().map(|f| f.kind));
        if was != is {
            let text = match &failure {
                Some(failure) => format!("the bucket: {failure}"),
                None => "the bucket answers again".to_owned(),
            };
            let _ = self.events.send(Event::Notice(text));
        }
        *trouble = failure;
    }
}
