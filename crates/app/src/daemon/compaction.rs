//! The compaction thread: what came is merged into the checkpoint, beside everything else, when it has
//! grown long or old. So a read finds little behind the checkpoint, however much a peer sent.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use cocli_core::{Head, LogId, Vector};
use cocli_node::Home;

use super::Event;
use crate::clock;

/// Bytes that come before it is worth a look whether they are many.
const LOOK_BYTES: u64 = 1024 * 1024;
/// What came is merged after this however little it is.
const OLD: Duration = Duration::from_secs(600);
/// Between two compactions, and before the first: there is more to do at a start.
const PAUSE: Duration = Duration::from_secs(2);

struct Compaction {
    home: Home,
    /// How far each log is durable.
    durable: Vector,
    /// Bytes that came since the last look.
    grown: u64,
    /// When something came that is not merged.
    since: Option<Instant>,
    /// Not before.
    from: Instant,
    /// What went wrong the last time.
    failed: Option<String>,
    events: Sender<Event>,
}

/// Starts the thread.
pub(super) fn start(home: Home, events: Sender<Event>) -> Sender<(LogId, Head)> {
    let (sender, queue) = channel();
    std::thread::spawn(move || {
        let now = clock::monotonic();
        let durable = home.vector().unwrap_or_default();
        let mut compaction = Compaction {
            home,
            durable,
            // Nobody knows yet what an earlier daemon left.
            grown: LOOK_BYTES,
            since: Some(now),
            from: now + PAUSE,
            failed: None,
            events,
        };
        compaction.run(&queue);
    });
    sender
}

impl Compaction {
    fn run(&mut self, queue: &Receiver<(LogId, Head)>) {
        loop {
            let now = clock::monotonic();
            let Some(next) = self.next() else {
                let Ok(came) = queue.recv() else { return };
                self.note(came);
                continue;
            };
            match queue.recv_timeout(next.saturating_duration_since(now)) {
                Ok(came) => self.note(came),
                Err(RecvTimeoutError::Timeout) => self.work(),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    }

    /// When there is something to do.
    fn next(&self) -> Option<Instant> {
        let old = self.since? + OLD;
        Some(if self.grown >= LOOK_BYTES { self.from } else { old.max(self.from) })
    }

    fn note(&mut self, (log, head): (LogId, Head)) {
        let before = self.durable.position(&log);
        self.grown = self.grown.saturating_add(head.position.saturating_sub(before));
        self.durable.0.insert(log, head);
        self.since.get_or_insert_with(clock::monotonic);
    }

    fn work(&mut self) {
        let due = self.since.is_some_and(|since| since.elapsed() >= OLD);
        let done = self.home.compact_beside(&self.durable, due);
        self.grown = 0;
        self.from = clock::monotonic() + PAUSE;
        let failed = match done {
            Ok(done) => {
                if done.is_some() || due {
                    self.since = None;
                }
                None
            }
            Err(error) => {
                self.since = Some(clock::monotonic());
                Some(format!("the checkpoint stays as it was: {}", crate::failure::chain(&error)))
            }
        };
        if let Some(why) = failed.clone().filter(|_| failed != self.failed) {
            let _ = self.events.send(Event::Notice(why));
        }
        self.failed = failed;
    }
}
